#include "wire/sse.h"

#include <random>
#include <string>
#include <vector>

#include "catch.h"
#include "sse_support.h"

using namespace sse_test;
using namespace std::string_literals;

namespace {

const std::vector<std::string>& streams() {
  static const std::vector<std::string> all = {
      "",
      "\n",
      "\r\n\r\n",
      "data: a\n\n",
      "data:a\n\ndata:  b\n\n",
      "data: {\"x\":1}\r\n\r\ndata: [DONE]\r\n\r\n",
      "data: a\r\rdata: b\r\r",
      "data: a\r\n\rdata: b\n\r\n",
      "data: a\r\n\n\rdata: b\r\r\n",
      "data\n\n",
      "data:\n\n",
      "data: \n\n",
      "data\ndata\n\n",
      "data: one\ndata: two\ndata:\ndata: four\n\n",
      "data: one\r\ndata: two\r\n\r\n",
      "event: ping\ndata: {}\n\n",
      "event: lost\n\nevent: kept\ndata: 1\n\n",
      "event: a\nevent: b\ndata: 1\n\n",
      "event: a\nevent\ndata: 1\n\n",
      "id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
      "id: 1\n\ndata: b\n\n",
      "id: a\0b\ndata: x\n\n"s,
      "retry: 10\ndata: x\n\n",
      ": comment\n\n",
      ": keep-alive\n: again\n\ndata: x\n\n: end\n",
      "data: a\n: inside\ndata: b\n\n",
      "\xef\xbb\xbf" "data: a\n\n",
      "\xef\xbb\xbf\n" "data: a\n\n",
      "\xef\xbb\xbf: c\n" "data: a\n\n",
      "\xef\xbb\xbf\xef\xbb\xbf" "data: a\n\n",
      "data: a\n\n\xef\xbb\xbf" "data: b\n\n",
      "\xef\xbb",
      "\xef\xbb\xbf",
      "data: cut",
      "data: cut\n",
      "data: cut\r",
      "data: a\n\ndata: cut\r\n",
      "data: one\ndata: cut",
      "dat",
      "other: x\nbad line\n\ndata: a\n\n",
      "DATA: x\n\n data: y\n\n",
      "data : x\n\n",
      "data: \xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x98\x80 \xff\n\n",
      "data: nul \0 in it\n\n"s,
      "\n\n\ndata: a\n\n\n\n\ndata: b\n\n\n",
      "data: {\"type\":\"x\"}      \n\n",
  };
  return all;
}

// Every way to cut `stream` in two; the answer must be that of the uncut one.
void check_cuts(const std::string& stream, const Seen& whole) {
  int wrong = 0;
  for (size_t i = 0; i <= stream.size(); ++i) {
    const std::string_view s = stream;
    const Seen cut = read_pieces({s.substr(0, i), s.substr(i)});
    wrong += cut.events != whole.events || cut.raw != stream || !cut.error.empty();
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("streams read as the standard says, however they are cut") {
  for (const std::string& stream : streams()) {
    INFO(stream);
    const Seen whole = read_pieces({stream});
    CHECK(whole.events == by_the_standard(stream));
    CHECK(whole.raw == stream);
    CHECK(whole.error.empty());
    check_cuts(stream, whole);
    if (stream.size() > 40) continue;
    int wrong = 0;
    for (size_t i = 0; i <= stream.size(); ++i) {
      for (size_t j = i; j <= stream.size(); ++j) {
        const std::string_view s = stream;
        const Seen cut = read_pieces({s.substr(0, i), s.substr(i, j - i), "", s.substr(j)});
        wrong += cut.events != whole.events || cut.raw != stream;
      }
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("all streams behind one another, a byte at a time") {
  std::string stream;
  for (const std::string& s : streams()) stream += s + "\n\n";
  std::vector<std::string_view> bytes;
  for (size_t i = 0; i < stream.size(); ++i) bytes.push_back(std::string_view(stream).substr(i, 1));
  const Seen seen = read_pieces(bytes);
  CHECK(seen.raw == stream);
  CHECK(seen.events == by_the_standard(stream));
  CHECK(seen.events.size() > 40);
}

TEST_CASE("random streams of the characters that matter") {
  const std::vector<std::string> words = {"data", ":", ": ", " ", "\n", "\r", "\r\n", "\n\n", "event", "id", "a", "{\"k\":1}", "\xef\xbb\xbf", ":c\n", "data: x\n\n", std::string(70, 'z')};
  std::mt19937 random(7);
  int wrong = 0, events = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string stream;
    const size_t count = random() % 24;
    for (size_t i = 0; i < count; ++i) stream += words[random() % words.size()];
    std::vector<std::string_view> pieces;
    for (size_t at = 0; at < stream.size();) {
      const size_t n = 1 + random() % 17;
      pieces.push_back(std::string_view(stream).substr(at, n));
      at += n;
    }
    const Seen cut = read_pieces(pieces), whole = read_pieces({stream});
    const std::vector<Event> expected = by_the_standard(stream);
    wrong += cut.raw != stream || whole.raw != stream || cut.events != expected || whole.events != expected;
    events += static_cast<int>(expected.size());
  }
  CHECK(wrong == 0);
  CHECK(events > 1500);
}

TEST_CASE("an event's bytes run from its first field to its blank line") {
  const std::string stream = ": hello\n\nevent: a\ndata: 1\n: inside\n\n\nid: 4\r\ndata: 2\r\n\r\n: bye\n";
  const Seen seen = read_pieces({stream});
  REQUIRE(seen.event_bytes.size() == 2);
  CHECK(seen.event_bytes[0] == "event: a\ndata: 1\n: inside\n\n");
  CHECK(seen.event_bytes[1] == "id: 4\r\ndata: 2\r\n\r\n");
  CHECK(seen.comments == 3);
}

TEST_CASE("a comment is delivered without waiting for a blank line or an event") {
  Reader r;
  r.feed(": OPENROUTER PROCESSING\n");
  CHECK(r.seen.raw == ": OPENROUTER PROCESSING\n");
  r.feed(":");
  r.feed(" more\r");
  CHECK(r.seen.raw == ": OPENROUTER PROCESSING\n: more\r");
  r.feed("\n");
  CHECK(r.seen.raw == ": OPENROUTER PROCESSING\n: more\r\n");
  CHECK(r.seen.events.empty());
}

TEST_CASE("an event is delivered with the last byte of its blank line, a CR too") {
  Reader r;
  r.feed("data: 1\r\n");
  CHECK(r.seen.events.empty());
  r.feed("\r");
  REQUIRE(r.seen.events.size() == 1);
  r.feed("\n");
  r.feed("data: 2\n\n");
  REQUIRE(r.seen.events.size() == 2);
  CHECK(r.seen.event_bytes[1] == "data: 2\n\n");
  CHECK(r.seen.raw == "data: 1\r\n\r\ndata: 2\n\n");
}

TEST_CASE("what lies whole in a chunk is not copied") {
  const std::string chunk = "data: first\n\nevent: x\ndata: second\n\ndata: cut";
  SseParser parser;
  parser.feed(chunk);
  SseFrame f;
  for (const char* data : {"first", "second"}) {
    REQUIRE(parser.next(f) == SseParser::Next::kFrame);
    CHECK(f.data == data);
    CHECK(f.data.data() >= chunk.data());
    CHECK(f.data.data() < chunk.data() + chunk.size());
    CHECK(f.raw.data() >= chunk.data());
    CHECK(parser.buffered() == 0);
  }
  CHECK(parser.next(f) == SseParser::Next::kMore);
  CHECK(parser.buffered() == std::string("data: cut").size());
}

TEST_CASE("only the event that was cut is copied") {
  SseParser parser;
  SseFrame f;
  parser.feed("data: o");
  REQUIRE(parser.next(f) == SseParser::Next::kMore);
  const std::string chunk = "ne\n\ndata: two\n\n";
  parser.feed(chunk);
  REQUIRE(parser.next(f) == SseParser::Next::kFrame);
  CHECK(f.data == "one");
  REQUIRE(parser.next(f) == SseParser::Next::kFrame);
  CHECK(f.data == "two");
  CHECK(f.data.data() == chunk.data() + 10);
}

TEST_CASE("retry counts in digits alone, and for its frame alone") {
  const auto retry_of = [](std::string_view stream) {
    SseParser parser;
    SseFrame f;
    parser.feed(stream);
    return parser.next(f) == SseParser::Next::kFrame ? f.retry_ms : -2;
  };
  CHECK(retry_of("retry: 1500\ndata: x\n\n") == 1500);
  CHECK(retry_of("retry:0\n\n") == 0);
  CHECK(retry_of("retry: 1s\ndata: x\n\n") == -1);
  CHECK(retry_of("retry: -1\ndata: x\n\n") == -1);
  CHECK(retry_of("retry:\ndata: x\n\n") == -1);
  CHECK(retry_of("retry: 99999999999999999999\ndata: x\n\n") == -1);
  CHECK(retry_of("data: x\n\n") == -1);
}

TEST_CASE("at the end a last event without its blank line is delivered, and says so") {
  const Seen cut = read_pieces({"data: 1\n\ndata: 2"});
  REQUIRE(cut.events.size() == 2);
  CHECK(cut.events[0].terminated);
  CHECK(cut.events[1] == Event{"", "2", "", false});
  const Seen comment = read_pieces({"data: 1\n\n: cut"});
  CHECK(comment.events.size() == 1);
  CHECK(comment.raw == "data: 1\n\n: cut");
}

TEST_CASE("an event up to the limit passes, one byte more does not, wherever it is cut") {
  const std::string before = "data: ok\n\n: c\n";
  const std::string event = "event: e\ndata: 0123456789012345678901234567890123456789\n\n";
  for (size_t i = 0; i <= before.size() + event.size(); ++i) {
    const std::string stream = before + event;
    const std::string_view s = stream;
    const std::vector<std::string_view> pieces = {s.substr(0, i), s.substr(i)};
    const Seen fits = read_pieces(pieces, {event.size()});
    CHECK(fits.error.empty());
    CHECK(fits.events.size() == 2);
    const Seen over = read_pieces(pieces, {event.size() - 1});
    CHECK(over.error == "an event of the stream is larger than " + std::to_string(event.size() - 1) + " bytes");
    CHECK(over.events.size() == 1);
    CHECK(over.raw == before);
  }
}

TEST_CASE("no line and no event grows the memory beyond the limit") {
  const std::vector<std::string> endless = {"data: " + std::string(500, 'x'), ":" + std::string(500, 'x'), std::string(500, 'x')};
  for (const std::string& stream : endless) {
    Reader r({100});
    for (const char c : stream) {
      r.feed({&c, 1});
      REQUIRE(r.parser.buffered() <= 100);
    }
    CHECK(r.parser.failed());
    CHECK(r.seen.raw.empty());
  }
  Reader many({100});
  for (int i = 0; i < 200 && !many.parser.failed(); ++i) {
    many.feed("data: x\n");
    REQUIRE(many.parser.buffered() <= 100);
  }
  CHECK(many.parser.failed());
}

TEST_CASE("the second half of a cut line end counts too") {
  Reader r({7});
  r.feed("data:1\r");
  CHECK_FALSE(r.parser.failed());
  r.feed("\n");
  CHECK(r.parser.failed());
  CHECK(r.parser.buffered() == 0);
}

TEST_CASE("lines between events are limited one by one, not together") {
  std::string stream;
  for (int i = 0; i < 1000; ++i) stream += ": ping\n\n";
  const Seen seen = read_pieces({stream}, {50});
  CHECK(seen.error.empty());
  CHECK(seen.raw == stream);
}

TEST_CASE("an error stays, and comes after what was right") {
  SseParser parser({12});
  SseFrame f;
  parser.feed("data: ok\n\ndata: far too long\n\ndata: ok\n\n");
  CHECK(parser.next(f) == SseParser::Next::kFrame);
  CHECK(f.data == "ok");
  CHECK(parser.next(f) == SseParser::Next::kError);
  CHECK(parser.next(f) == SseParser::Next::kError);
  parser.feed("data: ok\n\n");
  CHECK(parser.next(f) == SseParser::Next::kError);
  parser.finish();
  CHECK(parser.next(f) == SseParser::Next::kError);
  CHECK(parser.buffered() == 0);
}

TEST_CASE("wrong use is reported, not undefined") {
  SseFrame f;
  SseParser undrained;
  undrained.feed("data: 1\n\n");
  undrained.feed("data: 2\n\n");
  CHECK(undrained.next(f) == SseParser::Next::kError);
  CHECK(undrained.error() == "the stream parser was fed before it was read");
  SseParser finished;
  finished.finish();
  CHECK(finished.next(f) == SseParser::Next::kMore);
  finished.feed("data: 1\n\n");
  CHECK(finished.next(f) == SseParser::Next::kError);
  SseParser early;
  early.feed("data: 1\n\n");
  early.finish();
  CHECK(early.next(f) == SseParser::Next::kError);
}

TEST_CASE("a large event passes in small pieces and its memory is given back") {
  std::string big(3'000'000, 'x');
  Reader r;
  r.feed("data: ");
  for (size_t at = 0; at < big.size(); at += 1000) r.feed(std::string_view(big).substr(at, 1000));
  CHECK(r.parser.buffered() == big.size() + 6);
  r.feed("\n\ndata: after\n\n");
  REQUIRE(r.seen.events.size() == 2);
  CHECK(r.seen.events[0].data == big);
  CHECK(r.seen.events[1].data == "after");
  CHECK(r.parser.buffered() == 0);
}

TEST_CASE("a parser can be moved while an event is cut") {
  SseParser first;
  SseFrame f;
  first.feed("event: e\ndata: a\ndata: b");
  REQUIRE(first.next(f) == SseParser::Next::kMore);
  SseParser second = std::move(first);
  second.feed("c\n\n");
  REQUIRE(second.next(f) == SseParser::Next::kFrame);
  CHECK(f.event == "e");
  CHECK(f.data == "a\nbc");
}
