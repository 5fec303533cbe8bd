#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "core/limiter_bucket.h"
#include "llmrouter/limits.h"

namespace llmrouter {

using core::Moment;
using core::Refusal;
using core::Ticks;

struct RateLimiter::Impl {
  Impl(const Clock& c, std::shared_ptr<BudgetLedger> l) : clock(c), ledger(std::move(l)), epoch(c.now()) {}

  Ticks ticks() const noexcept {
    constexpr int64_t kLast = (int64_t{1} << 62) / core::kTicksPerNano;  // nine years from now
    return std::clamp<int64_t>((clock.now() - epoch).count(), 0, kLast) * core::kTicksPerNano;
  }
  Moment moment() const noexcept { return {ticks(), clock.wall()}; }

  const Clock& clock;
  const std::shared_ptr<BudgetLedger> ledger;
  const TimePoint epoch;
  std::mutex mutex;
  std::unordered_map<std::string, std::unique_ptr<LimitBucket>> buckets;
};

RateLimiter::RateLimiter(const Clock& clock, std::shared_ptr<BudgetLedger> ledger)
    : impl_(std::make_unique<Impl>(clock, std::move(ledger))) {}

RateLimiter::~RateLimiter() = default;

LimitBucket* RateLimiter::bucket(std::string_view id, std::string_view label, const Limits& limits) {
  std::lock_guard<std::mutex> lock(impl_->mutex);
  const std::string name(id);
  auto found = impl_->buckets.find(name);
  if (found != impl_->buckets.end()) {
    found->second->set_rules(label, limits, impl_->moment(), impl_->ledger.get());
    return found->second.get();
  }
  auto fresh = std::make_unique<LimitBucket>(name);
  fresh->set_rules(label, limits, impl_->moment(), impl_->ledger.get());
  return impl_->buckets.emplace(name, std::move(fresh)).first->second.get();
}

namespace {

Demand clean(const Demand& d) noexcept {
  return {std::max<int64_t>(0, d.requests), std::max<int64_t>(0, d.tokens), std::max<int64_t>(0, d.nano_usd)};
}

}  // namespace

bool RateLimiter::fits(LimitBucket* const* buckets, int count, const Demand& demand, Denial* denial) const {
  const Moment at = impl_->moment();
  const Demand want = clean(demand);
  Refusal why;
  for (int i = 0; i < count; ++i) {
    if (buckets[i] == nullptr) continue;
    const LimitRules& rules = buckets[i]->rules();
    if (buckets[i]->fits(rules, at, want, &why)) continue;
    if (denial != nullptr) core::explain_refusal(*buckets[i], rules, at, want, why, denial);
    return false;
  }
  return true;
}

Reservation RateLimiter::reserve(LimitBucket* const* buckets, int count, const Demand& demand, Denial* denial) {
  Reservation held;
  Moment at{impl_->ticks(), {}};
  bool wall_read = false;
  const Demand want = clean(demand);
  Refusal why;
  // A first look over all buckets: a call that is going to be refused then leaves no trace in any.
  for (int i = 0; i < count; ++i) {
    LimitBucket* bucket = buckets[i];
    if (bucket == nullptr) continue;
    if (held.count_ == Reservation::kMaxBuckets) {
      // A limit that cannot be held must not be passed over.
      if (denial != nullptr) {
        *denial = Denial();
        denial->bucket = bucket->id();
        denial->kind = LimitKind::kConcurrent;
        denial->limit = Reservation::kMaxBuckets;
        denial->words = "too many limits for one call";
      }
      return {};
    }
    const LimitRules& rules = bucket->rules();
    if (rules.meter != nullptr && !wall_read) {
      at.wall = impl_->clock.wall();
      wall_read = true;
    }
    if (!bucket->fits(rules, at, want, &why)) {
      if (denial != nullptr) core::explain_refusal(*bucket, rules, at, want, why, denial);
      return {};
    }
    held.buckets_[held.count_] = bucket;
    held.rules_[held.count_] = &rules;
    ++held.count_;
  }
  for (int i = 0; i < held.count_; ++i) {
    if (held.buckets_[i]->take(*held.rules_[i], at, want, &held.budget_periods_[i], &why)) continue;
    const Ticks now = impl_->ticks();
    for (int back = i; back-- > 0;) held.buckets_[back]->put_back(*held.rules_[back], at.now, now, want, held.budget_periods_[back]);
    if (denial != nullptr) core::explain_refusal(*held.buckets_[i], *held.rules_[i], at, want, why, denial);
    return {};
  }
  held.since_ = at.now;
  held.demand_ = want;
  held.limiter_ = this;
  return held;
}

void RateLimiter::settle(Reservation& r, const Demand& used) noexcept {
  const Ticks now = impl_->ticks();
  const Demand truth = clean(used);
  for (int i = 0; i < r.count_; ++i) {
    r.buckets_[i]->settle(*r.rules_[i], r.since_, now, r.demand_, truth, r.budget_periods_[i], impl_->ledger.get());
  }
}

LimitState RateLimiter::state(const LimitBucket* bucket) const { return bucket == nullptr ? LimitState() : bucket->state(impl_->moment()); }

Reservation::Reservation(Reservation&& other) noexcept { *this = std::move(other); }

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  if (this == &other) return *this;
  if (active()) settle({demand_.requests, 0, 0});
  count_ = other.count_;
  std::copy_n(other.buckets_, count_, buckets_);
  std::copy_n(other.rules_, count_, rules_);
  std::copy_n(other.budget_periods_, count_, budget_periods_);
  since_ = other.since_;
  demand_ = other.demand_;
  limiter_ = std::exchange(other.limiter_, nullptr);
  return *this;
}

Reservation::~Reservation() {
  if (active()) settle({demand_.requests, 0, 0});
}

void Reservation::settle(const Demand& used) noexcept {
  if (RateLimiter* limiter = std::exchange(limiter_, nullptr)) limiter->settle(*this, used);
}

}  // namespace llmrouter
