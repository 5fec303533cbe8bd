#include "core/limiter_bucket.h"

#include <algorithm>

namespace llmrouter {

using core::BudgetMeter;
using core::Gcra;
using core::GcraRate;
using core::Moment;
using core::PeriodSpan;
using core::Refusal;
using core::Ticks;

namespace {

// Carries a rate limit from the old rules to the new ones. Before they are published: until then the old rules judge a bucket that is
// already as full as the new ones want it.
std::optional<LimitRules::Metered> carry_over(const std::optional<Rate>& limit, const std::optional<LimitRules::Metered>& old, int next_epoch,
                                              Gcra& gcra, Ticks now) {
  if (!limit) return std::nullopt;
  LimitRules::Metered fresh{GcraRate(*limit), old ? old->epoch : next_epoch};
  if (old) {
    gcra.convert(old->rate, fresh.rate, now);
  } else {
    gcra.clear();
  }
  return fresh;
}

bool same_periods(const Budget& a, const Budget& b) noexcept {
  return a.per == b.per && (a.per != BudgetPeriod::k30d || a.anchor == b.anchor);
}

// Is what was reserved under `then` in the number that `now` judges?
bool charged(const std::optional<LimitRules::Metered>& then, const std::optional<LimitRules::Metered>& now) noexcept {
  return then && now && then->epoch == now->epoch;
}

bool refuse(Refusal* why, LimitKind kind, Ticks wait = 0, bool never = false) noexcept {
  *why = {kind, wait, never};
  return false;
}

bool refuse_rate(Refusal* why, LimitKind kind, const GcraRate& rate, Ticks wait, int64_t units) noexcept {
  const bool never = units > rate.burst;
  return refuse(why, kind, never ? 0 : wait, never);
}

bool refuse_money(Refusal* why, const LimitRules& rules, int64_t nano) noexcept {
  return refuse(why, LimitKind::kBudget, 0, nano > std::min(rules.limits.budget->nano_usd, BudgetMeter::kMaxNano));
}

}  // namespace

void LimitBucket::set_rules(std::string_view label, const Limits& limits, const Moment& at, BudgetLedger* ledger) {
  if (label.empty()) label = id_;
  const LimitRules* old = rules_.load(std::memory_order_relaxed);
  if (old != nullptr && old->limits == limits && old->label == label) return;
  auto fresh = std::make_unique<LimitRules>();
  fresh->limits = limits;
  fresh->label = label;
  const std::optional<LimitRules::Metered> none;
  const int epoch = static_cast<int>(kept_rules_.size()) + 1;
  if (old != nullptr && old->limits.requests == limits.requests) {
    fresh->requests = old->requests;
  } else {
    fresh->requests = carry_over(limits.requests, old ? old->requests : none, epoch, requests_, at.now);
  }
  if (old != nullptr && old->limits.tokens == limits.tokens) {
    fresh->tokens = old->tokens;
  } else {
    fresh->tokens = carry_over(limits.tokens, old ? old->tokens : none, epoch, tokens_, at.now);
  }
  if (limits.budget) fresh->meter = meter_for(*limits.budget, old, at, ledger);
  kept_rules_.push_back(std::move(fresh));
  rules_.store(kept_rules_.back().get(), std::memory_order_release);
}

BudgetMeter* LimitBucket::meter_for(const Budget& budget, const LimitRules* old, const Moment& at, BudgetLedger* ledger) {
  if (old != nullptr && old->limits.budget && same_periods(*old->limits.budget, budget)) return old->meter;
  const PeriodSpan span = core::period_at(budget, at.wall);
  const int64_t spent = ledger != nullptr ? ledger->spent(id_, span.begin) : 0;
  kept_meters_.push_back(std::make_unique<BudgetMeter>(span.begin, spent));
  return kept_meters_.back().get();
}

bool LimitBucket::enter(int64_t limit) noexcept {
  if (limit <= 0) {
    in_flight_.fetch_add(1, std::memory_order_relaxed);
    return true;
  }
  int64_t n = in_flight_.load(std::memory_order_relaxed);
  while (n < limit) {
    if (in_flight_.compare_exchange_weak(n, n + 1, std::memory_order_relaxed)) return true;
  }
  return false;
}

bool LimitBucket::fits(const LimitRules& rules, const Moment& at, const Demand& demand, Refusal* why) const noexcept {
  // The budget first: of several reasons it is the one that waiting helps least.
  if (rules.meter != nullptr &&
      !rules.meter->fits(core::period_at(*rules.limits.budget, at.wall).begin, rules.limits.budget->nano_usd, demand.nano_usd)) {
    return refuse_money(why, rules, demand.nano_usd);
  }
  if (rules.requests) {
    const Ticks wait = requests_.wait(rules.requests->rate, at.now, demand.requests);
    if (wait > 0) return refuse_rate(why, LimitKind::kRequests, rules.requests->rate, wait, demand.requests);
  }
  if (rules.tokens) {
    const Ticks wait = tokens_.wait(rules.tokens->rate, at.now, demand.tokens);
    if (wait > 0) return refuse_rate(why, LimitKind::kTokens, rules.tokens->rate, wait, demand.tokens);
  }
  const int64_t concurrent = rules.limits.concurrent;
  if (concurrent > 0 && in_flight_.load(std::memory_order_relaxed) >= concurrent) return refuse(why, LimitKind::kConcurrent);
  return true;
}

bool LimitBucket::take(const LimitRules& rules, const Moment& at, const Demand& demand, int64_t* period, Refusal* why) noexcept {
  if (!enter(rules.limits.concurrent)) return refuse(why, LimitKind::kConcurrent);
  if (rules.requests) {
    const Ticks wait = requests_.take(rules.requests->rate, at.now, demand.requests);
    if (wait > 0) {
      leave();
      return refuse_rate(why, LimitKind::kRequests, rules.requests->rate, wait, demand.requests);
    }
  }
  if (rules.tokens) {
    const Ticks wait = tokens_.take(rules.tokens->rate, at.now, demand.tokens);
    if (wait > 0) {
      if (rules.requests) requests_.undo(rules.requests->rate, at.now, at.now, demand.requests);
      leave();
      return refuse_rate(why, LimitKind::kTokens, rules.tokens->rate, wait, demand.tokens);
    }
  }
  if (rules.meter != nullptr && !rules.meter->take(core::period_at(*rules.limits.budget, at.wall).begin, rules.limits.budget->nano_usd,
                                                   demand.nano_usd, period)) {
    if (rules.tokens) tokens_.undo(rules.tokens->rate, at.now, at.now, demand.tokens);
    if (rules.requests) requests_.undo(rules.requests->rate, at.now, at.now, demand.requests);
    leave();
    return refuse_money(why, rules, demand.nano_usd);
  }
  return true;
}

void LimitBucket::put_back(const LimitRules& rules, Ticks since, Ticks now, const Demand& demand, int64_t period) noexcept {
  const LimitRules& current = this->rules();
  if (rules.meter != nullptr) rules.meter->settle(period, demand.nano_usd, 0);
  if (charged(rules.tokens, current.tokens)) tokens_.undo(current.tokens->rate, since, now, demand.tokens);
  if (charged(rules.requests, current.requests)) requests_.undo(current.requests->rate, since, now, demand.requests);
  leave();
}

void LimitBucket::settle(const LimitRules& rules, Ticks since, Ticks now, const Demand& reserved, const Demand& used, int64_t period,
                         BudgetLedger* ledger) noexcept {
  const LimitRules& current = this->rules();
  if (charged(rules.requests, current.requests)) {
    const GcraRate& rate = current.requests->rate;
    if (used.requests > reserved.requests) requests_.charge(rate, now, used.requests - reserved.requests);
    if (used.requests < reserved.requests) requests_.undo(rate, since, now, reserved.requests - used.requests);
  }
  if (charged(rules.tokens, current.tokens)) {
    const GcraRate& rate = current.tokens->rate;
    if (used.tokens > reserved.tokens) tokens_.charge(rate, now, used.tokens - reserved.tokens);
    if (used.tokens < reserved.tokens) tokens_.give_back(core::times(reserved.tokens - used.tokens, rate.cost));
  }
  if (rules.meter != nullptr) {
    rules.meter->settle(period, reserved.nano_usd, used.nano_usd);
    if (ledger != nullptr && used.nano_usd > 0) ledger->add(id_, period, used.nano_usd);
  }
  leave();
}

namespace {

void fill_rate(const Gcra& gcra, const LimitRules::Metered& metered, const Rate& limit, Ticks now, int64_t* most, int64_t* remaining,
               Duration* reset) noexcept {
  const Ticks backlog = gcra.backlog(now);
  *most = limit.count;
  *remaining = std::max<Ticks>(0, metered.rate.window - backlog) / metered.rate.cost;
  *reset = Duration((backlog + core::kTicksPerNano - 1) / core::kTicksPerNano);
}

}  // namespace

LimitState LimitBucket::state(const Moment& at) const noexcept {
  const LimitRules& r = rules();
  LimitState s;
  if (r.requests) fill_rate(requests_, *r.requests, *r.limits.requests, at.now, &s.limit_requests, &s.remaining_requests, &s.reset_requests);
  if (r.tokens) fill_rate(tokens_, *r.tokens, *r.limits.tokens, at.now, &s.limit_tokens, &s.remaining_tokens, &s.reset_tokens);
  if (r.limits.concurrent > 0) s.limit_concurrent = r.limits.concurrent;
  s.in_flight = std::max<int64_t>(0, in_flight_.load(std::memory_order_relaxed));
  if (r.meter != nullptr) {
    const PeriodSpan span = core::period_at(*r.limits.budget, at.wall);
    const BudgetMeter::View view = r.meter->view(span.begin);
    s.budget_nano_usd = r.limits.budget->nano_usd;
    s.spent_nano_usd = view.spent;
    s.reserved_nano_usd = view.reserved;
    if (span.end != PeriodSpan::kNever) s.budget_renews = WallTime(std::chrono::seconds(span.end));
  }
  return s;
}

}  // namespace llmrouter
