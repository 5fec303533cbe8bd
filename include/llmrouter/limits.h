// Limits: requests, tokens, concurrency and money, one mechanism.
//
// A Bucket stands for one thing that is limited (a key, a model, a provider, a credential). A call reserves in all buckets it
// passes through, all or none, and settles each reservation exactly once with what it really used.
//
// Rates are the generic cell rate algorithm (GCRA, ITU-T I.371): a limit of N per period with burst B grants at most B + N*t/period
// in any window t, at any concurrency. Tokens are granted as estimated and corrected when the call settles: their bound holds for every window
// that begins while no call is open. Money is granted by the most that a call's input may cost, as far as that is known (docs/operations.md, "What limits
// promise", says what may go beyond it).
#ifndef LLMROUTER_LIMITS_H_
#define LLMROUTER_LIMITS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/clock.h"
#include "llmrouter/error.h"
#include "llmrouter/result.h"

namespace llmrouter {

// `count` per `per`; up to `burst` at once (0: `count`).
struct Rate {
  int64_t count = 0;
  Duration per{std::chrono::minutes(1)};
  int64_t burst = 0;
  bool operator==(const Rate& o) const noexcept { return count == o.count && per == o.per && burst == o.burst; }
};

enum class BudgetPeriod { kDay, kWeek, kMonth, k30d, kTotal };  // calendar day, ISO week, month in UTC; 30 days since the key was made
LLMROUTER_EXPORT std::string_view budget_period_name(BudgetPeriod period) noexcept;  // day week month 30d total

struct Budget {
  int64_t nano_usd = 0;
  BudgetPeriod per = BudgetPeriod::kMonth;
  int soft_percent = 0;  // 0: none; a warning is logged and shown from here on
  WallTime anchor{};     // k30d: where the first period begins
  bool operator==(const Budget& o) const noexcept {
    return nano_usd == o.nano_usd && per == o.per && soft_percent == o.soft_percent && anchor == o.anchor;
  }
};

struct Limits {
  std::optional<Rate> requests;
  std::optional<Rate> tokens;  // input + output
  int64_t concurrent = 0;      // 0: not limited
  std::optional<Budget> budget;
  bool empty() const noexcept { return !requests && !tokens && concurrent == 0 && !budget; }
  bool operator==(const Limits& o) const noexcept {
    return requests == o.requests && tokens == o.tokens && concurrent == o.concurrent && budget == o.budget;
  }
};

// What a call asks for, and later what it took.
struct Demand {
  int64_t requests = 1;
  int64_t tokens = 0;
  int64_t nano_usd = 0;
};

enum class LimitKind { kRequests, kTokens, kConcurrent, kBudget };

// Why a reservation was refused.
struct Denial {
  std::string bucket;  // its id: "key:01J..."
  LimitKind kind = LimitKind::kRequests;
  int64_t limit = 0;
  int64_t remaining = 0;
  // 0: not known (concurrency), or never (a demand above the burst or the whole budget; a total budget). A second where only what calls in flight reserve
  // of a budget stands in the way.
  Duration retry_after{0};
  bool never = false;       // the demand is above the burst or the whole budget: it would not fit into an empty bucket either
  std::string words;        // "60 requests/min of key ci"; for a budget which one and when it renews
  LLMROUTER_EXPORT Error to_error() const;  // kRateLimited or kBudgetExceeded
};

// How a bucket stands; for headers and `/v1/me`. -1: no such limit.
struct LimitState {
  int64_t limit_requests = -1, remaining_requests = -1;
  Duration reset_requests{0};  // until the bucket is full again
  int64_t limit_tokens = -1, remaining_tokens = -1;
  Duration reset_tokens{0};
  int64_t limit_concurrent = -1, in_flight = 0;
  int64_t budget_nano_usd = -1, spent_nano_usd = 0, reserved_nano_usd = 0;
  WallTime budget_renews{};
};

// Only limits that are set are members: {"requests":{"limit","remaining","reset_s"},"tokens":{...},"concurrent":{"limit","in_flight"},
// "budget":{"usd","spent_usd","reserved_usd","renews"}}; money as decimal text, whole seconds rounded up.
LLMROUTER_EXPORT std::string to_json(const LimitState& state);

class RateLimiter;
class LimitBucket;   // opaque; owned by its limiter
struct LimitRules;   // opaque: what a bucket allowed when a call reserved in it

// Holds what was reserved. Exactly one settlement: `settle`, or the destructor, which gives everything back but the request
// itself. Move-only; any thread, one at a time; must not outlive its limiter.
class LLMROUTER_EXPORT Reservation {
 public:
  Reservation() = default;
  Reservation(Reservation&& other) noexcept;
  Reservation& operator=(Reservation&& other) noexcept;
  ~Reservation();
  // What was really used. More than reserved is charged in full (the bucket goes into debt), less is given back.
  // `requests` 0 gives the request back too (nothing was sent), less what the bucket has refilled meanwhile and would have lost without it.
  void settle(const Demand& used) noexcept;
  bool active() const noexcept { return limiter_ != nullptr; }

  static constexpr int kMaxBuckets = 8;

 private:
  friend class RateLimiter;
  RateLimiter* limiter_ = nullptr;
  LimitBucket* buckets_[kMaxBuckets] = {};
  const LimitRules* rules_[kMaxBuckets] = {};
  int64_t budget_periods_[kMaxBuckets] = {};  // the period each budget was reserved in: a call over midnight pays there
  int count_ = 0;
  int64_t since_ = 0;  // when it was made, in the limiter's ticks
  Demand demand_;
};

// Keeps what was spent in a budget over restarts. Implementations are thread-safe; `spent` may read the disk (it is asked once for each
// bucket, outside the request path), `add` only queues.
class LLMROUTER_EXPORT BudgetLedger {
 public:
  virtual ~BudgetLedger() = default;
  // nano-USD spent by `bucket` in the period that began at `period_start` (Unix seconds; 0 for total).
  virtual int64_t spent(std::string_view bucket, int64_t period_start) = 0;
  virtual void add(std::string_view bucket, int64_t period_start, int64_t nano_usd) noexcept = 0;
};

// Thread-safe; reserving and settling take no lock. Buckets live as long as the limiter.
class LLMROUTER_EXPORT RateLimiter {
 public:
  explicit RateLimiter(const Clock& clock, std::shared_ptr<BudgetLedger> ledger = nullptr);
  ~RateLimiter();
  RateLimiter(const RateLimiter&) = delete;
  RateLimiter& operator=(const RateLimiter&) = delete;

  // The bucket of that id, made when new. Takes a lock and asks the ledger: do it when a configuration or a key is loaded, not for each
  // request. `label` is what denials call it ("key ci").
  // A known id takes the new limits and keeps its state: what was used lately still counts (60 used of 60/min is 60 used of 600/min) but at
  // most empties the bucket; calls in flight still count; a budget of the same period and anchor keeps what was spent, another one starts with
  // what the ledger knows of its period. A call that reserves at the very moment of the change is judged by the old limits or the new ones.
  LimitBucket* bucket(std::string_view id, std::string_view label, const Limits& limits);

  // Reserves `demand` in every bucket (nulls are skipped, at most Reservation::kMaxBuckets), or in none. On refusal `denial` is
  // filled and the reservation is not active.
  Reservation reserve(LimitBucket* const* buckets, int count, const Demand& demand, Denial* denial);

  // Would reserve() take it now? Nothing changes.
  bool fits(LimitBucket* const* buckets, int count, const Demand& demand, Denial* denial) const;

  LimitState state(const LimitBucket* bucket) const;

 private:
  friend class Reservation;
  void settle(Reservation& reservation, const Demand& used) noexcept;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace llmrouter

#endif  // LLMROUTER_LIMITS_H_
