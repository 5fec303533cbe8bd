// What a key may be allowed, and a usage record says was asked: the one list of endpoints.
#include <algorithm>

#include "llmrouter/keys.h"
#include "llmrouter/pattern.h"

namespace llmrouter {

const std::vector<std::string>& endpoint_names() {
  static const std::vector<std::string> names = {"chat",       "completions", "responses", "messages", "count_tokens", "embeddings", "images",     "audio",
                                                 "moderations", "rerank",      "models",    "realtime", "files",        "batches",    "fine_tuning"};
  return names;
}

bool is_endpoint_pattern(std::string_view entry) {
  if (!entry.empty() && entry.front() == '!') entry.remove_prefix(1);
  const auto& names = endpoint_names();
  return std::any_of(names.begin(), names.end(), [entry](const std::string& name) { return pattern_match(entry, name); });
}

}  // namespace llmrouter
