// Plans: which targets a request would be sent to, in which order, and why.
#ifndef LLMROUTER_ROUTE_H_
#define LLMROUTER_ROUTE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/chat.h"
#include "llmrouter/clock.h"
#include "llmrouter/export.h"
#include "llmrouter/result.h"
#include "llmrouter/target_stats.h"

namespace llmrouter {

// Why a target stands where it does.
enum class StepReason {
  kStrategy,           // in: the strategy put it here
  kFallback,           // in: another model, after all targets of the one before
  kLastResort,         // in: weight 0, only when nothing else is left
  kNotAllowed,         // out: the key may not use this provider or model
  kCoolingDown,        // behind: it failed lately; asked only after all that did not
  kCannotExpress,      // out: its dialect has no face here, or not every parameter can pass
  // Out: the request asked for something else.
  kOtherProvider,
  kOtherType,
  kNoTag,
  kTooDear,            // above max_price
  kNoPrice,            // max_price was given and what it costs is not known
  kNoFallbacks,        // allow_fallbacks: false
  // Out: it cannot take what is in the request.
  kNoImage,
  kNoAudio,
  kNoVideo,
  kNoFile,
  kNoTools,
  kNoSchema,
  kTooLong,            // more input tokens than its context window holds
  // At this moment.
  kRateLimited,        // out: its provider limits it, and said when to come back
  kAtLimit,            // out: a limit of the model, the provider or its keys has no room
  kNoKey,              // out: none of its provider's keys is for this model
  kKeysRest,           // behind: its provider's keys were refused or are out of quota; with one of them, only when nobody else is left
};
LLMROUTER_EXPORT std::string_view step_reason_text(StepReason reason) noexcept;

// What one request asks of routing beside a model's name: its body's `route` object, OpenRouter's `models` and `provider`, `x-llmrouter-*` headers.
// Names are checked against the configuration: one that is not there is kInvalidRequest, and the error says what there is.
struct RouteRequest {
  std::vector<std::string> tags;            // only targets that have all of them; with model `auto` those of every configured model
  std::vector<std::string> providers;       // only these; configured names, or types, in any case
  std::vector<std::string> ignore;          // none of these
  std::vector<std::string> order;           // these before all others, in this order
  std::vector<std::string> provider_types;  // only providers of one of these types
  std::string strategy;                     // in place of the model's own; empty: that one
  std::optional<std::vector<std::string>> fallbacks;  // names, in place of the model's own fallbacks
  bool allow_fallbacks = true;              // false: the first target alone, or those of `order`; no other model
  bool require_parameters = false;          // only providers that take the request as it is
  std::optional<int64_t> max_input_price, max_output_price;  // micro-USD for a million tokens
  bool cache = true;                        // false: affinity is neither followed nor remembered
  // Which of these came by OpenRouter's names (`models` for fallbacks, `provider`'s members): errors speak the request's words.
  struct OpenRouterNames {
    bool models = false, only = false, max_price = false, sort = false;
  } openrouter;

  LLMROUTER_EXPORT bool empty() const noexcept;  // nothing is asked for
};

// Reads one of the body's members `route`, `models`, `provider` (anything else: false) onto `into`. Strict: kInvalidRequest with the path in `param`.
// `route` may be OpenRouter's text "fallback", which asks for nothing that `models` does not.
// `model` is the body's model: it is left out of the fallbacks that `models` are.
LLMROUTER_EXPORT Result<bool> read_route_member(std::string_view name, std::string_view json, std::string_view model, RouteRequest& into);
// The same among members that no field stood for; what was read is taken out.
LLMROUTER_EXPORT Result<void> take_route_members(RawMembers& members, std::string_view model, RouteRequest& into);
// One of the headers x-llmrouter-tags, -strategy, -cache (anything else: false). Tags are separated by commas.
LLMROUTER_EXPORT Result<bool> read_route_header(std::string_view name, std::string_view value, RouteRequest& into);

struct PlanStep {
  std::string provider;
  std::string model;     // upstream's name
  std::string route;     // the configured model it stands under; empty: named directly
  int weight = 1;
  int priority = 1;
  bool eligible = true;
  StepReason reason = StepReason::kStrategy;
  Duration ready_in{0};  // of one that rests or is limited: until it may be asked as usual; 0: not so, or not known
};

struct Plan {
  std::string requested;
  std::string model;     // the name that was looked up: `requested`, unless something stood over it
  std::string by;        // what did: "switch", "session", "override", "rule"; empty: nothing
  std::string rule;      // the rule that decided; empty: none
  std::string how;       // "model", "provider/model", "[provider]model", "offered by one provider", "wildcard gpt-*", "default"
  std::string strategy;
  std::vector<PlanStep> steps;  // eligible ones first, in the order they would be tried; then the others
  LLMROUTER_EXPORT std::string to_json() const;
  LLMROUTER_EXPORT std::string to_text() const;  // a line each
};

// What a strategy sees of a target.
struct BalancerTarget {
  uint32_t index = 0;    // among the model's targets
  int weight = 1;        // 0: only when nothing else is left
  int priority = 1;
  int quality = 0;        // 0..100, as configured; 0: nothing said
  int64_t in_flight = 0;  // there now
  uint64_t id = 0;        // the same for provider/model in every process and after every reload
  int64_t cost_nano_usd = -1;          // what this request is expected to cost there; -1: no price is known
  const TargetStats* stats = nullptr;  // null: nothing is known
};

// What a strategy sees of a request. Made of a seed alone where nothing else matters.
struct BalancerRequest {
  BalancerRequest(uint64_t seed_ = 0) : seed(seed_) {}  // NOLINT(google-explicit-constructor)
  uint64_t seed = 0;             // fresh for each request
  TimePoint now{};
  int64_t input_tokens = 0;      // estimated
  int64_t expected_output = 0;   // tokens: what answers of these targets are like, within what the request allows
  uint64_t affinity = 0;         // a hash of who or what should stay at one target; 0: nothing
};

// Orders the targets of one model. One object for each model and snapshot; called from many threads at once: state is atomic. The same state and
// request give the same order. docs/routing.md has each strategy's formula and source.
class LLMROUTER_EXPORT Balancer {
 public:
  virtual ~Balancer() = default;
  virtual std::string_view name() const noexcept = 0;
  // Reorders `targets` (count >= 1); the first is tried first. Allocates nothing up to 1,024 targets.
  virtual void order(BalancerTarget* targets, size_t count, const BalancerRequest& request) = 0;
  // As `order`, but changes nothing: for explain.
  virtual void preview(BalancerTarget* targets, size_t count, const BalancerRequest& request) const = 0;
  // false: `cost_nano_usd` need not be worked out.
  virtual bool wants_cost() const noexcept { return false; }
  // false: nor `expected_output`.
  virtual bool wants_expectations() const noexcept { return true; }
  // true: `affinity` is needed even where the configuration asks for none.
  virtual bool wants_affinity() const noexcept { return false; }
};

// round_robin weighted random priority least_busy latency performance cost pareto hash. Null when the name is not one of these.
LLMROUTER_EXPORT std::unique_ptr<Balancer> make_balancer(std::string_view name, const std::vector<BalancerTarget>& targets);
LLMROUTER_EXPORT std::vector<std::string_view> balancer_names();

// For `BalancerTarget::id` and `BalancerRequest::affinity`: the same everywhere and always. Never 0. No protection against chosen input.
LLMROUTER_EXPORT uint64_t stable_hash(std::string_view text, uint64_t seed = 0) noexcept;

}  // namespace llmrouter

#endif  // LLMROUTER_ROUTE_H_
