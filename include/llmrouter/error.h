// What can go wrong, as data. Errors are returned, never thrown across the library's boundary and never kept in a thread-local.
#ifndef LLMROUTER_ERROR_H_
#define LLMROUTER_ERROR_H_

#include <chrono>
#include <string>
#include <string_view>

#include "llmrouter/export.h"

namespace llmrouter {

// One enumerator for each code that a caller may see. `code_name` gives the word used on the wire, in records and in the
// C ABI; `default_status` the HTTP status it is served with.
enum class ErrorCode {
  kNone = 0,
  kInvalidRequest,               // 400 invalid_request: `param` names the field
  kContextLengthExceeded,        // 400
  kContentPolicy,                // 400
  kMissingKey,                   // 401
  kInvalidKey,                   // 401
  kExpiredKey,                   // 401
  kBudgetExceeded,               // 402: the message says which budget and when it renews
  kModelNotAllowed,              // 403
  kEndpointNotAllowed,           // 403
  kParameterNotAllowed,          // 403
  kAdminOnly,                    // 403
  kModelNotFound,                // 404: the message holds the nearest names
  kUnknownPath,                  // 404
  kNotFound,                     // 404: a key, a user, a record
  kMethodNotAllowed,             // 405
  kRequestTimeout,               // 408: the client was too slow
  kConflict,                     // 409
  kLengthRequired,               // 411
  kBodyTooLarge,                 // 413
  kUnsupportedMediaType,         // 415
  kHeadersTooLarge,              // 431
  kRateLimited,                  // 429: ours; `retry_after` says when
  kUpstreamRateLimited,          // 429: every target's
  kUpstreamRejected,             // the upstream's own 400, 404, 409, 413, 415 or 422: the fault is in the request
  kUpstreamError,                // 502
  kUpstreamCredentialsRejected,  // 502: our key, never the caller's
  kNoTarget,                     // 503
  kShuttingDown,                 // 503
  kUpstreamTimeout,              // 504: the message says which of connect, first_token, idle, total
  kCancelled,                    // 499: the caller went away or cancelled
  kConfig,                       // a configuration that cannot be used; the message holds every fault, a line each
  kIo,                           // a file or socket of ours
  kStorage,                      // a database of ours
  kNotSupported,                 // a name of the contract that this version does not serve yet
  kInternal,                     // 500
};

// "model_not_found" and so on. The view is to static storage.
LLMROUTER_EXPORT std::string_view code_name(ErrorCode code) noexcept;
// The HTTP status of a code, 500 when it has none of its own.
LLMROUTER_EXPORT int default_status(ErrorCode code) noexcept;
// The `type` member of an OpenAI error body for this code ("invalid_request_error", "rate_limit_error", ...).
LLMROUTER_EXPORT std::string_view error_type(ErrorCode code) noexcept;

// "message (detail)", or the message alone when there is no detail.
LLMROUTER_EXPORT std::string with_detail(std::string_view message, std::string_view detail);

// A failure. Copyable; holds no secret (upstream bodies are scrubbed before they get here).
struct Error {
  ErrorCode code = ErrorCode::kNone;
  std::string message;                       // for a person, whoever calls; English, no trailing newline
  std::string param;                         // the field at fault, as a path ("messages[2].content"); may be empty
  int status = 0;                            // HTTP status; 0: default_status(code)
  std::chrono::milliseconds retry_after{0};  // 0: not known
  bool never = false;                        // the same request will be refused for ever: waiting does not help
  // Filled when an upstream said it.
  std::string provider;
  int upstream_status = 0;
  std::string upstream_code;  // the provider's own code or type word
  std::string upstream_body;  // the provider's own error body, capped and scrubbed; given back as it is when dialects match
  // Where it went wrong, for logs, administrators and the application itself, never for a caller from outside: host and port, the system's
  // own words. Empty: nothing more is known than `message`.
  std::string detail;

  Error() = default;
  Error(ErrorCode c, std::string m, std::string p = {}) : code(c), message(std::move(m)), param(std::move(p)) {}
  int http_status() const noexcept { return status != 0 ? status : default_status(code); }
  // For the retry-after header, in whole seconds, rounded up; 0: none. A 429 or 503 that nobody put a time to says 1, unless waiting does not help.
  int64_t retry_after_seconds() const noexcept;
  std::string in_full() const { return with_detail(message, detail); }
};

}  // namespace llmrouter

#endif  // LLMROUTER_ERROR_H_
