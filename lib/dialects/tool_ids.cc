#include "dialects/tool_ids.h"

#include "dialects/open_calls.h"

namespace llmrouter::dialects {
ToolIds::ToolIds(const std::vector<Message>& messages, std::string (*shorten)(std::string_view)) {
  OpenCalls open;
  size_t made = 0;
  for (const Message& message : messages) {
    std::vector<std::string> ids;
    if (!message.tool_calls.empty()) open.clear();
    for (const ToolCall& call : message.tool_calls) {
      ids.push_back(call.id.empty() ? "call_" + std::to_string(made++) : call.id);
      open.add(call.name, ids.back());
    }
    std::string result = message.tool_call_id;
    if (message.role == Role::kTool) {
      if (!result.empty()) open.take_id(result);
      else result = message.name.empty() ? open.take_first() : open.take_named(message.name);
    }
    if (shorten != nullptr) {
      for (std::string& id : ids) id = shorten(id);
      if (!result.empty()) result = shorten(result);
    }
    calls_.push_back(std::move(ids));
    results_.push_back(std::move(result));
  }
}

}  // namespace llmrouter::dialects
