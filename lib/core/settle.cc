// Money and records: once for each call, on every path.
#include <algorithm>

#include "core/call_state.h"

namespace llmrouter {

void Call::State::settle(CallStatus status, const Error& error) {
  if (settled_) return;
  settled_ = true;
  if (!in_attempt_ && attempts_ > 0 && (status == CallStatus::kOk || payload_frames_ > 0) && !usage_.known) estimate_usage();
  record_.cost_nano_usd = price_usage();
  if (reservation_.active()) {
    Demand used;
    used.requests = attempts_ > 0 ? 1 : 0;
    used.tokens = usage_.input + usage_.output;
    used.nano_usd = record_.cost_nano_usd;
    if (usage_.estimated) {  // nobody said what it really was: nothing is given back
      used.tokens = std::max(used.tokens, reserved_.tokens);
      used.nano_usd = std::max(used.nano_usd, reserved_.nano_usd);
    }
    reservation_.settle(used);
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
  usage_ = TokenUsage();
  usage_.known = true;
  usage_.estimated = operation_ != Operation::kCountTokens;
  usage_.input = charged_input();
  if (operation_ != Operation::kChat) return;
  usage_.output = payload_frames_ > 0 ? std::max(payload_frames_, relay_ ? 0 : payload_bytes_ / 4) : payload_bytes_ / 4;
}

int64_t Call::State::price_usage() {
  if (!usage_.known || attempts_ == 0 || !snap_->catalog || operation_ == Operation::kCountTokens) return 0;
  const core::Candidate& c = candidates_[current_];
  price_ = snap_->catalog->price(c.provider->config.name, c.provider->config.type, c.model, usage_.input, record_.time);
  if (!price_) return 0;
  return cost_nano_usd(usage_, *price_);
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
  record_.usage = usage_;
  record_.latency_ms = duration_cast<std::chrono::milliseconds>(t - began_).count();
  if (first_token_ != TimePoint()) {
    record_.first_token_ms = std::max<int64_t>(1, duration_cast<std::chrono::milliseconds>(first_token_ - began_).count());
    router_.counters.first_token.add(record_.first_token_ms);
  }
  if (attempts_ > 0) {
    const core::Candidate& c = candidates_[current_];
    record_.provider = c.provider->config.name;
    record_.model = c.model;
    record_.overhead_us = duration_cast<std::chrono::microseconds>(sent_ - began_).count();
    if (!record_.attempts.empty()) record_.attempts.back().cost_nano_usd = record_.cost_nano_usd;
    if (price_) record_.price = to_json(*price_);
    core::ProviderShared& shared = *c.provider->shared;
    shared.input_tokens.fetch_add(static_cast<uint64_t>(usage_.input), std::memory_order_relaxed);
    shared.output_tokens.fetch_add(static_cast<uint64_t>(usage_.output), std::memory_order_relaxed);
    shared.cost_nano_usd.fetch_add(static_cast<uint64_t>(record_.cost_nano_usd), std::memory_order_relaxed);
  }
  if (!direction_.by.empty()) record_.decision = direction_.by;
  if (direction_.rule != nullptr) (record_.decision += ' ') += direction_.rule->config.name;
  if (!resolved_.how.empty()) {
    if (!record_.decision.empty()) record_.decision += "; ";
    record_.decision += resolved_.how;
    if (resolved_.route != nullptr) (record_.decision += "; ") += core::balancer_of(*snap_, *resolved_.route, &wishes_).name();
    if (attempts_ > 0) (record_.decision += "; ") += step_reason_text(candidates_[current_].reason);
  }
  router_.counters.count(status);
  router_.counters.latency.add(record_.latency_ms);
}

}  // namespace llmrouter
