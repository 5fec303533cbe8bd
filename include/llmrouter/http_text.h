// What may stand in an HTTP header, in a URL and in a request id: one answer for the file, the library, the transport and the server. Pure; no length is judged.
#ifndef LLMROUTER_HTTP_TEXT_H_
#define LLMROUTER_HTTP_TEXT_H_

#include <string_view>

#include "llmrouter/export.h"

namespace llmrouter {

// A token of RFC 9110, 5.6.2: not empty.
LLMROUTER_EXPORT bool is_header_name(std::string_view text) noexcept;
// Without line breaks and other control characters (a tab is none); bytes over 127 pass (RFC 9110, 5.5). May be empty.
LLMROUTER_EXPORT bool is_header_value(std::string_view text) noexcept;
// http:// or https:// and a host behind it, without which nobody could say where a key would go. What follows the host is not looked at.
LLMROUTER_EXPORT bool is_http_url(std::string_view text) noexcept;
// 1 to 128 letters, digits and -_.:/=+@: what may stand in a header, a log line and a URL as it is.
LLMROUTER_EXPORT bool is_request_id(std::string_view text) noexcept;

}  // namespace llmrouter

#endif  // LLMROUTER_HTTP_TEXT_H_
