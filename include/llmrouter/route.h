// Plans: which targets a request would be sent to, in which order, and why.
#ifndef LLMROUTER_ROUTE_H_
#define LLMROUTER_ROUTE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/clock.h"
#include "llmrouter/export.h"

namespace llmrouter {

// Why a target stands where it does.
enum class StepReason {
  kStrategy,           // in: the strategy put it here
  kFallback,           // in: another model, after all targets of the one before
  kLastResort,         // in: weight 0, only when nothing else is left
  kNotAllowed,         // out: the key may not use this provider or model
  kCoolingDown,        // behind: it failed lately; asked only after all that did not
  kCannotExpress,      // out: its dialect has no face here
};
LLMROUTER_EXPORT std::string_view step_reason_text(StepReason reason) noexcept;

struct PlanStep {
  std::string provider;
  std::string model;     // upstream's name
  std::string route;     // the configured model it stands under; empty: named directly
  int weight = 1;
  int priority = 1;
  bool eligible = true;
  StepReason reason = StepReason::kStrategy;
};

struct Plan {
  std::string requested;
  std::string how;       // "model", "provider/model", "[provider]model", "offered by one provider", "wildcard gpt-*", "default"
  std::string strategy;
  std::vector<PlanStep> steps;  // eligible ones first, in the order they would be tried; then the others
  LLMROUTER_EXPORT std::string to_json() const;
  LLMROUTER_EXPORT std::string to_text() const;  // a line each
};

// What a strategy sees of a target.
struct BalancerTarget {
  uint32_t index = 0;    // among the model's targets
  int weight = 1;
  int priority = 1;
  int64_t in_flight = 0;
};

// Orders the targets of one model. One object for each model and snapshot; called from many threads at once: state is atomic. `seed` is fresh for
// each request; the same state and seed give the same order.
class LLMROUTER_EXPORT Balancer {
 public:
  virtual ~Balancer() = default;
  virtual std::string_view name() const noexcept = 0;
  // Reorders `targets` (count >= 1); the first is tried first. Allocates nothing.
  virtual void order(BalancerTarget* targets, size_t count, uint64_t seed) = 0;
  // As `order`, but changes nothing: for explain.
  virtual void preview(BalancerTarget* targets, size_t count, uint64_t seed) const = 0;
};

// weighted: a random order in which the chance to come next is weight over the sum of what is left (Efraimidis and Spirakis 2006).
// round_robin: smooth weighted round robin: of any `sum of weights` picks in a row each target gets exactly its weight.
// priority: lowest number first, by weight within a number. Null when the name is not one of these.
LLMROUTER_EXPORT std::unique_ptr<Balancer> make_balancer(std::string_view name, const std::vector<BalancerTarget>& targets);
LLMROUTER_EXPORT std::vector<std::string_view> balancer_names();

}  // namespace llmrouter

#endif  // LLMROUTER_ROUTE_H_
