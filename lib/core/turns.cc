// Whose turn it is: the candidates of a call in their order, and who comes after a failure.
#include <algorithm>
#include <utility>

#include "core/call_state.h"
#include "core/key_pool.h"
#include "core/wishes.h"
#include "llmrouter/pattern.h"

namespace llmrouter {

using core::Candidate;

// Who could be asked, in which order.
Result<void> Call::State::place() {
  if (auto known = core::check_wishes(*snap_, wishes_, key_.get()); !known) return core::in_words_of(std::move(known).error(), options_, wishes_, direction_.rule);
  auto resolved = core::resolve_wish(*snap_, asked_, options_.forced_provider, wishes_, key_.get());
  if (!resolved) return core::in_words_of(std::move(resolved).error(), options_, wishes_, direction_.rule);
  resolved_ = std::move(*resolved);
  const auto& by = snap_->config.routing.affinity.by;
  const core::Route* route = resolved_.route;
  const ChatRequest* neutral = client_ ? nullptr : chat_.get();
  if (snap_->affinity && wishes_.cache) affinity_ = core::affinity_of(by, key_.get(), facts_, body_, neutral, options_.headers);
  const uint64_t together = affinity_;
  if (affinity_ == 0 && route != nullptr && core::balancer_of(*snap_, *route, &wishes_).wants_affinity()) {
    affinity_ = core::identity_of(by, key_.get(), facts_, body_, neutral, options_.headers);
  }
  core::Ask first = ask();
  if (together != 0 && route != nullptr) {
    session_ = stable_hash(route->name, together);
    first.home = home_ = snap_->affinity->find(session_, began_);
  }
  const bool anybody = core::append_first(*snap_, resolved_, asked_, first, candidates_);
  if (resolved_.route != nullptr) order_.fallbacks.visited(resolved_.route);
  if (!anybody) {
    Error why = core::nobody(*snap_, candidates_, asked_, asking());
    if (why.code != ErrorCode::kContextLengthExceeded || !fall_back_for(why.code)) {
      decoded();  // to name the field as the client does
      return core::in_words_of(in_clients_words(std::move(why)), options_, wishes_, direction_.rule);
    }
  }
  const bool there = std::any_of(candidates_.begin(), candidates_.end(), [this](const Candidate& c) {
    return c.id == home_ && !c.out && c.reason != StepReason::kCoolingDown;
  });
  if (!there) home_ = 0;
  return {};
}

core::Ask Call::State::ask() {
  core::Ask ask = asking();
  ask.seed = router_.draw();
  return ask;
}

core::Ask Call::State::asking() const {
  core::Ask ask;
  if (operation_ == Operation::kChat && core::needs_abilities(facts_)) ask.facts = &facts_;
  if (!wishes_.empty()) ask.wishes = &wishes_;
  ask.dialect = client_dialect_;
  ask.relays = facts_.relayable;
  ask.affinity = affinity_;
  ask.key = key_.get();
  ask.forced = options_.forced_provider;
  ask.input_tokens = facts_.input_tokens;
  ask.max_output = core::tokens_of_all(facts_.max_tokens.value_or(0), facts_.n);
  ask.now = now();
  ask.wall = record_.time;
  return ask;
}

core::Ask Call::State::ask_later() {
  if (affinity_ == 0) affinity_ = core::identity_of(snap_->config.routing.affinity.by, key_.get(), facts_, body_, client_ ? nullptr : chat_.get(), options_.headers);
  return ask();
}

size_t Call::State::choose() {
  return order_.choose(*snap_, candidates_, [this] { return ask_later(); });
}

void Call::State::next_attempt() {
  const int most = most_attempts();
  if (owes_reservation_ && !(has_turn_ && reserve_again())) {
    if (wait_for_limit()) return;
    if (std::exchange(has_turn_, false)) pass_turn_on();
    return fail(final_error());
  }
  while (attempts_ < most && !out_of_retries_) {
    const size_t index = choose();
    if (index == kNone) break;
    if (start_attempt(index)) {
      if (std::exchange(has_turn_, false)) pass_turn_on();
      return;
    }
  }
  Duration wait{0};
  if (const auto& why = committed_ ? cut_error_ : last_error_; why && out_of_retries_) why->message += "; not tried again: the retry budget (routing.retry_budget) is used up";
  if (attempts_ > 0 && attempts_ < most && !out_of_retries_) {
    const size_t index = again(&wait);
    if (index != kNone) {
      at_->current = index;
      return later(wait, &State::retry_current);
    }
  }
  if (attempts_ == 0) come_back();
  if (attempts_ < most && !out_of_retries_ && !committed_ && wait_for_limit()) return;
  if (std::exchange(has_turn_, false)) pass_turn_on();
  if (nobody_counts()) return starting_ ? later(Duration(0), &State::deliver_estimate) : deliver_estimate();
  fail(final_error());
}

void Call::State::retry_current() {
  if (!start_attempt(at_->current)) {
    candidates_[at_->current].out = true;
    next_attempt();
  }
}

size_t Call::State::again(Duration* wait) const {
  return core::worth_another(candidates_, snap_->config.routing.backoff, now(), deadline_, [this] { return router_.draw(); }, wait);
}

bool Call::State::fall_back_for(ErrorCode fault) {
  free_retry_ = core::fall_back_for(fault, *snap_, wishes_, attempts_ - unserved_, at_->current, order_, candidates_, [this] { return ask_later(); });
  if (free_retry_ && attempts_ > 0 && unserved_ < core::kMostUnserved) ++unserved_;
  return free_retry_;
}

bool Call::State::content_goes_on() const {
  return facts_.n <= 1 && core::list_for(ErrorCode::kContentPolicy, *snap_, wishes_, attempts_ - unserved_, candidates_[at_->current]) != nullptr;
}

namespace {

constexpr int kConflict = 409;

}  // namespace

// An attempt failed, and another may be made: nothing was passed on, or an answer that goes on elsewhere. `at_->current` is its candidate.
void Call::State::handle_failure(Error error) {
  Candidate& c = candidates_[at_->current];
  if (committed_) {
    if (!is_beginning(error)) return break_off(std::move(error));
    if (spent_all_tokens()) return end_by_length();
    if (!is_targets_fault(error.code)) {  // it does not take what was begun
      c.out = true;
      return next_attempt();
    }
  }
  if (core::is_kept_elsewhere(error)) return ask_who_kept_it(std::move(error));
  const TimePoint t = now();
  c.not_before = t + error.retry_after;
  const bool by_other_key = core::other_key_may(error, c, at_->credential) && !at_->though_resting;  // for want of another one is asked, not all of them
  switch (error.code) {
    case ErrorCode::kUpstreamRateLimited:
      if (error.retry_after > Duration(0)) blocked_by(limit_of_attempt(), c.not_before);
      limited(static_cast<size_t>(&c - candidates_.data()), at_->credential, error.retry_after);
      if (by_other_key && error.retry_after > Duration(0)) c.not_before = core::KeyWalk(*c.provider, c.model, c.too_dear_for, t).limited_until();
      break;
    case ErrorCode::kUpstreamCredentialsRejected:
      c.out = true;
      break;
    case ErrorCode::kUpstreamError:
    case ErrorCode::kUpstreamTimeout:
      break;
    case ErrorCode::kUpstreamRejected:
      if (error.upstream_status != kConflict) return fail(std::move(error));
      break;  // of another request's, not a fault of this one
    case ErrorCode::kContextLengthExceeded:
    case ErrorCode::kContentPolicy:
      drop_other("its request was refused elsewhere");
      if (!fall_back_for(error.code)) return fail(std::move(error));
      last_error_ = std::make_unique<Error>(std::move(error));
      return next_attempt();
    default:
      return fail(std::move(error));  // the request's own fault: no other target would take it either
  }
  last_error_ = std::make_unique<Error>(std::move(error));
  if (Attempt* other = other_in_flight()) return lead_is(other);
  // The credential's fault: the same target by another one, at once. The last attempt is for who was not asked yet, where there is somebody.
  const int most = most_attempts();
  if (by_other_key && attempts_ < most) {
    if (attempts_ + 1 == most && order_.somebody_new(*snap_, candidates_, [this] { return ask_later(); })) {
      Candidate& mine = candidates_[at_->current];
      mine.out = mine.considered = false;  // its other keys are there when nobody new can be asked
      return next_attempt();
    }
    const bool was_out = std::exchange(candidates_[at_->current].out, false);  // the list may have grown
    if (start_attempt(at_->current)) return;
    candidates_[at_->current].out = was_out;
  }
  next_attempt();
}

// What is heard last of one counts, and not what it said before.
void Call::State::limited(size_t candidate, int credential, Duration wait) {
  const auto same = [&](const Limited& l) { return l.candidate == candidate && l.credential == credential; };
  limited_.erase(std::remove_if(limited_.begin(), limited_.end(), same), limited_.end());
  if (wait > Duration(0)) limited_.push_back({candidate, credential, now() + wait});
}

// Nothing was served, so that it costs no try and nobody's budget, up to a bound: whoever made the name up has every key asked. The provider's words reach the
// caller where nobody knows more, unless one of those asked could not say.
void Call::State::ask_who_kept_it(Error error) {
  if (!last_error_ || !is_targets_fault(last_error_->code)) last_error_ = std::make_unique<Error>(std::move(error));
  const auto& pool = at_->provider->credentials;
  if (at_->credential >= 0) know_nothing_.push_back(&pool[static_cast<size_t>(at_->credential)]);
  const bool unserved = unserved_ < core::kMostUnserved;
  if (unserved) ++unserved_;
  Candidate& c = candidates_[at_->current];
  c.out = true;
  if (Attempt* other = other_in_flight()) return lead_is(other);
  free_retry_ = unserved;
  const TimePoint t = now();
  const bool more = std::any_of(pool.begin(), pool.end(), [&](const core::CredentialRuntime& k) {
    return !knows_nothing(k) && !k.health->resting(t) && pattern_list_match(k.config->models, c.model);
  });
  if (more && attempts_ < most_attempts()) {
    candidates_[at_->current].out = false;
    if (start_attempt(at_->current)) return;
    candidates_[at_->current].out = true;
  }
  next_attempt();
}

int Call::State::most_attempts() const noexcept { return core::most_attempts(snap_->config.routing) + unserved_; }

bool Call::State::knows_nothing(const core::CredentialRuntime& credential) const noexcept {
  return std::find(know_nothing_.begin(), know_nothing_.end(), &credential) != know_nothing_.end();
}

uint64_t Call::State::without(const Candidate& c) const noexcept {
  uint64_t bits = c.too_dear_for;
  const auto& pool = c.provider->credentials;
  for (size_t i = 0; !know_nothing_.empty() && i < std::min<size_t>(pool.size(), 64); ++i) {
    if (knows_nothing(pool[i])) bits |= uint64_t{1} << i;
  }
  return bits;
}

Error Call::State::final_error() const {
  Error error = main_error();
  // Whoever it was that failed last: the next call may be served by another of those that stood at a limit.
  if (core::is_limit(error) && !limited_.empty()) {
    const auto earlier = [](const Limited& a, const Limited& b) { return a.until < b.until; };
    const TimePoint soonest = std::min_element(limited_.begin(), limited_.end(), earlier)->until;
    error.retry_after = std::max(std::chrono::milliseconds(1), std::chrono::ceil<std::chrono::milliseconds>(soonest - now()));
  }
  return error;
}

Error Call::State::main_error() const {
  if (attempts_ > 0 && last_error_) return *last_error_;
  if (skip_error_) return *skip_error_;  // it may work later: better news than a refusal
  if (!refusals_.empty()) return joined_refusals();
  return Error(ErrorCode::kNoTarget, "no target of model \"" + asked_ + "\" can take this request now");
}

// What cannot be expressed, and by which models: a reason that several share is told once.
Error Call::State::joined_refusals() const {
  constexpr size_t kMostNamed = 8;
  Error error = refusals_.front().error;
  std::string words;
  for (size_t i = 0; i < refusals_.size(); ++i) {
    const std::string& reason = refusals_[i].error.message;
    const auto same = [&](const Refusal& r) { return r.error.message == reason; };
    if (std::any_of(refusals_.begin(), refusals_.begin() + static_cast<std::ptrdiff_t>(i), same)) continue;
    words.append(words.empty() ? "" : "; ").append(reason);
    const char* before = " (";
    size_t named = 0, more = 0;
    for (size_t k = i; k < refusals_.size(); ++k) {
      if (!same(refusals_[k])) continue;
      if (++named > kMostNamed) {
        ++more;
        continue;
      }
      words.append(before).append(refusals_[k].model);
      before = ", ";
    }
    words += more == 0 ? ")" : " and " + std::to_string(more) + " more)";
  }
  error.message = std::move(words);
  return error;
}

}  // namespace llmrouter
