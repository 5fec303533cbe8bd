#include "llmrouter/task.h"

namespace llmrouter {

std::string_view operation_name(Operation operation) noexcept {
  switch (operation) {
    case Operation::kChat: return "chat";
    case Operation::kEmbed: return "embeddings";
    case Operation::kRerank: return "rerank";
    case Operation::kModerate: return "moderations";
    case Operation::kImage: return "images";
    case Operation::kImageEdit: return "image_edits";
    case Operation::kSpeech: return "speech";
    case Operation::kTranscribe: return "transcriptions";
    case Operation::kTranslateAudio: return "translations";
    case Operation::kCountTokens: return "count_tokens";
  }
  return "chat";
}

}  // namespace llmrouter
