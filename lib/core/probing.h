// What probes.cc asks of providers, and a rehearsal plays: whom, with which key, and what the answer says.
#ifndef LLMROUTER_CORE_PROBING_H_
#define LLMROUTER_CORE_PROBING_H_

#include <optional>
#include <vector>

#include "core/snapshot.h"
#include "llmrouter/limits.h"

namespace llmrouter::core {

constexpr Duration kProbePatience = std::chrono::seconds(15);
constexpr int64_t kProbeTokens = 16;  // of a question and an answer of one word each

// Of a provider whose models are asked (health.probe: chat), those that `health.models` lets through: each once, under however many names it stands.
std::vector<const RouteTarget*> probed_targets(const Snapshot& snapshot, const ProviderRuntime& provider);

// The place in the provider's pool of the first credential that does not rest and is for this target (null: the list of models); -1: none is needed.
// nullopt: there is none to ask with.
std::optional<int> probing_credential(const ProviderRuntime& provider, const RouteTarget* target, TimePoint now) noexcept;

// The limits that a question to a model counts at; asking for the list counts nowhere. False: there is no room.
bool reserve_probe(RateLimiter& limiter, const ProviderRuntime& provider, int credential, Reservation& reservation);

// `status` 0: no answer. `whole`: nothing broke off and it came in time. Gives whether all is well.
bool learn_from_probe(const ProviderRuntime& provider, const RouteTarget* target, int status, bool whole, TimePoint now, CooldownConfig cooldown) noexcept;

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_PROBING_H_
