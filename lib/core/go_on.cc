// An answer that broke off when its caller had heard some of it, and that another target goes on with (routing.continue_on: cut).
#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "core/call_state.h"

namespace llmrouter {
namespace {

TokenUsage sum(const TokenUsage& a, const TokenUsage& b) noexcept {
  TokenUsage s;
  static constexpr int64_t TokenUsage::*kCounts[] = {&TokenUsage::input,       &TokenUsage::cached,       &TokenUsage::cache_write, &TokenUsage::output,
                                                     &TokenUsage::reasoning,   &TokenUsage::audio_input,  &TokenUsage::audio_output, &TokenUsage::image,
                                                     &TokenUsage::cached_audio};
  for (auto count : kCounts) s.*count = a.*count + b.*count;
  s.known = a.known || b.known;
  s.estimated = a.estimated || b.estimated;
  s.output_counted = !is_guess(a) && !is_guess(b);
  return s;
}

// Is its answer plain text as far as anybody can know before, and its conversation one that an answer can be begun behind?
bool asks_for_text(const ChatRequest& chat) noexcept {
  using Format = ResponseFormat::Kind;
  using Choice = ToolChoice::Kind;
  const Format format = chat.response_format.kind;
  const Choice choice = chat.tool_choice.kind;
  return !chat.messages.empty() && chat.messages.back().role != Role::kAssistant && (format == Format::kUnset || format == Format::kText) &&
         (choice == Choice::kUnset || choice == Choice::kAuto || choice == Choice::kNone) && !chat.logprobs.value_or(false);
}

// A name as it may stand in one line of a stream.
std::string on_one_line(std::string name) {
  std::replace_if(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7f; }, '_');
  return name;
}

bool is_of_tokens(const BodyEdit& edit) noexcept { return edit.name == "max_tokens" || edit.name == "max_completion_tokens"; }

// What a model's settings make of the tokens that a request allows.
std::optional<int64_t> edited_tokens(const std::vector<BodyEdit>& edits, std::optional<int64_t> allowed) {
  std::vector<BodyEdit> own;
  std::copy_if(edits.begin(), edits.end(), std::back_inserter(own), is_of_tokens);
  ChatRequest request;
  request.max_tokens = allowed;
  return apply_edits(own, request) ? request.max_tokens : allowed;
}

void lower(std::optional<int64_t>& most, std::optional<int64_t> other) noexcept {
  if (other && (!most || *other < *most)) most = other;
}

std::string name_of(const core::Candidate& c) { return on_one_line(c.provider->config.name + "/" + std::string(c.model)); }

}  // namespace

TokenUsage Call::State::usage_of_all() const noexcept { return sum(before_, at_->usage); }

void Call::State::remember() {
  const bool text = operation_ == Operation::kChat && facts_.stream && facts_.n <= 1 && !facts_.wants_schema && !facts_.wants_audio;
  if (!snap_->config.routing.continue_on_cut || !text) return;
  told_ = std::make_unique<core::Told>();
  if (at_->relay) told_->listen(client_dialect_->new_upstream_codec());
}

// Either the attempt that has failed said something of the answer, or it was to go on with it and said nothing: then the next may.
bool Call::State::is_beginning(const Error& error) {
  if (!told_ || !told_->is_beginning()) return false;
  if (joint_ && !taken_up_) return true;
  if (at_->in_thought) return false;
  if (!is_targets_fault(error.code)) return false;
  const ChatRequest* chat = decoded();
  if (chat == nullptr || !asks_for_text(*chat) || !hand_over()) return false;
  cut_error_ = std::make_unique<Error>(error);
  cut_at_ = at_->current;
  // Who was asked before would be waited for in vain.
  for (core::Candidate& c : candidates_) {
    if (c.tried > 0 && prefill_of(c) == Prefill::kNone) c.out = true;
  }
  return true;
}

Prefill Call::State::prefill_of(const core::Candidate& c) const {
  const auto codec = c.provider->dialect_of(c.model)->new_upstream_codec();
  return codec ? codec->prefill(c.provider->config, c.model) : Prefill::kNone;
}

// The attempt of `at_` broke off. What counts is what the caller allowed, and what each was asked for whose words the answer has.
bool Call::State::spent_all_tokens() {
  if (!joint_ || taken_up_) {
    lower(most_tokens_, facts_.max_tokens);
    lower(most_tokens_, edited_tokens(at_->edits, facts_.max_tokens));
  }
  return most_tokens_ && usage_of_all().output >= *most_tokens_;
}

// The request of an attempt that goes on. `request` has its policies applied. Not when those allow no more than was told.
Result<void> Call::State::add_beginning(ChatRequest& request) {
  const bool drops = std::any_of(at_->edits.begin(), at_->edits.end(), [](const BodyEdit& e) { return e.kind == BodyEdit::Kind::kRemove && is_of_tokens(e); });
  if (!drops) lower(request.max_tokens, most_tokens_);
  if (request.max_tokens) {
    *request.max_tokens -= usage_of_all().output;
    if (*request.max_tokens <= 0) {
      at_cap_ = true;
      return Error(ErrorCode::kNotSupported, "max_tokens: the answer has all that this model allows");
    }
  }
  joint_ = std::make_unique<core::Joint>(told_->text(), prefill_of(candidates_[at_->current]) == Prefill::kRepeats);
  taken_up_ = false;
  if (!joint_->beginning().empty()) {
    Message& begun = request.messages.emplace_back();
    begun.role = Role::kAssistant;
    begun.parts.push_back(Part::of_text(joint_->beginning()));
  }
  // The thoughts were before the answer.
  if (request.reasoning || request.reasoning_budget || !request.reasoning_effort.empty()) {
    request.reasoning_effort = "none";
    request.reasoning_budget.reset();
    request.reasoning = false;
  }
  return {};
}

// The attempt is on its way: what the one before has counted stays in the sum.
void Call::State::begin_joint() {
  before_ = usage_of_all();
  if (heard_ == TimePoint()) heard_ = at_->first_token;
}

void Call::State::join(const StreamEvent& event) {
  using Kind = StreamEvent::Kind;
  StreamEvent e = event;
  switch (event.kind) {
    case Kind::kStart: return;  // it has begun
    case Kind::kUsage:
      if (!taken_up_) return;  // told when it is
      e.usage = usage_of_all();
      break;
    case Kind::kText:
      e.text = joint_->next(event.text);
      if (e.text.empty()) return;
      break;
    default: flush_joint();
  }
  take_up();
  if (!ended_) deliver_event(e);
}

void Call::State::flush_joint() {
  StreamEvent e;
  e.text = joint_->rest();
  if (e.text.empty()) return;
  take_up();
  if (!ended_) deliver_event(e);
}

// What was relayed so far is the client's codec's from here on. False: it is not to go on.
bool Call::State::hand_over() {
  if (in_frames_ && !client_->take_over(told_->events(), told_->frame())) return false;
  in_frames_ = false;
  return true;
}

// The caller hears of the new attempt for the first time.
void Call::State::take_up() {
  if (std::exchange(taken_up_, true)) return;
  router_.counters.continued.fetch_add(1, std::memory_order_relaxed);
  const std::string by = name_of(candidates_[at_->current]);
  const std::string from = name_of(candidates_[cut_at_]);
  (gone_on_from_ += gone_on_from_.empty() ? "" : ", ") += from;
  router_.logger().log(LogLevel::kInfo, "an answer that broke off goes on", {{"request_id", record_.request_id}, {"from", from}, {"to", by}});
  if (raw_sink_ != nullptr) {
    client_->encode_remark("llmrouter: continued from=" + from + " to=" + by, out_);
    deliver_bytes(out_);
    out_.clear();
  }
  if (ended_ || !at_->usage.known) return;
  StreamEvent usage;
  usage.kind = StreamEvent::Kind::kUsage;
  usage.usage = usage_of_all();
  deliver_event(usage);
}

// All tokens that were allowed were told before it broke off: it ends as it would have.
void Call::State::end_by_length() {
  router_.counters.cut_at_length.fetch_add(1, std::memory_order_relaxed);
  at_->relay = false;
  StreamEvent finish;
  finish.kind = StreamEvent::Kind::kFinish;
  finish.finish = FinishReason::kLength;
  deliver_event(finish);
  if (!ended_) end_stream(false);
}

// Nobody goes on from it.
void Call::State::break_off(Error error) {
  if (told_) router_.counters.not_continued.fetch_add(1, std::memory_order_relaxed);
  settle(CallStatus::kCut, error);
  deliver_error(error);
  if (!ended_) end_call(std::move(error), CallStatus::kCut, false);
}

}  // namespace llmrouter
