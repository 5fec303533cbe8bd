#include "core/waiting_room.h"

#include <algorithm>

namespace llmrouter::core {

bool WaitingRoom::enter(const std::shared_ptr<Ticket>& ticket, size_t most, bool first) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (count_.load(std::memory_order_relaxed) >= most) return false;
  auto line = std::find_if(lines_.begin(), lines_.end(), [&](const Line& l) { return l.key == ticket->key; });
  if (line == lines_.end()) line = lines_.insert(lines_.end(), Line{ticket->key, {}});
  if (first) {
    line->tickets.push_front(ticket);
    turn_ = static_cast<size_t>(line - lines_.begin());  // its turn was of no use: it keeps it
  } else {
    line->tickets.push_back(ticket);
  }
  for (uint64_t limit : ticket->limits) ++awaited_[limit];
  count_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void WaitingRoom::leave(const std::shared_ptr<Ticket>& ticket) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (size_t i = 0; i < lines_.size(); ++i) {
    auto& tickets = lines_[i].tickets;
    const auto found = std::find(tickets.begin(), tickets.end(), ticket);
    if (found == tickets.end()) continue;
    tickets.erase(found);
    if (tickets.empty()) {
      lines_.erase(lines_.begin() + static_cast<std::ptrdiff_t>(i));
      if (turn_ > i) --turn_;
    }
    for (uint64_t limit : ticket->limits) {
      if (const auto at = awaited_.find(limit); --at->second == 0) awaited_.erase(at);
    }
    count_.fetch_sub(1, std::memory_order_relaxed);
    return;
  }
}

bool WaitingRoom::awaited(uint64_t limit) const {
  std::lock_guard<std::mutex> lock(mutex_);
  return awaited_.count(limit) != 0;
}

void WaitingRoom::wake(uint64_t limit) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (size_t step = 0; step < lines_.size(); ++step) {
    const size_t i = (turn_ + step) % lines_.size();
    for (const auto& ticket : lines_[i].tickets) {
      const auto& limits = ticket->limits;
      if (ticket->woken || std::find(limits.begin(), limits.end(), limit) == limits.end()) continue;
      ticket->woken = true;
      turn_ = i + 1;
      // Under the lock, so that who has left is never posted to: its reactor may be gone.
      ticket->reactor->post([ticket] {
        if (ticket->call) ticket->call();
      });
      return;
    }
  }
}

}  // namespace llmrouter::core
