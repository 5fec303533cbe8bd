#include "dialects/custom_tools.h"

#include <algorithm>
#include <iterator>

namespace llmrouter::dialects {

using wire::find_member;
using wire::JsonValue;
using wire::JsonWriter;

namespace {

constexpr std::string_view kFront[] = {"{", "\"input\"", ":", "\""};  // blanks between
constexpr std::string_view kOpened = R"({"input":")", kClosed = "\"}";

bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// How much of `text`, the inside of a JSON string, is whole: up to an escape that may go on. The two halves of a character beyond U+FFFF are one escape.
size_t whole_escapes(std::string_view text) noexcept {
  constexpr size_t kUnicode = 6;  // \u0041
  size_t at = text.find('\\');
  while (at != std::string_view::npos) {
    const std::string_view rest = text.substr(at);
    size_t size = rest.size() > 1 && rest[1] == 'u' ? kUnicode : 2;
    const bool first_half = rest.size() >= 4 && rest[1] == 'u' && (rest[2] == 'd' || rest[2] == 'D') && std::string_view("89abAB").find(rest[3]) != std::string_view::npos;
    if (first_half && rest.size() >= kUnicode && (rest.size() == kUnicode || rest[kUnicode] == '\\') && (rest.size() < kUnicode + 2 || rest[kUnicode + 1] == 'u')) {
      size = 2 * kUnicode;
    }
    if (rest.size() < size) return at;
    at = text.find('\\', at + size);
  }
  return text.size();
}

// Where a character begins that is not whole at the end of `text`; else its size.
size_t whole_characters(std::string_view text) noexcept {
  size_t begin = text.size();
  while (begin > 0 && text.size() - begin < 3 && (static_cast<unsigned char>(text[begin - 1]) & 0xc0) == 0x80) --begin;
  if (begin == 0) return text.size();
  const auto lead = static_cast<unsigned char>(text[begin - 1]);
  const size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
  return size > text.size() - (begin - 1) ? begin - 1 : text.size();
}

}  // namespace

bool read_custom_format(JsonValue format, JsonValue grammar, std::string& format_out) {
  const JsonValue type = find_member(format, "type");
  if (format.is_unset() || type.equals("text")) return true;
  const JsonValue syntax = find_member(grammar, "syntax"), definition = find_member(grammar, "definition");
  if (!type.equals("grammar") || !syntax.is_string() || !definition.is_string()) return false;
  JsonWriter w(format_out);
  w.begin_object();
  w.member("type", "grammar");
  w.raw_member("syntax", syntax.raw());
  w.raw_member("definition", definition.raw());
  w.end_object();
  return true;
}

std::string described(const Tool& tool) {
  if (tool.format.empty()) return tool.description;
  const JsonValue format(tool.format);
  std::string words = tool.description;
  if (!words.empty()) words += "\n\n";
  words.append("The input is plain text that follows this ").append(find_member(format, "syntax").string_or()).append(" grammar:\n");
  return words + find_member(format, "definition").string_or();
}

std::vector<std::string> custom_names(const std::vector<Tool>& tools) {
  std::vector<std::string> names;
  for (const Tool& tool : tools) {
    if (tool.custom) names.push_back(tool.name);
  }
  return names;
}

bool is_custom(const std::vector<std::string>& names, std::string_view name) noexcept {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_custom(const std::vector<Tool>& tools, std::string_view name) noexcept {
  return std::any_of(tools.begin(), tools.end(), [name](const Tool& tool) { return tool.custom && tool.name == name; });
}

std::string arguments_of_input(std::string_view input) {
  std::string out;
  InputWriter writer;
  writer.piece(input, out);
  writer.finish(out);
  return out;
}

std::string input_of_arguments(std::string_view arguments) {
  std::string input;
  InputReader reader;
  reader.feed(arguments, input);
  reader.finish(input);
  return input;
}

void InputWriter::piece(std::string_view input, std::string& arguments) {
  if (done_ || input.empty()) return;
  if (!open_) arguments += kOpened;
  open_ = true;
  wire::append_json_escaped(arguments, input);
}

void InputWriter::finish(std::string& arguments) {
  if (done_) return;
  done_ = true;
  if (!open_) arguments += kOpened;
  arguments += kClosed;
}

void InputReader::feed(std::string_view arguments, std::string& input) {
  if (state_ == State::kFront) read_front(arguments, input);
  if (state_ == State::kInside) read_inside(arguments, input);
  else if (state_ == State::kOther) input += arguments;
}

// Takes off `arguments` what belongs to the front.
void InputReader::read_front(std::string_view& arguments, std::string& input) {
  while (state_ == State::kFront && !arguments.empty()) {
    const char c = arguments.front();
    if (c == kFront[token_][offset_]) {
      held_ += c;
      if (++offset_ == kFront[token_].size()) offset_ = 0, ++token_;
      if (token_ == std::size(kFront)) state_ = State::kInside;
    } else if (token_ == 1 && offset_ == 0 && c == '}') {
      state_ = State::kBehind;  // no input at all
    } else if (offset_ != 0 || !is_blank(c)) {
      state_ = State::kOther;
      input += held_;
      break;
    }
    arguments.remove_prefix(1);
  }
  if (state_ != State::kFront) held_.clear();
}

void InputReader::read_inside(std::string_view arguments, std::string& input) {
  std::string joined;
  if (!held_.empty()) {
    joined = std::move(held_);
    joined += arguments;
    arguments = joined;
    held_.clear();
  }
  size_t end = 0;
  while (end < arguments.size() && arguments[end] != '"') end += arguments[end] == '\\' ? 2 : 1;
  const bool closed = end < arguments.size();
  std::string_view text = arguments.substr(0, std::min(end, arguments.size()));
  if (!closed) {
    const size_t whole = whole_characters(text.substr(0, whole_escapes(text)));
    held_ = text.substr(whole);
    text = text.substr(0, whole);
  }
  if (!wire::append_unescaped(input, text)) input += text;  // no JSON: as it stands
  if (closed) state_ = State::kBehind;
}

void InputReader::finish(std::string& input) {
  if (!held_.empty() && (state_ == State::kFront || !wire::append_unescaped(input, held_))) input += held_;
  held_.clear();
  state_ = State::kBehind;
}

}  // namespace llmrouter::dialects
