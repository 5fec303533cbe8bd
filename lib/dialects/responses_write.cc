// A ChatRequest as a request body.
#include <algorithm>
#include <set>

#include "dialects/custom_tools.h"
#include "dialects/effort.h"
#include "dialects/fields.h"
#include "dialects/foreign_tools.h"
#include "dialects/media.h"
#include "dialects/openai_model.h"
#include "dialects/responses.h"
#include "dialects/signature.h"
#include "dialects/text_match.h"
#include "dialects/tool_ids.h"
#include "llmrouter/dropped.h"

namespace llmrouter::dialects::responses {
namespace {

using wire::JsonMember;
using wire::JsonWriter;

constexpr std::string_view kTarget = "the Responses dialect";

bool has_member(const RawMembers& members, std::string_view name) {
  bool found = false;
  for_each_member(members, [&](const JsonMember& m) { found = found || m.key == name; });
  return found;
}

std::string data_url(std::string_view mime, std::string_view data) {
  std::string url("data:");
  url.append(mime.empty() ? std::string_view("application/octet-stream") : mime).append(";base64,").append(data);
  return url;
}

// What the vendor takes; empty: nothing that it does. What its own client wrote stays as it was.
std::string_view audio_format(std::string_view mime, bool foreign) noexcept {
  const std::string_view usual = wav_or_mp3(mime);
  if (!usual.empty()) return usual;
  return foreign ? std::string_view() : mime.substr(mime.substr(0, 6) == "audio/" ? 6 : 0);
}

bool is_remote(std::string_view url) noexcept { return url.substr(0, 5) != "data:"; }

class RequestWriter {
 public:
  RequestWriter(const ChatRequest& request, bool stream, bool foreign, std::string& out, std::vector<std::string>& dropped)
      : request_(request), stream_(stream), foreign_(foreign), w_(out), dropped_(dropped) {}

  Result<void> run(std::string_view model) {
    traits_ = openai::traits_of(model);
    if (foreign_) {
      if (auto checked = check_foreign_tools(request_, kTarget, dropped_, {}, true); !checked) return checked;
    }
    w_.begin_object();
    w_.member("model", model);
    write_input();
    write_tools();
    write_text();
    write_sampling();
    write_reasoning();
    write_words();
    if (stream_) w_.member("stream", true);
    write_extras();
    w_.end_object();
    if (error_.code != ErrorCode::kNone) return std::move(error_);
    return {};
  }

 private:
  void refuse(std::string param, std::string_view what) {
    if (error_.code == ErrorCode::kNone) error_ = cannot_express(std::move(param), what, kTarget);
  }
  void drop(std::string_view name) {
    add_dropped(dropped_, name);
  }
  template <typename T>
  void optional(std::string_view name, const std::optional<T>& value) {
    if (value) w_.member(name, *value);
  }
  void text(std::string_view name, std::string_view value) {
    if (!value.empty()) w_.member(name, value);
  }
  // --- input ---

  static bool is_instructions(const Message& m) {
    if (m.role != Role::kSystem || m.parts.empty()) return false;
    return std::all_of(m.parts.begin(), m.parts.end(), [](const Part& p) { return p.kind == Part::Kind::kText; });
  }

  void write_input() {
    const auto& messages = request_.messages;
    size_t first = 0;
    if (!messages.empty() && is_instructions(messages[0])) {
      std::string words;
      for (const Part& part : messages[0].parts) {
        note_cache(part.cache);
        words.append(words.empty() ? "" : "\n\n").append(part.text);
      }
      w_.member("instructions", words);
      first = 1;
    }
    const ToolIds ids(messages, nullptr);
    w_.key("input");
    w_.begin_array();
    for (size_t i = first; i < messages.size(); ++i) write_message(messages[i], i, ids);
    w_.end_array();
  }

  void write_message(const Message& message, size_t index, const ToolIds& ids) {
    if (!message.name.empty() && message.role != Role::kTool) drop("messages.name");
    if (!message.audio.empty()) refuse(path("messages", index, "audio"), "a spoken answer");
    if (message.role == Role::kAssistant) return write_assistant(message, index, ids);
    if (message.role == Role::kTool) return write_output(message, index, ids);
    w_.begin_object();
    w_.member("role", role_name(message.role));
    w_.key("content");
    write_content(message, index, {});
    w_.end_object();
  }

  void write_output(const Message& message, size_t index, const ToolIds& ids) {
    w_.begin_object();
    const bool custom = custom_calls_.count(message.tool_call_id) != 0;
    w_.member("type", custom ? std::string_view("custom_tool_call_output") : std::string_view("function_call_output"));
    w_.member("call_id", ids.result(index));
    w_.key("output");
    write_content(message, index, message.tool_error ? "Error: " : "");  // there is no word for a tool that failed
    w_.end_object();
  }

  // A lone text as a string, anything else as parts.
  void write_content(const Message& message, size_t index, std::string_view prefix) {
    if (message.parts.empty()) return w_.string(prefix);
    if (message.parts.size() == 1 && message.parts[0].kind == Part::Kind::kText) {
      note_cache(message.parts[0].cache);
      return w_.string(std::string(prefix) + message.parts[0].text);
    }
    w_.begin_array();
    if (!prefix.empty()) write_part(Part::of_text(std::string(prefix)), index, 0);
    for (size_t i = 0; i < message.parts.size(); ++i) write_part(message.parts[i], index, i);
    w_.end_array();
  }

  void write_part(const Part& part, size_t message, size_t index) {
    note_cache(part.cache);
    const std::string at = path(path("messages", message, "content"), index);
    switch (part.kind) {
      case Part::Kind::kVideo: return refuse(at, "a video");
      case Part::Kind::kOther:
        if (foreign_) return refuse(at, "a part of this type");
        return w_.raw(part.raw);
      case Part::Kind::kReasoning: return drop("reasoning");
      case Part::Kind::kImage:
      case Part::Kind::kFile:
        if (foreign_ && is_anthropic_file(part.file_id)) return refuse(at, "a file in another vendor's store");
        if (!part.url.empty() && !is_common_url(part.url)) return refuse(at, "a file at such a URL");
        break;
      default: break;
    }
    const std::string_view format = part.kind == Part::Kind::kAudio ? audio_format(part.mime, foreign_) : std::string_view();
    if (part.kind == Part::Kind::kAudio && format.empty()) return refuse(at, "audio that is neither wav nor mp3");
    w_.begin_object();
    switch (part.kind) {
      case Part::Kind::kImage:
        w_.member("type", "input_image");
        if (!part.file_id.empty()) w_.member("file_id", part.file_id);
        else w_.member("image_url", part.url.empty() ? data_url(part.mime, part.data) : part.url);
        w_.member("detail", part.detail.empty() ? std::string_view("auto") : std::string_view(part.detail));
        break;
      case Part::Kind::kAudio:
        w_.member("type", "input_audio");
        w_.key("input_audio");
        w_.begin_object();
        w_.member("data", part.data);
        w_.member("format", format);
        w_.end_object();
        break;
      case Part::Kind::kFile:
        w_.member("type", "input_file");
        text("file_id", part.file_id);
        text("filename", foreign_ && part.name.empty() ? file_name_of(inline_of(part).mime) : std::string_view(part.name));
        if (!part.url.empty()) w_.member(is_remote(part.url) ? "file_url" : "file_data", part.url);
        else if (!part.data.empty()) w_.member("file_data", data_url(part.mime, part.data));
        break;
      default:
        w_.member("type", "input_text");
        w_.member("text", part.text);
    }
    w_.end_object();
  }

  // One message becomes items: its thoughts, its words, its calls; a thought that came before a later call stands there again.
  void write_assistant(const Message& message, size_t index, const ToolIds& ids) {
    for (const Part& part : message.parts) {
      if (part.kind == Part::Kind::kReasoning && part.detail.empty()) write_reasoning_item(part);
    }
    write_words_of(message, index);
    for (size_t i = 0; i < message.tool_calls.size(); ++i) {
      const ToolCall& call = message.tool_calls[i];
      for (const Part& part : message.parts) {
        if (part.kind == Part::Kind::kReasoning && !part.detail.empty() && part.detail == call.id) write_reasoning_item(part);
      }
      write_call(call, ids.call(index, i));
    }
  }

  // Only its maker knows what a signature means, and a thought without one is not taken back.
  void write_reasoning_item(const Part& part) {
    const bool signed_here = part.maker == kMaker && !part.signature.empty();
    if (!signed_here && (foreign_ || part.name != "reasoning_text")) {
      if (!part.text.empty() || !part.signature.empty()) drop("reasoning");
      return;
    }
    signed_before_ = signed_before_ || signed_here;
    w_.begin_object();
    w_.member("type", "reasoning");
    const bool content = part.name == "reasoning_text";
    w_.key("summary");
    write_texts(part, "summary_text", !content && !part.text.empty());
    if (content) {
      w_.key("content");
      write_texts(part, "reasoning_text", true);
    }
    if (signed_here) w_.member("encrypted_content", part.signature);
    w_.end_object();
  }

  void write_texts(const Part& part, std::string_view type, bool any) {
    w_.begin_array();
    if (any) {
      w_.begin_object();
      w_.member("type", type);
      w_.member("text", part.text);
      w_.end_object();
    }
    w_.end_array();
  }

  void write_words_of(const Message& message, size_t index) {
    std::vector<const Part*> said;
    for (size_t i = 0; i < message.parts.size(); ++i) {
      const Part& part = message.parts[i];
      note_cache(part.cache);
      if (part.kind != Part::Kind::kText && part.kind != Part::Kind::kRefusal) {
        if (part.kind != Part::Kind::kReasoning) refuse(path(path("messages", index, "content"), i), "a part of this type in an answer");
      } else if (!part.text.empty()) {
        said.push_back(&part);
      }
    }
    if (said.empty()) return;
    w_.begin_object();
    w_.member("role", "assistant");
    w_.key("content");
    if (said.size() == 1 && said[0]->kind == Part::Kind::kText) {
      w_.string(said[0]->text);
    } else {
      w_.begin_array();
      for (const Part* part : said) {
        if (part->kind == Part::Kind::kText) write_said("output_text", "text", part->text);
        else write_said("refusal", "refusal", part->text);
      }
      w_.end_array();
    }
    w_.end_object();
  }

  void write_said(std::string_view type, std::string_view member, const std::string& words) {
    w_.begin_object();
    w_.member("type", type);
    w_.member(member, words);
    w_.end_object();
  }

  void write_call(const ToolCall& call, const std::string& id) {
    if (call.custom) custom_calls_.insert(call.id);
    w_.begin_object();
    w_.member("type", call.custom ? std::string_view("custom_tool_call") : std::string_view("function_call"));
    w_.member("call_id", id);
    w_.member("name", call.name);
    if (call.custom) w_.member("input", input_of_arguments(call.arguments));
    else w_.member("arguments", call.arguments.empty() ? std::string_view("{}") : std::string_view(call.arguments));
    w_.end_object();
  }

  void note_cache(const std::string& mark) {
    if (!mark.empty()) drop("cache_control");
  }

  // --- the other members ---

  void write_tools() {
    if (!request_.tools.empty()) {
      w_.key("tools");
      w_.begin_array();
      for (const Tool& tool : request_.tools) write_tool(tool);
      w_.end_array();
    }
    write_choice();
    optional("parallel_tool_calls", request_.parallel_tool_calls);
  }

  void write_choice() {
    const ToolChoice& choice = request_.tool_choice;
    if (choice.kind == ToolChoice::Kind::kRaw && foreign_) return refuse("tool_choice", "this choice");
    write_tool_choice(choice, is_custom(request_.tools, choice.name), w_);
  }

  void write_tool(const Tool& tool) {
    note_cache(tool.cache);
    if (!tool.raw.empty()) {
      if (!foreign_) w_.raw(tool.raw);
      return;
    }
    w_.begin_object();
    w_.member("type", tool.custom ? std::string_view("custom") : std::string_view("function"));
    w_.member("name", tool.name);
    text("description", tool.description);
    if (tool.custom) {
      if (!tool.format.empty()) w_.raw_member("format", tool.format);
    } else {
      w_.raw_member("parameters", tool.parameters.empty() ? std::string_view(R"({"type":"object","properties":{}})") : std::string_view(tool.parameters));
      // Strict is the default here, and elsewhere it is not.
      if (tool.strict || foreign_) w_.member("strict", tool.strict.value_or(false));
    }
    if (!foreign_) w_.raw_members(tool.extras);
    w_.end_object();
  }

  void write_text() {
    const bool format = request_.response_format.kind != ResponseFormat::Kind::kUnset;
    if (request_.response_format.kind == ResponseFormat::Kind::kRaw && foreign_) return refuse("response_format", "this format");
    if (!format && request_.verbosity.empty()) return;
    w_.key("text");
    w_.begin_object();
    if (format) {
      w_.key("format");
      write_format(request_.response_format, w_);
    }
    text("verbosity", request_.verbosity);
    w_.end_object();
  }

  void write_sampling() {
    optional("max_output_tokens", request_.max_tokens);
    sampler("temperature", request_.temperature);
    sampler("top_p", request_.top_p);
    if (request_.n.value_or(1) > 1) refuse("n", "more than one answer");
    if (request_.top_k) drop("top_k");
    if (request_.frequency_penalty) drop("frequency_penalty");
    if (request_.presence_penalty) drop("presence_penalty");
    if (request_.seed) drop("seed");
    if (!request_.stop.empty()) drop("stop");
    if (!request_.logit_bias.empty()) drop("logit_bias");
    if (!foreign_thought()) optional("top_logprobs", request_.top_logprobs);
    else if (request_.logprobs.value_or(false) || request_.top_logprobs.value_or(0) > 0) drop("logprobs");
  }

  // OpenAI's models refuse to be told how to sample while they think.
  bool foreign_thought() const noexcept { return foreign_ && traits_.thinks_about(effort_of(request_)); }
  void sampler(std::string_view name, const std::optional<double>& value) {
    if (!foreign_thought()) return optional(name, value);
    if (value && *value != 1) drop(name);
  }

  std::string_view fitted(std::string_view effort) {
    if (!foreign_ || effort.empty()) return effort;
    const FittedEffort fit = fit_effort(effort, traits_.efforts);
    if (!fit.told) drop("reasoning_effort");
    return fit.word;
  }

  void write_reasoning() {
    const std::string_view effort = effort_of(request_);
    const bool asked = !effort.empty() || !request_.reasoning_summary.empty();
    if (asked) {
      w_.key("reasoning");
      w_.begin_object();
      text("effort", fitted(effort));
      text("summary", request_.reasoning_summary);
      w_.end_object();
    }
    write_include((asked && effort != "none") || request_.reasoning.value_or(false) || signed_before_);
  }

  // What is encrypted can be given back: nothing is stored upstream for foreign clients. Models that do not think refuse to be asked.
  void write_include(bool thoughts) {
    if (!foreign_ && has_member(request_.extras, "include")) return;
    const bool logprobs = request_.logprobs.value_or(false) && !foreign_thought();
    if (!logprobs && !(thoughts && foreign_)) return;
    w_.key("include");
    w_.begin_array();
    if (thoughts && foreign_) w_.string("reasoning.encrypted_content");
    if (logprobs) w_.string("message.output_text.logprobs");
    w_.end_array();
  }

  void write_words() {
    text("user", request_.user);
    text("prompt_cache_key", request_.prompt_cache_key);
    text("service_tier", request_.service_tier);
    if (!request_.metadata.empty()) w_.raw_member("metadata", request_.metadata);
  }

  void write_extras() {
    if (foreign_) return write_foreign_extras();
    for_each_member(request_.extras, [&](const JsonMember& m) {
      // What reading could not keep in its place.
      if (m.key.find('.') != std::string_view::npos) return drop(m.key);
      w_.raw(m.raw);
    });
  }

  // The chat dialect's members that mean the same here.
  void write_foreign_extras() {
    bool store = false;
    RawMembers others;
    for_each_member(request_.extras, [&](const JsonMember& m) {
      if (m.key == "store" && m.value.boolean()) store = *m.value.boolean();
      else if ((m.key == "safety_identifier" || m.key == "prompt_cache_retention") && m.value.is_string()) w_.raw(m.raw);
      else if ((m.key == "modalities" && m.value.raw().find("audio") != std::string_view::npos) || (m.key == "audio" && m.value.is_object())) {
        refuse(std::string(m.key), "a spoken answer");
      } else if (m.key != "modalities" || m.value.raw().find("\"image\"") != std::string_view::npos) {
        add_member(others, m.raw);
      }
    });
    w_.member("store", store);  // it is the default here
    name_extras(others, dropped_);
    name_inner_extras(request_, {}, dropped_);
  }

  const ChatRequest& request_;
  const bool stream_, foreign_;
  JsonWriter w_;
  std::vector<std::string>& dropped_;
  std::set<std::string_view> custom_calls_;  // ids of those that were written
  openai::ModelTraits traits_;
  bool signed_before_ = false;
  Error error_;
};

}  // namespace

void write_tool_choice(const ToolChoice& choice, bool custom, JsonWriter& w) {
  using Kind = ToolChoice::Kind;
  switch (choice.kind) {
    case Kind::kUnset: return;
    case Kind::kAuto: return w.member("tool_choice", "auto");
    case Kind::kNone: return w.member("tool_choice", "none");
    case Kind::kRequired: return w.member("tool_choice", "required");
    case Kind::kRaw: return w.raw_member("tool_choice", choice.raw);
    case Kind::kNamed: break;
  }
  w.key("tool_choice");
  w.begin_object();
  w.member("type", custom ? std::string_view("custom") : std::string_view("function"));
  w.member("name", choice.name);
  w.end_object();
}

void write_format(const ResponseFormat& format, JsonWriter& w) {
  using Kind = ResponseFormat::Kind;
  if (format.kind == Kind::kUnset) return;
  if (format.kind == Kind::kRaw) return w.raw(format.raw);
  w.begin_object();
  w.member("type", format.kind == Kind::kText ? std::string_view("text") : format.kind == Kind::kJsonObject ? std::string_view("json_object") : std::string_view("json_schema"));
  if (format.kind == Kind::kJsonSchema) {
    w.member("name", format.name.empty() ? std::string_view("answer") : std::string_view(format.name));
    if (!format.description.empty()) w.member("description", format.description);
    w.raw_member("schema", format.schema);
    if (format.strict) w.member("strict", *format.strict);
  }
  w.end_object();
}

Result<void> write_request(const ChatRequest& request, std::string_view model, bool stream, bool foreign, std::string& out,
                           std::vector<std::string>& dropped) {
  const ForeignParts parts(request, foreign, dropped);
  return RequestWriter(parts.request(), stream, foreign, out, dropped).run(model);
}

}  // namespace llmrouter::dialects::responses
