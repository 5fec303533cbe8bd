// A value that many threads read and few replace.
#ifndef LLMROUTER_CORE_PUBLISHED_H_
#define LLMROUTER_CORE_PUBLISHED_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

namespace llmrouter::core {

// Readers take no lock: they announce in a slot which node they are about to copy (a hazard pointer, Michael 2004), and a writer frees
// the old node only when no slot names it. (GCC 12's std::atomic<std::shared_ptr> spins on a bit and is not clean under
// ThreadSanitizer.)
template <typename T>
class Published {
 public:
  explicit Published(std::shared_ptr<const T> value = nullptr) : current_(new Node{std::move(value)}) {}
  ~Published() { delete current_.load(); }
  Published(const Published&) = delete;
  Published& operator=(const Published&) = delete;

  std::shared_ptr<const T> load() const {
    const Node* node = current_.load();
    std::atomic<const Node*>& slot = claim(node);
    for (const Node* again = current_.load(); again != node; again = current_.load()) {
      node = again;
      slot.store(node);
    }
    std::shared_ptr<const T> copy = node->value;
    slot.store(nullptr, std::memory_order_release);
    return copy;
  }

  void store(std::shared_ptr<const T> value) {
    auto* fresh = new Node{std::move(value)};
    std::lock_guard<std::mutex> lock(writers_);
    const Node* old = current_.exchange(fresh);
    for (Slot& slot : slots_) {
      while (slot.held.load() == old) std::this_thread::yield();  // a reader is copying: nanoseconds
    }
    delete old;
  }

 private:
  struct Node {
    std::shared_ptr<const T> value;
  };
  struct alignas(64) Slot {
    std::atomic<const Node*> held{nullptr};
  };
  static constexpr size_t kSlots = 32;

  std::atomic<const Node*>& claim(const Node* node) const {
    // Threads have stacks of their own, so the address of a local spreads them over the slots.
    size_t i = (reinterpret_cast<uintptr_t>(&node) >> 14) % kSlots;
    for (;; i = (i + 1) % kSlots) {
      const Node* free = nullptr;
      if (slots_[i].held.compare_exchange_strong(free, node)) return slots_[i].held;
    }
  }

  std::atomic<const Node*> current_;
  mutable Slot slots_[kSlots];
  std::mutex writers_;
};

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_PUBLISHED_H_
