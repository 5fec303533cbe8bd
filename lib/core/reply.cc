// What the caller hears.
#include <algorithm>

#include "core/call_state.h"

namespace llmrouter {
namespace {

// Before the first visible payload nothing is passed on, so that a failure can still be a retry. Bounded: an upstream that talks this
// long without saying anything is passed on as it is.
constexpr size_t kPreludeBytes = 64 * 1024;
constexpr size_t kPreludeEvents = 256;

// Clients of some dialects get calls whole: what they wait for is held.
constexpr size_t kMaxCallBytes = 32 * 1024 * 1024;

std::string number(int64_t value) { return std::to_string(value); }

// nano-USD as decimal USD, exact, no trailing zeros.
std::string usd(int64_t nano) {
  std::string fraction = std::to_string(nano % 1000000000);
  fraction.insert(0, 9 - fraction.size(), '0');
  while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
  return number(nano / 1000000000) + (fraction.empty() ? "" : "." + fraction);
}

std::string seconds_up(Duration d) { return number(std::max<int64_t>(0, std::chrono::ceil<std::chrono::seconds>(d).count())); }

// An upstream's refusal of the request itself goes back in the provider's own words when it is in the client's own dialect.
bool passes_as_it_is(const Error& error) {
  if (error.upstream_body.empty() || error.upstream_body.front() != '{') return false;
  switch (error.upstream_status) {
    case 400: case 404: case 409: case 413: case 415: case 422: return true;
    default: return false;
  }
}

}  // namespace

HeldEvent::HeldEvent(const StreamEvent& e)
    : event(e), text(e.text), signature(e.signature), maker(e.maker), id(e.id), name(e.name), arguments(e.arguments), model(e.model), service_tier(e.service_tier), raw(e.raw) {}

StreamEvent HeldEvent::view() const noexcept {
  StreamEvent e = event;
  e.text = text;
  e.signature = signature;
  e.maker = maker;
  e.id = id;
  e.name = name;
  e.arguments = arguments;
  e.model = model;
  e.service_tier = service_tier;
  e.raw = raw;
  return e;
}

// A 200 whose answer a content filter ended before it said anything: a refusal of the request for who may go on elsewhere. What it costs may still be told
// behind that word, so that it is heard to its end (finish_stream()).
Flow Call::State::refused_by_filter() {
  at_->refused = true;
  return flow_;
}

Flow Call::State::on_frame(std::string_view bytes, FrameKind kind) {
  if (ended_ || at_->stream_error) return Flow::kCancel;
  if (at_->refused) {
    at_->done_seen |= kind == FrameKind::kDone;
    return flow_;
  }
  const bool silent = !committed_ && at_->payload_frames == 0 && at_->payload_bytes == 0;
  if (at_->filtered && silent && kind == FrameKind::kFinish && content_goes_on()) return refused_by_filter();
  switch (kind) {
    case FrameKind::kUsageOnly:
      if (!facts_.include_usage) return flow_;  // metering asked for it, the client did not
      break;
    case FrameKind::kPayload:
    case FrameKind::kFinish:
      if (kind == FrameKind::kPayload && at_->payload_frames++ == 0) at_->first_token = now();
      at_->payload_seen = true;
      if (!committed_) commit();
      if (told_ && kind == FrameKind::kFinish) told_->close();
      break;
    case FrameKind::kDone:
      at_->done_seen = true;
      if (bytes.empty()) return flow_;  // known by another sign than a frame, or not relayed
      break;
    case FrameKind::kPrelude:
      break;
  }
  if (ended_) return Flow::kCancel;
  if (!committed_) {
    if (at_->held_bytes.size() + bytes.size() <= kPreludeBytes) {
      at_->held_bytes.append(bytes);
      return flow_;
    }
    commit();
    if (ended_) return Flow::kCancel;
  }
  deliver_frames(bytes, kind == FrameKind::kPayload);
  return flow_;
}

Flow Call::State::on_event(const StreamEvent& event) {
  if (ended_ || at_->stream_error) return Flow::kCancel;
  if (event.kind == StreamEvent::Kind::kUsage) at_->usage = event.usage;
  at_->call_bytes += event.arguments.size();
  if (at_->call_bytes > kMaxCallBytes && !at_->collecting) {  // a whole answer has a bound of its own
    at_->stream_error = std::make_unique<Error>(ErrorCode::kUpstreamError, "the arguments of its tool calls are larger than 32 MiB");
    return Flow::kCancel;
  }
  if (event.visible()) {
    if (at_->payload_frames++ == 0) at_->first_token = now();
    at_->payload_bytes += static_cast<int64_t>(event.text.size() + event.name.size() + event.arguments.size());
    at_->payload_seen = true;
  }
  if (at_->filters.empty()) return take_event(event);
  // Filters may make texts of thoughts.
  if (event.kind == StreamEvent::Kind::kReasoning && event.visible()) at_->in_thought = true;
  if (event.kind == StreamEvent::Kind::kText && !event.text.empty()) at_->in_thought = false;
  pass_event(event, 0);
  return flow_;
}

Flow Call::State::take_event(const StreamEvent& event) {
  if (ended_) return Flow::kCancel;
  if (at_->refused) return flow_;
  if (!committed_) {
    const bool finish = event.kind == StreamEvent::Kind::kFinish;
    if (finish && event.finish == FinishReason::kContentFilter && content_goes_on()) return refused_by_filter();
    // The words of a refusal wait for its end where that may be a filter's.
    const bool waits = event.kind == StreamEvent::Kind::kRefusal && content_goes_on();
    const bool decisive = (event.visible() && !waits) || finish || at_->held_events.size() >= kPreludeEvents;
    if (!decisive) {
      at_->held_events.emplace_back(event);
      return flow_;
    }
    at_->payload_seen = true;
    commit();
    if (ended_) return Flow::kCancel;
  }
  if (joint_) join(event);
  else deliver_event(event);
  return flow_;
}

// From here on the answer belongs to this upstream: no other can take its place, and only after it was cut can one go on from it (go_on.cc).
void Call::State::commit() {
  win();
  if (at_->probe) {  // its word is enough: a long answer need not end before others may come
    candidates_[at_->current].enter(now()).health.succeeded(now(), snap_->config.routing.cooldown);
    at_->probe = false;
  }
  committed_ = true;
  remember();
  if (raw_sink_ != nullptr) {
    raw_sink_->on_head(make_head(200, true, -1));
    if (ended_) return;
  }
  if (!at_->held_bytes.empty()) {
    deliver_frames(at_->held_bytes, false);
    at_->held_bytes = std::string();
  }
  for (const HeldEvent& held : at_->held_events) {
    if (ended_) return;
    deliver_event(held.view());
  }
  at_->held_events = {};
  if (!told_) facts_.members = {};  // only what is sent to a target is made with them, and there will be no other
}

void Call::State::deliver_frames(std::string_view frames, bool visible) {
  if (client_) client_->relayed(frames);
  if (told_) {
    told_->frames(frames, visible);
    in_frames_ = true;
  }
  deliver_bytes(frames);
}

void Call::State::deliver_bytes(std::string_view bytes) {
  if (ended_ || flow_ == Flow::kCancel || bytes.empty()) return;
  const Flow flow = raw_sink_->on_bytes(bytes);
  if (flow != Flow::kContinue) flow_ = flow;
}

void Call::State::deliver_event(const StreamEvent& event) {
  if (ended_ || flow_ == Flow::kCancel) return;  // who wants no more hears none of what the codec still says
  if (told_) told_->event(event);
  if (neutral_sink_ != nullptr) {
    const Flow flow = neutral_sink_->on_event(event);
    if (flow != Flow::kContinue) flow_ = flow;
    return;
  }
  client_->encode_event(event, out_);
  deliver_bytes(out_);
  out_.clear();
}

void Call::State::deliver_whole(std::string&& body) {
  settle(CallStatus::kOk, Error());
  committed_ = true;
  raw_sink_->on_head(make_head(200, false, static_cast<int64_t>(body.size())));
  if (!ended_) raw_sink_->on_whole(std::move(body));
  if (!ended_) end_call(Error(), CallStatus::kOk, true);
}

void Call::State::deliver_response(ChatResponse&& response) {
  response.usage = at_->usage;
  if (raw_sink_ != nullptr) {
    std::string body;
    client_->encode_response(response, body);
    return deliver_whole(std::move(body));
  }
  settle(CallStatus::kOk, Error());
  committed_ = true;
  neutral_sink_->on_response(std::move(response));
  if (!ended_) end_call(Error(), CallStatus::kOk, true);
}

// A whole answer told as a stream, for an upstream that does not stream.
void Call::State::response_as_stream(const ChatResponse& response) {
  StreamEvent e;
  auto tell = [&] { on_event(e); };
  e.kind = StreamEvent::Kind::kStart;
  e.id = response.id;
  e.model = response.model;
  e.created = response.created;
  e.service_tier = response.service_tier;
  tell();
  for (const Choice& choice : response.choices) {
    for (const Part& part : choice.message.parts) {
      e = StreamEvent();
      e.choice = choice.index;
      e.text = part.text;
      e.signature = part.signature;
      e.maker = part.maker;
      e.redacted = part.redacted;
      if (part.kind == Part::Kind::kReasoning) e.kind = StreamEvent::Kind::kReasoning;
      else if (part.kind == Part::Kind::kRefusal) e.kind = StreamEvent::Kind::kRefusal;
      else if (part.kind != Part::Kind::kText) continue;
      tell();
    }
    int64_t index = 0;
    for (const ToolCall& call : choice.message.tool_calls) {
      e = StreamEvent();
      e.kind = StreamEvent::Kind::kToolCallBegin;
      e.choice = choice.index;
      e.tool_index = index++;
      e.id = call.id;
      e.name = call.name;
      e.arguments = call.arguments;
      e.signature = call.signature;
      e.maker = call.maker;
      tell();
    }
    if (!choice.logprobs.empty()) {
      e = StreamEvent();
      e.kind = StreamEvent::Kind::kLogprobs;
      e.choice = choice.index;
      e.raw = choice.logprobs;
      tell();
    }
    e = StreamEvent();
    e.kind = StreamEvent::Kind::kFinish;
    e.choice = choice.index;
    e.finish = choice.finish;
    e.raw = choice.finish_raw;
    tell();
  }
  if (!response.usage.known) return;
  e = StreamEvent();
  e.kind = StreamEvent::Kind::kUsage;
  e.usage = response.usage;
  tell();
}

void Call::State::deliver_error(const Error& error) {
  if (raw_sink_ == nullptr || ended_) return;
  std::unique_ptr<ClientCodec> fallback;  // for a dialect nobody knows
  ClientCodec* codec = client_.get();
  if (codec == nullptr) {
    const Dialect* openai = snap_->dialect("openai");
    if (openai != nullptr) fallback = openai->new_client_codec();
    codec = fallback.get();
  }
  std::string body;
  if (committed_) {
    if (facts_.opaque && at_->reply_type.compare(0, 17, "text/event-stream") != 0) return;  // bytes have no place for words
    codec->encode_stream_error(error, body);
    return deliver_bytes(body);
  }
  if (at_->relay && passes_as_it_is(error) && codec != nullptr && codec->is_error_body(error.upstream_body)) {
    body = error.upstream_body;
  } else if (codec != nullptr) {
    codec->encode_error(error, body);
  }
  ReplyHead head = make_head(error.http_status(), false, static_cast<int64_t>(body.size()));
  if (head.status == 401) head.headers.push_back({"www-authenticate", "Bearer"});  // RFC 9110, 15.5.2
  if (const int64_t seconds = error.retry_after_seconds(); seconds > 0) head.headers.push_back({"retry-after", number(seconds)});
  if (error.never) head.headers.push_back({"x-should-retry", "false"});  // what OpenAI's and Anthropic's SDKs look for
  raw_sink_->on_head(head);
  if (!ended_) raw_sink_->on_whole(std::move(body));
}

ReplyHead Call::State::make_head(int status, bool stream, int64_t length) {
  ReplyHead head;
  head.status = status;
  head.stream = stream;
  head.content_length = length;
  if (status < 300 && !at_->reply_type.empty()) head.content_type = at_->reply_type;
  else head.content_type = client_ ? client_->content_type(stream) : "application/json";
  auto& h = head.headers;
  h.reserve(key_ && !key_->spec.limits.empty() ? 13 : 7);
  h.push_back({"x-request-id", record_.request_id});
  if (attempts_ > 0) {
    h.push_back({"x-llmrouter-provider", candidates_[at_->asked].provider->config.name});
    h.push_back({"x-llmrouter-model", std::string(candidates_[at_->asked].model)});
    h.push_back({"x-llmrouter-attempts", number(attempts_)});
    h.push_back({"x-llmrouter-overhead-us", number(std::chrono::duration_cast<std::chrono::microseconds>(sent_ - began_).count())});
    if (settled_ && status < 300) h.push_back({"x-llmrouter-cost-usd", usd(record_.cost_nano_usd)});
  }
  if (!record_.dropped.empty()) {
    std::string names;
    for (const std::string& name : record_.dropped) names += (names.empty() ? "" : ", ") + name;
    h.push_back({"x-llmrouter-dropped", std::move(names)});
  }
  add_limit_headers(h);
  return head;
}

void Call::State::add_limit_headers(std::vector<ReplyHeader>& h) {
  if (!key_ || key_->spec.limits.empty()) return;
  const LimitState s = router_.parts.limiter->state(router_.bucket_of(*key_));
  if (s.limit_requests >= 0) {
    h.push_back({"x-ratelimit-limit-requests", number(s.limit_requests)});
    h.push_back({"x-ratelimit-remaining-requests", number(std::max<int64_t>(0, s.remaining_requests))});
    h.push_back({"x-ratelimit-reset-requests", seconds_up(s.reset_requests)});
  }
  if (s.limit_tokens >= 0) {
    h.push_back({"x-ratelimit-limit-tokens", number(s.limit_tokens)});
    h.push_back({"x-ratelimit-remaining-tokens", number(std::max<int64_t>(0, s.remaining_tokens))});
    h.push_back({"x-ratelimit-reset-tokens", seconds_up(s.reset_tokens)});
  }
}

void Call::State::end_call(Error error, CallStatus status, bool complete) {
  ended_ = true;
  at_->let_go();
  cancel_timers();
  settle(status, error);
  if (router_.parts.usage && admitted_) router_.parts.usage->record(record_);
  CallResult result;
  result.record = std::move(record_);
  result.error = std::move(error);
  result.complete = complete;
  if (raw_sink_ != nullptr) {
    raw_sink_->on_end(result);
  } else {
    neutral_sink_->on_end(result);
  }
}

}  // namespace llmrouter
