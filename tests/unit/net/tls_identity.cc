#include "unit/net/tls_identity.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

namespace net_test {

namespace {

void need(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(what);
}

void add_extension(X509* certificate, int name, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, name, value);
  need(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1, "extension");
  X509_EXTENSION_free(extension);
}

std::shared_ptr<X509> self_signed(EVP_PKEY* key) {
  std::shared_ptr<X509> certificate(X509_new(), X509_free);
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  add_extension(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate.get(), NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost");
  need(X509_sign(certificate.get(), key, EVP_sha256()) != 0, "sign");
  return certificate;
}

class TlsPeer : public Peer {
 public:
  TlsPeer(int fd, int number, SSL_CTX* context) : Peer(fd, number), ssl_(SSL_new(context)) {
    sigset_t pipe;  // OpenSSL writes without MSG_NOSIGNAL; this thread is the connection's own
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    SSL_set_fd(ssl_, fd);
    ready_ = SSL_accept(ssl_) == 1;
  }
  ~TlsPeer() override {
    if (ready_) SSL_shutdown(ssl_);
    SSL_free(ssl_);
  }
  bool ready() const { return ready_; }
  long read_some(char* to, size_t size) override { return SSL_read(ssl_, to, static_cast<int>(size)); }
  long write_some(const char* from, size_t size) override { return SSL_write(ssl_, from, static_cast<int>(size)); }

 private:
  SSL* ssl_;
  bool ready_ = false;
};

}  // namespace

TlsIdentity::TlsIdentity() {
  char path[] = "/tmp/llmrouter-tls-XXXXXX";
  need(::mkdtemp(path) != nullptr, "mkdtemp");
  folder_ = path;
  const std::shared_ptr<EVP_PKEY> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::shared_ptr<X509> certificate = self_signed(key.get());
  FILE* file = std::fopen(key_file().c_str(), "we");
  need(file != nullptr && PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1, "key file");
  std::fclose(file);
  file = std::fopen(certificate_file().c_str(), "we");
  need(file != nullptr && PEM_write_X509(file, certificate.get()) == 1, "certificate file");
  std::fclose(file);
  context_ = std::shared_ptr<SSL_CTX>(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  need(SSL_CTX_use_certificate(context_.get(), certificate.get()) == 1 && SSL_CTX_use_PrivateKey(context_.get(), key.get()) == 1, "context");
}

TlsIdentity::~TlsIdentity() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

ScriptedServer::Dress TlsIdentity::dress() const {
  return [context = context_](int fd, int number) -> std::unique_ptr<Peer> {
    auto peer = std::make_unique<TlsPeer>(fd, number, context.get());
    if (!peer->ready()) return nullptr;
    return peer;
  };
}

}  // namespace net_test
