// What is learned of the models behind a star, and of those that callers name directly.
#include <algorithm>
#include <chrono>

#include "core/resolve.h"
#include "unit/core/call_fixture.h"

using namespace llmrouter;
using namespace llmrouter::test;
using std::chrono::seconds;

namespace {

bool is_for(const SeenRequest& r, const char* provider, const std::string& model) {
  return r.url.find("//" + std::string(provider) + ".test/") != std::string::npos && r.body.find("\"" + model + "\"") != std::string::npos;
}

// s-NAME is NAME of a, else of b, else of c; none of them has a key.
struct Stars : World {
  Stars() {
    config.providers = {provider("a"), provider("b"), provider("c")};
    config.models = {model("s-*", {{"a", "*", 1, 1}, {"b", "*", 1, 2}, {"c", "*", 1, 3}})};
    config.routing.attempts = 3;
  }
  int ask(const std::string& name) {
    call = Call();
    relay(body(name));
    run();
    return heard.head.status;
  }
  long asked(const char* provider, const std::string& model) {
    const auto& seen = transport.seen();
    return std::count_if(seen.begin(), seen.end(), [&](const SeenRequest& r) { return is_for(r, provider, model); });
  }
  TargetCondition health(const std::string& name, size_t target = 0) {
    const ModelHealth all = router->model_health(name).value();
    for (const TargetCondition& t : all.targets) {
      if (t.provider == std::string(1, static_cast<char>('a' + target))) return t;
    }
    return {};
  }
};

ScriptedReply broken(int status = 500) { return ScriptedReply::json(R"({"error":{"message":"no"}})", status); }

}  // namespace

TEST_CASE("behind a star each model has a breaker and figures of its own") {
  Stars w;
  w.transport.fallback = [](const SeenRequest& r) { return is_for(r, "a", "bad") ? broken() : ScriptedReply::json(kWhole); };
  w.build();
  for (int i = 0; i < 5; ++i) CHECK(w.ask("s-bad") == 200);
  CHECK(w.asked("a", "bad") == 3);  // then it rests
  CHECK(w.asked("b", "bad") == 5);
  CHECK(w.health("s-bad").breaker == "open");
  CHECK(w.health("s-bad").failures == 3);
  CHECK(w.health("s-good").breaker == "closed");
  CHECK(w.health("s-good").attempts == 0);
  for (int i = 0; i < 2; ++i) CHECK(w.ask("s-good") == 200);
  CHECK(w.asked("a", "good") == 2);
  CHECK(w.asked("b", "good") == 0);
  CHECK(w.health("s-good").attempts == 2);
  CHECK(w.health("s-good").success_percent == 100);
  // It is the same model, whatever name led to it.
  CHECK(w.health("a/bad").breaker == "open");
  CHECK(w.health("a/good").attempts == 2);
  CHECK(w.health("b/bad", 1).attempts == 5);
}

TEST_CASE("a configured model, the same one named directly and the same one behind a star are one") {
  Stars w;
  w.config.models.push_back(model("fixed", {{"a", "bad", 1, 1}, {"b", "bad", 1, 2}}));
  w.config.models.back().strategy = "priority";
  w.transport.fallback = [](const SeenRequest& r) { return is_for(r, "a", "bad") ? broken() : ScriptedReply::json(kWhole); };
  w.build();
  for (int i = 0; i < 3; ++i) CHECK(w.ask("fixed") == 200);
  CHECK(w.asked("a", "bad") == 3);
  for (const char* name : {"fixed", "a/bad", "s-bad"}) {
    INFO(name);
    CHECK(w.health(name).breaker == "open");
    CHECK(w.health(name).attempts == 3);
  }
  CHECK(w.ask("s-bad") == 200);
  CHECK(w.asked("a", "bad") == 3);
  CHECK(w.ask("b/bad") == 200);
  CHECK(w.health("fixed", 1).attempts == 5);
  // A model that was named before a configuration did.
  CHECK(w.ask("a/later") == 200);
  w.config.models.push_back(model("named", {{"a", "later"}}));
  REQUIRE(w.router->reload(w.config).ok());
  CHECK(w.health("named").attempts == 1);
}

TEST_CASE("attempts at names beyond those that are told apart are counted") {
  Stars w;
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
  w.build();
  CHECK(w.router->metrics().find("llmrouter_provider_crowded_names_total{provider=\"a\"} 0\n") != std::string::npos);
  CHECK(w.ask("a/" + std::string(core::NamedStates::kLongest + 1, 'x')) == 200);
  CHECK(w.router->metrics().find("llmrouter_provider_crowded_names_total{provider=\"a\"} 1\n") != std::string::npos);
  CHECK(w.router->metrics().find("llmrouter_provider_crowded_names_total{provider=\"b\"} 0\n") != std::string::npos);
}

TEST_CASE("names that nobody has asked for lately make room for those that somebody does") {
  Stars w;
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
  w.build();
  std::vector<std::string> same;  // as many as one chain takes, and one more
  for (int i = 0; same.size() <= core::NamedStates::kDeepest; ++i) {
    const std::string name = std::to_string(i);
    if (core::NamedStates::hash(std::string_view(name)) % core::NamedStates::kChains == 7) same.push_back(name);
  }
  const auto crowded = [&] {
    const std::string metrics = w.router->metrics(), name = "llmrouter_provider_crowded_names_total{provider=\"a\"} ";
    return std::stoi(metrics.substr(metrics.find(name) + name.size()));
  };
  for (const std::string& name : same) CHECK(w.ask("a/" + name) == 200);
  CHECK(crowded() == 1);
  w.clock.advance(core::NamedStates::kIdle / 2);
  for (size_t i = 1; i + 1 < same.size(); ++i) CHECK(w.ask("a/" + same[i]) == 200);
  w.clock.advance(core::NamedStates::kIdle / 2 + seconds(1));
  CHECK(w.ask("a/" + same.back()) == 200);  // in the place of the first, which nobody has asked for since
  CHECK(crowded() == 1);
  CHECK(w.ask("a/" + same[0]) == 200);  // who now has none itself
  CHECK(crowded() == 2);
}

TEST_CASE("behind a star a limit without a key is one model's") {
  Stars w;
  ScriptedReply limited = broken(429);
  limited.headers.push_back({"retry-after", "7"});
  w.transport.fallback = [&](const SeenRequest& r) { return is_for(r, "a", "small") ? limited : ScriptedReply::json(kWhole); };
  w.build();
  CHECK(w.ask("s-small") == 200);
  CHECK(w.ask("s-small") == 200);
  CHECK(w.asked("a", "small") == 1);
  CHECK(w.ask("s-big") == 200);
  CHECK(w.asked("a", "big") == 1);
  CHECK(w.asked("b", "big") == 0);
}

TEST_CASE("behind a star what is in flight counts for one model") {
  Stars w;
  w.transport.fallback = [](const SeenRequest&) {
    ScriptedReply slow = ScriptedReply::json(kWhole);
    slow.head_after = seconds(5);
    return slow;
  };
  w.relay(World::body("s-x"));
  w.run(seconds(1));
  CHECK(w.health("s-x").in_flight == 1);
  CHECK(w.health("s-y").in_flight == 0);
  w.run();
  CHECK(w.health("s-x").in_flight == 0);
  CHECK(w.health("s-x").attempts == 1);
}

TEST_CASE("a model that was named when nothing was known of it is passed over when others have learned that it rests") {
  Stars w;
  w.transport.fallback = [](const SeenRequest& r) {
    if (is_for(r, "c", "m")) return ScriptedReply::json(kWhole);
    ScriptedReply reply = broken();
    if (is_for(r, "a", "m")) reply.head_after = seconds(10);
    return reply;
  };
  w.build();
  Heard late;
  Call first = w.router->relay(w.transport, {"openai", World::body("s-m")}, {}, late);  // planned now, at b in ten seconds
  for (int i = 0; i < 3; ++i) {
    Heard heard;
    Call call = w.router->relay(w.transport, {"openai", World::body("b/m")}, {}, heard);
    for (int step = 0; step < 50 && call.active(); ++step) {
      w.reactor->drive();
      w.clock.advance(std::chrono::milliseconds(20));
    }
    CHECK(heard.head.status >= 500);
    call = Call();
  }
  REQUIRE(w.health("b/m", 1).breaker == "open");
  const long before = w.asked("b", "m");
  for (int step = 0; step < 100 && first.active(); ++step) {
    w.reactor->drive();
    w.clock.advance(std::chrono::milliseconds(200));
  }
  CHECK(late.head.status == 200);
  CHECK(w.asked("c", "m") == 1);
  CHECK(w.asked("b", "m") == before);
}

TEST_CASE("looking at names remembers none of them; asking for one does") {
  Stars w;
  ManualClock clock;
  RateLimiter limiter(clock);
  core::Registry registry;
  RouterParts parts = w.parts;
  parts.dialects = builtin_dialects();
  auto snapshot = core::build_snapshot(w.config, parts, nullptr, limiter, registry).value();
  core::Ask ask;
  ask.now = clock.now();
  auto plan = [&](const std::string& name) {
    std::vector<core::Candidate> candidates;
    core::append_candidates(*snapshot, core::resolve(*snapshot, name, {}, nullptr).value(), name, ask, candidates);
    return candidates;
  };
  for (int i = 0; i < 100; ++i) {
    CHECK(plan("s-" + std::to_string(i)).size() == 3);
    CHECK(plan("a/" + std::to_string(i)).size() == 1);
  }
  CHECK(registry.provider("a")->named.size() == 0);
  auto asked = plan("s-7");
  CHECK(asked[0].state == nullptr);
  core::TargetState& state = asked[0].begin(clock.now());
  CHECK(registry.provider("a")->named.size() == 1);
  CHECK(registry.provider("b")->named.size() == 0);
  CHECK(plan("s-7")[0].state == &state);
  CHECK(plan("a/7")[0].state == &state);
  CHECK(plan("s-8")[0].state == nullptr);
  // A reload forgets nothing.
  snapshot = core::build_snapshot(w.config, parts, nullptr, limiter, registry).value();
  CHECK(plan("s-7")[0].state == &state);
}

TEST_CASE("the strategy cost knows what the models behind a star cost") {
  struct ByName final : Catalog {
    std::optional<PriceRow> price(std::string_view provider, std::string_view, std::string_view model, int64_t, WallTime) const override {
      if (model != "big") return std::nullopt;
      PriceRow row;
      row.input = row.output = provider == "b" ? 1'000 : 9'000;
      return row;
    }
    ModelFacts facts(std::string_view, std::string_view) const override { return {}; }
  };
  Stars w;
  w.config.routing.strategy = "cost";
  for (TargetConfig& t : w.config.models[0].targets) t.priority = 1;
  w.parts.catalog = std::make_shared<ByName>();
  w.build();
  for (int i = 0; i < 10; ++i) CHECK(w.router->explain("s-big")->steps.at(0).provider == "b");
}
