// Requests to Bedrock's Converse.
#include <algorithm>
#include <optional>

#include "dialects/anthropic_model.h"
#include "dialects/anthropic_schema.h"
#include "dialects/bedrock.h"
#include "dialects/bedrock_blocks.h"
#include "dialects/bedrock_shape.h"
#include "dialects/custom_tools.h"
#include "dialects/effort.h"
#include "dialects/fields.h"
#include "dialects/foreign_tools.h"
#include "dialects/text_match.h"
#include "llmrouter/dropped.h"

namespace llmrouter::dialects::bedrock {
namespace {

using anthropic::ModelTraits;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::JsonWriter;

// Members of a request that Bedrock has beside the usual ones; a client of any dialect, and a policy, may name them.
constexpr std::string_view kOwnMembers[] = {"guardrailConfig", "performanceConfig", "additionalModelResponseFieldPaths", "promptVariables",
                                            "requestMetadata", "serviceTier"};
constexpr std::string_view kMoreFields = "additionalModelRequestFields";

bool is_own(std::string_view name) noexcept { return std::find(std::begin(kOwnMembers), std::end(kOwnMembers), name) != std::end(kOwnMembers); }

// What may stand in requestMetadata: at most 16 texts of at most 256 plain characters.
bool fits_metadata(JsonValue metadata) {
  size_t count = 0;
  for (const JsonMember& m : JsonMembers(metadata)) {
    std::string scratch;
    const auto text = m.value.string_view(scratch);
    const auto plain = [](char c) { return is_alnum(c) || std::string_view(" :_@$#=/+,-.").find(c) != std::string_view::npos; };
    if (++count > 16 || !text || text->size() > 256 || m.key.size() > 256 || !std::all_of(text->begin(), text->end(), plain) ||
        !std::all_of(m.key.begin(), m.key.end(), plain)) {
      return false;
    }
  }
  return count != 0;
}

class RequestWriter {
 public:
  RequestWriter(const ChatRequest& request, std::string_view model, bool foreign, Shape shape, std::string& out, std::vector<std::string>& dropped)
      : request_(request), shape_(std::move(shape)), family_(family_of(model)), traits_(anthropic::traits_of(model)), foreign_(foreign), w_(out), dropped_(dropped),
        blocks_(request, model, foreign, w_, dropped) {}

  Result<std::string> run() {
    check();
    plan_thinking();
    w_.begin_object();
    blocks_.write_system();
    blocks_.write_messages();
    write_inference();
    write_tools();
    write_format();
    write_tier();
    write_more_fields();
    write_extras();
    w_.end_object();
    if (auto error = blocks_.take_error()) return std::move(*error);
    if (error_.code != ErrorCode::kNone) return std::move(error_);
    return shape_.answer_tool;
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
    drop_if(request_.seed.has_value(), "seed");
    drop_if(request_.frequency_penalty.has_value(), "frequency_penalty");
    drop_if(request_.presence_penalty.has_value(), "presence_penalty");
    drop_if(request_.logprobs.value_or(false), "logprobs");
    drop_if(request_.top_logprobs.value_or(0) > 0, "top_logprobs");
    drop_if(!request_.user.empty(), "user");
    drop_if(!request_.parallel_tool_calls.value_or(true), "parallel_tool_calls");
    drop_if(!request_.verbosity.empty(), "verbosity");
    drop_if(!request_.reasoning_summary.empty(), "reasoning_summary");
    drop_if(!request_.prompt_cache_key.empty(), "prompt_cache_key");
  }

  // --- thinking ---

  bool forced() const noexcept {
    return !shape_.answer_tool.empty() || request_.tool_choice.kind == ToolChoice::Kind::kRequired || request_.tool_choice.kind == ToolChoice::Kind::kNamed;
  }

  // Does the last turn call a tool without the thought that led to it? With a budget Claude refuses that.
  bool lacks_thought() const noexcept {
    for (size_t i = request_.messages.size(); i-- > 0;) {
      const Message& message = request_.messages[i];
      if (message.role != Role::kAssistant) {
        if (message.role == Role::kUser && i + 1 != request_.messages.size()) return false;
        continue;
      }
      if (message.tool_calls.empty()) return false;
      return std::none_of(message.parts.begin(), message.parts.end(), [&](const Part& part) { return blocks_.is_own_thought(part); });
    }
    return false;
  }

  // Claude (and whoever is not known) thinks within a budget or, from 4.6 on, as much as it likes; Nova and gpt-oss know words.
  void plan_thinking() {
    const bool refused = request_.reasoning_effort == "none" || (request_.reasoning && !*request_.reasoning) || request_.reasoning_budget == 0;
    const bool asked = !refused && (request_.reasoning.value_or(false) || request_.reasoning_budget || !request_.reasoning_effort.empty());
    if (!asked) return;
    effort_ = !request_.reasoning_effort.empty() ? std::string_view(request_.reasoning_effort)
              : request_.reasoning_budget        ? effort_of_budget(*request_.reasoning_budget)
                                                 : std::string_view("medium");
    const bool claude = family_ == Family::kClaude || family_ == Family::kUnknown;
    if (!claude) {
      thinks_ = family_ == Family::kNova || family_ == Family::kOpenAi;
      return drop_if(!thinks_, "reasoning_effort");
    }
    using Can = ModelTraits::Thinking;
    adaptive_ = traits_.thinking == Can::kAdaptive || (traits_.thinking == Can::kBoth && !request_.reasoning_budget);
    budget_ = std::max<int64_t>(1024, request_.reasoning_budget.value_or(budget_of_effort(effort_)));
    if (request_.max_tokens && budget_ >= *request_.max_tokens) budget_ = std::max<int64_t>(1024, *request_.max_tokens / 2);
    const bool no_room = !adaptive_ && request_.max_tokens && *request_.max_tokens <= 1024;
    const bool begun = !request_.messages.empty() && request_.messages.back().role == Role::kAssistant;  // an answer to go on from
    thinks_ = traits_.thinking != Can::kNone && !forced() && !begun && !no_room && (adaptive_ || !lacks_thought());
    drop_if(!thinks_, "reasoning_effort");
  }

  std::string_view plain_effort() const noexcept {  // low, medium, high
    if (effort_ == "minimal" || effort_ == "low") return "low";
    return effort_ == "medium" ? std::string_view("medium") : std::string_view("high");
  }

  void write_thinking(JsonWriter& w) const {
    if (!thinks_) return;
    if (family_ == Family::kOpenAi) return w.member("reasoning_effort", plain_effort());
    if (family_ == Family::kNova) {
      w.key("reasoningConfig");
      w.begin_object();
      w.member("type", "enabled");
      w.member("maxReasoningEffort", plain_effort());
      return w.end_object();
    }
    w.key("thinking");
    w.begin_object();
    w.member("type", adaptive_ ? "adaptive" : "enabled");
    if (!adaptive_) w.member("budget_tokens", budget_);
    w.end_object();
  }

  // How hard to think, where no budget says it; empty: nothing to say.
  std::string_view output_effort() const noexcept {
    if (!thinks_ || !adaptive_ || !traits_.effort) return {};
    return effort_ == "xhigh" && traits_.effort_xhigh ? effort_ : effort_ == "max" && traits_.effort_max ? effort_ : plain_effort();
  }

  // --- how ---

  bool is_claude() const noexcept { return family_ == Family::kClaude; }
  bool takes_samplers() const noexcept { return !is_claude() || (!thinks_ && !traits_.no_samplers); }

  void write_inference() {
    std::string text;
    JsonWriter w(text);
    w.begin_object();
    if (request_.max_tokens) w.member("maxTokens", *request_.max_tokens);
    const bool both = is_claude() && traits_.one_sampler && request_.temperature && request_.top_p;
    if (request_.temperature && takes_samplers()) {
      w.member("temperature", std::clamp(*request_.temperature, 0.0, 1.0));
      drop_if(*request_.temperature > 1, "temperature");  // what is left of it is 1
    }
    if (request_.top_p && takes_samplers() && !both) w.member("topP", *request_.top_p);
    drop_if(request_.temperature && !takes_samplers(), "temperature");
    drop_if(request_.top_p && (!takes_samplers() || both), "top_p");
    // Blank ones are refused.
    std::vector<std::string_view> stops;
    for (const std::string& word : request_.stop) {
      if (!trim(word).empty()) stops.push_back(word);
      else drop_if(true, "stop");
    }
    if (!stops.empty()) {
      w.key("stopSequences");
      w.begin_array();
      for (std::string_view word : stops) w.string(word);
      w.end_array();
    }
    w.end_object();
    if (text.size() > 2) w_.raw_member("inferenceConfig", text);
  }

  void write_top_k(JsonWriter& w) {
    if (!request_.top_k) return;
    if (!takes_samplers() || family_ == Family::kOther || family_ == Family::kOpenAi) return drop_if(true, "top_k");
    if (family_ == Family::kNova) {
      w.key("inferenceConfig");
      w.begin_object();
      w.member("topK", *request_.top_k);
      return w.end_object();
    }
    w.member(family_ == Family::kCohere ? "k" : "top_k", *request_.top_k);
  }

  void write_more_fields() {
    std::string text;
    JsonWriter w(text);
    w.begin_object();
    write_thinking(w);
    write_top_k(w);
    for_each_member(request_.extras, [&](const JsonMember& m) {
      if (m.key != kMoreFields) return;
      for (const JsonMember& field : JsonMembers(m.value)) {
        if (!wire::find_member(JsonValue(text + "}"), field.key).exists()) w.raw(field.raw);
      }
    });
    w.end_object();
    if (text.size() > 2) w_.raw_member(kMoreFields, text);
  }

  void write_tier() {
    const std::string& tier = request_.service_tier;
    if (tier == "default" || tier == "priority" || tier == "flex" || tier == "reserved") {
      w_.key("serviceTier");
      w_.begin_object();
      w_.member("type", tier);
      w_.end_object();
    } else {
      drop_if(!tier.empty() && tier != "auto", "service_tier");
    }
    if (request_.metadata.empty()) return;
    if (fits_metadata(JsonValue(request_.metadata))) w_.raw_member("requestMetadata", request_.metadata);
    else drop_if(true, "metadata");
  }

  // --- tools ---

  // There is no "none": without tools nothing can be called, but a history with calls in it needs them.
  void write_tools() {
    const bool history = blocks_.has_calls(), answer = !shape_.answer_tool.empty();
    const bool none = request_.tool_choice.kind == ToolChoice::Kind::kNone;
    const bool shown = !none || history;
    if (!answer && !(shown && (history || !request_.tools.empty()))) return;
    size_t written = 0;
    w_.key("toolConfig");
    w_.begin_object();
    w_.key("tools");
    w_.begin_array();
    for (const Tool& tool : request_.tools) {
      if (!shown || !tool.raw.empty()) continue;
      write_tool(tool);
      ++written;
    }
    if (answer) write_answer_tool();
    else if (written == 0) blocks_.write_tools_of_history();
    w_.end_array();
    drop_if(none && written != 0 && !answer, "tool_choice");
    if (answer) write_answer_choice(written != 0 && !none);
    else if (written != 0) write_tool_choice();
    w_.end_object();
  }

  void write_answer_tool() {
    const std::string& said = request_.response_format.description;
    write_spec(shape_.answer_tool, trim(said).empty() ? std::string_view("Gives the final answer, in this form.") : std::string_view(said), shape_.answer_schema, false);
  }

  // Mistral's models take no tool by its name.
  void write_answer_choice(bool others) {
    if (others || family_ == Family::kMistral) w_.raw_member("toolChoice", R"({"any":{}})");
    else write_choice_of(shape_.answer_tool);
  }

  void write_tool_choice() {
    using Kind = ToolChoice::Kind;
    const ToolChoice& choice = request_.tool_choice;
    switch (choice.kind) {
      case Kind::kAuto: return w_.raw_member("toolChoice", R"({"auto":{}})");
      case Kind::kRequired: return w_.raw_member("toolChoice", R"({"any":{}})");
      case Kind::kNamed: return write_choice_of(choice.name);
      default: return;
    }
  }

  void write_choice_of(std::string_view name) {
    w_.key("toolChoice");
    w_.begin_object();
    w_.key("tool");
    w_.begin_object();
    w_.member("name", name);
    w_.end_object();
    w_.end_object();
  }

  // Strict schemas have to be closed, and have no measures.
  void write_tool(const Tool& tool) {
    constexpr std::string_view kNoParameters = R"({"type":"object","properties":{}})";
    const std::string_view parameters = tool.parameters.empty() ? kNoParameters : std::string_view(tool.parameters);
    std::string closed;
    const bool strict = tool.strict.value_or(false) && shape_.strict_tools && anthropic::append_output_schema(parameters, closed);
    drop_if(tool.strict.value_or(false) && !strict, "strict");
    write_spec(tool.name, described(tool), strict ? std::string_view(closed) : parameters, strict);
    blocks_.write_cache_point(tool.cache);
  }

  void write_spec(std::string_view name, std::string_view description, std::string_view schema, bool strict) {
    w_.begin_object();
    w_.key("toolSpec");
    w_.begin_object();
    w_.member("name", name);
    if (!trim(description).empty()) w_.member("description", description);
    w_.key("inputSchema");
    w_.begin_object();
    w_.raw_member("json", schema);
    w_.end_object();
    if (strict) w_.member("strict", true);
    w_.end_object();
    w_.end_object();
  }

  void write_format() {
    const std::string_view effort = output_effort();
    if (shape_.schema.empty() && effort.empty()) return;
    w_.key("outputConfig");
    w_.begin_object();
    if (!effort.empty()) w_.member("effort", effort);
    if (!shape_.schema.empty()) write_schema(shape_.schema);
    w_.end_object();
  }

  void write_schema(const std::string& schema) {
    const ResponseFormat& format = request_.response_format;
    w_.key("textFormat");
    w_.begin_object();
    w_.member("type", "json_schema");
    w_.key("structure");
    w_.begin_object();
    w_.key("jsonSchema");
    w_.begin_object();
    w_.member("schema", schema);  // as a text
    if (!format.name.empty()) w_.member("name", format.name);
    if (!format.description.empty()) w_.member("description", format.description);
    w_.end_object();
    w_.end_object();
    w_.end_object();
  }

  void write_extras() {
    RawMembers others;
    for_each_member(request_.extras, [&](const JsonMember& m) {
      if (m.key == "modalities" && m.value.raw().find("\"audio\"") != std::string_view::npos) {
        fail(cannot_express("modalities", "an answer in audio", kTarget));
      }
      if (m.key == kMoreFields) return;
      const bool said = (m.key == "serviceTier" && !request_.service_tier.empty()) || (m.key == "requestMetadata" && !request_.metadata.empty());
      if (!said && (is_own(m.key) || !foreign_)) w_.raw(m.raw);
      else add_member(others, m.raw);
    });
    name_extras(others, dropped_);
    if (foreign_) name_inner_extras(request_, {"citations"}, dropped_);
  }

  const ChatRequest& request_;
  const Shape shape_;
  const Family family_;
  const ModelTraits traits_;
  const bool foreign_;
  JsonWriter w_;
  std::vector<std::string>& dropped_;
  BlockWriter blocks_;
  bool thinks_ = false, adaptive_ = false;
  int64_t budget_ = 0;
  std::string_view effort_;
  Error error_;
};

}  // namespace

Result<std::string> write_request(const ChatRequest& request, std::string_view model, bool foreign, std::string& out, std::vector<std::string>& dropped) {
  const ForeignParts parts(request, foreign, dropped);
  auto shape = shape_of(parts.request(), model);
  if (!shape) return std::move(shape).error();
  return RequestWriter(parts.request(), model, foreign, std::move(*shape), out, dropped).run();
}

}  // namespace llmrouter::dialects::bedrock
