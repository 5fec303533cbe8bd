// A ChatRequest as a request body.
#include <algorithm>
#include <iterator>

#include "dialects/custom_tools.h"
#include "dialects/effort.h"
#include "dialects/fields.h"
#include "dialects/foreign_tools.h"
#include "dialects/media.h"
#include "dialects/openai.h"
#include "dialects/openai_model.h"
#include "dialects/openai_parts.h"
#include "dialects/openai_thinking.h"
#include "dialects/results_first.h"
#include "dialects/signature.h"
#include "dialects/text_match.h"
#include "dialects/tool_ids.h"
#include "llmrouter/dropped.h"

namespace llmrouter::dialects::openai {
namespace {

using wire::JsonMember;
using wire::JsonValue;
using wire::JsonWriter;

bool has_member(const RawMembers& members, std::string_view name) {
  bool found = false;
  for_each_member(members, [&](const JsonMember& m) { found = found || m.key == name; });
  return found;
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

std::string client_signature(const ToolCall& call) { return seal_signature(call.maker, kSignatureMaker, call.signature); }

void write_tool_call(const ToolCall& call, std::string_view id, std::string_view signature, JsonWriter& w) {
  RawMembers inner;
  const RawMembers outer = split_function_extras(call.extras, inner);
  w.begin_object();
  w.member("id", id);
  // A call of another type stands in the extras, and there only.
  if (call.custom) {
    w.member("type", "custom");
    w.key("custom");
    w.begin_object();
    w.member("name", call.name);
    w.member("input", input_of_arguments(call.arguments));
    w.end_object();
  } else if (!call.name.empty() || !call.arguments.empty() || call.extras.empty()) {
    w.member("type", "function");
    w.key("function");
    w.begin_object();
    w.member("name", call.name);
    w.member("arguments", call.arguments.empty() ? std::string_view("{}") : std::string_view(call.arguments));
    w.raw_members(inner);
    w.end_object();
  }
  if (!signature.empty()) {
    w.key("extra_content");
    w.begin_object();
    w.key("google");
    w.begin_object();
    w.member("thought_signature", signature);
    w.end_object();
    w.end_object();
  }
  w.raw_members(outer);
  w.end_object();
}

namespace {

// What transformers' server refuses although OpenAI's schema has it, split by whether an answer would be another one without it.
constexpr std::string_view kTransformers = "a server that refuses unknown members (quirk strip_unknown)";

class RequestWriter {
 public:
  RequestWriter(const ChatRequest& request, const Quirks& quirks, const WriteOptions& options, std::string& out,
                std::vector<std::string>& dropped)
      : request_(request), quirks_(quirks), options_(options), w_(out), dropped_(dropped) {}

  Result<void> run(std::string_view model) {
    model_ = model;
    traits_ = traits_of(model);
    if (options_.foreign) {
      if (auto checked = check_foreign_tools(request_, "the chat dialect", dropped_, {}, quirks_.custom_tools); !checked) return checked;
    }
    if (quirks_.kimi_models) kimi_ = kimi_of(model);
    w_.begin_object();
    w_.member("model", model);
    write_messages();
    write_tools();
    write_response_format();
    write_sampling();
    write_words();
    if (options_.prefill && quirks_.prefill_continue) {
      w_.member("add_generation_prompt", false);
      w_.member("continue_final_message", true);
    }
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
    if (!means) add_dropped(dropped_, name);
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
    const ToolIds ids(request_.messages, quirks_.short_tool_ids ? &short_tool_id : nullptr);
    w_.key("messages");
    w_.begin_array();
    Message shown;
    for (size_t i : results_first(request_.messages)) {
      const Message& message = request_.messages[i];
      check_parts(message, i);
      if (message.role != Role::kTool) write_shown(shown);
      if (options_.foreign && message.role == Role::kTool) write_one(without_media(message, ids.result(i), shown), i, ids);
      else write_one(message, i, ids);
    }
    write_shown(shown);
    w_.end_array();
  }

  // A tool's answer is text here. What else it gave is shown by the user, when all tools of the turn have answered.
  static Message without_media(const Message& message, const std::string& id, Message& shown) {
    if (std::none_of(message.parts.begin(), message.parts.end(), is_media)) return message;
    Message text = message;
    text.parts.erase(std::remove_if(text.parts.begin(), text.parts.end(), is_media), text.parts.end());
    if (text.parts.empty()) text.parts.push_back(Part::of_text("(shown below)"));
    shown.parts.push_back(Part::of_text("(given by the tool, call " + id + ")"));
    std::copy_if(message.parts.begin(), message.parts.end(), std::back_inserter(shown.parts), is_media);
    return text;
  }
  void write_shown(Message& shown) {
    if (shown.parts.empty()) return;
    w_.begin_object();
    w_.member("role", "user");
    write_content(shown, {takes_cache(), false, quirks_.document_url}, w_);
    w_.end_object();
    shown.parts.clear();
  }

  // What a part of another dialect has that is not for this server.
  void check_parts(const Message& message, size_t index) {
    size_t i = 0;
    for (const Part& part : message.parts) {
      if (!part.cache.empty() && !takes_cache()) drop("cache_control");
      if (options_.foreign && part.kind == Part::Kind::kOther) refuse(path(path("messages", index, "content"), i), "a part of this type", "the chat dialect");
      if (part.kind == Part::Kind::kAudio && part.data.empty() && part.raw.empty()) {
        refuse(path(path("messages", index, "content"), i), "audio by URL", "the chat dialect");
      }
      if (quirks_.strict_parts && options_.foreign && is_media(part) && part.raw.empty()) check_strictly(part, message.role, path(path("messages", index, "content"), i));
      check_place(part, path(path("messages", index, "content"), i));
      ++i;
    }
  }

  void check_strictly(const Part& part, Role role, const std::string& at) {
    if (role != Role::kUser && role != Role::kTool) return refuse(at, "a picture, sound or file of somebody else than the user", "this vendor");  // a tool's are shown by the user
    if (part.kind == Part::Kind::kAudio && wav_or_mp3(part.mime).empty()) refuse(at, "audio that is neither wav nor mp3", "this vendor");
  }

  // Where a picture or a file is. An id is known to who keeps the file, and there is none for a picture.
  void check_place(const Part& part, const std::string& at) {
    const bool media = part.kind == Part::Kind::kImage || part.kind == Part::Kind::kVideo || part.kind == Part::Kind::kFile;
    if (!media || !part.raw.empty()) return;
    if (!options_.foreign) return;
    if (is_anthropic_file(part.file_id)) return refuse(at, "a file in another vendor's store", "the chat dialect");
    if (!part.file_id.empty() && part.kind != Part::Kind::kFile) return refuse(at, "a picture in a vendor's store", "the chat dialect");
    if (part.url.empty()) return;
    if (!is_common_url(part.url)) return refuse(at, "a file at such a URL", "the chat dialect");
    if (quirks_.inline_media && inline_of(part).data.empty()) return refuse(at, "a picture or file that is not inline", "this vendor");
    if (quirks_.document_url) return;
    if (part.kind == Part::Kind::kFile && inline_of(part).data.empty()) refuse(at, "a file by URL", "the chat dialect");
  }

  bool takes_cache() const noexcept { return quirks_.takes_cache_control || !options_.foreign; }
  void drop(std::string_view name) {
    add_dropped(dropped_, name);
  }
  void refuse(std::string param, std::string_view what, std::string_view target) {
    if (error_.code == ErrorCode::kNone) error_ = cannot_express(std::move(param), what, target);
  }

  // Most servers' chat templates know nobody but the system.
  Role role_of(const Message& message) const noexcept {
    return message.role == Role::kDeveloper && options_.foreign && !quirks_.takes_developer ? Role::kSystem : message.role;
  }

  // A model that thinks wants to see that it did before it called, where it wants to know: an empty thought will do.
  bool owes_thought(const Message& message) const noexcept {
    return not_taken(quirks_.thoughts_with_calls) && !message.tool_calls.empty() && !options_.prefill && effort_of(request_) != "none";
  }

  // As write_reasoning_and_refusal() leaves them out.
  void note_lost_thoughts(const Message& message, bool verbatim) {
    for (const Part& part : message.parts) {
      if (part.kind != Part::Kind::kReasoning || !part.raw.empty() || (part.text.empty() && part.signature.empty())) continue;
      if (verbatim && part.name == "reasoning_details") continue;
      const bool entry = !verbatim && part.maker == kMaker && (quirks_.reasoning_object || !options_.foreign);
      if (quirks_.no_reasoning_back || (is_sealed_thought(part) && !entry)) drop("reasoning");
    }
  }

  void write_one(const Message& message, size_t index, const ToolIds& ids) {
    const bool orphan = message.role == Role::kTool && ids.result(index).empty();
    w_.begin_object();
    w_.member("role", orphan ? std::string_view("function") : role_name(role_of(message)));
    if (!message.name.empty()) {
      if (not_taken(quirks_.no_names)) drop("messages.name");
      else w_.member("name", message.name);
    }
    if (message.role == Role::kTool && !orphan) w_.member("tool_call_id", ids.result(index));
    const bool verbatim = !options_.foreign && has_member(message.extras, "reasoning_details");
    const bool thought =
        write_reasoning_and_refusal(message, !quirks_.no_reasoning_back, !verbatim && (quirks_.reasoning_object || !options_.foreign), verbatim, w_);
    note_lost_thoughts(message, verbatim);
    if (!thought && owes_thought(message)) w_.member("reasoning_content", "");
    write_content(message, {takes_cache(), !options_.foreign, quirks_.document_url}, w_);
    if (!message.tool_calls.empty()) {
      w_.key("tool_calls");
      w_.begin_array();
      for (size_t i = 0; i < message.tool_calls.size(); ++i) write_call(message.tool_calls[i], ids.call(index, i));
      w_.end_array();
    }
    if (!message.audio.empty()) w_.raw_member("audio", message.audio);
    if (!message.annotations.empty()) w_.raw_member("annotations", message.annotations);
    if (!options_.foreign) w_.raw_members(message.extras);
    if (options_.prefill && index + 1 == request_.messages.size()) {
      if (quirks_.prefill_prefix) w_.member("prefix", true);
      if (quirks_.prefill_partial) w_.member("partial", true);
    }
    w_.end_object();
  }

  // Google's own signature goes back to where the dialect's own clients bring it; another maker's never does.
  void write_call(const ToolCall& call, const std::string& id) {
    if (!options_.foreign) return write_tool_call(call, id, call.maker == kSignatureMaker ? std::string_view(call.signature) : std::string_view(), w_);
    ToolCall plain = call;
    plain.extras.clear();
    plain.custom = call.custom && quirks_.custom_tools;
    write_tool_call(plain, id, {}, w_);
  }

  void write_tools() {
    using Kind = ToolChoice::Kind;
    const Kind choice = request_.tool_choice.kind;
    if (options_.foreign && request_.tools.empty() && (choice == Kind::kAuto || choice == Kind::kNone)) return;  // OpenAI refuses a choice of nothing
    if (!request_.tools.empty()) {
      w_.key("tools");
      w_.begin_array();
      for (const Tool& tool : request_.tools) {
        if (kimi_ == Kimi::kEffort && choice == Kind::kNamed && tool.name != request_.tool_choice.name) continue;  // the one there is will be called
        if (tool.raw.empty() || !options_.foreign) write_tool(tool);  // others are other vendors' own
      }
      w_.end_array();
    }
    write_tool_choice();
    if (request_.parallel_tool_calls && !stripped("parallel_tool_calls", false)) optional("parallel_tool_calls", request_.parallel_tool_calls);
  }

  bool forced() const noexcept {
    return request_.tool_choice.kind == ToolChoice::Kind::kRequired || request_.tool_choice.kind == ToolChoice::Kind::kNamed;
  }
  bool as_custom(const Tool& tool) const noexcept { return tool.custom && (!options_.foreign || quirks_.custom_tools); }

  void write_custom_tool(const Tool& tool) {
    w_.member("type", "custom");
    w_.key("custom");
    w_.begin_object();
    w_.member("name", tool.name);
    if (!tool.description.empty()) w_.member("description", tool.description);
    if (!tool.format.empty()) {
      const JsonValue format(tool.format);
      w_.key("format");
      w_.begin_object();
      w_.member("type", "grammar");
      w_.key("grammar");
      w_.begin_object();
      w_.raw_member("syntax", wire::find_member(format, "syntax").raw());
      w_.raw_member("definition", wire::find_member(format, "definition").raw());
      w_.end_object();
      w_.end_object();
    }
    w_.end_object();
  }

  void write_function(const Tool& tool, const RawMembers& inner) {
    w_.member("type", "function");
    w_.key("function");
    w_.begin_object();
    w_.member("name", tool.name);
    if (const std::string words = described(tool); !words.empty()) w_.member("description", words);
    if (!tool.parameters.empty()) w_.raw_member("parameters", tool.parameters);
    optional("strict", tool.strict);
    w_.raw_members(inner);
    w_.end_object();
  }

  void write_tool(const Tool& tool) {
    if (!tool.raw.empty()) return w_.raw(tool.raw);
    RawMembers inner, outer;
    if (!options_.foreign) outer = split_function_extras(tool.extras, inner);
    w_.begin_object();
    if (as_custom(tool)) write_custom_tool(tool);
    else write_function(tool, inner);
    if (!tool.cache.empty() && takes_cache()) w_.raw_member("cache_control", tool.cache);
    else if (!tool.cache.empty()) drop("cache_control");
    w_.raw_members(outer);
    w_.end_object();
  }

  void write_tool_choice() {
    const ToolChoice& choice = request_.tool_choice;
    using Kind = ToolChoice::Kind;
    if (choice.kind == Kind::kUnset) return;
    if (stripped("tool_choice", choice.kind != Kind::kAuto)) return;
    if (kimi_ == Kimi::kAlways && forced()) return refuse("tool_choice", "a call that has to be made", "a model that always thinks");
    if (kimi_ == Kimi::kEffort && choice.kind == Kind::kNamed) return w_.member("tool_choice", "required");
    switch (choice.kind) {
      case Kind::kUnset: return;
      case Kind::kAuto: return w_.member("tool_choice", "auto");
      case Kind::kNone: return w_.member("tool_choice", "none");
      case Kind::kRequired: return w_.member("tool_choice", std::string_view(quirks_.required_is_any ? "any" : "required"));
      case Kind::kRaw:
        if (options_.foreign) return refuse("tool_choice", "this choice", "the chat dialect");
        return w_.raw_member("tool_choice", choice.raw);
      case Kind::kNamed: break;
    }
    const auto named = std::find_if(request_.tools.begin(), request_.tools.end(), [&](const Tool& tool) { return tool.name == choice.name; });
    const std::string_view type = named != request_.tools.end() && as_custom(*named) ? "custom" : "function";
    w_.key("tool_choice");
    w_.begin_object();
    w_.member("type", type);
    w_.key(type);
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
      case Kind::kRaw:
        if (options_.foreign) return refuse("response_format", "this format", "the chat dialect");
        return w_.raw_member("response_format", format.raw);
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
    write_samplers();
    if (request_.top_k) {
      if (quirks_.no_top_k) add_dropped(dropped_, "top_k");
      else if (!stripped("top_k", false)) optional("top_k", request_.top_k);
    }
    optional(quirks_.random_seed ? "random_seed" : "seed", request_.seed);
    if (request_.n && !stripped("n", *request_.n > 1)) optional("n", request_.n);
    if (!request_.stop.empty()) {
      if (options_.foreign && quirks_.most_stops > 0 && request_.stop.size() > quirks_.most_stops) {
        refuse("stop", "more than " + std::to_string(quirks_.most_stops) + " stop sequences", "this vendor");
      }
      w_.key("stop");
      w_.begin_array();
      for (const std::string& word : request_.stop) w_.string(word);
      w_.end_array();
    }
    const bool logprobs = not_taken(quirks_.no_logprobs || (quirks_.thinks_without_samplers && thinks()));
    if (logprobs && request_.logprobs.value_or(false)) drop("logprobs");
    if (logprobs && request_.top_logprobs.value_or(0) > 0) drop("top_logprobs");
    if (!logprobs && request_.logprobs && !stripped("logprobs", *request_.logprobs)) optional("logprobs", request_.logprobs);
    if (!logprobs && request_.top_logprobs && !stripped("top_logprobs", *request_.top_logprobs > 0)) optional("top_logprobs", request_.top_logprobs);
    if (request_.logit_bias.empty()) return;
    if (not_taken(quirks_.no_logit_bias)) drop("logit_bias");
    else w_.raw_member("logit_bias", request_.logit_bias);
  }

  // What a vendor does not take of other dialects' requests.
  bool not_taken(bool quirk) const noexcept { return options_.foreign && quirk; }

  // Will this model think about this request?
  bool thinks() const noexcept { return traits_.thinks_about(effort_of(request_)); }

  void write_samplers() {
    std::optional<double> temperature = request_.temperature;
    if (not_taken(quirks_.temperature_to_1) && temperature && *temperature > 1) {
      temperature = 1.0;
      drop("temperature");
    }
    const bool none = not_taken((quirks_.fixed_samplers && traits_.fixed_samplers) || (quirks_.thinks_without_samplers && thinks()));
    sampler("temperature", temperature, none, 1);
    sampler("top_p", request_.top_p, none, 1);
    sampler("frequency_penalty", request_.frequency_penalty, none, 0);
    if (request_.presence_penalty && !stripped("presence_penalty", false)) sampler("presence_penalty", request_.presence_penalty, none, 0);
  }

  // `usual`: what it is where nothing is said, so that nothing is lost with it.
  void sampler(std::string_view name, const std::optional<double>& value, bool left_out, double usual) {
    if (!left_out) return optional(name, value);
    if (value && *value != usual) drop(name);
  }

  // Hints that servers of this dialect pass over, but for those that refuse what they do not know.
  bool hint(std::string_view name) {
    if (!options_.foreign || !quirks_.strict_members) return true;
    drop(name);
    return false;
  }

  void hint_text(std::string_view name, const std::string& value, bool quirk) {
    if (!not_taken(quirk)) text(name, value);
    else if (!value.empty()) drop(name);
  }

  void write_words() {
    hint_text("user", request_.user, quirks_.no_user);
    write_thinking({request_, quirks_, options_, model_, traits_, kimi_, forced()}, w_, dropped_);
    if (!request_.reasoning_summary.empty()) drop("reasoning_summary");
    if (!request_.verbosity.empty() && hint("verbosity")) text("verbosity", request_.verbosity);
    if (!request_.prompt_cache_key.empty() && hint("prompt_cache_key")) text("prompt_cache_key", request_.prompt_cache_key);
    hint_text("service_tier", request_.service_tier, quirks_.no_service_tier);
    if (request_.metadata.empty() || !hint("metadata")) return;
    bool stored = !options_.foreign || !quirks_.metadata_needs_store;
    for_each_member(request_.extras, [&](const JsonMember& m) { stored = stored || (m.key == "store" && m.value.raw() == "true"); });
    if (stored) raw("metadata", request_.metadata);
    else drop("metadata");
  }

  // What write_thinking() and the marks of a beginning stand in for.
  static bool replaced_by_prefill(std::string_view name) noexcept {
    static constexpr std::string_view kNames[] = {"reasoning", "thinking", "enable_thinking", "thinking_budget", "chat_template_kwargs",
                                                  "add_generation_prompt", "continue_final_message"};
    return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
  }

  void write_extras() {
    if (!options_.foreign && !quirks_.strip_unknown) {
      if (!options_.prefill) return w_.raw_members(request_.extras);
      return for_each_member(request_.extras, [&](const JsonMember& m) {
        if (!replaced_by_prefill(m.key)) w_.raw(m.raw);
      });
    }
    RawMembers others;
    for_each_member(request_.extras, [&](const JsonMember& m) {
      const bool shared = options_.foreign && !quirks_.strip_unknown && !quirks_.strict_members &&
                          ((m.key == "store" && m.value.raw() == "true") || ((m.key == "safety_identifier" || m.key == "prompt_cache_retention") && m.value.is_string()));
      const bool modalities = options_.foreign && m.key == "modalities";
      const bool spoken = modalities && m.value.raw().find("\"audio\"") != std::string_view::npos;
      // Of those who speak this dialect, OpenRouter answers in pictures.
      if (modalities && !spoken && quirks_.reasoning_object) return w_.raw(m.raw);
      if (modalities) refuse("modalities", "an answer in audio or pictures", "the chat dialect");
      if (shared) w_.raw(m.raw);  // the Responses dialect's, which mean the same here
      else add_member(others, m.raw);
    });
    if (options_.foreign) {
      name_inner_extras(request_, {}, dropped_);
      return name_extras(others, dropped_);
    }
    for_each_member(others, [&](const JsonMember& m) { drop(m.key); });
  }

  const ChatRequest& request_;
  const Quirks& quirks_;
  const WriteOptions& options_;
  Kimi kimi_ = Kimi::kNone;
  JsonWriter w_;
  std::vector<std::string>& dropped_;
  std::string_view model_;
  ModelTraits traits_;
  Error error_;
};

}  // namespace

Result<void> write_request(const ChatRequest& request, std::string_view model, const Quirks& quirks, const WriteOptions& options,
                           std::string& out, std::vector<std::string>& dropped) {
  const ForeignParts parts(request, options.foreign, dropped);
  return RequestWriter(parts.request(), quirks, options, out, dropped).run(model);
}

}  // namespace llmrouter::dialects::openai
