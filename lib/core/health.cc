#include "core/health.h"

#include <algorithm>

namespace llmrouter::core {
namespace {

// rest * 2^times, at most max.
Duration growing(Duration rest, int times, Duration max) noexcept {
  for (int i = 0; i < times && rest < max; ++i) rest *= 2;
  return std::min(rest, max);
}

}  // namespace

void TargetHealth::succeeded() noexcept {
  // Stores only when there is something to forget: the line stays shared while all is well.
  if (failures_.load(std::memory_order_relaxed) != 0) failures_.store(0, std::memory_order_relaxed);
  if (rests_.load(std::memory_order_relaxed) != 0) rests_.store(0, std::memory_order_relaxed);
  if (rest_until_.load(std::memory_order_relaxed) != 0) rest_until_.store(0, std::memory_order_relaxed);
}

void TargetHealth::failed(TimePoint now, const CooldownConfig& config) noexcept {
  const int64_t t = now.time_since_epoch().count();
  if (resting(now)) return;
  if (t - window_begin_.load(std::memory_order_relaxed) > config.within.count() && rests_.load(std::memory_order_relaxed) == 0) {
    window_begin_.store(t, std::memory_order_relaxed);
    failures_.store(0, std::memory_order_relaxed);
  }
  const int count = failures_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (count < config.failures) return;
  const int rests = rests_.fetch_add(1, std::memory_order_relaxed);
  rest_until_.store(t + growing(config.rest, rests, config.max).count(), std::memory_order_relaxed);
  failures_.store(config.failures - 1, std::memory_order_relaxed);  // half-open: the next failure decides
}

void CredentialHealth::succeeded() noexcept {
  if (strikes_.load(std::memory_order_relaxed) != 0) strikes_.store(0, std::memory_order_relaxed);
  if (why_.load(std::memory_order_relaxed) != 0) {
    why_.store(0, std::memory_order_relaxed);
    rest_until_.store(0, std::memory_order_relaxed);
  }
}

void CredentialHealth::rest(TimePoint now, RestReason why, Duration asked, const CooldownConfig& config) noexcept {
  const int strikes = strikes_.fetch_add(1, std::memory_order_relaxed);
  Duration length = asked;
  if (length <= Duration(0)) {
    length = why == RestReason::kRateLimited ? growing(std::chrono::seconds(1), strikes, config.rest) : growing(config.rest, strikes, config.max);
  }
  why_.store(static_cast<int>(why), std::memory_order_relaxed);
  rest_until_.store((now + length).time_since_epoch().count(), std::memory_order_relaxed);
}

}  // namespace llmrouter::core
