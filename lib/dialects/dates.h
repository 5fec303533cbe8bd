// Points in time as upstreams write them.
#ifndef LLMROUTER_DIALECTS_DATES_H_
#define LLMROUTER_DIALECTS_DATES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace llmrouter::dialects {

// "Sun, 06 Nov 1994 08:49:37 GMT" as Unix seconds; the two older forms of HTTP are sent by nobody today.
std::optional<int64_t> parse_http_date(std::string_view text) noexcept;

// RFC 3339, "2024-05-24T20:01:31.01558Z" or with an offset, as Unix seconds; the fraction is dropped.
std::optional<int64_t> parse_rfc3339(std::string_view text) noexcept;

// The wall clock, for answers that do not say when they were made.
int64_t now_seconds() noexcept;

// Unix seconds as RFC 3339 in UTC: "2026-01-01T00:00:00Z". From the year 1 to 9999; others become the nearest of these.
std::string format_rfc3339(int64_t unix_seconds);

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_DATES_H_
