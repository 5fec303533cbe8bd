// A call from its start to its end, whatever is between.
#include <algorithm>
#include <utility>

#include "core/call_state.h"
#include "core/chat_check.h"
#include "core/wishes.h"
#include "llmrouter/http_text.h"

namespace llmrouter {

namespace {

Result<void> check_options(const CallOptions& options) {
  if (!options.request_id.empty() && !is_request_id(options.request_id)) {
    return Error(ErrorCode::kInvalidRequest, "request_id: expected up to 128 letters, digits and -_.:/=+@", "request_id");
  }
  if (options.timeout < Duration(0)) return Error(ErrorCode::kInvalidRequest, "timeout: expected a duration, and not a negative one", "timeout");
  return {};
}

}  // namespace

Call::State::State(Router::Impl& router, Transport& transport, CallOptions options)
    : router_(router), transport_(transport), reactor_(transport.reactor()), options_(std::move(options)), snap_(router.snapshot.load()) {
  began_ = now();
  record_.time = router_.clock().wall();
  record_.id = router_.new_id("call_");
  record_.request_id = is_request_id(options_.request_id) ? options_.request_id : router_.new_id("req_");
  router_.counters.in_flight.fetch_add(1, std::memory_order_relaxed);
}

Call::State::~State() {
  cancel_timers();
  router_.counters.in_flight.fetch_sub(1, std::memory_order_relaxed);
}

void Call::State::cancel_timers() {
  for (Reactor::TimerId* timer : {&step_timer_, &total_timer_, &hedge_timer_, &first_.watch_timer, second_ ? &second_->watch_timer : nullptr}) {
    if (timer != nullptr) reactor_.cancel_timer(std::exchange(*timer, 0));
  }
}

void Call::State::begin_raw(RawRequest request, ReplySink& sink) {
  raw_sink_ = &sink;
  body_ = std::move(request.body);
  source_ = std::move(request.source);
  path_ = std::move(request.path);
  path_.request_id = record_.request_id;
  operation_ = request.operation;
  record_.dialect = request.dialect;
  client_dialect_ = snap_->dialect(request.dialect);
  if (client_dialect_ != nullptr) {
    client_ = operation_ == Operation::kChat ? client_dialect_->new_client_codec() : client_dialect_->new_task_client(operation_);
  }
  if (client_) client_->set_path(path_);
  begin();
}

void Call::State::begin_neutral(ChatRequest request, bool stream, StreamSink& sink) {
  neutral_sink_ = &sink;
  request.stream = stream;
  record_.dialect = "neutral";
  chat_ = std::make_unique<ChatRequest>(std::move(request));
  begin();
}

void Call::State::begin() {
  auto wished = check_options(options_);
  if (wished && neutral_sink_ != nullptr && chat_) wished = core::check_chat(*chat_);
  if (wished) wished = core::read_header_wishes(options_, wishes_, &ignored_);
  record_.dropped = ignored_;
  core::name_provider(*snap_, options_.forced_provider);
  arm_total();
  if (options_.endpoint.empty()) options_.endpoint = operation_name(operation_);
  record_.endpoint = options_.endpoint;
  if (!wished) {
    fail(std::move(wished).error());
  } else if (raw_sink_ != nullptr && !client_) {
    fail(Error(ErrorCode::kInvalidRequest,
               "there is no client codec for dialect \"" + record_.dialect + "\" (" + std::string(operation_name(operation_)) + ")", "dialect"));
  } else if (auto admitted = admit(); !admitted) {
    fail(std::move(admitted).error());
  } else {
    next_attempt();
  }
  starting_ = false;
}

void Call::State::later(Duration delay, void (State::*step)()) { later_at(reactor_.clock().now() + delay, step); }

void Call::State::later_at(TimePoint when, void (State::*step)()) {
  step_ = step;
  step_timer_ = reactor_.add_timer(when, [this] {
    Guard guard(this);
    step_timer_ = 0;
    (this->*step_)();
  });
}

void Call::State::fail(Error error) {
  drop_other("the call failed");
  pending_failure_ = std::make_unique<Error>(std::move(error));
  if (starting_) {
    later(Duration(0), &State::fail_pending);
  } else {
    fail_pending();
  }
}

void Call::State::fail_pending() {
  Error error = std::move(*pending_failure_);
  pending_failure_.reset();
  if (committed_ && at_cap_) {
    at_->current = at_->asked = cut_at_;  // the answer is of who spoke last
    return end_by_length();
  }
  if (committed_) return break_off(std::move(*cut_error_));  // nobody could go on: the caller hears why it broke off
  const bool limited = error.code == ErrorCode::kRateLimited || error.code == ErrorCode::kBudgetExceeded;
  const CallStatus status = limited ? CallStatus::kLimited : error.code == ErrorCode::kCancelled ? CallStatus::kCancelled : CallStatus::kError;
  settle(status, error);
  deliver_error(error);
  if (ended_) return;  // the sink cancelled meanwhile
  end_call(std::move(error), status, true);
}

void Call::State::arm_total() {
  Duration total = snap_->config.routing.timeouts.total;
  if (options_.timeout > Duration(0)) total = total > Duration(0) ? std::min(total, options_.timeout) : options_.timeout;
  if (total <= Duration(0)) {
    deadline_ = TimePoint::max();
    return;
  }
  deadline_ = began_ + total;
  total_timer_ = reactor_.add_timer(deadline_, [this] {
    Guard guard(this);
    total_timer_ = 0;
    on_total_timeout();
  });
}

namespace {

std::string seconds_text(Duration d) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}

}  // namespace

void Call::State::on_total_timeout() {
  if (ended_) return;
  if (at_->in_flight && at_->done_seen) return finish_early();
  const bool queued = ticket_ != nullptr && !committed_;
  leave_room();
  reactor_.cancel_timer(step_timer_);
  step_timer_ = 0;
  const std::string time = seconds_text(deadline_ - began_) + (callers_deadline() ? " (the caller's own deadline, x-llmrouter-timeout)" : "");
  Error error(ErrorCode::kUpstreamTimeout, "timeout: total: no complete answer within " + time);
  // No upstream was too slow then.
  if (queued) error.message = "timeout: total: " + time + " passed while the request waited for a limit: " + final_error().message;
  drop_other("timeout: total");
  at_->let_go();
  media_.clear();
  gave_up_ = callers_deadline();
  if (at_->in_flight) {
    // A caller in a hurry says nothing of the target.
    if (!callers_deadline()) candidates_[at_->current].enter(now()).health.failed(now(), snap_->config.routing.cooldown);
    end_attempt("timeout", error.message);
  }
  if (!committed_) return fail(std::move(error));
  break_off(std::move(error));
}

void Call::State::resume() {
  if (ended_ || !at_->paused) return;
  at_->paused = false;
  at_->last_bytes = now();
  if (at_->done_seen) {
    at_->done_at = now();
    arm_watch();
  }
  if (at_->transfer) at_->transfer->resume();
}

void Call::State::cancel() {
  if (ended_) return;
  Guard guard(this);
  leave_room();
  drop_other("the caller cancelled");
  at_->let_go();
  media_.clear();
  if (at_->in_flight) end_attempt("cancelled", "the caller cancelled", false);
  Error error(ErrorCode::kCancelled, "cancelled by the caller");
  settle(CallStatus::kCancelled, error);
  end_call(std::move(error), CallStatus::kCancelled, !committed_);
}

void Call::State::end(Error why) {
  if (ended_) return;
  Guard guard(this);
  leave_room();
  drop_other(why.message);
  at_->let_go();
  media_.clear();
  pending_failure_.reset();
  cancel_timers();
  if (at_->in_flight) end_attempt("cancelled", why.message, false);
  if (committed_) return break_off(std::move(why));
  settle(CallStatus::kError, why);
  deliver_error(why);
  if (!ended_) end_call(std::move(why), CallStatus::kError, true);
}

void Call::State::abandon() noexcept {
  if (!ended_) {
    ended_ = true;
    leave_room();
    drop_other("the caller went away");
    at_->let_go();
    media_.clear();
    if (at_->in_flight) end_attempt("cancelled", "the caller went away", false);
    settle(CallStatus::kCancelled, Error(ErrorCode::kCancelled, "the caller went away"));
    if (router_.parts.usage && admitted_) router_.parts.usage->record(std::move(record_));
    cancel_timers();
  }
  if (depth_ > 0) {
    orphan_ = true;
  } else {
    delete this;
  }
}

Call::Call() noexcept = default;
Call::Call(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
Call::Call(Call&& other) noexcept = default;
Call& Call::operator=(Call&& other) noexcept {
  if (this != &other) {
    if (state_) state_.release()->abandon();
    state_ = std::move(other.state_);
  }
  return *this;
}
Call::~Call() {
  if (state_) state_.release()->abandon();
}
bool Call::active() const noexcept { return state_ && !state_->ended(); }
void Call::resume() {
  if (state_) state_->resume();
}
void Call::cancel() {
  if (state_) state_->cancel();
}
void Call::end(Error why) {
  if (state_) state_->end(std::move(why));
}

}  // namespace llmrouter
