// How targets stand at a moment, for who only looks: what a call finds out when their turn comes.
#ifndef LLMROUTER_CORE_STANDING_H_
#define LLMROUTER_CORE_STANDING_H_

#include <vector>

#include "core/resolve.h"
#include "llmrouter/limits.h"

namespace llmrouter::core {

// Whoever would not be asked now is out, or behind, with the reason, and `not_before` says until when where that is known. `first`: the model that was asked
// for, null: none; its limits stand before all of its targets. `tokens`: what a limit on tokens would have to hold.
void stand(const RateLimiter& limiter, const Route* first, int64_t tokens, TimePoint now, std::vector<Candidate>& candidates);

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_STANDING_H_
