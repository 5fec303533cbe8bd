// Reserving, settling and deciding allocate nothing. Counts the allocations of this thread, so it replaces operator new for the whole program.
#include <cstdlib>
#include <new>

#include "catch.h"
#include "core/overlay.h"
#include "core/resolve.h"
#include "core/wishes.h"
#include "llmrouter/limits.h"
#include "llmrouter/router.h"

namespace {
thread_local long allocations = 0;
}

void* operator new(size_t size) {
  ++allocations;
  if (void* p = std::malloc(size != 0 ? size : 1)) return p;
  throw std::bad_alloc();
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size != 0 ? size : 1);
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }

namespace llmrouter {

TEST_CASE("Reserving and settling allocate nothing, refusing without a denial neither") {
  struct Ledger : BudgetLedger {
    int64_t spent(std::string_view, int64_t) override { return 0; }
    void add(std::string_view, int64_t, int64_t nano) noexcept override { sum += nano; }
    int64_t sum = 0;
  };
  ManualClock clock;
  auto ledger = std::make_shared<Ledger>();
  RateLimiter limiter(clock, ledger);
  Limits all;
  all.requests = Rate{60, std::chrono::minutes(1), 0};
  all.tokens = Rate{100000, std::chrono::minutes(1), 0};
  all.concurrent = 8;
  all.budget = Budget{1000000000, BudgetPeriod::kMonth, 0, {}};
  LimitBucket* buckets[] = {limiter.bucket("a", "", all), limiter.bucket("b", "", all), limiter.bucket("c", "", {})};
  const long before = allocations;
  int granted = 0;
  for (int i = 0; i < 100; ++i) {
    Reservation r = limiter.reserve(buckets, 3, {1, 100, 1000}, nullptr);
    if (r.active()) ++granted;
    if (i % 3 == 0) clock.advance(std::chrono::hours(24));
    r.settle({1, 70, 900});
  }
  const long after = allocations;
  CHECK(after == before);
  CHECK(granted == 100);
  CHECK(ledger->sum == 100 * 2 * 900);
  CHECK(limiter.bucket("d", "", all) != nullptr);
  CHECK(allocations > after);  // it does count
}

// The switch, overrides and rules, the name, the order of all targets with their prices and their health: by every strategy, with a home for each user.
TEST_CASE("A decision over 5, 50 and 1,000 targets allocates nothing") {
  struct Silent final : core::RuleContent {
    Result<bool> tell_texts(TextSink&) override { return true; }
  };
  struct Row final : ModelPrices {
    explicit Row(size_t length) { row.input = static_cast<int64_t>(100000 + length * 1000); }
    const PriceRow* at(int64_t, WallTime) const noexcept override { return &row; }
    PriceRow row;
  };
  struct Prices final : Catalog {
    std::optional<PriceRow> price(std::string_view provider, std::string_view, std::string_view, int64_t, WallTime) const override { return Row(provider.size()).row; }
    ModelFacts facts(std::string_view, std::string_view) const override { return {}; }
    std::shared_ptr<const ModelPrices> prices(std::string_view provider, std::string_view, std::string_view) const override { return std::make_shared<Row>(provider.size()); }
  };
  const int count = GENERATE(5, 50, 1000);
  for (const std::string_view strategy : balancer_names()) {
    INFO(strategy << " over " << count);
    Config config;
    ModelConfig model;
    model.name = "m";
    model.strategy = strategy;
    for (int i = 0; i < count; ++i) {
      ProviderConfig provider;
      provider.name = "p" + std::to_string(i);
      provider.base_url = "http://up.test/v1";
      config.providers.push_back(provider);
      model.targets.push_back({provider.name, "a-model-of-that-provider", 1 + i % 4, 1 + i % 3});
    }
    config.models.push_back(model);
    config.routing.affinity.by = {"user"};
    RuleConfig rule;
    rule.name = "never";
    rule.when.model = {"another-*"};
    rule.use.model = "m";
    config.routing.rules = {rule};
    ManualClock clock;
    RateLimiter limiter(clock);
    core::Registry registry;
    RouterParts parts;
    parts.dialects = builtin_dialects();
    const auto snapshot = core::build_snapshot(config, parts, std::make_shared<Prices>(), limiter, registry).value();
    core::Overlay overlay;
    overlay.overrides.store(std::make_shared<core::Overrides>());
    Silent silent;
    RequestFacts facts;
    facts.model = "m";
    facts.user = "a-user-with-a-name-that-is-no-short-string";
    facts.input_tokens = 1000;
    RouteRequest wishes;
    std::string asked = "m", forced;
    const std::vector<HttpHeader> headers;
    std::vector<core::Candidate> candidates;
    uint64_t seed = 0;
    size_t seen = 0;
    const auto decide = [&] {
      candidates.clear();
      core::Direction direction;
      if (!core::direct(overlay, *snapshot, nullptr, headers, WallTime{}, silent, {asked, facts, wishes, forced}, direction)) return;
      auto resolved = core::resolve_wish(*snapshot, asked, forced, wishes, nullptr);
      core::Ask ask;
      ask.seed = ++seed;
      ask.now = clock.now();
      ask.input_tokens = facts.input_tokens;
      ask.affinity = core::affinity_of(snapshot->config.routing.affinity.by, nullptr, facts, {}, nullptr, headers);
      const uint64_t session = stable_hash(resolved->route->name, ask.affinity);
      ask.home = snapshot->affinity->find(session, ask.now);
      core::append_first(*snapshot, *resolved, asked, ask, candidates);
      snapshot->affinity->put(session, candidates.front().id, ask.now + std::chrono::minutes(5));
      seen += candidates.size();
    };
    decide();  // what a call's first one makes room for
    const long before = allocations;
    for (int i = 0; i < 20; ++i) decide();
    const long made = allocations - before;
    CHECK(made == 0);
    CHECK(seen == static_cast<size_t>(21 * count));
  }
}

}  // namespace llmrouter
