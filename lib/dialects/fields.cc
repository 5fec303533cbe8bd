#include "dialects/fields.h"

#include <algorithm>

#include "llmrouter/dropped.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects {

using wire::JsonElements;
using wire::JsonKind;
using wire::JsonValue;

std::string_view kind_words(JsonKind kind) noexcept {
  switch (kind) {
    case JsonKind::kNone: return "nothing";
    case JsonKind::kNull: return "null";
    case JsonKind::kBool: return "a boolean";
    case JsonKind::kNumber: return "a number";
    case JsonKind::kString: return "a string";
    case JsonKind::kArray: return "an array";
    case JsonKind::kObject: return "an object";
  }
  return "nothing";
}

Error wrong_type(std::string param, std::string_view expected, JsonValue got) {
  std::string message = "`" + param + "` must be ";
  message.append(expected).append(", not ").append(kind_words(got.kind()));
  return Error(ErrorCode::kInvalidRequest, std::move(message), std::move(param));
}

Error wrong_value(std::string param, std::string_view expected) {
  std::string message = "`" + param + "` must be ";
  message.append(expected);
  return Error(ErrorCode::kInvalidRequest, std::move(message), std::move(param));
}

Error missing(std::string param, std::string_view expected) {
  std::string message = "`" + param + "` is required: ";
  message.append(expected);
  return Error(ErrorCode::kInvalidRequest, std::move(message), std::move(param));
}

Error cannot_express(std::string param, std::string_view what, std::string_view target) {
  std::string message = "`" + param + "`: ";
  message.append(what).append(" cannot be expressed by ").append(target);
  return Error(ErrorCode::kInvalidRequest, std::move(message), std::move(param));
}

std::string path(std::string_view array, size_t index, std::string_view member) {
  std::string out(array);
  out += '[';
  out += std::to_string(index);
  out += ']';
  if (!member.empty()) {
    out += '.';
    out += member;
  }
  return out;
}

void Fields::read(std::string_view name, JsonValue value, std::string& out) {
  if (value.is_unset()) return;
  if (!value.string(out)) fail(wrong_type(std::string(name), "a string", value));
}

void Fields::read(std::string_view name, JsonValue value, std::optional<bool>& out) {
  if (value.is_unset()) return;
  out = value.boolean();
  if (!out) fail(wrong_type(std::string(name), "a boolean", value));
}

void Fields::read(std::string_view name, JsonValue value, std::optional<int64_t>& out) {
  if (value.is_unset()) return;
  out = value.integer();
  if (out) return;
  if (value.is_number()) fail(wrong_value(std::string(name), "an integer"));
  else fail(wrong_type(std::string(name), "an integer", value));
}

void Fields::read(std::string_view name, JsonValue value, std::optional<double>& out) {
  if (value.is_unset()) return;
  out = value.number();
  if (out) return;
  if (value.is_number()) fail(wrong_value(std::string(name), "a number in range"));
  else fail(wrong_type(std::string(name), "a number", value));
}

void Fields::read_strings(std::string_view name, JsonValue value, std::vector<std::string>& out) {
  if (value.is_unset()) return;
  if (value.is_string()) {
    out.push_back(value.string_or());
    return;
  }
  if (!value.is_array()) return fail(wrong_type(std::string(name), "a string or an array of strings", value));
  for (JsonValue entry : JsonElements(value)) {
    if (!entry.is_string()) return fail(wrong_type(path(name, out.size()), "a string", entry));
    if (!check_count(name, out.size() + 1)) return;
    out.push_back(entry.string_or());
  }
}

bool Fields::check_count(std::string_view name, size_t count) {
  if (count <= kMostStrings) return true;
  fail(Error(ErrorCode::kInvalidRequest, std::string(name) + ": at most " + std::to_string(kMostStrings) + " of them", std::string(name)));
  return false;
}

void Fields::read_object(std::string_view name, JsonValue value, std::string& out) {
  if (value.is_unset()) return;
  if (!value.is_object()) return fail(wrong_type(std::string(name), "an object", value));
  out = value.raw();
}

void add_member(RawMembers& members, std::string_view member_text) {
  if (!members.empty()) members += ',';
  members += member_text;
}

namespace {

bool says_nothing_to_others(const wire::JsonMember& m) {
  for (std::string_view known : {"reasoning", "thinking", "enable_thinking", "thinking_budget", "stream_options"}) {
    if (m.key == known) return true;
  }
  if (m.key == "store") return m.value.raw() == "false";
  if (m.key == "output_config") {  // its effort has a field of its own
    bool effort_alone = true;
    for (const wire::JsonMember& inner : wire::JsonMembers(m.value)) effort_alone = effort_alone && inner.key == "effort";
    return effort_alone;
  }
  if (m.key != "include") return false;
  for (JsonValue entry : JsonElements(m.value)) {
    if (!entry.equals("reasoning.encrypted_content") && !entry.equals("message.output_text.logprobs")) return false;
  }
  return true;
}

}  // namespace

void name_member(std::string_view where, const wire::JsonMember& m, std::string_view inside, std::vector<std::string>& dropped) {
  const std::string name = std::string(where) += m.key;
  if (m.key != inside || !m.value.is_object() || m.value.empty_container()) return add_dropped(dropped, name);
  for (const wire::JsonMember& inner : wire::JsonMembers(m.value)) add_dropped(dropped, (name + ".").append(inner.key));
}

void name_extras(const RawMembers& extras, std::vector<std::string>& dropped) {
  for_each_member(extras, [&](const wire::JsonMember& m) {
    if (!says_nothing_to_others(m)) name_member({}, m, "options", dropped);
  });
}

void name_inner_extras(const ChatRequest& request, std::initializer_list<std::string_view> said, std::vector<std::string>& dropped) {
  const auto name = [&](const RawMembers& extras, std::string_view where) {
    for_each_member(extras, [&](const wire::JsonMember& m) {
      if (m.key == "type" || m.value.is_unset() || m.value.empty_container() || std::find(said.begin(), said.end(), m.key) != said.end()) return;
      name_member(where, m, "function", dropped);
    });
  };
  for (const Message& message : request.messages) {
    for (const Part& part : message.parts) {
      if (part.kind != Part::Kind::kReasoning && part.kind != Part::Kind::kOther) name(part.extras, "content.");
    }
  }
  for (const Tool& tool : request.tools) {
    if (tool.raw.empty()) name(tool.extras, "tools.");
  }
}

bool is_sealed_thought(const Part& part) noexcept {
  return part.kind == Part::Kind::kReasoning && !part.signature.empty() && (part.redacted || part.text.empty());
}

bool names_a_speaker(const ChatRequest& request) noexcept {
  return std::any_of(request.messages.begin(), request.messages.end(), [](const Message& m) { return !m.name.empty() && m.role != Role::kTool; });
}

void append_one_line(std::string& out, std::string_view json) {
  // Each kind is looked for by itself, which is memchr; find_first_of() asks it for every byte.
  size_t at = 0, feed = json.find('\n'), carriage = json.find('\r');
  while (feed != carriage) {  // both npos: none is left
    size_t& next = feed < carriage ? feed : carriage;
    out.append(json.substr(at, next - at)) += ' ';
    at = next + 1;
    next = json.find(json[next], at);
  }
  out.append(json.substr(at));
}

bool is_unclean(FinishReason finish, std::string_view word) noexcept {
  constexpr std::string_view kWords[] = {"pause_turn", "compaction",  "abort",    "aborted", "cancelled", "canceled",
                                         "OTHER",      "IMAGE_OTHER", "NO_IMAGE", "USER_CANCEL", "UNEXPECTED_TOOL_CALL"};
  return finish == FinishReason::kOther && std::find(std::begin(kWords), std::end(kWords), word) != std::end(kWords);
}

bool is_unfinished(const ToolCall& call, FinishReason finish) { return finish == FinishReason::kLength && !wire::validate(call.arguments); }

std::string arguments_object(std::string_view arguments) {
  const JsonValue value(arguments);
  if (!value.exists()) return "{}";
  std::string out;
  if (value.is_object() && wire::validate(arguments)) {
    append_one_line(out, value.raw());
    return out;
  }
  out = "{\"input\":";
  wire::append_json_string(out, arguments);
  out += '}';
  return out;
}

std::string text_of_value(JsonValue value) {
  if (value.is_unset()) return {};
  if (value.is_string()) return value.string_or();
  return std::string(value.raw());
}

}  // namespace llmrouter::dialects
