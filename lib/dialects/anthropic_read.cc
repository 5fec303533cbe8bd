// A client's request as a ChatRequest.
#include <initializer_list>

#include "dialects/anthropic.h"
#include "dialects/fields.h"
#include "dialects/signature.h"
#include "wire/base64.h"

namespace llmrouter::dialects::anthropic {
namespace {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;

using Names = std::initializer_list<std::string_view>;

bool is_one_of(std::string_view name, Names names) noexcept {
  for (std::string_view known : names) {
    if (name == known) return true;
  }
  return false;
}

// The members that have no field, verbatim.
void keep_others(JsonValue object, Names known, RawMembers& extras) {
  for (const JsonMember& m : JsonMembers(object)) {
    if (!m.value.is_null() && !is_one_of(m.key, known)) add_member(extras, m.raw);
  }
}

std::string cache_mark(JsonValue block) {
  const JsonValue mark = find_member(block, "cache_control");
  return std::string(mark.is_object() ? mark.raw() : std::string_view{});
}

Part part_of(Part::Kind kind) {
  Part part;
  part.kind = kind;
  return part;
}

// False: a source of a kind that has no fields here.
bool read_source(JsonValue source, Part& out) {
  const JsonValue type = find_member(source, "type"), data = find_member(source, "data");
  if (type.equals("base64")) {
    out.mime = find_member(source, "media_type").string_or();
    out.data = data.string_or();
  } else if (type.equals("url")) {
    out.url = find_member(source, "url").string_or();
  } else if (type.equals("file")) {
    out.file_id = find_member(source, "file_id").string_or();
  } else if (type.equals("text") && data.is_string()) {
    out.mime = "text/plain";
    wire::append_base64(out.data, data.string_or());
  } else {
    return false;
  }
  return true;
}

// Texts with headings above them; empty where there are none, or anything else is among them.
std::string words_under(std::initializer_list<JsonValue> headings, JsonValue content) {
  std::string words = content.string_or();
  for (JsonValue block : JsonElements(content)) {
    if (!find_member(block, "type").equals("text")) return {};
    if (!words.empty()) words += "\n\n";
    words += find_member(block, "text").string_or();
  }
  if (words.empty()) return words;
  std::string above;
  for (JsonValue heading : headings) {
    if (heading.nonempty_string()) above += heading.string_or() + "\n";
  }
  return above.empty() ? words : above + "\n" + words;
}

Part read_block(JsonValue block) {
  const JsonValue type = find_member(block, "type");
  Part out;
  bool known = true;
  if (type.equals("text")) {
    out = Part::of_text(find_member(block, "text").string_or());
    keep_others(block, {"type", "text", "cache_control"}, out.extras);
  } else if (type.equals("image")) {
    out = part_of(Part::Kind::kImage);
    known = read_source(find_member(block, "source"), out);
    keep_others(block, {"type", "source", "cache_control"}, out.extras);
  } else if (type.equals("document")) {
    out = part_of(Part::Kind::kFile);
    known = read_source(find_member(block, "source"), out);
    out.name = find_member(block, "title").string_or();
    keep_others(block, {"type", "source", "title", "cache_control"}, out.extras);
  } else {
    known = false;
  }
  if (!known) {
    out = part_of(Part::Kind::kOther);
    out.raw = block.raw();
    // What a search among tools found: elsewhere all tools are there from the beginning.
    if (type.equals("tool_reference")) out.text = "(tool " + find_member(block, "tool_name").string_or() + ")";
    // What was said so far, in short, for any model to read.
    else if (type.equals("compaction")) out.text = find_member(block, "content").string_or();
    // Words that were found or put together elsewhere.
    else if (type.equals("search_result")) out.text = words_under({find_member(block, "title"), find_member(block, "source")}, find_member(block, "content"));
    else if (type.equals("document")) out.text = words_under({find_member(block, "title")}, wire::find(block, "source", "content"));
    return out;
  }
  out.cache = cache_mark(block);
  return out;
}

void read_content(JsonValue content, std::vector<Part>& parts) {
  if (content.is_string()) {
    parts.push_back(Part::of_text(content.string_or()));
    return;
  }
  for (JsonValue block : JsonElements(content)) parts.push_back(read_block(block));
}

Message read_tool_result(JsonValue block) {
  Message out;
  out.role = Role::kTool;
  out.tool_call_id = find_member(block, "tool_use_id").string_or();
  out.tool_error = find_member(block, "is_error").boolean().value_or(false);
  read_content(find_member(block, "content"), out.parts);
  // A mark behind the result is a mark behind its last part.
  const std::string mark = cache_mark(block);
  if (!mark.empty() && !out.parts.empty() && out.parts.back().kind != Part::Kind::kOther) out.parts.back().cache = mark;
  keep_others(block, {"type", "tool_use_id", "is_error", "content", "cache_control"}, out.extras);
  return out;
}

ToolCall read_tool_use(JsonValue block) {
  ToolCall out;
  out.id = find_member(block, "id").string_or();
  out.name = find_member(block, "name").string_or();
  const JsonValue input = find_member(block, "input");
  out.arguments = input.is_object() ? input.raw() : std::string_view("{}");
  keep_others(block, {"type", "id", "name", "input"}, out.extras);
  return out;
}

// What a call's signature is sealed under, so that it is told from a thought's.
constexpr std::string_view kCallMark = "call:";

class RequestReader {
 public:
  Result<ChatRequest> run(std::string_view body) {
    std::vector<MemberSpan> members;
    if (wire::ScanResult scanned = wire::scan_object(body, {}, members); !scanned) return scanned.to_error(body);
    request_.include_usage = true;
    JsonValue messages;
    for (const MemberSpan& m : members) {
      const JsonValue value(body.substr(m.value_begin, m.value_end - m.value_begin));
      if (m.name == "messages") messages = value;
      else if (!take(m.name, value) && !value.is_null()) add_member(request_.extras, body.substr(m.key_begin, m.value_end - m.key_begin));
      if (!fields_.ok()) return fields_.take_error();
    }
    settle_effort();
    for (JsonValue message : JsonElements(messages)) read_message(message);
    return std::move(request_);
  }

 private:
  // False: no field stands for it.
  bool take(std::string_view name, JsonValue value) {
    if (name == "model") fields_.read(name, value, request_.model);
    else if (name == "system") take_system(value);
    else if (name == "stream") request_.stream = value.boolean().value_or(false);
    else if (name == "max_tokens") fields_.read(name, value, request_.max_tokens);
    else if (name == "temperature") fields_.read(name, value, request_.temperature);
    else if (name == "top_p") fields_.read(name, value, request_.top_p);
    else if (name == "top_k") fields_.read(name, value, request_.top_k);
    else if (name == "stop_sequences") fields_.read_strings(name, value, request_.stop);
    else if (name == "tools") take_tools(value);
    else if (name == "tool_choice") take_tool_choice(value);
    else if (name == "thinking") take_thinking(value);
    else if (name == "output_config") take_output_config(value);
    else if (name == "output_format") take_format(value);
    else if (name == "metadata") take_metadata(value);
    else if (name == "service_tier") request_.service_tier = value.equals("standard_only") ? "default" : value.string_or();
    else return false;
    return true;
  }

  void take_system(JsonValue value) {
    Message message;
    message.role = Role::kSystem;
    read_content(value, message.parts);
    if (!message.parts.empty()) request_.messages.push_back(std::move(message));
  }

  void read_message(JsonValue value) {
    const JsonValue role = find_member(value, "role"), content = find_member(value, "content");
    Message message;
    if (role.equals("system")) {
      // Where it stands says something; the writer of this dialect leaves it there.
      message.role = Role::kSystem;
      message.extras = "\"role\":\"system\"";
      read_content(content, message.parts);
    } else if (role.equals("assistant")) {
      message.role = Role::kAssistant;
      read_assistant(content, message);
    } else {
      read_user(content, message);
      if (message.parts.empty()) return;
    }
    keep_others(value, {"role", "content"}, message.extras);
    request_.messages.push_back(std::move(message));
  }

  // Results are messages of their own, before what else the user says.
  void read_user(JsonValue content, Message& rest) {
    if (content.is_string()) return read_content(content, rest.parts);
    for (JsonValue block : JsonElements(content)) {
      if (find_member(block, "type").equals("tool_result")) request_.messages.push_back(read_tool_result(block));
      else rest.parts.push_back(read_block(block));
    }
  }

  static void read_assistant(JsonValue content, Message& out) {
    if (content.is_string()) return read_content(content, out.parts);
    ToolCall pending;  // holds a signature that came before its call
    for (JsonValue block : JsonElements(content)) {
      const JsonValue type = find_member(block, "type");
      if (type.equals("thinking") || type.equals("redacted_thinking")) {
        read_thought(block, out.parts, pending);
      } else if (type.equals("tool_use")) {
        ToolCall call = read_tool_use(block);
        call.signature = std::move(pending.signature);
        call.maker = std::move(pending.maker);
        pending = ToolCall();
        out.tool_calls.push_back(std::move(call));
      } else {
        out.parts.push_back(read_block(block));
      }
    }
  }

  void take_tools(JsonValue value) {
    for (JsonValue entry : JsonElements(value)) {
      const JsonValue type = find_member(entry, "type");
      Tool tool;
      if (!type.is_unset() && !type.equals("custom")) {
        tool.raw = entry.raw();
      } else {
        const size_t index = request_.tools.size();
        if (!find_member(entry, "name").nonempty_string()) return fields_.fail(missing(path("tools", index, "name"), "a string that is not empty"));
        fields_.read(path("tools", index, "name"), find_member(entry, "name"), tool.name);
        fields_.read(path("tools", index, "description"), find_member(entry, "description"), tool.description);
        fields_.read_object(path("tools", index, "input_schema"), find_member(entry, "input_schema"), tool.parameters);
        fields_.read(path("tools", index, "strict"), find_member(entry, "strict"), tool.strict);
        tool.cache = cache_mark(entry);
        keep_others(entry, {"name", "description", "input_schema", "strict", "cache_control"}, tool.extras);
      }
      request_.tools.push_back(std::move(tool));
    }
  }

  void take_tool_choice(JsonValue value) {
    if (value.is_unset()) return;
    const JsonValue type = find_member(value, "type");
    ToolChoice& choice = request_.tool_choice;
    if (type.equals("auto")) choice.kind = ToolChoice::Kind::kAuto;
    else if (type.equals("any")) choice.kind = ToolChoice::Kind::kRequired;
    else if (type.equals("none")) choice.kind = ToolChoice::Kind::kNone;
    else if (type.equals("tool") && find_member(value, "name").nonempty_string()) {
      choice.kind = ToolChoice::Kind::kNamed;
      choice.name = find_member(value, "name").string_or();
    } else {
      choice.kind = ToolChoice::Kind::kRaw;
      choice.raw = value.raw();
    }
    if (auto off = find_member(value, "disable_parallel_tool_use").boolean()) request_.parallel_tool_calls = !*off;
  }

  void take_thinking(JsonValue value) {
    if (value.is_unset()) return;
    const JsonValue type = find_member(value, "type");
    request_.reasoning = !type.equals("disabled");
    if (type.equals("enabled")) fields_.read("thinking.budget_tokens", find_member(value, "budget_tokens"), request_.reasoning_budget);
    RawMembers rest;
    keep_others(value, {"type", "budget_tokens"}, rest);
    if (!rest.empty()) add_member(request_.extras, "\"thinking\":{" + rest + "}");
  }

  void take_output_config(JsonValue value) {
    fields_.read("output_config.effort", find_member(value, "effort"), request_.reasoning_effort);
    take_format(find_member(value, "format"));
    keep_others(value, {"effort", "format"}, output_config_);
  }

  // Effort without a word on thinking asks for no thoughts here, while elsewhere it does: it is kept under its own name as well, so that a writer of
  // this dialect can tell.
  void settle_effort() {
    if (!request_.reasoning_effort.empty() && !request_.reasoning) {
      std::string effort = "\"effort\":";
      wire::append_json_string(effort, request_.reasoning_effort);
      add_member(output_config_, effort);
    }
    if (!output_config_.empty()) add_member(request_.extras, "\"output_config\":{" + output_config_ + "}");
  }

  void take_format(JsonValue value) {
    if (value.is_unset()) return;
    ResponseFormat& format = request_.response_format;
    const JsonValue schema = find_member(value, "schema");
    if (find_member(value, "type").equals("json_schema") && schema.is_object()) {
      format.kind = ResponseFormat::Kind::kJsonSchema;
      format.name = find_member(value, "name").string_or();
      format.schema = schema.raw();
    } else {
      format.kind = ResponseFormat::Kind::kRaw;
      format.raw = value.raw();
    }
  }

  void take_metadata(JsonValue value) {
    if (value.is_unset()) return;
    fields_.read("metadata.user_id", find_member(value, "user_id"), request_.user);
    RawMembers rest;
    keep_others(value, {"user_id"}, rest);
    if (!rest.empty()) add_member(request_.extras, "\"metadata\":{" + rest + "}");
  }

  ChatRequest request_;
  RawMembers output_config_;
  Fields fields_;
};

}  // namespace

std::string seal_call_signature(std::string_view maker, std::string_view signature) {
  std::string marked(kCallMark);
  return seal_signature(marked.append(maker), kMaker, signature);
}

void read_thought(JsonValue block, std::vector<Part>& parts, ToolCall& call) {
  const bool redacted = find_member(block, "type").equals("redacted_thinking");
  Signed sealed = open_signature(find_member(block, redacted ? "data" : "signature").string_or(), kMaker);
  if (redacted && sealed.maker.compare(0, kCallMark.size(), kCallMark) == 0) {
    call.maker = sealed.maker.substr(kCallMark.size());
    call.signature = std::move(sealed.signature);
    return;
  }
  Part part = part_of(Part::Kind::kReasoning);
  part.redacted = redacted;
  if (!redacted) part.text = find_member(block, "thinking").string_or();
  part.signature = std::move(sealed.signature);
  part.maker = std::move(sealed.maker);
  keep_others(block, {"type", "thinking", "signature", "data"}, part.extras);
  parts.push_back(std::move(part));
}

Result<ChatRequest> read_request(std::string_view body) { return RequestReader().run(body); }

}  // namespace llmrouter::dialects::anthropic
