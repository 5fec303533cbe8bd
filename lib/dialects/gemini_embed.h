// Google's embedContent and batchEmbedContents.
#ifndef LLMROUTER_DIALECTS_GEMINI_EMBED_H_
#define LLMROUTER_DIALECTS_GEMINI_EMBED_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/codec.h"
#include "wire/json_scan.h"

namespace llmrouter::dialects::gemini {

std::unique_ptr<ClientCodec> new_embed_client();
std::unique_ptr<UpstreamCodec> new_embed_upstream();

std::string_view use_word(EmbedUse use) noexcept;  // RETRIEVAL_QUERY, ...; empty: none

// At Vertex AI (gemini_vertex_embed.cc): older models are asked by `predict`, those that take more than text by `embedContent`, one text at a time.
std::string_view vertex_embed_operation(std::string_view model) noexcept;
int64_t vertex_most_texts(std::string_view model) noexcept;  // of one request
Result<void> write_vertex_embed(const EncodeInput& input, std::string& out, std::vector<std::string>& dropped);
bool read_vertex_embed(wire::JsonValue root, TaskResponse& out);  // false: there are no vectors in it

}  // namespace llmrouter::dialects::gemini

#endif  // LLMROUTER_DIALECTS_GEMINI_EMBED_H_
