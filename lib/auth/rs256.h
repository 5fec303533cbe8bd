// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518, section 3.3).
#ifndef LLMROUTER_AUTH_RS256_H_
#define LLMROUTER_AUTH_RS256_H_

#include <optional>
#include <string>
#include <string_view>

namespace llmrouter::auth {

// The signature's bytes; nullopt when the PEM text holds no RSA private key.
std::optional<std::string> sign_rs256(std::string_view pem_private_key, std::string_view text);

}  // namespace llmrouter::auth

#endif  // LLMROUTER_AUTH_RS256_H_
