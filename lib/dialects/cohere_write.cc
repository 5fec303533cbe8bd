// Requests to Cohere.
#include <algorithm>

#include "dialects/cohere.h"
#include "dialects/custom_tools.h"
#include "dialects/effort.h"
#include "dialects/fields.h"
#include "dialects/foreign_tools.h"
#include "dialects/media.h"
#include "dialects/results_first.h"
#include "dialects/tool_ids.h"
#include "llmrouter/dropped.h"

namespace llmrouter::dialects::cohere {
namespace {

using wire::JsonMember;
using wire::JsonValue;
using wire::JsonWriter;

constexpr std::string_view kTarget = "Cohere's chat API";
constexpr size_t kMaxStops = 5;

bool is_documents(const Message& message) noexcept {
  return !message.parts.empty() && message.parts.front().mime == kDocumentsIntroMime;
}

class RequestWriter {
 public:
  RequestWriter(const ChatRequest& request, bool foreign, std::string& out, std::vector<std::string>& dropped)
      : request_(request), foreign_(foreign), ids_(request.messages, nullptr), w_(out), dropped_(dropped) {}

  Result<void> run(std::string_view model, bool stream) {
    check();
    w_.begin_object();
    w_.member("model", model);
    write_messages();
    w_.member("stream", stream);
    write_documents();
    write_tools();
    write_format();
    write_thinking();
    write_sampling();
    write_extras();
    w_.end_object();
    if (error_.code != ErrorCode::kNone) return std::move(error_);
    return {};
  }

 private:
  void fail(Error error) {
    if (error_.code == ErrorCode::kNone) error_ = std::move(error);
  }
  void drop_if(bool there, std::string_view name) {
    if (there) add_dropped(dropped_, name);
  }

  void check() {
    if (auto checked = check_foreign_tools(request_, kTarget, dropped_); !checked) fail(std::move(checked).error());
    if (request_.n.value_or(1) > 1) fail(cannot_express("n", "more than one choice", kTarget));
    if (request_.tool_choice.kind == ToolChoice::Kind::kRaw) fail(cannot_express("tool_choice", "this choice", kTarget));
    drop_if(!request_.logit_bias.empty(), "logit_bias");
    drop_if(!request_.user.empty(), "user");
    drop_if(!request_.service_tier.empty(), "service_tier");
    drop_if(!request_.metadata.empty(), "metadata");
    drop_if(!request_.parallel_tool_calls.value_or(true), "parallel_tool_calls");
    drop_if(request_.top_logprobs.value_or(0) > 0, "top_logprobs");
    drop_if(!request_.verbosity.empty(), "verbosity");
    drop_if(!request_.reasoning_summary.empty(), "reasoning_summary");
    drop_if(!request_.prompt_cache_key.empty(), "prompt_cache_key");
    for (const Message& message : request_.messages) {
      for (const Part& part : message.parts) drop_if(!part.cache.empty(), "cache_control");
    }
  }

  // --- messages ---

  void write_messages() {
    w_.key("messages");
    w_.begin_array();
    for (size_t i : results_first(request_.messages)) {
      const Message& message = request_.messages[i];
      if (is_documents(message)) continue;
      if (message.role != Role::kTool) write_pictures();
      write_message(message, i);
    }
    write_pictures();
    w_.end_array();
  }

  // A tool's result cannot hold pictures: they follow in a user's message after all results.
  void write_pictures() {
    if (pictures_.empty()) return;
    w_.begin_object();
    w_.member("role", "user");
    w_.key("content");
    w_.begin_array();
    for (const Part* part : pictures_) write_image(*part);
    w_.end_array();
    w_.end_object();
    pictures_.clear();
  }

  static std::string_view role_word(Role role) noexcept { return role == Role::kDeveloper ? std::string_view("system") : role_name(role); }
  static std::string part_path(size_t message, size_t part) { return path(path("messages", message, "content"), part); }

  void write_message(const Message& message, size_t index) {
    w_.begin_object();
    w_.member("role", role_word(message.role));
    if (message.role == Role::kTool) w_.member("tool_call_id", ids_.result(index));
    if (message.role == Role::kAssistant) write_plan(message);
    write_content(message, index);
    write_calls(message, index);
    drop_if(!message.name.empty() && message.role != Role::kTool, "messages.name");
    if (!foreign_) w_.raw_members(message.extras);
    w_.end_object();
  }

  void write_plan(const Message& message) {
    std::string plan;
    for (const Part& part : message.parts) {
      drop_if(is_sealed_thought(part), "reasoning");
      if (part.kind == Part::Kind::kReasoning && part.name == kToolPlan) plan += part.text;
    }
    if (!plan.empty()) w_.member("tool_plan", plan);
  }

  static bool stands_in_content(const Part& part) noexcept {
    return part.kind != Part::Kind::kReasoning || (part.name != kToolPlan && !part.redacted && !part.text.empty());
  }

  void write_content(const Message& message, size_t index) {
    const auto count = std::count_if(message.parts.begin(), message.parts.end(), stands_in_content);
    const std::string prefix = message.tool_error ? "Error: " : "";
    if (count == 0) {
      if (message.role != Role::kAssistant) w_.member("content", prefix);
      return;
    }
    const Part& first = message.parts.front();
    if (message.parts.size() == 1 && first.kind == Part::Kind::kText && first.mime != kDocumentMime) {
      return w_.member("content", prefix + first.text);
    }
    w_.key("content");
    w_.begin_array();
    if (!prefix.empty()) write_text("text", prefix);
    for (size_t i = 0; i < message.parts.size(); ++i) {
      if (stands_in_content(message.parts[i])) write_part(message.parts[i], message.role, part_path(index, i));
    }
    w_.end_array();
  }

  void write_text(std::string_view type, std::string_view text) {
    w_.begin_object();
    w_.member("type", type);
    w_.member(type, text);
    w_.end_object();
  }

  void write_part(const Part& part, Role role, const std::string& at) {
    switch (part.kind) {
      case Part::Kind::kText:
        if (part.mime == kDocumentMime) return write_document_part(part);
        return write_text("text", part.text);
      case Part::Kind::kRefusal: return write_text("text", part.text);
      case Part::Kind::kReasoning: return write_text("thinking", part.text);
      case Part::Kind::kImage:
        if (part.url.empty() && part.data.empty()) return fail(cannot_express(at, "an image that is neither a URL nor inline", kTarget));
        if (!part.url.empty() && !is_common_url(part.url)) return fail(cannot_express(at, "an image at such a URL", kTarget));
        if (role == Role::kAssistant && foreign_) return fail(cannot_express(at, "a picture in an answer", kTarget));
        if (role == Role::kTool) return pictures_.push_back(&part);
        return write_image(part);
      case Part::Kind::kAudio: return fail(cannot_express(at, "audio", kTarget));
      case Part::Kind::kVideo: return fail(cannot_express(at, "video", kTarget));
      case Part::Kind::kFile: return fail(cannot_express(at, "a file", kTarget));
      case Part::Kind::kOther:
        if (foreign_ || part.raw.empty()) return fail(cannot_express(at, "a part of this type", kTarget));
        return w_.raw(part.raw);
    }
  }

  void write_document_part(const Part& part) {
    w_.begin_object();
    w_.member("type", "document");
    w_.raw_member("document", JsonValue(part.text).raw());
    w_.end_object();
  }

  void write_image(const Part& part) {
    w_.begin_object();
    w_.member("type", "image_url");
    w_.key("image_url");
    w_.begin_object();
    w_.member("url", part.url.empty() ? "data:" + (part.mime.empty() ? "image/png" : part.mime) + ";base64," + part.data : part.url);
    if (!part.detail.empty()) w_.member("detail", part.detail);
    w_.end_object();
    w_.end_object();
  }

  void write_calls(const Message& message, size_t index) {
    if (message.tool_calls.empty()) return;
    w_.key("tool_calls");
    w_.begin_array();
    for (size_t i = 0; i < message.tool_calls.size(); ++i) {
      const ToolCall& call = message.tool_calls[i];
      if (call.name.empty()) fail(cannot_express(path(path("messages", index, "tool_calls"), i), "a call that is no function", kTarget));
      w_.begin_object();
      w_.member("id", ids_.call(index, i));
      w_.member("type", "function");
      w_.key("function");
      w_.begin_object();
      w_.member("name", call.name);
      w_.member("arguments", call.arguments.empty() ? std::string_view("{}") : std::string_view(call.arguments));
      w_.end_object();
      w_.end_object();
    }
    w_.end_array();
  }

  void write_documents() {
    const bool any = std::any_of(request_.messages.begin(), request_.messages.end(), is_documents);
    if (!any) return;
    w_.key("documents");
    w_.begin_array();
    for (const Message& message : request_.messages) {
      if (!is_documents(message)) continue;
      for (const Part& part : message.parts) {
        if (part.mime == kDocumentMime) w_.raw(JsonValue(part.text).raw());
      }
    }
    w_.end_array();
  }

  // --- tools ---

  // A choice of one tool is that tool alone and REQUIRED; `auto` is what stands nowhere.
  void write_tools() {
    const ToolChoice& choice = request_.tool_choice;
    const bool named = choice.kind == ToolChoice::Kind::kNamed;
    bool any = false, all_strict = true, some_strict = false;
    for (const Tool& tool : request_.tools) {
      if (!tool.raw.empty() || (named && tool.name != choice.name)) continue;
      if (!any) {
        w_.key("tools");
        w_.begin_array();
      }
      any = true;
      const bool asked = tool.strict.value_or(false);
      some_strict = some_strict || asked;
      all_strict = all_strict && asked;
      write_tool(tool);
    }
    if (any) w_.end_array();
    if (named && !any) return fail(wrong_value("tool_choice", "the name of one of the tools"));
    if (any && all_strict) w_.member("strict_tools", true);
    else drop_if(some_strict, "tools.strict");
    if (any && (named || choice.kind == ToolChoice::Kind::kRequired)) w_.member("tool_choice", "REQUIRED");
    else if (any && choice.kind == ToolChoice::Kind::kNone) w_.member("tool_choice", "NONE");
    has_tools_ = any;
  }

  void write_tool(const Tool& tool) {
    drop_if(!tool.cache.empty(), "cache_control");
    w_.begin_object();
    w_.member("type", "function");
    w_.key("function");
    w_.begin_object();
    w_.member("name", tool.name);
    if (const std::string words = described(tool); !words.empty()) w_.member("description", words);
    constexpr std::string_view kNoParameters = R"({"type":"object","properties":{}})";
    w_.raw_member("parameters", tool.parameters.empty() ? kNoParameters : std::string_view(tool.parameters));
    w_.end_object();
    w_.end_object();
  }

  void write_format() {
    using Kind = ResponseFormat::Kind;
    const ResponseFormat& format = request_.response_format;
    if (format.kind == Kind::kUnset || format.kind == Kind::kText) return;
    if (has_tools_ && request_.tool_choice.kind != ToolChoice::Kind::kNone) {
      return fail(cannot_express("response_format", "JSON beside tools", kTarget));
    }
    JsonValue schema(format.schema);
    if (format.kind == Kind::kRaw) {
      schema = wire::find(JsonValue(format.raw), "json_schema", "schema");
      if (!schema.is_object()) return fail(cannot_express("response_format", "this format", kTarget));
    }
    w_.key("response_format");
    w_.begin_object();
    w_.member("type", "json_object");
    if (format.kind != Kind::kJsonObject && schema.exists()) w_.raw_member("json_schema", schema.raw());
    w_.end_object();
  }

  // --- how ---

  void write_thinking() {
    const std::string& effort = request_.reasoning_effort;
    std::optional<bool> wanted = request_.reasoning;
    std::optional<int64_t> budget = request_.reasoning_budget;
    if (budget && !wanted) wanted = *budget > 0;
    if (!effort.empty() && !wanted) wanted = effort != "none";
    if (!wanted) return;
    if (!budget && !effort.empty()) budget = budget_of_effort(effort);
    w_.key("thinking");
    w_.begin_object();
    w_.member("type", *wanted ? "enabled" : "disabled");
    if (*wanted && budget && *budget > 0) w_.member("token_budget", *budget);
    w_.end_object();
  }

  // Penalties go from 0 to 1 here, elsewhere from -2 to 2.
  void penalty(std::string_view name, const std::optional<double>& value) {
    if (!value) return;
    if (*value < 0 || *value > 1) add_dropped(dropped_, name);
    else w_.member(name, *value);
  }

  void write_sampling() {
    if (request_.max_tokens) w_.member("max_tokens", *request_.max_tokens);
    if (request_.temperature) w_.member("temperature", *request_.temperature);
    if (request_.top_p) w_.member("p", std::clamp(*request_.top_p, 0.01, 0.99));  // what it takes; 1 is what others call "all"
    if (request_.top_k) w_.member("k", *request_.top_k);
    if (request_.seed) w_.member("seed", *request_.seed);
    penalty("frequency_penalty", request_.frequency_penalty);
    penalty("presence_penalty", request_.presence_penalty);
    if (request_.logprobs) w_.member("logprobs", *request_.logprobs);
    if (request_.stop.empty()) return;
    // It would refuse them all.
    if (request_.stop.size() > kMaxStops) return fail(cannot_express("stop", "more than 5 stop sequences", kTarget));
    const auto is_empty = [](const std::string& word) { return trim(word).empty(); };
    if (std::any_of(request_.stop.begin(), request_.stop.end(), is_empty)) return fail(cannot_express("stop", "a stop sequence of blanks alone", kTarget));
    w_.key("stop_sequences");
    w_.begin_array();
    for (const std::string& word : request_.stop) w_.string(word);
    w_.end_array();
  }

  void write_extras() {
    for_each_member(request_.extras, [&](const JsonMember& m) {
      if (m.key == "modalities" && m.value.raw().find("\"audio\"") != std::string_view::npos) {
        fail(cannot_express("modalities", "an answer in audio", kTarget));
      }
      if (!foreign_) w_.raw(m.raw);
    });
    if (foreign_) name_extras(request_.extras, dropped_);
    if (foreign_) name_inner_extras(request_, {}, dropped_);
  }

  const ChatRequest& request_;
  const bool foreign_;
  const ToolIds ids_;
  JsonWriter w_;
  std::vector<std::string>& dropped_;
  std::vector<const Part*> pictures_;
  bool has_tools_ = false;
  Error error_;
};

}  // namespace

Result<void> write_request(const ChatRequest& request, std::string_view model, bool stream, bool foreign, std::string& out,
                           std::vector<std::string>& dropped) {
  const ForeignParts parts(request, foreign, dropped, true);
  return RequestWriter(parts.request(), foreign, out, dropped).run(model, stream);
}

}  // namespace llmrouter::dialects::cohere
