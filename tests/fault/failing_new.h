// operator new that fails when a test says so. Include it in exactly one source of a test program.
//
//   for (int n = 1;; ++n) {
//     FailingNew fail(n);       // the n-th allocation of this thread from here on throws std::bad_alloc, once
//     ... the operation ...
//     if (!fail.happened()) break;  // it has fewer than n: every one was tried
//   }
#ifndef LLMROUTER_TESTS_FAILING_NEW_H_
#define LLMROUTER_TESTS_FAILING_NEW_H_

#include <cstddef>
#include <cstdlib>
#include <new>

namespace fault {

inline thread_local long countdown = 0;  // 0: off

class FailingNew {
 public:
  explicit FailingNew(long nth) { countdown = nth; }
  ~FailingNew() { countdown = 0; }
  FailingNew(const FailingNew&) = delete;
  FailingNew& operator=(const FailingNew&) = delete;
  bool happened() const { return countdown == 0; }
  // For what a test does between its operations: checks, say.
  class Pause {
   public:
    Pause() : held_(countdown) { countdown = 0; }
    ~Pause() { countdown = held_; }

   private:
    long held_;
  };
};

inline void* allocate_or_null(std::size_t size) noexcept {
  if (countdown > 0 && --countdown == 0) return nullptr;
  return std::malloc(size != 0 ? size : 1);
}

inline void* allocate(std::size_t size, std::size_t alignment) {
  if (countdown > 0 && --countdown == 0) throw std::bad_alloc();
  void* p = alignment <= alignof(std::max_align_t) ? std::malloc(size != 0 ? size : 1)
                                                   : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

}  // namespace fault

void* operator new(std::size_t size) { return fault::allocate(size, 1); }
void* operator new[](std::size_t size) { return fault::allocate(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment) { return fault::allocate(size, static_cast<std::size_t>(alignment)); }
void* operator new[](std::size_t size, std::align_val_t alignment) { return fault::allocate(size, static_cast<std::size_t>(alignment)); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return fault::allocate_or_null(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return fault::allocate_or_null(size); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

#endif  // LLMROUTER_TESTS_FAILING_NEW_H_
