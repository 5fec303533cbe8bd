#include "core/rules.h"

#include <algorithm>

#include "llmrouter/pattern.h"

namespace llmrouter::core {
namespace {

bool has(const RequestFacts& facts, std::string_view thing) noexcept {
  if (thing == "image") return facts.has_image;
  if (thing == "audio") return facts.has_audio;
  if (thing == "video") return facts.has_video;
  if (thing == "file") return facts.has_file;
  if (thing == "tools") return facts.has_tools;
  if (thing == "json_schema") return facts.wants_schema;
  return thing == "stream" && facts.stream;
}

bool key_matches(const std::vector<std::string>& patterns, const KeyRecord* key) noexcept {
  if (patterns.empty()) return true;
  if (key == nullptr) return false;
  return pattern_list_match(patterns, key->id) || (!key->spec.name.empty() && pattern_list_match(patterns, key->spec.name));
}

bool user_matches(const std::vector<std::string>& patterns, const RuleInput& in) noexcept {
  if (patterns.empty()) return true;
  // Whom a key belongs to is proved; what a body says only counts where there is no such key.
  const std::string& user = in.key != nullptr && !in.key->spec.user.empty() ? in.key->spec.user : in.facts->user;
  return !user.empty() && pattern_list_match(patterns, user);
}

bool header_matches(const std::string& name, const std::string& pattern, const std::vector<HttpHeader>* headers) noexcept {
  return headers != nullptr && std::any_of(headers->begin(), headers->end(), [&](const HttpHeader& h) {
    return h.name == name && pattern_match(pattern, h.value);
  });
}

// Everything but the content, the dearest.
bool plain_matches(const Rule& rule, const RuleInput& in) noexcept {
  const RuleConfig::When& w = rule.config.when;
  const RequestFacts& facts = *in.facts;
  if (!w.model.empty() && !pattern_list_match(w.model, in.model)) return false;
  if (w.tokens_over && facts.input_tokens <= *w.tokens_over) return false;
  if (w.tokens_under && facts.input_tokens >= *w.tokens_under) return false;
  for (const std::string& thing : w.has) {
    if (!has(facts, thing)) return false;
  }
  if (!key_matches(w.key, in.key) || !user_matches(w.user, in)) return false;
  if (!w.tag.empty() && std::none_of(in.wishes->tags.begin(), in.wishes->tags.end(), [&](const std::string& t) { return pattern_list_match(w.tag, t); })) {
    return false;
  }
  for (const auto& [name, pattern] : w.header) {
    if (!header_matches(name, pattern, in.headers)) return false;
  }
  return !rule.hours || rule.hours->holds(in.wall);
}

// Newest first: what a request is about stands in its last messages.
bool found_in(const Expression& expression, const ChatRequest& chat) noexcept {
  size_t left = RuleLimits::kContent;
  for (auto m = chat.messages.rbegin(); m != chat.messages.rend() && left > 0; ++m) {
    if (m->role != Role::kUser && m->role != Role::kSystem && m->role != Role::kDeveloper) continue;
    for (const Part& part : m->parts) {
      if (part.kind != Part::Kind::kText || left == 0) continue;
      const std::string_view text = std::string_view(part.text).substr(0, left);
      if (expression.found_in(text)) return true;
      left -= text.size();
    }
  }
  return false;
}

}  // namespace

void RuleSet::order() {
  std::stable_sort(rules_.begin(), rules_.end(), [](const Rule& a, const Rule& b) {
    return a.config.priority != b.config.priority ? a.config.priority > b.config.priority : a.stored && !b.stored;
  });
}

const Rule* RuleSet::find(const RuleInput& input, RuleContent& content) const {
  for (const Rule& rule : rules_) {
    if (!plain_matches(rule, input)) continue;
    if (rule.content) {
      const ChatRequest* chat = content.chat();
      if (chat == nullptr || !found_in(*rule.content, *chat)) continue;
    }
    return &rule;
  }
  return nullptr;
}

Result<Rule> make_rule(const RuleConfig& config, bool stored, RuleHits hits) {
  if (auto good = check_rule(config); !good) return std::move(good).error();
  Rule rule;
  rule.config = config;
  rule.stored = stored;
  rule.hits = std::move(hits);
  if (!config.when.content.empty()) {
    auto made = make_expression(config.when.content);
    if (!made) return std::move(made).error();
    rule.content = std::move(*made);
  }
  if (!config.when.hours.empty()) rule.hours = parse_rule_hours(config.when.hours).value();
  return rule;
}

}  // namespace llmrouter::core
