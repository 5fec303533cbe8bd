// The demo model, as an OpenAI client sees it.
#include <set>
#include <tuple>

#include "catch.h"
#include "llmrouter/fake_transport.h"
#include "net/demo_schema.h"
#include "unit/net/listener.h"
#include "wire/json_scan.h"

using namespace llmrouter;
using namespace net_test;
using namespace std::chrono_literals;
using Kind = TransferError::Kind;
using wire::find;
using wire::JsonElements;
using wire::JsonValue;

namespace {

struct Demo {
  ManualClock clock;
  std::unique_ptr<Reactor> reactor = make_reactor(clock).value();
  std::unique_ptr<Transport> transport = make_demo_transport(*reactor, nullptr);

  void start(Listener& listener, std::string_view body, std::string url = "demo:/chat/completions", std::string method = "POST") {
    HttpRequest request = post_to(std::move(url), body);
    request.method = std::move(method);
    listener.transfer = transport->start(std::move(request), listener);
    CHECK(listener.heads + listener.ends == 0);
  }
  void drive_to_end(Listener& listener) {
    for (int i = 0; i < 20000 && !listener.ended(); ++i) reactor->drive();
  }
  void run(Listener& listener, std::string_view body, std::string url = "demo:/chat/completions", std::string method = "POST") {
    start(listener, body, std::move(url), std::move(method));
    drive_to_end(listener);
    REQUIRE(listener.ends == 1);
  }
};

std::string ask(const std::string& text, const std::string& more = "", const std::string& model = "echo") {
  return R"({"model":")" + model + R"(","messages":[{"role":"system","content":"be brief"},{"role":"user","content":")" + text + "\"}]" + more + "}";
}

// The `data:` of each event; each but [DONE] must be valid JSON.
std::vector<std::string> events(const std::string& body) {
  std::vector<std::string> found;
  for (size_t begin = 0; begin < body.size();) {
    const size_t end = body.find("\n\n", begin);
    REQUIRE(end != std::string::npos);
    REQUIRE(body.compare(begin, 6, "data: ") == 0);
    found.push_back(body.substr(begin + 6, end - begin - 6));
    if (found.back() != "[DONE]") REQUIRE(wire::validate(found.back()));
    begin = end + 2;
  }
  return found;
}

std::string text_of(const std::vector<std::string>& list, int64_t choice = 0) {
  std::string text;
  for (const std::string& event : list) {
    for (const JsonValue& one : JsonElements(find(JsonValue(event), "choices"))) {
      if (find(one, "index").integer() == choice) find(one, "delta", "content").append_string(text);
    }
  }
  return text;
}

const char* kTools = R"(,"tools":[
  {"type":"function","function":{"name":"get_weather","parameters":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"},
    "metric":{"type":"boolean"},"unused":{"type":"string"}},"required":["city","days","metric"]}}},
  {"type":"web_search"},
  {"type":"function","function":{"name":"send_mail"}}])";

}  // namespace

TEST_CASE("echo says the last user message again, whole") {
  Demo demo;
  Listener listener;
  demo.run(listener, R"({"model":"echo","messages":[{"role":"user","content":"first"},{"role":"assistant","content":"x"},
    {"role":"user","content":[{"type":"text","text":"Grüße  an"},{"type":"image_url","image_url":{"url":"data:,"}},{"type":"text","text":"alle\n"}]}]})");
  REQUIRE(listener.good());
  CHECK(listener.head.status == 200);
  CHECK(listener.head.header("content-type") == "application/json");
  CHECK(listener.head.header("x-request-id").substr(0, 4) == "req_");
  REQUIRE(wire::validate(listener.body));
  const JsonValue root(listener.body);
  CHECK(find(root, "object").equals("chat.completion"));
  CHECK(find(root, "model").equals("echo"));
  CHECK(find(root, "created").integer() == 1767225600);
  CHECK(find(root, "choices", 0, "message", "role").equals("assistant"));
  CHECK(find(root, "choices", 0, "message", "content").string_or() == "Grüße  an alle\n");
  CHECK(find(root, "choices", 0, "finish_reason").equals("stop"));
  CHECK(find(root, "choices", 0, "logprobs").is_null());
  const int64_t prompt = find(root, "usage", "prompt_tokens").integer().value();
  const int64_t completion = find(root, "usage", "completion_tokens").integer().value();
  CHECK(completion == 3);
  CHECK(prompt > 85);
  CHECK(find(root, "usage", "total_tokens").integer() == prompt + completion);
}

TEST_CASE("echo streams word by word, one event for each drive, in OpenAI's grammar") {
  Demo demo;
  Listener listener;
  demo.start(listener, ask("one two three", R"(,"stream":true)"));
  for (int drives = 1; drives <= 6; ++drives) {
    demo.reactor->drive();
    CHECK(listener.pieces == drives - 1);
  }
  demo.drive_to_end(listener);
  REQUIRE(listener.good());
  CHECK(listener.head.header("content-type").substr(0, 17) == "text/event-stream");
  const auto list = events(listener.body);
  REQUIRE(list.size() == 6);
  CHECK(find(JsonValue(list[0]), "choices", 0, "delta", "role").equals("assistant"));
  CHECK(find(JsonValue(list[0]), "choices", 0, "delta", "content").equals(""));
  CHECK(find(JsonValue(list[2]), "choices", 0, "delta", "content").equals(" two"));
  CHECK(find(JsonValue(list[2]), "choices", 0, "finish_reason").is_null());
  CHECK(find(JsonValue(list[4]), "choices", 0, "finish_reason").equals("stop"));
  CHECK(find(JsonValue(list[4]), "choices", 0, "delta").raw() == "{}");
  CHECK(list[5] == "[DONE]");
  CHECK(text_of(list) == "one two three");
  std::set<std::string> ids;
  for (size_t i = 0; i + 1 < list.size(); ++i) {
    CHECK(find(JsonValue(list[i]), "object").equals("chat.completion.chunk"));
    CHECK_FALSE(find(JsonValue(list[i]), "usage"));
    ids.insert(find(JsonValue(list[i]), "id").string_or());
  }
  CHECK(ids.size() == 1);
}

TEST_CASE("include_usage adds the last chunk, and null before it") {
  Demo demo;
  Listener listener;
  demo.run(listener, ask("a b", R"(,"stream":true,"stream_options":{"include_usage":true})"));
  const auto list = events(listener.body);
  REQUIRE(list.size() == 6);
  for (size_t i = 0; i < 4; ++i) CHECK(find(JsonValue(list[i]), "usage").is_null());
  CHECK(find(JsonValue(list[4]), "choices").raw() == "[]");
  CHECK(find(JsonValue(list[4]), "usage", "completion_tokens").integer() == 2);
}

TEST_CASE("ids differ from answer to answer") {
  Demo demo;
  std::set<std::string> ids;
  for (int i = 0; i < 100; ++i) {
    Listener listener;
    demo.run(listener, ask("x"));
    ids.insert(find(JsonValue(listener.body), "id").string_or());
  }
  CHECK(ids.size() == 100);
}

TEST_CASE("max_tokens counts words") {
  Demo demo;
  const std::string limit = GENERATE(as<std::string>{}, R"(,"max_tokens":2)", R"(,"max_completion_tokens":2)", R"(,"max_tokens":9,"max_completion_tokens":2)");
  Listener whole, streamed, enough;
  demo.run(whole, ask("one two three", limit));
  CHECK(find(JsonValue(whole.body), "choices", 0, "message", "content").equals("one two"));
  CHECK(find(JsonValue(whole.body), "choices", 0, "finish_reason").equals("length"));
  CHECK(find(JsonValue(whole.body), "usage", "completion_tokens").integer() == 2);
  demo.run(streamed, ask("one two three", limit + R"(,"stream":true)"));
  CHECK(text_of(events(streamed.body)) == "one two");
  CHECK(streamed.body.find("\"finish_reason\":\"length\"") != std::string::npos);
  demo.run(enough, ask("one two", limit));
  CHECK(find(JsonValue(enough.body), "choices", 0, "finish_reason").equals("stop"));
}

TEST_CASE("a tool is called when the text asks for one") {
  Demo demo;
  Listener listener;
  const std::string text = GENERATE(as<std::string>{}, "Use get_weather please", "GET WEATHER in Rome", "call it", "use your tools", "What is the weather in Oslo?");
  demo.run(listener, ask(text, kTools));
  const JsonValue choice = find(JsonValue(listener.body), "choices", 0);
  CHECK(find(choice, "finish_reason").equals("tool_calls"));
  CHECK(find(choice, "message", "content").is_null());
  CHECK_FALSE(find(choice, "message", "tool_calls", 1));
  const JsonValue call = find(choice, "message", "tool_calls", 0);
  CHECK(find(call, "type").equals("function"));
  CHECK(find(call, "id").string_or().substr(0, 5) == "call_");
  CHECK(find(call, "function", "name").equals("get_weather"));
  CHECK(find(call, "function", "arguments").equals(R"({"city":"text","days":1,"metric":true})"));
}

TEST_CASE("no tool is called when it is not asked for, forbidden, or has answered") {
  Demo demo;
  Listener listener;
  const std::string body = GENERATE_COPY(as<std::string>{}, ask("I recall being locally basic", kTools), ask("call get_weather", std::string(kTools) + R"(,"tool_choice":"none")"),
                                         ask("call a tool"),
                                         R"({"model":"echo","messages":[{"role":"user","content":"call get_weather"},{"role":"assistant","content":null,"tool_calls":[]},
      {"role":"tool","tool_call_id":"x","content":"42"}],"tool_choice":"required")" + std::string(kTools) + "}");
  demo.run(listener, body);
  REQUIRE(listener.head.status == 200);
  const JsonValue message = find(JsonValue(listener.body), "choices", 0, "message");
  CHECK_FALSE(find(message, "tool_calls"));
  CHECK(find(message, "content").nonempty_string());
  if (body.find("tool_call_id") != std::string::npos) CHECK(find(message, "content").equals("The tool says: 42"));
}

TEST_CASE("tool_choice forces a tool; two named are two calls unless parallel calls are off") {
  Demo demo;
  Listener required, named, two, one;
  demo.run(required, ask("hello", std::string(kTools) + R"(,"tool_choice":"required")"));
  CHECK(find(JsonValue(required.body), "choices", 0, "message", "tool_calls", 0, "function", "name").equals("get_weather"));
  demo.run(named, ask("hello", std::string(kTools) + R"(,"tool_choice":{"type":"function","function":{"name":"send_mail"}})"));
  CHECK(find(JsonValue(named.body), "choices", 0, "message", "tool_calls", 0, "function", "name").equals("send_mail"));
  CHECK(find(JsonValue(named.body), "choices", 0, "message", "tool_calls", 0, "function", "arguments").equals("{}"));
  demo.run(two, ask("get_weather then send_mail", kTools));
  const JsonValue calls = find(JsonValue(two.body), "choices", 0, "message", "tool_calls");
  CHECK(find(calls, 1, "function", "name").equals("send_mail"));
  CHECK(find(calls, 0, "id").string_or() != find(calls, 1, "id").string_or());
  demo.run(one, ask("get_weather then send_mail", std::string(kTools) + R"(,"parallel_tool_calls":false)"));
  CHECK_FALSE(find(JsonValue(one.body), "choices", 0, "message", "tool_calls", 1));
}

TEST_CASE("tool calls stream one after the other: begin, arguments, next") {
  Demo demo;
  Listener listener;
  demo.run(listener, ask("get_weather then send_mail", std::string(kTools) + R"(,"stream":true)"));
  const auto list = events(listener.body);
  std::string arguments[2];
  std::set<std::string> ids;
  int64_t current = -1;
  for (const std::string& event : list) {
    const JsonValue call = find(JsonValue(event), "choices", 0, "delta", "tool_calls", 0);
    if (!call) continue;
    const int64_t index = find(call, "index").integer().value();
    if (const JsonValue id = find(call, "id")) {
      CHECK(index == current + 1);
      current = index;
      ids.insert(id.string_or());
      CHECK(find(call, "type").equals("function"));
      CHECK(find(call, "function", "name").nonempty_string());
      CHECK(find(call, "function", "arguments").equals(""));
    } else {
      CHECK(index == current);
      CHECK_FALSE(find(call, "function", "name"));
      find(call, "function", "arguments").append_string(arguments[index]);
    }
  }
  CHECK(ids.size() == 2);
  CHECK(arguments[0] == R"({"city":"text","days":1,"metric":true})");
  CHECK(arguments[1] == "{}");
  CHECK(find(JsonValue(list[0]), "choices", 0, "delta", "content").is_null());
  CHECK(find(JsonValue(list[list.size() - 2]), "choices", 0, "finish_reason").equals("tool_calls"));
}

TEST_CASE("response_format is kept") {
  Demo demo;
  Listener schema, object;
  demo.run(schema, ask("hi", R"(,"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":
    {"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"}}}}})"));
  CHECK(find(JsonValue(schema.body), "choices", 0, "message", "content").equals(R"({"name":"text","age":1})"));
  demo.run(object, ask("hi \\\"you\\\"", R"(,"stream":true,"response_format":{"type":"json_object"})"));
  CHECK(text_of(events(object.body)) == R"({"text":"hi \"you\""})");
}

TEST_CASE("n choices, each whole, interleaved when streamed") {
  Demo demo;
  Listener whole, streamed, tools;
  demo.run(whole, ask("a b", R"(,"n":3)"));
  for (int i = 0; i < 3; ++i) {
    CHECK(find(JsonValue(whole.body), "choices", i, "index").integer() == i);
    CHECK(find(JsonValue(whole.body), "choices", i, "message", "content").equals("a b"));
  }
  CHECK(find(JsonValue(whole.body), "usage", "completion_tokens").integer() == 6);
  demo.run(streamed, ask("a b", R"(,"n":3,"stream":true)"));
  const auto list = events(streamed.body);
  for (int i = 0; i < 3; ++i) CHECK(text_of(list, i) == "a b");
  CHECK(list.size() == 3 * 4 + 1);
  demo.run(tools, ask("call", std::string(kTools) + R"(,"n":2)"));
  CHECK(find(JsonValue(tools.body), "choices", 0, "message", "tool_calls", 0, "id").string_or() !=
        find(JsonValue(tools.body), "choices", 1, "message", "tool_calls", 0, "id").string_or());
}

TEST_CASE("logprobs when asked") {
  Demo demo;
  Listener whole, streamed;
  demo.run(whole, ask("a é", R"(,"logprobs":true,"top_logprobs":2)"));
  const JsonValue content = find(JsonValue(whole.body), "choices", 0, "logprobs", "content");
  CHECK(find(content, 0, "token").equals("a"));
  CHECK(find(content, 1, "bytes").raw() == "[32,195,169]");
  CHECK(find(content, 1, "logprob").number().value() < 0);
  CHECK(find(content, 1, "top_logprobs", 0, "token").equals(" é"));
  CHECK(find(content, 1, "top_logprobs", 1));
  CHECK_FALSE(find(content, 1, "top_logprobs", 2));
  demo.run(streamed, ask("a b", R"(,"logprobs":true,"stream":true)"));
  const auto list = events(streamed.body);
  CHECK(find(JsonValue(list[0]), "choices", 0, "logprobs").is_null());
  CHECK(find(JsonValue(list[2]), "choices", 0, "logprobs", "content", 0, "token").equals(" b"));
  CHECK(find(JsonValue(list[2]), "choices", 0, "logprobs", "content", 0, "top_logprobs").raw() == "[]");
}

TEST_CASE("slow: two seconds to the first word, a tenth between them") {
  Demo demo;
  Listener listener;
  demo.start(listener, ask("one two", R"(,"stream":true)", "slow"));
  demo.clock.advance(1999ms);
  for (int i = 0; i < 5; ++i) demo.reactor->drive();
  CHECK(listener.heads == 0);
  demo.clock.advance(1ms);
  for (int i = 0; i < 9; ++i) demo.reactor->drive();
  CHECK(listener.pieces == 2);
  demo.clock.advance(100ms);
  demo.drive_to_end(listener);
  CHECK(listener.good());
  CHECK(text_of(events(listener.body)) == "one two");
}

TEST_CASE("cut breaks off, stall falls silent") {
  Demo demo;
  const std::string text = GENERATE(as<std::string>{}, "one", "one two three four five six");
  const std::string said = text == "one" ? "one" : "one two three";
  Listener cut, cut_whole, stall, stall_whole;
  demo.run(cut, ask(text, R"(,"stream":true)", "cut"));
  CHECK(cut.error.kind == Kind::kTruncated);
  CHECK(text_of(events(cut.body)) == said);
  CHECK(cut.body.find("\"finish_reason\":\"") == std::string::npos);
  demo.run(cut_whole, ask(text, "", "cut"));
  CHECK(cut_whole.error.kind == Kind::kTruncated);
  CHECK(cut_whole.heads == 1);
  CHECK_FALSE(wire::validate(cut_whole.body));

  demo.start(stall, ask(text, R"(,"stream":true)", "stall"));
  demo.start(stall_whole, ask(text, "", "stall"));
  for (int i = 0; i < 50; ++i) demo.reactor->drive();
  demo.clock.advance(1h);
  for (int i = 0; i < 50; ++i) demo.reactor->drive();
  CHECK(stall.ends == 0);
  CHECK(text_of(events(stall.body)) == said);
  CHECK(stall_whole.heads == 0);
  CHECK(stall_whole.ends == 0);
}

TEST_CASE("errors in OpenAI's shape") {
  Demo demo;
  struct Case {
    std::string body;
    int status;
    std::string code, param;
  };
  const Case c = GENERATE(values<Case>({
      {ask("x", "", "error-429"), 429, "rate_limit_exceeded", ""},
      {ask("x", R"(,"stream":true)", "error-500"), 500, "", ""},
      {ask("x", "", "error-503"), 503, "", ""},
      {ask("x", "", "error-401"), 401, "invalid_api_key", ""},
      {ask("x", "", "error-200"), 404, "model_not_found", "model"},
      {ask("x", "", "gpt-9"), 404, "model_not_found", "model"},
      {"{\"model\":", 400, "invalid_value", ""},
      {"[]", 400, "invalid_value", ""},
      {"", 400, "invalid_value", ""},
      {R"({"messages":[{"role":"user","content":"x"}]})", 400, "invalid_value", "model"},
      {R"({"model":"echo"})", 400, "invalid_value", "messages"},
      {R"({"model":"echo","messages":[]})", 400, "invalid_value", "messages"},
      {R"({"model":"echo","messages":["x"]})", 400, "invalid_value", "messages[0]"},
      {R"({"model":"echo","messages":[{"role":"user"},{}]})", 400, "invalid_value", "messages[1].role"},
      {ask("x", R"(,"n":0)"), 400, "invalid_value", "n"},
      {ask("x", R"(,"n":129)"), 400, "invalid_value", "n"},
      {ask("x", R"(,"max_tokens":0)"), 400, "invalid_value", "max_tokens"},
      {ask("x", R"(,"max_tokens":"5")"), 400, "invalid_value", "max_tokens"},
      {ask("x", R"(,"tool_choice":"required")"), 400, "invalid_value", "tool_choice"},
      {ask("x", std::string(kTools) + R"(,"tool_choice":{"type":"function","function":{"name":"none"}})"), 400, "invalid_value", "tool_choice"},
      {ask("x", R"(,"response_format":{"type":"yaml"})"), 400, "invalid_value", "response_format"},
  }));
  Listener listener;
  demo.run(listener, c.body);
  INFO(c.body << " -> " << listener.body);
  CHECK(listener.good());
  CHECK(listener.head.status == c.status);
  CHECK(listener.head.header("content-type") == "application/json");
  CHECK(listener.head.header("retry-after") == (c.status == 429 ? "1" : ""));
  REQUIRE(wire::validate(listener.body));
  const JsonValue error = find(JsonValue(listener.body), "error");
  CHECK(find(error, "message").nonempty_string());
  CHECK(find(error, "type").nonempty_string());
  CHECK(find(error, "code").string_or() == c.code);
  CHECK(find(error, "param").string_or() == c.param);
}

TEST_CASE("models are listed and shown; other paths and methods are not known") {
  Demo demo;
  Listener list, one, none, path, other, method;
  demo.run(list, "", "demo:/models", "GET");
  REQUIRE(wire::validate(list.body));
  std::set<std::string> ids;
  for (const JsonValue& model : JsonElements(find(JsonValue(list.body), "data"))) ids.insert(find(model, "id").string_or());
  CHECK(ids == std::set<std::string>{"echo", "slow", "cut", "stall", "error-401", "error-429", "error-500"});
  demo.run(one, "", "demo:/v1/models/echo?x=y", "GET");
  CHECK(find(JsonValue(one.body), "id").equals("echo"));
  demo.run(none, "", "demo:/models/nope", "GET");
  CHECK(none.head.status == 404);
  demo.run(path, "{}", "demo:/nowhere");
  CHECK(path.head.status == 404);
  CHECK(find(JsonValue(path.body), "error", "code").equals("unknown_url"));
  demo.run(other, R"({"model":"echo","prompt":"a cat"})", "demo:/images/generations");
  CHECK(other.head.status == 400);
  CHECK(find(JsonValue(other.body), "error", "code").equals("not_supported"));
  CHECK(find(JsonValue(other.body), "error", "message").string_or().find("no endpoint /images/generations") != std::string::npos);
  demo.run(method, "", "demo:/chat/completions", "GET");
  CHECK(method.head.status == 405);
}

TEST_CASE("pauses hold the next word back; the sink may destroy its transfer in any callback") {
  Demo demo;
  Listener paused;
  paused.at_body = [&] { return paused.pieces == 2 ? Flow::kPause : Flow::kContinue; };
  demo.start(paused, ask("a b c", R"(,"stream":true)"));
  for (int i = 0; i < 20; ++i) demo.reactor->drive();
  CHECK(paused.pieces == 2);
  paused.transfer->resume();
  demo.drive_to_end(paused);
  CHECK(paused.good());
  CHECK(text_of(events(paused.body)) == "a b c");
  for (int where = 0; where < 3; ++where) {
    Listener listener;
    if (where == 0) listener.at_head = [&] { listener.transfer.reset(); };
    if (where == 1) listener.at_body = [&] { return listener.transfer.reset(), Flow::kContinue; };
    if (where == 2) listener.at_end = [&] { listener.transfer.reset(); };
    demo.start(listener, ask("a b c", R"(,"stream":true)"));
    for (int i = 0; i < 20; ++i) demo.reactor->drive();
    CHECK(listener.ends == (where == 2 ? 1 : 0));
    CHECK_FALSE(listener.transfer);
  }
}

TEST_CASE("what is not demo: goes to the next transport, or fails to connect") {
  ManualClock clock;
  auto reactor = make_reactor(clock).value();
  auto fake = std::make_unique<FakeTransport>(*reactor);
  fake->push(ScriptedReply::json("from next"));
  auto both = make_demo_transport(*reactor, std::move(fake));
  CHECK(&both->reactor() == reactor.get());
  auto alone = make_demo_transport(*reactor, nullptr);
  Listener next, none;
  next.transfer = both->start(post_to("https://host/v1", "{}"), next);
  none.transfer = alone->start(post_to("https://host/v1", "{}"), none);
  for (int i = 0; i < 5; ++i) reactor->drive();
  CHECK(next.body == "from next");
  CHECK(none.error.kind == Kind::kConnect);
  next.transfer.reset();
}

TEST_CASE("a long prompt and many choices are bounded") {
  Demo demo;
  std::string words;
  for (int i = 0; i < 3000; ++i) words += "w ";
  Listener listener;
  demo.run(listener, ask(words, R"(,"n":128)"));
  CHECK(find(JsonValue(listener.body), "choices", 0, "finish_reason").equals("length"));
  CHECK(find(JsonValue(listener.body), "usage", "completion_tokens").integer() == 65536);
}

TEST_CASE("examples for schemas") {
  const auto example = [](std::string_view schema) {
    const std::string made = net::example_of(JsonValue(schema));
    CHECK(wire::validate(made));
    return made;
  };
  CHECK(example(R"({"type":"object","properties":{"a":{"type":"string"},"b":{"type":"number"}},"required":["b"]})") == R"({"b":1})");
  CHECK(example(R"({"type":"object"})") == "{}");
  CHECK(example(R"({"enum":["x","y"]})") == "\"x\"");
  CHECK(example(R"({"const":{"a":[1]}})") == R"({"a":[1]})");
  CHECK(example(R"({"type":["null","integer"],"minimum":7.5})") == "8");
  CHECK(example(R"({"type":"number","exclusiveMinimum":1})") == "2");
  CHECK(example(R"({"type":"integer","maximum":-3})") == "-3");
  CHECK(example(R"({"type":"array","items":{"type":"boolean"},"minItems":2})") == "[true,true]");
  CHECK(example(R"({"type":"array","items":{"type":"null"}})") == "[null]");
  CHECK(example(R"({"type":"array"})") == "[]");
  CHECK(example(R"({"anyOf":[{"type":"null"},{"type":"string","minLength":6}]})") == "\"textxx\"");
  CHECK(example(R"({"type":"string","maxLength":2})") == "\"te\"");
  CHECK(example(R"({"type":"string","format":"date"})") == "\"2026-01-01\"");
  CHECK(example(R"({"$ref":"#/$defs/a~1b","$defs":{"a/b":{"type":"boolean"}}})") == "true");
  CHECK(example("") == "\"text\"");
  CHECK(example("true") == "\"text\"");
  // Schemas that would never end.
  CHECK_FALSE(example(R"({"$ref":"#"})").empty());
  CHECK(example(R"({"type":"object","properties":{"l":{"$ref":"#"},"r":{"$ref":"#"}}})").size() < 100000);
  CHECK(example(R"({"type":"array","minItems":9,"items":{"$ref":"#"}})").size() < 100000);
}

TEST_CASE("stop ends what is said, at the first of them, and is not said") {
  const std::string stream = GENERATE("", R"(,"stream":true)");
  for (const auto& [stop, said, finish] : std::vector<std::tuple<std::string, std::string, std::string>>{
           {R"("three")", "one two ", "stop"},
           {R"(["four","wo th"])", "one t", "stop"},
           {R"("nobody says it")", "one two three four", "stop"},
           {R"("one")", "", "stop"},
           {"null", "one two three four", "stop"},
           {R"("four","max_tokens":2)", "one two", "length"}}) {
    INFO(stop << stream);
    Demo demo;
    Listener listener;
    demo.run(listener, ask("one two three four", R"(,"stop":)" + stop + stream));
    REQUIRE(listener.head.status == 200);
    std::string text, reason;
    if (stream.empty()) {
      const JsonValue root(listener.body);
      text = find(root, "choices", 0, "message", "content").string_or();
      reason = find(root, "choices", 0, "finish_reason").string_or();
    } else {
      const auto list = events(listener.body);
      text = text_of(list);
      reason = find(JsonValue(list[list.size() - 2]), "choices", 0, "finish_reason").string_or();
    }
    CHECK(text == said);
    CHECK(reason == finish);
  }
  for (const char* bad : {"7", "{}", R"("")", R"([""])", "[7]", R"(["a","b","c","d","e"])"}) {
    INFO(bad);
    Demo demo;
    Listener listener;
    demo.run(listener, ask("one", std::string(R"(,"stop":)") + bad));
    CHECK(listener.head.status == 400);
    CHECK(find(JsonValue(listener.body), "error", "param").string_or() == "stop");
  }
}
