// Cohere's /v2/embed and /v2/rerank.
#ifndef LLMROUTER_DIALECTS_COHERE_TASKS_H_
#define LLMROUTER_DIALECTS_COHERE_TASKS_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/task_codec.h"
#include "llmrouter/codec.h"

namespace llmrouter::dialects::cohere {

// Null: Cohere has no such operation.
std::unique_ptr<ClientCodec> new_task_client(Operation operation);
std::unique_ptr<UpstreamCodec> new_task_upstream(Operation operation);

// The body of an embedding without the model's name: what Bedrock takes, too. Cohere wants to know what vectors are for: without a word they are
// for documents.
Result<void> write_embed_members(const EmbedRequest& embed, wire::JsonWriter& w);
// `embeddings`, by type or as the bare list of older answers. False: there are none.
bool read_embed_vectors(wire::JsonValue root, std::vector<std::vector<float>>& out);

constexpr int64_t kMostTexts = 96;  // of one request

}  // namespace llmrouter::dialects::cohere

#endif  // LLMROUTER_DIALECTS_COHERE_TASKS_H_
