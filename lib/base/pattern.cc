#include "llmrouter/pattern.h"

#include <algorithm>

namespace llmrouter {
namespace {

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Edit distance, given up above `limit`.
size_t distance(std::string_view a, std::string_view b, size_t limit) {
  constexpr size_t kMaxName = 128;  // names are short; a stranger's long one is not worth the time
  if (a.size() > kMaxName || b.size() > kMaxName) return limit + 1;
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    size_t best = row[0];
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t above = row[j];
      size_t change = diagonal + (lower(a[i - 1]) != lower(b[j - 1]));
      row[j] = std::min({change, above + 1, row[j - 1] + 1});
      diagonal = above;
      best = std::min(best, row[j]);
    }
    if (best > limit) return limit + 1;
  }
  return row[b.size()];
}

bool contains(std::string_view text, std::string_view piece) {
  return std::search(text.begin(), text.end(), piece.begin(), piece.end(), [](char x, char y) { return lower(x) == lower(y); }) !=
         text.end();
}

}  // namespace

bool pattern_match(std::string_view pattern, std::string_view text) noexcept {
  size_t p = 0, t = 0;
  size_t star = std::string_view::npos, after_star = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      after_star = t;
      if (p == pattern.size()) return true;  // it takes all the rest
    } else if (p < pattern.size() && lower(pattern[p]) == lower(text[t])) {
      ++p, ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;  // let the last star take one character more
      t = ++after_star;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool pattern_list_match(const std::vector<std::string>& patterns, std::string_view text) noexcept {
  bool any_positive = false, matched = false;
  for (const std::string& pattern : patterns) {
    if (!pattern.empty() && pattern[0] == '!') {
      if (pattern_match(std::string_view(pattern).substr(1), text)) return false;
    } else {
      any_positive = true;
      matched = matched || pattern_match(pattern, text);
    }
  }
  return matched || !any_positive;
}

std::string_view pattern_capture(std::string_view pattern, std::string_view text) noexcept {
  size_t star = pattern.find('*');
  if (star == std::string_view::npos || !pattern_match(pattern, text)) return {};
  std::string_view rest = pattern.substr(star + 1);
  // The shortest end of the text that what follows the star matches, so that the star takes as much as it can.
  for (size_t end = text.size() + 1; end-- > star;) {
    if (pattern_match(rest, text.substr(end))) return text.substr(star, end - star);
  }
  return {};
}

std::vector<std::string> nearest_names(std::string_view name, const std::vector<std::string>& names, size_t max) {
  std::vector<std::pair<size_t, const std::string*>> found;
  const size_t limit = std::max<size_t>(2, name.size() / 3);
  for (const std::string& candidate : names) {
    size_t d = distance(name, candidate, limit);
    if (d > limit && name.size() >= 3 && (contains(candidate, name) || (candidate.size() >= 3 && contains(name, candidate)))) d = limit;
    if (d <= limit) found.emplace_back(d, &candidate);
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> out;
  for (const auto& [d, candidate] : found) {
    if (out.size() == max) break;
    if (std::find(out.begin(), out.end(), *candidate) == out.end()) out.push_back(*candidate);
  }
  return out;
}

}  // namespace llmrouter
