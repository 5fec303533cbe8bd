// Whole answers, both ways; usage, reasons, citations, errors.
#include <algorithm>

#include "dialects/anthropic.h"
#include "dialects/citation.h"
#include "dialects/fault.h"
#include "dialects/fields.h"
#include "dialects/pictures.h"
#include "dialects/signature.h"
#include "dialects/text_match.h"
#include "dialects/usage.h"

namespace llmrouter::dialects::anthropic {
namespace {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::JsonWriter;

constexpr int64_t kMaxCount = int64_t{1} << 50;  // counts beyond it are lies

void take(JsonValue value, std::optional<int64_t>& into) {
  auto n = value.integer();
  if (n && *n >= 0 && *n <= kMaxCount) into = n;
}

constexpr std::string_view kReasons[] = {"end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "model_context_window_exceeded",
                                         "compaction"};

}  // namespace

FinishReason finish_reason_of(std::string_view word) noexcept {
  if (word == "end_turn" || word == "stop_sequence") return FinishReason::kStop;
  if (word == "max_tokens" || word == "model_context_window_exceeded") return FinishReason::kLength;
  if (word == "tool_use") return FinishReason::kToolCalls;
  if (word == "refusal") return FinishReason::kContentFilter;
  return word.empty() ? FinishReason::kNone : FinishReason::kOther;
}

std::string_view stop_reason_of(FinishReason reason, std::string_view raw, bool called, bool refused) noexcept {
  for (std::string_view word : kReasons) {
    if (raw == word && finish_reason_of(word) == reason) return word;
  }
  if (reason == FinishReason::kStop && equals_ci(raw, "stop_sequence")) return "stop_sequence";  // Cohere's word
  if (reason == FinishReason::kLength) return "max_tokens";
  if (reason == FinishReason::kContentFilter) return "refusal";
  if (called) return "tool_use";
  return refused ? std::string_view("refusal") : std::string_view("end_turn");
}

bool read_usage(JsonValue value, TokenUsage& usage) {
  std::optional<int64_t> input, written, cached, output, thinking;
  for (const JsonMember& m : JsonMembers(value)) {
    if (m.key == "input_tokens") take(m.value, input);
    else if (m.key == "cache_creation_input_tokens") take(m.value, written);
    else if (m.key == "cache_read_input_tokens") take(m.value, cached);
    else if (m.key == "output_tokens") take(m.value, output);
    else if (m.key == "output_tokens_details") take(find_member(m.value, "thinking_tokens"), thinking);
  }
  if (!input && !output) return false;
  // `input_tokens` is what no cache had anything to do with.
  const int64_t fresh = input.value_or(usage.input - usage.cached - usage.cache_write);
  usage.cached = cached.value_or(usage.cached);
  usage.cache_write = written.value_or(usage.cache_write);
  usage.input = fresh + usage.cached + usage.cache_write;
  usage.output = output.value_or(usage.output);
  usage.reasoning = std::min(thinking.value_or(usage.reasoning), usage.output);
  usage.known = true;
  mark_missing(usage, input || usage.input != 0, output.has_value());
  return true;
}

std::string read_tier(JsonValue tier) { return tier.equals("standard") ? "default" : tier.string_or(); }

void write_tier(std::string_view tier, JsonWriter& w) {
  if (!tier.empty()) w.member("service_tier", tier == "default" ? std::string_view("standard") : tier);
}

void write_usage(const TokenUsage& usage, JsonWriter& w) {
  w.member("input_tokens", std::max<int64_t>(0, usage.input - usage.cached - usage.cache_write));
  w.member("cache_creation_input_tokens", usage.cache_write);
  w.member("cache_read_input_tokens", usage.cached);
  w.member("output_tokens", usage.output);
  if (usage.reasoning == 0) return;
  w.key("output_tokens_details");
  w.begin_object();
  w.member("thinking_tokens", usage.reasoning);
  w.end_object();
}

int64_t count_characters(std::string_view text) noexcept {
  return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

std::string annotation_of(JsonValue citation, int64_t begin, int64_t end) {
  std::string out;
  const JsonValue url = find_member(citation, "url"), source = find_member(citation, "source");
  const JsonValue place = url.is_string() ? url : source;
  if (!find_member(citation, "type").is_string()) return out;
  JsonWriter w(out);
  const std::string title = find_member(citation, place.is_string() ? "title" : "document_title").string_or();
  // Strict readers of the chat dialect know no other kind of annotation. Of a place in a document of the prompt the citation's own words stand beside.
  write_url_citation(begin, end, place.string_or(), title, w, [&](JsonWriter& inside) {
    if (place.is_string()) return;
    for (const JsonMember& m : JsonMembers(citation)) {
      if (m.key != "type" && m.key != "title" && !m.value.is_null()) inside.raw(m.raw);
    }
  });
  return out;
}

// How Anthropic calls the place of a citation in a document, by what is told of it; empty: it is none.
static std::string_view document_place(JsonValue cited) noexcept {
  if (!find_member(cited, "document_index").is_number()) return {};
  if (find_member(cited, "start_char_index").is_number()) return "char_location";
  if (find_member(cited, "start_page_number").is_number()) return "page_location";
  return find_member(cited, "start_block_index").is_number() ? "content_block_location" : std::string_view();
}

std::string citation_of(JsonValue annotation, const TextIndex& text) {
  const JsonValue cited = find_member(annotation, "url_citation");
  std::string out;
  if (!find_member(cited, "url").is_string()) return out;
  const int64_t begin = find_member(cited, "start_index").integer().value_or(0), end = find_member(cited, "end_index").integer().value_or(0);
  const JsonValue cited_text = find_member(cited, "cited_text");
  std::string scratch;
  const std::string_view words = cited_text.is_string() ? cited_text.string_view(scratch).value_or(std::string_view()) : text.between(begin, end);
  JsonWriter w(out);
  w.begin_object();
  if (const std::string_view place = document_place(cited); !place.empty()) {
    w.member("type", place);
    for (const JsonMember& m : JsonMembers(cited)) {
      if (m.key != "start_index" && m.key != "end_index" && m.key != "url" && m.key != "title") w.raw(m.raw);
    }
    if (!cited_text.is_string()) w.member("cited_text", words);
    w.end_object();
    return out;
  }
  w.member("type", "web_search_result_location");
  w.member("cited_text", words);
  w.member("url", find_member(cited, "url").string_or());
  w.member("title", find_member(cited, "title").string_or());
  w.member("encrypted_index", "");
  w.end_object();
  return out;
}

// --- from an upstream ---

namespace {

class AnswerReader {
 public:
  AnswerReader(std::string_view answer_tool) : answer_tool_(answer_tool) {}

  ChatResponse read(JsonValue root) {
    Choice& choice = response_.choices.emplace_back();
    choice.message.role = Role::kAssistant;
    for (const JsonMember& m : JsonMembers(root)) {
      if (m.key == "id") response_.id = m.value.string_or();
      else if (m.key == "model") response_.model = m.value.string_or();
      else if (m.key == "content") read_content(m.value, choice.message);
      else if (m.key == "stop_reason") choice.finish_raw = m.value.string_or();
      else if (m.key == "usage") read_counts(m.value);
      else if ((m.key == "stop_sequence" || m.key == "stop_details") && !m.value.is_null()) add_member(choice.extras, m.raw);
    }
    if (!annotations_.empty()) choice.message.annotations = "[" + annotations_ + "]";
    finish(choice);
    return std::move(response_);
  }

 private:
  void read_content(JsonValue content, Message& out) {
    ToolCall unused;
    for (JsonValue block : JsonElements(content)) {
      const JsonValue type = find_member(block, "type");
      if (type.equals("text")) read_text(block, out);
      else if (type.equals("tool_use")) read_call(block, out);
      else if (type.equals("thinking") || type.equals("redacted_thinking")) read_thought(block, out.parts, unused);
      // What the vendor's own tools did (server_tool_use and the like) is told to clients of this dialect, by relay.
    }
    if (answer_.empty()) return;
    // The answer came as a tool's input; words beside it would spoil its form.
    out.parts.erase(std::remove_if(out.parts.begin(), out.parts.end(), [](const Part& p) { return p.kind == Part::Kind::kText; }), out.parts.end());
    out.parts.push_back(Part::of_text(answer_));
  }

  void read_text(JsonValue block, Message& out) {
    std::string text = find_member(block, "text").string_or();
    const int64_t begin = characters_;
    characters_ += count_characters(text);
    for (JsonValue citation : JsonElements(find_member(block, "citations"))) {
      add_member(annotations_, annotation_of(citation, begin, characters_));
    }
    if (!text.empty()) out.parts.push_back(Part::of_text(std::move(text)));
  }

  void read_call(JsonValue block, Message& out) {
    ToolCall call;
    call.id = find_member(block, "id").string_or();
    call.name = find_member(block, "name").string_or();
    call.arguments = text_of_value(find_member(block, "input"));
    if (call.arguments.empty()) call.arguments = "{}";
    if (!answer_tool_.empty() && call.name == answer_tool_) answer_ = call.arguments;
    else out.tool_calls.push_back(std::move(call));
  }

  void read_counts(JsonValue usage) {
    read_usage(usage, response_.usage);
    for (const JsonMember& m : JsonMembers(usage)) {
      if (m.key == "service_tier") response_.service_tier = read_tier(m.value);
      else if (m.key == "cache_creation" || m.key == "server_tool_use" || m.key == "inference_geo") {
        if (!m.value.is_null()) add_member(response_.usage_extras, m.raw);
      }
    }
  }

  void finish(Choice& choice) const {
    choice.finish = finish_reason_of(choice.finish_raw);
    const bool called = !choice.message.tool_calls.empty();
    if (choice.finish == FinishReason::kNone) choice.finish = called ? FinishReason::kToolCalls : FinishReason::kStop;
    if (choice.finish == FinishReason::kToolCalls && !called) {
      choice.finish = FinishReason::kStop;
      choice.finish_raw = "end_turn";
    }
  }

  const std::string_view answer_tool_;
  ChatResponse response_;
  int64_t characters_ = 0;
  RawMembers annotations_;
  std::string answer_;
};

}  // namespace

std::optional<Error> error_in_answer(JsonValue root, std::string_view key) {
  if (find_member(root, "type").equals("error") || has_error_member(root)) return error_of_object(root, key);
  if (find_member(root, "content").is_array()) return std::nullopt;
  if (Fault fault; read_fault(root, fault)) return make_error(fault, root.raw(), key);
  return unreadable("the upstream answered without `content`", root.raw(), key);
}

Result<ChatResponse> read_answer(JsonValue root, std::string_view answer_tool, std::string_view key) {
  if (auto error = error_in_answer(root, key)) return std::move(*error);
  return AnswerReader(answer_tool).read(root);
}

// --- for a client ---

namespace {

void write_text_block(std::string_view text, const std::string& annotations, JsonWriter& w) {
  w.begin_object();
  w.member("type", "text");
  w.member("text", text);
  std::string citations;
  const TextIndex index(annotations.empty() ? std::string_view() : text);
  for (JsonValue annotation : JsonElements(JsonValue(annotations))) {
    if (const std::string citation = citation_of(annotation, index); !citation.empty()) add_member(citations, citation);
  }
  if (!citations.empty()) w.raw_member("citations", "[" + citations + "]");
  w.end_object();
}

void write_thought_block(const Part& part, JsonWriter& w) {
  w.begin_object();
  w.member("type", part.redacted ? "redacted_thinking" : "thinking");
  if (!part.redacted) w.member("thinking", part.text);
  w.member(part.redacted ? "data" : "signature", seal_signature(part.maker, kMaker, part.signature));
  w.end_object();
}

void write_call_block(const ToolCall& call, IdSource& ids, JsonWriter& w) {
  if (!call.signature.empty() && !call.maker.empty()) {
    w.begin_object();
    w.member("type", "redacted_thinking");
    w.member("data", seal_call_signature(call.maker, call.signature));
    w.end_object();
  }
  w.begin_object();
  w.member("type", "tool_use");
  w.member("id", call.id.empty() ? ids.next("toolu_") : call.id);
  w.member("name", call.name);
  w.raw_member("input", arguments_object(call.arguments));
  w.end_object();
}

}  // namespace

void write_answer(const ChatResponse& response, std::string_view model, IdSource& ids, std::string& out) {
  static const Choice kNothing;
  const Choice& choice = response.choices.empty() ? kNothing : response.choices.front();
  JsonWriter w(out);
  w.begin_object();
  w.member("id", response.id.empty() ? ids.next("msg_") : response.id);
  w.member("type", "message");
  w.member("role", "assistant");
  w.member("model", response.model.empty() ? model : std::string_view(response.model));
  w.key("content");
  w.begin_array();
  bool refused = false;
  std::string annotations = choice.message.annotations;
  for (const Part& part : choice.message.parts) {
    const bool refusal = part.kind == Part::Kind::kRefusal;
    if ((part.kind == Part::Kind::kText || refusal) && !part.text.empty()) {
      write_text_block(part.text, annotations, w);
      annotations.clear();  // they count characters of the whole text, which is one part everywhere else
      refused = refused || refusal;
    } else if (part.kind == Part::Kind::kReasoning) {
      write_thought_block(part, w);
    }
  }
  for (const std::string& url : pictures_of(choice.message)) write_text_block(picture_in_words(url), {}, w);
  for (const ToolCall& call : choice.message.tool_calls) {
    if (!is_unfinished(call, choice.finish)) write_call_block(call, ids, w);
  }
  w.end_array();
  w.member("stop_reason", stop_reason_of(choice.finish, choice.finish_raw, !choice.message.tool_calls.empty(), refused));
  bool told = false;
  for_each_member(choice.extras, [&](const JsonMember& m) {
    if (m.key != "stop_sequence" && m.key != "stop_details") return;
    told = told || m.key == "stop_sequence";
    w.raw(m.raw);
  });
  if (!told) {
    w.key("stop_sequence");
    w.null();
  }
  w.key("usage");
  w.begin_object();
  write_usage(response.usage, w);
  for_each_member(response.usage_extras, [&](const JsonMember& m) {
    if (m.key == "cache_creation" || m.key == "server_tool_use" || m.key == "inference_geo") w.raw(m.raw);
  });
  write_tier(response.service_tier, w);
  w.end_object();
  w.end_object();
}

// --- errors ---

namespace {

// The vendor's word for a status; the SDKs choose their exceptions by the status, people and agents read the word.
std::string_view type_of(const Error& error) noexcept {
  if (error.upstream_status == 529 || error.upstream_code == "overloaded_error") return "overloaded_error";
  switch (error.http_status()) {
    case 401: return "authentication_error";
    case 402: return "billing_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 408:
    case 504: return "timeout_error";
    case 413: return "request_too_large";
    case 429: return "rate_limit_error";
    case 503:
    case 529: return "overloaded_error";
    default: break;
  }
  return error.http_status() >= 500 ? "api_error" : "invalid_request_error";
}

}  // namespace

bool is_error(std::string_view body) {
  const JsonValue error = find_member(JsonValue(body), "error");
  return wire::validate(body) && find_member(JsonValue(body), "type").equals("error") && find_member(error, "type").is_string() &&
         find_member(error, "message").is_string();
}

void write_error(const Error& error, std::string_view request_id, std::string& out) {
  std::string message = error.message;
  // Agents of this dialect shorten the conversation when they read these words, whatever the provider's are.
  if (error.code == ErrorCode::kContextLengthExceeded && message.find("prompt is too long") == std::string::npos) {
    message.insert(0, "prompt is too long: ");
  }
  JsonWriter w(out);
  w.begin_object();
  w.member("type", "error");
  w.key("error");
  w.begin_object();
  w.member("type", type_of(error));
  w.member("message", message);
  if (error.upstream_code.compare(0, 7, "thread_") == 0) {
    w.key("details");
    w.begin_object();
    w.member("error_code", error.upstream_code);
    if (error.upstream_code == kThreadUnsupported) w.raw_member("unsupported", R"(["thread"])");
    w.end_object();
  }
  w.end_object();
  if (!request_id.empty()) w.member("request_id", request_id);
  w.end_object();
}

}  // namespace llmrouter::dialects::anthropic
