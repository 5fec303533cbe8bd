// Whose turn it is: the candidates of a call in their order, and who comes after a failure.
#include <algorithm>
#include <utility>

#include "core/call_state.h"
#include "core/wishes.h"

namespace llmrouter {

using core::Candidate;

// Who could be asked, in which order.
Result<void> Call::State::place() {
  if (auto known = core::check_wishes(*snap_, wishes_, key_.get()); !known) return core::in_header_words(std::move(known).error(), options_, wishes_);
  auto resolved = core::resolve_wish(*snap_, asked_, options_.forced_provider, wishes_, key_.get());
  if (!resolved) return core::in_header_words(std::move(resolved).error(), options_, wishes_);
  resolved_ = std::move(*resolved);
  const auto& affinity = snap_->config.routing.affinity;
  const core::Route* route = resolved_.route;
  const bool hashes = route != nullptr && core::balancer_of(*snap_, *route, &wishes_).wants_affinity();
  if ((snap_->affinity && wishes_.cache) || hashes) affinity_ = core::affinity_of(affinity.by, key_.get(), facts_, body_, client_ ? nullptr : chat_.get(), options_.headers);
  core::Ask first = ask();
  if (affinity_ != 0 && snap_->affinity && wishes_.cache && route != nullptr) {
    session_ = stable_hash(route->name, affinity_);
    first.home = home_ = snap_->affinity->find(session_, began_);
  }
  const bool anybody = core::append_first(*snap_, resolved_, asked_, first, candidates_);
  if (resolved_.route != nullptr) order_.fallbacks.visited(resolved_.route);
  if (!anybody) {
    Error why = core::nobody(*snap_, candidates_, asked_, asking());
    if (why.code != ErrorCode::kContextLengthExceeded || !fall_back_for(why.code)) {
      decoded();  // to name the field as the client does
      return core::in_header_words(in_clients_words(std::move(why)), options_, wishes_);
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

size_t Call::State::choose() {
  return order_.choose(*snap_, candidates_, [this] { return ask(); });
}

void Call::State::next_attempt() {
  const int most = core::most_attempts(snap_->config.routing);
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
  free_retry_ = core::fall_back_for(fault, *snap_, wishes_, attempts_, at_->current, order_, candidates_, [this] { return ask(); });
  return free_retry_;
}

bool Call::State::content_goes_on() const {
  return facts_.n <= 1 && core::list_for(ErrorCode::kContentPolicy, *snap_, wishes_, attempts_, candidates_[at_->current]) != nullptr;
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
  const TimePoint t = now();
  c.not_before = t + error.retry_after;
  bool credential_fault = false;
  switch (error.code) {
    case ErrorCode::kUpstreamRateLimited:
      credential_fault = true;
      if (error.retry_after > Duration(0)) blocked_by(limit_of_attempt(), c.not_before);
      break;
    case ErrorCode::kUpstreamCredentialsRejected:
      credential_fault = true;
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
  const int most = core::most_attempts(snap_->config.routing);
  if (credential_fault && c.provider->credentials.size() > 1 && attempts_ < most) {
    if (attempts_ + 1 == most && order_.somebody_new(*snap_, candidates_, [this] { return ask(); })) {
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

Error Call::State::final_error() const {
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
