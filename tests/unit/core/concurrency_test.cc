// For ThreadSanitizer: calls on their own loops, and every kind of change meanwhile.
#include <atomic>
#include <thread>

#include "call_fixture.h"

using namespace llmrouter;
using namespace llmrouter::test;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// What one thread does: calls one after the other over a transport of its own.
struct Caller {
  Caller(const std::shared_ptr<Router>& router_, const ManualClock& clock) : router(router_), reactor(make_reactor(clock).value()), transport(*reactor) {
    transport.fallback = [this](const SeenRequest&) {
      return ++asked % 7 == 0 ? ScriptedReply::json(R"({"error":{"message":"no"}})", asked % 2 == 0 ? 500 : 429) : ScriptedReply::json(kWhole);
    };
  }
  // The call's status.
  int ask(const std::string& model, const Secret& key) {
    CallOptions options;
    options.key = key;
    options.trusted = false;
    Heard heard;
    Call call = router->relay(transport, {"openai", World::body(model)}, std::move(options), heard);
    for (int i = 0; i < 1000 && heard.ends == 0; ++i) reactor->drive();
    return heard.ends == 0 ? 0 : heard.head.status;
  }
  std::shared_ptr<Router> router;
  std::unique_ptr<Reactor> reactor;
  FakeTransport transport;
  int asked = 0;
};

}  // namespace

TEST_CASE("calls and what they teach, reloads, stored rules, overrides, sessions, keys and the switch, all at once") {
  ManualClock clock;
  Config config;
  for (const char* name : {"a", "b", "c"}) config.providers.push_back(provider(name, {"k1", "k2"}));
  for (const char* strategy : {"latency", "performance", "round_robin", "pareto", "least_busy"}) {
    ModelConfig m = model(strategy, {{"a", "x", 2}, {"b", "x"}, {"c", "x", 1, 2}});
    m.strategy = strategy;
    m.limits.requests = Rate{1'000'000, seconds(1), 0};
    config.models.push_back(m);
  }
  const size_t models = config.models.size();
  config.models.push_back(model("starred-*", {{"b", "*"}, {"c", "s-*"}}));
  config.routing.default_model = "latency";
  config.routing.toggle.delay = config.routing.toggle.cooldown = Duration(0);
  config.routing.backoff = {Duration(0), Duration(0)};
  config.routing.affinity.by = {"key"};
  config.routing.cooldown.rest = milliseconds(5);
  FileKey file;
  file.spec.name = "file";
  file.spec.limits.concurrent = 1000;
  file.key = Secret("sk-0123456789");
  config.keys = {file};
  RouterParts parts;
  parts.clock = &clock;
  parts.seed = 3;
  parts.keys = make_memory_key_store(clock);
  parts.usage = make_memory_usage_store();
  const auto router = Router::create(config, parts).value();
  const auto key = router->authenticate(file.key, {}).value();
  const Secret session = router->start_session(*key, {"performance"}).value().token;

  std::atomic<bool> stop{false};
  std::atomic<int> answered{0}, strange{0};
  std::vector<std::thread> threads;
  for (int n = 0; n < 3; ++n) {
    threads.emplace_back([&, n] {
      Caller caller(router, clock);
      for (int i = 0; !stop.load(); ++i) {
        const std::string named = i / 4 % 2 == 0 ? "a/named-" : "starred-";  // by callers alone
        const std::string model = i % 4 == 1 ? named + std::to_string(i % 200) : config.models[static_cast<size_t>(i + n) % models].name;
        const int status = caller.ask(model, i % 3 == 0 ? session : file.key);
        if (status == 200) ++answered;
        else if (status != 403 && status != 429 && status != 502 && status != 503) ++strange;
        if (i % 5 == 0 && !router->explain("latency").ok()) ++strange;
        router->limits_of(*key);
        router->providers();
      }
    });
  }
  for (int i = 0; i < 40; ++i) {
    RuleConfig rule;
    rule.name = "r" + std::to_string(i % 4);
    rule.when.content = i % 2 == 0 ? "hi" : "";
    rule.when.key = {"file"};
    if (i % 3 == 0) rule.use.reject = "no";
    else rule.use.model = "least_busy";
    CHECK(router->put_rule(rule).ok());
    CHECK(router->toggle({}, "test", "").ok());
    CHECK(router->set_override(*key, "pareto").ok());
    const auto another = router->start_session(*key, {"latency", seconds(60)});
    REQUIRE(another.ok());
    config.models[0].targets[0].weight = 1 + i % 3;
    CHECK(router->reload(config).ok());
    CHECK(router->keys()->end_sessions(*key, another->session.id).ok());
    CHECK(router->clear_override(*key).ok());
    CHECK(router->remove_rule(rule.name).ok());
    clock.advance(milliseconds(2));
    router->metrics();
    router->rules();
  }
  if (!router->switch_state().enabled) CHECK(router->toggle(true, "test", "").ok());
  const int so_far = answered;
  while (answered < so_far + 20 && strange == 0) {
    clock.advance(milliseconds(1));  // what rests has to come back
    std::this_thread::yield();
  }
  stop = true;
  for (auto& thread : threads) thread.join();
  CHECK(answered > 20);
  CHECK(strange == 0);
}
