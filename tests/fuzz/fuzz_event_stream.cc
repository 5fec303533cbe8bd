// Amazon's event stream, cut anywhere: the cuts make no difference, the raw bytes of all messages are the input's beginning, and nothing is read outside.
// Since a fuzzer seldom hits a checksum, one mode mends those of the input first.
#include <string>
#include <vector>

#include "fuzz/fuzz.h"
#include "wire/event_stream.h"

using namespace llmrouter::wire;

namespace {

uint32_t u32(const std::string& s, size_t at) {
  uint32_t out = 0;
  for (size_t i = 0; i < 4; ++i) out = out << 8 | static_cast<unsigned char>(s[at + i]);
  return out;
}
void put(std::string& s, size_t at, uint32_t value) {
  for (size_t i = 0; i < 4; ++i) s[at + i] = static_cast<char>(value >> (24 - 8 * i));
}

// Every message that fits gets right checksums.
void mend(std::string& s) {
  for (size_t at = 0; at + 16 <= s.size();) {
    const uint32_t total = u32(s, at);
    put(s, at + 8, crc32(std::string_view(s).substr(at, 8)));
    if (total < 16 || total > s.size() - at) return;
    put(s, at + total - 4, crc32(std::string_view(s).substr(at, total - 4)));
    at += total;
  }
}

std::string read(const std::vector<std::string_view>& pieces) {
  EventStreamLimits limits;
  limits.max_message_bytes = 2048;
  EventStreamParser parser(limits);
  std::string raw, seen;
  const auto drain = [&] {
    EventStreamMessage m;
    while (parser.next(m) == EventStreamParser::Next::kMessage) {
      raw += m.raw;
      seen += "[" + std::string(m.header(":event-type")) + "|" + std::string(m.payload) + "]";
      fuzz::must(m.raw.size() == 16 + m.headers.size() + m.payload.size(), "a message is its parts");
    }
    fuzz::must(parser.buffered() <= limits.max_message_bytes, "memory is bounded");
  };
  std::string all;
  for (std::string_view piece : pieces) {
    all += piece;
    parser.feed(piece);
    drain();
  }
  parser.finish();
  drain();
  fuzz::must(all.compare(0, raw.size(), raw) == 0, "messages are the input's own bytes");
  fuzz::must(parser.failed() || raw == all, "all of a good input is told");
  return seen + parser.error();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const bool mended = (in.byte() & 1) != 0;
  const size_t step = in.byte() % 32 + 1;
  std::string text(in.rest());
  if (mended) mend(text);
  const std::string whole = read({text});
  std::vector<std::string_view> pieces;
  for (size_t at = 0; at < text.size(); at += step) pieces.push_back(std::string_view(text).substr(at, step));
  fuzz::must(read(pieces) == whole, "the cuts make no difference");
  return 0;
}
