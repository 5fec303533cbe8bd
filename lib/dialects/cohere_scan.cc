// The one pass over a request of Cohere's clients.
#include "dialects/cohere.h"
#include "dialects/distinct.h"
#include "dialects/estimate.h"
#include "dialects/fields.h"

namespace llmrouter::dialects::cohere {
namespace {

using wire::find_member;
using wire::JsonElements;
using wire::JsonKind;
using wire::JsonValue;

size_t text_bytes(JsonValue string) noexcept { return string.is_string() ? string.raw().size() - 2 : 0; }

class Scanner {
 public:
  explicit Scanner(std::string_view body) : body_(body) {}

  Result<RequestFacts> run() {
    facts_.include_usage = true;  // message-end always counts
    if (wire::ScanResult scanned = wire::scan_object(body_, {}, facts_.members); !scanned) return scanned.to_error(body_);
    if (auto named = check_case(facts_.members); !named) return std::move(named).error();
    for (const MemberSpan& m : facts_.members) {
      take(m.name, JsonValue(body_.substr(m.value_begin, m.value_end - m.value_begin)));
      if (!fields_.ok()) return fields_.take_error();
    }
    if (facts_.model.empty()) return model_seen_ ? wrong_value("model", "a string that is not empty") : missing("model", "a string");
    if (!messages_seen_) return missing("messages", "an array of messages");
    facts_.input_tokens = estimate_.tokens();
    return std::move(facts_);
  }

 private:
  void take(std::string_view name, JsonValue value) {
    if (name == "model") {
      model_seen_ = true;
      if (!value.string(facts_.model)) fields_.fail(wrong_type("model", "a string", value));
    } else if (name == "messages") {
      take_messages(value);
    } else if (name == "stream") {
      std::optional<bool> stream;
      fields_.read(name, value, stream);
      facts_.stream = stream.value_or(false);
    } else if (name == "max_tokens") {
      fields_.read(name, value, facts_.max_tokens);
      if (facts_.max_tokens && *facts_.max_tokens < 1) fields_.fail(wrong_value("max_tokens", "a positive integer"));
    } else if (name == "temperature") {
      fields_.read(name, value, facts_.temperature);
    } else if (name == "tools") {
      take_objects(name, value, &facts_.has_tools);
    } else if (name == "documents") {
      take_documents(value);
    } else if (name == "response_format") {
      if (value.is_unset()) return;
      if (!value.is_object()) return fields_.fail(wrong_type("response_format", "an object", value));
      if (!distinct_inside(fields_, value, 1, [] { return std::string("response_format"); })) return;
      facts_.wants_schema = find_member(value, "json_schema").is_object() || find_member(value, "schema").is_object();
    } else if (name == "thinking") {
      if (!value.is_unset() && !value.is_object()) return fields_.fail(wrong_type("thinking", "an object", value));
      JsonValue budget;
      if (!pick_distinct(fields_, value, {{"token_budget", &budget}}, [] { return "thinking"; })) return;
      fields_.read("thinking.token_budget", budget, facts_.thinking_budget);
    }
  }

  void take_objects(std::string_view name, JsonValue value, bool* any) {
    if (value.is_unset()) return;
    if (!value.is_array()) return fields_.fail(wrong_type(std::string(name), "an array", value));
    size_t i = 0;
    for (JsonValue entry : JsonElements(value)) {
      if (!entry.is_object()) return fields_.fail(wrong_type(path(name, i), "an object", entry));
      ++i;
    }
    if (!distinct_inside(fields_, value, 2, [name] { return std::string(name); })) return;
    *any = i != 0;
    if (i != 0) estimate_.text(value.raw().size());
  }

  void take_documents(JsonValue value) {
    if (value.is_unset()) return;
    if (!value.is_array()) return fields_.fail(wrong_type("documents", "an array", value));
    size_t i = 0;
    for (JsonValue entry : JsonElements(value)) {
      if (!entry.is_object() && !entry.is_string()) return fields_.fail(wrong_type(path("documents", i), "an object or a string", entry));
      ++i;
    }
    if (!distinct_inside(fields_, value, 2, [] { return std::string("documents"); })) return;
    estimate_.text(value.raw().size());
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
    JsonValue role, content, tool_calls, tool_plan, tool_call_id;
    const bool distinct = pick_distinct(
        fields_, message,
        {{"role", &role}, {"content", &content}, {"tool_calls", &tool_calls}, {"tool_plan", &tool_plan}, {"tool_call_id", &tool_call_id}},
        [index] { return path("messages", index); });
    if (!distinct) return;
    estimate_.message();
    estimate_.text(text_bytes(tool_plan));
    if (!role.exists()) return fields_.fail(missing(path("messages", index, "role"), "a string"));
    if (!role.is_string()) return fields_.fail(wrong_type(path("messages", index, "role"), "a string", role));
    if (!role.equals("user") && !role.equals("assistant") && !role.equals("system") && !role.equals("tool")) {
      return fields_.fail(wrong_value(path("messages", index, "role"), "one of system, user, assistant, tool"));
    }
    take_content(content, role, index);
    if (role.equals("tool") && !tool_call_id.is_string()) {
      fields_.fail(tool_call_id.is_unset() ? missing(path("messages", index, "tool_call_id"), "a string")
                                           : wrong_type(path("messages", index, "tool_call_id"), "a string", tool_call_id));
    }
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

  void take_content(JsonValue content, JsonValue role, size_t index) {
    switch (content.kind()) {
      case JsonKind::kString: return estimate_.text(text_bytes(content));
      case JsonKind::kArray: break;
      case JsonKind::kNone:
      case JsonKind::kNull:
        if (role.equals("assistant")) return;
        return fields_.fail(missing(path("messages", index, "content"), "a string or an array of parts"));
      default: return fields_.fail(wrong_type(path("messages", index, "content"), "a string or an array of parts", content));
    }
    size_t i = 0;
    for (JsonValue part : JsonElements(content)) take_part(part, path(path("messages", index, "content"), i++));
  }

  void take_part(JsonValue part, const std::string& at) {
    if (!part.is_object()) return fields_.fail(wrong_type(at, "an object", part));
    JsonValue type, image_url, text;
    if (!pick_distinct(fields_, part, {{"type", &type}, {"image_url", &image_url}, {"text", &text}}, [&] { return at; })) return;
    if (!type.is_string()) return fields_.fail(wrong_type(at + ".type", "a string", type));
    if (!type.equals("text") && !distinct_inside(fields_, part, 3, [&] { return at; })) return;
    if (type.equals("image_url")) {
      facts_.has_image = true;
      const JsonValue url = image_url.is_object() ? find_member(image_url, "url") : image_url;
      if (!url.is_string()) return fields_.fail(wrong_type(at + ".image_url.url", "a string", url));
      return estimate_.image(find_member(image_url, "detail").equals("low"));
    }
    if (type.equals("text") && !text.is_string()) return fields_.fail(wrong_type(at + ".text", "a string", text));
    estimate_.text(part.raw().size());
  }

  std::string_view body_;
  RequestFacts facts_;
  Fields fields_;
  InputEstimate estimate_;
  bool model_seen_ = false, messages_seen_ = false;
};

}  // namespace

Result<RequestFacts> scan_request(std::string_view body) { return Scanner(body).run(); }

}  // namespace llmrouter::dialects::cohere
