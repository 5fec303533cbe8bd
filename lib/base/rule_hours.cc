// The hours of a rule.
#include <algorithm>

#include "llmrouter/rules.h"

namespace llmrouter {
namespace {

constexpr std::string_view kDays[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
constexpr int kMinutes = 24 * 60;

int day_of(std::string_view word) noexcept {
  if (word.size() != 3) return -1;
  char low[3];
  std::transform(word.begin(), word.end(), low, [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  const auto* at = std::find(std::begin(kDays), std::end(kDays), std::string_view(low, 3));
  return at == std::end(kDays) ? -1 : static_cast<int>(at - std::begin(kDays));
}

// "08:30" in minutes; -1: it is none. 24:00 is the end of a day.
int minute_of(std::string_view text) noexcept {
  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.size() != 5 || text[2] != ':' || !digit(text[0]) || !digit(text[1]) || !digit(text[3]) || !digit(text[4])) return -1;
  const int hour = (text[0] - '0') * 10 + text[1] - '0', minute = (text[3] - '0') * 10 + text[4] - '0';
  return minute < 60 && hour * 60 + minute <= kMinutes ? hour * 60 + minute : -1;
}

bool read_days(std::string_view text, std::array<bool, 7>& days) noexcept {
  for (;;) {
    const size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    const size_t dash = part.find('-');
    const int first = day_of(part.substr(0, dash)), last = dash == std::string_view::npos ? first : day_of(part.substr(dash + 1));
    if (first < 0 || last < 0) return false;
    for (int day = first;; day = (day + 1) % 7) {
      days[static_cast<size_t>(day)] = true;
      if (day == last) break;
    }
    if (comma == std::string_view::npos) return true;
    text.remove_prefix(comma + 1);
  }
}

bool read_span(std::string_view text, RuleHours& hours) noexcept {
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return false;
  hours.from = minute_of(text.substr(0, dash));
  hours.to = minute_of(text.substr(dash + 1));
  return hours.from >= 0 && hours.to >= 0 && hours.from != hours.to && hours.from < kMinutes;
}

}  // namespace

bool RuleHours::holds(WallTime when) const noexcept {
  const int64_t minutes = std::chrono::floor<std::chrono::minutes>(when.time_since_epoch()).count();
  const int64_t day = minutes >= 0 ? minutes / kMinutes : (minutes - kMinutes + 1) / kMinutes;
  const int minute = static_cast<int>(minutes - day * kMinutes);
  const auto on = [&](int64_t d) { return days[static_cast<size_t>(((d + 3) % 7 + 7) % 7)]; };  // 1970-01-01 was a thursday
  if (from < to) return on(day) && minute >= from && minute < to;
  return (on(day) && minute >= from) || (on(day - 1) && minute < to);
}

Result<RuleHours> parse_rule_hours(std::string_view text) {
  RuleHours hours;
  const size_t blank = text.find(' ');
  const std::string_view first = text.substr(0, blank);
  const std::string_view second = blank == std::string_view::npos ? std::string_view() : text.substr(blank + 1);
  bool good = false;
  if (first.find(':') != std::string_view::npos) {
    hours.days.fill(true);
    good = second.empty() && blank == std::string_view::npos && read_span(first, hours);
  } else {
    good = read_days(first, hours.days) && (blank == std::string_view::npos || read_span(second, hours));
  }
  if (good) return hours;
  return Error(ErrorCode::kInvalidRequest, "expected hours in UTC such as 08:00-18:00, mon-fri 22:00-06:00 or sat,sun");
}

}  // namespace llmrouter
