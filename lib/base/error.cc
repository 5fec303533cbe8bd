#include "llmrouter/error.h"

namespace llmrouter {
namespace {

struct CodeRow {
  ErrorCode code;
  std::string_view name;
  int status;
  std::string_view type;
};

constexpr std::string_view kInvalid = "invalid_request_error";
constexpr std::string_view kAuthentication = "authentication_error";
constexpr std::string_view kPermission = "permission_error";
constexpr std::string_view kServer = "server_error";

// In the order of the enumerators: the index is the code.
constexpr CodeRow kRows[] = {
    {ErrorCode::kNone, "none", 200, ""},
    {ErrorCode::kInvalidRequest, "invalid_request", 400, kInvalid},
    {ErrorCode::kContextLengthExceeded, "context_length_exceeded", 400, kInvalid},
    {ErrorCode::kContentPolicy, "content_policy", 400, kInvalid},
    {ErrorCode::kMissingKey, "missing_key", 401, kAuthentication},
    {ErrorCode::kInvalidKey, "invalid_key", 401, kAuthentication},
    {ErrorCode::kExpiredKey, "expired_key", 401, kAuthentication},
    {ErrorCode::kBudgetExceeded, "budget_exceeded", 402, "insufficient_quota"},
    {ErrorCode::kModelNotAllowed, "model_not_allowed", 403, kPermission},
    {ErrorCode::kEndpointNotAllowed, "endpoint_not_allowed", 403, kPermission},
    {ErrorCode::kParameterNotAllowed, "parameter_not_allowed", 403, kPermission},
    {ErrorCode::kAdminOnly, "admin_only", 403, kPermission},
    {ErrorCode::kModelNotFound, "model_not_found", 404, kInvalid},
    {ErrorCode::kUnknownPath, "unknown_path", 404, kInvalid},
    {ErrorCode::kNotFound, "not_found", 404, kInvalid},
    {ErrorCode::kMethodNotAllowed, "method_not_allowed", 405, kInvalid},
    {ErrorCode::kRequestTimeout, "request_timeout", 408, kInvalid},
    {ErrorCode::kConflict, "conflict", 409, kInvalid},
    {ErrorCode::kLengthRequired, "length_required", 411, kInvalid},
    {ErrorCode::kBodyTooLarge, "body_too_large", 413, kInvalid},
    {ErrorCode::kUnsupportedMediaType, "unsupported_media_type", 415, kInvalid},
    {ErrorCode::kHeadersTooLarge, "headers_too_large", 431, kInvalid},
    {ErrorCode::kRateLimited, "rate_limited", 429, "rate_limit_error"},
    {ErrorCode::kUpstreamRateLimited, "upstream_rate_limited", 429, "rate_limit_error"},
    {ErrorCode::kUpstreamRejected, "upstream_rejected", 400, kInvalid},
    {ErrorCode::kUpstreamError, "upstream_error", 502, kServer},
    {ErrorCode::kUpstreamCredentialsRejected, "upstream_credentials_rejected", 502, kServer},
    {ErrorCode::kNoTarget, "no_target", 503, kServer},
    {ErrorCode::kShuttingDown, "shutting_down", 503, kServer},
    {ErrorCode::kUpstreamTimeout, "upstream_timeout", 504, kServer},
    {ErrorCode::kCancelled, "cancelled", 499, kServer},
    {ErrorCode::kConfig, "config", 500, kServer},
    {ErrorCode::kIo, "io", 500, kServer},
    {ErrorCode::kStorage, "storage", 500, kServer},
    {ErrorCode::kNotSupported, "not_supported", 400, kInvalid},
    {ErrorCode::kInternal, "internal", 500, kServer},
};

constexpr bool in_order() {
  int i = 0;
  for (const CodeRow& row : kRows) {
    if (static_cast<int>(row.code) != i++) return false;
  }
  return i == static_cast<int>(ErrorCode::kInternal) + 1;
}
static_assert(in_order(), "kRows must list every code in the order of the enumeration");

const CodeRow& row_of(ErrorCode code) noexcept {
  auto i = static_cast<size_t>(code);
  return i < std::size(kRows) ? kRows[i] : kRows[static_cast<size_t>(ErrorCode::kInternal)];
}

}  // namespace

std::string_view code_name(ErrorCode code) noexcept { return row_of(code).name; }
int64_t Error::retry_after_seconds() const noexcept {
  if (retry_after.count() > 0) return retry_after.count() / 1000 + (retry_after.count() % 1000 != 0);
  return !never && (http_status() == 429 || http_status() == 503) ? 1 : 0;
}
std::string with_detail(std::string_view message, std::string_view detail) {
  std::string out(message);
  if (!detail.empty()) out.append(out.empty() ? "" : " ").append("(").append(detail).append(")");
  return out;
}

int default_status(ErrorCode code) noexcept { return row_of(code).status; }
std::string_view error_type(ErrorCode code) noexcept { return row_of(code).type; }

}  // namespace llmrouter
