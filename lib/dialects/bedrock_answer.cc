// What Bedrock answers with, whole or in pieces.
#include <algorithm>

#include "dialects/bedrock.h"
#include "dialects/citation.h"
#include "dialects/fault.h"
#include "dialects/fields.h"
#include "dialects/text_match.h"
#include "dialects/usage.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::bedrock {

using wire::find;
using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::JsonWriter;

Family family_of(std::string_view model) noexcept {
  struct Row {
    std::string_view part;
    Family family;
  };
  static constexpr Row kRows[] = {
      {"anthropic.", Family::kClaude}, {"claude", Family::kClaude}, {"amazon.nova", Family::kNova}, {"cohere.", Family::kCohere},
      {"mistral.", Family::kMistral},  {"openai.", Family::kOpenAi}, {"meta.", Family::kOther},      {"amazon.", Family::kOther},
      {"ai21.", Family::kOther},       {"deepseek.", Family::kOther}, {"qwen.", Family::kOther},     {"google.", Family::kOther},
      {"minimax.", Family::kOther},    {"moonshot", Family::kOther},  {"nvidia.", Family::kOther},   {"writer.", Family::kOther},
      {"zai.", Family::kOther},
  };
  for (const Row& row : kRows) {
    if (find_ci(model, row.part) != std::string_view::npos) return row.family;
  }
  return Family::kUnknown;
}

std::string_view maker_of(Family family) noexcept { return family == Family::kClaude ? std::string_view("anthropic") : kMaker; }

FinishReason finish_reason_of(std::string_view word) noexcept {
  struct Row {
    std::string_view word;
    FinishReason reason;
  };
  static constexpr Row kRows[] = {
      {"end_turn", FinishReason::kStop},
      {"stop_sequence", FinishReason::kStop},
      {"tool_use", FinishReason::kToolCalls},
      {"max_tokens", FinishReason::kLength},
      {"model_context_window_exceeded", FinishReason::kLength},
      {"guardrail_intervened", FinishReason::kContentFilter},
      {"content_filtered", FinishReason::kContentFilter},
      {"malformed_model_output", FinishReason::kError},
      {"malformed_tool_use", FinishReason::kError},
  };
  for (const Row& row : kRows) {
    if (word == row.word) return row.reason;
  }
  return FinishReason::kOther;
}

TokenUsage read_usage(JsonValue usage) noexcept {
  TokenUsage out;
  const JsonValue input = last_told(usage, "inputTokens"), output = last_told(usage, "outputTokens");
  if (!input.is_number() && !output.is_number()) return out;
  const auto count = [](JsonValue value) { return std::max<int64_t>(0, value.integer().value_or(0)); };
  out.known = true;
  mark_missing(out, input.is_number(), output.is_number());
  out.cached = count(last_told(usage, "cacheReadInputTokens"));
  out.cache_write = count(last_told(usage, "cacheWriteInputTokens"));
  out.input = count(input) + out.cached + out.cache_write;
  out.output = count(output);
  return out;
}

namespace {

// A place in a document of the prompt, and Anthropic's words for it, which stand in an annotation.
struct DocumentPlace {
  const char *name, *begin, *end;
};
constexpr DocumentPlace kPlaces[] = {{"documentChar", "start_char_index", "end_char_index"},
                                     {"documentPage", "start_page_number", "end_page_number"},
                                     {"documentChunk", "start_block_index", "end_block_index"}};

}  // namespace

std::string annotation_of(JsonValue citation) {
  std::string out;
  const JsonValue location = find_member(citation, "location");
  const std::string url = find(location, "web", "url").string_or();
  const DocumentPlace* place = nullptr;
  for (const DocumentPlace& known : kPlaces) {
    if (find_member(location, known.name).is_object()) place = &known;
  }
  if (url.empty() && place == nullptr) return out;
  JsonWriter w(out);
  write_url_citation(0, 0, url, find_member(citation, "title").string_or(url), w, [&](JsonWriter& inside) {
    if (place == nullptr) return;
    const JsonValue in = find_member(location, place->name);
    const auto count = [&](const char* member) { return std::max<int64_t>(0, find_member(in, member).integer().value_or(0)); };
    std::string words;
    for (JsonValue source : JsonElements(find_member(citation, "sourceContent"))) words += find_member(source, "text").string_or();
    inside.member("cited_text", words);
    inside.member("document_index", count("documentIndex"));
    inside.member("document_title", find_member(citation, "title").string_or());
    inside.member(place->begin, count("start"));
    inside.member(place->end, count("end"));
  });
  return out;
}

namespace {

void read_thought(JsonValue value, std::string_view maker, Message& out) {
  Part part;
  part.kind = Part::Kind::kReasoning;
  for (const JsonMember& m : JsonMembers(value)) {
    if (m.key == "reasoningText") {
      part.text = find_member(m.value, "text").string_or();
      part.signature = find_member(m.value, "signature").string_or();
      if (!part.signature.empty()) part.maker = maker;
    } else if (m.key == "redactedContent") {
      part.signature = m.value.string_or();
      part.maker = kMaker;
      part.redacted = true;
    }
  }
  if (!part.text.empty() || !part.signature.empty()) out.parts.push_back(std::move(part));
}

void read_cited(JsonValue value, Message& out) {
  for (JsonValue piece : JsonElements(find_member(value, "content"))) {
    if (const JsonValue text = find_member(piece, "text"); text.nonempty_string()) out.parts.push_back(Part::of_text(text.string_or()));
  }
  for (JsonValue citation : JsonElements(find_member(value, "citations"))) {
    const std::string annotation = annotation_of(citation);
    if (annotation.empty()) continue;
    if (out.annotations.empty()) out.annotations = "[";
    else out.annotations.back() = ',';
    out.annotations += annotation + "]";
  }
}

}  // namespace

void read_block(JsonValue block, std::string_view maker, Message& out) {
  for (const JsonMember& m : JsonMembers(block)) {
    if (m.key == "text") {
      if (m.value.nonempty_string()) out.parts.push_back(Part::of_text(m.value.string_or()));
    } else if (m.key == "reasoningContent") {
      read_thought(m.value, maker, out);
    } else if (m.key == "citationsContent") {
      read_cited(m.value, out);
    } else if (m.key == "toolUse") {
      ToolCall call;
      call.id = find_member(m.value, "toolUseId").string_or();
      call.name = find_member(m.value, "name").string_or();
      call.arguments = text_of_value(find_member(m.value, "input"));
      if (call.arguments.empty()) call.arguments = "{}";
      out.tool_calls.push_back(std::move(call));
    }
  }
}

namespace {

// Exceptions inside a stream have no status of their own: the one that the same fault has as an answer.
int status_of(std::string_view name) noexcept {
  struct Row {
    std::string_view name;
    int status;
  };
  static constexpr Row kRows[] = {
      {"validationexception", 400},        {"accessdeniedexception", 403},       {"resourcenotfoundexception", 404}, {"modeltimeoutexception", 408},
      {"modelerrorexception", 424},        {"modelstreamerrorexception", 424},   {"throttlingexception", 429},       {"servicequotaexceededexception", 429},
      {"modelnotreadyexception", 429},     {"internalserverexception", 500},     {"serviceunavailableexception", 503},
  };
  for (const Row& row : kRows) {
    if (equals_ci(name, row.name)) return row.status;
  }
  return 500;
}

}  // namespace

Error error_of(std::string_view name, int status, std::string_view body, std::string_view key) {
  name = trim(name.substr(0, name.find(':')));
  const std::string_view text = bare(body);
  Fault fault;
  fault.status = status != 0 ? status : status_of(name);
  fault.type = name;
  const bool json = !text.empty() && text.front() == '{' && wire::validate(text);
  if (json) {
    JsonValue small, large;
    wire::pick(JsonValue(text), {{"message", &small}, {"Message", &large}});
    fault.message = small.is_string() ? small.string_or() : large.string_or();
    if (fault.message.empty()) fault.message = fault.type;
  } else {
    fault.message = text.empty() ? std::string(name) : plain_words(text);
  }
  return make_error(fault, text, key);
}

}  // namespace llmrouter::dialects::bedrock
