// Every attempt of a call may fail, in any way: whatever happens, each attempt is paid once, the call is counted once, and nothing stays reserved.
#include "unit/core/call_fixture.h"

using namespace llmrouter;
using namespace llmrouter::test;
using std::chrono::hours;
using std::chrono::seconds;

namespace {

const std::string kKey = "sk-k-0123456789abcdef";
constexpr int64_t kTokens = 1'000'000;

struct Way {
  const char* name;
  bool goes_on;  // somebody else is asked
  ScriptedReply (*reply)(bool stream);
};

ScriptedReply failed(int status, std::vector<HttpHeader> headers = {}) {
  ScriptedReply reply = ScriptedReply::json(R"({"error":{"message":"no","code":"x"}})", status);
  reply.headers.insert(reply.headers.end(), headers.begin(), headers.end());
  return reply;
}

ScriptedReply unreached(TransferError::Kind kind) {
  ScriptedReply reply;
  reply.no_head = true;
  reply.end = {kind, "gone"};
  return reply;
}

const Way kWays[] = {
    {"refused connection", true, [](bool) { return unreached(TransferError::Kind::kConnect); }},
    {"connecting took too long", true, [](bool) { return unreached(TransferError::Kind::kConnectTimeout); }},
    {"reset before the head", true, [](bool) { return unreached(TransferError::Kind::kReset); }},
    {"broken off after the head", true,
     [](bool stream) {
       ScriptedReply reply = stream ? ScriptedReply::sse(stream_datas()) : ScriptedReply::json(kWhole);
       reply.fail_before_chunk = 0;
       reply.end = {TransferError::Kind::kTruncated, "gone"};
       return reply;
     }},
    {"408", true, [](bool) { return failed(408); }},
    {"409", true, [](bool) { return failed(409); }},
    {"429", true, [](bool) { return failed(429, {{"retry-after", "1"}}); }},
    {"401", true, [](bool) { return failed(401); }},
    {"402", true, [](bool) { return failed(402); }},
    {"500", true, [](bool) { return failed(500); }},
    {"529", true, [](bool) { return failed(529); }},
    {"an error inside a 200", true,
     [](bool stream) {
       const std::string error = R"({"error":{"message":"overloaded","code":503}})";
       return stream ? ScriptedReply::sse({error}) : ScriptedReply::json(error);
     }},
    {"an error inside a 200 behind counts", true,
     [](bool stream) {
       if (!stream) return ScriptedReply::json(R"({"error":{"message":"boom","code":500},"usage":{"prompt_tokens":10000,"completion_tokens":900}})");
       return ScriptedReply::sse({R"({"choices":[],"usage":{"prompt_tokens":10000,"completion_tokens":900}})", R"({"error":{"message":"boom","code":500}})"});
     }},
    {"nothing comes", true,
     [](bool stream) {
       ScriptedReply reply = stream ? ScriptedReply::sse({}) : ScriptedReply();
       reply.hang = true;
       if (!stream) reply.head_after = hours(1);
       return reply;
     }},
    {"no JSON", true, [](bool) { return ScriptedReply::json("<html>busy</html>"); }},
    {"the stream ends before it finished", true,
     [](bool stream) { return stream ? ScriptedReply::sse({chunk(R"({"role":"assistant","content":""})")}) : ScriptedReply::json("{}"); }},
    {"400", false, [](bool) { return failed(400); }},
    {"422", false, [](bool) { return failed(422); }},
};

struct Paid : World {
  Paid() {
    for (const char* name : {"a", "b", "c", "d"}) {
      config.providers.push_back(provider(name, {std::string("sk-") + name}));
      config.providers.back().limits.concurrent = 2;
      config.providers.back().timeouts.first_token = seconds(20);
    }
    config.models = {model("m", {{"a", "x", 1, 1}, {"b", "x", 1, 2}, {"c", "x", 1, 3}, {"d", "x", 1, 4}})};
    config.models[0].limits.concurrent = 1;
    config.routing.attempts = 4;
    config.routing.retry_budget = -1;
    FileKey key;
    key.spec.name = "k";
    key.key = Secret(std::string(kKey));
    key.spec.limits.requests = Rate{100, hours(24 * 365), 0};
    key.spec.limits.tokens = Rate{kTokens, hours(24 * 365), 0};
    key.spec.limits.concurrent = 1;
    key.spec.limits.budget = Budget{1'000'000'000, BudgetPeriod::kTotal, 0, {}};
    config.keys = {key};
    parts.catalog = std::make_shared<OnePrice>();
  }

  void ask(bool stream) {
    CallOptions options;
    options.key = Secret(std::string(kKey));
    relay(body("m", stream, R"(,"max_tokens":50)"), options);
    run();
  }

  // What holds after any call: asked as whoever looks at the books.
  void check_books() {
    CHECK(heard.ends == 1);
    CHECK(transport.live() == 0);
    const std::vector<UsageRecord> all = records();
    REQUIRE(all.size() == 1);
    const UsageRecord& r = all[0];
    int64_t cost = 0, sent = 0;
    for (const AttemptRecord& a : r.attempts) {
      cost += a.cost_nano_usd;
      sent += a.outcome != "skipped";
    }
    CHECK(sent == static_cast<int64_t>(transport.seen().size()));
    CHECK(r.cost_nano_usd == cost);
    const LimitState key = router->limits_of(*router->authenticate(Secret(std::string(kKey)), "chat").value());
    CHECK(key.remaining_requests == 99);
    CHECK(key.in_flight == 0);
    CHECK(key.reserved_nano_usd == 0);
    CHECK(key.spent_nano_usd == r.cost_nano_usd);
    // The record's tokens are those of the answer, the cost and the limits those of all attempts: a token is a thousand or two here.
    const int64_t tokens = kTokens - key.remaining_tokens;
    CHECK(tokens >= r.usage.input + r.usage.output);
    CHECK(1000 * tokens <= r.cost_nano_usd);
    CHECK(2000 * tokens >= r.cost_nano_usd);
    for (const ProviderState& p : router->providers()) CHECK(p.in_flight == 0);
    const auto health = router->model_health("m");
    REQUIRE(health.ok());
    for (const TargetCondition& t : health->targets) CHECK(t.in_flight == 0);
    // No limit of a provider or of the model keeps what it gave: as many may come as before, when nobody rests any more.
    clock.advance(hours(1));
    transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
    for (const char* name : {"a/other", "b/other", "c/other", "d/other"}) {
      CallOptions options;
      options.key = Secret(std::string(kKey));
      relay(body(name), options);
      run();
      CHECK(heard.head.status == 200);
      call = Call();
    }
  }
};

}  // namespace

TEST_CASE("paid once: the first N attempts fail, each way, streamed and whole") {
  const bool stream = GENERATE(false, true);
  for (const Way& way : kWays) {
    for (size_t fails = 0; fails <= 4; ++fails) {
      INFO(way.name << ", " << fails << (stream ? " times, streamed" : " times"));
      Paid w;
      size_t asked = 0;
      w.transport.fallback = [&](const SeenRequest&) {
        return asked++ < fails ? way.reply(stream) : stream ? ScriptedReply::sse(stream_datas()) : ScriptedReply::json(kWhole);
      };
      w.ask(stream);
      const bool well = way.goes_on ? fails < 4 : fails == 0;
      CHECK(w.heard.result.ok() == well);
      CHECK(w.transport.seen().size() == (way.goes_on ? std::min<size_t>(fails + 1, 4) : 1));
      const UsageRecord r = w.records().at(0);
      // Who refused or was not reached charges nothing; whoever answered, what it counted.
      if (well && fails == 0) CHECK(r.cost_nano_usd == 10 * 1000 + 2 * 2000);
      CHECK(r.attempts.size() == w.transport.seen().size());
      w.check_books();
    }
  }
}

TEST_CASE("paid once: two ways to fail in a row") {
  for (const Way& first : kWays) {
    for (const Way& second : kWays) {
      INFO(first.name << ", then " << second.name);
      Paid w;
      int asked = 0;
      w.transport.fallback = [&](const SeenRequest&) {
        const int number = asked++;
        return number == 0 ? first.reply(true) : number == 1 ? second.reply(true) : ScriptedReply::sse(stream_datas());
      };
      w.ask(true);
      CHECK(w.heard.result.ok() == (first.goes_on && second.goes_on));
      w.check_books();
    }
  }
}

TEST_CASE("paid once: a hedge beside an attempt that is slow, when either, both or none of them fail") {
  const bool stream = GENERATE(false, true);
  for (const Way& way : kWays) {
    for (int which = 0; which < 4; ++which) {  // bit 0: the first fails, bit 1: the hedge does
      for (const Duration second_takes : {Duration(seconds(1)), Duration(seconds(9))}) {
        INFO(way.name << ", " << which << (stream ? ", streamed, " : ", ") << second_takes.count());
        Paid w;
        w.config.routing.hedge.after = seconds(2);
        w.config.routing.hedge.max_extra = 100;
        int asked = 0;
        w.transport.fallback = [&](const SeenRequest&) {
          const int number = asked++;
          const bool fails = number < 2 && (which >> number & 1) != 0;
          ScriptedReply reply = fails ? way.reply(stream) : stream ? ScriptedReply::sse(stream_datas()) : ScriptedReply::json(kWhole);
          if (reply.head_after < seconds(30)) reply.head_after = number == 0 ? Duration(seconds(5)) : number == 1 ? second_takes : Duration(0);
          return reply;
        };
        w.ask(stream);
        if (way.goes_on || which == 0) CHECK(w.heard.result.ok());
        CHECK(asked >= 2);
        CHECK(asked <= 4);
        w.check_books();
      }
    }
  }
}

TEST_CASE("paid once: the caller leaves at any time of any of it") {
  for (const Way& way : kWays) {
    for (int ms = 0; ms <= 12000; ms += 750) {
      INFO(way.name << " after " << ms);
      Paid w;
      w.config.routing.hedge.after = seconds(2);
      w.config.routing.hedge.max_extra = 100;
      int asked = 0;
      w.transport.fallback = [&](const SeenRequest&) {
        ScriptedReply reply = asked++ < 2 ? way.reply(true) : ScriptedReply::sse(stream_datas());
        if (reply.head_after < seconds(30)) reply.head_after = seconds(3);
        reply.chunk_every = std::chrono::milliseconds(700);
        return reply;
      };
      CallOptions options;
      options.key = Secret(std::string(kKey));
      w.relay(World::body("m", true, R"(,"max_tokens":50)"), options);
      w.run(std::chrono::milliseconds(ms));
      w.call = Call();
      for (int i = 0; i < 5; ++i) w.reactor->drive();
      CHECK(w.transport.live() == 0);
      const auto all = w.records();
      REQUIRE(all.size() == 1);
      int64_t cost = 0;
      for (const AttemptRecord& a : all[0].attempts) cost += a.cost_nano_usd;
      CHECK(all[0].cost_nano_usd == cost);
      const LimitState key = w.router->limits_of(*w.router->authenticate(Secret(std::string(kKey)), "chat").value());
      CHECK(key.in_flight == 0);
      CHECK(key.reserved_nano_usd == 0);
      CHECK(key.spent_nano_usd >= cost);  // what nobody counted keeps what was reserved
      CHECK(key.remaining_requests == (all[0].attempts.empty() ? 100 : 99));
      for (const ProviderState& p : w.router->providers()) CHECK(p.in_flight == 0);
    }
  }
}
