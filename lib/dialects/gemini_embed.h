// Google's embedContent and batchEmbedContents.
#ifndef LLMROUTER_DIALECTS_GEMINI_EMBED_H_
#define LLMROUTER_DIALECTS_GEMINI_EMBED_H_

#include <memory>

#include "llmrouter/codec.h"

namespace llmrouter::dialects::gemini {

std::unique_ptr<ClientCodec> new_embed_client();
std::unique_ptr<UpstreamCodec> new_embed_upstream();

}  // namespace llmrouter::dialects::gemini

#endif  // LLMROUTER_DIALECTS_GEMINI_EMBED_H_
