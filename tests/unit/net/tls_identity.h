// A self-signed certificate for 127.0.0.1, made when a test runs, and servers that present it.
#ifndef LLMROUTER_TESTS_TLS_IDENTITY_H_
#define LLMROUTER_TESTS_TLS_IDENTITY_H_

#include <memory>
#include <string>

#include "unit/net/scripted_server.h"

typedef struct ssl_ctx_st SSL_CTX;

namespace net_test {

class TlsIdentity {
 public:
  TlsIdentity();  // writes key and certificate into a new folder under /tmp
  ~TlsIdentity();
  TlsIdentity(const TlsIdentity&) = delete;
  TlsIdentity& operator=(const TlsIdentity&) = delete;
  const std::string& folder() const { return folder_; }
  std::string certificate_file() const { return folder_ + "/cert.pem"; }
  std::string key_file() const { return folder_ + "/key.pem"; }
  // For ScriptedServer: shakes hands before the script runs.
  ScriptedServer::Dress dress() const;

 private:
  std::string folder_;
  std::shared_ptr<SSL_CTX> context_;
};

}  // namespace net_test

#endif  // LLMROUTER_TESTS_TLS_IDENTITY_H_
