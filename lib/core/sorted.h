// Sorting of plain numbers without a branch that depends on them: what is drawn by dice is in no order that a processor could foresee, and each
// wrong guess costs as much as twenty steps.
#ifndef LLMROUTER_CORE_SORTED_H_
#define LLMROUTER_CORE_SORTED_H_

#include <cstddef>
#include <cstdint>

namespace llmrouter::core {

// How much room sort_numbers() needs for so many, in each of its two places: eight times a power of two.
constexpr size_t room_to_sort(size_t count) noexcept {
  size_t room = 8;
  while (room < count) room *= 2;
  return room;
}

// Sorts `count` numbers, the smallest first; the highest number that there is may not be among them. Both places have room_to_sort(count); the answer is
// the one of the two where the sorted ones stand. Takes count * log(count) steps, whatever the numbers are.
const uint64_t* sort_numbers(uint64_t* numbers, size_t count, uint64_t* other) noexcept;

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_SORTED_H_
