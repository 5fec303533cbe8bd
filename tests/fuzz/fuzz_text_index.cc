// Places in a text, in bytes and in characters, held against counting.
#include <string>

#include "dialects/text_index.h"
#include "fuzz/fuzz.h"

using llmrouter::dialects::TextIndex;

namespace {

int64_t characters(std::string_view text) {
  int64_t count = 0;
  for (char c : text) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const unsigned seed = in.byte(), times = in.byte() % 16 + 1;
  const int64_t a = static_cast<int64_t>(in.byte() << 8 | in.byte()) - 100, b = static_cast<int64_t>(in.byte() << 8 | in.byte()) - 100;
  // More than one block of the index.
  std::string text;
  for (unsigned i = 0; i < times; ++i) text += in.rest();

  fuzz::Cuts cuts(seed);
  TextIndex grown;
  std::string so_far;
  for (size_t at = 0; at < text.size();) {
    const size_t cut = std::min(cuts.next() * 16, text.size() - at);
    so_far.append(text, at, cut);
    at += cut;
    grown.grow(so_far);
  }
  const TextIndex whole(text);
  for (const int64_t place : {a, b, int64_t{0}, static_cast<int64_t>(text.size())}) {
    const size_t inside = place <= 0 ? 0 : std::min(static_cast<size_t>(place), text.size());
    const int64_t character = whole.character_at(place);
    fuzz::must(character == characters(std::string_view(text).substr(0, inside)), "a byte's character is what counting says");
    fuzz::must(grown.character_at(place) == character, "a text that grew is the same text");
    const size_t byte = whole.byte_at(place);
    fuzz::must(byte <= text.size() && grown.byte_at(place) == byte, "a character's byte is inside");
    fuzz::must(place < 0 || place >= characters(text) || characters(std::string_view(text).substr(0, byte)) == place, "as many characters stand before it");
  }
  const std::string_view words = whole.between(a, b);
  fuzz::must(words == grown.between(a, b), "a text that grew has the same words");
  fuzz::must(a < 0 || b <= a || characters(words) <= b - a + 1, "no more words than were asked for");
  fuzz::must(words.empty() || (words.data() >= text.data() && words.data() + words.size() <= text.data() + text.size()), "the words are the text's");
  return 0;
}
