// operator new that counts what a thread holds. Include it in exactly one source of a test program.
#ifndef LLMROUTER_TESTS_UNIT_STREAMS_COUNTED_NEW_H_
#define LLMROUTER_TESTS_UNIT_STREAMS_COUNTED_NEW_H_

#include <malloc.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace counted {

struct Held {
  int64_t bytes = 0;   // asked for and not given back; below zero when another thread's was
  int64_t peak = 0;    // the most that `bytes` was
  int64_t count = 0;   // of allocations
  int64_t asked = 0;   // bytes of all of them together
};
inline thread_local Held held;

// The peak is looked for from here on.
inline Held begin() {
  held.peak = held.bytes;
  return held;
}

inline void* take(std::size_t size, std::size_t alignment, bool throws) {
  void* p = alignment <= alignof(std::max_align_t) ? std::malloc(size != 0 ? size : 1)
                                                   : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (p == nullptr) {
    if (throws) throw std::bad_alloc();
    return nullptr;
  }
  held.bytes += static_cast<int64_t>(malloc_usable_size(p));
  if (held.bytes > held.peak) held.peak = held.bytes;
  ++held.count;
  held.asked += static_cast<int64_t>(size);
  return p;
}

inline void give_back(void* p) noexcept {
  if (p == nullptr) return;
  held.bytes -= static_cast<int64_t>(malloc_usable_size(p));
  std::free(p);
}

}  // namespace counted

void* operator new(std::size_t size) { return counted::take(size, 1, true); }
void* operator new[](std::size_t size) { return counted::take(size, 1, true); }
void* operator new(std::size_t size, std::align_val_t a) { return counted::take(size, static_cast<std::size_t>(a), true); }
void* operator new[](std::size_t size, std::align_val_t a) { return counted::take(size, static_cast<std::size_t>(a), true); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted::take(size, 1, false); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return counted::take(size, 1, false); }
void operator delete(void* p) noexcept { counted::give_back(p); }
void operator delete[](void* p) noexcept { counted::give_back(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { counted::give_back(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { counted::give_back(p); }
void operator delete(void* p, std::size_t) noexcept { counted::give_back(p); }
void operator delete[](void* p, std::size_t) noexcept { counted::give_back(p); }
void operator delete(void* p, std::align_val_t) noexcept { counted::give_back(p); }
void operator delete[](void* p, std::align_val_t) noexcept { counted::give_back(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { counted::give_back(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { counted::give_back(p); }

#endif  // LLMROUTER_TESTS_UNIT_STREAMS_COUNTED_NEW_H_
