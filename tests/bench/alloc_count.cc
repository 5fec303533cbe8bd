#include "alloc_count.h"

#include <atomic>
#include <cerrno>
#include <cstddef>

namespace {

std::atomic<uint64_t> count{0}, bytes{0};

void note(size_t size) noexcept {
  count.fetch_add(1, std::memory_order_relaxed);
  bytes.fetch_add(size, std::memory_order_relaxed);
}

}  // namespace

namespace bench {

Allocations allocations() noexcept { return {count.load(std::memory_order_relaxed), bytes.load(std::memory_order_relaxed)}; }

}  // namespace bench

// A definition in the executable goes before the C library's own, for every library it loads; glibc keeps its own under these names.
extern "C" {
void* __libc_malloc(size_t size) noexcept;
void* __libc_calloc(size_t items, size_t size) noexcept;
void* __libc_realloc(void* old, size_t size) noexcept;
void* __libc_memalign(size_t alignment, size_t size) noexcept;

void* malloc(size_t size) noexcept {
  note(size);
  return __libc_malloc(size);
}
void* calloc(size_t items, size_t size) noexcept {
  note(items * size);
  return __libc_calloc(items, size);
}
void* realloc(void* old, size_t size) noexcept {
  note(size);
  return __libc_realloc(old, size);
}
void* aligned_alloc(size_t alignment, size_t size) noexcept {
  note(size);
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** out, size_t alignment, size_t size) noexcept {
  note(size);
  *out = __libc_memalign(alignment, size);
  return *out == nullptr ? ENOMEM : 0;
}
}
