// Short-lived credentials: what a provider's configured key is exchanged for before a request can go out (OAuth 2 access tokens).
//
// A credential has one AccessTokens, shared by all its requests on all threads. HttpRequest::tokens names it; a token transport (see
// make_token_transport) fetches the token, keeps it, renews it before it runs out, and adds the header. At most one fetch runs at a time.
#ifndef LLMROUTER_TOKEN_H_
#define LLMROUTER_TOKEN_H_

#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "llmrouter/clock.h"
#include "llmrouter/result.h"
#include "llmrouter/secret.h"
#include "llmrouter/transport.h"

namespace llmrouter {

struct AccessToken {
  Secret value;
  std::chrono::seconds lifetime{0};  // from now on
};

// How a token is asked for and read. No I/O. Thread-safe, immutable.
class LLMROUTER_EXPORT TokenExchange {
 public:
  virtual ~TokenExchange() = default;
  // The HTTP request for a new token; its body points into `owned`.
  virtual Result<HttpRequest> request(WallTime now, std::deque<std::string>& owned) const = 0;
  // The whole answer. Errors: kUpstreamCredentialsRejected when the credential is no good, else kUpstreamError. They hold no secrets.
  virtual Result<AccessToken> read(int status, std::string_view body) const = 0;
};

// Is this key one that has to be exchanged? Google's: a service account or an authorized user as JSON, or `google-metadata`.
LLMROUTER_EXPORT bool is_google_credential(std::string_view key) noexcept;

// Google's credentials, by the JWT bearer grant (RFC 7523, RS256), the refresh token grant, or the metadata server of the machine
// ("google-metadata", or "google-metadata:http://HOST:PORT" for one elsewhere). Tokens are asked for at oauth2.googleapis.com only, whatever the
// JSON says, but for a loopback address, which tests use. kConfig names what is wrong with the key.
LLMROUTER_EXPORT Result<std::shared_ptr<const TokenExchange>> make_google_exchange(const Secret& key);

// The shared state of one credential.
class AccessTokens;
LLMROUTER_EXPORT std::shared_ptr<AccessTokens> make_access_tokens(std::shared_ptr<const TokenExchange> exchange);

// Requests with `tokens` wait, without blocking anything, until there is one, and then go to `next` with "authorization: Bearer ..."; others go at
// once. One that gets no token ends with TransferError::kUnauthorized or what went wrong on the way. Owns `next`.
LLMROUTER_EXPORT std::unique_ptr<Transport> make_token_transport(std::unique_ptr<Transport> next);

}  // namespace llmrouter

#endif  // LLMROUTER_TOKEN_H_
