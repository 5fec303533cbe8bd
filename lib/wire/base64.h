// Base64 (RFC 4648, section 4), with padding.
#ifndef LLMROUTER_WIRE_BASE64_H_
#define LLMROUTER_WIRE_BASE64_H_

#include <optional>
#include <string>
#include <string_view>

namespace llmrouter::wire {

// Appends.
void append_base64(std::string& out, std::string_view bytes);

// Also takes the URL-safe alphabet and text without padding, as providers mix them; nothing else. Empty optional: it is no base64.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace llmrouter::wire

#endif  // LLMROUTER_WIRE_BASE64_H_
