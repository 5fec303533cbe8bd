#include "core/limiter_budget.h"

#include <algorithm>

namespace llmrouter::core {
namespace {

constexpr int64_t kDay = 86400;
constexpr int64_t kThirtyDays = 30 * kDay;

int64_t floor_to(int64_t value, int64_t step) noexcept {
  const int64_t rest = value % step;
  return value - (rest < 0 ? rest + step : rest);
}

int64_t unix_seconds(WallTime when) noexcept { return std::chrono::floor<std::chrono::seconds>(when).time_since_epoch().count(); }

PeriodSpan month_of(int64_t second) noexcept {
  using namespace std::chrono;
  const year_month_day date(sys_days(days(floor_to(second, kDay) / kDay)));
  const year_month month = date.year() / date.month();
  const auto start = [](year_month m) { return int64_t{sys_days(m / 1).time_since_epoch().count()} * kDay; };
  return {start(month), start(month + months(1))};
}

}  // namespace

PeriodSpan period_at(const Budget& budget, WallTime when) noexcept {
  const int64_t second = unix_seconds(when);
  switch (budget.per) {
    case BudgetPeriod::kDay: {
      const int64_t begin = floor_to(second, kDay);
      return {begin, begin + kDay};
    }
    case BudgetPeriod::kWeek: {
      constexpr int64_t kFirstMonday = 4 * kDay;  // 1970-01-05
      const int64_t begin = floor_to(second - kFirstMonday, 7 * kDay) + kFirstMonday;
      return {begin, begin + 7 * kDay};
    }
    case BudgetPeriod::kMonth: return month_of(second);
    case BudgetPeriod::k30d: {
      const int64_t anchor = unix_seconds(budget.anchor);
      const int64_t begin = floor_to(second - anchor, kThirtyDays) + anchor;
      return {begin, begin + kThirtyDays};
    }
    case BudgetPeriod::kTotal: break;
  }
  return {};
}

BudgetMeter::BudgetMeter(int64_t period, int64_t spent) noexcept : word_(word_of(spent, 0)) {
  for (auto& p : periods_) p.store(INT64_MIN, std::memory_order_relaxed);
  periods_[0].store(period, std::memory_order_relaxed);
}

int64_t BudgetMeter::word_of(int64_t amount, uint64_t version) noexcept {
  const int64_t clamped = std::clamp<int64_t>(amount, 0, kMaxNano);
  return static_cast<int64_t>(static_cast<uint64_t>(clamped) << kVersionBits | version);
}

namespace {

bool has_room(int64_t amount, int64_t limit, int64_t nano) noexcept {
  limit = std::min(limit, BudgetMeter::kMaxNano);
  return amount < limit && nano <= limit - amount;
}

}  // namespace

bool BudgetMeter::fits(int64_t period, int64_t limit, int64_t nano) const noexcept {
  const int64_t word = word_.load(std::memory_order_acquire);
  const bool current = periods_[version_of(word)].load(std::memory_order_acquire) >= period;
  return has_room(current ? amount_of(word) : 0, limit, nano);
}

bool BudgetMeter::take(int64_t period, int64_t limit, int64_t nano, int64_t* taken_in) noexcept {
  int64_t word = word_.load(std::memory_order_acquire);
  for (;;) {
    const uint64_t version = version_of(word);
    const int64_t current = periods_[version].load(std::memory_order_acquire);
    if (current < period) {
      roll_over(word, period);
      word = word_.load(std::memory_order_acquire);
      continue;
    }
    const int64_t amount = amount_of(word);
    if (!has_room(amount, limit, nano)) return false;
    if (word_.compare_exchange_weak(word, word_of(amount + nano, version), std::memory_order_acq_rel, std::memory_order_acquire)) {
      reserved_[version].fetch_add(nano, std::memory_order_relaxed);
      *taken_in = current;
      return true;
    }
  }
}

// Whoever comes first names the next period; the others help. What is left in the ring from sixteen versions ago is older than the
// current period, so it cannot be taken for a name.
void BudgetMeter::roll_over(int64_t word, int64_t period) noexcept {
  const uint64_t version = version_of(word);
  const uint64_t next = (version + 1) % kVersions;
  const int64_t current = periods_[version].load(std::memory_order_acquire);
  int64_t named = periods_[next].load(std::memory_order_acquire);
  // A compare-and-swap that fails was beaten by another's name, which serves as well. Who gives the name takes out what calls still hold that reserved
  // sixteen periods ago: they find their period no more. What others reserve in the new one meanwhile is not of it.
  if (named <= current) {
    const int64_t held = reserved_[next].load(std::memory_order_acquire);
    if (periods_[next].compare_exchange_strong(named, period, std::memory_order_acq_rel)) reserved_[next].fetch_sub(held, std::memory_order_acq_rel);
  }
  word_.compare_exchange_strong(word, word_of(0, next), std::memory_order_acq_rel);
}

void BudgetMeter::settle(int64_t period, int64_t reserved, int64_t used) noexcept {
  int64_t word = word_.load(std::memory_order_acquire);
  uint64_t version = version_of(word);
  while (periods_[version].load(std::memory_order_acquire) == period) {
    const int64_t rest = std::max<int64_t>(0, amount_of(word) - reserved);
    const int64_t amount = rest + std::min(used, kMaxNano - rest);
    if (word_.compare_exchange_weak(word, word_of(amount, version), std::memory_order_acq_rel, std::memory_order_acquire)) {
      reserved_[version].fetch_sub(reserved, std::memory_order_relaxed);
      return;
    }
    version = version_of(word);
  }
  for (uint64_t v = 0; v < kVersions; ++v) {
    if (periods_[v].load(std::memory_order_acquire) == period) reserved_[v].fetch_sub(reserved, std::memory_order_relaxed);
  }
}

BudgetMeter::View BudgetMeter::view(int64_t period) const noexcept {
  const int64_t word = word_.load(std::memory_order_acquire);
  const uint64_t version = version_of(word);
  if (periods_[version].load(std::memory_order_acquire) < period) return {};
  const int64_t amount = amount_of(word);
  const int64_t reserved = std::clamp<int64_t>(reserved_[version].load(std::memory_order_relaxed), 0, amount);
  return {amount - reserved, reserved};
}

}  // namespace llmrouter::core
