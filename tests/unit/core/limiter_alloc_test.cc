// Reserving and settling allocate nothing. Counts the allocations of this thread, so it replaces operator new for the whole program.
#include <cstdlib>
#include <new>

#include "catch.h"
#include "llmrouter/limits.h"

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

}  // namespace llmrouter
