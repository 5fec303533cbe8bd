// Many threads put in, one takes everything out.
#ifndef LLMROUTER_STORAGE_INBOX_H_
#define LLMROUTER_STORAGE_INBOX_H_

#include <atomic>
#include <new>
#include <utility>

namespace llmrouter::storage {

// A lock-free stack that is emptied at once and turned round, so that it is a queue. There is no pop of a single item and so no ABA problem.
template <typename T>
class Inbox {
 public:
  Inbox() = default;
  ~Inbox() {
    drain([](T&&) {});
  }
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  // Any thread. False: no memory, the item is lost.
  bool put(T&& item) noexcept {
    Node* node = new (std::nothrow) Node{std::move(item), nullptr};
    if (node == nullptr) return false;
    node->next = head_.load(std::memory_order_relaxed);
    while (!head_.compare_exchange_weak(node->next, node, std::memory_order_release, std::memory_order_relaxed)) {
    }
    return true;
  }

  // Calls `f(T&&)` for all that is in, oldest first. Any thread, but who wants one order drains from one at a time.
  template <typename F>
  void drain(F&& f) {
    Node* newest = head_.exchange(nullptr, std::memory_order_acquire);
    Node* oldest = nullptr;
    while (newest != nullptr) {
      Node* next = newest->next;
      newest->next = oldest;
      oldest = newest;
      newest = next;
    }
    while (oldest != nullptr) {
      Node* node = oldest;
      oldest = oldest->next;
      f(std::move(node->item));
      delete node;
    }
  }

 private:
  struct Node {
    T item;
    Node* next;
  };
  std::atomic<Node*> head_{nullptr};
};

}  // namespace llmrouter::storage

#endif  // LLMROUTER_STORAGE_INBOX_H_
