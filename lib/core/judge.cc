// What health says of an attempt before it, and what an attempt says of health.
#include <utility>

#include "core/call_state.h"

namespace llmrouter {

using core::Candidate;
using core::RestReason;

// What the target's health says against it. A probe is taken here: whoever comes meanwhile asks this target last.
bool Call::State::passed_over(Candidate& c) {
  const TimePoint t = now();
  at_->credential = -1;
  if (c.health->limited_until() > t) {
    Error why(ErrorCode::kUpstreamRateLimited, "provider " + at_->provider->config.name + ": rate limited, and said when to come back");
    why.retry_after = std::chrono::ceil<std::chrono::milliseconds>(c.health->limited_until() - t);
    blocked_by(limit_of_attempt(), c.health->limited_until());
    skip(c, std::move(why));
    return true;
  }
  at_->probe = c.health->take_probe(t);
  if (at_->probe || last_resort_ || c.reason == StepReason::kCoolingDown || !c.health->resting(t)) return false;
  c.reason = StepReason::kCoolingDown;
  c.considered = false;
  return true;
}

void Call::State::let_probes_go() {
  if (std::exchange(at_->probe, false)) candidates_[at_->current].health->let_go();
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

// What a failure says of the target and of the credential.
void Call::State::judge(const Error& error) {
  core::TargetHealth& target = *candidates_[at_->current].health;
  if (error.code == ErrorCode::kUpstreamError || error.code == ErrorCode::kUpstreamTimeout) {
    target.failed(now(), snap_->config.routing.cooldown);
    target.rest_as_asked(now(), error.retry_after, false);
  }
  if (at_->credential < 0) {
    if (error.code == ErrorCode::kUpstreamRateLimited) target.rest_as_asked(now(), error.retry_after, true);
    return;
  }
  const auto& pool = at_->provider->credentials;
  const CooldownConfig& cooldown = snap_->config.routing.cooldown;
  core::CredentialHealth& health = *pool[static_cast<size_t>(at_->credential)].health;
  // An only credential rests when it was told for how long; else trying it is how one learns that it works again.
  if (error.code == ErrorCode::kUpstreamRateLimited && (pool.size() > 1 || error.retry_after > Duration(0))) {
    health.rest(now(), RestReason::kRateLimited, error.retry_after, cooldown);
  } else if (error.code == ErrorCode::kUpstreamCredentialsRejected && pool.size() > 1) {
    health.rest(now(), error.upstream_code == "insufficient_quota" ? RestReason::kOutOfQuota : RestReason::kRefused, error.retry_after, cooldown);
  }
}

}  // namespace llmrouter
