// Cohere's v2 dialect: alone, and paired with OpenAI's both ways round.
#include <iostream>

#include "catch.h"
#include "support.h"

using namespace dialect_test;
using wire::find;
using wire::find_member;
using wire::JsonElements;
using wire::JsonValue;
using Kind = StreamEvent::Kind;

namespace {

std::string ev(const std::string& type, const std::string& more) {
  return "event: " + type + "\ndata: {\"type\":\"" + type + "\"" + (more.empty() ? "" : "," + more) + "}\n\n";
}
const std::string kStart =
    "event: message-start\ndata: {\"id\":\"id-1\",\"type\":\"message-start\",\"delta\":{\"message\":{\"role\":\"assistant\",\"content\":[],\"tool_plan\":\"\","
    "\"tool_calls\":[],\"citations\":[]}}}\n\n";
std::string block(const std::string& kind, int index, const std::string& words) {
  const std::string at = "\"index\":" + std::to_string(index);
  return ev("content-start", at + R"(,"delta":{"message":{"content":{"type":")" + kind + R"(",")" + kind + R"(":""}}})") +
         ev("content-delta", at + R"(,"delta":{"message":{"content":{")" + kind + R"(":")" + words + R"("}}})") + ev("content-end", at);
}
std::string plan(const std::string& words) { return ev("tool-plan-delta", R"("delta":{"message":{"tool_plan":")" + words + R"("}})"); }
std::string call_start(int index, const std::string& id, const std::string& name) {
  return ev("tool-call-start", "\"index\":" + std::to_string(index) + R"(,"delta":{"message":{"tool_calls":{"id":")" + id +
                                   R"(","type":"function","function":{"name":")" + name + R"(","arguments":""}}}})");
}
std::string call_delta(int index, const std::string& arguments) {
  return ev("tool-call-delta", "\"index\":" + std::to_string(index) + R"(,"delta":{"message":{"tool_calls":{"function":{"arguments":")" + arguments + R"("}}}})");
}
std::string call_end(int index) { return ev("tool-call-end", "\"index\":" + std::to_string(index)); }
std::string message_end(const std::string& reason) {
  return ev("message-end", R"("delta":{"finish_reason":")" + reason +
                               R"(","usage":{"billed_units":{"input_tokens":5,"output_tokens":7},"tokens":{"input_tokens":105,"output_tokens":9},"cached_tokens":64}})");
}
const std::string kDone = "data: [DONE]\n\n";

// Recordings are long.
Both read(const std::string& stream) { return read_cut("cohere", stream, stream.size() > 6000 ? 37 : 1); }

Result<RequestFacts> scan(std::string_view body) { return dialect("cohere")->new_client_codec()->scan(body); }

const std::string kHi = R"([{"role":"user","content":"hi"}])";
std::string translated(const std::string& from, const std::string& to, const std::string& members, const std::string& messages,
                       std::vector<std::string>* dropped = nullptr) {
  auto out = translate_request(from, to, R"({"model":"m","messages":)" + messages + (members.empty() ? "" : "," + members) + "}");
  if (!out) FAIL(out.error().message);
  if (dropped) *dropped = out->request.dropped;
  CHECK(wire::validate(out->body));
  return out->body;
}
std::string refused_param(const std::string& members, const std::string& messages = kHi) {
  auto out = translate_request("openai", "cohere", R"({"model":"m","messages":)" + messages + (members.empty() ? "" : "," + members) + "}");
  if (out.ok()) return "not refused";
  CHECK(out.error().code == ErrorCode::kInvalidRequest);
  return out.error().param;
}

// What a client of Cohere's gets, by the grammar that its SDK expects; fails the test where a stream leaves it.
struct Told {
  std::string text, thinking, plan, finish, error;
  std::vector<Answer::Call> calls;
  std::vector<std::string> citations;
  std::optional<TokenUsage> usage;
  bool done = false;
};
Told read_strictly(std::string_view sse) {
  Told told;
  bool started = false, ended = false;
  std::string open;  // "text", "thinking", "call"
  int64_t block = -1, call = -1;
  while (!sse.empty()) {
    const size_t end = sse.find("\n\n");
    REQUIRE(end != std::string_view::npos);
    std::string_view frame = sse.substr(0, end);
    sse.remove_prefix(end + 2);
    CHECK_FALSE(told.done);
    if (frame == "data: [DONE]") {
      CHECK(ended);
      told.done = true;
      continue;
    }
    const size_t line = frame.find('\n');
    REQUIRE(line != std::string_view::npos);
    const std::string name(frame.substr(7, line - 7));
    const std::string_view data = frame.substr(line + 7);
    REQUIRE(wire::validate(data));
    const JsonValue root(data), message = find(root, "delta", "message");
    CHECK(find_member(root, "type").equals(name));
    CHECK_FALSE(ended);
    CHECK(started == (name != "message-start"));
    const int64_t index = find_member(root, "index").integer().value_or(-1);
    if (name == "message-start") {
      started = true;
      CHECK(find_member(root, "id").nonempty_string());
    } else if (name == "content-start") {
      CHECK(open.empty());
      CHECK(index == ++block);
      open = find(message, "content", "type").string_or();
      CHECK(find(message, "content", open).is_string());
    } else if (name == "content-delta") {
      REQUIRE((open == "text" || open == "thinking"));
      CHECK(index == block);
      (open == "text" ? told.text : told.thinking) += find(message, "content", open).string_or();
    } else if (name == "content-end") {
      CHECK((open == "text" || open == "thinking"));
      CHECK(index == block);
      open.clear();
    } else if (name == "tool-plan-delta") {
      CHECK(open.empty());
      told.plan += find_member(message, "tool_plan").string_or();
    } else if (name == "tool-call-start") {
      CHECK(open.empty());
      CHECK(index == ++call);
      open = "call";
      const JsonValue one = find_member(message, "tool_calls");
      CHECK(one.is_object());
      told.calls.push_back({find_member(one, "id").string_or(), find(one, "function", "name").string_or(), ""});
    } else if (name == "tool-call-delta") {
      REQUIRE(open == "call");
      CHECK(index == call);
      told.calls.back().arguments += find(message, "tool_calls", "function", "arguments").string_or();
    } else if (name == "tool-call-end") {
      CHECK(open == "call");
      CHECK(index == call);
      open.clear();
    } else if (name == "citation-start") {
      told.citations.emplace_back(find_member(message, "citations").raw());
    } else if (name == "message-end") {
      CHECK(open.empty());
      ended = true;
      told.finish = find(root, "delta", "finish_reason").string_or();
      told.error = find(root, "delta", "error").string_or();
      if (const JsonValue usage = find(root, "delta", "usage"); usage.exists()) {
        told.usage.emplace();
        told.usage->input = find(usage, "tokens", "input_tokens").integer().value_or(-1);
        told.usage->output = find(usage, "tokens", "output_tokens").integer().value_or(-1);
        told.usage->cached = find_member(usage, "cached_tokens").integer().value_or(-1);
      }
    } else {
      CHECK(name == "citation-end");
    }
  }
  return told;
}

std::unique_ptr<ClientCodec> client(std::string& body) {
  body = R"({"model":"m","stream":true,"messages":[{"role":"user","content":"x"}]})";
  auto codec = dialect("cohere")->new_client_codec();
  REQUIRE(codec->scan(body).ok());
  return codec;
}

// The events of an upstream's stream, told to a client of Cohere's.
Told retold(const Recorder& seen) {
  std::string body, out;
  auto codec = client(body);
  tell(seen.events, *codec, out);
  codec->encode_end(out);
  return read_strictly(out);
}

}  // namespace

TEST_CASE("cohere: the facts of a request") {
  auto facts = scan(R"({"model":"command","messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"data:x"}}]}],
    "stream":true,"max_tokens":64,"temperature":0.5,"tools":[{"type":"function","function":{"name":"f"}}],"response_format":{"type":"json_object","json_schema":{}}})");
  REQUIRE(facts.ok());
  CHECK(facts->model == "command");
  CHECK(facts->stream);
  CHECK(facts->has_image);
  CHECK(facts->has_tools);
  CHECK(facts->wants_schema);
  CHECK(facts->max_tokens == 64);
  CHECK(facts->temperature == 0.5);
  CHECK(facts->members.size() == 7);
  CHECK(facts->input_tokens > 800);
  CHECK_FALSE(scan(R"({"model":"m","messages":[{"role":"user","content":"x"}]})")->stream);
}

TEST_CASE("cohere: a wrong request is refused by the name of its field") {
  struct Bad {
    std::string body, param;
  };
  const std::string m = R"("messages":[{"role":"user","content":"x"}])";
  for (const Bad& b : std::vector<Bad>{
           {"[]", ""},
           {"{" + m + "}", "model"},
           {R"({"model":5,)" + m + "}", "model"},
           {R"({"model":"m"})", "messages"},
           {R"({"model":"m","messages":[]})", "messages"},
           {R"({"model":"m","messages":["x"]})", "messages[0]"},
           {R"({"model":"m","messages":[{"role":"developer","content":"x"}]})", "messages[0].role"},
           {R"({"model":"m","messages":[{"role":"user"}]})", "messages[0].content"},
           {R"({"model":"m","messages":[{"role":"user","content":[{"text":"x"}]}]})", "messages[0].content[0].type"},
           {R"({"model":"m","messages":[{"role":"user","content":[{"type":"text"}]}]})", "messages[0].content[0].text"},
           {R"({"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]})", "messages[0].content[0].image_url.url"},
           {R"({"model":"m","messages":[{"role":"tool","content":"x"}]})", "messages[0].tool_call_id"},
           {R"({"model":"m","messages":[{"role":"assistant","tool_calls":[{"name":"f"}]}]})", "messages[0].tool_calls[0].function"},
           {R"({"model":"m",)" + m + R"(,"stream":"no"})", "stream"},
           {R"({"model":"m",)" + m + R"(,"max_tokens":0})", "max_tokens"},
           {R"({"model":"m",)" + m + R"(,"tools":{}})", "tools"},
           {R"({"model":"m",)" + m + R"(,"documents":[5]})", "documents[0]"},
           {R"({"model":"m",)" + m + R"(,"response_format":"json"})", "response_format"},
           {R"({"model":"m",)" + m + R"(,"thinking":true})", "thinking"},
       }) {
    INFO(b.body);
    auto facts = scan(b.body);
    REQUIRE(!facts.ok());
    CHECK(facts.error().code == ErrorCode::kInvalidRequest);
    CHECK(facts.error().param == b.param);
  }
  for (const auto& [member, param] : std::vector<std::pair<std::string, std::string>>{{R"("tool_choice":"auto")", "tool_choice"},
                                                                                      {R"("thinking":{"type":"on"})", "thinking.type"},
                                                                                      {R"("response_format":{"type":"xml"})", "response_format.type"},
                                                                                      {R"("tools":[{"function":{}}])", "tools[0].function.name"}}) {
    auto out = translate_request("cohere", "openai", R"({"model":"m",)" + m + "," + member + "}");
    REQUIRE_FALSE(out.ok());
    CHECK(out.error().param == param);
  }
}

TEST_CASE("cohere: a relayed request is its own bytes but for the model") {
  const std::string body = R"({"model": "command", "messages":[{"role":"user","content":"hi"}], "safety_mode":"NONE","new":[1.50]})";
  ProviderConfig config = provider();
  config.base_url = "https://api.cohere.com/v2";
  auto out = relay_request("cohere", body, config, {}, "command-a");
  REQUIRE(out.ok());
  CHECK(out->body == R"({"model": "command-a", "messages":[{"role":"user","content":"hi"}], "safety_mode":"NONE","new":[1.50]})");
  CHECK(out->request.http.url == "https://api.cohere.com/v2/chat");
  auto same = relay_request("cohere", body, config, {}, "command");
  REQUIRE(same.ok());
  CHECK(same->body == body);
}

TEST_CASE("cohere: a streamed answer, passed and taken apart") {
  const std::string stream = kStart + block("thinking", 0, "hm") + block("text", 1, "Hello") + message_end("COMPLETE") + kDone;
  const Both both = read(stream);
  CHECK(both.relay.errors.empty());
  CHECK(both.relay.bytes() == stream);
  REQUIRE(both.relay.usages.size() == 1);
  CHECK(both.relay.usages[0].input == 105);
  CHECK(both.relay.usages[0].cached == 64);
  CHECK(both.relay.usages[0].output == 9);
  CHECK(both.relay.finishes == std::vector<FinishReason>{FinishReason::kStop});
  CHECK(both.relay.kinds() == std::vector<FrameKind>{FrameKind::kPrelude, FrameKind::kPrelude, FrameKind::kPayload, FrameKind::kPrelude, FrameKind::kPrelude,
                                                     FrameKind::kPayload, FrameKind::kPrelude, FrameKind::kFinish, FrameKind::kDone});
  CHECK(both.translated.errors.empty());
  const Answer::Choice& c = both.answer.choices.at(0);
  CHECK(c.text == "Hello");
  CHECK(c.reasoning == "hm");
  CHECK(c.finish == "stop");
  CHECK(both.answer.ids == std::vector<std::string>{"id-1"});
  CHECK(both.answer.usage->input == 105);
  const Told again = retold(both.translated);
  CHECK(again.text == "Hello");
  CHECK(again.thinking == "hm");
  CHECK(again.finish == "COMPLETE");
  CHECK(again.done);
  CHECK(again.usage->cached == 64);
}

TEST_CASE("cohere: quirk tool_plan streamed before calls is a thought, and comes back as a plan") {
  const std::string stream = kStart + plan("I will ") + plan("look") + call_start(0, "f_1", "f") + call_delta(0, R"({\"a\":)") + call_delta(0, "1}") + call_end(0) +
                             call_start(1, "g_2", "g") + call_end(1) + message_end("TOOL_CALL") + kDone;
  const Both both = read(stream);
  REQUIRE(both.translated.errors.empty());
  const Answer::Choice& c = both.answer.choices.at(0);
  CHECK(c.reasoning == "I will look");
  CHECK(c.finish == "tool_calls");
  REQUIRE(c.calls.size() == 2);
  CHECK(c.calls[0] == Answer::Call{"f_1", "f", "{\"a\":1}"});
  CHECK(c.calls[1] == Answer::Call{"g_2", "g", "{}"});  // quirk: a call without a single delta
  const Told again = retold(both.translated);
  CHECK(again.plan == "I will look");
  CHECK(again.calls == c.calls);
  CHECK(again.finish == "TOOL_CALL");
}

TEST_CASE("cohere: quirk [DONE] after message-end, without it, and comments after it") {
  const std::string stream = kStart + block("text", 0, "x") + message_end("COMPLETE");
  for (const std::string& end : {std::string(), kDone, ": bye\n\n" + kDone, std::string("data: [DONE]")}) {
    const Both both = read(stream + end);
    CHECK(both.relay.errors.empty());
    CHECK(both.translated.errors.empty());
    CHECK(both.answer.choices.at(0).finishes == 1);
  }
}

TEST_CASE("cohere: a piece of the terminator, where the stream broke off in it, is not passed") {
  const std::string end = kStart + message_end("COMPLETE");
  const Recorder relay = feed("cohere", true, {end + "data: [D"});
  CHECK(relay.errors.empty());
  CHECK(relay.bytes() == end);
}

TEST_CASE("cohere: a stream that ends too early, in an error or in nonsense is an error") {
  const std::string begin = kStart + block("text", 0, "x");
  struct Bad {
    std::string stream, part;
    ErrorCode code = ErrorCode::kUpstreamError;
  };
  for (const Bad& b : std::vector<Bad>{
           {begin, "before the answer was finished"},
           {begin + kDone, "before the answer was finished"},
           {begin + ev("message-end", R"("delta":{"finish_reason":"ERROR","error":"it broke"})"), "it broke"},
           {begin + message_end("TIMEOUT"), "TIMEOUT"},
           {begin + "data: {\"type\":\"content-de", "middle of an event"},
           {begin + "data: <html>\n\n", "not JSON"},
           {begin + "data: {\"id\":\"1\",\"message\":\"rate limited\"}\n\n", "rate limited"},
           {begin + call_delta(0, "x"), "never began"},
       }) {
    INFO(b.stream);
    const Both both = read(b.stream);
    REQUIRE(both.translated.errors.size() == 1);
    CHECK(both.translated.errors[0].code == b.code);
    CHECK(both.translated.errors[0].message.find(b.part) != std::string::npos);
    if (b.part != "never began") CHECK(both.relay.errors.size() == 1);
  }
}

TEST_CASE("cohere: events in any wrong order never crash, and what follows message-end is not told") {
  const std::vector<std::string> events = {kStart,           block("text", 0, "x"), plan("p"), call_start(0, "a", "f"), call_delta(0, "{}"),
                                           call_end(0),      message_end("COMPLETE"), kDone};
  for (size_t i = 0; i < events.size(); ++i) {
    for (size_t k = 0; k < events.size(); ++k) {
      std::string stream;
      for (size_t n = 0; n < events.size(); ++n) stream += n == i ? events[k] : n == k ? events[i] : events[n];
      const Recorder seen = feed("cohere", false, {stream});
      int finishes = 0;
      for (const SeenEvent& e : seen.events) {
        if (finishes > 0) CHECK(e.kind == Kind::kUsage);
        finishes += e.kind == Kind::kFinish;
      }
      CHECK(finishes <= 1);
      CHECK((finishes == 1 || !seen.errors.empty()));
    }
  }
}

TEST_CASE("cohere: citations are annotations, of each source one") {
  const std::string citation =
      R"({"start":2,"end":9,"text":"Matz","sources":[{"type":"document","id":"doc:0","document":{"id":"doc:0","title":"facts","text":"t"}},)"
      R"({"type":"tool","id":"call:1","tool_output":{"url":"https://e.x/","title":"T"}}],"type":"TEXT_CONTENT","content_index":0})";
  const Both both = read(kStart + block("text", 0, "by Matz") + ev("citation-start", R"("index":0,"delta":{"message":{"citations":)" + citation + "}}") +
                         ev("citation-end", R"("index":0)") + message_end("COMPLETE") + kDone);
  std::vector<std::string> found;
  for (const SeenEvent& e : both.translated.events) {
    if (e.kind == Kind::kAnnotation) found.push_back(e.raw);
  }
  REQUIRE(found.size() == 2);
  CHECK(canonical(found[0]) == canonical(R"({"type":"url_citation","url_citation":{"start_index":2,"end_index":9,"url":"doc:0","title":"facts"}})"));
  CHECK(canonical(found[1]) == canonical(R"({"type":"url_citation","url_citation":{"start_index":2,"end_index":9,"url":"https://e.x/","title":"T"}})"));
  const Told again = retold(both.translated);
  REQUIRE(again.citations.size() == 2);
  CHECK(find(JsonValue(again.citations[1]), "sources", 0, "document", "url").equals("https://e.x/"));

  auto codec = reading("cohere", false);
  auto whole = codec->decode(R"({"id":"i","message":{"role":"assistant","content":[{"type":"text","text":"by Matz"}],"citations":[)" + citation +
                             R"(]},"finish_reason":"COMPLETE"})");
  REQUIRE(whole.ok());
  CHECK(canonical(whole->choices[0].message.annotations) == canonical("[" + found[0] + "," + found[1] + "]"));
}

TEST_CASE("cohere: a whole answer, both ways") {
  const std::string body =
      R"({"id":"i-1","message":{"role":"assistant","tool_plan":"I look","tool_calls":[{"id":"f_1","type":"function","function":{"name":"f","arguments":"{\"q\":1}"}}]},)"
      R"("finish_reason":"TOOL_CALL","usage":{"billed_units":{"input_tokens":3,"output_tokens":2},"tokens":{"input_tokens":34,"output_tokens":56,"reasoning_tokens":6,"image_tokens":259},"cached_tokens":0}})";
  auto codec = reading("cohere", false);
  auto answer = codec->decode(body);
  REQUIRE(answer.ok());
  CHECK(answer->id == "i-1");
  CHECK(answer->usage.input == 293);  // quirk: pictures are counted beside the text
  CHECK(answer->usage.image == 259);
  CHECK(answer->usage.output == 56);
  CHECK(answer->usage.reasoning == 6);
  const Choice& choice = answer->choices.at(0);
  CHECK(choice.finish == FinishReason::kToolCalls);
  REQUIRE(choice.message.tool_calls.size() == 1);
  CHECK(choice.message.parts.at(0).name == "tool_plan");
  std::string out;
  dialect("cohere")->new_client_codec()->encode_response(*answer, out);
  CHECK(find(JsonValue(out), "message", "tool_plan").equals("I look"));
  CHECK(find(JsonValue(out), "message", "tool_calls", 0, "function", "arguments").equals("{\"q\":1}"));
  CHECK_FALSE(find(JsonValue(out), "message", "content").exists());
  CHECK(find(JsonValue(out), "usage", "tokens", "image_tokens").integer() == 259);
  CHECK(find_member(JsonValue(out), "finish_reason").equals("TOOL_CALL"));
  auto facts = reading("cohere", true)->inspect(body);
  REQUIRE(facts.ok());
  CHECK(facts->usage.input == 293);
  CHECK(facts->finish == FinishReason::kToolCalls);

  CHECK(reading("cohere", false)->decode(R"({"id":"x","message":"model not found"})").error().message.find("model not found") != std::string::npos);
  CHECK_FALSE(reading("cohere", false)->decode(R"({"id":"x","finish_reason":"ERROR","message":{"role":"assistant","content":[]}})").ok());
  CHECK_FALSE(reading("cohere", false)->decode("<html>").ok());
  CHECK_FALSE(reading("cohere", false)->decode("{}").ok());
}

TEST_CASE("cohere: billed units stand in where tokens are missing; nothing is known without both") {
  const auto usage_of = [](const std::string& usage) {
    return reading("cohere", true)->inspect(R"({"message":{"content":[]},"finish_reason":"COMPLETE","usage":)" + usage + "}")->usage;
  };
  CHECK(usage_of(R"({"billed_units":{"input_tokens":3,"output_tokens":2}})").input == 3);
  CHECK(usage_of(R"({"billed_units":{"input_tokens":3,"output_tokens":2},"tokens":{}})").output == 2);
  CHECK_FALSE(usage_of("{}").known);
  CHECK_FALSE(usage_of("null").known);
}

TEST_CASE("cohere: logprobs become OpenAI's and back") {
  const std::string lp = R"({"text":"Hel","token_ids":[1,2],"logprobs":[-0.5,-0.25]})";
  auto answer = reading("cohere", false)->decode(R"({"id":"i","message":{"content":[{"type":"text","text":"Hel"}]},"finish_reason":"COMPLETE","logprobs":[)" + lp + "]}");
  REQUIRE(answer.ok());
  CHECK(canonical(answer->choices[0].logprobs) == canonical(R"({"content":[{"token":"Hel","logprob":-0.75,"bytes":null,"top_logprobs":[]}],"refusal":null})"));
  std::string out;
  dialect("cohere")->new_client_codec()->encode_response(*answer, out);
  CHECK(canonical(find_member(JsonValue(out), "logprobs")) == canonical(R"([{"text":"Hel","token_ids":[],"logprobs":[-0.75]}])"));
  const Both both = read(kStart + ev("content-delta", R"("index":0,"logprobs":)" + lp + R"(,"delta":{"message":{"content":{"text":"Hel"}}})") + message_end("COMPLETE"));
  REQUIRE(both.translated.events.size() >= 2);
  CHECK(both.translated.events[1].kind == Kind::kLogprobs);
}

TEST_CASE("cohere: an OpenAI request in Cohere's words") {
  std::vector<std::string> dropped;
  const std::string body = translated(
      "openai", "cohere",
      R"("max_tokens":9,"temperature":0.3,"top_p":1,"seed":4,"frequency_penalty":0.5,"presence_penalty":-1,"stop":["a"],"logit_bias":{"1":2},"user":"u","parallel_tool_calls":false,
        "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":true}},{"type":"function","function":{"name":"g"}}],
        "tool_choice":{"type":"function","function":{"name":"f"}},"reasoning_effort":"low")",
      R"([{"role":"developer","content":"be"},{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA==","detail":"low"}}]},
          {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},
          {"role":"tool","tool_call_id":"c1","content":"42"}])",
      &dropped);
  CHECK(canonical(body) == canonical(R"({"model":"upstream-model","messages":[{"role":"system","content":"be"},
    {"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA==","detail":"low"}}]},
    {"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":"42"}],
    "stream":false,"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}],"strict_tools":true,"tool_choice":"REQUIRED",
    "thinking":{"type":"enabled","token_budget":1024},"max_tokens":9,"temperature":0.3,"p":0.99,"seed":4,"frequency_penalty":0.5,"stop_sequences":["a"]})"));
  CHECK(dropped == std::vector<std::string>{"logit_bias", "user", "parallel_tool_calls", "presence_penalty"});
}

TEST_CASE("cohere: what cannot be said is refused by name") {
  CHECK(refused_param(R"("n":2)") == "n");
  for (const char* stop : {R"(["1","2","3","4","5","6"])", R"(["a",""])", R"([" \n"])"}) CHECK(refused_param("\"stop\":" + std::string(stop)) == "stop");
  CHECK(translated("openai", "cohere", R"("stop":["1","2","3","4","5"])", kHi, nullptr).find(R"("stop_sequences":["1","2","3","4","5"])") != std::string::npos);
  CHECK(refused_param(R"("tools":[{"type":"function","function":{"name":"f"}}],"response_format":{"type":"json_object"})") == "response_format");
  CHECK(refused_param(R"("tool_choice":{"type":"function","function":{"name":"none"}},"tools":[{"type":"function","function":{"name":"f"}}])") == "tool_choice");
  CHECK(refused_param(R"("modalities":["text","audio"])") == "modalities");
  CHECK(refused_param("", R"([{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA==","format":"wav"}}]}])") == "messages[0].content[0]");
  CHECK(refused_param("", R"([{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}])") == "messages[0].content[0]");
}

TEST_CASE("cohere: tool_choice none keeps the tools, structured output and no thinking are said") {
  const std::string body = translated("openai", "cohere",
                                      R"("tools":[{"type":"function","function":{"name":"f"}},{"type":"web_search"}],"tool_choice":"none","reasoning_effort":"none",
      "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}})",
                                      kHi);
  CHECK(canonical(body) == canonical(R"({"model":"upstream-model","messages":[{"role":"user","content":"hi"}],"stream":false,
    "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}],"tool_choice":"NONE",
    "response_format":{"type":"json_object","json_schema":{"type":"object"}},"thinking":{"type":"disabled"}})"));
}

TEST_CASE("cohere: pictures of tool results follow in a user's message after all of them") {
  ChatRequest request;
  request.messages.resize(4);
  request.messages[0].parts.push_back(Part::of_text("look"));
  request.messages[1].role = Role::kAssistant;
  request.messages[1].tool_calls.resize(2);
  request.messages[1].tool_calls[0].id = "a";
  request.messages[1].tool_calls[0].name = "f";
  request.messages[1].tool_calls[1].id = "b";
  request.messages[1].tool_calls[1].name = "f";
  for (int i : {2, 3}) {
    request.messages[i].role = Role::kTool;
    request.messages[i].tool_call_id = i == 2 ? "a" : "b";
    Part picture;
    picture.kind = Part::Kind::kImage;
    picture.data = "QUJD";
    picture.mime = "image/gif";
    request.messages[i].parts = {Part::of_text("seen"), picture};
    request.messages[i].tool_error = i == 3;
  }
  EncodeInput input;
  const ProviderConfig config = provider();
  input.chat = &request;
  input.provider = &config;
  input.upstream_model = "m";
  EncodedRequest out;
  REQUIRE(dialect("cohere")->new_upstream_codec()->encode(input, out).ok());
  const std::string body(out.http.body.at(0));
  const JsonValue messages = find_member(JsonValue(body), "messages");
  CHECK(find(messages, 2, "role").equals("tool"));
  CHECK(find(messages, 3, "role").equals("tool"));
  CHECK(find(messages, 3, "content", 0, "text").equals("Error: "));
  CHECK(find(messages, 4, "role").equals("user"));
  CHECK(find(messages, 4, "content", 1, "image_url", "url").equals("data:image/gif;base64,QUJD"));
}

TEST_CASE("cohere: a client's request in OpenAI's words; documents are text for others and documents again for Cohere") {
  const std::string members =
      R"("documents":[{"id":"doc:0","data":{"title":"t"}},"plain"],"p":0.5,"k":7,"stop_sequences":["z"],"tool_choice":"REQUIRED","strict_tools":true,
       "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"thinking":{"type":"enabled","token_budget":2000},"safety_mode":"STRICT")";
  const std::string messages =
      R"([{"role":"user","content":"hi"},{"role":"assistant","tool_plan":"look","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},
       {"role":"tool","tool_call_id":"c","content":[{"type":"document","document":{"data":{"x":1}}}]}])";
  std::vector<std::string> dropped;
  const std::string openai = translated("cohere", "openai", members, messages, &dropped);
  const JsonValue root(openai);
  CHECK(find(root, "messages", 0, "role").equals("system"));
  CHECK(openai.find("doc:0") != std::string::npos);
  CHECK(openai.find("plain") != std::string::npos);
  CHECK(find_member(root, "top_p").number() == 0.5);
  CHECK(find_member(root, "top_k").integer() == 7);
  CHECK(find_member(root, "tool_choice").equals("required"));
  CHECK(find(root, "tools", 0, "function", "strict").boolean() == true);
  CHECK(find_member(root, "reasoning_effort").is_string());
  CHECK(find(root, "messages", 2, "tool_calls", 0, "id").equals("c"));
  CHECK(dropped == std::vector<std::string>{"safety_mode"});
  // And back to itself, as a policy's edits make it go.
  const std::string body = R"({"model":"upstream-model","messages":)" + messages + "," + members + R"(,"stream":false})";
  CHECK(canonical(translated("cohere", "cohere", members, messages)) == canonical(body));
}

TEST_CASE("cohere: an OpenAI stream for a client of Cohere's, interleaved calls one after the other") {
  const std::string stream =
      R"(data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","reasoning_content":"hm"},"finish_reason":null}]})" "\n\n"
      R"(data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]})" "\n\n"
      R"(data: {"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"f","arguments":"{"}}]},"finish_reason":null}]})" "\n\n"
      R"(data: {"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_b","type":"function","function":{"name":"g","arguments":"{}"}}]},"finish_reason":null}]})" "\n\n"
      R"(data: {"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"x\":1}"}}]},"finish_reason":null}]})" "\n\n"
      R"(data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]})" "\n\n"
      R"(data: {"id":"c","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18,"prompt_tokens_details":{"cached_tokens":3}}})" "\n\n"
      "data: [DONE]\n\n";
  const Told told = retold(feed("openai", false, {stream}));
  CHECK(told.thinking == "hm");
  CHECK(told.text == "Hi");
  CHECK(told.calls == std::vector<Answer::Call>{{"call_a", "f", "{\"x\":1}"}, {"call_b", "g", "{}"}});
  CHECK(told.finish == "TOOL_CALL");
  CHECK(told.usage->input == 11);
  CHECK(told.usage->cached == 3);
  CHECK(told.done);
}

TEST_CASE("cohere: errors in its own shape; in a stream it ends with ERROR and nothing after") {
  std::string body, out;
  auto codec = client(body);
  codec->encode_error(Error(ErrorCode::kInvalidRequest, "no \"x\"", "x"), out);
  CHECK(find_member(JsonValue(out), "message").equals("no \"x\""));
  CHECK(find_member(JsonValue(out), "id").nonempty_string());
  out.clear();
  StreamEvent text;
  text.text = "half";
  codec->encode_event(text, out);
  std::string frame;
  codec->encode_stream_error(Error(ErrorCode::kUpstreamError, "it broke"), frame);
  CHECK(frame == "event: content-end\ndata: {\"type\":\"content-end\",\"index\":0}\n\nevent: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"ERROR\",\"error\":\"it broke\"}}\n\n");
}

TEST_CASE("cohere: errors of Cohere's are understood") {
  auto codec = reading("cohere", false);
  const auto error = [&](int status, const std::string& body) {
    HttpHead head;
    head.status = status;
    return codec->parse_error(head, body);
  };
  CHECK(error(401, R"({"id":"x","message":"Incorrect API key provided"})").code == ErrorCode::kUpstreamCredentialsRejected);
  CHECK(error(400, R"({"error_type":"TOO_MANY_TOKENS","id":"x","message":"too many tokens: size limit exceeded by 8 tokens."})").code ==
        ErrorCode::kContextLengthExceeded);
  CHECK(error(404, R"({"id":"x","message":"model 'm' was removed"})").code == ErrorCode::kUpstreamRejected);
  CHECK(error(429, R"({"message":"slow down"})").code == ErrorCode::kUpstreamRateLimited);
  CHECK(error(498, R"({"message":"invalid"})").code == ErrorCode::kUpstreamCredentialsRejected);
  CHECK(error(499, R"({"message":"cancelled"})").code == ErrorCode::kUpstreamError);
}

TEST_CASE("cohere: the list of models stands under /v1, of all endpoints that are spoken, in pages") {
  auto codec = dialect("cohere")->new_upstream_codec();
  ProviderConfig config = provider();
  config.base_url = "https://api.cohere.com/v2";
  EncodedRequest out;
  REQUIRE(codec->encode_models(config, "k", out).ok());
  CHECK(out.http.method == "GET");
  CHECK(out.http.url == "https://api.cohere.com/v1/models?page_size=1000");
  auto ids = codec->parse_models(R"({"models":[{"name":"command-a","endpoints":["generate","chat"]},{"x":1},{"name":"b"},{"name":"c","endpoints":[]},
    {"name":"embed-v4.0","endpoints":["embed","classify"]},{"name":"rerank-v3.5","endpoints":["rerank"]},{"name":"mine-ft","endpoints":["classify"]}],"next_page_token":"t+/1"})");
  REQUIRE(ids.ok());
  CHECK(*ids == std::vector<std::string>{"command-a", "b", "c", "embed-v4.0", "rerank-v3.5"});
  EncodedRequest second, third;
  REQUIRE(codec->encode_more_models(config, "k", second));
  CHECK(second.http.url == "https://api.cohere.com/v1/models?page_size=1000&page_token=t%2B%2F1");
  REQUIRE(codec->parse_models(R"({"models":[{"name":"z"}],"next_page_token":""})").ok());
  CHECK_FALSE(codec->encode_more_models(config, "k", third));
  CHECK_FALSE(codec->parse_models(R"({"id":"x","message":"no"})").ok());
}

TEST_CASE("cohere: recorded exchanges, relayed byte for byte and retold") {
  int streams = 0, wholes = 0;
  for (const Recording& r : recordings()) {
    if (r.endpoint != "v2/chat") continue;
    INFO(r.name);
    if (!r.request.empty() && r.request.find("MASSIVE") == std::string::npos) {
      CHECK(scan(r.request).ok());
      auto again = translate_request("cohere", "cohere", r.request);
      REQUIRE(again.ok());
    }
    if (r.status >= 400) {
      HttpHead head;
      head.status = r.status;
      CHECK(reading("cohere", false)->parse_error(head, r.body).code != ErrorCode::kUpstreamError);
      continue;
    }
    if (!r.is_stream()) {
      ++wholes;
      auto answer = reading("cohere", false)->decode(r.body);
      REQUIRE(answer.ok());
      std::string out;
      dialect("cohere")->new_client_codec()->encode_response(*answer, out);
      auto again = reading("cohere", false)->decode(out);
      REQUIRE(again.ok());
      CHECK(again->text() == answer->text());
      CHECK(print(again->usage) == print(answer->usage));
      CHECK(find_member(JsonValue(r.body), "finish_reason").string_or() ==
            (find_member(JsonValue(r.body), "finish_reason").equals("STOP_SEQUENCE") ? "STOP_SEQUENCE" : find_member(JsonValue(out), "finish_reason").string_or()));
      continue;
    }
    ++streams;
    const Both both = read(r.body);
    CHECK(both.relay.errors.empty());
    CHECK(both.relay.bytes() == r.body);
    REQUIRE(both.translated.errors.empty());
    const Told told = retold(both.translated);
    const Answer::Choice& c = both.answer.choices.at(0);
    CHECK(told.text == c.text);
    CHECK(told.thinking + told.plan == c.reasoning);
    CHECK(told.calls == c.calls);
    CHECK(told.usage->input == both.answer.usage->input);
    CHECK(r.body.find("\"finish_reason\":\"" + told.finish + "\"") != std::string::npos);
  }
  if (streams + wholes == 0) std::cerr << "no recordings of Cohere's\n";
  else CHECK((streams > 3 && wholes > 3));
}

TEST_CASE("cohere: a document part without its document is passed as it came or refused, and never makes a body that is no JSON") {
  const std::string body = R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"document"}]}]})";
  auto own = translate_request("cohere", "cohere", body);
  if (own.ok()) CHECK(bool(wire::validate(own->body)));
  else CHECK(own.error().param == "messages[0].content[1]");
  auto other = translate_request("cohere", "openai", body);
  REQUIRE_FALSE(other.ok());
  CHECK(other.error().param == "messages[0].content[1]");
}
