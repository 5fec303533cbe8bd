// What holds of every plan, whatever the configuration is.
#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "call_fixture.h"
#include "core/random.h"
#include "llmrouter/pattern.h"

using namespace llmrouter;
using namespace llmrouter::test;

namespace {

struct Dice {
  explicit Dice(uint64_t seed) : random(seed) {}
  int below(int n) { return static_cast<int>(random.next() % static_cast<uint64_t>(n)); }
  bool one_in(int n) { return below(n) == 0; }
  core::Random random;
};

const std::vector<std::string> kTags = {"eu", "us", "fast", "cheap"};

Config random_config(Dice& dice) {
  Config c;
  const int providers = 1 + dice.below(5), models = 1 + dice.below(8);
  for (int i = 0; i < providers; ++i) c.providers.push_back(provider("p" + std::to_string(i)));
  const auto strategies = balancer_names();
  for (int i = 0; i < models; ++i) {
    ModelConfig m;
    m.name = "m" + std::to_string(i);
    m.strategy = strategies[static_cast<size_t>(dice.below(static_cast<int>(strategies.size())))];
    const int targets = 1 + dice.below(6);
    for (int t = 0; t < targets; ++t) {
      TargetConfig target{"p" + std::to_string(dice.below(providers)), "u" + std::to_string(i) + std::to_string(t), dice.below(4), 1 + dice.below(3)};
      if (dice.one_in(2)) target.tags = {kTags[static_cast<size_t>(dice.below(4))]};
      m.targets.push_back(std::move(target));
    }
    if (dice.one_in(2)) m.capabilities = dice.one_in(2) ? std::vector<std::string>{"tools"} : std::vector<std::string>{};
    // Circles too: the loader refuses them, structs may hold them.
    for (int f = dice.below(3); f > 0; --f) m.fallbacks.push_back("m" + std::to_string(dice.below(models)));
    c.models.push_back(std::move(m));
  }
  for (int r = dice.below(3); r > 0; --r) {
    RuleConfig rule;
    rule.name = "r" + std::to_string(r);
    rule.priority = dice.below(2);
    if (dice.one_in(2)) rule.when.has = {"tools"};
    else rule.when.model = {"m" + std::to_string(dice.below(models))};
    rule.use.model = "m" + std::to_string(dice.below(models));
    c.routing.rules.push_back(std::move(rule));
  }
  FileKey key;
  key.key = Secret("sk-0123456789");
  key.spec.name = "k";
  if (dice.one_in(2)) key.spec.allow.models = {"m" + std::to_string(dice.below(models)), "!*/u0*"};
  if (dice.one_in(2)) key.spec.allow.providers = {"p" + std::to_string(dice.below(providers))};
  c.keys = {key};
  return c;
}

const TargetConfig* target_of(const Config& c, const PlanStep& step) {
  for (const ModelConfig& m : c.models) {
    for (const TargetConfig& t : m.targets) {
      if (m.name == step.route && t.provider == step.provider && t.model == step.model) return &t;
    }
  }
  return nullptr;
}

std::string steps_of(const Plan& plan, bool sorted) {
  std::vector<std::string> lines;
  for (const PlanStep& s : plan.steps) {
    lines.push_back(s.route + " " + s.provider + "/" + s.model + (s.eligible ? " in" : " out ") + (s.eligible ? "" : std::string(step_reason_text(s.reason))));
  }
  if (sorted) std::sort(lines.begin(), lines.end());
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

}  // namespace

TEST_CASE("every plan: nobody in it who may not be, each once, the same again, whatever the order of what was written") {
  int allowed = 0, refused = 0;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    INFO("seed " << seed);
    Dice dice(seed);
    Config config = random_config(dice);
    ManualClock clock;
    RouterParts parts;
    parts.clock = &clock;
    parts.seed = seed;
    auto router = Router::create(config, parts).value();
    const bool tools = dice.one_in(2);
    CallOptions options;
    options.key = Secret("sk-0123456789");
    if (dice.one_in(3)) options.route.tags = {kTags[static_cast<size_t>(dice.below(4))]};
    if (dice.one_in(4)) options.route.ignore = {"p0"};
    const std::string body = World::body("m" + std::to_string(dice.below(static_cast<int>(config.models.size()))), false,
                                         tools ? R"(,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}])" : "");
    auto plan = router->explain({}, options, body);
    if (!plan) {  // a tag that no target has, and nothing else
      CHECK(plan.error().param == "route.tags");
      ++refused;
      continue;
    }
    std::set<std::string> seen;
    bool out = false;
    // Wishes are for the model that was named.
    const auto& rules = config.routing.rules;
    const bool sent_elsewhere = std::any_of(rules.begin(), rules.end(), [&](const RuleConfig& r) { return r.name == plan->rule && !r.use.model.empty(); });
    for (const PlanStep& step : plan->steps) {
      const TargetConfig* target = target_of(config, step);
      REQUIRE(target != nullptr);
      CHECK(seen.insert(step.route + " " + step.provider + "/" + step.model).second);  // never twice
      if (!step.eligible) out = true;
      if (!step.eligible) continue;
      ++allowed;
      CHECK_FALSE(out);  // all that may come first
      const AllowList& allow = config.keys.front().spec.allow;
      CHECK(pattern_list_match(allow.providers, step.provider));
      if (!allow.models.empty()) CHECK_FALSE(pattern_match("*/u0*", step.provider + "/" + step.model));
      if (!options.route.tags.empty() && !sent_elsewhere) {
        CHECK(std::find(target->tags.begin(), target->tags.end(), options.route.tags.front()) != target->tags.end());
      }
      if (!options.route.ignore.empty() && !sent_elsewhere) CHECK(step.provider != "p0");
      const auto m = std::find_if(config.models.begin(), config.models.end(), [&](const ModelConfig& c) { return c.name == step.route; });
      if (tools && m->capabilities) CHECK_FALSE(m->capabilities->empty());
    }
    CHECK(steps_of(*router->explain({}, options, body), false) == steps_of(*plan, false));  // the same again
    // Targets, models and providers written in another order: the same who, in and out, for the same reasons.
    Config turned = config;
    std::reverse(turned.providers.begin(), turned.providers.end());
    std::reverse(turned.models.begin(), turned.models.end());
    for (ModelConfig& m : turned.models) std::reverse(m.targets.begin(), m.targets.end());
    auto other = Router::create(turned, parts).value()->explain({}, options, body);
    REQUIRE(other.ok());
    CHECK(other->rule == plan->rule);
    CHECK(other->model == plan->model);
    CHECK(steps_of(*other, true) == steps_of(*plan, true));
  }
  CHECK(allowed > 500);  // the dice make plans worth looking at
  CHECK(refused < 200);
}

// Of a strategy alone, over random targets with random pasts.
TEST_CASE("every strategy: all targets once, weightless ones last, the same for the same, and equal inputs in any order where no dice are thrown") {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    INFO("seed " << seed);
    Dice dice(seed);
    const auto count = static_cast<size_t>(1 + dice.below(40));
    std::vector<TargetStats> stats(count);
    std::vector<BalancerTarget> targets(count);
    const TimePoint now = TimePoint(std::chrono::hours(1));
    for (size_t i = 0; i < count; ++i) {
      for (int n = dice.below(4); n > 0; --n) {
        AttemptSample sample;
        sample.ok = !dice.one_in(4);
        sample.total = std::chrono::milliseconds(50 + dice.below(3000));
        sample.first_token = sample.total / 4;
        sample.output_tokens = dice.below(500);
        stats[i].started();
        stats[i].ended(sample, now - std::chrono::seconds(dice.below(300)));
      }
      BalancerTarget& t = targets[i];
      t.index = static_cast<uint32_t>(i);
      t.weight = dice.one_in(5) ? 0 : 1 + dice.below(5);
      t.priority = static_cast<int>(i);  // no two alike: what is equal is drawn for
      t.in_flight = dice.below(20);
      t.quality = dice.below(100);
      t.id = stable_hash("t" + std::to_string(i));
      t.cost_nano_usd = dice.one_in(10) ? -1 : 1000 * static_cast<int64_t>(i + 1);
      t.stats = dice.one_in(6) ? nullptr : &stats[i];
    }
    BalancerRequest request(dice.random.next());
    request.now = now;
    request.input_tokens = 1000;
    request.expected_output = 100;
    request.affinity = dice.random.next() | 1;
    for (const std::string_view name : balancer_names()) {
      INFO("strategy " << name);
      const auto balancer = make_balancer(name, targets);
      auto ordered = [&](std::vector<BalancerTarget> seats) {
        balancer->preview(seats.data(), seats.size(), request);
        std::vector<uint64_t> ids;
        for (const BalancerTarget& t : seats) ids.push_back(t.id);
        return ids;
      };
      const auto ids = ordered(targets);
      CHECK(std::set<uint64_t>(ids.begin(), ids.end()).size() == count);  // nobody twice, nobody lost
      if (name != "priority") {
        bool weightless = false;
        for (const uint64_t id : ids) {
          const auto at = std::find_if(targets.begin(), targets.end(), [&](const BalancerTarget& t) { return t.id == id; });
          if (at->weight == 0) weightless = true;
          else CHECK_FALSE(weightless);
        }
      }
      CHECK(ordered(targets) == ids);
      if (name != "priority" && name != "hash" && name != "cost") continue;  // the others draw by place, and the dice fall otherwise
      std::vector<BalancerTarget> turned(targets.rbegin(), targets.rend());
      const auto again = ordered(turned);
      // Of those without a price or a weight nobody is before the other.
      const auto known = [&](uint64_t id) {
        const auto at = std::find_if(targets.begin(), targets.end(), [&](const BalancerTarget& t) { return t.id == id; });
        return at->weight > 0 && (name != "cost" || at->cost_nano_usd >= 0);
      };
      for (size_t i = 0; i < count; ++i) {
        if (known(ids[i])) CHECK(again[i] == ids[i]);
      }
    }
  }
}

// For ThreadSanitizer: decisions, statistics and every kind of change at once.
TEST_CASE("plans, reloads, rules, the switch and overrides at once") {
  Dice dice(11);
  Config config = random_config(dice);
  config.keys.front().spec.allow = {};
  config.routing.rules.clear();
  config.routing.toggle.delay = config.routing.toggle.cooldown = Duration(0);
  ManualClock clock;
  RouterParts parts;
  parts.clock = &clock;
  parts.seed = 3;
  auto router = Router::create(config, parts).value();
  std::atomic<bool> stop{false};
  std::atomic<int> plans{0}, faults{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      CallOptions options;
      options.key = Secret("sk-0123456789");
      const std::string body = World::body("m0");
      while (!stop.load()) {
        auto plan = router->explain({}, options, body);
        if (!plan || plan->steps.empty()) ++faults;
        ++plans;
        router->metrics();
      }
    });
  }
  auto key = router->authenticate(Secret("sk-0123456789"), {}).value();
  for (int i = 0; i < 60 || plans < 60; ++i) {  // until the others have run, too
    RuleConfig rule;
    rule.name = "r" + std::to_string(i % 5);
    rule.when.content = "hi";
    rule.use.model = "m0";
    CHECK(router->put_rule(rule).ok());
    CHECK(router->toggle({}, "test", "").ok());
    CHECK(router->set_override(*key, "m0").ok());
    CHECK(router->reload(config).ok());
    CHECK(router->clear_override(*key).ok());
    CHECK(router->remove_rule(rule.name).ok());
    clock.advance(std::chrono::milliseconds(1));
    router->rules();
  }
  stop = true;
  for (auto& t : threads) t.join();
  CHECK(faults == 0);
}
