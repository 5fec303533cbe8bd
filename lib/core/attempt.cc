// One upstream exchange: choose a credential, reserve, encode, send, read, judge.
#include <algorithm>
#include <utility>

#include "core/call_state.h"
#include "llmrouter/pattern.h"

namespace llmrouter {

using core::Candidate;
using core::CredentialRuntime;
using core::RestReason;

namespace {

constexpr size_t kErrorBodyCap = 256 * 1024;  // of a reply that is no success
constexpr Duration kFirstTokenOfStreams = std::chrono::seconds(60);

bool starts_with(std::string_view text, std::string_view head) { return text.substr(0, head.size()) == head; }

Error transfer_error(const TransferError& e, std::string_view provider) {
  using Kind = TransferError::Kind;
  ErrorCode code = e.kind == Kind::kConnectTimeout ? ErrorCode::kUpstreamTimeout
                   : e.kind == Kind::kUnauthorized ? ErrorCode::kUpstreamCredentialsRejected
                   : e.kind == Kind::kRequestBody  ? ErrorCode::kIo
                                                   : ErrorCode::kUpstreamError;
  std::string words = "provider " + std::string(provider) + ": ";
  words += e.kind == Kind::kConnectTimeout ? "timeout: connect: " + e.message : e.message;
  return Error(code, std::move(words));
}

bool carries_between_equal_dialects(std::string_view name) {
  return name == "anthropic-version" || name == "anthropic-beta" || name == "openai-beta" || name == "idempotency-key";
}

// Features asked for by name: what the codec needs and what the client wants hold both.
bool is_list(std::string_view name) { return name == "anthropic-beta" || name == "openai-beta"; }

bool same_name(std::string_view a, std::string_view lower) {
  return a.size() == lower.size() && std::equal(a.begin(), a.end(), lower.begin(), [](char x, char y) { return (x >= 'A' && x <= 'Z' ? x + 32 : x) == y; });
}

// Never from a client to an upstream, whatever a list says: they belong to the connection or to this router's own credentials.
bool never_forwarded(std::string_view name) {
  if (starts_with(name, "x-llmrouter-")) return true;
  static constexpr std::string_view kNames[] = {"authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie", "host",
                                                "content-length", "transfer-encoding", "connection", "content-type", "accept-encoding",
                                                "te", "trailer", "upgrade", "expect", "proxy-authorization", "content-encoding"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

}  // namespace

bool Call::State::start_attempt(size_t index) {
  at_->current = index;
  Candidate& c = candidates_[index];
  if (fetch_media(index)) return true;
  at_->provider = c.provider;
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
  at_->number = ++attempts_;
  ++c.tried;
  at_->in_flight = true;
  at_->unreached = false;
  at_->payload_seen = at_->done_seen = false;
  at_->held_bytes.clear();
  at_->held_events.clear();
  at_->stream_error.reset();
  at_->usage = TokenUsage();
  at_->payload_frames = at_->payload_bytes = 0;
  at_->exchanges = 1;
  at_->began = now();
  if (attempts_ == 1) sent_ = at_->began;
  if (attempts_ > 1) router_.counters.retries.fetch_add(1, std::memory_order_relaxed);
  at_->provider->shared->in_flight.fetch_add(1, std::memory_order_relaxed);
  at_->provider->shared->attempts.fetch_add(1, std::memory_order_relaxed);
  if (c.stats != nullptr) c.stats->started();
  if (session_ != 0 && home_ == 0 && c.id != 0 && !hedged_) {
    snap_->affinity->put(session_, c.id, now() + snap_->config.routing.affinity.ttl);  // before it answers: what comes meanwhile joins it
  }
  send_exchange();
  arm_hedge();
  return true;
}

void Call::State::send_exchange() {
  at_->collecting = false;
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
  const bool sooner = error.retry_after > Duration(0) && error.retry_after < skip_error_.retry_after;
  if (has_turn_) {  // recorded when it began to wait
    if (skip_error_.code == ErrorCode::kNone || sooner) skip_error_ = std::move(error);
    return;
  }
  AttemptRecord a;
  a.provider = c.provider->config.name;
  a.model = c.model;
  a.started_ms = std::chrono::duration_cast<std::chrono::milliseconds>(now() - began_).count();
  a.outcome = "skipped";
  a.reason = error.message;
  record_.attempts.push_back(std::move(a));
  if (error.code == ErrorCode::kInvalidRequest) {
    refusals_.push_back({c.provider->config.name + "/" + std::string(c.model), std::move(error)});
    return;
  }
  if (skip_error_.code == ErrorCode::kNone || sooner) skip_error_ = std::move(error);
}

bool Call::State::reserve_attempt(const CredentialRuntime* credential, Denial* denial) {
  // The model's own limits were reserved with the call, unless this target came by a fallback or a selector.
  const core::Route* route = candidates_[at_->current].route;
  LimitBucket* buckets[3] = {at_->provider->bucket, credential != nullptr ? credential->bucket : nullptr,
                             route != nullptr && route != resolved_.route ? route->bucket : nullptr};
  if (buckets[0] == nullptr && buckets[1] == nullptr && buckets[2] == nullptr) return true;
  Demand demand;
  demand.tokens = charged_input() + facts_.max_tokens.value_or(0) * std::max<int64_t>(1, facts_.n);
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

// Walks the pool from where the rotation stands: weights decide whose turn it is, rests and limits who is passed over.
bool Call::State::pick_credential(Candidate& c) {
  Denial denial;
  const auto& pool = at_->provider->credentials;
  if (pool.empty()) {
    at_->credential = -1;
    if (reserve_attempt(nullptr, &denial)) return true;
    skip(c, refusal(denial));
    let_probes_go();
    return false;
  }
  size_t start = 0;
  if (pool.size() > 1) {
    auto turn = static_cast<int64_t>(at_->provider->shared->rotation.fetch_add(1, std::memory_order_relaxed) %
                                     static_cast<uint64_t>(at_->provider->total_weight));
    while (turn >= std::max(1, pool[start].config->weight)) turn -= std::max(1, pool[start++].config->weight);
  }
  const TimePoint t = now();
  Error why(ErrorCode::kNoTarget, "provider " + at_->provider->config.name + ": no credential may be used for model \"" + std::string(c.model) + "\"");
  for (size_t step = 0; step < pool.size(); ++step) {
    const size_t i = (start + step) % pool.size();
    const CredentialRuntime& credential = pool[i];
    if (!pattern_list_match(credential.config->models, c.model)) continue;
    if (credential.health->resting(t)) {
      const bool limited = credential.health->why() == RestReason::kRateLimited;
      if (why.code == ErrorCode::kRateLimited || (why.code == ErrorCode::kUpstreamRateLimited && !limited)) continue;  // the better news
      why = Error(limited ? ErrorCode::kUpstreamRateLimited : ErrorCode::kUpstreamCredentialsRejected,
                  "provider " + at_->provider->config.name + ": " +
                      (limited ? "rate limited, and said when to come back" : "its credentials were refused or are out of quota"));
      if (limited) blocked_by("credential:" + at_->provider->config.name + '/' + credential.config->name, credential.health->until());
      if (credential.health->until() > t) why.retry_after = std::chrono::ceil<std::chrono::milliseconds>(credential.health->until() - t);
      continue;
    }
    if (reserve_attempt(&credential, &denial)) {
      at_->credential = static_cast<int>(i);
      at_->key_probe = credential.health->take_probe(t);
      return true;
    }
    why = refusal(denial);
  }
  skip(c, std::move(why));
  let_probes_go();
  return false;
}

Result<void> Call::State::decode_chat() {
  if (chat_) return {};
  auto chat = client_->decode();
  if (!chat) return std::move(chat).error();
  chat_ = std::make_unique<ChatRequest>(std::move(*chat));
  chat_->stream = facts_.stream;
  return {};
}

Result<void> Call::State::encode_attempt(const Candidate& c) {
  at_->encoded = EncodedRequest();
  at_->edits = param_edits_;
  if (c.route != nullptr) at_->edits.insert(at_->edits.end(), c.route->edits.begin(), c.route->edits.end());
  if (auto made = make_filters(c); !made) return made;
  at_->relay = at_->filters.empty() && at_->provider->speaks(client_dialect_, c.model) && facts_.relayable &&
               (at_->edits.empty() || client_dialect_->openai_members()) && !wants_inlined(c);
  const Dialect* spoken = at_->relay ? client_dialect_ : at_->provider->dialect_of(c.model);
  at_->upstream = operation_ == Operation::kChat ? spoken->new_upstream_codec() : task_upstream(c.model, &spoken);
  if (!at_->upstream) {
    return Error(ErrorCode::kNotSupported, "provider " + at_->provider->config.name + ": its dialect " + std::string(spoken->name()) + " has no " +
                                               std::string(operation_name(operation_)));
  }

  EncodeInput input;
  std::unique_ptr<ChatRequest> edited;
  if (at_->relay) {
    input.body = body_;
    input.source = source_;
    input.facts = &facts_;
    input.edits = &at_->edits;
  } else if (operation_ != Operation::kChat) {
    if (auto prepared = prepare_task(input); !prepared) return prepared;
  } else {
    if (auto decoded = decode_chat(); !decoded) return decoded;
    input.chat = chat_.get();
    if (!at_->edits.empty() || !at_->filters.empty()) {
      edited = std::make_unique<ChatRequest>(*chat_);
      if (auto applied = apply_edits(at_->edits, *edited); !applied) return applied;
      for (const auto& filter : at_->filters) {
        if (auto rewritten = filter->on_request(*edited); !rewritten) return rewritten;
      }
      input.chat = edited.get();
    }
  }
  input.provider = &at_->provider->config;
  if (at_->credential >= 0) {
    input.key = at_->provider->credentials[static_cast<size_t>(at_->credential)].key_to_send();
  } else if (at_->provider->config.pass_client_key) {
    input.key = options_.key.reveal();
  }
  input.upstream_model = c.model;
  input.stream = facts_.stream;
  input.foreign = !at_->relay && client_dialect_ != nullptr && client_dialect_ != spoken;
  if (auto encoded = at_->upstream->encode(input, at_->encoded); !encoded) return encoded;
  record_.dropped = at_->encoded.dropped;
  add_forwarded_headers();
  return {};
}

// What the configuration sets wins over the client's, and the client's over what a codec takes for granted; lists of features are joined.
void Call::State::add_forwarded_headers() {
  const bool equal = at_->relay || client_dialect_ == at_->provider->dialect_of(candidates_[at_->current].model);
  const auto& configured = at_->provider->config.headers;
  for (const HttpHeader& h : options_.headers) {
    const auto& allowed = at_->provider->config.forward_headers;
    const bool listed = std::find(allowed.begin(), allowed.end(), h.name) != allowed.end();
    const bool carried = equal && carries_between_equal_dialects(h.name);
    if ((!listed && !carried) || never_forwarded(h.name)) continue;
    const auto same = [&](const HttpHeader& o) { return same_name(o.name, h.name); };
    if (std::any_of(configured.begin(), configured.end(), same)) continue;
    auto& out = at_->encoded.http.headers;
    const auto there = std::find_if(out.begin(), out.end(), same);
    if (there == out.end()) out.push_back(h);
    else if (is_list(h.name)) there->value.append(",").append(h.value);
    else if (carried) there->value = h.value;
  }
}

bool Call::State::awaits_first() const noexcept {
  return in_pieces() && at_->status < 300 && !at_->collecting ? !at_->payload_seen : at_->status == 0;
}

// One timer watches first for the first token, then for silence between bytes. It is not moved for each chunk: when it fires it looks when
// the last bytes came and goes back to sleep.
void Call::State::arm_watch() {
  reactor_.cancel_timer(at_->watch_timer);
  at_->watch_timer = 0;
  const Timeouts& t = at_->provider->timeouts;
  at_->watching_first = awaits_first();
  TimePoint due;
  if (at_->watching_first) {
    const Duration first = t.first_token > Duration(0) ? t.first_token : facts_.stream ? kFirstTokenOfStreams : Duration(0);
    if (first <= Duration(0)) return;
    due = at_->exchange_began + first;
  } else {
    if (t.idle <= Duration(0)) return;
    due = (at_->paused ? now() : at_->last_bytes) + t.idle;
  }
  at_->watch_timer = reactor_.add_timer(due, [attempt = at_] {
    State& call = attempt->entered();
    Guard guard(&call);
    attempt->watch_timer = 0;
    call.on_watch();
  });
}

void Call::State::on_watch() {
  if (ended_ || !at_->in_flight) return;
  const Timeouts& t = at_->provider->timeouts;
  if (at_->watching_first && awaits_first()) return stall("first_token", t.first_token > Duration(0) ? t.first_token : kFirstTokenOfStreams);
  if (!awaits_first() && !at_->paused && at_->last_bytes + t.idle <= now()) return stall("idle", t.idle);
  arm_watch();
}

void Call::State::stall(std::string_view which, Duration limit) {
  if (at_->done_seen) {  // the answer is all there, only the connection was not ended
    at_->transfer.reset();
    return finish_stream();
  }
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
  Error error(ErrorCode::kUpstreamTimeout, "provider " + at_->provider->config.name + ": timeout: " + std::string(which) + ": nothing came within " +
                                               (ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms"));
  attempt_failed(std::move(error), "timeout");
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
  if (at_->collecting && in_pieces() && at_->status < 300 && at_->collected.empty()) {
    // Asked for a stream, named JSON: a whole answer or an error, unless the first byte tells that only the name is wrong.
    const size_t at = bytes.find_first_not_of(" \t\r\n");
    if (at != std::string_view::npos && bytes[at] != '{' && bytes[at] != '[') at_->collecting = false;
  }
  if (at_->collecting) {
    const size_t cap = at_->status >= 300 ? kErrorBodyCap : at_->provider->endpoint->max_body_bytes;
    if (cap != 0 && at_->collected.size() + bytes.size() > cap) {
      if (at_->status >= 300) return Flow::kContinue;  // enough of an error page
      attempt_failed(Error(ErrorCode::kUpstreamError, "provider " + at_->provider->config.name + ": its answer is larger than " +
                                                          std::to_string(cap) + " bytes"), "error");
      return Flow::kCancel;
    }
    at_->collected.append(bytes);
    return Flow::kContinue;
  }
  const Attempt& mine = *at_;
  const int number = mine.number;  // a failure may start the next attempt before we return
  flow_ = Flow::kContinue;
  at_->upstream->feed(bytes, *at_);
  if (!ended_) after_feed();
  if (ended_ || !mine.in_flight || mine.number != number) return Flow::kCancel;
  if (flow_ == Flow::kCancel) {
    cancel();
    return Flow::kCancel;
  }
  if (at_->watching_first && !awaits_first()) arm_watch();
  if (flow_ == Flow::kPause) at_->paused = true;
  return at_->paused ? Flow::kPause : Flow::kContinue;
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
    const bool ours = error.kind == TransferError::Kind::kUnauthorized || error.kind == TransferError::Kind::kRequestBody;
    at_->unreached = !cut;
    if (!cut && !ours) at_->provider->shared->reach.failed(now(), snap_->config.routing.cooldown);
    return attempt_failed(transfer_error(error, at_->provider->config.name), cut ? "cut" : error.kind == TransferError::Kind::kConnectTimeout ? "timeout" : "error");
  }
  if (at_->status >= 300 || at_->status < 200) return finish_error_reply();
  if (at_->collecting) return finish_whole();
  const Attempt& mine = *at_;
  const int number = mine.number;
  flow_ = Flow::kContinue;
  at_->upstream->finish(*at_);
  if (!ended_) after_feed();
  if (ended_ || !mine.in_flight || mine.number != number) return;
  finish_stream();
}

void Call::State::finish_error_reply() {
  Error error = at_->upstream->parse_error(at_->head, at_->collected);
  error.provider = at_->provider->config.name;
  if (error.code == ErrorCode::kNone) error = Error(ErrorCode::kUpstreamError, "provider " + error.provider + " answered " + std::to_string(at_->status));
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

}  // namespace

void Call::State::finish_whole() {
  if (operation_ != Operation::kChat) return finish_task();
  if (at_->relay && !facts_.stream) {
    auto facts = at_->upstream->inspect(at_->collected);
    if (!facts) return attempt_failed(std::move(facts).error(), "error");
    at_->usage = facts->usage;
    at_->payload_bytes = static_cast<int64_t>(at_->collected.size());
    win();
    end_attempt("ok", "answered");
    return deliver_whole(std::move(at_->collected));
  }
  auto response = at_->upstream->decode(at_->collected);
  if (!response) return attempt_failed(std::move(response).error(), "error");
  at_->usage = response->usage;
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
  win();
  const TokenUsage told = at_->usage;
  end_attempt("ok", "answered");
  if (!committed_) commit();
  if (ended_) return;
  if (!at_->relay && (!told.known || told.input != at_->usage.input || told.output != at_->usage.output)) {
    // Dialects whose answers end with counts must not end without them: the estimate that is recorded is told, too.
    StreamEvent event;
    event.kind = StreamEvent::Kind::kUsage;
    event.usage = at_->usage;
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

void Call::State::end_attempt(std::string_view outcome, std::string_view reason, bool learn) {
  at_->in_flight = false;
  const TimePoint t = now();
  const bool ok = outcome == "ok";
  const Candidate& c = candidates_[at_->current];
  core::ProviderShared& shared = *at_->provider->shared;
  shared.in_flight.fetch_sub(1, std::memory_order_relaxed);
  reactor_.cancel_timer(at_->watch_timer);
  at_->watch_timer = 0;
  if (ok) {
    c.health->succeeded(t, snap_->config.routing.cooldown);
    // Who answers in place of a busy home does not become it.
    if (session_ != 0 && c.id != 0) {
      const bool overflow = home_ != 0 && c.id != home_ && attempts_ == 1;
      snap_->affinity->put(session_, overflow ? home_ : c.id, t + snap_->config.routing.affinity.ttl);
    }
    if (at_->credential >= 0) at_->provider->credentials[static_cast<size_t>(at_->credential)].health->succeeded(t);
  } else if (outcome != "cancelled") {
    shared.failures.fetch_add(1, std::memory_order_relaxed);
    shared.set_last_error(std::string(reason));
  }
  const int64_t cost = charge_attempt(outcome);
  let_probes_go();  // succeeded(), failed() and rest() have judged by now, where there was something to judge
  if (c.stats != nullptr) {
    if (!learn) {
      c.stats->cancelled();
    } else {
      AttemptSample sample;
      sample.ok = ok;
      if (facts_.stream && at_->payload_frames > 0) sample.first_token = at_->first_token - at_->began;
      sample.total = t - at_->began;
      sample.input_tokens = at_->usage.input;
      sample.cached_tokens = at_->usage.cached;
      sample.output_tokens = at_->usage.output;
      c.stats->ended(sample, t);
    }
  }
  if (at_->reservation.active()) {
    const int64_t tokens = at_->usage.input + at_->usage.output;
    at_->reservation.settle({at_->exchanges, at_->usage.estimated ? std::max(tokens, at_->reserved_tokens) : tokens, 0});  // as in settle()
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
  a.cost_nano_usd = cost;
  record_.attempts.push_back(std::move(a));
}

void Call::State::attempt_failed(Error error, std::string_view outcome) {
  at_->transfer.reset();
  if (error.provider.empty()) error.provider = at_->provider->config.name;
  const bool targets_fault = error.code == ErrorCode::kUpstreamError || error.code == ErrorCode::kUpstreamTimeout ||
                             error.code == ErrorCode::kUpstreamRateLimited || error.code == ErrorCode::kUpstreamCredentialsRejected;
  judge(error);
  end_attempt(outcome, error.message, targets_fault);
  router_.logger().log(LogLevel::kWarn, "attempt failed",
                       {{"request_id", record_.request_id}, {"provider", at_->provider->config.name}, {"model", candidates_[at_->current].model},
                        {"code", code_name(error.code)}, {"error", error.message}});
  if (!committed_) return handle_failure(std::move(error));
  settle(CallStatus::kCut, error);
  deliver_error(error);
  if (!ended_) end_call(std::move(error), CallStatus::kCut, false);
}

}  // namespace llmrouter
