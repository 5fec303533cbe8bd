#include "server/admin_query.h"

#include <string>

#include "llmrouter/values.h"
#include "server/http.h"

namespace llmrouter::server {

namespace {

Error fault(std::string_view name, std::string_view expected) {
  return Error(ErrorCode::kInvalidRequest, std::string(name) + ": expected " + std::string(expected), std::string(name));
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
  if (name == "key") filter.key = value;
  else if (name == "user") filter.user = value;
  else if (name == "model") filter.model = value;
  else if (name == "provider") filter.provider = value;
  else if (name == "cursor") filter.cursor = value;
  else return fault(name, "since, until, key, user, model, provider, status, limit or cursor");
  return {};
}

Result<UsageFilter> usage_filter(std::string_view query, WallTime now) {
  UsageFilter filter;
  while (!query.empty()) {
    const size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    const auto name = percent_decode(pair.substr(0, equals), true);
    const auto value = percent_decode(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1), true);
    if (!name || !value) return Error(ErrorCode::kInvalidRequest, "the query is not well escaped");
    if (auto set = set_filter(filter, *name, *value, now); !set) return std::move(set).error();
  }
  return filter;
}

}  // namespace llmrouter::server
