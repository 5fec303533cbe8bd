#include "config/json_value.h"

#include <algorithm>

#include "config/address.h"
#include "wire/json_writer.h"

namespace llmrouter::config {
namespace {

// Takes digits from the front; how many.
size_t take_digits(std::string_view& text) {
  size_t count = 0;
  while (count < text.size() && text[count] >= '0' && text[count] <= '9') ++count;
  text.remove_prefix(count);
  return count;
}

bool take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text[0]) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

bool is_json_number(std::string_view text) {
  take(text, "-");
  const bool zero = !text.empty() && text[0] == '0';
  const size_t whole = take_digits(text);
  if (whole == 0 || (zero && whole > 1)) return false;
  if (take(text, ".") && take_digits(text) == 0) return false;
  if (take(text, "eE")) {
    take(text, "+-");
    if (take_digits(text) == 0) return false;
  }
  return text.empty();
}

// A number to YAML, whether or not JSON can write it.
bool is_yaml_number(std::string_view text) {
  take(text, "+-");
  if (text == ".inf" || text == ".Inf" || text == ".INF" || text == ".nan" || text == ".NaN" || text == ".NAN") return true;
  if (text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'o')) {
    return text.find_first_not_of("0123456789abcdefABCDEF", 2) == std::string_view::npos;
  }
  size_t count = take_digits(text);
  if (take(text, ".")) count += take_digits(text);
  if (count == 0) return false;
  if (take(text, "eE")) {
    take(text, "+-");
    if (take_digits(text) == 0) return false;
  }
  return text.empty();
}

template <size_t N>
bool one_of(std::string_view text, const std::string_view (&words)[N]) {
  return std::find(std::begin(words), std::end(words), text) != std::end(words);
}

constexpr std::string_view kTrue[] = {"true", "True", "TRUE"}, kFalse[] = {"false", "False", "FALSE"}, kNull[] = {"null", "Null", "NULL", "~", ""};

}  // namespace

bool append_scalar(std::string_view text, bool quoted, std::string* out) {
  if (quoted) wire::append_json_string(*out, text);
  else if (one_of(text, kTrue)) out->append("true");
  else if (one_of(text, kFalse)) out->append("false");
  else if (one_of(text, kNull)) out->append("null");
  else if (is_json_number(text)) out->append(text);
  else if (is_yaml_number(text)) return false;
  else wire::append_json_string(*out, text);
  return true;
}

namespace {

// A scalar's text: variables expanded, or a template's placeholders checked.
bool text_of(Context& context, const NodePtr& node, const std::string& path, bool is_template, std::string* out) {
  if (!is_template) return scalar_text(context, node, path, "a value", out) != Got::kFault;
  *out = node->text;
  const std::string fault = check_template_text(node->text);
  if (!fault.empty()) context.faults.add(*node, path, fault);
  return fault.empty();
}

bool append_value(Context& context, const NodePtr& node, const std::string& path, bool is_template, std::string* out) {
  bool good = true;
  switch (node->kind) {
    case Node::Kind::kNull: out->append("null"); break;
    case Node::Kind::kScalar: {
      std::string text;
      if (!text_of(context, node, path, is_template, &text)) return false;
      if (!append_scalar(text, node->quoted, out)) {
        context.faults.add(*node, path, "expected a number as JSON writes it, found " + shown(*node) + " (quote it to have a text)");
        return false;
      }
      break;
    }
    case Node::Kind::kList:
      out->push_back('[');
      for (size_t i = 0; i < node->items.size(); ++i) {
        if (i > 0) out->push_back(',');
        good = append_value(context, node->items[i], join(path, i), is_template, out) && good;
      }
      out->push_back(']');
      break;
    case Node::Kind::kMap:
      out->push_back('{');
      for (size_t i = 0; i < node->members.size(); ++i) {
        const Member& member = node->members[i];
        if (i > 0) out->push_back(',');
        wire::append_json_string(*out, member.name);
        out->push_back(':');
        good = append_value(context, member.value, join(path, member.name), is_template, out) && good;
      }
      out->push_back('}');
      break;
  }
  return good;
}

}  // namespace

bool json_value(Context& context, const NodePtr& node, const std::string& path, std::string* out) { return append_value(context, node, path, false, out); }

bool template_value(Context& context, const NodePtr& node, const std::string& path, std::string* out) {
  return append_value(context, node, path, true, out);
}

}  // namespace llmrouter::config
