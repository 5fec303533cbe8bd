// Cohere's chat dialect, v2: POST /v2/chat, streamed as named server-sent events.
#ifndef LLMROUTER_DIALECTS_COHERE_H_
#define LLMROUTER_DIALECTS_COHERE_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/ids.h"
#include "dialects/origins.h"
#include "dialects/text_index.h"
#include "llmrouter/codec.h"
#include "wire/json_scan.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::cohere {

std::unique_ptr<ClientCodec> new_client_codec();
std::unique_ptr<UpstreamCodec> new_upstream_codec();

// A part or message of `documents`: text for any model, given back to Cohere as the document it was. `Part::text` is its JSON, or for the sentence
// before the first one plain text.
constexpr std::string_view kDocumentMime = "application/vnd.cohere.document+json";
constexpr std::string_view kDocumentsIntroMime = "text/vnd.cohere.documents";
// `Part::name` and `StreamEvent::name` of a thought that stands in `tool_plan`.
constexpr std::string_view kToolPlan = "tool_plan";

// --- requests ---

Result<RequestFacts> scan_request(std::string_view body);
Result<ChatRequest> read_request(std::string_view body);
// Where its messages, parts, calls and tools stand in that body.
Origins origins_of(std::string_view body);

// Appends the request body. kInvalidRequest names what Cohere has no word for.
Result<void> write_request(const ChatRequest& request, std::string_view model, bool stream, bool foreign, std::string& out,
                           std::vector<std::string>& dropped);

// --- answers ---

FinishReason finish_reason_of(std::string_view word) noexcept;
std::string_view finish_word(FinishReason reason, std::string_view raw, bool called) noexcept;  // `raw`: the upstream's own word

// `usage` as Cohere writes it: `tokens` is what the model read and wrote (pictures apart), `billed_units` what is charged, and stands in
// where `tokens` is missing. Not known when there is neither.
TokenUsage read_usage(wire::JsonValue usage) noexcept;
void write_usage(const TokenUsage& usage, wire::JsonWriter& w);

// {id, type, function{name, arguments}} as a call with an id and arguments.
ToolCall read_tool_call(wire::JsonValue call, IdSource& ids);

// A message of an answer, citations included.
void read_answer_message(wire::JsonValue message, IdSource& ids, Message& out);

// One citation as OpenAI's annotations: one for each of its sources; comma-separated objects, nothing when it has no place in the text.
std::string annotations_of(wire::JsonValue citation);
// An OpenAI annotation as a citation of this text; empty when it is no url_citation.
std::string citation_of(wire::JsonValue annotation, const TextIndex& text);

// [{text, token_ids, logprobs}] as the logprobs of OpenAI's chat dialect; empty when there is nothing in it. And back, as one object for each token.
std::string openai_logprobs(wire::JsonValue list_or_one);
std::string cohere_logprobs(std::string_view openai);

}  // namespace llmrouter::dialects::cohere

#endif  // LLMROUTER_DIALECTS_COHERE_H_
