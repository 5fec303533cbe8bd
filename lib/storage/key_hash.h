// How the text of a key is kept: not at all.
//
// A key is found by HMAC-SHA256(subkey of the store's secret, key): whoever has the database alone can neither make a valid row nor test a
// guess. It is then verified, in constant time, against SHA-256(salt, key) with a salt of its own. A fast hash is enough here, unlike
// for passwords: a key holds 190 bits from the system's generator, so there is no list of likely ones to try, and at any speed of hashing
// an attacker would need some 2^189 attempts.
//
// A process that has seen a key pass both knows it again by a tag: a MAC under random bytes that are made for the process and leave it never.
#ifndef LLMROUTER_STORAGE_KEY_HASH_H_
#define LLMROUTER_STORAGE_KEY_HASH_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "llmrouter/clock.h"
#include "llmrouter/result.h"
#include "llmrouter/secret.h"

struct evp_mac_ctx_st;
struct evp_md_st;

namespace llmrouter::storage {

using Digest = std::array<unsigned char, 32>;
using Salt = std::array<unsigned char, 16>;
using Tag = std::array<uint64_t, 2>;

struct HashedKey {
  Digest lookup{};
  Salt salt{};
  Digest hash{};
};

// Bytes of the system's generator; false when it has none to give.
bool random_bytes(unsigned char* out, size_t size) noexcept;
// In a time that does not depend on where they differ.
bool same_bytes(const Digest& a, const Digest& b) noexcept;
inline bool same_tag(const Tag& a, const Tag& b) noexcept { return ((a[0] ^ b[0]) | (a[1] ^ b[1])) == 0; }

// SipHash-2-4 with 128 bits (Aumasson, Bernstein 2012): a MAC that is fast for short texts.
Tag siphash(const Tag& key, std::string_view text) noexcept;

// Immutable; thread-safe.
class KeyHasher {
 public:
  static Result<KeyHasher> make(std::string_view secret);
  KeyHasher() = default;  // hashes nothing: every key is unknown, none can be made

  // All false only when OpenSSL has no memory or there is no secret.
  bool lookup(std::string_view key, Digest* out) const noexcept;
  bool hash(std::string_view key, HashedKey* out) const noexcept;  // with a new salt
  bool matches(const HashedKey& hashed, std::string_view key) const noexcept;
  // By what this process knows a key again. Nothing that is kept anywhere.
  Tag tag(std::string_view key) const noexcept { return siphash(tag_key_, key); }
  // What a database keeps to tell whether it is opened with the secret it was made with.
  const Digest& check() const noexcept { return check_; }

 private:
  struct FreeMac {
    void operator()(evp_mac_ctx_st* mac) const noexcept;
  };
  struct FreeMd {
    void operator()(evp_md_st* md) const noexcept;
  };
  bool salted(const Salt& salt, std::string_view key, Digest* out) const noexcept;

  std::unique_ptr<evp_mac_ctx_st, FreeMac> lookup_mac_;  // keyed; copied for each use
  std::unique_ptr<evp_md_st, FreeMd> sha256_;
  Digest check_{};
  Tag tag_key_{};
};

// Longer texts are nobody's key.
constexpr size_t kMaxKeyText = 512;

// A new key: `prefix` and 32 random letters and digits.
Result<Secret> make_key_text(std::string_view prefix);
// `prefix` and 26 letters and digits that sort by time.
Result<std::string> make_id(std::string_view prefix, WallTime now);

}  // namespace llmrouter::storage

#endif  // LLMROUTER_STORAGE_KEY_HASH_H_
