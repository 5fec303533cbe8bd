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

// One x-ratelimit-reset* value: a duration, or an epoch in seconds or milliseconds.
milliseconds parse_reset(const HttpHead& head, std::string_view text) {
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

// Of several windows the one that is used up counts; where nobody says which, the shortest.
milliseconds reset_after(const HttpHead& head) {
  constexpr std::string_view kReset = "x-ratelimit-reset", kRemaining = "x-ratelimit-remaining";
  milliseconds used_up{0}, shortest{0};
  for (const HttpHeader& h : head.headers) {
    if (h.name.compare(0, kReset.size(), kReset) != 0) continue;
    const milliseconds wait = parse_reset(head, h.value);
    if (wait.count() == 0) continue;
    const std::string remaining = std::string(kRemaining) + h.name.substr(kReset.size());
    if (trim(head.header(remaining)) == "0") used_up = std::max(used_up, wait);
    if (shortest.count() == 0 || wait < shortest) shortest = wait;
  }
  return used_up.count() != 0 ? used_up : shortest;
}

}  // namespace llmrouter::dialects
