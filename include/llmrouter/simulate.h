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
#include "llmrouter/state.h"
#include "llmrouter/usage.h"

namespace llmrouter {

struct SimulationSide {
  int64_t ok = 0, failed = 0;
  int64_t refused = 0;           // nobody was asked: no such model, not allowed, rejected by a rule
  int64_t limited = 0;           // by a limit or budget of ours
  int64_t unpriced = 0;          // answered, and no price is known
  int64_t cost_nano_usd = 0;
  int64_t latency_ms = 0;        // mean of those that were answered; 0: none was
};

struct SimulationShare {
  std::string target;            // provider/model
  int64_t before = 0, after = 0;  // requests it answered
  int64_t cost_before = 0, cost_after = 0;  // nano-USD
  // Where `after` is 0: what kept most requests from it, in words, and how many.
  std::string why;
  int64_t why_requests = 0;
};

struct Simulation {
  int64_t replayed = 0;
  int64_t skipped = 0;           // no chats, cancelled, without a model
  int64_t moved = 0;             // answered by another target than they were
  int64_t guessed = 0;           // answered by a target of which the records hold no attempt: it is taken for an average one that does not fail
  int64_t estimated = 0;         // refused when they came, by a limit or for length or content, so that nobody counted them: the mean of their model's others is taken
  int64_t uncertain = 0;         // might be decided otherwise by what is not recorded: a rule on content, headers, tags or `has`, a session's model, or what a key's `params` refused or would cut short
  int64_t hedged = 0;            // second attempts that were made beside one that took long; what those that were let go cost is in `after`
  int64_t hedges_won = 0;        // of them those that answered
  bool switch_enabled = true;    // the routing switch, as stored; false: every chat goes to `default_model`
  std::string default_model;     // what that was
  int64_t unreadable = 0;        // stored rules and changes of the switch that cannot be read and were left out
  // What the configuration does and the replay does not, a sentence each: see simulate(). Empty: it plays all of it.
  std::vector<std::string> not_played;
  SimulationSide before, after;
  std::vector<SimulationShare> targets;  // by name: those that answered before or after, or stood in a request's plan
  LLMROUTER_EXPORT std::string to_json() const;
  LLMROUTER_EXPORT std::string to_text() const;
};

// What the configuration does not hold.
struct SimulationParts {
  std::shared_ptr<const Catalog> catalog = nullptr;   // null: no prices
  std::shared_ptr<KeyStore> keys = nullptr;           // finds the records' keys; null: only the configuration's
  std::shared_ptr<const StateStore> state = nullptr;  // stored rules, keys' overrides and the routing switch, all as they are now; null: none
  uint64_t seed = 1;
};

// Replays `records`, in the order and at the distances of their times, under `config`, on a clock of its own. Each request asks anew: names, keys'
// allow-lists, the switch, overrides, rules over names, keys, users, counts of tokens and hours, strategies, affinity by key and user, fallbacks,
// retries with their backoff and budget, timeouts, limits and budgets of keys, models, providers and credentials, waiting for them, and rests after failures
// and second attempts beside slow ones (routing.hedge) are the configuration's. Limits and budgets are full at the first record.
//
// What a target does with an attempt is one of the target's own recorded ones, drawn from those within a minute of it, or, where these are fewer than
// four, from all. Whether its key is refused or limited is drawn before, in the same way, from that key's attempts alone (by the credential's name, at that
// target, or else at the provider's others): a bad key is bad for nobody else. A key of another name is a good one, and limited as the others were. What was in a request is not recorded: rules on content, headers, tags and `has` do not hold (`uncertain` counts those that they
// might have decided), and no target is left out for what it cannot take but more tokens than its window holds. A request that a model refused for its
// length is refused by that model wherever it runs, one refused for its content by the same provider, and goes to the fallbacks for that.
//
// Probes (health.probe) hear what an attempt would have: those of targets one of the target's attempts, those of lists whether the provider answered at all.
// Timeouts end an attempt where theirs comes first; one that was given up by a shorter timeout fails when it did. A key's `max_tokens` is what each of its
// requests gets, as one gets it that names none: longer answers end there, and are `uncertain`. Not played are refusals by `params` of keys, silences within
// answers that came to their end, turns of keys in the queue, answers that another goes on with (continue_on) and affinity by session or prefix:
// `not_played` says which of them matter to the configuration and the records. The same records, configuration, parts and seed give the same answer.
LLMROUTER_EXPORT Result<Simulation> simulate(const Config& config, std::vector<UsageRecord> records, const SimulationParts& parts = {});

}  // namespace llmrouter

#endif  // LLMROUTER_SIMULATE_H_
