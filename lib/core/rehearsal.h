// Calls in virtual time, without upstreams: what simulate() replays recorded traffic with, and the tests play bad days with.
//
// A call takes the decisions that it would take in a Router: who is asked in which order, whom health, limits and the retry budget pass over, what
// is tried again after a failure. What an upstream does, a Stage says. One thread; the same calls, configuration, stage and seed give the same.
//
// Who waits for a limit has his turn in the order of coming, not key by key.
#ifndef LLMROUTER_CORE_REHEARSAL_H_
#define LLMROUTER_CORE_REHEARSAL_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <queue>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/overlay.h"
#include "core/random.h"
#include "core/rehearsed_probes.h"
#include "core/resolve.h"
#include "core/steps.h"
#include "core/retry_budget.h"
#include "llmrouter/limits.h"
#include "llmrouter/router.h"

namespace llmrouter::core {

// A chat, as far as it is known. What the views show must stay until it has ended.
struct RehearsedCall {
  std::string_view model, user;
  std::shared_ptr<const KeyRecord> key;  // null: nobody's
  bool stream = false;
  std::optional<int64_t> max_output;     // tokens it asks for at most
  TokenUsage usage;                      // what it takes when it is answered
  uint64_t number = 0;                   // the caller's own
};

// What an upstream does with an attempt.
struct Acting {
  // kNone: it answers. kUpstreamError, kUpstreamTimeout, kUpstreamRateLimited, kUpstreamCredentialsRejected: another one is asked.
  // kContextLengthExceeded, kContentPolicy: the model's own fallbacks for that are. All else: the request's own fault.
  ErrorCode code = ErrorCode::kNone;
  bool final = false;            // something had been passed on before it failed: nobody else is asked
  bool out_of_quota = false;     // why credentials are rejected
  bool unreached = false;        // the provider did not answer at all
  bool connecting = false;       // it failed before it was connected
  Duration silence{0};           // it failed after so long without a byte, `total` included; 0: not for that
  std::chrono::milliseconds retry_after{0};  // 0: it does not say
  Duration first_token{0};       // of a streamed answer; 0: not known
  Duration total{0};             // until it has answered or failed
};

enum class Ending { kAnswered, kFailed, kRefused, kLimited };

// Why a candidate was not asked when its turn came.
enum class Passed : uint8_t { kNot, kResting, kLimited };

struct EndedCall {
  const RehearsedCall& call;
  Ending how;
  const Candidate* by;   // who answered; null: nobody
  int attempts;
  Duration took;
  const Direction& direction;             // what stood over its wish
  const std::vector<Candidate>& plan;     // empty: nobody could be asked
  const std::vector<Passed>& passed;      // of the candidates of the same places; those beyond its end: kNot
  bool hedged;                            // a second attempt was made beside one that took long
  bool hedge_won;                         // and was the one that answered
  const Candidate* dropped;               // of the plan: whose attempt was let go, since the other one was faster; null: none was
};

class Stage {
 public:
  // Each attempt, when it begins. `credential`: its place in the provider's pool; -1: none.
  virtual Acting act(const RehearsedCall& call, const Candidate& candidate, int credential, TimePoint now) = 0;
  virtual void ended(const EndedCall& ended) = 0;
  // A probe (health.probe) of a target or, null, of a provider's list of models. It answers at once, unless the stage says otherwise.
  virtual Acting probed(const ProviderRuntime& provider, const RouteTarget* target, int credential, TimePoint now) {
    (void)provider, (void)target, (void)credential, (void)now;
    return {};
  }

 protected:
  ~Stage() = default;
};

class Rehearsal {
 public:
  // `overlay`, `clock` and `stage` must outlive it; `limiter` must go by `clock`.
  Rehearsal(std::shared_ptr<const Snapshot> snapshot, const Overlay& overlay, RateLimiter& limiter, ManualClock& clock, Stage& stage, uint64_t seed);
  ~Rehearsal();
  // A call comes now. `wall`: the time that its rules and prices go by.
  void arrive(RehearsedCall call, WallTime wall);
  // Everything that is due until then happens; the clock then says so.
  void pass(TimePoint until);
  // All calls end.
  void finish();
  size_t under_way() const noexcept { return under_way_; }

 private:
  struct Attempt;
  struct Timer;
  struct Flight;
  enum { kCall, kFirst, kSecond, kHedge, kTimers };  // a flight's timers: its own, those of its two attempts, and when the second is due
  struct Due {
    int64_t at;
    uint64_t order;
    Flight* flight;
    int timer;
    uint64_t stamp;  // the timer's, unless it has been told otherwise since
    bool operator<(const Due& o) const noexcept { return at != o.at ? at > o.at : order > o.order; }  // the soonest on top
  };

  TimePoint now() const noexcept { return clock_.now(); }
  uint64_t draw() noexcept { return Random(seed_ + ++draws_ * 0x632be59bd9b4e019ull).next(); }
  Flight& take_flight();
  void later(Flight& f, int timer, TimePoint when, void (Rehearsal::*step)(Flight&));
  Ask ask_of(Flight& f);
  Ask asking(const Flight& f) const;
  bool place(Flight& f);
  bool too_long(Flight& f);
  bool fall_back(Flight& f, ErrorCode fault);
  LimitBucket* bucket_of(const KeyRecord& key);
  bool reserve(Flight& f);
  bool reserve_elsewhere(Flight& f, CallBuckets buckets, const Denial& denial);
  void come_back(Flight& f);
  void next_attempt(Flight& f);
  bool start(Flight& f, size_t index);
  void pass_over(Flight& f, size_t index, Passed why);
  Acting in_time(Acting acting, const ProviderRuntime& provider, bool stream, Duration left) const;
  bool pick_credential(Flight& f, Candidate& c);
  bool reserve_attempt(Flight& f, Candidate& c, const CredentialRuntime* credential);
  void send(Flight& f, Candidate& c);
  void speaks(Flight& f);
  void arm_hedge(Flight& f);
  void hedge(Flight& f);
  void drop_other(Flight& f);
  void account_hedge(Flight& f, const Candidate& c, bool ok, bool let_go);
  void attempt_ends(Flight& f);
  void answered(Flight& f, Candidate& c);
  void failed(Flight& f, Candidate& c);
  void retry(Flight& f);
  bool try_again(Flight& f);
  bool wait(Flight& f);
  void turn(Flight& f);
  void wake();
  void blocked(Flight& f, TimePoint until);
  void denied(Flight& f, const Denial& denial);
  void let_probes_go(Flight& f);
  void spend(const Flight& f, const Candidate& c, const TokenUsage& usage, Demand& used) const;
  void end(Flight& f, Ending how, const Candidate* by);

  const std::shared_ptr<const Snapshot> snapshot_;
  const Overlay& overlay_;
  RateLimiter& limiter_;
  ManualClock& clock_;
  Stage& stage_;
  const uint64_t seed_;
  uint64_t draws_ = 0, orders_ = 0;
  RetryBudget retries_;
  HedgeShare hedges_;
  std::priority_queue<Due> due_;
  RehearsedProbes probes_;
  std::vector<std::unique_ptr<Flight>> flights_;
  std::vector<Flight*> free_;
  size_t waiting_ = 0;           // for a limit
  std::deque<Flight*> patient_;  // of them those that nobody can tell how long, in the order they came
  size_t under_way_ = 0;
  std::unordered_map<std::string, LimitBucket*> buckets_;  // by key
};

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_REHEARSAL_H_
