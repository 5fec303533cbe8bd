#include "llmrouter/http_text.h"

#include <algorithm>

namespace llmrouter {
namespace {

constexpr size_t kLongestRequestId = 128;

bool is_alnum(char c) noexcept { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool all_alnum_or(std::string_view text, std::string_view others) noexcept {
  return std::all_of(text.begin(), text.end(), [&](char c) { return is_alnum(c) || others.find(c) != std::string_view::npos; });
}

bool starts_with_scheme(std::string_view text, std::string_view scheme) noexcept {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return text.size() > scheme.size() && std::equal(scheme.begin(), scheme.end(), text.begin(), [&](char s, char t) { return s == lower(t); });
}

}  // namespace

bool is_header_name(std::string_view text) noexcept { return !text.empty() && all_alnum_or(text, "!#$%&'*+-.^_`|~"); }

bool is_header_value(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F); });
}

bool is_http_url(std::string_view text) noexcept {
  for (const std::string_view scheme : {std::string_view("http://"), std::string_view("https://")}) {
    if (starts_with_scheme(text, scheme)) return std::string_view("/?#:").find(text[scheme.size()]) == std::string_view::npos;
  }
  return false;
}

bool is_request_id(std::string_view text) noexcept {
  return !text.empty() && text.size() <= kLongestRequestId && all_alnum_or(text, "-_.:/=+@");
}

}  // namespace llmrouter
