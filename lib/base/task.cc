#include "llmrouter/task.h"

namespace llmrouter {

std::string_view operation_name(Operation operation) noexcept {
  switch (operation) {
    case Operation::kChat: return "chat";
    case Operation::kEmbed: return "embeddings";
    case Operation::kRerank: return "rerank";
    case Operation::kModerate: return "moderations";
    case Operation::kImage:
    case Operation::kImageEdit: return "images";
    case Operation::kSpeech:
    case Operation::kTranscribe:
    case Operation::kTranslateAudio: return "audio";
    case Operation::kCountTokens: return "count_tokens";
  }
  return "chat";
}

}  // namespace llmrouter
