#include "net/timer_queue.h"

#include <algorithm>
#include <utility>

namespace llmrouter::net {

namespace {
constexpr size_t kWays = 4;
}  // namespace

TimerQueue::Id TimerQueue::add(TimePoint when, std::function<void()> fn) {
  heap_.reserve(heap_.size() + 1 > heap_.capacity() ? heap_.capacity() * 2 + 16 : heap_.capacity());
  if (free_ == kNoSlot) {
    slots_.emplace_back();
    slots_.back().place = kNoSlot;
    free_ = static_cast<uint32_t>(slots_.size() - 1);
  }
  const uint32_t index = free_;
  Slot& slot = slots_[index];
  free_ = slot.place;
  slot.fn = std::move(fn);
  heap_.push_back({});
  sift_up(heap_.size() - 1, {when, next_order_++, index});
  return (uint64_t{slot.generation} << 32) | index;
}

void TimerQueue::cancel(Id id) noexcept {
  const auto index = static_cast<uint32_t>(id);
  if (index >= slots_.size() || slots_[index].generation != static_cast<uint32_t>(id >> 32)) return;
  // The closure goes when the queue is whole again: its destructor may come back here.
  const std::function<void()> gone = remove(slots_[index].place);
}

std::optional<TimePoint> TimerQueue::next() const noexcept {
  if (heap_.empty()) return std::nullopt;
  return heap_.front().when;
}

std::function<void()> TimerQueue::take_due(TimePoint now, uint64_t mark) {
  if (heap_.empty() || heap_.front().when > now || heap_.front().order >= mark) return {};
  return remove(0);
}

void TimerQueue::put(size_t place, const Entry& entry) noexcept {
  heap_[place] = entry;
  slots_[entry.slot].place = static_cast<uint32_t>(place);
}

void TimerQueue::sift_up(size_t place, Entry entry) noexcept {
  while (place > 0) {
    const size_t parent = (place - 1) / kWays;
    if (!before(entry, heap_[parent])) break;
    put(place, heap_[parent]);
    place = parent;
  }
  put(place, entry);
}

void TimerQueue::sift_down(size_t place, Entry entry) noexcept {
  const size_t size = heap_.size();
  for (;;) {
    const size_t first = place * kWays + 1;
    if (first >= size) break;
    size_t least = first;
    for (size_t child = first + 1; child < std::min(first + kWays, size); ++child) {
      if (before(heap_[child], heap_[least])) least = child;
    }
    if (!before(heap_[least], entry)) break;
    put(place, heap_[least]);
    place = least;
  }
  put(place, entry);
}

std::function<void()> TimerQueue::remove(size_t place) noexcept {
  const uint32_t index = heap_[place].slot;
  const Entry last = heap_.back();
  heap_.pop_back();
  if (place < heap_.size()) {
    if (place > 0 && before(last, heap_[(place - 1) / kWays])) {
      sift_up(place, last);
    } else {
      sift_down(place, last);
    }
  }
  Slot& slot = slots_[index];
  std::function<void()> fn = std::move(slot.fn);
  slot.fn = nullptr;
  if (++slot.generation == 0) slot.generation = 1;
  slot.place = free_;
  free_ = index;
  return fn;
}

}  // namespace llmrouter::net
