// The decisions of a call that its rehearsal (rehearsal.h) takes alike: written once, so that what is simulated is what happens.
#ifndef LLMROUTER_CORE_STEPS_H_
#define LLMROUTER_CORE_STEPS_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/random.h"
#include "core/resolve.h"
#include "llmrouter/limits.h"

namespace llmrouter::core {

constexpr size_t kNobody = static_cast<size_t>(-1);
constexpr int64_t kUnknownOutput = 4096;  // tokens of an answer whose request sets no bound
constexpr Duration kFirstTokenOfStreams = std::chrono::seconds(60);  // where no other limit is configured

// Of `n` answers of so many tokens each. Both come from strangers.
inline int64_t tokens_of_all(int64_t each, int64_t n) noexcept {
  constexpr int64_t kMost = int64_t{1} << 50;
  n = std::max<int64_t>(1, n);
  return each > kMost / n ? kMost : each * n;
}

inline int most_attempts(const RoutingConfig& routing) noexcept { return std::max(1, routing.attempts); }

// Who is asked next of a plan: each candidate once, in its order; then the fallbacks'; then those that rest.
struct TurnOrder {
  Fallbacks fallbacks;
  size_t next = 0;           // the first candidate that was not considered
  bool last_resort = false;  // those that rest are considered, too: nobody else is left

  // kNobody: no more. `ask` makes the question that fallbacks are planned by.
  template <typename AskOf>
  size_t choose(const Snapshot& snapshot, std::vector<Candidate>& candidates, AskOf&& ask) {
    for (;;) {
      for (; next < candidates.size(); ++next) {
        Candidate& c = candidates[next];
        if (c.out || c.considered || (!last_resort && c.reason == StepReason::kCoolingDown)) continue;
        c.considered = true;
        return next++;
      }
      if (fallbacks.append(snapshot, ask(), candidates)) continue;
      if (last_resort) return kNobody;
      last_resort = true;
      next = 0;
    }
  }

  // Is there who was not asked yet and does not rest? Fallbacks are planned when nobody else is.
  template <typename AskOf>
  bool somebody_new(const Snapshot& snapshot, std::vector<Candidate>& candidates, AskOf&& ask) {
    const auto fresh = [](const Candidate& c) { return !c.out && !c.considered && c.reason != StepReason::kCoolingDown; };
    while (std::none_of(candidates.begin(), candidates.end(), fresh)) {
      if (!fallbacks.append(snapshot, ask(), candidates)) return false;
    }
    return true;
  }
};

// The model's own limit has no room: its targets, none of which was asked yet, are passed over. Whom it falls back to instead; kNobody: to nobody, and
// nothing has changed.
template <typename AskOf>
size_t pass_over_model(const Route* model, TurnOrder& order, const Snapshot& snapshot, std::vector<Candidate>& candidates, AskOf&& ask) {
  const auto set = [&](bool considered) {
    for (Candidate& c : candidates) {
      if (c.route == model) c.considered = considered;
    }
  };
  set(true);
  do {
    const auto other = std::find_if(candidates.begin(), candidates.end(), [](const Candidate& c) { return !c.out && !c.considered; });
    if (other != candidates.end()) return static_cast<size_t>(other - candidates.begin());
  } while (order.fallbacks.append(snapshot, ask(), candidates));
  set(false);
  return kNobody;
}

// Attempts of a call that were refused for what is somebody else's to take, and so are no tries.
constexpr int kMostUnserved = 8;

// Who is asked instead for this kind of refusal: those that the request names, else the list of the candidate's model. Null: nobody, or it is not the time.
inline const std::vector<std::string>* list_for(ErrorCode fault, const Snapshot& snapshot, const RouteRequest& wishes, int attempts, const Candidate& candidate) {
  if (!wishes.allow_fallbacks || attempts > most_attempts(snapshot.config.routing)) return nullptr;  // the attempt that was refused is no try
  const std::vector<std::string>* names = wishes.fallbacks ? &*wishes.fallbacks : nullptr;
  if (names == nullptr && candidate.route == nullptr) return nullptr;
  if (names == nullptr) names = fault == ErrorCode::kContextLengthExceeded ? &candidate.route->config->context_fallbacks : &candidate.route->config->content_fallbacks;
  return names->empty() ? nullptr : names;
}

// What one model refuses for its length or its content another may take: from here on the plan is that model's list for this kind of refusal. `current`
// refused, or is the first that nobody asks for its length. False: there is nobody.
template <typename AskOf>
bool fall_back_for(ErrorCode fault, const Snapshot& snapshot, const RouteRequest& wishes, int attempts, size_t current, TurnOrder& order,
                   std::vector<Candidate>& candidates, AskOf&& ask) {
  if (candidates.empty()) return false;
  const auto* names = list_for(fault, snapshot, wishes, attempts, candidates[current]);
  const size_t before = candidates.size();
  if (names == nullptr || !order.fallbacks.append_names(snapshot, *names, ask(), candidates[current].granted, candidates)) return false;
  for (size_t i = 0; i < before; ++i) candidates[i].out = true;
  order.next = before;
  return true;
}

// The candidate that is worth another attempt, and how long from now; kNobody: none before `deadline`. `draw` makes a random number.
//
// Full jitter (Brooker 2015, "Exponential Backoff And Jitter"): uniformly between nothing and the doubled step. What the upstream asked for wins over
// it; when that is long the caller hears of it instead of waiting.
template <typename Draw>
size_t worth_another(const std::vector<Candidate>& candidates, const BackoffConfig& backoff, TimePoint now, TimePoint deadline, Draw&& draw, Duration* wait) {
  constexpr Duration kLongestAskedFor = std::chrono::seconds(15);  // of a Retry-After that a caller is kept waiting for
  size_t best = kNobody;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& c = candidates[i];
    if (c.out || c.tried == 0) continue;
    if (best == kNobody || c.not_before < candidates[best].not_before) best = i;
  }
  if (best == kNobody) return kNobody;
  const Candidate& c = candidates[best];
  Duration step = backoff.first;
  for (int i = 1; i < c.tried && step < backoff.max; ++i) step *= 2;
  step = std::min(step, backoff.max);
  const Duration jitter(static_cast<int64_t>(Random(draw()).unit() * static_cast<double>(step.count())));
  const Duration asked = c.not_before > now ? c.not_before - now : Duration(0);
  if (asked > std::max(backoff.max, kLongestAskedFor)) return kNobody;
  *wait = asked > Duration(0) ? asked : jitter;
  return now + *wait < deadline ? best : kNobody;
}

// Are second attempts made at all?
inline bool may_hedge(const HedgeConfig& hedge) noexcept { return hedge.p95 || hedge.after > Duration(0); }

// How long after an attempt at a candidate a second one is made; 0: none is, or it is not known yet.
Duration hedge_after(const HedgeConfig& hedge, const Candidate& candidate, bool stream) noexcept;

// Who is asked beside `current`: another target where there is one that nothing speaks against; else the same once more.
size_t hedge_target(const std::vector<Candidate>& candidates, size_t current, TimePoint now) noexcept;

// What a codec puts into Error::upstream_code beside kUpstreamCredentialsRejected, whatever the vendor's own word is (lib/dialects/fault.cc).
constexpr std::string_view kOutOfQuotaCode = "insufficient_quota";
constexpr std::string_view kModelRefusedCode = "model_not_permitted";  // the key is good, and not for this model
constexpr std::string_view kTooDearCode = "request_too_dear";          // there is money, but not for as much as this request may cost: a smaller one is served

// Is it a limit, ours or the upstream's, that is gone some time?
inline bool is_limit(const Error& error) noexcept {
  return !error.never && (error.code == ErrorCode::kRateLimited || error.code == ErrorCode::kUpstreamRateLimited);
}

// Of two reasons why somebody cannot be asked now: is this the one to tell? A limit before what waiting may not mend, what is sooner before what is later.
bool is_better_news(const Error& error, const Error& than) noexcept;

// May the same target serve this call by another of its keys? Marks the one that it was too dear for.
bool other_key_may(const Error& error, Candidate& candidate, int credential) noexcept;

// What a call reserves at its key's and its model's limits.
struct Wanted {
  Demand expected;        // as estimated: what a call that nobody counted is charged at least
  Demand most;            // the same with the most that its input may turn out to cost: what is asked for
  Demand least;           // what has to fit; without the answer where the request does not say how long it may be
  bool bounded = false;   // it says so
};

// `budget`: somebody pays. Money is then reserved for the most tokens that the input's bytes may be, and for what `first` counted beyond them before
// (UnseenInput), within its window where that is known.
Wanted wanted_of(const Snapshot& snapshot, const Candidate& first, bool budget, int64_t input, int64_t output, bool bounded, WallTime wall);

// What a call reserves in as such: its key, the key's user, the model it asks for; null: has no limits.
using CallBuckets = std::array<LimitBucket*, 3>;
inline bool has_budget(const KeyRecord* key, const UserRuntime* user) noexcept {
  return (key != nullptr && key->spec.limits.budget) || (user != nullptr && user->config->limits.budget);
}

// Reserves `most`. How long the answer will be is a guess when the request does not say, and what its input will be counted as always is. A guess alone
// refuses nobody: what is left is reserved instead (and stands in `most`), so that the last call may pass the limit by what it is longer, and no other call
// comes in beside it. Where nothing is left, or not even `least`, `denial` is about that: when it fits, or that it never will.
Reservation reserve_or_what_is_left(RateLimiter& limiter, const CallBuckets& buckets, Wanted& wanted, Denial* denial);

// What a provider keeps for its callers, an earlier answer or a conversation, is known to the key and the place it was made with. Who says it has no such thing
// has not served the request: another may.
bool is_kept_elsewhere(const Error& error) noexcept;

// What an attempt's failure says of its target and of the credential that it was made with (-1: none).
void learn_from(const Error& error, Candidate& candidate, int credential, TimePoint now, const CooldownConfig& config);

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_STEPS_H_
