// Money per period: the arithmetic of periods, and the meter.
#ifndef LLMROUTER_CORE_LIMITER_BUDGET_H_
#define LLMROUTER_CORE_LIMITER_BUDGET_H_

#include <array>
#include <atomic>
#include <cstdint>

#include "llmrouter/limits.h"

namespace llmrouter::core {

// Unix seconds, [begin, end). Total: begin 0, end kNever.
struct PeriodSpan {
  static constexpr int64_t kNever = INT64_MAX;
  int64_t begin = 0;
  int64_t end = kNever;
};
PeriodSpan period_at(const Budget& budget, WallTime when) noexcept;

// What is spent and reserved in the current period. Lock-free; a period begins with the first reservation in it, and exactly once.
//
// Amount and period must change together, and there is no portable way to swap 128 bits. So the amount shares its word with a 4-bit version,
// and each version's period stands in a ring beside it: to roll over is to write the next version's period and then to swap the word for
// (version + 1, 0). A swap that was prepared under the old version fails. Sixty bits of nano-USD are 576 million USD: a larger budget counts
// as that much.
class BudgetMeter {
 public:
  static constexpr int64_t kMaxNano = (int64_t{1} << 59) - 1;

  BudgetMeter(int64_t period, int64_t spent) noexcept;

  // Does `nano` fit in `period` below `limit`? Nothing fits in a budget that is used up, 0 neither.
  bool fits(int64_t period, int64_t limit, int64_t nano) const noexcept;
  // Reserves when it fits, and says in which period: a clock that went back does not reopen an old one.
  bool take(int64_t period, int64_t limit, int64_t nano, int64_t* taken_in) noexcept;
  // `used` takes the place of `reserved`, which was taken in `period`. A period that has ended is left alone.
  void settle(int64_t period, int64_t reserved, int64_t used) noexcept;

  struct View {
    int64_t spent = 0, reserved = 0;
  };
  View view(int64_t period) const noexcept;

 private:
  static constexpr int kVersionBits = 4;
  static constexpr uint64_t kVersions = uint64_t{1} << kVersionBits;
  static uint64_t version_of(int64_t word) noexcept { return static_cast<uint64_t>(word) & (kVersions - 1); }
  static int64_t amount_of(int64_t word) noexcept { return word >> kVersionBits; }
  static int64_t word_of(int64_t amount, uint64_t version) noexcept;
  void roll_over(int64_t word, int64_t period) noexcept;

  std::atomic<int64_t> word_;
  std::array<std::atomic<int64_t>, kVersions> periods_;
  std::array<std::atomic<int64_t>, kVersions> reserved_{};  // for the view alone
};

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_LIMITER_BUDGET_H_
