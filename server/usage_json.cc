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
    out += '{';
    if (sum.group.empty()) {
      append_name(out, "group");
      out += "null";
    } else {
      append_member(out, "group", sum.group);
    }
    if (name_of) append_member(out, "name", name_of(sum.group));
    append_member(out, "calls", sum.calls);
    append_member(out, "errors", sum.errors);
    append_member(out, "limited", sum.limited);
    append_member(out, "cancelled", sum.cancelled);
    append_member(out, "input_tokens", sum.usage.input);
    append_member(out, "cached_tokens", sum.usage.cached);
    append_member(out, "output_tokens", sum.usage.output);
    append_member(out, "reasoning_tokens", sum.usage.reasoning);
    append_member(out, "cost_nano_usd", sum.cost_nano_usd);
    out += '}';
  }
  return out + "]}";
}

}  // namespace llmrouter::server
