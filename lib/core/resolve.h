// From a model's name to where it may go.
#ifndef LLMROUTER_CORE_RESOLVE_H_
#define LLMROUTER_CORE_RESOLVE_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/snapshot.h"
#include "llmrouter/keys.h"

namespace llmrouter::core {

// What a name stands for: a route, or one provider's model.
struct Resolved {
  const Route* route = nullptr;
  const ProviderRuntime* provider = nullptr;  // without a route
  std::string model;                          // provider's model; with a wildcard route what the star stood for
  std::string_view how;                       // static text
  bool left_route = false;                    // the name is a configured one, but not at the provider that the caller insists on
};

// A place in a plan.
struct Candidate {
  Candidate() = default;
  explicit Candidate(const RouteTarget& t)
      : route(t.home), provider(t.provider), model(t.model), state(t.state.get()), id(t.id), weight(t.weight), priority(t.priority) {}

  const TargetHealth& health() const noexcept { return (state != nullptr ? *state : kNothingKnown).health; }
  const TargetStats& stats() const noexcept { return (state != nullptr ? *state : kNothingKnown).stats; }
  const UnseenInput& unseen_input() const noexcept { return (state != nullptr ? *state : kNothingKnown).unseen_input; }
  // Others may have learned of it since the plan was made, and a name that only callers know may have lost its place.
  void look_again(TimePoint now) noexcept {
    if (may_move()) state = provider->shared->named.find(model, now);
  }
  // For who begins an attempt at it.
  TargetState& begin(TimePoint now) {
    if (may_move()) state = &provider->shared->named.enter(model, now);
    return *state;
  }
  // For who has something to remember of it: during an attempt, or at once after it.
  TargetState& enter(TimePoint now) {
    if (state == nullptr) return begin(now);
    if (owned) state->touch(now);
    return *state;
  }
  // Who was counted among those without a place stays there to the end of the call.
  bool may_move() const noexcept { return state == nullptr || (owned && state != &provider->shared->named.shared()); }
  bool take_probe(TimePoint now) noexcept { return state != nullptr && state->health.take_probe(now); }

  const Route* route = nullptr;        // null: named directly
  const ProviderRuntime* provider = nullptr;
  std::string_view model;              // upstream's name; in the snapshot, or in `owned`
  std::unique_ptr<const std::string> owned;  // a name made for this call: what a star stood for, or a model named directly
  TargetState* state = nullptr;        // null: nothing is remembered of it
  uint64_t id = 0;                     // as in RouteTarget; 0: named directly
  int64_t cost_nano_usd = -1;          // expected of this request; -1: not worked out, or no price known
  int weight = 1;
  int priority = 1;
  StepReason reason = StepReason::kStrategy;
  // Of one call:
  int tried = 0;
  bool considered = false;
  bool out = false;                    // not to be asked (again)
  bool granted = false;                // the key may use its route by name, and what that falls back to
  TimePoint not_before{};              // what the upstream asked for
  uint64_t too_dear_for = 0;           // bits of its provider's keys, the first 64, whose money is not enough for it
};

// In the order of CONFIG.md, "A model's name". `forced` is a provider's name or empty. kModelNotFound with the nearest names of those that `key` may
// use; null: of all.
Result<Resolved> resolve(const Snapshot& snapshot, std::string_view name, std::string_view forced, const KeyRecord* key);
// Whether it finds something for anybody, without the words for when it does not.
bool is_known(const Snapshot& snapshot, std::string_view name);

// What a plan depends on beside the name.
struct Ask {
  const RequestFacts* facts = nullptr;     // null: the name alone counts
  const RouteRequest* wishes = nullptr;    // null: none
  bool relays = true;                      // the client's bytes may pass where its dialect is spoken
  const Dialect* dialect = nullptr;        // the client's; null: neutral
  const KeyRecord* key = nullptr;      // null: any
  std::string_view forced;             // a provider's name; empty: none
  int64_t input_tokens = 0;            // estimated
  int64_t max_output = 0;              // tokens; 0: the request does not say
  uint64_t seed = 0;
  uint64_t affinity = 0;               // as in BalancerRequest
  uint64_t home = 0;                   // the target that served this affinity before: first while it is not busier than its share; 0: none
  TimePoint now{};
  WallTime wall{};
  bool fallback = false;               // these come after others
  bool granted = false;                // the key may use what this is a fallback of, by name
  bool peek = false;                   // change no strategy's state
};

// Appends the candidates of a resolved name in the order they are to be tried, those that rest last, and those the key may not use
// marked `out`. True when at least one may be used.
bool append_candidates(const Snapshot& snapshot, const Resolved& resolved, std::string_view requested, const Ask& ask, std::vector<Candidate>& out);

// The same for the name of a request: when `auto` leads to a model none of whose targets can, every configured model may.
bool append_first(const Snapshot& snapshot, Resolved& resolved, std::string_view requested, const Ask& ask, std::vector<Candidate>& out);

// Does a request mean this provider by that name: its own, or its type, in any case?
bool is_called(const ProviderRuntime& provider, std::string_view name) noexcept;

// false: every target that answers at all can take it.
bool needs_abilities(const RequestFacts& facts) noexcept;
// What of the request a target lacks; kStrategy: nothing.
StepReason missing_ability(const Abilities& able, const RequestFacts& facts) noexcept;

// What a request is expected to cost at a target, in nano-USD, as the strategy `cost` has it; -1: no price is known.
// `like`: whose answers are taken for the candidate's as long as it has given none; null: nobody's.
int64_t expected_cost(const Snapshot& snapshot, const Candidate& candidate, const Ask& ask, const TargetStats* like = nullptr);

// The strategy that orders a route for a request.
Balancer& balancer_of(const Snapshot& snapshot, const Route& route, const RouteRequest* wishes);

// Fallbacks of what stands in a plan, and of those in turn, each model once.
class Fallbacks {
 public:
  // Appends those of the candidates that came since the last time. False: there are none.
  bool append(const Snapshot& snapshot, const Ask& ask, std::vector<Candidate>& candidates);
  // Appends what these names stand for; what comes later falls back from them alone.
  bool append_names(const Snapshot& snapshot, const std::vector<std::string>& names, const Ask& ask, bool granted, std::vector<Candidate>& candidates);
  void visited(const Route* route) { visited_.push_back(route); }

 private:
  void append_one(const Snapshot& snapshot, std::string_view name, const Ask& ask, bool granted, std::vector<Candidate>& candidates);
  std::vector<const Route*> visited_;   // stand in the plan
  std::vector<const Route*> expanded_;  // their fallbacks too
  size_t from_ = 0;
};

// What AllowList says: of a name first, then of each target it stands for.
struct Grant {
  const KeyRecord* key = nullptr;  // null: everything is allowed
  bool by_name = true;
  bool excluded = false;
  bool preset = false;  // the name that was asked for holds one: see may_use_preset
  bool allows(const ProviderRuntime& provider, std::string_view model) const;
};
Grant grant_of(const KeyRecord* key, std::string_view asked, const Route* route, bool granted);

// May the key use what it asked for by this name: one of its targets at least?
bool may_use(const KeyRecord* key, const Resolved& resolved, std::string_view requested);
// The providers that the key may use something of, in one line.
std::string providers_for(const Snapshot& snapshot, const KeyRecord* key);
// May the key use one of its targets, a model that is named directly, anything of a provider? What is not so is not told to it.
bool may_use(const KeyRecord* key, const Route& route);
bool may_use(const KeyRecord* key, const ProviderRuntime& provider, const std::string& model);
bool may_use(const KeyRecord* key, const Snapshot& snapshot, const ProviderRuntime& provider);

// OpenRouter's presets are kept there, and stand for whatever models their owner gave them. So a key that is limited to some models uses one only where
// its list has PROVIDER/@preset/NAME (a pattern may match it) and excludes nothing.
constexpr std::string_view kPreset = "@preset/";
bool may_use_preset(const KeyRecord* key, const ProviderRuntime& provider, std::string_view name);

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_RESOLVE_H_
