// Money and records: once for each call, on every path.
#include <algorithm>

#include "core/call_state.h"
#include "core/wishes.h"

namespace llmrouter {

void Call::State::settle(CallStatus status, const Error& error) {
  if (settled_) return;
  settled_ = true;
  record_.cost_nano_usd = spent_.nano_usd;
  if (reservation_.active()) {
    Demand used = spent_;
    used.requests = attempts_ > 0 ? 1 : 0;
    // Nobody said what it really was: nothing is given back. A call that failed without the caller's doing pays for what was read alone.
    if ((is_guess(at_->usage) || is_guess(before_)) && (status != CallStatus::kError || gave_up_)) {
      used.tokens = std::max(used.tokens, reserved_.tokens);
      used.nano_usd = std::max(used.nano_usd, reserved_.nano_usd);
    }
    kept_ = used.tokens > spent_.tokens || used.nano_usd > spent_.nano_usd;
    charged_ = used;
    reservation_.settle(used);
    if (resolved_.route != nullptr && router_.room.occupied()) router_.room.wake(stable_hash("model:" + resolved_.route->name));
    if (used.nano_usd > 0) warn_of_budgets(used.nano_usd);
  }
  fill_record(status, error);
}

// Once, by the call that crosses the soft part of a budget: its key's, its user's.
void Call::State::warn_of_budgets(int64_t spent_now) {
  const auto crossed = [&](const std::optional<Budget>& budget, LimitBucket* bucket) {
    const LimitState s = router_.parts.limiter->state(bucket);
    const int64_t soft = s.budget_nano_usd / 100 * budget->soft_percent;
    return s.spent_nano_usd >= soft && s.spent_nano_usd - spent_now < soft;
  };
  const auto percent = [](const Budget& budget) { return std::to_string(budget.soft_percent) + "%"; };
  if (key_ && key_->spec.limits.budget && key_->spec.limits.budget->soft_percent > 0) {
    const Budget& budget = *key_->spec.limits.budget;
    if (crossed(budget, router_.bucket_of(*key_))) {
      router_.logger().log(LogLevel::kWarn, "a key has spent the soft part of its budget",
                           {{"key", key_->id}, {"name", key_->spec.name}, {"soft", percent(budget)}, {"per", budget_period_name(budget.per)}});
    }
  }
  if (user_ != nullptr && user_->config->limits.budget && user_->config->limits.budget->soft_percent > 0) {
    const Budget& budget = *user_->config->limits.budget;
    if (crossed(budget, user_->bucket)) {
      router_.logger().log(LogLevel::kWarn, "a user has spent the soft part of the budget",
                           {{"user", user_->config->name}, {"soft", percent(budget)}, {"per", budget_period_name(budget.per)}});
    }
  }
}

// Did its provider take the request, so that it charges for it? Not when it could not be reached, refused, or reported an error and no counts.
bool Call::State::is_billed(std::string_view outcome) const noexcept {
  if (at_->usage.known || at_->payload_frames > 0 || at_->payload_bytes > 0) return true;
  return !at_->unreached && at_->status < 300 && outcome != "error";
}

// What the upstream did not say, or had not said to the end (`estimated` as it comes from a codec), by what was sent and received. About four
// bytes for a token; a frame is one at least.
void Call::State::complete_usage() {
  TokenUsage& usage = at_->usage;
  if (usage.known && !usage.estimated) return;
  const bool output_counted = usage.known && usage.output_counted;
  usage.known = true;
  usage.estimated = operation_ != Operation::kCountTokens;
  if (usage.input == 0) usage.input = charged_input() + (joint_ ? static_cast<int64_t>((joint_->beginning().size() + 3) / 4) : 0);
  if (operation_ == Operation::kChat && !output_counted) usage.output = std::max({usage.output, at_->payload_frames, (at_->payload_bytes + 3) / 4});
}

int64_t Call::State::cost_at(const core::Candidate& c, const TokenUsage& usage) const {
  if (!snap_->catalog || !usage.known) return 0;
  const auto price = snap_->catalog->price(c.provider->config.name, c.provider->config.type, c.model, usage.input, record_.time);
  return price ? cost_nano_usd(usage, *price) : 0;
}

int64_t Call::State::price_usage() {
  price_.reset();
  if (!at_->usage.known || operation_ == Operation::kCountTokens) return 0;
  const core::Candidate& c = candidates_[at_->current];
  if (snap_->catalog) price_ = snap_->catalog->price(c.provider->config.name, c.provider->config.type, c.model, at_->usage.input, record_.time);
  if (price_) return cost_nano_usd(at_->usage, *price_);
  if (core::has_budget(key_.get(), user_)) warn_of_no_price(c);
  return 0;
}

// A budget is worth nothing at such a model: said once of each.
void Call::State::warn_of_no_price(const core::Candidate& c) {
  router_.counters.unpriced.fetch_add(1, std::memory_order_relaxed);
  const std::string& provider = c.provider->config.name;
  if (!router_.counters.unpriced_models.meet(stable_hash(c.model, stable_hash(provider)))) return;
  const std::string model = provider + '/' + std::string(c.model);
  router_.logger().log(LogLevel::kWarn, "a key with a budget uses a model without a price, which costs the budget nothing: add one under prices.entries",
                       {{"model", model}, {"key", key_->id}, {"name", key_->spec.name}});
}

// Of each attempt when it ends, whoever hears its answer. Returns its cost.
int64_t Call::State::charge_attempt(std::string_view outcome) {
  if (is_billed(outcome)) complete_usage();
  const TokenUsage& usage = at_->usage;
  const int64_t cost = price_usage();
  core::ProviderShared& shared = *at_->provider->shared;
  shared.input_tokens.fetch_add(static_cast<uint64_t>(usage.input), std::memory_order_relaxed);
  shared.output_tokens.fetch_add(static_cast<uint64_t>(usage.output), std::memory_order_relaxed);
  shared.cost_nano_usd.fetch_add(static_cast<uint64_t>(cost), std::memory_order_relaxed);
  spent_.tokens += usage.input + usage.output;
  spent_.nano_usd = cost > INT64_MAX - spent_.nano_usd ? INT64_MAX : spent_.nano_usd + cost;
  return cost;
}

void Call::State::fill_record(CallStatus status, const Error& error) {
  using std::chrono::duration_cast;
  const TimePoint t = now();
  if (key_) record_.key = key_->id;
  // Whom a key belongs to is proved; what a body says only counts where there is no such key.
  record_.user = key_ && !key_->spec.user.empty() ? key_->spec.user : facts_.user;
  record_.status = status;
  record_.http_status = status == CallStatus::kOk || committed_ ? 200 : error.http_status();
  if (error.code != ErrorCode::kNone) record_.error_code = code_name(error.code);
  record_.usage = status == CallStatus::kOk && joined_ && joined_->usage.known ? joined_->usage : usage_of_all();
  record_.latency_ms = duration_cast<std::chrono::milliseconds>(t - began_).count();
  if (const TimePoint heard = heard_ != TimePoint() ? heard_ : at_->first_token; heard != TimePoint()) {
    record_.first_token_ms = std::max<int64_t>(1, duration_cast<std::chrono::milliseconds>(heard - began_).count());
    record_.latency_ms = std::max(record_.latency_ms, record_.first_token_ms);
    router_.counters.first_token.add(record_.first_token_ms);
  }
  if (attempts_ > 0) {
    const core::Candidate& c = candidates_[at_->asked];
    record_.provider = c.provider->config.name;
    record_.model = c.model;
    record_.overhead_us = duration_cast<std::chrono::microseconds>(sent_ - began_).count();
    if (price_) record_.price = to_json(*price_);
  }
  record_.decision.reserve(64);
  if (!direction_.by.empty()) record_.decision = direction_.by;
  if (direction_.rule != nullptr) (record_.decision += ' ') += direction_.rule->config.name;
  if (!resolved_.how.empty()) {
    if (!record_.decision.empty()) record_.decision += "; ";
    record_.decision += resolved_.how;
    if (resolved_.route != nullptr) (record_.decision += "; ") += core::balancer_of(*snap_, *resolved_.route, &wishes_).name();
    if (attempts_ > 0) (record_.decision += "; ") += step_reason_text(candidates_[at_->asked].reason);
    if (!wishes_.empty() || !options_.forced_provider.empty()) (record_.decision += "; ") += core::kAsksForTargets;
  }
  if (!gone_on_from_.empty()) (record_.decision += record_.decision.empty() ? "" : "; ") += "continued from " + gone_on_from_;
  if (kept_) {
    (record_.decision += record_.decision.empty() ? "" : "; ") += "limits keep what was reserved: " + std::to_string(charged_.tokens) + " tokens, " +
                                                                  std::to_string(charged_.nano_usd) + " nano-USD";
  }
  router_.counters.count(status);
  router_.counters.latency.add(record_.latency_ms);
}

}  // namespace llmrouter
