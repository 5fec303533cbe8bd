// What an application puts into a ChatRequest by hand goes into bodies as it is: JSON that is none would spoil them, or say more than it should.
#include <cmath>
#include <string>
#include <utility>

#include "core/chat_check.h"
#include "llmrouter/json_text.h"

namespace llmrouter::core {
namespace {

Error refused(std::string field, const std::string& expected) {
  Error error(ErrorCode::kInvalidRequest, field + ": expected " + expected);
  error.param = std::move(field);
  return error;
}

Result<void> check_numbers(const ChatRequest& request) {
  const std::pair<const char*, const std::optional<double>*> all[] = {{"temperature", &request.temperature},
                                                                      {"top_p", &request.top_p},
                                                                      {"frequency_penalty", &request.frequency_penalty},
                                                                      {"presence_penalty", &request.presence_penalty}};
  for (const auto& [name, value] : all) {
    if (*value && !std::isfinite(**value)) return refused(name, "a finite number");
  }
  return {};
}

Result<void> check_tools(const ChatRequest& request) {
  for (size_t i = 0; i < request.tools.size(); ++i) {
    const Tool& tool = request.tools[i];
    const std::string field = "tools[" + std::to_string(i) + "]";
    if (!tool.parameters.empty() && !is_json_object(tool.parameters)) return refused(field + ".parameters", "a JSON object");
    if (!tool.raw.empty() && !is_json_object(tool.raw)) return refused(field + ".raw", "a JSON object");
  }
  if (request.tool_choice.kind == ToolChoice::Kind::kRaw && !is_json(request.tool_choice.raw)) return refused("tool_choice.raw", "JSON");
  return {};
}

Result<void> check_format(const ResponseFormat& format) {
  using Kind = ResponseFormat::Kind;
  if (format.kind == Kind::kJsonSchema && !is_json_object(format.schema)) return refused("response_format.schema", "a JSON object");
  if (format.kind == Kind::kRaw && !is_json(format.raw)) return refused("response_format.raw", "JSON");
  return {};
}

}  // namespace

Result<void> check_chat(const ChatRequest& request) {
  if (auto good = check_numbers(request); !good) return good;
  if (auto good = check_tools(request); !good) return good;
  if (auto good = check_format(request.response_format); !good) return good;
  if (!request.logit_bias.empty() && !is_json_object(request.logit_bias)) return refused("logit_bias", "a JSON object");
  if (!request.metadata.empty() && !is_json_object(request.metadata)) return refused("metadata", "a JSON object");
  if (!is_json_members(request.extras)) return refused("extras", "members of a JSON object, without its braces");
  return {};
}

}  // namespace llmrouter::core
