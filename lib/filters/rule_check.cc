// What a rule may be, whatever names there are.
#include <algorithm>

#include "llmrouter/rules.h"

namespace llmrouter {
namespace {

constexpr std::string_view kThings[] = {"image", "audio", "video", "file", "tools", "json_schema", "stream"};
constexpr size_t kLongestName = 128, kLongestText = 1024, kMostWords = 100;

Error fault(std::string path, std::string_view words) { return Error(ErrorCode::kInvalidRequest, path + ": " + std::string(words), path); }

bool good_texts(const std::vector<std::string>& texts) noexcept {
  return texts.size() <= kMostWords && std::none_of(texts.begin(), texts.end(), [](const std::string& t) { return t.empty() || t.size() > kLongestText; });
}

Result<void> check_when(const RuleConfig::When& when) {
  const std::pair<const char*, const std::vector<std::string>*> lists[] = {
      {"when.model", &when.model}, {"when.key", &when.key}, {"when.user", &when.user}, {"when.tag", &when.tag}};
  for (const auto& [path, list] : lists) {
    if (!good_texts(*list)) return fault(path, "expected at most 100 patterns, none of them empty or longer than 1024 bytes");
  }
  if (when.header.size() > kMostWords) return fault("when.header", "expected at most 100 headers");
  for (const auto& [name, pattern] : when.header) {
    const bool named = !name.empty() && name.size() <= kLongestName && std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
    if (!named) return fault("when.header", "expected names of headers in lower case");
    // What a caller proves itself by is not for rules, which are shown.
    if (name == "authorization" || name == "cookie" || name == "x-api-key" || name == "api-key" || name == "x-goog-api-key") {
      return fault("when.header", "`" + name + "` is a secret; use `key`");
    }
    if (pattern.empty() || pattern.size() > kLongestText) return fault("when.header", "expected a pattern for each header");
  }
  for (const std::string& thing : when.has) {
    if (std::find(std::begin(kThings), std::end(kThings), thing) == std::end(kThings)) {
      return fault("when.has", "expected image, audio, video, file, tools, json_schema or stream");
    }
  }
  if (when.has.size() > std::size(kThings)) return fault("when.has", "expected each of them once");
  if ((when.tokens_over && *when.tokens_over < 0) || (when.tokens_under && *when.tokens_under < 1)) {
    return fault(when.tokens_over && *when.tokens_over < 0 ? "when.tokens_over" : "when.tokens_under", "expected a count of tokens");
  }
  if (when.tokens_over && when.tokens_under && *when.tokens_under <= *when.tokens_over + 1) {
    return fault("when.tokens_under", "expected more than tokens_over: nothing is between them");
  }
  if (!when.hours.empty()) {
    if (auto hours = parse_rule_hours(when.hours); !hours) return fault("when.hours", hours.error().message);
  }
  if (!when.content.empty()) {
    if (auto made = make_expression(when.content); !made) return Error(made.error().code, "when.content: " + made.error().message, "when.content");
  }
  return {};
}

Result<void> check_use(const RuleConfig::Use& use) {
  const bool chooses = !use.model.empty() || !use.tags.empty() || !use.provider_types.empty() || !use.strategy.empty();
  if (use.reject.empty() && !chooses) return fault("use", "expected a model, tags, provider_types, a strategy, or reject");
  if (!use.reject.empty() && chooses) return fault("use.reject", "stands alone: what is refused goes nowhere");
  if (use.reject.size() > kLongestText) return fault("use.reject", "longer than 1024 bytes");
  if (use.model.size() > kLongestText) return fault("use.model", "longer than 1024 bytes");
  if (!good_texts(use.tags)) return fault("use.tags", "expected at most 100 tags, none of them empty");
  if (!good_texts(use.provider_types)) return fault("use.provider_types", "expected at most 100 types, none of them empty");
  return {};
}

}  // namespace

Result<void> check_rule(const RuleConfig& rule) {
  const bool named = !rule.name.empty() && rule.name.size() <= kLongestName && std::all_of(rule.name.begin(), rule.name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
  if (!named) return fault("name", "expected 1 to 128 letters, digits, `-`, `_` or `.`");
  // A rule is known by its path, /api/v1/routing/rules/NAME, where the first is the dry run and the others are steps.
  if (rule.name == "test" || rule.name == "." || rule.name == "..") return fault("name", "expected another than `test`, `.` and `..`, which are paths of their own");
  if (rule.priority < 0 || rule.priority > 1000000) return fault("priority", "expected a number from 0 to 1000000");
  if (auto when = check_when(rule.when); !when) return when;
  return check_use(rule.use);
}

}  // namespace llmrouter
