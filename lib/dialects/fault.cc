#include "dialects/fault.h"

#include <string>

#include "dialects/text_match.h"

namespace llmrouter::dialects {
namespace {

template <size_t N>
bool is_one_of(std::string_view word, const std::string_view (&list)[N]) noexcept {
  for (std::string_view entry : list) {
    if (equals_ci(word, entry)) return true;
  }
  return false;
}

template <size_t N>
bool holds_one_of(std::string_view text, const std::string_view (&list)[N]) noexcept {
  for (std::string_view entry : list) {
    if (text.find(entry) != std::string_view::npos) return true;
  }
  return false;
}

// All that was said, in lower case. The tell-tale phrase stands near the beginning; what is beyond may be the caller's own prompt.
std::string words_of(const Fault& fault) {
  std::string words(fault.message, 0, kMaxErrorMessage);
  words += '\n';
  words.append(fault.detail, 0, kMaxErrorMessage);
  for (char& c : words) c = lower(c);
  return words;
}

// Codes and types are whole words of a vendor's list; phrases are looked for inside its message. All in lower case. The numbers are
// Z.ai's.
constexpr std::string_view kQuotaCodes[] = {"insufficient_quota", "exceeded_current_quota_error", "billing_hard_limit_reached", "arrearage",
                                            "accountoverdueerror", "billing_error", "insufficient_balance", "insufficient_credits",
                                            "1113", "1308", "1310"};
constexpr std::string_view kQuotaPhrases[] = {"insufficient balance", "insufficient credit", "balance is insufficient", "credit balance is too low",
                                              "account is in arrears", "overdue balance", "out of credits", "spending limit"};
constexpr std::string_view kContextCodes[] = {"context_length_exceeded", "exceed_context_size_error", "too_many_prompt_tokens", "too_many_tokens",
                                              "model_max_prompt_tokens_exceeded", "request_too_large_for_context", "1261"};
constexpr std::string_view kContextPhrases[] = {"maximum context length",
                                                "max context length",
                                                "context length exceeded",
                                                "context_length_exceeded",
                                                "available context size",
                                                "context window",
                                                "exceeded model token limit",
                                                "prompt is too long",
                                                "prompt too long",
                                                "input is too long",
                                                "maximum prompt length",
                                                "max_seq_len",
                                                "total length of all messages is too long",
                                                "exceeds the maximum number of tokens",
                                                "range of input length should be",
                                                "exceed max message tokens",
                                                "reduce the length of the messages",
                                                "exceed context limit",
                                                "too many tokens:",
                                                "exceeds the context length",
                                                "`inputs` tokens + `max_new_tokens` must be",
                                                "`inputs` must have less than"};
constexpr std::string_view kPolicyCodes[] = {"content_filter", "content_policy_violation", "responsibleaipolicyviolation",
                                             "data_inspection_failed", "datainspectionfailed", "content_policy", "invalid_prompt",
                                             "sensitivecontentdetected", "1301"};
constexpr std::string_view kPolicyPhrases[] = {"content management policy", "violates usage guidelines", "considered high risk",
                                               "safety system", "blocked by content filtering policy", "your input was flagged", "violating our usage policy",
                                               "inappropriate content", "responsibleaipolicyviolation", "sensitivecontentdetected", "content exists risk"};
constexpr std::string_view kKeyCodes[] = {"invalid_api_key", "authentication_error", "api_key_invalid", "invalid_authentication_error",
                                          "authenticationerror", "unauthenticated", "invalidapikey", "1000", "1001", "1002", "1003", "1004"};
constexpr std::string_view kKeyPhrases[] = {"incorrect api key", "invalid api key", "api key not valid", "api key expired", "api key is invalid",
                                            "invalid api-key"};
constexpr std::string_view kRateCodes[] = {"rate_limit_exceeded", "rate_limit_error", "rate_limit_reached_error", "ratelimitreached",
                                           "too_many_requests", "throttling", "throttling.ratequota", "resource_exhausted",
                                           "engine_overloaded_error", "1302", "1303", "1305", "1312"};
constexpr std::string_view kServerTypes[] = {"server_error", "api_error", "internal_error", "internal_server_error", "overloaded_error",
                                             "overloaded", "service_unavailable", "upstream_error", "generation", "timeout_error"};
constexpr std::string_view kRequestTypes[] = {"invalid_request_error", "badrequesterror", "invalid_request", "validation",
                                              "invalid_parameter_error", "not_found_error", "unprocessable_entity"};

// Not an empty purse: a smaller request would be served. OpenRouter's.
constexpr std::string_view kTooDearPhrases[] = {"fewer max_tokens", "can only afford"};
// What a 403 says that is about what was asked for and not about the key. "model" is in OpenAI's and Bedrock's, the others are Anthropic's and Volcengine's.
constexpr std::string_view kForbiddenPhrases[] = {"model", "the specified resource", "the requested resource"};

enum class Class { kTooDear, kForbidden, kQuota, kContext, kPolicy, kKey, kRate, kRequest, kServer };

// May a phrase in a message overrule the status? Only where the request is at fault, or where a vendor says 500 for everything.
bool words_may_decide(int status) noexcept {
  return status == 0 || (status >= 400 && status < 500 && status != 401 && status != 404 && status != 429) || status == 500;
}

Class class_of_status(int status, const Fault& fault) noexcept {
  switch (status) {
    case 401:
    case 403: return Class::kKey;
    case 402: return Class::kQuota;
    case 429: return Class::kRate;
    case 400:
    case 404:
    case 409:
    case 413:
    case 415:
    case 422: return Class::kRequest;
    case 0: break;
    default: return Class::kServer;
  }
  if (is_one_of(fault.type, kServerTypes) || is_one_of(fault.code, kServerTypes)) return Class::kServer;
  if (is_one_of(fault.type, kRequestTypes) || is_one_of(fault.code, kRequestTypes)) return Class::kRequest;
  return Class::kServer;
}

Class classify(const Fault& fault) {
  const std::string all = words_of(fault);
  const auto coded = [&](const auto& list) { return is_one_of(fault.code, list) || is_one_of(fault.type, list); };
  const auto said = [&](const auto& list) { return holds_one_of(all, list); };
  const bool words = words_may_decide(fault.status);
  if (fault.status == 402 && said(kTooDearPhrases)) return Class::kTooDear;
  // A per-minute quota (Google) wears the same words as an empty purse; its code tells them apart.
  if (fault.status == 402 || coded(kQuotaCodes)) return Class::kQuota;
  if (coded(kRateCodes) && (fault.status == 0 || fault.status == 429 || fault.status == 413 || fault.status == 400 || fault.status == 503)) {
    return Class::kRate;
  }
  if (fault.status < 500 && said(kQuotaPhrases)) return Class::kQuota;
  if (words && (coded(kContextCodes) || said(kContextPhrases))) return Class::kContext;
  if (words && (coded(kPolicyCodes) || said(kPolicyPhrases))) return Class::kPolicy;
  if (fault.status == 451) return Class::kPolicy;
  if (words && fault.status < 500 && (coded(kKeyCodes) || said(kKeyPhrases))) return Class::kKey;
  if (fault.status == 403 && said(kForbiddenPhrases)) return Class::kForbidden;
  return class_of_status(fault.status, fault);
}

std::string with_status(int status, const std::string& words) {
  std::string out = status != 0 ? "the upstream answered " + std::to_string(status) : "the upstream reported an error";
  if (!words.empty()) out += ": " + words;
  return out;
}

// Without secrets. One that hides behind JSON's escapes cannot be taken out and leave the JSON as it is: such a body is not kept, and the error is
// written anew.
std::string body_to_keep(std::string_view body, std::string_view key) {
  const std::string_view begin = cut(body, kMaxErrorBody);
  if (hides(begin, key, nullptr)) return {};
  return std::string(cut(scrub(begin, key), kMaxErrorBody));
}

}  // namespace

Error make_error(const Fault& fault, std::string_view body, std::string_view key) {
  std::string words = scrub(cut(trim(fault.message), kMaxErrorMessage), key);
  Error error;
  error.upstream_status = fault.status;
  error.upstream_code = scrub(cut(!fault.code.empty() ? fault.code : fault.type, 128), key);
  error.upstream_body = body_to_keep(body, key);
  const Class what = classify(fault);
  switch (what) {
    case Class::kTooDear:
    case Class::kForbidden:
    case Class::kQuota:
      // One word for all vendors: the key is good, but not for this request, not for this model, or its purse is empty.
      error.upstream_code = what == Class::kTooDear ? "request_too_dear" : what == Class::kForbidden ? "model_not_permitted" : "insufficient_quota";
      [[fallthrough]];
    case Class::kKey:
      error.code = ErrorCode::kUpstreamCredentialsRejected;
      error.message = with_status(fault.status, words);
      return error;
    case Class::kRate:
      error.code = ErrorCode::kUpstreamRateLimited;
      error.retry_after = fault.retry_after;
      error.message = with_status(fault.status, words);
      return error;
    case Class::kServer:
      error.code = ErrorCode::kUpstreamError;
      error.retry_after = fault.retry_after;
      error.message = with_status(fault.status, words);
      return error;
    case Class::kContext: error.code = ErrorCode::kContextLengthExceeded; break;
    case Class::kPolicy: error.code = ErrorCode::kContentPolicy; break;
    case Class::kRequest:
      error.code = ErrorCode::kUpstreamRejected;
      error.status = fault.status;
      break;
  }
  // The fault is in the request: the provider's words reach the caller as they are; clients know some of them by heart.
  error.message = words.empty() ? with_status(fault.status, {}) : std::move(words);
  error.param = scrub(cut(fault.param, 256), key);
  return error;
}

namespace {

// "Please try again in 1.78s.": more exact than any header.
std::chrono::milliseconds wait_in_words(std::string_view message) {
  constexpr std::string_view kWords = "try again in ";
  const size_t at = find_ci(message.substr(0, kMaxErrorMessage), kWords);
  if (at == std::string_view::npos) return std::chrono::milliseconds{0};
  std::string_view rest = message.substr(at + kWords.size());
  size_t end = 0;
  while (end < rest.size() && (is_alnum(rest[end]) || rest[end] == '.')) ++end;
  while (end > 0 && rest[end - 1] == '.') --end;
  const std::string_view word = rest.substr(0, end);
  if (word.empty() || is_digit(word.back())) return std::chrono::milliseconds{0};
  return parse_wait(word);
}

}  // namespace

Error error_of_reply(const HttpHead& head, std::string_view body, std::string_view key) {
  Fault fault;
  const std::string_view text = bare(body);
  // Content types lie; the first byte does not.
  const bool json = !text.empty() && (text.front() == '{' || text.front() == '[') && wire::validate(text);
  if (!json || !read_fault(wire::JsonValue(text), fault)) fault.message = json ? std::string() : plain_words(text);
  fault.status = head.status;
  Error error = make_error(fault, text, key);
  const bool limited = error.code == ErrorCode::kUpstreamRateLimited;
  if (!limited && error.code != ErrorCode::kUpstreamError) return error;
  if (auto said = retry_after(head); said.count() > 0) error.retry_after = said;
  if (limited && error.retry_after.count() == 0) error.retry_after = wait_in_words(fault.message);
  if (limited && error.retry_after.count() == 0) error.retry_after = reset_after(head);
  return error;
}

Error error_of_object(wire::JsonValue root, std::string_view key) {
  Fault fault;
  read_fault(root, fault);
  if (fault.retry_after.count() == 0) fault.retry_after = wait_in_words(fault.message);
  return make_error(fault, root.raw(), key);
}

Error unreadable(std::string_view what, std::string_view body, std::string_view key) {
  Error error(ErrorCode::kUpstreamError, std::string(what));
  error.upstream_body = body_to_keep(body, key);
  return error;
}

Result<wire::JsonValue> read_json(std::string_view body, std::string_view key) {
  const std::string_view text = bare(body);  // DeepSeek sends blank lines while it is busy
  if (!wire::validate(text)) return unreadable("the upstream's answer is not JSON: " + scrub(plain_words(text), key), text, key);
  return wire::JsonValue(text);
}

Result<wire::JsonValue> read_root(std::string_view body, std::string_view key) {
  auto root = read_json(body, key);
  if (root && !root->is_object() && !root->is_array()) return unreadable("the upstream's answer is no JSON object", body, key);
  return root;
}

}  // namespace llmrouter::dialects
