// A ChatRequest as a request body.
#include "dialects/fields.h"
#include "dialects/openai.h"

namespace llmrouter::dialects::openai {
namespace {

using wire::JsonMember;
using wire::JsonWriter;

void write_data_url(std::string_view mime, std::string_view data, std::string& url) {
  url.assign("data:").append(mime).append(";base64,").append(data);
}

std::string_view audio_format(std::string_view mime) noexcept {
  if (mime == "audio/mpeg") return "mp3";
  if (mime == "audio/x-wav" || mime == "audio/wave") return "wav";
  return mime.substr(0, 6) == "audio/" ? mime.substr(6) : mime;
}

void write_url_part(const Part& part, std::string_view name, JsonWriter& w) {
  std::string url = part.url;
  if (url.empty()) write_data_url(part.mime, part.data, url);
  w.member("type", name);
  w.key(name);
  w.begin_object();
  w.member("url", url);
  if (!part.detail.empty()) w.member("detail", part.detail);
  w.end_object();
}

void write_file_part(const Part& part, JsonWriter& w) {
  w.member("type", "file");
  w.key("file");
  w.begin_object();
  if (!part.file_id.empty()) w.member("file_id", part.file_id);
  if (!part.name.empty()) w.member("filename", part.name);
  if (!part.url.empty()) {
    w.member("file_data", part.url);
  } else if (!part.data.empty()) {
    std::string data = part.data;
    if (!part.mime.empty()) write_data_url(part.mime, part.data, data);
    w.member("file_data", data);
  }
  w.end_object();
}

void write_part(const Part& part, JsonWriter& w) {
  if (!part.raw.empty()) return w.raw(part.raw);
  w.begin_object();
  switch (part.kind) {
    case Part::Kind::kImage: write_url_part(part, "image_url", w); break;
    case Part::Kind::kVideo: write_url_part(part, "video_url", w); break;
    case Part::Kind::kFile: write_file_part(part, w); break;
    case Part::Kind::kAudio:
      w.member("type", "input_audio");
      w.key("input_audio");
      w.begin_object();
      w.member("data", part.data);
      w.member("format", audio_format(part.mime));
      w.end_object();
      break;
    default:
      w.member("type", "text");
      w.member("text", part.text);
  }
  w.raw_members(part.extras);
  w.end_object();
}

// Reasoning and refusals have members of their own; what is left stands in `content`.
bool stands_in_content(const Part& part) noexcept {
  if (part.kind == Part::Kind::kReasoning) return !part.raw.empty();
  return part.kind != Part::Kind::kRefusal;
}

void write_content(const Message& message, JsonWriter& w) {
  size_t count = 0;
  const Part* only = nullptr;
  for (const Part& part : message.parts) {
    if (!stands_in_content(part)) continue;
    ++count;
    only = &part;
  }
  w.key("content");
  if (count == 0) {
    // Some hosts refuse "" beside tool calls.
    if (message.role == Role::kAssistant && !message.tool_calls.empty()) return w.null();
    return w.string(message.tool_error ? "Error" : "");
  }
  // The chat dialect has no word for a tool that failed.
  const std::string prefix = message.tool_error ? "Error: " : "";
  if (count == 1 && only->kind == Part::Kind::kText && only->extras.empty()) return w.string(prefix + only->text);
  w.begin_array();
  if (!prefix.empty()) write_part(Part::of_text(prefix), w);
  for (const Part& part : message.parts) {
    if (stands_in_content(part)) write_part(part, w);
  }
  w.end_array();
}

void write_reasoning_and_refusal(const Message& message, JsonWriter& w) {
  std::string reasoning, refusal;
  const Part* first = nullptr;
  for (const Part& part : message.parts) {
    if (part.kind == Part::Kind::kReasoning && part.raw.empty() && !part.redacted) {
      if (!first) first = &part;
      reasoning += part.text;
    }
    if (part.kind == Part::Kind::kRefusal) refusal += part.text;
  }
  if (first) w.member(first->name == "reasoning" ? "reasoning" : "reasoning_content", reasoning);
  if (!refusal.empty()) w.member("refusal", refusal);
}

// The members of extras, without the pretend member `function`, whose inside goes where it came from.
RawMembers split_function_extras(const RawMembers& extras, RawMembers& inner) {
  RawMembers outer;
  for_each_member(extras, [&](const JsonMember& m) {
    if (m.key != "function" || !m.value.is_object()) return add_member(outer, m.raw);
    for (const JsonMember& deep : wire::JsonMembers(m.value)) add_member(inner, deep.raw);
  });
  return outer;
}

}  // namespace

void write_tool_call(const ToolCall& call, std::string_view id, JsonWriter& w) {
  RawMembers inner;
  const RawMembers outer = split_function_extras(call.extras, inner);
  w.begin_object();
  w.member("id", id);
  // A call of another type stands in the extras, and there only.
  if (!call.name.empty() || !call.arguments.empty() || call.extras.empty()) {
    w.member("type", "function");
    w.key("function");
    w.begin_object();
    w.member("name", call.name);
    w.member("arguments", call.arguments.empty() ? std::string_view("{}") : std::string_view(call.arguments));
    w.raw_members(inner);
    w.end_object();
  }
  w.raw_members(outer);
  w.end_object();
}

namespace {

// The ids of all calls and results of a conversation. Dialects without ids (Ollama) leave them empty: then results are matched to the
// calls before them, by name where they have one, else in order.
class ToolIds {
 public:
  ToolIds(const std::vector<Message>& messages, bool short_ids) {
    std::vector<Open> open;
    size_t made = 0;
    for (const Message& message : messages) {
      std::vector<std::string> ids;
      if (!message.tool_calls.empty()) open.clear();
      for (const ToolCall& call : message.tool_calls) {
        ids.push_back(call.id.empty() ? "call_" + std::to_string(made++) : call.id);
        if (open.size() < kMaxOpen) open.push_back({call.name, ids.back()});
      }
      std::string result = message.tool_call_id;
      if (message.role == Role::kTool) {
        if (result.empty()) result = take(open, [&](const Open& o) { return message.name.empty() || o.name == message.name; });
        else take(open, [&](const Open& o) { return o.id == result; });
      }
      if (short_ids) {
        for (std::string& id : ids) id = short_tool_id(id);
        if (!result.empty()) result = short_tool_id(result);
      }
      calls_.push_back(std::move(ids));
      results_.push_back(std::move(result));
    }
  }
  const std::string& call(size_t message, size_t index) const { return calls_[message][index]; }
  const std::string& result(size_t message) const { return results_[message]; }

 private:
  static constexpr size_t kMaxOpen = 1024;  // calls of one message that results without ids are matched to
  struct Open {
    std::string name, id;
  };
  template <typename Fits>
  static std::string take(std::vector<Open>& open, Fits&& fits) {
    for (size_t i = 0; i < open.size(); ++i) {
      if (!fits(open[i])) continue;
      std::string id = std::move(open[i].id);
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(i));
      return id;
    }
    return {};
  }
  std::vector<std::vector<std::string>> calls_;
  std::vector<std::string> results_;
};

// What transformers' server refuses although OpenAI's schema has it, split by whether an answer would be another one without it.
constexpr std::string_view kTransformers = "a server that refuses unknown members (quirk strip_unknown)";

class RequestWriter {
 public:
  RequestWriter(const ChatRequest& request, const Quirks& quirks, const WriteOptions& options, std::string& out,
                std::vector<std::string>& dropped)
      : request_(request), quirks_(quirks), options_(options), w_(out), dropped_(dropped) {}

  Result<void> run(std::string_view model) {
    w_.begin_object();
    w_.member("model", model);
    write_messages();
    write_tools();
    write_response_format();
    write_sampling();
    write_words();
    if (options_.stream) w_.member("stream", true);
    if (options_.stream && (options_.want_usage || request_.include_usage) && !quirks_.no_stream_options && !quirks_.strip_unknown) {
      w_.raw_member("stream_options", R"({"include_usage":true})");
    }
    write_extras();
    w_.end_object();
    if (error_.code != ErrorCode::kNone) return std::move(error_);
    return {};
  }

 private:
  // A member that strip_unknown leaves out: an error when the answer would be another one, else a name in `dropped`.
  bool stripped(std::string_view name, bool means) {
    if (!quirks_.strip_unknown) return false;
    if (!means) dropped_.emplace_back(name);
    else if (error_.code == ErrorCode::kNone) error_ = cannot_express(std::string(name), "it", kTransformers);
    return true;
  }

  template <typename T>
  void optional(std::string_view name, const std::optional<T>& value) {
    if (value) w_.member(name, *value);
  }
  void text(std::string_view name, const std::string& value) {
    if (!value.empty() && !stripped(name, false)) w_.member(name, value);
  }
  void raw(std::string_view name, const std::string& json) {
    if (!json.empty() && !stripped(name, false)) w_.raw_member(name, json);
  }

  void write_messages() {
    const ToolIds ids(request_.messages, quirks_.short_tool_ids);
    w_.key("messages");
    w_.begin_array();
    for (size_t i = 0; i < request_.messages.size(); ++i) write_one(request_.messages[i], i, ids);
    w_.end_array();
  }

  void write_one(const Message& message, size_t index, const ToolIds& ids) {
    const bool orphan = message.role == Role::kTool && ids.result(index).empty();
    w_.begin_object();
    w_.member("role", orphan ? std::string_view("function") : role_name(message.role));
    if (!message.name.empty()) w_.member("name", message.name);
    if (message.role == Role::kTool && !orphan) w_.member("tool_call_id", ids.result(index));
    write_reasoning_and_refusal(message, w_);
    write_content(message, w_);
    if (!message.tool_calls.empty()) {
      w_.key("tool_calls");
      w_.begin_array();
      for (size_t i = 0; i < message.tool_calls.size(); ++i) write_tool_call(message.tool_calls[i], ids.call(index, i), w_);
      w_.end_array();
    }
    if (!message.audio.empty()) w_.raw_member("audio", message.audio);
    if (!message.annotations.empty()) w_.raw_member("annotations", message.annotations);
    if (!options_.foreign) w_.raw_members(message.extras);
    w_.end_object();
  }

  void write_tools() {
    if (!request_.tools.empty()) {
      w_.key("tools");
      w_.begin_array();
      for (const Tool& tool : request_.tools) write_tool(tool);
      w_.end_array();
    }
    write_tool_choice();
    if (request_.parallel_tool_calls && !stripped("parallel_tool_calls", false)) optional("parallel_tool_calls", request_.parallel_tool_calls);
  }

  void write_tool(const Tool& tool) {
    if (!tool.raw.empty()) return w_.raw(tool.raw);
    RawMembers inner;
    const RawMembers outer = split_function_extras(tool.extras, inner);
    w_.begin_object();
    w_.member("type", "function");
    w_.key("function");
    w_.begin_object();
    w_.member("name", tool.name);
    if (!tool.description.empty()) w_.member("description", tool.description);
    if (!tool.parameters.empty()) w_.raw_member("parameters", tool.parameters);
    optional("strict", tool.strict);
    w_.raw_members(inner);
    w_.end_object();
    w_.raw_members(outer);
    w_.end_object();
  }

  void write_tool_choice() {
    const ToolChoice& choice = request_.tool_choice;
    using Kind = ToolChoice::Kind;
    if (choice.kind == Kind::kUnset) return;
    if (stripped("tool_choice", choice.kind != Kind::kAuto)) return;
    switch (choice.kind) {
      case Kind::kUnset: return;
      case Kind::kAuto: return w_.member("tool_choice", "auto");
      case Kind::kNone: return w_.member("tool_choice", "none");
      case Kind::kRequired: return w_.member("tool_choice", std::string_view(quirks_.required_is_any ? "any" : "required"));
      case Kind::kRaw: return w_.raw_member("tool_choice", choice.raw);
      case Kind::kNamed: break;
    }
    w_.key("tool_choice");
    w_.begin_object();
    w_.member("type", "function");
    w_.key("function");
    w_.begin_object();
    w_.member("name", choice.name);
    w_.end_object();
    w_.end_object();
  }

  void write_response_format() {
    const ResponseFormat& format = request_.response_format;
    using Kind = ResponseFormat::Kind;
    if (format.kind == Kind::kUnset) return;
    if (stripped("response_format", format.kind != Kind::kText)) return;
    switch (format.kind) {
      case Kind::kUnset: return;
      case Kind::kText: return w_.raw_member("response_format", R"({"type":"text"})");
      case Kind::kJsonObject: return w_.raw_member("response_format", R"({"type":"json_object"})");
      case Kind::kRaw: return w_.raw_member("response_format", format.raw);
      case Kind::kJsonSchema: break;
    }
    w_.key("response_format");
    w_.begin_object();
    w_.member("type", "json_schema");
    w_.key("json_schema");
    w_.begin_object();
    w_.member("name", format.name.empty() ? std::string_view("answer") : std::string_view(format.name));
    if (!format.description.empty()) w_.member("description", format.description);
    w_.raw_member("schema", format.schema);
    optional("strict", format.strict);
    w_.end_object();
    w_.end_object();
  }

  void write_sampling() {
    optional(quirks_.max_completion_tokens_only ? "max_completion_tokens" : "max_tokens", request_.max_tokens);
    optional("temperature", request_.temperature);
    optional("top_p", request_.top_p);
    if (request_.top_k) {
      if (quirks_.no_top_k) dropped_.emplace_back("top_k");
      else if (!stripped("top_k", false)) optional("top_k", request_.top_k);
    }
    optional("frequency_penalty", request_.frequency_penalty);
    if (request_.presence_penalty && !stripped("presence_penalty", false)) optional("presence_penalty", request_.presence_penalty);
    optional(quirks_.random_seed ? "random_seed" : "seed", request_.seed);
    if (request_.n && !stripped("n", *request_.n > 1)) optional("n", request_.n);
    if (!request_.stop.empty()) {
      w_.key("stop");
      w_.begin_array();
      for (const std::string& word : request_.stop) w_.string(word);
      w_.end_array();
    }
    if (request_.logprobs && !stripped("logprobs", *request_.logprobs)) optional("logprobs", request_.logprobs);
    if (request_.top_logprobs && !stripped("top_logprobs", *request_.top_logprobs > 0)) optional("top_logprobs", request_.top_logprobs);
    if (!request_.logit_bias.empty()) w_.raw_member("logit_bias", request_.logit_bias);
  }

  void write_words() {
    text("user", request_.user);
    std::string effort = request_.reasoning_effort;
    if (effort.empty() && request_.reasoning_budget) effort = effort_of_budget(*request_.reasoning_budget);
    text("reasoning_effort", effort);
    text("service_tier", request_.service_tier);
    raw("metadata", request_.metadata);
  }

  // The dialect has no budget in tokens.
  static std::string effort_of_budget(int64_t tokens) {
    if (tokens <= 0) return "none";
    if (tokens <= 1024) return "low";
    return tokens <= 4096 ? "medium" : "high";
  }

  void write_extras() {
    if (!quirks_.strip_unknown && !options_.foreign) return w_.raw_members(request_.extras);
    for_each_member(request_.extras, [&](const JsonMember& m) { dropped_.emplace_back(m.key); });
  }

  const ChatRequest& request_;
  const Quirks& quirks_;
  const WriteOptions& options_;
  JsonWriter w_;
  std::vector<std::string>& dropped_;
  Error error_;
};

}  // namespace

Result<void> write_request(const ChatRequest& request, std::string_view model, const Quirks& quirks, const WriteOptions& options,
                           std::string& out, std::vector<std::string>& dropped) {
  return RequestWriter(request, quirks, options, out, dropped).run(model);
}

}  // namespace llmrouter::dialects::openai
