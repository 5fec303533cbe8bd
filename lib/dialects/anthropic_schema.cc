// JSON Schema as structured output takes it.
#include "dialects/anthropic_schema.h"

#include <initializer_list>

#include "wire/json_writer.h"

namespace llmrouter::dialects::anthropic {
namespace {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::JsonWriter;

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) noexcept {
  for (std::string_view known : names) {
    if (name == known) return true;
  }
  return false;
}

// Kept as they are.
bool is_plain(std::string_view name) noexcept {
  return is_one_of(name, {"type", "enum", "const", "title", "default", "required", "$ref", "$id", "$anchor"});
}

// Said in words instead: what they ask for cannot be enforced, but the model can heed it.
bool is_constraint(std::string_view name) noexcept {
  return is_one_of(name, {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern", "format",
                          "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties", "examples"});
}

bool is_kept_format(JsonValue format) {
  return is_one_of(format.string_or(), {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"});
}

// The grammar knows "none or more" and "one or more".
bool is_kept(const JsonMember& m) {
  if (m.key == "format") return is_kept_format(m.value);
  return m.key == "minItems" && m.value.integer().value_or(2) <= 1;
}

bool names_object(JsonValue type) {
  if (type.equals("object")) return true;
  for (JsonValue one : JsonElements(type)) {
    if (one.equals("object")) return true;
  }
  return false;
}

class Sanitizer {
 public:
  explicit Sanitizer(std::string& out) : w_(out) {}
  bool ok() const noexcept { return ok_; }

  void schema(JsonValue value) {
    if (!value.is_object()) return w_.raw(value.raw());  // true, false
    std::string words;
    bool object = false;
    JsonValue description;
    w_.begin_object();
    for (const JsonMember& m : JsonMembers(value)) {
      if (m.key == "description") {
        description = m.value;
      } else if (m.key == "properties" || m.key == "$defs" || m.key == "definitions") {
        object = object || m.key == "properties";
        map(m);
      } else if (m.key == "items") {
        if (!m.value.is_object()) ok_ = false;  // a tuple
        w_.key(m.key);
        schema(m.value);
      } else if (m.key == "anyOf" || m.key == "allOf" || m.key == "oneOf") {
        list(m.key == "oneOf" ? std::string_view("anyOf") : m.key, m.value);
      } else if (m.key == "additionalProperties") {
        // An object with names of its own choosing cannot be said.
        if (m.value.is_object() || m.value.boolean().value_or(false)) ok_ = false;
      } else if (is_plain(m.key) || (is_constraint(m.key) && is_kept(m))) {
        object = object || (m.key == "type" && names_object(m.value));
        if (m.key == "$ref" && m.value.equals("#")) ok_ = false;  // the schema inside itself
        w_.raw(m.raw);
      } else if (is_constraint(m.key)) {
        words.append(words.empty() ? "" : ", ").append(m.key).append(": ").append(m.value.raw());
      } else if (m.key != "$schema" && m.key != "$comment") {
        ok_ = false;  // not, if, prefixItems, patternProperties, ...: the answer would be another one without them
      }
    }
    if (object) w_.member("additionalProperties", false);
    describe(description, words);
    w_.end_object();
  }

 private:
  void map(const JsonMember& m) {
    w_.key(m.key);
    w_.begin_object();
    for (const JsonMember& entry : JsonMembers(m.value)) {
      w_.key(entry.key);
      schema(entry.value);
    }
    w_.end_object();
  }

  void list(std::string_view name, JsonValue value) {
    w_.key(name);
    w_.begin_array();
    for (JsonValue entry : JsonElements(value)) schema(entry);
    w_.end_array();
  }

  void describe(JsonValue description, const std::string& words) {
    if (words.empty()) {
      if (description.exists()) w_.raw_member("description", description.raw());
      return;
    }
    std::string text = description.string_or();
    if (!text.empty()) text += '\n';
    w_.member("description", text.append("{").append(words).append("}"));
  }

  JsonWriter w_;
  bool ok_ = true;
};

}  // namespace

bool append_output_schema(std::string_view schema, std::string& out) {
  const size_t before = out.size();
  Sanitizer sanitizer(out);
  sanitizer.schema(JsonValue(schema));
  if (!sanitizer.ok()) out.resize(before);
  return sanitizer.ok();
}

}  // namespace llmrouter::dialects::anthropic
