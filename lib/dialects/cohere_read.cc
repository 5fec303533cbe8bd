// Requests of Cohere's clients, neutral.
#include "dialects/cohere.h"
#include "dialects/fields.h"

namespace llmrouter::dialects::cohere {
namespace {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;

Role role_of(JsonValue role) noexcept {
  if (role.equals("system")) return Role::kSystem;
  if (role.equals("assistant")) return Role::kAssistant;
  if (role.equals("tool")) return Role::kTool;
  return Role::kUser;
}

Part text_part(std::string text, std::string_view mime) {
  Part part = Part::of_text(std::move(text));
  part.mime = mime;
  return part;
}

Part thought(std::string text) {
  Part part;
  part.kind = Part::Kind::kReasoning;
  part.text = std::move(text);
  return part;
}

Part read_image(JsonValue value) {
  Part part;
  part.kind = Part::Kind::kImage;
  part.url = value.is_object() ? find_member(value, "url").string_or() : value.string_or();
  part.detail = find_member(value, "detail").string_or();
  return part;
}

Part read_part(JsonValue value) {
  const JsonValue type = find_member(value, "type");
  if (type.equals("text")) return Part::of_text(find_member(value, "text").string_or());
  if (type.equals("thinking")) return thought(find_member(value, "thinking").string_or());
  if (type.equals("image_url")) return read_image(find_member(value, "image_url"));
  // One without anything in it is no text; whoever is asked refuses or passes it as it is.
  if (type.equals("document") && find_member(value, "document").exists()) {
    return text_part(std::string(find_member(value, "document").raw()), kDocumentMime);
  }
  Part part;
  part.kind = Part::Kind::kOther;
  part.raw = value.raw();
  return part;
}

void read_content(JsonValue value, std::vector<Part>& out) {
  if (value.nonempty_string()) out.push_back(Part::of_text(value.string_or()));
  for (JsonValue part : JsonElements(value)) out.push_back(read_part(part));
}

ToolCall read_request_call(JsonValue value) {
  ToolCall call;
  for (const JsonMember& m : JsonMembers(value)) {
    if (m.key == "id") m.value.string(call.id);
    else if (m.key == "function") {
      call.name = find_member(m.value, "name").string_or();
      call.arguments = text_of_value(find_member(m.value, "arguments"));
    }
  }
  if (call.arguments.empty()) call.arguments = "{}";
  return call;
}

Message read_message(JsonValue value) {
  Message out;
  JsonValue role, content, plan, calls, call_id;
  wire::pick(value, {{"role", &role}, {"content", &content}, {"tool_plan", &plan}, {"tool_calls", &calls}, {"tool_call_id", &call_id}});
  out.role = role_of(role);
  if (plan.nonempty_string()) {
    out.parts.push_back(thought(plan.string_or()));
    out.parts.back().name = kToolPlan;
  }
  read_content(content, out.parts);
  for (JsonValue call : JsonElements(calls)) out.tool_calls.push_back(read_request_call(call));
  call_id.string(out.tool_call_id);
  for (const JsonMember& m : JsonMembers(value)) {
    const bool known = m.key == "role" || m.key == "content" || m.key == "tool_plan" || m.key == "tool_calls" || m.key == "tool_call_id";
    if (!known && !m.value.is_null()) add_member(out.extras, m.raw);
  }
  return out;
}

class RequestReader {
 public:
  Result<ChatRequest> run(std::string_view body) {
    std::vector<MemberSpan> members;
    if (wire::ScanResult scanned = wire::scan_object(body, {}, members); !scanned) return scanned.to_error(body);
    request_.include_usage = true;
    for (const MemberSpan& m : members) {
      const JsonValue value(body.substr(m.value_begin, m.value_end - m.value_begin));
      if (!take(m.name, value) && !value.is_null()) add_member(request_.extras, body.substr(m.key_begin, m.value_end - m.key_begin));
      if (!fields_.ok()) return fields_.take_error();
    }
    if (strict_) {
      for (Tool& tool : request_.tools) tool.strict = strict_;
    }
    return std::move(request_);
  }

 private:
  bool take(std::string_view name, JsonValue value) {
    if (name == "model") fields_.read(name, value, request_.model);
    else if (name == "stream") request_.stream = value.boolean().value_or(false);
    else if (name == "messages") for (JsonValue m : JsonElements(value)) request_.messages.push_back(read_message(m));
    else if (name == "documents") take_documents(value);
    else if (name == "tools") take_tools(value);
    else if (name == "strict_tools") fields_.read(name, value, strict_);
    else if (name == "tool_choice") take_tool_choice(value);
    else if (name == "response_format") take_format(value);
    else if (name == "thinking") take_thinking(value);
    else if (name == "max_tokens") fields_.read(name, value, request_.max_tokens);
    else if (name == "temperature") fields_.read(name, value, request_.temperature);
    else if (name == "p") fields_.read(name, value, request_.top_p);
    else if (name == "k") fields_.read(name, value, request_.top_k);
    else if (name == "seed") fields_.read(name, value, request_.seed);
    else if (name == "frequency_penalty") fields_.read(name, value, request_.frequency_penalty);
    else if (name == "presence_penalty") fields_.read(name, value, request_.presence_penalty);
    else if (name == "stop_sequences") fields_.read_strings(name, value, request_.stop);
    else if (name == "logprobs") fields_.read(name, value, request_.logprobs);
    else return false;
    return true;
  }

  // They go before the conversation, as text that any model can read.
  void take_documents(JsonValue value) {
    Message message;
    message.role = Role::kSystem;
    for (JsonValue entry : JsonElements(value)) {
      if (!fields_.check_count("documents", message.parts.size() + 1)) return;  // each becomes a part of its own
      message.parts.push_back(text_part(std::string(entry.raw()) + "\n", kDocumentMime));
    }
    if (message.parts.empty()) return;
    message.parts.insert(message.parts.begin(), text_part("Answer from these documents, each of them JSON:\n", kDocumentsIntroMime));
    request_.messages.insert(request_.messages.begin(), std::move(message));
  }

  void take_tools(JsonValue value) {
    for (JsonValue entry : JsonElements(value)) {
      const JsonValue function = find_member(entry, "function");
      const std::string base = path("tools", request_.tools.size(), "function");
      Tool tool;
      if (!find_member(function, "name").nonempty_string()) return fields_.fail(missing(base + ".name", "a string that is not empty"));
      fields_.read(base + ".name", find_member(function, "name"), tool.name);
      fields_.read(base + ".description", find_member(function, "description"), tool.description);
      fields_.read_object(base + ".parameters", find_member(function, "parameters"), tool.parameters);
      request_.tools.push_back(std::move(tool));
    }
  }

  void take_tool_choice(JsonValue value) {
    if (value.is_unset()) return;
    if (value.equals("REQUIRED")) request_.tool_choice.kind = ToolChoice::Kind::kRequired;
    else if (value.equals("NONE")) request_.tool_choice.kind = ToolChoice::Kind::kNone;
    else fields_.fail(wrong_value("tool_choice", "REQUIRED or NONE"));
  }

  void take_format(JsonValue value) {
    const JsonValue type = find_member(value, "type");
    ResponseFormat& format = request_.response_format;
    if (type.equals("text")) {
      format.kind = ResponseFormat::Kind::kText;
    } else if (type.equals("json_object")) {
      JsonValue schema = find_member(value, "json_schema");
      if (!schema.is_object()) schema = find_member(value, "schema");
      format.kind = schema.is_object() ? ResponseFormat::Kind::kJsonSchema : ResponseFormat::Kind::kJsonObject;
      if (schema.is_object()) format.schema = schema.raw();
    } else if (!value.is_unset()) {
      fields_.fail(wrong_value("response_format.type", "text or json_object"));
    }
  }

  void take_thinking(JsonValue value) {
    if (value.is_unset()) return;
    const JsonValue type = find_member(value, "type");
    if (type.equals("enabled")) request_.reasoning = true;
    else if (type.equals("disabled")) request_.reasoning = false;
    else return fields_.fail(wrong_value("thinking.type", "enabled or disabled"));
    fields_.read("thinking.token_budget", find_member(value, "token_budget"), request_.reasoning_budget);
  }

  ChatRequest request_;
  Fields fields_;
  std::optional<bool> strict_;
};

}  // namespace

Result<ChatRequest> read_request(std::string_view body) { return RequestReader().run(body); }

Origins origins_of(std::string_view body) {
  Origins out;
  out.same_members = true;
  const JsonValue root(body);
  Origin documents;
  documents.self = "documents";
  documents.content(find_member(root, "documents"), "documents");
  if (!documents.parts.empty()) {
    documents.parts.insert(documents.parts.begin(), "documents");
    out.messages.push_back(std::move(documents));
  }
  size_t i = 0;
  for (JsonValue message : JsonElements(find_member(root, "messages"))) {
    Origin& origin = out.add(path("messages", i++));
    const JsonValue content = find_member(message, "content");
    size_t k = 0;
    if (content.nonempty_string()) origin.parts.push_back(origin.self + ".content");
    for (JsonValue part : JsonElements(content)) {
      std::string at = path(origin.self + ".content", k++);
      if (!find_member(part, "type").equals("thinking")) origin.parts.push_back(std::move(at));
    }
    origin.note_calls(find_member(message, "tool_calls"));
  }
  return out;
}

}  // namespace llmrouter::dialects::cohere
