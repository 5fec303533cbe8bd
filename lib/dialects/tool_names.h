// Names of tools that a target's rule does not take ("mcp.server/find", 100 characters), fitted for it and given back in the calls of its answer.
#ifndef LLMROUTER_DIALECTS_TOOL_NAMES_H_
#define LLMROUTER_DIALECTS_TOOL_NAMES_H_

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "llmrouter/codec.h"

namespace llmrouter::dialects {

// Letters, digits, `_`, `-` and those of `more`; where `letter_first`, a letter or `_` in front.
struct ToolNameRule {
  std::string_view more;
  bool letter_first = false;
  size_t most = 64;
};
inline constexpr ToolNameRule kPlainNames{};            // Anthropic, Bedrock, OpenAI; newer models take 128, none takes less than 64
inline constexpr ToolNameRule kGoogleNames{".", true};  // what the Gemini API and Vertex AI both took at all times

class ToolNames {
 public:
  // The request as it is to be written: `request` itself, or `copy`, in which every name (of tools, the choice, calls and results) fits. A name's other form
  // depends on the name alone, unless another tool has that very name, and no two names have the same. Not `foreign`: names are of the target's own dialect,
  // and stay.
  const ChatRequest& fit(const ChatRequest& request, const ToolNameRule& rule, bool foreign, std::optional<ChatRequest>& copy);

  // Answers: calls by the names that the caller knows. A sink that does it for a stream; `sink` itself where no name was changed.
  void restore(ChatResponse& response) const;
  class Sink;
  UpstreamSink& restoring(UpstreamSink& sink);
  ToolNames();
  ~ToolNames();

 private:
  class Fitter;

  std::map<std::string, std::string, std::less<>> callers_;  // the caller's name by the fitted one
  std::unique_ptr<Sink> sink_;
};

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_TOOL_NAMES_H_
