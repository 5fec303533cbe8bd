// The ids of all calls and results of a conversation that is to be written for an upstream.
#ifndef LLMROUTER_DIALECTS_TOOL_IDS_H_
#define LLMROUTER_DIALECTS_TOOL_IDS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "llmrouter/chat.h"

namespace llmrouter::dialects {

// Dialects without ids (Ollama) leave them empty: then calls get some made up, and results are matched to the calls before them, by name
// where they have one, else in order. Where an id comes twice (clients that count from one in every turn), the later calls get another.
class ToolIds {
 public:
  // `shorten` makes another id of each; null: as they are.
  ToolIds(const std::vector<Message>& messages, std::string (*shorten)(std::string_view));
  const std::string& call(size_t message, size_t index) const { return calls_[message][index]; }
  // Empty: a result that belongs to no call.
  const std::string& result(size_t message) const { return results_[message]; }

 private:
  std::vector<std::vector<std::string>> calls_;
  std::vector<std::string> results_;
};

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_TOOL_IDS_H_
