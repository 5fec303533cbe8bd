// Small seeded randomness: for choosing, never for secrets.
#ifndef LLMROUTER_CORE_RANDOM_H_
#define LLMROUTER_CORE_RANDOM_H_

#include <cstdint>

namespace llmrouter::core {

// SplitMix64 (Steele, Lea, Flood 2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() noexcept {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  // In (0, 1): never 0, so that its logarithm is finite.
  double unit() noexcept { return (static_cast<double>(next() >> 11) + 0.5) * 0x1.0p-53; }

 private:
  uint64_t state_;
};

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_RANDOM_H_
