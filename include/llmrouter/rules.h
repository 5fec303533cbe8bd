// Rules over requests: which model, targets or refusal a chat gets, by what is in it and who asks.
#ifndef LLMROUTER_RULES_H_
#define LLMROUTER_RULES_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "llmrouter/clock.h"
#include "llmrouter/export.h"
#include "llmrouter/result.h"

namespace llmrouter {

// A rule. What is set in `when` must all hold; an empty one always does.
struct RuleConfig {
  std::string name;
  int priority = 0;                     // high first; equal ones in the order they were given
  struct When {
    std::vector<std::string> model, key, user, tag;  // patterns: of the name asked for, the key's name or id, the user, a tag asked for; any of them
    std::vector<std::pair<std::string, std::string>> header;  // name in lower case, pattern
    std::string content;                // RE2 syntax, searched for in each text that tell_texts() has (chat.h)
    std::vector<std::string> has;       // image audio video file tools json_schema stream: all of them
    std::optional<int64_t> tokens_over, tokens_under;  // estimated input
    std::string hours;                  // "08:00-18:00", "mon-fri 22:00-06:00"; UTC
  } when;
  struct Use {
    std::string model;                  // a name under models, or provider/model; empty: with tags or types every configured model, else what was asked for
    std::vector<std::string> tags, provider_types;
    std::string strategy;
    std::string reject;                 // why; not empty: 403, and nothing else may stand beside it
  } use;
};

// The most of it.
struct RuleLimits {
  static constexpr size_t kRules = 1000;          // file and store together
  static constexpr size_t kExpressions = 100;     // of them with `content`
  static constexpr size_t kPattern = 1024;        // bytes of an expression
  static constexpr size_t kProgram = 10000;       // instructions it may become
  static constexpr size_t kLeastText = 64;        // what the shortest text counts for in RoutingConfig::rule_text
};

// What is wrong with a rule by itself: kInvalidRequest, `param` is the member ("when.hours"), the message begins with it. Whether the names that it uses
// are there is the router's to say.
LLMROUTER_EXPORT Result<void> check_rule(const RuleConfig& rule);
// All that is wrong with it, each as check_rule() tells the first.
LLMROUTER_EXPORT std::vector<Error> rule_faults(const RuleConfig& rule);

// A JSON object with the names of the configuration's routing.rules. Strict, as key_spec_from_json; check_rule()
// comes after it.
LLMROUTER_EXPORT Result<RuleConfig> rule_from_json(std::string_view json);
LLMROUTER_EXPORT std::string to_json(const RuleConfig& rule);

// When a rule holds, in UTC. The end is not in it; one before the beginning is the next day's, and the day is that of the beginning.
struct RuleHours {
  int from = 0, to = 24 * 60;           // minutes of the day
  std::array<bool, 7> days{};           // monday first
  LLMROUTER_EXPORT bool holds(WallTime when) const noexcept;
};
// "08:00-18:00", "mon-fri", "sat,sun 22:00-06:00".
LLMROUTER_EXPORT Result<RuleHours> parse_rule_hours(std::string_view text);

// Can it be used? RE2 syntax. kInvalidRequest when not, or when it is beyond RuleLimits.
LLMROUTER_EXPORT Result<void> check_expression(std::string_view pattern);

// Regular expressions that are looked for together. Immutable; used from many threads at once.
class LLMROUTER_EXPORT Expressions {
 public:
  virtual ~Expressions() = default;
  // Which of them may be found in one of the texts: `possible` has a place for each. Without certain words most cannot, and all words are looked for in
  // one pass over the texts, whatever stands in them.
  virtual void narrow(const std::vector<std::string_view>& texts, std::vector<bool>& possible) const = 0;
  // Takes time linear in the text.
  virtual bool found_in(size_t which, std::string_view text) const noexcept = 0;
};
// As check_expression() says of the first that cannot be used.
LLMROUTER_EXPORT Result<std::shared_ptr<const Expressions>> make_expressions(const std::vector<std::string>& patterns);

}  // namespace llmrouter

#endif  // LLMROUTER_RULES_H_
