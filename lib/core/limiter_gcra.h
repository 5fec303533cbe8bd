// One rate limit: the generic cell rate algorithm in one atomic number.
#ifndef LLMROUTER_CORE_LIMITER_GCRA_H_
#define LLMROUTER_CORE_LIMITER_GCRA_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "llmrouter/limits.h"

namespace llmrouter::core {

// Limiter time: sixteenths of a nanosecond since the limiter was made, so that the cost of a token at tens of millions per second is
// still precise. They last nine years.
using Ticks = int64_t;
constexpr int64_t kTicksPerNano = 16;
constexpr Ticks kFarTicks = Ticks{1} << 60;  // longest bucket and deepest debt, about two years

// a * b for a, b >= 0, at most kFarTicks.
inline Ticks times(int64_t a, int64_t b) noexcept {
  int64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? kFarTicks : std::min(product, kFarTicks);
}

// A Rate in ticks.
struct GcraRate {
  Ticks cost = 1;      // of one unit, rounded up: never a grant too many
  int64_t burst = 0;   // units
  Ticks window = 0;    // cost of a whole burst

  GcraRate() = default;
  explicit GcraRate(const Rate& rate) noexcept {
    const int64_t count = std::max<int64_t>(rate.count, 0);
    const Ticks per = times(std::max<int64_t>(rate.per.count(), 1), kTicksPerNano);
    cost = count == 0 ? kFarTicks : std::max<Ticks>(1, per / count + (per % count != 0));
    burst = std::min(count == 0 ? 0 : rate.burst > 0 ? rate.burst : count, kFarTicks / cost);
    window = burst * cost;
  }
};

// The bucket is empty of use at `full_at_`; what lies between now and then is the backlog. Wait-free but for the retry of a lost
// compare-and-swap. Relaxed order everywhere: nothing else is published by this number.
class Gcra {
 public:
  Ticks backlog(Ticks now) const noexcept { return std::max<Ticks>(0, full_at_.load(std::memory_order_relaxed) - now); }

  // Ticks to wait until `units` fit; 0: they fit now.
  Ticks wait(const GcraRate& rate, Ticks now, int64_t units) const noexcept {
    return std::max<Ticks>(0, backlog(now) + times(units, rate.cost) - rate.window);
  }

  // As wait(), and takes them when it answers 0.
  Ticks take(const GcraRate& rate, Ticks now, int64_t units) noexcept {
    const Ticks cost = times(units, rate.cost);
    Ticks full_at = full_at_.load(std::memory_order_relaxed);
    for (;;) {
      const Ticks next = std::max(full_at, now) + cost;
      if (next - now > rate.window) return next - now - rate.window;
      if (full_at_.compare_exchange_weak(full_at, next, std::memory_order_relaxed)) return 0;
    }
  }

  // Takes them whether they fit or not.
  void charge(const GcraRate& rate, Ticks now, int64_t units) noexcept {
    const Ticks cost = times(units, rate.cost);
    Ticks full_at = full_at_.load(std::memory_order_relaxed);
    while (!full_at_.compare_exchange_weak(full_at, std::max(full_at, now) + std::min(cost, debt_room(full_at, now)),
                                           std::memory_order_relaxed)) {
    }
  }

  void give_back(Ticks ticks) noexcept { full_at_.fetch_sub(ticks, std::memory_order_relaxed); }

  // Gives `units` back that were taken at `since`, less the time gone by: had they never been taken, the bucket could have been full and its
  // refill lost. So the bound of the rate holds for what is left in any window whatever.
  void undo(const GcraRate& rate, Ticks since, Ticks now, int64_t units) noexcept {
    give_back(std::max<Ticks>(0, times(units, rate.cost) - std::max<Ticks>(0, now - since)));
  }

  // The same number of units used under another rate, at most a whole burst.
  void convert(const GcraRate& from, const GcraRate& to, Ticks now) noexcept {
    Ticks full_at = full_at_.load(std::memory_order_relaxed);
    for (;;) {
      const Ticks old = std::max<Ticks>(0, full_at - now);
      const Ticks used = times(old / from.cost, to.cost) + static_cast<Ticks>(static_cast<__int128>(old % from.cost) * to.cost / from.cost);
      if (full_at_.compare_exchange_weak(full_at, now + std::min(used, to.window), std::memory_order_relaxed)) return;
    }
  }

  void clear() noexcept { full_at_.store(0, std::memory_order_relaxed); }

 private:
  static Ticks debt_room(Ticks full_at, Ticks now) noexcept { return std::max<Ticks>(0, kFarTicks - (std::max(full_at, now) - now)); }

  std::atomic<Ticks> full_at_{0};
};

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_LIMITER_GCRA_H_
