// Pools of keys: whose turn it is, who rests for what, and what is told when none may serve.
#include <map>

#include "call_fixture.h"
#include "core/health.h"

using namespace llmrouter;
using namespace llmrouter::test;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

ScriptedReply failure(int status, const std::string& message, const std::string& retry_after = {}) {
  ScriptedReply reply = ScriptedReply::json(R"({"error":{"message":")" + message + R"("}})", status);
  if (!retry_after.empty()) reply.headers.push_back({"retry-after", retry_after});
  return reply;
}

std::string key_of(const SeenRequest& r) {
  const std::string value(r.header("authorization"));
  return value.size() > 7 ? value.substr(7) : std::string();
}

bool is_for(const SeenRequest& r, const std::string& model) { return r.body.find("\"model\":\"" + model + "\"") != std::string::npos; }

struct Pool : World {
  explicit Pool(std::vector<std::string> keys = {"A", "B", "C"}) { config.providers = {provider("p", std::move(keys))}; }
  Credential& key(size_t i) { return config.providers[0].credentials[i]; }
  int ask(const std::string& model, const std::string& more = {}) {
    relay(body(model, false, more));
    run();
    return heard.head.status;
  }
  std::map<std::string, int> shares(const std::string& model, int calls) {
    std::map<std::string, int> used;
    const size_t before = transport.seen().size();
    for (int i = 0; i < calls; ++i) ask(model);
    for (size_t i = before; i < transport.seen().size(); ++i) ++used[key_of(transport.seen()[i])];
    return used;
  }
};

bool about(int count, int expected) { return count >= expected * 97 / 100 - 1 && count <= expected * 103 / 100 + 1; }

}  // namespace

TEST_CASE("key pool: the weights share what those alone serve that can") {
  Pool w;
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
  w.key(1).weight = 3;
  w.key(2).weight = 6;
  SECTION("all of them") {
    auto used = w.shares("p/m", 1000);
    CHECK(about(used["A"], 100));
    CHECK(about(used["B"], 300));
    CHECK(about(used["C"], 600));
  }
  SECTION("one is for other models") {
    w.key(2).models = {"other"};
    auto used = w.shares("p/m", 400);
    CHECK(about(used["A"], 100));
    CHECK(about(used["B"], 300));
  }
  SECTION("models that are asked for by turns") {
    w.key(2).models = {"other"};
    std::map<std::string, int> used;
    for (int i = 0; i < 400; ++i) {
      for (auto& [key, count] : w.shares("p/m", 1)) used[key] += count;
      w.ask("p/other");
    }
    CHECK(about(used["A"], 100));
    CHECK(about(used["B"], 300));
  }
  SECTION("one is refused") {
    w.key(0).weight = w.key(1).weight = w.key(2).weight = 1;
    w.transport.fallback = [](const SeenRequest& r) { return key_of(r) == "B" ? failure(401, "no") : ScriptedReply::json(kWhole); };
    w.shares("p/m", 5);
    auto used = w.shares("p/m", 400);
    CHECK(used["B"] == 0);
    CHECK(about(used["A"], 200));
    CHECK(about(used["C"], 200));
  }
  SECTION("one has no room") {
    w.key(2).limits.requests = Rate{1, std::chrono::hours(24), 1};
    w.shares("p/m", 20);
    const auto used = w.shares("p/m", 2000);
    CHECK(used.count("C") == 0);
    CHECK(std::abs(used.at("A") - 500) < 60);  // drawn anew without it: by chance
  }
}

TEST_CASE("key pool: one caller's forbidden model puts no key out for others") {
  Pool w;
  w.config.routing.attempts = 3;
  const std::string message = GENERATE(as<std::string>(), "You are not allowed to sample from this model", "Project `x` does not have access to model `bad`",
                                       "Your API key does not have permission to use the specified resource.");
  w.transport.fallback = [&](const SeenRequest& r) { return is_for(r, "bad") ? failure(403, message) : ScriptedReply::json(kWhole); };
  CHECK(w.ask("p/bad") == 502);
  CHECK(w.transport.seen().size() == 3);  // one key may what another may not
  const auto states = w.router->providers();
  for (const auto& key : states.at(0).credentials) CHECK_FALSE(key.resting);
  CHECK(w.ask("p/good") == 200);
  CHECK(w.heard.header("x-llmrouter-attempts") == "1");
}

TEST_CASE("key pool: a key that may not use a model is not asked for it, and serves the others") {
  Pool w({"A", "B"});
  w.transport.fallback = [](const SeenRequest& r) {
    return is_for(r, "dear") && key_of(r) == "A" ? failure(403, "You are not allowed to sample from this model") : ScriptedReply::json(kWhole);
  };
  auto used = w.shares("p/dear", 20);
  CHECK(used["A"] == 1);
  CHECK(used["B"] == 20);
  used = w.shares("p/cheap", 20);
  CHECK(about(used["A"], 10));
  w.clock.advance(seconds(31));
  CHECK(w.shares("p/dear", 4)["A"] == 1);
}

TEST_CASE("key pool: a 403 about nothing but the key rests it for all models") {
  Pool w({"A", "B"});
  w.transport.fallback = [](const SeenRequest& r) { return key_of(r) == "A" ? failure(403, "your account is suspended") : ScriptedReply::json(kWhole); };
  CHECK(w.shares("p/m", 10)["A"] == 1);
  CHECK(w.shares("p/n", 10)["A"] == 0);
}

TEST_CASE("key pool: a request that was too dear rests no key, and is tried with the others") {
  Pool w({"A", "B"});
  w.config.routing.attempts = 5;
  const bool other_is_rich = GENERATE(false, true);
  w.transport.fallback = [&](const SeenRequest& r) {
    const bool poor = key_of(r) == "A" || !other_is_rich;
    return poor && r.body.find("65536") != std::string::npos
               ? failure(402, "This request requires more credits, or fewer max_tokens. You requested up to 65536 tokens, but can only afford 1333.")
               : ScriptedReply::json(kWhole);
  };
  for (int i = 0; i < 4; ++i) {
    const size_t before = w.transport.seen().size();
    CHECK(w.ask("p/m", R"(,"max_tokens":65536)") == (other_is_rich ? 200 : 502));
    CHECK(w.transport.seen().size() - before <= 2);  // each key once
  }
  const auto states = w.router->providers();
  for (const auto& key : states.at(0).credentials) CHECK_FALSE(key.resting);
  CHECK(w.ask("p/m", R"(,"max_tokens":10)") == 200);
}

TEST_CASE("a limit that names the model rests the key for that model alone") {
  Pool w({"A"});
  w.transport.fallback = [](const SeenRequest& r) {
    return is_for(r, "gpt-4o") ? failure(429, "Rate limit reached for gpt-4o in organization org-x on tokens per min.", "40") : ScriptedReply::json(kWhole);
  };
  CHECK(w.ask("p/gpt-4o") == 429);
  CHECK(w.heard.header("retry-after") == "40");
  w.clock.advance(seconds(10));
  const auto health = w.router->model_health("p/gpt-4o");
  REQUIRE(health.ok());
  CHECK(health->targets.at(0).resting);
  CHECK(health->targets.at(0).resting_for == seconds(30));
  CHECK(w.router->model_health("p/gpt-4")->healthy == 1);
  CHECK(w.ask("p/gpt-4o") == 429);
  CHECK(w.heard.header("retry-after") == "30");
  CHECK(w.transport.seen().size() == 1);  // it was told
  CHECK(w.ask("p/gpt-4") == 200);         // a part of that name is another one
  CHECK(w.ask("p/gpt-4o-mini") == 200);
  w.clock.advance(seconds(31));
  w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
  CHECK(w.ask("p/gpt-4o") == 200);
}

TEST_CASE("a limit that names no model rests a key for all where there is another") {
  Pool w({"A", "B"});
  w.transport.fallback = [](const SeenRequest& r) { return is_for(r, "one") ? failure(429, "slow down", "40") : ScriptedReply::json(kWhole); };
  CHECK(w.ask("p/one") == 429);
  CHECK(w.ask("p/other") == 429);
  CHECK(w.transport.seen().size() == 2);
}

TEST_CASE("a limit that names no model is the model's where there is one key alone") {
  Pool w({"A"});
  w.transport.fallback = [](const SeenRequest& r) { return is_for(r, "one") ? failure(429, "slow down", "40") : ScriptedReply::json(kWhole); };
  CHECK(w.ask("p/one") == 429);
  CHECK(w.ask("p/other") == 200);
  CHECK(w.ask("p/one") == 429);
  CHECK(w.transport.seen().size() == 2);
}

TEST_CASE("key pool: retry-after is of the key that is free first") {
  Pool w;
  w.config.routing.attempts = 3;
  SECTION("as the upstream said") {
    w.transport.fallback = [](const SeenRequest& r) { return failure(429, "slow", key_of(r) == "A" ? "40" : key_of(r) == "B" ? "20" : "60"); };
    for (int i = 0; i < 6; ++i) {
      CHECK(w.ask("p/m") == 429);
      CHECK(w.heard.header("retry-after") == "20");
    }
    CHECK(w.transport.seen().size() == 3);
  }
  SECTION("by limits here") {
    w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
    w.key(0).limits.requests = Rate{1, minutes(1), 1};
    w.key(1).limits.requests = Rate{1, seconds(10), 1};
    w.key(2).limits.requests = Rate{1, seconds(1000), 1};
    for (int i = 0; i < 3; ++i) CHECK(w.ask("p/m") == 200);
    for (int i = 0; i < 6; ++i) {
      CHECK(w.ask("p/m") == 429);
      CHECK(w.heard.header("retry-after") == "10");
      CHECK(w.heard.result.error.message.find("credential p/2") != std::string::npos);
    }
  }
  SECTION("a refused one is no news beside one that comes back") {
    w.transport.fallback = [](const SeenRequest& r) { return key_of(r) == "B" ? failure(429, "slow", "50") : failure(401, "no"); };
    w.ask("p/m");
    CHECK(w.ask("p/m") == 429);
    CHECK(w.heard.header("retry-after") == "50");
  }
}

TEST_CASE("retry-after is the soonest of all that stood at a limit, and the provider one that was asked") {
  Pool w({"A"});
  w.config.providers.push_back(provider("own", {"B"}));
  w.config.providers[1].limits.requests = Rate{1, seconds(10), 1};
  w.config.models = {model("first", {{"p", "m", 1, 1}, {"own", "m", 1, 2}})};
  w.config.routing.attempts = 2;
  w.transport.fallback = [](const SeenRequest& r) { return key_of(r) == "A" ? failure(429, "slow", "30") : ScriptedReply::json(kWhole); };
  CHECK(w.ask("own/m") == 200);
  CHECK(w.ask("first") == 429);
  CHECK(w.heard.header("retry-after") == "10");
  CHECK(w.heard.header("x-llmrouter-provider") == "p");
  CHECK(w.heard.result.record.provider == "p");
  CHECK(w.ask("first") == 429);
  CHECK(w.heard.header("retry-after") == "10");
  CHECK(w.heard.header("x-llmrouter-provider") == "");  // nobody was asked
}

TEST_CASE("key pool: when all of it was refused one key is asked all the same, and is back at once") {
  Pool w({"A", "B"});
  w.config.routing.attempts = 4;
  w.transport.fallback = [](const SeenRequest&) { return failure(401, "no"); };
  CHECK(w.ask("p/m") == 502);
  CHECK(w.transport.seen().size() == 2);
  w.clock.advance(seconds(1));
  CHECK(w.ask("p/m") == 502);
  CHECK(w.transport.seen().size() == 3);  // one of the two
  const auto rest = w.router->providers().at(0).credentials.at(0).resting_for;
  CHECK(rest <= seconds(29));             // what is asked for want of another makes no rest longer
  SECTION("others come first") {
    w.config.providers.push_back(provider("q", {"Q"}));
    w.config.models = {model("m", {{"p", "m", 1, 1}, {"q", "m", 1, 2}})};
    REQUIRE(w.router->reload(w.config).ok());
    w.transport.fallback = [](const SeenRequest& r) { return key_of(r) == "Q" ? ScriptedReply::json(kWhole) : failure(401, "no"); };
    CHECK(w.ask("m") == 200);
    CHECK(w.heard.header("x-llmrouter-provider") == "q");
    CHECK(w.heard.header("x-llmrouter-attempts") == "1");
  }
  SECTION("it works again") {
    w.transport.fallback = [](const SeenRequest&) { return ScriptedReply::json(kWhole); };
    CHECK(w.ask("p/m") == 200);
    CHECK_FALSE(w.router->providers().at(0).credentials.at(0).resting);  // the one whose rest ends first
  }
}

TEST_CASE("what attempts that were under way together are told makes one rest") {
  core::CredentialHealth health;
  const TimePoint t{seconds(1000)};
  for (int i = 0; i < 50; ++i) health.rest(t, core::RestReason::kRefused, {}, {});
  CHECK(health.until() == t + CooldownConfig().rest);
}

TEST_CASE("a key's rests for models are bounded, and what ends first makes room") {
  constexpr uint64_t kLong = 1;
  core::ModelRests rests;
  const TimePoint t{seconds(1000)};
  CHECK_FALSE(rests.any());
  rests.rest(kLong, core::RestReason::kRefused, t + minutes(5));
  for (uint64_t i = 0; i < 1000; ++i) rests.rest(100 + i, core::RestReason::kRateLimited, t + seconds(30));
  CHECK(rests.of(kLong, t).resting);
  CHECK(rests.of(kLong, t).why == core::RestReason::kRefused);
  CHECK(rests.of(1099, t).why == core::RestReason::kRateLimited);
  CHECK_FALSE(rests.of(7, t).resting);
  CHECK_FALSE(rests.of(1099, t + seconds(31)).resting);
  rests.forget(kLong);
  CHECK_FALSE(rests.of(kLong, t).resting);
}
