// A stream, cut in many ways: the frames' bytes are the input, and the events those of a plain reading of the standard.
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/fuzz.h"
#include "unit/wire/sse_support.h"

using namespace sse_test;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const unsigned cut = in.byte();
  const unsigned limit = in.byte();
  const std::string_view stream = in.rest();

  std::vector<std::string_view> pieces;
  fuzz::Cuts cuts(cut);
  for (size_t at = 0; at < stream.size();) {
    const std::string_view piece = stream.substr(at, cuts.next());
    pieces.push_back(piece);
    at += piece.size();
  }
  const Seen whole = read_pieces({stream}), parts = read_pieces(pieces);
  const std::vector<Event> expected = by_the_standard(stream);
  fuzz::must(whole.error.empty() && parts.error.empty(), "no error below the limit");
  fuzz::must(whole.raw == stream, "the frames of one chunk are the input");
  fuzz::must(parts.raw == stream, "the frames of many chunks are the input");
  fuzz::must(whole.events == expected, "the events of one chunk are those of the standard");
  fuzz::must(parts.events == expected, "the events of many chunks are those of the standard");

  // With a small limit: a beginning of the same, and never more memory than that.
  Reader limited({1 + limit});
  for (const std::string_view piece : pieces) {
    limited.feed(piece);
    fuzz::must(limited.parser.buffered() <= 1 + limit, "the limit bounds the memory");
  }
  limited.finish();
  fuzz::must(stream.substr(0, limited.seen.raw.size()) == limited.seen.raw, "what comes before the limit is the input");
  fuzz::must(limited.parser.failed() || limited.seen.raw == stream, "nothing is lost without an error");
  return 0;
}
