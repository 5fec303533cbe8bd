// One upstream exchange: choose a credential, reserve, send, watch the time, account.
#include <algorithm>
#include <utility>

#include "core/call_state.h"
#include "core/key_pool.h"

namespace llmrouter {

using core::Candidate;
using core::CredentialRuntime;
using core::RestReason;

namespace {

// After its last word the end of an answer's body is still waited for, so that the connection can be kept: it comes with the word or at once behind it.
constexpr Duration kEndGrace = std::chrono::milliseconds(250);

}  // namespace

bool Call::State::start_attempt(size_t index) {
  at_->current = index;
  Candidate& c = candidates_[index];
  at_->provider = c.provider;
  if (committed_ && prefill_of(c) == Prefill::kNone) {
    c.out = true;
    skip(c, Error(ErrorCode::kNotSupported, "provider " + c.provider->config.name + ": model \"" + std::string(c.model) + "\" does not go on from an answer that was begun"));
    return false;
  }
  if (fetch_media(index)) return true;
  if (passed_over(c) || !pick_credential(c)) return false;
  auto encoded = encode_attempt(c);
  if (!encoded) {
    c.out = true;
    skip(c, std::move(encoded).error());
  }
  if (!encoded || !may_retry()) {
    at_->reservation.settle({0, 0, 0});
    at_->reservation = Reservation();
    let_probes_go();
    return false;
  }
  if (committed_) begin_joint();
  at_->asked = index;
  at_->number = ++attempts_;
  ++c.tried;
  at_->in_flight = true;
  at_->hedge = false;
  at_->unreached = false;
  at_->payload_seen = at_->done_seen = at_->in_thought = at_->filtered = at_->refused = false;
  at_->held_bytes.clear();
  at_->held_events.clear();
  at_->stream_error.reset();
  at_->usage = TokenUsage();
  at_->payload_frames = at_->payload_bytes = 0;
  at_->call_bytes = 0;
  at_->exchanges = 1;
  at_->began = now();
  if (attempts_ == 1) sent_ = at_->began;
  if (attempts_ > 1) router_.counters.retries.fetch_add(1, std::memory_order_relaxed);
  at_->provider->shared->in_flight.fetch_add(1, std::memory_order_relaxed);
  at_->provider->shared->attempts.fetch_add(1, std::memory_order_relaxed);
  core::TargetState& state = c.begin(at_->began);
  state.stats.started();
  if (&state == &at_->provider->shared->named.shared()) at_->provider->shared->crowded.fetch_add(1, std::memory_order_relaxed);
  if (session_ != 0 && home_ == 0 && c.id != 0 && !hedged_) {
    snap_->affinity->put(session_, c.id, now() + snap_->config.routing.affinity.ttl);  // before it answers: what comes meanwhile joins it
  }
  send_exchange();
  arm_hedge();
  return true;
}

void Call::State::send_exchange() {
  at_->collecting = false;
  at_->second_value = {};
  at_->status = 0;
  at_->collected.clear();
  at_->reply_type.clear();
  at_->exchange_began = at_->last_bytes = now();
  at_->encoded.http.connect_timeout = at_->provider->timeouts.connect;
  at_->encoded.http.stream = facts_.stream;
  at_->encoded.http.endpoint = at_->provider->endpoint;
  if (at_->credential >= 0) at_->encoded.http.tokens = at_->provider->credentials[static_cast<size_t>(at_->credential)].tokens;
  at_->transfer = transport_.start(std::move(at_->encoded.http), *at_);
  arm_watch();
}

// Not asked: said in the record, and the answer when nobody could be asked.
void Call::State::skip(Candidate& c, Error error) {
  const bool better = !skip_error_ || core::is_better_news(error, *skip_error_);
  if (core::is_limit(error)) limited(static_cast<size_t>(&c - candidates_.data()), kNotAsked, error.retry_after);
  if (has_turn_) {  // recorded when it began to wait
    if (better) skip_error_ = std::make_unique<Error>(std::move(error));
    return;
  }
  AttemptRecord a;
  a.provider = c.provider->config.name;
  a.model = c.model;
  a.started_ms = std::chrono::duration_cast<std::chrono::milliseconds>(now() - began_).count();
  a.outcome = "skipped";
  a.reason = error.message;
  a.detail = error.detail;
  record_.attempts.push_back(std::move(a));
  if (error.code == ErrorCode::kInvalidRequest) {
    refusals_.push_back({c.provider->config.name + "/" + std::string(c.model), std::move(error)});
    return;
  }
  if (better) skip_error_ = std::make_unique<Error>(std::move(error));
}

bool Call::State::reserve_attempt(const CredentialRuntime* credential, Denial* denial) {
  // The model's own limits were reserved with the call, unless this target came by a fallback or a selector.
  const core::Route* route = candidates_[at_->current].route;
  LimitBucket* buckets[3] = {at_->provider->bucket, credential != nullptr ? credential->bucket : nullptr,
                             route != nullptr && route != resolved_.route ? route->bucket : nullptr};
  if (buckets[0] == nullptr && buckets[1] == nullptr && buckets[2] == nullptr) return true;
  Demand demand;
  demand.tokens = charged_input() + core::tokens_of_all(facts_.max_tokens.value_or(0), facts_.n);
  const std::string& name = at_->provider->config.name;
  if (router_.room.occupied() && (must_queue("provider:" + name) || (credential != nullptr && must_queue("credential:" + name + '/' + credential->config->name)))) {
    denial->bucket = "provider:" + name;
    denial->kind = LimitKind::kConcurrent;
    denial->words = "others wait for provider " + name;
    blocked_by(*denial);
    return false;
  }
  at_->reserved_tokens = demand.tokens;
  at_->reservation = router_.parts.limiter->reserve(buckets, 3, demand, denial);
  if (!at_->reservation.active()) blocked_by(*denial);
  return at_->reservation.active();
}

// By the weights of those that may serve. Where none may, what is told is when the first of them can.
bool Call::State::pick_credential(Candidate& c) {
  Denial denial;
  at_->though_resting = false;
  const auto& pool = at_->provider->credentials;
  if (pool.empty()) {
    at_->credential = -1;
    if (reserve_attempt(nullptr, &denial)) return true;
    skip(c, refusal(denial));
    let_probes_go();
    return false;
  }
  const TimePoint t = now();
  core::KeyWalk walk(*at_->provider, c.model, without(c), t);
  Error why;
  const auto take = [&](size_t key) {
    if (!reserve_attempt(&pool[key], &denial)) {
      if (Error error = refusal(denial); core::is_better_news(error, why)) why = std::move(error);
      return false;
    }
    at_->credential = static_cast<int>(key);
    at_->key_probe = pool[key].health->take_probe(t);
    return true;
  };
  for (size_t key = walk.next(); key != walk.kNoKey; key = walk.next()) {
    if (take(key)) return true;
  }
  if (const size_t key = walk.least_refused(); key != walk.kNoKey) {
    if (!order_.last_resort) {  // there may be others
      c.reason = StepReason::kCoolingDown;
      c.considered = false;
      let_probes_go();
      return false;
    }
    if (take(key)) return at_->though_resting = true;
  }
  for (size_t key = 0; key < pool.size(); ++key) {
    if (!walk.suits(key)) continue;
    if (Error error = resting_key(key, walk.rest_of(key)); core::is_better_news(error, why)) why = std::move(error);
  }
  if (why.code == ErrorCode::kNone) {
    why = Error(ErrorCode::kNoTarget, "provider " + at_->provider->config.name + ": no " + (without(c) != 0 ? "other " : "") +
                                          "credential may be used for model \"" + std::string(c.model) + "\"");
  }
  skip(c, std::move(why));
  let_probes_go();
  return false;
}

// kNone: it does not rest.
Error Call::State::resting_key(size_t key, const core::KeyRest& rest) {
  if (!rest.resting) return {};
  const std::string& provider = at_->provider->config.name;
  const bool limited = rest.why == RestReason::kRateLimited;
  Error error(limited ? ErrorCode::kUpstreamRateLimited : ErrorCode::kUpstreamCredentialsRejected,
              "provider " + provider + ": " + (limited ? "rate limited, and said when to come back" : "its credentials were refused or are out of quota"));
  if (limited) blocked_by("credential:" + provider + '/' + at_->provider->credentials[key].config->name, rest.until);
  if (rest.until > now()) error.retry_after = std::chrono::ceil<std::chrono::milliseconds>(rest.until - now());
  return error;
}

bool Call::State::awaits_first() const noexcept {
  return in_pieces() && at_->status < 300 && !at_->collecting ? !at_->payload_seen : at_->status == 0;
}

// By its provider's own total; the routing's is the call's.
TimePoint Call::State::attempt_ends() const noexcept {
  const Duration total = at_->provider->config.timeouts.total;
  return total > Duration(0) ? at_->began + total : TimePoint::max();
}

// One timer watches first for the first token, then for silence between bytes. It is not moved for each chunk: when it fires it looks when
// the last bytes came and goes back to sleep.
void Call::State::arm_watch() {
  reactor_.cancel_timer(at_->watch_timer);
  at_->watch_timer = 0;
  const Timeouts& t = at_->provider->timeouts;
  at_->watching_first = awaits_first();
  TimePoint due = attempt_ends();
  if (at_->watching_first) {
    const Duration first = t.first_token > Duration(0) ? t.first_token : facts_.stream ? core::kFirstTokenOfStreams : Duration(0);
    if (first > Duration(0)) due = std::min(due, at_->exchange_began + first);
  } else if (t.idle > Duration(0)) {
    due = std::min(due, (at_->paused ? now() : at_->last_bytes) + t.idle);
  }
  if (at_->done_seen && !at_->paused) due = std::min(due, at_->done_at + kEndGrace);
  if (due == TimePoint::max()) return;
  at_->watch_timer = reactor_.add_timer(due, [attempt = at_] {
    State& call = attempt->entered();
    Guard guard(&call);
    attempt->watch_timer = 0;
    call.on_watch();
  });
}

void Call::State::on_watch() {
  if (ended_ || !at_->in_flight) return;
  if (at_->done_seen && !at_->paused && at_->done_at + kEndGrace <= now()) return finish_early();
  const Timeouts& t = at_->provider->timeouts;
  if (attempt_ends() <= now()) return stall("total", at_->provider->config.timeouts.total);
  if (at_->watching_first && awaits_first()) return stall("first_token", t.first_token > Duration(0) ? t.first_token : core::kFirstTokenOfStreams);
  if (!awaits_first() && !at_->paused && t.idle > Duration(0) && at_->last_bytes + t.idle <= now()) return stall("idle", t.idle);
  arm_watch();
}

void Call::State::stall(std::string_view which, Duration limit) {
  if (at_->done_seen) return finish_early();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
  Error error(ErrorCode::kUpstreamTimeout, "timeout: " + std::string(which) + (which == "total" ? ": no complete answer within " : ": nothing came within ") +
                                               (ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms"));
  attempt_failed(std::move(error), "timeout");
}

void Call::State::end_attempt(std::string_view outcome, std::string_view reason, bool learn, std::string_view detail) {
  at_->in_flight = false;
  const TimePoint t = now();
  const bool ok = outcome == "ok";
  Candidate& c = candidates_[at_->current];
  core::ProviderShared& shared = *at_->provider->shared;
  shared.in_flight.fetch_sub(1, std::memory_order_relaxed);
  reactor_.cancel_timer(at_->watch_timer);
  at_->watch_timer = 0;
  if (ok) {
    c.enter(t).health.succeeded(t, snap_->config.routing.cooldown);
    // Who answers in place of a busy home does not become it.
    if (session_ != 0 && c.id != 0) {
      const bool overflow = home_ != 0 && c.id != home_ && attempts_ == 1;
      snap_->affinity->put(session_, overflow ? home_ : c.id, t + snap_->config.routing.affinity.ttl);
    }
    if (at_->credential >= 0) {
      core::CredentialHealth& key = *at_->provider->credentials[static_cast<size_t>(at_->credential)].health;
      if (at_->though_resting) key.recovered(c.model);
      else key.succeeded(t);
    }
  } else if (outcome != "cancelled") {
    shared.failures.fetch_add(1, std::memory_order_relaxed);
    shared.set_last_error(with_detail(reason, detail));
  }
  const int64_t cost = charge_attempt(outcome);
  account_hedge(ok, cost);
  if (at_->usage.known && !at_->usage.estimated && at_->usage.input > 0 && !joint_) c.enter(t).unseen_input.counted(charged_input(), at_->usage.input, router_.clock().wall());
  let_probes_go();  // succeeded(), failed() and rest() have judged by now, where there was something to judge
  if (!learn) {
    c.enter(t).stats.cancelled();
  } else {
    AttemptSample sample;
    sample.ok = ok;
    if (facts_.stream && at_->payload_frames > 0) sample.first_token = at_->first_token - at_->began;
    sample.total = t - at_->began;
    sample.input_tokens = at_->usage.input;
    sample.cached_tokens = at_->usage.cached;
    sample.output_tokens = at_->usage.output;
    c.enter(t).stats.ended(sample, t);
  }
  if (at_->reservation.active()) {
    const int64_t tokens = at_->usage.input + at_->usage.output;
    at_->reservation.settle({at_->exchanges, is_guess(at_->usage) ? std::max(tokens, at_->reserved_tokens) : tokens, 0});  // as in settle()
    at_->reservation = Reservation();
    wake_waiting(c, at_->credential);
  }
  AttemptRecord a;
  a.provider = at_->provider->config.name;
  a.model = c.model;
  if (at_->credential >= 0) a.credential = at_->provider->credentials[static_cast<size_t>(at_->credential)].config->name;
  a.started_ms = std::chrono::duration_cast<std::chrono::milliseconds>(at_->began - began_).count();
  a.duration_ms = std::chrono::duration_cast<std::chrono::milliseconds>(t - at_->began).count();
  a.outcome = outcome;
  a.http_status = at_->status;
  a.reason = reason;
  a.detail = detail;
  a.cost_nano_usd = cost;
  record_.attempts.push_back(std::move(a));
}

// Else it is the request's.
bool Call::State::is_targets_fault(ErrorCode code) noexcept {
  return code == ErrorCode::kUpstreamError || code == ErrorCode::kUpstreamTimeout || code == ErrorCode::kUpstreamRateLimited ||
         code == ErrorCode::kUpstreamCredentialsRejected;
}

namespace {

// Who failed, for the caller: the words of a target's fault are its own or the transport's, and name nobody. Refusals of the request stay as they came.
std::string named(const std::string& provider, std::string_view model, const std::string& words) {
  constexpr size_t kMostOfName = 200;
  return "provider " + provider + ", model " + std::string(model.substr(0, kMostOfName)) + ": " + words;
}

}  // namespace

void Call::State::attempt_failed(Error error, std::string_view outcome) {
  at_->let_go();
  if (error.provider.empty()) error.provider = at_->provider->config.name;
  judge(error);
  // These two go on by lists of their own: a record says which of them it was.
  const bool refused = error.code == ErrorCode::kContextLengthExceeded || error.code == ErrorCode::kContentPolicy;
  end_attempt(outcome, refused ? std::string(code_name(error.code)) + ": " + error.message : error.message, is_targets_fault(error.code),
              error.detail);
  router_.logger().log(LogLevel::kWarn, "attempt failed",
                       {{"request_id", record_.request_id}, {"provider", at_->provider->config.name}, {"model", candidates_[at_->current].model},
                        {"code", code_name(error.code)}, {"error", error.in_full()}});
  if (is_targets_fault(error.code)) error.message = named(at_->provider->config.name, candidates_[at_->current].model, error.message);
  handle_failure(std::move(error));
}

}  // namespace llmrouter
