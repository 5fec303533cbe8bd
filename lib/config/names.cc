#include "config/names.h"

#include <algorithm>

namespace llmrouter::config {

bool split_target(std::string_view text, std::string* provider, std::string* model) {
  size_t first = 0, end = text.find('/');
  if (!text.empty() && text[0] == '[') {
    first = 1;
    end = text.find(']');
  }
  if (end == std::string_view::npos || end == first || end + 1 == text.size()) return false;
  *provider = std::string(text.substr(first, end - first));
  *model = std::string(text.substr(end + 1));
  return true;
}

std::string check_provider_name(std::string_view name) {
  const bool good = !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
  return good ? "" : "expected a name of letters, digits, - _ and . (at most 64)";
}

std::string check_model_name(std::string_view name) {
  const bool good = !name.empty() && name.size() <= 256 &&
                    std::all_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7F; });
  if (!good) return "expected a name without blanks (at most 256 bytes)";
  return std::count(name.begin(), name.end(), '*') > 1 ? "expected a name with at most one *" : "";
}

}  // namespace llmrouter::config
