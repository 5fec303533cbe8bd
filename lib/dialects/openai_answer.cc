// Whole answers, both ways, and errors as this dialect writes them.
#include <algorithm>
#include <set>

#include "dialects/custom_tools.h"
#include "dialects/dates.h"
#include "dialects/fault.h"
#include "dialects/fields.h"
#include "dialects/openai.h"
#include "dialects/pictures.h"
#include "dialects/usage.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::openai {
namespace {

using wire::find_member;
using wire::JsonCursor;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::JsonWriter;

// Ids that are missing, one character long (TGI counts "0") or taken twice are no ids.
void mend_ids(std::vector<ToolCall>& calls, IdSource& ids) {
  std::set<std::string_view> taken;
  for (ToolCall& call : calls) {
    if (call.id.size() < 2 || taken.count(call.id) != 0) call.id = ids.next("call_");
    taken.insert(call.id);
  }
}

Choice read_choice(JsonValue value, int64_t position, IdSource& ids) {
  Choice choice;
  choice.index = position;
  choice.message.role = Role::kAssistant;
  for (const JsonMember& m : JsonMembers(value)) {
    if (m.key == "index") choice.index = m.value.integer().value_or(position);
    else if (m.key == "message") read_message(m.value, choice.message);
    else if (m.key == "finish_reason") m.value.string(choice.finish_raw);
    else if (m.key == "logprobs") choice.logprobs = has_logprobs(m.value) ? m.value.raw() : std::string_view{};
    else if (m.key != "delta" && m.key != "usage" && !m.value.is_null()) add_member(choice.extras, m.raw);
  }
  mend_ids(choice.message.tool_calls, ids);
  choice.finish = settle_finish(choice.finish_raw, !choice.message.tool_calls.empty());
  return choice;
}

void read_choices(JsonValue list, IdSource& ids, std::vector<Choice>& out) {
  for (JsonValue choice : JsonElements(list)) out.push_back(read_choice(choice, static_cast<int64_t>(out.size()), ids));
}

std::string joined(const Message& message, Part::Kind kind, bool& any) {
  std::string out;
  for (const Part& part : message.parts) {
    if (part.kind != kind) continue;
    any = true;
    out += part.text;
  }
  return out;
}

void write_content(const Message& message, JsonWriter& w) {
  bool any = false;
  const std::string text = joined(message, Part::Kind::kText, any);
  const bool other = std::any_of(message.parts.begin(), message.parts.end(), [](const Part& p) { return p.kind == Part::Kind::kOther; });
  w.key("content");
  if (!other) return any ? w.string(text) : w.null();
  w.begin_array();
  for (const Part& part : message.parts) {
    if (part.kind == Part::Kind::kOther) {
      w.raw(part.raw);
    } else if (part.kind == Part::Kind::kText) {
      w.begin_object();
      w.member("type", "text");
      w.member("text", part.text);
      w.raw_members(part.extras);
      w.end_object();
    }
  }
  w.end_array();
}

// Pictures that stood between the texts go where the chat dialect has those of an answer.
void write_message_extras(const Message& message, JsonWriter& w) {
  const bool parts = std::any_of(message.parts.begin(), message.parts.end(), [](const Part& p) { return p.kind == Part::Kind::kImage; });
  if (!parts) return w.raw_members(message.extras);
  w.raw_member("images", picture_list(pictures_of(message)));
  for_each_member(message.extras, [&](const JsonMember& m) { if (m.key != "images") w.raw(m.raw); });
}

// What a choice ended with.
struct ChoiceEnd {
  JsonValue error, finish;
  bool calls = false;  // tools
};

// `at` is at the choice, and behind it afterwards.
ChoiceEnd read_end(JsonCursor& at) {
  ChoiceEnd end;
  if (!at.enter_object()) {
    at.take();
    return end;
  }
  while (at.next_member()) {
    const std::string_view name = at.key();
    if (name == "error") end.error = at.take();
    else if (name == "finish_reason") end.finish = at.take();
    else if (name == "message" && at.enter_object()) {
      while (at.next_member()) {
        if (at.key() != "tool_calls") continue;
        const JsonValue calls = at.take();
        end.calls = calls.is_array() && !calls.empty_container();
      }
    }
  }
  return end;
}

// `at` is inside of `choices`, and behind them afterwards. The first choice's finish; the error of the first that failed.
std::optional<Error> read_ends(JsonCursor& at, std::string_view key, FinishReason& finish) {
  std::optional<Error> failure;
  std::string scratch;
  for (bool first = true; at.next_element(); first = false) {
    const char* const begin = at.here();
    const ChoiceEnd end = read_end(at);
    const std::string_view word = end.finish.string_view(scratch).value_or(std::string_view{});
    const FinishReason reason = finish_reason_of(word);
    if (!failure && end.error.exists() && has_error_member(at.since(begin))) failure = error_of_choice(at.since(begin), key);
    if (!failure && reason == FinishReason::kError) failure = finish_error(word);
    if (!first) continue;
    const bool plain = reason == FinishReason::kToolCalls || reason == FinishReason::kLength;
    finish = plain ? reason : settle_finish(word, end.calls);
  }
  return failure;
}

}  // namespace

FinishReason finish_reason_of(std::string_view word) noexcept {
  struct Row {
    std::string_view word;
    FinishReason reason;
  };
  static constexpr Row kRows[] = {
      {"stop", FinishReason::kStop},
      {"length", FinishReason::kLength},
      {"tool_calls", FinishReason::kToolCalls},
      {"content_filter", FinishReason::kContentFilter},
      {"", FinishReason::kNone},
      {"null", FinishReason::kNone},
      {"function_call", FinishReason::kToolCalls},
      {"tool_use", FinishReason::kToolCalls},
      {"eos", FinishReason::kStop},
      {"eos_token", FinishReason::kStop},
      {"end_turn", FinishReason::kStop},
      {"stop_sequence", FinishReason::kStop},
      {"COMPLETE", FinishReason::kStop},
      {"model_length", FinishReason::kLength},
      {"max_tokens", FinishReason::kLength},
      {"MAX_TOKENS", FinishReason::kLength},
      {"sensitive", FinishReason::kContentFilter},
      {"safety", FinishReason::kContentFilter},
      {"error", FinishReason::kError},
      {"network_error", FinishReason::kError},
      {"insufficient_system_resource", FinishReason::kError},
  };
  for (const Row& row : kRows) {
    if (word == row.word) return row.reason;
  }
  return FinishReason::kOther;
}

FinishReason settle_finish(std::string_view word, bool has_calls) noexcept {
  const FinishReason reason = finish_reason_of(word);
  // OpenAI says "stop" after a forced call, and means it; others' words for "the model stopped" do not say whether it called.
  if (has_calls && (reason == FinishReason::kNone || (reason == FinishReason::kStop && word != "stop"))) return FinishReason::kToolCalls;
  return reason == FinishReason::kNone ? FinishReason::kStop : reason;
}

bool has_logprobs(JsonValue logprobs) {
  if (!logprobs.is_object()) return false;
  for (const JsonMember& m : JsonMembers(logprobs)) {
    if (!m.value.is_null()) return true;  // Snowflake sends {"content":null,"refusal":null}
  }
  return false;
}

Error finish_error(std::string_view word) {
  return Error(ErrorCode::kUpstreamError, "the upstream broke the answer off: finish_reason \"" + std::string(word) + "\"");
}

std::optional<Error> read_top(JsonValue root, std::string_view key, AnswerTop& top) {
  if (root.is_array()) return error_of_object(root, key);
  std::optional<Error> failure;  // of a choice
  JsonCursor at(root);
  while (at.next_member()) {
    const std::string_view name = at.key();
    if (name == "choices") {
      const char* const begin = at.here();
      if (at.enter_array()) {
        if (auto failed = read_ends(at, key, top.finish); !failure) failure = std::move(failed);
        top.choices = at.since(begin);
      } else {
        top.choices = at.take();
      }
    }
    else if (name == "usage") {
      if (const JsonValue usage = at.take(); !usage.is_null()) top.usage = usage;
    }
    else if (name == "model") top.model = at.take();
    else if (name == "error") top.error = at.take();
    else if (name == "x_groq") top.x_groq = at.take();
  }
  if (top.error.exists() && has_error_member(root)) return error_of_object(root, key);
  if (!top.choices.is_array() || top.choices.empty_container()) {
    if (Fault fault; !top.choices.exists() && read_fault(root, fault)) return make_error(fault, root.raw(), key);
    return unreadable("the upstream answered without any choice", root.raw(), key);
  }
  return failure;
}

Error error_of_choice(JsonValue choice, std::string_view key) {
  // Without the rest of the choice: what had been said is no part of the complaint.
  const std::string alone = "{\"error\":" + std::string(find_member(choice, "error").raw()) + "}";
  return error_of_object(JsonValue(alone), key);
}

Result<ChatResponse> read_answer(JsonValue root, IdSource& ids, std::string_view key) {
  AnswerTop top;
  if (auto error = read_top(root, key, top)) return std::move(*error);
  ChatResponse response;
  for (const JsonMember& m : JsonMembers(root)) {
    if (m.key == "id") response.id = m.value.string_or();
    else if (m.key == "model") response.model = m.value.string_or();
    else if (m.key == "created") response.created = m.value.integer().value_or(0);
    else if (m.key == "service_tier") response.service_tier = m.value.string_or();
    else if (m.key == "system_fingerprint") response.system_fingerprint = m.value.string_or();
    else if (m.key == "choices") read_choices(m.value, ids, response.choices);
    else if (m.key != "object" && m.key != "usage" && !m.value.is_null()) add_member(response.extras, m.raw);
  }
  const JsonValue usage = find_usage(top.usage, top.x_groq, top.choices);
  read_usage(usage, response.usage);
  response.usage_extras = usage_extras(usage);
  return response;
}

namespace {

void write_calls(const std::vector<ToolCall>& calls, const std::vector<std::string>& custom, IdSource& ids, JsonWriter& w) {
  w.key("tool_calls");
  w.begin_array();
  for (const ToolCall& call : calls) {
    const std::string id = call.id.empty() ? ids.next("call_") : call.id;
    if (call.custom || !is_custom(custom, call.name)) {
      write_tool_call(call, id, client_signature(call), w);
      continue;
    }
    ToolCall as_declared = call;
    as_declared.custom = true;
    write_tool_call(as_declared, id, client_signature(call), w);
  }
  w.end_array();
}

void write_message(const Message& message, const std::vector<std::string>& custom, IdSource& ids, std::string& out) {
  JsonWriter w(out);
  w.begin_object();
  w.member("role", "assistant");
  write_content(message, w);
  bool any = false;
  const std::string reasoning = joined(message, Part::Kind::kReasoning, any);
  if (any) w.member("reasoning_content", reasoning);
  std::string details;
  int64_t count = 0;
  for (const Part& part : message.parts) {
    if (part.kind != Part::Kind::kReasoning || part.signature.empty() || part.maker == kMaker) continue;
    add_member(details, client_detail(part.maker, part.signature, part.text, part.redacted, count++));
  }
  if (!details.empty()) w.raw_member("reasoning_details", "[" + details + "]");
  any = false;
  const std::string refusal = joined(message, Part::Kind::kRefusal, any);
  w.key("refusal");
  if (any) w.string(refusal);
  else w.null();
  if (!message.tool_calls.empty()) write_calls(message.tool_calls, custom, ids, w);
  if (!message.annotations.empty()) {
    w.key("annotations");
    w.begin_array();
    for (JsonValue annotation : JsonElements(JsonValue(message.annotations))) w.raw(chat_annotation(annotation));
    w.end_array();
  }
  if (!message.audio.empty()) w.raw_member("audio", message.audio);
  write_message_extras(message, w);
  w.end_object();
}

}  // namespace

void write_answer(const ChatResponse& response, std::string_view model, const std::vector<std::string>& custom, IdSource& ids, std::string& out) {
  JsonWriter w(out);
  w.begin_object();
  w.member("id", response.id.empty() ? ids.next("chatcmpl-") : response.id);
  w.member("object", "chat.completion");
  w.member("created", response.created != 0 ? response.created : now_seconds());
  w.member("model", response.model.empty() ? model : std::string_view(response.model));
  w.key("choices");
  w.begin_array();
  for (const Choice& choice : response.choices) {
    w.begin_object();
    w.member("index", choice.index);
    w.key("message");
    std::string message;
    write_message(choice.message, custom, ids, message);
    w.raw(message);
    w.key("logprobs");
    w.raw(choice.logprobs.empty() ? std::string_view("null") : std::string_view(choice.logprobs));
    w.member("finish_reason", finish_word(choice.finish));
    w.raw_members(choice.extras);
    w.end_object();
  }
  w.end_array();
  if (response.usage.known) {
    w.key("usage");
    std::string usage;
    write_usage(response.usage, response.usage_extras, usage);
    w.raw(usage);
  }
  if (!response.service_tier.empty()) w.member("service_tier", response.service_tier);
  if (!response.system_fingerprint.empty()) w.member("system_fingerprint", response.system_fingerprint);
  w.raw_members(response.extras);
  w.end_object();
}

std::string_view finish_word(FinishReason reason) noexcept {
  return reason == FinishReason::kNone ? std::string_view("stop") : finish_reason_name(reason);
}

void write_error(const Error& error, std::string& out) {
  JsonWriter w(out);
  w.begin_object();
  w.key("error");
  w.begin_object();
  w.member("message", error.message);
  w.member("type", error_type(error.code));
  w.key("param");
  if (error.param.empty()) w.null();
  else w.string(error.param);
  // A refusal of the upstream's keeps the upstream's own word: clients know "unsupported_parameter" and its kin.
  const bool theirs = error.code == ErrorCode::kUpstreamRejected && !error.upstream_code.empty();
  w.member("code", theirs ? std::string_view(error.upstream_code) : code_name(error.code));
  w.end_object();
  w.end_object();
}

}  // namespace llmrouter::dialects::openai
