// Rules as JSON: what the admin API takes and shows, and what the store keeps.
#include <algorithm>

#include "llmrouter/rules.h"
#include "llmrouter/values.h"
#include "wire/json_scan.h"
#include "wire/json_writer.h"

namespace llmrouter {
namespace {

using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;

Error fault(const std::string& path, std::string_view words) { return Error(ErrorCode::kInvalidRequest, path + ": " + std::string(words), path); }

constexpr size_t kMostItems = 1000;

class Reader {
 public:
  explicit Reader(RuleConfig& rule) : rule_(rule) {}

  Result<void> read(JsonValue root) {
    each(root, "", [this](std::string_view name, JsonValue v, const std::string& at) {
      if (name == "name") return text(v, at, rule_.name);
      if (name == "priority") return whole(v, at, rule_.priority);
      if (name == "when") return when(v, at);
      if (name == "use") return use(v, at);
      fail(at, "no such member here; there are name, priority, when, use");
    });
    if (failed_) return std::move(fault_);
    return {};
  }

 private:
  void when(JsonValue value, const std::string& path) {
    each(value, path, [this](std::string_view name, JsonValue v, const std::string& at) {
      RuleConfig::When& w = rule_.when;
      if (name == "model") return texts(v, at, w.model);
      if (name == "key") return texts(v, at, w.key);
      if (name == "user") return texts(v, at, w.user);
      if (name == "tag") return texts(v, at, w.tag);
      if (name == "header") return headers(v, at);
      if (name == "content") return text(v, at, w.content);
      if (name == "has") return texts(v, at, w.has);
      if (name == "tokens_over") return tokens(v, at, w.tokens_over);
      if (name == "tokens_under") return tokens(v, at, w.tokens_under);
      if (name == "hours") return text(v, at, w.hours);
      fail(at, "no such member here; there are model, key, user, tag, header, content, has, tokens_over, tokens_under, hours");
    });
  }

  void use(JsonValue value, const std::string& path) {
    if (value.is_string()) return text(value, path, rule_.use.model);
    each(value, path, [this](std::string_view name, JsonValue v, const std::string& at) {
      RuleConfig::Use& u = rule_.use;
      if (name == "model") return text(v, at, u.model);
      if (name == "tags") return texts(v, at, u.tags);
      if (name == "provider_types") return texts(v, at, u.provider_types);
      if (name == "strategy") return text(v, at, u.strategy);
      if (name == "reject") return text(v, at, u.reject);
      fail(at, "no such member here; there are model, tags, provider_types, strategy, reject");
    });
  }

  void fail(const std::string& path, std::string_view words) {
    if (!failed_) fault_ = fault(path, words);
    failed_ = true;
  }

  template <typename Take>
  void each(JsonValue object, const std::string& path, Take take) {
    if (!object.is_object()) return fail(path.empty() ? "rule" : path, "expected an object");
    std::vector<std::string> seen;
    for (const JsonMember& m : JsonMembers(object)) {
      const std::string at = (path.empty() ? "" : path + ".") + std::string(m.key.substr(0, 100));
      if (std::find(seen.begin(), seen.end(), at) != seen.end()) return fail(at, "given twice");
      if (seen.size() > kMostItems) return fail(path, "too many members");
      seen.push_back(at);
      if (!m.value.is_null()) take(m.key, m.value, at);
      if (failed_) return;
    }
  }

  void text(JsonValue v, const std::string& path, std::string& out) {
    if (!v.nonempty_string()) return fail(path, "expected a text");
    v.string(out);
  }
  // One may stand alone.
  void texts(JsonValue v, const std::string& path, std::vector<std::string>& out) {
    if (v.is_string()) return text(v, path, out.emplace_back());
    if (!v.is_array()) return fail(path, "expected a text or a list of texts");
    for (JsonValue item : JsonElements(v)) {
      if (out.size() == kMostItems) return fail(path, "too many");
      text(item, path + "[" + std::to_string(out.size()) + "]", out.emplace_back());
      if (failed_) return;
    }
  }
  void headers(JsonValue v, const std::string& path) {
    each(v, path, [this](std::string_view name, JsonValue pattern, const std::string& at) {
      std::string lower(name);
      for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      text(pattern, at, rule_.when.header.emplace_back(std::move(lower), std::string()).second);
    });
  }
  void whole(JsonValue v, const std::string& path, int& out) {
    const auto number = v.integer();
    if (!number || *number < 0 || *number > 1000000) return fail(path, "expected a number from 0 to 1000000");
    out = static_cast<int>(*number);
  }
  void tokens(JsonValue v, const std::string& path, std::optional<int64_t>& out) {
    std::optional<int64_t> count = v.integer();
    if (v.is_string()) {
      const auto read = parse_count(v.string_or());
      if (read) count = *read;
    }
    if (!count || *count < 0) return fail(path, "expected a whole number of tokens from 0 up, such as 4096 or 100k");
    out = *count;
  }

  RuleConfig& rule_;
  bool failed_ = false;
  Error fault_;
};

void list(wire::JsonWriter& w, std::string_view name, const std::vector<std::string>& texts) {
  if (texts.empty()) return;
  w.key(name);
  w.begin_array();
  for (const std::string& text : texts) w.string(text);
  w.end_array();
}

void text(wire::JsonWriter& w, std::string_view name, const std::string& value) {
  if (!value.empty()) w.member(name, value);
}

}  // namespace

Result<RuleConfig> rule_from_json(std::string_view json) {
  if (auto valid = wire::validate(json, {16, 1024}); !valid) return valid.to_error(json);
  RuleConfig rule;
  if (auto read = Reader(rule).read(JsonValue(json)); !read) return std::move(read).error();
  return rule;
}

std::string to_json(const RuleConfig& rule) {
  std::string out;
  wire::JsonWriter w(out);
  w.begin_object();
  w.member("name", rule.name);
  w.member("priority", rule.priority);
  w.key("when");
  w.begin_object();
  list(w, "model", rule.when.model);
  list(w, "key", rule.when.key);
  list(w, "user", rule.when.user);
  list(w, "tag", rule.when.tag);
  if (!rule.when.header.empty()) {
    w.key("header");
    w.begin_object();
    for (const auto& [name, pattern] : rule.when.header) w.member(name, pattern);
    w.end_object();
  }
  text(w, "content", rule.when.content);
  list(w, "has", rule.when.has);
  if (rule.when.tokens_over) w.member("tokens_over", *rule.when.tokens_over);
  if (rule.when.tokens_under) w.member("tokens_under", *rule.when.tokens_under);
  text(w, "hours", rule.when.hours);
  w.end_object();
  w.key("use");
  w.begin_object();
  text(w, "model", rule.use.model);
  list(w, "tags", rule.use.tags);
  list(w, "provider_types", rule.use.provider_types);
  text(w, "strategy", rule.use.strategy);
  text(w, "reject", rule.use.reject);
  w.end_object();
  w.end_object();
  return out;
}

}  // namespace llmrouter
