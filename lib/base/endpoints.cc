// What a key may be allowed, and a usage record says was asked: the one list of endpoints.
#include <algorithm>

#include "llmrouter/keys.h"
#include "llmrouter/pattern.h"
#include "llmrouter/task.h"

namespace llmrouter {

const std::vector<std::string>& endpoint_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (int i = 0; i <= static_cast<int>(kLastOperation); ++i) {
      const std::string_view name = operation_name(static_cast<Operation>(i));
      if (std::find(all.begin(), all.end(), name) == all.end()) all.emplace_back(name);
    }
    all.emplace_back("models");
    return all;
  }();
  return names;
}

bool is_endpoint_pattern(std::string_view entry) {
  if (!entry.empty() && entry.front() == '!') entry.remove_prefix(1);
  const auto& names = endpoint_names();
  return std::any_of(names.begin(), names.end(), [entry](const std::string& name) { return pattern_match(entry, name); });
}

}  // namespace llmrouter
