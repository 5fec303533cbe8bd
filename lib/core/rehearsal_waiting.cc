// Limits in a rehearsal, and waiting for them.
#include <algorithm>
#include <utility>

#include "core/rehearsal_flight.h"

namespace llmrouter::core {

LimitBucket* Rehearsal::bucket_of(const KeyRecord& key) {
  LimitBucket*& bucket = buckets_[key.id];
  if (bucket == nullptr) bucket = limiter_.bucket("key:" + key.id, "key " + key.id, key.spec.limits);
  return bucket;
}

// As Call::State::reserve().
bool Rehearsal::reserve(Flight& f) {
  const KeyRecord* key = f.call.key.get();
  const UserRuntime* user = user_of(*snapshot_, key);
  CallBuckets buckets = {key != nullptr && !key->spec.limits.empty() ? bucket_of(*key) : nullptr, user != nullptr ? user->bucket : nullptr,
                         f.resolved.route != nullptr ? f.resolved.route->bucket : nullptr};
  if (buckets[0] == nullptr && buckets[1] == nullptr && buckets[2] == nullptr) return true;
  Wanted wanted = wanted_of(*snapshot_, f.candidates.front(), has_budget(key, user), f.facts.input_tokens,
                            f.facts.max_tokens.value_or(kUnknownOutput), f.facts.max_tokens.has_value(), f.wall);
  Denial denial;
  f.reservation = reserve_or_what_is_left(limiter_, buckets, wanted, &denial);
  if (f.reservation.active()) return true;
  f.limited = true;
  if (denial.bucket.compare(0, 6, "model:") != 0) return false;
  if (reserve_elsewhere(f, buckets, denial)) return true;
  denied(f, denial);
  return false;
}

// As Call::State::reserve_elsewhere().
bool Rehearsal::reserve_elsewhere(Flight& f, CallBuckets buckets, const Denial& denial) {
  const size_t first = pass_over_model(f.resolved.route, f.order, *snapshot_, f.candidates, [&] { return ask_of(f); });
  if (first == kNobody) return false;
  buckets[2] = nullptr;
  if (buckets[0] != nullptr || buckets[1] != nullptr) {
    const KeyRecord* key = f.call.key.get();
    Wanted wanted = wanted_of(*snapshot_, f.candidates[first], has_budget(key, user_of(*snapshot_, key)), f.facts.input_tokens,
                              f.facts.max_tokens.value_or(kUnknownOutput), f.facts.max_tokens.has_value(), f.wall);
    Denial mine;
    f.reservation = reserve_or_what_is_left(limiter_, buckets, wanted, &mine);
    if (!f.reservation.active()) return false;
  }
  for (size_t i = 0; i < f.candidates.size(); ++i) {
    if (f.candidates[i].route == f.resolved.route) pass_over(f, i, Passed::kLimited);
  }
  f.full = denial;
  return true;
}

// As Call::State::come_back().
void Rehearsal::come_back(Flight& f) {
  const auto full = std::exchange(f.full, std::nullopt);
  if (!full) return;
  if (f.reservation.active()) f.reservation.settle({0, 0, 0});
  f.reservation = Reservation();
  f.owes = true;
  denied(f, *full);
}

bool Rehearsal::reserve_attempt(Flight& f, Candidate& c, const CredentialRuntime* credential) {
  LimitBucket* buckets[3] = {c.provider->bucket, credential != nullptr ? credential->bucket : nullptr,
                             c.route != nullptr && c.route != f.resolved.route ? c.route->bucket : nullptr};
  if (buckets[0] == nullptr && buckets[1] == nullptr && buckets[2] == nullptr) return true;
  Demand demand;
  demand.tokens = f.facts.input_tokens + f.facts.max_tokens.value_or(0);
  Denial denial;
  f.mine().reservation = limiter_.reserve(buckets, 3, demand, &denial);
  if (f.mine().reservation.active()) return true;
  f.limited = true;
  pass_over(f, f.mine().current, Passed::kLimited);
  denied(f, denial);
  return false;
}

void Rehearsal::blocked(Flight& f, TimePoint until) {
  f.is_blocked = true;
  f.blocked_until = std::min(f.blocked_until, until);
}

void Rehearsal::denied(Flight& f, const Denial& denial) {
  if (denial.never || denial.kind == LimitKind::kBudget) return;
  blocked(f, denial.retry_after > Duration(0) ? now() + denial.retry_after : TimePoint::max());
}

// Until the limit that stands in the way is gone, or somebody gives back what he held; not for what is known to come too late.
bool Rehearsal::wait(Flight& f) {
  const QueueConfig& queue = snapshot_->config.routing.queue;
  if (queue.max_wait <= Duration(0) || !f.is_blocked || waiting_ >= static_cast<size_t>(queue.max)) return false;
  if (f.wait_until == TimePoint()) f.wait_until = std::min(now() + queue.max_wait, f.deadline);
  const bool timed = f.blocked_until != TimePoint::max();
  if (now() >= f.wait_until || (timed && f.blocked_until > f.wait_until)) return false;
  f.waits = true;
  ++waiting_;
  if (!timed) patient_.push_back(&f);
  later(f, kCall, timed ? std::max(now() + Duration(1), f.blocked_until) : f.wait_until, &Rehearsal::turn);
  return true;
}

void Rehearsal::turn(Flight& f) {
  if (std::exchange(f.waits, false)) --waiting_;
  if (f.blocked_until == TimePoint::max()) patient_.erase(std::remove(patient_.begin(), patient_.end(), &f), patient_.end());
  f.is_blocked = f.limited = f.order.last_resort = false;
  f.blocked_until = TimePoint::max();
  for (Candidate& c : f.candidates) c.considered = f.full && c.route == f.resolved.route;
  f.order.next = 0;
  if (f.owes) f.owes = !reserve(f);
  next_attempt(f);
}

// Something is free: who has waited longest for a place may look. Those that know when theirs comes wait for that.
void Rehearsal::wake() {
  if (patient_.empty()) return;
  Flight& f = *patient_.front();
  patient_.pop_front();
  f.blocked_until = now();
  later(f, kCall, now(), &Rehearsal::turn);
}

}  // namespace llmrouter::core
