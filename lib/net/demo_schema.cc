#include "net/demo_schema.h"

#include <algorithm>
#include <cmath>

#include "wire/json_writer.h"

namespace llmrouter::net {

using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;

namespace {

constexpr int kMaxDepth = 24;
constexpr int kMaxNodes = 2000;      // a schema that refers to itself twice would grow without end
constexpr size_t kMaxBytes = 64 * 1024;  // as would one whose constants are long
constexpr int64_t kMaxItems = 10;
constexpr int64_t kMaxLength = 1000;

class Example {
 public:
  explicit Example(JsonValue root) : root_(root), writer_(out_) {}
  std::string make() {
    value(root_, 0);
    return std::move(out_);
  }

 private:
  void value(JsonValue schema, int depth);
  void object(JsonValue schema, int depth);
  void array(JsonValue schema, int depth);
  void text(JsonValue schema);
  void number(JsonValue schema, bool whole);
  JsonValue refer(JsonValue reference) const;
  static JsonValue alternative(JsonValue schema);
  static std::string type_of(JsonValue schema);

  JsonValue root_;
  std::string out_;
  wire::JsonWriter writer_;
  int nodes_ = 0;
};

// "#/$defs/Name"
JsonValue Example::refer(JsonValue reference) const {
  const std::string path = reference.string_or();
  if (path.empty() || path[0] != '#') return {};
  JsonValue at = root_;
  for (size_t begin = 1; begin < path.size();) {
    const size_t end = std::min(path.find('/', begin + 1), path.size());
    std::string step;
    for (size_t i = begin + 1; i < end; ++i) {
      const bool escaped = path[i] == '~' && i + 1 < end;
      step += !escaped ? path[i] : path[++i] == '1' ? '/' : '~';
    }
    at = wire::find_member(at, step);
    begin = end;
  }
  return at;
}

// The first of anyOf, oneOf, allOf that is not null; absent: there are none.
JsonValue Example::alternative(JsonValue schema) {
  for (const char* name : {"anyOf", "oneOf", "allOf"}) {
    JsonValue first;
    for (const JsonValue& option : JsonElements(wire::find_member(schema, name))) {
      if (!first) first = option;
      if (!wire::find_member(option, "type").equals("null")) return option;
    }
    if (first) return first;
  }
  return {};
}

std::string Example::type_of(JsonValue schema) {
  const JsonValue type = wire::find_member(schema, "type");
  for (const JsonValue& one : JsonElements(type)) {
    if (!one.equals("null")) return one.string_or();
  }
  if (type.is_string()) return type.string_or();
  if (wire::find_member(schema, "properties")) return "object";
  if (wire::find_member(schema, "items")) return "array";
  return "string";
}

void Example::value(JsonValue schema, int depth) {
  if (++nodes_ > kMaxNodes || depth > kMaxDepth || out_.size() > kMaxBytes) return writer_.null();
  JsonValue reference, constant, choices;
  wire::pick(schema, {{"$ref", &reference}, {"const", &constant}, {"enum", &choices}});
  if (reference) return value(refer(reference), depth + 1);
  if (const JsonValue fixed = constant ? constant : wire::find_element(choices, 0)) {
    return fixed.raw().size() <= kMaxBytes ? writer_.raw(fixed.raw()) : writer_.null();
  }
  if (const JsonValue other = alternative(schema)) return value(other, depth + 1);
  const std::string type = type_of(schema);
  if (type == "object") return object(schema, depth);
  if (type == "array") return array(schema, depth);
  if (type == "number" || type == "integer") return number(schema, type == "integer");
  if (type == "boolean") return writer_.boolean(true);
  if (type == "null") return writer_.null();
  text(schema);
}

void Example::object(JsonValue schema, int depth) {
  const JsonValue properties = wire::find_member(schema, "properties");
  const JsonValue required = wire::find_member(schema, "required");
  writer_.begin_object();
  for (const JsonMember& property : JsonMembers(properties)) {
    bool wanted = !required.is_array();
    for (const JsonValue& name : JsonElements(required)) wanted = wanted || name.equals(property.key);
    if (!wanted || nodes_ >= kMaxNodes) continue;
    writer_.key(property.key);
    value(property.value, depth + 1);
  }
  writer_.end_object();
}

void Example::array(JsonValue schema, int depth) {
  const JsonValue items = wire::find_member(schema, "items");
  const int64_t least = wire::find_member(schema, "minItems").integer().value_or(items ? 1 : 0);
  const int64_t most = wire::find_member(schema, "maxItems").integer().value_or(kMaxItems);
  writer_.begin_array();
  for (int64_t i = 0; i < std::min({std::max<int64_t>(least, items ? 1 : 0), most, kMaxItems}); ++i) value(items, depth + 1);
  writer_.end_array();
}

void Example::text(JsonValue schema) {
  std::string out = "text";
  const JsonValue format = wire::find_member(schema, "format");
  static constexpr std::pair<std::string_view, std::string_view> kFormats[] = {
      {"date-time", "2026-01-01T00:00:00Z"}, {"date", "2026-01-01"}, {"time", "00:00:00Z"}, {"email", "text@example.com"},
      {"uri", "https://example.com/"}, {"uuid", "00000000-0000-4000-8000-000000000000"}};
  for (const auto& [name, sample] : kFormats) {
    if (format.equals(name)) out = sample;
  }
  const int64_t least = wire::find_member(schema, "minLength").integer().value_or(0);
  const int64_t most = wire::find_member(schema, "maxLength").integer().value_or(kMaxLength);
  const auto size = static_cast<int64_t>(out.size());
  out.resize(static_cast<size_t>(std::clamp<int64_t>(std::min(std::max(size, least), most), 0, kMaxLength)), 'x');
  writer_.string(out);
}

void Example::number(JsonValue schema, bool whole) {
  double result = 1;
  const auto limit = [&](const char* name) { return wire::find_member(schema, name).number(); };
  if (const auto least = limit("minimum")) result = std::max(result, whole ? std::ceil(*least) : *least);
  if (const auto above = limit("exclusiveMinimum"); above && *above >= result) result = std::floor(*above) + 1;
  if (const auto most = limit("maximum")) result = std::min(result, whole ? std::floor(*most) : *most);
  if (const auto below = limit("exclusiveMaximum"); below && *below <= result) result = std::ceil(*below) - 1;
  writer_.number(result);
}

}  // namespace

std::string example_of(JsonValue schema) { return Example(schema).make(); }

}  // namespace llmrouter::net
