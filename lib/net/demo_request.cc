#include "net/demo_request.h"

#include <algorithm>
#include <utility>

namespace llmrouter::net {

using wire::JsonElements;
using wire::JsonValue;
using Fault = DemoRequest::Fault;

namespace {

constexpr int64_t kWordsOfAnImage = 85;

bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Reads an integer member that may be absent or null.
std::optional<Fault> read_integer(JsonValue value, const char* name, int64_t least, int64_t most, std::optional<int64_t>& out) {
  if (value.is_unset()) return std::nullopt;
  const std::optional<int64_t> number = value.integer();
  if (!number) return Fault{std::string("'") + name + "' must be an integer", name};
  if (*number < least || *number > most) {
    return Fault{std::string("'") + name + "' must be between " + std::to_string(least) + " and " + std::to_string(most), name};
  }
  out = number;
  return std::nullopt;
}

}  // namespace

int64_t count_words(std::string_view text) noexcept {
  int64_t words = 0;
  bool inside = false;
  for (const char c : text) {
    const bool blank = is_blank(c);
    if (!blank && !inside) ++words;
    inside = !blank;
  }
  return words;
}

std::optional<Fault> DemoRequest::read(std::string json) {
  body_ = std::move(json);
  std::vector<MemberSpan> members;
  if (const wire::ScanResult scanned = wire::scan_object(body_, {}, members); !scanned) {
    return Fault{"the body is not a JSON object: " + scanned.message(body_), ""};
  }
  JsonValue model_value, messages, stream_value, options, logprobs_value, top, n_value, old_limit, limit, list, choice, parallel_value, format_value, stop;
  wire::pick(JsonValue(body_), {{"model", &model_value},
                                {"messages", &messages},
                                {"stream", &stream_value},
                                {"stream_options", &options},
                                {"logprobs", &logprobs_value},
                                {"top_logprobs", &top},
                                {"n", &n_value},
                                {"max_tokens", &old_limit},
                                {"max_completion_tokens", &limit},
                                {"tools", &list},
                                {"tool_choice", &choice},
                                {"parallel_tool_calls", &parallel_value},
                                {"response_format", &format_value},
                                {"stop", &stop}});
  if (!model_value.nonempty_string()) return Fault{"you must provide a model", "model"};
  model = model_value.string_or();
  stream = stream_value.boolean().value_or(false);
  include_usage = wire::find(options, "include_usage").boolean().value_or(false);
  logprobs = logprobs_value.boolean().value_or(false);
  parallel = parallel_value.boolean().value_or(true);
  std::optional<int64_t> count, tops, old_words;
  constexpr int64_t kMost = int64_t{1} << 40;
  if (auto fault = read_integer(n_value, "n", 1, 128, count)) return fault;
  if (auto fault = read_integer(top, "top_logprobs", 0, 20, tops)) return fault;
  if (auto fault = read_integer(old_limit, "max_tokens", 1, kMost, old_words)) return fault;
  if (auto fault = read_integer(limit, "max_completion_tokens", 1, kMost, max_words)) return fault;
  n = count.value_or(1);
  top_logprobs = tops.value_or(0);
  if (!max_words) max_words = old_words;
  if (auto fault = read_stops(stop)) return fault;
  if (auto fault = read_messages(messages)) return fault;
  if (auto fault = read_tools(list, choice)) return fault;
  return read_format(format_value);
}

std::optional<Fault> DemoRequest::read_stops(JsonValue stop) {
  constexpr size_t kMostStops = 4;
  if (stop.is_unset()) return std::nullopt;
  if (stop.nonempty_string()) stops.push_back(stop.string_or());
  else if (!stop.is_array()) return Fault{"'stop' must be a text or a list of up to four texts", "stop"};
  for (const JsonValue& one : JsonElements(stop)) {
    if (!one.nonempty_string() || stops.size() == kMostStops) return Fault{"'stop' must be a text or a list of up to four texts", "stop"};
    stops.push_back(one.string_or());
  }
  return std::nullopt;
}

std::optional<Fault> DemoRequest::read_messages(JsonValue messages) {
  if (!messages.is_array()) return Fault{"'messages' must be an array of messages", "messages"};
  if (messages.empty_container()) return Fault{"'messages' must not be empty", "messages"};
  size_t index = 0;
  std::string content;
  for (const JsonValue& message : JsonElements(messages)) {
    const std::string param = "messages[" + std::to_string(index++) + "]";
    JsonValue role, value;
    if (!message.is_object()) return Fault{"a message must be an object", param};
    wire::pick(message, {{"role", &role}, {"content", &value}});
    if (!role.is_string()) return Fault{"a message needs a role", param + ".role"};
    content.clear();
    read_text(value, content);
    prompt_words += count_words(content) + 3;  // and what goes around a message
    after_tool = role.equals("tool");
    if (role.equals("user")) text = content;
    if (after_tool) tool_text = content;
  }
  return std::nullopt;
}

// A string, or the text parts of a list.
void DemoRequest::read_text(JsonValue content, std::string& out) {
  if (content.append_string(out)) return;
  for (const JsonValue& part : JsonElements(content)) {
    const JsonValue piece = wire::find(part, "text");
    if (!piece.is_string()) {
      prompt_words += kWordsOfAnImage;
      continue;
    }
    if (!out.empty()) out += ' ';
    piece.append_string(out);
  }
}

std::optional<Fault> DemoRequest::read_tools(JsonValue list, JsonValue choice) {
  for (const JsonValue& tool : JsonElements(list)) {
    const JsonValue function = wire::find(tool, "function");
    if (!function.is_object()) continue;  // a kind of tool that this model does not have
    Tool read;
    read.name = wire::find(function, "name").string_or();
    read.parameters = wire::find(function, "parameters");
    if (read.name.empty()) return Fault{"a tool's function needs a name", "tools"};
    prompt_words += count_words(function.raw());
    tools.push_back(std::move(read));
  }
  if (choice.is_unset() || choice.equals("auto")) return std::nullopt;
  if (choice.equals("none")) {
    tool_choice = ToolChoice::kNone;
    return std::nullopt;
  }
  if (choice.is_object()) named_tool = wire::find(choice, "function", "name").string_or();
  tool_choice = named_tool.empty() ? ToolChoice::kRequired : ToolChoice::kNamed;
  const bool known = std::any_of(tools.begin(), tools.end(), [this](const Tool& tool) { return tool.name == named_tool; });
  if (tools.empty() || (tool_choice == ToolChoice::kNamed && !known)) {
    return Fault{"'tool_choice' asks for a tool that 'tools' does not have", "tool_choice"};
  }
  return std::nullopt;
}

std::optional<Fault> DemoRequest::read_format(JsonValue value) {
  if (value.is_unset()) return std::nullopt;
  const JsonValue type = wire::find(value, "type");
  if (type.equals("json_object")) {
    format = Format::kJsonObject;
  } else if (type.equals("json_schema")) {
    format = Format::kJsonSchema;
    schema = wire::find(value, "json_schema", "schema");
  } else if (!type.equals("text")) {
    return Fault{"'response_format.type' must be text, json_object or json_schema", "response_format"};
  }
  return std::nullopt;
}

}  // namespace llmrouter::net
