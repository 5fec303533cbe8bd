// A call that waits for a limit instead of failing at once.
#include <algorithm>
#include <utility>

#include "core/call_state.h"
#include "llmrouter/route.h"

namespace llmrouter {

// The limit `id` stood in the way; when it will not, as far as anybody knows.
void Call::State::blocked_by(std::string_view id, TimePoint until) {
  if (snap_->config.routing.queue.max_wait <= Duration(0)) return;
  const uint64_t limit = stable_hash(id);
  if (std::find(blocked_by_.begin(), blocked_by_.end(), limit) == blocked_by_.end()) blocked_by_.push_back(limit);
  blocked_until_ = std::min(blocked_until_, until);
}

void Call::State::blocked_by(const Denial& denial) {
  if (denial.never || denial.kind == LimitKind::kBudget) return;
  blocked_by(denial.bucket, denial.retry_after > Duration(0) ? now() + denial.retry_after : TimePoint::max());
}

// What an upstream's own rate limit is called here.
std::string Call::State::limit_of_attempt() const {
  const ProviderConfig& provider = at_->provider->config;
  if (at_->credential >= 0 && provider.credentials.size() > 1) return "credential:" + provider.name + '/' + provider.credentials[static_cast<size_t>(at_->credential)].name;
  return "target:" + provider.name + '/' + std::string(candidates_[at_->current].model);
}

// Who comes while others wait for the same does not go before them.
bool Call::State::must_queue(std::string_view id) const {
  return router_.room.occupied() && !has_turn_ && snap_->config.routing.queue.max_wait > Duration(0) && router_.room.awaited(stable_hash(id));
}

// True: it waits. Not for what is known to come too late.
bool Call::State::wait_for_limit() {
  const QueueConfig& queue = snap_->config.routing.queue;
  if (blocked_by_.empty()) return false;
  if (wait_until_ == TimePoint()) wait_until_ = std::min(now() + queue.max_wait, deadline_);
  const bool timed = blocked_until_ != TimePoint::max();
  if (now() >= wait_until_ || (timed && blocked_until_ > wait_until_)) return false;
  auto ticket = std::make_shared<core::WaitingRoom::Ticket>();
  ticket->reactor = &reactor_;
  if (key_) ticket->key = key_->id;
  ticket->limits = blocked_by_;
  ticket->call = [this] {
    Guard guard(this);
    have_turn();
  };
  if (!router_.room.enter(ticket, static_cast<size_t>(queue.max), has_turn_)) return false;
  if (std::exchange(has_turn_, false)) pass_turn_on(&ticket->limits);
  ticket_ = std::move(ticket);
  later_at(std::max(now(), timed ? blocked_until_ : wait_until_), &State::waited_enough);
  return true;
}

void Call::State::waited_enough() {
  if (now() < wait_until_) {
    // What it waits for should be there. It goes to whose turn it is; that one sees to the rest.
    later_at(wait_until_, &State::waited_enough);
    const auto limits = ticket_->limits;
    for (uint64_t limit : limits) router_.room.wake(limit);
    return;
  }
  leave_room();
  fail(final_error());
}

void Call::State::have_turn() {
  if (ended_ || !ticket_) return;
  turn_limits_ = ticket_->limits;
  has_turn_ = true;
  leave_room();
  blocked_by_.clear();
  blocked_until_ = TimePoint::max();
  skip_error_.reset();
  limited_.erase(std::remove_if(limited_.begin(), limited_.end(), [](const Limited& l) { return l.credential == kNotAsked; }), limited_.end());
  for (core::Candidate& c : candidates_) c.considered = full_ && c.route == resolved_.route;
  order_.next = 0;
  order_.last_resort = false;
  next_attempt();
}

void Call::State::leave_room() {
  if (!ticket_) return;
  reactor_.cancel_timer(std::exchange(step_timer_, 0));
  ticket_->call = nullptr;
  router_.room.leave(ticket_);
  // Somebody else may have counted on this one to see when the limit is gone.
  const auto ticket = std::exchange(ticket_, nullptr);
  if (!has_turn_) {
    for (uint64_t limit : ticket->limits) router_.room.wake(limit);
  }
}

// Whoever had a turn and used it, or could not, lets the next one look whether there is more; but for what he waits for himself again.
void Call::State::pass_turn_on(const std::vector<uint64_t>* but) {
  for (uint64_t limit : std::exchange(turn_limits_, {})) {
    if (but == nullptr || std::find(but->begin(), but->end(), limit) == but->end()) router_.room.wake(limit);
  }
}

// What an attempt held is free: one of those that wait may come.
void Call::State::wake_waiting(const core::Candidate& c, int credential) {
  if (!router_.room.occupied()) return;
  const ProviderConfig& provider = c.provider->config;
  router_.room.wake(stable_hash("provider:" + provider.name));
  if (credential >= 0) router_.room.wake(stable_hash("credential:" + provider.name + '/' + provider.credentials[static_cast<size_t>(credential)].name));
  if (c.route != nullptr) router_.room.wake(stable_hash("model:" + c.route->name));
}

}  // namespace llmrouter
