// The order in which a conversation is written for vendors who want the results of calls right behind the turn that made them.
#ifndef LLMROUTER_DIALECTS_RESULTS_FIRST_H_
#define LLMROUTER_DIALECTS_RESULTS_FIRST_H_

#include <cstddef>
#include <vector>

#include "llmrouter/chat.h"

namespace llmrouter::dialects {

// Places in `messages`, each once. Clients of other dialects (Responses) may say something between the results of parallel calls: it comes behind the last of
// them, all else stays where it stood.
inline std::vector<size_t> results_first(const std::vector<Message>& messages) {
  std::vector<size_t> order, between;
  order.reserve(messages.size());
  const auto put_back = [&] {
    order.insert(order.end(), between.begin(), between.end());
    between.clear();
  };
  bool called = false;
  for (size_t i = 0; i < messages.size(); ++i) {
    const Message& message = messages[i];
    if (message.role == Role::kAssistant) {
      put_back();
      called = !message.tool_calls.empty();
    }
    if (called && message.role != Role::kAssistant && message.role != Role::kTool) between.push_back(i);
    else order.push_back(i);
  }
  put_back();
  return order;
}

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_RESULTS_FIRST_H_
