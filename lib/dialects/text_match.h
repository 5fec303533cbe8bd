// Small tests on ASCII words, without regard to case.
#ifndef LLMROUTER_DIALECTS_TEXT_MATCH_H_
#define LLMROUTER_DIALECTS_TEXT_MATCH_H_

#include <cstddef>
#include <string_view>

namespace llmrouter::dialects {

constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_alnum(char c) noexcept { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z'); }
constexpr bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// `prefix` in lower case.
constexpr bool starts_with_ci(std::string_view text, std::string_view prefix) noexcept {
  if (text.size() < prefix.size()) return false;
  for (size_t i = 0; i < prefix.size(); ++i) {
    if (lower(text[i]) != prefix[i]) return false;
  }
  return true;
}

constexpr bool equals_ci(std::string_view a, std::string_view b) noexcept { return a.size() == b.size() && starts_with_ci(a, b); }

// Where `word` (lower case) begins in `text` at or after `from`; npos: nowhere.
constexpr size_t find_ci(std::string_view text, std::string_view word, size_t from = 0) noexcept {
  for (size_t i = from; i + word.size() <= text.size(); ++i) {
    if (starts_with_ci(text.substr(i), word)) return i;
  }
  return std::string_view::npos;
}

constexpr std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// A body without the blanks and the byte order mark around it.
constexpr std::string_view bare(std::string_view body) noexcept {
  body = trim(body);
  if (body.substr(0, 3) == "\xef\xbb\xbf") body.remove_prefix(3);
  return trim(body);
}

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_TEXT_MATCH_H_
