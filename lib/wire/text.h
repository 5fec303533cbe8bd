// Times and money as text.
#ifndef LLMROUTER_WIRE_TEXT_H_
#define LLMROUTER_WIRE_TEXT_H_

#include <cstdint>
#include <string>

#include "llmrouter/clock.h"

namespace llmrouter::wire {

// RFC 3339 in UTC: "2026-01-01T00:00:00Z". A fraction follows only where there is one, with three digits or, when that is not
// enough, six.
void append_time(std::string& out, WallTime time);

// `value` / 10^`digits` exactly, without trailing zeros: append_decimal(out, 2500000, 6) is "2.5". Valid as a JSON number.
void append_decimal(std::string& out, int64_t value, int digits);

// nano-USD as USD.
inline void append_usd(std::string& out, int64_t nano_usd) { append_decimal(out, nano_usd, 9); }

}  // namespace llmrouter::wire

#endif  // LLMROUTER_WIRE_TEXT_H_
