#include "dialects/dates.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "dialects/text_match.h"
#include "llmrouter/clock.h"

namespace llmrouter::dialects {
namespace {

// Days since 1970-01-01 of a date in the Gregorian calendar.
int64_t days_from_civil(int64_t y, int64_t m, int64_t d) noexcept {
  y -= m <= 2 ? 1 : 0;
  const int64_t era = (y >= 0 ? y : y - 399) / 400;
  const int64_t yoe = y - era * 400;
  const int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  const int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return era * 146097 + doe - 719468;
}

// The date that many days after 1970-01-01.
void civil_from_days(int64_t days, int64_t& y, int64_t& m, int64_t& d) noexcept {
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const int64_t doe = days - era * 146097;
  const int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const int64_t mp = (5 * doy + 2) / 153;
  d = doy - (153 * mp + 2) / 5 + 1;
  m = mp < 10 ? mp + 3 : mp - 9;
  y = yoe + era * 400 + (m <= 2 ? 1 : 0);
}

void append_padded(std::string& out, int64_t value, int width) {
  const std::string digits = std::to_string(value);
  out.append(static_cast<size_t>(width) - std::min(digits.size(), static_cast<size_t>(width)), '0').append(digits);
}

// All of `text` as digits, from `low` to `high`; -1 otherwise.
int64_t number(std::string_view text, int64_t low, int64_t high) noexcept {
  int64_t value = 0;
  for (char c : text) {
    if (!is_digit(c)) return -1;
    value = value * 10 + (c - '0');
  }
  return text.empty() || value < low || value > high ? -1 : value;
}

struct Civil {
  int64_t year, month, day, hour, minute, second;
  std::optional<int64_t> unix_seconds() const noexcept {
    if (year < 0 || month < 0 || day < 0 || hour < 0 || minute < 0 || second < 0) return std::nullopt;
    return days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
  }
};

int64_t month_of(std::string_view name) noexcept {
  constexpr std::string_view kMonths = "janfebmaraprmayjunjulaugsepoctnovdec";
  for (size_t i = 0; i < kMonths.size(); i += 3) {
    if (equals_ci(name, kMonths.substr(i, 3))) return static_cast<int64_t>(i / 3) + 1;
  }
  return -1;
}

}  // namespace

std::optional<int64_t> parse_http_date(std::string_view text) noexcept {
  text = trim(text);
  if (text.size() != 29 || text[3] != ',' || text.substr(25) != " GMT") return std::nullopt;
  return Civil{number(text.substr(12, 4), 1, 9999),  month_of(text.substr(8, 3)),         number(text.substr(5, 2), 1, 31),
               number(text.substr(17, 2), 0, 23),    number(text.substr(20, 2), 0, 59),   number(text.substr(23, 2), 0, 60)}
      .unix_seconds();
}

std::optional<int64_t> parse_rfc3339(std::string_view text) noexcept {
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || lower(text[10]) != 't' || text[13] != ':' || text[16] != ':') return std::nullopt;
  const auto local = Civil{number(text.substr(0, 4), 1, 9999),  number(text.substr(5, 2), 1, 12),  number(text.substr(8, 2), 1, 31),
                           number(text.substr(11, 2), 0, 23),   number(text.substr(14, 2), 0, 59), number(text.substr(17, 2), 0, 60)}
                         .unix_seconds();
  if (!local) return std::nullopt;
  text.remove_prefix(19);
  if (text.front() == '.') {
    text.remove_prefix(1);
    while (!text.empty() && is_digit(text.front())) text.remove_prefix(1);
  }
  if (text == "Z" || text == "z") return local;
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
  const int64_t hours = number(text.substr(1, 2), 0, 23), minutes = number(text.substr(4, 2), 0, 59);
  if (hours < 0 || minutes < 0) return std::nullopt;
  const int64_t offset = hours * 3600 + minutes * 60;
  return text[0] == '+' ? *local - offset : *local + offset;
}

int64_t now_seconds() noexcept {
  return std::chrono::duration_cast<std::chrono::seconds>(system_clock().wall().time_since_epoch()).count();
}

std::string format_rfc3339(int64_t unix_seconds) {
  constexpr int64_t kFirst = -62135596800, kLast = 253402300799;
  const int64_t at = std::clamp(unix_seconds, kFirst, kLast);
  int64_t days = at / 86400, second = at % 86400;
  if (second < 0) {
    second += 86400;
    --days;
  }
  int64_t y = 0, m = 0, d = 0;
  civil_from_days(days, y, m, d);
  std::string out;
  append_padded(out, y, 4);
  for (auto [mark, value] : {std::pair{'-', m}, {'-', d}, {'T', second / 3600}, {':', second / 60 % 60}, {':', second % 60}}) {
    out += mark;
    append_padded(out, value, 2);
  }
  return out += 'Z';
}

}  // namespace llmrouter::dialects
