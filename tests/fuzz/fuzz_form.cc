// A form and edits of it: what is read can be read again after a change, and then holds what the change said.
#include <deque>
#include <string>
#include <vector>

#include "fuzz/fuzz.h"
#include "wire/multipart.h"

using namespace llmrouter;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const unsigned what = in.byte();
  const std::string body(in.rest());
  auto form = wire::scan_form(body, "b");
  if (!form) {
    fuzz::must(form.error().code == ErrorCode::kInvalidRequest && !form.error().message.empty(), "a bad form is the client's fault");
    return 0;
  }
  size_t before = 0;
  for (const wire::FormField& field : form->fields) {
    fuzz::must(field.begin >= before && field.value_begin > field.begin && field.value_end >= field.value_begin && field.value_end <= body.size(),
               "fields stand one behind the other");
    before = field.value_end;
  }
  std::vector<wire::SpliceEdit> edits;
  if (what & 1) edits.push_back({BodyEdit::Kind::kSet, "model", {}, "\"new one\""});
  if (what & 2) edits.push_back({BodyEdit::Kind::kRemove, "stream", {}, {}});
  if (what & 4) edits.push_back({BodyEdit::Kind::kDefault, "temperature", {}, "0.5"});
  std::deque<std::string> owned;
  std::vector<std::string_view> pieces;
  wire::splice_form(body, *form, edits, owned, pieces);
  std::string result;
  for (const std::string_view piece : pieces) result += piece;
  if (edits.empty()) fuzz::must(result == body, "without edits nothing changes");
  wire::FormLimits wider;
  wider.max_fields += 2;
  auto again = wire::scan_form(result, "b", wider);
  fuzz::must(again.ok(), "the result is a form");
  int models = 0;
  for (const wire::FormField& field : again->fields) {
    if (field.name == "model") {
      ++models;
      if (what & 1) fuzz::must(std::string_view(result).substr(field.value_begin, field.value_end - field.value_begin) == "new one", "the model is the new one");
    }
    fuzz::must(!(what & 2) || field.name != "stream", "what was taken out is out");
  }
  fuzz::must(!(what & 1) || models == 1, "one model");
  return 0;
}
