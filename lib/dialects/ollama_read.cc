// Requests of Ollama's clients.
#include <algorithm>

#include "dialects/distinct.h"
#include "dialects/estimate.h"
#include "dialects/fields.h"
#include "dialects/media.h"
#include "dialects/ollama.h"

namespace llmrouter::dialects::ollama {
namespace {

using wire::find_member;
using wire::JsonElements;
using wire::JsonKind;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;

// Ollama reads names in any case, and of `Model` and `model` the last: what is checked here has to be what it reads. False: a fault.
bool in_lower_case(Fields& fields, std::string_view name, std::string_view where) {
  if (std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; })) return true;
  const std::string at = std::string(where).append(where.empty() ? "" : ".").append(name.substr(0, 64));
  fields.fail(Error(ErrorCode::kInvalidRequest, "`" + at + "`: names are in lower case here", at));
  return false;
}
bool all_in_lower_case(Fields& fields, JsonValue object, const std::string& where) {
  for (const JsonMember& m : JsonMembers(object)) {
    if (!in_lower_case(fields, m.key, where)) return false;
  }
  return true;
}

size_t text_bytes(JsonValue string) noexcept { return string.is_string() ? string.raw().size() - 2 : 0; }

class Scanner {
 public:
  Scanner(std::string_view body, bool generate) : body_(body), generate_(generate) {}

  Result<RequestFacts> run() {
    facts_.stream = true;
    facts_.include_usage = true;  // the last line always counts
    if (wire::ScanResult scanned = wire::scan_object(body_, {}, facts_.members); !scanned) return scanned.to_error(body_);
    for (const MemberSpan& m : facts_.members) {
      if (!in_lower_case(fields_, m.name, {})) return fields_.take_error();
      take(m.name, JsonValue(body_.substr(m.value_begin, m.value_end - m.value_begin)));
      if (!fields_.ok()) return fields_.take_error();
    }
    if (facts_.model.empty()) return model_seen_ ? wrong_value("model", "a string that is not empty") : missing("model", "a string");
    if (!generate_ && !messages_seen_) return missing("messages", "an array of messages");
    facts_.input_tokens = estimate_.tokens();
    return std::move(facts_);
  }

 private:
  void take(std::string_view name, JsonValue value) {
    if (name == "model") {
      model_seen_ = true;
      if (!value.string(facts_.model)) fields_.fail(wrong_type("model", "a string", value));
    } else if (generate_ && (name == "prompt" || name == "system")) {
      if (!value.is_unset() && !value.is_string()) return fields_.fail(wrong_type(std::string(name), "a string", value));
      estimate_.message();
      estimate_.text(text_bytes(value));
    } else if (generate_ && name == "images") {
      take_images(value, "images");
    } else if (!generate_ && name == "messages") {
      take_messages(value);
    } else if (name == "stream") {
      std::optional<bool> stream;
      fields_.read(name, value, stream);
      facts_.stream = stream.value_or(true);
    } else if (name == "options") {
      take_options(value);
    } else if (name == "tools") {
      take_tools(value);
    } else if (name == "format") {
      if (!value.is_unset() && !value.is_string() && !value.is_object()) {
        return fields_.fail(wrong_type("format", "\"json\" or a JSON schema", value));
      }
      facts_.wants_schema = value.is_object();
    } else if (name == "think") {
      if (!value.is_unset() && !value.is_string() && !value.boolean()) fields_.fail(wrong_type("think", "a boolean or a level", value));
    }
  }

  void take_options(JsonValue value) {
    if (value.is_unset()) return;
    if (!value.is_object()) return fields_.fail(wrong_type("options", "an object", value));
    JsonValue temperature, num_predict;
    if (!pick_distinct(fields_, value, {{"temperature", &temperature}, {"num_predict", &num_predict}}, [] { return "options"; })) return;
    if (!all_in_lower_case(fields_, value, "options")) return;
    fields_.read("options.temperature", temperature, facts_.temperature);
    std::optional<int64_t> predict;
    fields_.read("options.num_predict", num_predict, predict);
    if (predict && *predict > 0) facts_.max_tokens = predict;  // -1 and -2 mean no limit
  }

  void take_tools(JsonValue value) {
    if (value.is_unset()) return;
    if (!value.is_array()) return fields_.fail(wrong_type("tools", "an array", value));
    size_t i = 0;
    for (JsonValue tool : JsonElements(value)) {
      if (!tool.is_object()) return fields_.fail(wrong_type(path("tools", i), "an object", tool));
      ++i;
    }
    if (!distinct_inside(fields_, value, 2, [] { return std::string("tools"); })) return;
    facts_.has_tools = i != 0;
    if (i != 0) estimate_.text(value.raw().size());
  }

  void take_messages(JsonValue value) {
    messages_seen_ = !value.is_null();
    if (value.is_null()) return;
    if (!value.is_array()) return fields_.fail(wrong_type("messages", "an array of messages", value));
    size_t i = 0;
    for (JsonValue message : JsonElements(value)) {
      if (!message.is_object()) return fields_.fail(wrong_type(path("messages", i), "an object", message));
      take_message(message, i++);
      if (!fields_.ok()) return;
    }
    if (i == 0) fields_.fail(wrong_value("messages", "an array with at least one message"));
  }

  void take_message(JsonValue message, size_t index) {
    JsonValue role, content, images, thinking, tool_calls;
    const bool distinct = pick_distinct(
        fields_, message, {{"role", &role}, {"content", &content}, {"images", &images}, {"thinking", &thinking}, {"tool_calls", &tool_calls}},
        [index] { return path("messages", index); });
    if (!distinct || !all_in_lower_case(fields_, message, path("messages", index))) return;
    estimate_.message();
    estimate_.text(text_bytes(content) + text_bytes(thinking));
    if (!role.exists()) return fields_.fail(missing(path("messages", index, "role"), "a string"));
    if (!role.is_string()) return fields_.fail(wrong_type(path("messages", index, "role"), "a string", role));
    if (!role.equals("user") && !role.equals("assistant") && !role.equals("system") && !role.equals("tool")) {
      return fields_.fail(wrong_value(path("messages", index, "role"), "one of system, user, assistant, tool"));
    }
    if (!content.is_unset() && !content.is_string()) fields_.fail(wrong_type(path("messages", index, "content"), "a string", content));
    take_images(images, path("messages", index, "images"));
    if (tool_calls.is_unset()) return;
    if (!tool_calls.is_array()) return fields_.fail(wrong_type(path("messages", index, "tool_calls"), "an array", tool_calls));
    size_t i = 0;
    for (JsonValue call : JsonElements(tool_calls)) {
      const JsonValue function = find_member(call, "function");
      if (!function.is_object()) {
        return fields_.fail(wrong_type(path(path("messages", index, "tool_calls"), i, "function"), "an object", function));
      }
      ++i;
    }
    if (!distinct_inside(fields_, tool_calls, 2, [index] { return path("messages", index, "tool_calls"); })) return;
    estimate_.text(tool_calls.raw().size());
  }

  void take_images(JsonValue images, const std::string& where) {
    if (images.is_unset()) return;
    if (!images.is_array()) return fields_.fail(wrong_type(where, "an array of base64 strings", images));
    size_t i = 0;
    for (JsonValue image : JsonElements(images)) {
      if (!image.is_string()) return fields_.fail(wrong_type(path(where, i), "a base64 string", image));
      if (!fields_.check_count(where, i + 1)) return;
      facts_.has_image = true;
      estimate_.image(false);
      ++i;
    }
  }

  std::string_view body_;
  const bool generate_;
  RequestFacts facts_;
  Fields fields_;
  InputEstimate estimate_;
  bool model_seen_ = false, messages_seen_ = false;
};

Role role_of(JsonValue role) noexcept {
  if (role.equals("system")) return Role::kSystem;
  if (role.equals("assistant")) return Role::kAssistant;
  if (role.equals("tool")) return Role::kTool;
  return Role::kUser;
}

ToolCall read_call(JsonValue call) {
  ToolCall out;
  out.id = find_member(call, "id").string_or();
  const JsonValue function = find_member(call, "function");
  out.name = find_member(function, "name").string_or();
  out.arguments = text_of_value(find_member(function, "arguments"));
  if (out.arguments.empty()) out.arguments = "{}";
  return out;
}

Part image_part(JsonValue image) {
  Part part;
  part.kind = Part::Kind::kImage;
  // Base64, bare by the rule; some clients leave the data: URL around it.
  part.url = image.string_or();
  if (const Inline bytes = inline_of(part); !bytes.data.empty()) {
    part.mime = bytes.mime;
    part.data = bytes.data;
  } else {
    part.data = std::move(part.url);
  }
  part.url.clear();
  if (const std::string_view seen = image_mime_of(part.data); !seen.empty() || part.mime.empty()) part.mime = seen.empty() ? "image/png" : seen;
  return part;
}

Message read_request_message(JsonValue value) {
  Message out;
  JsonValue role, content, thinking, images, calls;
  wire::pick(value, {{"role", &role}, {"content", &content}, {"thinking", &thinking}, {"images", &images}, {"tool_calls", &calls}});
  out.role = role_of(role);
  if (thinking.nonempty_string()) {
    out.parts.emplace_back();
    out.parts.back().kind = Part::Kind::kReasoning;
    out.parts.back().text = thinking.string_or();
  }
  if (content.nonempty_string()) out.parts.push_back(Part::of_text(content.string_or()));
  for (JsonValue image : JsonElements(images)) out.parts.push_back(image_part(image));
  for (JsonValue call : JsonElements(calls)) out.tool_calls.push_back(read_call(call));
  for (const JsonMember& m : JsonMembers(value)) {
    if (m.key == "role" || m.key == "content" || m.key == "thinking" || m.key == "images" || m.key == "tool_calls") continue;
    if (m.key == "tool_name" || m.key == "name") {
      m.value.string(out.name);
    } else if (m.key == "tool_call_id") {
      m.value.string(out.tool_call_id);
    } else if (!m.value.is_null()) {
      add_member(out.extras, m.raw);
    }
  }
  return out;
}

class RequestReader {
 public:
  explicit RequestReader(bool generate) : generate_(generate) {}

  Result<ChatRequest> run(std::string_view body) {
    std::vector<MemberSpan> members;
    if (wire::ScanResult scanned = wire::scan_object(body, {}, members); !scanned) return scanned.to_error(body);
    request_.stream = true;
    request_.include_usage = true;
    if (generate_) take_prompt(JsonValue(body));
    for (const MemberSpan& m : members) {
      const JsonValue value(body.substr(m.value_begin, m.value_end - m.value_begin));
      if (!take(m.name, value) && !value.is_null()) add_member(request_.extras, body.substr(m.key_begin, m.value_end - m.key_begin));
      if (!fields_.ok()) return fields_.take_error();
    }
    return std::move(request_);
  }

 private:
  bool take(std::string_view name, JsonValue value) {
    if (name == "model") fields_.read(name, value, request_.model);
    else if (name == "stream") request_.stream = value.boolean().value_or(true);
    else if (generate_ && (name == "prompt" || name == "system" || name == "images")) return true;  // take_prompt()
    else if (generate_ && (name == "suffix" || name == "template" || name == "raw" || name == "context")) take_untold(name, value);
    else if (!generate_ && name == "messages") for (JsonValue m : JsonElements(value)) request_.messages.push_back(read_request_message(m));
    else if (name == "tools") take_tools(value);
    else if (name == "format") take_format(value);
    else if (name == "think") take_think(value);
    else if (name == "options") take_options(value);
    else if (name == "logprobs") fields_.read(name, value, request_.logprobs);
    else if (name == "top_logprobs") fields_.read(name, value, request_.top_logprobs);
    else return false;
    return true;
  }

  void take_prompt(JsonValue root) {
    JsonValue prompt, system, images;
    wire::pick(root, {{"prompt", &prompt}, {"system", &system}, {"images", &images}});
    if (system.nonempty_string()) {
      Message message;
      message.role = Role::kSystem;
      message.parts.push_back(Part::of_text(system.string_or()));
      request_.messages.push_back(std::move(message));
    }
    Message message;
    message.role = Role::kUser;
    message.parts.push_back(Part::of_text(prompt.string_or()));
    for (JsonValue image : JsonElements(images)) message.parts.push_back(image_part(image));
    request_.messages.push_back(std::move(message));
  }

  // What belongs to Ollama's own templates.
  void take_untold(std::string_view name, JsonValue value) {
    if (!value.is_null() && !value.equals("") && value.raw() != "false" && !value.empty_container()) {
      fields_.fail(cannot_express(std::string(name), "it", "another dialect"));
    }
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

  void take_format(JsonValue value) {
    ResponseFormat& format = request_.response_format;
    if (value.is_object()) {
      format.kind = ResponseFormat::Kind::kJsonSchema;
      format.schema = value.raw();
    } else if (value.equals("json")) {
      format.kind = ResponseFormat::Kind::kJsonObject;
    } else if (value.nonempty_string()) {
      fields_.fail(wrong_value("format", "\"json\" or a JSON schema"));
    }
  }

  void take_think(JsonValue value) {
    if (auto flag = value.boolean()) request_.reasoning_effort = *flag ? "medium" : "none";
    else if (value.is_string()) request_.reasoning_effort = value.string_or();
  }

  void take_options(JsonValue value) {
    RawMembers rest;
    std::optional<int64_t> predict;
    for (const JsonMember& m : JsonMembers(value)) {
      if (m.key == "temperature") fields_.read("options.temperature", m.value, request_.temperature);
      else if (m.key == "top_p") fields_.read("options.top_p", m.value, request_.top_p);
      else if (m.key == "top_k") fields_.read("options.top_k", m.value, request_.top_k);
      else if (m.key == "seed") fields_.read("options.seed", m.value, request_.seed);
      else if (m.key == "frequency_penalty") fields_.read("options.frequency_penalty", m.value, request_.frequency_penalty);
      else if (m.key == "presence_penalty") fields_.read("options.presence_penalty", m.value, request_.presence_penalty);
      else if (m.key == "stop") fields_.read_strings("options.stop", m.value, request_.stop);
      else if (m.key == "num_predict") fields_.read("options.num_predict", m.value, predict);
      else if (!m.value.is_null()) add_member(rest, m.raw);
    }
    if (predict && *predict > 0) request_.max_tokens = predict;
    if (!rest.empty()) add_member(request_.extras, "\"options\":{" + rest + "}");
  }

  const bool generate_;
  ChatRequest request_;
  Fields fields_;
};

}  // namespace

Result<RequestFacts> scan_request(std::string_view body, bool generate) { return Scanner(body, generate).run(); }
Result<ChatRequest> read_request(std::string_view body, bool generate) { return RequestReader(generate).run(body); }

Origins origins_of(std::string_view body, bool generate) {
  Origins out;
  out.same_members = true;
  const JsonValue root(body);
  if (generate) {
    if (wire::find_member(root, "system").nonempty_string()) out.add("system").parts.emplace_back("system");
    Origin& origin = out.add("prompt");
    origin.parts.emplace_back("prompt");
    origin.content(wire::find_member(root, "images"), "images");
    return out;
  }
  size_t i = 0;
  for (JsonValue message : JsonElements(wire::find_member(root, "messages"))) {
    Origin& origin = out.add(path("messages", i++));
    if (find_member(message, "content").nonempty_string()) origin.parts.push_back(origin.self + ".content");
    origin.content(find_member(message, "images"), origin.self + ".images");
    origin.note_calls(find_member(message, "tool_calls"));
  }
  return out;
}

}  // namespace llmrouter::dialects::ollama
