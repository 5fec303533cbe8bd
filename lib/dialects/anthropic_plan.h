// What a request comes to for a certain Claude: how it thinks, how its answer gets its shape. Decided before a byte is written, since one
// decision hangs on another (a forced tool excludes thinking, thinking needs room in max_tokens).
#ifndef LLMROUTER_DIALECTS_ANTHROPIC_PLAN_H_
#define LLMROUTER_DIALECTS_ANTHROPIC_PLAN_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/anthropic_model.h"
#include "llmrouter/chat.h"
#include "llmrouter/result.h"

namespace llmrouter::dialects::anthropic {

struct Plan {
  enum class Thinking { kUnsaid, kDisabled, kBudget, kAdaptive };
  ModelTraits traits;
  Thinking thinking = Thinking::kUnsaid;
  int64_t budget = 0;          // kBudget
  int64_t max_tokens = 0;
  std::string_view effort;     // output_config.effort; empty: unsaid
  std::string output_schema;   // output_config.format's, already fit for it; empty: none
  std::string raw_format;      // output_config.format as the client of this dialect wrote it
  std::string answer_tool;     // a tool whose call is the answer: its name; empty: none
  std::string answer_schema;   // of that tool
  bool thinks() const noexcept { return thinking == Thinking::kBudget || thinking == Thinking::kAdaptive; }
};

// `foreign` as in EncodeInput. Hints that come to nothing are named in `dropped`. kInvalidRequest: a format that cannot be had.
// `schemas`: structured output is to be had where the model knows it.
Result<Plan> make_plan(const ChatRequest& request, std::string_view model, bool foreign, bool schemas, std::vector<std::string>& dropped);

// For a tool whose call is the answer, by the name of the wanted format; no other tool of the request has it.
std::string answer_tool_name(const ChatRequest& request);

// A thought that this dialect's upstreams take back.
bool is_own_thought(const Part& part) noexcept;

}  // namespace llmrouter::dialects::anthropic

#endif  // LLMROUTER_DIALECTS_ANTHROPIC_PLAN_H_
