#include "storage/usage_rules.h"

#include <algorithm>
#include <charconv>

#include "storage/key_hash.h"

namespace llmrouter::storage {
namespace {

constexpr size_t kName = 256;
constexpr size_t kWords = 1024;
constexpr size_t kJson = 4096;
constexpr size_t kEntries = 64;
constexpr int kMaxLimit = 1000;

constexpr CallStatus kStatuses[] = {CallStatus::kOk, CallStatus::kError, CallStatus::kCancelled, CallStatus::kCut, CallStatus::kLimited};

void cut(std::string& text, size_t most) {
  if (text.size() <= most) return;
  size_t end = most;
  while (end > most - 4 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  text = text.substr(0, end);  // gives the memory back, which resize() would not
}

Error invalid(const char* param, std::string words) { return Error(ErrorCode::kInvalidRequest, std::string(param) + ' ' + words, param); }

bool parse_integer(std::string_view text, int64_t* out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

void bound(UsageRecord& r) {
  for (std::string* text : {&r.id, &r.request_id, &r.key, &r.user, &r.endpoint, &r.dialect, &r.requested_model, &r.provider, &r.model, &r.error_code}) {
    cut(*text, kName);
  }
  cut(r.decision, kWords);
  if (r.price.size() > kJson) r.price = std::string();
  if (r.dropped.size() > kEntries) r.dropped.resize(kEntries);
  for (std::string& name : r.dropped) cut(name, kName);
  if (r.attempts.size() > kEntries) r.attempts.resize(kEntries);
  for (AttemptRecord& a : r.attempts) {
    for (std::string* text : {&a.provider, &a.model, &a.credential, &a.outcome}) cut(*text, kName);
    cut(a.reason, kWords);
    cut(a.detail, kWords);
  }
}

void name(UsageRecord& record) {
  if (!record.id.empty()) return;
  if (auto id = make_id("use_", record.time)) record.id = std::move(*id);
}

std::string cursor_of(const UsagePlace& place) { return std::to_string(place.time_us) + '_' + std::to_string(place.number); }

Result<CheckedFilter> check_filter(const UsageFilter& filter) {
  if (filter.limit < 1 || filter.limit > kMaxLimit) return invalid("limit", "must be 1 to " + std::to_string(kMaxLimit));
  CheckedFilter checked;
  if (!filter.status.empty()) {
    const bool known = std::any_of(std::begin(kStatuses), std::end(kStatuses), [&](CallStatus s) { return call_status_name(s) == filter.status; });
    if (!known) return invalid("status", "must be ok, error, cancelled, cut or limited");
  }
  if (filter.cursor.empty()) return checked;
  const std::string_view cursor = filter.cursor;
  const size_t line = cursor.find('_');
  UsagePlace place;
  if (line == std::string_view::npos || !parse_integer(cursor.substr(0, line), &place.time_us) ||
      !parse_integer(cursor.substr(line + 1), &place.number)) {
    return invalid("cursor", "is not one that was returned as `next`");
  }
  checked.after = place;
  return checked;
}

Result<UsageGroup> usage_group(std::string_view by) {
  if (by.empty()) return UsageGroup::kAll;
  if (by == "model") return UsageGroup::kModel;
  if (by == "provider") return UsageGroup::kProvider;
  if (by == "key") return UsageGroup::kKey;
  if (by == "user") return UsageGroup::kUser;
  if (by == "day") return UsageGroup::kDay;
  return invalid("by", "must be model, provider, key, user or day");
}

CallStatus status_of_name(std::string_view name) noexcept {
  for (CallStatus status : kStatuses) {
    if (call_status_name(status) == name) return status;
  }
  return CallStatus::kError;
}

void sort_sums(UsageGroup group, std::vector<UsageSum>& sums) {
  std::sort(sums.begin(), sums.end(), [group](const UsageSum& a, const UsageSum& b) {
    if (group == UsageGroup::kDay) return a.group < b.group;
    if (a.cost_nano_usd != b.cost_nano_usd) return a.cost_nano_usd > b.cost_nano_usd;
    if (a.calls != b.calls) return a.calls > b.calls;
    return a.group < b.group;
  });
}

}  // namespace llmrouter::storage
