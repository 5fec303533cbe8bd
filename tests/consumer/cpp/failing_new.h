// operator new of a test program, which fails when it is told to. Include it in one file.
#ifndef LLMROUTER_TESTS_CONSUMER_FAILING_NEW_H_
#define LLMROUTER_TESTS_CONSUMER_FAILING_NEW_H_

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<long> g_countdown{-1};  // below 0: nothing fails
std::atomic<bool> g_failed{false};

void* allocate(std::size_t size) {
  if (g_countdown.load(std::memory_order_relaxed) >= 0 && g_countdown.fetch_sub(1) == 0) {
    g_failed.store(true);
    return nullptr;
  }
  return std::malloc(size == 0 ? 1 : size);
}

}  // namespace

void* operator new(std::size_t size) {
  if (void* p = allocate(size)) return p;
  throw std::bad_alloc();
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }

#endif  // LLMROUTER_TESTS_CONSUMER_FAILING_NEW_H_
