#include "wire/event_stream.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace llmrouter::wire {
namespace {

constexpr size_t kPrelude = 12;                // lengths and their CRC
constexpr size_t kSmallest = kPrelude + 4;     // no headers, no payload
constexpr size_t kKeptCapacity = 16 * 1024;    // a buffer that grew beyond is given back
constexpr unsigned char kString = 7;

// Four tables, so that four bytes are summed in a step.
constexpr auto kCrc = [] {
  std::array<std::array<uint32_t, 256>, 4> tables{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int k = 0; k < 8; ++k) c = (c & 1) != 0 ? 0xedb88320u ^ c >> 1 : c >> 1;
    tables[0][i] = c;
  }
  for (size_t t = 1; t < 4; ++t) {
    for (size_t i = 0; i < 256; ++i) tables[t][i] = tables[t - 1][i] >> 8 ^ tables[0][tables[t - 1][i] & 0xff];
  }
  return tables;
}();

uint32_t u32(const char* p) noexcept {
  const auto at = [p](int i) { return uint32_t{static_cast<unsigned char>(p[i])}; };
  return at(0) << 24 | at(1) << 16 | at(2) << 8 | at(3);
}

size_t u16(const char* p) noexcept { return size_t{static_cast<unsigned char>(p[0])} << 8 | static_cast<unsigned char>(p[1]); }

struct Header {
  std::string_view name, value;
  unsigned char type = 0;
};

// Takes one header off the front; false: it is not whole or of no known type.
bool take_header(std::string_view& rest, Header& out) noexcept {
  if (rest.empty()) return false;
  const size_t name = static_cast<unsigned char>(rest[0]);
  if (name == 0 || rest.size() < name + 2) return false;
  out.name = rest.substr(1, name);
  out.type = static_cast<unsigned char>(rest[1 + name]);
  rest.remove_prefix(name + 2);
  // true, false, byte, short, integer, long, bytes, string, timestamp, uuid
  static constexpr size_t kSizes[] = {0, 0, 1, 2, 4, 8, 0, 0, 8, 16};
  if (out.type >= std::size(kSizes)) return false;
  size_t size = kSizes[out.type];
  if (out.type == 6 || out.type == kString) {
    if (rest.size() < 2) return false;
    size = u16(rest.data());
    rest.remove_prefix(2);
  }
  if (rest.size() < size) return false;
  out.value = rest.substr(0, size);
  rest.remove_prefix(size);
  return true;
}

bool well_formed(std::string_view headers) noexcept {
  Header header;
  while (!headers.empty()) {
    if (!take_header(headers, header)) return false;
  }
  return true;
}

}  // namespace

uint32_t crc32(std::string_view bytes, uint32_t crc) noexcept {
  crc = ~crc;
  const auto* p = reinterpret_cast<const unsigned char*>(bytes.data());
  size_t left = bytes.size();
  for (; left >= 4; p += 4, left -= 4) {
    crc ^= uint32_t{p[0]} | uint32_t{p[1]} << 8 | uint32_t{p[2]} << 16 | uint32_t{p[3]} << 24;
    crc = kCrc[3][crc & 0xff] ^ kCrc[2][crc >> 8 & 0xff] ^ kCrc[1][crc >> 16 & 0xff] ^ kCrc[0][crc >> 24];
  }
  for (; left != 0; ++p, --left) crc = crc >> 8 ^ kCrc[0][(crc ^ *p) & 0xff];
  return ~crc;
}

std::string_view EventStreamMessage::header(std::string_view name) const noexcept {
  std::string_view rest = headers;
  Header header;
  while (take_header(rest, header)) {
    if (header.name == name && header.type == kString) return header.value;
  }
  return {};
}

void EventStreamParser::feed(std::string_view chunk) {
  if (failed()) return;
  if (finished_ || p_ != end_) {
    error_ = finished_ ? "the event stream parser was fed after its end" : "the event stream parser was fed before it was read";
    return;
  }
  p_ = chunk.data();
  end_ = p_ + chunk.size();
}

void EventStreamParser::finish() {
  if (failed()) return;
  if (p_ != end_) error_ = "the event stream parser was finished before it was read";
  finished_ = true;
}

EventStreamParser::Next EventStreamParser::fail(std::string what) {
  error_ = std::move(what);
  p_ = end_;
  std::string().swap(buffer_);
  return Next::kError;
}

// Are the lengths what they claim, and within the limits?
bool EventStreamParser::check_prelude(const char* p) {
  const size_t total = u32(p), headers = u32(p + 4);
  if (crc32({p, 8}) != u32(p + 8)) fail("a message of the stream has a wrong checksum in its prelude");
  else if (total < kSmallest || headers > total - kSmallest) fail("a message of the stream has lengths that do not fit");
  else if (total > limits_.max_message_bytes) fail("a message of the stream is longer than " + std::to_string(limits_.max_message_bytes) + " bytes");
  else if (headers > limits_.max_header_bytes) fail("a message of the stream has more headers than " + std::to_string(limits_.max_header_bytes) + " bytes");
  return !failed();
}

EventStreamParser::Next EventStreamParser::deliver(std::string_view raw, EventStreamMessage& message) {
  if (crc32(raw.substr(0, raw.size() - 4)) != u32(raw.data() + raw.size() - 4)) return fail("a message of the stream has a wrong checksum");
  const size_t headers = u32(raw.data() + 4);
  message.raw = raw;
  message.headers = raw.substr(kPrelude, headers);
  message.payload = raw.substr(kPrelude + headers, raw.size() - kSmallest - headers);
  if (!well_formed(message.headers)) return fail("a message of the stream has headers that cannot be read");
  return Next::kMessage;
}

EventStreamParser::Next EventStreamParser::next(EventStreamMessage& message) {
  if (failed()) return Next::kError;
  if (delivered_) {
    if (buffer_.capacity() > kKeptCapacity) std::string().swap(buffer_);
    else buffer_.clear();
    delivered_ = checked_ = false;
  }
  auto left = static_cast<size_t>(end_ - p_);
  if (buffer_.empty() && left >= kPrelude) {  // the usual case: a message that lies in the chunk
    if (!check_prelude(p_)) return Next::kError;
    const size_t total = u32(p_);
    if (left >= total) {
      const std::string_view raw(p_, total);
      p_ += total;
      return deliver(raw, message);
    }
  }
  const auto take = [&](size_t until) {
    const size_t size = std::min(left, until - std::min(until, buffer_.size()));
    buffer_.append(p_, size);
    p_ += size;
    left -= size;
    return buffer_.size() == until;
  };
  if (buffer_.size() >= kPrelude || take(kPrelude)) {
    if (!checked_ && !check_prelude(buffer_.data())) return Next::kError;
    checked_ = true;
    if (take(u32(buffer_.data()))) {
      delivered_ = true;
      return deliver(buffer_, message);
    }
  }
  if (finished_ && !buffer_.empty()) return fail("the stream ended in the middle of a message");
  return Next::kMore;
}

}  // namespace llmrouter::wire
