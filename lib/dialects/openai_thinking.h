// How much to think, as a vendor that speaks OpenAI's chat dialect wants to hear it.
#ifndef LLMROUTER_DIALECTS_OPENAI_THINKING_H_
#define LLMROUTER_DIALECTS_OPENAI_THINKING_H_

#include <string>
#include <string_view>
#include <vector>

#include "dialects/openai.h"
#include "dialects/openai_model.h"
#include "llmrouter/chat.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::openai {

struct Thinking {
  const ChatRequest& request;
  const Quirks& quirks;
  const WriteOptions& options;
  std::string_view model;
  ModelTraits traits;
  Kimi kimi;
  bool forced;  // a tool has to be called
};

// Writes the members; what cannot be said is named in `dropped`. What stands in the extras of a request of this dialect is written from there.
void write_thinking(const Thinking& asked, wire::JsonWriter& w, std::vector<std::string>& dropped);

}  // namespace llmrouter::dialects::openai

#endif  // LLMROUTER_DIALECTS_OPENAI_THINKING_H_
