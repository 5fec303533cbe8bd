// What a Claude takes, by its name: generations differ in how thinking is asked for, what may stand beside it, and how much they write.
#ifndef LLMROUTER_DIALECTS_ANTHROPIC_MODEL_H_
#define LLMROUTER_DIALECTS_ANTHROPIC_MODEL_H_

#include <cstdint>
#include <string_view>

namespace llmrouter::dialects::anthropic {

struct ModelTraits {
  enum class Thinking {
    kNone,      // up to 3.5
    kBudget,    // {"type":"enabled","budget_tokens":N}
    kBoth,      // 4.6: adaptive, and budgets still
    kAdaptive,  // 4.7 and later: {"type":"adaptive"} alone
  };
  Thinking thinking = Thinking::kBudget;
  bool effort = false;         // output_config.effort
  bool effort_max = false;     // ... with `max`
  bool effort_xhigh = false;   // ... and `xhigh`
  bool schema = false;         // output_config.format
  bool one_sampler = false;    // temperature or top_p, not both
  bool no_samplers = false;    // neither, nor top_k
  bool prefill = false;        // goes on behind an answer that was begun
  int64_t max_tokens = 8192;   // what is asked for when the caller does not say
};

// By the model's name as its provider has it: "claude-sonnet-4-5-20250929", "claude-3-7-sonnet@20250219", "eu.anthropic.claude-opus-4-7-v1:0".
// A name that is no Claude's (others speak this dialect, too) gets the traits of the least demanding: budgets, no effort, no schema.
ModelTraits traits_of(std::string_view model) noexcept;

}  // namespace llmrouter::dialects::anthropic

#endif  // LLMROUTER_DIALECTS_ANTHROPIC_MODEL_H_
