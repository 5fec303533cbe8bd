// A value that many threads read and few replace.
#ifndef LLMROUTER_STORAGE_PUBLISHED_H_
#define LLMROUTER_STORAGE_PUBLISHED_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace llmrouter::storage {

// A reader names the value it reads in a slot of its own (a hazard pointer, Michael 2004) and works on it in place; a writer frees an old
// value once no slot names it. Readers take no lock and wait for nobody: not for writers, and when all slots are taken not for each other.
template <typename T>
class Published {
 public:
  explicit Published(std::unique_ptr<const T> value) : current_(value.release()) {}
  ~Published() { delete current_.load(); }
  Published(const Published&) = delete;
  Published& operator=(const Published&) = delete;

  // What `f` makes of the value. `f` must not keep a reference to it, and not publish.
  template <typename F>
  auto read(F&& f) const {
    const Pin pin(*this);
    return f(*pin.value);
  }

  // Readers that begin from now on see `value`. Writers wait for each other.
  void publish(std::unique_ptr<const T> value) {
    std::lock_guard<std::mutex> lock(mutex_);
    retired_.reserve(retired_.size() + 1);
    retired_.emplace_back(current_.exchange(value.release()));
    reclaim();
  }

  // Values that are replaced and still read.
  size_t retired() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return retired_.size();
  }

  static constexpr size_t kSlots = 32;

 private:
  struct alignas(64) Slot {
    std::atomic<const T*> names{nullptr};
  };

  struct Pin {
    explicit Pin(const Published& published) : owner(published) {
      value = owner.current_.load();
      slot = owner.claim(value);
      if (slot == nullptr) {
        owner.spilled_.fetch_add(1);
        value = owner.current_.load();
        return;
      }
      // Between reading the pointer and naming it the value may have gone: it has not if it is still the current one.
      for (const T* again = owner.current_.load(); again != value; again = owner.current_.load()) {
        value = again;
        slot->names.store(value);
      }
    }
    ~Pin() {
      if (slot != nullptr) {
        slot->names.store(nullptr, std::memory_order_release);
      } else {
        owner.spilled_.fetch_sub(1, std::memory_order_release);
      }
    }
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;

    const Published& owner;
    const T* value;
    Slot* slot;
  };

  Slot* claim(const T* value) const {
    // Threads have stacks of their own, so the address of a local spreads them over the slots.
    const size_t first = (reinterpret_cast<uintptr_t>(&value) >> 14) % kSlots;
    for (size_t i = 0; i < kSlots; ++i) {
      Slot& slot = slots_[(first + i) % kSlots];
      const T* free = nullptr;
      if (slot.names.load(std::memory_order_relaxed) == nullptr && slot.names.compare_exchange_strong(free, value)) return &slot;
    }
    return nullptr;
  }

  void reclaim() {
    if (spilled_.load() != 0) return;  // somebody reads who has no slot: it may be any of them
    retired_.erase(std::remove_if(retired_.begin(), retired_.end(),
                                  [this](const std::unique_ptr<const T>& old) {
                                    return std::none_of(slots_.begin(), slots_.end(),
                                                        [&](const Slot& slot) { return slot.names.load() == old.get(); });
                                  }),
                   retired_.end());
  }

  std::atomic<const T*> current_;
  mutable std::array<Slot, kSlots> slots_;
  mutable std::atomic<int64_t> spilled_{0};  // readers without a slot
  mutable std::mutex mutex_;                 // writers
  std::vector<std::unique_ptr<const T>> retired_;
};

}  // namespace llmrouter::storage

#endif  // LLMROUTER_STORAGE_PUBLISHED_H_
