// Time, injected.
#ifndef LLMROUTER_CLOCK_H_
#define LLMROUTER_CLOCK_H_

#include <atomic>
#include <chrono>

#include "llmrouter/export.h"

namespace llmrouter {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;  // monotonic
using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;

// Thread-safe. Deadlines and rates use now(), records and budgets wall().
class LLMROUTER_EXPORT Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const noexcept = 0;
  virtual WallTime wall() const noexcept = 0;
};

// The machine's clocks. One object for the process; never freed.
LLMROUTER_EXPORT const Clock& system_clock() noexcept;

// A clock that moves when told to. For tests and simulations.
class LLMROUTER_EXPORT ManualClock : public Clock {
 public:
  // Starts at one hour on the monotonic clock and at `start` on the wall clock.
  explicit ManualClock(WallTime start = WallTime(std::chrono::microseconds(1767225600000000)));  // 2026-01-01T00:00:00Z
  TimePoint now() const noexcept override;
  WallTime wall() const noexcept override;
  void advance(Duration by) noexcept;  // moves both; thread-safe

 private:
  std::atomic<long long> elapsed_ns_{0};
  WallTime start_;
};

}  // namespace llmrouter

#endif  // LLMROUTER_CLOCK_H_
