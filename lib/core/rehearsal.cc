#include "core/rehearsal.h"

#include <algorithm>
#include <utility>

#include "core/steps.h"
#include "core/wishes.h"
#include "llmrouter/pattern.h"

namespace llmrouter::core {

struct Rehearsal::Attempt {
  size_t current = 0;      // its candidate
  int credential = -1;
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
  bool hedged = false, hedge_sent = false;
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

Rehearsal::Rehearsal(std::shared_ptr<const Snapshot> snapshot, const Overlay& overlay, RateLimiter& limiter, ManualClock& clock, Stage& stage, uint64_t seed)
    : snapshot_(std::move(snapshot)), overlay_(overlay), limiter_(limiter), clock_(clock), stage_(stage), seed_(seed) {}

Rehearsal::~Rehearsal() = default;

Rehearsal::Flight& Rehearsal::take_flight() {
  if (free_.empty()) {
    flights_.push_back(std::make_unique<Flight>());
    free_.push_back(flights_.back().get());
  }
  Flight& f = *free_.back();
  free_.pop_back();
  ++under_way_;
  std::vector<Candidate> room = std::move(f.candidates);  // what was grown stays
  std::vector<Passed> marks = std::move(f.passed);
  room.clear();
  marks.clear();
  uint64_t stamps[kTimers];
  for (int i = 0; i < kTimers; ++i) stamps[i] = f.timers[i].stamp;
  f = Flight();
  f.candidates = std::move(room);
  f.passed = std::move(marks);
  for (int i = 0; i < kTimers; ++i) f.timers[i].stamp = stamps[i];
  return f;
}

void Rehearsal::later(Flight& f, int timer, TimePoint when, void (Rehearsal::*step)(Flight&)) {
  f.timers[timer].step = step;
  due_.push({when.time_since_epoch().count(), ++orders_, &f, timer, ++f.timers[timer].stamp});
}

void Rehearsal::pass(TimePoint until) {
  while (!due_.empty() && due_.top().at <= until.time_since_epoch().count()) {
    const Due due = due_.top();
    due_.pop();
    Flight& f = *due.flight;
    if (due.stamp != f.timers[due.timer].stamp) continue;
    const TimePoint at{Duration(due.at)};
    if (at > now()) clock_.advance(at - now());
    if (due.timer == kFirst || due.timer == kSecond) f.at = due.timer - kFirst;
    (this->*f.timers[due.timer].step)(f);
  }
  if (until > now()) clock_.advance(until - now());
}

void Rehearsal::finish() {
  while (!due_.empty()) pass(TimePoint(Duration(due_.top().at)));
}

void Rehearsal::arrive(RehearsedCall call, WallTime wall) {
  Flight& f = take_flight();
  f.call = std::move(call);
  f.wall = wall;
  f.began = now();
  f.blocked_until = TimePoint::max();
  const Duration total = snapshot_->config.routing.timeouts.total;
  f.deadline = total > Duration(0) ? f.began + total : TimePoint::max();
  f.facts.model = f.call.model;
  f.facts.user = f.call.user;
  f.facts.stream = f.call.stream;
  f.facts.input_tokens = f.call.usage.input;
  f.facts.max_tokens = f.call.max_output;
  if (!place(f)) return end(f, Ending::kRefused, nullptr);
  f.owes = !reserve(f);
  next_attempt(f);
}

Ask Rehearsal::ask_of(Flight& f) {
  Ask ask = asking(f);
  ask.seed = draw();
  return ask;
}

Ask Rehearsal::asking(const Flight& f) const {
  Ask ask;
  if (!f.wishes.empty()) ask.wishes = &f.wishes;
  if (needs_abilities(f.facts)) ask.facts = &f.facts;  // of which nothing but the length is known
  ask.key = f.call.key.get();
  ask.input_tokens = f.facts.input_tokens;
  ask.max_output = f.facts.max_tokens.value_or(0);
  ask.affinity = f.affinity;
  ask.now = now();
  ask.wall = f.wall;
  return ask;
}

// Who could be asked, in which order. False: nobody may.
bool Rehearsal::place(Flight& f) {
  NoContent content;
  const KeyRecord* key = f.call.key.get();
  f.asked = f.facts.model;
  if (!direct(overlay_, *snapshot_, key, {}, f.wall, content, {f.asked, f.facts, f.wishes, f.forced}, f.direction)) return false;
  if (f.direction.rule != nullptr) f.direction.rule->hits->fetch_add(1, std::memory_order_relaxed);
  auto resolved = resolve_wish(*snapshot_, f.asked, f.forced, f.wishes, key);
  if (!resolved) return false;
  f.resolved = std::move(*resolved);
  const auto& by = snapshot_->config.routing.affinity.by;
  const Route* route = f.resolved.route;
  const uint64_t together = snapshot_->affinity ? affinity_of(by, key, f.facts, {}, nullptr, {}) : 0;
  f.affinity = identity_of(by, key, f.facts, {}, nullptr, {});
  Ask ask = ask_of(f);
  if (together != 0 && route != nullptr) {
    f.session = stable_hash(route->name, together);
    ask.home = f.home = snapshot_->affinity->find(f.session, now());
  }
  const bool anybody = append_first(*snapshot_, f.resolved, f.asked, ask, f.candidates);
  if (f.resolved.route != nullptr) f.order.fallbacks.visited(f.resolved.route);
  if (!anybody && !too_long(f)) return false;
  const bool there = f.home != 0 && std::any_of(f.candidates.begin(), f.candidates.end(), [&](const Candidate& c) {
    return c.id == f.home && !c.out && c.reason != StepReason::kCoolingDown;
  });
  if (!there) f.home = 0;
  return true;
}

// Nobody's window holds it: the model's fallbacks for that may.
bool Rehearsal::too_long(Flight& f) {
  const bool is = std::any_of(f.candidates.begin(), f.candidates.end(), [](const Candidate& c) { return c.reason == StepReason::kTooLong; });
  return is && fall_back(f, ErrorCode::kContextLengthExceeded);
}

// As Call::State::fall_back_for().
bool Rehearsal::fall_back(Flight& f, ErrorCode fault) {
  f.free_retry = fall_back_for(fault, *snapshot_, f.wishes, f.attempts, f.mine().current, f.order, f.candidates, [&] { return ask_of(f); });
  return f.free_retry;
}

LimitBucket* Rehearsal::bucket_of(const KeyRecord& key) {
  LimitBucket*& bucket = buckets_[key.id];
  if (bucket == nullptr) bucket = limiter_.bucket("key:" + key.id, "key " + key.id, key.spec.limits);
  return bucket;
}

// As Call::State::reserve().
bool Rehearsal::reserve(Flight& f) {
  const KeyRecord* key = f.call.key.get();
  LimitBucket* buckets[2] = {key != nullptr && !key->spec.limits.empty() ? bucket_of(*key) : nullptr,
                             f.resolved.route != nullptr ? f.resolved.route->bucket : nullptr};
  if (buckets[0] == nullptr && buckets[1] == nullptr) return true;
  Wanted wanted = wanted_of(*snapshot_, f.candidates.front(), key != nullptr && key->spec.limits.budget, f.facts.input_tokens,
                            f.facts.max_tokens.value_or(kUnknownOutput), f.facts.max_tokens.has_value(), f.wall);
  Denial denial;
  f.reservation = reserve_or_what_is_left(limiter_, buckets, wanted, &denial);
  if (f.reservation.active()) return true;
  f.limited = true;
  if (denial.bucket.compare(0, 6, "model:") != 0) return false;
  if (reserve_elsewhere(f, buckets[0], denial)) return true;
  denied(f, denial);
  return false;
}

// As Call::State::reserve_elsewhere().
bool Rehearsal::reserve_elsewhere(Flight& f, LimitBucket* key, const Denial& denial) {
  const size_t first = pass_over_model(f.resolved.route, f.order, *snapshot_, f.candidates, [&] { return ask_of(f); });
  if (first == kNobody) return false;
  if (key != nullptr) {
    LimitBucket* buckets[2] = {key, nullptr};
    Wanted wanted = wanted_of(*snapshot_, f.candidates[first], f.call.key->spec.limits.budget.has_value(), f.facts.input_tokens,
                              f.facts.max_tokens.value_or(kUnknownOutput), f.facts.max_tokens.has_value(), f.wall);
    Denial mine;
    f.reservation = reserve_or_what_is_left(limiter_, buckets, wanted, &mine);
    if (!f.reservation.active()) return false;
  }
  for (size_t i = 0; i < f.candidates.size(); ++i) {
    if (f.candidates[i].route == f.resolved.route) pass_over(f, i, Passed::kLimited);
  }
  f.full = denial;
  return true;
}

// As Call::State::come_back().
void Rehearsal::come_back(Flight& f) {
  const auto full = std::exchange(f.full, std::nullopt);
  if (!full) return;
  if (f.reservation.active()) f.reservation.settle({0, 0, 0});
  f.reservation = Reservation();
  f.owes = true;
  denied(f, *full);
}

void Rehearsal::next_attempt(Flight& f) {
  const int most = most_attempts(snapshot_->config.routing);
  if (f.owes) {
    if (!wait(f)) end(f, Ending::kLimited, nullptr);
    return;
  }
  while (f.attempts < most && !f.out_of_retries) {
    const size_t index = f.order.choose(*snapshot_, f.candidates, [&] { return ask_of(f); });
    if (index == kNobody) break;
    if (start(f, index)) return;
  }
  if (f.attempts < most && !f.out_of_retries) {
    if (f.attempts > 0 && try_again(f)) return;
    if (f.attempts == 0) come_back(f);
    if (wait(f)) return;
  }
  end(f, f.attempts == 0 && f.limited ? Ending::kLimited : Ending::kFailed, nullptr);
}

void Rehearsal::pass_over(Flight& f, size_t index, Passed why) {
  if (f.passed.size() <= index) f.passed.resize(f.candidates.size(), Passed::kNot);
  f.passed[index] = why;
}

// True: it is under way. False: it was passed over.
bool Rehearsal::start(Flight& f, size_t index) {
  f.mine().current = index;
  f.mine().credential = -1;
  Candidate& c = f.candidate();
  const TimePoint t = now();
  c.look_again();
  if (c.health().limited_until() > t) {
    blocked(f, c.health().limited_until());
    pass_over(f, f.mine().current, Passed::kResting);
    return false;
  }
  f.mine().probe = c.take_probe(t);
  if (!f.mine().probe && !f.order.last_resort && c.reason != StepReason::kCoolingDown && c.health().resting(t)) {
    c.reason = StepReason::kCoolingDown;
    c.considered = false;
    pass_over(f, f.mine().current, Passed::kResting);
    return false;
  }
  if (!pick_credential(f, c)) {
    let_probes_go(f);
    return false;
  }
  const int percent = snapshot_->config.routing.retry_budget;
  if (f.attempts == 0) {
    retries_.first_attempt(t);
  } else if (percent >= 0 && !std::exchange(f.free_retry, false) && !retries_.grant(t, percent)) {
    f.out_of_retries = true;
    f.mine().reservation.settle({0, 0, 0});
    f.mine().reservation = Reservation();
    let_probes_go(f);
    return false;
  }
  send(f, c);
  return true;
}

bool Rehearsal::reserve_attempt(Flight& f, Candidate& c, const CredentialRuntime* credential) {
  LimitBucket* buckets[3] = {c.provider->bucket, credential != nullptr ? credential->bucket : nullptr,
                             c.route != nullptr && c.route != f.resolved.route ? c.route->bucket : nullptr};
  if (buckets[0] == nullptr && buckets[1] == nullptr && buckets[2] == nullptr) return true;
  Demand demand;
  demand.tokens = f.facts.input_tokens + f.facts.max_tokens.value_or(0);
  Denial denial;
  f.mine().reservation = limiter_.reserve(buckets, 3, demand, &denial);
  if (f.mine().reservation.active()) return true;
  f.limited = true;
  pass_over(f, f.mine().current, Passed::kLimited);
  denied(f, denial);
  return false;
}

// Weights decide whose turn it is, rests and limits who is passed over.
bool Rehearsal::pick_credential(Flight& f, Candidate& c) {
  const auto& pool = c.provider->credentials;
  if (pool.empty()) return reserve_attempt(f, c, nullptr);
  const size_t start = take_turn(*c.provider);
  for (size_t step = 0; step < pool.size(); ++step) {
    const size_t i = (start + step) % pool.size();
    const CredentialRuntime& credential = pool[i];
    if (!pattern_list_match(credential.config->models, c.model)) continue;
    if (credential.health->resting(now())) {
      if (credential.health->why() == RestReason::kRateLimited) blocked(f, credential.health->until());
      pass_over(f, f.mine().current, Passed::kResting);
      continue;
    }
    if (!reserve_attempt(f, c, &credential)) continue;
    f.mine().credential = static_cast<int>(i);
    f.mine().key_probe = credential.health->take_probe(now());
    return true;
  }
  return false;
}

void Rehearsal::send(Flight& f, Candidate& c) {
  const TimePoint t = now();
  ++f.attempts;
  ++c.tried;
  f.mine().began = t;
  c.enter().stats.started();
  if (f.session != 0 && f.home == 0 && c.id != 0) snapshot_->affinity->put(f.session, c.id, t + snapshot_->config.routing.affinity.ttl);
  f.mine().acting = stage_.act(f.call, c, f.mine().credential, t);
  const Timeouts& timeouts = c.provider->timeouts;
  const Duration patience = timeouts.first_token > Duration(0) ? timeouts.first_token : f.call.stream ? kFirstTokenOfStreams : Duration(0);
  const Duration silence = f.call.stream && f.mine().acting.first_token > Duration(0) ? f.mine().acting.first_token : f.mine().acting.total;
  if (patience > Duration(0) && silence > patience && !(f.call.stream && f.mine().acting.first_token == Duration(0))) {
    f.mine().acting = Acting();
    f.mine().acting.code = ErrorCode::kUpstreamTimeout;
    f.mine().acting.total = patience;
  }
  if (f.deadline - t < f.mine().acting.total) {
    f.mine().acting = Acting();
    f.mine().acting.code = ErrorCode::kUpstreamTimeout;
    f.mine().acting.final = true;
    f.mine().acting.total = f.deadline - t;
  }
  f.mine().in_flight = true;
  const HedgeConfig& hedge = snapshot_->config.routing.hedge;
  const bool speaks_first = may_hedge(hedge) && f.mine().acting.code == ErrorCode::kNone && f.call.stream && f.mine().acting.first_token > Duration(0);
  if (speaks_first) later(f, kFirst + f.at, t + f.mine().acting.first_token, &Rehearsal::speaks);
  else later(f, kFirst + f.at, t + f.mine().acting.total, &Rehearsal::attempt_ends);
  if (may_hedge(hedge)) arm_hedge(f);
}

// As Call::State::commit(), as far as another attempt is concerned: from here on the answer is this one's.
void Rehearsal::speaks(Flight& f) {
  f.committed = true;
  drop_other(f);
  later(f, kFirst + f.at, f.mine().began + std::max(f.mine().acting.total, f.mine().acting.first_token), &Rehearsal::attempt_ends);
}

// As Call::State::arm_hedge().
void Rehearsal::arm_hedge(Flight& f) {
  const HedgeConfig& hedge = snapshot_->config.routing.hedge;
  if (f.hedged) return;
  if (f.attempts == 1) hedges_.earn(hedge.max_extra, expected_cost(*snapshot_, f.candidate(), asking(f)));
  const Duration after = hedge_after(hedge, f.candidate(), f.call.stream);
  if (after > Duration(0)) later(f, kHedge, f.mine().began + after, &Rehearsal::hedge);
}

// As Call::State::on_hedge().
void Rehearsal::hedge(Flight& f) {
  if (f.committed || f.hedged || !f.mine().in_flight || f.other().in_flight) return;
  if (f.attempts >= most_attempts(snapshot_->config.routing)) return;
  const size_t index = hedge_target(f.candidates, f.mine().current, now());
  const int64_t cost = expected_cost(*snapshot_, f.candidates[index], asking(f));
  if (!hedges_.spend(cost)) return;
  f.hedged = true;
  const int lead = f.at;
  f.at = 1 - lead;
  f.mine() = Attempt();
  f.candidates[index].considered = true;
  if (start(f, index)) {
    f.hedge_sent = true;
    f.hedge_at = f.at;
    return;
  }
  f.out_of_retries = false;
  hedges_.give_back(cost);
  f.at = lead;
}

// As Call::State::drop_other().
void Rehearsal::drop_other(Flight& f) {
  Attempt& loser = f.other();
  if (!std::exchange(loser.in_flight, false)) return;
  f.at = 1 - f.at;
  ++f.timers[kFirst + f.at].stamp;
  Candidate& c = f.candidate();
  TargetStats& stats = c.enter().stats;
  stats.took_at_least(f.call.stream, now() - loser.began);
  stats.cancelled();
  let_probes_go(f);
  if (loser.reservation.active()) {
    loser.reservation.settle({1, f.call.usage.input, 0});
    loser.reservation = Reservation();
  }
  f.dropped = loser.current;
  f.at = 1 - f.at;
}

void Rehearsal::attempt_ends(Flight& f) {
  f.mine().in_flight = false;
  Candidate& c = f.candidate();
  const TimePoint t = now();
  const bool ok = f.mine().acting.code == ErrorCode::kNone;
  const bool own_fault = !ok && f.mine().acting.code != ErrorCode::kUpstreamError && f.mine().acting.code != ErrorCode::kUpstreamTimeout &&
                         f.mine().acting.code != ErrorCode::kUpstreamRateLimited && f.mine().acting.code != ErrorCode::kUpstreamCredentialsRejected;
  if (own_fault) {
    c.enter().stats.cancelled();
  } else {
    AttemptSample sample;
    sample.ok = ok;
    sample.total = f.mine().acting.total;
    if (f.call.stream) sample.first_token = f.mine().acting.first_token;
    if (ok) {
      sample.input_tokens = f.call.usage.input;
      sample.cached_tokens = f.call.usage.cached;
      sample.output_tokens = f.call.usage.output;
    }
    c.enter().stats.ended(sample, t);
    if (ok) c.enter().unseen_input.counted(f.facts.input_tokens, f.call.usage.input);
  }
  if (f.mine().reservation.active()) {
    f.mine().reservation.settle({1, ok ? f.call.usage.input + f.call.usage.output : 0, 0});
    f.mine().reservation = Reservation();
  }
  if (ok) return answered(f, c);
  if (own_fault) {
    let_probes_go(f);
    drop_other(f);
    const bool elsewhere = f.mine().acting.code == ErrorCode::kContextLengthExceeded || f.mine().acting.code == ErrorCode::kContentPolicy;
    if (elsewhere && fall_back(f, f.mine().acting.code)) return next_attempt(f);
    return end(f, Ending::kFailed, nullptr);
  }
  failed(f, c);
}

void Rehearsal::answered(Flight& f, Candidate& c) {
  drop_other(f);
  const TimePoint t = now();
  const RoutingConfig& routing = snapshot_->config.routing;
  c.enter().health.succeeded(t, routing.cooldown);
  c.provider->shared->reach.succeeded(t, routing.cooldown);
  if (f.session != 0 && c.id != 0) {
    const bool overflow = f.home != 0 && c.id != f.home && f.attempts == 1;
    snapshot_->affinity->put(f.session, overflow ? f.home : c.id, t + routing.affinity.ttl);
  }
  if (f.mine().credential >= 0) c.provider->credentials[static_cast<size_t>(f.mine().credential)].health->succeeded(t);
  let_probes_go(f);
  end(f, Ending::kAnswered, &c);
}

// As Call::State::handle_failure().
void Rehearsal::failed(Flight& f, Candidate& c) {
  Error error(f.mine().acting.code, {});
  error.retry_after = f.mine().acting.retry_after;
  if (f.mine().acting.out_of_quota) error.upstream_code = "insufficient_quota";
  const auto& pool = c.provider->credentials;
  learn_from(error, c, f.mine().credential, now(), snapshot_->config.routing.cooldown);
  let_probes_go(f);
  core::TargetHealth& reach = c.provider->shared->reach;
  if (f.mine().acting.unreached) reach.failed(now(), snapshot_->config.routing.cooldown);
  else reach.succeeded(now(), snapshot_->config.routing.cooldown);
  wake();
  if (f.hedge_at == f.at) f.hedge_at = Flight::kNone;
  if (f.mine().acting.final) return end(f, Ending::kFailed, nullptr);
  c.not_before = now() + error.retry_after;
  const bool limited = error.code == ErrorCode::kUpstreamRateLimited, rejected = error.code == ErrorCode::kUpstreamCredentialsRejected;
  if (limited && error.retry_after > Duration(0)) blocked(f, c.not_before);
  if (f.other().in_flight) {  // it may still answer
    if (rejected) c.out = true;
    f.at = 1 - f.at;
    return;
  }
  // The credential's fault: the same target by another one, at once.
  const int most = most_attempts(snapshot_->config.routing);
  if ((limited || rejected) && pool.size() > 1 && f.attempts < most) {
    if (f.attempts + 1 == most && f.order.somebody_new(*snapshot_, f.candidates, [&] { return ask_of(f); })) {
      f.candidate().out = f.candidate().considered = false;
      return next_attempt(f);
    }
    const size_t current = f.mine().current;
    if (start(f, current)) return;
    f.mine().current = current;
  }
  if (rejected) f.candidate().out = true;
  next_attempt(f);
}

bool Rehearsal::try_again(Flight& f) {
  Duration wait{0};
  const size_t best = worth_another(f.candidates, snapshot_->config.routing.backoff, now(), f.deadline, [this] { return draw(); }, &wait);
  if (best == kNobody) return false;
  f.mine().current = best;
  later(f, kCall, now() + wait, &Rehearsal::retry);
  return true;
}

void Rehearsal::retry(Flight& f) {
  const size_t current = f.mine().current;
  if (start(f, current)) return;
  f.candidates[current].out = true;
  next_attempt(f);
}

void Rehearsal::blocked(Flight& f, TimePoint until) {
  f.is_blocked = true;
  f.blocked_until = std::min(f.blocked_until, until);
}

void Rehearsal::denied(Flight& f, const Denial& denial) {
  if (denial.never || denial.kind == LimitKind::kBudget) return;
  blocked(f, denial.retry_after > Duration(0) ? now() + denial.retry_after : TimePoint::max());
}

// Until the limit that stands in the way is gone, or somebody gives back what he held; not for what is known to come too late.
bool Rehearsal::wait(Flight& f) {
  const QueueConfig& queue = snapshot_->config.routing.queue;
  if (queue.max_wait <= Duration(0) || !f.is_blocked || waiting_ >= static_cast<size_t>(queue.max)) return false;
  if (f.wait_until == TimePoint()) f.wait_until = std::min(now() + queue.max_wait, f.deadline);
  const bool timed = f.blocked_until != TimePoint::max();
  if (now() >= f.wait_until || (timed && f.blocked_until > f.wait_until)) return false;
  f.waits = true;
  ++waiting_;
  if (!timed) patient_.push_back(&f);
  later(f, kCall, timed ? std::max(now() + Duration(1), f.blocked_until) : f.wait_until, &Rehearsal::turn);
  return true;
}

void Rehearsal::turn(Flight& f) {
  if (std::exchange(f.waits, false)) --waiting_;
  if (f.blocked_until == TimePoint::max()) patient_.erase(std::remove(patient_.begin(), patient_.end(), &f), patient_.end());
  f.is_blocked = f.limited = f.order.last_resort = false;
  f.blocked_until = TimePoint::max();
  for (Candidate& c : f.candidates) c.considered = f.full && c.route == f.resolved.route;
  f.order.next = 0;
  if (f.owes) f.owes = !reserve(f);
  next_attempt(f);
}

// Something is free: who has waited longest for a place may look. Those that know when theirs comes wait for that.
void Rehearsal::wake() {
  if (patient_.empty()) return;
  Flight& f = *patient_.front();
  patient_.pop_front();
  f.blocked_until = now();
  later(f, kCall, now(), &Rehearsal::turn);
}

void Rehearsal::let_probes_go(Flight& f) {
  if (std::exchange(f.mine().probe, false)) f.candidate().state->health.let_go();
  if (std::exchange(f.mine().key_probe, false)) f.candidate().provider->credentials[static_cast<size_t>(f.mine().credential)].health->let_go();
}

void Rehearsal::spend(const Flight& f, const Candidate& c, const TokenUsage& usage, Demand& used) const {
  used.tokens += usage.input + usage.output;
  if (!snapshot_->catalog) return;
  const auto price = snapshot_->catalog->price(c.provider->config.name, c.provider->config.type, c.model, usage.input, f.wall);
  if (price) used.nano_usd += cost_nano_usd(usage, *price);
}

void Rehearsal::end(Flight& f, Ending how, const Candidate* by) {
  drop_other(f);
  for (Timer& timer : f.timers) ++timer.stamp;
  const Candidate* dropped = f.dropped == kNobody ? nullptr : &f.candidates[f.dropped];
  if (f.reservation.active()) {
    Demand used;
    used.requests = f.attempts > 0 ? 1 : 0;
    if (how == Ending::kAnswered) spend(f, *by, f.call.usage, used);
    TokenUsage read;  // providers charge for what they have read, be the answer heard or not
    read.input = f.call.usage.input;
    if (dropped != nullptr) spend(f, *dropped, read, used);
    f.reservation.settle(used);
    f.reservation = Reservation();
  }
  stage_.ended({f.call, how, by, f.attempts, now() - f.began, f.direction, f.candidates, f.passed, f.hedge_sent, how == Ending::kAnswered && f.at == f.hedge_at, dropped});
  f.call.key.reset();
  --under_way_;
  free_.push_back(&f);
  wake();
}

}  // namespace llmrouter::core
