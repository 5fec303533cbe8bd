// Room for some values of a function that must not allocate for them.
#ifndef LLMROUTER_CORE_ROOM_H_
#define LLMROUTER_CORE_ROOM_H_

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace llmrouter::core {

// Up to N values on the stack, more on the heap. Made by add(), in order, or all at once by take(); nothing is spent on room that is not used.
template <typename T, size_t N>
class Room {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  explicit Room(size_t most) : heap_(most > N ? new std::byte[most * sizeof(T)] : nullptr) {}
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;

  void add(const T& value) { ::new (place() + count_++ * sizeof(T)) T(value); }
  // `count` values that the caller writes before anything is read; the values are plain bytes.
  T* take(size_t count) noexcept {
    count_ = count;
    return std::launder(reinterpret_cast<T*>(place()));
  }
  T* data() noexcept { return std::launder(reinterpret_cast<T*>(place())); }
  T* begin() noexcept { return data(); }
  T* end() noexcept { return data() + count_; }
  size_t size() const noexcept { return count_; }

 private:
  std::byte* place() noexcept { return heap_ ? heap_.get() : stack_; }
  std::unique_ptr<std::byte[]> heap_;
  size_t count_ = 0;
  alignas(T) std::byte stack_[N * sizeof(T)];
};

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_ROOM_H_
