// How targets are doing, by the name of their model.
#ifndef LLMROUTER_CORE_NAMED_STATES_H_
#define LLMROUTER_CORE_NAMED_STATES_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "core/health.h"
#include "llmrouter/target_stats.h"

namespace llmrouter::core {

// How much more input a target counts than the bytes of a request can be: prompts that its provider puts before it, pictures behind addresses. One token is
// a byte of text at least, and four bytes are what an estimated token stands for; what is counted beyond that is kept at its peak, of which each later answer
// takes away a 32nd of the difference, and each half minute a half: one request with much in it does not hold up those of others for long. Lock-free; of two
// at once one may be lost.
class UnseenInput {
 public:
  static constexpr int64_t kBeforeAny = 4096;             // tokens: nobody has counted yet
  static constexpr int64_t kMost = int64_t{1} << 20;      // what a provider says is believed up to here
  static constexpr int64_t kHalf = 30;                    // seconds
  // The most that a request of so many estimated tokens is taken for.
  int64_t bound(int64_t estimated, WallTime now) const noexcept {
    const uint64_t word = word_.load(std::memory_order_relaxed);
    return in_bytes(estimated) + (word == 0 ? kBeforeAny : at(word, seconds(now)).peak);
  }
  void forget() noexcept { word_.store(0, std::memory_order_relaxed); }
  void counted(int64_t estimated, int64_t truth, WallTime now) noexcept {
    const int64_t beyond = std::clamp<int64_t>(truth - in_bytes(estimated), 0, kMost), t = seconds(now);
    const uint64_t word = word_.load(std::memory_order_relaxed);
    const Peak known = at(word, t);
    if (word == 0 || beyond >= known.peak) return store({beyond, t});
    store({known.peak - (known.peak - beyond + 31) / 32, known.since});
  }

 private:
  struct Peak {
    int64_t peak;   // tokens
    int64_t since;  // Unix seconds of its last half; begun ones count on
  };
  static constexpr int kPeakBits = 24;
  static int64_t in_bytes(int64_t estimated) noexcept { return 4 * std::min(std::max<int64_t>(0, estimated), int64_t{1} << 50); }
  static int64_t seconds(WallTime t) noexcept { return std::max<int64_t>(1, std::chrono::duration_cast<std::chrono::seconds>(t.time_since_epoch()).count()); }
  static Peak at(uint64_t word, int64_t now) noexcept {
    const auto peak = static_cast<int64_t>(word & ((uint64_t{1} << kPeakBits) - 1)), since = static_cast<int64_t>(word >> kPeakBits);
    const int64_t halves = std::clamp<int64_t>((now - since) / kHalf, 0, kPeakBits);
    return {peak >> halves, halves == kPeakBits ? now : since + halves * kHalf};
  }
  void store(Peak p) noexcept { word_.store(static_cast<uint64_t>(p.since) << kPeakBits | static_cast<uint64_t>(p.peak), std::memory_order_relaxed); }
  std::atomic<uint64_t> word_{0};  // 0: nobody has counted
};

// A target as all snapshots know it. A decision reads one line of the cache for each of the two; what is written of one target disturbs no other.
struct alignas(64) TargetState {
  TargetHealth health;
  std::atomic<int64_t> used{0};  // when, last; of names that only callers know
  alignas(64) TargetStats stats;
  UnseenInput unseen_input;

  // Whoever holds it has an attempt in flight there, or had one just now.
  void touch(TimePoint now) noexcept { used.store(now.time_since_epoch().count(), std::memory_order_relaxed); }
};
static_assert(sizeof(TargetState) % 64 == 0 && sizeof(TargetHealth) + sizeof(std::atomic<int64_t>) <= 64);

// Of a target that nothing is remembered of.
inline const TargetState kNothingKnown{};

// A name in pieces, as a star is replaced: nothing is joined to look it up.
struct PiecedName {
  PiecedName(std::string_view whole) : head(whole) {}  // NOLINT(google-explicit-constructor)
  PiecedName(std::string_view pattern, size_t star, std::string_view meant)
      : head(pattern.substr(0, star)), middle(meant), tail(pattern.substr(star + 1)) {}
  std::string_view head, middle, tail;
};

// The models of one provider, each with one state whatever name led to it: those that a configuration names, what a star stands for, and what callers name
// directly. The latter come from strangers, so their number, their length and the work of a lookup are bounded.
//
// A name comes in when something is to be remembered of it. When its chain or the table is full it takes the place of the name of its chain that was used
// longest ago, if that was kIdle ago, has nothing in flight and does not rest; where there is none, it shares one state with all that found no place.
// Decisions and calls hold what they found without a lock or a count: a state is never freed, and whose it was may find another's figures there once it has
// not used it for kIdle. Before each attempt it enters again. Thread-safe; only who brings in a new name takes a lock.
class NamedStates {
 public:
  static constexpr size_t kMost = 4096;
  static constexpr size_t kLongest = 256;  // bytes
  // The mean is eight in a chain, so that hardly any is without somebody to take a place from; three times as many are there on purpose.
  static constexpr size_t kChains = 512, kDeepest = 24;
  static constexpr Duration kIdle = std::chrono::minutes(10);

  NamedStates() = default;
  ~NamedStates();
  NamedStates(const NamedStates&) = delete;
  NamedStates& operator=(const NamedStates&) = delete;

  // Null: nothing is remembered of it.
  TargetState* find(const PiecedName& name, TimePoint now) noexcept;
  // Nobody takes its place until kIdle after `now`.
  TargetState& enter(std::string_view name, TimePoint now);
  // Of a name of the configuration: it has a state of its own beyond all bounds, valid and its own as long as this object.
  TargetState& keep(std::string_view name);
  // Of those that found no place.
  TargetState& shared() noexcept { return shared_; }
  static uint64_t hash(const PiecedName& name) noexcept;  // its rest by kChains is the name's chain
  size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }  // without kept ones

 private:
  struct Node;
  struct Place {
    bool fresh = false;      // the chain takes another
    Node* oldest = nullptr;  // of those that may go
  };
  static Node* look(Node* chain, const PiecedName& name, uint64_t hash) noexcept;
  static bool may_go(const Node& node, TimePoint now) noexcept;
  Place place_in(Node* chain, TimePoint now) const noexcept;
  TargetState* use(Node& node, const PiecedName& name, uint64_t hash, TimePoint now) noexcept;
  TargetState& bring_in(std::string_view name, uint64_t hash, TimePoint now);
  std::atomic<Node*>& chain(uint64_t hash) noexcept { return chains_[hash % kChains]; }

  std::atomic<Node*> chains_[kChains] = {};
  std::atomic<size_t> size_{0};
  std::atomic<size_t> longest_{kLongest};  // of the names that are here
  std::mutex mutex_;  // of those that bring in a name
  TargetState shared_;
};

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_NAMED_STATES_H_
