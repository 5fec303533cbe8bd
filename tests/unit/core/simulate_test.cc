// Recorded traffic under another configuration.
#include "call_fixture.h"
#include "llmrouter/simulate.h"

using namespace llmrouter;
using namespace llmrouter::test;

namespace {

// A dollar for a million input tokens at `dear`, a tenth of that at `cheap`; nothing known of others.
struct Prices final : Catalog {
  std::optional<PriceRow> price(std::string_view, std::string_view, std::string_view model, int64_t, WallTime) const override {
    PriceRow row;
    if (model == "dear") row.input = 1000000;
    else if (model == "cheap") row.input = 100000;
    else return std::nullopt;
    return row;
  }
  ModelFacts facts(std::string_view, std::string_view) const override { return {}; }
};

UsageRecord record(int i, const std::string& model, bool ok, int64_t ms) {
  UsageRecord r;
  r.id = "call_" + std::to_string(1000 + i);
  r.time = WallTime(std::chrono::seconds(1767225600 + i));
  r.endpoint = "chat";
  r.requested_model = "m";
  r.provider = "up";
  r.model = model;
  r.status = ok ? CallStatus::kOk : CallStatus::kError;
  r.usage.input = 1000;
  r.usage.known = true;
  r.cost_nano_usd = ok ? (model == "dear" ? 1000000 : 100000) : 0;
  r.price = "{}";
  r.latency_ms = ms;
  r.attempts.push_back({"up", model, "", 0, ms, ok ? "ok" : "error", ok ? 200 : 500, "", 0});
  return r;
}

Config config_of(std::vector<TargetConfig> targets) {
  Config c;
  c.routing.strategy = "priority";
  c.providers = {provider("up")};
  c.models = {model("m", std::move(targets))};
  return c;
}

}  // namespace

TEST_CASE("simulate: another order costs what the other target costs") {
  std::vector<UsageRecord> records;
  for (int i = 0; i < 100; ++i) records.push_back(record(i, i % 10 == 0 ? "cheap" : "dear", true, i % 10 == 0 ? 300 : 100));
  UsageRecord limited = record(100, "dear", false, 0);
  limited.status = CallStatus::kLimited;
  records.push_back(limited);
  auto prices = std::make_shared<Prices>();
  auto s = simulate(config_of({{"up", "cheap"}, {"up", "dear", 1, 2}}), records, prices).value();
  CHECK(s.replayed == 100);
  CHECK(s.skipped == 1);
  CHECK(s.moved == 90);
  CHECK(s.before.cost_nano_usd == 90 * 1000000 + 10 * 100000);
  CHECK(s.after.cost_nano_usd == 100 * 100000);
  CHECK(s.before.latency_ms == 120);
  CHECK(s.after.latency_ms == 300);
  CHECK(s.after.ok == 100);
  REQUIRE(s.targets.size() == 2);
  CHECK(s.targets[0].target == "up/cheap");
  CHECK(s.targets[0].before == 10);
  CHECK(s.targets[0].after == 100);
}

TEST_CASE("simulate: failures are those that the records know of, retried along the plan; the same seed, the same answer") {
  std::vector<UsageRecord> records;
  for (int i = 0; i < 2000; ++i) records.push_back(record(i, i % 2 == 0 ? "dear" : "cheap", i % 2 == 0 || i % 4 == 1, 100));
  auto prices = std::make_shared<Prices>();
  Config alone = config_of({{"up", "cheap"}});
  alone.routing.attempts = 1;
  auto s = simulate(alone, records, prices, nullptr, 5).value();
  CHECK(s.after.ok + s.after.failed == 2000);
  CHECK(s.after.failed > 900);  // a half, within four deviations
  CHECK(s.after.failed < 1100);
  CHECK(simulate(alone, records, prices, nullptr, 5).value().to_json() == s.to_json());
  CHECK(simulate(alone, records, prices, nullptr, 6).value().to_json() != s.to_json());
  Config both = config_of({{"up", "cheap"}, {"up", "dear", 1, 2}});
  both.routing.attempts = 2;
  s = simulate(both, records, prices).value();
  CHECK(s.after.failed == 0);
  CHECK(s.after.latency_ms > 100);  // the failed first ones took their time
}

TEST_CASE("simulate: weights are shares, rules and names decide as they do") {
  std::vector<UsageRecord> records;
  for (int i = 0; i < 4000; ++i) records.push_back(record(i, "dear", true, 100));
  auto prices = std::make_shared<Prices>();
  Config c = config_of({{"up", "cheap", 3}, {"up", "dear", 1}});
  c.routing.strategy = "weighted";
  auto s = simulate(c, records, prices).value();
  CHECK(s.targets[0].after > 2880);
  CHECK(s.targets[0].after < 3120);
  CHECK(s.guessed == s.targets[0].after);  // the records have no attempt at it
  c.routing.strategy = "round_robin";
  CHECK(simulate(c, records, prices).value().targets[0].after == 3000);
  RuleConfig rule;
  rule.name = "long";
  rule.when.tokens_over = 999;
  rule.use.reject = "too long";
  c.routing.rules = {rule};
  CHECK(simulate(c, records, prices).value().after.refused == 4000);
  c.routing.rules.clear();
  c.models.front().name = "other";
  CHECK(simulate(c, records, prices).value().after.refused == 4000);
}
