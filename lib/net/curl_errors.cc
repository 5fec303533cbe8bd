#include "net/curl_errors.h"

#include <algorithm>

namespace llmrouter::net {

namespace {

using Kind = TransferError::Kind;

// Of a transfer that got nowhere, the kind does not depend on how; of one that did, broken off is broken off.
Kind broken_off(Progress progress) noexcept {
  switch (progress) {
    case Progress::kNothingSent: return Kind::kConnect;
    case Progress::kSent: return Kind::kReset;
    case Progress::kHead: return Kind::kTruncated;
  }
  return Kind::kInternal;
}

Kind kind_of(CURLcode code, Progress progress, std::string_view detail) noexcept {
  switch (code) {
    case CURLE_OK:
      return progress == Progress::kHead ? Kind::kNone : Kind::kReset;  // an end inside the head is no end to libcurl's mind
    case CURLE_OPERATION_TIMEDOUT:
      return progress == Progress::kNothingSent ? Kind::kConnectTimeout : broken_off(progress);
    case CURLE_UNSUPPORTED_PROTOCOL:  // also what it calls a reply that is not HTTP
    case CURLE_WEIRD_SERVER_REPLY:
      return progress == Progress::kNothingSent ? Kind::kConnect : Kind::kProtocol;
    case CURLE_BAD_CONTENT_ENCODING:
      return Kind::kProtocol;
    case CURLE_RECV_ERROR:
      return detail.find("chunked-encoding") != std::string_view::npos ? Kind::kProtocol : broken_off(progress);
    case CURLE_OUT_OF_MEMORY:  // a header line longer than libcurl takes; of real shortage nothing would be left to tell
      return progress == Progress::kSent ? Kind::kTooLarge : Kind::kInternal;
    case CURLE_FAILED_INIT:
    case CURLE_BAD_FUNCTION_ARGUMENT:
      return Kind::kInternal;
    default:
      return static_cast<int>(code) == 100 ? Kind::kTooLarge : broken_off(progress);  // CURLE_TOO_LARGE came after 7.88
  }
}

std::string_view phrase_of(Kind kind, CURLcode code) noexcept {
  switch (kind) {
    case Kind::kConnect:
      switch (code) {
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY: return "cannot connect: a name cannot be resolved";
        case CURLE_PEER_FAILED_VERIFICATION: return "cannot connect: its TLS certificate is not accepted";
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_SSL_CIPHER:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_ISSUER_ERROR:
        case CURLE_SSL_INVALIDCERTSTATUS: return "cannot connect: TLS failed";
        default: return "cannot connect";
      }
    case Kind::kConnectTimeout: return "timed out while connecting";
    case Kind::kReset: return "broke off before a reply";
    case Kind::kTruncated: return "the reply broke off";
    case Kind::kTooLarge: return "the reply's headers are too large";
    case Kind::kProtocol: return "the reply is not good HTTP";
    default: return "transfer failed";
  }
}

// "... after 12 ms: ..." differs each time: one fault has one text, for whoever tells each fault once.
std::string without_duration(std::string_view detail) {
  constexpr std::string_view kAfter = " after ", kDigits = "0123456789";
  const size_t after = detail.find(kAfter);
  if (after == std::string_view::npos) return std::string(detail);
  const size_t digits = after + kAfter.size();
  const size_t unit = std::min(detail.find_first_not_of(kDigits, digits), detail.size());
  for (std::string_view name : {" milliseconds", " ms"}) {
    if (unit == digits || detail.substr(unit, name.size()) != name) continue;
    return std::string(detail.substr(0, after)).append(detail.substr(unit + name.size()));
  }
  return std::string(detail);
}

}  // namespace

std::string scrub(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t space = text.find(' ');
    std::string_view word = text.substr(0, space);
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
    const size_t query = word.find('?');
    if (query != std::string_view::npos) word = word.substr(0, query);
    const size_t at = word.rfind('@');
    if (at != std::string_view::npos) {
      const size_t slashes = word.find("//");
      if (slashes != std::string_view::npos && slashes < at) out.append(word.substr(0, slashes + 2));
      word.remove_prefix(at + 1);
    }
    out.append(word);
    if (!text.empty()) out += ' ';
  }
  return out;
}

TransferError transfer_error(CURLcode code, Progress progress, std::string_view where, std::string_view detail) {
  TransferError error;
  error.kind = kind_of(code, progress, detail);
  if (error.ok()) return error;
  error.message = phrase_of(error.kind, code);
  error.detail = scrub(where);
  if (detail.empty() && code != CURLE_OK) detail = curl_easy_strerror(code);
  if (!detail.empty()) error.detail.append(": ").append(scrub(without_duration(detail)));
  return error;
}

}  // namespace llmrouter::net
