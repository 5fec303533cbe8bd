#include "server/memory.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

namespace llmrouter::server {
namespace {

int give_back_object(dl_phdr_info* object, size_t, void* page) {
  const uintptr_t mask = *static_cast<const uintptr_t*>(page) - 1;
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;  // a writable one has what is nowhere else
    const uintptr_t begin = (object->dlpi_addr + segment.p_vaddr) & ~mask;
    const uintptr_t end = (object->dlpi_addr + segment.p_vaddr + segment.p_memsz + mask) & ~mask;
    ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

// glibc takes what is large straight from the kernel and gives it back at once: a prompt of a megabyte would cost its pages anew each time.
void keep_some_memory() noexcept {
#ifdef __GLIBC__
  ::mallopt(M_MMAP_THRESHOLD, 4 * 1024 * 1024);
  ::mallopt(M_TRIM_THRESHOLD, 16 * 1024 * 1024);
#endif
}

void give_back() noexcept {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
  auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  ::dl_iterate_phdr(&give_back_object, &page);
}

}  // namespace llmrouter::server
