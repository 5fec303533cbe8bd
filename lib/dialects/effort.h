// How hard a model is to think: OpenAI's words and other vendors' budgets in tokens, each as the other.
#ifndef LLMROUTER_DIALECTS_EFFORT_H_
#define LLMROUTER_DIALECTS_EFFORT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "llmrouter/chat.h"

namespace llmrouter::dialects {

inline std::string_view effort_of_budget(int64_t tokens) noexcept {
  if (tokens <= 0) return "none";
  if (tokens <= 1024) return "low";
  return tokens <= 4096 ? "medium" : "high";
}

// 0: none at all.
inline int64_t budget_of_effort(std::string_view effort) noexcept {
  if (effort == "none") return 0;
  if (effort == "minimal" || effort == "low") return 1024;
  if (effort == "medium") return 2048;
  if (effort == "high") return 4096;
  return effort == "xhigh" ? 8192 : 16384;
}

// The word for all that a request says of it; empty: nothing that the word could tell.
inline std::string_view effort_of(const ChatRequest& request) noexcept {
  if (!request.reasoning_effort.empty()) return request.reasoning_effort;
  if (request.reasoning_budget) return effort_of_budget(*request.reasoning_budget);
  return request.reasoning && !*request.reasoning ? std::string_view("none") : std::string_view();
}

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_EFFORT_H_
