// The object that Ollama answers with, whole or line by line.
#include <algorithm>

#include "dialects/dates.h"
#include "dialects/fields.h"
#include "dialects/ollama.h"
#include "dialects/usage.h"

namespace llmrouter::dialects::ollama {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;

Line read_line(JsonValue root) {
  Line line;
  for (const JsonMember& m : JsonMembers(root)) {
    if (m.key == "model") m.value.string(line.model);
    else if (m.key == "created_at") line.created = parse_rfc3339(m.value.string_or()).value_or(0);
    else if (m.key == "message") line.message = m.value;
    else if (m.key == "response") line.response = m.value;
    else if (m.key == "thinking") line.thinking = m.value;
    else if (m.key == "done") line.done = m.value.boolean().value_or(false);
    else if (m.key == "done_reason") m.value.string(line.done_reason);
    else if (m.key == "logprobs" && m.value.is_array() && !m.value.empty_container()) line.logprobs = m.value;
    else if (m.key == "prompt_eval_count") line.prompt_count = m.value.is_null() ? line.prompt_count : m.value.integer();
    else if (m.key == "eval_count") line.answer_count = m.value.is_null() ? line.answer_count : m.value.integer();
  }
  if (!line.done) return line;
  if (line.done_reason == "length") line.finish = FinishReason::kLength;
  else if (line.done_reason == "stop" || line.done_reason.empty()) line.finish = FinishReason::kStop;
  else if (line.done_reason == "content_filter") line.finish = FinishReason::kContentFilter;
  else line.finish = FinishReason::kOther;
  return line;
}

TokenUsage usage_of(const Line& line, int64_t estimate) noexcept {
  TokenUsage usage;
  if (!line.prompt_count && !line.answer_count) return usage;
  usage.known = true;
  mark_missing(usage, line.prompt_count.has_value(), line.answer_count.has_value());
  usage.input = std::max<int64_t>(0, line.prompt_count.value_or(estimate));
  usage.output = std::max<int64_t>(0, line.answer_count.value_or(0));
  return usage;
}

void read_message(JsonValue message, IdSource& ids, Message& out) {
  out.role = Role::kAssistant;
  JsonValue thinking, content, tool_calls;
  wire::pick(message, {{"thinking", &thinking}, {"content", &content}, {"tool_calls", &tool_calls}});
  if (thinking.nonempty_string()) {
    Part part;
    part.kind = Part::Kind::kReasoning;
    part.text = thinking.string_or();
    out.parts.push_back(std::move(part));
  }
  if (content.nonempty_string()) out.parts.push_back(Part::of_text(content.string_or()));
  for (JsonValue entry : JsonElements(tool_calls)) {
    const JsonValue function = find_member(entry, "function");
    ToolCall call;
    call.id = find_member(entry, "id").string_or();
    if (call.id.size() < 2) call.id = ids.next("call_");
    call.name = find_member(function, "name").string_or();
    call.arguments = text_of_value(find_member(function, "arguments"));
    if (call.arguments.empty()) call.arguments = "{}";
    out.tool_calls.push_back(std::move(call));
  }
}

std::string openai_logprobs(JsonValue logprobs) {
  return "{\"content\":" + std::string(logprobs.raw()) + ",\"refusal\":null}";
}

}  // namespace llmrouter::dialects::ollama
