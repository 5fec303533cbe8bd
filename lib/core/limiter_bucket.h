// A bucket: the limits of one thing and what is used of them.
#ifndef LLMROUTER_CORE_LIMITER_BUCKET_H_
#define LLMROUTER_CORE_LIMITER_BUCKET_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/limiter_budget.h"
#include "core/limiter_gcra.h"
#include "llmrouter/limits.h"

namespace llmrouter {

// The limits of a bucket, made ready. Immutable; kept as long as the bucket, since calls in flight point to it.
struct LimitRules {
  struct Metered {
    core::GcraRate rate;
    int epoch = 0;  // grows when a limit appears where none was: what was reserved before was not charged
  };
  Limits limits;
  std::string label;
  std::optional<Metered> requests, tokens;
  core::BudgetMeter* meter = nullptr;  // null: no budget
};

namespace core {

// The moment of a reservation.
struct Moment {
  Ticks now = 0;
  WallTime wall{};  // set only when there is a budget to look at
};

// Why a demand does not fit.
struct Refusal {
  LimitKind kind = LimitKind::kRequests;
  Ticks wait = 0;      // rates
  bool never = false;  // rates and budgets: more than the bucket ever holds
};

}  // namespace core

class LimitBucket {
 public:
  explicit LimitBucket(std::string id) : id_(std::move(id)) {}

  const std::string& id() const noexcept { return id_; }
  const LimitRules& rules() const noexcept { return *rules_.load(std::memory_order_acquire); }

  // The limiter's lock is held.
  void set_rules(std::string_view label, const Limits& limits, const core::Moment& at, BudgetLedger* ledger);

  // Would it fit? Changes nothing.
  bool fits(const LimitRules& rules, const core::Moment& at, const Demand& demand, core::Refusal* why) const noexcept;
  // Takes all of it or nothing. `period` gets the budget's.
  bool take(const LimitRules& rules, const core::Moment& at, const Demand& demand, int64_t* period, core::Refusal* why) noexcept;
  // Puts back what take() took under `rules`, as if it had never been.
  void put_back(const LimitRules& rules, core::Ticks since, core::Ticks now, const Demand& demand, int64_t period) noexcept;
  // What was used takes the place of what take() took.
  void settle(const LimitRules& rules, core::Ticks since, core::Ticks now, const Demand& reserved, const Demand& used, int64_t period,
              BudgetLedger* ledger) noexcept;

  LimitState state(const core::Moment& at) const noexcept;

 private:
  bool enter(int64_t limit) noexcept;
  void leave() noexcept { in_flight_.fetch_sub(1, std::memory_order_relaxed); }
  core::BudgetMeter* meter_for(const Budget& budget, const LimitRules* old, const core::Moment& at, BudgetLedger* ledger);

  const std::string id_;
  std::atomic<const LimitRules*> rules_{nullptr};
  core::Gcra requests_, tokens_;
  std::atomic<int64_t> in_flight_{0};
  std::vector<std::unique_ptr<const LimitRules>> kept_rules_;
  std::vector<std::unique_ptr<core::BudgetMeter>> kept_meters_;
};

namespace core {
// Fills `denial` for a demand that `bucket` refused.
void explain_refusal(const LimitBucket& bucket, const LimitRules& rules, const Moment& at, const Demand& demand, const Refusal& why,
                     Denial* denial);
}  // namespace core

}  // namespace llmrouter

#endif  // LLMROUTER_CORE_LIMITER_BUCKET_H_
