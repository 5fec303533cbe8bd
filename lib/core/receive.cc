// What comes back from an upstream, from its head to its end.
#include <utility>

#include "core/call_state.h"

namespace llmrouter {

namespace {

constexpr size_t kErrorBodyCap = 256 * 1024;  // of a reply that is no success

bool starts_with(std::string_view text, std::string_view head) { return text.substr(0, head.size()) == head; }

Error transfer_error(const TransferError& e) {
  using Kind = TransferError::Kind;
  ErrorCode code = e.kind == Kind::kConnectTimeout ? ErrorCode::kUpstreamTimeout
                   : e.kind == Kind::kUnauthorized ? ErrorCode::kUpstreamCredentialsRejected
                   : e.kind == Kind::kRequestBody  ? ErrorCode::kIo
                                                   : ErrorCode::kUpstreamError;
  Error error(code, e.kind == Kind::kConnectTimeout ? "timeout: connect: " + e.message : e.message);
  error.detail = e.detail;
  return error;
}

}  // namespace

void Call::State::Attempt::feed(std::string_view bytes) {
  struct Feeding {
    explicit Feeding(Attempt& a) : attempt(a) { attempt.feeding = true; }
    ~Feeding() {
      attempt.feeding = false;
      attempt.leaving.reset();
    }
    Attempt& attempt;
  } feeding_now(*this);
  upstream->feed(bytes, *this);
}

void Call::State::on_head(const HttpHead& head) {
  if (ended_ || !at_->in_flight) return;
  at_->status = head.status;
  at_->last_bytes = now();
  at_->provider->shared->reach.succeeded(at_->last_bytes, snap_->config.routing.cooldown);
  const bool success = head.status >= 200 && head.status < 300;
  at_->collecting = !success || !in_pieces() || starts_with(head.header("content-type"), "application/json");
  if (!success) at_->head = head;
  if (success && operation_ != Operation::kChat) {
    if (at_->relay) at_->reply_type = head.header("content-type");
    at_->upstream->set_head(head);
  }
  if (!awaits_first()) arm_watch();
}

Flow Call::State::on_body(std::string_view bytes) {
  if (ended_ || !at_->in_flight) return Flow::kCancel;
  Guard guard(this);
  at_->last_bytes = now();
  std::string held;
  if (at_->collecting && in_pieces() && at_->status < 300 && is_misnamed(bytes)) {
    at_->collecting = false;
    if (!at_->collected.empty()) {
      held = std::move(at_->collected);
      at_->collected = std::string();
      bytes = held.append(bytes);
    }
  }
  if (at_->collecting) {
    const size_t cap = at_->status >= 300 ? kErrorBodyCap : at_->provider->endpoint->max_body_bytes;
    if (cap != 0 && at_->collected.size() + bytes.size() > cap) {
      if (at_->status >= 300) return Flow::kContinue;  // enough of an error page
      attempt_failed(Error(ErrorCode::kUpstreamError, "its answer is larger than " + std::to_string(cap) + " bytes"), "error");
      return Flow::kCancel;
    }
    at_->collected.append(bytes);
    return Flow::kContinue;
  }
  const Attempt& mine = *at_;
  const int number = mine.number;  // a failure may start the next attempt before we return
  const bool done_before = at_->done_seen;
  flow_ = Flow::kContinue;
  at_->feed(bytes);
  if (flow_ == Flow::kCancel) cancel();
  if (!ended_) after_feed();
  if (ended_ || !mine.in_flight || mine.number != number) return Flow::kCancel;
  if (flow_ == Flow::kPause) at_->paused = true;
  const bool done = at_->done_seen && !done_before;
  if (done) at_->done_at = at_->last_bytes;
  if (done || (at_->watching_first && !awaits_first())) arm_watch();
  return at_->paused ? Flow::kPause : Flow::kContinue;
}

// Asked for a stream, named JSON: a whole answer or an error, unless the first byte, or a second value behind the first, tells that only the name is wrong.
bool Call::State::is_misnamed(std::string_view bytes) {
  if (at_->collected.empty()) {
    const size_t at = bytes.find_first_not_of(" \t\r\n");
    if (at != std::string_view::npos && bytes[at] != '{' && bytes[at] != '[') return true;
  }
  return at_->second_value.begins(bytes);
}

// What the codec found while it was fed is acted on when it has returned, since acting may replace the codec.
void Call::State::after_feed() {
  if (!at_->stream_error) return;
  Error error = std::move(*at_->stream_error);
  at_->stream_error.reset();
  attempt_failed(std::move(error), "error");
}

void Call::State::on_end(const TransferError& error) {
  if (ended_ || !at_->in_flight) return;
  Guard guard(this);
  if (!error.ok() && !(at_->done_seen && !at_->collecting)) {
    const bool cut = at_->status != 0;
    at_->unreached = !cut;
    const bool ours = error.kind == TransferError::Kind::kUnauthorized || error.kind == TransferError::Kind::kRequestBody;
    if (!cut && !ours) at_->provider->shared->reach.failed(now(), snap_->config.routing.cooldown);
    return attempt_failed(transfer_error(error), cut ? "cut" : error.kind == TransferError::Kind::kConnectTimeout ? "timeout" : "error");
  }
  if (at_->status >= 300 || at_->status < 200) return finish_error_reply();
  if (at_->collecting) return finish_whole();
  finish_pieces();
}

// The answer is all there, only the connection was not ended.
void Call::State::finish_early() {
  at_->let_go();
  finish_pieces();
}

void Call::State::finish_pieces() {
  const Attempt& mine = *at_;
  const int number = mine.number;
  flow_ = Flow::kContinue;
  at_->upstream->finish(*at_);
  if (flow_ == Flow::kCancel) cancel();
  if (!ended_) after_feed();
  if (ended_ || !mine.in_flight || mine.number != number) return;
  finish_stream();
}

void Call::State::finish_error_reply() {
  Error error = at_->upstream->parse_error(at_->head, at_->collected);
  error.provider = at_->provider->config.name;
  if (error.code == ErrorCode::kNone) error = Error(ErrorCode::kUpstreamError, "the upstream answered " + std::to_string(at_->status));
  attempt_failed(std::move(error), "error");
}

namespace {

// Bytes that an answer says: texts, thoughts, refusals, calls.
int64_t said_in(const ChatResponse& response) noexcept {
  size_t bytes = 0;
  for (const Choice& choice : response.choices) {
    for (const Part& part : choice.message.parts) bytes += part.text.size();
    for (const ToolCall& call : choice.message.tool_calls) bytes += call.name.size() + call.arguments.size();
  }
  return static_cast<int64_t>(bytes);
}

// The same of a relayed answer, read once more since nobody counted. One that cannot be read says no more than it has bytes.
int64_t said_in(UpstreamCodec& codec, std::string_view body) {
  const auto response = codec.decode(body);
  const int64_t said = response ? said_in(*response) : 0;
  return said > 0 ? said : static_cast<int64_t>(body.size());
}

}  // namespace

namespace {

// Anything but the words of a refusal.
bool says_anything(const ChatResponse& response) noexcept {
  for (const Choice& choice : response.choices) {
    if (!choice.message.tool_calls.empty()) return true;
    for (const Part& part : choice.message.parts) {
      if (part.kind != Part::Kind::kRefusal && (part.kind != Part::Kind::kText || !part.text.empty())) return true;
    }
  }
  return false;
}

bool ended_by_filter(const ChatResponse& response) noexcept {
  return !response.choices.empty() && response.choices.front().finish == FinishReason::kContentFilter && !says_anything(response);
}

}  // namespace

Error Call::State::filtered() { return Error(ErrorCode::kContentPolicy, "the answer was filtered before it began: content_filter"); }

void Call::State::finish_whole() {
  if (operation_ != Operation::kChat) return finish_task();
  if (at_->relay && !facts_.stream) {
    auto facts = at_->upstream->inspect(at_->collected);
    if (!facts) return attempt_failed(std::move(facts).error(), "error");
    at_->usage = facts->usage;
    if (facts->finish == FinishReason::kContentFilter && content_goes_on()) {
      const auto response = at_->upstream->decode(at_->collected);
      if (response && ended_by_filter(*response)) return attempt_failed(filtered(), "error");
    }
    if (!at_->usage.known || at_->usage.estimated) at_->payload_bytes = said_in(*at_->upstream, at_->collected);
    win();
    end_attempt("ok", "answered");
    return deliver_whole(std::move(at_->collected));
  }
  auto response = at_->upstream->decode(at_->collected);
  if (!response) return attempt_failed(std::move(response).error(), "error");
  at_->usage = response->usage;
  if (content_goes_on() && ended_by_filter(*response)) return attempt_failed(filtered(), "error");
  if (!facts_.stream) {
    at_->payload_bytes = said_in(*response);
    for (const auto& filter : at_->filters) filter->on_response(*response);
    win();
    end_attempt("ok", "answered");
    return deliver_response(std::move(*response));
  }
  at_->relay = false;  // asked for a stream and answered whole: the client's codec makes the stream
  response_as_stream(*response);
  if (!ended_ && at_->in_flight) finish_stream();
}

void Call::State::finish_stream() {
  if (at_->refused) return attempt_failed(filtered(), "error");
  win();
  const TokenUsage told = at_->usage;
  end_attempt("ok", "answered");
  if (!committed_) commit();
  if (joint_ && !ended_) flush_joint();
  if (joint_ && !ended_) take_up();
  if (!ended_) end_stream(told.known && told.input == at_->usage.input && told.output == at_->usage.output);
}

void Call::State::end_stream(bool told) {
  if (!at_->relay && !told) {
    // Dialects whose answers end with counts must not end without them: the estimate that is recorded is told, too.
    StreamEvent event;
    event.kind = StreamEvent::Kind::kUsage;
    event.usage = usage_of_all();
    deliver_event(event);
    if (ended_) return;
  }
  if (!at_->relay && raw_sink_ != nullptr) {
    client_->encode_end(out_);
    deliver_bytes(out_);
    out_.clear();
    if (ended_) return;
  }
  settle(CallStatus::kOk, Error());
  end_call(Error(), CallStatus::kOk, true);
}

}  // namespace llmrouter
