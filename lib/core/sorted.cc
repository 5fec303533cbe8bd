#include "core/sorted.h"

#include <algorithm>

namespace llmrouter::core {
namespace {

constexpr size_t kBlock = 8;

// Compilers like to make branches of std::min and std::max together.
inline void put_in_order(uint64_t& a, uint64_t& b) noexcept {
  const uint64_t differ = (a ^ b) & (uint64_t{0} - static_cast<uint64_t>(b < a));
  a ^= differ;
  b ^= differ;
}

// Batcher's odd-even merge sort of eight (1968).
void sort_block(uint64_t* block) noexcept {
  uint64_t a = block[0], b = block[1], c = block[2], d = block[3], e = block[4], f = block[5], g = block[6], h = block[7];
  put_in_order(a, b), put_in_order(c, d), put_in_order(e, f), put_in_order(g, h);
  put_in_order(a, c), put_in_order(b, d), put_in_order(e, g), put_in_order(f, h);
  put_in_order(b, c), put_in_order(f, g), put_in_order(a, e), put_in_order(d, h);
  put_in_order(b, f), put_in_order(c, g);
  put_in_order(b, e), put_in_order(d, g);
  put_in_order(c, e), put_in_order(d, f);
  put_in_order(d, e);
  block[0] = a, block[1] = b, block[2] = c, block[3] = d, block[4] = e, block[5] = f, block[6] = g, block[7] = h;
}

// Two sorted runs that stand side by side, from both ends at once: neither end has to look for where a run is over, and the two do not wait for each other.
// How far the right one is follows from how far the left one is.
void merge(const uint64_t* in, size_t run, uint64_t* out) noexcept {
  size_t left = 0, last_left = run - 1;
  for (size_t i = 0; i < run; ++i) {
    const uint64_t a = in[left], b = in[run + i - left], c = in[last_left], d = in[3 * run - 2 - i - last_left];
    out[i] = b < a ? b : a;
    left += a <= b;
    out[2 * run - 1 - i] = d < c ? c : d;
    last_left -= d < c;
  }
}

}  // namespace

const uint64_t* sort_numbers(uint64_t* numbers, size_t count, uint64_t* other) noexcept {
  const size_t room = room_to_sort(count);
  std::fill(numbers + count, numbers + room, ~uint64_t{0});
  for (size_t at = 0; at < count; at += kBlock) sort_block(numbers + at);
  for (size_t run = kBlock; run < room; run *= 2) {
    for (size_t at = 0; at < room; at += 2 * run) {
      if (at + run < count) merge(numbers + at, run, other + at);
      else std::copy(numbers + at, numbers + at + 2 * run, other + at);
    }
    std::swap(numbers, other);
  }
  return numbers;
}

}  // namespace llmrouter::core
