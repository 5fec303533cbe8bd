// A body and edits of it: the result is valid, is what a plain model makes of it, and takes its bytes from the body.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/fuzz.h"
#include "unit/wire/splice_support.h"

using namespace splice_test;

namespace {

bool same_but_case(std::string_view a, std::string_view b) {
  const auto folded = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return folded(x) == folded(y); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<std::string> names = {"a", "b", "model", "", "q\"\n", "stream_options", "\xef\xbf\xbd"};
  static const std::vector<std::string> values = {"1", "null", "\"x,}\"", "[{\"a\":1}]", "{}", "{\"a\":null,\"b\":{}}", "{ \"b\" : [ ] , \"a\":1,\"b\":2}"};
  fuzz::Input in(data, size);
  std::vector<SpliceEdit> edits;
  for (unsigned count = in.byte() % 6; count > 0; --count) {
    const unsigned what = in.byte(), which = in.byte();
    SpliceEdit e;
    e.kind = static_cast<Kind>(what % 3);
    e.name = names[what / 3 % names.size()];
    if (which & 1) e.child = names[which / 2 % names.size()];
    e.json = values[which / 16 % values.size()];
    edits.push_back(e);
  }
  const std::string body(in.rest());
  std::vector<llmrouter::MemberSpan> members, after;
  if (!scan_object(body, {}, members)) return 0;
  // A member of that name in another case stays where it is: dialects refuse such bodies where the name means something.
  for (const llmrouter::MemberSpan& m : members) {
    for (const SpliceEdit& e : edits) {
      if (m.name != e.name && same_but_case(m.name, e.name)) return 0;
    }
  }

  std::list<std::string> owned;
  std::vector<std::string_view> pieces;
  splice(body, members, edits, owned, pieces);
  std::string result;
  for (const std::string_view p : pieces) result += p;

  Model expected = model_of(body);
  for (const SpliceEdit& e : edits) edit_model(expected, e);
  if (edits.empty()) fuzz::must(result == body, "without edits nothing changes");
  fuzz::must(static_cast<bool>(scan_object(result, {130}, after)), "the result is a valid body");
  fuzz::must(same_members(result, text_of(expected)), "the result is what the model makes of it");
  return 0;
}
