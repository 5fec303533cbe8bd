#include <algorithm>

#include "dialects/anthropic_model.h"
#include "dialects/aws_sign.h"
#include "dialects/bedrock.h"
#include "dialects/bedrock_request.h"
#include "dialects/bedrock_stream.h"
#include "dialects/dates.h"
#include "dialects/fault.h"
#include "dialects/text_match.h"
#include "dialects/tool_names.h"
#include "dialects/usage.h"

namespace llmrouter::dialects::bedrock {
namespace {

using wire::find;
using wire::find_member;
using wire::JsonElements;
using wire::JsonValue;

class BedrockUpstream final : public UpstreamCodec {
 public:
  bool fetches(const ProviderConfig&, const Part&) const override { return false; }

  Result<void> encode(const EncodeInput& input, EncodedRequest& out) override {
    if (input.provider == nullptr || input.chat == nullptr) return Error(ErrorCode::kInternal, "nothing to encode, or no provider to encode for");
    key_ = Secret(std::string(input.key));
    model_ = input.upstream_model;
    std::string body;
    std::optional<ChatRequest> copy;
    auto answer_tool = write_request(names_.fit(*input.chat, kPlainNames, input.foreign, copy), model_, input.foreign, body, out.dropped);
    if (!answer_tool) return std::move(answer_tool).error();
    answer_tool_ = *answer_tool;
    stream_.start(model_, input.key, std::move(*answer_tool));
    out.http.body.push_back(out.owned.emplace_back(std::move(body)));
    const std::string path = "/model/" + percent_encode(model_) + (input.stream ? "/converse-stream" : "/converse");
    const std::string_view accept = input.stream ? "application/vnd.amazon.eventstream" : "application/json";
    return fill(*input.provider, "POST", path, accept, input.key, out.http);
  }

  Prefill prefill(const ProviderConfig&, std::string_view upstream_model) const override {
    return family_of(upstream_model) == Family::kClaude && anthropic::traits_of(upstream_model).prefill ? Prefill::kGoesOn : Prefill::kNone;
  }

  void feed(std::string_view bytes, UpstreamSink& sink) override { stream_.feed(bytes, names_.restoring(sink)); }
  void finish(UpstreamSink& sink) override { stream_.finish(names_.restoring(sink)); }

  // Nobody speaks this dialect to us.
  Result<ReplyFacts> inspect(std::string_view) override { return Error(ErrorCode::kInternal, "bedrock answers are not relayed"); }

  Result<ChatResponse> decode(std::string_view body) override {
    const std::string_view text = bare(body);
    if (!wire::validate(text)) {
      return unreadable("the upstream's answer is not JSON: " + scrub(plain_words(text), key_.reveal()), text, key_.reveal());
    }
    const JsonValue root(text), message = find(root, "output", "message");
    if (!message.is_object()) return answer_without_message(root);
    ChatResponse response;
    response.model = model_;
    response.created = now_seconds();
    response.usage = read_usage(last_told(root, "usage"));
    response.service_tier = find(root, "serviceTier", "type").string_or();
    Choice choice;
    choice.message.role = Role::kAssistant;
    const std::string_view maker = maker_of(family_of(model_));
    for (JsonValue block : JsonElements(find_member(message, "content"))) read_block(block, maker, choice.message);
    choice.finish_raw = find_member(root, "stopReason").string_or();
    choice.finish = finish_reason_of(choice.finish_raw);
    if (choice.finish == FinishReason::kError) {
      return unreadable("the upstream broke the answer off: stopReason \"" + choice.finish_raw + "\"", text, key_.reveal());
    }
    take_answer(choice);
    if (choice.finish == FinishReason::kStop && !choice.message.tool_calls.empty()) choice.finish = FinishReason::kToolCalls;
    response.choices.push_back(std::move(choice));
    names_.restore(response);
    return response;
  }

  Error parse_error(const HttpHead& head, std::string_view body) const override {
    Error error = error_of(head.header("x-amzn-errortype"), head.status, body, key_.reveal());
    if (error.code == ErrorCode::kUpstreamRateLimited || error.code == ErrorCode::kUpstreamError) {
      if (const auto wait = retry_after(head); wait.count() > 0) error.retry_after = wait;
    }
    return error;
  }

  // The list stands in the control plane, on another host. Models that are reached through inference profiles only are on it by their own ids.
  Result<void> encode_models(const ProviderConfig& provider, std::string_view key, EncodedRequest& out) override {
    key_ = Secret(std::string(key));
    ProviderConfig plane = provider;
    if (plane.region.empty()) plane.region = region_of_url(provider.base_url);
    if (const size_t at = plane.base_url.find(kRuntime); at != std::string::npos) plane.base_url.replace(at, kRuntime.size(), "bedrock.");
    return fill(plane, "GET", "/foundation-models", "application/json", key, out.http);
  }

  Result<std::vector<std::string>> parse_models(std::string_view body) override {
    const std::string_view text = bare(body);
    const JsonValue list = find_member(JsonValue(text), "modelSummaries");
    if (!wire::validate(text) || !list.is_array()) return unreadable("the upstream's list of models has no `modelSummaries`", text, key_.reveal());
    std::vector<std::string> ids;
    for (JsonValue entry : JsonElements(list)) {
      const JsonValue outputs = find_member(entry, "outputModalities");
      bool wanted = !outputs.is_array();
      for (JsonValue kind : JsonElements(outputs)) wanted = wanted || kind.equals("TEXT") || kind.equals("EMBEDDING");
      if (std::string id = find_member(entry, "modelId").string_or(); wanted && !id.empty()) ids.push_back(std::move(id));
    }
    return ids;
  }

 private:
  // The call that is the answer is its text; words beside it would spoil its form.
  void take_answer(Choice& choice) const {
    if (answer_tool_.empty()) return;
    std::vector<ToolCall>& calls = choice.message.tool_calls;
    const auto answer = std::find_if(calls.begin(), calls.end(), [this](const ToolCall& call) { return call.name == answer_tool_; });
    if (answer == calls.end()) return;
    std::vector<Part>& parts = choice.message.parts;
    parts.erase(std::remove_if(parts.begin(), parts.end(), [](const Part& part) { return part.kind == Part::Kind::kText; }), parts.end());
    parts.push_back(Part::of_text(std::move(answer->arguments)));
    calls.erase(answer);
    if (calls.empty() && choice.finish == FinishReason::kToolCalls) {
      choice.finish = FinishReason::kStop;
      choice.finish_raw = "end_turn";
    }
  }

  // A 200 without an answer in it holds an exception's name or words.
  Result<ChatResponse> answer_without_message(JsonValue root) const {
    const std::string type = find_member(root, "__type").string_or();
    if (!type.empty() || find_member(root, "message").is_string() || find_member(root, "Message").is_string()) {
      return error_of(type.substr(type.find('#') + 1), 0, root.raw(), key_.reveal());
    }
    return unreadable("the upstream answered without a message", root.raw(), key_.reveal());
  }

  Secret key_;
  std::string model_;
  std::string answer_tool_;  // as write_request() says
  ToolNames names_;
  StreamReader stream_;
};

}  // namespace

std::unique_ptr<UpstreamCodec> new_upstream_codec() { return std::make_unique<BedrockUpstream>(); }

}  // namespace llmrouter::dialects::bedrock
