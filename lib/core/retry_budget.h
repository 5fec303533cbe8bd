// How many retries all calls of a process may make together, so that they cannot multiply an outage.
//
// In any 10 s: retries <= 100 + share * first attempts. The idea, its 10 s and its floor of 10 retries a second (low traffic must be able to retry) are
// those of Finagle's RetryBudget. Written by every call, without locks.
#ifndef LLMROUTER_CORE_RETRY_BUDGET_H_
#define LLMROUTER_CORE_RETRY_BUDGET_H_

#include <atomic>
#include <cstdint>

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

// What hedges may cost beside the live traffic: each call earns a share of one, ten at the most are saved up.
class HedgeShare {
 public:
  void earn(int percent) noexcept {
    if (credit_.load(std::memory_order_relaxed) < 10 * kOne) credit_.fetch_add(percent, std::memory_order_relaxed);
  }
  bool spend() noexcept {
    int64_t credit = credit_.load(std::memory_order_relaxed);
    while (credit >= kOne) {
      if (credit_.compare_exchange_weak(credit, credit - kOne, std::memory_order_relaxed)) return true;
    }
    return false;
  }
  void give_back() noexcept { credit_.fetch_add(kOne, std::memory_order_relaxed); }

 private:
  static constexpr int64_t kOne = 100;  // percent of a call
  std::atomic<int64_t> credit_{0};
};

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_RETRY_BUDGET_H_
