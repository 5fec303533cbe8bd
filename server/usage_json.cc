#include "server/usage_json.h"

#include <algorithm>
#include <iterator>

#include "server/json.h"

namespace llmrouter::server {

bool is_usage_group(std::string_view by) noexcept {
  constexpr std::string_view kNames[] = {"model", "provider", "key", "user", "day"};
  return std::find(std::begin(kNames), std::end(kNames), by) != std::end(kNames);
}

std::string usage_page_json(const UsagePage& page) {
  std::string out = "{\"data\":[";
  for (const UsageRecord& record : page.data) {
    if (out.back() == '}') out += ',';
    out += to_json(record);
  }
  out += "],\"next\":";
  out += page.next.empty() ? "null" : json_string(page.next);
  return out + "}";
}

std::string usage_sums_json(std::string_view by, const std::vector<UsageSum>& sums, const std::function<std::string(const std::string& id)>& name_of) {
  std::string out = "{\"by\":" + json_string(by) + ",\"data\":[";
  for (const UsageSum& sum : sums) {
    if (out.back() == '}') out += ',';
    const std::string name = name_of ? name_of(sum.group) : std::string();
    out += to_json(sum, name_of ? &name : nullptr);
  }
  return out + "]}";
}

}  // namespace llmrouter::server
