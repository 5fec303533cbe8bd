// The one pass over a client's request.
#include "dialects/anthropic.h"
#include "dialects/anthropic_thoughts.h"
#include "dialects/distinct.h"
#include "dialects/estimate.h"
#include "dialects/fields.h"

namespace llmrouter::dialects::anthropic {
namespace {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;

size_t text_bytes(JsonValue string) noexcept { return string.is_string() ? string.raw().size() - 2 : 0; }

class Scanner {
 public:
  explicit Scanner(std::string_view body) : body_(body) {}

  Result<RequestFacts> run() {
    facts_.include_usage = true;  // every answer counts
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
    if (name == "model") take_model(value);
    else if (name == "messages") take_messages(value);
    else if (name == "system") take_system(value);
    else if (name == "stream") take_stream(value);
    else if (name == "max_tokens") take_max_tokens(value);
    else if (name == "temperature") fields_.read(name, value, facts_.temperature);
    else if (name == "tools") take_tools(value);
    else if (name == "mcp_servers") facts_.has_tools = facts_.has_tools || (value.is_array() && !value.empty_container());
    else if (name == "tool_choice") take_choice(value);
    else if (name == "thinking") take_thinking(value);
    else if (name == "metadata") take_metadata(value);
    else if (name == "output_config") take_output_config(value);
    else if (name == "output_format") facts_.wants_schema = value.is_object();
  }

  bool take_object(std::string_view name, JsonValue value) {
    if (value.is_unset() || value.is_object()) return value.is_object();
    fields_.fail(wrong_type(std::string(name), "an object", value));
    return false;
  }

  void take_model(JsonValue value) {
    model_seen_ = true;
    if (!value.string(facts_.model)) fields_.fail(wrong_type("model", "a string", value));
  }

  void take_stream(JsonValue value) {
    std::optional<bool> flag;
    fields_.read("stream", value, flag);
    facts_.stream = flag.value_or(false);
  }

  // 0 is a request that only warms the prompt cache.
  void take_max_tokens(JsonValue value) {
    fields_.read("max_tokens", value, facts_.max_tokens);
    if (facts_.max_tokens && *facts_.max_tokens < 0) fields_.fail(wrong_value("max_tokens", "a positive integer"));
  }

  void take_metadata(JsonValue value) {
    JsonValue user;
    if (!take_object("metadata", value) || !pick_distinct(fields_, value, {{"user_id", &user}}, [] { return "metadata"; })) return;
    fields_.read("metadata.user_id", user, facts_.user);
  }

  void take_thinking(JsonValue value) {
    JsonValue budget;
    if (!take_object("thinking", value) || !pick_distinct(fields_, value, {{"budget_tokens", &budget}}, [] { return "thinking"; })) return;
    fields_.read("thinking.budget_tokens", budget, facts_.thinking_budget);
  }

  void take_choice(JsonValue value) {
    if (take_object("tool_choice", value)) distinct_inside(fields_, value, 1, [] { return std::string("tool_choice"); });
  }

  void take_output_config(JsonValue value) {
    if (!take_object("output_config", value) || !distinct_inside(fields_, value, 2, [] { return std::string("output_config"); })) return;
    facts_.wants_schema = take_object("output_config.format", find_member(value, "format")) || facts_.wants_schema;
  }

  void take_tools(JsonValue value) {
    if (value.is_unset()) return;
    if (!value.is_array()) return fields_.fail(wrong_type("tools", "an array", value));
    size_t i = 0;
    for (JsonValue tool : JsonElements(value)) {
      if (!tool.is_object()) return fields_.fail(wrong_type(path("tools", i), "an object", tool));
      ++i;
    }
    if (i == 0 || !distinct_inside(fields_, value, 1, [] { return std::string("tools"); })) return;
    facts_.has_tools = true;
    estimate_.text(value.raw().size());
  }

  void take_system(JsonValue value) {
    if (value.is_unset()) return;
    estimate_.text(text_bytes(value));
    if (value.is_string()) return;
    if (!value.is_array()) return fields_.fail(wrong_type("system", "a string or an array of text blocks", value));
    take_blocks(value, "system", false);
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
    JsonValue role, content;
    if (auto fault = pick_distinct(at, body_, {{"role", &role}, {"content", &content}})) return fields_.fail(not_distinct(path("messages", index), *fault));
    estimate_.message();
    if (!role.exists()) return fields_.fail(missing(path("messages", index, "role"), "a string"));
    if (!role.is_string()) return fields_.fail(wrong_type(path("messages", index, "role"), "a string", role));
    // A system message between the others is how Claude Code speaks.
    if (!role.equals("user") && !role.equals("assistant") && !role.equals("system")) {
      return fields_.fail(wrong_value(path("messages", index, "role"), "one of user, assistant, system"));
    }
    const std::string where = path("messages", index, "content");
    if (content.is_unset()) return fields_.fail(missing(where, "a string or an array of content blocks"));
    if (content.is_string()) return estimate_.text(text_bytes(content));
    if (!content.is_array()) return fields_.fail(wrong_type(where, "a string or an array of content blocks", content));
    take_blocks(content, where, false);
  }

  // `of_result`: they are a tool's.
  void take_blocks(JsonValue list, const std::string& where, bool of_result) {
    size_t i = 0;
    for (wire::JsonCursor at(list); at.next_element();) {
      const char* const begin = at.here();
      if (!at.enter_object()) {
        if (const JsonValue other = at.take(); !other.is_object()) return fields_.fail(wrong_type(path(where, i), "an object", other));
        return fields_.fail(wrong_type(path(where, i, "type"), "a string", JsonValue()));
      }
      take_block(at, begin, where, i++, of_result);
      if (!fields_.ok()) return;
    }
  }

  // `at` is inside of the block, which begins at `begin`.
  void take_block(wire::JsonCursor& at, const char* begin, const std::string& where, size_t index, bool of_result) {
    JsonValue type, text;
    if (auto fault = pick_distinct(at, body_, {{"type", &type}, {"text", &text}})) return fields_.fail(not_distinct(path(where, index), *fault));
    const JsonValue block = at.since(begin);
    if (!type.is_string()) return fields_.fail(wrong_type(path(where, index, "type"), "a string", type));
    if (type.equals("text")) {
      if (!text.is_string()) return fields_.fail(wrong_type(path(where, index, "text"), "a string", text));
      return estimate_.text(text_bytes(text));
    }
    // What a call was given is the tool's own, and results are blocks again.
    if (!type.equals("tool_use") && !type.equals("tool_result") && !distinct_inside(fields_, block, 3, [&] { return path(where, index); })) return;
    if (type.equals("image")) {
      facts_.has_image = true;
      need_object(block, "source", where, index);
      return estimate_.image(false);
    }
    if (type.equals("document")) return take_document(block, where, index);
    if (type.equals("tool_result")) {
      if (of_result) return fields_.fail(wrong_value(path(where, index, "type"), "no tool_result"));
      return take_tool_result(block, where, index);
    }
    if (type.equals("thinking") || type.equals("redacted_thinking")) take_thought(block);
    if (type.equals("tool_use")) {
      for (std::string_view member : {"id", "name"}) {
        const JsonValue value = find_member(block, member);
        if (!value.is_string()) return fields_.fail(wrong_type(path(where, index, member), "a string", value));
      }
      need_object(block, "input", where, index);
    }
    estimate_.text(block.raw().size());  // a call, a thought, or a kind not known here
  }

  // Thoughts of another maker's model, and those that nobody signed, came from here: an upstream of this dialect would refuse the whole request for
  // them.
  void take_thought(JsonValue block) {
    if (is_refused_thought(block)) facts_.relayable = false;
  }

  void need_object(JsonValue block, std::string_view member, const std::string& where, size_t index) {
    const JsonValue value = find_member(block, member);
    if (!value.is_object()) fields_.fail(wrong_type(path(where, index, member), "an object", value));
  }

  void take_document(JsonValue block, const std::string& where, size_t index) {
    need_object(block, "source", where, index);
    JsonValue type, data;
    if (!pick_distinct(fields_, find_member(block, "source"), {{"type", &type}, {"data", &data}}, [&] { return path(where, index, "source"); })) return;
    // Words: who takes no files has them as a text.
    if (type.equals("text")) return estimate_.text(text_bytes(data));
    if (type.equals("content")) return estimate_.text(find_member(block, "source").raw().size());
    facts_.has_file = true;
    estimate_.file();
  }

  void take_tool_result(JsonValue block, const std::string& where, size_t index) {
    const JsonValue id = find_member(block, "tool_use_id"), content = find_member(block, "content");
    if (!id.is_string()) return fields_.fail(wrong_type(path(where, index, "tool_use_id"), "a string", id));
    if (content.is_string()) return estimate_.text(text_bytes(content));
    if (content.is_unset()) return;
    const std::string inner = path(where, index, "content");
    if (!content.is_array()) return fields_.fail(wrong_type(inner, "a string or an array of content blocks", content));
    take_blocks(content, inner, true);
  }

  std::string_view body_;
  RequestFacts facts_;
  Fields fields_;
  InputEstimate estimate_;
  bool model_seen_ = false, messages_seen_ = false;
};

}  // namespace

Result<RequestFacts> scan_request(std::string_view body) { return Scanner(body).run(); }

}  // namespace llmrouter::dialects::anthropic
