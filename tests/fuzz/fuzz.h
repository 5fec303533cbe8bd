// What every fuzz target needs.
#ifndef LLMROUTER_TESTS_FUZZ_FUZZ_H_
#define LLMROUTER_TESTS_FUZZ_FUZZ_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

// One input. Returns 0.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace fuzz {

// What must hold, in all builds.
inline void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

// Takes decisions from the front of the input and leaves the rest as text.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}
  unsigned byte() {
    if (rest_.empty()) return 0;
    const unsigned b = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    return b;
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

// Lengths of pieces, without end: from a number, so that the same input is always cut the same way.
class Cuts {
 public:
  explicit Cuts(unsigned seed) : state_(seed * 2654435761u + 1), largest_(1u << (seed % 8)) {}
  size_t next() {
    state_ = state_ * 1664525u + 1013904223u;
    return 1 + (state_ >> 16) % largest_;
  }

 private:
  uint32_t state_;
  uint32_t largest_;
};

}  // namespace fuzz

#endif  // LLMROUTER_TESTS_FUZZ_FUZZ_H_
