// A client's request as a ChatRequest.
#include <algorithm>

#include "dialects/custom_tools.h"
#include "dialects/fault.h"
#include "dialects/fields.h"
#include "dialects/foreign_tools.h"
#include "dialects/responses.h"

namespace llmrouter::dialects::responses {
namespace {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;

bool ends_with(std::string_view text, std::string_view end) noexcept {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

Error needs_storage(std::string param) {
  std::string words = "`" + param + "`: nothing is stored here, and this request has to be translated for its target; send the whole conversation as `input`";
  return Error(ErrorCode::kInvalidRequest, std::move(words), std::move(param));
}

// What a hosted tool did, or what it was answered: no other vendor's model has seen it, nor could it call that tool.
bool is_hosted(std::string_view type) noexcept {
  constexpr std::string_view kTypes[] = {"web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call", "computer_call",
                                         "computer_call_output", "mcp_call", "mcp_list_tools", "mcp_approval_request", "mcp_approval_response",
                                         "local_shell_call", "local_shell_call_output", "shell_call", "shell_call_output", "apply_patch_call",
                                         "apply_patch_call_output", "tool_search_call", "tool_search_output"};
  return std::find(std::begin(kTypes), std::end(kTypes), type) != std::end(kTypes);
}

// Is there more to an item than its kind and its state?
bool says_something(JsonValue item) {
  for (const JsonMember& m : JsonMembers(item)) {
    if (m.key == "type" || m.key == "id" || m.key == "status") continue;
    if (m.value.nonempty_string() || m.value.is_number() || ((m.value.is_object() || m.value.is_array()) && !m.value.empty_container())) return true;
  }
  return false;
}

// Items of one turn of the assistant become one message: its thoughts, its words, its calls.
class ItemReader {
 public:
  ItemReader(std::vector<Message>& messages, RawMembers& left_out) : messages_(messages), left_out_(left_out) {}

  Result<void> run(JsonValue input) {
    if (input.is_string()) {
      Message message;
      message.parts.push_back(Part::of_text(input.string_or()));
      messages_.push_back(std::move(message));
      return {};
    }
    size_t index = 0;
    for (JsonValue item : JsonElements(input)) {
      if (auto taken = take(item, index++); !taken) return taken;
    }
    return {};
  }

 private:
  Result<void> take(JsonValue item, size_t index) {
    const JsonValue type = find_member(item, "type");
    if (type.is_unset() || type.equals("message")) take_message(item);
    else if (type.equals("reasoning")) take_reasoning(item);
    else if (type.equals("function_call") || type.equals("custom_tool_call")) take_call(item);
    else if (type.equals("function_call_output") || type.equals("custom_tool_call_output")) take_output(item);
    else if (type.equals("item_reference")) return needs_storage(path("input", index));
    else return take_other(item, type.string_or(), index);
    return {};
  }

  // An item that is not known here may be all of the conversation so far, as a compacted one is, which its maker alone can read.
  Result<void> take_other(JsonValue item, const std::string& type, size_t index) {
    constexpr size_t kShown = 64;
    if (!is_hosted(type) && (type == "additional_tools" || says_something(item))) {
      return cannot_express(path("input", index), "an item of the type " + std::string(cut(type, kShown)), "another dialect");
    }
    std::string member;
    wire::append_json_string(member, "input." + type);
    add_member(left_out_, member + ":true");
    return {};
  }

  Message& assistant(bool call) {
    const bool open = !messages_.empty() && messages_.back().role == Role::kAssistant;
    // Words after words are another message, words between calls of one turn are not.
    const bool said = open && messages_.back().tool_calls.empty() &&
                      std::any_of(messages_.back().parts.begin(), messages_.back().parts.end(), [](const Part& p) { return p.kind != Part::Kind::kReasoning; });
    if (!open || (said && !call)) {
      messages_.emplace_back().role = Role::kAssistant;
    }
    return messages_.back();
  }

  void take_message(JsonValue item) {
    const JsonValue role = find_member(item, "role");
    if (role.equals("assistant")) {
      read_content(find_member(item, "content"), assistant(false).parts);
      return;
    }
    Message message;
    if (role.equals("system")) message.role = Role::kSystem;
    else if (role.equals("developer")) message.role = Role::kDeveloper;
    read_content(find_member(item, "content"), message.parts);
    messages_.push_back(std::move(message));
  }

  void take_reasoning(JsonValue item) {
    Part part = read_reasoning(item);
    if (ends_with(part.maker, kOfCall)) {
      call_maker_ = part.maker.substr(0, part.maker.size() - kOfCall.size());
      call_signature_ = std::move(part.signature);
      return;
    }
    if (part.text.empty() && part.signature.empty()) return;  // stored upstream, so empty here
    assistant(false).parts.push_back(std::move(part));
  }

  void take_call(JsonValue item) {
    ToolCall call = read_call(item);
    call.signature = std::move(call_signature_);
    call.maker = std::move(call_maker_);
    call_signature_.clear();
    call_maker_.clear();
    Message& message = assistant(true);
    if (!message.tool_calls.empty() && !message.parts.empty()) {
      Part& last = message.parts.back();
      if (last.kind == Part::Kind::kReasoning && last.detail.empty() && message.parts.size() > placed_) last.detail = call.id;
    }
    placed_ = message.parts.size();
    message.tool_calls.push_back(std::move(call));
  }

  void take_output(JsonValue item) {
    Message message;
    message.role = Role::kTool;
    message.tool_call_id = find_member(item, "call_id").string_or();
    read_content(find_member(item, "output"), message.parts);
    messages_.push_back(std::move(message));
  }

  std::vector<Message>& messages_;
  RawMembers& left_out_;
  std::string call_signature_, call_maker_;  // for the next call
  size_t placed_ = 0;                        // parts of the message before its last call
};

class RequestReader {
 public:
  Result<ChatRequest> run(std::string_view body) {
    std::vector<MemberSpan> members;
    if (wire::ScanResult scanned = wire::scan_object(body, {}, members); !scanned) return scanned.to_error(body);
    for (const MemberSpan& m : members) {
      const JsonValue value(body.substr(m.value_begin, m.value_end - m.value_begin));
      if (!take(m.name, value) && !value.is_null()) add_member(request_.extras, body.substr(m.key_begin, m.value_end - m.key_begin));
      if (!fields_.ok()) return fields_.take_error();
    }
    if (auto read = ItemReader(request_.messages, request_.extras).run(input_); !read) return std::move(read).error();
    add_instructions();
    if (request_.messages.empty()) return cannot_express("input", "nothing but what hosted tools did", "another dialect");
    allow_tools();
    if (!fields_.ok()) return fields_.take_error();
    if (logprobs_included_ || request_.top_logprobs.value_or(0) > 0) request_.logprobs = true;
    request_.include_usage = true;
    return std::move(request_);
  }

 private:
  // False: no field stands for it.
  bool take(std::string_view name, JsonValue value) {
    if (name == "model") fields_.read(name, value, request_.model);
    else if (name == "input") input_ = value;
    else if (name == "instructions") instructions_ = value;
    else if (name == "stream") request_.stream = value.boolean().value_or(false);
    else if (name == "tools") take_tools(value);
    else if (name == "tool_choice") take_tool_choice(value);
    else if (name == "parallel_tool_calls") fields_.read(name, value, request_.parallel_tool_calls);
    else if (name == "text") take_text(value);
    else if (name == "reasoning") take_reasoning(value);
    else if (name == "max_output_tokens") fields_.read(name, value, request_.max_tokens);
    else if (name == "temperature") fields_.read(name, value, request_.temperature);
    else if (name == "top_p") fields_.read(name, value, request_.top_p);
    else if (name == "top_logprobs") fields_.read(name, value, request_.top_logprobs);
    else if (name == "user") fields_.read(name, value, request_.user);
    else if (name == "prompt_cache_key") fields_.read(name, value, request_.prompt_cache_key);
    else if (name == "service_tier") fields_.read(name, value, request_.service_tier);
    else if (name == "metadata") take_metadata(value);
    else if (name == "previous_response_id" || name == "conversation" || name == "prompt") refuse(name, !value.is_unset());
    else if (name == "background") refuse(name, value.boolean().value_or(false));
    else if (name == "truncation") return value.equals("disabled");  // the default
    else {
      if (name == "include") note_include(value);
      return false;
    }
    return true;
  }

  void refuse(std::string_view name, bool asked) {
    if (asked) fields_.fail(needs_storage(std::string(name)));
  }

  void take_metadata(JsonValue value) {
    if (!value.empty_container()) fields_.read_object("metadata", value, request_.metadata);
  }

  // Stays an extra as well: what it names besides is for upstreams of this dialect alone.
  void note_include(JsonValue value) {
    for (JsonValue entry : JsonElements(value)) logprobs_included_ = logprobs_included_ || entry.equals("message.output_text.logprobs");
  }

  // Members of an object whose others have fields: kept under both names, to be told as dropped.
  void leave_out(std::string_view object, std::string_view name) {
    add_member(request_.extras, "\"" + std::string(object) + "." + std::string(name) + "\":true");
  }

  void take_text(JsonValue value) {
    for (const JsonMember& m : JsonMembers(value)) {
      if (m.key == "format") take_format(m.value);
      else if (m.key == "verbosity") fields_.read("text.verbosity", m.value, request_.verbosity);
      else if (!m.value.is_null()) leave_out("text", m.key);
    }
  }

  void take_format(JsonValue value) {
    ResponseFormat& format = request_.response_format;
    const JsonValue type = find_member(value, "type");
    if (type.is_unset()) return;
    if (type.equals("text")) {
      format.kind = ResponseFormat::Kind::kText;
    } else if (type.equals("json_object")) {
      format.kind = ResponseFormat::Kind::kJsonObject;
    } else if (type.equals("json_schema")) {
      if (!find_member(value, "schema").is_object()) return fields_.fail(wrong_type("text.format.schema", "an object", find_member(value, "schema")));
      format.kind = ResponseFormat::Kind::kJsonSchema;
      format.name = find_member(value, "name").string_or();
      format.description = find_member(value, "description").string_or();
      format.schema = find_member(value, "schema").raw();
      format.strict = find_member(value, "strict").boolean();
    } else {
      format.kind = ResponseFormat::Kind::kRaw;
      format.raw = value.raw();
    }
  }

  void take_reasoning(JsonValue value) {
    for (const JsonMember& m : JsonMembers(value)) {
      if (m.key == "effort") fields_.read("reasoning.effort", m.value, request_.reasoning_effort);
      else if (m.key == "summary" || m.key == "generate_summary") fields_.read("reasoning.summary", m.value, request_.reasoning_summary);
      else if (!m.value.is_null()) leave_out("reasoning", m.key);
    }
  }

  void take_tools(JsonValue value) {
    for (JsonValue entry : JsonElements(value)) {
      Tool tool;
      const JsonValue type = find_member(entry, "type"), format = find_member(entry, "format");
      tool.custom = type.equals("custom") && read_custom_format(format, format, tool.format);
      if (!tool.custom && !type.equals("function")) {
        tool.raw = entry.raw();
        request_.tools.push_back(std::move(tool));
        continue;
      }
      const std::string base = path("tools", request_.tools.size());
      for (const JsonMember& m : JsonMembers(entry)) {
        if (m.key == "name") fields_.read(base + ".name", m.value, tool.name);
        else if (m.key == "description") fields_.read(base + ".description", m.value, tool.description);
        else if (m.key == "parameters" && !tool.custom) fields_.read_object(base + ".parameters", m.value, tool.parameters);
        else if (m.key == "strict" && !tool.custom) fields_.read(base + ".strict", m.value, tool.strict);
        else if (!m.value.is_null() && m.key != "type" && !(tool.custom && m.key == "format")) add_member(tool.extras, m.raw);
      }
      if (fields_.ok() && tool.name.empty()) fields_.fail(missing(base + ".name", "a string"));
      if (tool.custom) tool.parameters = kCustomParameters;
      request_.tools.push_back(std::move(tool));
    }
  }

  void take_tool_choice(JsonValue value) {
    ToolChoice& choice = request_.tool_choice;
    using Kind = ToolChoice::Kind;
    if (value.is_unset()) return;
    const JsonValue type = find_member(value, "type");
    const JsonValue word = type.equals("allowed_tools") ? find_member(value, "mode") : value;
    if (type.equals("allowed_tools")) allowed_ = find_member(value, "tools");
    if (word.equals("auto")) choice.kind = Kind::kAuto;
    else if (word.equals("none")) choice.kind = Kind::kNone;
    else if (word.equals("required")) choice.kind = Kind::kRequired;
    else if (type.equals("function") || type.equals("custom")) {
      choice.kind = Kind::kNamed;
      choice.name = find_member(value, "name").string_or();
    } else {
      choice.kind = Kind::kRaw;
      choice.raw = value.raw();
    }
  }

  // Hosted tools are allowed by their type.
  void allow_tools() {
    if (!allowed_.is_array() || allowed_.empty_container()) return;
    AllowedTools allowed;
    for (JsonValue tool : JsonElements(allowed_)) {
      allowed.names.push_back(find_member(tool, "name").string_or());
      allowed.hosted.push_back(find_member(tool, "type").string_or());
    }
    if (!keep_allowed(std::move(allowed), request_.tools)) fields_.fail(wrong_value("tool_choice", "a choice among the tools of the request"));
  }

  void add_instructions() {
    if (instructions_.is_unset() || instructions_.equals("")) return;
    Message message;
    message.role = Role::kSystem;
    if (instructions_.is_string()) {
      message.parts.push_back(Part::of_text(instructions_.string_or()));
    } else {
      // As an answer echoes them: a list of messages.
      for (JsonValue entry : JsonElements(instructions_)) read_content(find_member(entry, "content"), message.parts);
    }
    if (!message.parts.empty()) request_.messages.insert(request_.messages.begin(), std::move(message));
  }

  ChatRequest request_;
  JsonValue input_, instructions_, allowed_;
  bool logprobs_included_ = false;
  Fields fields_;
};

}  // namespace

Result<ChatRequest> read_request(std::string_view body) { return RequestReader().run(body); }

}  // namespace llmrouter::dialects::responses
