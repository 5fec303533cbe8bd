#include "core/retry_budget.h"

namespace llmrouter::core {

void RetryBudget::Window::add(uint32_t second) noexcept {
  std::atomic<uint64_t>& slot = slots_[second % kSeconds];
  uint64_t word = slot.load(std::memory_order_relaxed);
  while (word >> 32 != second) {
    if (slot.compare_exchange_weak(word, uint64_t{second} << 32 | 1, std::memory_order_relaxed)) return;
  }
  slot.fetch_add(1, std::memory_order_relaxed);
}

void RetryBudget::Window::take_back(uint32_t second) noexcept {
  std::atomic<uint64_t>& slot = slots_[second % kSeconds];
  uint64_t word = slot.load(std::memory_order_relaxed);
  while (word >> 32 == second && (word & 0xffffffffu) != 0) {
    if (slot.compare_exchange_weak(word, word - 1, std::memory_order_relaxed)) return;
  }
}

int64_t RetryBudget::Window::sum(uint32_t second) const noexcept {
  int64_t sum = 0;
  for (const std::atomic<uint64_t>& slot : slots_) {
    const uint64_t word = slot.load(std::memory_order_relaxed);
    if (second - static_cast<uint32_t>(word >> 32) < kSeconds) sum += static_cast<int64_t>(word & 0xffffffffu);
  }
  return sum;
}

bool RetryBudget::grant(TimePoint now, int percent) noexcept {
  const uint32_t second = second_of(now);
  more_.add(second);
  if (more_.sum(second) * 100 <= kFloor * 100 + first_.sum(second) * percent) return true;
  more_.take_back(second);
  return false;
}

}  // namespace llmrouter::core
