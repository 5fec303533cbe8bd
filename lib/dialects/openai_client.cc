// The client side: an OpenAI SDK, or whoever speaks like one.
#include "dialects/openai.h"
#include "dialects/openai_chunks.h"
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

  Result<ChatRequest> decode() override { return read_request(body_); }
  std::string field(std::string_view neutral, const ChatRequest& decoded) override {
    if (!origins_) origins_ = origins_of(body_);
    return origins_->field(neutral, decoded);
  }

  std::string_view content_type(bool stream) const noexcept override { return stream ? "text/event-stream" : "application/json"; }

  void encode_response(const ChatResponse& response, std::string& out) override { write_answer(response, model_, ids_, out); }
  void encode_event(const StreamEvent& event, std::string& out) override { chunks_.event(event, out); }
  void encode_end(std::string& out) override { chunks_.end(out); }
  void encode_remark(std::string_view words, std::string& out) const override { write_comment(words, out); }

  bool is_error_body(std::string_view body) const override {
    return wire::validate(body) && wire::find(wire::JsonValue(body), "error", "message").is_string();
  }
  void encode_error(const Error& error, std::string& out) const override { write_error(error, out); }
  void encode_stream_error(const Error& error, std::string& out) override {
    out += "data: ";
    write_error(error, out);
    out += "\n\n";
  }

 private:
  std::string_view body_;
  std::optional<Origins> origins_;  // looked for by the first error that names a field
  std::string path_model_, model_;
  bool may_name_ = false;
  ChunkWriter chunks_;
  IdSource ids_;
};

}  // namespace

std::unique_ptr<ClientCodec> new_client_codec() { return std::make_unique<OpenAiClient>(); }

}  // namespace llmrouter::dialects::openai
