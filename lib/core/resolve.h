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
};

// A place in a plan.
struct Candidate {
  const Route* route = nullptr;        // null: named directly
  const ProviderRuntime* provider = nullptr;
  std::string_view model;              // upstream's name; in the snapshot, or in `owned`
  std::unique_ptr<const std::string> owned;  // a name made for this call: what a star stood for, or a model named directly
  TargetHealth* health = nullptr;
  int weight = 1;
  int priority = 1;
  StepReason reason = StepReason::kStrategy;
  // Of one call:
  int tried = 0;
  bool out = false;                    // not to be asked (again)
  bool granted = false;                // the key may use its route by name, and what that falls back to
  TimePoint not_before{};              // what the upstream asked for
};

// In the order of CONFIG.md, "A model's name". `forced` is a provider's name or empty. kModelNotFound with the nearest names.
Result<Resolved> resolve(const Snapshot& snapshot, std::string_view name, std::string_view forced);

// Appends the candidates of a resolved name in the order they are to be tried, those that rest last, and those the key may not use
// marked `out`. `peek`: change no strategy's state. `granted`: the key may use what this is a fallback of, by name. True when at least one may be
// used.
bool append_candidates(const Snapshot& snapshot, const Resolved& resolved, std::string_view requested, const KeyRecord* key,
                       std::string_view forced, bool fallback, uint64_t seed, TimePoint now, bool peek, std::vector<Candidate>& out,
                       bool granted = false);

// What AllowList says: of a name first, then of each target it stands for.
struct Grant {
  const KeyRecord* key = nullptr;  // null: everything is allowed
  bool by_name = true;
  bool excluded = false;
  bool allows(const ProviderRuntime& provider, std::string_view model) const;
};
Grant grant_of(const KeyRecord* key, std::string_view asked, const Route* route, bool granted);

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_RESOLVE_H_
