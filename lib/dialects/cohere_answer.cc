// What Cohere answers with, whole or in pieces: finish reasons, usage, calls, citations, logprobs.
#include <algorithm>

#include "dialects/citation.h"
#include "dialects/cohere.h"
#include "dialects/fields.h"
#include "dialects/text_match.h"
#include "dialects/usage.h"

namespace llmrouter::dialects::cohere {

using wire::find_member;
using wire::JsonElements;
using wire::JsonValue;
using wire::JsonWriter;

FinishReason finish_reason_of(std::string_view word) noexcept {
  struct Row {
    std::string_view word;
    FinishReason reason;
  };
  static constexpr Row kRows[] = {
      {"COMPLETE", FinishReason::kStop},      {"STOP_SEQUENCE", FinishReason::kStop},        {"MAX_TOKENS", FinishReason::kLength},
      {"TOOL_CALL", FinishReason::kToolCalls}, {"ERROR_TOXIC", FinishReason::kContentFilter}, {"ERROR_LIMIT", FinishReason::kLength},
      {"ERROR", FinishReason::kError},        {"TIMEOUT", FinishReason::kError},             {"", FinishReason::kStop},
  };
  for (const Row& row : kRows) {
    if (word == row.word) return row.reason;
  }
  return FinishReason::kOther;
}

std::string_view finish_word(FinishReason reason, std::string_view raw, bool called) noexcept {
  switch (reason) {
    case FinishReason::kLength: return "MAX_TOKENS";
    case FinishReason::kToolCalls: return "TOOL_CALL";
    case FinishReason::kContentFilter:  // v2 has no word of its own for it
    case FinishReason::kError: return "ERROR";
    case FinishReason::kOther:
      if (raw == "USER_CANCEL") return "USER_CANCEL";
      if (!called && is_unclean(reason, raw)) return "ERROR";
      break;
    default: break;
  }
  if (called) return "TOOL_CALL";
  return equals_ci(raw, "stop_sequence") ? "STOP_SEQUENCE" : "COMPLETE";
}

TokenUsage read_usage(JsonValue usage) noexcept {
  TokenUsage out;
  const JsonValue tokens = last_told(usage, "tokens"), cached = last_told(usage, "cached_tokens");
  const auto has = [](JsonValue object, std::string_view name) { return last_told(object, name).is_number(); };
  const auto count = [](JsonValue object, std::string_view name) { return std::max<int64_t>(0, last_told(object, name).integer().value_or(0)); };
  const JsonValue counts = has(tokens, "input_tokens") || has(tokens, "output_tokens") ? tokens : last_told(usage, "billed_units");
  if (!has(counts, "input_tokens") && !has(counts, "output_tokens")) return out;
  out.known = true;
  mark_missing(out, has(counts, "input_tokens"), has(counts, "output_tokens"));
  out.image = count(counts, "image_tokens");
  out.input = count(counts, "input_tokens") + out.image;  // pictures are counted beside the text
  out.output = count(counts, "output_tokens");
  out.reasoning = std::min(out.output, count(counts, "reasoning_tokens"));
  out.cached = std::min(out.input, std::max<int64_t>(0, cached.integer().value_or(0)));
  return out;
}

void write_usage(const TokenUsage& usage, JsonWriter& w) {
  w.begin_object();
  w.key("billed_units");
  w.begin_object();
  w.member("input_tokens", usage.input);
  w.member("output_tokens", usage.output);
  w.end_object();
  w.key("tokens");
  w.begin_object();
  w.member("input_tokens", usage.input - usage.image);
  w.member("output_tokens", usage.output);
  if (usage.reasoning != 0) w.member("reasoning_tokens", usage.reasoning);
  if (usage.image != 0) w.member("image_tokens", usage.image);
  w.end_object();
  w.member("cached_tokens", usage.cached);
  w.end_object();
}

ToolCall read_tool_call(JsonValue call, IdSource& ids) {
  ToolCall out;
  out.id = find_member(call, "id").string_or();
  if (out.id.empty()) out.id = ids.next("call_");
  const JsonValue function = find_member(call, "function");
  out.name = find_member(function, "name").string_or();
  out.arguments = text_of_value(find_member(function, "arguments"));
  return out;
}

namespace {

// A source as a page: documents and results of tools say where they are from in members of their own making.
void write_source(JsonValue source, int64_t start, int64_t end, JsonWriter& w) {
  const JsonValue document = find_member(source, find_member(source, "type").equals("tool") ? "tool_output" : "document");
  const std::string id = find_member(source, "id").string_or();
  std::string url = find_member(document, "url").string_or(), title = find_member(document, "title").string_or();
  if (url.empty()) url = id;
  if (title.empty()) title = id;
  write_url_citation(start, end, url, title, w);
}

}  // namespace

std::string annotations_of(JsonValue citation) {
  std::string out;
  JsonValue start, end, sources, type;
  wire::pick(citation, {{"start", &start}, {"end", &end}, {"sources", &sources}, {"type", &type}});
  if (!start.integer() || !end.integer() || (type.exists() && !type.equals("TEXT_CONTENT"))) return out;  // PLAN, THINKING_CONTENT: not in the text
  for (JsonValue source : JsonElements(sources)) {
    if (!out.empty()) out += ',';
    JsonWriter w(out);
    write_source(source, *start.integer(), *end.integer(), w);
  }
  return out;
}

std::string citation_of(JsonValue annotation, const TextIndex& text) {
  std::string out;
  const JsonValue cited = find_member(annotation, "url_citation");
  if (!cited.is_object()) return out;
  const std::string url = find_member(cited, "url").string_or(), title = find_member(cited, "title").string_or(), words = find_member(cited, "cited_text").string_or();
  const std::string& id = url.empty() ? title : url;  // a document of the prompt has no URL
  const int64_t begin = find_member(cited, "start_index").integer().value_or(0), end = find_member(cited, "end_index").integer().value_or(0);
  JsonWriter w(out);
  w.begin_object();
  w.member("start", begin);
  w.member("end", end);
  w.member("text", text.between(begin, end));
  w.key("sources");
  w.begin_array();
  w.begin_object();
  w.member("type", "document");
  w.member("id", id);
  w.key("document");
  w.begin_object();
  w.member("id", id);
  if (!url.empty()) w.member("url", url);
  w.member("title", title);
  if (!words.empty()) w.member("text", words);
  w.end_object();
  w.end_object();
  w.end_array();
  w.member("type", "TEXT_CONTENT");
  w.end_object();
  return out;
}

void read_answer_message(JsonValue message, IdSource& ids, Message& out) {
  out.role = Role::kAssistant;
  JsonValue content, plan, calls, citations;
  wire::pick(message, {{"content", &content}, {"tool_plan", &plan}, {"tool_calls", &calls}, {"citations", &citations}});
  const auto thought = [&out](std::string text, std::string_view name) {
    Part part;
    part.kind = Part::Kind::kReasoning;
    part.text = std::move(text);
    part.name = name;
    out.parts.push_back(std::move(part));
  };
  if (plan.nonempty_string()) thought(plan.string_or(), kToolPlan);
  if (content.nonempty_string()) out.parts.push_back(Part::of_text(content.string_or()));
  for (JsonValue part : JsonElements(content)) {
    const JsonValue thinking = find_member(part, "thinking"), text = find_member(part, "text");
    if (thinking.nonempty_string()) thought(thinking.string_or(), {});
    else if (text.nonempty_string()) out.parts.push_back(Part::of_text(text.string_or()));
  }
  for (JsonValue call : JsonElements(calls)) {
    out.tool_calls.push_back(read_tool_call(call, ids));
    if (out.tool_calls.back().arguments.empty()) out.tool_calls.back().arguments = "{}";
  }
  for (JsonValue citation : JsonElements(citations)) {
    const std::string found = annotations_of(citation);
    if (!found.empty()) out.annotations.append(out.annotations.empty() ? "[" : ",").append(found);
  }
  if (!out.annotations.empty()) out.annotations += ']';
}

namespace {

void write_token(JsonValue item, JsonWriter& w) {
  // One text for several tokens has the product of their probabilities.
  double sum = 0;
  for (JsonValue one : JsonElements(find_member(item, "logprobs"))) sum += one.number().value_or(0);
  w.begin_object();
  w.member("token", find_member(item, "text").string_or());
  w.member("logprob", sum);
  w.raw_member("bytes", "null");
  w.raw_member("top_logprobs", "[]");
  w.end_object();
}

}  // namespace

std::string openai_logprobs(JsonValue list_or_one) {
  std::string out;
  if (list_or_one.is_unset() || list_or_one.empty_container()) return out;
  JsonWriter w(out);
  w.begin_object();
  w.key("content");
  w.begin_array();
  if (list_or_one.is_object()) write_token(list_or_one, w);
  for (JsonValue item : JsonElements(list_or_one)) write_token(item, w);
  w.end_array();
  w.raw_member("refusal", "null");
  w.end_object();
  return out;
}

std::string cohere_logprobs(std::string_view openai) {
  std::string out;
  for (JsonValue token : JsonElements(find_member(JsonValue(openai), "content"))) {
    if (!out.empty()) out += ',';
    JsonWriter w(out);
    w.begin_object();
    w.member("text", find_member(token, "token").string_or());
    w.raw_member("token_ids", "[]");
    w.key("logprobs");
    w.begin_array();
    w.number(find_member(token, "logprob").number().value_or(0));
    w.end_array();
    w.end_object();
  }
  return out;
}

}  // namespace llmrouter::dialects::cohere
