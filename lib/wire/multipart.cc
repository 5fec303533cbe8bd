#include "wire/multipart.h"

#include <algorithm>

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

Error broken(std::string words) { return Error(ErrorCode::kInvalidRequest, "the body is not a valid form: " + std::move(words)); }

// A field's name from its header lines; false: they name none.
bool read_head(std::string_view head, FormField& field) {
  bool named = false;
  while (!head.empty()) {
    const size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(head.size(), end + 2));
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || !equals_ci(trim(line.substr(0, colon)), "content-disposition")) continue;
    std::string_view rest = trim(line.substr(colon + 1));
    const size_t word = std::min(rest.find(';'), rest.size());
    if (!equals_ci(trim(rest.substr(0, word)), "form-data")) return false;
    rest.remove_prefix(word);
    std::string_view name;
    std::string value;
    while (take_parameter(rest, name, value)) {
      if (equals_ci(name, "name")) {
        if (named) return false;
        named = true;
        field.name = value;
      } else if (equals_ci(name, "filename") || equals_ci(name, "filename*")) {
        field.file = true;
      }
    }
  }
  return named;
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
  while (take_parameter(rest, name, value)) {
    if (!equals_ci(name, "boundary")) continue;
    const bool legal = !value.empty() && value.size() <= 70 && value.back() != ' ' &&
                       std::all_of(value.begin(), value.end(), [](unsigned char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; });
    if (legal) return value;
    return std::nullopt;
  }
  return std::nullopt;
}

Result<Form> scan_form(std::string_view body, std::string_view boundary, const FormLimits& limits) {
  Form form;
  form.boundary = boundary;
  const std::string mark = "\r\n--" + form.boundary;
  size_t at;  // of a delimiter, the two dashes
  if (body.substr(0, mark.size() - 2) == std::string_view(mark).substr(2)) {
    at = 0;
  } else {
    at = body.find(mark);  // behind a preamble
    if (at == std::string_view::npos) return broken("its boundary does not come");
    at += 2;
  }
  for (;;) {
    size_t line = at + mark.size() - 2;
    if (body.substr(line, 2) == "--") {
      form.end = at;
      return form;
    }
    while (line < body.size() && (body[line] == ' ' || body[line] == '\t')) ++line;
    if (body.substr(line, 2) != "\r\n") return broken(line + 2 > body.size() ? "it breaks off" : "a delimiter is not followed by a line end");
    if (form.fields.size() == limits.max_fields) return broken("it has more than " + std::to_string(limits.max_fields) + " fields");
    FormField field;
    field.begin = at;
    const size_t head = line + 2;
    size_t blank = body.substr(head, 2) == "\r\n" ? head : body.substr(0, std::min(body.size(), head + limits.max_head)).find("\r\n\r\n", head);
    if (blank == std::string_view::npos) return broken(body.size() - head > limits.max_head ? "a field's header is too long" : "it breaks off");
    if (!read_head(body.substr(head, blank - head), field)) return broken("field " + std::to_string(form.fields.size() + 1) + " has no name");
    field.value_begin = blank == head ? head + 2 : blank + 4;
    // An empty value's line end may be the one that closes its header.
    const size_t next = body.find(mark, field.value_begin - 2);
    if (next == std::string_view::npos) return broken("it breaks off");
    field.value_end = std::max(next, field.value_begin);
    at = next + 2;
    form.fields.push_back(std::move(field));
  }
}

void splice_form(std::string_view body, const Form& form, const std::vector<SpliceEdit>& edits, std::list<std::string>& owned,
                 std::vector<std::string_view>& pieces) {
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
  size_t from = 0;
  auto pass = [&](size_t to) {
    if (to > from) pieces.push_back(body.substr(from, to - from));
  };
  for (size_t i = 0; i < slots.size(); ++i) {
    const FormField& field = form.fields[i];
    if (slots[i].gone) {
      pass(field.begin);
      from = i + 1 < slots.size() ? form.fields[i + 1].begin : form.end;
    } else if (slots[i].value) {
      pass(field.value_begin);
      pieces.push_back(owned.emplace_back(std::move(*slots[i].value)));
      from = field.value_end;
      // A value that was empty without a line end of its own gets one.
      if (body.substr(from, 2) != "\r\n") pieces.push_back("\r\n");
    }
  }
  pass(form.end);
  from = form.end;
  for (const auto& [name, value] : added) {
    std::string quoted;
    for (char c : name) quoted += c == '"' ? "%22" : c == '\r' || c == '\n' ? " " : std::string(1, c);
    pieces.push_back(owned.emplace_back("--" + form.boundary + "\r\ncontent-disposition: form-data; name=\"" + quoted + "\"\r\n\r\n" + value + "\r\n"));
  }
  pass(body.size());
}

}  // namespace llmrouter::wire
