// How an answer gets the form of a JSON schema, by the model.
#ifndef LLMROUTER_DIALECTS_BEDROCK_SHAPE_H_
#define LLMROUTER_DIALECTS_BEDROCK_SHAPE_H_

#include <string>
#include <string_view>

#include "llmrouter/chat.h"
#include "llmrouter/result.h"

namespace llmrouter::dialects::bedrock {

struct Shape {
  std::string schema;         // outputConfig.textFormat's; empty: none
  std::string answer_tool;    // a tool that has to be called and whose input is the answer: its name; empty: none
  std::string answer_schema;  // of that tool
  bool strict_tools = false;  // the model follows schemas of tools to the letter where asked to
};

// kInvalidRequest: the model has neither.
Result<Shape> shape_of(const ChatRequest& request, std::string_view model);

}  // namespace llmrouter::dialects::bedrock

#endif  // LLMROUTER_DIALECTS_BEDROCK_SHAPE_H_
