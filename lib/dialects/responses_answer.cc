// Whole answers of an upstream, and usage as this dialect writes it.
#include "dialects/fault.h"
#include "dialects/fields.h"
#include "dialects/pictures.h"
#include "dialects/responses.h"
#include "dialects/usage.h"

namespace llmrouter::dialects::responses {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::JsonWriter;

FinishReason finish_of(JsonValue response, bool has_calls) {
  const JsonValue status = find_member(response, "status"), reason = wire::find(response, "incomplete_details", "reason");
  if (status.equals("incomplete") || reason.is_string()) {
    if (reason.equals("content_filter")) return FinishReason::kContentFilter;
    return reason.is_unset() || reason.equals("max_output_tokens") || reason.equals("max_tokens") ? FinishReason::kLength : FinishReason::kOther;
  }
  return has_calls ? FinishReason::kToolCalls : FinishReason::kStop;
}

std::optional<Error> failure_of(JsonValue response, std::string_view key) {
  const JsonValue status = find_member(response, "status");
  if (has_error_member(response)) {
    // Without the rest of the response: what had been said is no part of the complaint.
    const std::string alone = "{\"error\":" + std::string(find_member(response, "error").raw()) + "}";
    return error_of_object(JsonValue(alone), key);
  }
  if (!status.equals("failed") && !status.equals("cancelled")) return std::nullopt;
  return unreadable("the upstream broke the answer off: status \"" + status.string_or() + "\"", {}, key);
}

namespace {

class AnswerReader {
 public:
  AnswerReader(ChatResponse& response, IdSource& ids) : response_(response), choice_(response.choices.emplace_back()), ids_(ids) {
    choice_.message.role = Role::kAssistant;
  }

  void run(JsonValue root) {
    for (const JsonMember& m : JsonMembers(root)) {
      if (m.key == "id") response_.id = m.value.string_or();
      else if (m.key == "model") response_.model = m.value.string_or();
      else if (m.key == "created_at") response_.created = m.value.integer().value_or(0);
      else if (m.key == "service_tier") response_.service_tier = m.value.string_or();
      else if (m.key == "output") take_output(m.value);
      else if (m.key == "usage") read_usage(m.value, response_.usage);
    }
    choice_.finish = finish_of(root, !choice_.message.tool_calls.empty());
    choice_.finish_raw = wire::find(root, "incomplete_details", "reason").string_or(find_member(root, "status").string_or("completed"));
    if (!annotations_.empty()) choice_.message.annotations = "[" + annotations_ + "]";
    if (!logprobs_.empty()) choice_.logprobs = "{\"content\":[" + logprobs_ + "],\"refusal\":null}";
  }

 private:
  void take_output(JsonValue output) {
    Message& message = choice_.message;
    for (JsonValue item : JsonElements(output)) {
      const JsonValue type = find_member(item, "type");
      if (type.equals("message")) {
        take_message(find_member(item, "content"));
      } else if (type.equals("reasoning")) {
        Part part = read_reasoning(item);
        if (!part.text.empty() || !part.signature.empty()) message.parts.push_back(std::move(part));
      } else if (type.equals("function_call") || type.equals("custom_tool_call")) {
        ToolCall call = read_call(item);
        if (call.id.empty()) call.id = ids_.next("call_");
        message.tool_calls.push_back(std::move(call));
      } else if (type.equals("image_generation_call")) {
        if (std::string url = picture_of(item); !url.empty()) pictures_.push_back(std::move(url));
      }
    }
    if (!pictures_.empty()) add_member(message.extras, "\"images\":" + picture_list(pictures_));
  }

  void take_message(JsonValue content) {
    read_content(content, choice_.message.parts);
    for (JsonValue part : JsonElements(content)) {
      for (JsonValue entry : JsonElements(find_member(part, "annotations"))) add_member(annotations_, chat_annotation(entry));
      const JsonValue logprobs = find_member(part, "logprobs");
      if (!logprobs.is_array() || logprobs.empty_container()) continue;
      const std::string_view inside = logprobs.raw();
      add_member(logprobs_, inside.substr(1, inside.size() - 2));
    }
  }

  ChatResponse& response_;
  Choice& choice_;
  IdSource& ids_;
  std::string annotations_, logprobs_;
  std::vector<std::string> pictures_;
};

}  // namespace

Result<ChatResponse> read_answer(JsonValue root, IdSource& ids, std::string_view key) {
  if (auto error = failure_of(root, key)) return std::move(*error);
  if (!find_member(root, "output").is_array()) {
    if (Fault fault; read_fault(root, fault)) return make_error(fault, root.raw(), key);
    return unreadable("the upstream answered without any output", root.raw(), key);
  }
  ChatResponse response;
  AnswerReader(response, ids).run(root);
  return response;
}

void write_usage(const TokenUsage& usage, std::string& out) {
  JsonWriter w(out);
  w.begin_object();
  w.member("input_tokens", usage.input);
  w.key("input_tokens_details");
  w.begin_object();
  w.member("cached_tokens", usage.cached);
  if (usage.cache_write != 0) w.member("cache_write_tokens", usage.cache_write);
  w.end_object();
  w.member("output_tokens", usage.output);
  w.key("output_tokens_details");
  w.begin_object();
  w.member("reasoning_tokens", usage.reasoning);
  w.end_object();
  w.member("total_tokens", usage.input + usage.output);
  w.end_object();
}

}  // namespace llmrouter::dialects::responses
