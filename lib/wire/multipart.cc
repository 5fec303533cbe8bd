#include "wire/multipart.h"

#include <algorithm>
#include <utility>

#include "wire/json_scan.h"

namespace llmrouter::wire {
namespace {

constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

bool equals_ci(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// `; name="value"` after a header's first word: takes one parameter off `rest`. False: there is none.
bool take_parameter(std::string_view& rest, std::string_view& name, std::string& value) {
  rest = trim(rest);
  while (!rest.empty() && rest.front() == ';') rest = trim(rest.substr(1));
  const size_t equals = rest.find('=');
  if (rest.empty() || equals == std::string_view::npos) return false;
  name = trim(rest.substr(0, equals));
  rest = trim(rest.substr(equals + 1));
  value.clear();
  if (rest.empty() || rest.front() != '"') {
    const size_t end = std::min(rest.find(';'), rest.size());
    value = trim(rest.substr(0, end));
    rest.remove_prefix(end);
    return true;
  }
  // Browsers write a quote as %22, others as \"; a backslash before anything else stands for itself.
  size_t at = 1;
  for (; at < rest.size() && rest[at] != '"'; ++at) {
    if (rest[at] == '\\' && at + 1 < rest.size() && (rest[at + 1] == '"' || rest[at + 1] == '\\')) ++at;
    value += rest[at];
  }
  if (at == rest.size()) return false;  // the quote is not closed
  rest.remove_prefix(at + 1);
  return true;
}

bool begins_ci(std::string_view text, std::string_view word) noexcept { return equals_ci(text.substr(0, word.size()), word); }

// One that another parser would read in another way is refused: what is checked here must be what the upstream reads there.
const char* read_disposition(std::string_view rest, FormField& field) {
  const size_t word = std::min(rest.find(';'), rest.size());
  if (!equals_ci(trim(rest.substr(0, word)), "form-data")) return " is no form-data";
  rest.remove_prefix(word);
  if (rest.find("\\\"") != std::string_view::npos) return "'s content-disposition has a backslash before a quote (%22 stands for one)";
  bool named = false;
  std::string_view name;
  std::string value;
  while (take_parameter(rest, name, value)) {
    if (equals_ci(name, "name")) {
      if (named) return " has two names";
      if (value.find_first_of("\"\\") != std::string::npos) return "'s name has a quote or a backslash";
      named = true;
      field.name = value;
    } else if (begins_ci(name, "name*")) {
      return "'s name is written in an extended form (name*)";
    } else if (equals_ci(name, "filename") || equals_ci(name, "filename*")) {
      field.file = true;
    }
  }
  if (!trim(rest).empty()) return "'s content-disposition cannot be read";
  return named ? nullptr : " has no name";
}

// A field's name from its header lines; what is wrong with them, or null.
const char* read_head(std::string_view head, FormField& field) {
  bool disposed = false;
  while (!head.empty()) {
    const size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(head.size(), end + 2));
    if (line.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) return "'s header has a lone line end or a zero byte";
    if (line.front() == ' ' || line.front() == '\t') return "'s header has a folded line";
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return "'s header has a line without a colon";
    if (!equals_ci(trim(line.substr(0, colon)), "content-disposition")) continue;
    if (std::exchange(disposed, true)) return " has two content-dispositions";
    if (const char* fault = read_disposition(trim(line.substr(colon + 1)), field)) return fault;
  }
  return disposed ? nullptr : " has no name";
}

std::string text_of(std::string_view json) {
  const JsonValue value(json);
  return value.is_string() ? value.string_or() : std::string(value.raw());
}

}  // namespace

std::optional<std::string> form_boundary(std::string_view content_type) {
  const size_t word = std::min(content_type.find(';'), content_type.size());
  if (!equals_ci(trim(content_type.substr(0, word)), "multipart/form-data")) return std::nullopt;
  std::string_view rest = content_type.substr(word);
  std::string_view name;
  std::string value;
  std::optional<std::string> boundary;
  while (take_parameter(rest, name, value)) {
    if (!begins_ci(name, "boundary")) continue;
    const bool legal = !value.empty() && value.size() <= 70 && value.back() != ' ' &&
                       std::all_of(value.begin(), value.end(), [](unsigned char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; });
    // A second one, or boundary*=: an upstream might go by that.
    if (!legal || boundary || name.size() != std::string_view("boundary").size()) return std::nullopt;
    boundary = value;
  }
  if (!trim(rest).empty()) return std::nullopt;  // what is left cannot be read
  return boundary;
}

FormReader::FormReader(std::string_view boundary, const FormLimits& limits) : limits_(limits), mark_("\n--" + std::string(boundary)) {
  form_.boundary = boundary;
}

bool FormReader::feed(std::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size()) {
    switch (step_) {
      case Step::kPreamble:
      case Step::kValue: at = seek(bytes, at); break;
      case Step::kDelimiter: take_delimiter(bytes[at++]); break;
      case Step::kHead:
        take_head(bytes[at], base_ + at + 1);
        ++at;
        break;
      case Step::kOver: at = bytes.size(); break;  // an epilogue says nothing
      case Step::kFailed: return false;
    }
  }
  base_ += bytes.size();
  if (!bytes.empty()) last_ = bytes.back();
  return step_ != Step::kFailed;
}

Result<Form> FormReader::finish() {
  if (step_ == Step::kPreamble) fail("its boundary does not come");
  else if (step_ != Step::kOver) fail("it breaks off");
  if (step_ == Step::kFailed) return fault_;
  return std::move(form_);
}

void FormReader::fail(std::string words) {
  if (step_ == Step::kFailed) return;
  step_ = Step::kFailed;
  fault_ = Error(ErrorCode::kInvalidRequest, "the body is not a valid form: " + std::move(words));
}

// Looks for the next delimiter and says how far it came. Only the first byte of `mark_` is a line feed, so a match that fails begins anew at
// the byte it failed at. One behind a line feed alone would be a delimiter to some.
size_t FormReader::seek(std::string_view bytes, size_t at) {
  const size_t from = at;
  while (at < bytes.size() && matched_ < mark_.size()) {
    if (matched_ == 0) {
      at = std::min(bytes.find('\n', at), bytes.size());
      if (at == bytes.size()) break;
      behind_return_ = (at == 0 ? last_ : bytes[at - 1]) == '\r';
    }
    if (bytes[at] != mark_[matched_]) {
      matched_ = 0;
      continue;
    }
    ++matched_;
    ++at;
  }
  // A little more than is kept: some of it may turn out to be the delimiter's.
  const size_t most = limits_.max_text + mark_.size() + 1;
  if (step_ == Step::kValue && !field_.file && field_.text.size() < most) {
    field_.text.append(bytes.substr(from, std::min(at - from, most - field_.text.size())));
  }
  if (matched_ < mark_.size()) return at;
  if (!behind_return_) {
    fail("a delimiter stands behind a line feed alone");
    return at;
  }
  delimiter_ = base_ + at - (mark_.size() - 1);
  if (step_ == Step::kValue) end_value();
  step_ = Step::kDelimiter;
  behind_ = 0;
  return at;
}

void FormReader::end_value() {
  // An empty value's line end may be the one that closes its header.
  field_.value_end = std::max(delimiter_ - 2, field_.value_begin);
  field_.text.resize(std::min({field_.text.size(), field_.size(), limits_.max_text}));
  field_.text.shrink_to_fit();
  form_.fields.push_back(std::move(field_));
}

// Two dashes close the form; else blanks, and a line end behind which a field begins.
void FormReader::take_delimiter(char c) {
  if (behind_ == '-' && c == '-') {
    form_.end = delimiter_;
    step_ = Step::kOver;
  } else if (behind_ == '\r' && c == '\n') {
    if (form_.fields.size() == limits_.max_fields) return fail("it has more than " + std::to_string(limits_.max_fields) + " fields");
    field_ = FormField();
    field_.begin = delimiter_;
    head_.clear();
    step_ = Step::kHead;
  } else if (behind_ == '-' || behind_ == '\r' || (c == '-' && behind_ != 0) || (c != '-' && c != '\r' && c != ' ' && c != '\t')) {
    fail("a delimiter is not followed by a line end");
  } else {
    behind_ = c == '\t' ? ' ' : c;
  }
}

// `next` is where the byte behind this one lies.
void FormReader::take_head(char c, size_t next) {
  constexpr std::string_view kBlank = "\r\n\r\n";
  head_ += c;
  std::string_view lines = head_;
  const bool blank = lines.size() >= kBlank.size() && lines.substr(lines.size() - kBlank.size()) == kBlank;
  const bool empty = lines == kBlank.substr(0, 2);
  const auto where = [this] { return "field " + std::to_string(form_.fields.size() + 1); };
  if (!blank && !empty) {
    if (head_.size() >= limits_.max_head) fail("the header of " + where() + " is over " + std::to_string(limits_.max_head) + " bytes");
    return;
  }
  lines.remove_suffix(blank ? kBlank.size() : 2);
  if (const char* fault = read_head(lines, field_)) return fail(where() + fault);
  if (field_.name.size() > limits_.max_name) return fail("the name of " + where() + " is over " + std::to_string(limits_.max_name) + " bytes");
  field_.value_begin = next;
  matched_ = 1;
  behind_return_ = true;
  step_ = Step::kValue;
}

std::vector<FormPiece> splice_form(const Form& form, size_t size, const std::vector<SpliceEdit>& edits, std::list<std::string>& owned) {
  struct Slot {
    bool gone = false;
    std::optional<std::string> value;
  };
  std::vector<Slot> slots(form.fields.size());
  std::vector<std::pair<std::string, std::string>> added;
  for (const SpliceEdit& edit : edits) {
    bool set = edit.kind == BodyEdit::Kind::kRemove;  // nothing to add
    for (size_t i = 0; i < slots.size(); ++i) {
      if (form.fields[i].name != edit.name || slots[i].gone) continue;
      if (edit.kind == BodyEdit::Kind::kDefault) set = true;
      else if (set) slots[i].gone = true;
      else slots[i].value = text_of(edit.json), set = true;
    }
    const auto mine = std::find_if(added.begin(), added.end(), [&](const auto& a) { return a.first == edit.name; });
    if (mine == added.end()) {
      if (!set) added.emplace_back(edit.name, text_of(edit.json));
    } else if (edit.kind == BodyEdit::Kind::kRemove) {
      added.erase(mine);
    } else if (edit.kind == BodyEdit::Kind::kSet) {
      mine->second = text_of(edit.json);
    }
  }
  std::vector<FormPiece> pieces;
  size_t from = 0;
  auto pass = [&](size_t to) {
    if (to > from) pieces.push_back({from, to, {}});
  };
  for (size_t i = 0; i < slots.size(); ++i) {
    const FormField& field = form.fields[i];
    const size_t next = i + 1 < slots.size() ? form.fields[i + 1].begin : form.end;
    if (slots[i].gone) {
      pass(field.begin);
      from = next;
    } else if (slots[i].value) {
      pass(field.value_begin);
      pieces.push_back({0, 0, owned.emplace_back(std::move(*slots[i].value))});
      from = field.value_end;
      // A value that was empty without a line end of its own gets one.
      if (from == next) pieces.push_back({0, 0, "\r\n"});
    }
  }
  pass(form.end);
  from = form.end;
  for (const auto& [name, value] : added) {
    std::string quoted;
    for (char c : name) quoted += c == '"' ? "%22" : c == '\r' || c == '\n' ? " " : std::string(1, c);
    pieces.push_back({0, 0, owned.emplace_back("--" + form.boundary + "\r\ncontent-disposition: form-data; name=\"" + quoted + "\"\r\n\r\n" + value + "\r\n")});
  }
  pass(size);
  return pieces;
}

}  // namespace llmrouter::wire
