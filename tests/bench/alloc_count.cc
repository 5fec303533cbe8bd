#include "alloc_count.h"

#include <cerrno>
#include <cstddef>

namespace {

thread_local bench::Allocations counted;  // plain integers: counting must not cost what it is to tell

void note(size_t size) noexcept {
  ++counted.count;
  counted.bytes += size;
}

}  // namespace

namespace bench {

Allocations allocations() noexcept { return counted; }

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
