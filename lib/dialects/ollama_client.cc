// The client side: whoever posts to /api/chat or /api/generate.
#include "dialects/dates.h"
#include "dialects/fields.h"
#include "dialects/ollama.h"
#include "dialects/pictures.h"
#include "dialects/request_texts.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::ollama {
namespace {

using wire::JsonWriter;

// OpenAI's word for how it ended; tool calls end with "stop" here.
std::string_view done_word(FinishReason reason) noexcept {
  if (reason == FinishReason::kLength) return "length";
  return reason == FinishReason::kContentFilter ? "content_filter" : "stop";
}

std::string ollama_logprobs(std::string_view openai) {
  const wire::JsonValue list = wire::find_member(wire::JsonValue(openai), "content");
  std::string out;
  if (list.is_array()) append_one_line(out, list.raw());
  return out;
}

class OllamaClient final : public ClientCodec {
 public:
  void set_path(const RequestPath& path) override {
    show_ = path.operation == "show";
    load_ = path.operation == "load" || path.operation == "load_generate";
    generate_ = show_ || path.operation == "generate" || path.operation == "load_generate";
  }

  Result<RequestFacts> scan(std::string_view body) override {
    body_ = body;
    if (load_) return scan_load();
    Result<RequestFacts> facts = scan_request(body, generate_);
    if (!facts && show_ && facts.error().param == "model") facts = named(std::move(facts));
    if (facts) model_ = facts->model;
    return facts;
  }

  Result<ChatRequest> decode() override { return read_request(body_, generate_); }
  Result<bool> tell_texts(TextSink& sink) override { return dialects::tell_texts(body_, {{"messages", true}, {"prompt"}, {"suffix"}, {"system"}, {"template"}}, sink); }
  std::string field(std::string_view neutral, const ChatRequest& decoded) override {
    if (!origins_) origins_ = origins_of(body_, generate_);
    return origins_->field(neutral, decoded, {{"response_format", "format"}, {"max_tokens", "options.num_predict"}, {"temperature", "options.temperature"}});
  }

  std::string_view content_type(bool stream) const noexcept override { return stream ? "application/x-ndjson" : "application/json"; }

  void encode_response(const ChatResponse& response, std::string& out) override {
    if (!response.model.empty()) model_ = response.model;
    created_ = response.created;
    usage_ = response.usage;
    std::string content, thinking;
    std::vector<ToolCall> calls;
    if (!response.choices.empty()) {
      const Choice& choice = response.choices.front();
      for (const Part& part : choice.message.parts) {
        if (part.kind == Part::Kind::kReasoning) thinking += part.text;
        else if (part.kind == Part::Kind::kText || part.kind == Part::Kind::kRefusal) content += part.text;
      }
      for (const std::string& url : pictures_of(choice.message)) content += picture_in_words(url);
      finish_ = choice.finish;
      for (const ToolCall& call : choice.message.tool_calls) {
        if (!is_unfinished(call, finish_)) calls.push_back(call);
      }
      logprobs_ = ollama_logprobs(choice.logprobs);
    }
    write(content, thinking, calls, true, out);
  }

  // There is one choice here; of others nothing is told.
  void encode_event(const StreamEvent& event, std::string& out) override {
    using Kind = StreamEvent::Kind;
    if (event.choice != 0) return;
    switch (event.kind) {
      case Kind::kStart:
        if (!event.model.empty()) model_ = event.model;
        created_ = event.created;
        break;
      case Kind::kText:
      case Kind::kRefusal:
        if (!event.text.empty()) line(event.text, {}, out);
        break;
      case Kind::kReasoning:
        if (!event.text.empty()) line({}, event.text, out);
        break;
      case Kind::kToolCallBegin:
        call_at(event.tool_index).id = event.id;
        call_at(event.tool_index).name = event.name;
        call_at(event.tool_index).arguments += event.arguments;
        break;
      case Kind::kToolCallDelta: call_at(event.tool_index).arguments += event.arguments; break;
      case Kind::kLogprobs: logprobs_ = ollama_logprobs(event.raw); break;
      case Kind::kFinish:
        finish_ = event.finish;
        tell_calls(out);
        break;
      case Kind::kUsage: usage_ = event.usage; break;
      case Kind::kOther:
        for (const std::string& url : pictures_of(event)) line(picture_in_words(url), {}, out);
        break;
      case Kind::kAnnotation: break;
    }
  }

  void encode_end(std::string& out) override {
    tell_calls(out);
    write({}, {}, {}, true, out);
    out += '\n';
  }

  bool is_error_body(std::string_view body) const override {
    return wire::validate(body) && wire::find_member(wire::JsonValue(body), "error").is_string();
  }
  void encode_error(const Error& error, std::string& out) const override {
    JsonWriter w(out);
    w.begin_object();
    w.member("error", error.message);
    w.end_object();
  }
  void encode_stream_error(const Error& error, std::string& out) override {
    encode_error(error, out);
    out += '\n';
  }

 private:
  // Nobody is asked, so that a name is all there is.
  Result<RequestFacts> scan_load() {
    auto load = read_load(body_, generate_);
    if (!load) return std::move(load).error();
    done_word_ = load->unload ? "unload" : "load";
    model_ = load->model;
    RequestFacts facts;
    facts.model = std::move(load->model);
    return facts;
  }

  ToolCall& call_at(int64_t index) {
    for (auto& [at, call] : calls_) {
      if (at == index) return call;
    }
    calls_.emplace_back(index, ToolCall());
    return calls_.back().second;
  }

  // Calls come whole here: they wait until the upstream has told all of them.
  void tell_calls(std::string& out) {
    if (calls_.empty()) return;
    std::vector<ToolCall> calls;
    for (auto& [at, call] : calls_) {
      if (!is_unfinished(call, finish_)) calls.push_back(std::move(call));
    }
    calls_.clear();
    if (calls.empty()) return;
    write({}, {}, calls, false, out);
    out += '\n';
  }

  void line(std::string_view content, std::string_view thinking, std::string& out) {
    write(content, thinking, {}, false, out);
    out += '\n';
  }

  void write(std::string_view content, std::string_view thinking, const std::vector<ToolCall>& calls, bool done, std::string& out) {
    JsonWriter w(out);
    w.begin_object();
    w.member("model", model_);
    w.member("created_at", created_at());
    if (generate_) {
      w.member("response", content);
    } else {
      w.key("message");
      w.begin_object();
      w.member("role", "assistant");
      w.member("content", content);
    }
    if (!thinking.empty()) w.member("thinking", thinking);
    if (!generate_) {
      if (!calls.empty()) write_calls(calls, w);
      w.end_object();
    }
    if (!logprobs_.empty()) {
      w.raw_member("logprobs", logprobs_);
      logprobs_.clear();
    }
    w.member("done", done);
    if (done) {
      w.member("done_reason", done_word_.empty() ? done_word(finish_) : done_word_);
      if (usage_.known) {
        w.member("prompt_eval_count", usage_.input);
        w.member("eval_count", usage_.output);
      }
    }
    w.end_object();
  }

  static void write_calls(const std::vector<ToolCall>& calls, JsonWriter& w) {
    w.key("tool_calls");
    w.begin_array();
    for (const ToolCall& call : calls) {
      w.begin_object();
      if (!call.id.empty()) w.member("id", call.id);
      w.key("function");
      w.begin_object();
      w.member("name", call.name);
      w.raw_member("arguments", arguments_object(call.arguments));
      w.end_object();
      w.end_object();
    }
    w.end_array();
  }

  std::string created_at() const { return format_rfc3339(created_ != 0 ? created_ : now_seconds()); }

  std::string_view body_;
  std::optional<Origins> origins_;  // looked for by the first error that names a field
  // Who asks about a model may call it by its older member, `name`.
  Result<RequestFacts> named(Result<RequestFacts> refused) const {
    for (const wire::JsonMember& m : wire::JsonMembers(wire::JsonValue(body_))) {
      RequestFacts facts;
      if (m.key == "name" && m.value.string(facts.model) && !facts.model.empty()) return facts;
    }
    return refused;
  }

  bool generate_ = false;
  bool show_ = false;  // only a name is asked about
  bool load_ = false;  // only a model in memory is asked for, or none
  std::string_view done_word_;  // of such a request
  std::string model_;
  int64_t created_ = 0;
  TokenUsage usage_;
  FinishReason finish_ = FinishReason::kStop;
  std::string logprobs_;
  std::vector<std::pair<int64_t, ToolCall>> calls_;
};

}  // namespace

std::unique_ptr<ClientCodec> new_client_codec() { return std::make_unique<OllamaClient>(); }

}  // namespace llmrouter::dialects::ollama
