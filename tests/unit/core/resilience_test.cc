// Bad days: who is asked again, who rests, and for how long.
#include <cmath>
#include <thread>

#include "core/health.h"
#include "core/retry_budget.h"
#include "unit/core/call_fixture.h"

using namespace llmrouter;
using namespace llmrouter::test;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

bool asked(const SeenRequest& r, const char* provider) { return r.url.find(std::string("//") + provider + ".") != std::string::npos; }

ScriptedReply failure(int status, std::string body = R"({"error":{"message":"no"}})") { return ScriptedReply::json(std::move(body), status); }

ScriptedReply with(ScriptedReply reply, std::string name, std::string value) {
  reply.headers.push_back({std::move(name), std::move(value)});
  return reply;
}

struct TwoTargets : World {
  TwoTargets() {
    config.providers = {provider("a"), provider("b")};
    config.models = {model("m", {{"a", "x", 1, 1}, {"b", "y", 1, 2}})};
  }
};

// Several calls at once.
struct Crowd {
  explicit Crowd(World& w) : world(w) {
    if (!w.router) w.build();
  }
  ~Crowd() { calls.clear(); }
  Heard& start(std::string body, CallOptions options = {}) {
    heard.push_back(std::make_unique<Heard>());
    calls.push_back(world.router->relay(world.transport, {"openai", std::move(body)}, std::move(options), *heard.back()));
    return *heard.back();
  }
  void run(Duration time) {
    const TimePoint stop = world.clock.now() + time;
    for (int i = 0; i < 100000; ++i) {
      for (int posted = 0; posted < 4; ++posted) world.reactor->drive();  // what is posted runs in a later one, and has no deadline
      const auto due = world.reactor->deadline();
      if (due && *due <= world.clock.now()) continue;
      if (!due || *due > stop) break;
      world.clock.advance(*due - world.clock.now());
    }
    if (world.clock.now() < stop) world.clock.advance(stop - world.clock.now());
  }
  World& world;
  std::vector<std::unique_ptr<Heard>> heard;
  std::vector<Call> calls;
};

}  // namespace

TEST_CASE("which statuses are asked again, and which are the caller's own fault") {
  const int status = GENERATE(408, 409, 425, 429, 500, 502, 503, 504, 529, 400, 404, 413, 415, 422);
  const bool again = status >= 500 || status == 408 || status == 409 || status == 425 || status == 429;
  CAPTURE(status);
  TwoTargets w;
  w.transport.fallback = [&](const SeenRequest& r) { return asked(r, "a") ? failure(status) : ScriptedReply::json(kWhole); };
  w.relay(World::body("m"));
  w.run();
  CHECK(w.transport.seen().size() == (again ? 2u : 1u));
  CHECK(w.heard.head.status == (again ? 200 : status));
}

TEST_CASE("a conflict that stays reaches the caller as the conflict it is") {
  TwoTargets w;
  w.config.routing.attempts = 2;
  w.transport.fallback = [](const SeenRequest&) { return failure(409, R"({"error":{"message":"locked","type":"invalid_request_error"}})"); };
  w.relay(World::body("m"));
  w.run();
  CHECK(w.transport.seen().size() == 2);
  CHECK(w.heard.head.status == 409);
  CHECK(w.heard.bytes.find("locked") != std::string::npos);
}

TEST_CASE("a target without keys that says when to come back is not asked before") {
  World w;
  w.config.providers = {provider("a")};
  const auto [name, value, rest] = GENERATE(table<std::string, std::string, Duration>({{"retry-after", "30", seconds(30)},
                                                                                       {"retry-after-ms", "30500", milliseconds(30500)},
                                                                                       {"x-ratelimit-reset-requests", "6m0s", minutes(6)},
                                                                                       {"x-ratelimit-reset-tokens", "45", seconds(45)}}));
  CAPTURE(name);
  w.transport.push(with(failure(429), name, value));
  w.relay(World::body("a/m"));
  w.run();
  CHECK(w.heard.head.status == 429);
  w.clock.advance(rest - seconds(1));
  w.relay(World::body("a/m"));
  w.run();
  CHECK(w.heard.head.status == 429);
  CHECK(w.heard.header("retry-after") == "1");
  CHECK(w.transport.seen().size() == 1);
  w.clock.advance(seconds(1));
  w.transport.push(ScriptedReply::json(kWhole));
  w.relay(World::body("a/m"));
  w.run();
  CHECK(w.heard.head.status == 200);
}

TEST_CASE("who was told twice when to come back hears what was said last") {
  World w;
  w.config.routing.attempts = 2;
  const bool pool = GENERATE(false, true);
  const bool other_at_limit = GENERATE(false, true);
  CAPTURE(pool, other_at_limit);
  w.config.providers = {provider("a", pool ? std::vector<std::string>{"k-1", "k-2"} : std::vector<std::string>{"k-1"}), provider("b")};
  w.config.providers[1].limits.requests = Rate{1, minutes(1)};
  w.config.models = {model("m", {{"a", "x", 1, 1}})};
  if (other_at_limit) w.config.models[0].targets.push_back(model("m", {{"b", "y", 1, 2}}).targets[0]);
  w.build();
  if (other_at_limit) {
    w.transport.push(ScriptedReply::json(kWhole));
    w.relay(World::body("b/y"));
    w.run();
  }
  w.transport.fallback = [](const SeenRequest&) { return with(failure(429), "retry-after", "7"); };
  const TimePoint began = w.clock.now();
  w.relay(World::body("m"));
  w.run();
  CHECK(w.heard.head.status == 429);
  CHECK(w.heard.header("x-llmrouter-attempts") == "2");
  CHECK(w.heard.header("retry-after") == "7");
  CHECK(w.clock.now() - began == (pool ? seconds(0) : seconds(7)));
}

TEST_CASE("Gemini's RetryInfo rests its credential for exactly that long") {
  World w;
  w.config.providers = {provider("g", {"k-1"})};
  w.config.providers[0].dialect = "gemini";
  w.transport.push(failure(429, R"({"error":{"code":429,"message":"Resource exhausted","status":"RESOURCE_EXHAUSTED","details":[)"
                                R"({"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"47s"}]}})"));
  w.relay(World::body("g/m"));
  w.run();
  CHECK(w.heard.head.status == 429);
  CHECK(w.heard.header("retry-after") == "47");
  w.clock.advance(seconds(46));
  w.relay(World::body("g/m"));
  w.run();
  CHECK(w.heard.header("retry-after") == "1");
  CHECK(w.transport.seen().size() == 1);
}

TEST_CASE("a rate limit told inside a 200 rests the credential, too") {
  World w;
  w.config.providers = {provider("a", {"k-1", "k-2"})};
  w.transport.fallback = [](const SeenRequest& r) {
    if (r.header("authorization") != "Bearer k-1") return ScriptedReply::sse(stream_datas());
    return ScriptedReply::sse({R"({"error":{"message":"slow down","code":"rate_limit_exceeded","type":"rate_limit_error"}})"});
  };
  for (int i = 0; i < 3; ++i) {
    w.relay(World::body("a/m", true));
    w.run();
    CHECK(w.heard.result.ok());
  }
  CHECK(w.transport.seen().size() == 4);
}

TEST_CASE("who says when to come back beyond the caller's deadline is not waited for") {
  World w;
  w.config.providers = {provider("a")};
  w.transport.push(with(failure(503), "retry-after", "8"));
  w.transport.push(ScriptedReply::json(kWhole));
  CallOptions hurried;
  const bool time = GENERATE(false, true);
  hurried.timeout = time ? seconds(9) : seconds(7);
  const TimePoint began = w.clock.now();
  w.relay(World::body("a/m"), hurried);
  w.run();
  CHECK(w.heard.head.status == (time ? 200 : 502));
  CHECK(w.clock.now() - began == (time ? Duration(seconds(8)) : Duration(0)));
}

TEST_CASE("retry budget: beside ten a second no more than a share of the live traffic") {
  core::RetryBudget budget;
  const TimePoint start{seconds(1000)};
  int granted = 0;
  for (int i = 0; i < 1000; ++i) budget.first_attempt(start + milliseconds(i));
  for (int i = 0; i < 1000; ++i) granted += budget.grant(start + seconds(1), 20);
  CHECK(granted == 300);
  CHECK(budget.granted(start + seconds(1)) == 300);
  CHECK_FALSE(budget.grant(start + seconds(9), 20));
  // Ten seconds later nothing of it counts.
  granted = 0;
  for (int i = 0; i < 1000; ++i) granted += budget.grant(start + seconds(12), 20);
  CHECK(granted == 100);
}

TEST_CASE("retry budget: threads together are granted no more than one alone") {
  core::RetryBudget budget;
  const TimePoint now{seconds(77)};
  for (int i = 0; i < 5000; ++i) budget.first_attempt(now);
  std::atomic<int> granted{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) granted += budget.grant(now, 10);
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(granted <= 600);
  CHECK(granted >= 590);  // one that comes too late may take the place of another for a moment
}

TEST_CASE("a call that the retry budget leaves alone says so") {
  TwoTargets w;
  w.config.routing.attempts = 2;
  w.config.routing.retry_budget = 0;
  w.config.routing.cooldown.failures = 1000;
  w.transport.fallback = [](const SeenRequest&) { return failure(500); };
  for (size_t i = 1; i <= 100; ++i) {
    w.relay(World::body("m"));
    w.run();
    REQUIRE(w.transport.seen().size() == 2 * i);
  }
  w.relay(World::body("m"));
  w.run();
  CHECK(w.transport.seen().size() == 201);
  CHECK(w.heard.head.status == 502);
  CHECK(w.heard.bytes.find("not tried again: the retry budget (routing.retry_budget) is used up") != std::string::npos);
  CHECK(w.router->metrics().find("llmrouter_retries_refused_total 1\n") != std::string::npos);
}

TEST_CASE("a target rests when half of what it was asked fails, and not for a failure now and then") {
  CooldownConfig config;
  core::TargetHealth health;
  TimePoint t{seconds(1000)};
  for (int i = 0; i < 1000; ++i) {
    t += milliseconds(10);
    if (i % 10 == 0) health.failed(t, config);
    else health.succeeded(t, config);
    CHECK(health.state(t) == core::TargetHealth::State::kClosed);
  }
  t += minutes(1);
  for (int i = 0; i < 3; ++i) {
    health.failed(t, config);
    if (i < 2) health.succeeded(t, config);
  }
  CHECK(health.state(t) == core::TargetHealth::State::kOpen);
  CHECK(health.resting_until() == t + config.rest);
}

TEST_CASE("rests grow up to the longest, and begin anew after a time without") {
  CooldownConfig config;
  core::TargetHealth health;
  TimePoint t{seconds(1000)};
  for (int i = 0; i < 3; ++i) health.failed(t, config);
  Duration expected = config.rest;
  for (int i = 0; i < 8; ++i) {
    CHECK(health.resting_until() - t == expected);
    t = health.resting_until();
    CHECK(health.state(t) == core::TargetHealth::State::kHalfOpen);
    CHECK(health.take_probe(t));
    CHECK_FALSE(health.take_probe(t));
    CHECK(health.resting(t));
    health.failed(t, config);
    expected = std::min(expected * 2, config.max);
  }
  t = health.resting_until();
  CHECK(health.take_probe(t));
  health.succeeded(t, config);
  CHECK(health.state(t) == core::TargetHealth::State::kClosed);
  // It breaks again at once: the rest is no shorter. After a good time: as the first.
  for (int i = 0; i < 3; ++i) health.failed(t + seconds(1), config);
  CHECK(health.resting_until() - (t + seconds(1)) == config.max);
  t = health.resting_until();
  CHECK(health.take_probe(t));
  health.succeeded(t, config);
  t += minutes(1);
  for (int i = 0; i < 3; ++i) health.failed(t, config);
  CHECK(health.resting_until() - t == config.rest);
}

TEST_CASE("after its rest one probe alone finds out whether a target is back") {
  TwoTargets w;
  w.config.routing.attempts = 1;
  bool broken = true;
  w.transport.fallback = [&](const SeenRequest& r) {
    if (!asked(r, "a")) return ScriptedReply::json(kWhole);
    ScriptedReply reply = broken ? failure(500) : ScriptedReply::json(kWhole);
    reply.head_after = seconds(1);
    return reply;
  };
  Crowd crowd(w);
  auto to_a = [&] { return std::count_if(w.transport.seen().begin(), w.transport.seen().end(), [](const auto& r) { return asked(r, "a"); }); };
  for (int i = 0; i < 3; ++i) crowd.start(World::body("m"));
  crowd.run(seconds(2));
  REQUIRE(to_a() == 3);
  for (int i = 0; i < 5; ++i) crowd.start(World::body("m"));
  crowd.run(seconds(2));
  CHECK(to_a() == 3);
  crowd.run(seconds(27));
  for (int i = 0; i < 10; ++i) crowd.start(World::body("m"));  // one of them is the probe, and fails
  crowd.run(seconds(2));
  CHECK(to_a() == 4);
  crowd.run(seconds(60));
  broken = false;
  for (int i = 0; i < 10; ++i) crowd.start(World::body("m"));
  crowd.run(seconds(2));
  CHECK(to_a() == 5);
  for (int i = 0; i < 10; ++i) crowd.start(World::body("m"));
  crowd.run(seconds(2));
  CHECK(to_a() == 15);
}

TEST_CASE("a probe whose caller goes away decides nothing") {
  TwoTargets w;
  w.config.routing.attempts = 1;
  bool hangs = false;
  w.transport.fallback = [&](const SeenRequest& r) {
    if (!asked(r, "a")) return ScriptedReply::json(kWhole);
    ScriptedReply reply = hangs ? ScriptedReply::json(kWhole) : failure(500);
    if (hangs) reply.head_after = seconds(100);
    return reply;
  };
  for (int i = 0; i < 3; ++i) {
    w.relay(World::body("m"));
    w.run();
  }
  w.clock.advance(seconds(31));
  hangs = true;
  w.relay(World::body("m"));
  w.run(seconds(1));
  REQUIRE(w.call.active());
  w.call = Call();
  hangs = false;
  w.relay(World::body("m"));
  w.run();
  CHECK(w.heard.header("x-llmrouter-provider") == "a");
}

TEST_CASE("when everybody rests everybody is asked all the same") {
  World w;
  w.config.providers = {provider("a")};
  w.config.models = {model("m", {{"a", "x", 1, 1}})};
  w.config.routing.attempts = 1;
  w.transport.fallback = [](const SeenRequest&) { return failure(500); };
  for (int i = 0; i < 6; ++i) {
    w.relay(World::body("m"));
    w.run();
  }
  CHECK(w.transport.seen().size() == 6);
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
  w.relay(World::body("m"));
  w.run();
  CHECK(w.heard.head.status == 200);
}

TEST_CASE("who rests comes after the fallbacks") {
  World w;
  w.config.providers = {provider("a"), provider("c")};
  w.config.models = {model("m", {{"a", "x", 1, 1}}, {"spare"}), model("spare", {{"c", "z", 1, 1}})};
  w.config.routing.attempts = 2;
  w.transport.fallback = [](const SeenRequest& r) { return asked(r, "a") ? failure(500) : ScriptedReply::json(kWhole); };
  for (int i = 0; i < 3; ++i) {
    w.relay(World::body("m"));
    w.run();
    CHECK(w.heard.header("x-llmrouter-attempts") == "2");
  }
  w.relay(World::body("m"));
  w.run();
  CHECK(w.heard.header("x-llmrouter-attempts") == "1");
  CHECK(w.heard.header("x-llmrouter-provider") == "c");
  const auto plan = w.router->explain("m");
  REQUIRE(plan.ok());
  REQUIRE(plan->steps.size() == 2);
  CHECK(plan->steps[0].provider == "c");
  CHECK(plan->steps[1].provider == "a");
  CHECK(plan->steps[1].reason == StepReason::kCoolingDown);
}

TEST_CASE("a refused key, one out of quota and a limited one rest differently") {
  World w;
  w.config.providers = {provider("a", {"k-1", "k-2"})};
  w.config.routing.attempts = 2;
  const auto [status, body, rest, why] = GENERATE(table<int, std::string, Duration, std::string>(
      {{401, R"({"error":{"message":"Incorrect API key provided"}})", seconds(30), "refused"},
       {403, R"({"error":{"message":"no"}})", seconds(30), "refused"},
       {402, R"({"error":{"message":"no"}})", minutes(10), "out of quota"},
       {429, R"({"error":{"message":"no","code":"insufficient_quota"}})", minutes(10), "out of quota"},
       {429, R"({"error":{"message":"no"}})", seconds(1), "rate limited"}}));
  CAPTURE(status, why);
  w.transport.fallback = [&, status = status, body = body](const SeenRequest& r) {
    return r.header("authorization") == "Bearer k-1" ? failure(status, body) : ScriptedReply::json(kWhole);
  };
  auto first_asked = [&] {
    return std::count_if(w.transport.seen().begin(), w.transport.seen().end(), [](const auto& r) { return r.header("authorization") == "Bearer k-1"; });
  };
  while (first_asked() == 0) {
    w.relay(World::body("a/m"));
    w.run();
    REQUIRE(w.heard.head.status == 200);
  }
  const auto state = w.router->providers().at(0).credentials.at(0);
  CHECK(state.resting);
  CHECK(state.why == why);
  w.clock.advance(rest - milliseconds(1));
  for (int i = 0; i < 4; ++i) {
    w.relay(World::body("a/m"));
    w.run();
  }
  CHECK(first_asked() == 1);
  w.clock.advance(milliseconds(1));
  for (int i = 0; i < 4; ++i) {
    w.relay(World::body("a/m"));
    w.run();
    CHECK(w.heard.head.status == 200);
  }
  CHECK(first_asked() == 2);
}

TEST_CASE("what another one was told while an attempt was under way holds") {
  core::CredentialHealth health;
  const TimePoint t{seconds(1000)};
  health.rest(t, core::RestReason::kRateLimited, seconds(30), {});
  health.succeeded(t + seconds(1));
  CHECK(health.until() == t + seconds(30));
}

TEST_CASE("too long a prompt and refused content have fallbacks of their own") {
  World w;
  w.config.providers = {provider("a"), provider("b"), provider("c"), provider("d"), provider("e")};
  w.config.models = {model("m", {{"a", "x", 1, 1}, {"b", "y", 1, 2}}, {"spare"}), model("spare", {{"c", "z", 1, 1}}), model("long", {{"d", "z", 1, 1}}),
                     model("free", {{"e", "z", 1, 1}})};
  w.config.models[0].context_fallbacks = {"long"};
  w.config.models[0].content_fallbacks = {"free"};
  w.config.routing.retry_budget = 0;  // it is no retry
  const auto [body, taker] = GENERATE(table<std::string, std::string>(
      {{R"({"error":{"message":"This model's maximum context length is 8192 tokens.","type":"invalid_request_error","code":"context_length_exceeded"}})", "d"},
       {R"({"error":{"message":"The response was filtered","code":"content_filter"}})", "e"}}));
  w.transport.fallback = [&, body = body](const SeenRequest& r) { return asked(r, "a") ? failure(400, body) : ScriptedReply::json(kWhole); };
  w.relay(World::body("m"));
  w.run();
  CHECK(w.heard.head.status == 200);
  CHECK(w.heard.header("x-llmrouter-provider") == taker);
  CHECK(w.transport.seen().size() == 2);
}

TEST_CASE("a 200 that a content filter ended before it said anything goes to the model's content_fallbacks") {
  World w;
  w.config.providers = {provider("a"), provider("b")};
  w.config.models = {model("m", {{"a", "x", 1, 1}}), model("free", {{"b", "z", 1, 1}})};
  const bool stream = GENERATE(false, true), elsewhere = GENERATE(false, true), neutral = GENERATE(false, true);
  const std::string said = GENERATE(std::string(), std::string("I tell"));
  if (elsewhere) w.config.models[0].content_fallbacks = {"free"};
  w.config.routing.retry_budget = 0;  // it is no retry
  const std::string filtered = R"({"id":"c1","object":"chat.completion","created":1,"model":"x","choices":[{"index":0,"message":{"role":"assistant","content":")" + said +
                               R"("},"finish_reason":"content_filter"}],"usage":{"prompt_tokens":10,"completion_tokens":0,"total_tokens":10}})";
  w.transport.fallback = [&](const SeenRequest& r) {
    if (!asked(r, "a")) return stream ? ScriptedReply::sse(stream_datas()) : ScriptedReply::json(kWhole);
    if (!stream) return ScriptedReply::json(filtered);
    return ScriptedReply::sse({chunk(R"({"role":"assistant","content":""})"), chunk(R"({"content":")" + said + "\"}"), chunk("{}", "\"content_filter\""), "[DONE]"});
  };
  std::string answer;
  if (neutral) {
    w.build();
    w.call = w.router->start(w.transport, ChatRequest::of("m", "hi"), stream, {}, w.events);
    w.run();
    answer = w.events.responses.empty() || w.events.responses[0].choices[0].message.parts.empty() ? w.events.text : w.events.responses[0].choices[0].message.parts[0].text;
    CHECK(w.events.result.complete);
  } else {
    w.relay(World::body("m", stream));
    w.run();
    CHECK(w.heard.head.status == 200);
    CHECK(w.heard.result.complete);
    CHECK((w.heard.bytes.find("content_filter") == std::string::npos) == (elsewhere && said.empty()));
    CHECK((w.heard.bytes.find("I tell") != std::string::npos) == !said.empty());
  }
  const bool goes_on = elsewhere && said.empty();
  CHECK(w.transport.seen().size() == (goes_on ? 2 : 1));
  if (neutral) CHECK(answer == (goes_on ? "hello" : said));
}

TEST_CASE("without fallbacks of their own such refusals go back as they came") {
  TwoTargets w;
  w.transport.fallback = [](const SeenRequest&) {
    return failure(400, R"({"error":{"message":"This model's maximum context length is 8192 tokens.","code":"context_length_exceeded"}})");
  };
  w.relay(World::body("m"));
  w.run();
  CHECK(w.heard.head.status == 400);
  CHECK(w.transport.seen().size() == 1);
}

namespace {

struct Slow : TwoTargets {
  Slow() {
    config.routing.hedge.after = seconds(1);
    config.routing.hedge.max_extra = 100;
  }
  static ScriptedReply after(ScriptedReply reply, Duration time) {
    reply.head_after = time;
    return reply;
  }
};

}  // namespace

TEST_CASE("hedging: the faster answer counts, the other attempt is let go at once and accounted") {
  Slow w;
  const bool stream = GENERATE(false, true);
  w.parts.catalog = std::make_shared<OnePrice>();
  w.transport.fallback = [&](const SeenRequest& r) {
    return Slow::after(stream ? ScriptedReply::sse(stream_datas()) : ScriptedReply::json(kWhole), asked(r, "a") ? seconds(30) : milliseconds(500));
  };
  const TimePoint began = w.clock.now();
  w.relay(World::body("m", stream));
  w.run();
  CHECK(w.heard.result.ok());
  CHECK(w.heard.header("x-llmrouter-provider") == "b");
  CHECK(w.clock.now() - began < seconds(2));
  CHECK(w.transport.cancelled() == 1);
  CHECK(w.transport.live() == 0);
  const UsageRecord r = w.records().at(0);
  REQUIRE(r.attempts.size() == 2);
  CHECK(r.attempts[0].provider == "a");
  CHECK(r.attempts[0].outcome == "cancelled");
  CHECK(r.attempts[0].cost_nano_usd > 0);
  CHECK(r.attempts[1].outcome == "ok");
  CHECK(r.cost_nano_usd == r.attempts[0].cost_nano_usd + r.attempts[1].cost_nano_usd);
  CHECK(w.router->metrics().find("llmrouter_hedges_total 1\n") != std::string::npos);
  CHECK(w.router->providers().at(0).in_flight == 0);
  CHECK(w.router->providers().at(1).in_flight == 0);
}

TEST_CASE("hedging: the first attempt may still win") {
  Slow w;
  w.transport.fallback = [&](const SeenRequest& r) {
    return Slow::after(ScriptedReply::sse(stream_datas()), asked(r, "a") ? milliseconds(1500) : seconds(30));
  };
  w.relay(World::body("m", true));
  w.run();
  CHECK(w.heard.result.ok());
  CHECK(w.heard.header("x-llmrouter-provider") == "a");
  CHECK(w.transport.seen().size() == 2);
  CHECK(w.transport.cancelled() == 1);
  CHECK(w.records().at(0).provider == "a");
}

TEST_CASE("hedging: when one attempt fails the other one goes on, and when both fail there is a third") {
  Slow w;
  w.config.models[0].targets.push_back({"c", "z", 1, 3});
  w.config.providers.push_back(provider("c"));
  const bool both = GENERATE(false, true);
  const bool first_fails = GENERATE(false, true);
  w.transport.fallback = [&](const SeenRequest& r) {
    if (asked(r, "c")) return ScriptedReply::json(kWhole);
    const bool fails = both || asked(r, "a") == first_fails;
    return Slow::after(fails ? failure(500) : ScriptedReply::json(kWhole), fails ? seconds(2) : seconds(5));
  };
  w.relay(World::body("m"));
  w.run();
  CHECK(w.heard.head.status == 200);
  CHECK(w.heard.ends == 1);
  CHECK(w.heard.header("x-llmrouter-provider") == (both ? "c" : first_fails ? "b" : "a"));
  CHECK(w.transport.seen().size() == (both ? 3u : 2u));
  CHECK(w.transport.live() == 0);
}

TEST_CASE("hedging: never after the first token, never twice, never more than its share") {
  Slow w;
  SECTION("after the first token") {
    ScriptedReply slow = ScriptedReply::sse(stream_datas());
    slow.chunk_every = milliseconds(400);
    w.transport.push(slow);
    w.relay(World::body("m", true));
    w.run();
    CHECK(w.heard.result.ok());
    CHECK(w.transport.seen().size() == 1);
  }
  SECTION("off") {
    w.config.routing.hedge.after = Duration(0);
    w.transport.push(Slow::after(ScriptedReply::json(kWhole), seconds(30)));
    w.relay(World::body("m"));
    w.run();
    CHECK(w.transport.seen().size() == 1);
  }
  SECTION("share") {
    w.config.routing.hedge.max_extra = 5;
    w.transport.fallback = [](const SeenRequest&) { return Slow::after(ScriptedReply::json(kWhole), seconds(2)); };
    for (int i = 0; i < 100; ++i) {
      w.relay(World::body("m"));
      w.run();
    }
    CHECK(w.transport.seen().size() == 105);
  }
  SECTION("cancelled by the caller") {
    w.transport.fallback = [](const SeenRequest&) { return Slow::after(ScriptedReply::json(kWhole), seconds(30)); };
    w.relay(World::body("m"));
    w.run(seconds(2));
    CHECK(w.transport.live() == 2);
    if (GENERATE(false, true)) w.call.cancel();
    else w.call = Call();
    CHECK(w.transport.live() == 0);
    CHECK(w.records().at(0).status == CallStatus::kCancelled);
    CHECK(w.records().at(0).attempts.size() == 2);
  }
}

TEST_CASE("hedging: what is saved is money, and calls where there is no price") {
  core::HedgeShare share;
  CHECK_FALSE(share.spend(-1));
  for (int i = 0; i < 19; ++i) share.earn(5, -1);
  CHECK_FALSE(share.spend(-1));
  share.earn(5, -1);
  CHECK_FALSE(share.spend(1));  // another purse
  CHECK(share.spend(-1));
  CHECK_FALSE(share.spend(-1));
  for (int i = 0; i < 1000; ++i) share.earn(5, 0);  // what is free is no money
  CHECK_FALSE(share.spend(1));
  int hedges = 0;
  while (share.spend(-1)) ++hedges;
  CHECK(hedges == 10);

  // Cheap chats by the thousand pay for one dear hedge once they have earned it: 5% of the spend, to the nano.
  for (int i = 0; i < 1999; ++i) share.earn(5, 1'000);
  CHECK_FALSE(share.spend(100'000));  // ten chats of theirs are saved up, no more
  CHECK(share.spend(10'000));
  int64_t spent = 0, live = 0;
  for (int i = 0; i < 10'000; ++i) {
    const int64_t cost = i % 10 == 0 ? 1'000'003 : 777;
    live += cost;
    share.earn(5, cost);
    if (i % 10 != 0 || !share.spend(cost)) continue;
    spent += cost;
  }
  CHECK(spent <= live / 20 + 10 * 1'000'003);
  CHECK(spent >= live / 20 - 2 * 1'000'003);
  CHECK(share.spend(5));
  share.give_back(5);
  CHECK(share.spend(5));
  share.earn(100, INT64_MAX);  // nothing overflows
  CHECK_FALSE(share.spend(INT64_MAX));
}

namespace {

struct FlatPrice final : Catalog {
  std::optional<PriceRow> price(std::string_view, std::string_view, std::string_view, int64_t, WallTime) const override {
    PriceRow row;
    row.input = row.output = 1'000'000;
    return row;
  }
  ModelFacts facts(std::string_view, std::string_view) const override { return {}; }
};

}  // namespace

TEST_CASE("hedging: a spare that has answered nothing yet is taken to answer as the others do") {
  TwoTargets w;
  w.parts.catalog = std::make_shared<FlatPrice>();
  w.config.routing.strategy = "priority";
  w.config.routing.hedge.after = seconds(1);
  w.config.routing.hedge.max_extra = 50;
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
  for (int i = 0; i < 20; ++i) {
    w.relay(World::body("m"));
    w.run();
  }
  w.transport.fallback = [](const SeenRequest& r) {
    ScriptedReply reply = ScriptedReply::json(kWhole);
    if (asked(r, "a")) reply.head_after = seconds(3);
    return reply;
  };
  w.relay(World::body("m"));
  w.run();
  CHECK(w.heard.header("x-llmrouter-provider") == "b");
  CHECK(w.heard.head.status == 200);
}

TEST_CASE("hedging: what is extra stays the share of what chats really cost, also at the beginning") {
  TwoTargets w;
  w.parts.catalog = std::make_shared<FlatPrice>();
  w.config.routing.strategy = "priority";
  w.config.routing.hedge.after = milliseconds(50);
  w.config.routing.hedge.max_extra = 10;
  w.config.routing.retry_budget = 100;
  int number = 0;
  w.transport.fallback = [&](const SeenRequest& r) {
    ScriptedReply reply = ScriptedReply::json(kWhole);
    reply.head_after = asked(r, "a") ? milliseconds(150 + 7 * (number++ % 5)) : milliseconds(20);
    return reply;
  };
  int64_t base = 0, extra = 0, dearest = 0;
  {
    Crowd crowd(w);
    for (int round = 0; round < 30; ++round) {
      for (int i = 0; i < 10; ++i) crowd.start(World::body("m"));
      crowd.run(milliseconds(400));
    }
  }
  for (const UsageRecord& r : w.records()) {
    for (const AttemptRecord& a : r.attempts) (a.outcome == "ok" ? base : extra) += a.cost_nano_usd;
    dearest = std::max(dearest, r.cost_nano_usd);
  }
  CAPTURE(base, extra);
  CHECK(w.records().size() == 100);  // a page of them
  CHECK(extra > base / 20);
  CHECK(extra <= base / 10 + dearest);
}

TEST_CASE("hedging: a dear chat is not hedged with what cheap ones have earned") {
  struct ByModel final : Catalog {
    std::optional<PriceRow> price(std::string_view, std::string_view, std::string_view name, int64_t, WallTime) const override {
      PriceRow row;
      row.input = row.output = name == "dear" ? 100'000'000 : 100'000;
      return row;
    }
    ModelFacts facts(std::string_view, std::string_view) const override { return {}; }
  };
  const bool priced = GENERATE(false, true);
  World w;
  w.config.providers = {provider("a")};
  w.config.models = {model("cheap", {{"a", "cheap"}}), model("dear", {{"a", "dear"}})};
  w.config.routing.hedge.after = seconds(1);
  w.config.routing.hedge.max_extra = 5;
  if (priced) w.parts.catalog = std::make_shared<ByModel>();
  w.transport.fallback = [](const SeenRequest& r) {
    return Slow::after(ScriptedReply::json(kWhole), r.body.find("\"dear\"") != std::string::npos ? seconds(3) : milliseconds(10));
  };
  size_t calls = 0;
  for (int i = 0; i < 200; ++i) {
    for (const char* name : {"cheap", i % 20 == 19 ? "dear" : "cheap"}) {
      w.relay(World::body(name, false, R"(,"max_tokens":2)"));  // as long as the answers are: nothing has to be learned first
      w.run();
      ++calls;
    }
  }
  // Four hundred chats, ten of them dear and slow: by their number each may be hedged, by what they cost none.
  CHECK(w.transport.seen().size() == calls + (priced ? 0 : 10));
}

TEST_CASE("hedging after p95: only when it is known, and about one in twenty") {
  TargetStats stats;
  AttemptSample s;
  uint64_t draw = 1;
  auto next = [&] {
    draw = draw * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<double>(draw >> 11) / 9007199254740992.0;
  };
  CHECK(stats.p95_ms(true) == 0);
  int above = 0;
  for (int i = 0; i < 20000; ++i) {
    s.first_token = Duration(static_cast<int64_t>((0.1 - 0.2 * std::log(1 - next())) * 1e9));
    s.total = s.first_token;
    if (i >= 1000) above += static_cast<double>(s.first_token.count()) / 1e6 > stats.p95_ms(true);
    stats.started();
    stats.ended(s, TimePoint(seconds(1000 + i)));
  }
  CHECK(above > 19000 * 4 / 100);
  CHECK(above < 19000 * 6 / 100);
  CHECK(stats.p95_ms(false) == 0);
}

namespace {

// One target that takes one request at a time, a second each.
struct Narrow : World {
  Narrow() {
    config.providers = {provider("a")};
    config.providers[0].limits.concurrent = 1;
    config.routing.queue.max_wait = seconds(60);
    for (const char* name : {"busy", "calm"}) {
      FileKey key;
      key.spec.name = name;
      key.key = Secret(std::string("sk-") + name + "-0123456789abcdef");
      config.keys.push_back(key);
    }
    transport.fallback = [](const SeenRequest&) { return Slow::after(ScriptedReply::json(kWhole), seconds(1)); };
  }
  CallOptions as(int key) {
    CallOptions options;
    options.trusted = false;
    options.key = config.keys[static_cast<size_t>(key)].key;
    return options;
  }
};

}  // namespace

TEST_CASE("queue: keys take turns, however many calls one of them makes") {
  Narrow w;
  Crowd crowd(w);
  std::vector<Heard*> busy, calm;
  for (int i = 0; i < 20; ++i) busy.push_back(&crowd.start(World::body("a/m"), w.as(0)));
  crowd.run(milliseconds(100));
  for (int i = 0; i < 3; ++i) calm.push_back(&crowd.start(World::body("a/m"), w.as(1)));
  crowd.run(milliseconds(7400));
  // Seven were served: the first of `busy`, then three of each.
  for (const Heard* h : calm) CHECK(h->ends == 1);
  CHECK(std::count_if(busy.begin(), busy.end(), [](const Heard* h) { return h->ends == 1; }) == 4);
  crowd.run(seconds(20));
  for (const Heard* h : busy) CHECK(h->head.status == 200);
  CHECK(w.transport.seen().size() == 23);
}

TEST_CASE("queue: who waited too long is told so, who is cancelled leaves, and no more wait than may") {
  Narrow w;
  w.config.routing.queue.max_wait = milliseconds(2500);
  w.config.routing.queue.max = 4;
  Crowd crowd(w);
  std::vector<Heard*> all;
  for (int i = 0; i < 6; ++i) all.push_back(&crowd.start(World::body("a/m"), w.as(0)));
  crowd.run(milliseconds(100));
  CHECK(all[5]->head.status == 429);  // no room
  CHECK(all[5]->header("retry-after") == "1");
  crowd.calls[1].cancel();
  CHECK(all[1]->ends == 1);
  crowd.run(seconds(10));
  CHECK(all[0]->head.status == 200);
  CHECK(all[2]->head.status == 200);
  CHECK(all[3]->head.status == 200);
  CHECK(all[4]->head.status == 429);
  CHECK(w.transport.seen().size() == 3);
  CHECK(all[4]->result.record.status == CallStatus::kLimited);
  CHECK(all[4]->result.record.latency_ms == 2500);
}

TEST_CASE("queue: a deadline holds there, too") {
  Narrow w;
  Crowd crowd(w);
  crowd.start(World::body("a/m"), w.as(0));
  CallOptions hurried = w.as(0);
  hurried.timeout = milliseconds(500);
  Heard& late = crowd.start(World::body("a/m"), hurried);
  crowd.run(milliseconds(600));
  CHECK(late.head.status == 504);
  const std::string& words = late.result.error.message;
  CHECK(words.find("x-llmrouter-timeout") != std::string::npos);
  CHECK(words.find("waited for a limit") != std::string::npos);
  CHECK(words.find("provider a") != std::string::npos);
  crowd.run(seconds(5));
  CHECK(w.transport.seen().size() == 1);
}

TEST_CASE("queue: a rate lets one after the other through, and never more than it grants") {
  Narrow w;
  w.config.providers[0].limits = Limits();
  w.config.providers[0].limits.requests = Rate{1, seconds(1), 1};
  Crowd crowd(w);
  std::vector<Heard*> all;
  for (int i = 0; i < 10; ++i) all.push_back(&crowd.start(World::body("a/m"), w.as(i % 2)));
  for (int second = 0; second < 12; ++second) {
    crowd.run(milliseconds(second == 0 ? 10 : 1000));
    CHECK(w.transport.seen().size() == std::min<size_t>(10, static_cast<size_t>(second) + 1));
  }
  crowd.run(seconds(2));
  for (const Heard* h : all) CHECK(h->head.status == 200);
}

TEST_CASE("queue: a model's own limit and a rest that a provider asked for are waited for; a key's own limit is not") {
  Narrow w;
  w.config.providers[0].limits = Limits();
  SECTION("model") {
    w.config.models = {model("m", {{"a", "x", 1, 1}})};
    w.config.models[0].limits.requests = Rate{1, seconds(5), 1};
    Crowd crowd(w);
    Heard& first = crowd.start(World::body("m"), w.as(0));
    Heard& second = crowd.start(World::body("m"), w.as(0));
    crowd.run(seconds(4));
    CHECK(first.ends == 1);
    CHECK(second.ends == 0);
    crowd.run(seconds(3));
    CHECK(second.head.status == 200);
  }
  SECTION("rest") {
    w.config.routing.attempts = 2;
    w.transport.push(with(failure(429), "retry-after", "20"));
    w.relay(World::body("a/m"));
    w.run();
    CHECK(w.heard.head.status == 200);
    CHECK(w.heard.result.record.latency_ms == 21000);
  }
  SECTION("key") {
    w.config.keys[0].spec.limits.requests = Rate{1, seconds(5), 1};
    Crowd crowd(w);
    crowd.start(World::body("a/m"), w.as(0));
    Heard& second = crowd.start(World::body("a/m"), w.as(0));
    crowd.run(milliseconds(10));
    CHECK(second.head.status == 429);
    CHECK(second.header("retry-after") == "5");
  }
}

TEST_CASE("a model at its own limit leaves requests to its fallbacks, within their limits and the key's, before anybody waits") {
  Narrow w;
  w.config.providers[0].limits = Limits();
  w.config.models = {model("m", {{"a", "x", 1, 1}}, {"n"}), model("n", {{"a", "y", 1, 1}}, {"o"}), model("o", {{"a", "z", 1, 1}})};
  w.config.models[0].limits.requests = Rate{1, minutes(1), 1};
  w.config.models[1].limits.requests = Rate{1, seconds(20), 1};
  w.config.models[2].limits.concurrent = 1;
  w.config.routing.queue.max_wait = Duration(0);
  std::vector<std::string> asked;
  w.transport.fallback = [&](const SeenRequest& seen) {
    asked.push_back(seen.body.substr(seen.body.find("\"model\":\"") + 9, 1));
    return Slow::after(ScriptedReply::json(kWhole), seconds(1));
  };
  SECTION("one after the other; then 429 with the time of who is free soonest") {
    Crowd crowd(w);
    std::vector<Heard*> all;
    for (int i = 0; i < 4; ++i) all.push_back(&crowd.start(World::body("m"), w.as(0)));
    crowd.run(milliseconds(10));
    CHECK(asked == std::vector<std::string>{"x", "y", "z"});
    CHECK(all[3]->head.status == 429);
    CHECK(all[3]->header("retry-after") == "1");  // of a place nobody knows when it gets free
    crowd.run(seconds(2));
    for (int i = 0; i < 3; ++i) CHECK(all[static_cast<size_t>(i)]->head.status == 200);
    const std::string body = World::body("m", false, R"(,"route":{"fallbacks":[]})");
    CHECK(crowd.start(body, w.as(0)).heads == 0);
    Heard& alone = crowd.start(body, w.as(0));
    crowd.run(milliseconds(10));
    CHECK(alone.head.status == 429);
    CHECK(asked.size() == 3);
  }
  SECTION("who failed is replaced among the fallbacks alone") {
    w.transport.fallback = [&](const SeenRequest& seen) {
      asked.push_back(seen.body.substr(seen.body.find("\"model\":\"") + 9, 1));
      return asked.back() == "y" ? ScriptedReply::json("{}", 500) : ScriptedReply::json(kWhole);
    };
    Crowd crowd(w);
    crowd.start(World::body("m"), w.as(0));
    Heard& second = crowd.start(World::body("m"), w.as(0));
    crowd.run(seconds(2));
    CHECK(second.head.status == 200);
    CHECK(asked == std::vector<std::string>{"x", "y", "z"});
  }
  SECTION("the key's own limit counts each once") {
    w.config.keys[0].spec.limits.requests = Rate{2, minutes(1), 2};
    Crowd crowd(w);
    std::vector<Heard*> all;
    for (int i = 0; i < 3; ++i) all.push_back(&crowd.start(World::body("m"), w.as(0)));
    crowd.run(seconds(3));
    CHECK(all[1]->head.status == 200);
    CHECK(all[2]->head.status == 429);
    CHECK(all[2]->result.error.message.find("key") != std::string::npos);
    CHECK(asked == std::vector<std::string>{"x", "y"});
  }
  SECTION("when all are full it waits, and what has room first takes it") {
    w.config.routing.queue.max_wait = seconds(90);
    w.config.models[0].limits.requests = Rate{1, seconds(10), 1};
    w.config.models[2].limits = Limits();
    w.config.models[2].limits.requests = Rate{1, minutes(1), 1};
    Crowd crowd(w);
    std::vector<Heard*> all;
    for (int i = 0; i < 5; ++i) all.push_back(&crowd.start(World::body("m"), w.as(0)));
    crowd.run(seconds(5));
    CHECK(asked.size() == 3);
    crowd.run(seconds(8));
    REQUIRE(asked.size() == 4);
    CHECK(asked[3] == "x");
    crowd.run(seconds(60));
    for (const Heard* h : all) CHECK(h->head.status == 200);
  }
}

TEST_CASE("a limited target is skipped for another before anybody waits") {
  TwoTargets w;
  w.config.routing.queue.max_wait = seconds(10);
  w.config.providers[0].limits.requests = Rate{1, minutes(1), 1};
  for (int i = 0; i < 3; ++i) {
    w.transport.push(ScriptedReply::json(kWhole));
    w.relay(World::body("m"));
    w.run();
    CHECK(w.heard.result.record.latency_ms == 0);
    CHECK(w.heard.header("x-llmrouter-provider") == (i == 0 ? "a" : "b"));
  }
}

TEST_CASE("an only key that is limited without being told for how long is asked again after the backoff") {
  World w;
  w.config.providers = {provider("a", {"k-1"})};
  w.transport.push(failure(429));
  w.transport.push(ScriptedReply::json(kWhole));
  w.relay(World::body("a/m"));
  w.run();
  CHECK(w.heard.head.status == 200);
  CHECK(w.transport.seen().size() == 2);
}

TEST_CASE("a limit of one model without a key is not its provider's other models'") {
  World w;
  w.config.providers = {provider("a")};
  w.config.providers[0].credentials.clear();
  w.config.routing.attempts = 1;
  ScriptedReply limited = ScriptedReply::json(R"({"error":{"message":"slow down","code":"rate_limited"}})", 429);
  limited.headers.push_back({"retry-after", "7"});
  auto ask = [&](const char* model) {
    w.call = Call();
    w.relay(World::body(model));
    w.run();
    return w.heard.head.status;
  };
  w.transport.push(limited);
  CHECK(ask("a/small") == 429);
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
  const size_t before = w.transport.seen().size();
  CHECK(ask("a/big") == 200);
  CHECK(w.transport.seen().size() == before + 1);
  CHECK(ask("a/small") == 429);
  CHECK(w.transport.seen().size() == before + 1);
  CHECK(w.heard.bytes.find(" s\"") != std::string::npos);  // when
  w.clock.advance(std::chrono::seconds(8));
  CHECK(ask("a/small") == 200);
}

TEST_CASE("the last attempt is for who was not asked yet, not for another key") {
  for (const int status : {429, 401}) {
    CAPTURE(status);
    World w;
    w.config.providers = {provider("a"), provider("pool"), provider("lab")};
    w.config.providers[1].credentials = {{}, {}};
    for (size_t i = 0; i < 2; ++i) {
      w.config.providers[1].credentials[i].key = Secret("sk-" + std::to_string(i));
      w.config.providers[1].credentials[i].name = "k" + std::to_string(i);
    }
    w.config.models = {model("m", {{"a", "x", 1, 1}, {"pool", "y", 1, 2}}), model("spare", {{"lab", "z", 1, 1}})};
    w.config.models[0].fallbacks = {"spare"};
    w.transport.push(failure(500));
    w.transport.push(failure(status));
    w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
    w.relay(World::body("m"));
    w.run();
    CHECK(w.heard.head.status == 200);
    CHECK(w.heard.header("x-llmrouter-provider") == "lab");
    CHECK(w.transport.seen().size() == 3);
  }
}
