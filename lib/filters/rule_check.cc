// What a rule may be, whatever names there are.
#include <algorithm>
#include <utility>

#include "llmrouter/rules.h"

namespace llmrouter {
namespace {

constexpr std::string_view kThings[] = {"image", "audio", "video", "file", "tools", "json_schema", "stream"};
constexpr size_t kLongestName = 128, kLongestText = 1024, kMostWords = 100;

bool good_texts(const std::vector<std::string>& texts) noexcept {
  return texts.size() <= kMostWords && std::none_of(texts.begin(), texts.end(), [](const std::string& t) { return t.empty() || t.size() > kLongestText; });
}

bool all_in(std::string_view text, std::string_view others) noexcept {
  return std::all_of(text.begin(), text.end(), [&](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || others.find(c) != std::string_view::npos; });
}

// Collects what is wrong, each by its member.
class RuleCheck {
 public:
  std::vector<Error> run(const RuleConfig& rule) {
    check_name(rule.name);
    if (rule.priority < 0 || rule.priority > 1000000) fault("priority", "expected a number from 0 to 1000000");
    check_when(rule.when);
    check_use(rule.use);
    return std::move(faults_);
  }

 private:
  void fault(std::string path, std::string_view words, ErrorCode code = ErrorCode::kInvalidRequest) {
    faults_.emplace_back(code, path + ": " + std::string(words), path);
  }

  void check_name(const std::string& name) {
    const bool good = !name.empty() && name.size() <= kLongestName && all_in(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_.");
    if (!good) fault("name", "expected 1 to 128 letters, digits, `-`, `_` or `.`");
    // A rule is known by its path, /api/v1/routing/rules/NAME, where the first is the dry run and the others are steps.
    if (name == "test" || name == "." || name == "..") fault("name", "expected another than `test`, `.` and `..`, which are paths of their own");
  }

  void check_when(const RuleConfig::When& when) {
    const std::pair<const char*, const std::vector<std::string>*> lists[] = {
        {"when.model", &when.model}, {"when.key", &when.key}, {"when.user", &when.user}, {"when.tag", &when.tag}};
    for (const auto& [path, list] : lists) {
      if (!good_texts(*list)) fault(path, "expected at most 100 patterns, none of them empty or longer than 1024 bytes");
    }
    if (when.header.size() > kMostWords) fault("when.header", "expected at most 100 headers");
    else for (const auto& [name, pattern] : when.header) check_header(name, pattern);
    for (const std::string& thing : when.has) {
      if (std::find(std::begin(kThings), std::end(kThings), thing) != std::end(kThings)) continue;
      fault("when.has", "expected image, audio, video, file, tools, json_schema or stream");
      break;
    }
    if (when.has.size() > std::size(kThings)) fault("when.has", "expected each of them once");
    check_tokens(when);
    if (!when.hours.empty()) {
      if (auto hours = parse_rule_hours(when.hours); !hours) fault("when.hours", hours.error().message);
    }
    if (!when.content.empty()) {
      if (auto good = check_expression(when.content); !good) fault("when.content", good.error().message, good.error().code);
    }
  }

  void check_header(const std::string& name, const std::string& pattern) {
    if (name.empty() || name.size() > kLongestName || !all_in(name, "-_")) fault("when.header", "expected names of headers in lower case");
    // What a caller proves itself by is not for rules, which are shown.
    if (name == "authorization" || name == "cookie" || name == "x-api-key" || name == "api-key" || name == "x-goog-api-key") {
      fault("when.header", "`" + name + "` is a secret; use `key`");
    }
    if (pattern.empty() || pattern.size() > kLongestText) fault("when.header", "expected a pattern for each header");
  }

  void check_tokens(const RuleConfig::When& when) {
    const bool over = !when.tokens_over || *when.tokens_over >= 0, under = !when.tokens_under || *when.tokens_under >= 1;
    if (!over) fault("when.tokens_over", "expected a count of tokens");
    if (!under) fault("when.tokens_under", "expected a count of tokens");
    if (over && under && when.tokens_over && when.tokens_under && *when.tokens_under <= *when.tokens_over + 1) {
      fault("when.tokens_under", "expected more than tokens_over: nothing is between them");
    }
  }

  void check_use(const RuleConfig::Use& use) {
    const bool chooses = !use.model.empty() || !use.tags.empty() || !use.provider_types.empty() || !use.strategy.empty();
    if (use.reject.empty() && !chooses) fault("use", "expected a model, tags, provider_types, a strategy, or reject");
    if (!use.reject.empty() && chooses) fault("use.reject", "stands alone: what is refused goes nowhere");
    if (use.reject.size() > kLongestText) fault("use.reject", "longer than 1024 bytes");
    if (use.model.size() > kLongestText) fault("use.model", "longer than 1024 bytes");
    if (!good_texts(use.tags)) fault("use.tags", "expected at most 100 tags, none of them empty");
    if (!good_texts(use.provider_types)) fault("use.provider_types", "expected at most 100 types, none of them empty");
  }

  std::vector<Error> faults_;
};

}  // namespace

std::vector<Error> rule_faults(const RuleConfig& rule) { return RuleCheck().run(rule); }

Result<void> check_rule(const RuleConfig& rule) {
  std::vector<Error> faults = rule_faults(rule);
  if (faults.empty()) return {};
  return std::move(faults.front());
}

}  // namespace llmrouter
