// The client side: the Responses half of an OpenAI SDK, or a coding agent.
#include "dialects/openai.h"
#include "dialects/request_texts.h"
#include "dialects/responses.h"
#include "dialects/responses_events.h"
#include "dialects/sse_text.h"

namespace llmrouter::dialects::responses {
namespace {

class ResponsesClient final : public ClientCodec {
 public:
  Result<RequestFacts> scan(std::string_view body) override {
    body_ = body;
    return scan_request(body);
  }

  Result<ChatRequest> decode() override { return read_request(body_); }
  Result<bool> tell_texts(TextSink& sink) override { return dialects::tell_texts(body_, {{"input", true, true}, {"prompt"}, {"instructions"}}, sink); }
  std::string field(std::string_view neutral, const ChatRequest& decoded) override {
    if (!origins_) origins_ = origins_of(body_, decoded);
    return origins_->field(neutral, decoded, {{"messages", "input"}, {"response_format", "text.format"}, {"max_tokens", "max_output_tokens"}});
  }

  std::string_view content_type(bool stream) const noexcept override { return stream ? "text/event-stream" : "application/json"; }

  void encode_response(const ChatResponse& response, std::string& out) override { writer().response(response, out); }
  void encode_event(const StreamEvent& event, std::string& out) override { writer().event(event, out); }
  void encode_end(std::string& out) override { writer().end(out); }

  void relayed(std::string_view frames) override { writer_.passed(frames); }
  bool take_over(const std::vector<StreamEvent>& told, std::string_view frames) override { return writer().go_on(told, frames); }
  void encode_remark(std::string_view words, std::string& out) const override { write_comment(words, out); }
  void encode_error(const Error& error, std::string& out) const override { openai::write_error(error, out); }
  void encode_stream_error(const Error& error, std::string& out) override { writer().error(error, out); }

 private:
  // An answer echoes the request, but only one that is written here: most are passed.
  EventWriter& writer() {
    if (!started_) {
      started_ = true;
      std::vector<MemberSpan> members;
      if (wire::scan_object(body_, {}, members)) writer_.start(body_, std::move(members));
    }
    return writer_;
  }

  std::string_view body_;
  std::optional<Origins> origins_;  // looked for by the first error that names a field
  bool started_ = false;
  EventWriter writer_;
};

}  // namespace

std::unique_ptr<ClientCodec> new_client_codec() { return std::make_unique<ResponsesClient>(); }

}  // namespace llmrouter::dialects::responses
