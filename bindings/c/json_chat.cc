#include "json_chat.h"

#include <algorithm>
#include <tuple>

namespace llmrouter::c {
namespace {

auto fields(const Part& p) {
  return std::tie(p.kind, p.text, p.url, p.data, p.mime, p.file_id, p.name, p.detail, p.signature, p.maker, p.redacted, p.cache, p.raw, p.extras);
}
auto fields(const ToolCall& c) { return std::tie(c.id, c.name, c.arguments, c.signature, c.extras, c.maker, c.custom); }
auto fields(const Tool& t) { return std::tie(t.name, t.description, t.parameters, t.strict, t.raw, t.cache, t.extras, t.custom, t.format); }
auto fields(const ToolChoice& c) { return std::tie(c.kind, c.name, c.raw); }
auto fields(const ResponseFormat& f) { return std::tie(f.kind, f.name, f.description, f.schema, f.strict, f.raw); }

template <typename T>
bool same(const T& a, const T& b) {
  return fields(a) == fields(b);
}
template <typename T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const T& x, const T& y) { return same(x, y); });
}
bool same(const Message& a, const Message& b) {
  return std::tie(a.role, a.name, a.tool_call_id, a.tool_error, a.annotations, a.audio, a.extras) ==
             std::tie(b.role, b.name, b.tool_call_id, b.tool_error, b.annotations, b.audio, b.extras) &&
         same(a.parts, b.parts) && same(a.tool_calls, b.tool_calls);
}
bool same(const Choice& a, const Choice& b) {
  return std::tie(a.index, a.finish, a.finish_raw, a.logprobs, a.extras) == std::tie(b.index, b.finish, b.finish_raw, b.logprobs, b.extras) &&
         same(a.message, b.message);
}

// What `changed` has, with the originals of all that is as it was told: at the beginning and at the end of the list.
template <typename T>
void merge(std::vector<T>& original, const std::vector<T>& told, std::vector<T>&& changed) {
  if (original.size() == told.size()) {
    const size_t most = std::min(told.size(), changed.size());
    size_t front = 0, back = 0;
    while (front < most && same(told[front], changed[front])) ++front;
    while (back < most - front && same(told[told.size() - 1 - back], changed[changed.size() - 1 - back])) ++back;
    for (size_t i = 0; i < front; ++i) changed[i] = std::move(original[i]);
    for (size_t i = 1; i <= back; ++i) changed[changed.size() - i] = std::move(original[original.size() - i]);
  }
  original = std::move(changed);
}

template <auto... Field>
void merge_fields(ChatRequest& original, const ChatRequest& told, ChatRequest& changed) {
  ((told.*Field == changed.*Field ? void() : void(original.*Field = std::move(changed.*Field))), ...);
}

void merge(ChatRequest& original, const ChatRequest& told, ChatRequest&& changed) {
  using R = ChatRequest;
  merge(original.messages, told.messages, std::move(changed.messages));
  merge(original.tools, told.tools, std::move(changed.tools));
  if (!same(told.tool_choice, changed.tool_choice)) original.tool_choice = std::move(changed.tool_choice);
  if (!same(told.response_format, changed.response_format)) original.response_format = std::move(changed.response_format);
  merge_fields<&R::parallel_tool_calls, &R::max_tokens, &R::temperature, &R::top_p, &R::top_k, &R::frequency_penalty, &R::presence_penalty, &R::seed, &R::n,
               &R::stop, &R::logprobs, &R::top_logprobs, &R::logit_bias, &R::user, &R::reasoning_effort, &R::reasoning_budget, &R::reasoning,
               &R::reasoning_summary, &R::verbosity, &R::prompt_cache_key, &R::service_tier, &R::metadata, &R::extras>(original, told, changed);
}

Error unreadable(const Error& why) {
  return Error(ErrorCode::kInternal, "what a filter wrote cannot be read: " + why.message, why.param);
}

}  // namespace

JsonChat::JsonChat() {
  for (const auto& dialect : builtin_dialects()) {
    if (dialect->name() == "openai") openai_ = dialect;
  }
  provider_.base_url = "http://localhost/v1";
}

Result<std::string> JsonChat::write(const ChatRequest& request) const {
  EncodeInput input;
  input.chat = &request;
  input.provider = &provider_;
  input.upstream_model = request.model;
  EncodedRequest out;
  if (auto encoded = openai_->new_upstream_codec()->encode(input, out); !encoded) return std::move(encoded).error();
  std::string body;
  for (const std::string_view piece : out.http.body) body += piece;
  return body;
}

Result<ChatRequest> JsonChat::read(std::string_view body) const {
  const auto codec = openai_->new_client_codec();
  if (auto facts = codec->scan(body); !facts) return std::move(facts).error();
  return codec->decode();
}

Result<void> JsonChat::change(ChatRequest& request, std::string_view told, std::string_view changed) const {
  auto before = read(told);
  if (!before) return unreadable(before.error());
  auto after = read(changed);
  if (!after) return unreadable(after.error());
  merge(request, *before, std::move(*after));
  return {};
}

std::string JsonChat::write(const ChatResponse& response) const {
  std::string body;
  openai_->new_client_codec()->encode_response(response, body);
  return body;
}

Result<void> JsonChat::change(ChatResponse& response, std::string_view told, std::string_view changed) const {
  auto before = openai_->new_upstream_codec()->decode(told);
  if (!before) return unreadable(before.error());
  auto after = openai_->new_upstream_codec()->decode(changed);
  if (!after) return unreadable(after.error());
  merge(response.choices, before->choices, std::move(after->choices));
  if (before->extras != after->extras) response.extras = std::move(after->extras);
  return {};
}

}  // namespace llmrouter::c
