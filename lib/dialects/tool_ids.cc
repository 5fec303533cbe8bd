#include "dialects/tool_ids.h"

#include <cstddef>

namespace llmrouter::dialects {
namespace {

constexpr size_t kMaxOpen = 1024;  // calls of one message that results without ids are matched to

struct Open {
  std::string name, id;
};

template <typename Fits>
std::string take(std::vector<Open>& open, Fits&& fits) {
  for (size_t i = 0; i < open.size(); ++i) {
    if (!fits(open[i])) continue;
    std::string id = std::move(open[i].id);
    open.erase(open.begin() + static_cast<std::ptrdiff_t>(i));
    return id;
  }
  return {};
}

}  // namespace

ToolIds::ToolIds(const std::vector<Message>& messages, std::string (*shorten)(std::string_view)) {
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
    if (shorten != nullptr) {
      for (std::string& id : ids) id = shorten(id);
      if (!result.empty()) result = shorten(result);
    }
    calls_.push_back(std::move(ids));
    results_.push_back(std::move(result));
  }
}

}  // namespace llmrouter::dialects
