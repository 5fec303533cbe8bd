// The Anthropic Messages dialect, in its parts.
#ifndef LLMROUTER_DIALECTS_ANTHROPIC_H_
#define LLMROUTER_DIALECTS_ANTHROPIC_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/anthropic_model.h"
#include "dialects/ids.h"
#include "dialects/origins.h"
#include "dialects/text_index.h"
#include "llmrouter/codec.h"
#include "wire/json_scan.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::anthropic {

// Whose signatures are sent back: the dialect's name, also for Claude at Amazon's and Google's.
constexpr std::string_view kMaker = "anthropic";

std::unique_ptr<ClientCodec> new_client_codec();
std::unique_ptr<UpstreamCodec> new_upstream_codec();
// kCountTokens; null for others.
std::unique_ptr<ClientCodec> new_task_client(Operation operation);
std::unique_ptr<UpstreamCodec> new_task_upstream(Operation operation);

// --- requests ---

// Reads a body once for what routing, limits and metering need. Errors name the field.
Result<RequestFacts> scan_request(std::string_view body);

// The whole request, neutral. Of a body that scan_request() accepts; of others something, or an error.
Result<ChatRequest> read_request(std::string_view body);
// Where its messages, parts, calls and tools stand in that body.
Origins origins_of(std::string_view body);
// A field of the neutral request by this dialect's names.
std::string client_field(const Origins& origins, std::string_view neutral, const ChatRequest& decoded);

struct WriteOptions {
  bool stream = false;
  bool foreign = false;  // the request's extras are another dialect's
  bool model = true;     // write `model`; not where the path names it
  bool count = false;    // what is counted alone: no bound, no sampling, no stream
  std::string_view version;  // `anthropic_version`, where it stands in the body; empty: none
  bool in_google = false;    // Claude at Vertex AI: media go inline, and a schema of the answer is a tool's
};

// What was written, as far as reading the answer depends on it.
struct Written {
  std::string answer_tool;  // a tool whose call is the answer itself (structured output of older models); empty: none
  bool files = false;       // a file of the Files API is named
};

// Appends the request body. kInvalidRequest names what this dialect has no word for.
Result<Written> write_request(const ChatRequest& request, std::string_view model, const WriteOptions& options, std::string& out,
                              std::vector<std::string>& dropped);

// --- answers ---

FinishReason finish_reason_of(std::string_view word) noexcept;  // kNone for ""
// Anthropic's word for how an answer ended; `raw` is the upstream's own and is kept when it is one of Anthropic's.
std::string_view stop_reason_of(FinishReason reason, std::string_view raw, bool called, bool refused) noexcept;

// Merges a usage object into `usage`: what is said wins over what was said before. False: it holds no counts.
bool read_usage(wire::JsonValue value, TokenUsage& usage);
// Appends the members of a usage object, without the braces.
void write_usage(const TokenUsage& usage, wire::JsonWriter& w);
// The member `service_tier` of a usage object; the vendor's "standard" is the neutral "default".
std::string read_tier(wire::JsonValue tier);
void write_tier(std::string_view tier, wire::JsonWriter& w);  // nothing where it is empty

// A citation of a text block as an annotation of OpenAI's chat dialect; `begin` and `end` count characters of the whole text. Empty: it has no
// such form. And back.
std::string annotation_of(wire::JsonValue citation, int64_t begin, int64_t end);
std::string citation_of(wire::JsonValue annotation, const TextIndex& text);
// Characters of UTF-8 text.
int64_t count_characters(std::string_view text) noexcept;

// The error that a whole answer is, or holds.
std::optional<Error> error_in_answer(wire::JsonValue root, std::string_view key);
// A whole answer. `root` is valid JSON. Fails with what error_in_answer() finds. `answer_tool` as in Written.
Result<ChatResponse> read_answer(wire::JsonValue root, std::string_view answer_tool, std::string_view key);
// `model`: what is said when the upstream did not say.
void write_answer(const ChatResponse& response, std::string_view model, IdSource& ids, std::string& out);

// The signature of a call on its way through this dialect, which has no place for one: a redacted thought before the call, whose maker is marked.
std::string seal_call_signature(std::string_view maker, std::string_view signature);
// Reads `thinking` and `redacted_thinking` blocks. A call's signature goes to `call`, anything else becomes a part.
void read_thought(wire::JsonValue block, std::vector<Part>& parts, ToolCall& call);

// Is it an error as this dialect's clients read it?
bool is_error(std::string_view body);
// What the vendor's tools answer by sending the whole conversation: it does not go on from a thread, one that the vendor has kept.
constexpr std::string_view kThreadUnsupported = "thread_unsupported_request";
// Appends {"type":"error","error":{"type":..,"message":..},"request_id":..}; codes about threads are `details.error_code`.
void write_error(const Error& error, std::string_view request_id, std::string& out);

}  // namespace llmrouter::dialects::anthropic

#endif  // LLMROUTER_DIALECTS_ANTHROPIC_H_
