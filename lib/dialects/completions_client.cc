// What a client of text completions gets: text_completion objects, whole and in pieces.
#include <algorithm>

#include "dialects/completions.h"
#include "dialects/dates.h"
#include "dialects/ids.h"
#include "dialects/openai.h"
#include "dialects/request_texts.h"
#include "dialects/usage.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::completions {
namespace {

using wire::JsonWriter;

// Nobody can be called here: an answer that calls has stopped.
std::string_view finish_word(FinishReason reason) noexcept {
  return reason == FinishReason::kLength || reason == FinishReason::kContentFilter ? openai::finish_word(reason) : std::string_view("stop");
}

class CompletionsClient final : public ClientCodec {
 public:
  Result<RequestFacts> scan(std::string_view body) override {
    body_ = body;
    Result<RequestFacts> facts = scan_request(body);
    if (facts) {
      model_ = facts->model;
      include_usage_ = facts->include_usage;
    }
    return facts;
  }

  Result<ChatRequest> decode() override { return read_request(body_); }
  Result<bool> tell_texts(TextSink& sink) override { return dialects::tell_texts(body_, {{"prompt"}, {"suffix"}}, sink); }
  std::string field(std::string_view neutral, const ChatRequest&) override { return neutral.substr(0, 8) == "messages" ? "prompt" : std::string(neutral); }

  std::string_view content_type(bool stream) const noexcept override { return stream ? "text/event-stream" : "application/json"; }

  void encode_response(const ChatResponse& response, std::string& out) override {
    take_names(response.id, response.model, response.created);
    JsonWriter w(out);
    begin(w);
    for (const Choice& choice : response.choices) {
      std::string text;
      for (const Part& part : choice.message.parts) {
        if (part.kind == Part::Kind::kText || part.kind == Part::Kind::kRefusal) text += part.text;
      }
      write_choice(choice.index, text, finish_word(choice.finish), w);
    }
    w.end_array();
    if (response.usage.known) {
      std::string usage;
      write_usage(response.usage, {}, usage);
      w.raw_member("usage", usage);
    }
    w.end_object();
  }

  void encode_event(const StreamEvent& event, std::string& out) override {
    using Kind = StreamEvent::Kind;
    switch (event.kind) {
      case Kind::kStart: return take_names(event.id, event.model, event.created);
      case Kind::kText:
      case Kind::kRefusal:
        if (!event.text.empty()) chunk(event.choice, event.text, {}, out);
        return;
      case Kind::kFinish: return finish(event.choice, event.finish, out);
      case Kind::kUsage: usage_ = event.usage; return;
      default: return;  // thoughts and calls have no place here
    }
  }

  void encode_end(std::string& out) override {
    if (finished_.empty()) finish(0, FinishReason::kStop, out);
    if (include_usage_ && usage_.known) {
      out += "data: ";
      JsonWriter w(out);
      begin(w);
      w.end_array();
      std::string usage;
      write_usage(usage_, {}, usage);
      w.raw_member("usage", usage);
      w.end_object();
      out += "\n\n";
    }
    out += "data: [DONE]\n\n";
  }

  void encode_error(const Error& error, std::string& out) const override { openai::write_error(error, out); }
  void encode_stream_error(const Error& error, std::string& out) override {
    out += "data: ";
    openai::write_error(error, out);
    out += "\n\n";
  }

 private:
  void take_names(std::string_view id, std::string_view model, int64_t created) {
    upstream_id_ = id;
    if (!model.empty()) model_ = model;
    if (created != 0) created_ = created;
  }

  // Up to the bracket of choices.
  void begin(JsonWriter& w) {
    if (id_.empty()) id_ = upstream_id_.compare(0, 5, "cmpl-") == 0 ? upstream_id_ : ids_.next("cmpl-");
    if (created_ == 0) created_ = now_seconds();
    w.begin_object();
    w.member("id", id_);
    w.member("object", "text_completion");
    w.member("created", created_);
    w.member("model", model_);
    w.key("choices");
    w.begin_array();
  }

  static void write_choice(int64_t index, std::string_view text, std::string_view finish, JsonWriter& w) {
    w.begin_object();
    w.member("text", text);
    w.member("index", index);
    w.raw_member("logprobs", "null");
    w.key("finish_reason");
    if (finish.empty()) w.null();
    else w.string(finish);
    w.end_object();
  }

  void chunk(int64_t index, std::string_view text, std::string_view finish, std::string& out) {
    out += "data: ";
    JsonWriter w(out);
    begin(w);
    write_choice(index, text, finish, w);
    w.end_array();
    if (include_usage_) w.raw_member("usage", "null");
    w.end_object();
    out += "\n\n";
  }

  void finish(int64_t index, FinishReason reason, std::string& out) {
    if (std::find(finished_.begin(), finished_.end(), index) != finished_.end()) return;
    finished_.push_back(index);
    chunk(index, {}, finish_word(reason), out);
  }

  std::string_view body_;
  std::string model_, id_, upstream_id_;
  int64_t created_ = 0;
  bool include_usage_ = false;
  std::vector<int64_t> finished_;
  TokenUsage usage_;
  IdSource ids_;
};

}  // namespace

std::unique_ptr<ClientCodec> new_client_codec() { return std::make_unique<CompletionsClient>(); }

}  // namespace llmrouter::dialects::completions
