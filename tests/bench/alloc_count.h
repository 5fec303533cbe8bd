// How often the calling thread asked the allocator for memory: malloc and its kin are counted where glibc lets an executable stand in front of them.
#ifndef LLMROUTER_TESTS_BENCH_ALLOC_COUNT_H_
#define LLMROUTER_TESTS_BENCH_ALLOC_COUNT_H_

#include <cstdint>

namespace bench {

struct Allocations {
  uint64_t count = 0;  // malloc, calloc, realloc, aligned kinds; operator new among them
  uint64_t bytes = 0;
};
Allocations allocations() noexcept;

}  // namespace bench

#endif  // LLMROUTER_TESTS_BENCH_ALLOC_COUNT_H_
