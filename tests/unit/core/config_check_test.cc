// What an application fills in by hand is checked as a file is.
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "unit/core/call_fixture.h"

using namespace llmrouter;
using namespace llmrouter::test;

namespace {

Config good() {
  Config config;
  config.providers = {provider("a", {"k"}), provider("demo")};
  config.providers[1].base_url = "demo:";
  config.models = {model("m", {{"a", "x"}}, {"demo/echo", "n"}), model("n", {{"demo", "echo", 0}})};
  return config;
}

}  // namespace

TEST_CASE("create: a configuration with a fault is refused by the fault's path, at the start and at a reload") {
  const std::vector<std::pair<std::string, std::function<void(Config&)>>> faults = {
      {"routing.strategy", [](Config& c) { c.routing.strategy = "best"; }},
      {"models.m.strategy", [](Config& c) { c.models[0].strategy = "best"; }},
      {"routing.attempts", [](Config& c) { c.routing.attempts = 0; }},
      {"routing.attempts", [](Config& c) { c.routing.attempts = -1; }},
      {"routing.attempts", [](Config& c) { c.routing.attempts = 21; }},
      {"routing.retry_budget", [](Config& c) { c.routing.retry_budget = -7; }},
      {"routing.timeouts.total", [](Config& c) { c.routing.timeouts.total = std::chrono::seconds(-5); }},
      {"providers.a.timeouts.idle", [](Config& c) { c.providers[0].timeouts.idle = std::chrono::seconds(-5); }},
      {"models.m.fallbacks[1]", [](Config& c) { c.models[0].fallbacks[1] = "nobody"; }},
      {"models.m.fallbacks[0]", [](Config& c) { c.models[0].fallbacks[0] = "nobody/x"; }},
      {"models.m.context_fallbacks[0]", [](Config& c) { c.models[0].context_fallbacks = {"nobody"}; }},
      {"models.m.content_fallbacks[0]", [](Config& c) { c.models[0].content_fallbacks = {"nobody"}; }},
      {"models.m.targets[0].weight", [](Config& c) { c.models[0].targets[0].weight = -1; }},
      {"providers.a.api_keys[0].weight", [](Config& c) { c.providers[0].credentials[0].weight = 0; }},
      {"providers.a.headers.x-a", [](Config& c) { c.providers[0].headers = {{"x-a", "b\r\nx-evil: 1"}}; }},
      {"providers.a.headers", [](Config& c) { c.providers[0].headers = {{"x a\r\n", "b"}}; }},
      {"models.m.defaults.temperature", [](Config& c) { c.models[0].defaults = {{"temperature", "{bad"}}; }},
      {"models.m.override.x", [](Config& c) { c.models[0].override_ = {{"x", "1,\"model\":\"evil\""}}; }},
      {"providers.a.base_url", [](Config& c) { c.providers[0].base_url.clear(); }},
      {"providers.a.base_url", [](Config& c) { c.providers[0].base_url = "api.b.example/v1"; }},
      {"providers.a.base_url", [](Config& c) { c.providers[0].base_url = "not a url"; }},
      {"providers.a.base_url", [](Config& c) { c.providers[0].base_url = "://"; }},
      {"providers.a.base_url", [](Config& c) { c.providers[0].base_url = "http://"; }},
      {"providers.a.base_url", [](Config& c) { c.providers[0].base_url = "http:///v1"; }},
      {"providers.a.base_url", [](Config& c) { c.providers[0].base_url = "https://u:p@b.example/v1"; }},
      {"providers.a.base_url", [](Config& c) { c.providers[0].base_url = "ftp://b.example"; }},
      {"providers.a.base_url", [](Config& c) { c.providers[0].base_url = "https://b.example/v1\r\n"; }},
  };
  auto router = Router::create(good());
  REQUIRE(router.ok());
  for (const auto& [path, spoil] : faults) {
    Config config = good();
    spoil(config);
    INFO(path);
    const auto made = Router::create(config);
    REQUIRE_FALSE(made.ok());
    CHECK(made.error().code == ErrorCode::kConfig);
    CHECK(made.error().param == path);
    CHECK(made.error().message.substr(0, path.size()) == path);
    CHECK((*router)->reload(config).error().param == path);
  }
}

TEST_CASE("call: options that would break a header or mean nothing are refused by name, and nothing is sent") {
  World w;
  w.config = good();
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
  for (const std::string& id : {std::string("a\r\nset-cookie: evil"), std::string("a\nb"), std::string("a b"), std::string("\xc3\xa9"), std::string(129, 'a'), std::string("a\0b", 3)}) {
    CallOptions options;
    options.request_id = id;
    w.relay(World::body("m"), options);
    w.run();
    INFO(id);
    CHECK(w.heard.result.error.code == ErrorCode::kInvalidRequest);
    CHECK(w.heard.result.error.param == "request_id");
    CHECK(w.heard.header("x-request-id").substr(0, 4) == "req_");
    CHECK(w.heard.result.record.request_id == w.heard.header("x-request-id"));
  }
  CallOptions hurried;
  hurried.timeout = std::chrono::seconds(-5);
  w.relay(World::body("m"), hurried);
  w.run();
  CHECK(w.heard.result.error.code == ErrorCode::kInvalidRequest);
  CHECK(w.heard.result.error.param == "timeout");
  CHECK(w.transport.seen().empty());
  CallOptions fine;
  fine.request_id = "Run-7_a.b:c/d=e+f@g";
  w.relay(World::body("m"), fine);
  w.run();
  CHECK(w.heard.result.ok());
  CHECK(w.heard.header("x-request-id") == fine.request_id);
}

TEST_CASE("call: a member that holds JSON and does not, and a number that is none, are refused by name, and nothing is sent") {
  World w;
  w.config = good();
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
  w.build();
  const auto tool = [](std::string parameters) {
    Tool t;
    t.name = "f";
    t.parameters = std::move(parameters);
    return t;
  };
  const std::vector<std::pair<std::string, std::function<void(ChatRequest&)>>> faults = {
      {"tools[0].parameters", [&](ChatRequest& r) { r.tools = {tool("{not json")}; }},
      {"tools[1].parameters", [&](ChatRequest& r) { r.tools = {tool("{}"), tool("[]")}; }},
      {"response_format.schema", [](ChatRequest& r) { r.response_format.kind = ResponseFormat::Kind::kJsonSchema; }},
      {"response_format.raw", [](ChatRequest& r) { r.response_format.kind = ResponseFormat::Kind::kRaw; }},
      {"tool_choice.raw", [](ChatRequest& r) { r.tool_choice.kind = ToolChoice::Kind::kRaw; }},
      {"logit_bias", [](ChatRequest& r) { r.logit_bias = "}{"; }},
      {"metadata", [](ChatRequest& r) { r.metadata = "{},\"model\":\"evil\""; }},
      {"extras", [](ChatRequest& r) { r.extras = "garbage"; }},
      {"extras", [](ChatRequest& r) { r.extras = "\"a\":1},{\"b\":2"; }},
      {"temperature", [](ChatRequest& r) { r.temperature = std::numeric_limits<double>::quiet_NaN(); }},
      {"top_p", [](ChatRequest& r) { r.top_p = std::numeric_limits<double>::infinity(); }},
      {"frequency_penalty", [](ChatRequest& r) { r.frequency_penalty = std::numeric_limits<double>::quiet_NaN(); }},
      {"presence_penalty", [](ChatRequest& r) { r.presence_penalty = -std::numeric_limits<double>::infinity(); }},
  };
  const auto run = [&w](ChatRequest request) {
    w.events = HeardEvents();
    w.call = w.router->start(w.transport, std::move(request), false, {}, w.events);
    w.run();
  };
  for (const auto& [field, spoil] : faults) {
    ChatRequest request = ChatRequest::of("m", "hi");
    spoil(request);
    run(std::move(request));
    INFO(field);
    CHECK(w.events.result.error.code == ErrorCode::kInvalidRequest);
    CHECK(w.events.result.error.param == field);
    CHECK(w.events.result.record.attempts.empty());
  }
  CHECK(w.transport.seen().empty());
  ChatRequest fine = ChatRequest::of("m", "hi");
  fine.tools = {tool(R"({"type":"object"})"), tool("")};
  fine.metadata = R"({"a":"b"})";
  fine.logit_bias = R"({"1":-100})";
  fine.extras = R"("x":1,"y":[2])";
  fine.temperature = 0.5;
  run(std::move(fine));
  CHECK(w.events.result.ok());
  CHECK(w.transport.seen().size() == 1);
}
