// A form and edits of it: however it is cut it reads the same, and what is read can be read again after a change, and then holds what the change said.
#include <algorithm>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "fuzz/fuzz.h"
#include "fuzz/text_source.h"
#include "wire/multipart.h"
#include "wire/pieced_body.h"

using namespace llmrouter;

namespace {

Result<Form> read_form(std::string_view body, fuzz::Cuts* cuts = nullptr, const wire::FormLimits& limits = {}) {
  wire::FormReader reader("b", limits);
  while (!body.empty()) {
    const size_t n = cuts != nullptr ? std::min(cuts->next(), body.size()) : body.size();
    reader.feed(body.substr(0, n));
    body.remove_prefix(n);
  }
  return reader.finish();
}

void must_be_same(const Result<Form>& a, const Result<Form>& b) {
  fuzz::must(a.ok() == b.ok(), "a form however it is cut");
  if (!a) return fuzz::must(a.error().message == b.error().message, "the same fault however it is cut");
  fuzz::must(a->end == b->end && a->fields.size() == b->fields.size(), "the same fields however it is cut");
  for (size_t i = 0; i < a->fields.size(); ++i) {
    const FormField &x = a->fields[i], &y = b->fields[i];
    fuzz::must(x.name == y.name && x.file == y.file && x.begin == y.begin && x.value_begin == y.value_begin && x.value_end == y.value_end && x.text == y.text,
               "the same field however it is cut");
  }
}

// Reads by as many bytes as it is cut to.
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const unsigned what = in.byte();
  const std::string body(in.rest());
  fuzz::Cuts cuts(what);
  auto form = read_form(body);
  must_be_same(form, read_form(body, &cuts));
  if (!form) {
    fuzz::must(form.error().code == ErrorCode::kInvalidRequest && !form.error().message.empty(), "a bad form is the client's fault");
    return 0;
  }
  size_t before = 0;
  for (const FormField& field : form->fields) {
    fuzz::must(field.begin >= before && field.value_begin > field.begin && field.value_end >= field.value_begin && field.value_end <= body.size(),
               "fields stand one behind the other");
    fuzz::must(body.compare(field.begin, 3, "--b") == 0, "a field begins with its delimiter");
    if (!field.file) fuzz::must(field.text == body.substr(field.value_begin, std::min<size_t>(field.size(), 4096)), "the text is the value's beginning");
    before = field.value_end;
  }
  std::vector<wire::SpliceEdit> edits;
  if (what & 1) edits.push_back({BodyEdit::Kind::kSet, "model", {}, "\"new one\""});
  if (what & 2) edits.push_back({BodyEdit::Kind::kRemove, "stream", {}, {}});
  if (what & 4) edits.push_back({BodyEdit::Kind::kDefault, "temperature", {}, "0.5"});
  std::list<std::string> owned;
  auto pieces = wire::splice_form(*form, body.size(), edits, owned);
  std::string result;
  for (const wire::FormPiece& piece : pieces) result += piece.end > piece.begin ? std::string_view(body).substr(piece.begin, piece.size()) : piece.text;
  if (edits.empty()) fuzz::must(result == body, "without edits nothing changes");
  const wire::PiecedBody sent(std::make_shared<fuzz::TextSource>(body, what), std::move(pieces), std::move(owned));
  fuzz::must(sent.size() == result.size(), "what is sent has the length of what is made");
  std::string read(result.size(), '\0');
  for (size_t at = 0; at < read.size();) {
    auto n = sent.read(at, read.data() + at, std::min(cuts.next(), read.size() - at));
    fuzz::must(n && *n > 0, "a source that is there is read");
    at += *n;
  }
  fuzz::must(read == result, "what is sent is what is made");
  wire::FormLimits wider;
  wider.max_fields += 2;
  auto again = read_form(result, &cuts, wider);
  fuzz::must(again.ok(), "the result is a form");
  int models = 0;
  for (const FormField& field : again->fields) {
    if (field.name == "model") {
      ++models;
      if (what & 1) fuzz::must(result.substr(field.value_begin, field.size()) == "new one", "the model is the new one");
    }
    fuzz::must(!(what & 2) || field.name != "stream", "what was taken out is out");
  }
  fuzz::must(!(what & 1) || models == 1, "one model");
  return 0;
}
