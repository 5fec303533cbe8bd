// What a model behind the chat dialect takes, by its name.
#ifndef LLMROUTER_DIALECTS_OPENAI_MODEL_H_
#define LLMROUTER_DIALECTS_OPENAI_MODEL_H_

#include <string_view>

#include "dialects/effort.h"

namespace llmrouter::dialects::openai {

struct ModelTraits {
  Efforts efforts = 0;        // the words that it takes; 0: not known
  bool thinks = false;        // unless told otherwise ...
  bool thinks_told = false;   // or when told to; then OpenAI refuses temperature, top_p, penalties and logprobs beside
  bool fixed_samplers = false;  // temperature, top_p and penalties are not to be said
  bool thinks_streamed = false;  // in streams alone: a whole answer has to be asked for without

  // Will it think, told to so hard (empty: not told)?
  bool thinks_about(std::string_view effort) const noexcept { return effort.empty() ? thinks : thinks_told && (effort != "none" || thinks); }
};

// "gpt-5.2-codex", "openai/gpt-oss-20b", "o3-mini". A deployment that somebody named otherwise has no traits.
ModelTraits traits_of(std::string_view model) noexcept;

// How a model of Moonshot's thinks, by its name: platform.kimi.ai, "Create Chat Completion" and "Tool use". Beside thoughts a call cannot be forced.
enum class Kimi {
  kNone,    // another, or an older one
  kSwitch,  // `thinking`, on unless it is switched off
  kAlways,  // cannot be switched off
  kEffort,  // always, by its effort; a call can be forced, but not which
};

Kimi kimi_of(std::string_view model) noexcept;

}  // namespace llmrouter::dialects::openai

#endif  // LLMROUTER_DIALECTS_OPENAI_MODEL_H_
