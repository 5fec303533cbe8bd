// A call from its start to its end.
#include <algorithm>
#include <utility>

#include "core/call_state.h"
#include "core/wishes.h"
#include "llmrouter/pattern.h"

namespace llmrouter {

using core::Candidate;

Call::State::State(Router::Impl& router, Transport& transport, CallOptions options)
    : router_(router), transport_(transport), reactor_(transport.reactor()), options_(std::move(options)), snap_(router.snapshot.load()) {
  began_ = now();
  record_.time = router_.clock().wall();
  record_.id = router_.new_id("call_");
  record_.request_id = options_.request_id.empty() ? router_.new_id("req_") : options_.request_id;
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
  auto wished = core::read_header_wishes(options_, wishes_);
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

namespace {

// What scan() finds in a body, found in a neutral request.
RequestFacts facts_of(const ChatRequest& chat) {
  RequestFacts f;
  f.model = chat.model;
  f.stream = chat.stream;
  f.include_usage = true;
  f.has_tools = !chat.tools.empty();
  f.wants_schema = chat.response_format.kind == ResponseFormat::Kind::kJsonSchema;
  f.n = chat.n.value_or(1);
  f.max_tokens = chat.max_tokens;
  f.temperature = chat.temperature;
  f.user = chat.user;
  size_t bytes = 0;
  for (const Message& message : chat.messages) {
    bytes += 16;
    for (const Part& part : message.parts) {
      bytes += part.text.size();
      f.has_image |= part.kind == Part::Kind::kImage;
      f.has_audio |= part.kind == Part::Kind::kAudio;
      f.has_video |= part.kind == Part::Kind::kVideo;
      f.has_file |= part.kind == Part::Kind::kFile;
    }
    for (const ToolCall& call : message.tool_calls) bytes += call.arguments.size();
  }
  for (const Tool& tool : chat.tools) bytes += tool.parameters.size() + tool.description.size();
  f.input_tokens = static_cast<int64_t>((bytes + 3) / 4);
  return f;
}

}  // namespace

// Who asks, for what, and whether they may: before any of it costs anything.
Result<void> Call::State::admit() {
  auto caller = router_.authenticate(*snap_, options_.key, options_.endpoint, options_.trusted);
  if (!caller) return std::move(caller).error();
  key_ = *caller;
  admitted_ = true;
  if (client_) {
    auto facts = client_->scan(body_);
    if (!facts) return std::move(facts).error();
    facts_ = std::move(*facts);
  } else if (task_) {
    auto facts = task_facts();
    if (!facts) return std::move(facts).error();
    facts_ = std::move(*facts);
  } else {
    if (chat_->messages.empty()) return Error(ErrorCode::kInvalidRequest, "messages: at least one message is needed", "messages");
    facts_ = facts_of(*chat_);
  }
  if (auto read = read_members(); !read) return read;
  record_.requested_model = facts_.model;
  record_.stream = facts_.stream;
  if (auto directed = direct(); !directed) return directed;
  if (auto placed = place(); !placed) return placed;
  if (auto allowed = check_params(); !allowed) return allowed;
  auto reserved = reserve();
  if (!reserved && blocked_by_.empty()) return reserved;
  if (!reserved) skip_error_ = std::move(reserved).error();
  return {};
}

// Members that ask for routing are read and never reach an upstream. Requests that have none, almost all, are not touched.
Result<void> Call::State::read_members() {
  if (chat_ && !client_) return take_route_members(chat_->extras, facts_.model, wishes_);
  if (auto allowed = core::check_preset(*snap_, facts_, body_, key_.get()); !allowed) return allowed;
  if (!core::has_route_members(*snap_, facts_, options_.forced_provider)) return core::check_passed_models(*snap_, facts_, options_.forced_provider, body_, key_.get());
  if (auto cut = core::cut_route_members(facts_, body_, wishes_); !cut) return cut;
  client_ = operation_ == Operation::kChat ? client_dialect_->new_client_codec() : client_dialect_->new_task_client(operation_);
  client_->set_path(path_);
  auto facts = client_->scan(body_);
  if (!facts) return std::move(facts).error();
  facts_ = std::move(*facts);
  return {};
}

Result<void> Call::State::check_params() {
  if (!key_) return {};
  const ParamLimits& most = key_->spec.params;
  auto refuse = [](std::string words, std::string param) {
    return Error(ErrorCode::kParameterNotAllowed, std::move(words), std::move(param));
  };
  if (most.max_tokens && operation_ == Operation::kChat) {
    if (facts_.max_tokens && *facts_.max_tokens > *most.max_tokens) {
      return refuse("max_tokens: this key may ask for at most " + std::to_string(*most.max_tokens), "max_tokens");
    }
    if (!facts_.max_tokens) {
      param_edits_.push_back({BodyEdit::Kind::kDefault, "max_tokens", std::to_string(*most.max_tokens)});
      facts_.max_tokens = *most.max_tokens;
    }
  }
  if (facts_.temperature && ((most.min_temperature && *facts_.temperature < *most.min_temperature) ||
                             (most.max_temperature && *facts_.temperature > *most.max_temperature))) {
    return refuse("temperature: outside of what this key may ask for", "temperature");
  }
  if (most.tools && !*most.tools && facts_.has_tools) return refuse("tools: this key may not use tools", "tools");
  return {};
}

namespace {

constexpr int64_t kUnknownOutput = 4096;  // tokens of an answer whose request sets no bound
constexpr int kGuesses = 8;               // what is left changes while others settle

}  // namespace

// Requests, tokens and money, at the key and the model, all or none.
Result<void> Call::State::reserve() {
  LimitBucket* buckets[2] = {key_ && !key_->spec.limits.empty() ? router_.bucket_of(*key_) : nullptr,
                             resolved_.route != nullptr ? resolved_.route->bucket : nullptr};
  if (buckets[0] == nullptr && buckets[1] == nullptr) return {};
  reserved_.requests = 1;
  reserved_.tokens = charged_input() + expected_output();
  if (key_ && key_->spec.limits.budget && snap_->catalog) {
    const Candidate& first = candidates_.front();
    auto price = snap_->catalog->price(first.provider->config.name, first.provider->config.type, first.model, facts_.input_tokens,
                                              record_.time);
    if (price) {
      TokenUsage expected;
      expected.input = charged_input();
      expected.output = expected_output();
      reserved_.nano_usd = cost_nano_usd(expected, *price);
    }
  }
  Denial denial;
  reservation_ = router_.parts.limiter->reserve(buckets, 2, reserved_, &denial);
  // How long the answer will be is a guess when the request does not say. A guess alone refuses nobody: what is left is reserved instead, so
  // that the last call may pass the limit by what it is longer, and no other call comes in beside it.
  for (int tries = 0; !reservation_.active() && !facts_.max_tokens && tries < kGuesses; ++tries) {
    if (denial.kind == LimitKind::kBudget && denial.remaining > 0 && denial.remaining < reserved_.nano_usd) {
      reserved_.nano_usd = denial.remaining;
    } else if (denial.kind == LimitKind::kTokens && denial.remaining >= facts_.input_tokens && denial.remaining < reserved_.tokens) {
      reserved_.tokens = denial.remaining;
    } else {
      break;
    }
    reservation_ = router_.parts.limiter->reserve(buckets, 2, reserved_, &denial);
  }
  owes_reservation_ = !reservation_.active();
  if (!owes_reservation_) return {};
  if (denial.bucket.compare(0, 6, "model:") == 0) blocked_by(denial);
  return refusal(denial);
}

int64_t Call::State::expected_output() const noexcept {
  switch (operation_) {
    case Operation::kEmbed:
    case Operation::kRerank:
    case Operation::kModerate:
    case Operation::kCountTokens: return 0;
    default: break;
  }
  return facts_.max_tokens.value_or(kUnknownOutput) * std::max<int64_t>(1, facts_.n);
}

// The switch, the key's override, the rules.
Result<void> Call::State::direct() {
  asked_ = facts_.model;
  if (operation_ != Operation::kChat) return {};
  const bool on = router_.overlay.gate.enabled(record_.time);
  (on ? router_.overlay.requests_on : router_.overlay.requests_off).fetch_add(1, std::memory_order_relaxed);
  struct Content final : core::RuleContent {
    explicit Content(State& state) : call(state) {}
    const ChatRequest* chat() override { return call.decoded(); }
    State& call;
  } content(*this);
  auto directed = core::direct(router_.overlay, *snap_, key_.get(), options_.headers, record_.time, content,
                               {asked_, facts_, wishes_, options_.forced_provider}, direction_);
  if (direction_.rule != nullptr) direction_.rule->hits->fetch_add(1, std::memory_order_relaxed);
  return directed;
}

const ChatRequest* Call::State::decoded() {
  if (!chat_ && client_) {
    auto chat = client_->decode();
    if (!chat) return nullptr;  // whoever has to translate it says why
    chat_ = std::make_unique<ChatRequest>(std::move(*chat));
    chat_->stream = facts_.stream;
  }
  return chat_.get();
}

// Who could be asked, in which order.
Result<void> Call::State::place() {
  if (auto known = core::check_wishes(*snap_, wishes_, key_.get()); !known) return known;
  auto resolved = core::resolve_wish(*snap_, asked_, options_.forced_provider, wishes_, key_.get());
  if (!resolved) return std::move(resolved).error();
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
  if (resolved_.route != nullptr) fallbacks_.visited(resolved_.route);
  if (!anybody) {
    Error why = core::nobody(*snap_, candidates_, asked_, asking());
    if (why.code != ErrorCode::kContextLengthExceeded || !fall_back_for(why.code)) return why;
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
  ask.max_output = facts_.max_tokens.value_or(0) * std::max<int64_t>(1, facts_.n);
  ask.now = now();
  ask.wall = record_.time;
  return ask;
}

Error Call::State::refusal(const Denial& denial) {
  Error error = denial.to_error();
  // Nobody knows when a place gets free; "soon" is better told as a second than not at all.
  if (denial.kind == LimitKind::kConcurrent && error.retry_after <= Duration(0)) error.retry_after = std::chrono::seconds(1);
  return error;
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
  leave_room();
  reactor_.cancel_timer(step_timer_);
  step_timer_ = 0;
  Error error(ErrorCode::kUpstreamTimeout, "timeout: total: no complete answer within " + seconds_text(deadline_ - began_));
  drop_other("timeout: total");
  at_->transfer.reset();
  media_.clear();
  gave_up_ = options_.timeout > Duration(0);
  if (at_->in_flight) {
    // A caller in a hurry says nothing of the target.
    if (options_.timeout <= Duration(0)) candidates_[at_->current].health->failed(now(), snap_->config.routing.cooldown);
    end_attempt("timeout", error.message);
  }
  if (!committed_) return fail(std::move(error));
  settle(CallStatus::kCut, error);
  deliver_error(error);
  if (!ended_) end_call(std::move(error), CallStatus::kCut, false);
}

size_t Call::State::choose() {
  for (;;) {
    for (; next_ < candidates_.size(); ++next_) {
      Candidate& c = candidates_[next_];
      if (c.out || c.considered || (!last_resort_ && c.reason == StepReason::kCoolingDown)) continue;
      c.considered = true;
      return next_++;
    }
    if (expand_fallbacks()) continue;
    if (last_resort_) return kNone;
    last_resort_ = true;
    next_ = 0;
  }
}

bool Call::State::expand_fallbacks() { return fallbacks_.append(*snap_, ask(), candidates_); }

void Call::State::next_attempt() {
  const int most = std::max(1, snap_->config.routing.attempts);
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
  if (out_of_retries_) last_error_.message += "; not tried again: the retry budget (routing.retry_budget) is used up";
  if (attempts_ > 0 && attempts_ < most && !out_of_retries_) {
    const size_t index = again(&wait);
    if (index != kNone) {
      at_->current = index;
      return later(wait, &State::retry_current);
    }
  }
  if (attempts_ < most && !out_of_retries_ && wait_for_limit()) return;
  if (std::exchange(has_turn_, false)) pass_turn_on();
  if (nobody_counts()) return starting_ ? later(Duration(0), &State::deliver_estimate) : deliver_estimate();
  fail(final_error());
}

bool Call::State::reserve_again() {
  auto reserved = reserve();
  if (!reserved) skip_error_ = std::move(reserved).error();
  return reserved.ok();
}

void Call::State::retry_current() {
  if (!start_attempt(at_->current)) {
    candidates_[at_->current].out = true;
    next_attempt();
  }
}

namespace {

constexpr Duration kLongestAskedFor = std::chrono::seconds(15);  // of a Retry-After that a caller is kept waiting for

}  // namespace

// Full jitter (Brooker 2015, "Exponential Backoff And Jitter"): uniformly between nothing and the doubled step. What the upstream
// asked for wins over it; when that is long the caller hears of it instead of waiting.
size_t Call::State::again(Duration* wait) const {
  const BackoffConfig& backoff = snap_->config.routing.backoff;
  const TimePoint t = router_.clock().now();
  size_t best = kNone;
  for (size_t i = 0; i < candidates_.size(); ++i) {
    const Candidate& c = candidates_[i];
    if (c.out || c.tried == 0) continue;
    if (best == kNone || c.not_before < candidates_[best].not_before) best = i;
  }
  if (best == kNone) return kNone;
  const Candidate& c = candidates_[best];
  Duration step = backoff.first;
  for (int i = 1; i < c.tried && step < backoff.max; ++i) step *= 2;
  step = std::min(step, backoff.max);
  Duration jitter(static_cast<int64_t>(core::Random(router_.draw()).unit() * static_cast<double>(step.count())));
  Duration asked = c.not_before > t ? c.not_before - t : Duration(0);
  if (asked > std::max(backoff.max, kLongestAskedFor)) return kNone;
  *wait = asked > Duration(0) ? asked : jitter;
  return t + *wait < deadline_ ? best : kNone;
}

// What one model refuses for its length or its content another may take.
bool Call::State::fall_back_for(ErrorCode fault) {
  const Candidate* c = candidates_.empty() ? nullptr : &candidates_[at_->current];
  if (c == nullptr || c->route == nullptr || !wishes_.allow_fallbacks || wishes_.fallbacks || attempts_ >= std::max(1, snap_->config.routing.attempts)) return false;
  const ModelConfig& model = *c->route->config;
  const auto& names = fault == ErrorCode::kContextLengthExceeded ? model.context_fallbacks : model.content_fallbacks;
  const size_t before = candidates_.size();
  if (names.empty() || !fallbacks_.append_names(*snap_, names, ask(), c->granted, candidates_)) return false;
  for (size_t i = 0; i < before; ++i) candidates_[i].out = true;
  next_ = before;
  free_retry_ = true;
  return true;
}

namespace {

constexpr int kConflict = 409;

}  // namespace

// An attempt failed before anything was passed on. `at_->current` is its candidate.
void Call::State::handle_failure(Error error) {
  Candidate& c = candidates_[at_->current];
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
      last_error_ = std::move(error);
      return next_attempt();
    default:
      return fail(std::move(error));  // the request's own fault: no other target would take it either
  }
  last_error_ = std::move(error);
  if (Attempt* other = other_in_flight()) return lead_is(other);
  // The credential's fault: the same target by another one, at once.
  if (credential_fault && c.provider->credentials.size() > 1 && attempts_ < std::max(1, snap_->config.routing.attempts)) {
    const bool was_out = c.out;
    c.out = false;
    if (start_attempt(at_->current)) return;
    candidates_[at_->current].out = was_out;
  }
  next_attempt();
}

Error Call::State::final_error() const {
  if (attempts_ > 0) return last_error_;
  if (skip_error_.code != ErrorCode::kNone) return skip_error_;  // it may work later: better news than a refusal
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

void Call::State::resume() {
  if (ended_ || !at_->paused) return;
  at_->paused = false;
  at_->last_bytes = now();
  if (at_->transfer) at_->transfer->resume();
}

void Call::State::cancel() {
  if (ended_) return;
  Guard guard(this);
  leave_room();
  drop_other("the caller cancelled");
  at_->transfer.reset();
  media_.clear();
  if (at_->in_flight) end_attempt("cancelled", "the caller cancelled", false);
  Error error(ErrorCode::kCancelled, "cancelled by the caller");
  settle(CallStatus::kCancelled, error);
  end_call(std::move(error), CallStatus::kCancelled, !committed_);
}

void Call::State::abandon() noexcept {
  if (!ended_) {
    ended_ = true;
    leave_room();
    drop_other("the caller went away");
    at_->transfer.reset();
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

}  // namespace llmrouter
