// Counters that outlive a reload. Written with relaxed atomics from every call; read by metrics and by the provider overview.
#ifndef LLMROUTER_CORE_STATS_H_
#define LLMROUTER_CORE_STATS_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/health.h"
#include "core/named_states.h"
#include "core/published.h"
#include "llmrouter/usage.h"

namespace llmrouter::core {

// A cumulative histogram with fixed bounds, in milliseconds.
class Histogram {
 public:
  static constexpr int64_t kBounds[] = {5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000};
  static constexpr int kCount = sizeof(kBounds) / sizeof(kBounds[0]);
  void add(int64_t ms) noexcept {
    int i = 0;
    while (i < kCount && ms > kBounds[i]) ++i;
    buckets_[i].fetch_add(1, std::memory_order_relaxed);
    sum_ms_.fetch_add(ms, std::memory_order_relaxed);
  }
  uint64_t bucket(int i) const noexcept { return buckets_[i].load(std::memory_order_relaxed); }  // i == kCount: above all bounds
  int64_t sum_ms() const noexcept { return sum_ms_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> buckets_[kCount + 1] = {};
  std::atomic<int64_t> sum_ms_{0};
};

// One provider, over all snapshots that name it.
struct ProviderShared {
  std::string name;
  std::atomic<int64_t> in_flight{0};
  std::atomic<uint64_t> attempts{0};
  std::atomic<uint64_t> failures{0};
  std::atomic<uint64_t> crowded{0};   // attempts at models whose names share one state
  std::atomic<uint64_t> probes{0}, failed_probes{0};  // no attempts of calls
  std::atomic<uint64_t> input_tokens{0};
  std::atomic<uint64_t> output_tokens{0};
  std::atomic<uint64_t> cost_nano_usd{0};
  std::atomic<uint64_t> rotation{0};  // whose turn it is in the credential pool
  TargetHealth reach;                 // of the provider itself: whether it answers at all, be it with an error
  Published<std::vector<std::string>> models;  // null: never fetched
  std::atomic<int> list_questions{0};    // on their way
  std::atomic<bool> listed{false};       // it has answered one of them
  NamedStates named;                  // its models

  void set_last_error(std::string text) {
    std::lock_guard<std::mutex> lock(mutex_);
    last_error_ = std::move(text);
  }
  std::string last_error() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return last_error_;
  }

  // Why its list of models could not be fetched when it was last asked; empty: it could. Gives what it was before.
  std::string set_list_error(std::string text) {
    std::lock_guard<std::mutex> lock(mutex_);
    list_error_.swap(text);
    return text;
  }
  std::string list_error() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return list_error_;
  }

 private:
  mutable std::mutex mutex_;  // of the errors' texts: failures, lists and overviews only
  std::string last_error_, list_error_;
};

// Names that were met, to say something once of each. Lock-free, and of no more than kMost: beyond, or where many fall together, it is quiet.
class MetNames {
 public:
  // True: it is the first time.
  bool meet(uint64_t hash) noexcept {
    hash += hash == 0;
    for (uint64_t i = 0; i < kProbes; ++i) {
      std::atomic<uint64_t>& place = places_[(hash + i) % kMost];
      uint64_t there = place.load(std::memory_order_relaxed);
      if (there == 0 && place.compare_exchange_strong(there, hash, std::memory_order_relaxed)) return true;
      if (there == hash) return false;
    }
    return false;
  }

 private:
  static constexpr uint64_t kMost = 256, kProbes = 16;
  std::atomic<uint64_t> places_[kMost] = {};
};

struct CallCounters {
  std::atomic<uint64_t> by_status[5] = {};  // CallStatus
  std::atomic<int64_t> in_flight{0};
  std::atomic<uint64_t> retries{0};
  std::atomic<uint64_t> retries_refused{0};  // by the retry budget
  std::atomic<uint64_t> hedges{0};
  // Answers that broke off while routing.continue_on let others go on: somebody did, all their tokens were told, nobody did.
  std::atomic<uint64_t> continued{0}, cut_at_length{0}, not_continued{0};
  std::atomic<uint64_t> unpriced{0};  // attempts that a budget should have paid for, at models without a price
  MetNames unpriced_models;
  Histogram latency;
  Histogram first_token;
  void count(CallStatus status) noexcept { by_status[static_cast<int>(status)].fetch_add(1, std::memory_order_relaxed); }
};

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_STATS_H_
