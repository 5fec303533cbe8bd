// A client's request as a ChatRequest.
#include "dialects/custom_tools.h"
#include "dialects/fields.h"
#include "dialects/foreign_tools.h"
#include "dialects/openai.h"
#include "dialects/signature.h"

namespace llmrouter::dialects::openai {
namespace {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;

Part part_of(Part::Kind kind) {
  Part part;
  part.kind = kind;
  return part;
}

// Do the members of `object` all have one of these names?
bool has_only(JsonValue object, std::initializer_list<std::string_view> names) {
  for (const JsonMember& m : JsonMembers(object)) {
    bool known = false;
    for (std::string_view name : names) known = known || m.key == name;
    if (!known) return false;
  }
  return true;
}

// "data:image/png;base64,..." stays a URL; only audio and files name their type apart.
Part read_image(JsonValue part) {
  Part out = part_of(Part::Kind::kImage);
  const JsonValue image = find_member(part, "image_url");
  if (image.is_string()) {
    out.url = image.string_or();
    return out;
  }
  out.url = find_member(image, "url").string_or();
  out.detail = find_member(image, "detail").string_or();
  if (!has_only(image, {"url", "detail"})) out.raw = part.raw();
  return out;
}

Part read_audio(JsonValue part) {
  Part out = part_of(Part::Kind::kAudio);
  const JsonValue audio = find_member(part, "input_audio");
  out.data = find_member(audio, "data").string_or();
  if (std::string format = find_member(audio, "format").string_or(); !format.empty()) out.mime = "audio/" + format;
  if (!has_only(audio, {"data", "format"})) out.raw = part.raw();
  return out;
}

Part read_file(JsonValue part) {
  Part out = part_of(Part::Kind::kFile);
  const JsonValue file = find_member(part, "file");
  out.file_id = find_member(file, "file_id").string_or();
  out.name = find_member(file, "filename").string_or();
  std::string data = find_member(file, "file_data").string_or();
  (data.compare(0, 5, "data:") == 0 || data.compare(0, 4, "http") == 0 ? out.url : out.data) = std::move(data);
  if (!has_only(file, {"file_id", "filename", "file_data"})) out.raw = part.raw();
  return out;
}

Part read_video(JsonValue part) {
  Part out = part_of(Part::Kind::kVideo);
  const JsonValue video = find_member(part, "video_url");
  out.url = video.is_string() ? video.string_or() : find_member(video, "url").string_or();
  if (video.is_object() && !has_only(video, {"url"})) out.raw = part.raw();
  return out;
}

// Mistral: {"type":"thinking","thinking":[{"type":"text","text":".."}]}.
Part read_thinking(JsonValue part) {
  Part out = part_of(Part::Kind::kReasoning);
  const JsonValue thinking = find_member(part, "thinking");
  if (thinking.is_string()) out.text = thinking.string_or();
  for (JsonValue piece : JsonElements(thinking)) out.text += find_member(piece, "text").string_or();
  out.raw = part.raw();
  return out;
}

Part read_other(JsonValue part) {
  Part out = part_of(Part::Kind::kOther);
  out.raw = part.raw();
  return out;
}

Part read_part(JsonValue part) {
  const JsonValue type = find_member(part, "type");
  Part out;
  std::string_view body_member;
  if (type.equals("text")) {
    body_member = "text";
    out = Part::of_text(find_member(part, "text").string_or());
  } else if (type.equals("image_url")) {
    body_member = "image_url";
    out = read_image(part);
  } else if (type.equals("input_audio")) {
    body_member = "input_audio";
    out = read_audio(part);
  } else if (type.equals("file")) {
    body_member = "file";
    out = read_file(part);
  } else if (type.equals("video_url")) {
    body_member = "video_url";
    out = read_video(part);
  } else if (type.equals("refusal")) {
    body_member = "refusal";
    out = part_of(Part::Kind::kRefusal);
    out.text = find_member(part, "refusal").string_or();
  } else if (type.equals("thinking")) {
    return read_thinking(part);
  } else {
    return read_other(part);
  }
  for (const JsonMember& m : JsonMembers(part)) {
    if (m.key == "type" || m.key == body_member || m.value.is_null()) continue;
    if (m.key == "cache_control" && m.value.is_object() && out.raw.empty()) out.cache = m.value.raw();
    else add_member(out.extras, m.raw);
  }
  return out;
}

// Members of a call or a tool beside `function`, and those of `function` that have no field: kept as a member `function` of their own.
void keep_function_extras(JsonValue function, std::initializer_list<std::string_view> known, RawMembers& extras) {
  RawMembers inner;
  for (const JsonMember& m : JsonMembers(function)) {
    bool is_known = m.value.is_null();
    for (std::string_view name : known) is_known = is_known || m.key == name;
    if (!is_known) add_member(inner, m.raw);
  }
  if (!inner.empty()) add_member(extras, "\"function\":{" + inner + "}");
}

}  // namespace

void read_content(JsonValue content, std::vector<Part>& parts) {
  if (content.is_unset()) return;
  if (content.is_array()) {
    for (JsonValue part : JsonElements(content)) parts.push_back(read_part(part));
    return;
  }
  // Cloudflare gives JSON mode's answer as an object.
  parts.push_back(Part::of_text(text_of_value(content)));
}

namespace {

// Google's face, and what clients bring back of any maker's. False when there is more in it.
bool read_thought_signature(JsonValue extra, ToolCall& call) {
  const JsonValue google = find_member(extra, "google"), signature = find_member(google, "thought_signature");
  if (!signature.nonempty_string() || !has_only(extra, {"google"}) || !has_only(google, {"thought_signature"})) return false;
  Signed sign = open_signature(signature.string_or(), kSignatureMaker);
  call.maker = std::move(sign.maker);
  call.signature = std::move(sign.signature);
  return true;
}

}  // namespace

ToolCall read_tool_call(JsonValue call) {
  ToolCall out;
  const JsonValue id = find_member(call, "id"), function = find_member(call, "function"), custom = find_member(call, "custom");
  out.id = id.is_number() ? std::string(id.raw()) : id.string_or();  // TGI numbers its calls
  out.name = find_member(function, "name").string_or();
  out.custom = !function.is_object() && find_member(custom, "name").nonempty_string() && has_only(custom, {"name", "input"});
  for (const JsonMember& m : JsonMembers(call)) {
    if (m.key == "id" || m.key == "index" || m.value.is_null()) continue;
    if (function.is_object() && (m.key == "function" || m.key == "type")) continue;
    if (out.custom && (m.key == "custom" || m.key == "type")) continue;
    // Snowflake sends an empty `custom` beside each function.
    if (m.key == "custom" && !out.name.empty()) continue;
    if (m.key == "extra_content" && read_thought_signature(m.value, out)) continue;
    add_member(out.extras, m.raw);
  }
  if (function.is_object()) {
    out.arguments = text_of_value(find_member(function, "arguments"));
    if (out.arguments.empty()) out.arguments = "{}";
    keep_function_extras(function, {"name", "arguments"}, out.extras);
  } else if (out.custom) {
    out.name = find_member(custom, "name").string_or();
    out.arguments = arguments_of_input(text_of_value(find_member(custom, "input")));
  }
  return out;
}

namespace {

void read_tool_calls(JsonValue list, std::vector<ToolCall>& out) {
  for (JsonValue call : JsonElements(list)) out.push_back(read_tool_call(call));
}

}  // namespace

bool is_known_message_member(std::string_view name) noexcept {
  for (std::string_view known : {"role", "content", "name", "tool_calls", "tool_call_id", "refusal", "reasoning_content", "reasoning",
                                 "annotations", "audio", "index"}) {
    if (name == known) return true;
  }
  return false;
}

bool is_noise(const JsonMember& m) {
  if (m.value.is_null()) return true;
  // Snowflake sends a function_call of nobody beside every answer.
  return m.key == "function_call" && find_member(m.value, "name").equals("") && find_member(m.value, "arguments").equals("");
}

void read_message(JsonValue value, Message& out) {
  JsonValue content, refusal, reasoning_content, reasoning, details;
  std::string details_member;
  for (const JsonMember& m : JsonMembers(value)) {
    if (m.key == "content") content = m.value;
    else if (m.key == "name") m.value.string(out.name);
    else if (m.key == "tool_call_id") m.value.string(out.tool_call_id);
    else if (m.key == "refusal") refusal = m.value;
    else if (m.key == "reasoning_content") reasoning_content = m.value;
    else if (m.key == "reasoning") reasoning = m.value;
    else if (m.key == "reasoning_details" && m.value.is_array() && !m.value.empty_container()) {
      details = m.value;
      details_member = m.raw;
    }
    else if (m.key == "annotations" && m.value.is_array() && !m.value.empty_container()) out.annotations = m.value.raw();
    else if (m.key == "audio" && m.value.is_object()) out.audio = m.value.raw();
    else if (m.key == "tool_calls") read_tool_calls(m.value, out.tool_calls);
    else if (!is_known_message_member(m.key) && !is_noise(m)) add_member(out.extras, m.raw);
  }
  // Two names for one thing; the field it came in is remembered, since a vendor wants back what it gave.
  const bool short_name = !reasoning_content.is_string() && reasoning.is_string();
  if (reasoning.is_string() && !short_name) add_member(out.extras, "\"reasoning\":" + std::string(reasoning.raw()));
  const JsonValue thought = short_name ? reasoning : reasoning_content;
  if (details.exists()) {
    if (!read_details(details, thought.string_or(), out.parts)) add_member(out.extras, details_member);
  } else if (thought.is_string()) {
    out.parts.push_back(part_of(Part::Kind::kReasoning));
    out.parts.back().text = thought.string_or();
  }
  if (short_name) {
    for (Part& part : out.parts) {
      if (part.name.empty()) part.name = "reasoning";
    }
  }
  read_content(content, out.parts);
  if (refusal.nonempty_string()) {
    Part part = part_of(Part::Kind::kRefusal);
    part.text = refusal.string_or();
    out.parts.push_back(std::move(part));
  }
}

namespace {

Role role_of(JsonValue role) {
  if (role.equals("system")) return Role::kSystem;
  if (role.equals("developer")) return Role::kDeveloper;
  if (role.equals("assistant")) return Role::kAssistant;
  if (role.equals("tool") || role.equals("function")) return Role::kTool;
  return Role::kUser;
}

// What stands beside the function or the custom tool.
void read_beside(JsonValue value, std::string_view body_member, Tool& tool) {
  for (const JsonMember& m : JsonMembers(value)) {
    if (m.key == "type" || m.key == body_member || m.value.is_null()) continue;
    if (m.key == "cache_control" && m.value.is_object()) tool.cache = m.value.raw();
    else add_member(tool.extras, m.raw);
  }
}

// False: of no shape that is known here.
bool read_custom_tool(JsonValue value, Tool& tool) {
  const JsonValue custom = find_member(value, "custom"), name = find_member(custom, "name"), description = find_member(custom, "description"),
                  format = find_member(custom, "format");
  if (!find_member(value, "type").equals("custom") || !name.nonempty_string() || !(description.is_unset() || description.is_string()) ||
      !has_only(custom, {"name", "description", "format"}) || !read_custom_format(format, find_member(format, "grammar"), tool.format)) {
    return false;
  }
  tool.custom = true;
  tool.name = name.string_or();
  tool.description = description.string_or();
  tool.parameters = kCustomParameters;
  read_beside(value, "custom", tool);
  return true;
}

Result<Tool> read_tool(JsonValue value, size_t index) {
  Tool tool;
  const JsonValue function = find_member(value, "function");
  // Moonshot's `builtin_function` only looks like a function: its servers know what it does.
  if (!function.is_object() || find_member(value, "type").equals("builtin_function")) {
    if (!read_custom_tool(value, tool)) tool.raw = value.raw();
    return tool;
  }
  const std::string base = path("tools", index, "function");
  Fields fields;
  JsonValue name, description, parameters, strict;
  wire::pick(function, {{"name", &name}, {"description", &description}, {"parameters", &parameters}, {"strict", &strict}});
  if (!name.nonempty_string()) return missing(base + ".name", "a string that is not empty");
  name.string(tool.name);
  fields.read(base + ".description", description, tool.description);
  fields.read_object(base + ".parameters", parameters, tool.parameters);
  fields.read(base + ".strict", strict, tool.strict);
  if (!fields.ok()) return fields.take_error();
  read_beside(value, "function", tool);
  keep_function_extras(function, {"name", "description", "parameters", "strict"}, tool.extras);
  return tool;
}

// Of an entry of allowed_tools, or a choice.
JsonValue named_tool(JsonValue value) {
  const JsonValue name = wire::find(value, "function", "name");
  return name.exists() ? name : wire::find(value, "custom", "name");
}

}  // namespace

ToolChoice read_tool_choice(JsonValue value) {
  ToolChoice choice;
  if (value.is_unset()) return choice;
  if (value.equals("auto")) choice.kind = ToolChoice::Kind::kAuto;
  else if (value.equals("none")) choice.kind = ToolChoice::Kind::kNone;
  else if (value.equals("required") || value.equals("any")) choice.kind = ToolChoice::Kind::kRequired;
  else if (JsonValue name = named_tool(value); name.nonempty_string()) {
    choice.kind = ToolChoice::Kind::kNamed;
    name.string(choice.name);
  } else {
    choice.kind = ToolChoice::Kind::kRaw;
    choice.raw = value.raw();
  }
  return choice;
}

ResponseFormat read_response_format(JsonValue value) {
  ResponseFormat format;
  if (value.is_unset()) return format;
  const JsonValue type = find_member(value, "type"), schema = find_member(value, "json_schema");
  if (type.equals("text") && has_only(value, {"type"})) {
    format.kind = ResponseFormat::Kind::kText;
  } else if (type.equals("json_object") && has_only(value, {"type"})) {
    format.kind = ResponseFormat::Kind::kJsonObject;
  } else if (type.equals("json_schema") && has_only(value, {"type", "json_schema"}) && find_member(schema, "schema").is_object() &&
             has_only(schema, {"name", "description", "schema", "strict"})) {
    format.kind = ResponseFormat::Kind::kJsonSchema;
    format.name = find_member(schema, "name").string_or();
    format.description = find_member(schema, "description").string_or();
    format.schema = find_member(schema, "schema").raw();
    format.strict = find_member(schema, "strict").boolean();
  } else {
    format.kind = ResponseFormat::Kind::kRaw;
    format.raw = value.raw();
  }
  return format;
}

namespace {

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
    if (max_completion_tokens_) request_.max_tokens = max_completion_tokens_;
    allow_tools();
    if (!fields_.ok()) return fields_.take_error();
    return std::move(request_);
  }

 private:
  // False: no field stands for it.
  bool take(std::string_view name, JsonValue value) {
    if (name == "model") fields_.read(name, value, request_.model);
    else if (name == "messages") take_messages(value);
    else if (name == "stream") request_.stream = value.boolean().value_or(false);
    else if (name == "stream_options") request_.include_usage = find_member(value, "include_usage").boolean().value_or(false);
    else if (name == "tools") take_tools(value);
    else if (name == "tool_choice") request_.tool_choice = read_tool_choice(value);
    else if (name == "parallel_tool_calls") fields_.read(name, value, request_.parallel_tool_calls);
    else if (name == "response_format") request_.response_format = read_response_format(value);
    else if (name == "max_tokens") fields_.read(name, value, request_.max_tokens);
    else if (name == "max_completion_tokens") fields_.read(name, value, max_completion_tokens_);
    else if (name == "temperature") fields_.read(name, value, request_.temperature);
    else if (name == "top_p") fields_.read(name, value, request_.top_p);
    else if (name == "top_k") fields_.read(name, value, request_.top_k);
    else if (name == "frequency_penalty") fields_.read(name, value, request_.frequency_penalty);
    else if (name == "presence_penalty") fields_.read(name, value, request_.presence_penalty);
    else if (name == "seed") fields_.read(name, value, request_.seed);
    else if (name == "n") fields_.read(name, value, request_.n);
    else if (name == "stop") fields_.read_strings(name, value, request_.stop);
    else if (name == "logprobs") fields_.read(name, value, request_.logprobs);
    else if (name == "top_logprobs") fields_.read(name, value, request_.top_logprobs);
    else if (name == "logit_bias") fields_.read_object(name, value, request_.logit_bias);
    else if (name == "user") fields_.read(name, value, request_.user);
    else if (name == "reasoning_effort") fields_.read(name, value, request_.reasoning_effort);
    else if (name == "verbosity") fields_.read(name, value, request_.verbosity);
    else if (name == "prompt_cache_key") fields_.read(name, value, request_.prompt_cache_key);
    else if (name == "service_tier") fields_.read(name, value, request_.service_tier);
    else if (name == "metadata") fields_.read_object(name, value, request_.metadata);
    else {
      lift_thinking(name, value);
      return false;
    }
    return true;
  }

  // Other vendors' members for one thing: known to other dialects by its fields, and given as they came to servers of this one.
  void lift_thinking(std::string_view name, JsonValue value) {
    if (name == "reasoning") {
      if (request_.reasoning_effort.empty()) request_.reasoning_effort = find_member(value, "effort").string_or();
      if (auto most = find_member(value, "max_tokens").integer()) request_.reasoning_budget = most;
      if (auto enabled = find_member(value, "enabled").boolean()) request_.reasoning = enabled;
    } else if (name == "thinking") {
      const JsonValue type = find_member(value, "type");
      if (type.equals("enabled") || type.equals("adaptive")) request_.reasoning = true;
      else if (type.equals("disabled")) request_.reasoning = false;
      if (auto most = find_member(value, "budget_tokens").integer()) request_.reasoning_budget = most;
    } else if (name == "enable_thinking") {
      if (auto enabled = value.boolean()) request_.reasoning = enabled;
    } else if (name == "thinking_budget") {
      if (auto most = value.integer()) request_.reasoning_budget = most;
    }
  }

  void take_messages(JsonValue value) {
    for (JsonValue entry : JsonElements(value)) {
      Message message;
      message.role = role_of(find_member(entry, "role"));
      read_message(entry, message);
      request_.messages.push_back(std::move(message));
    }
  }

  void take_tools(JsonValue value) {
    for (JsonValue entry : JsonElements(value)) {
      Result<Tool> tool = read_tool(entry, request_.tools.size());
      if (!tool) return fields_.fail(std::move(tool).error());
      request_.tools.push_back(std::move(*tool));
    }
  }

  // {"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[..]}}; of another shape it stays what it is.
  void allow_tools() {
    ToolChoice& choice = request_.tool_choice;
    const JsonValue value(choice.raw), allowed = find_member(value, "allowed_tools"), tools = find_member(allowed, "tools");
    ToolChoice mode = read_tool_choice(find_member(allowed, "mode"));
    if (choice.kind != ToolChoice::Kind::kRaw || (mode.kind != ToolChoice::Kind::kAuto && mode.kind != ToolChoice::Kind::kRequired)) return;
    AllowedTools names;
    for (JsonValue tool : JsonElements(tools)) names.names.push_back(named_tool(tool).string_or());
    if (names.names.empty()) return;
    if (!keep_allowed(std::move(names), request_.tools)) fields_.fail(wrong_value("tool_choice", "a choice among the tools of the request"));
    choice = std::move(mode);
  }

  ChatRequest request_;
  std::optional<int64_t> max_completion_tokens_;
  Fields fields_;
};

}  // namespace

Result<ChatRequest> read_request(std::string_view body) { return RequestReader().run(body); }

Origins origins_of(std::string_view body, const ChatRequest& decoded) {
  Origins out;
  out.same_members = true;
  size_t place = 0;
  for (JsonValue tool : JsonElements(find_member(JsonValue(body), "tools"))) {
    const Tool* next = out.tools.size() < decoded.tools.size() ? &decoded.tools[out.tools.size()] : nullptr;
    const std::string here = path("tools", place++);
    if (next && (next->raw.empty() ? named_tool(tool).equals(next->name) : tool.raw() == next->raw)) out.tools.push_back(here);  // some may be left out
  }
  size_t i = 0;
  for (JsonValue message : JsonElements(find_member(JsonValue(body), "messages"))) {
    Origin& origin = out.add(path("messages", i++));
    const JsonValue content = find_member(message, "content");
    size_t k = 0;
    if (!content.is_unset() && !content.is_array()) origin.parts.push_back(origin.self + ".content");
    for (JsonValue part : JsonElements(content)) {
      std::string at = path(origin.self + ".content", k++);
      if (!find_member(part, "type").equals("thinking")) origin.parts.push_back(std::move(at));
    }
    if (find_member(message, "refusal").nonempty_string()) origin.parts.push_back(origin.self + ".refusal");
    origin.note_calls(find_member(message, "tool_calls"));
  }
  return out;
}

}  // namespace llmrouter::dialects::openai
