// The client side: whoever posts to /v1beta/models/{model}:generateContent.
#include "dialects/dates.h"
#include "dialects/fields.h"
#include "dialects/gemini.h"
#include "dialects/ids.h"
#include "dialects/media.h"
#include "dialects/pictures.h"
#include "dialects/request_texts.h"
#include "dialects/signature.h"

namespace llmrouter::dialects::gemini {
namespace {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::JsonWriter;

constexpr size_t kMaxHeld = 32 * 1024 * 1024;  // bytes of calls that wait to be whole
constexpr size_t kMaxText = 256 * 1024;        // of text kept to place citations in

// Members of a candidate that our own event reader passes on; other dialects' are not shown.
constexpr std::string_view kCandidateMembers[] = {"groundingMetadata", "safetyRatings", "citationMetadata", "urlContextMetadata",
                                                  "avgLogprobs",       "finishMessage", "groundingAttributions", "tokenCount"};

bool is_candidate_member(std::string_view key) noexcept {
  for (std::string_view known : kCandidateMembers) {
    if (is_field(key, known)) return true;
  }
  return false;
}

// Another maker's hidden thought has to be told from a shown one that is empty.
std::string seal(std::string_view maker, bool redacted, std::string_view signature) {
  return seal_signature(redacted ? std::string(maker).append("+redacted") : std::string(maker), kName, signature);
}

class GeminiClient final : public ClientCodec {
 public:
  void set_path(const RequestPath& path) override { target_ = target_of(path); }

  Result<RequestFacts> scan(std::string_view body) override {
    body_ = body;
    Result<RequestFacts> facts = scan_request(body, target_);
    if (facts) model_ = facts->model;
    return facts;
  }

  Result<ChatRequest> decode() override { return read_request(body_, target_); }
  Result<bool> tell_texts(TextSink& sink) override { return dialects::tell_texts(body_, {{"contents", true}, {"systemInstruction"}, {"system_instruction"}}, sink); }
  std::string field(std::string_view neutral, const ChatRequest& decoded) override {
    if (!origins_) origins_ = origins_of(body_, target_, decoded);
    return client_field(*origins_, neutral, decoded);
  }

  std::string_view content_type(bool stream) const noexcept override {
    return stream && target_.sse ? "text/event-stream" : "application/json";
  }

  void encode_response(const ChatResponse& response, std::string& out) override {
    id_ = response.id;
    if (!response.model.empty()) model_ = response.model;
    bool blocked = false;
    for_each_member(response.extras, [&](const JsonMember& m) { blocked = blocked || m.key == "promptFeedback"; });
    JsonWriter w(out);
    w.begin_object();
    if (!blocked) {
      w.key("candidates");
      w.begin_array();
      for (const Choice& choice : response.choices) write_choice(choice, w);
      w.end_array();
    }
    for_each_member(response.extras, [&](const JsonMember& m) { if (m.key == "promptFeedback") w.raw(m.raw); });
    if (response.usage.known) write_usage(response.usage, w);
    write_tail(w);
    w.end_object();
  }

  void encode_event(const StreamEvent& event, std::string& out) override {
    using Kind = StreamEvent::Kind;
    switch (event.kind) {
      case Kind::kStart:
        id_ = event.id;
        if (!event.model.empty()) model_ = event.model;
        break;
      case Kind::kText:
      case Kind::kRefusal:
      case Kind::kReasoning:
        if (feedback_.empty()) tell_text(event, out);
        break;
      case Kind::kToolCallBegin: {
        ToolCall& call = call_at(event.choice, event.tool_index);
        call.id = event.id;
        call.name = event.name;
        call.signature = event.signature;
        call.maker = event.maker;
        hold(call, event.arguments);
        break;
      }
      case Kind::kToolCallDelta: hold(call_at(event.choice, event.tool_index), event.arguments); break;
      case Kind::kLogprobs: join_logprobs(state(event.choice).logprobs, event.raw); break;
      case Kind::kAnnotation: state(event.choice).annotations.emplace_back(event.raw); break;
      case Kind::kFinish: {
        ChoiceState& choice = state(event.choice);
        choice.finish = event.finish;
        choice.finish_raw = event.raw;
        tell_calls(choice, out);
        choice.finished = true;
        break;
      }
      case Kind::kUsage: usage_ = event.usage; break;
      case Kind::kOther: tell_other(event, out); break;
    }
  }

  // The counts belong in the last chunk, together with how each candidate ended.
  void encode_end(std::string& out) override {
    for (ChoiceState& choice : choices_) tell_calls(choice, out);
    if (overflowed_) return encode_stream_error(Error(ErrorCode::kUpstreamError, "the arguments of a call are larger than 32 MiB"), out);
    std::string chunk;
    JsonWriter w(chunk);
    w.begin_object();
    if (feedback_.empty()) {
      if (choices_.empty()) state(0);
      w.key("candidates");
      w.begin_array();
      for (const ChoiceState& choice : choices_) write_end(choice, w);
      w.end_array();
    } else {
      w.raw_member("promptFeedback", feedback_);
    }
    if (usage_.known) write_usage(usage_, w);
    write_tail(w);
    w.end_object();
    frame(chunk, out);
    if (!target_.sse) out += "]";
  }

  void encode_error(const Error& error, std::string& out) const override { write_error(error, out); }

  void encode_stream_error(const Error& error, std::string& out) override {
    std::string body;
    write_error(error, body);
    frame(body, out);
  }

 private:
  struct ChoiceState {
    int64_t index = 0;
    std::vector<std::pair<int64_t, ToolCall>> calls;  // that are not told yet, by their numbers
    std::string logprobs;
    std::vector<std::string> annotations;
    RawMembers members;
    std::string text;
    bool text_whole = true;  // nothing is missing from it
    bool finished = false;
    FinishReason finish = FinishReason::kNone;
    std::string finish_raw;
  };

  ChoiceState& state(int64_t index) {
    for (ChoiceState& choice : choices_) {
      if (choice.index == index) return choice;
    }
    choices_.emplace_back().index = index;
    return choices_.back();
  }

  ToolCall& call_at(int64_t choice, int64_t index) {
    auto& calls = state(choice).calls;
    for (auto& [at, call] : calls) {
      if (at == index) return call;
    }
    calls.emplace_back(index, ToolCall());
    return calls.back().second;
  }

  void hold(ToolCall& call, std::string_view arguments) {
    held_ += arguments.size();
    overflowed_ = overflowed_ || held_ > kMaxHeld;
    if (!overflowed_) call.arguments += arguments;
  }

  // --- frames ---

  void frame(std::string_view json, std::string& out) {
    if (target_.sse) {
      out += "data: ";
      append_one_line(out, json);
      out += "\r\n\r\n";
      return;
    }
    out += told_ ? ",\r\n" : "[";
    out += json;
    told_ = true;
  }

  void write_tail(JsonWriter& w) {
    if (id_.empty()) id_ = ids_.next("");
    w.member("modelVersion", model_);
    w.member("responseId", id_);
  }

  // A chunk of these parts: {"text":..},{"functionCall":..}
  void tell(ChoiceState& choice, std::string_view parts, std::string& out) {
    std::string chunk;
    JsonWriter w(chunk);
    w.begin_object();
    w.key("candidates");
    w.begin_array();
    w.begin_object();
    w.raw_member("content", R"({"parts":[)" + std::string(parts) + R"(],"role":"model"})");
    w.member("index", choice.index);
    write_logprobs(choice.logprobs, w);
    choice.logprobs.clear();
    w.end_object();
    w.end_array();
    write_tail(w);
    w.end_object();
    frame(chunk, out);
  }

  void tell_text(const StreamEvent& event, std::string& out) {
    if (event.text.empty() && event.signature.empty()) return;
    const bool thought = event.kind == StreamEvent::Kind::kReasoning;
    ChoiceState& choice = state(event.choice);
    if (!thought) {
      choice.text_whole = choice.text_whole && choice.text.size() + event.text.size() <= kMaxText;  // behind a gap a place would be another one
      if (choice.text_whole) choice.text += event.text;
    }
    std::string part;
    JsonWriter w(part);
    write_text(event.text, thought, seal(event.maker, event.redacted, event.signature), {}, w);
    tell(choice, part, out);
  }

  // Calls come whole here: they wait until the upstream has told all of them.
  void tell_calls(ChoiceState& choice, std::string& out) {
    if (choice.calls.empty() || overflowed_) return;
    std::string parts;
    JsonWriter w(parts);
    for (const auto& [at, call] : choice.calls) {
      if (!is_unfinished(call, choice.finish)) write_call(call, w);
    }
    choice.calls.clear();
    if (!parts.empty()) tell(choice, parts, out);
  }

  void tell_other(const StreamEvent& event, std::string& out) {
    ChoiceState& choice = state(event.choice);
    for (const JsonMember& m : JsonMembers(JsonValue(event.raw))) {
      if (m.key == "promptFeedback") {
        feedback_ = compact(m.value.raw());
      } else if (m.key == "parts" && m.value.is_array() && !m.value.empty_container()) {
        tell(choice, m.value.raw().substr(1, m.value.raw().size() - 2), out);
      } else if (is_candidate_member(m.key)) {
        keep_last(choice.members, m);
      }
    }
    for (const std::string& url : pictures_of(event)) {
      std::string part;
      JsonWriter w(part);
      write_picture(url, w);
      tell(choice, part, out);
    }
  }

  // Each chunk tells them anew.
  static void keep_last(RawMembers& members, const JsonMember& member) {
    RawMembers kept;
    for_each_member(members, [&](const JsonMember& m) { if (m.key != member.key) add_member(kept, m.raw); });
    add_member(kept, member.raw);
    members = std::move(kept);
  }

  void write_end(const ChoiceState& choice, JsonWriter& w) {
    w.begin_object();
    w.raw_member("content", R"({"parts":[{"text":""}],"role":"model"})");
    w.member("finishReason", finish_word(choice.finish, choice.finish_raw));
    w.member("index", choice.index);
    write_logprobs(choice.logprobs, w);
    write_grounding(choice.annotations, choice.text, choice.members, w);
    w.raw_members(choice.members);
    w.end_object();
  }

  // --- the pieces of a candidate, whole or in chunks ---

  static void write_logprobs(const std::string& openai, JsonWriter& w) {
    if (const std::string result = google_logprobs(openai); !result.empty()) w.raw_member("logprobsResult", result);
  }

  // Unless Google's own is there.
  static void write_grounding(const std::vector<std::string>& annotations, std::string_view text, const RawMembers& members, JsonWriter& w) {
    bool there = false;
    for_each_member(members, [&](const JsonMember& m) { there = there || is_field(m.key, "groundingMetadata"); });
    if (there || annotations.empty()) return;
    if (const std::string grounding = grounding_of(annotations, text); !grounding.empty()) w.raw_member("groundingMetadata", grounding);
  }

  static void write_text(std::string_view text, bool thought, const std::string& signature, const RawMembers& extras, JsonWriter& w) {
    w.begin_object();
    w.member("text", text);
    if (thought) w.member("thought", true);
    if (!signature.empty()) w.member("thoughtSignature", signature);
    w.raw_members(extras);
    w.end_object();
  }

  void write_call(const ToolCall& call, JsonWriter& w) {
    w.begin_object();
    w.key("functionCall");
    w.begin_object();
    w.member("id", call.id.empty() ? ids_.next("call_") : call.id);
    w.member("name", call.name);
    w.raw_member("args", arguments_object(call.arguments));
    w.end_object();
    if (!call.signature.empty()) w.member("thoughtSignature", seal(call.maker, false, call.signature));
    w.end_object();
  }

  static void write_media(const Part& part, JsonWriter& w) {
    w.begin_object();
    w.key(part.url.empty() ? "inlineData" : "fileData");
    w.begin_object();
    if (!part.mime.empty()) w.member("mimeType", part.mime);
    w.member(part.url.empty() ? "data" : "fileUri", part.url.empty() ? part.data : part.url);
    w.end_object();
    w.end_object();
  }

  static void write_picture(std::string_view url, JsonWriter& w) {
    Part part;
    part.kind = Part::Kind::kImage;
    part.url = url;
    if (const Inline bytes = inline_of(part); !bytes.data.empty()) {
      part.mime = bytes.mime;
      part.data = bytes.data;
      part.url.clear();
    } else {
      part.mime = mime_of_name(url);
    }
    write_media(part, w);
  }

  void write_part(const Part& part, JsonWriter& w) {
    switch (part.kind) {
      case Part::Kind::kText:
      case Part::Kind::kRefusal:
      case Part::Kind::kReasoning:
        if (part.text.empty() && part.signature.empty()) return;
        return write_text(part.text, part.kind == Part::Kind::kReasoning, seal(part.maker, part.redacted, part.signature), {}, w);
      case Part::Kind::kOther: return w.raw(part.raw);
      case Part::Kind::kImage:
        if (part.mime.empty() || part.url.compare(0, 5, "data:") == 0) return write_picture(picture_url(part), w);
        return write_media(part, w);
      default: return write_media(part, w);
    }
  }

  void write_choice(const Choice& choice, JsonWriter& w) {
    std::string parts, text;
    JsonWriter p(parts);
    for (const Part& part : choice.message.parts) {
      write_part(part, p);
      if (part.kind == Part::Kind::kText) text += part.text;
    }
    for (const std::string& url : pictures_in(choice.message.extras)) write_picture(url, p);
    for (const ToolCall& call : choice.message.tool_calls) {
      if (!is_unfinished(call, choice.finish)) write_call(call, p);
    }
    if (parts.empty()) parts = R"({"text":""})";
    w.begin_object();
    w.raw_member("content", R"({"parts":[)" + parts + R"(],"role":"model"})");
    w.member("finishReason", finish_word(choice.finish, choice.finish_raw));
    w.member("index", choice.index);
    write_logprobs(choice.logprobs, w);
    std::vector<std::string> annotations;
    for (JsonValue annotation : JsonElements(JsonValue(choice.message.annotations))) annotations.emplace_back(annotation.raw());
    RawMembers members;
    for_each_member(choice.extras, [&](const JsonMember& m) { if (is_candidate_member(m.key)) add_member(members, m.raw); });
    write_grounding(annotations, text, members, w);
    w.raw_members(members);
    w.end_object();
  }

  Target target_;
  std::string_view body_;
  std::optional<Origins> origins_;  // looked for by the first error that names a field
  std::string model_, id_;
  IdSource ids_;
  std::vector<ChoiceState> choices_;
  TokenUsage usage_;
  std::string feedback_;   // promptFeedback: there will be no candidate
  size_t held_ = 0;
  bool overflowed_ = false, told_ = false;
};

}  // namespace

std::unique_ptr<ClientCodec> new_client_codec() { return std::make_unique<GeminiClient>(); }

}  // namespace llmrouter::dialects::gemini
