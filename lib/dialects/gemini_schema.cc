// JSON Schema and Google's Schema, both ways.
#include <algorithm>
#include <iterator>
#include <set>

#include "dialects/gemini.h"
#include "dialects/text_match.h"
#include "llmrouter/dropped.h"

namespace llmrouter::dialects::gemini {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::JsonWriter;

namespace {

// In the order of their numbers (enum-encoding=int), from 1.
constexpr std::string_view kTypes[] = {"string", "number", "integer", "boolean", "array", "object", "null"};

std::string type_word(JsonValue type) {
  if (auto number = type.integer(); number && *number >= 1 && *number <= 7) return std::string(kTypes[*number - 1]);
  std::string word = type.string_or();
  for (char& c : word) c = lower(c);
  return word == "type_unspecified" ? std::string() : word;
}

std::string capitals(std::string_view word) {
  std::string out(word);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return out;
}

// --- Google's to JSON Schema ---

constexpr std::string_view kCounts[] = {"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"};

class ToJsonSchema {
 public:
  explicit ToJsonSchema(std::string& out) : w_(out) {}

  void write(JsonValue schema) {
    if (!schema.is_object()) return w_.raw(schema.raw());
    const bool nullable = find_field(schema, "nullable").boolean().value_or(false);
    bool typed = false;
    w_.begin_object();
    for (const JsonMember& m : JsonMembers(schema)) {
      if (m.key == "nullable" || m.value.is_null()) continue;
      if (m.key == "type") typed = write_type(m.value, nullable) || typed;
      else if (m.key == "properties" && m.value.is_object()) write_map(m.value);
      else if (m.key == "items") write_named("items", m.value);
      else if (is_field(m.key, "anyOf")) write_list(m.value, nullable && !typed && !find_member(schema, "type").exists());
      else if (m.key == "enum" && nullable) write_enum(m.value);
      else write_plain(m);
    }
    w_.end_object();
  }

 private:
  bool write_type(JsonValue type, bool nullable) {
    const std::string word = type_word(type);
    if (word.empty()) {
      if (type.is_array()) w_.raw_member("type", type.raw());
      return type.is_array();
    }
    if (!nullable || word == "null") {
      w_.member("type", word);
      return true;
    }
    w_.key("type");
    w_.begin_array();
    w_.string(word);
    w_.string("null");
    w_.end_array();
    return true;
  }

  void write_named(std::string_view name, JsonValue schema) {
    w_.key(name);
    write(schema);
  }

  void write_map(JsonValue properties) {
    w_.key("properties");
    w_.begin_object();
    for (const JsonMember& m : JsonMembers(properties)) {
      w_.key(m.key);
      write(m.value);
    }
    w_.end_object();
  }

  void write_list(JsonValue list, bool or_null) {
    w_.key("anyOf");
    w_.begin_array();
    for (JsonValue entry : JsonElements(list)) write(entry);
    if (or_null) w_.raw(R"({"type":"null"})");
    w_.end_array();
  }

  void write_enum(JsonValue list) {
    bool has_null = false;
    w_.key("enum");
    w_.begin_array();
    for (JsonValue entry : JsonElements(list)) {
      has_null = has_null || entry.is_null();
      w_.raw(entry.raw());
    }
    if (!has_null) w_.null();
    w_.end_array();
  }

  // Counts are 64-bit in Google's definition, and so may be strings.
  void write_plain(const JsonMember& m) {
    for (std::string_view name : kCounts) {
      if (!is_field(m.key, name)) continue;
      const std::string digits = m.value.string_or();
      const bool number = !digits.empty() && digits.size() <= 18 && std::all_of(digits.begin(), digits.end(), is_digit);
      return w_.raw_member(name, number ? std::string_view(digits) : m.value.raw());
    }
    if (is_field(m.key, "propertyOrdering")) return w_.raw_member("propertyOrdering", m.value.raw());
    w_.raw_member(m.key, m.value.raw());
  }

  JsonWriter w_;
};

// --- JSON Schema to Google's ---

// Inlining can double a schema at every level: beyond this a reference becomes any object.
constexpr size_t kMaxInlined = 256 * 1024;
constexpr size_t kMaxReferences = 32;  // inside one another

// Names what is left out, as "tools.parameters.$ref".
struct Lost {
  std::vector<std::string>& dropped;
  std::string_view where;
  void name(std::string_view keyword) const { add_dropped(dropped, std::string(where).append(keyword)); }
};

class ToGoogleSchema {
 public:
  ToGoogleSchema(JsonValue root, std::string& out, Lost lost) : root_(root), out_(out), w_(out), lost_(lost) {}

  void write(JsonValue schema, bool nullable = false) {
    Layers layers;
    const size_t depth = open_.size();
    if (!gather(schema, layers)) {
      lost_.name("$ref");
      w_.raw(nullable ? R"({"type":"OBJECT","nullable":true})" : R"({"type":"OBJECT"})");
    } else {
      write_layers(layers, nullable, {});
    }
    open_.resize(depth);
  }

 private:
  using Layers = std::vector<JsonValue>;

  // The schema with what it refers to and what allOf adds. False: it leads into itself, or there is too much of it.
  bool gather(JsonValue schema, Layers& layers) {
    if (layers.size() > kMaxReferences || out_.size() > kMaxInlined) return false;
    if (!schema.is_object()) return true;
    layers.push_back(schema);
    if (JsonValue ref = find_member(schema, "$ref"); ref.is_string()) {
      std::string name = ref.string_or();
      if (std::find(open_.begin(), open_.end(), name) != open_.end() || open_.size() >= kMaxReferences) return false;
      const JsonValue target = resolve(name);
      if (!target.exists()) lost_.name("$ref");
      open_.push_back(std::move(name));
      if (!gather(target, layers)) return false;
    }
    for (JsonValue entry : JsonElements(find_member(schema, "allOf"))) {
      if (!gather(entry, layers)) return false;
    }
    return true;
  }

  // "#/$defs/Name", "#/definitions/Name", "#".
  JsonValue resolve(std::string_view ref) const {
    if (ref.empty() || ref.front() != '#') return {};
    ref.remove_prefix(1);
    JsonValue at = root_;
    while (!ref.empty() && ref.front() == '/') {
      ref.remove_prefix(1);
      const std::string_view step = ref.substr(0, ref.find('/'));
      ref.remove_prefix(step.size());
      at = find_member(at, step);
    }
    return at;
  }

  static JsonValue look(const Layers& layers, std::string_view name) {
    for (JsonValue layer : layers) {
      if (JsonValue value = find_member(layer, name); value.exists()) return value;
    }
    return {};
  }

  // `type` is what a list of types was split into.
  void write_layers(const Layers& layers, bool nullable, std::string type) {
    if (type.empty()) {
      std::vector<std::string> types;
      const JsonValue said = look(layers, "type");
      if (said.is_array()) for (JsonValue entry : JsonElements(said)) types.push_back(type_word(entry));
      else if (said.exists()) types.push_back(type_word(said));
      const auto nothing = std::remove(types.begin(), types.end(), std::string("null"));
      const bool only_null = nothing == types.begin() && !types.empty();
      nullable = nullable || nothing != types.end() || look(layers, "nullable").boolean().value_or(false);
      types.erase(nothing, types.end());
      types.erase(std::remove(types.begin(), types.end(), std::string()), types.end());
      if (only_null) return w_.raw(R"({"type":"STRING","nullable":true})");
      if (types.size() > 1) return write_any_of_types(layers, types, nullable);
      if (types.size() == 1) type = types.front();
      JsonValue any = look(layers, "anyOf");
      if (!any.is_array()) any = look(layers, "oneOf");
      if (any.is_array() && !any.empty_container()) {
        name_beside_any(layers);
        return write_any_of(any, nullable);
      }
      if (types.empty()) types = guess_types(layers);
      if (types.size() > 1) return write_any_of_types(layers, types, nullable);
      type = types.front();
    }
    write_one(layers, nullable, std::move(type));
  }

  void write_any_of_types(const Layers& layers, const std::vector<std::string>& types, bool nullable) {
    w_.begin_object();
    w_.key("anyOf");
    w_.begin_array();
    for (const std::string& type : types) write_one(layers, nullable, type);
    w_.end_array();
    w_.end_object();
  }

  // Google wants nothing else beside anyOf; what may be null says so in each.
  void write_any_of(JsonValue list, bool nullable) {
    std::vector<JsonValue> entries;
    for (JsonValue entry : JsonElements(list)) {
      if (find_member(entry, "type").equals("null")) nullable = true;
      else entries.push_back(entry);
    }
    if (entries.empty()) return w_.raw(R"({"type":"STRING","nullable":true})");
    if (entries.size() == 1) return write(entries.front(), nullable);
    w_.begin_object();
    w_.key("anyOf");
    w_.begin_array();
    for (JsonValue entry : entries) write(entry, nullable);
    w_.end_array();
    w_.end_object();
  }

  // Of an enum or a const.
  static std::vector<JsonValue> values(const Layers& layers) {
    std::vector<JsonValue> out;
    if (JsonValue only = look(layers, "const"); only.exists()) out.push_back(only);
    else for (JsonValue value : JsonElements(look(layers, "enum"))) out.push_back(value);
    return out;
  }

  static std::string_view type_of_value(JsonValue value) {
    switch (value.kind()) {
      case wire::JsonKind::kString: return "string";
      case wire::JsonKind::kNumber: return value.integer() ? "integer" : "number";
      case wire::JsonKind::kBool: return "boolean";
      case wire::JsonKind::kArray: return "array";
      case wire::JsonKind::kObject: return "object";
      default: return {};
    }
  }

  // Where no type is said: those of the values that there may be, else the one whose keywords stand here, else all. The root is an object.
  std::vector<std::string> guess_types(const Layers& layers) const {
    std::vector<std::string> types;
    for (JsonValue value : values(layers)) {
      const std::string_view type = type_of_value(value);
      if (!type.empty() && std::find(types.begin(), types.end(), type) == types.end()) types.emplace_back(type);
    }
    if (!types.empty()) return types;
    struct Row {
      std::string_view keyword, type;
    };
    constexpr Row kRows[] = {{"properties", "object"}, {"required", "object"},  {"additionalProperties", "object"}, {"items", "array"},
                             {"prefixItems", "array"}, {"minItems", "array"},   {"maxItems", "array"},              {"pattern", "string"},
                             {"minLength", "string"},  {"maxLength", "string"}, {"format", "string"},               {"minimum", "number"},
                             {"maximum", "number"},    {"multipleOf", "number"}, {"exclusiveMinimum", "number"},    {"exclusiveMaximum", "number"}};
    for (const Row& row : kRows) {
      if (look(layers, row.keyword).exists()) return {std::string(row.type)};
    }
    if (out_.empty()) return {"object"};
    return {"string", "number", "boolean", "object", "array"};
  }

  // What Google's Schema has no keyword for is told in the description: the model can heed it.
  static std::string untold(const Layers& layers, const std::string& type) {
    std::string words;
    const auto tell = [&](std::string_view name, std::string_view value) { words.append(words.empty() ? "" : ", ").append(name).append(": ").append(value); };
    if (type != "string") {
      std::string list;
      for (JsonValue value : values(layers)) {
        const std::string_view of = type_of_value(value);
        if (of == type || (type == "number" && of == "integer")) list.append(list.empty() ? "" : ", ").append(value.raw());
      }
      if (!list.empty()) tell("one of", list);
    }
    for (std::string_view name : {"exclusiveMinimum", "exclusiveMaximum", "multipleOf"}) {
      if (JsonValue value = look(layers, name); value.exists() && (type == "number" || type == "integer")) tell(name, value.raw());
    }
    if (type == "array" && look(layers, "uniqueItems").boolean().value_or(false)) tell("uniqueItems", "true");
    for (std::string_view name : {"minProperties", "maxProperties"}) {
      if (JsonValue value = look(layers, name); value.exists() && type == "object") tell(name, value.raw());
    }
    if (JsonValue format = look(layers, "format"); format.is_string() && known_format(format).empty() && type == "string") tell("format", format.raw());
    return words;
  }

  void write_description(const Layers& layers, const std::string& type) {
    const JsonValue said = look(layers, "description");
    const std::string words = untold(layers, type);
    if (words.empty()) {
      if (said.is_string()) w_.raw_member("description", said.raw());
      return;
    }
    std::string text = said.string_or();
    if (!text.empty()) text += '\n';
    w_.member("description", text.append("{").append(words).append("}"));
  }

  void write_one(const Layers& layers, bool nullable, const std::string& type) {
    const std::vector<JsonValue> all = values(layers);
    nullable = nullable || std::any_of(all.begin(), all.end(), [](JsonValue value) { return value.is_null(); });
    name_lost(layers, type);
    w_.begin_object();
    w_.member("type", capitals(type));
    if (nullable) w_.member("nullable", true);
    if (JsonValue title = look(layers, "title"); title.is_string()) w_.raw_member("title", title.raw());
    write_description(layers, type);
    if (type == "string") write_words(all);
    if (const std::string_view format = known_format(look(layers, "format")); !format.empty()) w_.member("format", format);
    for (std::string_view name : {"minimum", "maximum", "minItems", "maxItems", "minLength", "maxLength"}) {
      if (JsonValue bound = look(layers, name); bound.is_number()) w_.raw_member(name, bound.raw());
    }
    if (JsonValue pattern = look(layers, "pattern"); pattern.is_string()) w_.raw_member("pattern", pattern.raw());
    if (type == "object") write_properties(layers);
    if (type == "array") write_items(layers);
    w_.end_object();
  }

  // Of keywords that constrain or explain, those that are neither written nor told.
  void name_lost(const Layers& layers, const std::string& type) const {
    constexpr std::string_view kKept[] = {"type", "nullable", "title", "description", "enum", "const", "minimum", "maximum", "minItems", "maxItems", "minLength",
                                          "maxLength", "pattern", "properties", "required", "propertyOrdering", "exclusiveMinimum", "exclusiveMaximum",
                                          "multipleOf", "uniqueItems", "minProperties", "maxProperties", "allOf", "$ref"};
    for (JsonValue layer : layers) {
      for (const JsonMember& m : JsonMembers(layer)) {
        if (std::find(std::begin(kKept), std::end(kKept), m.key) != std::end(kKept) || is_about_schema(m.key)) continue;
        if (m.key == "items" && (type != "array" || m.value.is_object())) continue;
        if (m.key == "format" && (type == "string" || !known_format(m.value).empty())) continue;
        lost_.name(m.key);
      }
    }
    // Some type has to be named.
    if (type == "array" && look(layers, "type").exists() && !look(layers, "items").exists() && !look(layers, "prefixItems").exists()) lost_.name("items");
  }

  // Nothing may stand beside anyOf.
  void name_beside_any(const Layers& layers) const {
    const bool both = look(layers, "anyOf").is_array() && look(layers, "oneOf").is_array();
    if (both) lost_.name("oneOf");
    for (JsonValue layer : layers) {
      for (const JsonMember& m : JsonMembers(layer)) {
        const bool kept = m.key == "anyOf" || m.key == "oneOf" || m.key == "nullable" || m.key == "type" || m.key == "title" || m.key == "allOf" || m.key == "$ref";
        if (!kept && !is_about_schema(m.key)) lost_.name(m.key);
      }
    }
  }

  static bool is_about_schema(std::string_view key) noexcept {
    return key == "$defs" || key == "definitions" || key == "$schema" || key == "$id" || key == "$anchor" || key == "$comment";
  }

  // An enum is one of strings there.
  void write_words(const std::vector<JsonValue>& all) {
    bool any = false;
    for (JsonValue value : all) {
      if (!value.is_string()) continue;
      if (!any) {
        w_.key("enum");
        w_.begin_array();
      }
      any = true;
      w_.raw(value.raw());
    }
    if (any) w_.end_array();
  }

  // Older models refuse any other.
  static std::string_view known_format(JsonValue format) {
    for (std::string_view known : {"date-time", "enum", "float", "double", "int32", "int64"}) {
      if (format.equals(known)) return known;
    }
    return {};
  }

  void write_properties(const Layers& layers) {
    std::set<std::string> seen;
    for (JsonValue layer : layers) {
      for (const JsonMember& m : JsonMembers(find_member(layer, "properties"))) {
        if (!seen.insert(std::string(m.key)).second) continue;
        if (seen.size() == 1) {
          w_.key("properties");
          w_.begin_object();
        }
        w_.key(m.key);
        write(m.value);
      }
    }
    if (seen.empty()) return;
    w_.end_object();
    std::set<std::string> required;
    for (JsonValue layer : layers) {
      for (JsonValue name : JsonElements(find_member(layer, "required"))) {
        if (std::string word = name.string_or(); seen.count(word) != 0) required.insert(std::move(word));
      }
    }
    if (!required.empty()) {
      w_.key("required");
      w_.begin_array();
      for (const std::string& name : required) w_.string(name);
      w_.end_array();
    }
    if (JsonValue order = look(layers, "propertyOrdering"); order.is_array()) w_.raw_member("propertyOrdering", order.raw());
  }

  void write_items(const Layers& layers) {
    w_.key("items");
    if (JsonValue items = look(layers, "items"); items.is_object()) return write(items);
    if (JsonValue first = wire::find_element(look(layers, "prefixItems"), 0); first.is_object()) return write(first);
    w_.raw(R"({"type":"STRING"})");  // some type has to be named
  }

  JsonValue root_;
  std::string& out_;
  JsonWriter w_;
  Lost lost_;
  std::vector<std::string> open_;  // references that are being inlined
};

}  // namespace

std::string json_schema_of(JsonValue schema) {
  std::string out;
  ToJsonSchema(out).write(schema);
  return compact(out);
}

std::string google_schema_of(JsonValue schema, std::string_view where, std::vector<std::string>& dropped) {
  bool empty = !find_member(schema, "type").exists() || find_member(schema, "type").equals("object");
  for (std::string_view name : {"properties", "anyOf", "oneOf", "allOf", "$ref", "enum", "const"}) {
    const JsonValue value = find_member(schema, name);
    empty = empty && (!value.exists() || value.empty_container());
  }
  std::string out;
  ToGoogleSchema(schema, out, {dropped, where}).write(schema);
  if (empty) return {};
  out = compact(out);
  // A reference that leads nowhere says no more than an empty object, which Google refuses.
  if (out == R"({"type":"OBJECT"})") return {};
  return out;
}

}  // namespace llmrouter::dialects::gemini
