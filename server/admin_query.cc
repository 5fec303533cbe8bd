#include "server/admin_query.h"

#include <algorithm>
#include <set>
#include <string>

#include "llmrouter/values.h"
#include "server/http.h"
#include "server/usage_json.h"

namespace llmrouter::server {

namespace {

Error fault(std::string_view name, std::string_view expected) {
  return Error(ErrorCode::kInvalidRequest, std::string(name) + ": expected " + std::string(expected), std::string(name));
}

Error unknown(std::string_view name, std::string_view expected) {
  const std::string shown(name.substr(0, 100));  // of a stranger's text
  return Error(ErrorCode::kInvalidRequest, "unknown parameter \"" + shown + "\": expected " + std::string(expected), shown);
}

// Calls `take(name, value)` for each parameter, unescaped. Repeated names are errors, and what `take` answers.
template <typename Take>
Result<void> each_parameter(std::string_view query, Take take) {
  std::set<std::string> seen;
  while (!query.empty()) {
    const size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    const auto name = percent_decode(pair.substr(0, equals), true);
    const auto value = percent_decode(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1), true);
    if (!name || !value) return Error(ErrorCode::kInvalidRequest, "the query is not well escaped");
    if (auto taken = take(*name, *value); !taken) return taken;
    if (!seen.insert(*name).second) return fault(*name, "it once");
  }
  return {};
}

// Digits alone, up to 18 of them.
bool whole_number(std::string_view text, int64_t& out) noexcept {
  if (text.empty() || text.size() > 18) return false;
  out = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return false;
    out = out * 10 + (c - '0');
  }
  return true;
}

}  // namespace

Result<WallTime> parse_moment(std::string_view text, WallTime now) {
  int64_t number = 0;
  if (whole_number(text, number) && number < 253402300800) return WallTime(std::chrono::seconds(number));
  if (auto ago = parse_duration(text)) return now - std::chrono::duration_cast<std::chrono::microseconds>(*ago);
  return parse_time(text);
}

Result<void> set_filter(UsageFilter& filter, std::string_view name, std::string_view value, WallTime now) {
  if (name == "since" || name == "until") {
    auto moment = parse_moment(value, now);
    if (!moment) return fault(name, "a time such as 2026-11-01T00:00:00Z, a date, Unix seconds, or a duration such as 7d");
    (name == "since" ? filter.since : filter.until) = *moment;
    return {};
  }
  if (name == "limit") {
    int64_t limit = 0;
    if (!whole_number(value, limit) || limit < 1 || limit > 1000) return fault(name, "a number from 1 to 1000");
    filter.limit = static_cast<int>(limit);
    return {};
  }
  if (name == "status") {
    bool known = false;
    for (CallStatus s : {CallStatus::kOk, CallStatus::kError, CallStatus::kCancelled, CallStatus::kCut, CallStatus::kLimited})
      known |= value == call_status_name(s);
    if (!known) return fault(name, "ok, error, cancelled, cut or limited");
    filter.status = value;
    return {};
  }
  constexpr std::string_view kNames = "since, until, key, user, model, provider, status, limit, cursor or by";
  const bool text = name == "key" || name == "user" || name == "model" || name == "provider";
  if (text && value.empty()) return fault(name, "a value");
  if (name == "key") filter.key = value;
  else if (name == "user") filter.user = value;
  else if (name == "model") filter.model = value;
  else if (name == "provider") filter.provider = value;
  else if (name == "cursor") filter.cursor = value;
  else return unknown(name, kNames);
  return {};
}

Result<void> check_span(const UsageFilter& filter) {
  if (!filter.since || !filter.until || *filter.since < *filter.until) return {};
  return fault("since", "a moment before `until`");
}

Result<UsageQuestion> usage_question(std::string_view query, WallTime now) {
  UsageQuestion question;
  std::string paged;  // the parameter that asks for a part
  auto read = each_parameter(query, [&](const std::string& name, const std::string& value) -> Result<void> {
    if (name == "limit" || name == "cursor") paged = name;
    if (name != "by") return set_filter(question.filter, name, value, now);
    if (!is_usage_group(value)) return fault(name, kUsageGroups);
    question.by = value;
    return {};
  });
  if (!read) return std::move(read).error();
  if (auto span = check_span(question.filter); !span) return std::move(span).error();
  if (!question.by.empty() && !paged.empty()) return Error(ErrorCode::kInvalidRequest, paged + ": not with `by`, which sums all", paged);
  return question;
}

bool is_key_id(std::string_view text) noexcept { return text.substr(0, 4) == "key_" || text.substr(0, 5) == "file:"; }

Result<std::string> key_of_filter(const KeyStore& keys, const std::string& id_or_name) {
  auto found = keys.get(id_or_name);
  if (found) return (*found)->id;
  if (is_key_id(id_or_name)) return id_or_name;
  Error error = std::move(found).error();
  return Error(ErrorCode::kInvalidRequest, "key: " + error.message, "key");
}

Result<Page> page_of(std::string_view query) {
  Page page;
  auto read = each_parameter(query, [&](const std::string& name, const std::string& value) -> Result<void> {
    int64_t limit = 0;
    if (name == "cursor") {
      page.cursor = value;
    } else if (name != "limit") {
      return unknown(name, "limit or cursor");
    } else if (!whole_number(value, limit) || limit < 1 || limit > 1000) {
      return fault(name, "a number from 1 to 1000");
    } else {
      page.limit = static_cast<size_t>(limit);
    }
    return {};
  });
  if (!read) return std::move(read).error();
  return page;
}

Result<void> refuse_parameters(std::string_view query, std::string_view known) {
  return each_parameter(query, [known](const std::string& name, const std::string&) -> Result<void> {
    for (std::string_view left = known; !left.empty();) {
      const size_t end = std::min(left.find(' '), left.size());
      if (left.substr(0, end) == name) return {};
      left.remove_prefix(std::min(end + 1, left.size()));
    }
    return unknown(name, known.empty() ? std::string_view("no parameters here") : known);
  });
}

}  // namespace llmrouter::server
