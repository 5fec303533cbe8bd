// How long an upstream wants to be left alone.
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

#include "dialects/dates.h"
#include "dialects/fault.h"
#include "dialects/text_match.h"
#include "llmrouter/clock.h"

namespace llmrouter::dialects {
namespace {

using std::chrono::milliseconds;

constexpr double kDayMs = 86400.0 * 1000;

milliseconds clamp_ms(double ms) noexcept {
  if (!(ms > 0)) return milliseconds{0};
  return milliseconds(static_cast<int64_t>(std::min(ms, kDayMs) + 0.999));
}

// A plain decimal number at the front of `text`, which it is cut from.
std::optional<double> take_number(std::string_view& text) noexcept {
  if (text.empty() || (!is_digit(text.front()) && text.front() != '.')) return std::nullopt;  // from_chars knows "inf" and "nan"
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc() || value < 0) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

double take_unit_ms(std::string_view& text) noexcept {
  struct Unit {
    std::string_view name;
    double ms;
  };
  static constexpr Unit kUnits[] = {{"ms", 1},   {"us", 0.001}, {"\xc2\xb5s", 0.001}, {"ns", 0.000001},
                                    {"s", 1000}, {"m", 60000},  {"h", 3600000},       {"d", kDayMs}};
  for (const Unit& unit : kUnits) {
    if (text.substr(0, unit.name.size()) == unit.name) {
      text.remove_prefix(unit.name.size());
      return unit.ms;
    }
  }
  return 0;
}

int64_t reply_time_ms(const HttpHead& head) {
  if (auto date = parse_http_date(head.header("date"))) return *date * 1000;
  return std::chrono::duration_cast<milliseconds>(system_clock().wall().time_since_epoch()).count();
}

// When a window ends: a duration, an epoch in seconds or milliseconds, or RFC 3339.
milliseconds parse_reset(const HttpHead& head, std::string_view text) {
  if (auto at = parse_rfc3339(trim(text))) return clamp_ms(static_cast<double>(*at * 1000 - reply_time_ms(head)));
  std::string_view rest = trim(text);
  if (auto plain = take_number(rest); plain && rest.empty() && *plain >= 1e9) {
    const double at_ms = *plain >= 1e12 ? *plain : *plain * 1000;
    return clamp_ms(at_ms - static_cast<double>(reply_time_ms(head)));
  }
  return parse_wait(text);
}

}  // namespace

milliseconds parse_wait(std::string_view text) {
  text = trim(text);
  if (text.empty()) return milliseconds{0};
  double total_ms = 0;
  bool unit_seen = false;
  while (!text.empty()) {
    auto value = take_number(text);
    if (!value) return milliseconds{0};
    if (text.empty() && !unit_seen) return clamp_ms(*value * 1000);
    const double unit_ms = take_unit_ms(text);
    if (unit_ms == 0) return milliseconds{0};
    unit_seen = true;
    total_ms += *value * unit_ms;
  }
  return clamp_ms(total_ms);
}

milliseconds retry_after(const HttpHead& head) {
  if (std::string_view text = trim(head.header("retry-after-ms")); !text.empty()) {
    if (auto ms = take_number(text); ms && text.empty() && *ms > 0) return clamp_ms(*ms);
  }
  if (std::string_view text = trim(head.header("retry-after")); !text.empty()) {
    if (auto at = parse_http_date(text)) return clamp_ms(static_cast<double>(*at * 1000 - reply_time_ms(head)));
    if (milliseconds wait = parse_wait(text); wait.count() > 0) return wait;
  }
  return milliseconds{0};
}

namespace {

// The header that says how much is left of the window whose end `name` says: x-ratelimit-reset-tokens, anthropic-ratelimit-tokens-reset. Empty: it
// is no such header.
std::string remaining_header(const std::string& name) {
  constexpr std::string_view kReset = "x-ratelimit-reset", kAnthropic = "anthropic-ratelimit-", kEnd = "-reset";
  if (name.compare(0, kReset.size(), kReset) == 0) return "x-ratelimit-remaining" + name.substr(kReset.size());
  if (name.compare(0, kAnthropic.size(), kAnthropic) != 0 || name.size() < kEnd.size() || name.compare(name.size() - kEnd.size(), kEnd.size(), kEnd) != 0) return {};
  return name.substr(0, name.size() - kEnd.size()) + "-remaining";
}

}  // namespace

// Of several windows the one that is used up counts; where nobody says which, the shortest.
milliseconds reset_after(const HttpHead& head) {
  milliseconds used_up{0}, shortest{0};
  for (const HttpHeader& h : head.headers) {
    const std::string remaining = remaining_header(h.name);
    if (remaining.empty()) continue;
    const milliseconds wait = parse_reset(head, h.value);
    if (wait.count() == 0) continue;
    if (trim(head.header(remaining)) == "0") used_up = std::max(used_up, wait);
    if (shortest.count() == 0 || wait < shortest) shortest = wait;
  }
  return used_up.count() != 0 ? used_up : shortest;
}

}  // namespace llmrouter::dialects
