// Embeddings through Amazon Bedrock, upstream only: POST /model/{id}/invoke, in the words of each model's maker.
#ifndef LLMROUTER_DIALECTS_BEDROCK_EMBED_H_
#define LLMROUTER_DIALECTS_BEDROCK_EMBED_H_

#include <memory>

#include "llmrouter/codec.h"

namespace llmrouter::dialects::bedrock {

std::unique_ptr<UpstreamCodec> new_embed_upstream();

}  // namespace llmrouter::dialects::bedrock

#endif  // LLMROUTER_DIALECTS_BEDROCK_EMBED_H_
