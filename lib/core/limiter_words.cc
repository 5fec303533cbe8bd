// What a refused caller reads.
#include "core/limiter_bucket.h"
#include "llmrouter/values.h"

namespace llmrouter {

Error Denial::to_error() const {
  const bool money = kind == LimitKind::kBudget;
  Error error(money ? ErrorCode::kBudgetExceeded : ErrorCode::kRateLimited, (money ? "budget exceeded: " : "rate limit reached: ") + words);
  error.retry_after = std::chrono::ceil<std::chrono::milliseconds>(retry_after);
  error.never = never;
  if (never && (kind == LimitKind::kTokens || money)) error.param = "max_tokens";
  return error;
}

namespace {

// "60 requests/min", "60 requests per 90s".
std::string rate_words(const Rate& rate, std::string_view what) {
  std::string words = std::to_string(rate.count);
  words.append(1, ' ').append(what);
  if (rate.per == std::chrono::seconds(1)) return words + "/s";
  if (rate.per == std::chrono::minutes(1)) return words + "/min";
  if (rate.per == std::chrono::hours(1)) return words + "/h";
  if (rate.per == std::chrono::hours(24)) return words + "/day";
  return words + " per " + format_duration(rate.per);
}

// Rounded up, in the unit a person would use.
std::string wait_words(Duration wait) {
  const int64_t seconds = std::chrono::ceil<std::chrono::seconds>(wait).count();
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 2 * 3600) return std::to_string((seconds + 59) / 60) + " min";
  return std::to_string((seconds + 3599) / 3600) + " h";
}

void explain_rate(const Rate& rate, std::string_view what, std::string_view one, const LimitRules& rules, int64_t units, bool never, Denial* denial) {
  denial->limit = rate.count;
  denial->never = never;
  denial->words = rate_words(rate, what) + " of " + rules.label;
  if (!never) {
    denial->words += "; try again in " + wait_words(denial->retry_after);
  } else if (rate.count <= 0) {
    denial->words += ": none is allowed";
  } else {
    denial->words += ": this request alone needs " + std::to_string(units) + ' ' + std::string(units == 1 ? one : what) + ", and no more than " + std::to_string(rate.burst > 0 ? rate.burst : rate.count) +
                     " ever fit at once: it can never be let through, ask for less";
  }
}

void explain_budget(const LimitRules& rules, const core::Moment& at, int64_t nano, bool never, Denial* denial) {
  const Budget& budget = *rules.limits.budget;
  const core::PeriodSpan span = core::period_at(budget, at.wall);
  const auto view = rules.meter->view(span.begin);
  const int64_t taken = view.spent + view.reserved;
  denial->limit = budget.nano_usd;
  denial->remaining = taken < budget.nano_usd ? budget.nano_usd - taken : 0;
  // What calls in flight reserve is more than what most of them cost: room is back when one of them ends, and nobody knows when that is.
  const bool soon = !never && view.reserved > 0 && view.spent < budget.nano_usd && nano <= budget.nano_usd - view.spent;
  std::string& words = denial->words;
  words = "budget of " + format_usd(budget.nano_usd) + " USD";
  if (budget.per == BudgetPeriod::kTotal) {
    words += " in total";
  } else if (budget.per == BudgetPeriod::k30d) {
    words += " per 30 days";
  } else {
    words.append(" per ").append(budget_period_name(budget.per));
  }
  words += " of " + rules.label;
  denial->never = never;
  if (never) {
    words += ": this request alone may cost " + format_usd(nano) + " USD, and that is more than the whole budget: it can never be let through, ask for less";
  } else if (denial->remaining == 0) {
    words += soon ? " is reserved by calls in flight; try again when one has ended" : view.reserved > 0 ? " is used up or reserved by calls in flight" : " is used up";
  } else if (soon) {
    words += " has " + format_usd(denial->remaining) + " USD left beside what calls in flight reserve, this request may cost " + format_usd(nano) +
             " USD; try again when one has ended";
  } else {
    words += " has " + format_usd(denial->remaining) + " USD left, this request may cost " + format_usd(nano) + " USD";
  }
  constexpr Duration kSoon = std::chrono::seconds(1);
  if (soon) denial->retry_after = kSoon;
  if (span.end == core::PeriodSpan::kNever) {
    words += "; it does not renew";
    return;
  }
  const WallTime renews{std::chrono::seconds(span.end)};
  words += "; renews " + format_time_rfc3339(renews);
  if (!never && !soon) denial->retry_after = renews - at.wall;
}

}  // namespace

namespace core {

void explain_refusal(const LimitBucket& bucket, const LimitRules& rules, const Moment& at, const Demand& demand, const Refusal& why,
                     Denial* denial) {
  *denial = Denial();
  denial->bucket = bucket.id();
  denial->kind = why.kind;
  denial->retry_after = Duration((why.wait + kTicksPerNano - 1) / kTicksPerNano);
  const LimitState state = bucket.state(at);
  switch (why.kind) {
    case LimitKind::kRequests:
      denial->remaining = state.remaining_requests;
      explain_rate(*rules.limits.requests, "requests", "request", rules, demand.requests, why.never, denial);
      return;
    case LimitKind::kTokens:
      denial->remaining = state.remaining_tokens;
      explain_rate(*rules.limits.tokens, "tokens", "token", rules, demand.tokens, why.never, denial);
      return;
    case LimitKind::kConcurrent:
      denial->limit = rules.limits.concurrent;
      denial->words = std::to_string(rules.limits.concurrent) + " requests at once of " + rules.label + "; try again when one has ended";
      return;
    case LimitKind::kBudget: explain_budget(rules, at, demand.nano_usd, why.never, denial); return;
  }
}

}  // namespace core
}  // namespace llmrouter
