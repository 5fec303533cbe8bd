// What an application fills in by hand is checked as a file is.
#include <functional>
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
