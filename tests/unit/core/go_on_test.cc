// routing.continue_on: cut. An answer that broke off goes on from another target: who goes on, with what, and what it counts.
#include "core/told.h"
#include "unit/core/go_on_fixture.h"

using namespace llmrouter;
using namespace llmrouter::test;
using std::chrono::seconds;

TEST_CASE("cut: an answer that breaks off goes on from the next target that can, however it broke") {
  Cut w;
  const size_t pieces = GENERATE(1, 2, 4, 5, 8);
  ScriptedReply bad = w.broken(pieces);
  const int way = GENERATE(0, 1, 2, 3);
  std::string outcome = "cut";
  if (way == 1) bad.end = {}, outcome = "error";  // ends as if all were said
  if (way == 2) bad.end = {}, bad.hang = true, outcome = "timeout";
  if (way == 3) bad.end = {}, bad.chunks.push_back("data: {\"error\":{\"message\":\"overloaded\",\"code\":503}}\n\n"), outcome = "error";
  w.transport.push(bad);
  w.relay(World::body("m", true, R"(,"stream_options":{"include_usage":true},"max_tokens":100)"));
  w.run();
  CAPTURE(pieces, way, w.heard.bytes);
  CHECK(text_of_chunks(w.heard.bytes) == kText);
  CHECK(count(w.heard.bytes, ": llmrouter: continued from=a/x to=b/y\n\n") == 1);
  REQUIRE(w.transport.seen().size() == 2);
  const std::string& body = w.transport.seen()[1].body;
  CHECK(asked(w.transport.seen()[1], "b"));
  CHECK(find_member(JsonValue(body), "continue_final_message").raw() == "true");
  CHECK(find_member(JsonValue(body), "add_generation_prompt").raw() == "false");
  CHECK_FALSE(beginning(w.transport.seen()[1]).empty());
  const UsageRecord& record = w.heard.result.record;
  CHECK(w.heard.result.complete);
  CHECK(record.status == CallStatus::kOk);
  CHECK(w.outcomes() == "a:" + outcome + " b:ok");
  CHECK(record.provider == "b");
  CHECK(record.decision.find("continued from a/x") != std::string::npos);
  // What a has cost nobody said; b said 10 and 5.
  CHECK(record.usage.estimated);
  CHECK(record.usage.input > 10);
  CHECK(record.usage.output > 5);
  CHECK(find_member(JsonValue(body), "max_tokens").integer().value_or(0) == 100 - (record.usage.output - 5));
  const std::string last = datas(w.heard.bytes)[datas(w.heard.bytes).size() - 2];
  CHECK(find(JsonValue(last), "usage", "prompt_tokens").integer().value_or(0) == record.usage.input);
  CHECK(find(JsonValue(last), "usage", "completion_tokens").integer().value_or(0) == record.usage.output);
  CHECK(w.heard.heads == 1);
  CHECK(w.heard.ends == 1);
  CHECK(w.transport.live() == 0);
}

TEST_CASE("cut: blanks at the place of the break are neither lost nor told twice") {
  const auto [told, next, all] = GENERATE(table<std::string, std::string, std::string>({{"one ", " two", "one two"},
                                                                                        {"one ", "two", "one two"},
                                                                                        {"one", " two", "one two"},
                                                                                        {"one\\n\\n", "\\n\\ntwo", "one\n\ntwo"},
                                                                                        {"one\\n", "\\n\\ntwo", "one\n\ntwo"},
                                                                                        {"  ", " two", "   two"},
                                                                                        {"one   ", " two", "one   two"}}));
  Cut w;
  w.transport.push(w.broken(5, told));
  w.transport.push(ScriptedReply::sse(openai_datas(next)));
  w.relay(World::body("m", true));
  w.run();
  CAPTURE(told, next, w.heard.bytes);
  const std::string heard = text_of_chunks(w.heard.bytes);
  if (told == "  ") CHECK(heard.find_first_not_of(' ') == 2);  // nothing was said: a new answer
  else CHECK(heard == all);
}

TEST_CASE("cut: a target that repeats the beginning is heard from where it goes on, and one that does not is heard whole") {
  const bool repeats = GENERATE(true, false);
  Cut w;
  w.config.providers[1].quirks = {"prefill_prefix", "repeats_prefill"};
  const std::string second = repeats ? kText : "Once more: " + kText;  // begins like the beginning
  w.transport.push(w.broken(4));
  w.transport.push(ScriptedReply::sse(openai_datas(second)));
  w.relay(World::body("m", true));
  w.run();
  CAPTURE(w.heard.bytes);
  CHECK(text_of_chunks(w.heard.bytes) == (repeats ? kText : kText.substr(0, 28) + second));
  CHECK(w.transport.seen()[1].body.find("\"prefix\":true") != std::string::npos);
}

TEST_CASE("cut: however the words come in pieces, the joint is the same") {
  const std::string told = "abab  \n ", beginning = "abab";
  struct Row {
    std::string words, heard;  // of a target that repeats, or may
  };
  const std::vector<Row> rows = {{"ababcd", "cd"},      {"abab  \n cd", "cd"}, {"abab cd", "cd"}, {"abab\ncd", "\ncd"}, {"ababab", "ab"},
                                 {"abacd", "abacd"},    {"abab", ""},         {"ab", "ab"},      {"xabab", "xabab"},  {"abab  \n  cd", " cd"}, {"", ""}};
  for (const Row& row : rows) {
    for (uint32_t cuts = 0; cuts < (1u << row.words.size()); ++cuts) {  // a bit for each place between two bytes
      core::Joint joint(told, true);
      CHECK(joint.beginning() == beginning);
      std::string heard, piece;
      for (size_t i = 0; i < row.words.size(); ++i) {
        piece += row.words[i];
        if ((cuts >> i & 1) == 0 && i + 1 < row.words.size()) continue;
        heard += joint.next(piece);
        piece.clear();
      }
      heard += joint.rest();
      if (heard != row.heard) FAIL(row.words << " in pieces " << cuts << ": " << heard);
    }
  }
  core::Joint plain("one ", false);
  CHECK(plain.next("one two") == "one two");  // it does not repeat: these are new words
}

TEST_CASE("cut twice: a third goes on, and all of them are in the sum") {
  Cut w;
  w.transport.push(w.broken(3));
  ScriptedReply second = ScriptedReply::sse({chunk(R"({"role":"assistant","content":""})"), chunk(R"({"content":")" + kText.substr(21, 9) + "\"}"), openai_usage(40, 4)});
  second.end = {TransferError::Kind::kTruncated, "reset"};
  w.transport.push(second);
  w.relay(World::body("m", true));
  w.run();
  CAPTURE(w.heard.bytes);
  CHECK(text_of_chunks(w.heard.bytes) == kText);
  CHECK(w.outcomes() == "a:cut b:cut c:ok");
  CHECK(count(w.heard.bytes, ": llmrouter: continued from=a/x to=b/y") == 1);
  CHECK(count(w.heard.bytes, ": llmrouter: continued from=b/y to=c/z") == 1);
  CHECK(w.heard.result.record.decision.find("continued from a/x, b/y") != std::string::npos);
  CHECK(w.heard.result.record.usage.input > 50);
  CHECK(beginning(w.transport.seen()[2]) == kText.substr(0, 30));
  CHECK(w.continuations() == "2 continued, 0 length, 0 failed");
}

TEST_CASE("cut: who fails before he says anything, or refuses, leaves it to the next") {
  const int status = GENERATE(400, 401, 429, 500);
  Cut w;
  w.transport.push(w.broken(3));
  w.transport.push(ScriptedReply::json(R"({"error":{"message":"no"}})", status));
  w.relay(World::body("m", true));
  w.run();
  CAPTURE(status, w.heard.bytes);
  CHECK(text_of_chunks(w.heard.bytes) == kText);
  CHECK(w.outcomes() == "a:cut b:error c:ok");
  CHECK(count(w.heard.bytes, "continued from=a/x to=c/z") == 1);
  CHECK(w.continuations() == "1 continued, 0 length, 0 failed");
}

TEST_CASE("cut: when nobody goes on the caller hears once why it broke off") {
  Cut w;
  SECTION("off, as it is unless somebody asks for it") { w.config.routing.continue_on_cut = false; }
  SECTION("targets that do not take up an answer") {
    w.config.providers[1].quirks = w.config.providers[2].quirks = {};
  }
  SECTION("no attempts left") { w.config.routing.attempts = 1; }
  SECTION("all that can fail, too") {
    w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(R"({"error":{"message":"no"}})", 500); };
  }
  ScriptedReply bad = w.broken(3);
  bad.end.message = "the line went dead";
  w.transport.push(bad);
  w.relay(World::body("m", true));
  w.run();
  CAPTURE(w.heard.bytes);
  w.check_cut();
  CHECK(w.heard.bytes.find("the line went dead") != std::string::npos);
  CHECK(w.heard.bytes.find("continued") == std::string::npos);
  CHECK(w.continuations() == (w.config.routing.continue_on_cut ? "0 continued, 0 length, 1 failed" : "0 continued, 0 length, 0 failed"));
  // The record is of who was asked last, not of who was passed over.
  const UsageRecord& record = w.heard.result.record;
  const auto last = std::find_if(record.attempts.rbegin(), record.attempts.rend(), [](const AttemptRecord& a) { return a.outcome != "skipped"; });
  REQUIRE(last != record.attempts.rend());
  CHECK(record.provider == last->provider);
  CHECK(record.model == last->model);
}

TEST_CASE("cut: a target that was passed over for it is in the record, with the reason") {
  Cut w;
  w.config.providers[1].quirks = {};
  w.transport.push(w.broken(3));
  w.relay(World::body("m", true));
  w.run();
  CHECK(w.outcomes() == "a:cut b:skipped c:ok");
  CHECK(w.heard.result.record.attempts[1].reason.find("does not go on") != std::string::npos);
}

TEST_CASE("cut: only text goes on") {
  Cut w;
  std::string more;
  std::vector<std::string> said = {chunk(R"({"role":"assistant","content":"so far"})")};
  SECTION("a call was begun") { said.push_back(chunk(R"({"tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"f","arguments":"{\"a"}}]})")); }
  SECTION("thoughts alone") { said = {chunk(R"({"role":"assistant","reasoning_content":"hm"})")}; }
  SECTION("a refusal") { said.push_back(chunk(R"({"refusal":"I"})")); }
  SECTION("it had finished") { said.push_back(chunk("{}", "\"stop\"")); }
  SECTION("two answers") { more = R"(,"n":2)"; }
  SECTION("a schema") { more = R"(,"response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object"}}})"; }
  SECTION("JSON") { more = R"(,"response_format":{"type":"json_object"})"; }
  SECTION("logprobs") { more = R"(,"logprobs":true)"; }
  SECTION("a forced call") { more = R"(,"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required")"; }
  SECTION("longer than is kept") {
    for (int i = 0; i < 5; ++i) said.push_back(chunk(R"({"content":")" + std::string(60000, 'x') + "\"}"));
  }
  ScriptedReply bad = ScriptedReply::sse(said);
  bad.end = {TransferError::Kind::kTruncated, "reset"};
  w.transport.push(bad);
  w.relay(World::body("m", true, more));
  w.run();
  w.check_cut();
  CHECK(w.transport.seen().size() == 1);
}

TEST_CASE("cut: a conversation that ends with an answer already is not gone on with") {
  Cut w;
  w.transport.push(w.broken(3));
  w.relay(R"({"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"Well"}],"stream":true})");
  w.run();
  w.check_cut();
  CHECK(w.transport.seen().size() == 1);
}

TEST_CASE("cut: thoughts before the text are not asked for again") {
  Cut w;
  w.config.providers[1].quirks = {"prefill_continue", "template_thinking"};
  ScriptedReply bad = w.broken(3);
  bad.chunks.insert(bad.chunks.begin() + 1, "data: " + chunk(R"({"reasoning_content":"hm"})") + "\n\n");
  w.transport.push(bad);
  w.relay(World::body("m", true, R"(,"reasoning_effort":"high","chat_template_kwargs":{"enable_thinking":true})"));
  w.run();
  CHECK(text_of_chunks(w.heard.bytes) == kText);
  const std::string& body = w.transport.seen()[1].body;
  CHECK(find(JsonValue(body), "chat_template_kwargs", "enable_thinking").raw() == "false");
  CHECK(count(body, "chat_template_kwargs") == 1);
  CHECK_FALSE(find_member(JsonValue(body), "reasoning_effort").exists());
}

TEST_CASE("cut: an answer that has all its tokens ends as it would have, and nobody is asked for more") {
  Cut w;
  w.transport.push(w.broken(4));
  w.relay(World::body("m", true, R"(,"max_tokens":7,"stream_options":{"include_usage":true})"));
  w.run();
  CAPTURE(w.heard.bytes);
  CHECK(text_of_chunks(w.heard.bytes) == kText.substr(0, 28));
  CHECK(w.heard.bytes.find("\"finish_reason\":\"length\"") != std::string::npos);
  CHECK(w.heard.bytes.find("continued") == std::string::npos);
  CHECK(w.transport.seen().size() == 1);
  CHECK(w.heard.result.record.status == CallStatus::kOk);
  CHECK(count(w.heard.bytes, "\"completion_tokens\":7") == 1);
  CHECK(w.continuations() == "0 continued, 1 length, 0 failed");
}

TEST_CASE("cut: the caller may leave and the deadline may come while another is asked") {
  Cut w;
  w.transport.push(w.broken(3));
  w.transport.fallback = [](const SeenRequest&) {
    ScriptedReply slow;
    slow.hang = true;
    slow.head_after = std::chrono::hours(1);
    return slow;
  };
  const bool leaves = GENERATE(true, false);
  CallOptions options;
  if (!leaves) options.timeout = seconds(3);
  w.relay(World::body("m", true), std::move(options));
  w.run(seconds(1));
  REQUIRE(w.transport.seen().size() == 2);
  CHECK(w.heard.ends == 0);
  if (leaves) {
    w.call.cancel();
    CHECK(w.heard.result.record.status == CallStatus::kCancelled);
    CHECK(w.outcomes() == "a:cut b:cancelled");
  } else {
    w.run();
    w.check_cut();
    CHECK(w.heard.bytes.find("timeout: total") != std::string::npos);
    CHECK(w.outcomes() == "a:cut b:timeout");
  }
  CHECK(w.heard.ends == 1);
  CHECK_FALSE(w.heard.result.complete);
  CHECK(w.transport.live() == 0);
}

TEST_CASE("cut: what the retry budget does not allow ends with the error, and says so") {
  Cut w;
  w.config.routing.retry_budget = 0;
  int whole = 0, cut = 0;
  for (int i = 0; i < 120; ++i) {
    w.transport.push(w.broken(3));
    w.relay(World::body("a/x", true));  // a alone: another attempt needs a server that goes on
    w.run();
    w.transport.push(w.broken(3));
    w.relay(World::body("m", true));
    w.run();
    (w.heard.result.complete ? whole : cut) += 1;
    if (!w.heard.result.complete) CHECK(w.heard.bytes.find("routing.retry_budget") != std::string::npos);
    w.clock.advance(std::chrono::milliseconds(1));
  }
  CHECK(whole == 100);
  CHECK(cut == 20);
}

TEST_CASE("cut: a hedge that lost has nothing to do with it") {
  Cut w;
  w.config.routing.hedge.after = std::chrono::milliseconds(100);
  w.config.routing.hedge.max_extra = 100;
  ScriptedReply slow = w.broken(3);
  slow.head_after = seconds(1);
  w.transport.push(slow);
  ScriptedReply quick = w.broken(3);
  quick.chunk_every = std::chrono::milliseconds(200);
  w.transport.push(quick);
  w.relay(World::body("m", true));
  w.run();
  CAPTURE(w.heard.bytes, w.outcomes());
  CHECK(text_of_chunks(w.heard.bytes) == kText);
  CHECK(w.heard.result.record.status == CallStatus::kOk);
  CHECK(w.transport.seen().size() == 3);
  CHECK(w.transport.live() == 0);
}

TEST_CASE("cut: thoughts that a filter made text of are no beginning") {
  Cut w;
  w.config.models[0].filters = {"think_tags"};
  ScriptedReply thinks = ScriptedReply::sse({R"({"id":"c1","object":"chat.completion.chunk","created":1,"model":"x","choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}]})",
                                             R"({"id":"c1","object":"chat.completion.chunk","created":1,"model":"x","choices":[{"index":0,"delta":{"reasoning_content":"Let me see"},"finish_reason":null}]})"});
  thinks.end = {TransferError::Kind::kTruncated, "reset"};
  w.transport.push(thinks);
  w.ask("openai", World::body("m", true));
  w.run();
  CAPTURE(w.heard.bytes);
  CHECK(w.heard.bytes.find("<think>") != std::string::npos);
  w.check_cut();
  CHECK(w.transport.seen().size() == 1);
}

TEST_CASE("cut: a function call in the older words is no text to go on from") {
  Cut w;
  ScriptedReply calls = ScriptedReply::sse({R"({"id":"c1","object":"chat.completion.chunk","created":1,"model":"x","choices":[{"index":0,"delta":{"role":"assistant","content":"One moment."},"finish_reason":null}]})",
                                            R"({"id":"c1","object":"chat.completion.chunk","created":1,"model":"x","choices":[{"index":0,"delta":{"function_call":{"name":"f","arguments":"{\"a"}},"finish_reason":null}]})"});
  calls.end = {TransferError::Kind::kTruncated, "reset"};
  w.transport.push(calls);
  w.ask("openai", World::body("m", true));
  w.run();
  CAPTURE(w.heard.bytes);
  w.check_cut();
  CHECK(w.transport.seen().size() == 1);
}

namespace {

// m is a, and what it falls back to is a model of its own each: second is b, third is c. a breaks off after about seven tokens.
struct Capped : Cut {
  Capped() {
    config.models = {model("m", {{"a", "x", 1, 1}}, {"second", "third"}), model("second", {{"b", "y", 1, 1}}), model("third", {{"c", "z", 1, 1}})};
    transport.push(broken(4));
  }
  void allow(size_t of, const char* tokens, const char* member = "max_tokens") { config.models[of].override_.emplace_back(member, tokens); }
  void ask_for(const std::string& more) {
    relay(World::body("m", true, R"(,"stream_options":{"include_usage":true})" + more));
    run();
  }
  std::optional<int64_t> asked_of_next() {
    REQUIRE(transport.seen().size() == 2);
    return find_member(JsonValue(transport.seen()[1].body), "max_tokens").integer();
  }
  void check_length() {
    CAPTURE(heard.bytes, outcomes());
    CHECK(text_of_chunks(heard.bytes) == kText.substr(0, 28));
    CHECK(count(heard.bytes, "\"finish_reason\":\"length\"") == 1);
    CHECK(heard.result.complete);
    CHECK(heard.result.record.status == CallStatus::kOk);
    CHECK(heard.result.record.provider == "a");
    CHECK(heard.result.record.model == "x");
    CHECK(heard.result.record.usage.output == 7);
    CHECK(transport.seen().size() == 1);
    CHECK(transport.live() == 0);
    CHECK(continuations() == "0 continued, 1 length, 0 failed");
  }
};

}  // namespace

TEST_CASE("cut: an answer that has all tokens of its model's override ends with length, whatever the caller allowed") {
  Capped w;
  w.allow(0, GENERATE("7", "3"), GENERATE("max_tokens", "max_completion_tokens"));
  w.ask_for(GENERATE("", R"(,"max_tokens":100)"));
  w.check_length();
  CHECK(w.outcomes() == "a:cut");
}

TEST_CASE("cut: who goes on is asked for what is left of the least that was allowed") {
  struct Row {
    const char* first;   // the override of who began it
    const char* second;  // and of who goes on; empty: none
    const char* caller;
    int64_t least;       // 0: nobody set a bound
  };
  const Row row = GENERATE(values<Row>({{"20", "", "", 20},
                                        {"20", "", R"(,"max_tokens":100)", 20},
                                        {"20", "", R"(,"max_tokens":15)", 15},
                                        {"", "30", "", 30},
                                        {"", "30", R"(,"max_tokens":15)", 15},
                                        {"20", "30", "", 20},
                                        {"30", "20", R"(,"max_tokens":100)", 20},
                                        {"", "", R"(,"max_tokens":100)", 100},
                                        {"", "", "", 0}}));
  Capped w;
  if (*row.first != '\0') w.allow(0, row.first);
  if (*row.second != '\0') w.allow(1, row.second);
  w.ask_for(row.caller);
  CAPTURE(row.first, row.second, row.caller, w.heard.bytes);
  CHECK(text_of_chunks(w.heard.bytes) == kText);
  CHECK(w.outcomes() == "a:cut b:ok");
  CHECK(w.asked_of_next().value_or(0) == (row.least == 0 ? 0 : row.least - 7));
}

TEST_CASE("cut: what a model sets when the caller does not is a bound, too") {
  Capped w;
  w.config.models[0].defaults.emplace_back("max_tokens", "12");
  w.ask_for(GENERATE("", R"(,"max_tokens":12)"));
  CHECK(w.asked_of_next().value_or(0) == 5);
}

TEST_CASE("cut: a model that drops max_tokens goes on without") {
  Capped w;
  w.allow(0, "20");
  w.config.models[1].drop = {"max_tokens"};
  w.ask_for(R"(,"max_tokens":100)");
  CHECK(text_of_chunks(w.heard.bytes) == kText);
  CHECK_FALSE(w.asked_of_next());
}

TEST_CASE("cut: a fallback that allows no more than was told is passed over; when there is nobody else the answer ends with length") {
  Capped w;
  w.allow(1, "7");
  SECTION("the next goes on") {
    w.allow(2, "30");
    w.ask_for("");
    CHECK(text_of_chunks(w.heard.bytes) == kText);
    CHECK(w.outcomes() == "a:cut b:skipped c:ok");
    CHECK(w.heard.result.record.attempts[1].reason.find("max_tokens") != std::string::npos);
    CHECK(w.asked_of_next().value_or(0) == 23);
    CHECK(w.continuations() == "1 continued, 0 length, 0 failed");
  }
  SECTION("nobody else may") {
    w.allow(2, "2");
    w.ask_for("");
    w.check_length();
    CHECK(w.outcomes() == "a:cut b:skipped c:skipped");
    CHECK(w.heard.result.record.provider == "a");
  }
  SECTION("nobody else can") {
    w.config.providers[2].quirks = {};
    w.ask_for("");
    w.check_length();
  }
}

TEST_CASE("cut twice: the bound of the first holds for the third") {
  Capped w;
  w.allow(0, "20");
  ScriptedReply second = ScriptedReply::sse({chunk(R"({"role":"assistant","content":""})"), chunk(R"({"content":")" + kText.substr(28, 9) + "\"}"), openai_usage(40, 4)});
  second.end = {TransferError::Kind::kTruncated, "reset"};
  w.transport.push(second);
  w.ask_for("");
  CHECK(text_of_chunks(w.heard.bytes) == kText);
  CHECK(w.outcomes() == "a:cut b:cut c:ok");
  REQUIRE(w.transport.seen().size() == 3);
  CHECK(find_member(JsonValue(w.transport.seen()[2].body), "max_tokens").integer().value_or(0) == 20 - 7 - 4);
}

TEST_CASE("cut: the bound of a model that said nothing of the answer does not hold for the next") {
  Capped w;
  w.allow(1, "10");
  w.allow(2, "30");
  w.transport.push(ScriptedReply::json(R"({"error":{"message":"no"}})", 500));
  w.ask_for("");
  CHECK(text_of_chunks(w.heard.bytes) == kText);
  CHECK(w.outcomes() == "a:cut b:error c:ok");
  REQUIRE(w.transport.seen().size() == 3);
  CHECK(find_member(JsonValue(w.transport.seen()[2].body), "max_tokens").integer().value_or(0) == 30 - 7);
}
