#include "wire/event_stream.h"

#include "catch.h"
#include "unit/event_stream_support.h"

using namespace llmrouter::wire;
using namespace event_stream_test;

namespace {

struct Seen {
  std::vector<std::string> types, payloads;
  std::string raw, error;
  size_t most_buffered = 0;
};

Seen read_pieces(const std::vector<std::string_view>& pieces, EventStreamLimits limits = {}) {
  EventStreamParser parser(limits);
  Seen seen;
  const auto drain = [&] {
    EventStreamMessage m;
    while (parser.next(m) == EventStreamParser::Next::kMessage) {
      seen.types.emplace_back(m.header(":event-type"));
      seen.payloads.emplace_back(m.payload);
      seen.raw += m.raw;
    }
    seen.most_buffered = std::max(seen.most_buffered, parser.buffered());
  };
  for (std::string_view piece : pieces) {
    parser.feed(piece);
    drain();
  }
  parser.finish();
  drain();
  seen.error = parser.error();
  return seen;
}

std::string flipped(std::string text, size_t at) {
  text[at] = static_cast<char>(text[at] ^ 0x20);
  return text;
}

}  // namespace

TEST_CASE("event stream: the checksum is zlib's") {
  CHECK(crc32("123456789") == 0xcbf43926u);
  CHECK(crc32("") == 0);
  CHECK(crc32("6789", crc32("12345")) == 0xcbf43926u);
}

TEST_CASE("event stream: a message as the format's authors have it") {
  // The empty message and one with a header, from the AWS SDKs' own vectors.
  const std::string empty("\x00\x00\x00\x10\x00\x00\x00\x00\x05\xc2\x48\xeb\x7d\x98\xc8\xff", 16);
  const Seen seen = read_pieces({empty});
  CHECK(seen.error.empty());
  CHECK(seen.payloads == std::vector<std::string>{""});
  CHECK(message("", "") == empty);
}

TEST_CASE("event stream: cut at every byte, and byte by byte") {
  const std::string stream = event("messageStart", "{\"a\":1}") + event("empty", "") + event("big", std::string(1000, 'x'));
  const Seen whole = read_pieces({stream});
  REQUIRE(whole.error.empty());
  CHECK(whole.types == std::vector<std::string>{"messageStart", "empty", "big"});
  CHECK(whole.raw == stream);
  CHECK(whole.most_buffered == 0);
  const std::string_view s = stream;
  for (size_t i = 0; i <= s.size(); ++i) {
    const Seen cut = read_pieces({s.substr(0, i), s.substr(i)});
    REQUIRE(cut.error.empty());
    REQUIRE(cut.payloads == whole.payloads);
    REQUIRE(cut.raw == stream);
  }
  std::vector<std::string_view> bytes;
  for (size_t i = 0; i < s.size(); ++i) bytes.push_back(s.substr(i, 1));
  CHECK(read_pieces(bytes).raw == stream);
}

TEST_CASE("event stream: every flipped bit and every early end is found") {
  const std::string good = event("first", "{}"), stream = good + event("second", "{\"text\":\"hello\"}");
  for (size_t i = 0; i < stream.size(); ++i) {
    const Seen seen = read_pieces({flipped(stream, i)});
    CHECK_FALSE(seen.error.empty());
    CHECK(seen.types.size() == (i < good.size() ? 0u : 1u));
  }
  for (size_t i = 1; i < stream.size(); ++i) {
    const Seen seen = read_pieces({std::string_view(stream).substr(0, i)});
    CHECK(seen.error == (i == good.size() ? "" : "the stream ended in the middle of a message"));
  }
}

TEST_CASE("event stream: lengths that do not fit, and more than the limits allow") {
  const auto prelude = [](uint32_t total, uint32_t headers) {
    const std::string lengths = be(total, 4) + be(headers, 4);
    return lengths + be(crc32(lengths), 4);
  };
  CHECK(read_pieces({prelude(15, 0)}).error.find("do not fit") != std::string::npos);
  CHECK(read_pieces({prelude(16, 1)}).error.find("do not fit") != std::string::npos);
  CHECK(read_pieces({prelude(0, 0xffffffffu)}).error.find("do not fit") != std::string::npos);
  CHECK(read_pieces({prelude(0xffffffffu, 0)}).error.find("longer than") != std::string::npos);
  CHECK(read_pieces({prelude(200 * 1024, 150 * 1024)}).error.find("more headers") != std::string::npos);
  EventStreamLimits small;
  small.max_message_bytes = 100;
  CHECK(read_pieces({event("a", std::string(200, 'x'))}, small).error.find("longer than 100 bytes") != std::string::npos);
  CHECK(read_pieces({event("a", "x")}, small).error.empty());
}

TEST_CASE("event stream: headers of every type are stepped over, broken ones refused") {
  const auto header = [](std::string_view name, char type, const std::string& value) {
    return static_cast<char>(name.size()) + std::string(name) + type + value;
  };
  const std::string all = header("t", 0, "") + header("f", 1, "") + header("b", 2, "x") + header("s", 3, "xx") + header("i", 4, "xxxx") +
                          header("l", 5, "xxxxxxxx") + header("y", 6, be(3, 2) + "xxx") + header("w", 8, "xxxxxxxx") + header("u", 9, std::string(16, 'x')) +
                          string_header(":event-type", "found");
  const Seen seen = read_pieces({message(all, "p")});
  CHECK(seen.error.empty());
  CHECK(seen.types == std::vector<std::string>{"found"});
  for (const std::string& bad : {header("x", 10, ""), header("x", 4, "xxx"), header("x", 7, be(9, 2) + "x"), header("", 0, ""), std::string("\5ab"),
                                 string_header("a", "b") + "\1"}) {
    CHECK(read_pieces({message(bad, "")}).error.find("headers that cannot be read") != std::string::npos);
  }
  // A header that is no string is none of that name.
  CHECK(read_pieces({message(header(":event-type", 6, be(1, 2) + "x"), "")}).types == std::vector<std::string>{""});
}

TEST_CASE("event stream: misuse is said, not suffered") {
  EventStreamParser parser;
  parser.feed("abc");
  parser.feed("def");
  EventStreamMessage m;
  CHECK(parser.next(m) == EventStreamParser::Next::kError);
  EventStreamParser ended;
  ended.finish();
  CHECK(ended.next(m) == EventStreamParser::Next::kMore);
  ended.feed("x");
  CHECK(ended.next(m) == EventStreamParser::Next::kError);
}
