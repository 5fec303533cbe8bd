#include "auth/rs256.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <memory>

namespace llmrouter::auth {
namespace {

struct Free {
  void operator()(BIO* p) const noexcept { BIO_free(p); }
  void operator()(EVP_PKEY* p) const noexcept { EVP_PKEY_free(p); }
  void operator()(EVP_MD_CTX* p) const noexcept { EVP_MD_CTX_free(p); }
};

// A key with a passphrase is not asked for on the terminal.
int no_passphrase(char*, int, int, void*) { return 0; }

}  // namespace

std::optional<std::string> sign_rs256(std::string_view pem, std::string_view text) {
  std::optional<std::string> out;
  const std::unique_ptr<BIO, Free> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const std::unique_ptr<EVP_PKEY, Free> key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr) : nullptr);
  const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
  size_t size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  if (key && context && EVP_PKEY_base_id(key.get()) == EVP_PKEY_RSA &&
      EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) == 1 &&
      EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()) == 1) {
    out.emplace(size, '\0');
    if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out->data()), &size, bytes, text.size()) == 1) out->resize(size);
    else out.reset();
  }
  ERR_clear_error();  // the application's own queue stays clean
  return out;
}

}  // namespace llmrouter::auth
