#include "core/standing.h"

#include <algorithm>

#include "core/key_pool.h"

namespace llmrouter::core {
namespace {

void out(Candidate& c, StepReason why, TimePoint until) {
  c.out = true;
  c.reason = why;
  c.not_before = until;
}

// Is there room in all of them? Else when, as far as anybody knows.
class Room {
 public:
  Room(const RateLimiter& limiter, int64_t tokens, TimePoint now) : limiter_(limiter), now_(now) { demand_.tokens = tokens; }
  bool in(LimitBucket* model, LimitBucket* provider = nullptr, LimitBucket* credential = nullptr) {
    LimitBucket* const buckets[] = {model, provider, credential};
    Denial denial;
    if (limiter_.fits(buckets, 3, demand_, &denial)) return true;
    if (denial.retry_after > Duration(0)) soonest_ = std::min(soonest_, now_ + denial.retry_after);
    return false;
  }
  TimePoint until() const noexcept { return soonest_ == TimePoint::max() ? TimePoint() : soonest_; }
  TimePoint soonest(TimePoint other) const noexcept { return std::min(soonest_, other); }

 private:
  const RateLimiter& limiter_;
  Demand demand_;
  const TimePoint now_;
  TimePoint soonest_ = TimePoint::max();
};

// Of its provider's keys, those that are for the model and do not rest: has one of them room?
void judge_keys(const RateLimiter& limiter, LimitBucket* model, int64_t tokens, TimePoint now, Candidate& c) {
  const auto& pool = c.provider->credentials;
  const KeyWalk walk(*c.provider, c.model, 0, now);
  Room room(limiter, tokens, now);
  bool suits = false, rests = false;
  for (size_t key = 0; key < pool.size(); ++key) {
    if (!walk.suits(key)) continue;
    suits = true;
    if (walk.rest_of(key).resting) rests = true;
    else if (room.in(model, c.provider->bucket, pool[key].bucket)) return;
  }
  if (!suits) return out(c, StepReason::kNoKey, {});
  const TimePoint limited = walk.limited_until();
  if (room.until() != TimePoint()) return out(c, StepReason::kAtLimit, limited > now ? room.soonest(limited) : room.until());
  if (!rests) return out(c, StepReason::kAtLimit, {});
  if (limited > now) return out(c, StepReason::kRateLimited, limited);
  if (walk.least_refused() == KeyWalk::kNoKey) return;  // the one probe of a key is under way
  c.reason = StepReason::kKeysRest;
  c.not_before = walk.all_rest_until();
}

}  // namespace

void stand(const RateLimiter& limiter, const Route* first, int64_t tokens, TimePoint now, std::vector<Candidate>& candidates) {
  Room own(limiter, tokens, now);
  const bool full = first != nullptr && !own.in(first->bucket);
  for (Candidate& c : candidates) {
    if (c.out) continue;
    if (full && c.route == first) {
      out(c, StepReason::kAtLimit, own.until());
      continue;
    }
    if (const TimePoint until = c.health().limited_until(); until > now) {
      out(c, StepReason::kRateLimited, until);
      continue;
    }
    if (c.reason == StepReason::kCoolingDown) c.not_before = c.health().resting_until();
    LimitBucket* const model = c.route != nullptr && c.route != first ? c.route->bucket : nullptr;
    if (!c.provider->credentials.empty()) {
      judge_keys(limiter, model, tokens, now, c);
    } else if (Room room(limiter, tokens, now); !room.in(model, c.provider->bucket)) {
      out(c, StepReason::kAtLimit, room.until());
    }
  }
}

}  // namespace llmrouter::core
