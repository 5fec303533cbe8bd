// How targets are doing, by the name of their model.
#ifndef LLMROUTER_CORE_NAMED_STATES_H_
#define LLMROUTER_CORE_NAMED_STATES_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/health.h"
#include "llmrouter/target_stats.h"

namespace llmrouter::core {

// How much more input a target counts than the bytes of a request can be: prompts that its provider puts before it, pictures behind addresses. One token is
// a byte of text at least, and four bytes are what an estimated token stands for; what is counted beyond that is kept at its peak, of which each later answer
// takes away a 32nd of the difference. Lock-free; of two at once one may be lost.
class UnseenInput {
 public:
  static constexpr int64_t kBeforeAny = 4096;             // tokens: nobody has counted yet
  static constexpr int64_t kMost = int64_t{1} << 20;      // what a provider says is believed up to here
  // The most that a request of so many estimated tokens is taken for.
  int64_t bound(int64_t estimated) const noexcept {
    const int64_t known = word_.load(std::memory_order_relaxed);
    return in_bytes(estimated) + (known == 0 ? kBeforeAny : known - 1);
  }
  void counted(int64_t estimated, int64_t truth) noexcept {
    const int64_t beyond = std::clamp<int64_t>(truth - in_bytes(estimated), 0, kMost), known = word_.load(std::memory_order_relaxed);
    const int64_t peak = known - 1;
    word_.store(1 + (known == 0 || beyond >= peak ? beyond : peak - (peak - beyond + 31) / 32), std::memory_order_relaxed);
  }

 private:
  static int64_t in_bytes(int64_t estimated) noexcept { return 4 * std::min(std::max<int64_t>(0, estimated), int64_t{1} << 50); }
  std::atomic<int64_t> word_{0};  // the peak and one; 0: nobody has counted
};

// A target as all snapshots know it. A decision reads one line of the cache for each of the two; what is written of one target disturbs no other.
struct alignas(64) TargetState {
  TargetHealth health;
  alignas(64) TargetStats stats;
  UnseenInput unseen_input;
};

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
// directly. The latter come from strangers, so their number, their length and the work of a lookup are bounded: beyond, they share one state.
// A name comes in when something is to be remembered of it, and stays as long as this object: decisions and calls hold what they found without a lock or a
// count, so that nothing could tell when a place is free again. Thread-safe; nobody waits for a lock.
class NamedStates {
 public:
  static constexpr size_t kMost = 4096;
  static constexpr size_t kLongest = 256;  // bytes
  // The mean is two in a chain; many more are there on purpose.
  static constexpr size_t kChains = 2048, kDeepest = 16;

  NamedStates() = default;
  ~NamedStates();
  NamedStates(const NamedStates&) = delete;
  NamedStates& operator=(const NamedStates&) = delete;

  // Null: nothing is remembered of it. Else valid as long as this object, and the same one each time.
  TargetState* find(const PiecedName& name) noexcept;
  TargetState& enter(std::string_view name);
  // Of a name of the configuration: it has a state of its own beyond all bounds.
  TargetState& keep(std::string_view name);
  // Of those that found no place.
  TargetState& shared() noexcept { return shared_; }
  static uint64_t hash(const PiecedName& name) noexcept;  // its rest by kChains is the name's chain
  size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }  // without kept ones

 private:
  struct Node {
    std::string name;
    uint64_t hash;
    Node* next;  // was there before; neither changes nor goes
    bool kept = false;
    TargetState state;
  };
  struct Found {
    TargetState* state;
    bool room;  // there is a place in the chain for another
  };
  static Found look(Node* chain, const PiecedName& name, uint64_t hash) noexcept;
  std::atomic<Node*>& chain(uint64_t hash) noexcept { return chains_[hash % kChains]; }

  std::atomic<Node*> chains_[kChains] = {};
  std::atomic<size_t> size_{0};
  std::atomic<size_t> longest_{kLongest};  // of the names that are here
  TargetState shared_;
};

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_NAMED_STATES_H_
