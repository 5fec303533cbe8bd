// Money and records: once for each call, on every path.
#include <algorithm>

#include "core/call_state.h"

namespace llmrouter {

void Call::State::settle(CallStatus status, const Error& error) {
  if (settled_) return;
  settled_ = true;
  if (!at_->in_flight && attempts_ > 0 && (status == CallStatus::kOk || at_->payload_frames > 0) && !at_->usage.known) estimate_usage();
  record_.cost_nano_usd = price_usage() + lost_nano_usd_;
  if (reservation_.active()) {
    Demand used;
    used.requests = attempts_ > 0 ? 1 : 0;
    used.tokens = at_->usage.input + at_->usage.output;
    used.nano_usd = record_.cost_nano_usd;
    if (at_->usage.estimated) {  // nobody said what it really was: nothing is given back
      used.tokens = std::max(used.tokens, reserved_.tokens);
      used.nano_usd = std::max(used.nano_usd, reserved_.nano_usd);
    }
    reservation_.settle(used);
    if (resolved_.route != nullptr && router_.room.occupied()) router_.room.wake(stable_hash("model:" + resolved_.route->name));
    if (used.nano_usd > 0) warn_of_budget(used.nano_usd);
  }
  fill_record(status, error);
}

// Once, by the call that crosses the soft part of its key's budget.
void Call::State::warn_of_budget(int64_t spent_now) {
  if (!key_ || !key_->spec.limits.budget || key_->spec.limits.budget->soft_percent <= 0) return;
  const LimitState s = router_.parts.limiter->state(router_.bucket_of(*key_));
  const int64_t soft = s.budget_nano_usd / 100 * key_->spec.limits.budget->soft_percent;
  if (s.spent_nano_usd < soft || s.spent_nano_usd - spent_now >= soft) return;
  const std::string percent = std::to_string(key_->spec.limits.budget->soft_percent) + "%";
  router_.logger().log(LogLevel::kWarn, "a key has spent the soft part of its budget",
                       {{"key", key_->id}, {"name", key_->spec.name}, {"soft", percent}, {"per", budget_period_name(key_->spec.limits.budget->per)}});
}

// About four bytes for a token; a relayed stream's text is not looked at, but its frames are counted, and providers put about one token in each.
void Call::State::estimate_usage() {
  at_->usage = TokenUsage();
  at_->usage.known = true;
  at_->usage.estimated = operation_ != Operation::kCountTokens;
  at_->usage.input = charged_input();
  if (operation_ != Operation::kChat) return;
  at_->usage.output = at_->payload_frames > 0 ? std::max(at_->payload_frames, at_->relay ? 0 : at_->payload_bytes / 4) : at_->payload_bytes / 4;
}

int64_t Call::State::price_usage() {
  if (!at_->usage.known || attempts_ == 0 || !snap_->catalog || operation_ == Operation::kCountTokens) return 0;
  const core::Candidate& c = candidates_[at_->current];
  price_ = snap_->catalog->price(c.provider->config.name, c.provider->config.type, c.model, at_->usage.input, record_.time);
  if (!price_) return 0;
  return cost_nano_usd(at_->usage, *price_);
}

void Call::State::fill_record(CallStatus status, const Error& error) {
  using std::chrono::duration_cast;
  const TimePoint t = now();
  if (key_) {
    record_.key = key_->id;
    record_.user = key_->spec.user;
  } else {
    record_.user = facts_.user;
  }
  record_.status = status;
  record_.http_status = status == CallStatus::kOk || committed_ ? 200 : error.http_status();
  if (error.code != ErrorCode::kNone) record_.error_code = code_name(error.code);
  record_.usage = at_->usage;
  record_.latency_ms = duration_cast<std::chrono::milliseconds>(t - began_).count();
  if (at_->first_token != TimePoint()) {
    record_.first_token_ms = std::max<int64_t>(1, duration_cast<std::chrono::milliseconds>(at_->first_token - began_).count());
    router_.counters.first_token.add(record_.first_token_ms);
  }
  if (attempts_ > 0) {
    const core::Candidate& c = candidates_[at_->current];
    record_.provider = c.provider->config.name;
    record_.model = c.model;
    record_.overhead_us = duration_cast<std::chrono::microseconds>(sent_ - began_).count();
    if (!record_.attempts.empty()) record_.attempts.back().cost_nano_usd = record_.cost_nano_usd - lost_nano_usd_;
    if (price_) record_.price = to_json(*price_);
    core::ProviderShared& shared = *c.provider->shared;
    shared.input_tokens.fetch_add(static_cast<uint64_t>(at_->usage.input), std::memory_order_relaxed);
    shared.output_tokens.fetch_add(static_cast<uint64_t>(at_->usage.output), std::memory_order_relaxed);
    shared.cost_nano_usd.fetch_add(static_cast<uint64_t>(record_.cost_nano_usd), std::memory_order_relaxed);
  }
  if (!direction_.by.empty()) record_.decision = direction_.by;
  if (direction_.rule != nullptr) (record_.decision += ' ') += direction_.rule->config.name;
  if (!resolved_.how.empty()) {
    if (!record_.decision.empty()) record_.decision += "; ";
    record_.decision += resolved_.how;
    if (resolved_.route != nullptr) (record_.decision += "; ") += core::balancer_of(*snap_, *resolved_.route, &wishes_).name();
    if (attempts_ > 0) (record_.decision += "; ") += step_reason_text(candidates_[at_->current].reason);
  }
  router_.counters.count(status);
  router_.counters.latency.add(record_.latency_ms);
}

}  // namespace llmrouter
