// explain tells what a call would find at this moment: rests, keys and limits.
#include "unit/core/call_fixture.h"

using namespace llmrouter;
using namespace llmrouter::test;
using std::chrono::seconds;

namespace {

ScriptedReply refused(int status, std::string after = {}) {
  ScriptedReply reply = ScriptedReply::json(R"({"error":{"message":"no"}})", status);
  if (!after.empty()) reply.headers.push_back({"retry-after", std::move(after)});
  return reply;
}

struct Standing : World {
  Standing() {
    config.providers = {provider("a"), provider("b")};
    config.models = {model("m", {{"a", "x", 1, 1}, {"b", "y", 1, 2}})};
    config.routing.strategy = "priority";
  }
  void chat(const char* name = "m") {
    relay(body(name));
    run();
  }
  PlanStep step(const char* provider, const char* name = "m") {
    const auto plan = router->explain(name);
    REQUIRE(plan.ok());
    for (const PlanStep& s : plan->steps) {
      if (s.provider == provider) return s;
    }
    FAIL("no step of " << provider);
    return {};
  }
};

}  // namespace

TEST_CASE("explain: a target whose provider said when to come back is out until then") {
  Standing w;
  w.config.providers[0] = provider("a", {"k"});
  w.transport.push(refused(429, "3600"));
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
  w.chat();
  const PlanStep a = w.step("a");
  CHECK_FALSE(a.eligible);
  CHECK(a.reason == StepReason::kRateLimited);
  CHECK(a.ready_in == seconds(3600));
  const auto plan = w.router->explain("m");
  CHECK(plan->steps.front().provider == "b");
  CHECK(plan->to_json().find("\"ready_in_ms\":3600000") != std::string::npos);
  CHECK(plan->to_text().find("ready in 3600 s") != std::string::npos);
  w.clock.advance(seconds(3600));
  CHECK(w.step("a").eligible);
  CHECK(w.step("a").reason == StepReason::kStrategy);
  CHECK(w.step("a").ready_in == Duration(0));
}

TEST_CASE("explain: a pool whose keys were all refused comes last, and the chat does the same") {
  Standing w;
  w.config.providers[0] = provider("a", {"k-1", "k-2"});
  w.transport.push(refused(401));
  w.transport.push(refused(401));
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
  w.chat();
  const auto plan = w.router->explain("m");
  REQUIRE(plan->steps.size() == 2);
  CHECK(plan->steps[0].provider == "b");
  CHECK(plan->steps[1].eligible);
  CHECK(plan->steps[1].reason == StepReason::kKeysRest);
  CHECK(plan->steps[1].ready_in > Duration(0));
  w.chat();
  CHECK(w.heard.header("x-llmrouter-provider") == "b");
  CHECK(w.heard.header("x-llmrouter-attempts") == "1");
}

TEST_CASE("explain: limits of a provider, of its keys and of a model put their targets out") {
  Standing w;
  const std::string at = GENERATE(as<std::string>(), "provider", "credential", "concurrent", "tokens", "model");
  CAPTURE(at);
  w.config.providers[0] = provider("a", {"k-1", "k-2"});
  Limits& limits = at == "model" ? w.config.models[0].limits : at == "credential" ? w.config.providers[0].credentials[0].limits : w.config.providers[0].limits;
  if (at == "concurrent") limits.concurrent = 1;
  else if (at == "tokens") limits.tokens = Rate{100, seconds(60)};
  else limits.requests = Rate{1, seconds(60)};
  if (at == "credential") w.config.providers[0].credentials[1].limits.requests = Rate{1, seconds(90)};
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
  w.build();
  CHECK(w.step("a").eligible);
  if (at == "concurrent") {
    ScriptedReply slow = ScriptedReply::json(kWhole);
    slow.hang = true;
    w.transport.push(std::move(slow));
    w.relay(World::body("m"));
    w.reactor->drive();
  } else if (at == "tokens") {
    w.relay(R"({"model":"m","max_tokens":90,"messages":[{"role":"user","content":"hello"}]})");
    w.run();
    CHECK(w.heard.head.status == 200);
  } else {
    for (int i = at == "credential" ? 2 : 1; i > 0; --i) w.chat();
  }
  CallOptions options;
  const auto plan = w.router->explain("", options, R"({"model":"m","max_tokens":80,"messages":[{"role":"user","content":"hello"}]})");
  REQUIRE(plan.ok());
  const PlanStep& last = plan->steps.back();
  CHECK_FALSE(last.eligible);
  CHECK(last.reason == StepReason::kAtLimit);
  if (at == "model") {
    CHECK_FALSE(plan->steps.front().eligible);
  } else {
    CHECK(last.provider == "a");
    CHECK(plan->steps.front().provider == "b");
    CHECK(plan->steps.front().eligible);
  }
  if (at == "concurrent") {
    CHECK(last.ready_in == Duration(0));
  } else {
    CHECK(last.ready_in > Duration(0));
    CHECK(last.ready_in <= seconds(60));
  }
}

TEST_CASE("explain: no key of the provider is for the model") {
  Standing w;
  w.config.providers[0] = provider("a", {"k"});
  w.config.providers[0].credentials[0].models = {"other-*"};
  w.build();
  CHECK_FALSE(w.step("a").eligible);
  CHECK(w.step("a").reason == StepReason::kNoKey);
  CHECK(w.step("b").eligible);
}
