#include "call.h"

#include "json.h"
#include "stream_member.h"

namespace llmrouter::c {

namespace {

Error begun_already() { return Error(ErrorCode::kConflict, "the call was begun already"); }

// Short enough for the small buffer of std::string: said without memory.
Error cancelled() { return Error(ErrorCode::kCancelled, "cancelled"); }

}  // namespace

Result<Plan> CallState::explain() const {
  if (begun()) return begun_already();
  const auto codec = core_->openai().new_client_codec();
  const auto facts = codec->scan(body_);
  if (!facts) return facts.error();
  return core_->router().explain(facts->model, options, body_);
}

bool CallState::leads_somewhere() const {
  const auto codec = core_->openai().new_client_codec();
  const auto facts = codec->scan(body_);
  return !facts || facts->model.empty() || !options.forced_provider.empty() || core_->router().knows(facts->model);
}

Result<std::shared_ptr<const KeyRecord>> CallState::key_named(std::string_view key) const {
  Router& router = core_->router();
  if (!key.empty()) {
    if (router.keys() == nullptr) return Error(ErrorCode::kNotSupported, "this router keeps no keys");
    return router.keys()->get(key);
  }
  if (options.trusted) return std::shared_ptr<const KeyRecord>();
  return router.authenticate(options.key, "chat");
}

Result<Trial> CallState::try_rules(std::string_view key) const {
  if (begun()) return begun_already();
  const auto record = key_named(key);
  if (!record) return record.error();
  const Router& router = core_->router();
  auto rule = router.matching_rule({}, record->get(), options, body_);
  if (!rule) return std::move(rule).error();
  return Trial{std::move(*rule), router.explain_for(record->get(), {}, options, body_)};
}

Result<void> CallState::begin(Callbacks callbacks) {
  auto result = std::make_unique<llmrouter_result>();
  if (begun_.exchange(true)) return Error(ErrorCode::kConflict, "a call is run or started once");
  result_ = std::move(result);
  callbacks_ = std::move(callbacks);
  return {};
}

void CallState::board(Loop& loop, bool started) noexcept {
  home_ = &loop;
  started_ = started;
  std::lock_guard<std::mutex> lock(mutex_);
  loop_ = &loop;
}

void CallState::cancel() noexcept {
  cancel_wanted_.store(true);
  std::lock_guard<std::mutex> lock(mutex_);
  if (loop_ != nullptr) loop_->tell(*this);
}

void CallState::resume() noexcept {
  pause_wanted_.store(false);
  resume_wanted_.store(true);
  std::lock_guard<std::mutex> lock(mutex_);
  if (loop_ != nullptr) loop_->tell(*this);
}

void CallState::launch() noexcept {
  launched_ = true;
  flight_ = shared_from_this();
  home_->enter(*this);
  try {
    if (cancel_wanted_.load() || home_->closing()) {
      const Error error = cancelled();
      end(&error, nullptr);
    } else {
      dispatch();
    }
  } catch (...) {
    fail(nullptr);
  }
}

void CallState::dispatch() {
  Router& router = core_->router();
  if (mode != LLMROUTER_TEXT) {
    set_stream(body_, mode == LLMROUTER_CHUNKS, core_->openai());
    RawRequest raw;
    raw.body = std::move(body_);
    call_ = router.relay(home_->transport(), std::move(raw), std::move(options), *this);
    return;
  }
  const auto codec = core_->openai().new_client_codec();
  if (const auto facts = codec->scan(body_); !facts) return end(&facts.error(), nullptr);
  auto request = codec->decode();
  if (!request) return end(&request.error(), nullptr);
  call_ = router.start(home_->transport(), std::move(*request), true, std::move(options), *this);
}

void CallState::hear() noexcept {
  if (ended_) return;
  if (!launched_) {
    if (started_) launch();
    return;
  }
  try {
    if (cancel_wanted_.load()) {
      call_.cancel();
    } else if (resume_wanted_.exchange(false)) {
      call_.resume();
    }
  } catch (...) {
    fail(nullptr);
  }
}

void CallState::fail(const Error* error) noexcept {
  if (ended_) return;
  const auto keep = flight_;
  call_ = Call();
  end(error, nullptr);
}

Flow CallState::give(std::string_view data) noexcept {
  if (cancel_wanted_.load()) return Flow::kCancel;
  if (callbacks_.on_data == nullptr) return Flow::kContinue;
  int answer = LLMROUTER_STOP;
  try {
    answer = callbacks_.on_data(callbacks_.user.get(), data.data(), data.size());
  } catch (...) {  // a callback in C++ that broke its promise stops the call
  }
  if (answer != LLMROUTER_CONTINUE && answer != LLMROUTER_PAUSE) return Flow::kCancel;
  const bool pause = pause_wanted_.exchange(false) || answer == LLMROUTER_PAUSE;
  return pause ? Flow::kPause : Flow::kContinue;
}

Flow CallState::broke() noexcept {
  no_memory_ = true;
  return Flow::kCancel;
}

void CallState::on_head(const ReplyHead& head) { streaming_ = head.stream && mode == LLMROUTER_CHUNKS; }

Flow CallState::on_bytes(std::string_view bytes) {
  try {
    if (!streaming_) {
      result_->body += bytes;
      return Flow::kContinue;
    }
    Flow flow = Flow::kContinue;
    frames_.feed(bytes, [this, &flow](std::string_view data) {
      if (data == "[DONE]") return true;
      const Flow answer = give(data);
      if (answer != Flow::kContinue) flow = answer;
      return answer != Flow::kCancel;
    });
    return flow;
  } catch (...) {
    return broke();
  }
}

Flow CallState::on_whole(std::string&& body) {
  if (streaming_) return on_bytes(body);
  result_->body = std::move(body);
  return Flow::kContinue;
}

Flow CallState::on_event(const StreamEvent& event) {
  if (event.kind != StreamEvent::Kind::kText || event.choice != 0 || event.text.empty()) return Flow::kContinue;
  return give(event.text);
}

void CallState::on_end(const CallResult& result) { end(nullptr, &result); }

// Exactly once for each call that was launched: everything that can end a call comes here.
void CallState::end(const Error* error, const CallResult* result) noexcept {
  if (ended_) return;
  const auto keep = std::move(flight_);
  ended_ = true;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    loop_ = nullptr;
  }
  home_->leave(*this);
  write_result(error, result);
  call_ = Call();  // `result` was its own
  if (callbacks_.on_end != nullptr) {
    try {
      callbacks_.on_end(callbacks_.user.get(), result_.get());
    } catch (...) {  // as in give()
    }
    result_.reset();
  }
  callbacks_ = {};
}

void CallState::write_result(const Error* error, const CallResult* result) noexcept {
  try {
    if (no_memory_ || (error == nullptr && result == nullptr)) {
      result_->no_memory = true;
    } else if (error != nullptr) {
      result_->error.emplace(*error);
    } else if (!result->ok()) {
      result_->error.emplace(result->error);
    }
    if (result != nullptr) result_->record = to_json(result->record);
  } catch (...) {
    result_->no_memory = !result_->error;
  }
}

}  // namespace llmrouter::c

using llmrouter::Error;
using llmrouter::ErrorCode;
using llmrouter::c::Callbacks;
using llmrouter::c::CallState;
using llmrouter::c::guarded;
using llmrouter::c::new_error;
using llmrouter::c::null_argument;
using llmrouter::c::UserData;
using llmrouter::c::view;

namespace {

// What every setter asks first.
llmrouter_error* check_new(const llmrouter_call* call) {
  if (call == nullptr) return null_argument("call");
  if (call->state->begun()) return new_error(Error(ErrorCode::kConflict, "the call was begun already"));
  return nullptr;
}

template <typename Set>
llmrouter_error* set(llmrouter_call* call, Set&& change) noexcept {
  return guarded([&]() -> llmrouter_error* {
    if (auto* error = check_new(call)) return error;
    return change(*call->state);
  });
}

llmrouter_error* make_call(llmrouter_router* router, std::string body, llmrouter_call** out) {
  *out = new llmrouter_call{std::make_shared<CallState>(router->core, std::move(body))};
  return nullptr;
}

// {"model":...,"messages":[{"role":"user","content":...}]}
std::string body_of(std::string_view model, std::string_view text) {
  std::string body;
  body.reserve(model.size() + text.size() + text.size() / 16 + 64);
  body += "{\"model\":";
  llmrouter::c::append_string(body, model);
  body += ",\"messages\":[{\"role\":\"user\",\"content\":";
  llmrouter::c::append_string(body, text);
  body += "}]}";
  return body;
}

// Lower case; false when it is no header's name.
bool lower_token(std::string& name) {
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    if (!good) return false;
  }
  return !name.empty();
}

// What run() came to, as an error or (when wanted) a result.
llmrouter_error* outcome(std::unique_ptr<llmrouter_result> result, llmrouter_result** out) {
  if (result->no_memory) return llmrouter::c::out_of_memory();
  if (result->error) return new_error(std::move(result->error->error));
  if (out != nullptr) *out = result.release();
  return nullptr;
}

llmrouter_error* run(CallState& call, llmrouter_on_data on_data, UserData user, llmrouter_result** out) {
  Callbacks callbacks;
  callbacks.on_data = on_data;
  callbacks.user = std::move(user);
  if (auto begun = call.begin(std::move(callbacks)); !begun) return new_error(std::move(begun).error());
  try {
    if (auto ran = call.core().run(call.shared_from_this()); !ran) {
      call.abandon();
      return new_error(std::move(ran).error());
    }
  } catch (...) {
    call.abandon();
    throw;
  }
  return outcome(call.take_result(), out);
}

// The blocking one-step calls.
llmrouter_error* run_body(llmrouter_router* router, std::string body, int mode, llmrouter_on_data on_data, UserData user,
                          llmrouter_result** out) {
  const auto call = std::make_shared<CallState>(router->core, std::move(body));
  call->mode = mode;
  return run(*call, on_data, std::move(user), out);
}

}  // namespace

llmrouter_error* llmrouter_call_new(llmrouter_router* router, const char* body, size_t body_size, llmrouter_call** out) {
  if (out == nullptr) return null_argument("out");
  *out = nullptr;
  if (router == nullptr) return null_argument("router");
  return guarded([&] { return make_call(router, llmrouter::c::copy(body, body_size), out); });
}

llmrouter_error* llmrouter_call_new_text(llmrouter_router* router, const char* model, size_t model_size, const char* text, size_t text_size,
                                         llmrouter_call** out) {
  if (out == nullptr) return null_argument("out");
  *out = nullptr;
  if (router == nullptr) return null_argument("router");
  return guarded([&] { return make_call(router, body_of(view(model, model_size), view(text, text_size)), out); });
}

void llmrouter_call_free(llmrouter_call* call) {
  if (call == nullptr) return;
  call->state->cancel();
  delete call;
}

llmrouter_error* llmrouter_call_set_mode(llmrouter_call* call, int mode) {
  return set(call, [mode](CallState& state) -> llmrouter_error* {
    if (mode != LLMROUTER_WHOLE && mode != LLMROUTER_CHUNKS && mode != LLMROUTER_TEXT) {
      return new_error(Error(ErrorCode::kInvalidRequest, "mode: expected one of LLMROUTER_WHOLE, _CHUNKS and _TEXT", "mode"));
    }
    state.mode = mode;
    return nullptr;
  });
}

llmrouter_error* llmrouter_call_set_key(llmrouter_call* call, const char* key, size_t key_size) {
  return set(call, [=](CallState& state) -> llmrouter_error* {
    state.options.key = llmrouter::Secret(llmrouter::c::copy(key, key_size));
    state.options.trusted = false;
    return nullptr;
  });
}

llmrouter_error* llmrouter_call_set_request_id(llmrouter_call* call, const char* id, size_t id_size) {
  return set(call, [=](CallState& state) -> llmrouter_error* {
    state.options.request_id = view(id, id_size);
    return nullptr;
  });
}

llmrouter_error* llmrouter_call_set_timeout_ms(llmrouter_call* call, int64_t timeout_ms) {
  return set(call, [timeout_ms](CallState& state) -> llmrouter_error* {
    constexpr int64_t kMost = int64_t{1000} * 60 * 60 * 24 * 365;
    if (timeout_ms < 0 || timeout_ms > kMost) {
      return new_error(Error(ErrorCode::kInvalidRequest, "timeout_ms: expected 0 to a year", "timeout_ms"));
    }
    state.options.timeout = std::chrono::milliseconds(timeout_ms);
    return nullptr;
  });
}

llmrouter_error* llmrouter_call_set_provider(llmrouter_call* call, const char* provider, size_t provider_size) {
  return set(call, [=](CallState& state) -> llmrouter_error* {
    state.options.forced_provider = view(provider, provider_size);
    return nullptr;
  });
}

llmrouter_error* llmrouter_call_add_header(llmrouter_call* call, const char* name, size_t name_size, const char* value, size_t value_size) {
  return set(call, [=](CallState& state) -> llmrouter_error* {
    const auto text = view(value, value_size);
    std::string lower = llmrouter::c::copy(name, name_size);
    if (!lower_token(lower) || text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) {
      return new_error(Error(ErrorCode::kInvalidRequest, "no such header can be sent", "header"));
    }
    state.options.headers.push_back({std::move(lower), std::string(text)});
    return nullptr;
  });
}

llmrouter_error* llmrouter_call_run(llmrouter_call* call, llmrouter_on_data on_data, void* user_data, llmrouter_destroy destroy,
                                    llmrouter_result** out) {
  UserData user(user_data, destroy);
  if (out != nullptr) *out = nullptr;
  if (call == nullptr) return null_argument("call");
  return guarded([&] {
    const auto state = call->state;  // the handle may be freed by a callback
    return run(*state, on_data, std::move(user), out);
  });
}

llmrouter_error* llmrouter_call_start(llmrouter_call* call, llmrouter_on_data on_data, llmrouter_on_end on_end, void* user_data,
                                      llmrouter_destroy destroy) {
  UserData user(user_data, destroy);
  if (call == nullptr) return null_argument("call");
  return guarded([&]() -> llmrouter_error* {
    const auto state = call->state;
    Callbacks callbacks;
    callbacks.on_data = on_data;
    callbacks.on_end = on_end;
    callbacks.user = std::move(user);
    if (auto begun = state->begin(std::move(callbacks)); !begun) return new_error(std::move(begun).error());
    try {
      auto started = state->core().start(state);
      if (started) return nullptr;
      state->abandon();
      return new_error(std::move(started).error());
    } catch (...) {
      state->abandon();
      throw;
    }
  });
}

void llmrouter_call_cancel(llmrouter_call* call) {
  if (call != nullptr) call->state->cancel();
}

void llmrouter_call_pause(llmrouter_call* call) {
  if (call != nullptr) call->state->pause();
}

void llmrouter_call_resume(llmrouter_call* call) {
  if (call != nullptr) call->state->resume();
}

llmrouter_error* llmrouter_call_explain(const llmrouter_call* call, llmrouter_text** plan) {
  if (plan == nullptr) return null_argument("plan");
  *plan = nullptr;
  if (call == nullptr) return null_argument("call");
  return guarded([&] {
    const auto explained = call->state->explain();
    return explained ? llmrouter::c::give(plan, explained->to_json()) : new_error(explained.error());
  });
}

llmrouter_error* llmrouter_chat(llmrouter_router* router, const char* model, size_t model_size, const char* text, size_t text_size,
                                llmrouter_text** answer) {
  if (answer == nullptr) return null_argument("answer");
  *answer = nullptr;
  if (router == nullptr) return null_argument("router");
  return guarded([&]() -> llmrouter_error* {
    llmrouter_result* result = nullptr;
    auto* error = run_body(router, body_of(view(model, model_size), view(text, text_size)), LLMROUTER_WHOLE, nullptr, UserData(), &result);
    if (error != nullptr) return error;
    const std::unique_ptr<llmrouter_result> owned(result);
    size_t size = 0;
    const char* words = llmrouter_result_text(result, &size);
    return llmrouter::c::give(answer, std::string(words, size));
  });
}

llmrouter_error* llmrouter_chat_json(llmrouter_router* router, const char* body, size_t body_size, llmrouter_text** answer) {
  if (answer == nullptr) return null_argument("answer");
  *answer = nullptr;
  if (router == nullptr) return null_argument("router");
  return guarded([&]() -> llmrouter_error* {
    llmrouter_result* result = nullptr;
    auto* error = run_body(router, llmrouter::c::copy(body, body_size), LLMROUTER_WHOLE, nullptr, UserData(), &result);
    if (error != nullptr) return error;
    const std::unique_ptr<llmrouter_result> owned(result);
    return llmrouter::c::give(answer, std::move(owned->body));
  });
}

llmrouter_error* llmrouter_stream(llmrouter_router* router, const char* model, size_t model_size, const char* text, size_t text_size,
                                  llmrouter_on_data on_text, void* user_data, llmrouter_destroy destroy) {
  UserData user(user_data, destroy);
  if (router == nullptr) return null_argument("router");
  return guarded([&] {
    return run_body(router, body_of(view(model, model_size), view(text, text_size)), LLMROUTER_TEXT, on_text, std::move(user), nullptr);
  });
}

llmrouter_error* llmrouter_stream_json(llmrouter_router* router, const char* body, size_t body_size, llmrouter_on_data on_chunk, void* user_data,
                                       llmrouter_destroy destroy) {
  UserData user(user_data, destroy);
  if (router == nullptr) return null_argument("router");
  return guarded([&] { return run_body(router, llmrouter::c::copy(body, body_size), LLMROUTER_CHUNKS, on_chunk, std::move(user), nullptr); });
}
