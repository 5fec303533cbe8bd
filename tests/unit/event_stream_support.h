// Writes Amazon's event stream, for tests.
#ifndef LLMROUTER_TESTS_UNIT_EVENT_STREAM_SUPPORT_H_
#define LLMROUTER_TESTS_UNIT_EVENT_STREAM_SUPPORT_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/event_stream.h"

namespace event_stream_test {

inline std::string be(uint32_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
  return out;
}

inline std::string string_header(std::string_view name, std::string_view value) {
  return static_cast<char>(name.size()) + std::string(name) + '\7' + be(static_cast<uint32_t>(value.size()), 2) + std::string(value);
}

// With right checksums around any headers and payload.
inline std::string message(std::string_view headers, std::string_view payload) {
  std::string out = be(static_cast<uint32_t>(16 + headers.size() + payload.size()), 4) + be(static_cast<uint32_t>(headers.size()), 4);
  out += be(llmrouter::wire::crc32(out), 4);
  out.append(headers).append(payload);
  return out + be(llmrouter::wire::crc32(out), 4);
}

inline std::string event(std::string_view type, std::string_view payload) {
  return message(string_header(":event-type", type) + string_header(":content-type", "application/json") + string_header(":message-type", "event"), payload);
}

inline std::string exception(std::string_view type, std::string_view payload) {
  return message(string_header(":exception-type", type) + string_header(":content-type", "application/json") + string_header(":message-type", "exception"),
                 payload);
}

}  // namespace event_stream_test

#endif  // LLMROUTER_TESTS_UNIT_EVENT_STREAM_SUPPORT_H_
