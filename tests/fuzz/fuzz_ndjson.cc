// Lines, cut in many ways: their bytes are the input, and each ends at its LF.
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/fuzz.h"
#include "wire/ndjson.h"

using namespace llmrouter::wire;

namespace {

struct Seen {
  std::vector<std::string> raw;
  std::string all;
  bool failed = false;
};

Seen read(std::string_view text, unsigned cut, size_t limit) {
  NdjsonParser parser({limit});
  NdjsonLine line;
  Seen seen;
  const auto drain = [&] {
    while (parser.next(line) == NdjsonParser::Next::kLine) {
      seen.raw.emplace_back(line.raw);
      seen.all += line.raw;
      fuzz::must(line.raw.find(line.text) != std::string_view::npos, "the text is part of the line");
      fuzz::must(line.terminated == (line.raw.back() == '\n'), "a line has its end or says that it has not");
    }
  };
  fuzz::Cuts cuts(cut);
  while (!text.empty()) {
    const std::string piece(text.substr(0, cuts.next()));
    text.remove_prefix(piece.size());
    parser.feed(piece);
    drain();
    fuzz::must(parser.buffered() <= limit, "the limit bounds the memory");
  }
  parser.finish();
  drain();
  seen.failed = parser.failed();
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const unsigned cut = in.byte();
  const size_t limit = 1 + in.byte();
  const std::string text(in.rest());

  std::vector<std::string> expected;
  for (size_t at = 0; at < text.size();) {
    const size_t lf = text.find('\n', at);
    const size_t end = lf == std::string::npos ? text.size() : lf + 1;
    expected.push_back(text.substr(at, end - at));
    at = end;
  }
  const Seen all = read(text, cut, 1 << 20);
  fuzz::must(!all.failed && all.raw == expected && all.all == text, "the lines are the input, split at each LF");

  const Seen some = read(text, cut, limit);
  bool fits = true;
  for (const std::string& line : expected) fits = fits && line.size() <= limit;
  fuzz::must(some.failed != fits, "it fails exactly when a line is too long");
  fuzz::must(text.compare(0, some.all.size(), some.all) == 0, "what comes before the limit is the input");
  return 0;
}
