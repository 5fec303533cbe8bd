// The one pass over a client's request.
#include "dialects/distinct.h"
#include "dialects/estimate.h"
#include "dialects/fields.h"
#include "dialects/responses.h"

namespace llmrouter::dialects::responses {
namespace {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;

class Scanner {
 public:
  explicit Scanner(std::string_view body) : body_(body) {}

  Result<RequestFacts> run() {
    if (wire::ScanResult scanned = wire::scan_object(body_, {}, facts_.members); !scanned) return scanned.to_error(body_);
    facts_.include_usage = true;
    if (auto named = check_case(facts_.members); !named) return std::move(named).error();
    for (const MemberSpan& m : facts_.members) {
      take(m.name, JsonValue(body_.substr(m.value_begin, m.value_end - m.value_begin)));
      if (!fields_.ok()) return fields_.take_error();
    }
    if (facts_.model.empty()) return model_seen_ ? wrong_value("model", "a string that is not empty") : missing("model", "a string");
    // A stored conversation or prompt may be all there is to say.
    if (!input_seen_ && !stored_) return missing("input", "a string or an array of items");
    if (facts_.user.empty()) facts_.user = std::move(safety_identifier_);
    facts_.input_tokens = estimate_.tokens();
    return std::move(facts_);
  }

 private:
  void take(std::string_view name, JsonValue value) {
    if (name == "model") {
      model_seen_ = true;
      if (!value.string(facts_.model)) fields_.fail(wrong_type("model", "a string", value));
    } else if (name == "input") take_input(value);
    else if (name == "instructions") take_instructions(value);
    else if (name == "stream") take_stream(value);
    else if (name == "max_output_tokens") take_max(value);
    else if (name == "temperature") fields_.read(name, value, facts_.temperature);
    else if (name == "tools") take_tools(value);
    else if (name == "tool_choice") take_object(name, value, value.is_string() || value.is_object(), "a string or an object");
    else if (name == "text") take_text(value);
    else if (name == "reasoning") take_object(name, value, value.is_object(), "an object");
    else if (name == "user") fields_.read(name, value, facts_.user);
    else if (name == "safety_identifier") fields_.read(name, value, safety_identifier_);
    else if (name == "previous_response_id" || name == "conversation" || name == "prompt") stored_ = stored_ || !value.is_unset();
  }

  void take_kind(std::string_view name, JsonValue value, bool good, std::string_view expected) {
    if (!value.is_unset() && !good) fields_.fail(wrong_type(std::string(name), expected, value));
  }

  void take_stream(JsonValue value) {
    std::optional<bool> flag;
    fields_.read("stream", value, flag);
    facts_.stream = flag.value_or(false);
  }

  void take_object(std::string_view name, JsonValue value, bool right, std::string_view expected) {
    take_kind(name, value, right, expected);
    distinct_inside(fields_, value, 2, [name] { return std::string(name); });
  }

  void take_max(JsonValue value) {
    fields_.read("max_output_tokens", value, facts_.max_tokens);
    if (facts_.max_tokens && *facts_.max_tokens < 1) fields_.fail(wrong_value("max_output_tokens", "a positive integer"));
  }

  void take_instructions(JsonValue value) {
    take_kind("instructions", value, value.is_string() || value.is_array(), "a string");
    if (value.is_unset()) return;
    estimate_.message();
    estimate_.text(value.raw().size());
    size_t i = 0;
    for (JsonValue item : JsonElements(value)) {
      JsonValue content;
      if (!pick_distinct(fields_, item, {{"content", &content}}, [i] { return path("instructions", i); })) return;
      size_t k = 0;
      for (JsonValue part : JsonElements(content)) {
        if (!pick_distinct(fields_, part, {}, [i, k] { return path(path("instructions", i, "content"), k); })) return;
        ++k;
      }
      ++i;
    }
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

  void take_text(JsonValue value) {
    take_kind("text", value, value.is_object(), "an object");
    if (!distinct_inside(fields_, value, 2, [] { return std::string("text"); })) return;
    const JsonValue format = find_member(value, "format");
    take_kind("text.format", format, format.is_object(), "an object");
    facts_.wants_schema = find_member(format, "type").equals("json_schema");
  }

  void take_input(JsonValue value) {
    input_seen_ = !value.is_null();
    if (value.is_null()) return;
    if (value.is_string()) {
      estimate_.message();
      return estimate_.text(value.raw().size() - 2);
    }
    if (!value.is_array()) return fields_.fail(wrong_type("input", "a string or an array of items", value));
    size_t i = 0;
    for (JsonValue item : JsonElements(value)) {
      if (!item.is_object()) return fields_.fail(wrong_type(path("input", i), "an object", item));
      take_item(item, i++);
      if (!fields_.ok()) return;
    }
    if (i == 0 && !stored_) input_seen_ = false;
  }

  void take_item(JsonValue item, size_t index) {
    JsonValue type, role, content, output;
    const auto where = [index] { return path("input", index); };
    if (!pick_distinct(fields_, item, {{"type", &type}, {"role", &role}, {"content", &content}, {"output", &output}}, where)) return;
    estimate_.message();
    if (type.is_unset() || type.equals("message")) return take_message(role, content, index);
    if (!type.is_string()) return fields_.fail(wrong_type(path("input", index, "type"), "a string", type));
    if (!type.nonempty_string()) return fields_.fail(wrong_value(path("input", index, "type"), "a string that is not empty"));
    if (output.is_array()) return take_parts(output, path("input", index, "output"));
    // An encrypted thought is not what the model reads.
    if (type.equals("reasoning")) return estimate_.text(find_member(item, "summary").raw().size());
    estimate_.text(item.raw().size());
  }

  void take_message(JsonValue role, JsonValue content, size_t index) {
    if (!role.exists()) return fields_.fail(missing(path("input", index, "role"), "a string"));
    if (!role.is_string()) return fields_.fail(wrong_type(path("input", index, "role"), "a string", role));
    if (!role.equals("user") && !role.equals("assistant") && !role.equals("system") && !role.equals("developer")) {
      return fields_.fail(wrong_value(path("input", index, "role"), "one of user, assistant, system, developer"));
    }
    if (content.is_string()) return estimate_.text(content.raw().size() - 2);
    if (!content.is_array()) {
      const std::string at = path("input", index, "content");
      return fields_.fail(content.is_unset() ? missing(at, "a string or an array of parts") : wrong_type(at, "a string or an array of parts", content));
    }
    take_parts(content, path("input", index, "content"));
  }

  void take_parts(JsonValue parts, const std::string& where) {
    size_t i = 0;
    for (JsonValue part : JsonElements(parts)) {
      if (!part.is_object()) return fields_.fail(wrong_type(path(where, i), "an object", part));
      JsonValue type, text, detail;
      if (!pick_distinct(fields_, part, {{"type", &type}, {"text", &text}, {"detail", &detail}}, [&] { return path(where, i); })) return;
      if (!type.is_string()) return fields_.fail(wrong_type(path(where, i, "type"), "a string", type));
      if (type.equals("input_text") || type.equals("output_text") || type.equals("text")) {
        if (!text.is_string()) return fields_.fail(wrong_type(path(where, i, "text"), "a string", text));
        estimate_.text(text.raw().size() - 2);
      } else if (!distinct_inside(fields_, part, 3, [&] { return path(where, i); })) {
        return;
      } else if (type.equals("input_image")) {
        facts_.has_image = true;
        estimate_.image(detail.equals("low"));
      } else if (type.equals("input_file")) {
        facts_.has_file = true;
        estimate_.file();
      } else if (type.equals("input_audio")) {
        facts_.has_audio = true;
        estimate_.audio(part.raw().size());
      } else {
        estimate_.text(part.raw().size());
      }
      ++i;
    }
  }

  std::string_view body_;
  RequestFacts facts_;
  Fields fields_;
  InputEstimate estimate_;
  std::string safety_identifier_;
  bool model_seen_ = false, input_seen_ = false, stored_ = false;
};

}  // namespace

Result<RequestFacts> scan_request(std::string_view body) { return Scanner(body).run(); }

}  // namespace llmrouter::dialects::responses
