// Rules made ready for decisions. Immutable, part of a snapshot.
#ifndef LLMROUTER_CORE_RULES_H_
#define LLMROUTER_CORE_RULES_H_

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/chat.h"
#include "llmrouter/codec.h"
#include "llmrouter/keys.h"
#include "llmrouter/route.h"
#include "llmrouter/rules.h"

namespace llmrouter::core {

using RuleHits = std::shared_ptr<std::atomic<uint64_t>>;  // by name, over reloads

struct Rule {
  RuleConfig config;
  bool stored = false;                          // of the store, not of the file
  std::shared_ptr<const Expression> content;    // null: whatever is said
  std::optional<RuleHours> hours;
  RuleHits hits;
};

// What a rule sees of a request.
struct RuleInput {
  std::string_view model;                       // the name that is asked for
  const RequestFacts* facts = nullptr;
  const RouteRequest* wishes = nullptr;
  const KeyRecord* key = nullptr;
  const std::vector<HttpHeader>* headers = nullptr;
  WallTime wall{};
};

// The request in its neutral form; asked for once, by the first rule that has all but its content fulfilled. Null: it cannot be read, and no content is found.
class RuleContent {
 public:
  virtual const ChatRequest* chat() = 0;

 protected:
  ~RuleContent() = default;
};

class RuleSet {
 public:
  void add(Rule rule) { rules_.push_back(std::move(rule)); }
  // High priority first; of equal ones the store's, then in the order they were added.
  void order();
  const std::vector<Rule>& rules() const noexcept { return rules_; }
  // The rule that decides; null: none.
  const Rule* find(const RuleInput& input, RuleContent& content) const;

 private:
  std::vector<Rule> rules_;
};

// kInvalidRequest with the member in `param`, as check_rule() has it.
Result<Rule> make_rule(const RuleConfig& config, bool stored, RuleHits hits);

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_RULES_H_
