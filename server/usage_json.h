// Usage as JSON: one shape for `GET /admin/v1/usage` and the `usage` command.
#ifndef LLMROUTER_SERVER_USAGE_JSON_H_
#define LLMROUTER_SERVER_USAGE_JSON_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/usage.h"

namespace llmrouter::server {

// May records be summed by it?
bool is_usage_group(std::string_view by) noexcept;
constexpr std::string_view kUsageGroups = "model, provider, key, user or day";

// {"data": [...], "next": cursor or null}
std::string usage_page_json(const UsagePage& page);
// {"by": ..., "data": [{"group": null for none, ...}]}. `name_of`: what the keys are called that are summed by; null: nothing is.
std::string usage_sums_json(std::string_view by, const std::vector<UsageSum>& sums, const std::function<std::string(const std::string& id)>& name_of);

}  // namespace llmrouter::server

#endif  // LLMROUTER_SERVER_USAGE_JSON_H_
