#include "wire/sse.h"

#include <cstring>

#include "wire/bytes.h"

namespace llmrouter::wire {
namespace {

// A buffer that a large event has grown is given back; streams live long and are many.
constexpr size_t kKeptCapacity = 16 * 1024;

constexpr std::string_view kBom = "\xef\xbb\xbf";

void clear_buffer(std::string& s) {
  if (s.capacity() > kKeptCapacity) {
    std::string().swap(s);
  } else {
    s.clear();
  }
}

// One past the line end at `eol`. Of a CRLF that is cut after the CR this is the CR alone.
const char* after_line_end(const char* eol, const char* end) {
  const char* after = eol + 1;
  if (*eol == '\r' && after != end && *after == '\n') ++after;
  return after;
}

// Milliseconds of a `retry` field; -1 when it is not digits alone, as the standard wants it.
int64_t parse_retry(std::string_view value) {
  if (value.empty() || value.size() > 15) return -1;
  int64_t ms = 0;
  for (const char c : value) {
    if (c < '0' || c > '9') return -1;
    ms = ms * 10 + (c - '0');
  }
  return ms;
}

}  // namespace

void SseParser::feed(std::string_view chunk) {
  if (failed()) return;
  if (finished_ || p_ != end_) {
    error_ = finished_ ? "the stream parser was fed after its end" : "the stream parser was fed before it was read";
    return;
  }
  p_ = chunk.data();
  end_ = p_ + chunk.size();
}

void SseParser::finish() {
  if (failed()) return;
  if (p_ != end_) error_ = "the stream parser was finished before it was read";
  finished_ = true;
}

SseParser::Next SseParser::next(SseFrame& frame) {
  if (failed()) return Next::kError;
  if (delivered_) release();
  if (p_ == end_) return finished_ && !buffer_.empty() ? next_last(frame) : Next::kMore;
  return buffer_.empty() ? next_whole(frame) : next_cut(frame);
}

// Reads a frame where it lies; one that does not end in this chunk goes to the buffer.
SseParser::Next SseParser::next_whole(SseFrame& frame) {
  const char* const base = p_;
  const char* line = base;
  const char* eol;
  while ((eol = find_byte<LineEnd>(line, end_)) != end_) {
    const char* const after = after_line_end(eol, end_);
    const bool idle = !block_.open && is_idle({line, static_cast<size_t>(eol - line)});
    if (static_cast<size_t>(after - (idle ? line : base)) > limits_.max_event_bytes) break;
    if (!block_.open && !idle && line != base) break;  // a block begins: first what stands before it
    if (take_line(base, static_cast<size_t>(line - base), static_cast<size_t>(eol - base))) {
      p_ = after;
      return deliver(frame, base, static_cast<size_t>(after - base), true);
    }
    line = after;
  }
  if (!block_.open && line != base) {
    p_ = line;
    return deliver(frame, base, static_cast<size_t>(line - base), true);
  }
  const auto size = static_cast<size_t>(end_ - base);
  if (size > limits_.max_event_bytes) return fail_size();
  buffer_.assign(base, size);
  line_ = static_cast<size_t>(line - base);
  p_ = end_;
  return Next::kMore;
}

// Goes on with the frame in the buffer, line by line, and takes from the chunk no more than belongs to it.
SseParser::Next SseParser::next_cut(SseFrame& frame) {
  if (line_ == buffer_.size() && buffer_.back() == '\r' && *p_ == '\n') {
    if (buffer_.size() >= limits_.max_event_bytes) return fail_size();
    buffer_ += *p_++;  // the second half of the line end before
    line_ = buffer_.size();
  }
  while (p_ != end_) {
    const char* const eol = find_byte<LineEnd>(p_, end_);
    const char* const after = eol == end_ ? end_ : after_line_end(eol, end_);
    if (buffer_.size() + static_cast<size_t>(after - p_) > limits_.max_event_bytes) return fail_size();
    const size_t line_end = buffer_.size() + static_cast<size_t>(eol - p_);
    const bool whole = eol != end_;
    buffer_.append(p_, after);
    p_ = after;
    if (!whole) break;
    const bool ends = take_line(buffer_.data(), line_, line_end);
    if (ends || !block_.open) return deliver(frame, buffer_.data(), buffer_.size(), true);
    line_ = buffer_.size();
  }
  return Next::kMore;
}

// After finish(): what is in the buffer is a block without its blank line, or a line without its end.
SseParser::Next SseParser::next_last(SseFrame& frame) {
  if (line_ < buffer_.size()) take_line(buffer_.data(), line_, buffer_.size());
  return deliver(frame, buffer_.data(), buffer_.size(), false);
}

// Would a line outside a block say nothing?
bool SseParser::is_idle(std::string_view line) const noexcept {
  if (at_start_ && line.substr(0, 3) == kBom) line.remove_prefix(3);
  return line.empty() || line.front() == ':';
}

// True: the line is the blank one that ends the block.
bool SseParser::take_line(const char* base, size_t begin, size_t end) {
  if (at_start_) {
    if (std::string_view(base + begin, end - begin).substr(0, 3) == kBom) begin += 3;
    at_start_ = false;
  }
  if (begin == end) return block_.open;
  if (base[begin] == ':') return false;
  block_.open = true;
  take_field(base, begin, end);
  return false;
}

void SseParser::take_field(const char* base, size_t begin, size_t end) {
  const std::string_view line(base + begin, end - begin);
  const size_t colon = line.size() > 4 && std::memcmp(line.data(), "data:", 5) == 0 ? 4 : line.find(':');
  const std::string_view name = line.substr(0, colon);
  size_t value = colon == std::string_view::npos ? end : begin + colon + 1;
  if (value < end && base[value] == ' ') ++value;

  if (name == "data") {
    take_data(base, value, end);
  } else if (name == "event") {
    block_.event_begin = value;
    block_.event_end = end;
  } else if (name == "id") {
    const std::string_view id(base + value, end - value);
    if (id.find('\0') == std::string_view::npos) last_id_ = id;
  } else if (name == "retry") {
    const int64_t ms = parse_retry({base + value, end - value});
    if (ms >= 0) block_.retry_ms = ms;
  }
}

void SseParser::take_data(const char* base, size_t begin, size_t end) {
  if (block_.data_lines == 0) {
    block_.data_begin = begin;
    block_.data_end = end;
    block_.data_lines = 1;
    return;
  }
  if (block_.data_lines == 1) joined_.assign(base + block_.data_begin, block_.data_end - block_.data_begin);
  block_.data_lines = 2;
  joined_ += '\n';
  joined_.append(base + begin, end - begin);
}

SseParser::Next SseParser::deliver(SseFrame& frame, const char* base, size_t size, bool terminated) {
  frame.kind = block_.data_lines > 0 ? SseFrame::Kind::kEvent : SseFrame::Kind::kComment;
  frame.raw = {base, size};
  frame.event = {base + block_.event_begin, block_.event_end - block_.event_begin};
  if (block_.data_lines > 1) {
    frame.data = joined_;
  } else {
    frame.data = {base + block_.data_begin, block_.data_end - block_.data_begin};
  }
  frame.id = last_id_;
  frame.retry_ms = block_.retry_ms;
  frame.terminated = terminated;
  delivered_ = true;
  return Next::kFrame;
}

SseParser::Next SseParser::fail_size() {
  error_ = "an event of the stream is larger than " + std::to_string(limits_.max_event_bytes) + " bytes";
  release();
  p_ = end_;
  return Next::kError;
}

// Forgets the block that was delivered, and the memory it took.
void SseParser::release() {
  if (!buffer_.empty()) clear_buffer(buffer_);
  if (block_.data_lines > 1) clear_buffer(joined_);
  block_ = Block{};
  line_ = 0;
  delivered_ = false;
}

}  // namespace llmrouter::wire
