// routing.rules and routing.switch.
#include "config/address.h"
#include "config/table.h"
#include "llmrouter/rules.h"

namespace llmrouter::config {
namespace {

using S = Scope&;
using V = const Value&;

std::string check_content(const std::string& pattern) {
  auto good = llmrouter::check_expression(pattern);
  return good ? std::string() : good.error().message;
}

std::string check_hours(const std::string& text) {
  auto hours = parse_rule_hours(text);
  return hours ? std::string() : hours.error().message;
}

std::string check_thing(const std::string& word) {
  for (const char* thing : {"image", "audio", "video", "file", "tools", "json_schema", "stream"}) {
    if (word == thing) return {};
  }
  return "expected image, audio, video, file, tools, json_schema or stream";
}

void conditions(std::vector<Key>& keys) {
  auto row = [&keys](const char* path, Type type, const char* doc) -> Key& {
    return keys.emplace_back(std::string("routing.rules[].when") + path, type, "", doc);
  };
  row("", Type::kMap, "What must hold, all of it. Nothing: the rule always holds.");
  row(".model", Type::kTexts, "Patterns of the name that is asked for; any of them.").to([](S s, V v) { s.rule->when.model = v.texts; });
  row(".content", Type::kText,
      "A regular expression (RE2) that is found in a text that the caller sends, each by itself: of system, user and tool messages and of documents, not what the model "
      "said. See `routing.rule_text`. `(?i)` in front: in either case.")
      .checked(check_content)
      .to([](S s, V v) { s.rule->when.content = v.text; });
  row(".key", Type::kTexts, "Patterns of the key's name or id.").to([](S s, V v) { s.rule->when.key = v.texts; });
  row(".user", Type::kTexts, "Patterns of the user: the key's, else the one that the request names.").to([](S s, V v) { s.rule->when.user = v.texts; });
  row(".tag", Type::kTexts, "Patterns of a tag that the request asks for.").to([](S s, V v) { s.rule->when.tag = v.texts; });
  row(".header", Type::kHeaders, "Patterns of headers' values, by their names; all of them.").to([](S s, V v) {
    for (const auto& [name, pattern] : v.pairs) {
      std::string lower = name;
      for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      s.rule->when.header.emplace_back(std::move(lower), pattern);
    }
  });
  row(".has", Type::kTexts, "What is in the request, all of them: `image`, `audio`, `video`, `file`, `tools`, `json_schema`, `stream`.")
      .checked(check_thing)
      .to([](S s, V v) { s.rule->when.has = v.texts; });
  row(".tokens_over", Type::kCount, "More input tokens than this, estimated.").within("0..1000M").to([](S s, V v) { s.rule->when.tokens_over = v.number; });
  row(".tokens_under", Type::kCount, "Fewer.").within("1..1000M").to([](S s, V v) { s.rule->when.tokens_under = v.number; });
  row(".hours", Type::kText, "When, in UTC: `08:00-18:00`, `mon-fri`, `sat,sun 22:00-06:00` (the day is that of the beginning).").checked(check_hours).to([](S s, V v) {
    s.rule->when.hours = v.text;
  });
}

void actions(std::vector<Key>& keys) {
  auto row = [&keys](const char* path, Type type, const char* doc) -> Key& {
    return keys.emplace_back(std::string("routing.rules[].use") + path, type, "", doc);
  };
  row("", Type::kMap, "What then: a model's name alone, or a map.").must().short_for("model");
  row(".model", Type::kText, "A name under `models`, or `provider/model`, in place of what was asked for.").to([](S s, V v) { s.rule->use.model = v.text; });
  row(".tags", Type::kTexts, "Only targets that have all of these; without `model` those of every configured model.").to([](S s, V v) { s.rule->use.tags = v.texts; });
  row(".provider_types", Type::kTexts, "Only providers of these types; without `model` of every configured model.").to([](S s, V v) {
    s.rule->use.provider_types = v.texts;
  });
  row(".strategy", Type::kWord, "How they are ordered.").within(kStrategies).to([](S s, V v) { s.rule->use.strategy = v.text; });
  row(".reject", Type::kText, "Refuses the request (403) and says this. Stands alone.").to([](S s, V v) { s.rule->use.reject = v.text; });
}

}  // namespace

void add_rule_keys(std::vector<Key>& keys) {
  keys.emplace_back("routing.rules", Type::kList, "",
                    "Rules over what a chat holds and who asks; the first that holds decides. More of them are kept in the store (`/api/v1/routing/rules`).");
  keys.emplace_back("routing.rule_text", Type::kSize, "256KiB",
                    "How much of a request's texts the expressions of `content` look at, the newest message first; a text counts as 64 bytes at least. A rule that rejects refuses "
                    "requests that have more (413).")
      .within("1KiB..64MiB")
      .to([](S s, V v) { s.config->routing.rule_text = static_cast<size_t>(v.number); });
  keys.emplace_back("routing.rules[]", Type::kMap, "", "One rule.").to([](S s, V) { s.rule = &s.config->routing.rules.emplace_back(); });
  keys.emplace_back("routing.rules[].name", Type::kText, "", "What plans and usage records call it.").must().to([](S s, V v) { s.rule->name = v.text; });
  keys.emplace_back("routing.rules[].priority", Type::kInt, "0", "High first; of equal ones those of the store, then in this order.")
      .within("0..1000000")
      .to([](S s, V v) { s.rule->priority = v.integer(); });
  conditions(keys);
  actions(keys);
  keys.emplace_back("routing.switch", Type::kMap, "", "The routing switch (`/api/v1/router/toggle`).");
  keys.emplace_back("routing.switch.enabled", Type::kBool, "true", "What it is until somebody turns it. Off sends every chat to `default_model`.").to([](S s, V v) {
    s.config->routing.toggle.enabled = v.flag;
  });
  keys.emplace_back("routing.switch.delay", Type::kDuration, "10s", "Before a change takes effect.").within("0s..1d").to([](S s, V v) {
    s.config->routing.toggle.delay = v.duration();
  });
  keys.emplace_back("routing.switch.cooldown", Type::kDuration, "5m", "After that, before the next change.").within("0s..7d").to([](S s, V v) {
    s.config->routing.toggle.cooldown = v.duration();
  });
}

}  // namespace llmrouter::config
