// Server-sent events, read as they come, by the rules of the HTML standard (section "Server-sent events", event stream
// interpretation): lines end with LF, CRLF or CR, a BOM at the start is skipped, `data` lines are joined by LF, a blank line
// ends the event.
//
// Each frame is seen two ways: what it says (event name, data) and the bytes it is made of, so that a relay can pass it as it came. The raw
// bytes of all frames, in order, are the input, byte for byte.
#ifndef LLMROUTER_WIRE_SSE_H_
#define LLMROUTER_WIRE_SSE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace llmrouter::wire {

// Views are valid until the next call of next(), feed() or finish(), and only as long as the fed chunk is. A frame that lies wholly
// in one chunk is views into it; only one that was cut is copied, and only `data` of several lines is put together.
struct SseFrame {
  enum class Kind {
    kEvent,    // has data: what a consumer hears of
    kComment,  // nothing to hear: comment lines and blank lines between events, or a block without `data`
  };
  Kind kind = Kind::kComment;
  // kEvent: from the first field line to the blank line, inclusive (comments inside the block too). kComment: one block without data, or
  // a run of lines between blocks, as many as had come. When CRLF is cut between chunks after a blank line's CR, the event is
  // delivered at once and the LF follows in a kComment frame.
  std::string_view raw;
  std::string_view event;  // empty: not named, which means "message"
  std::string_view data;   // bytes as they came, not checked for UTF-8; trailing padding is the consumer's
  std::string_view id;     // the last event id seen in the stream, as the standard has it
  int64_t retry_ms = -1;   // -1: not said in this frame
  // False only for a last frame that finish() delivers although its blank line never came.
  bool terminated = true;
};

struct SseLimits {
  size_t max_event_bytes = 16 * 1024 * 1024;  // raw bytes of one event, or of one line outside events
};

// Not thread-safe; movable; needs no memory while no event is cut.
//
//   parser.feed(chunk);
//   SseFrame frame;
//   while (parser.next(frame) == SseParser::Next::kFrame) { ... }
//   if (parser.failed()) ...
//
// At the end of the body: finish(), then the same loop once more.
class SseParser {
 public:
  enum class Next {
    kFrame,  // `frame` was filled
    kMore,   // feed() more; after finish(): all was delivered
    kError,  // error() says what; stays so. Frames before the fault were delivered
  };

  explicit SseParser(SseLimits limits = {}) noexcept : limits_(limits) {}

  // The next bytes, any number. They must stay where they are until next() has answered kMore. To feed before that is an error of
  // the caller, which next() reports from then on.
  void feed(std::string_view chunk);
  // The body has ended: next() delivers what is left as a last frame, `terminated` false when its blank line is missing. Needs as drained a
  // parser as feed() does.
  void finish();
  Next next(SseFrame& frame);

  bool failed() const noexcept { return !error_.empty(); }
  // For a person, empty while all is well: "an event of the stream is larger than 16777216 bytes".
  const std::string& error() const noexcept { return error_; }
  // Bytes held because an event was cut. For tests and memory accounts.
  size_t buffered() const noexcept { return buffer_.size(); }

 private:
  // What is known of the block that is being read. Offsets count from its first byte, so that they hold wherever it lies.
  struct Block {
    bool open = false;   // a field line has come
    int data_lines = 0;  // 2: two or more, and `joined_` holds them
    size_t data_begin = 0, data_end = 0;
    size_t event_begin = 0, event_end = 0;
    int64_t retry_ms = -1;
  };

  Next next_whole(SseFrame& frame);
  Next next_cut(SseFrame& frame);
  Next next_last(SseFrame& frame);
  bool take_line(const char* base, size_t begin, size_t end);
  void take_field(const char* base, size_t begin, size_t end);
  void take_data(const char* base, size_t begin, size_t end);
  bool is_idle(std::string_view line) const noexcept;
  Next deliver(SseFrame& frame, const char* base, size_t size, bool terminated);
  Next fail_size();
  void release();

  SseLimits limits_;
  const char* p_ = nullptr;  // unread part of the fed chunk
  const char* end_ = nullptr;
  std::string buffer_;       // a frame that was cut, as far as it has come
  size_t line_ = 0;          // where its current line begins
  Block block_;
  std::string joined_;       // data of several lines
  std::string last_id_;
  std::string error_;
  bool delivered_ = false;   // the last frame is still to be forgotten
  bool at_start_ = true;     // no line has come yet: a BOM may
  bool finished_ = false;
};

}  // namespace llmrouter::wire

#endif  // LLMROUTER_WIRE_SSE_H_
