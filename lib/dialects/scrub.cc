// Takes secrets and noise out of what upstreams say, before anybody else sees it.
#include <string>

#include "dialects/fault.h"
#include "dialects/text_match.h"

namespace llmrouter::dialects {
namespace {

constexpr std::string_view kMask = "***";

constexpr bool is_token_char(char c) noexcept {
  return is_alnum(c) || c == '-' || c == '_' || c == '*' || c == '.' || c == '+' || c == '/' || c == '=' || c == '~';
}

bool has_digit(std::string_view text) noexcept {
  for (char c : text) {
    if (is_digit(c)) return true;
  }
  return false;
}

bool has_known_prefix(std::string_view token) noexcept {
  // Always a key, and a key when there is a digit in it.
  static constexpr std::string_view kSure[] = {"sk-", "sk_", "gsk_", "xai-", "AIza", "nvapi-", "pplx-", "csk-", "eyJ"};
  static constexpr std::string_view kLikely[] = {"hf_", "r8_", "fw_", "tgp_", "pk-", "rk-", "sess-", "AKIA", "ABSK"};
  for (std::string_view prefix : kSure) {
    if (token.substr(0, prefix.size()) == prefix) return token.size() >= prefix.size() + 5;
  }
  for (std::string_view prefix : kLikely) {
    if (token.substr(0, prefix.size()) == prefix) return token.size() >= 10 && has_digit(token);
  }
  return false;
}

// Does the text before a token say that a key comes now?
bool announces_key(std::string_view before, std::string_view token) noexcept {
  while (!before.empty() && (is_blank(before.back()) || before.back() == '"' || before.back() == '\'' || before.back() == '\\' ||
                             before.back() == '`')) {
    before.remove_suffix(1);
  }
  auto ends = [&](std::string_view words) {
    return before.size() >= words.size() && starts_with_ci(before.substr(before.size() - words.size()), words);
  };
  if (ends("bearer")) {
    return token.size() >= 20 || (token.size() >= 6 && (has_digit(token) || token.find_first_of("-_") != std::string_view::npos));
  }
  if (ends("key provided:")) return token.size() >= 3;
  for (std::string_view name : {"api_key", "api-key", "apikey", "api key", "access_token", "auth_token", "secret_key", "?key", "&key"}) {
    for (std::string_view sign : {"=", ":"}) {
      if (before.size() <= name.size() || before.substr(before.size() - 1) != sign) continue;
      std::string_view head = before.substr(0, before.size() - 1);
      while (!head.empty() && (head.back() == '"' || head.back() == '\\')) head.remove_suffix(1);
      if (head.size() >= name.size() && starts_with_ci(head.substr(head.size() - name.size()), name)) {
        return token.size() >= 8 && has_digit(token);
      }
    }
  }
  return false;
}

// `name=value` is one run of token characters: where its value begins.
size_t value_of_assignment(std::string_view token) noexcept {
  const size_t at = token.find('=');
  return at == std::string_view::npos || at + 1 == token.size() ? 0 : at + 1;
}

bool is_secret(std::string_view before, std::string_view token) noexcept {
  return token.find("***") != std::string_view::npos || has_known_prefix(token) || announces_key(before, token);
}

constexpr size_t kShortestKey = 4;  // what is shorter stands in any text

int hex_value(char c) noexcept { return is_digit(c) ? c - '0' : lower(c) >= 'a' && lower(c) <= 'f' ? lower(c) - 'a' + 10 : -1; }

// JSON's escapes undone, wherever they stand. Keys are ASCII: what is not becomes a question mark.
std::string unescaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char c = text[++i];
    if (c != 'u' || text.size() - i < 5) {
      constexpr std::string_view kLetters = "bfnrt", kMeant = "\b\f\n\r\t";
      const size_t at = kLetters.find(c);
      out += at == std::string_view::npos ? c : kMeant[at];
      continue;
    }
    int code = 0;
    for (size_t k = 1; k <= 4 && code >= 0; ++k) {
      const int digit = hex_value(text[i + k]);
      code = digit < 0 ? -1 : code * 16 + digit;
    }
    if (code < 0) continue;
    out += code < 0x80 ? static_cast<char>(code) : '?';
    i += 4;
  }
  return out;
}

std::string without(std::string_view text, std::string_view key) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t at = key.size() >= kShortestKey ? text.find(key) : std::string_view::npos;
    if (at == std::string_view::npos) break;
    out.append(text.substr(0, at)).append(kMask);
    text.remove_prefix(at + key.size());
  }
  return out.append(text);
}

}  // namespace

bool hides(std::string_view text, std::string_view key, std::string* plain) {
  constexpr int kDeepest = 4;  // a text in a text in a text
  if (key.size() < kShortestKey || text.find('\\') == std::string_view::npos) return false;
  std::string open = unescaped(text);
  for (int depth = 0; depth < kDeepest; ++depth) {
    if (open.find(key) != std::string::npos) {
      if (plain != nullptr) *plain = std::move(open);
      return true;
    }
    if (open.find('\\') == std::string::npos) return false;
    open = unescaped(open);
  }
  return false;
}

std::string scrub(std::string_view raw, std::string_view key) {
  std::string plain;
  const std::string text = without(hides(raw, key, &plain) ? std::string_view(plain) : raw, key);
  std::string out;
  out.reserve(text.size());
  const std::string_view all = text;
  for (size_t i = 0; i < all.size();) {
    if (!is_token_char(all[i])) {
      out += all[i++];
      continue;
    }
    size_t end = i;
    while (end < all.size() && is_token_char(all[end])) ++end;
    std::string_view token = all.substr(i, end - i);
    if (const size_t value = value_of_assignment(token)) {
      out.append(token.substr(0, value));
      token.remove_prefix(value);
      i += value;
    }
    std::string_view bare = token;  // a full stop at the end belongs to the sentence
    while (!bare.empty() && bare.back() == '.') bare.remove_suffix(1);
    if (!bare.empty() && bare != kMask && is_secret(all.substr(0, i), bare)) {
      out.append(kMask).append(token.substr(bare.size()));
    } else {
      out.append(token);
    }
    i = end;
  }
  return out;
}

std::string_view cut(std::string_view text, size_t limit) noexcept {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0) == 0x80) --limit;
  return text.substr(0, limit);
}

std::string plain_words(std::string_view body) {
  body = trim(body.substr(0, 64 * 1024));
  if (body.empty()) return "an empty body";
  if (body.front() == '<') {
    const size_t open = find_ci(body, "<title");
    const size_t begin = open == std::string_view::npos ? open : body.find('>', open);
    const size_t end = begin == std::string_view::npos ? begin : find_ci(body, "</title", begin);
    if (end == std::string_view::npos) return "an HTML page";
    const std::string_view title = trim(body.substr(begin + 1, end - begin - 1));
    return "an HTML page: " + std::string(cut(title, 200));
  }
  std::string out;
  for (char c : cut(body, 300)) out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  return out;
}

}  // namespace llmrouter::dialects
