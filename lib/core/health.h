// How targets and credentials are doing, kept over reloads. All atomic: written by many calls at once, read by every plan.
#ifndef LLMROUTER_CORE_HEALTH_H_
#define LLMROUTER_CORE_HEALTH_H_

#include <atomic>
#include <cstdint>

#include "llmrouter/clock.h"
#include "llmrouter/config.h"

namespace llmrouter::core {

// Rests after `failures` within a time, longer each time, until a success. After a rest a single further failure sends it back.
class TargetHealth {
 public:
  bool resting(TimePoint now) const noexcept { return now.time_since_epoch().count() < rest_until_.load(std::memory_order_relaxed); }
  void succeeded() noexcept;
  void failed(TimePoint now, const CooldownConfig& config) noexcept;

 private:
  std::atomic<int64_t> rest_until_{0};
  std::atomic<int64_t> window_begin_{0};
  std::atomic<int> failures_{0};
  std::atomic<int> rests_{0};
};

enum class RestReason { kNone, kRateLimited, kRefused, kOutOfQuota };

// A credential that was limited rests as long as the provider said; one that was refused or is out of quota rests longer each time.
class CredentialHealth {
 public:
  // When it may be used again; before `now`: at once.
  TimePoint until() const noexcept { return TimePoint(Duration(rest_until_.load(std::memory_order_relaxed))); }
  RestReason why() const noexcept { return static_cast<RestReason>(why_.load(std::memory_order_relaxed)); }
  void succeeded() noexcept;
  // `asked`: how long the provider said; 0: it did not.
  void rest(TimePoint now, RestReason why, Duration asked, const CooldownConfig& config) noexcept;

 private:
  std::atomic<int64_t> rest_until_{0};
  std::atomic<int> why_{0};
  std::atomic<int> strikes_{0};
};

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_HEALTH_H_
