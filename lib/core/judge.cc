// What health says of an attempt before it, and what an attempt says of health.
#include <utility>

#include "core/call_state.h"

namespace llmrouter {

using core::Candidate;

// What the target's health says against it. A probe is taken here: whoever comes meanwhile asks this target last.
bool Call::State::passed_over(Candidate& c) {
  const TimePoint t = now();
  at_->credential = -1;
  c.look_again(t);
  if (c.health().limited_until() > t) {
    Error why(ErrorCode::kUpstreamRateLimited, "provider " + at_->provider->config.name + ": rate limited, and said when to come back: in " +
                                                     std::to_string(std::chrono::ceil<std::chrono::seconds>(c.health().limited_until() - t).count()) + " s");
    why.retry_after = std::chrono::ceil<std::chrono::milliseconds>(c.health().limited_until() - t);
    blocked_by(limit_of_attempt(), c.health().limited_until());
    skip(c, std::move(why));
    return true;
  }
  at_->probe = c.take_probe(t);
  if (at_->probe || order_.last_resort || c.reason == StepReason::kCoolingDown || !c.health().resting(t)) return false;
  c.reason = StepReason::kCoolingDown;
  c.considered = false;
  return true;
}

void Call::State::let_probes_go() {
  if (std::exchange(at_->probe, false)) candidates_[at_->current].state->health.let_go();
  if (std::exchange(at_->key_probe, false)) at_->provider->credentials[static_cast<size_t>(at_->credential)].health->let_go();
}

// All calls of the process together; the first attempt of a call is live traffic, what follows is not.
bool Call::State::may_retry() {
  const int percent = snap_->config.routing.retry_budget;
  if (percent < 0) return true;
  if (attempts_ == 0) {
    router_.retries.first_attempt(now());
    return true;
  }
  if (std::exchange(free_retry_, false) || router_.retries.grant(now(), percent)) return true;
  out_of_retries_ = true;
  router_.counters.retries_refused.fetch_add(1, std::memory_order_relaxed);
  return false;
}

void Call::State::judge(const Error& error) {
  core::learn_from(error, candidates_[at_->current], at_->credential, now(), snap_->config.routing.cooldown);
}

}  // namespace llmrouter
