#include "unit/core/call_fixture.h"

using namespace llmrouter;
using namespace llmrouter::test;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_CASE("a whole answer passes byte for byte and is recorded") {
  World w;
  w.config.providers = {provider("a", {"sk-upstream-1"})};
  w.transport.push(ScriptedReply::json(kWhole));
  w.relay(World::body("a/m"));
  w.run();
  REQUIRE(w.heard.ends == 1);
  CHECK(w.heard.head.status == 200);
  CHECK(w.heard.bytes == kWhole);
  CHECK(w.heard.head.content_length == static_cast<int64_t>(kWhole.size()));
  CHECK(w.heard.header("x-llmrouter-provider") == "a");
  CHECK(w.heard.header("x-llmrouter-attempts") == "1");
  REQUIRE(w.transport.seen().size() == 1);
  CHECK(w.transport.seen()[0].url == "http://a.test/v1/chat/completions");
  CHECK(w.transport.seen()[0].body == R"({"model":"m","messages":[{"role":"user","content":"hi"}]})");
  CHECK(w.transport.seen()[0].header("authorization") == "Bearer sk-upstream-1");
  auto records = w.records();
  REQUIRE(records.size() == 1);
  CHECK(records[0].usage.input == 10);
  CHECK(records[0].usage.output == 2);
  CHECK(records[0].status == CallStatus::kOk);
  CHECK(records[0].attempts.size() == 1);
}

TEST_CASE("a stream passes byte for byte; the usage chunk is asked for and hidden from who did not ask") {
  World w;
  w.config.providers = {provider("a")};
  auto datas = stream_datas();
  w.transport.push(ScriptedReply::sse(datas));
  w.relay(World::body("a/m", true));
  w.run();
  REQUIRE(w.heard.ends == 1);
  CHECK(w.heard.result.ok());
  CHECK(w.heard.head.stream);
  std::string expected;
  for (size_t i = 0; i < datas.size(); ++i) {
    if (i != 4) expected += "data: " + datas[i] + "\n\n";
  }
  CHECK(w.heard.bytes == expected);
  CHECK(w.transport.seen()[0].body.find("\"include_usage\":true") != std::string::npos);
  CHECK(w.records().at(0).usage.input == 10);
  CHECK_FALSE(w.records().at(0).usage.estimated);
  CHECK(w.heard.header("authorization").empty());
}

TEST_CASE("a stream of lines under the name of JSON is told as it comes") {
  const auto line = [](const std::string& text, bool done = false) {
    return R"({"model":"l","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":")" + text + R"("},"done":)" +
           (done ? R"(true,"done_reason":"stop","prompt_eval_count":1,"eval_count":2})" : "false}") + "\n";
  };
  const std::string all = line("{\\\"a}") + line("[b") + line("", true);
  for (const size_t piece : {size_t{1}, size_t{3}, size_t{70}, all.size()}) {
    World w;
    ProviderConfig p = provider("a");
    p.dialect = "ollama";
    w.config.providers = {p};
    ScriptedReply reply;  // application/json
    for (size_t at = 0; at < all.size(); at += piece) reply.chunks.push_back(all.substr(at, piece));
    w.transport.push(reply);
    w.relay(World::body("a/m", true));
    w.run();
    INFO(w.heard.bytes);
    REQUIRE(w.heard.ends == 1);
    CHECK(w.heard.result.ok());
    CHECK(w.heard.head.stream);
    CHECK(w.heard.bytes.find(R"("content":"{\"a}")") != std::string::npos);
    CHECK(w.heard.bytes.find(R"("content":"[b")") != std::string::npos);
    CHECK(w.records().at(0).usage.output == 2);
  }
  // Before its end.
  World w;
  ProviderConfig p = provider("a");
  p.dialect = "ollama";
  w.config.providers = {p};
  ScriptedReply reply;
  reply.chunks = {line("one"), line("two")};
  reply.hang = true;
  w.transport.push(reply);
  w.relay(World::body("a/m", true));
  w.run(std::chrono::seconds(1));
  CHECK(w.heard.ends == 0);
  CHECK(w.heard.bytes.find("two") != std::string::npos);
}

TEST_CASE("an answer that came whole to a request for a stream is one, whatever stands in its texts") {
  World w;
  w.config.providers = {provider("a")};
  ScriptedReply reply = ScriptedReply::json("");
  std::string body = "\n {\"choices\": [{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"}\\n{\\\"\"},\n\"finish_reason\":\"stop\"}],\n \"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}\n\n";
  for (char c : body) reply.chunks.push_back(std::string(1, c));
  w.transport.push(reply);
  w.relay(World::body("a/m", true));
  w.run();
  INFO(w.heard.bytes);
  CHECK(w.heard.result.ok());
  CHECK(w.heard.bytes.find("}\\n{\\\"") != std::string::npos);
}

TEST_CASE("include_usage asked for is shown") {
  World w;
  w.config.providers = {provider("a")};
  w.transport.push(ScriptedReply::sse(stream_datas()));
  w.relay(World::body("a/m", true, R"(,"stream_options":{"include_usage":true})"));
  w.run();
  CHECK(w.heard.bytes.find("\"choices\":[],\"usage\"") != std::string::npos);
}

TEST_CASE("a failure before the first payload is a retry that the client never sees") {
  World w;
  w.config.providers = {provider("a"), provider("b")};
  w.config.models = {model("m", {{"a", "x", 1, 1}, {"b", "y", 1, 2}})};
  auto way = GENERATE(0, 1, 2, 3, 4);
  ScriptedReply bad;
  switch (way) {
    case 0: bad = ScriptedReply::json(R"({"error":{"message":"boom"}})", 500); break;
    case 1: bad.no_head = true; bad.end = {TransferError::Kind::kConnect, "refused"}; break;
    case 2:  // an error inside a 200, after a role-only chunk
      bad = ScriptedReply::sse({chunk(R"({"role":"assistant","content":""})"), R"({"error":{"message":"overloaded","code":503}})"});
      break;
    case 3:  // cut after the prelude
      bad = ScriptedReply::sse({chunk(R"({"role":"assistant","content":""})")});
      bad.end = {TransferError::Kind::kTruncated, "cut"};
      break;
    case 4: bad = ScriptedReply::json("<html>Bad gateway</html>", 502); break;
  }
  w.transport.push(bad);
  w.transport.push(ScriptedReply::sse(stream_datas()));
  w.relay(World::body("m", true));
  w.run();
  CAPTURE(way);
  REQUIRE(w.heard.ends == 1);
  CHECK(w.heard.result.ok());
  CHECK(w.heard.header("x-llmrouter-provider") == "b");
  CHECK(w.heard.header("x-llmrouter-attempts") == "2");
  CHECK(w.heard.bytes.find("overloaded") == std::string::npos);
  CHECK(w.records().at(0).attempts.size() == 2);
  CHECK(w.records().at(0).attempts.at(0).outcome != "ok");
}

TEST_CASE("after the first payload a failure ends with an error event and never a clean end") {
  World w;
  w.config.providers = {provider("a"), provider("b")};
  w.config.models = {model("m", {{"a", "x", 1, 1}, {"b", "y", 1, 2}})};
  ScriptedReply cut = ScriptedReply::sse({chunk(R"({"content":"hel"})"), chunk(R"({"content":"lo"})")});
  cut.end = {TransferError::Kind::kTruncated, "cut"};
  if (GENERATE(false, true)) cut.end = {};  // also an end that looks clean but finishes nothing
  w.transport.push(cut);
  w.relay(World::body("m", true));
  w.run();
  REQUIRE(w.heard.ends == 1);
  CHECK_FALSE(w.heard.result.complete);
  CHECK(w.heard.result.record.status == CallStatus::kCut);
  CHECK(w.heard.bytes.find("\"error\"") != std::string::npos);
  CHECK(w.heard.bytes.find("[DONE]") == std::string::npos);
  CHECK(w.transport.seen().size() == 1);
  CHECK(w.records().at(0).usage.estimated);
}

TEST_CASE("the request's own fault goes back in the provider's words, at once") {
  World w;
  w.config.providers = {provider("a"), provider("b")};
  w.config.models = {model("m", {{"a", "x", 1, 1}, {"b", "y", 1, 2}})};
  const std::string words = R"({"error":{"message":"Unsupported parameter","type":"invalid_request_error","param":"foo","code":"unsupported_parameter"}})";
  w.transport.push(ScriptedReply::json(words, 400));
  w.relay(World::body("m"));
  w.run();
  CHECK(w.heard.head.status == 400);
  CHECK(w.heard.bytes == words);
  CHECK(w.transport.seen().size() == 1);
}

TEST_CASE("an upstream's refused key is never the caller's 401") {
  World w;
  w.config.providers = {provider("a", {"sk-1"})};
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(R"({"error":{"message":"Incorrect API key provided: sk-1"}})", 401); };
  w.relay(World::body("a/m"));
  w.run();
  CHECK(w.heard.head.status == 502);
  CHECK(w.heard.bytes.find("upstream_credentials_rejected") != std::string::npos);
  CHECK(w.transport.seen().size() == 1);
}

TEST_CASE("a refused key rests while the others of its pool work") {
  World w;
  w.config.providers = {provider("a", {"sk-bad-key", "sk-good-key"})};
  w.transport.fallback = [](const SeenRequest& r) {
    return r.header("authorization") == "Bearer sk-bad-key" ? ScriptedReply::json(R"({"error":{"message":"no"}})", 401) : ScriptedReply::json(kWhole);
  };
  for (int i = 0; i < 4; ++i) {
    w.relay(World::body("a/m"));
    w.run();
    CHECK(w.heard.head.status == 200);
  }
  CHECK(w.transport.seen().size() == 5);  // the bad one was asked once
}

TEST_CASE("Retry-After rests a credential for exactly that long; who asks meanwhile hears when to come back") {
  World w;
  w.config.providers = {provider("a", {"sk-1"})};
  ScriptedReply limited = ScriptedReply::json(R"({"error":{"message":"slow down"}})", 429);
  limited.headers.push_back({"retry-after", "30"});
  w.transport.push(limited);
  w.relay(World::body("a/m"));
  w.run();
  CHECK(w.heard.head.status == 429);
  CHECK(w.heard.bytes.find("upstream_rate_limited") != std::string::npos);
  CHECK(w.heard.header("retry-after") == "30");
  w.clock.advance(seconds(10));
  w.relay(World::body("a/m"));
  w.run();
  CHECK(w.heard.head.status == 429);
  CHECK(w.heard.header("retry-after") == "20");
  CHECK(w.transport.seen().size() == 1);
  w.clock.advance(seconds(20));
  w.transport.push(ScriptedReply::json(kWhole));
  w.relay(World::body("a/m"));
  w.run();
  CHECK(w.heard.head.status == 200);
}

TEST_CASE("one target is tried again with jitter, three attempts in all") {
  World w;
  w.config.providers = {provider("a")};
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(R"({"error":{"message":"boom"}})", 503); };
  w.relay(World::body("a/m"));
  w.run();
  CHECK(w.heard.head.status == 502);
  CHECK(w.transport.seen().size() == 3);
  CHECK(w.records().at(0).attempts.size() == 3);
  CHECK(w.heard.bytes.find("boom") != std::string::npos);
}

TEST_CASE("fallbacks come after every target of the model") {
  World w;
  w.config.providers = {provider("a"), provider("b"), provider("c")};
  w.config.models = {model("m", {{"a", "x", 1, 1}, {"b", "y", 1, 2}}, {"spare"}), model("spare", {{"c", "z", 1, 1}}, {"m"})};
  w.transport.fallback = [](const SeenRequest& r) {
    return r.url.find("//c.") != std::string::npos ? ScriptedReply::json(kWhole) : ScriptedReply::json("{}", 500);
  };
  w.relay(World::body("m"));
  w.run();
  CHECK(w.heard.head.status == 200);
  CHECK(w.heard.header("x-llmrouter-provider") == "c");
  CHECK(w.heard.header("x-llmrouter-attempts") == "3");
}

TEST_CASE("each timeout is named") {
  World w;
  w.config.providers = {provider("a")};
  w.config.routing.attempts = 1;
  ScriptedReply hang;
  hang.hang = true;
  hang.headers = {{"content-type", "text/event-stream"}};
  SECTION("first_token") {
    w.transport.push(hang);
    w.relay(World::body("a/m", true));
    w.run();
    CHECK(w.heard.head.status == 504);
    CHECK(w.heard.bytes.find("first_token") != std::string::npos);
    CHECK(w.clock.now() - TimePoint(std::chrono::hours(1)) == seconds(60));
  }
  SECTION("total, for an answer that is not streamed") {
    hang.head_after = std::chrono::hours(2);
    w.transport.push(hang);
    w.relay(World::body("a/m"));
    w.run();
    CHECK(w.heard.head.status == 504);
    CHECK(w.heard.bytes.find("total") != std::string::npos);
  }
  SECTION("idle, in a stream, sooner than the first token would have been late") {
    w.config.providers[0].timeouts.idle = seconds(3);
    hang.chunks = {"data: " + chunk(R"({"content":"x"})") + "\n\n"};
    w.transport.push(hang);
    w.relay(World::body("a/m", true));
    w.run();
    CHECK_FALSE(w.heard.result.complete);
    CHECK(w.heard.bytes.find("idle") != std::string::npos);
    CHECK(w.clock.now() - TimePoint(std::chrono::hours(1)) == seconds(3));
  }
  SECTION("connect") {
    ScriptedReply refused;
    refused.no_head = true;
    refused.end = {TransferError::Kind::kConnectTimeout, "no answer from a.test"};
    w.transport.push(refused);
    w.relay(World::body("a/m"));
    w.run();
    CHECK(w.heard.head.status == 504);
    CHECK(w.heard.bytes.find("connect") != std::string::npos);
  }
  SECTION("the caller's own") {
    w.transport.push(hang);
    CallOptions options;
    options.timeout = milliseconds(1500);
    w.relay(World::body("a/m", true), std::move(options));
    w.run();
    CHECK(w.heard.head.status == 504);
    CHECK(w.clock.now() - TimePoint(std::chrono::hours(1)) == milliseconds(1500));
  }
}

TEST_CASE("bad requests name the field, and nothing is sent") {
  World w;
  w.config.providers = {provider("a")};
  struct Row {
    std::string body;
    int status;
    std::string part;
  };
  for (const Row& row : std::vector<Row>{{"", 400, "body"},
                                         {"{", 400, "JSON"},
                                         {"[]", 400, "object"},
                                         {R"({"messages":[{"role":"user","content":"x"}]})", 400, "model"},
                                         {R"({"model":"a/m"})", 400, "messages"},
                                         {R"({"model":7,"messages":[{"role":"user","content":"x"}]})", 400, "model"},
                                         {R"({"model":"a/m","messages":[{"role":"user","content":"x"}],"n":"two"})", 400, "\"n\""},
                                         {R"({"model":"a/m","model":"a/n","messages":[{"role":"user","content":"x"}]})", 400, "model"},
                                         {World::body("nobody"), 404, "model_not_found"}}) {
    w.relay(row.body);
    w.run();
    CAPTURE(row.body, w.heard.bytes);
    CHECK(w.heard.ends == 1);
    CHECK(w.heard.head.status == row.status);
    CHECK(w.heard.bytes.find(row.part) != std::string::npos);
  }
  CHECK(w.transport.seen().empty());
}

TEST_CASE("keys: who may call, and what") {
  World w;
  w.config.providers = {provider("a"), provider("b")};
  w.config.models = {model("gpt-4o", {{"a", "x", 1, 1}}), model("other", {{"b", "x", 1, 1}})};
  FileKey key;
  key.spec.name = "ci";
  key.key = Secret(std::string("sk-ci-0123456789abcdef"));
  key.spec.allow.models = {"gpt-*"};
  key.spec.params.max_tokens = 100;
  key.spec.params.tools = false;
  w.config.keys = {key};
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
  auto call = [&](std::string presented, std::string body) {
    CallOptions o;
    o.trusted = false;
    o.key = Secret(std::move(presented));
    w.relay(std::move(body), std::move(o));
    w.run();
    return std::to_string(w.heard.head.status) + " " + std::string(code_name(w.heard.result.error.code));
  };
  const std::string good = "sk-ci-0123456789abcdef";
  CHECK(call("", World::body("gpt-4o")) == "401 missing_key");
  CHECK(call("sk-wrong", World::body("gpt-4o")) == "401 invalid_key");
  CHECK(call(good, World::body("gpt-4o")) == "200 none");
  CHECK(w.transport.seen().back().body.find("\"max_tokens\":100") != std::string::npos);
  CHECK(w.records().at(0).key == "file:ci");
  CHECK(call(good, World::body("other")) == "403 model_not_allowed");
  CHECK(call(good, World::body("a/x")) == "403 model_not_allowed");
  CHECK(call(good, World::body("gpt-4o", false, R"(,"max_tokens":101)")) == "403 parameter_not_allowed");
  CHECK(call(good, World::body("gpt-4o", false, R"(,"tools":[{"type":"function","function":{"name":"f"}}])")) == "403 parameter_not_allowed");
  CHECK(w.heard.bytes.find(good) == std::string::npos);
}

TEST_CASE("keys: the most tokens of a key are for all answers of a request, and for what is thought") {
  World w;
  w.config.providers = {provider("a")};
  FileKey key;
  key.spec.name = "ci";
  key.key = Secret(std::string("sk-ci-0123456789abcdef"));
  key.spec.params.max_tokens = 100;
  w.config.keys = {key};
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
  w.build();
  struct Row {
    std::string dialect, members;
    const char* param;  // null: it goes through
    const char* sent = "";
  };
  const Row rows[] = {
      {"openai", R"(,"n":2,"max_tokens":50)", nullptr, R"("max_tokens":50)"},
      {"openai", R"(,"n":2,"max_tokens":51)", "n"},
      {"openai", R"(,"n":3)", nullptr, R"("max_tokens":33)"},
      {"openai", R"(,"n":101)", "n"},
      {"openai", R"(,"n":128,"max_completion_tokens":9223372036854775807)", "max_completion_tokens"},
      {"openai", R"(,"max_tokens":5,"max_completion_tokens":101)", "max_completion_tokens"},
      {"openai", R"(,"thinking":{"type":"enabled","budget_tokens":101})", "thinking.budget_tokens"},
      {"openai", R"(,"reasoning":{"max_tokens":101})", "reasoning.max_tokens"},
      {"openai", R"(,"enable_thinking":true,"thinking_budget":101)", "thinking_budget"},
      {"openai", R"(,"thinking_budget":100)", nullptr},
      {"openai", R"(,"reasoning":{"effort":"high"})", nullptr},
      {"anthropic", R"(,"max_tokens":101)", "max_tokens"},
      {"anthropic", R"(,"max_tokens":100,"thinking":{"type":"enabled","budget_tokens":2048})", "thinking.budget_tokens"},
      {"anthropic", R"(,"max_tokens":100)", nullptr},
      {"cohere", R"(,"thinking":{"type":"enabled","token_budget":101})", "thinking.token_budget"},
      {"responses", R"(,"max_output_tokens":101)", "max_output_tokens"},
      {"ollama", R"(,"stream":false,"options":{"num_predict":101})", "options.num_predict"},
      {"completions", R"(,"prompt":["a","b","c"],"max_tokens":34)", "n"},
      {"completions", R"(,"prompt":"a","best_of":3,"max_tokens":34)", "n"},
      {"gemini", R"("generationConfig":{"maxOutputTokens":101})", "generationConfig.maxOutputTokens"},
      {"gemini", R"("generationConfig":{"candidateCount":2,"maxOutputTokens":51})", "generationConfig.candidateCount"},
      {"gemini", R"("generationConfig":{"thinkingConfig":{"thinkingBudget":101}})", "generationConfig.thinkingConfig.thinkingBudget"},
      {"gemini", R"("generationConfig":{"thinkingConfig":{"thinkingBudget":-1}})", nullptr},
  };
  for (const Row& row : rows) {
    std::string body = World::body("a/x", false, row.members);
    if (row.dialect == "responses") body = R"({"model":"a/x","input":"hi")" + row.members + "}";
    if (row.dialect == "completions") body = R"({"model":"a/x")" + row.members + "}";
    if (row.dialect == "gemini") body = R"({"model":"a/x","contents":[{"parts":[{"text":"hi"}]}],)" + row.members + "}";
    CAPTURE(row.dialect, row.members);
    CallOptions options;
    options.key = key.key;
    w.heard = Heard();
    w.call = w.router->relay(w.transport, {row.dialect, body}, options, w.heard);
    w.run();
    if (row.param == nullptr) {
      CHECK(w.heard.head.status == 200);
      CHECK(w.transport.seen().back().body.find(row.sent) != std::string::npos);
    } else {
      CHECK(w.heard.head.status == 403);
      CHECK(w.heard.result.error.code == ErrorCode::kParameterNotAllowed);
      CHECK(w.heard.result.error.param == row.param);
      CHECK(w.heard.bytes.find(row.param) != std::string::npos);
    }
  }
}

TEST_CASE("allow.models holds for the name that is asked for and for the target that serves") {
  World w;
  w.config.providers = {provider("openai"), provider("claude")};
  w.config.models = {model("best", {{"claude", "opus", 1, 1}}), model("mixed", {{"openai", "gpt-4o", 1, 1}, {"claude", "opus", 1, 2}}),
                     model("safe", {{"openai", "gpt-4o", 1, 1}}, {"best"}), model("gpt-*", {{"openai", "*", 1, 1}})};
  w.config.routing.default_model = "best";
  w.config.routing.attempts = 1;
  struct Case {
    std::vector<std::string> allow;
    std::string asked, served;  // empty: refused
  };
  const Case cases[] = {
      {{"gpt-*"}, "gpt-4o", "openai/4o"},
      {{"gpt-*"}, "best", ""},                      // an alias is not a way round the list
      {{"gpt-*"}, "claude/opus", ""},
      {{"gpt-*"}, "auto", ""},
      {{"best"}, "best", "claude/opus"},            // an alias that is allowed may use its targets
      {{"best"}, "auto", "claude/opus"},            // whatever led to it
      {{"best"}, "claude/opus", ""},                // but their own names stay closed
      {{"claude/*"}, "best", "claude/opus"},        // a target that is allowed itself
      {{"claude/*"}, "mixed", "claude/opus"},       // and only that one
      {{"openai/*"}, "mixed", "openai/gpt-4o"},
      {{"*", "!claude/*"}, "best", ""},             // what is excluded is reached by no other name
      {{"*", "!claude/*"}, "mixed", "openai/gpt-4o"},
      {{"!opus*"}, "best", ""},
      {{"best", "!claude/*"}, "best", ""},
      {{"*", "!best"}, "auto", ""},
      {{"gpt-*", "!gpt-5*"}, "gpt-5-mini", ""},     // a pattern's own name is nobody's
      {{"gpt-*", "!gpt-5*"}, "gpt-4o", "openai/4o"},
  };
  for (const Case& c : cases) {
    INFO(c.asked << " with " << c.allow.front() << " " << c.allow.back());
    FileKey key;
    key.spec.name = "ci";
    key.key = Secret(std::string("sk-ci-0123456789abcdef"));
    key.spec.allow.models = c.allow;
    w.config.keys = {key};
    if (w.router) REQUIRE(w.router->reload(w.config).ok());
    w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
    CallOptions o;
    o.trusted = false;
    o.key = key.key;
    const size_t before = w.transport.seen().size();
    w.relay(World::body(c.asked), std::move(o));
    w.run();
    if (c.served.empty()) {
      CHECK(w.heard.result.error.code == ErrorCode::kModelNotAllowed);
      CHECK(w.transport.seen().size() == before);
    } else {
      CHECK(w.heard.result.error.code == ErrorCode::kNone);
      CHECK(w.heard.result.record.provider + "/" + w.heard.result.record.model == c.served);
    }
  }
}

TEST_CASE("fallbacks of an alias are allowed with it, except what is excluded") {
  World w;
  w.config.providers = {provider("a"), provider("b")};
  w.config.models = {model("fast", {{"a", "x", 1, 1}}, {"big"}), model("big", {{"b", "y", 1, 1}}, {"b/z"})};
  FileKey key;
  key.spec.name = "ci";
  key.key = Secret(std::string("sk-ci-0123456789abcdef"));
  auto served = [&](std::vector<std::string> allow) {
    key.spec.allow.models = std::move(allow);
    w.config.keys = {key};
    if (w.router) REQUIRE(w.router->reload(w.config).ok());
    w.transport.fallback = [](const SeenRequest& r) {
      return r.url.find("a.test") != std::string::npos ? ScriptedReply::json("{}", 500) : ScriptedReply::json(kWhole);
    };
    CallOptions o;
    o.trusted = false;
    o.key = key.key;
    w.relay(World::body("fast"), std::move(o));
    w.run();
    return w.heard.result.error.code == ErrorCode::kNone ? w.heard.result.record.provider + "/" + w.heard.result.record.model : std::string(code_name(w.heard.result.error.code));
  };
  CHECK(served({"fast"}) == "b/y");
  CHECK(served({"fast", "!big"}) == "b/z");
  CHECK(served({"fast", "!b/*"}) == "upstream_error");
  CHECK(served({"a/*"}) == "upstream_error");  // the target alone was allowed: that says nothing of fallbacks
}

TEST_CASE("a key that may not use an endpoint is told which, and may still see itself") {
  World w;
  w.config.providers = {provider("a")};
  FileKey key;
  key.spec.name = "ci";
  key.key = Secret(std::string("sk-ci-0123456789abcdef"));
  key.spec.allow.endpoints = {"embeddings"};
  w.config.keys = {key};
  CallOptions o;
  o.trusted = false;
  o.key = key.key;
  w.relay(World::body("a/x"), std::move(o));
  w.run();
  CHECK(w.heard.head.status == 403);
  CHECK(w.heard.result.error.code == ErrorCode::kEndpointNotAllowed);
  CHECK(w.heard.result.error.message.find("\"chat\"") != std::string::npos);
  CHECK(w.router->authenticate(key.key, "embeddings").ok());
  CHECK(w.router->authenticate(key.key, "").ok());
}

TEST_CASE("names that lead nowhere: what is wrong with them, and what may have been meant") {
  World w;
  w.config.providers = {provider("up"), provider("down")};
  w.config.providers[0].models.override_ = {"m1", "m2"};
  w.config.models = {model("s-*", {{"up", "*", 1, 1}}), model("t-*", {{"up", "m1", 1, 1}})};
  w.build();
  auto words = [&](const char* name) {
    const auto plan = w.router->explain(name);
    return plan.ok() ? plan->steps.at(0).provider + "/" + plan->steps.at(0).model : plan.error().message;
  };
  CHECK(words("s-m9") == "up/m9");
  CHECK(words("t-") == "up/m1");  // nothing is made of what the star left open
  CHECK(words("s-").find("model \"s-\" not found") == 0);
  // Nothing is near: where to look depends on who reads it.
  CHECK(words("zzzzzzzz") == "model \"zzzzzzzz\" not found; what down offers is not known yet; models() lists what there is");
  CHECK(w.router->knows("s-m9"));
  CHECK(w.router->knows("up/m1"));
  CHECK(w.router->knows("m1"));
  CHECK_FALSE(w.router->knows("s-"));
  CHECK_FALSE(w.router->knows("m9"));
  CHECK(words("[up] m1") == "up/m1");
  CHECK(words("up/ m1") == "up/m1");
  CHECK(words("[up]") == "model \"[up]\" not found: it names no model of provider \"up\"; the nearest names are: up/m1, up/m2");
  CHECK(words("up/") == "model \"up/\" not found: it names no model of provider \"up\"; the nearest names are: up/m1, up/m2");
  CHECK(words("[up] ").find("it names no model") != std::string::npos);
  CHECK(words("upp/m1") == "model \"upp/m1\" not found: there is no provider \"upp\"; the nearest names are: up/m1, up/m2");
  CHECK(words("nope/x") == "model \"nope/x\" not found: there is no provider \"nope\"; the nearest names are: up/m1, down/x");
}

TEST_CASE("a provider is available while it answers at all") {
  const auto refused = [] {
    ScriptedReply reply;
    reply.no_head = true;
    reply.end.kind = TransferError::Kind::kConnect;
    return reply;
  };
  World w;
  w.config.providers = {provider("a")};
  w.config.routing.attempts = 1;
  w.build();
  auto available = [&] { return w.router->providers().at(0).available; };
  for (int i = 0; i < 10; ++i) {
    w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json("{}", 500); };
    w.relay(World::body("a/bad"));
    w.run();
  }
  CHECK(available());
  for (int i = 0; i < 10; ++i) {
    w.transport.fallback = [&](const SeenRequest&) { return refused(); };
    w.relay(World::body("a/good"));
    w.run();
  }
  CHECK_FALSE(available());
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json("{}", 404); };
  w.relay(World::body("a/good"));
  w.run();
  CHECK(available());
}

TEST_CASE("a request that no bucket can ever hold is told so, and not to come back") {
  World w;
  w.config.providers = {provider("a")};
  w.config.models = {model("m", {{"a", "x", 1, 1}})};
  w.config.models[0].limits.tokens = Rate{100, std::chrono::minutes(1), 0};
  w.relay(World::body("m", false, R"(,"max_tokens":500)"));
  w.run();
  const Error& error = w.heard.result.error;
  CHECK(error.code == ErrorCode::kRateLimited);
  CHECK(error.never);
  CHECK(error.param == "max_tokens");
  CHECK(error.retry_after.count() == 0);
  CHECK(error.message.find("no more than 100 ever fit at once: it can never be let through") != std::string::npos);
}

TEST_CASE("a token limit: what is left is enough for a request that does not say how long its answer may be; else it is told when, or that it never fits") {
  World w;
  w.config.providers = {provider("a")};
  w.config.models = {model("m", {{"a", "x", 1, 1}})};
  w.config.models[0].limits.tokens = Rate{3000, std::chrono::minutes(1), 0};
  w.transport.fallback = [](const SeenRequest&) {
    return ScriptedReply::json(
        R"({"choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":1790,"total_tokens":1800}})");
  };
  for (int i = 0; i < 2; ++i) {
    w.relay(World::body("m"));
    w.run();
    CHECK(w.heard.head.status == 200);
  }
  w.relay(World::body("m"));
  w.run();
  CHECK(w.heard.head.status == 429);
  const Error refused = w.heard.result.error;
  CHECK_FALSE(refused.never);
  CHECK(refused.param.empty());
  CHECK(refused.message.find("; try again in 13 s") != std::string::npos);  // 600 tokens of debt at 50 a second, and the input
  CHECK(w.heard.header("retry-after") == "13");
  CHECK(w.heard.header("x-should-retry").empty());
  w.clock.advance(refused.retry_after);
  w.relay(World::body("m"));
  w.run();
  CHECK(w.heard.head.status == 200);

  w.relay(R"({"model":"m","messages":[{"role":"user","content":")" + std::string(16000, 'u') + R"("}]})");
  w.run();
  CHECK(w.heard.head.status == 429);
  CHECK(w.heard.result.error.never);
  CHECK(w.heard.result.error.param.empty());
  CHECK(w.heard.header("retry-after").empty());
  CHECK(w.heard.header("x-should-retry") == "false");
}

TEST_CASE("limits: the request that is one too many is told when to come back, and is recorded as limited") {
  World w;
  w.config.providers = {provider("a")};
  w.config.models = {model("m", {{"a", "x", 1, 1}})};
  w.config.models[0].limits.requests = Rate{2, seconds(60), 2};
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
  for (int i = 0; i < 3; ++i) {
    w.relay(World::body("m"));
    w.run();
  }
  CHECK(w.heard.head.status == 429);
  CHECK(w.heard.bytes.find("\"rate_limited\"") != std::string::npos);
  CHECK(w.heard.header("retry-after") == "30");
  CHECK(w.records().at(0).status == CallStatus::kLimited);
  CHECK(w.transport.seen().size() == 2);
}

TEST_CASE("a provider at its limit is passed over for another") {
  World w;
  w.config.providers = {provider("a"), provider("b")};
  w.config.providers[0].limits.requests = Rate{1, seconds(60), 1};
  w.config.models = {model("m", {{"a", "x", 1, 1}, {"b", "y", 1, 2}})};
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
  for (int i = 0; i < 2; ++i) {
    w.relay(World::body("m"));
    w.run();
    CHECK(w.heard.head.status == 200);
  }
  CHECK(w.heard.header("x-llmrouter-provider") == "b");
  CHECK(w.records().at(0).attempts.at(0).outcome == "skipped");
}

TEST_CASE("a target that fails again and again is asked only after the others") {
  World w;
  w.config.providers = {provider("a"), provider("b")};
  w.config.models = {model("m", {{"a", "x", 1, 1}, {"b", "y", 1, 2}})};
  w.transport.fallback = [](const SeenRequest& r) {
    return r.url.find("//a.") != std::string::npos ? ScriptedReply::json("{}", 500) : ScriptedReply::json(kWhole);
  };
  for (int i = 0; i < 3; ++i) {
    w.relay(World::body("m"));
    w.run();
    CHECK(w.heard.header("x-llmrouter-attempts") == "2");
  }
  w.relay(World::body("m"));
  w.run();
  CHECK(w.heard.header("x-llmrouter-attempts") == "1");
  CHECK(w.heard.header("x-llmrouter-provider") == "b");
}

TEST_CASE("destroying a call lets the upstream go, settles and records; its sink is not called again") {
  World w;
  w.config.providers = {provider("a")};
  w.config.models = {model("m", {{"a", "x", 1, 1}})};
  w.config.models[0].limits.concurrent = 1;
  ScriptedReply slow = ScriptedReply::sse(stream_datas());
  slow.chunk_every = seconds(1);
  w.transport.push(slow);
  w.relay(World::body("m", true));
  w.run(milliseconds(2500));
  REQUIRE(w.heard.heads == 1);
  const std::string before = w.heard.bytes;
  w.call = Call();
  CHECK(w.transport.cancelled() == 1);
  CHECK(w.transport.live() == 0);
  w.run();
  CHECK(w.heard.ends == 0);
  CHECK(w.heard.bytes == before);
  CHECK(w.records().at(0).status == CallStatus::kCancelled);
  w.transport.push(ScriptedReply::json(kWhole));
  w.relay(World::body("m"));  // the place is free again
  w.run();
  CHECK(w.heard.head.status == 200);
}

TEST_CASE("the sink may destroy the call in any callback") {
  for (int nth = 1; nth <= 8; ++nth) {
    World w;
    w.config.providers = {provider("a"), provider("b")};
    w.config.models = {model("m", {{"a", "x", 1, 1}, {"b", "y", 1, 2}})};
    w.transport.push(ScriptedReply::json("{}", 500));
    w.transport.push(ScriptedReply::sse(stream_datas()));
    w.build();
    w.relay(World::body("m", true));
    int calls = 0;
    w.heard.on_each = [&] {
      if (++calls == nth) w.call = Call();
    };
    w.run();
    CHECK(calls <= nth);
    CHECK(w.transport.live() == 0);
    CHECK(w.records().size() == 1);
  }
}

TEST_CASE("kCancel from the sink ends the call as cancelled") {
  World w;
  w.config.providers = {provider("a")};
  w.transport.push(ScriptedReply::sse(stream_datas()));
  w.relay(World::body("a/m", true));
  w.heard.answer = Flow::kCancel;
  w.run();
  CHECK(w.heard.ends == 1);
  CHECK(w.heard.result.error.code == ErrorCode::kCancelled);
  CHECK(w.transport.live() == 0);
}

TEST_CASE("a slow reader pauses the upstream, and time spent paused is no silence of the upstream's") {
  World w;
  w.config.providers = {provider("a")};
  ScriptedReply reply = ScriptedReply::sse(stream_datas());
  reply.chunk_every = milliseconds(10);
  w.transport.push(reply);
  w.relay(World::body("a/m", true));
  w.heard.answer = Flow::kPause;
  w.run(seconds(200));
  CHECK(w.heard.ends == 0);
  CHECK(w.transport.paused() == 1);
  w.heard.answer = Flow::kContinue;
  w.call.resume();
  w.run();
  CHECK(w.heard.ends == 1);
  CHECK(w.heard.result.ok());
}

TEST_CASE("a model's defaults, overrides and drops are spliced; nothing else changes") {
  World w;
  w.config.providers = {provider("a")};
  w.config.models = {model("m", {{"a", "x", 1, 1}})};
  w.config.models[0].defaults = {{"temperature", "0.2"}};
  w.config.models[0].override_ = {{"top_p", "1"}};
  w.config.models[0].drop = {"logit_bias"};
  w.transport.push(ScriptedReply::json(kWhole));
  w.relay(World::body("m", false, R"(,"logit_bias":{"1":2},"unheard_of" : [ 1,2 ])"));
  w.run();
  const std::string sent = w.transport.seen().at(0).body;
  CHECK(sent.find("\"temperature\":0.2") != std::string::npos);
  CHECK(sent.find("\"top_p\":1") != std::string::npos);
  CHECK(sent.find("logit_bias") == std::string::npos);
  CHECK(sent.find("\"unheard_of\" : [ 1,2 ]") != std::string::npos);
}

TEST_CASE("client headers reach an upstream only when listed") {
  World w;
  w.config.providers = {provider("a")};
  w.config.providers[0].forward_headers = {"x-trace", "authorization"};
  w.transport.push(ScriptedReply::json(kWhole));
  CallOptions o;
  o.headers = {{"x-trace", "1"}, {"x-other", "2"}, {"cookie", "3"}, {"authorization", "Bearer stolen"}, {"openai-beta", "assistants=v2"}};
  w.relay(World::body("a/m"), std::move(o));
  w.run();
  const SeenRequest& seen = w.transport.seen().at(0);
  CHECK(seen.header("x-trace") == "1");
  CHECK(seen.header("openai-beta") == "assistants=v2");
  CHECK(seen.header("x-other").empty());
  CHECK(seen.header("cookie").empty());
  CHECK(seen.header("authorization") != "Bearer stolen");
}

TEST_CASE("neutral calls: whole and streamed") {
  World w;
  w.config.providers = {provider("a")};
  w.transport.push(ScriptedReply::json(kWhole));
  w.transport.push(ScriptedReply::sse(stream_datas()));
  w.build();
  w.call = w.router->start(w.transport, ChatRequest::of("a/m", "hi"), false, {}, w.events);
  w.run();
  REQUIRE(w.events.responses.size() == 1);
  CHECK(w.events.responses[0].text() == "hello");
  CHECK(w.events.ends == 1);
  w.call = w.router->start(w.transport, ChatRequest::of("a/m", "hi"), true, {}, w.events);
  w.run();
  CHECK(w.events.text == "hello");
  CHECK(w.events.ends == 2);
  CHECK(w.events.result.record.usage.output == 2);
}

TEST_CASE("a reload changes calls that start later, and a bad one changes nothing") {
  World w;
  w.config.providers = {provider("a"), provider("b")};
  w.config.models = {model("m", {{"a", "x", 1, 1}})};
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
  w.relay(World::body("m"));
  Config next = w.config;
  next.models = {model("m", {{"b", "x", 1, 1}})};
  REQUIRE(w.router->reload(next).ok());
  w.run();
  CHECK(w.heard.header("x-llmrouter-provider") == "a");
  w.relay(World::body("m"));
  w.run();
  CHECK(w.heard.header("x-llmrouter-provider") == "b");
  next.models = {model("m", {{"nobody", "x", 1, 1}})};
  CHECK_FALSE(w.router->reload(next).ok());
  w.relay(World::body("m"));
  w.run();
  CHECK(w.heard.head.status == 200);
}

namespace {

// One price for everything: 1 USD for a million input tokens, 2 for output.
struct FlatPrice final : Catalog {
  int64_t input = 1000000;
  std::optional<PriceRow> price(std::string_view, std::string_view, std::string_view, int64_t, WallTime) const override {
    PriceRow row;
    row.input = input;
    row.output = 2 * input;
    return row;
  }
  ModelFacts facts(std::string_view, std::string_view) const override { return {}; }
};

}  // namespace

TEST_CASE("a budget is passed by at most the call that was alone in flight when it ran out, also without max_tokens") {
  World w;
  w.config.providers = {provider("a")};
  FileKey key;
  key.spec.name = "k";
  key.key = Secret(std::string("sk-k-0123456789abcdef"));
  key.spec.limits.budget = Budget{30000, BudgetPeriod::kTotal, 0, {}};  // two calls of 14,000 nano-USD, and a bit
  w.config.keys = {key};
  w.parts.catalog = std::make_shared<FlatPrice>();
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };  // 10 in, 2 out
  w.build();
  auto options = [] {
    CallOptions o;
    o.key = Secret(std::string("sk-k-0123456789abcdef"));
    return o;
  };
  // All at once: the first reserves what is left, the others are refused.
  std::vector<Heard> sinks(10);
  std::vector<Call> calls;
  for (Heard& sink : sinks) calls.push_back(w.router->relay(w.transport, {"openai", World::body("a/m")}, options(), sink));
  for (int i = 0; i < 100; ++i) w.reactor->drive();
  int granted = 0;
  for (const Heard& sink : sinks) {
    REQUIRE(sink.ends == 1);
    granted += sink.head.status == 200;
    if (sink.head.status != 200) CHECK(sink.head.status == 402);
  }
  CHECK(granted == 1);
  // One after the other: until it is spent.
  int more = 0;
  for (int i = 0; i < 10; ++i) {
    w.relay(World::body("a/m"), options());
    w.run();
    more += w.heard.head.status == 200;
  }
  CHECK(more == 2);
}

TEST_CASE("a budget smaller than one request: never for what the request asks for, what is left for what is only assumed") {
  World w;
  w.config.providers = {provider("a")};
  FileKey key;
  key.spec.name = "k";
  key.key = Secret(std::string("sk-k-0123456789abcdef"));
  key.spec.limits.budget = Budget{1'000'000, BudgetPeriod::kDay, 0, {}};  // 1,000 tokens of input, or 500 of output
  w.config.keys = {key};
  w.parts.catalog = std::make_shared<FlatPrice>();
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
  CallOptions options;
  options.key = Secret(std::string("sk-k-0123456789abcdef"));
  const std::string much = R"({"model":"a/m","messages":[{"role":"user","content":")" + std::string(8000, 'u') + R"("}])";
  struct Case {
    std::string body;
    int status;
    const char* param;
  };
  for (const Case& c : {Case{World::body("a/m", false, R"(,"max_tokens":500)"), 402, "max_tokens"}, Case{World::body("a/m", false, R"(,"max_tokens":100)"), 200, ""},
                        Case{World::body("a/m"), 200, ""}, Case{much + '}', 402, ""}}) {
    CAPTURE(c.body);
    w.relay(c.body, options);
    w.run();
    CHECK(w.heard.head.status == c.status);
    CHECK(w.heard.result.error.param == c.param);
    CHECK(w.heard.result.error.never == (c.status == 402));
    CHECK(w.heard.header("retry-after").empty());
    CHECK(w.heard.header("x-should-retry") == (c.status == 402 ? "false" : ""));
  }
}

TEST_CASE("a reload brings its own prices") {
  World w;
  w.config.providers = {provider("a")};
  w.parts.catalog = std::make_shared<FlatPrice>();
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
  w.relay(World::body("a/m"));
  w.run();
  CHECK(w.heard.header("x-llmrouter-cost-usd") == "0.000014");
  auto dear = std::make_shared<FlatPrice>();
  dear->input = 10000000;
  REQUIRE(w.router->reload(w.config, dear).ok());
  w.relay(World::body("a/m"));
  w.run();
  CHECK(w.heard.header("x-llmrouter-cost-usd") == "0.00014");
  REQUIRE(w.router->reload(w.config).ok());
  w.relay(World::body("a/m"));
  w.run();
  CHECK(w.heard.header("x-llmrouter-cost-usd") == "0.00014");
}

TEST_CASE("an allowed configured name is not taken to another provider") {
  World w;
  w.config.providers = {provider("a"), provider("b")};
  w.config.models = {model("g", {{"a", "x", 1, 1}}), model("cheap-*", {{"a", "y", 1, 1}})};
  FileKey key;
  key.key = Secret("sk-allow");
  key.spec.name = "k";
  key.spec.allow.models = {"g", "cheap-*", "b/may"};
  w.config.keys = {key};
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
  auto status = [&](const char* name, const char* to) {
    CallOptions o;
    o.key = key.key;
    o.trusted = false;
    o.forced_provider = to;
    w.relay(World::body(name), std::move(o));
    w.run();
    return w.heard.head.status;
  };
  CHECK(status("g", "") == 200);
  CHECK(status("g", "a") == 200);
  CHECK(status("cheap-1", "a") == 200);
  CHECK(status("may", "b") == 200);
  CHECK(w.transport.seen().size() == 4);
  CHECK(status("g", "b") == 403);
  CHECK(status("cheap-1", "b") == 403);
  CHECK(w.transport.seen().size() == 4);
}

TEST_CASE("a name that several providers offer says which they are; a forced provider takes names it has no route for") {
  World w;
  w.config.providers = {provider("a"), provider("b")};
  for (ProviderConfig& p : w.config.providers) p.models.override_ = {"m1"};
  w.config.models = {model("g", {{"a", "x", 1, 1}})};
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
  w.relay(World::body("m1"));
  w.run();
  CHECK(w.heard.head.status == 404);
  CHECK(w.heard.bytes.find("a/m1, b/m1") != std::string::npos);
  CallOptions forced;
  forced.forced_provider = "b";
  w.relay(World::body("g"), std::move(forced));
  w.run();
  CHECK(w.heard.head.status == 200);
  CHECK(w.heard.header("x-llmrouter-provider") == "b");
  CHECK(w.heard.header("x-llmrouter-model") == "g");
  auto sent = [&](const char* name, const char* to) {
    CallOptions o;
    o.forced_provider = to;
    w.relay(World::body(name), std::move(o));
    w.run();
    return w.heard.head.status == 200 ? w.heard.header("x-llmrouter-provider") + " " + w.heard.header("x-llmrouter-model")
                                      : std::string(code_name(w.heard.result.error.code)) + " " + w.heard.result.error.param;
  };
  CHECK(sent("b/x", "b") == "b x");
  CHECK(sent("a/x", "b") == "b a/x");  // OpenRouter's own names look like this
  CHECK(sent("g", "nope") == "invalid_request proxy");
  CHECK(sent("a/x", "nope") == "invalid_request proxy");  // not ignored, however good the name is
}
