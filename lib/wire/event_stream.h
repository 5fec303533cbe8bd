// Amazon's binary event stream (application/vnd.amazon.eventstream), read as it comes.
//
// A message is: total length (u32), length of the headers (u32), CRC-32 of these eight bytes, headers, payload, CRC-32 of all before it. A header is
// its name's length (u8), the name, the type of the value (u8) and the value. Numbers are big-endian; the CRC is zlib's. What is in a payload is
// not checked here.
#ifndef LLMROUTER_WIRE_EVENT_STREAM_H_
#define LLMROUTER_WIRE_EVENT_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace llmrouter::wire {

// Views are valid until the next call of next(), feed() or finish(), and only as long as the fed chunk is.
struct EventStreamMessage {
  std::string_view raw;      // all of it
  std::string_view headers;  // encoded; known to be well-formed
  std::string_view payload;
  // A header of type string; empty: there is none of that name.
  std::string_view header(std::string_view name) const noexcept;
};

struct EventStreamLimits {
  size_t max_message_bytes = 16 * 1024 * 1024;
  size_t max_header_bytes = 128 * 1024;  // what the format allows
};

// Not thread-safe; movable; needs no memory while no message is cut. Used as SseParser is (see sse.h): feed(), next() until it does not answer
// kMessage, at the end finish() and next() again.
class EventStreamParser {
 public:
  enum class Next {
    kMessage,  // `message` was filled
    kMore,     // feed() more; after finish(): all was delivered
    kError,    // error() says what; stays so. Messages before the fault were delivered
  };

  explicit EventStreamParser(EventStreamLimits limits = {}) noexcept : limits_(limits) {}

  void feed(std::string_view chunk);
  void finish();  // a message that is not whole is then an error
  Next next(EventStreamMessage& message);

  bool failed() const noexcept { return !error_.empty(); }
  const std::string& error() const noexcept { return error_; }
  size_t buffered() const noexcept { return buffer_.size(); }

 private:
  bool check_prelude(const char* p);
  Next deliver(std::string_view raw, EventStreamMessage& message);
  Next fail(std::string what);

  EventStreamLimits limits_;
  const char* p_ = nullptr;
  const char* end_ = nullptr;
  std::string buffer_;      // the beginning of a message that was cut
  bool delivered_ = false;  // `buffer_` holds the message that was delivered last
  bool checked_ = false;    // the prelude in `buffer_` was found right
  bool finished_ = false;
  std::string error_;
};

// CRC-32 as zlib has it (ISO-HDLC). `crc` is the sum over what came before.
uint32_t crc32(std::string_view bytes, uint32_t crc = 0) noexcept;

}  // namespace llmrouter::wire

#endif  // LLMROUTER_WIRE_EVENT_STREAM_H_
