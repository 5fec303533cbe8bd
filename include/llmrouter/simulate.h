// Recorded traffic under another configuration: what it would have cost, where it would have gone, what would have failed.
#ifndef LLMROUTER_SIMULATE_H_
#define LLMROUTER_SIMULATE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/config.h"
#include "llmrouter/keys.h"
#include "llmrouter/usage.h"

namespace llmrouter {

struct SimulationSide {
  int64_t ok = 0, failed = 0;
  int64_t refused = 0;           // after: no such model, not allowed, rejected by a rule
  int64_t unpriced = 0;          // answered, and no price is known
  int64_t cost_nano_usd = 0;
  int64_t latency_ms = 0;        // mean of those that were answered; 0: none was
};

struct SimulationShare {
  std::string target;            // provider/model
  int64_t before = 0, after = 0;  // requests it answered
  int64_t cost_before = 0, cost_after = 0;  // nano-USD
};

struct Simulation {
  int64_t replayed = 0;
  int64_t skipped = 0;           // no chats, cancelled, refused by a limit, without a model
  int64_t moved = 0;             // answered by another target than they were
  int64_t guessed = 0;           // answered by a target of which the records hold no attempt: it is taken for an average one that does not fail
  SimulationSide before, after;
  std::vector<SimulationShare> targets;  // by name
  LLMROUTER_EXPORT std::string to_json() const;
  LLMROUTER_EXPORT std::string to_text() const;
};

// Replays `records`, in the order of their times, under `config`. Each request asks anew: names, keys' allow-lists, rules over names, keys, users, counts
// of tokens and hours, strategies and fallbacks are the configuration's. How often and how fast a target answers is taken from the records' own
// attempts. What was in a request is not recorded: rules on content, headers, tags and `has` do not hold, and no target is left out for what it cannot take. Limits are
// not counted. The same records, configuration and seed give the same answer. `keys` finds the records' keys; null: only the configuration's.
LLMROUTER_EXPORT Result<Simulation> simulate(const Config& config, std::vector<UsageRecord> records, std::shared_ptr<const Catalog> catalog,
                                             std::shared_ptr<KeyStore> keys = nullptr, uint64_t seed = 1);

}  // namespace llmrouter

#endif  // LLMROUTER_SIMULATE_H_
