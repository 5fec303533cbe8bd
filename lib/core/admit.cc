// Before the first attempt: who asks, for what, and whether they may.
#include <algorithm>
#include <utility>

#include "core/call_state.h"
#include "core/wishes.h"

namespace llmrouter {

using core::Candidate;

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
  f.thinking_budget = chat.reasoning_budget;
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
    auto facts = scan();
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
  if (!reserved) skip_error_ = std::make_unique<Error>(std::move(reserved).error());
  return {};
}

// Members that ask for routing are read and never reach an upstream. Requests that have none, almost all, are not touched.
Result<void> Call::State::read_members() {
  if (chat_ && !client_) {
    const std::vector<std::string> named = wishes_.providers;
    auto taken = take_route_members(chat_->extras, facts_.model, wishes_);
    core::body_over_headers(named, wishes_, options_);
    return taken;
  }
  if (auto allowed = core::check_preset(*snap_, facts_, body_, key_.get()); !allowed) return allowed;
  if (!core::has_route_members(*snap_, facts_, options_.forced_provider, body_)) return core::check_passed_models(*snap_, facts_, options_.forced_provider, body_, key_.get());
  const auto& members = facts_.members;
  const bool named = std::any_of(members.begin(), members.end(), [](const MemberSpan& m) { return m.name == "model"; });
  if (!named && path_.model.empty()) path_.model = facts_.model;  // the first of `models`, which are cut out
  if (auto cut = core::cut_route_members(facts_, body_, options_, wishes_); !cut) return cut;
  client_ = operation_ == Operation::kChat ? client_dialect_->new_client_codec() : client_dialect_->new_task_client(operation_);
  client_->set_path(path_);
  auto facts = scan();
  if (!facts) return std::move(facts).error();
  facts_ = std::move(*facts);
  return {};
}

// A limit of the key, about a field of the neutral request; the caller hears of it under its own name.
Error Call::State::refuse_param(std::string_view neutral, std::string_view words) {
  const ChatRequest* chat = client_ && operation_ == Operation::kChat ? decoded() : nullptr;
  std::string field = chat != nullptr ? client_->field(neutral, *chat) : std::string(neutral);
  return Error(ErrorCode::kParameterNotAllowed, field + ": " + std::string(words), field);
}

// `max_tokens` of a key is for all that a request may be answered: each of `n` answers counts, and so does what is thought, as it does at the providers.
Result<void> Call::State::check_params() {
  if (!key_) return {};
  const ParamLimits& most = key_->spec.params;
  if (most.max_tokens && operation_ == Operation::kChat) {
    const std::string words = "this key may ask for at most " + std::to_string(*most.max_tokens);
    const int64_t each = *most.max_tokens / std::max<int64_t>(1, facts_.n);
    if (facts_.max_tokens && *facts_.max_tokens > *most.max_tokens) return refuse_param("max_tokens", words);
    if (facts_.thinking_budget && *facts_.thinking_budget > *most.max_tokens) return refuse_param("reasoning_budget", words + " tokens");
    if (each < facts_.max_tokens.value_or(1)) return refuse_param("n", words + " tokens in all answers together");
    if (!facts_.max_tokens) {
      param_edits_.push_back({BodyEdit::Kind::kDefault, "max_tokens", std::to_string(each)});
      facts_.max_tokens = each;
    }
  }
  if (facts_.temperature && ((most.min_temperature && *facts_.temperature < *most.min_temperature) ||
                             (most.max_temperature && *facts_.temperature > *most.max_temperature))) {
    return refuse_param("temperature", "outside of what this key may ask for");
  }
  if (most.tools && !*most.tools && facts_.has_tools) return refuse_param("tools", "this key may not use tools");
  return {};
}

// Requests, tokens and money, at the key and the model, all or none.
Result<void> Call::State::reserve() {
  user_ = core::user_of(*snap_, key_.get());
  core::CallBuckets buckets = {key_ && !key_->spec.limits.empty() ? router_.bucket_of(*key_) : nullptr, user_ != nullptr ? user_->bucket : nullptr,
                               resolved_.route != nullptr ? resolved_.route->bucket : nullptr};
  if (buckets[0] == nullptr && buckets[1] == nullptr && buckets[2] == nullptr) return {};
  core::Wanted wanted = core::wanted_of(*snap_, candidates_.front(), core::has_budget(key_.get(), user_), charged_input(), expected_output(),
                                        facts_.max_tokens.has_value(), record_.time);
  Denial denial;
  reservation_ = core::reserve_or_what_is_left(*router_.parts.limiter, buckets, wanted, &denial);
  reserved_ = {1, std::min(wanted.most.tokens, wanted.expected.tokens), std::min(wanted.most.nano_usd, wanted.expected.nano_usd)};
  owes_reservation_ = !reservation_.active();
  if (!owes_reservation_) return {};
  if (denial.bucket.compare(0, 6, "model:") != 0) return refusal(denial);
  auto elsewhere = reserve_elsewhere(buckets, denial);
  if (!elsewhere) blocked_by(denial);
  return elsewhere;
}

// The model has no room: whom it falls back to may have. His own limits are counted with his attempt, the key's and its user's here.
Result<void> Call::State::reserve_elsewhere(core::CallBuckets buckets, const Denial& denial) {
  const size_t first = core::pass_over_model(resolved_.route, order_, *snap_, candidates_, [this] { return ask_later(); });
  if (first == core::kNobody) return refusal(denial);
  buckets[2] = nullptr;
  if (buckets[0] != nullptr || buckets[1] != nullptr) {
    core::Wanted wanted = core::wanted_of(*snap_, candidates_[first], core::has_budget(key_.get(), user_), charged_input(), expected_output(),
                                          facts_.max_tokens.has_value(), record_.time);
    Denial mine;
    reservation_ = core::reserve_or_what_is_left(*router_.parts.limiter, buckets, wanted, &mine);
    reserved_ = {1, std::min(wanted.most.tokens, wanted.expected.tokens), std::min(wanted.most.nano_usd, wanted.expected.nano_usd)};
    if (!reservation_.active()) return refusal(mine);
  }
  owes_reservation_ = false;
  full_ = std::make_unique<Denial>(denial);
  skip(candidates_.front(), refusal(denial));
  return {};
}

// Neither had he: what has room first takes it.
void Call::State::come_back() {
  const auto full = std::move(full_);
  if (!full) return;
  if (reservation_.active()) reservation_.settle({0, 0, 0});
  reservation_ = Reservation();
  owes_reservation_ = true;
  blocked_by(*full);
}

int64_t Call::State::expected_output() const noexcept {
  switch (operation_) {
    case Operation::kEmbed:
    case Operation::kRerank:
    case Operation::kModerate:
    case Operation::kCountTokens: return 0;
    default: break;
  }
  const int64_t unbounded = std::max(core::kUnknownOutput, facts_.thinking_budget.value_or(0));
  return core::tokens_of_all(facts_.max_tokens.value_or(unbounded), facts_.n);
}

// The switch, the key's override, the rules.
Result<void> Call::State::direct() {
  asked_ = facts_.model;
  if (operation_ != Operation::kChat) return {};
  const bool on = router_.overlay.gate.enabled(record_.time);
  (on ? router_.overlay.requests_on : router_.overlay.requests_off).fetch_add(1, std::memory_order_relaxed);
  struct Content final : core::RuleContent {
    explicit Content(State& state) : call(state) {}
    Result<bool> tell_texts(TextSink& sink) override { return call.client_ ? call.client_->tell_texts(sink) : llmrouter::tell_texts(*call.chat_, sink); }
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

Error Call::State::refusal(const Denial& denial) const {
  Error error = denial.to_error();
  // Its input alone is too much, and there is no such member to make smaller.
  if (error.param == "max_tokens" && !facts_.max_tokens) error.param.clear();
  // Nobody knows when a place gets free; "soon" is better told as a second than not at all.
  if (denial.kind == LimitKind::kConcurrent && error.retry_after <= Duration(0)) error.retry_after = std::chrono::seconds(1);
  return error;
}

bool Call::State::reserve_again() {
  auto reserved = reserve();
  if (!reserved) skip_error_ = std::make_unique<Error>(std::move(reserved).error());
  return reserved.ok();
}

}  // namespace llmrouter
