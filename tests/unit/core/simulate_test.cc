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
  limited.usage = TokenUsage();
  limited.provider.clear();
  limited.attempts.clear();
  records.push_back(limited);
  UsageRecord gone = record(101, "dear", true, 100);
  gone.status = CallStatus::kCancelled;
  records.push_back(gone);
  auto prices = std::make_shared<Prices>();
  auto s = simulate(config_of({{"up", "cheap"}, {"up", "dear", 1, 2}}), records, {prices}).value();
  CHECK(s.replayed == 101);
  CHECK(s.skipped == 1);
  CHECK(s.before.limited == 1);
  CHECK(s.estimated == 1);  // there is no limit now: it is answered, as long as the others are
  CHECK(s.moved == 91);
  CHECK(s.before.cost_nano_usd == 90 * 1000000 + 10 * 100000);
  CHECK(s.after.cost_nano_usd == 101 * 100000);
  CHECK(s.before.latency_ms == 120);
  CHECK(s.after.latency_ms == 300);
  CHECK(s.after.ok == 101);
  REQUIRE(s.targets.size() == 2);
  CHECK(s.targets[0].target == "up/cheap");
  CHECK(s.targets[0].before == 10);
  CHECK(s.targets[0].after == 101);
}

TEST_CASE("simulate: failures are those that the records know of, retried along the plan; the same seed, the same answer") {
  std::vector<UsageRecord> records;
  for (int i = 0; i < 2000; ++i) records.push_back(record(i, i % 2 == 0 ? "dear" : "cheap", i % 2 == 0 || i % 4 == 1, 100));
  auto prices = std::make_shared<Prices>();
  Config alone = config_of({{"up", "cheap"}});
  alone.routing.attempts = 1;
  auto s = simulate(alone, records, {prices, nullptr, nullptr, 5}).value();
  CHECK(s.after.ok + s.after.failed == 2000);
  CHECK(s.after.failed > 900);  // a half, within four deviations
  CHECK(s.after.failed < 1100);
  CHECK(simulate(alone, records, {prices, nullptr, nullptr, 5}).value().to_json() == s.to_json());
  CHECK(simulate(alone, records, {prices, nullptr, nullptr, 6}).value().to_json() != s.to_json());
  Config both = config_of({{"up", "cheap"}, {"up", "dear", 1, 2}});
  both.routing.attempts = 2;
  both.routing.cooldown.failures = 1000000;
  s = simulate(both, records, {prices}).value();
  CHECK(s.after.failed == 0);
  CHECK(s.after.latency_ms > 140);  // the failed first ones took their time
}

TEST_CASE("simulate: weights are shares, rules and names decide as they do") {
  std::vector<UsageRecord> records;
  for (int i = 0; i < 4000; ++i) records.push_back(record(i, "dear", true, 100));
  auto prices = std::make_shared<Prices>();
  Config c = config_of({{"up", "cheap", 3}, {"up", "dear", 1}});
  c.routing.strategy = "weighted";
  auto s = simulate(c, records, {prices}).value();
  CHECK(s.targets[0].after > 2880);
  CHECK(s.targets[0].after < 3120);
  CHECK(s.guessed == s.targets[0].after);  // the records have no attempt at it
  c.routing.strategy = "round_robin";
  CHECK(simulate(c, records, {prices}).value().targets[0].after == 3000);
  RuleConfig rule;
  rule.name = "long";
  rule.when.tokens_over = 999;
  rule.use.reject = "too long";
  c.routing.rules = {rule};
  CHECK(simulate(c, records, {prices}).value().after.refused == 4000);
  c.routing.rules.clear();
  c.models.front().name = "other";
  CHECK(simulate(c, records, {prices}).value().after.refused == 4000);
}

namespace {

FileKey file_key(std::string name, Limits limits) {
  FileKey key;
  key.spec.name = std::move(name);
  key.spec.limits = limits;
  key.key = Secret("sk-" + key.spec.name + "-0123456789");
  return key;
}

// One a second; ten tokens out of a thousand in.
std::vector<UsageRecord> steady(int count, const std::string& model, const std::string& key = {}) {
  std::vector<UsageRecord> records;
  for (int i = 0; i < count; ++i) {
    records.push_back(record(i, model, true, 100));
    records.back().usage.output = 10;
    records.back().key = key;
  }
  return records;
}

int64_t answered_by(const Simulation& s, const std::string& target) {
  for (const SimulationShare& share : s.targets) {
    if (share.target == target) return share.after;
  }
  return 0;
}

}  // namespace

TEST_CASE("simulate: a key's limits and budget refuse what they would have refused, on the records' own clock") {
  auto prices = std::make_shared<Prices>();
  const auto records = steady(600, "dear", "file:ci");
  Config c = config_of({{"up", "dear"}});
  Limits limits;
  limits.requests = Rate{30, std::chrono::minutes(1), 30};
  c.keys = {file_key("ci", limits)};
  Simulation s = simulate(c, records, {prices}).value();
  CHECK(s.after.ok >= 30 + 299);  // the burst, and one each two seconds
  CHECK(s.after.ok <= 30 + 301);
  CHECK(s.after.ok + s.after.limited == 600);
  CHECK(s.after.cost_nano_usd == s.after.ok * 1000000);

  limits = Limits();
  limits.tokens = Rate{10100, std::chrono::minutes(1), 10100};  // ten calls of 1,010 tokens a minute
  c.keys = {file_key("ci", limits)};
  s = simulate(c, records, {prices}).value();
  CHECK(s.after.ok >= 100);
  CHECK(s.after.ok <= 10 + 10 * 10 + 10);  // each may pass the limit by what its answer is longer than what was left

  limits = Limits();
  limits.budget = Budget{5 * 1000000, BudgetPeriod::kDay, 0, {}};
  c.keys = {file_key("ci", limits)};
  s = simulate(c, records, {prices}).value();
  CHECK(s.after.ok == 5);
  CHECK(s.after.limited == 595);

  limits = Limits();
  limits.concurrent = 1;
  c.keys = {file_key("ci", limits)};
  std::vector<UsageRecord> slow = records;
  for (UsageRecord& r : slow) r.attempts.front().duration_ms = r.latency_ms = 2500;
  s = simulate(c, slow, {prices}).value();
  CHECK(s.after.ok == 200);  // of three seconds each
  // The same records of nobody's key are not limited.
  CHECK(simulate(c, steady(600, "dear"), {prices}).value().after.ok == 600);
}

TEST_CASE("simulate: a provider, a model and a credential at their limits leave requests to others, or let them wait") {
  auto prices = std::make_shared<Prices>();
  std::vector<UsageRecord> records = steady(600, "dear");
  for (int i = 0; i < 20; ++i) {  // something is known of the other one
    UsageRecord r = record(i, "dear", true, 100);
    r.id += "o";
    r.provider = r.attempts.front().provider = "other";
    records.push_back(r);
  }
  Config c = config_of({{"up", "dear"}, {"other", "dear", 1, 2}});
  c.providers.push_back(provider("other"));
  c.providers[0].limits.requests = Rate{30, std::chrono::minutes(1), 30};
  Simulation s = simulate(c, records, {prices}).value();
  CHECK(s.after.ok == 620);
  CHECK(answered_by(s, "up/dear") >= 329);
  CHECK(answered_by(s, "up/dear") <= 331);
  CHECK(answered_by(s, "other/dear") == 620 - answered_by(s, "up/dear"));

  c.providers[0] = provider("up", {"a", "b"});
  for (Credential& credential : c.providers[0].credentials) credential.limits.requests = Rate{15, std::chrono::minutes(1), 15};
  s = simulate(c, records, {prices}).value();
  CHECK(answered_by(s, "up/dear") >= 328);
  CHECK(answered_by(s, "up/dear") <= 332);

  c = config_of({{"up", "dear"}});
  c.models[0].limits.requests = Rate{30, std::chrono::minutes(1), 1};
  const auto alone = steady(600, "dear");
  s = simulate(c, alone, {prices}).value();
  CHECK(s.after.ok == 300);
  CHECK(s.after.limited == 300);
  Config with_fallback = c;
  with_fallback.models[0].fallbacks = {"spare"};
  with_fallback.models.push_back(model("spare", {{"up", "cheap"}}));
  s = simulate(with_fallback, alone, {prices}).value();
  CHECK(s.after.ok == 600);
  CHECK(answered_by(s, "up/cheap") == 300);
  c.routing.queue.max_wait = std::chrono::seconds(2);  // each second one waits for the next grant
  c.models[0].limits.requests = Rate{61, std::chrono::minutes(1), 1};
  std::vector<UsageRecord> pairs = alone;
  for (size_t i = 0; i < pairs.size(); ++i) pairs[i].time = pairs[i / 2 * 2].time;
  s = simulate(c, pairs, {prices}).value();
  CHECK(s.after.ok == 600);
  CHECK(s.after.latency_ms > 500);  // every second one had to wait
  c.routing.queue.max_wait = Duration(0);
  CHECK(simulate(c, pairs, {prices}).value().after.limited == 300);
}

TEST_CASE("simulate: an outage is left and its target rests; limited keys rest while others work") {
  auto prices = std::make_shared<Prices>();
  // For ten minutes in the middle every attempt at `dear` failed, as the records say; `cheap` answered all the time.
  std::vector<UsageRecord> records;
  for (int i = 0; i < 1800; ++i) records.push_back(record(i, i % 2 == 0 ? "dear" : "cheap", i % 2 != 0 || i < 600 || i >= 1200, i % 2 != 0 ? 100 : 400));
  Config c = config_of({{"up", "dear"}, {"up", "cheap", 1, 2}});
  c.routing.attempts = 2;
  const Simulation s = simulate(c, records, {prices}).value();
  CHECK(s.after.failed == 0);
  CHECK(answered_by(s, "up/dear") > 800);
  CHECK(answered_by(s, "up/dear") < 1200);  // its rests have doubled, so that it is not found over at once
  // Had it been asked first each time, those 600 would have taken 500 ms each.
  CHECK(s.after.latency_ms < (1200 * 400 + 600 * 110) / 1800 + 5);
  // With nothing that rests it is asked each time.
  c.routing.cooldown.failures = 1000000;
  const Simulation restless = simulate(c, records, {prices}).value();
  CHECK(restless.after.latency_ms > s.after.latency_ms + 50);

  // One of two keys was limited in half of its attempts; it rests, the other works.
  for (UsageRecord& r : records) {
    const auto i = static_cast<int>(&r - records.data());
    r = record(i, "dear", true, 100);
    r.attempts[0].credential = i % 4 == 1 ? "1" : "2";
    if (i % 4 == 0) r.attempts.insert(r.attempts.begin(), {"up", "dear", "1", 0, 20, "error", 429, "", 0});
  }
  c = config_of({{"up", "dear"}});
  c.providers[0] = provider("up", {"a", "b"});
  c.routing.attempts = 1;
  const int64_t once = simulate(c, records, {prices}).value().after.failed;
  c.routing.attempts = 3;
  CHECK(once > 200);
  CHECK(simulate(c, records, {prices}).value().after.failed < once * 2 / 3);  // both at once, or one while the other rests
}

TEST_CASE("simulate: what was refused with one key is no matter of another") {
  auto prices = std::make_shared<Prices>();
  // Key 1 is refused wherever it is used, key 2 answers; every tenth time it is limited first.
  std::vector<UsageRecord> records;
  for (int i = 0; i < 200; ++i) {
    UsageRecord r = record(i, i % 2 == 0 ? "dear" : "cheap", true, 100);
    r.attempts[0].credential = "2";
    if (i % 10 == 0) r.attempts.insert(r.attempts.begin(), {"up", r.model, "2", 0, 20, "error", 429, "", 0});
    if (r.model == "dear") r.attempts.insert(r.attempts.begin(), {"up", r.model, "1", 0, 20, "error", 401, "", 0});
    records.push_back(r);
  }
  Config c = config_of({{"up", "dear"}});
  c.routing.attempts = 1;
  c.routing.backoff = {Duration(0), Duration(0)};
  const auto failed_with = [&](const char* name) {
    c.providers[0] = provider("up", {"a"});
    c.providers[0].credentials[0].name = name;
    return simulate(c, records, {prices}).value().after.failed;
  };
  CHECK(failed_with("1") == 200);
  const int64_t good = failed_with("2"), fresh = failed_with("new");
  CHECK(good > 5);  // when it is limited
  CHECK(good < 60);
  CHECK(fresh > 5);
  CHECK(fresh < 60);
  // A key is as bad at a model that it was not used for.
  c.models[0].targets[0].model = "cheap";
  CHECK(failed_with("1") == 200);
  // Both: the bad one rests, and then is asked by probes alone.
  c.providers[0] = provider("up", {"a", "b"});
  c.routing.attempts = 3;
  const Simulation both = simulate(c, records, {prices}).value();
  CHECK(both.after.ok > 190);
  // Without names, as those of older records, all have done it all.
  for (UsageRecord& r : records) {
    for (AttemptRecord& a : r.attempts) a.credential.clear();
  }
  c.routing.attempts = 1;
  c.models[0].targets[0].model = "dear";
  CHECK(failed_with("") > 20);
}

TEST_CASE("simulate: stored rules, overrides and the switch count, unless they are left out") {
  auto prices = std::make_shared<Prices>();
  const auto records = steady(100, "dear", "file:ci");
  Config c = config_of({{"up", "dear"}});
  c.models.push_back(model("small", {{"up", "cheap"}}));
  c.models.push_back(model("main", {{"up", "main"}}));
  c.routing.default_model = "main";
  c.keys = {file_key("ci", {}), file_key("b", {})};
  auto state = make_memory_state_store();
  RuleConfig rule;
  rule.name = "long";
  rule.when.tokens_over = 999;
  rule.use.model = "small";
  REQUIRE(state->put({"rule", "long", to_json(rule)}).ok());
  CHECK(answered_by(simulate(c, records, {prices, nullptr, state}).value(), "up/cheap") == 100);
  CHECK(answered_by(simulate(c, records, {prices}).value(), "up/cheap") == 0);
  REQUIRE(state->remove("rule", "long").ok());
  REQUIRE(state->put({"override", "file:ci", "small"}).ok());
  CHECK(answered_by(simulate(c, records, {prices, nullptr, state}).value(), "up/cheap") == 100);
  REQUIRE(state->put({"override", "file:b", "main"}).ok());
  CHECK(answered_by(simulate(c, records, {prices, nullptr, state}).value(), "up/cheap") == 100);
  SwitchChange off{records.back().time, records.back().time, false, "me", ""};
  REQUIRE(state->put({"switch", "1", to_json(off)}).ok());
  CHECK(answered_by(simulate(c, records, {prices, nullptr, state}).value(), "up/main") == 100);  // as it is now
}

TEST_CASE("simulate: what cannot be told is counted, once a request, when it might have decided") {
  auto prices = std::make_shared<Prices>();
  auto records = steady(100, "dear");
  for (size_t i = 0; i < 30; ++i) records[i].stream = true;
  for (size_t i = 0; i < 10; ++i) records[i].usage.input = 10;
  Config c = config_of({{"up", "dear"}});
  RuleConfig decides, content;
  decides.name = "stream";
  decides.priority = 5;
  decides.when.has = {"stream"};
  decides.use.model = "m";
  content.name = "content";
  content.priority = 1;
  content.when.content = "refactor";
  content.when.tokens_over = 100;
  content.use.model = "m";
  c.routing.rules = {decides, content};
  Simulation s = simulate(c, records, {prices}).value();
  CHECK(s.uncertain == 70);  // streams are decided before it
  c.routing.rules = {content};
  CHECK(simulate(c, records, {prices}).value().uncertain == 90);  // ten are too short whatever is in them
  for (auto change : {+[](RuleConfig& r) { r.when.header = {{"x-team", "a"}}; }, +[](RuleConfig& r) { r.when.tag = {"eu"}; },
                      +[](RuleConfig& r) { r.when.has = {"tools", "stream"}; }}) {
    RuleConfig r;
    r.name = "r";
    r.use.reject = "no";
    change(r);
    c.routing.rules = {r};
    s = simulate(c, records, {prices}).value();
    CHECK(s.after.refused == 0);
    CHECK(s.uncertain == (r.when.has.empty() ? 100 : 30));
  }
  c.routing.rules.clear();
  CHECK(simulate(c, records, {prices}).value().uncertain == 0);
  records.front().decision = "session; model; priority";
  s = simulate(c, records, {prices}).value();
  CHECK(s.uncertain == 1);
  CHECK(s.to_text().find("1 may be decided otherwise") != std::string::npos);
  CHECK(s.to_json().find("\"uncertain\":1") != std::string::npos);
}

TEST_CASE("simulate: a bare name of a provider's list is that provider's, and a chat with wishes of its own is uncertain") {
  std::vector<UsageRecord> records;
  for (int i = 0; i < 10; ++i) {
    records.push_back(record(i, "listed", true, 100));
    records.back().requested_model = "listed";
    records.back().decision = i % 2 == 0 ? "offered by one provider; placed by the strategy" : "?proxy=provider; placed by the strategy; with wishes of its own";
  }
  const Simulation s = simulate(config_of({{"up", "dear"}}), records, {}).value();
  CHECK(s.after.ok == 10);
  CHECK(answered_by(s, "up/listed") == 10);
  CHECK(s.uncertain == 5);
  REQUIRE(s.not_played.size() == 1);
  CHECK(s.not_played[0].find("?proxy=") != std::string::npos);
}

TEST_CASE("simulate: what a key's params refused is uncertain while the key has some") {
  Config c;
  c.providers = {provider("a")};
  FileKey key;
  key.spec.name = "k";
  key.key = Secret(std::string("sk-k-0123456789abcdef"));
  key.spec.params.max_tokens = 100;
  c.keys = {key};
  const auto keys = make_memory_key_store(system_clock());
  REQUIRE(keys->set_file_keys(c.keys).ok());
  UsageRecord refused;
  refused.id = "call_1";
  refused.key = keys->list().at(0)->id;
  refused.requested_model = "a/m";
  refused.endpoint = "chat";
  refused.status = CallStatus::kError;
  refused.http_status = 403;
  refused.error_code = "parameter_not_allowed";
  SimulationParts parts;
  parts.keys = keys;
  Simulation s = simulate(c, {refused}, parts).value();
  CHECK(s.before.refused == 1);
  CHECK(s.after.ok == 1);
  CHECK(s.uncertain == 1);
  CHECK(s.to_text().find("parameters that a key limits") != std::string::npos);
  c.keys[0].spec.params = ParamLimits();
  s = simulate(c, {refused}, parts).value();
  CHECK(s.after.ok == 1);
  CHECK(s.uncertain == 0);
}

TEST_CASE("simulate: who was refused before he was asked is refused on both sides, and what is stored and cannot be read is told") {
  Config c;
  c.providers = {provider("a")};
  c.models = {model("m", {{"a", "x", 1, 1}})};
  UsageRecord refused;
  refused.id = "call_1";
  refused.requested_model = "nowhere";
  refused.endpoint = "chat";
  refused.status = CallStatus::kError;
  refused.http_status = 404;
  SimulationParts parts;
  const auto state = make_memory_state_store();
  REQUIRE(state->put({"rule", "r", "no rule"}).ok());
  parts.state = state;
  const Simulation s = simulate(c, {refused}, parts).value();
  CHECK(s.replayed == 1);
  CHECK(s.before.refused == 1);
  CHECK(s.before.failed == 0);
  CHECK(s.after.refused == 1);
  CHECK(s.unreadable == 1);
  CHECK(s.to_text().find("1 stored entries") != std::string::npos);
  CHECK(s.to_json().find("\"unreadable\":1") != std::string::npos);
}

TEST_CASE("simulate: a request's own fault is nobody else's, and no target's") {
  std::vector<UsageRecord> records = steady(100, "dear");
  for (int i = 0; i < 50; ++i) {
    records[static_cast<size_t>(i) * 2].status = CallStatus::kError;
    records[static_cast<size_t>(i) * 2].attempts.front() = {"up", "dear", "", 0, 30, "error", 400, "", 0};
  }
  Config c = config_of({{"up", "dear"}, {"up", "cheap", 1, 2}});
  const Simulation s = simulate(c, records, {std::make_shared<Prices>()}).value();
  CHECK(s.after.failed == 50);
  CHECK(answered_by(s, "up/dear") == 50);
  CHECK(answered_by(s, "up/cheap") == 0);
}

namespace {

SimulationShare share_of(const Simulation& s, const std::string& target) {
  for (const SimulationShare& share : s.targets) {
    if (share.target == target) return share;
  }
  return {};
}

}  // namespace

TEST_CASE("simulate: why a target got nothing is told") {
  auto prices = std::make_shared<Prices>();
  const auto why = [&](const Config& c, std::vector<UsageRecord> records, const std::string& target) {
    const Simulation s = simulate(c, std::move(records), {prices}).value();
    const SimulationShare share = share_of(s, target);
    CHECK(share.target == target);
    CHECK(share.after == 0);
    const bool in_both = s.to_text().find(share.why + " (" + std::to_string(share.why_requests) + ")") != std::string::npos &&
                         s.to_json().find("\"why\":\"" + share.why + "\",\"why_requests\":" + std::to_string(share.why_requests)) != std::string::npos;
    CHECK(in_both);
    return share.why + " " + std::to_string(share.why_requests);
  };
  const auto records = steady(60, "dear", "file:ci");

  Config c = config_of({{"up", "dear"}, {"up", "spare", 1, 2}, {"up", "last", 0, 3}});
  CHECK(why(c, records, "up/spare") == "others came first, and answered 60");
  CHECK(why(c, records, "up/last") == "weight 0, never needed 60");
  CHECK(share_of(simulate(c, records, {prices}).value(), "up/dear").why.empty());

  c = config_of({{"up", "cheap"}});
  CHECK(why(c, records, "up/dear") == "it is no target of what its requests asked for 60");
  c.models[0].name = "other";
  CHECK(why(c, records, "up/dear") == "what its requests asked for is not there, or not allowed 60");

  c = config_of({{"other", "dear"}, {"up", "dear", 1, 2}});
  c.providers.push_back(provider("other"));
  c.keys = {file_key("ci", {})};
  c.keys[0].spec.allow.providers = {"up"};
  CHECK(why(c, records, "other/dear") == "out: the key may not use it 60");

  // A limit that the first request takes all of, and that first request fails.
  c.keys[0].spec.allow.providers.clear();
  auto limited = records;
  for (UsageRecord& r : limited) r.attempts.push_back({"other", "dear", "", 0, 5, "error", 500, "", 0});
  c.providers[1].limits.requests = Rate{1, std::chrono::hours(24), 1};
  c.routing.cooldown.failures = 1000;
  CHECK(why(c, limited, "other/dear") == "a limit of it, or of its provider or credentials, had no room 59");

  // One that failed whenever it was asked, and rested most of the time.
  c.providers[1].limits = Limits();
  c.routing.cooldown.failures = 3;
  CHECK(why(c, limited, "other/dear") == "it rested after failures 56");  // three, and a probe half a minute later, were made
  c.routing.cooldown.failures = 1000;
  CHECK(why(c, limited, "other/dear") == "its attempts failed 60");

  c = config_of({{"up", "dear"}});
  c.models.push_back(model("night", {{"up", "cheap"}}));
  RuleConfig rule;
  rule.name = "r";
  rule.use.model = "night";
  c.routing.rules = {rule};
  CHECK(why(c, records, "up/dear") == "a rule sent its requests elsewhere 60");
  c.routing.rules[0].use.model.clear();
  c.routing.rules[0].use.reject = "no";
  CHECK(why(c, records, "up/dear") == "a rule refused its requests 60");
  c.routing.rules.clear();
  c.routing.toggle.enabled = false;
  c.routing.default_model = "night";
  CHECK(why(c, records, "up/dear") == "the routing switch sent its requests elsewhere 60");
}

TEST_CASE("simulate: long prompts and refused content go to the fallbacks that the configuration has for them") {
  auto prices = std::make_shared<Prices>();
  std::vector<UsageRecord> records = steady(20, "dear");
  const auto refused = [&](int i, const char* code, const char* model) {
    UsageRecord r = record(i, model, false, 5);
    r.usage = TokenUsage();
    r.error_code = code;
    r.attempts[0].http_status = 400;
    r.attempts[0].reason = std::string(code) + ": no";
    return r;
  };
  for (int i = 20; i < 30; ++i) records.push_back(refused(i, "context_length_exceeded", "dear"));
  for (int i = 30; i < 35; ++i) records.push_back(refused(i, "content_policy", "dear"));

  Config c = config_of({{"up", "dear"}});
  Simulation s = simulate(c, records, {prices}).value();
  CHECK(s.before.failed + s.before.refused == 15);
  CHECK(s.after.failed == 15);  // as they were
  CHECK(s.after.ok == 20);

  c.providers.push_back(provider("other"));
  c.models[0].context_fallbacks = {"long"};
  c.models.push_back(model("long", {{"up", "cheap"}}));
  s = simulate(c, records, {prices}).value();
  CHECK(answered_by(s, "up/cheap") == 10);
  CHECK(s.after.failed == 5);
  CHECK(s.estimated == 15);
  CHECK(s.after.cost_nano_usd == 20 * 1000000 + 10 * 100000);  // the mean of what was answered, at what it costs there

  c.models[0].content_fallbacks = {"kind"};
  c.models.push_back(model("kind", {{"up", "cheap"}}));
  s = simulate(c, records, {prices}).value();
  CHECK(s.after.failed == 5);  // the same provider has the same policy
  c.models[2].targets = {{"other", "dear"}};
  s = simulate(c, records, {prices}).value();
  CHECK(s.after.failed == 0);
  CHECK(answered_by(s, "up/cheap") == 10);
  CHECK(answered_by(s, "other/dear") == 5);
}

namespace {

struct Windows final : Catalog {
  std::optional<PriceRow> price(std::string_view, std::string_view, std::string_view, int64_t, WallTime) const override { return std::nullopt; }
  ModelFacts facts(std::string_view, std::string_view model) const override {
    ModelFacts facts;
    if (model == "dear") facts.context_window = 4000, facts.known = true;
    return facts;
  }
};

}  // namespace

TEST_CASE("simulate: what is longer than a window is not sent there") {
  std::vector<UsageRecord> records = steady(20, "cheap");
  for (int i = 0; i < 5; ++i) records[static_cast<size_t>(i)].usage.input = 5000;
  auto windows = std::make_shared<Windows>();
  Config c = config_of({{"up", "dear"}});
  CHECK(simulate(c, records, {windows}).value().after.refused == 5);
  c.models[0].context_fallbacks = {"long"};
  c.models.push_back(model("long", {{"up", "cheap"}}));
  Simulation s = simulate(c, records, {windows}).value();
  CHECK(s.after.ok == 20);
  CHECK(answered_by(s, "up/cheap") == 5);
  for (UsageRecord& r : records) r.usage.input = 5000;
  CHECK(share_of(simulate(c, records, {windows}).value(), "up/dear").why == "out: the request is longer than its context window");
}

TEST_CASE("simulate: a second attempt is made beside a slow one, the faster one counts, and the other is paid for") {
  auto prices = std::make_shared<Prices>();
  // `dear` takes two seconds every second time, `cheap` always a tenth of one.
  std::vector<UsageRecord> records;
  for (int i = 0; i < 1000; ++i) records.push_back(record(i, "dear", true, i % 2 == 0 ? 2000 : 100));
  for (int i = 0; i < 50; ++i) {
    records.push_back(record(i * 20, "cheap", true, 100));
    records.back().id += "c";
  }
  Config c = config_of({{"up", "dear"}, {"up", "cheap", 1, 2}});
  Simulation s = simulate(c, records, {prices}).value();
  CHECK(s.hedged == 0);
  CHECK(s.after.latency_ms > 950);
  CHECK(answered_by(s, "up/dear") == 1050);

  c.routing.hedge.after = std::chrono::milliseconds(500);
  c.routing.hedge.max_extra = 100;
  const Simulation all = simulate(c, records, {prices}).value();
  CHECK(all.hedged > 450);
  CHECK(all.hedged < 600);
  CHECK(all.hedges_won == all.hedged);  // 500 + 100 ms are before 2000 ms
  CHECK(answered_by(all, "up/cheap") == all.hedged);
  CHECK(all.after.ok == 1050);
  CHECK(all.after.latency_ms < 400);
  // Each that was let go had read its prompt at what `dear` takes.
  CHECK(all.after.cost_nano_usd == 1050 * 1000000 + all.hedged * 100000);
  CHECK(simulate(c, records, {prices}).value().to_json() == all.to_json());
  CHECK(all.to_text().find(std::to_string(all.hedged) + " second attempts were made beside slow ones, " + std::to_string(all.hedged) + " of them answered") !=
        std::string::npos);

  // No more than the share allows: one in twenty, at a tenth of the price one in two; without prices one in twenty.
  c.routing.hedge.max_extra = 1;
  s = simulate(c, records, {}).value();
  CHECK(s.hedged >= 9);
  CHECK(s.hedged <= 11);
  s = simulate(c, records, {prices}).value();
  CHECK(s.hedged >= 100);
  CHECK(s.hedged <= 106);
  // A lone attempt is all that there may be.
  c.routing.hedge.max_extra = 100;
  c.routing.attempts = 1;
  CHECK(simulate(c, records, {prices}).value().hedged == 0);
  // The target's own p95 is what its slow half takes, or a little less: the second attempts come when the first are about to answer.
  c.routing.attempts = 3;
  c.routing.hedge.after = Duration(0);
  c.routing.hedge.p95 = true;
  s = simulate(c, records, {prices}).value();
  CHECK(s.hedged > 50);
  CHECK(s.hedges_won * 2 < s.hedged);
  CHECK(s.after.latency_ms > 900);
}

TEST_CASE("simulate: what streams is slow when its first token is, and a hedge saves what fails late") {
  auto prices = std::make_shared<Prices>();
  std::vector<UsageRecord> records;
  for (int i = 0; i < 200; ++i) {
    UsageRecord r = record(i, "dear", true, 5000);
    r.stream = true;
    r.first_token_ms = i % 2 == 0 ? 100 : 3000;
    records.push_back(r);
  }
  for (int i = 0; i < 20; ++i) {
    UsageRecord r = record(i * 10, "cheap", true, 1000);
    r.id += "c";
    r.stream = true;
    r.first_token_ms = 200;
    records.push_back(r);
  }
  Config c = config_of({{"up", "dear"}, {"up", "cheap", 1, 2}});
  c.routing.hedge.after = std::chrono::milliseconds(500);
  c.routing.hedge.max_extra = 100;
  const Simulation s = simulate(c, records, {prices}).value();
  CHECK(s.after.ok == 220);
  CHECK(s.hedged > 80);  // the half that says nothing for long, though all of them take five seconds
  CHECK(s.hedged < 140);
  CHECK(s.hedges_won == s.hedged);

  // Attempts that fail after two seconds: the one beside answers meanwhile, nobody waits for the failure, and nothing is let go when it has failed before.
  std::vector<UsageRecord> failing;
  for (int i = 0; i < 100; ++i) failing.push_back(record(i, "dear", false, 2000));
  for (int i = 0; i < 100; ++i) {
    failing.push_back(record(i, "cheap", true, 100));
    failing.back().id += "c";
  }
  c.routing.cooldown.failures = 1000000;
  const Simulation saved = simulate(c, failing, {prices}).value();
  CHECK(saved.after.ok == 200);
  CHECK(saved.hedged == 200);
  CHECK(saved.hedges_won == 200);
  CHECK(saved.after.latency_ms == 600);
  c.routing.hedge.after = std::chrono::milliseconds(1950);
  const Simulation late = simulate(c, failing, {prices}).value();
  CHECK(late.after.ok == 200);
  CHECK(late.after.latency_ms == 2050);
  CHECK(late.after.cost_nano_usd == 200 * 100000);  // what failed costs nothing
}

TEST_CASE("simulate: probes find what is down and what is back, as the records have it") {
  auto prices = std::make_shared<Prices>();
  std::vector<UsageRecord> records;
  for (int i = 0; i < 1800; ++i) {
    records.push_back(record(i, i % 2 == 0 ? "dear" : "cheap", i % 2 != 0 || i < 600 || i >= 1200, i % 2 != 0 ? 100 : 400));
    if (records.back().status != CallStatus::kOk) records.back().attempts[0].http_status = 0;  // nobody answers
  }
  Config c = config_of({{"up", "dear"}, {"other", "cheap", 1, 2}});
  c.providers.push_back(provider("other"));
  for (UsageRecord& r : records) {
    if (r.model == "cheap") r.provider = r.attempts[0].provider = "other";
  }
  c.routing.attempts = 2;
  c.routing.cooldown.max = std::chrono::minutes(30);
  const int64_t without = answered_by(simulate(c, records, {prices}).value(), "up/dear");
  const ProbeKind kind = GENERATE(ProbeKind::kModels, ProbeKind::kChat);
  c.providers[0].health = {kind, std::chrono::seconds(5), {}};
  const Simulation probed = simulate(c, records, {prices}).value();
  CHECK(probed.after.failed == 0);
  CHECK(probed.not_played.empty());
  CHECK(answered_by(probed, "up/dear") > without + 20);
  if (kind == ProbeKind::kChat) CHECK(answered_by(probed, "up/dear") > 1150);  // a list says nothing of a model: that one rests as long as it did
  CHECK(answered_by(probed, "up/dear") < 1230);
  CHECK(simulate(c, records, {prices}).value().to_json() == probed.to_json());
  // Who may not be probed is not.
  if (kind == ProbeKind::kChat) {
    c.providers[0].health.models = {"another"};
    CHECK(answered_by(simulate(c, records, {prices}).value(), "up/dear") == without);
  }
}

TEST_CASE("simulate: each of a provider's timeouts ends an attempt when it would have") {
  auto prices = std::make_shared<Prices>();
  Config c = config_of({{"up", "dear"}, {"up", "cheap", 1, 2}});
  c.routing.attempts = 2;
  c.routing.cooldown.failures = 1000000;
  const auto latency = [&](const UsageRecord& first) {
    std::vector<UsageRecord> records;
    for (int i = 0; i < 50; ++i) {
      records.push_back(first);
      records.back().id += std::to_string(i);
      records.push_back(record(0, "cheap", true, 100));
      records.back().id += std::to_string(i);
    }
    const Simulation s = simulate(c, records, {prices}).value();
    return s.after.ok == 100 ? s.after.latency_ms : -s.after.failed;
  };
  SECTION("total: of the attempt, so that another one is asked") {
    const UsageRecord slow = record(0, "dear", true, 5000);
    CHECK(latency(slow) == 5000);
    c.providers[0].timeouts.total = std::chrono::seconds(2);
    CHECK(latency(slow) == 2100);
    c.providers[0].timeouts.total = std::chrono::seconds(20);
    CHECK(latency(slow) == 5000);
    c.routing.timeouts.total = std::chrono::seconds(1);  // of the whole request: nobody else is asked
    CHECK(latency(slow) == -100);
  }
  SECTION("total: what had begun is cut") {
    UsageRecord spoken = record(0, "dear", true, 5000);
    spoken.stream = true;
    spoken.first_token_ms = 300;
    c.models[0].targets.resize(1);
    CHECK(simulate(c, {spoken}, {prices}).value().after.ok == 1);
    c.providers[0].timeouts.total = std::chrono::seconds(2);
    c.models[0].targets.push_back({"up", "cheap", 1, 2});
    CHECK(simulate(c, {spoken}, {prices}).value().after.failed == 1);
  }
  SECTION("connect") {
    UsageRecord far = record(0, "dear", false, 5000);
    far.attempts[0].outcome = "timeout";
    far.attempts[0].http_status = 0;
    far.attempts[0].reason = "timeout: connect: timed out while connecting";
    c.providers[0].timeouts.connect = std::chrono::seconds(30);
    CHECK(latency(far) == 5100);
    c.providers[0].timeouts.connect = std::chrono::milliseconds(700);
    CHECK(latency(far) == 800);
  }
  SECTION("idle: a silence that was waited out is waited out for as long as this one says") {
    UsageRecord silent = record(0, "dear", false, 62000);
    silent.attempts[0].outcome = "timeout";
    silent.attempts[0].reason = "timeout: idle: nothing came within 60 s";
    CHECK(latency(silent) == 62100);
    c.providers[0].timeouts.idle = std::chrono::seconds(10);
    CHECK(latency(silent) == 12100);
    silent.attempts[0].reason = "timeout: idle: nothing came within 60500 ms";
    CHECK(latency(silent) == 11600);
    for (const char* odd : {"timeout: idle: nothing came within", "timeout: idle: nothing came within x s", "timeout: idle: nothing came within 99999999999999999999 s", "timeout: idle: nothing came within 7 h"}) {
      silent.attempts[0].reason = odd;
      CHECK(latency(silent) == 62100);
    }
  }
}

TEST_CASE("simulate: a key's max_tokens is what requests get that name none") {
  auto prices = std::make_shared<Prices>();
  FileKey key;
  key.key = Secret("sk-0123456789");
  key.spec.name = "k";
  Config c = config_of({{"up", "dear"}});
  c.keys = {key};
  const auto made = make_memory_key_store(system_clock());
  REQUIRE(made->set_file_keys(c.keys).ok());
  std::vector<UsageRecord> records;
  for (int i = 0; i < 10; ++i) {
    records.push_back(record(i, "dear", true, 100));
    records.back().usage.output = i < 3 ? 500 : 50;
    records.back().key = made->list()[0]->id;
  }
  c.keys[0].spec.limits.tokens = Rate{10 * 1100, std::chrono::hours(24), 0};
  c.keys[0].spec.params.max_tokens = 100;
  const Simulation s = simulate(c, records, {prices}).value();
  CHECK(s.uncertain == 3);  // cut at 100, or refused
  CHECK(s.after.ok == 10);
  REQUIRE(s.not_played.size() == 1);
  CHECK(s.not_played[0].find("params") != std::string::npos);
  // What they ask for is reserved, so that a smaller one lets more through.
  c.keys[0].spec.params.max_tokens = 9000;
  const Simulation greedy = simulate(c, records, {prices}).value();
  CHECK(greedy.uncertain == 0);
  CHECK(greedy.after.limited > 0);
}

TEST_CASE("simulate: what the configuration does and the replay does not is told, and nothing else") {
  std::vector<UsageRecord> records = {record(0, "dear", true, 9000)};
  records[0].stream = true;
  records[0].first_token_ms = 100;
  Config plain = config_of({{"up", "dear"}});
  plain.routing.timeouts.idle = std::chrono::seconds(10);  // what took less holds no silence of that length
  plain.providers[0].health.probe = ProbeKind::kModels;
  const auto none = simulate(plain, records).value();
  CHECK(none.not_played.empty());
  CHECK(none.to_json().find("\"not_played\":[]") != std::string::npos);
  CHECK(none.to_text().find("not played") == std::string::npos);
  struct Row {
    const char* words;
    void (*ask)(Config&);
  };
  const Row rows[] = {
      {"params of keys", [](Config& c) {
         FileKey key;
         key.key = Secret("sk-0123456789");
         key.spec.name = "k";
         key.spec.params.max_tokens = 5;
         c.keys = {key};
       }},
      {"timeouts.idle", [](Config& c) { c.providers[0].timeouts.idle = std::chrono::seconds(5); }},
      {"turns of keys", [](Config& c) { c.routing.queue.max_wait = std::chrono::seconds(5); }},
      {"continue_on", [](Config& c) { c.routing.continue_on_cut = true; }},
      {"affinity", [](Config& c) { c.routing.affinity.by = {"key", "prefix"}; }},
      {"strategy hash", [](Config& c) { c.models[0].strategy = "hash"; }},
  };
  Config all = plain;
  for (const Row& row : rows) {
    INFO(row.words);
    Config one = plain;
    row.ask(one);
    row.ask(all);
    const auto s = simulate(one, records).value();
    REQUIRE(s.not_played.size() == 1);
    CHECK(s.not_played[0].find(row.words) != std::string::npos);
    CHECK(s.to_text().find("\nnot played: " + s.not_played[0] + "\n") != std::string::npos);
    CHECK(s.to_json().find(s.not_played[0]) != std::string::npos);
  }
  const auto s = simulate(all, records).value();
  CHECK(s.not_played.size() == std::size(rows));
  CHECK(simulate(all, records).value().to_json() == s.to_json());
}
