// What the codecs of operations other than chat share.
#ifndef LLMROUTER_DIALECTS_TASK_CODEC_H_
#define LLMROUTER_DIALECTS_TASK_CODEC_H_

#include <string>
#include <string_view>
#include <vector>

#include "dialects/fields.h"
#include "llmrouter/codec.h"
#include "llmrouter/secret.h"
#include "wire/json_scan.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects {

// A client of an operation that is no chat: the chat's side of the interface says nothing.
class TaskClient : public ClientCodec {
 public:
  Result<ChatRequest> decode() override;
  std::string_view content_type(bool stream) const noexcept override { return stream ? "text/event-stream" : "application/json"; }
  void encode_response(const ChatResponse&, std::string&) override {}
  void encode_event(const StreamEvent&, std::string&) override {}
  void encode_end(std::string&) override {}
};

// The same for an upstream whose answers are whole and JSON.
class TaskUpstream : public UpstreamCodec {
 public:
  void feed(std::string_view bytes, UpstreamSink& sink) override;
  void finish(UpstreamSink&) override {}
  Result<ReplyFacts> inspect(std::string_view body) override;
  Result<ChatResponse> decode(std::string_view body) override;
  Error parse_error(const HttpHead& head, std::string_view body) const override;
  Result<void> encode_models(const ProviderConfig& provider, std::string_view key, EncodedRequest& out) override;
  Result<std::vector<std::string>> parse_models(std::string_view body) override;

 protected:
  // A whole answer as JSON; the error in it, if there is one.
  Result<wire::JsonValue> read_root(std::string_view body) const;
  // What a relayed answer used.
  virtual TokenUsage usage_of(wire::JsonValue root) const = 0;

  Secret key_;
};

// The top level of a request: members, and the model's name.
Result<RequestFacts> scan_task(std::string_view body);

// Relay: the model's name spliced into the client's body. kNotSupported where a policy changes the request.
Result<void> splice_task(const EncodeInput& input, EncodedRequest& out);

// --- embeddings ---

// `input` of most dialects: a string, tokens, or an array of either. Counts inputs and (as estimate) tokens. Faults name `name`.
void scan_inputs(std::string_view name, wire::JsonValue value, Fields& fields, RequestFacts& facts);
void read_inputs(std::string_view name, wire::JsonValue value, Fields& fields, std::vector<EmbedInput>& out);
// An array of strings. kInvalidRequest when one is tokens, which this target does not read.
Result<void> write_texts(const std::vector<EmbedInput>& inputs, std::string_view target, std::string& out);

// What vectors are for, in any vendor's words (search_query, RETRIEVAL_DOCUMENT, retrieval.passage, ...).
EmbedUse embed_use_of(std::string_view word) noexcept;
// Sets `use`, and `use_raw` for a word that is not known.
void read_use(std::string_view word, EmbedRequest& out);

// A JSON array of numbers, or base64 of little-endian floats. False: it is neither.
bool read_vector(wire::JsonValue value, std::vector<float>& out);
// [0.1,-2e-05]: the shortest digits that read back as the same floats.
void append_vector(const std::vector<float>& vector, std::string& out);
// Base64 of little-endian floats, as a JSON string.
void append_vector_base64(const std::vector<float>& vector, std::string& out);

// --- usage ---

// Of an OpenAI-like usage object (prompt_tokens, input_tokens, total_tokens, details), for operations whose answer is no text.
TokenUsage read_task_usage(wire::JsonValue usage);

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_TASK_CODEC_H_
