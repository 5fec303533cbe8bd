// Attempts in a rehearsal: what is sent, what comes of it, and what is learned from it.
#include <algorithm>
#include <utility>

#include "core/key_pool.h"
#include "core/rehearsal_flight.h"

namespace llmrouter::core {

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
  c.look_again(t);
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

// Weights decide whose turn it is, rests and limits who is passed over.
bool Rehearsal::pick_credential(Flight& f, Candidate& c) {
  const auto& pool = c.provider->credentials;
  if (pool.empty()) return reserve_attempt(f, c, nullptr);
  f.mine().though_resting = false;
  const auto take = [&](size_t key) {
    if (!reserve_attempt(f, c, &pool[key])) return false;
    f.mine().credential = static_cast<int>(key);
    f.mine().key_probe = pool[key].health->take_probe(now());
    return true;
  };
  KeyWalk walk(*c.provider, c.model, c.too_dear_for, now());
  for (size_t key = walk.next(); key != walk.kNoKey; key = walk.next()) {
    if (take(key)) return true;
  }
  if (const size_t key = walk.least_refused(); key != walk.kNoKey) {
    if (!f.order.last_resort) {
      c.reason = StepReason::kCoolingDown;
      c.considered = false;
      pass_over(f, f.mine().current, Passed::kResting);
      return false;
    }
    if (take(key)) return f.mine().though_resting = true;
  }
  for (size_t key = 0; key < pool.size(); ++key) {
    const KeyRest rest = walk.suits(key) ? walk.rest_of(key) : KeyRest();
    if (!rest.resting) continue;
    if (rest.why == RestReason::kRateLimited) blocked(f, rest.until);
    pass_over(f, f.mine().current, Passed::kResting);
  }
  return false;
}

// What the timeouts leave of it: the first of them to come makes it a failure. As Call::State::on_watch() has them.
Acting Rehearsal::in_time(Acting acting, const ProviderRuntime& provider, bool stream, Duration left) const {
  const Timeouts& timeouts = provider.timeouts;
  const auto fails_after = [&](Duration limit, bool final) {
    const Duration first_token = final ? acting.first_token : Duration(0);
    acting = Acting();
    acting.code = ErrorCode::kUpstreamTimeout;
    acting.first_token = first_token;
    acting.total = limit;
    acting.final = final;
  };
  if (acting.connecting && timeouts.connect > Duration(0)) acting.total = std::min(acting.total, timeouts.connect);
  if (acting.silence > timeouts.idle && timeouts.idle > Duration(0)) acting.total -= std::min(acting.total, acting.silence - timeouts.idle);
  const bool spoken = stream && acting.first_token > Duration(0);
  const bool never_said = stream && acting.first_token == Duration(0);  // records of streams need not say when the first token came
  const Duration patience = timeouts.first_token > Duration(0) ? timeouts.first_token : stream ? kFirstTokenOfStreams : Duration(0);
  if (patience > Duration(0) && !never_said && (spoken ? acting.first_token : acting.total) > patience) fails_after(patience, false);
  const Duration total = provider.config.timeouts.total;
  if (total > Duration(0) && acting.total > total) fails_after(total, spoken && acting.first_token <= total);
  if (acting.total > left) fails_after(left, true);
  return acting;
}

void Rehearsal::send(Flight& f, Candidate& c) {
  const TimePoint t = now();
  ++f.attempts;
  ++c.tried;
  f.mine().began = t;
  c.begin(t).stats.started();
  if (f.session != 0 && f.home == 0 && c.id != 0) snapshot_->affinity->put(f.session, c.id, t + snapshot_->config.routing.affinity.ttl);
  f.mine().acting = stage_.act(f.call, c, f.mine().credential, t);
  f.mine().acting = in_time(f.mine().acting, *c.provider, f.call.stream, f.deadline - t);
  f.mine().in_flight = true;
  const HedgeConfig& hedge = snapshot_->config.routing.hedge;
  const bool speaks_first = may_hedge(hedge) && (f.mine().acting.code == ErrorCode::kNone || f.mine().acting.final) && f.call.stream && f.mine().acting.first_token > Duration(0);
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
  if (f.attempts == 1) f.hedging.earned = hedges_.earn(hedge.max_extra, expected_cost(*snapshot_, f.candidate(), asking(f)));
  const Duration after = hedge_after(hedge, f.candidate(), f.call.stream);
  if (after > Duration(0)) later(f, kHedge, f.mine().began + after, &Rehearsal::hedge);
}

// As Call::State::on_hedge().
void Rehearsal::hedge(Flight& f) {
  if (f.committed || f.hedged || !f.mine().in_flight || f.other().in_flight) return;
  if (f.attempts >= most_attempts(snapshot_->config.routing) + f.unserved) return;
  const size_t index = hedge_target(f.candidates, f.mine().current, now());
  const int64_t cost = expected_cost(*snapshot_, f.candidates[index], asking(f), &f.candidate().stats());
  if (!hedges_.spend(cost)) return;
  f.hedged = true;
  const int lead = f.at;
  f.at = 1 - lead;
  f.mine() = Attempt();
  f.candidates[index].considered = true;
  if (start(f, index)) {
    f.hedge_sent = true;
    f.hedge_at = f.at;
    f.hedging.spent = std::max<int64_t>(0, cost);
    f.hedge_beside = f.other().current;
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
  TargetStats& stats = c.enter(now()).stats;
  stats.took_at_least(f.call.stream, now() - loser.began);
  stats.cancelled();
  let_probes_go(f);
  if (loser.reservation.active()) {
    loser.reservation.settle({1, f.call.usage.input, 0});
    loser.reservation = Reservation();
  }
  f.dropped = loser.current;
  account_hedge(f, c, false, true);
  f.at = 1 - f.at;
}

// As Call::State::account_hedge(). A failed attempt costs nothing; one that was let go what it has read.
void Rehearsal::account_hedge(Flight& f, const Candidate& c, bool ok, bool let_go) {
  TokenUsage usage;
  if (ok) usage = f.call.usage;
  if (let_go) usage.input = f.call.usage.input;
  Demand used;
  spend(f, c, usage, used);
  const bool is_hedge = f.hedge_sent && f.at == f.hedge_at;
  (is_hedge ? f.hedging.second : f.hedging.first) += used.nano_usd;
  if (!ok) {
    if (!let_go && !f.other().in_flight) hedges_.failed(f.hedging);
    return;
  }
  Demand alone;
  spend(f, is_hedge ? f.candidates[f.hedge_beside] : c, usage, alone);
  hedges_.answered(snapshot_->config.routing.hedge.max_extra, f.hedging, alone.nano_usd);
}

void Rehearsal::attempt_ends(Flight& f) {
  f.mine().in_flight = false;
  Candidate& c = f.candidate();
  const TimePoint t = now();
  const bool ok = f.mine().acting.code == ErrorCode::kNone;
  const bool own_fault = !ok && f.mine().acting.code != ErrorCode::kUpstreamError && f.mine().acting.code != ErrorCode::kUpstreamTimeout &&
                         f.mine().acting.code != ErrorCode::kUpstreamRateLimited && f.mine().acting.code != ErrorCode::kUpstreamCredentialsRejected;
  if (own_fault) {
    c.enter(t).stats.cancelled();
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
    c.enter(t).stats.ended(sample, t);
    if (ok) c.enter(t).unseen_input.counted(f.facts.input_tokens, f.call.usage.input, clock_.wall());
  }
  if (f.mine().reservation.active()) {
    f.mine().reservation.settle({1, ok ? f.call.usage.input + f.call.usage.output : 0, 0});
    f.mine().reservation = Reservation();
  }
  if (ok) drop_other(f);
  account_hedge(f, c, ok, false);
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
  c.enter(t).health.succeeded(t, routing.cooldown);
  c.provider->shared->reach.succeeded(t, routing.cooldown);
  if (f.session != 0 && c.id != 0) {
    const bool overflow = f.home != 0 && c.id != f.home && f.attempts == 1;
    snapshot_->affinity->put(f.session, overflow ? f.home : c.id, t + routing.affinity.ttl);
  }
  if (f.mine().credential >= 0) {
    CredentialHealth& key = *c.provider->credentials[static_cast<size_t>(f.mine().credential)].health;
    if (f.mine().though_resting) key.recovered(c.model);
    else key.succeeded(t);
  }
  let_probes_go(f);
  end(f, Ending::kAnswered, &c);
}

// As Call::State::handle_failure().
void Rehearsal::failed(Flight& f, Candidate& c) {
  Error error(f.mine().acting.code, {});
  error.retry_after = f.mine().acting.retry_after;
  if (f.mine().acting.out_of_quota) error.upstream_code = kOutOfQuotaCode;
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
  const bool by_other_key = other_key_may(error, c, f.mine().credential) && !f.mine().though_resting;
  if (limited && error.retry_after > Duration(0)) blocked(f, c.not_before);
  if (limited && error.retry_after > Duration(0) && by_other_key) c.not_before = KeyWalk(*c.provider, c.model, c.too_dear_for, now()).limited_until();
  if (f.other().in_flight) {  // it may still answer
    if (rejected) c.out = true;
    f.at = 1 - f.at;
    return;
  }
  // The credential's fault: the same target by another one, at once.
  const int most = most_attempts(snapshot_->config.routing) + f.unserved;
  if (by_other_key && f.attempts < most) {
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

void Rehearsal::let_probes_go(Flight& f) {
  if (std::exchange(f.mine().probe, false)) f.candidate().state->health.let_go();
  if (std::exchange(f.mine().key_probe, false)) f.candidate().provider->credentials[static_cast<size_t>(f.mine().credential)].health->let_go();
}

}  // namespace llmrouter::core
