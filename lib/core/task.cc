// Operations other than chat: which codec serves them, inputs in several requests, their answers.
#include <algorithm>
#include <iterator>

#include "core/call_state.h"

namespace llmrouter {

void Call::State::begin_task(TaskRequest request, StreamSink& sink) {
  neutral_sink_ = &sink;
  record_.dialect = "neutral";
  operation_ = request.operation;
  task_ = std::make_unique<TaskRequest>(std::move(request));
  begin();
}

// What scan() finds in a body, found in a neutral request.
Result<RequestFacts> Call::State::task_facts() const {
  RequestFacts f;
  f.model = task_->model;
  size_t bytes = 0;
  int64_t tokens = 0;
  switch (operation_) {
    case Operation::kEmbed:
      if (task_->embed.inputs.empty()) return Error(ErrorCode::kInvalidRequest, "inputs: at least one is needed", "inputs");
      f.inputs = static_cast<int64_t>(task_->embed.inputs.size());
      f.user = task_->embed.user;
      for (const EmbedInput& input : task_->embed.inputs) {
        bytes += input.text.size();
        tokens += static_cast<int64_t>(input.tokens.size());
      }
      break;
    case Operation::kRerank:
      if (task_->rerank.documents.empty()) return Error(ErrorCode::kInvalidRequest, "documents: at least one is needed", "documents");
      bytes += task_->rerank.query.size();
      for (const RerankDocument& document : task_->rerank.documents) bytes += document.text.size() + document.raw.size();
      break;
    case Operation::kImage:
      if (task_->image.prompt.empty()) return Error(ErrorCode::kInvalidRequest, "prompt: words are needed", "prompt");
      f.n = task_->image.n.value_or(1);
      f.user = task_->image.user;
      bytes += task_->image.prompt.size();
      break;
    case Operation::kCountTokens:
      if (task_->chat.messages.empty()) return Error(ErrorCode::kInvalidRequest, "messages: at least one is needed", "messages");
      for (const Message& message : task_->chat.messages) bytes += message.text().size();
      break;
    default:
      return Error(ErrorCode::kNotSupported, std::string(operation_name(operation_)) + " has no neutral form; relay its bytes", "operation");
  }
  f.input_tokens = tokens + static_cast<int64_t>((bytes + 3) / 4);
  return f;
}

// What the caller pays for: counting is free.
int64_t Call::State::charged_input() const noexcept { return operation_ == Operation::kCountTokens ? 0 : facts_.input_tokens; }

// The codec for this provider. The client's own dialect when it is spoken there and fits; else the first of the provider's that knows the
// operation. Null: none does.
std::unique_ptr<UpstreamCodec> Call::State::task_upstream(std::string_view model, const Dialect** spoken) {
  if (at_->relay) {
    *spoken = client_dialect_;
    auto codec = client_dialect_->new_task_upstream(operation_);
    if (codec && codec->relays(at_->provider->config, facts_)) return codec;
    at_->relay = false;
  }
  *spoken = at_->provider->dialect_of(model);
  auto codec = (*spoken)->new_task_upstream(operation_);
  const size_t beside = *spoken == at_->provider->dialect ? at_->provider->also.size() : 0;
  for (size_t i = 0; !codec && i < beside; ++i) {
    *spoken = at_->provider->also[i];
    codec = at_->provider->also[i]->new_task_upstream(operation_);
  }
  return codec;
}

// The request as this exchange sends it: all of it, or the inputs whose turn it is. What a target answered before is kept when it is asked
// again.
Result<void> Call::State::prepare_task(EncodeInput& input) {
  if (!task_) {
    auto task = client_->decode_task();
    if (!task) return std::move(task).error();
    task_ = std::make_unique<TaskRequest>(std::move(*task));
  }
  if (joined_for_ != at_->current) {
    joined_ = std::make_unique<TaskResponse>();
    joined_for_ = at_->current;
  }
  std::vector<EmbedInput>& all = task_->embed.inputs;
  const size_t done = joined_->vectors.size();
  const int64_t most = at_->upstream->max_inputs(at_->provider->config, candidates_[at_->current].model);
  const size_t count = most > 0 ? std::min(static_cast<size_t>(most), all.size() - done) : all.size() - done;
  at_->part.reset();
  input.task = task_.get();
  if (at_->edits.empty() && count == all.size()) return {};
  std::vector<EmbedInput> inputs = std::move(all);
  at_->part = std::make_unique<TaskRequest>(*task_);
  all = std::move(inputs);
  const auto from = all.begin() + static_cast<std::ptrdiff_t>(done);
  at_->part->embed.inputs.assign(from, from + static_cast<std::ptrdiff_t>(count));
  input.task = at_->part.get();
  return apply_edits(at_->edits, *at_->part);
}

namespace {

void add(const TokenUsage& more, TokenUsage& sum) noexcept {
  sum.input += more.input;
  sum.cached += more.cached;
  sum.output += more.output;
  sum.image += more.image;
  sum.known = sum.known || more.known;
  sum.estimated = sum.estimated || more.estimated;
}

}  // namespace

void Call::State::finish_task() {
  if (at_->relay) {
    auto facts = at_->upstream->inspect(at_->collected);
    if (!facts) return attempt_failed(std::move(facts).error(), "error");
    at_->usage = facts->usage;
    end_attempt("ok", "answered");
    return deliver_whole(std::move(at_->collected));
  }
  auto response = at_->upstream->decode_task(at_->collected);
  if (!response) return attempt_failed(std::move(response).error(), "error");
  const TokenUsage more = response->usage;
  if (auto joined = join(std::move(*response)); !joined) return attempt_failed(std::move(joined).error(), "error");
  add(more, at_->usage);  // of this attempt: one before it may have brought the first parts
  if (joined_->vectors.size() < task_->embed.inputs.size()) return send_next_part();
  end_attempt("ok", "answered");
  // Nobody counted: the estimate that is recorded is told, too.
  if (!joined_->usage.known && (operation_ == Operation::kEmbed || operation_ == Operation::kRerank)) joined_->usage = at_->usage;
  deliver_task();
}

// One exchange's answer behind those before it.
Result<void> Call::State::join(TaskResponse&& response) {
  if (operation_ == Operation::kEmbed) {
    const size_t asked = at_->part ? at_->part->embed.inputs.size() : task_->embed.inputs.size();
    if (response.vectors.size() != asked) {
      return Error(ErrorCode::kUpstreamError, "provider " + at_->provider->config.name + ": it answered " + std::to_string(response.vectors.size()) +
                                                  " vectors for " + std::to_string(asked) + " inputs");
    }
  }
  if (joined_->vectors.empty()) {
    *joined_ = std::move(response);
    return {};
  }
  if (joined_->vectors.front().size() != response.vectors.front().size()) {
    return Error(ErrorCode::kUpstreamError, "provider " + at_->provider->config.name + ": its vectors changed their length between requests");
  }
  joined_->vectors.insert(joined_->vectors.end(), std::make_move_iterator(response.vectors.begin()), std::make_move_iterator(response.vectors.end()));
  add(response.usage, joined_->usage);
  return {};
}

// The same attempt goes on: same target, same credential.
void Call::State::send_next_part() {
  at_->let_go();
  if (auto encoded = encode_attempt(candidates_[at_->current]); !encoded) return attempt_failed(std::move(encoded).error(), "error");
  ++at_->exchanges;
  send_exchange();
}

void Call::State::deliver_task() {
  if (raw_sink_ != nullptr) {
    std::string body;
    client_->encode_task(*joined_, body);
    return deliver_whole(std::move(body));
  }
  settle(CallStatus::kOk, Error());
  committed_ = true;
  neutral_sink_->on_task(std::move(*joined_));
  if (!ended_) end_call(Error(), CallStatus::kOk, true);
}

// Tokens are to be counted, and no target's provider does that.
bool Call::State::nobody_counts() const noexcept {
  return operation_ == Operation::kCountTokens && attempts_ == 0 && (!skip_error_ || skip_error_->retry_after <= Duration(0));
}

// The estimate that limits go by, in place of a count.
void Call::State::deliver_estimate() {
  joined_ = std::make_unique<TaskResponse>();
  joined_->model = facts_.model;
  joined_->count = facts_.input_tokens;
  deliver_task();
}

}  // namespace llmrouter
