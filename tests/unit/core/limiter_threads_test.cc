// The limiter under many threads: never one grant more than the limit, nothing lost, nothing paid twice. For ThreadSanitizer too.
#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "catch.h"
#include "core/limiter_budget.h"
#include "core/limiter_gcra.h"
#include "llmrouter/limits.h"

namespace llmrouter {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr int kThreads = 8;

// Runs `work(thread)` on all threads at once.
template <typename Work>
void together(Work work) {
  std::atomic<int> ready{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      ++ready;
      while (ready < kThreads) std::this_thread::yield();
      work(t);
    });
  }
  for (std::thread& t : threads) t.join();
}

Limits limits_of(int64_t requests, int64_t tokens, int64_t concurrent, int64_t nano) {
  Limits l;
  if (requests > 0) l.requests = Rate{requests, minutes(1), 0};
  if (tokens > 0) l.tokens = Rate{tokens, minutes(1), 0};
  l.concurrent = concurrent;
  if (nano > 0) l.budget = Budget{nano, BudgetPeriod::kDay, 0, {}};
  return l;
}

class LockedLedger : public BudgetLedger {
 public:
  int64_t spent(std::string_view, int64_t period) override {
    std::lock_guard<std::mutex> lock(mutex);
    return rows[period];
  }
  void add(std::string_view, int64_t period, int64_t nano) noexcept override {
    std::lock_guard<std::mutex> lock(mutex);
    rows[period] += nano;
  }
  std::mutex mutex;
  std::map<int64_t, int64_t> rows;
};

}  // namespace

TEST_CASE("Threads: with time standing still exactly a burst is granted") {
  for (int round = 0; round < 20; ++round) {
    ManualClock clock;
    RateLimiter limiter(clock);
    LimitBucket* bucket = limiter.bucket("b", "", limits_of(101, 0, 0, 0));
    std::atomic<int> granted{0};
    together([&](int) {
      for (int i = 0; i < 50; ++i) {
        Reservation r = limiter.reserve(&bucket, 1, {}, nullptr);
        if (r.active()) ++granted;
      }
    });
    CHECK(granted == 101);
  }
}

TEST_CASE("Threads: the parts alone, without a first look to protect them") {
  for (int round = 0; round < 20; ++round) {
    const core::GcraRate rate(Rate{101, minutes(1), 0});
    core::Gcra gcra;
    core::BudgetMeter meter(0, 0);
    std::atomic<int> granted{0}, bought{0};
    together([&](int) {
      for (int i = 0; i < 200; ++i) {
        int64_t period = 0;
        if (gcra.take(rate, 1000, 1) == 0) ++granted;
        if (meter.take(0, 1001, 10, &period)) ++bought;
      }
    });
    CHECK(granted == 101);
    CHECK(bought == 100);
  }
}

TEST_CASE("Threads: with time moving never more than a burst and what the time is worth") {
  ManualClock clock;
  RateLimiter limiter(clock);
  Limits limits;
  limits.requests = Rate{1000, seconds(1), 50};
  limits.tokens = Rate{7000, seconds(1), 700};
  LimitBucket* bucket = limiter.bucket("b", "", limits);
  std::atomic<int64_t> granted{0}, moved_us{0};
  together([&](int thread) {
    std::mt19937 random(static_cast<unsigned>(thread));
    for (int i = 0; i < 4000; ++i) {
      if (thread == 0) {
        const int us = static_cast<int>(random() % 400);
        moved_us += us;
        clock.advance(microseconds(us));
      }
      Reservation r = limiter.reserve(&bucket, 1, {1, 7, 0}, nullptr);
      if (!r.active()) continue;
      ++granted;
      r.settle({1, 7, 0});
    }
  });
  CHECK(granted <= 50 + moved_us / 1000);
  CHECK(granted >= 50);
  CHECK(limiter.state(bucket).in_flight == 0);
}

TEST_CASE("Threads: calls at once never exceed the limit") {
  ManualClock clock;
  RateLimiter limiter(clock);
  LimitBucket* bucket = limiter.bucket("b", "", limits_of(0, 0, 3, 0));
  std::atomic<int> inside{0}, most{0}, granted{0};
  together([&](int) {
    for (int i = 0; i < 5000; ++i) {
      Reservation r = limiter.reserve(&bucket, 1, {}, nullptr);
      if (!r.active()) continue;
      ++granted;
      const int now = ++inside;
      for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
      }
      --inside;
    }
  });
  CHECK(most <= 3);
  CHECK(granted > 0);
  CHECK(limiter.state(bucket).in_flight == 0);
}

TEST_CASE("Threads: refused calls leave nothing behind in any bucket") {
  ManualClock clock;
  RateLimiter limiter(clock);
  constexpr int64_t kNano = 1000000;
  LimitBucket* first = limiter.bucket("first", "", limits_of(1000000, 1000000000, 100, 1000000 * kNano));
  LimitBucket* second = limiter.bucket("second", "", limits_of(500, 0, 0, 0));
  std::atomic<int64_t> granted{0};
  together([&](int) {
    for (int i = 0; i < 3000; ++i) {
      LimitBucket* both[] = {first, second};
      Denial denial;
      Reservation r = limiter.reserve(both, 2, {1, 10, kNano}, &denial);
      if (r.active()) {
        ++granted;
        r.settle({1, 10, kNano});
      } else if (denial.bucket.empty()) {
        FAIL("a refusal without a reason");
      }
    }
  });
  CHECK(granted == 500);
  const LimitState state = limiter.state(first);
  CHECK(state.in_flight == 0);
  CHECK(state.remaining_requests == 1000000 - 500);
  CHECK(state.remaining_tokens == 1000000000 - 5000);
  CHECK(state.spent_nano_usd == 500 * kNano);
  CHECK(state.reserved_nano_usd == 0);
}

TEST_CASE("Threads: a budget is never overdrawn, over any number of midnights, and the ledger has every cent") {
  ManualClock clock;
  auto ledger = std::make_shared<LockedLedger>();
  RateLimiter limiter(clock, ledger);
  constexpr int64_t kBudget = 10000;
  LimitBucket* bucket = limiter.bucket("b", "", limits_of(0, 0, 0, kBudget));
  std::atomic<int64_t> paid{0};
  std::array<std::atomic<int>, kThreads> rounds{};
  together([&](int thread) {
    std::mt19937 random(static_cast<unsigned>(thread) + 77);
    std::vector<Reservation> open;
    for (int i = 0; i < 6000; ++i) {
      rounds[static_cast<size_t>(thread)] = i;
      if (thread == 0 && i % 40 == 0) {
        // No call lasts for the sixteen periods that a meter tells apart: time waits for a thread that was not run.
        for (const std::atomic<int>& other : rounds) {
          while (other + 400 < i) std::this_thread::yield();
        }
        clock.advance(hours(5));
      }
      const int64_t estimate = static_cast<int64_t>(random() % 300);
      Reservation r = limiter.reserve(&bucket, 1, {1, 0, estimate}, nullptr);
      if (r.active()) {
        // As much as was reserved or less, now or some rounds (and midnights) later.
        const int64_t used = estimate == 0 ? 0 : static_cast<int64_t>(random() % (static_cast<uint64_t>(estimate) + 1));
        if (random() % 4 == 0) {
          open.push_back(std::move(r));
        } else {
          paid += used;
          r.settle({1, 0, used});
        }
      }
      if (open.size() > 20) open.erase(open.begin());  // given back
    }
    open.clear();
    rounds[static_cast<size_t>(thread)] = 6000;
  });
  int64_t sum = 0;
  for (const auto& [period, nano] : ledger->rows) {
    CHECK(nano <= kBudget);
    sum += nano;
  }
  CHECK(sum == paid);
  CHECK(ledger->rows.size() > 20);
  const LimitState state = limiter.state(bucket);
  CHECK(state.reserved_nano_usd == 0);
  CHECK(state.in_flight == 0);
  CHECK(state.spent_nano_usd == ledger->rows.rbegin()->second);
}

TEST_CASE("Threads: limits may change while calls come and go") {
  ManualClock clock;
  RateLimiter limiter(clock);
  LimitBucket* bucket = limiter.bucket("b", "", limits_of(100, 1000, 4, 100));
  std::atomic<int64_t> granted{0};
  together([&](int thread) {
    for (int i = 0; i < 2000; ++i) {
      if (thread == 0) {
        limiter.bucket("b", i % 2 ? "one" : "other", limits_of(50 + i % 3 * 50, i % 5 ? 1000 : 0, i % 7, i % 2 ? 100 : 0));
        if (i % 100 == 0) clock.advance(seconds(1));
        continue;
      }
      Denial denial;
      Reservation r = limiter.reserve(&bucket, 1, {1, 1, 1}, &denial);
      if (!r.active()) continue;
      ++granted;
      r.settle({1, 2, 1});
    }
  });
  CHECK(granted > 0);
  const LimitState state = limiter.state(bucket);
  CHECK(state.in_flight == 0);
  CHECK(state.reserved_nano_usd == 0);
}

}  // namespace llmrouter
