// What rules hear of a body, read where it lies.
#include <set>
#include <string>

#include "dialects/request_texts.h"
#include "fuzz/fuzz.h"
#include "wire/json_scan.h"

using namespace llmrouter;
using namespace llmrouter::dialects;

namespace {

struct Listener final : TextSink {
  std::multiset<std::string> heard;
  size_t bytes = 0, left = 0;
  bool on_text(std::string_view text) override {
    fuzz::must(!text.empty(), "a text says something");
    fuzz::must(left > 0, "nothing is told to who had enough");
    heard.emplace(text);
    bytes += text.size();
    return --left > 0;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const unsigned most = in.byte();
  const std::string_view body = in.rest();
  std::vector<MemberSpan> members;
  if (!wire::scan_object(body, {}, members)) return 0;
  const std::initializer_list<TextMember> where = {{"messages", true}, {"input", true, true}, {"contents", true}, {"system"}, {"prompt"}, {"documents", false, false, true}};

  Listener all;
  all.left = size + 1;
  fuzz::must(tell_texts(body, where, all), "who listens to the end hears all");
  fuzz::must(all.bytes <= body.size(), "no text is told twice");
  // What an application's own words would be is heard, wherever it stands in what the caller says.
  const wire::JsonValue prompt = wire::find_member(wire::JsonValue(body), "prompt");
  if (prompt.nonempty_string()) fuzz::must(all.heard.count(prompt.string_or()) > 0, "a prompt is heard");
  for (wire::JsonValue message : wire::JsonElements(wire::find_member(wire::JsonValue(body), "messages"))) {
    const wire::JsonValue content = wire::find_member(message, "content");
    if (content.nonempty_string() && wire::find_member(message, "role").equals("user")) fuzz::must(all.heard.count(content.string_or()) > 0, "a user's words are heard");
  }
  Listener few;
  few.left = most + 1;
  const bool whole = tell_texts(body, where, few);
  fuzz::must(whole == (all.heard.size() <= most), "it is known whether all was told");
  return 0;
}
