#include "wire/ndjson.h"

#include <memory>
#include <string>
#include <vector>

#include "catch.h"

using namespace llmrouter::wire;

namespace {

struct Seen {
  std::vector<std::string> texts;
  std::string raw;
  std::string error;
  bool last_terminated = true;
};

Seen read_pieces(const std::vector<std::string_view>& pieces, NdjsonLimits limits = {}) {
  NdjsonParser parser(limits);
  Seen seen;
  const auto drain = [&] {
    NdjsonLine line;
    while (parser.next(line) == NdjsonParser::Next::kLine) {
      seen.texts.emplace_back(line.text);
      seen.raw += line.raw;
      seen.last_terminated = line.terminated;
    }
  };
  for (const std::string_view piece : pieces) {
    std::unique_ptr<char[]> copy(new char[piece.size()]);
    parser.feed({copy.get(), piece.copy(copy.get(), piece.size())});
    drain();
    if (!parser.failed() && parser.buffered() > limits.max_line_bytes) seen.error = "grew too large";
  }
  parser.finish();
  drain();
  if (parser.failed()) seen.error = parser.error();
  return seen;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("lines are split at LF, however the text is cut") {
  struct Case {
    std::string in;
    Texts texts;
    bool terminated;
  };
  const std::vector<Case> cases = {
      {"", {}, true},
      {"\n", {""}, true},
      {"{}\n", {"{}"}, true},
      {"{\"a\":1}\n{\"b\":2}\n", {"{\"a\":1}", "{\"b\":2}"}, true},
      {"{\"a\":1}\r\n\r\n{\"b\":2}", {"{\"a\":1}", "", "{\"b\":2}"}, false},
      {"  {\"a\" : 1} \t\n", {"{\"a\" : 1}"}, true},
      {"a\rb\n", {"a\rb"}, true},
      {"{\"t\":\"\xe4\xbd\xa0\"}\n{", {"{\"t\":\"\xe4\xbd\xa0\"}", "{"}, false},
      {"x\r", {"x"}, false},
  };
  for (const Case& c : cases) {
    INFO(c.in);
    const Seen whole = read_pieces({c.in});
    CHECK(whole.texts == c.texts);
    CHECK(whole.raw == c.in);
    CHECK(whole.last_terminated == c.terminated);
    int wrong = 0;
    for (size_t i = 0; i <= c.in.size(); ++i) {
      for (size_t j = i; j <= c.in.size(); ++j) {
        const std::string_view s = c.in;
        const Seen cut = read_pieces({s.substr(0, i), s.substr(i, j - i), s.substr(j)});
        wrong += cut.texts != c.texts || cut.raw != c.in || cut.last_terminated != c.terminated;
      }
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("a line up to the limit passes, one byte more does not") {
  const std::string in = "ok\n0123456789\nnext\n";
  for (size_t i = 0; i <= in.size(); ++i) {
    const std::string_view s = in;
    CHECK(read_pieces({s.substr(0, i), s.substr(i)}, {11}).texts == Texts{"ok", "0123456789", "next"});
    const Seen over = read_pieces({s.substr(0, i), s.substr(i)}, {10});
    CHECK(over.error == "a line of the stream is longer than 10 bytes");
    CHECK(over.texts == Texts{"ok"});
  }
}

TEST_CASE("a line without an end stops at the limit") {
  NdjsonParser parser({64});
  NdjsonLine line;
  for (int i = 0; i < 200 && !parser.failed(); ++i) {
    parser.feed("x");
    parser.next(line);
    REQUIRE(parser.buffered() <= 64);
  }
  CHECK(parser.failed());
  CHECK(parser.next(line) == NdjsonParser::Next::kError);
}

TEST_CASE("a line that lies whole in a chunk is not copied") {
  const std::string chunk = "{\"a\":1}\n{\"b\"";
  NdjsonParser parser;
  NdjsonLine line;
  parser.feed(chunk);
  REQUIRE(parser.next(line) == NdjsonParser::Next::kLine);
  CHECK(line.raw.data() == chunk.data());
  CHECK(parser.next(line) == NdjsonParser::Next::kMore);
  CHECK(parser.buffered() == 4);
}

TEST_CASE("feeding lines before they were read is reported") {
  NdjsonParser parser;
  NdjsonLine line;
  parser.feed("a\n");
  parser.feed("b\n");
  CHECK(parser.next(line) == NdjsonParser::Next::kError);
  CHECK(parser.error() == "the line parser was fed before it was read");
  NdjsonParser finished;
  finished.finish();
  finished.feed("a\n");
  CHECK(finished.next(line) == NdjsonParser::Next::kError);
}
