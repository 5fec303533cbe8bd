// A chat in its neutral form as JSON of OpenAI's chat dialect, and back: for filters of callers. Whatever the JSON has no word for (another maker's signatures,
// marks of caches) stays where the JSON was not changed.
#ifndef LLMROUTER_BINDINGS_C_JSON_CHAT_H_
#define LLMROUTER_BINDINGS_C_JSON_CHAT_H_

#include <memory>
#include <string>

#include "handles.h"

namespace llmrouter::c {

class JsonChat {
 public:
  JsonChat();

  Result<std::string> write(const ChatRequest& request) const;
  // `told` is what write() gave of `request`, `changed` what stands in its place. `model` and `stream` are not read.
  Result<void> change(ChatRequest& request, std::string_view told, std::string_view changed) const;

  std::string write(const ChatResponse& response) const;
  // `usage`, `model`, `id` and `created` are not read.
  Result<void> change(ChatResponse& response, std::string_view told, std::string_view changed) const;

 private:
  Result<ChatRequest> read(std::string_view body) const;

  std::shared_ptr<const Dialect> openai_;
  ProviderConfig provider_;  // nobody: what the dialect itself can say
};

}  // namespace llmrouter::c

#endif  // LLMROUTER_BINDINGS_C_JSON_CHAT_H_
