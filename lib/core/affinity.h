// Which target served what belongs together, for as long as the provider's prompt cache is warm.
#ifndef LLMROUTER_CORE_AFFINITY_H_
#define LLMROUTER_CORE_AFFINITY_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "llmrouter/clock.h"

namespace llmrouter::core {

// A cache of fixed size: sets of four entries, the one that ends soonest makes room. Words are written one by one without a lock; a reader that sees
// two writers' halves gets a target that is not the model's, which it ignores, or another one that serves the model.
class AffinityTable {
 public:
  AffinityTable() : entries_(std::make_unique<Entry[]>(kSets * kWays)) {}

  // 0: none, or its time is over.
  uint64_t find(uint64_t affinity, TimePoint now) const noexcept {
    const Entry* set = &entries_[affinity % kSets * kWays];
    for (size_t i = 0; i < kWays; ++i) {
      if (set[i].affinity.load(std::memory_order_relaxed) != affinity) continue;
      return set[i].until.load(std::memory_order_relaxed) > now.time_since_epoch().count() ? set[i].target.load(std::memory_order_relaxed) : 0;
    }
    return 0;
  }

  void put(uint64_t affinity, uint64_t target, TimePoint until) noexcept {
    Entry* set = &entries_[affinity % kSets * kWays];
    Entry* slot = set;
    for (size_t i = 0; i < kWays; ++i) {
      if (set[i].affinity.load(std::memory_order_relaxed) == affinity) {
        slot = &set[i];
        break;
      }
      if (set[i].until.load(std::memory_order_relaxed) < slot->until.load(std::memory_order_relaxed)) slot = &set[i];
    }
    slot->affinity.store(affinity, std::memory_order_relaxed);
    slot->target.store(target, std::memory_order_relaxed);
    slot->until.store(until.time_since_epoch().count(), std::memory_order_relaxed);
  }

 private:
  static constexpr size_t kSets = 16384, kWays = 4;  // 1.5 MiB
  struct Entry {
    std::atomic<uint64_t> affinity{0};
    std::atomic<uint64_t> target{0};
    std::atomic<int64_t> until{0};
  };
  std::unique_ptr<Entry[]> entries_;
};

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_AFFINITY_H_
