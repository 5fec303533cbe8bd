// Lines of JSON (NDJSON, JSON Lines), read as they come. Splits at LF; a CR before it is part of the line end. What is in a line is not
// checked here.
#ifndef LLMROUTER_WIRE_NDJSON_H_
#define LLMROUTER_WIRE_NDJSON_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace llmrouter::wire {

// Views are valid until the next call of next(), feed() or finish(), and only as long as the fed chunk is. A line that lies wholly
// in one chunk is a view into it; only one that was cut is copied.
struct NdjsonLine {
  std::string_view raw;    // with its line end; all of them in order are the input, byte for byte
  std::string_view text;   // without line end and surrounding blanks; empty: nothing stands in the line
  bool terminated = true;  // false: the last line, which finish() delivers without a line end
};

struct NdjsonLimits {
  size_t max_line_bytes = 16 * 1024 * 1024;  // raw bytes of one line
};

// Not thread-safe; movable; needs no memory while no line is cut. Used as SseParser is (see sse.h): feed(), next() until it does not answer
// kLine, at the end finish() and next() again.
class NdjsonParser {
 public:
  enum class Next {
    kLine,   // `line` was filled
    kMore,   // feed() more; after finish(): all was delivered
    kError,  // error() says what; stays so
  };

  explicit NdjsonParser(NdjsonLimits limits = {}) noexcept : limits_(limits) {}

  // The next bytes; they must stay where they are until next() has answered kMore. To feed before that is an error of the caller.
  void feed(std::string_view chunk);
  void finish();
  Next next(NdjsonLine& line);

  bool failed() const noexcept { return !error_.empty(); }
  const std::string& error() const noexcept { return error_; }  // for a person
  size_t buffered() const noexcept { return buffer_.size(); }

 private:
  Next deliver(NdjsonLine& line, std::string_view raw, bool terminated);
  Next fail_size();
  void release();

  NdjsonLimits limits_;
  const char* p_ = nullptr;
  const char* end_ = nullptr;
  std::string buffer_;      // the beginning of a line that was cut
  bool delivered_ = false;  // `buffer_` holds the line that was delivered last
  bool finished_ = false;
  std::string error_;
};

}  // namespace llmrouter::wire

#endif  // LLMROUTER_WIRE_NDJSON_H_
