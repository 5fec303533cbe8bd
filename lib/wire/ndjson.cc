#include "wire/ndjson.h"

#include <cstring>

namespace llmrouter::wire {
namespace {

constexpr size_t kKeptCapacity = 16 * 1024;  // a buffer that grew beyond is given back

std::string_view trim(std::string_view s) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!s.empty() && blank(s.back())) s.remove_suffix(1);
  while (!s.empty() && blank(s.front())) s.remove_prefix(1);
  return s;
}

}  // namespace

void NdjsonParser::feed(std::string_view chunk) {
  if (failed()) return;
  if (finished_ || p_ != end_) {
    error_ = finished_ ? "the line parser was fed after its end" : "the line parser was fed before it was read";
    return;
  }
  p_ = chunk.data();
  end_ = p_ + chunk.size();
}

void NdjsonParser::finish() {
  if (failed()) return;
  if (p_ != end_) error_ = "the line parser was finished before it was read";
  finished_ = true;
}

NdjsonParser::Next NdjsonParser::next(NdjsonLine& line) {
  if (failed()) return Next::kError;
  if (delivered_) release();
  if (p_ == end_) return finished_ && !buffer_.empty() ? deliver(line, buffer_, false) : Next::kMore;

  const auto left = static_cast<size_t>(end_ - p_);
  const auto* const lf = static_cast<const char*>(std::memchr(p_, '\n', left));
  const size_t take = lf == nullptr ? left : static_cast<size_t>(lf - p_) + 1;
  if (buffer_.size() + take > limits_.max_line_bytes) return fail_size();
  const std::string_view bytes(p_, take);
  p_ += take;
  if (lf != nullptr && buffer_.empty()) return deliver(line, bytes, true);
  buffer_ += bytes;
  return lf == nullptr ? Next::kMore : deliver(line, buffer_, true);
}

NdjsonParser::Next NdjsonParser::deliver(NdjsonLine& line, std::string_view raw, bool terminated) {
  line.raw = raw;
  line.text = trim(raw);
  line.terminated = terminated;
  delivered_ = true;
  return Next::kLine;
}

NdjsonParser::Next NdjsonParser::fail_size() {
  error_ = "a line of the stream is longer than " + std::to_string(limits_.max_line_bytes) + " bytes";
  release();
  p_ = end_;
  return Next::kError;
}

void NdjsonParser::release() {
  if (buffer_.capacity() > kKeptCapacity) {
    std::string().swap(buffer_);
  } else {
    buffer_.clear();
  }
  delivered_ = false;
}

}  // namespace llmrouter::wire
