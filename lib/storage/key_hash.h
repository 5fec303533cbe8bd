// How the text of a key is kept: not at all.
//
// A key is found by HMAC-SHA256(subkey of the store's secret, key): whoever has the database alone can neither make a valid row nor test a
// guess. It is then verified, in constant time, against SHA-256(salt, key) with a salt of its own. A fast hash is enough here, unlike
// for passwords: a key holds 190 bits from the system's generator, so there is no list of likely ones to try, and at any speed of hashing
// an attacker would need some 2^189 attempts.
#ifndef LLMROUTER_STORAGE_KEY_HASH_H_
#define LLMROUTER_STORAGE_KEY_HASH_H_

#include <array>
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

struct HashedKey {
  Digest lookup{};
  Salt salt{};
  Digest hash{};
};

// Bytes of the system's generator; false when it has none to give.
bool random_bytes(unsigned char* out, size_t size) noexcept;
// In a time that does not depend on where they differ.
bool same_bytes(const Digest& a, const Digest& b) noexcept;

// Immutable; thread-safe.
class KeyHasher {
 public:
  static Result<KeyHasher> make(std::string_view secret);
  KeyHasher() = default;  // hashes nothing: every key is unknown, none can be made

  // All false only when OpenSSL has no memory or there is no secret.
  bool lookup(std::string_view key, Digest* out) const noexcept;
  bool hash(std::string_view key, HashedKey* out) const noexcept;  // with a new salt
  bool matches(const HashedKey& hashed, std::string_view key) const noexcept;
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
};

// Longer texts are nobody's key.
constexpr size_t kMaxKeyText = 512;

// A new key: `prefix` and 32 random letters and digits.
Result<Secret> make_key_text(std::string_view prefix);
// `prefix` and 26 letters and digits that sort by time.
Result<std::string> make_id(std::string_view prefix, WallTime now);

}  // namespace llmrouter::storage

#endif  // LLMROUTER_STORAGE_KEY_HASH_H_
