#include "dialects/bedrock_shape.h"

#include "dialects/anthropic_model.h"
#include "dialects/anthropic_plan.h"
#include "dialects/anthropic_schema.h"
#include "dialects/bedrock.h"
#include "dialects/bedrock_blocks.h"
#include "dialects/fields.h"
#include "dialects/text_match.h"

namespace llmrouter::dialects::bedrock {
namespace {

using wire::JsonValue;

constexpr std::string_view kAnyObject = R"({"type":"object","properties":{},"additionalProperties":true})";

enum class Way { kSchema, kTool, kNone };

bool has(std::string_view model, std::string_view part) noexcept { return find_ci(model, part) != std::string_view::npos; }

// Sources: Amazon's pages on structured output and on ToolChoice, autumn 2026. A tool can be forced at Claude, Nova and Mistral only. What is not known (an ARN
// that names no model) may have structured output.
Way way_of(std::string_view model) noexcept {
  switch (family_of(model)) {
    case Family::kClaude: return anthropic::traits_of(model).schema && !has(model, "opus-4-1") ? Way::kSchema : Way::kTool;
    case Family::kNova: return Way::kTool;
    case Family::kMistral: return has(model, "large-3") || has(model, "ministral") || has(model, "magistral") || has(model, "voxtral") ? Way::kSchema : Way::kTool;
    case Family::kCohere: return Way::kNone;
    case Family::kOther:
      return has(model, "meta.") || has(model, "amazon.") || has(model, "ai21.") || has(model, "writer.") || has(model, "deepseek.r1") ? Way::kNone : Way::kSchema;
    case Family::kOpenAi:
    case Family::kUnknown: break;
  }
  return Way::kSchema;
}

Result<Shape> as_tool(const ChatRequest& request, std::string_view schema, Shape shape) {
  const ToolChoice::Kind choice = request.tool_choice.kind;
  // A tool has to be called anyway: its input is no answer.
  if (!request.tools.empty() && (choice == ToolChoice::Kind::kRequired || choice == ToolChoice::Kind::kNamed)) return shape;
  shape.answer_tool = anthropic::answer_tool_name(request);
  shape.answer_schema = schema;
  return shape;
}

}  // namespace

Result<Shape> shape_of(const ChatRequest& request, std::string_view model) {
  using Kind = ResponseFormat::Kind;
  const ResponseFormat& format = request.response_format;
  const Way way = way_of(model);
  Shape shape;
  shape.strict_tools = way == Way::kSchema;
  if (format.kind == Kind::kUnset || format.kind == Kind::kText) return shape;
  const bool tool_can_be_forced = way == Way::kTool || family_of(model) == Family::kClaude;
  std::string_view schema = format.schema;
  if (format.kind == Kind::kRaw) {
    schema = wire::find_member(JsonValue(format.raw), "schema").raw();  // llama.cpp's way
    if (schema.empty()) schema = wire::find(JsonValue(format.raw), "json_schema", "schema").raw();
  }
  if (schema.empty()) {
    if (format.kind == Kind::kJsonObject && tool_can_be_forced) return as_tool(request, kAnyObject, std::move(shape));
    return cannot_express("response_format", "JSON without a schema", kTarget);
  }
  if (!wire::validate(schema)) return wrong_value("response_format", "a JSON schema");
  if (way == Way::kSchema) {
    if (anthropic::append_output_schema(schema, shape.schema)) return shape;
    if (!tool_can_be_forced) {
      shape.schema = schema;  // the vendor may know more than is known here
      return shape;
    }
  }
  if (!tool_can_be_forced) return cannot_express("response_format", "JSON by a schema", "this model");
  if (!wire::find_member(JsonValue(schema), "type").equals("object")) {
    return cannot_express("response_format", "a schema whose root is no object", "this model");
  }
  return as_tool(request, schema, std::move(shape));
}

}  // namespace llmrouter::dialects::bedrock
