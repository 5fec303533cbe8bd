// What a model of OpenAI's takes, by its name: which words for how much to think, and whether it does.
#ifndef LLMROUTER_DIALECTS_OPENAI_MODEL_H_
#define LLMROUTER_DIALECTS_OPENAI_MODEL_H_

#include <string_view>

#include "dialects/effort.h"

namespace llmrouter::dialects::openai {

struct ModelTraits {
  Efforts efforts = 0;       // the words that it takes; 0: not known
  bool thinks = false;       // unless told otherwise
  bool thinks_told = false;  // when told so
};

// "gpt-5.2-codex", "openai/gpt-oss-20b", "o3-mini". A deployment that somebody named otherwise has no traits.
ModelTraits traits_of(std::string_view model) noexcept;

}  // namespace llmrouter::dialects::openai

#endif  // LLMROUTER_DIALECTS_OPENAI_MODEL_H_
