// Active health: who is asked how he is, and what comes of it.
#include "unit/core/call_fixture.h"

using namespace llmrouter;
using namespace llmrouter::test;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

struct Probed : World {
  Probed() {
    config.providers = {provider("a", {"k-1"}), provider("b")};
    config.models = {model("m", {{"a", "cheap", 1, 1}, {"b", "y", 1, 2}}), model("dear", {{"a", "expensive", 1, 1}})};
    transport.fallback = [this](const SeenRequest& r) {
      return r.url.find("//a.") != std::string::npos && broken ? ScriptedReply::json("{}", 503) : ScriptedReply::json(kWhole);
    };
  }
  void pass(Duration time) {
    const TimePoint stop = clock.now() + time;
    for (;;) {
      for (int i = 0; i < 3; ++i) reactor->drive();
      const auto due = reactor->deadline();
      if (!due || *due > stop) break;
      if (*due > clock.now()) clock.advance(*due - clock.now());
    }
    clock.advance(stop - clock.now());
  }
  void begin() {
    build();
    probes = router->start_probes(transport);
  }
  size_t asked(std::string_view word) const {
    return static_cast<size_t>(std::count_if(transport.seen().begin(), transport.seen().end(), [&](const SeenRequest& r) {
      return r.url.find(word) != std::string::npos || r.body.find(word) != std::string::npos;
    }));
  }
  bool broken = false;
  std::unique_ptr<Transfer> probes;
  ~Probed() { probes.reset(); }
};

}  // namespace

TEST_CASE("nobody is probed unless the configuration says so") {
  Probed w;
  w.begin();
  w.pass(seconds(300));
  CHECK(w.transport.seen().empty());
}

TEST_CASE("models: the list is asked for, and who does not answer rests as a whole") {
  Probed w;
  w.config.providers[0].health.probe = ProbeKind::kModels;
  w.begin();
  w.pass(seconds(300));
  CHECK(w.asked("//a.test/v1/models") == 10);
  CHECK(w.transport.seen().size() == 10);
  CHECK(w.transport.seen()[0].method == "GET");
  CHECK(w.transport.seen()[0].header("authorization") == "Bearer k-1");
  w.broken = true;
  w.pass(seconds(125));
  CHECK_FALSE(w.router->providers().at(0).available);
  const auto health = w.router->model_health("m");
  REQUIRE(health.ok());
  CHECK(health->status() == "degraded");
  CHECK(health->targets.at(1).provider == "a");
  CHECK_FALSE(health->targets.at(1).reachable);
  CHECK(w.router->explain("m")->steps.at(0).provider == "b");
  w.broken = false;
  w.pass(seconds(31));
  CHECK(w.router->providers().at(0).available);
  CHECK(w.router->model_health("m")->status() == "ok");
}

TEST_CASE("chat: each configured target but those that are masked; one that fails rests before a caller finds out") {
  Probed w;
  w.config.providers[0].health.probe = ProbeKind::kChat;
  w.config.providers[0].health.models = {"!expensive"};
  w.begin();
  w.pass(seconds(60));
  CHECK(w.asked("\"cheap\"") == 2);
  CHECK(w.asked("expensive") == 0);
  CHECK(w.asked("//b.") == 0);
  CHECK(w.transport.seen()[0].body.find("\"max_tokens\":1") != std::string::npos);
  w.broken = true;
  w.pass(seconds(95));
  CHECK(w.router->model_health("m")->targets.at(1).breaker == "open");
  CHECK(w.router->model_health("m")->targets.at(1).provider == "a");
  w.relay(World::body("m"));
  w.pass(seconds(0));
  CHECK(w.heard.header("x-llmrouter-provider") == "b");
  CHECK(w.heard.header("x-llmrouter-attempts") == "1");
  w.broken = false;
  w.pass(seconds(31));
  CHECK(w.router->model_health("m")->status() == "ok");
}

TEST_CASE("a probe that hangs is given up, one that a limit forbids is not sent, and none is left behind") {
  Probed w;
  w.config.providers[0].health.probe = ProbeKind::kChat;
  SECTION("hangs") {
    w.transport.fallback = [](const SeenRequest&) {
      ScriptedReply r;
      r.head_after = std::chrono::hours(1);
      return r;
    };
    w.begin();
    w.pass(seconds(59));
    CHECK(w.router->providers().at(0).probes == 4);
    CHECK(w.router->providers().at(0).failed_probes >= 2);
    CHECK(w.transport.live() <= 2);
    w.probes.reset();
    CHECK(w.transport.live() == 0);
  }
  SECTION("limit") {
    w.config.providers[0].limits.requests = Rate{1, std::chrono::hours(1), 1};
    w.begin();
    w.pass(seconds(300));
    CHECK(w.transport.seen().size() == 1);
  }
}
