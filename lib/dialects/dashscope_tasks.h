// DashScope's native API, of which only what its OpenAI face lacks is spoken: rankings, vectors of models that also see, texts that are said to be
// questions or answers, and pictures. Upstream only.
#ifndef LLMROUTER_DIALECTS_DASHSCOPE_TASKS_H_
#define LLMROUTER_DIALECTS_DASHSCOPE_TASKS_H_

#include <memory>

#include "llmrouter/codec.h"

namespace llmrouter::dialects::dashscope {

// Null: not one of these operations.
std::unique_ptr<UpstreamCodec> new_task_upstream(Operation operation);

// Is this what vectors of texts are for better said there than at the OpenAI face, which has no word for it?
bool says_use(const ProviderConfig& provider, EmbedUse use) noexcept;
// Vectors of models of texts alone.
std::unique_ptr<UpstreamCodec> new_text_embed_upstream();

}  // namespace llmrouter::dialects::dashscope

#endif  // LLMROUTER_DIALECTS_DASHSCOPE_TASKS_H_
