// Where calls wait for a limit: bounded, fair between keys. Whoever lets something go wakes one of those that wait for it: the keys take turns, and of one
// key's calls the first that came. Thread-safe; nobody takes its lock while nobody waits.
#ifndef LLMROUTER_CORE_WAITING_ROOM_H_
#define LLMROUTER_CORE_WAITING_ROOM_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "llmrouter/reactor.h"

namespace llmrouter::core {

class WaitingRoom {
 public:
  struct Ticket {
    Reactor* reactor = nullptr;
    std::string key;                    // whose turn it takes; empty: of nobody
    std::vector<uint64_t> limits;       // what it waits for
    std::function<void()> call;         // runs on the reactor's thread when it is its turn; reactor's thread only, emptied by who leaves
    bool woken = false;                 // under the room's lock
  };

  bool occupied() const noexcept { return count_.load(std::memory_order_relaxed) != 0; }
  size_t size() const noexcept { return count_.load(std::memory_order_relaxed); }
  // False: `most` wait already. `first`: before the others of its key, as one that was woken in vain.
  bool enter(const std::shared_ptr<Ticket>& ticket, size_t most, bool first);
  void leave(const std::shared_ptr<Ticket>& ticket);
  bool awaited(uint64_t limit) const;   // does anybody wait for it?
  // One of those that wait for it, and were not woken yet, has its turn.
  void wake(uint64_t limit);

 private:
  struct Line {
    std::string key;
    std::deque<std::shared_ptr<Ticket>> tickets;
  };
  mutable std::mutex mutex_;
  std::vector<Line> lines_;  // of each key that waits
  size_t turn_ = 0;          // whose turn it is
  std::unordered_map<uint64_t, size_t> awaited_;
  std::atomic<size_t> count_{0};
};

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_WAITING_ROOM_H_
