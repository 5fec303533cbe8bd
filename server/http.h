// HTTP as the server speaks it: one request in, one reply out. Plain data, cheap to include.
#ifndef LLMROUTER_SERVER_HTTP_H_
#define LLMROUTER_SERVER_HTTP_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/body.h"
#include "llmrouter/error.h"
#include "llmrouter/transport.h"
#include "llmrouter/router.h"

namespace llmrouter::server {

enum class Method { kGet, kHead, kPost, kPut, kPatch, kDelete, kOptions, kOther };
Method method_of(std::string_view name) noexcept;
std::string_view method_name(Method method) noexcept;

// What is kept of a request. Headers that mean something here have fields; of the others only those that may go upstream are kept.
struct Request {
  Method method = Method::kOther;
  std::string target;  // as it came: path and query; an absolute form is cut to its path
  bool http11 = true;
  bool keep_alive = true;
  bool chunked = false;
  bool expect_continue = false;
  bool proxied = false;           // x-forwarded-for, forwarded or via is there: not from this host, whatever the socket says
  bool browser = false;           // origin or sec-fetch-site is there
  bool cohere_sdk = false;        // x-fern-sdk-name says so
  bool encoded = false;           // content-encoding other than identity
  enum class BodyType { kUnsaid, kJson, kForm, kMultipart, kOther } body_type = BodyType::kUnsaid;
  std::string content_type;       // kMultipart: as it came
  std::optional<uint64_t> content_length;
  std::string key;                // from the first of authorization, x-api-key, x-goog-api-key, api-key, ?key= that is there
  int key_rank = 0;               // which of them; 0: none
  std::string request_id;         // the caller's, when well-formed
  std::string host;
  std::string origin;
  std::string cors_headers;       // access-control-request-headers
  std::string timeout;            // x-llmrouter-timeout
  std::string provider;           // x-llmrouter-provider
  std::vector<HttpHeader> forwarded;
  std::string body;
  std::unique_ptr<FormUpload> upload;  // not null: takes the body, in place of `body`

  std::string_view path() const noexcept;
  std::string_view query() const noexcept;  // without the question mark
};

// A reply made here, whole. Calls are answered by ChatRelay instead.
struct Reply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<ReplyHeader> headers;
};

std::string_view status_text(int status) noexcept;

// `%41` and, in queries, `+` undone; nullopt when an escape is broken.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);
// The decoded value of a query's parameter; nullopt when absent or broken.
std::optional<std::string> query_value(std::string_view query, std::string_view name);

bool iequals(std::string_view a, std::string_view b) noexcept;  // ASCII

// A host header that two readers take for the same: a name or an address, and a port or none.
bool well_formed_host(std::string_view host) noexcept;

// A parameter that means something here and is there twice; empty: none is.
std::string_view repeated_parameter(std::string_view query) noexcept;

// A host header that names this machine or an address, not a domain: `localhost`, `127.0.0.1:8000`, `[::1]:8000`.
bool is_plain_host(std::string_view host) noexcept;

std::string new_request_id();

}  // namespace llmrouter::server

#endif  // LLMROUTER_SERVER_HTTP_H_
