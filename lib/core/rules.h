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
#include "llmrouter/config.h"
#include "llmrouter/keys.h"
#include "llmrouter/route.h"
#include "llmrouter/rules.h"

namespace llmrouter::core {

struct Snapshot;

using RuleHits = std::shared_ptr<std::atomic<uint64_t>>;  // by name, over reloads

struct Rule {
  RuleConfig config;
  bool stored = false;                          // of the store, not of the file
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
  const Snapshot* snapshot = nullptr;           // a rule whose model is not there is left out; null: nobody looks
};

// What the caller says; asked for once, by the first rule that has all but its content fulfilled.
class RuleContent {
 public:
  // As ClientCodec::tell_texts().
  virtual Result<bool> tell_texts(TextSink& sink) = 0;

 protected:
  ~RuleContent() = default;
};

// Of a request of which nothing is known but what others say of it: no content is found.
struct NoContent final : RuleContent {
  Result<bool> tell_texts(TextSink&) override { return true; }
};

// What one request may cost: expressions look at `text_limit` bytes of its texts, the newest message first. A rule that sends a request somewhere goes by
// those; one that rejects is there to keep something from going out, and refuses a request that has more (kBodyTooLarge) or cannot be read.
class RuleSet {
 public:
  explicit RuleSet(size_t text_limit = RoutingConfig().rule_text) : text_limit_(text_limit) {}
  void add(Rule rule) { rules_.push_back(std::move(rule)); }
  // After the last: high priority first; of equal ones the store's, then in the order they were added. kInvalidRequest: an expression cannot be used.
  Result<void> ready();
  const std::vector<Rule>& rules() const noexcept { return rules_; }
  // The rule that decides; null: none.
  Result<const Rule*> find(const RuleInput& input, RuleContent& content) const;

 private:
  class Looking;
  size_t text_limit_;
  std::vector<Rule> rules_;
  std::vector<size_t> places_;  // of each rule's expression among these
  std::shared_ptr<const Expressions> expressions_;
};

// kInvalidRequest with the member in `param`, as check_rule() has it.
Result<Rule> make_rule(const RuleConfig& config, bool stored, RuleHits hits);

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_RULES_H_
