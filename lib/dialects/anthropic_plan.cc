#include "dialects/anthropic_plan.h"

#include <algorithm>

#include "dialects/anthropic.h"
#include "dialects/anthropic_schema.h"
#include "dialects/effort.h"
#include "dialects/fields.h"
#include "dialects/text_match.h"
#include "llmrouter/dropped.h"

namespace llmrouter::dialects::anthropic {
namespace {

using wire::find_member;
using wire::JsonValue;

constexpr int64_t kSmallestBudget = 1024;  // what the vendor takes
constexpr int64_t kUsualBudget = 4096;     // for "think" without a word on how much
constexpr int64_t kRoomForAnswer = 4096;   // beside the thoughts, when the caller sets no bound
constexpr std::string_view kAnyObject = R"({"type":"object","properties":{},"additionalProperties":true})";

// Of the conversation's last turn: would thinking with a budget be refused, since a call stands there without the thought that led to it?
bool lacks_thought(const std::vector<Message>& messages) {
  bool assistant_seen = false;
  for (size_t i = messages.size(); i-- > 0;) {
    const Message& message = messages[i];
    if (message.role == Role::kUser && assistant_seen) return false;
    if (message.role != Role::kAssistant) continue;
    assistant_seen = true;
    if (message.tool_calls.empty()) return false;
    if (std::none_of(message.parts.begin(), message.parts.end(), is_own_thought)) return true;
  }
  return false;
}

class Planner {
 public:
  Planner(const ChatRequest& request, std::string_view model, bool foreign, bool schemas, std::vector<std::string>& dropped)
      : request_(request), foreign_(foreign), dropped_(dropped) {
    plan_.traits = traits_of(model);
    plan_.traits.schema = plan_.traits.schema && schemas;
  }

  Result<Plan> run() {
    if (auto shaped = shape_answer(); !shaped) return std::move(shaped).error();
    plan_thinking();
    plan_effort();
    plan_room();
    return std::move(plan_);
  }

 private:
  // The name under which the caller asked for thoughts.
  std::string_view asked_as() const noexcept {
    if (!request_.reasoning_effort.empty()) return "reasoning_effort";
    return request_.reasoning_budget ? "reasoning_budget" : "thinking";
  }

  // A client of this dialect spoke of effort and not of thinking: see anthropic_read.cc.
  bool effort_alone() const {
    bool alone = false;
    if (!foreign_) {
      for_each_member(request_.extras, [&](const wire::JsonMember& m) { alone = alone || (m.key == "output_config" && find_member(m.value, "effort").exists()); });
    }
    return alone;
  }

  bool refused() const noexcept {
    return request_.reasoning_effort == "none" || (request_.reasoning && !*request_.reasoning) || request_.reasoning_budget == 0;
  }
  bool asked() const {
    if (refused()) return false;
    return request_.reasoning.value_or(false) || request_.reasoning_budget || (!request_.reasoning_effort.empty() && !effort_alone());
  }
  bool forced() const noexcept {
    return !plan_.answer_tool.empty() || request_.tool_choice.kind == ToolChoice::Kind::kRequired ||
           request_.tool_choice.kind == ToolChoice::Kind::kNamed;
  }

  void plan_thinking() {
    using Can = ModelTraits::Thinking;
    const Can can = plan_.traits.thinking;
    if (refused()) {
      // Unsaid is off; who said so in this dialect is quoted, where it is not an error.
      if (!foreign_ && request_.reasoning == false && can != Can::kAdaptive) plan_.thinking = Plan::Thinking::kDisabled;
      return;
    }
    if (!asked()) return;
    const bool adaptive = can == Can::kAdaptive || (can == Can::kBoth && !request_.reasoning_budget);
    const bool prefilled = !request_.messages.empty() && request_.messages.back().role == Role::kAssistant;
    // Adaptive thinking bears turns without their thoughts; a budget does not.
    if (can == Can::kNone || forced() || prefilled || (!adaptive && (lacks_thought(request_.messages) || !budget()))) {
      return add_dropped(dropped_, asked_as());
    }
    plan_.thinking = adaptive ? Plan::Thinking::kAdaptive : Plan::Thinking::kBudget;
  }

  // False: no room for it below max_tokens.
  bool budget() {
    int64_t wanted = kUsualBudget;
    if (request_.reasoning_budget && *request_.reasoning_budget > 0) wanted = *request_.reasoning_budget;
    else if (!request_.reasoning_effort.empty()) wanted = budget_of_effort(request_.reasoning_effort);
    wanted = std::max(wanted, kSmallestBudget);
    if (request_.max_tokens) {
      if (*request_.max_tokens <= kSmallestBudget) return false;
      // Elsewhere the bound holds for thoughts and answer together: both get some of it.
      if (wanted >= *request_.max_tokens) wanted = std::max(kSmallestBudget, *request_.max_tokens / 2);
    }
    plan_.budget = wanted;
    return true;
  }

  void plan_effort() {
    std::string_view effort = request_.reasoning_effort;
    if (effort.empty() && plan_.thinking == Plan::Thinking::kAdaptive && request_.reasoning_budget) effort = effort_of_budget(*request_.reasoning_budget);
    if (effort.empty() || effort == "none") return;
    if (!plan_.traits.effort) {
      if (plan_.thinking != Plan::Thinking::kBudget || request_.reasoning_budget) add_dropped(dropped_, "reasoning_effort");
      return;
    }
    if (effort == "minimal") effort = "low";
    if (effort == "xhigh" && !plan_.traits.effort_xhigh) effort = "high";
    if (effort == "max" && !plan_.traits.effort_max) effort = "high";
    plan_.effort = effort;
  }

  void plan_room() {
    plan_.max_tokens = plan_.traits.max_tokens;
    if (plan_.thinking == Plan::Thinking::kBudget) plan_.max_tokens = std::max(plan_.max_tokens, plan_.budget + kRoomForAnswer);
    if (request_.max_tokens) plan_.max_tokens = *request_.max_tokens;
  }

  Result<void> shape_answer() {
    const ResponseFormat& format = request_.response_format;
    using Kind = ResponseFormat::Kind;
    switch (format.kind) {
      case Kind::kUnset:
      case Kind::kText: return {};
      case Kind::kJsonObject: return use_tool(kAnyObject);
      case Kind::kJsonSchema: return use_schema(format.schema);
      case Kind::kRaw: break;
    }
    const JsonValue raw(format.raw);
    JsonValue schema = find_member(raw, "schema");
    if (!schema.is_object()) schema = wire::find(raw, "json_schema", "schema");
    if (schema.is_object()) return use_schema(schema.raw());
    if (foreign_) return cannot_express("response_format", "this format", "Anthropic's dialect");
    plan_.raw_format = format.raw;
    return {};
  }

  Result<void> use_schema(std::string_view schema) {
    if (!wire::validate(schema)) return wrong_value("response_format", "a JSON schema");
    if (plan_.traits.schema && append_output_schema(schema, plan_.output_schema)) return {};
    if (!find_member(JsonValue(schema), "type").equals("object")) {
      return cannot_express("response_format", "a schema whose root is no object", "this model");
    }
    return use_tool(schema);
  }

  // Older models have no structured output, but their tools' inputs follow a schema: the answer is the input of a tool that has to be called.
  Result<void> use_tool(std::string_view schema) {
    const ToolChoice::Kind choice = request_.tool_choice.kind;
    if (!request_.tools.empty() && (choice == ToolChoice::Kind::kRequired || choice == ToolChoice::Kind::kNamed)) return {};
    plan_.answer_tool = answer_tool_name(request_);
    plan_.answer_schema = schema;
    return {};
  }

  const ChatRequest& request_;
  const bool foreign_;
  std::vector<std::string>& dropped_;
  Plan plan_;
};

}  // namespace

bool is_own_thought(const Part& part) noexcept {
  return part.kind == Part::Kind::kReasoning && part.maker == kMaker && !part.signature.empty();
}

std::string answer_tool_name(const ChatRequest& request) {
  std::string name;
  for (char c : request.response_format.name) name += is_alnum(c) || c == '_' || c == '-' ? c : '_';
  name.resize(std::min<size_t>(name.size(), 48));
  if (name.empty()) name = "answer";
  while (std::any_of(request.tools.begin(), request.tools.end(), [&](const Tool& tool) { return tool.name == name; })) name += "_";
  return name;
}

Result<Plan> make_plan(const ChatRequest& request, std::string_view model, bool foreign, bool schemas, std::vector<std::string>& dropped) {
  return Planner(request, model, foreign, schemas, dropped).run();
}

}  // namespace llmrouter::dialects::anthropic
