// Timers in the order they are due: an indexed 4-ary heap over slots that are used again, so that adding and cancelling cost no
// allocation of ours and a cancelled closure goes at once.
#ifndef LLMROUTER_NET_TIMER_QUEUE_H_
#define LLMROUTER_NET_TIMER_QUEUE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "llmrouter/clock.h"

namespace llmrouter::net {

// Not thread-safe.
class TimerQueue {
 public:
  using Id = uint64_t;  // never 0; an id is not used again before its slot went round 2^32 times

  Id add(TimePoint when, std::function<void()> fn);
  void cancel(Id id) noexcept;  // unknown and spent ids are ignored

  bool empty() const noexcept { return heap_.empty(); }
  size_t size() const noexcept { return heap_.size(); }
  std::optional<TimePoint> next() const noexcept;

  // Timers added from now on carry a mark of at least this.
  uint64_t mark() const noexcept { return next_order_; }
  // Takes out the earliest timer when it is due at `now` and was added before `mark`; an empty function when there is none.
  std::function<void()> take_due(TimePoint now, uint64_t mark);

 private:
  struct Entry {
    TimePoint when;
    uint64_t order;  // of equal times, the older first
    uint32_t slot;
  };
  struct Slot {
    std::function<void()> fn;
    uint32_t generation = 1;
    uint32_t place = 0;  // in the heap while in use, else the next free slot
  };
  static constexpr uint32_t kNoSlot = ~uint32_t{0};

  static bool before(const Entry& a, const Entry& b) noexcept {
    return a.when != b.when ? a.when < b.when : a.order < b.order;
  }
  void put(size_t place, const Entry& entry) noexcept;
  void sift_up(size_t place, Entry entry) noexcept;
  void sift_down(size_t place, Entry entry) noexcept;
  std::function<void()> remove(size_t place) noexcept;

  std::vector<Entry> heap_;
  std::vector<Slot> slots_;
  uint32_t free_ = kNoSlot;
  uint64_t next_order_ = 0;
};

}  // namespace llmrouter::net

#endif  // LLMROUTER_NET_TIMER_QUEUE_H_
