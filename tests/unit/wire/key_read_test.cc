// Keys from JSON: what the admin API and the C ABI take.
#include "catch.h"
#include "llmrouter/keys.h"

using namespace llmrouter;

namespace {

const WallTime kNow(std::chrono::seconds(1800000000));

// The fault of a key that must be refused.
Error fault_of(std::string_view json) {
  auto spec = key_spec_from_json(json, kNow);
  REQUIRE_FALSE(spec.ok());
  CHECK(spec.error().code == ErrorCode::kInvalidRequest);
  return spec.error();
}

}  // namespace

TEST_CASE("a key with everything set is read") {
  const auto spec = key_spec_from_json(R"({"name":"ci","user":"build","purpose":"cursor","role":"admin",
      "allow":{"models":["gpt-*","claude/*"],"providers":"openai","endpoints":["chat"]},
      "params":{"max_tokens":4096,"temperature":[0,1.5],"tools":false},
      "limits":{"requests":"60/min","burst":20,"tokens":{"tokens":"100k","per":"min"},"concurrent":8},
      "budget":{"usd":50.25,"per":"30d","soft":"80%"},"expires":"2027-01-01T00:00:00Z"})",
                                       kNow);
  REQUIRE(spec.ok());
  CHECK(spec->name == "ci");
  CHECK(spec->user == "build");
  CHECK(spec->purpose == "cursor");
  CHECK(spec->role == KeyRole::kAdmin);
  CHECK(spec->allow.models == std::vector<std::string>{"gpt-*", "claude/*"});
  CHECK(spec->allow.providers == std::vector<std::string>{"openai"});
  CHECK(spec->allow.endpoints == std::vector<std::string>{"chat"});
  CHECK(spec->params.max_tokens == 4096);
  CHECK(spec->params.max_temperature == 1.5);
  CHECK(spec->params.tools == false);
  CHECK(spec->limits.requests == Rate{60, std::chrono::minutes(1), 20});
  CHECK(spec->limits.tokens == Rate{100000, std::chrono::minutes(1), 0});
  CHECK(spec->limits.concurrent == 8);
  REQUIRE(spec->limits.budget);
  CHECK(spec->limits.budget->nano_usd == 50250000000);
  CHECK(spec->limits.budget->per == BudgetPeriod::k30d);
  CHECK(spec->limits.budget->soft_percent == 80);
  CHECK(spec->limits.budget->anchor == kNow);
  REQUIRE(spec->expires);
  CHECK(*spec->expires == WallTime(std::chrono::seconds(1798761600)));
}

TEST_CASE("an empty object is a key without limits") {
  const auto spec = key_spec_from_json("{}", kNow);
  REQUIRE(spec.ok());
  CHECK(spec->purpose == "default");
  CHECK(spec->limits.empty());
  CHECK_FALSE(spec->expires);
}

TEST_CASE("a wrong key is refused with the path of the fault") {
  CHECK(fault_of("[]").message != "");
  CHECK(fault_of("{\"name\":").message != "");
  CHECK(fault_of(R"({"nmae":"x"})").param == "nmae");
  CHECK(fault_of(R"({"name":7})").param == "name");
  CHECK(fault_of(R"({"role":"root"})").param == "role");
  CHECK(fault_of(R"({"allow":{"model":[]}})").param == "allow.model");
  CHECK(fault_of(R"({"allow":{"models":["a",1]}})").param == "allow.models[1]");
  CHECK(fault_of(R"({"allow":{"models":[],"models":[]}})").param == "allow.models");
  CHECK(fault_of(R"({"params":{"max_tokens":0}})").param == "params.max_tokens");
  CHECK(fault_of(R"({"params":{"temperature":[1,0]}})").param == "params.temperature");
  CHECK(fault_of(R"({"params":{"temperature":[0,1,2]}})").param == "params.temperature");
  CHECK(fault_of(R"({"params":{"tools":"yes"}})").param == "params.tools");
  CHECK(fault_of(R"({"limits":{"requests":"often"}})").param == "limits.requests");
  CHECK(fault_of(R"({"limits":{"requests":{"per":"60s"}}})").param == "limits.requests");
  CHECK(fault_of(R"({"limits":{"burst":3}})").param == "limits.burst");
  CHECK(fault_of(R"({"limits":{"concurrent":-1}})").param == "limits.concurrent");
  CHECK(fault_of(R"({"budget":{"usd":1e3}})").param == "budget.usd");
  CHECK(fault_of(R"({"budget":{"usd":0}})").param == "budget.usd");
  CHECK(fault_of(R"({"budget":{"usd":1,"per":"year"}})").param == "budget.per");
  CHECK(fault_of(R"({"budget":{"usd":1,"soft":80}})").param == "budget.soft");
  CHECK(fault_of(R"({"expires":"tomorrow"})").param == "expires");
}

TEST_CASE("a key that is too large is refused before it is read") {
  const auto spec = key_spec_from_json("{\"name\":\"" + std::string(70000, 'x') + "\"}", kNow);
  REQUIRE_FALSE(spec.ok());
  CHECK(spec.error().code == ErrorCode::kBodyTooLarge);
}

TEST_CASE("a change touches what it names, and null clears") {
  KeySpec now;
  now.name = "ci";
  now.allow.models = {"gpt-*"};
  now.allow.providers = {"openai"};
  now.limits.requests = Rate{60, std::chrono::minutes(1), 5};
  now.limits.budget = Budget{1000000000, BudgetPeriod::kDay, 50, {}};
  now.expires = kNow;

  auto change = key_change_from_json(R"({"allow":{"models":null},"limits":{"tokens":"10/s"},"budget":{"usd":"2"},"expires":null})", now, kNow);
  REQUIRE(change.ok());
  CHECK_FALSE(change->name);
  CHECK_FALSE(change->params);
  REQUIRE(change->allow);
  CHECK(change->allow->models.empty());
  CHECK(change->allow->providers == now.allow.providers);
  REQUIRE(change->limits);
  CHECK(change->limits->requests == now.limits.requests);
  CHECK(change->limits->tokens == Rate{10, std::chrono::seconds(1), 0});
  REQUIRE(change->limits->budget);
  CHECK(change->limits->budget->nano_usd == 2000000000);
  CHECK(change->limits->budget->per == BudgetPeriod::kDay);
  CHECK(change->limits->budget->soft_percent == 50);
  REQUIRE(change->expires);
  CHECK_FALSE(change->expires->has_value());

  change = key_change_from_json(R"({"limits":null})", now, kNow);
  REQUIRE(change.ok());
  CHECK_FALSE(change->limits->requests);
  CHECK(change->limits->budget == now.limits.budget);
}

TEST_CASE("how limits stand is written with the limits that are set alone") {
  CHECK(to_json(LimitState()) == "{}");
  LimitState state;
  state.limit_requests = 60;
  state.remaining_requests = 58;
  state.reset_requests = std::chrono::milliseconds(1500);
  state.limit_concurrent = 8;
  state.in_flight = 1;
  state.budget_nano_usd = 5000000000;
  state.spent_nano_usd = 250000000;
  CHECK(to_json(state) ==
        R"({"requests":{"limit":60,"remaining":58,"reset_s":2},"concurrent":{"limit":8,"in_flight":1},)"
        R"("budget":{"usd":"5.00","spent_usd":"0.25","reserved_usd":"0.00"}})");
  state.budget_renews = WallTime(std::chrono::seconds(1798761600));
  CHECK(to_json(state).find(R"("renews":"2027-01-01T00:00:00Z")") != std::string::npos);
}
