#include "core/sorted.h"

#include <algorithm>
#include <vector>

#include "catch.h"
#include "core/random.h"

using namespace llmrouter::core;

TEST_CASE("numbers are sorted whatever they are and however many") {
  Random random(7);
  for (size_t count = 0; count < 300; ++count) {
    for (const uint64_t kinds : {uint64_t{1}, uint64_t{2}, uint64_t{9}, ~uint64_t{0}}) {  // all the same, zeros and ones, a few, any
      std::vector<uint64_t> numbers(room_to_sort(count)), other(room_to_sort(count)), expected;
      for (size_t i = 0; i < count; ++i) expected.push_back(numbers[i] = random.next() % kinds);
      std::sort(expected.begin(), expected.end());
      const uint64_t* const sorted = sort_numbers(numbers.data(), count, other.data());
      REQUIRE(std::vector<uint64_t>(sorted, sorted + count) == expected);
    }
  }
}

TEST_CASE("eight numbers are sorted in each of the orders that zeros and ones can have") {
  // A network that sorts all of these sorts everything (Knuth, 5.3.4, theorem Z).
  for (uint64_t bits = 0; bits < 256; ++bits) {
    std::vector<uint64_t> numbers(8), other(8);
    for (size_t i = 0; i < 8; ++i) numbers[i] = bits >> i & 1;
    const uint64_t* const sorted = sort_numbers(numbers.data(), 8, other.data());
    REQUIRE(std::is_sorted(sorted, sorted + 8));
    REQUIRE(std::count(sorted, sorted + 8, uint64_t{1}) == __builtin_popcountll(bits));
  }
}
