// What is asked of a model beside a chat: embeddings, rankings, pictures, speech. One call path serves them all; see Router::relay and
// Router::start.
//
// Embeddings, rankings, token counts and pictures made from words have a neutral form and are translated between dialects. The other operations
// pass as bytes, to providers of the client's own dialect.
#ifndef LLMROUTER_TASK_H_
#define LLMROUTER_TASK_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/chat.h"
#include "llmrouter/export.h"

namespace llmrouter {

enum class Operation {
  kChat,
  kEmbed,
  kRerank,
  kModerate,
  kImage,
  kImageEdit,
  kSpeech,
  kTranscribe,
  kTranslateAudio,
  kCountTokens,
};
constexpr Operation kLastOperation = Operation::kCountTokens;

// What a key's allow.endpoints, usage records and metrics call it, one of endpoint_names(): chat embeddings rerank moderations images (made and
// edited) audio (spoken, transcribed, translated) count_tokens.
LLMROUTER_EXPORT std::string_view operation_name(Operation operation) noexcept;

// One text to embed, or the same as tokens of the model's own tokenizer.
struct EmbedInput {
  std::string text;
  std::vector<int64_t> tokens;  // not empty: in place of `text`
};

// What the vectors are for; models that know of it embed questions and answers differently.
enum class EmbedUse { kUnset, kQuery, kDocument, kClassification, kClustering, kSimilarity, kOther };

struct EmbedRequest {
  std::vector<EmbedInput> inputs;     // at least one
  std::optional<int64_t> dimensions;  // unset: the model's own
  EmbedUse use = EmbedUse::kUnset;
  std::string use_raw;                // kOther: the caller's own word
  std::string truncate;               // start | end | none: what happens to inputs that are too long; empty: unset
  std::string user;
};

struct RerankDocument {
  std::string text;
  std::string raw;  // a document that is no text: its JSON object as it came
};

struct RerankRequest {
  std::string query;
  std::vector<RerankDocument> documents;
  std::optional<int64_t> top_n;  // unset: all of them
  std::optional<int64_t> max_tokens_per_doc;
};

// Pictures to be made from words.
struct ImageRequest {
  std::string prompt;
  std::optional<int64_t> n;  // unset: one
  std::string size;          // "1536x1024": pixels; empty: the model's own
  std::string format;        // png | jpeg | webp; empty: the model's own
  bool inline_only = false;  // the picture itself is wanted, not where it lies
  std::string user;
};

struct TaskRequest {
  Operation operation = Operation::kEmbed;
  std::string model;
  EmbedRequest embed;    // kEmbed
  RerankRequest rerank;  // kRerank
  ImageRequest image;    // kImage
  ChatRequest chat;      // kCountTokens: the request whose tokens are counted
  RawMembers extras;     // members of the client's dialect that no field stands for
};

struct Ranked {
  int64_t index = 0;     // into RerankRequest::documents
  double score = 0;
};

struct MadeImage {
  std::string data;            // base64; empty: see `url`
  std::string mime;            // "image/png"; empty: not told
  std::string url;             // of a provider that says where the picture lies, for some hours; else empty
  std::string revised_prompt;  // what it was made from, where the model changed the words
};

struct TaskResponse {
  std::string id;
  std::string model;                         // as the provider names it
  std::vector<std::vector<float>> vectors;   // kEmbed: one for each input, in the inputs' order
  std::vector<Ranked> ranked;                // kRerank: best first
  std::vector<MadeImage> images;             // kImage
  int64_t count = 0;                         // kCountTokens
  TokenUsage usage;
  int64_t search_units = 0;                  // kRerank, where a provider bills by them
};

}  // namespace llmrouter

#endif  // LLMROUTER_TASK_H_
