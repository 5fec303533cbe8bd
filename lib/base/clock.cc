#include "llmrouter/clock.h"

namespace llmrouter {
namespace {

class SystemClock final : public Clock {
 public:
  TimePoint now() const noexcept override { return std::chrono::steady_clock::now(); }
  WallTime wall() const noexcept override {
    return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  }
};

}  // namespace

const Clock& system_clock() noexcept {
  static const SystemClock clock;
  return clock;
}

ManualClock::ManualClock(WallTime start) : start_(start) {}

TimePoint ManualClock::now() const noexcept { return TimePoint(std::chrono::hours(1) + Duration(elapsed_ns_.load())); }

WallTime ManualClock::wall() const noexcept {
  return start_ + std::chrono::duration_cast<std::chrono::microseconds>(Duration(elapsed_ns_.load()));
}

void ManualClock::advance(Duration by) noexcept { elapsed_ns_.fetch_add(by.count()); }

}  // namespace llmrouter
