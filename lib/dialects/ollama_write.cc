// Requests to an Ollama server.
#include <map>

#include "dialects/custom_tools.h"
#include "dialects/fields.h"
#include "dialects/foreign_tools.h"
#include "dialects/join_text.h"
#include "dialects/media.h"
#include "dialects/ollama.h"
#include "dialects/results_first.h"
#include "dialects/tool_ids.h"
#include "llmrouter/dropped.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::ollama {
namespace {

using wire::JsonMember;
using wire::JsonValue;
using wire::JsonWriter;

constexpr std::string_view kTarget = "Ollama's native API";

class RequestWriter {
 public:
  RequestWriter(const ChatRequest& request, bool foreign, std::string& out, std::vector<std::string>& dropped)
      : request_(request), foreign_(foreign), ids_(request.messages, nullptr), w_(out), dropped_(dropped) {}

  Result<void> run(std::string_view model, bool stream) {
    check();
    w_.begin_object();
    w_.member("model", model);
    w_.key("messages");
    w_.begin_array();
    for (size_t i : results_first(request_.messages)) write_message(request_.messages[i], i);
    w_.end_array();
    w_.member("stream", stream);
    write_tools();
    write_format();
    write_think();
    if (request_.logprobs) w_.member("logprobs", *request_.logprobs);
    if (request_.top_logprobs) w_.member("top_logprobs", *request_.top_logprobs);
    write_options();
    write_extras();
    w_.end_object();
    if (error_.code != ErrorCode::kNone) return std::move(error_);
    return {};
  }

 private:
  void fail(Error error) {
    if (error_.code == ErrorCode::kNone) error_ = std::move(error);
  }

  // What has no word there: meanings fail, hints are dropped by name.
  void check() {
    if (auto checked = check_foreign_tools(request_, kTarget, dropped_); !checked) fail(std::move(checked).error());
    using Choice = ToolChoice::Kind;
    if (request_.n.value_or(1) > 1) fail(cannot_express("n", "more than one choice", kTarget));
    if (request_.tool_choice.kind == Choice::kRequired || request_.tool_choice.kind == Choice::kNamed ||
        request_.tool_choice.kind == Choice::kRaw) {
      fail(cannot_express("tool_choice", "anything but auto and none", kTarget));
    }
    if (!request_.logit_bias.empty()) add_dropped(dropped_, "logit_bias");
    if (!request_.user.empty()) add_dropped(dropped_, "user");
    if (!request_.service_tier.empty()) add_dropped(dropped_, "service_tier");
    if (!request_.metadata.empty()) add_dropped(dropped_, "metadata");
    if (!request_.parallel_tool_calls.value_or(true)) add_dropped(dropped_, "parallel_tool_calls");
    if (!request_.verbosity.empty()) add_dropped(dropped_, "verbosity");
    if (!request_.reasoning_summary.empty()) add_dropped(dropped_, "reasoning_summary");
    if (names_a_speaker(request_)) add_dropped(dropped_, "messages.name");
    if (!request_.prompt_cache_key.empty()) add_dropped(dropped_, "prompt_cache_key");
    check_marks();
  }

  // Of the parts and the tools.
  void check_marks() {
    bool cache = false, detail = false, strict = false;
    for (const Message& message : request_.messages) {
      for (const Part& part : message.parts) {
        cache = cache || !part.cache.empty();
        detail = detail || part.detail == "low" || part.detail == "high";
      }
    }
    for (const Tool& tool : request_.tools) {
      cache = cache || !tool.cache.empty();
      strict = strict || tool.strict.value_or(false);
    }
    if (cache) add_dropped(dropped_, "cache_control");
    if (detail) add_dropped(dropped_, "detail");
    if (strict) add_dropped(dropped_, "tools.strict");
  }

  // Roles: Ollama knows no developer.
  static std::string_view role_word(Role role) noexcept { return role == Role::kDeveloper ? std::string_view("system") : role_name(role); }

  void write_message(const Message& message, size_t index) {
    std::string content, thinking;
    std::vector<std::string_view> images;
    if (message.tool_error) content = "Error: ";
    for (size_t i = 0; i < message.parts.size(); ++i) {
      const Part& part = message.parts[i];
      switch (part.kind) {
        case Part::Kind::kText:
        case Part::Kind::kRefusal:
          if (message.role == Role::kAssistant) content += part.text;
          else append_apart(content, part.text);
          break;
        case Part::Kind::kReasoning:
          if (is_sealed_thought(part)) add_dropped(dropped_, "reasoning");
          else thinking += part.text;
          break;
        case Part::Kind::kImage: {
          const std::string_view data = inline_of(part).data;
          if (data.empty()) fail(cannot_express(part_path(index, i), "an image that is not inline (base64)", kTarget));
          images.push_back(data);
          break;
        }
        case Part::Kind::kAudio: fail(cannot_express(part_path(index, i), "audio", kTarget)); break;
        case Part::Kind::kVideo: fail(cannot_express(part_path(index, i), "video", kTarget)); break;
        case Part::Kind::kFile: fail(cannot_express(part_path(index, i), "a file", kTarget)); break;
        case Part::Kind::kOther: fail(cannot_express(part_path(index, i), "a part of this type", kTarget)); break;
      }
    }
    w_.begin_object();
    w_.member("role", role_word(message.role));
    w_.member("content", content);
    if (!thinking.empty()) w_.member("thinking", thinking);
    if (!images.empty()) {
      w_.key("images");
      w_.begin_array();
      for (std::string_view image : images) w_.string(image);
      w_.end_array();
    }
    write_calls(message, index);
    if (message.role == Role::kTool) write_tool_result(message, index);
    if (!foreign_) w_.raw_members(message.extras);
    w_.end_object();
  }

  static std::string part_path(size_t message, size_t part) { return path(path("messages", message, "content"), part); }

  void write_calls(const Message& message, size_t index) {
    if (message.tool_calls.empty()) return;
    w_.key("tool_calls");
    w_.begin_array();
    for (size_t i = 0; i < message.tool_calls.size(); ++i) {
      const ToolCall& call = message.tool_calls[i];
      if (call.name.empty()) fail(cannot_express(path(path("messages", index, "tool_calls"), i), "a call that is no function", kTarget));
      w_.begin_object();
      names_[ids_.call(index, i)] = call.name;
      if (!call.id.empty()) w_.member("id", ids_.call(index, i));
      w_.key("function");
      w_.begin_object();
      w_.member("name", call.name);
      w_.raw_member("arguments", arguments_object(call.arguments));
      w_.end_object();
      w_.end_object();
    }
    w_.end_array();
  }

  // Ollama's templates go by the tool's name; the OpenAI dialect gives only the call's id.
  void write_tool_result(const Message& message, size_t index) {
    std::string_view name = message.name;
    const std::string& id = ids_.result(index);
    if (auto found = names_.find(id); name.empty() && found != names_.end()) name = found->second;
    if (!name.empty()) w_.member("tool_name", name);
    if (!message.tool_call_id.empty()) w_.member("tool_call_id", id);
  }

  void write_tools() {
    if (request_.tools.empty() || request_.tool_choice.kind == ToolChoice::Kind::kNone) return;
    bool any = false;
    for (const Tool& tool : request_.tools) {
      if (!tool.raw.empty()) continue;
      if (!any) {
        w_.key("tools");
        w_.begin_array();
      }
      any = true;
      w_.begin_object();
      w_.member("type", "function");
      w_.key("function");
      w_.begin_object();
      w_.member("name", tool.name);
      w_.member("description", described(tool));
      constexpr std::string_view kNoParameters = R"({"type":"object","properties":{}})";
      w_.raw_member("parameters", tool.parameters.empty() ? kNoParameters : std::string_view(tool.parameters));
      w_.end_object();
      w_.end_object();
    }
    if (any) w_.end_array();
  }

  void write_format() {
    const ResponseFormat& format = request_.response_format;
    switch (format.kind) {
      case ResponseFormat::Kind::kUnset:
      case ResponseFormat::Kind::kText: return;
      case ResponseFormat::Kind::kJsonObject: return w_.member("format", "json");
      case ResponseFormat::Kind::kJsonSchema: return w_.raw_member("format", format.schema);
      case ResponseFormat::Kind::kRaw: break;
    }
    const JsonValue raw(format.raw);
    JsonValue schema = wire::find_member(raw, "schema");  // llama.cpp's way
    if (!schema.is_object()) schema = wire::find(raw, "json_schema", "schema");
    if (!schema.is_object()) return fail(cannot_express("response_format", "this format", kTarget));
    w_.raw_member("format", schema.raw());
  }

  void write_think() {
    const std::string& effort = request_.reasoning_effort;
    if (effort == "none") w_.member("think", false);
    else if (effort == "minimal") w_.member("think", "low");
    else if (effort == "xhigh" || effort == "max") w_.member("think", "high");
    else if (effort == "low" || effort == "medium" || effort == "high") w_.member("think", effort);
    else if (!effort.empty()) add_dropped(dropped_, "reasoning_effort");
    else if (request_.reasoning_budget) w_.member("think", *request_.reasoning_budget > 0);
    else if (request_.reasoning) w_.member("think", *request_.reasoning);
  }

  void write_options() {
    std::string text;
    JsonWriter o(text);
    o.begin_object();
    if (request_.max_tokens) o.member("num_predict", *request_.max_tokens);
    if (request_.temperature) o.member("temperature", *request_.temperature);
    if (request_.top_p) o.member("top_p", *request_.top_p);
    if (request_.top_k) o.member("top_k", *request_.top_k);
    if (request_.seed) o.member("seed", *request_.seed);
    if (request_.frequency_penalty) o.member("frequency_penalty", *request_.frequency_penalty);
    if (request_.presence_penalty) o.member("presence_penalty", *request_.presence_penalty);
    if (!request_.stop.empty()) {
      o.key("stop");
      o.begin_array();
      for (const std::string& word : request_.stop) o.string(word);
      o.end_array();
    }
    if (!foreign_) {
      for_each_member(request_.extras, [&](const JsonMember& m) {
        if (m.key != "options") return;
        for (const JsonMember& option : wire::JsonMembers(m.value)) o.raw(option.raw);
      });
    }
    o.end_object();
    if (text.size() > 2) w_.raw_member("options", text);
  }

  void write_extras() {
    for_each_member(request_.extras, [&](const JsonMember& m) {
      if (m.key == "modalities" && m.value.raw().find("\"audio\"") != std::string_view::npos) {
        fail(cannot_express("modalities", "an answer in audio", kTarget));
      }
      if (!foreign_ && m.key != "options") w_.raw(m.raw);
    });
    if (foreign_) name_extras(request_.extras, dropped_);
    if (foreign_) name_inner_extras(request_, {}, dropped_);
  }

  const ChatRequest& request_;
  const bool foreign_;
  const ToolIds ids_;
  std::map<std::string_view, std::string_view> names_;  // of the calls so far, by id
  JsonWriter w_;
  std::vector<std::string>& dropped_;
  Error error_;
};

}  // namespace

Result<void> write_request(const ChatRequest& request, std::string_view model, bool stream, bool foreign, std::string& out,
                           std::vector<std::string>& dropped) {
  const ForeignParts parts(request, foreign, dropped, true);
  return RequestWriter(parts.request(), foreign, out, dropped).run(model, stream);
}

}  // namespace llmrouter::dialects::ollama
