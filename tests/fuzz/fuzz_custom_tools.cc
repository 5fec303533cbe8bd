// Inputs of custom tools as arguments of functions and back, in pieces cut anywhere.
#include <string>

#include "dialects/custom_tools.h"
#include "fuzz/fuzz.h"
#include "wire/json_scan.h"

using namespace llmrouter;
using namespace llmrouter::dialects;

namespace {

std::string read_in_pieces(std::string_view arguments, unsigned seed) {
  fuzz::Cuts cuts(seed);
  InputReader reader;
  std::string input;
  while (!arguments.empty()) {
    const std::string_view piece = arguments.substr(0, cuts.next());
    reader.feed(piece, input);
    arguments.remove_prefix(piece.size());
  }
  reader.finish(input);
  return input;
}

// The text as a JSON string has it: what is no UTF-8 was replaced there.
std::string in_utf8(std::string_view text) { return wire::find_member(wire::JsonValue(arguments_of_input(text)), "input").string_or(); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const unsigned seed = in.byte();
  const std::string_view text = in.rest();

  // Whatever a model says as arguments is read alike, however it is cut; of a JSON string with a broken escape each piece is told as well as it can be.
  const std::string whole = input_of_arguments(text), pieces = read_in_pieces(text, seed);
  fuzz::must(!wire::validate(text) || pieces == whole, "cuts make no difference to who reads");
  const wire::JsonValue said(text);
  if (wire::validate(text) && text.substr(0, 10) == "{\"input\":\"" && text.find("\",") == std::string_view::npos) {
    const wire::JsonValue input = wire::find_member(said, "input");
    if (text == "{\"input\":" + std::string(input.raw()) + "}") fuzz::must(whole == input.string_or(), "the input is the member's text");
  }

  // A client's input becomes arguments that say the same.
  const std::string clean = in_utf8(text), arguments = arguments_of_input(clean);
  fuzz::must(bool(wire::validate(arguments)), "arguments are JSON");
  fuzz::must(input_of_arguments(arguments) == clean, "what was written is what is read");
  fuzz::must(read_in_pieces(arguments, seed) == clean, "in pieces, too");

  // In pieces of whole characters, as they come out of JSON.
  InputWriter writer;
  fuzz::Cuts cuts(seed);
  std::string written;
  for (std::string_view rest = clean; !rest.empty();) {
    size_t cut = std::min(cuts.next(), rest.size());
    while (cut < rest.size() && (static_cast<unsigned char>(rest[cut]) & 0xc0) == 0x80) ++cut;
    writer.piece(rest.substr(0, cut), written);
    rest.remove_prefix(cut);
  }
  writer.finish(written);
  fuzz::must(written == arguments, "cuts make no difference to who writes");

  std::string format;
  if (wire::validate(text) && read_custom_format(said, wire::find_member(said, "grammar"), format) && !format.empty()) {
    fuzz::must(bool(wire::validate(format)), "a grammar is JSON");
    Tool tool;
    tool.custom = true;
    tool.format = format;
    fuzz::must(!described(tool).empty(), "a grammar is told in words");
  }
  return 0;
}
