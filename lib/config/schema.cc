// config_json_schema(): the table of keys as JSON Schema (draft 7, which editors know best).
#include "config/table.h"
#include "wire/json_writer.h"

namespace llmrouter {
namespace config {
namespace {

using wire::JsonWriter;

constexpr const char* kVariable = "\\$\\{";  // a text with a variable in it may become anything
constexpr const char* kNumber = "^[0-9]+(\\.[0-9]+)?$";
constexpr const char* kDuration = "^(0|[0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h|d|w))$";
constexpr const char* kSize = "^[0-9]+(\\.[0-9]+)?(B|KiB|MiB|GiB|TiB|kB|MB|GB|TB)?$";
constexpr const char* kCount = "^[0-9]+(\\.[0-9]+)?[kM]?$";
constexpr const char* kRate = "^[0-9]+(\\.[0-9]+)?[kM]?/([a-z]+|[0-9]+(\\.[0-9]+)?[a-z]+)$";
constexpr const char* kPercent = "^[0-9]{1,3}%$";
constexpr const char* kTime = "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].+)?$";

class SchemaWriter {
 public:
  explicit SchemaWriter(std::string& out) : w_(out) {}

  void root() {
    w_.begin_object();
    w_.member("$schema", std::string_view("http://json-schema.org/draft-07/schema#"));
    w_.member("title", std::string_view("llmrouter.yaml"));
    const auto rows = table();
    object_members(rows->root());
    w_.end_object();
  }

 private:
  void branch(const Branch& b) {
    const Key& key = *b.key;
    w_.begin_object();
    w_.member("description", key.later ? "Not supported yet. " + key.doc : key.doc);
    if (key.later) {
      only_default(key);
    } else if (key.type == Type::kMap) {
      map(b);
    } else if (key.type == Type::kNamed) {
      w_.key("type");
      types({"object", "null"});
      w_.key("additionalProperties");
      branch(*b.each);
    } else if (key.type == Type::kList) {
      list(b);
    } else {
      leaf(key);
    }
    w_.end_object();
  }

  void types(std::initializer_list<std::string_view> names) {
    w_.begin_array();
    for (std::string_view name : names) w_.string(name);
    w_.end_array();
  }

  void object_members(const Branch& b) {
    w_.key("type");
    types({"object", "null"});
    w_.key("properties");
    w_.begin_object();
    for (const auto& part : b.members) {
      w_.key(part->name);
      branch(*part);
      if (part->key->type != Type::kSecret || part->key->later) continue;
      w_.key(part->name + "_file");
      w_.begin_object();
      w_.member("description", "The path of a file that holds `" + part->name + "`.");
      w_.member("type", std::string_view("string"));
      w_.end_object();
    }
    w_.end_object();
    w_.member("additionalProperties", false);
    w_.key("required");
    w_.begin_array();
    for (const auto& part : b.members) {
      if (part->key->required && part->key->type != Type::kSecret) w_.string(part->name);
    }
    w_.end_array();
  }

  void map(const Branch& b) {
    if (b.key->stands_for.empty()) return object_members(b);
    w_.key("anyOf");
    w_.begin_array();
    branch(*b.member(b.key->stands_for));
    w_.begin_object();
    object_members(b);
    w_.end_object();
    w_.end_array();
  }

  void list(const Branch& b) {
    w_.key("anyOf");
    w_.begin_array();
    w_.begin_object();
    w_.key("type");
    types({"array", "null"});
    w_.key("items");
    branch(*b.each);
    w_.end_object();
    if (!b.each->key->stands_for.empty()) branch(*b.each);
    w_.end_array();
  }

  // One alternative of a value.
  void one(std::string_view type, std::string_view pattern = {}) {
    w_.begin_object();
    w_.member("type", type);
    if (!pattern.empty()) w_.member("pattern", pattern);
    w_.end_object();
  }

  void number(const Key& key, std::string_view type) {
    w_.begin_object();
    w_.member("type", type);
    const size_t dots = key.bounds.find("..");
    auto bound = [&](const char* name, const std::string& text) {
      if (!text.empty() && text.find_first_not_of("0123456789") == std::string::npos) w_.raw_member(name, text);
    };
    if (dots != std::string::npos) {
      bound("minimum", key.bounds.substr(0, dots));
      bound("maximum", key.bounds.substr(dots + 2));
    } else {
      w_.raw_member("minimum", "0");
    }
    w_.end_object();
  }

  void any_text() {
    one("string");
    one("number");
    one("boolean");
  }

  void text_list() {
    w_.begin_object();
    w_.member("type", std::string_view("array"));
    w_.key("items");
    w_.begin_object();
    w_.key("type");
    types({"string", "number", "boolean"});
    w_.end_object();
    w_.end_object();
  }

  void rate_map(const Key& key) {
    const std::string count = key.path.substr(key.path.rfind('.') + 1);
    w_.begin_object();
    w_.member("type", std::string_view("object"));
    w_.key("properties");
    w_.begin_object();
    for (const std::string& name : {count, std::string("per"), std::string("burst")}) {
      w_.key(name);
      w_.begin_object();
      w_.key("type");
      types({"integer", "string"});
      w_.end_object();
    }
    w_.end_object();
    w_.member("additionalProperties", false);
    w_.key("required");
    w_.begin_array();
    w_.string(count);
    w_.string("per");
    w_.end_array();
    w_.end_object();
  }

  void words_of(const Key& key) {
    w_.begin_object();
    w_.key("enum");
    w_.begin_array();
    for (const std::string& word : words(key.bounds)) one_word(word);
    w_.end_array();
    w_.end_object();
  }

  // Editors that read YAML 1.1 take `off` for false.
  void one_word(const std::string& word) {
    w_.string(word);
    if (word == "off") w_.boolean(false);
  }

  void range(const Key& key) {
    number(key, "number");
    w_.begin_object();
    w_.member("type", std::string_view("array"));
    w_.key("items");
    number(key, "number");
    w_.raw_member("minItems", "2");
    w_.raw_member("maxItems", "2");
    w_.end_object();
  }

  void open_object() {
    w_.begin_object();
    w_.member("type", std::string_view("object"));
    w_.end_object();
  }

  void leaf(const Key& key) {
    if (!key.fallback.empty()) w_.member("default", key.fallback);
    w_.key("anyOf");
    w_.begin_array();
    switch (key.type) {
      case Type::kText: case Type::kSecret: any_text(); break;
      case Type::kTexts: any_text(); text_list(); break;
      case Type::kHeaders: case Type::kJsonMap: case Type::kTemplate: open_object(); break;
      case Type::kWord: words_of(key); break;
      case Type::kBool: one("boolean"); break;
      case Type::kInt: number(key, "integer"); break;
      case Type::kCount: number(key, "integer"); one("string", kCount); break;
      case Type::kPercent: one("string", kPercent); break;
      case Type::kDuration: one("string", kDuration); w_.raw("{\"const\":0}"); break;
      case Type::kSize: number(key, "integer"); one("string", kSize); break;
      case Type::kRate: one("string", kRate); rate_map(key); break;
      case Type::kUsd: case Type::kPrice: number(key, "number"); one("string", kNumber); break;
      case Type::kRange: range(key); break;
      case Type::kTime: one("string", kTime); break;
      case Type::kMap: case Type::kNamed: case Type::kList: break;
    }
    one("string", kVariable);
    one("null");
    w_.end_array();
  }

  // What a key that is not served yet takes.
  void only_default(const Key& key) {
    w_.key("enum");
    w_.begin_array();
    w_.null();
    switch (key.type) {
      case Type::kTexts: case Type::kList: w_.raw("[]"); break;
      case Type::kNamed: case Type::kHeaders: case Type::kJsonMap: case Type::kTemplate: case Type::kMap: w_.raw("{}"); break;
      case Type::kBool: w_.raw(key.fallback); break;
      case Type::kInt: case Type::kCount: w_.raw(key.fallback); w_.string(key.fallback); break;
      default: one_word(key.fallback); break;
    }
    w_.end_array();
  }

  JsonWriter w_;
};

}  // namespace
}  // namespace config

std::string config_json_schema() {
  std::string out;
  config::SchemaWriter(out).root();
  out += '\n';
  return out;
}

}  // namespace llmrouter
