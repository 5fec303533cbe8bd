// The client side: an OpenAI SDK, or whoever speaks like one.
#include "dialects/custom_tools.h"
#include "dialects/fault.h"
#include "dialects/openai.h"
#include "dialects/openai_chunks.h"
#include "dialects/request_texts.h"
#include "dialects/sse_text.h"

namespace llmrouter::dialects::openai {
namespace {

class OpenAiClient final : public ClientCodec {
 public:
  // A path that names a model comes before the body's; that of the operation "route" stands in for one that is missing.
  void set_path(const RequestPath& path) override {
    path_model_ = path.model;
    may_name_ = path.operation == "route";
  }

  Result<RequestFacts> scan(std::string_view body) override {
    body_ = body;
    Result<RequestFacts> facts = scan_request(body, path_model_);
    if (facts && !path_model_.empty() && !(may_name_ && !facts->model.empty())) facts->model = path_model_;
    if (!facts) return facts;
    model_ = facts->model;
    chunks_.start(model_, facts->include_usage);
    return facts;
  }

  Result<ChatRequest> decode() override {
    Result<ChatRequest> request = read_request(body_);
    if (request) custom_ = custom_names(request->tools);
    chunks_.set_custom(custom_);
    return request;
  }
  Result<bool> tell_texts(TextSink& sink) override { return dialects::tell_texts(body_, {{"messages", true}, {"prediction"}}, sink); }
  std::string field(std::string_view neutral, const ChatRequest& decoded) override {
    if (!origins_) origins_ = origins_of(body_, decoded);
    return origins_->field(neutral, decoded, {{"max_tokens", tokens_name()}, {"reasoning_budget", budget_name()}});
  }

  std::string_view content_type(bool stream) const noexcept override { return stream ? "text/event-stream" : "application/json"; }

  void encode_response(const ChatResponse& response, std::string& out) override { write_answer(response, model_, custom_, ids_, out); }
  void encode_event(const StreamEvent& event, std::string& out) override { chunks_.event(event, out); }
  void encode_end(std::string& out) override { chunks_.end(out); }
  void encode_remark(std::string_view words, std::string& out) const override { write_comment(words, out); }

  // A conversation that is too long is told in OpenAI's own code, which clients wait for to shorten it.
  bool is_error_body(std::string_view body) const override {
    if (!wire::validate(body)) return false;
    const wire::JsonValue error = wire::find_member(wire::JsonValue(body), "error");
    if (!wire::find_member(error, "message").is_string()) return false;
    HttpHead head;
    head.status = 400;
    return wire::find_member(error, "code").equals("context_length_exceeded") || error_of_reply(head, body, {}).code != ErrorCode::kContextLengthExceeded;
  }
  void encode_error(const Error& error, std::string& out) const override { write_error(error, out); }
  void encode_stream_error(const Error& error, std::string& out) override {
    out += "data: ";
    write_error(error, out);
    out += "\n\n";
  }

 private:
  // Of two names for one thing those that the body has.
  std::string_view tokens_name() const {
    return wire::find_member(wire::JsonValue(body_), "max_completion_tokens").is_unset() ? "max_tokens" : "max_completion_tokens";
  }
  std::string_view budget_name() const {
    const wire::JsonValue root(body_);
    if (wire::find(root, "thinking", "budget_tokens").exists()) return "thinking.budget_tokens";
    return wire::find(root, "reasoning", "max_tokens").exists() ? "reasoning.max_tokens" : "thinking_budget";
  }

  std::string_view body_;
  std::optional<Origins> origins_;  // looked for by the first error that names a field
  std::string path_model_, model_;
  bool may_name_ = false;
  std::vector<std::string> custom_;  // tools; of a translated call
  ChunkWriter chunks_;
  IdSource ids_;
};

}  // namespace

std::unique_ptr<ClientCodec> new_client_codec() { return std::make_unique<OpenAiClient>(); }

}  // namespace llmrouter::dialects::openai
