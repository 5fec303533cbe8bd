// A ChatRequest as a request body.
#include <algorithm>

#include "dialects/anthropic.h"
#include "dialects/anthropic_blocks.h"
#include "dialects/anthropic_plan.h"
#include "dialects/anthropic_schema.h"
#include "dialects/custom_tools.h"
#include "dialects/fields.h"
#include "dialects/foreign_tools.h"
#include "dialects/media.h"
#include "dialects/text_match.h"
#include "dialects/tool_ids.h"
#include "llmrouter/dropped.h"

namespace llmrouter::dialects::anthropic {
namespace {

using wire::find_member;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::JsonWriter;

constexpr std::string_view kNoParameters = R"({"type":"object","properties":{}})";

// Tool ids are letters, digits, `_` and `-` here; others' ("functions.f:0") are spelt in them, each in one way.
std::string spell_tool_id(std::string_view id) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (char c : id) {
    if (is_alnum(c) || c == '_' || c == '-') {
      out += c;
    } else {
      out += '_';
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[static_cast<unsigned char>(c) & 15];
    }
  }
  return out;
}

// The schema with a type, which is required.
std::string input_schema(std::string_view schema) {
  const JsonValue value(schema);
  if (!value.is_object() || value.empty_container()) return std::string(kNoParameters);
  if (find_member(value, "type").exists()) return std::string(value.raw());
  return "{\"type\":\"object\"," + std::string(value.raw().substr(1));
}

// Consecutive messages that become one.
struct Turn {
  enum class Kind { kUser, kAssistant, kSystem } kind = Kind::kUser;
  std::vector<size_t> messages;
};

class RequestWriter {
 public:
  RequestWriter(const ChatRequest& request, std::string_view model, const WriteOptions& options, Plan plan, std::string& out,
                std::vector<std::string>& dropped)
      : request_(request), options_(options), plan_(std::move(plan)), w_(out), dropped_(dropped),
        blocks_(options.foreign, find_ci(model, "claude") != std::string_view::npos, options.in_google, w_, dropped), ids_(request.messages, &spell_tool_id) {}

  Result<Written> run(std::string_view model) {
    check();
    w_.begin_object();
    if (!options_.version.empty()) w_.member("anthropic_version", options_.version);
    if (options_.model) w_.member("model", model);
    if (!options_.count) w_.member("max_tokens", plan_.max_tokens);
    gather();
    write_system();
    write_messages();
    write_tools();
    if (!options_.count) write_samplers();
    write_thinking();
    if (!options_.count) write_metadata();
    if (options_.stream) w_.member("stream", true);
    write_extras();
    w_.end_object();
    if (!blocks_.ok()) return blocks_.take_error();
    return Written{plan_.answer_tool, blocks_.names_files()};
  }

 private:
  void name(std::string_view dropped) { add_dropped(dropped_, dropped); }

  void check() {
    if (options_.foreign) {
      if (auto checked = check_foreign_tools(request_, kTarget, dropped_); !checked) blocks_.fail(std::move(checked).error());
      if (request_.tool_choice.kind == ToolChoice::Kind::kRaw) blocks_.fail(cannot_express("tool_choice", "this choice", kTarget));
    }
    if (request_.n.value_or(1) > 1) blocks_.fail(cannot_express("n", "more than one choice", kTarget));
    if (request_.frequency_penalty) name("frequency_penalty");
    if (request_.presence_penalty) name("presence_penalty");
    if (request_.seed) name("seed");
    if (request_.logprobs.value_or(false)) name("logprobs");
    if (request_.top_logprobs.value_or(0) > 0) name("top_logprobs");
    if (!request_.logit_bias.empty()) name("logit_bias");
    if (!request_.verbosity.empty()) name("verbosity");
    // Thoughts are told in short where there are any; how short nobody can ask.
    if (!request_.reasoning_summary.empty() && (request_.reasoning_summary != "auto" || !plan_.thinks())) name("reasoning_summary");
    if (!request_.prompt_cache_key.empty()) name("prompt_cache_key");
    if (!request_.metadata.empty()) name("metadata");
  }

  // --- messages ---

  // A system message that a client of this dialect put between the others stays there.
  bool stays(const Message& message) const {
    bool marked = false;
    if (!options_.foreign) for_each_member(message.extras, [&](const JsonMember& m) { marked = marked || m.key == "role"; });
    return marked;
  }

  bool says_something(const Message& message) const {
    if (message.role == Role::kTool || !message.tool_calls.empty()) return true;
    return std::any_of(message.parts.begin(), message.parts.end(), [&](const Part& part) { return blocks_.writes(part); });
  }

  void gather() {
    for (size_t i = 0; i < request_.messages.size(); ++i) {
      const Message& message = request_.messages[i];
      const bool system = message.role == Role::kSystem || message.role == Role::kDeveloper;
      if (system && !stays(message)) {
        system_.push_back(i);
        continue;
      }
      if (!says_something(message)) {
        note_lost_thoughts(message);
        continue;
      }
      const Turn::Kind kind = system ? Turn::Kind::kSystem : message.role == Role::kAssistant ? Turn::Kind::kAssistant : Turn::Kind::kUser;
      if (turns_.empty() || turns_.back().kind != kind || system) turns_.push_back({kind, {}});
      turns_.back().messages.push_back(i);
    }
    // A conversation of instructions alone: they are what the user says.
    if (!turns_.empty()) return;
    for (size_t i : system_) {
      if (says_something(request_.messages[i])) turns_.push_back({Turn::Kind::kUser, {i}});
    }
    system_.clear();
    if (turns_.size() > 1) {
      for (size_t i = 1; i < turns_.size(); ++i) turns_[0].messages.push_back(turns_[i].messages[0]);
      turns_.resize(1);
    }
    if (turns_.empty()) blocks_.fail(wrong_value("messages", "a conversation in which something is said"));
  }

  void note_lost_thoughts(const Message& message) {
    for (const Part& part : message.parts) {
      if (part.kind == Part::Kind::kReasoning && !blocks_.writes(part)) name("reasoning");
    }
  }

  static std::string where(size_t message, size_t part) { return path(path("messages", message, "content"), part); }

  void write_system() {
    std::vector<std::pair<const Part*, std::string>> parts;
    for (size_t i : system_) {
      const Message& message = request_.messages[i];
      for (size_t p = 0; p < message.parts.size(); ++p) {
        const Part& part = message.parts[p];
        if (!blocks_.writes(part)) continue;
        if (part.kind != Part::Kind::kText) blocks_.fail(cannot_express(where(i, p), "anything but text in a system message", kTarget));
        parts.emplace_back(&part, where(i, p));
      }
      write_message_extras(message);
    }
    if (parts.empty()) return;
    w_.key("system");
    const Part& first = *parts.front().first;
    if (parts.size() == 1 && first.cache.empty() && first.extras.empty()) return w_.string(first.text);
    w_.begin_array();
    for (const auto& [part, at] : parts) blocks_.write(*part, at);
    w_.end_array();
  }

  void write_messages() {
    w_.key("messages");
    w_.begin_array();
    for (const Turn& turn : turns_) {
      const bool last = &turn == &turns_.back();
      w_.begin_object();
      w_.member("role", turn.kind == Turn::Kind::kAssistant ? "assistant" : turn.kind == Turn::Kind::kSystem ? "system" : "user");
      w_.key("content");
      if (turn.kind == Turn::Kind::kAssistant) write_assistant(turn, last);
      else write_user(turn);
      const Message& only = request_.messages[turn.messages.front()];
      if (!options_.foreign && turn.messages.size() == 1 && only.role != Role::kTool) {
        for_each_member(only.extras, [&](const JsonMember& m) {
          if (m.key != "role") w_.raw(m.raw);
        });
      }
      w_.end_object();
      for (size_t i : turn.messages) write_message_extras(request_.messages[i]);
    }
    w_.end_array();
  }

  // What other dialects say of a message beside its content has no place.
  void write_message_extras(const Message& message) {
    if (!message.name.empty() && message.role != Role::kTool) name("messages.name");
    if (!message.annotations.empty()) name("messages.annotations");
    if (message.role != Role::kTool && options_.foreign) for_each_member(message.extras, [&](const JsonMember& m) { name_member("messages.", m, {}, dropped_); });
  }

  // Results first; the vendor wants them there.
  void write_user(const Turn& turn) {
    if (turn.messages.size() == 1 && request_.messages[turn.messages[0]].role != Role::kTool) {
      const size_t only = turn.messages[0];
      return blocks_.write_content(request_.messages[only].parts, path("messages", only, "content"));
    }
    w_.begin_array();
    for (size_t i : turn.messages) {
      if (request_.messages[i].role == Role::kTool) write_result(request_.messages[i], i);
    }
    for (size_t i : turn.messages) {
      const Message& message = request_.messages[i];
      if (message.role == Role::kTool) continue;
      for (size_t p = 0; p < message.parts.size(); ++p) {
        if (blocks_.writes(message.parts[p])) blocks_.write(message.parts[p], where(i, p));
      }
    }
    w_.end_array();
  }

  void write_result(const Message& message, size_t index) {
    const std::string& id = ids_.result(index);
    if (id.empty()) blocks_.fail(missing(path("messages", index, "tool_call_id"), "the id of a call before it"));
    w_.begin_object();
    w_.member("type", "tool_result");
    w_.member("tool_use_id", id);
    std::vector<Part> parts = message.parts;
    std::string mark;
    if (!parts.empty()) mark.swap(parts.back().cache);
    if (says_something(parts)) {
      w_.key("content");
      blocks_.write_content(parts, path("messages", index, "content"));
    }
    if (message.tool_error) w_.member("is_error", true);
    blocks_.write_cache(mark);
    blocks_.write_extras(message.extras, "messages.");
    w_.end_object();
  }

  bool says_something(const std::vector<Part>& parts) const {
    return std::any_of(parts.begin(), parts.end(), [&](const Part& part) { return blocks_.writes(part); });
  }

  // The vendor's models answer with words and calls.
  void check_answer(size_t index) {
    const std::vector<Part>& parts = request_.messages[index].parts;
    for (size_t p = 0; p < parts.size(); ++p) {
      if (options_.foreign && is_media(parts[p])) blocks_.fail(cannot_express(where(index, p), "a picture, sound or file in an answer", kTarget));
    }
  }

  void write_assistant(const Turn& turn, bool last) {
    for (size_t i : turn.messages) check_answer(i);
    const Message& final = request_.messages[turn.messages.back()];
    const Part* end = nullptr;  // what the answer is to go on from
    if (last && final.tool_calls.empty()) {
      for (const Part& part : final.parts) {
        if (blocks_.writes(part)) end = &part;
      }
    }
    const bool plain = turn.messages.size() == 1 && end == nullptr && final.tool_calls.empty();
    if (plain) {
      note_lost_thoughts(final);
      return blocks_.write_content(final.parts, path("messages", turn.messages[0], "content"));
    }
    w_.begin_array();
    for (size_t i : turn.messages) {
      const Message& message = request_.messages[i];
      note_lost_thoughts(message);
      if (!message.audio.empty()) blocks_.fail(cannot_express(path("messages", i, "audio"), "a spoken answer", kTarget));
      for (size_t p = 0; p < message.parts.size(); ++p) {
        if (blocks_.writes(message.parts[p])) blocks_.write(message.parts[p], where(i, p), &message.parts[p] == end);
      }
      for (size_t c = 0; c < message.tool_calls.size(); ++c) write_call(message.tool_calls[c], i, c);
    }
    w_.end_array();
  }

  void write_call(const ToolCall& call, size_t message, size_t index) {
    if (call.name.empty()) {
      blocks_.fail(cannot_express(path(path("messages", message, "tool_calls"), index), "a call that is no function", kTarget));
    }
    w_.begin_object();
    w_.member("type", "tool_use");
    w_.member("id", ids_.call(message, index));
    w_.member("name", call.name);
    w_.raw_member("input", arguments_object(call.arguments));
    blocks_.write_extras(call.extras, "messages.tool_calls.");
    w_.end_object();
  }

  // --- tools ---

  void write_tools() {
    size_t written = 0;
    for (const Tool& tool : request_.tools) {
      if (tool.raw.empty() || !options_.foreign) ++written;
    }
    if (written == 0 && plan_.answer_tool.empty()) return;
    w_.key("tools");
    w_.begin_array();
    for (const Tool& tool : request_.tools) {
      if (tool.raw.empty()) write_tool(tool);
      else if (!options_.foreign) w_.raw(tool.raw);
    }
    if (!plan_.answer_tool.empty()) write_answer_tool();
    w_.end_array();
    write_tool_choice(written != 0);
  }

  void write_tool(const Tool& tool) {
    std::string schema;
    bool strict = tool.strict.value_or(false);
    if (strict && options_.foreign && !(plan_.traits.schema && append_output_schema(input_schema(tool.parameters), schema))) {
      strict = false;
      name("tools.strict");
    }
    if (schema.empty()) schema = input_schema(tool.parameters);
    w_.begin_object();
    w_.member("name", tool.name);
    if (const std::string words = described(tool); !words.empty()) w_.member("description", words);
    w_.raw_member("input_schema", schema);
    if (strict || (tool.strict && !options_.foreign)) w_.member("strict", strict);
    blocks_.write_cache(tool.cache);
    blocks_.write_extras(tool.extras, "tools.");
    w_.end_object();
  }

  void write_answer_tool() {
    const std::string& said = request_.response_format.description;
    w_.begin_object();
    w_.member("name", plan_.answer_tool);
    w_.member("description", said.empty() ? std::string_view("Gives the final answer, in this form.") : std::string_view(said));
    w_.raw_member("input_schema", plan_.answer_schema);
    w_.end_object();
  }

  void write_tool_choice(bool has_tools) {
    using Kind = ToolChoice::Kind;
    const ToolChoice& choice = request_.tool_choice;
    std::optional<bool> parallel = request_.parallel_tool_calls;
    std::string_view type, tool;
    if (!plan_.answer_tool.empty()) {
      const bool others = has_tools && choice.kind != Kind::kNone;
      type = others ? "any" : "tool";
      if (!others) {
        tool = plan_.answer_tool;
        parallel = false;
      }
    } else {
      switch (choice.kind) {
        case Kind::kUnset:
          if (parallel.value_or(true)) return;
          [[fallthrough]];
        case Kind::kAuto: type = "auto"; break;
        case Kind::kNone: type = "none"; break;
        case Kind::kRequired: type = "any"; break;
        case Kind::kNamed:
          type = "tool";
          tool = choice.name;
          break;
        case Kind::kRaw:
          return w_.raw_member("tool_choice", choice.raw);
      }
    }
    w_.key("tool_choice");
    w_.begin_object();
    w_.member("type", type);
    if (!tool.empty()) w_.member("name", tool);
    if (parallel && type != "none") w_.member("disable_parallel_tool_use", !*parallel);
    w_.end_object();
  }

  // --- the rest ---

  void write_samplers() {
    std::optional<double> temperature = request_.temperature, top_p = request_.top_p;
    std::optional<int64_t> top_k = request_.top_k;
    const auto leave_out = [&](auto& value, std::string_view called) {
      if (value) name(called);
      value.reset();
    };
    if (temperature && (*temperature > 1 || *temperature < 0)) {
      temperature = *temperature > 1 ? 1.0 : 0.0;
      name("temperature");
    }
    if (plan_.traits.no_samplers || (plan_.thinks() && temperature != 1.0)) leave_out(temperature, "temperature");
    if (plan_.traits.no_samplers || (plan_.thinks() && top_p.value_or(1) < 0.95)) leave_out(top_p, "top_p");
    if (plan_.traits.no_samplers || plan_.thinks()) leave_out(top_k, "top_k");
    if (plan_.traits.one_sampler && temperature) leave_out(top_p, "top_p");
    if (temperature) w_.member("temperature", *temperature);
    if (top_p) w_.member("top_p", *top_p);
    if (top_k) w_.member("top_k", *top_k);
    write_stop();
  }

  void write_stop() {
    std::vector<std::string_view> words;
    for (const std::string& word : request_.stop) {
      if (trim(word).empty()) name("stop");
      else words.push_back(word);
    }
    if (words.empty()) return;
    w_.key("stop_sequences");
    w_.begin_array();
    for (std::string_view word : words) w_.string(word);
    w_.end_array();
  }

  // The inside of a member of the extras that is an object: `thinking`, `output_config`, `metadata`, beside what has fields.
  RawMembers rest_of(std::string_view member, std::initializer_list<std::string_view> without = {}) const {
    RawMembers inner;
    if (options_.foreign) return inner;
    for_each_member(request_.extras, [&](const JsonMember& m) {
      if (m.key != member || !m.value.is_object()) return;
      for (const JsonMember& deep : JsonMembers(m.value)) {
        if (std::find(without.begin(), without.end(), deep.key) == without.end()) add_member(inner, deep.raw);
      }
    });
    return inner;
  }

  void write_thinking() {
    const RawMembers more = rest_of("thinking", {"type", "budget_tokens"});
    if (plan_.thinking != Plan::Thinking::kUnsaid) {
      w_.key("thinking");
      w_.begin_object();
      const bool budget = plan_.thinking == Plan::Thinking::kBudget;
      w_.member("type", budget ? "enabled" : plan_.thinking == Plan::Thinking::kAdaptive ? "adaptive" : "disabled");
      if (budget) w_.member("budget_tokens", plan_.budget);
      w_.raw_members(more);
      // The latest keep their thoughts to themselves unless asked; other dialects' clients expect to see them.
      const bool hidden = plan_.traits.thinking == ModelTraits::Thinking::kAdaptive;
      if (hidden && plan_.thinks() && (options_.foreign || !request_.reasoning_summary.empty()) && more.empty()) w_.member("display", "summarized");
      w_.end_object();
    }
    write_output_config();
  }

  void write_output_config() {
    const RawMembers more = rest_of("output_config", {"effort", "format"});
    const bool format = !plan_.output_schema.empty() || !plan_.raw_format.empty();
    if (plan_.effort.empty() && !format && more.empty()) return;
    w_.key("output_config");
    w_.begin_object();
    if (!plan_.effort.empty()) w_.member("effort", plan_.effort);
    if (!plan_.output_schema.empty()) {
      w_.key("format");
      w_.begin_object();
      w_.member("type", "json_schema");
      w_.raw_member("schema", plan_.output_schema);
      w_.end_object();
    } else if (format) {
      w_.raw_member("format", plan_.raw_format);
    }
    w_.raw_members(more);
    w_.end_object();
  }

  void write_metadata() {
    const RawMembers more = rest_of("metadata", {"user_id"});
    if (!request_.user.empty() || !more.empty()) {
      w_.key("metadata");
      w_.begin_object();
      if (!request_.user.empty()) w_.member("user_id", request_.user);
      w_.raw_members(more);
      w_.end_object();
    }
    if (request_.service_tier == "auto") w_.member("service_tier", "auto");
    else if (request_.service_tier == "default") w_.member("service_tier", "standard_only");
    else if (!request_.service_tier.empty()) name("service_tier");
  }

  void write_extras() {
    for_each_member(request_.extras, [&](const JsonMember& m) {
      if (m.key == "modalities" && m.value.raw().find("\"audio\"") != std::string_view::npos) {
        blocks_.fail(cannot_express("modalities", "an answer in audio", kTarget));
      }
      if (!options_.foreign && m.key != "thinking" && m.key != "output_config" && m.key != "metadata") w_.raw(m.raw);
    });
    if (options_.foreign) name_extras(request_.extras, dropped_);
  }

  const ChatRequest& request_;
  const WriteOptions& options_;
  const Plan plan_;
  JsonWriter w_;
  std::vector<std::string>& dropped_;
  BlockWriter blocks_;
  const ToolIds ids_;
  std::vector<size_t> system_;
  std::vector<Turn> turns_;
};

}  // namespace

Result<Written> write_request(const ChatRequest& request, std::string_view model, const WriteOptions& options, std::string& out,
                              std::vector<std::string>& dropped) {
  const ForeignParts parts(request, options.foreign, dropped);
  auto plan = make_plan(parts.request(), model, options.foreign, !options.in_google, dropped);
  if (!plan) return std::move(plan).error();
  return RequestWriter(parts.request(), model, options, std::move(*plan), out, dropped).run(model);
}

}  // namespace llmrouter::dialects::anthropic
