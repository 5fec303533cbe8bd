// SHA-256 and HMAC-SHA-256 (FIPS 180-4, RFC 2104), for request signatures: no secret is compared here. Not a constant-time library.
#ifndef LLMROUTER_WIRE_SHA256_H_
#define LLMROUTER_WIRE_SHA256_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace llmrouter::wire {

using Sha256Digest = std::array<unsigned char, 32>;

class Sha256 {
 public:
  Sha256() noexcept;
  void update(std::string_view bytes) noexcept;
  Sha256Digest finish() noexcept;  // once

 private:
  void block(const unsigned char* p) noexcept;
  std::array<uint32_t, 8> state_;
  std::array<unsigned char, 64> held_;
  size_t held_size_ = 0;
  uint64_t total_ = 0;
};

Sha256Digest sha256(std::string_view bytes) noexcept;
Sha256Digest hmac_sha256(std::string_view key, std::string_view bytes) noexcept;
// The digest's bytes, to be a key in turn.
inline std::string_view bytes_of(const Sha256Digest& digest) noexcept { return {reinterpret_cast<const char*>(digest.data()), digest.size()}; }
// Lower-case hexadecimal.
std::string hex_of(const Sha256Digest& digest);

}  // namespace llmrouter::wire

#endif  // LLMROUTER_WIRE_SHA256_H_
