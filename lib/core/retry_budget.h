// How many retries all calls of a process may make together, so that they cannot multiply an outage.
//
// In any 10 s: retries <= 100 + share * first attempts. The idea, its 10 s and its floor of 10 retries a second (low traffic must be able to retry) are
// those of Finagle's RetryBudget. Written by every call, without locks.
#ifndef LLMROUTER_CORE_RETRY_BUDGET_H_
#define LLMROUTER_CORE_RETRY_BUDGET_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <utility>

#include "llmrouter/clock.h"

namespace llmrouter::core {

class RetryBudget {
 public:
  static constexpr int64_t kSeconds = 10;
  static constexpr int64_t kFloor = 10 * kSeconds;

  void first_attempt(TimePoint now) noexcept { first_.add(second_of(now)); }
  // Counts one more attempt when `percent` of the live traffic allows it. Of several at once none is granted beyond the bound.
  bool grant(TimePoint now, int percent) noexcept;
  int64_t granted(TimePoint now) const noexcept { return more_.sum(second_of(now)); }  // in the last 10 s

 private:
  // Events of the last seconds, one word for each: the second it counts for, and how many.
  class Window {
   public:
    void add(uint32_t second) noexcept;
    void take_back(uint32_t second) noexcept;
    int64_t sum(uint32_t second) const noexcept;

   private:
    std::atomic<uint64_t> slots_[kSeconds] = {};
  };
  static uint32_t second_of(TimePoint now) noexcept {
    return static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count()) + 1;  // 0: never written
  }
  Window first_, more_;
};

// What a hedge has really cost: all that was paid beside what the answer would have cost at the first target alone.
struct HedgeAccount {
  int64_t earned = 0;             // nano-USD: by the call, as expected; 0: none
  int64_t spent = 0;              // on the hedge, as expected; 0: there is none, or its account is settled
  int64_t first = 0, second = 0;  // what the two attempts have cost
};

// What hedges may cost beside the live traffic: each call earns a share of what it is expected to cost, ten times a call at the most is saved up, and a
// hedge spends what it is itself expected to cost; what they really cost takes the place of both when it is known, so that the purse may be in debt.
// Calls without a price, or that cost nothing, earn, and such hedges spend, shares of a call instead.
// Written by every call that may hedge, without locks.
class HedgeShare {
 public:
  // `nano_usd`: what the call, or the hedge, is expected to cost; below 0: no price is known.
  // What came in of money; 0: none.
  int64_t earn(int percent, int64_t nano_usd) noexcept {
    if (nano_usd > 0) return money_.earn(percent, nano_usd);
    calls_.earn(percent, kCall);
    return 0;
  }
  // False: there is not enough.
  bool spend(int64_t nano_usd) noexcept { return (nano_usd <= 0 ? calls_ : money_).spend(nano_usd <= 0 ? kCall : nano_usd); }
  // The truth takes the place of what was expected: `alone` is what the answer costs at the first target. Of calls without a price nothing is to be said.
  void answered(int percent, HedgeAccount& account, int64_t alone) noexcept {
    if (const int64_t earned = std::exchange(account.earned, 0); earned > 0) money_.give(share(percent, alone) - earned);
    settle(account, std::max<int64_t>(0, account.first + account.second - alone));
  }
  void failed(HedgeAccount& account) noexcept { settle(account, account.second); }
  void give_back(int64_t nano_usd) noexcept { (nano_usd <= 0 ? calls_ : money_).give(nano_usd <= 0 ? kCall : nano_usd); }

 private:
  static constexpr int64_t kCall = 100, kSaved = 10;
  static int64_t share(int percent, int64_t amount) noexcept { return amount / 100 * percent + amount % 100 * percent / 100; }
  class Purse {
   public:
    int64_t earn(int percent, int64_t amount) noexcept {
      if (amount >= INT64_MAX / kSaved || credit_.load(std::memory_order_relaxed) >= kSaved * amount) return 0;
      give(share(percent, amount));
      return share(percent, amount);
    }
    bool spend(int64_t amount) noexcept {
      int64_t credit = credit_.load(std::memory_order_relaxed);
      while (credit >= amount) {
        if (credit_.compare_exchange_weak(credit, credit - amount, std::memory_order_relaxed)) return true;
      }
      return false;
    }
    void give(int64_t amount) noexcept { credit_.fetch_add(amount, std::memory_order_relaxed); }

   private:
    std::atomic<int64_t> credit_{0};
  };
  void settle(HedgeAccount& account, int64_t extra) noexcept {
    if (const int64_t spent = std::exchange(account.spent, 0); spent > 0) money_.give(spent - extra);
  }
  Purse money_, calls_;
};

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_RETRY_BUDGET_H_
