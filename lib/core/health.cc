#include "core/health.h"

#include <algorithm>

#include "llmrouter/route.h"

namespace llmrouter::core {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

// rest * 2^times, at most max.
Duration growing(Duration rest, int times, Duration max) noexcept {
  for (int i = 0; i < times && rest < max; ++i) rest *= 2;
  return std::min(rest, max);
}

int64_t ticks(TimePoint t) noexcept { return t.time_since_epoch().count(); }

constexpr int64_t kWhyBits = 3;
constexpr Duration kRestOfLimited = std::chrono::seconds(1);  // where the provider does not say how long

}  // namespace

TimePoint TargetHealth::resting_until() const noexcept { return std::max({at(rest_until_), at(asked_until_), at(limited_until_)}); }

bool TargetHealth::take_probe(TimePoint now) noexcept { return state(now) == State::kHalfOpen && !probing_.exchange(true, kRelaxed); }

void TargetHealth::succeeded(TimePoint now, const CooldownConfig& config) noexcept {
  // Stores only when there is something to forget: the line stays shared while all is well.
  if (rest_until_.load(kRelaxed) != 0) {
    closed_at_.store(ticks(now), kRelaxed);
    failures_.store(0, kRelaxed);
    rest_until_.store(0, kRelaxed);
    probing_.store(false, kRelaxed);
  } else if (failures_.load(kRelaxed) != 0) {
    attempts_.fetch_add(1, kRelaxed);
    if (ticks(now) - window_begin_.load(kRelaxed) > config.within.count()) failures_.store(0, kRelaxed);
  }
}

void TargetHealth::failed(TimePoint now, const CooldownConfig& config) noexcept {
  const int64_t t = ticks(now);
  switch (state(now)) {
    case State::kOpen: return;  // asked for want of another, or before it opened
    case State::kHalfOpen: return open(t, config);
    case State::kClosed: break;
  }
  if (failures_.load(kRelaxed) == 0 || t - window_begin_.load(kRelaxed) > config.within.count()) {
    window_begin_.store(t, kRelaxed);
    attempts_.store(0, kRelaxed);
    failures_.store(0, kRelaxed);
  }
  const int attempts = attempts_.fetch_add(1, kRelaxed) + 1;
  const int failures = failures_.fetch_add(1, kRelaxed) + 1;
  if (failures < config.failures || 2 * failures < attempts) return;
  if (t - closed_at_.load(kRelaxed) > config.within.count()) rests_.store(0, kRelaxed);
  open(t, config);
}

void TargetHealth::open(int64_t now, const CooldownConfig& config) noexcept {
  int64_t before = rest_until_.load(kRelaxed);
  const int rests = rests_.load(kRelaxed);
  if (before > now || !rest_until_.compare_exchange_strong(before, now + growing(config.rest, rests, config.max).count(), kRelaxed)) return;  // another did
  rests_.store(rests + 1, kRelaxed);
  failures_.store(0, kRelaxed);
  probing_.store(false, kRelaxed);
}

void TargetHealth::rest_as_asked(TimePoint now, Duration asked, bool limited) noexcept {
  if (asked > Duration(0)) (limited ? limited_until_ : asked_until_).store(ticks(now + asked), kRelaxed);
}

void TargetHealth::forget() noexcept {
  for (std::atomic<int64_t>* figure : {&rest_until_, &asked_until_, &limited_until_, &window_begin_, &closed_at_}) figure->store(0, kRelaxed);
  for (std::atomic<int>* figure : {&failures_, &attempts_, &rests_}) figure->store(0, kRelaxed);
  probing_.store(false, kRelaxed);
}

KeyRest ModelRests::of(uint64_t model, TimePoint now) const noexcept {
  for (const Place& place : places_) {
    if (place.model.load(kRelaxed) != model) continue;
    const int64_t until = place.until.load(kRelaxed);
    if (until <= ticks(now)) continue;
    return {static_cast<RestReason>(until & kWhyBits), TimePoint(Duration(until & ~kWhyBits)), true};
  }
  return {};
}

void ModelRests::rest(uint64_t model, RestReason why, TimePoint until) noexcept {
  Place* mine = &places_[0];
  for (Place& place : places_) {
    if (place.model.load(kRelaxed) == model) {
      mine = &place;
      break;
    }
    if (place.until.load(kRelaxed) < mine->until.load(kRelaxed)) mine = &place;
  }
  mine->model.store(model, kRelaxed);
  mine->until.store((ticks(until) & ~kWhyBits) | static_cast<int64_t>(why), kRelaxed);
  any_.store(true, kRelaxed);
}

void ModelRests::forget(uint64_t model) noexcept {
  for (Place& place : places_) {
    if (place.model.load(kRelaxed) == model) place.until.store(0, kRelaxed);
  }
}

KeyRest CredentialHealth::rest_for(std::string_view model, uint64_t& hash, TimePoint now) const noexcept {
  if (resting(now)) return {why(), until(), true};
  if (!models_.any()) return {};
  if (hash == 0) hash = stable_hash(model);
  return models_.of(hash, now);
}

bool CredentialHealth::take_probe(TimePoint now) noexcept { return doubtful() && until() <= now && !probing_.exchange(true, kRelaxed); }

void CredentialHealth::succeeded(TimePoint now) noexcept {
  if (strikes_.load(kRelaxed) != 0) strikes_.store(0, kRelaxed);
  // A rest that began while this attempt was under way holds: what another one was told is news.
  if (why_.load(kRelaxed) != 0 && until() <= now) {
    why_.store(0, kRelaxed);
    probing_.store(false, kRelaxed);
  }
}

void CredentialHealth::rest(TimePoint now, RestReason why, Duration asked, const CooldownConfig& config) noexcept {
  if (asked <= Duration(0) && until() > now && this->why() == why) return;  // asked for want of another, or before it rested
  const int strikes = strikes_.fetch_add(1, kRelaxed);
  Duration length = asked;
  if (length <= Duration(0)) {
    switch (why) {
      case RestReason::kRateLimited: length = growing(kRestOfLimited, strikes, config.rest); break;
      case RestReason::kOutOfQuota: length = config.max; break;
      default: length = growing(config.rest, strikes, config.max); break;
    }
  }
  why_.store(static_cast<int>(why), kRelaxed);
  rest_until_.store(ticks(now + length), kRelaxed);
  probing_.store(false, kRelaxed);
}

void CredentialHealth::rest_for_model(std::string_view model, TimePoint now, RestReason why, Duration asked, const CooldownConfig& config) noexcept {
  if (asked <= Duration(0)) asked = why == RestReason::kRateLimited ? kRestOfLimited : config.rest;
  models_.rest(stable_hash(model), why, now + asked);
}

void CredentialHealth::recovered(std::string_view model) noexcept {
  strikes_.store(0, kRelaxed);
  why_.store(0, kRelaxed);
  rest_until_.store(0, kRelaxed);
  probing_.store(false, kRelaxed);
  if (models_.any()) models_.forget(stable_hash(model));
}

}  // namespace llmrouter::core
