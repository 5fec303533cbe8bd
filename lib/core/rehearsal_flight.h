// A call under way in a rehearsal; for rehearsal*.cc alone.
#ifndef LLMROUTER_CORE_REHEARSAL_FLIGHT_H_
#define LLMROUTER_CORE_REHEARSAL_FLIGHT_H_

#include <string>
#include <vector>

#include "core/rehearsal.h"
#include "core/steps.h"

namespace llmrouter::core {

struct Rehearsal::Attempt {
  size_t current = 0;      // its candidate
  int credential = -1;
  bool though_resting = false;  // the credential
  bool in_flight = false, probe = false, key_probe = false;
  Reservation reservation;
  Acting acting;
  TimePoint began{};
};

struct Rehearsal::Timer {
  void (Rehearsal::*step)(Flight&) = nullptr;
  uint64_t stamp = 0;
};

struct Rehearsal::Flight {
  static constexpr int kNone = -1;
  RehearsedCall call;
  WallTime wall{};
  RequestFacts facts;
  RouteRequest wishes;
  std::string asked, forced;
  Resolved resolved;
  Direction direction;
  std::vector<Candidate> candidates;
  std::vector<Passed> passed;
  TurnOrder order;
  uint64_t affinity = 0, session = 0, home = 0;
  Reservation reservation;
  TimePoint began{}, deadline{}, wait_until{}, blocked_until{};
  bool owes = false;         // the key's and the model's limits are not reserved
  std::optional<Denial> full;  // the model's limit had no room, and its fallbacks are asked
  bool limited = false;      // what it was not asked for was a limit of ours
  bool is_blocked = false;   // and is worth waiting for
  bool free_retry = false;   // the next attempt is another question, not the same one again
  bool out_of_retries = false, waits = false;
  bool committed = false;    // something was passed on
  int unserved = 0;  // as Call::State's
  bool hedged = false, hedge_sent = false;
  HedgeAccount hedging;
  size_t hedge_beside = 0;  // as Call::State's
  int hedge_at = kNone;      // which of the two is the one beside; kNone: there is none, or it failed
  int attempts = 0;
  size_t dropped = kNobody;  // whose attempt was let go, since another one was faster
  Attempt pair[2];           // two at once, where one is hedged
  int at = 0;                // the one whose timer runs
  Timer timers[kTimers];
  Attempt& mine() { return pair[at]; }
  Attempt& other() { return pair[1 - at]; }
  Candidate& candidate() { return candidates[mine().current]; }
};

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_REHEARSAL_FLIGHT_H_
