// Bytes over HTTP.
#ifndef LLMROUTER_TRANSPORT_H_
#define LLMROUTER_TRANSPORT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/reactor.h"
#include "llmrouter/stream.h"

namespace llmrouter {

class AccessTokens;  // see token.h
class BodySource;    // see body.h

struct HttpHeader {
  std::string name;
  std::string value;
};

// How a provider is reached. Shared by all requests to it; outlives them.
struct Endpoint {
  std::string proxy;    // http(s):// or socks5://; empty: none
  std::string ca_file;  // empty: the system's bundle
  bool verify_tls = true;
  size_t max_header_bytes = 64 * 1024;
  size_t max_body_bytes = 64 * 1024 * 1024;  // after decompression, for all of the body; 0: not limited (streams are limited by their parser)
};

// For requests whose URL a stranger chose: they go to public addresses alone. What is judged is the address that is connected to, after the name was
// resolved, so that a name that changes its mind gets nowhere; such a request has a connection of its own and no proxy.
struct LLMROUTER_EXPORT AddressPolicy {
  std::vector<std::string> allow;  // "10.1.0.0/16", "127.0.0.1", "fd00::/8": private ones that may be asked all the same
  // An address as 4 or 16 bytes in network order.
  bool allows(std::string_view bytes) const noexcept;
};

// Is it an address or a range, as AddressPolicy::allow takes it?
LLMROUTER_EXPORT bool is_address_range(std::string_view text) noexcept;

// A request whose body stays where it is: the pieces are sent one after the other and must live until the transfer has ended or
// is destroyed.
struct HttpRequest {
  std::string method = "POST";
  std::string url;
  std::vector<HttpHeader> headers;  // content-length is the transport's
  std::vector<std::string_view> body;
  std::shared_ptr<const BodySource> source;  // not null: the body, in place of `body`; read while it is sent
  Duration connect_timeout{std::chrono::seconds(5)};
  bool stream = false;  // the answer comes in small pieces over a long time: little memory is to be held for it
  std::shared_ptr<const Endpoint> endpoint;  // null: defaults
  std::shared_ptr<const AddressPolicy> addresses;  // null: any. Not null: an answer that redirects is handed over and not refused
  std::shared_ptr<AccessTokens> tokens;      // not null: needs an access token, which a token transport gets and adds (token.h)
};

struct HttpHead {
  int status = 0;
  std::vector<HttpHeader> headers;  // names in lower case
  LLMROUTER_EXPORT std::string_view header(std::string_view lower_case_name) const noexcept;  // empty: none; the first of several
};

struct TransferError {
  enum class Kind {
    kNone,
    kConnect,         // refused, unreachable, name not resolved, TLS failed: nothing was sent
    kConnectTimeout,
    kReset,           // broke off before a head came
    kTruncated,       // broke off after the head: fewer bytes than promised
    kTooLarge,        // header or body over the endpoint's caps
    kProtocol,        // not HTTP, a redirect, a bad encoding
    kInternal,
    kUnauthorized,    // its credential was refused when a token was asked for
    kRequestBody,     // the request's `source` could not be read: nobody upstream is at fault
  };
  Kind kind = Kind::kNone;
  std::string message;   // what happened, as any caller may read it: no host, no port, no path
  std::string detail{};  // where, and the system's words, for logs and administrators; may be empty
  bool ok() const noexcept { return kind == Kind::kNone; }
  std::string in_full() const { return with_detail(message, detail); }
};

// Hears of one transfer, on the reactor's thread, never from inside `start`. on_end comes exactly once unless the
// transfer is destroyed first; nothing comes after either. The sink may destroy the transfer in any callback.
class LLMROUTER_EXPORT TransferSink {
 public:
  virtual ~TransferSink() = default;
  virtual void on_head(const HttpHead& head) = 0;        // once, the final one (1xx are swallowed)
  virtual Flow on_body(std::string_view bytes) = 0;      // decompressed; kCancel: no more, and no on_end
  virtual void on_end(const TransferError& error) = 0;
};

// One exchange in flight. Destroying it closes or cancels it at once.
class LLMROUTER_EXPORT Transfer {
 public:
  virtual ~Transfer() = default;
  virtual void resume() = 0;  // after kPause; bytes arrive in a later drive()
};

// Not thread-safe: belongs to its reactor's thread, and must go before the reactor, after its transfers.
class LLMROUTER_EXPORT Transport {
 public:
  virtual ~Transport() = default;
  virtual Reactor& reactor() noexcept = 0;
  // Never fails here: what goes wrong is told to the sink later.
  virtual std::unique_ptr<Transfer> start(HttpRequest request, TransferSink& sink) = 0;
};

struct CurlOptions {
  int max_connections = 0;           // 0: not limited
  int max_per_host = 0;              // 0: not limited
  int idle_connections = 256;        // kept for reuse
  std::string ca_file;               // the bundle for hosts without their own; empty: /etc/ssl/certs/ca-certificates.crt where it is
  std::string user_agent = "llmrouter";
};
LLMROUTER_EXPORT Result<std::unique_ptr<Transport>> make_curl_transport(Reactor& reactor, const CurlOptions& options = {});

// The in-process model behind `demo/...` (base URL `demo:`): an OpenAI-dialect upstream without a socket. `next` gets every
// request whose URL does not begin with `demo:`; null: those fail to connect. Owns `next`.
LLMROUTER_EXPORT std::unique_ptr<Transport> make_demo_transport(Reactor& reactor, std::unique_ptr<Transport> next);

}  // namespace llmrouter

#endif  // LLMROUTER_TRANSPORT_H_
