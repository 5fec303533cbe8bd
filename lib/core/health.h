// How targets and credentials are doing, kept over reloads. All atomic: written by many calls at once, read by every plan.
#ifndef LLMROUTER_CORE_HEALTH_H_
#define LLMROUTER_CORE_HEALTH_H_

#include <atomic>
#include <cstdint>
#include <string_view>

#include "llmrouter/clock.h"
#include "llmrouter/config.h"

namespace llmrouter::core {

// A circuit breaker. Closed: asked as its strategy says. Open: it rests. Half-open, after the rest: one attempt is let through and decides.
//
// It opens when, within `cooldown.within` of a first failure, there were `cooldown.failures` and at least half of the attempts failed. Each rest is twice
// the one before, up to `cooldown.max`, until it has stayed closed for `cooldown.within`. Besides it rests as long as an upstream asked for.
class TargetHealth {
 public:
  enum class State { kClosed, kOpen, kHalfOpen };
  State state(TimePoint now) const noexcept {
    const int64_t until = rest_until_.load(std::memory_order_relaxed);
    return until == 0 ? State::kClosed : now.time_since_epoch().count() < until ? State::kOpen : State::kHalfOpen;
  }
  // Not to be asked while there are others: open, half-open with its probe under way, or as it asked.
  bool resting(TimePoint now) const noexcept {
    const int64_t asked = asked_until_.load(std::memory_order_relaxed), limited = limited_until_.load(std::memory_order_relaxed);
    if ((asked | limited | rest_until_.load(std::memory_order_relaxed)) == 0) return false;  // all is well, as mostly
    const int64_t t = now.time_since_epoch().count();
    if (asked > t || limited > t) return true;
    const State s = state(now);
    return s == State::kOpen || (s == State::kHalfOpen && probing_.load(std::memory_order_relaxed));
  }
  // Before an attempt. True: this attempt is the probe, and must end in succeeded(), failed() or let_go().
  bool take_probe(TimePoint now) noexcept;
  void let_go() noexcept { probing_.store(false, std::memory_order_relaxed); }
  void succeeded(TimePoint now, const CooldownConfig& config) noexcept;
  void failed(TimePoint now, const CooldownConfig& config) noexcept;
  // As long as the upstream asked. `limited`: it counts requests, so that asking before is of no use; else it is merely asked last.
  void rest_as_asked(TimePoint now, Duration asked, bool limited) noexcept;
  // As new.
  void forget() noexcept;
  TimePoint limited_until() const noexcept { return at(limited_until_); }
  TimePoint resting_until() const noexcept;

 private:
  static TimePoint at(const std::atomic<int64_t>& t) noexcept { return TimePoint(Duration(t.load(std::memory_order_relaxed))); }
  void open(int64_t now, const CooldownConfig& config) noexcept;
  std::atomic<int64_t> rest_until_{0};     // 0: closed
  std::atomic<int64_t> asked_until_{0};
  std::atomic<int64_t> limited_until_{0};
  std::atomic<int64_t> window_begin_{0};
  std::atomic<int64_t> closed_at_{0};      // when a probe went well
  std::atomic<int> failures_{0};           // since window_begin_; 0: no window, successes are not counted
  std::atomic<int> attempts_{0};           // that ended, since window_begin_
  std::atomic<int> rests_{0};              // in a row
  std::atomic<bool> probing_{false};
};

enum class RestReason { kNone, kRateLimited, kRefused, kOutOfQuota };

struct KeyRest {
  RestReason why = RestReason::kNone;
  TimePoint until{};  // not after now while its one probe is under way
  bool resting = false;
};

// Models that a credential rests for, and for no others. Callers name models, so there is room for kMost: whose rest ends first makes room for another. Read
// while it is written a rest may be another model's for a moment: that is one attempt too many or too few.
class ModelRests {
 public:
  bool any() const noexcept { return any_.load(std::memory_order_relaxed); }
  // All by stable_hash of the model's name.
  KeyRest of(uint64_t model, TimePoint now) const noexcept;
  void rest(uint64_t model, RestReason why, TimePoint until) noexcept;
  void forget(uint64_t model) noexcept;

 private:
  static constexpr int kMost = 16;
  struct Place {
    std::atomic<uint64_t> model{0};
    std::atomic<int64_t> until{0};   // the last two bits are `why`: nobody counts nanoseconds
  };
  Place places_[kMost];
  std::atomic<bool> any_{false};
};

// A credential that was limited rests as long as the provider said (or a second, doubling up to `cooldown.for`), a refused one for `cooldown.for`, doubling
// up to `max`, one out of quota for `max`: purses are not filled within seconds. After the last two, one attempt decides. What the attempts that were under way
// together are told makes one step of these. What is about one model alone has it rest for that one: as long as the provider said, or a second; `cooldown.for`.
class CredentialHealth {
 public:
  // When it may be used again; before `now`: at once.
  TimePoint until() const noexcept { return TimePoint(Duration(rest_until_.load(std::memory_order_relaxed))); }
  RestReason why() const noexcept { return static_cast<RestReason>(why_.load(std::memory_order_relaxed)); }
  bool resting(TimePoint now) const noexcept { return until() > now || (probing_.load(std::memory_order_relaxed) && doubtful()); }
  // For a model: for all of them, or for this one. `hash`: of its name, for who asks several; 0: not worked out yet.
  KeyRest rest_for(std::string_view model, uint64_t& hash, TimePoint now) const noexcept;
  // As TargetHealth's.
  bool take_probe(TimePoint now) noexcept;
  void let_go() noexcept { probing_.store(false, std::memory_order_relaxed); }
  void succeeded(TimePoint now) noexcept;
  // `asked`: how long the provider said; 0: it did not.
  void rest(TimePoint now, RestReason why, Duration asked, const CooldownConfig& config) noexcept;
  void rest_for_model(std::string_view model, TimePoint now, RestReason why, Duration asked, const CooldownConfig& config) noexcept;
  // It was asked while it rested, for want of another, and served.
  void recovered(std::string_view model) noexcept;

 private:
  bool doubtful() const noexcept { return why() == RestReason::kRefused || why() == RestReason::kOutOfQuota; }
  std::atomic<int64_t> rest_until_{0};
  std::atomic<int> why_{0};
  std::atomic<int> strikes_{0};
  std::atomic<bool> probing_{false};
  ModelRests models_;
};

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_HEALTH_H_
