// The client side: Cohere's SDK, or whoever posts to /v2/chat.
#include "dialects/cohere.h"
#include "dialects/fields.h"
#include "dialects/pictures.h"
#include "dialects/request_texts.h"
#include "dialects/sse_text.h"
#include "dialects/tool_order.h"

namespace llmrouter::dialects::cohere {
namespace {

using wire::JsonElements;
using wire::JsonValue;
using wire::JsonWriter;

// The stream's grammar: message-start; a content block of text or thoughts is opened, told and closed before anything else begins; calls are
// numbered apart from blocks; message-end holds finish and usage; [DONE].
class CohereStream final : private ToolOrder::Teller {
 public:
  void event(const StreamEvent& event, std::string& out) {
    using Kind = StreamEvent::Kind;
    if (dead_ || event.choice != 0) return;  // there is one choice here
    out_ = &out;
    switch (event.kind) {
      case Kind::kStart:
        id_ = event.id;
        return;
      case Kind::kText:
      case Kind::kRefusal:
      case Kind::kReasoning:
      case Kind::kLogprobs:
      case Kind::kAnnotation:
      case Kind::kOther:
        if (!calls_.hold(event)) say(event);
        break;
      case Kind::kToolCallBegin:
        close_block();
        calls_.begin(event, *this);
        break;
      case Kind::kToolCallDelta: calls_.arguments(event.tool_index, event.arguments, *this); break;
      case Kind::kFinish:
        finish_ = event.finish;
        finish_raw_ = event.raw;
        return;
      case Kind::kUsage: usage_ = event.usage; return;
    }
    if (!calls_.overflowed()) return;
    dead_ = true;
    message_error("more of the answer than " + std::to_string(ToolOrder::kMaxHeld) + " bytes waits for a tool call that does not end");
  }

  void end(std::string& out) {
    if (dead_) return;
    out_ = &out;
    start();
    calls_.close(*this);
    close_block();
    std::string data;
    JsonWriter w(data);
    w.begin_object();
    w.member("id", id_);
    w.member("type", "message-end");
    w.key("delta");
    w.begin_object();
    w.member("finish_reason", finish_word(finish_, finish_raw_, calls_.any()));
    if (usage_.known) {
      w.key("usage");
      write_usage(usage_, w);
    }
    w.end_object();
    w.end_object();
    frame("message-end", data);
    out += "data: [DONE]\n\n";
  }

  // As Cohere itself ends an answer that broke.
  void error(const Error& error, std::string& out) {
    out_ = &out;
    if (started_) {  // not when what was told are an upstream's own bytes
      calls_.close(*this);
      close_block();
    }
    message_error(error.message);
  }

  // What was told went out as another's events, of which this is one, in order.
  void passed(std::string_view event) {
    const JsonValue root(event), type = wire::find_member(root, "type");
    const bool starts = type.equals("content-start"), ends = type.equals("content-end");
    if (!starts && !ends) return;
    block_ = ends ? "" : wire::find(root, "delta", "message", "content", "type").equals("text") ? "text" : "thinking";
    block_index_ = wire::find_member(root, "index").integer().value_or(block_index_);
  }

 private:
  void say(const StreamEvent& event) override {
    using Kind = StreamEvent::Kind;
    if (event.kind == Kind::kLogprobs) logprobs_ = merged_logprobs(event.raw);
    else if (event.kind == Kind::kAnnotation) cite(event.raw);
    else if (event.kind == Kind::kOther) say_pictures(event);
    else if (event.text.empty()) return;
    else if (event.kind != Kind::kReasoning) text("text", event.text);
    else if (event.name == kToolPlan) plan(event.text);
    else text("thinking", event.text);
  }

  void say_pictures(const StreamEvent& event) {
    for (const std::string& url : pictures_of(event)) text("text", picture_in_words(url));
  }

  void message_error(std::string_view words) {
    std::string data;
    JsonWriter w(data);
    w.begin_object();
    w.member("type", "message-end");
    w.key("delta");
    w.begin_object();
    w.member("finish_reason", "ERROR");
    w.member("error", words);
    w.end_object();
    w.end_object();
    frame("message-end", data);
  }

  void frame(std::string_view name, std::string_view data) { out_->append("event: ").append(name).append("\ndata: ").append(data).append("\n\n"); }

  // An event whose delta.message has one member, `inside`.
  void simple(std::string_view type, int64_t index, std::string_view inside, std::string_view beside = {}) {
    start();
    out_->append("event: ").append(type).append("\ndata: {\"type\":\"").append(type).append("\"");
    if (index >= 0) {
      out_->append(",\"index\":");
      wire::append_integer(*out_, index);
    }
    if (!inside.empty()) out_->append(",\"delta\":{\"message\":{").append(inside).append("}}");
    out_->append(beside).append("}\n\n");
  }

  void start() {
    if (started_) return;
    started_ = true;
    if (id_.empty()) id_ = ids_.next("");
    std::string data = "{\"id\":";
    wire::append_json_string(data, id_);
    data += R"(,"type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}})";
    frame("message-start", data);
  }

  void text(std::string_view kind, std::string_view text) {
    calls_.close(*this);
    if (block_ != kind) {
      close_block();
      block_ = kind;
      simple("content-start", ++block_index_, R"("content":{"type":")" + std::string(kind) + R"(",")" + std::string(kind) + "\":\"\"}");
    }
    std::string content = "\"content\":{\"" + std::string(kind) + "\":";
    wire::append_json_string(content, text);
    content += '}';
    if (kind == "text" && said_.size() + text.size() <= kMaxText) said_ += text;
    simple("content-delta", block_index_, content, logprobs_);
    logprobs_.clear();
  }

  void close_block() {
    if (block_.empty()) return;
    block_ = {};
    simple("content-end", block_index_, {});
  }

  void plan(std::string_view text) {
    close_block();
    std::string member = "\"tool_plan\":";
    wire::append_json_string(member, text);
    simple("tool-plan-delta", -1, member);
  }

  void cite(std::string_view annotation) {
    index_.grow(said_);
    const std::string citation = citation_of(JsonValue(annotation), index_);
    if (citation.empty()) return;
    simple("citation-start", citations_, "\"citations\":" + citation);
    simple("citation-end", citations_++, {});
  }

  // A chunk of another dialect may speak of several tokens; an event here has one object.
  static std::string merged_logprobs(std::string_view openai) {
    const std::string list = "[" + cohere_logprobs(openai) + "]";
    std::string text, numbers;
    for (JsonValue item : JsonElements(JsonValue(list))) {
      wire::find_member(item, "text").append_string(text);
      numbers.append(numbers.empty() ? "" : ",").append(wire::find(item, "logprobs", 0).raw());
    }
    if (numbers.empty()) return {};
    std::string out = ",\"logprobs\":{\"text\":";
    wire::append_json_string(out, text);
    return out + ",\"token_ids\":[],\"logprobs\":[" + numbers + "]}";
  }

  void call_begin(const ToolCall& call) override {
    std::string inside = "\"tool_calls\":{\"id\":";
    wire::append_json_string(inside, call.id.empty() ? ids_.next("call_") : call.id);
    inside += ",\"type\":\"function\",\"function\":{\"name\":";
    wire::append_json_string(inside, call.name);
    inside += ",\"arguments\":\"\"}}";
    simple("tool-call-start", ++call_index_, inside);
  }
  void call_arguments(std::string_view piece) override {
    std::string inside = "\"tool_calls\":{\"function\":{\"arguments\":";
    wire::append_json_string(inside, piece);
    inside += "}}";
    simple("tool-call-delta", call_index_, inside);
  }
  void call_end() override { simple("tool-call-end", call_index_, {}); }

  std::string* out_ = nullptr;
  bool started_ = false, dead_ = false;
  static constexpr size_t kMaxText = 256 * 1024;  // of an answer's text, kept to place citations in it
  std::string id_, logprobs_, said_;
  TextIndex index_;  // of `said_`
  std::string_view block_;  // "text", "thinking"; empty: none is open
  int64_t block_index_ = -1, call_index_ = -1, citations_ = 0;
  ToolOrder calls_;
  FinishReason finish_ = FinishReason::kNone;
  std::string finish_raw_;  // the upstream's own word
  TokenUsage usage_;
  IdSource ids_;
};

void write_message(const Message& message, IdSource& ids, JsonWriter& w) {
  w.begin_object();
  w.member("role", "assistant");
  std::string plan;
  bool any = false;
  for (const Part& part : message.parts) {
    if (part.kind == Part::Kind::kReasoning && part.name == kToolPlan) plan += part.text;
    else any = any || !part.text.empty();
  }
  const std::vector<std::string> pictures = pictures_of(message);
  any = any || !pictures.empty();
  if (!plan.empty()) w.member("tool_plan", plan);
  if (any || message.tool_calls.empty()) {
    w.key("content");
    w.begin_array();
    for (const Part& part : message.parts) {
      const bool thought = part.kind == Part::Kind::kReasoning;
      if (part.text.empty() || (thought && part.name == kToolPlan)) continue;
      const std::string_view kind = thought ? "thinking" : "text";
      w.begin_object();
      w.member("type", kind);
      w.member(kind, part.text);
      w.end_object();
    }
    for (const std::string& url : pictures) {
      w.begin_object();
      w.member("type", "text");
      w.member("text", picture_in_words(url));
      w.end_object();
    }
    w.end_array();
  }
  if (!message.tool_calls.empty()) {
    w.key("tool_calls");
    w.begin_array();
    for (const ToolCall& call : message.tool_calls) {
      w.begin_object();
      w.member("id", call.id.empty() ? ids.next("call_") : call.id);
      w.member("type", "function");
      w.key("function");
      w.begin_object();
      w.member("name", call.name);
      w.member("arguments", call.arguments.empty() ? std::string_view("{}") : std::string_view(call.arguments));
      w.end_object();
      w.end_object();
    }
    w.end_array();
  }
  std::string citations, said;
  for (const Part& part : message.parts) {
    if (part.kind == Part::Kind::kText) said += part.text;
  }
  const TextIndex index(said);
  for (JsonValue annotation : JsonElements(JsonValue(message.annotations))) {
    const std::string citation = citation_of(annotation, index);
    if (!citation.empty()) citations.append(citations.empty() ? "" : ",").append(citation);
  }
  if (!citations.empty()) w.raw_member("citations", "[" + citations + "]");
  w.end_object();
}

class CohereClient final : public ClientCodec {
 public:
  Result<RequestFacts> scan(std::string_view body) override {
    body_ = body;
    return scan_request(body);
  }

  Result<ChatRequest> decode() override { return read_request(body_); }
  Result<bool> tell_texts(TextSink& sink) override { return dialects::tell_texts(body_, {{"messages", true}, {"documents", false, false, true}}, sink); }
  std::string field(std::string_view neutral, const ChatRequest& decoded) override {
    if (!origins_) origins_ = origins_of(body_);
    return origins_->field(neutral, decoded, {{"reasoning_budget", "thinking.token_budget"}});
  }

  std::string_view content_type(bool stream) const noexcept override { return stream ? "text/event-stream" : "application/json"; }

  void encode_response(const ChatResponse& response, std::string& out) override {
    JsonWriter w(out);
    w.begin_object();
    w.member("id", response.id.empty() ? ids_.next("") : response.id);
    const Choice none;
    const Choice& choice = response.choices.empty() ? none : response.choices.front();
    w.key("message");
    write_message(choice.message, ids_, w);
    w.member("finish_reason", finish_word(choice.finish, choice.finish_raw, !choice.message.tool_calls.empty()));
    if (const std::string logprobs = cohere_logprobs(choice.logprobs); !logprobs.empty()) w.raw_member("logprobs", "[" + logprobs + "]");
    if (response.usage.known) {
      w.key("usage");
      write_usage(response.usage, w);
    }
    w.end_object();
  }

  void encode_event(const StreamEvent& event, std::string& out) override { stream_.event(event, out); }
  void encode_end(std::string& out) override { stream_.end(out); }
  bool take_over(const std::vector<StreamEvent>& told, std::string_view frames) override {
    ClientCodec::take_over(told, frames);
    for_each_data_line(frames, [this](std::string_view event) { stream_.passed(event); });
    return true;
  }
  void encode_remark(std::string_view words, std::string& out) const override { write_comment(words, out); }

  void encode_error(const Error& error, std::string& out) const override {
    JsonWriter w(out);
    w.begin_object();
    w.member("id", IdSource().next(""));
    w.member("message", error.message);
    w.end_object();
  }
  void encode_stream_error(const Error& error, std::string& out) override { stream_.error(error, out); }

 private:
  std::string_view body_;
  std::optional<Origins> origins_;  // looked for by the first error that names a field
  CohereStream stream_;
  IdSource ids_;
};

}  // namespace

std::unique_ptr<ClientCodec> new_client_codec() { return std::make_unique<CohereClient>(); }

}  // namespace llmrouter::dialects::cohere
