#include "core/rehearsal.h"

#include <algorithm>
#include <utility>

#include "core/rehearsal_flight.h"
#include "core/wishes.h"

namespace llmrouter::core {

Rehearsal::Rehearsal(std::shared_ptr<const Snapshot> snapshot, const Overlay& overlay, RateLimiter& limiter, ManualClock& clock, Stage& stage, uint64_t seed)
    : snapshot_(std::move(snapshot)), overlay_(overlay), limiter_(limiter), clock_(clock), stage_(stage), seed_(seed), probes_(*snapshot_, limiter, stage, clock.now(), seed) {}

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
  for (;;) {
    const TimePoint at = due_.empty() ? TimePoint::max() : TimePoint(Duration(due_.top().at)), probe = probes_.next();
    if (std::min(at, probe) > until) break;
    if (std::min(at, probe) > now()) clock_.advance(std::min(at, probe) - now());
    if (probe <= at) {
      probes_.pass(probe);
      continue;
    }
    const Due due = due_.top();
    due_.pop();
    Flight& f = *due.flight;
    if (due.stamp != f.timers[due.timer].stamp) continue;
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
  f.free_retry = fall_back_for(fault, *snapshot_, f.wishes, f.attempts - f.unserved, f.mine().current, f.order, f.candidates, [&] { return ask_of(f); });
  if (f.free_retry && f.attempts > 0 && f.unserved < kMostUnserved) ++f.unserved;
  return f.free_retry;
}

void Rehearsal::next_attempt(Flight& f) {
  const int most = most_attempts(snapshot_->config.routing) + f.unserved;
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
