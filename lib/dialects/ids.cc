#include "dialects/ids.h"

#include <chrono>
#include <random>

namespace llmrouter::dialects {
namespace {

uint64_t fresh_seed(const void* self) noexcept {
  uint64_t seed = static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()) ^
                  static_cast<uint64_t>(reinterpret_cast<uintptr_t>(self)) << 16;
  try {
    std::random_device device;
    seed ^= static_cast<uint64_t>(device()) << 32 | device();
  } catch (...) {
    // No system randomness: time and place still tell two codecs apart.
  }
  return seed;
}

}  // namespace

// SplitMix64 (Steele, Lea, Flood 2014).
uint64_t IdSource::random() {
  if (!seeded_) {
    state_ = fresh_seed(this);
    seeded_ = true;
  }
  uint64_t z = state_ += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

std::string IdSource::next(std::string_view prefix) {
  static constexpr char kAlphabet[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  std::string id(prefix);
  uint64_t pool = 0;
  for (int i = 0; i < 24; ++i) {
    if (i % 8 == 0) pool = random();
    id += kAlphabet[(pool & 0xff) % 62];
    pool >>= 8;
  }
  return id;
}

}  // namespace llmrouter::dialects
