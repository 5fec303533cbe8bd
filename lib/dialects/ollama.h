// Ollama's native chat dialect: POST /api/chat and /api/generate, answers as lines of JSON.
#ifndef LLMROUTER_DIALECTS_OLLAMA_H_
#define LLMROUTER_DIALECTS_OLLAMA_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/ids.h"
#include "dialects/origins.h"
#include "llmrouter/codec.h"
#include "wire/json_scan.h"

namespace llmrouter::dialects::ollama {

std::unique_ptr<ClientCodec> new_client_codec();
std::unique_ptr<UpstreamCodec> new_upstream_codec();
std::unique_ptr<ClientCodec> new_embed_client();
std::unique_ptr<UpstreamCodec> new_embed_upstream();

// --- requests ---

// Reads a body once; errors name the field. `stream` is true unless said otherwise. `generate`: of /api/generate, which has one prompt in place of
// messages.
Result<RequestFacts> scan_request(std::string_view body, bool generate);
Result<ChatRequest> read_request(std::string_view body, bool generate);
// Where its messages, parts, calls and tools stand in that body.
Origins origins_of(std::string_view body, bool generate);

// A request that only wants a model in memory (no prompt, no messages), or out of it (`keep_alive` 0 beside that).
struct Load {
  std::string model;
  bool unload = false;
};
// An error for any other request; a long one is not read to its end for that.
Result<Load> read_load(std::string_view body, bool generate);

// Appends the request body. kInvalidRequest names what Ollama has no word for.
Result<void> write_request(const ChatRequest& request, std::string_view model, bool stream, bool foreign, std::string& out,
                           std::vector<std::string>& dropped);

// --- answers: one object for a whole answer, and for each line of a stream ---

struct Line {
  std::string model;
  int64_t created = 0;
  bool done = false;
  FinishReason finish = FinishReason::kNone;  // when done; without regard to calls
  std::string done_reason;
  wire::JsonValue message;   // views the line
  wire::JsonValue response, thinking;  // in its place, of /api/generate
  wire::JsonValue logprobs;  // an array; absent when empty
  std::optional<int64_t> prompt_count, answer_count;
};
Line read_line(wire::JsonValue root);

// The counts of a last line. The prompt's may be missing when it came from the cache: then `estimate` stands in and says so.
TokenUsage usage_of(const Line& line, int64_t estimate) noexcept;

// Members of a message: `thinking`, `content`, `tool_calls`, as parts and calls with ids.
void read_message(wire::JsonValue message, IdSource& ids, Message& out);

// Ollama's logprobs are the `content` of OpenAI's.
std::string openai_logprobs(wire::JsonValue logprobs);

}  // namespace llmrouter::dialects::ollama

#endif  // LLMROUTER_DIALECTS_OLLAMA_H_
