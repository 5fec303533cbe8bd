#include "storage/key_hash.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sys/random.h>

#include <cstring>
#include <string>

namespace llmrouter::storage {
namespace {

struct FreeMacKind {
  void operator()(EVP_MAC* mac) const noexcept { EVP_MAC_free(mac); }
};

Error no_crypto() { return Error(ErrorCode::kStorage, "OpenSSL gives no HMAC-SHA256"); }
Error no_random() { return Error(ErrorCode::kStorage, "the system gives no random bytes"); }

const unsigned char* bytes_of(std::string_view text) noexcept { return reinterpret_cast<const unsigned char*>(text.data()); }

// A MAC object over `key`, ready to be copied.
EVP_MAC_CTX* keyed_mac(const unsigned char* key, size_t size) {
  const std::unique_ptr<EVP_MAC, FreeMacKind> kind(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  if (!kind) return nullptr;
  EVP_MAC_CTX* mac = EVP_MAC_CTX_new(kind.get());
  char name[] = "SHA256";
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0), OSSL_PARAM_construct_end()};
  if (mac != nullptr && EVP_MAC_init(mac, key, size, params) == 1) return mac;
  EVP_MAC_CTX_free(mac);
  return nullptr;
}

bool mac_of(const EVP_MAC_CTX* keyed, std::string_view text, Digest* out) noexcept {
  EVP_MAC_CTX* mac = EVP_MAC_CTX_dup(keyed);
  if (mac == nullptr) return false;
  size_t size = 0;
  const bool ok = EVP_MAC_update(mac, bytes_of(text), text.size()) == 1 && EVP_MAC_final(mac, out->data(), &size, out->size()) == 1 &&
                  size == out->size();
  EVP_MAC_CTX_free(mac);
  return ok;
}

}  // namespace

bool random_bytes(unsigned char* out, size_t size) noexcept {
  while (size > 0) {
    const ssize_t n = getrandom(out, size, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    out += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

bool same_bytes(const Digest& a, const Digest& b) noexcept { return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

namespace {

class Sip {
 public:
  explicit Sip(const Tag& k)
      : a_(0x736f6d6570736575u ^ k[0]), b_(0x646f72616e646f6du ^ k[1] ^ 0xee), c_(0x6c7967656e657261u ^ k[0]), d_(0x7465646279746573u ^ k[1]) {}
  void word(uint64_t m) noexcept {
    d_ ^= m;
    rounds(2);
    a_ ^= m;
  }
  Tag finish() noexcept {
    Tag tag;
    c_ ^= 0xee;
    rounds(4);
    tag[0] = a_ ^ b_ ^ c_ ^ d_;
    b_ ^= 0xdd;
    rounds(4);
    tag[1] = a_ ^ b_ ^ c_ ^ d_;
    return tag;
  }

 private:
  static uint64_t turn(uint64_t x, int bits) noexcept { return x << bits | x >> (64 - bits); }
  void rounds(int count) noexcept {
    for (; count > 0; --count) {
      a_ += b_;
      c_ += d_;
      b_ = turn(b_, 13) ^ a_;
      d_ = turn(d_, 16) ^ c_;
      a_ = turn(a_, 32);
      c_ += b_;
      a_ += d_;
      b_ = turn(b_, 17) ^ c_;
      d_ = turn(d_, 21) ^ a_;
      c_ = turn(c_, 32);
    }
  }
  uint64_t a_, b_, c_, d_;
};

uint64_t little_endian(const char* p, size_t size) noexcept {
  uint64_t word = 0;
  for (size_t i = 0; i < size; ++i) word |= uint64_t{static_cast<unsigned char>(p[i])} << (8 * i);
  return word;
}

}  // namespace

Tag siphash(const Tag& key, std::string_view text) noexcept {
  Sip sip(key);
  const uint64_t length = uint64_t{text.size()} << 56;
  for (; text.size() >= 8; text.remove_prefix(8)) sip.word(little_endian(text.data(), 8));
  sip.word(length | little_endian(text.data(), text.size()));
  return sip.finish();
}

void KeyHasher::FreeMac::operator()(evp_mac_ctx_st* mac) const noexcept { EVP_MAC_CTX_free(mac); }
void KeyHasher::FreeMd::operator()(evp_md_st* md) const noexcept { EVP_MD_free(md); }

Result<KeyHasher> KeyHasher::make(std::string_view secret) {
  // The secret has other uses too, so each gets a key of its own.
  const std::unique_ptr<EVP_MAC_CTX, FreeMac> root(keyed_mac(bytes_of(secret), secret.size()));
  KeyHasher hasher;
  Digest subkey;
  if (!root || !mac_of(root.get(), "llmrouter key lookup 1", &subkey) || !mac_of(root.get(), "llmrouter secret check 1", &hasher.check_)) {
    return no_crypto();
  }
  hasher.lookup_mac_.reset(keyed_mac(subkey.data(), subkey.size()));
  OPENSSL_cleanse(subkey.data(), subkey.size());
  hasher.sha256_.reset(EVP_MD_fetch(nullptr, "SHA256", nullptr));
  if (!hasher.lookup_mac_ || !hasher.sha256_) return no_crypto();
  if (!random_bytes(reinterpret_cast<unsigned char*>(hasher.tag_key_.data()), sizeof(hasher.tag_key_))) return no_random();
  return hasher;
}

bool KeyHasher::lookup(std::string_view key, Digest* out) const noexcept {
  return lookup_mac_ && mac_of(lookup_mac_.get(), key, out);
}

bool KeyHasher::salted(const Salt& salt, std::string_view key, Digest* out) const noexcept {
  if (!sha256_ || key.size() > kMaxKeyText) return false;
  unsigned char text[sizeof(Salt) + kMaxKeyText];
  std::memcpy(text, salt.data(), salt.size());
  std::memcpy(text + salt.size(), key.data(), key.size());
  unsigned int size = 0;
  const bool ok = EVP_Digest(text, salt.size() + key.size(), out->data(), &size, sha256_.get(), nullptr) == 1 && size == out->size();
  OPENSSL_cleanse(text, salt.size() + key.size());
  return ok;
}

bool KeyHasher::hash(std::string_view key, HashedKey* out) const noexcept {
  return random_bytes(out->salt.data(), out->salt.size()) && lookup(key, &out->lookup) && salted(out->salt, key, &out->hash);
}

bool KeyHasher::matches(const HashedKey& hashed, std::string_view key) const noexcept {
  Digest digest;
  return salted(hashed.salt, key, &digest) && same_bytes(digest, hashed.hash);
}

Result<Secret> make_key_text(std::string_view prefix) {
  static constexpr std::string_view kLetters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  constexpr size_t kRandomLetters = 32;  // 190 bits
  constexpr unsigned kFair = 256 - 256 % kLetters.size();  // bytes from here on would favour the first letters
  std::string text(prefix);
  text.reserve(prefix.size() + kRandomLetters);  // never moved: no copy is left behind
  unsigned char bytes[64];
  while (text.size() < prefix.size() + kRandomLetters) {
    if (!random_bytes(bytes, sizeof(bytes))) return no_random();
    for (unsigned char byte : bytes) {
      if (byte < kFair && text.size() < prefix.size() + kRandomLetters) text += kLetters[byte % kLetters.size()];
    }
  }
  OPENSSL_cleanse(bytes, sizeof(bytes));
  return Secret(std::move(text));
}

Result<std::string> make_id(std::string_view prefix, WallTime now) {
  static constexpr char kLetters[] = "0123456789abcdefghjkmnpqrstvwxyz";  // none that look alike
  unsigned char random[16];
  if (!random_bytes(random, sizeof(random))) return no_random();
  std::string id(prefix);
  const auto ms = static_cast<uint64_t>(std::chrono::floor<std::chrono::milliseconds>(now).time_since_epoch().count());
  for (int shift = 45; shift >= 0; shift -= 5) id += kLetters[ms >> shift & 31];
  for (unsigned char byte : random) id += kLetters[byte & 31];
  return id;
}

}  // namespace llmrouter::storage
