// The client side: whoever posts to /v1/messages.
#include "dialects/anthropic.h"
#include "dialects/anthropic_events.h"
#include "dialects/request_texts.h"
#include "dialects/sse_text.h"

namespace llmrouter::dialects::anthropic {
namespace {

using wire::find_member;

// A conversation that goes on in what the vendor has kept of it is not in the request: elsewhere the answer would be one to its last words alone. The vendor's
// tools read this code and send the whole conversation instead. One that is to be kept from here on is all there: to ask for that is dropped like any extra.
std::optional<Error> needs_thread(wire::JsonValue thread) {
  if (thread.is_unset() || find_member(thread, "type").equals("create")) return std::nullopt;
  Error error(ErrorCode::kInvalidRequest,
              "`thread`: what the provider has kept of a conversation cannot be translated for another target; send the whole conversation as `messages`", "thread");
  error.upstream_code = kThreadUnsupported;
  return error;
}

class AnthropicClient final : public ClientCodec {
 public:
  void set_path(const RequestPath& path) override { request_id_ = path.request_id; }

  Result<RequestFacts> scan(std::string_view body) override {
    body_ = body;
    Result<RequestFacts> facts = scan_request(body);
    if (!facts) return facts;
    model_ = facts->model;
    events_.start(model_, facts->input_tokens);
    return facts;
  }

  Result<ChatRequest> decode() override {
    if (auto missing = needs_thread(find_member(wire::JsonValue(body_), "thread"))) return std::move(*missing);
    return read_request(body_);
  }
  Result<bool> tell_texts(TextSink& sink) override { return dialects::tell_texts(body_, {{"messages", true}, {"system"}}, sink); }
  std::string field(std::string_view neutral, const ChatRequest& decoded) override {
    if (!origins_) origins_ = origins_of(body_);
    return client_field(*origins_, neutral, decoded);
  }

  std::string_view content_type(bool stream) const noexcept override { return stream ? "text/event-stream" : "application/json"; }

  void encode_response(const ChatResponse& response, std::string& out) override { write_answer(response, model_, ids_, out); }
  void encode_event(const StreamEvent& event, std::string& out) override { events_.event(event, out); }
  void encode_end(std::string& out) override { events_.end(out); }
  bool take_over(const std::vector<StreamEvent>& told, std::string_view frames) override {
    ClientCodec::take_over(told, frames);
    for_each_data_line(frames, [this](std::string_view event) { events_.passed(event); });
    return true;
  }
  void encode_remark(std::string_view words, std::string& out) const override { write_comment(words, out); }

  bool is_error_body(std::string_view body) const override { return is_error(body); }
  void encode_error(const Error& error, std::string& out) const override { write_error(error, request_id_, out); }
  void encode_stream_error(const Error& error, std::string& out) override {
    out += "event: error\ndata: ";
    write_error(error, request_id_, out);
    out += "\n\n";
  }

 private:
  std::string_view body_;
  std::optional<Origins> origins_;  // looked for by the first error that names a field
  std::string request_id_, model_;
  EventWriter events_;
  IdSource ids_;
};

}  // namespace

std::unique_ptr<ClientCodec> new_client_codec() { return std::make_unique<AnthropicClient>(); }

}  // namespace llmrouter::dialects::anthropic
