#include "server/key_names.h"

#include <algorithm>

#include "llmrouter/pattern.h"

namespace llmrouter::server {

namespace {

using Names = std::vector<std::string>;

bool holds(const Names& list, const std::string& name) { return std::find(list.begin(), list.end(), name) != list.end(); }

Error nobody(std::string_view field, size_t place, std::string_view kind, const std::string& wanted, const Names& there) {
  std::string list;
  for (const std::string& name : there) list.append(list.empty() ? "" : ", ").append(name);
  std::string entry = std::string(field) + '[' + std::to_string(place) + ']';
  std::string message = entry + ": there is no " + std::string(kind) + " \"" + wanted.substr(0, 100) + "\"; there are: " + list;
  return Error(ErrorCode::kInvalidRequest, std::move(message), std::move(entry));
}

}  // namespace

Result<void> check_providers(std::string_view field, const Names& there, const Names& wanted, const Names& before) {
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].empty() || holds(before, wanted[i])) continue;
    const std::string_view pattern = std::string_view(wanted[i]).substr(wanted[i].front() == '!' ? 1 : 0);
    if (pattern.find('*') != std::string_view::npos) continue;
    if (std::none_of(there.begin(), there.end(), [&](const std::string& name) { return pattern_match(pattern, name); })) return nobody(field, i, "provider", wanted[i], there);
  }
  return {};
}

Result<void> check_filters(std::string_view field, const Names& there, const Names& wanted, const Names& before) {
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (!wanted[i].empty() && !holds(there, wanted[i]) && !holds(before, wanted[i])) return nobody(field, i, "filter", wanted[i], there);
  }
  return {};
}

}  // namespace llmrouter::server
