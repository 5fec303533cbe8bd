#include "core/rules.h"

#include <algorithm>
#include <utility>

#include "core/resolve.h"
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

// The texts of a request, as far as expressions look at them. They are copied: most are told unescaped.
class Texts final : public TextSink {
 public:
  explicit Texts(size_t limit) : left_(limit) {}

  bool on_text(std::string_view text) override {
    if (text.empty()) return true;
    if (left_ == 0) return false;
    const std::string_view seen = text.substr(0, left_);
    bytes_ += seen;
    ends_.push_back(bytes_.size());
    left_ -= std::min(left_, std::max(seen.size(), RuleLimits::kLeastText));
    return seen.size() == text.size();
  }

  std::vector<std::string_view> all() const {
    std::vector<std::string_view> texts;
    size_t begin = 0;
    for (const size_t end : ends_) {
      texts.push_back(std::string_view(bytes_).substr(begin, end - begin));
      begin = end;
    }
    return texts;
  }

 private:
  size_t left_;
  std::string bytes_;
  std::vector<size_t> ends_;
};

std::string size_text(size_t bytes) { return bytes % 1024 == 0 ? std::to_string(bytes / 1024) + " KiB" : std::to_string(bytes) + " bytes"; }

}  // namespace

// One request before a set of rules: its texts are read when the first expression needs them.
class RuleSet::Looking {
 public:
  Looking(const RuleSet& set, RuleContent& content) : set_(set), content_(content), kept_(set.text_limit_) {}

  Result<bool> found(size_t rule) {
    const bool rejects = !set_.rules_[rule].config.use.reject.empty();
    if (!read_) read();
    const size_t place = set_.places_[rule];
    const Expressions& expressions = *set_.expressions_;
    const bool is = possible_[place] && std::any_of(texts_.begin(), texts_.end(), [&](std::string_view text) { return expressions.found_in(place, text); });
    if (is || !rejects) return is;
    if (!whole_) return std::move(whole_).error();
    if (*whole_) return false;
    return Error(ErrorCode::kBodyTooLarge, "rule \"" + set_.rules_[rule].config.name + "\" has to look at all texts of a request, and this one has more than " +
                                               size_text(set_.text_limit_) + " of them (routing.rule_text)");
  }

 private:
  void read() {
    read_ = true;
    whole_ = content_.tell_texts(kept_);
    texts_ = kept_.all();
    set_.expressions_->narrow(texts_, possible_);
  }

  const RuleSet& set_;
  RuleContent& content_;
  bool read_ = false;
  Texts kept_;
  Result<bool> whole_ = true;  // were all texts told, and kept
  std::vector<std::string_view> texts_;
  std::vector<bool> possible_;
};

Result<void> RuleSet::ready() {
  std::stable_sort(rules_.begin(), rules_.end(), [](const Rule& a, const Rule& b) {
    return a.config.priority != b.config.priority ? a.config.priority > b.config.priority : a.stored && !b.stored;
  });
  std::vector<std::string> patterns;
  for (const Rule& rule : rules_) {
    places_.push_back(patterns.size());
    if (!rule.config.when.content.empty()) patterns.push_back(rule.config.when.content);
  }
  auto made = make_expressions(patterns);
  if (!made) return std::move(made).error();
  expressions_ = std::move(*made);
  return {};
}

Result<const Rule*> RuleSet::find(const RuleInput& input, RuleContent& content) const {
  Looking looking(*this, content);
  for (size_t i = 0; i < rules_.size(); ++i) {
    const Rule& rule = rules_[i];
    if (!plain_matches(rule, input)) continue;
    if (!rule.config.when.content.empty()) {
      auto found = looking.found(i);
      if (!found) return std::move(found).error();
      if (!*found) continue;
    }
    const std::string& model = rule.config.use.model;
    // It was there when the rule was made. What providers list changes without a reload, so it is looked up each time.
    if (input.snapshot != nullptr && !model.empty() && !is_known(*input.snapshot, model)) continue;
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
  if (!config.when.hours.empty()) rule.hours = parse_rule_hours(config.when.hours).value();
  return rule;
}

}  // namespace llmrouter::core
