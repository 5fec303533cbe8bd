// The values that people type: durations, sizes, counts, rates, money, times. One grammar for the file, the command line, the admin
// API and the C ABI. Exact (money never passes a double), bounded, no locale. Every parser takes the whole text: nothing may stand
// before or after, no blanks. A fault is kInvalidRequest and says what was expected; it does not repeat the text.
#ifndef LLMROUTER_VALUES_H_
#define LLMROUTER_VALUES_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "llmrouter/clock.h"
#include "llmrouter/export.h"
#include "llmrouter/limits.h"
#include "llmrouter/result.h"

namespace llmrouter {

// "250ms" "5s" "2m" "1h" "30d", also ns, us and w; a fraction ("1.5s") as far as it is a whole number of nanoseconds; "0" alone. Up to 100 years.
LLMROUTER_EXPORT Result<Duration> parse_duration(std::string_view text);
// Bytes: "65536" "64KiB" "32MiB" "1GiB" "1TiB", also B, kB, MB, GB, TB (powers of 1000). Up to 2^53.
LLMROUTER_EXPORT Result<int64_t> parse_size(std::string_view text);
// "1000" "200k" "2M" "1.5M". Up to 10^15.
LLMROUTER_EXPORT Result<int64_t> parse_count(std::string_view text);
// COUNT/PERIOD: "60/min" "200k/min" "10/s" "1000/day" "100/30s". The period is s, sec, second, m, min, minute, h, hour, d, day, w, week or a duration.
LLMROUTER_EXPORT Result<Rate> parse_rate(std::string_view text);
// The period of a rate alone: "min", "day", "60s".
LLMROUTER_EXPORT Result<Duration> parse_period(std::string_view text);
// "5%" "80%": 0 to 100, whole.
LLMROUTER_EXPORT Result<int> parse_percent(std::string_view text);
// Decimal USD to nano-USD: "50" "0.25" "0.000000001". More than nine digits after the point, a sign or an exponent is a fault. Up to 10^9 USD.
LLMROUTER_EXPORT Result<int64_t> parse_usd_nano(std::string_view text);
// Decimal USD to micro-USD, for prices per million tokens; six digits after the point. Up to 10^9 USD.
LLMROUTER_EXPORT Result<int64_t> parse_usd_micro(std::string_view text);
// "day" "week" "month" "30d" "total".
LLMROUTER_EXPORT Result<BudgetPeriod> parse_budget_period(std::string_view text);
// RFC 3339: "2027-01-01T00:00:00Z", "2027-01-01T01:30:00.25+01:00"; a date alone is its first moment in UTC. Years 1970 to 9999.
LLMROUTER_EXPORT Result<WallTime> parse_time(std::string_view text);
// Limits in one line, for command lines: "requests=60/min,tokens=200k/min,concurrent=8,burst=20,usd=50/month,soft=80%". Any part may be left
// out, and stays as it is in `current`; NAME=none takes one away. `burst` belongs to requests, `soft` to usd, and they go with them. The fault's
// `param` names the part.
LLMROUTER_EXPORT Result<Limits> parse_limits(std::string_view text, const Limits& current = {});
// The money of parse_limits alone: "50/month", "5/day", "100/total"; without a period it has that of `current` (a month's, where nothing was).
LLMROUTER_EXPORT Result<Budget> parse_budget(std::string_view text, const Budget& current = {});

// Each as its parser reads it back, in the largest usual unit that fits exactly.
LLMROUTER_EXPORT std::string format_duration(Duration value);  // "90d" "1500ms"
LLMROUTER_EXPORT std::string format_size(int64_t bytes);       // "32MiB"
LLMROUTER_EXPORT std::string format_count(int64_t value);      // "200k"
LLMROUTER_EXPORT std::string format_rate(const Rate& rate);    // "60/min"; the burst is not in it
// "50.00" "0.000125": at least two digits after the point, no more than are not zero. A minus sign when negative.
LLMROUTER_EXPORT std::string format_usd(int64_t nano_usd);
// "2027-01-01T00:00:00Z"; with the fraction when there is one.
LLMROUTER_EXPORT std::string format_time_rfc3339(WallTime time);

LLMROUTER_EXPORT bool is_utf8(std::string_view text) noexcept;

}  // namespace llmrouter

#endif  // LLMROUTER_VALUES_H_
