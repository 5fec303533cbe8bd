// The one pass over a client's request.
#include <algorithm>
#include <utility>

#include "dialects/distinct.h"
#include "dialects/estimate.h"
#include "dialects/fields.h"
#include "dialects/openai.h"
#include "wire/json_scan.h"

namespace llmrouter::dialects::openai {
namespace {

using wire::JsonElements;
using wire::JsonKind;
using wire::JsonValue;

size_t text_bytes(JsonValue string) noexcept { return string.is_string() ? string.raw().size() - 2 : 0; }

class Scanner {
 public:
  Scanner(std::string_view body, bool model_elsewhere) : body_(body), model_elsewhere_(model_elsewhere) {}

  Result<RequestFacts> run() {
    if (wire::ScanResult scanned = wire::scan_object(body_, {}, facts_.members); !scanned) return scanned.to_error(body_);
    if (auto named = check_case(facts_.members); !named) return std::move(named).error();
    for (const MemberSpan& m : facts_.members) {
      take(m.name, JsonValue(body_.substr(m.value_begin, m.value_end - m.value_begin)));
      if (!fields_.ok()) return fields_.take_error();
    }
    if (!model_seen_ && !model_elsewhere_) facts_.model = std::move(first_of_models_);
    if (facts_.model.empty() && (model_seen_ || !model_elsewhere_)) return model_seen_ ? wrong_value("model", "a string that is not empty") : missing("model", "a string");
    if (!messages_seen_) return missing("messages", "an array of messages");
    // Upstreams differ in which of the two they obey: for limits and what is reserved the larger one counts. An absent one is less than any.
    facts_.max_tokens = std::max(max_completion_tokens_, max_tokens_);
    if (facts_.user.empty()) facts_.user = std::move(safety_identifier_);
    facts_.input_tokens = estimate_.tokens();
    return std::move(facts_);
  }

 private:
  void take(std::string_view name, JsonValue value) {
    if (name == "model") take_model(value);
    else if (name == "messages") take_messages(value);
    else if (name == "models") take_first(value);
    else if (name == "stream") take_flag(name, value, facts_.stream);
    else if (name == "stream_options") take_stream_options(value);
    else if (name == "n") take_n(value);
    else if (name == "max_tokens") take_positive(name, value, max_tokens_);
    else if (name == "max_completion_tokens") take_positive(name, value, max_completion_tokens_);
    else if (name == "temperature") fields_.read(name, value, facts_.temperature);
    else if (name == "tools" || name == "functions") take_tools(name, value);
    else if (name == "web_search_options") facts_.has_tools = facts_.has_tools || value.is_object();
    else if (name == "response_format") take_response_format(value);
    else if (name == "tool_choice") take_tool_choice(value);
    else if (name == "modalities") take_modalities(value);
    else if (name == "audio") facts_.wants_audio = facts_.wants_audio || value.is_object();
    else if (name == "user") fields_.read(name, value, facts_.user);
    else if (name == "safety_identifier") fields_.read(name, value, safety_identifier_);
    else if (name == "thinking") take_budget(name, value, "budget_tokens");
    else if (name == "reasoning") take_budget(name, value, "max_tokens");
    else if (name == "thinking_budget") facts_.thinking_budget = std::max(facts_.thinking_budget, value.integer());
  }

  // Of a vendor's own member: what is of another shape there is for the vendor to judge.
  void take_budget(std::string_view name, JsonValue value, std::string_view member) {
    JsonValue tokens;
    if (!pick_distinct(fields_, value, {{member, &tokens}}, [name] { return std::string(name); })) return;
    facts_.thinking_budget = std::max(facts_.thinking_budget, tokens.integer());
  }

  void take_model(JsonValue value) {
    model_seen_ = true;
    if (!value.string(facts_.model)) fields_.fail(wrong_type("model", "a string", value));
  }

  // OpenRouter's list of models to be tried in turn: without `model` its first is the one. Whoever routes by it judges the rest.
  void take_first(JsonValue value) {
    if (!value.is_array()) return;
    for (const JsonValue first : JsonElements(value)) {
      if (first.is_string()) first.string(first_of_models_);
      return;
    }
  }

  void take_flag(std::string_view name, JsonValue value, bool& into) {
    std::optional<bool> flag;
    fields_.read(name, value, flag);
    into = flag.value_or(false);
  }

  void take_stream_options(JsonValue value) {
    if (value.is_unset()) return;
    if (!value.is_object()) return fields_.fail(wrong_type("stream_options", "an object", value));
    JsonValue include_usage;
    if (!pick_distinct(fields_, value, {{"include_usage", &include_usage}}, [] { return "stream_options"; })) return;
    take_flag("stream_options.include_usage", include_usage, facts_.include_usage);
  }

  void take_n(JsonValue value) {
    std::optional<int64_t> n;
    fields_.read("n", value, n);
    if (!n) return;
    if (*n < 1 || *n > 128) return fields_.fail(wrong_value("n", "from 1 to 128"));
    facts_.n = *n;
  }

  void take_positive(std::string_view name, JsonValue value, std::optional<int64_t>& into) {
    fields_.read(name, value, into);
    if (into && *into < 1) fields_.fail(wrong_value(std::string(name), "a positive integer"));
  }

  void take_tools(std::string_view name, JsonValue value) {
    if (value.is_unset()) return;
    if (!value.is_array()) return fields_.fail(wrong_type(std::string(name), "an array", value));
    size_t i = 0;
    for (JsonValue tool : JsonElements(value)) {
      if (!tool.is_object()) return fields_.fail(wrong_type(path(name, i), "an object", tool));
      ++i;
    }
    if (i == 0 || !distinct_inside(fields_, value, 2, [name] { return std::string(name); })) return;
    facts_.has_tools = true;
    estimate_.text(value.raw().size());
  }

  void take_response_format(JsonValue value) {
    if (value.is_unset()) return;
    if (!value.is_object()) return fields_.fail(wrong_type("response_format", "an object", value));
    JsonValue type, schema;
    if (!pick_distinct(fields_, value, {{"type", &type}, {"schema", &schema}}, [] { return "response_format"; })) return;
    if (!type.is_string()) return fields_.fail(wrong_type("response_format.type", "a string", type));
    if (!distinct_inside(fields_, value, 2, [] { return std::string("response_format"); })) return;
    facts_.wants_schema = type.equals("json_schema") || schema.is_object();
  }

  void take_tool_choice(JsonValue value) {
    if (!value.is_unset() && !value.is_string() && !value.is_object()) return fields_.fail(wrong_type("tool_choice", "a string or an object", value));
    distinct_inside(fields_, value, 4, [] { return std::string("tool_choice"); });
  }

  void take_modalities(JsonValue value) {
    if (value.is_unset()) return;
    if (!value.is_array()) return fields_.fail(wrong_type("modalities", "an array", value));
    for (JsonValue kind : JsonElements(value)) facts_.wants_audio = facts_.wants_audio || kind.equals("audio");
  }

  void take_messages(JsonValue value) {
    messages_seen_ = !value.is_null();
    if (value.is_null()) return;
    if (!value.is_array()) return fields_.fail(wrong_type("messages", "an array of messages", value));
    size_t i = 0;
    for (wire::JsonCursor at(value); at.next_element();) {
      if (!at.enter_object()) {
        if (const JsonValue other = at.take(); !other.is_object()) return fields_.fail(wrong_type(path("messages", i), "an object", other));
        return fields_.fail(missing(path("messages", i, "role"), "a string"));
      }
      take_message(at, i++);
      if (!fields_.ok()) return;
    }
    if (i == 0) fields_.fail(wrong_value("messages", "an array with at least one message"));
  }

  // `at` is inside of the message.
  void take_message(wire::JsonCursor& at, size_t index) {
    JsonValue role, content, tool_calls, tool_call_id, reasoning_content, reasoning, refusal, details, audio, annotations, function_call;
    const auto fault = pick_distinct(at, body_, {{"role", &role}, {"content", &content}, {"tool_calls", &tool_calls}, {"tool_call_id", &tool_call_id},
                                                 {"reasoning_content", &reasoning_content}, {"reasoning", &reasoning}, {"refusal", &refusal},
                                                 {"reasoning_details", &details}, {"audio", &audio}, {"annotations", &annotations}, {"function_call", &function_call}});
    if (fault) return fields_.fail(not_distinct(path("messages", index), *fault));
    estimate_.message();
    for (JsonValue said : {reasoning_content, reasoning, refusal}) estimate_.text(text_bytes(said));
    if (!role.exists()) return fields_.fail(missing(path("messages", index, "role"), "a string"));
    if (!role.is_string()) return fields_.fail(wrong_type(path("messages", index, "role"), "a string", role));
    if (!is_known_role(role)) {
      return fields_.fail(wrong_value(path("messages", index, "role"), "one of system, developer, user, assistant, tool, function"));
    }
    take_content(content, role, index);
    take_tool_calls(tool_calls, index);
    const std::pair<std::string_view, JsonValue> read_inside[] = {
        {"reasoning_details", details}, {"audio", audio}, {"annotations", annotations}, {"function_call", function_call}};
    for (const auto& [name, value] : read_inside) {
      if (!distinct_inside(fields_, value, 2, [index, member = name] { return path("messages", index, member); })) return;
    }
    if (!tool_call_id.is_unset() && !tool_call_id.is_string()) {
      fields_.fail(wrong_type(path("messages", index, "tool_call_id"), "a string", tool_call_id));
    }
  }

  static bool is_known_role(JsonValue role) noexcept {
    for (std::string_view known : {"user", "assistant", "system", "tool", "developer", "function"}) {
      if (role.equals(known)) return true;
    }
    return false;
  }

  void take_content(JsonValue content, JsonValue role, size_t index) {
    switch (content.kind()) {
      case JsonKind::kString: return estimate_.text(text_bytes(content));
      case JsonKind::kArray: break;
      case JsonKind::kNone:
      case JsonKind::kNull:
        // An assistant may have said nothing but tool calls, a tool may have nothing to say.
        if (role.equals("assistant") || role.equals("tool") || role.equals("function")) return;
        return fields_.fail(missing(path("messages", index, "content"), "a string or an array of parts"));
      default: return fields_.fail(wrong_type(path("messages", index, "content"), "a string or an array of parts", content));
    }
    size_t i = 0;
    for (wire::JsonCursor at(content); at.next_element();) {
      const char* const begin = at.here();
      if (!at.enter_object()) {
        if (const JsonValue other = at.take(); !other.is_object()) return fields_.fail(wrong_type(part_path(index, i), "an object", other));
        return fields_.fail(wrong_type(part_path(index, i, "type"), "a string", JsonValue()));
      }
      take_part(at, begin, index, i++);
      if (!fields_.ok()) return;
    }
  }

  std::string part_path(size_t message, size_t part, std::string_view member = {}) const {
    return path(path("messages", message, "content"), part, member);
  }

  // `at` is inside of the part, which begins at `begin`.
  void take_part(wire::JsonCursor& at, const char* begin, size_t message, size_t index) {
    JsonValue type, text, image_url;
    if (auto fault = pick_distinct(at, body_, {{"type", &type}, {"text", &text}, {"image_url", &image_url}})) {
      return fields_.fail(not_distinct(part_path(message, index), *fault));
    }
    const JsonValue part = at.since(begin);
    if (!type.is_string()) return fields_.fail(wrong_type(part_path(message, index, "type"), "a string", type));
    if (type.equals("text")) {
      if (!text.is_string()) return fields_.fail(wrong_type(part_path(message, index, "text"), "a string", text));
      return estimate_.text(text_bytes(text));
    }
    if (type.equals("image_url")) return take_image(image_url, message, index);
    if (!distinct_inside(fields_, part, 3, [&] { return part_path(message, index); })) return;
    if (type.equals("input_audio") || type.equals("audio_url")) {
      facts_.has_audio = true;
      return estimate_.audio(part.raw().size());
    }
    if (type.equals("video_url") || type.equals("input_video") || type.equals("video")) {
      facts_.has_video = true;
      return estimate_.video();
    }
    if (type.equals("file") || type.equals("input_file") || type.equals("document_url") || type.equals("document")) {
      facts_.has_file = true;
      return estimate_.file();
    }
    if (type.equals("image") || type.equals("input_image")) {
      facts_.has_image = true;
      return estimate_.image(false);
    }
    estimate_.text(part.raw().size());  // a kind not known here
  }

  void take_image(JsonValue image, size_t message, size_t index) {
    facts_.has_image = true;
    if (image.is_string()) return estimate_.image(false);  // Mistral's short form
    if (!image.is_object()) return fields_.fail(wrong_type(part_path(message, index, "image_url"), "an object", image));
    JsonValue url, detail;
    const auto where = [&] { return part_path(message, index, "image_url"); };
    if (!pick_distinct(fields_, image, {{"url", &url}, {"detail", &detail}}, where)) return;
    if (!url.is_string()) return fields_.fail(wrong_type(part_path(message, index, "image_url.url"), "a string", url));
    estimate_.image(detail.equals("low"));
  }

  void take_tool_calls(JsonValue calls, size_t index) {
    if (calls.is_unset()) return;
    const std::string_view member = "tool_calls";
    if (!calls.is_array()) return fields_.fail(wrong_type(path("messages", index, member), "an array", calls));
    size_t i = 0;
    for (JsonValue call : JsonElements(calls)) {
      if (!call.is_object()) return fields_.fail(wrong_type(path(path("messages", index, member), i), "an object", call));
      ++i;
    }
    if (!distinct_inside(fields_, calls, 2, [index, member] { return path("messages", index, member); })) return;
    estimate_.text(calls.raw().size());
  }

  std::string_view body_;
  bool model_elsewhere_;
  RequestFacts facts_;
  Fields fields_;
  InputEstimate estimate_;
  std::optional<int64_t> max_tokens_, max_completion_tokens_;
  std::string safety_identifier_;
  std::string first_of_models_;
  bool model_seen_ = false, messages_seen_ = false;
};

}  // namespace

Result<RequestFacts> scan_request(std::string_view body, std::string_view path_model) { return Scanner(body, !path_model.empty()).run(); }

}  // namespace llmrouter::dialects::openai
