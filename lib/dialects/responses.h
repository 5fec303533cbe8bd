// OpenAI's Responses dialect: POST /responses, a list of items each way. In its parts.
//
// Reasoning in neutral form: a part of kind kReasoning. `signature` is the item's encrypted_content, `maker` is "responses". Its `name` is
// "reasoning_text" when the text stood in `content` (open models) and not in `summary`; its `detail` is the call_id of the call it came before, since an
// item has to come back where it stood.
#ifndef LLMROUTER_DIALECTS_RESPONSES_H_
#define LLMROUTER_DIALECTS_RESPONSES_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/ids.h"
#include "dialects/origins.h"
#include "llmrouter/codec.h"
#include "wire/json_scan.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::responses {

constexpr std::string_view kMaker = "responses";
// Signatures of a call (Gemini's) have no place of their own here: they travel in a reasoning item before the call, sealed for this
// maker and this ending.
constexpr std::string_view kOfCall = "#call";

std::unique_ptr<ClientCodec> new_client_codec();
std::unique_ptr<UpstreamCodec> new_upstream_codec();

// --- requests ---

// Reads a body once for what routing, limits and metering need. Errors name the field.
Result<RequestFacts> scan_request(std::string_view body);
// The whole request, neutral. kInvalidRequest for what needs a conversation stored by the upstream: previous_response_id, conversation,
// background, prompt, item_reference.
Result<ChatRequest> read_request(std::string_view body);
// Where its messages, parts, calls and tools stand in that body.
Origins origins_of(std::string_view body, const ChatRequest& decoded);

// Appends the request body. kInvalidRequest names what the dialect has no word for.
Result<void> write_request(const ChatRequest& request, std::string_view model, bool stream, bool foreign, std::string& out,
                           std::vector<std::string>& dropped);
// The body of a relayed request: the client's own with the model name and the edits (by OpenAI chat's names) spliced in.
Result<void> splice_request(const EncodeInput& input, EncodedRequest& out);

// `custom`: the tool it names is a custom one.
void write_tool_choice(const ToolChoice& choice, bool custom, wire::JsonWriter& w);
// The object of `text.format`; nothing for kUnset.
void write_format(const ResponseFormat& format, wire::JsonWriter& w);

// --- items, of requests and answers ---

// `content` of a message or `output` of a call: a string or parts. Appends.
void read_content(wire::JsonValue content, std::vector<Part>& parts);
// A reasoning item.
Part read_reasoning(wire::JsonValue item);
// function_call and custom_tool_call items.
ToolCall read_call(wire::JsonValue item);

// One annotation as the chat dialect has it (`{"type":T,T:{...}}`), made from a flat one, and back.
std::string chat_annotation(wire::JsonValue flat);
std::string flat_annotation(wire::JsonValue chat);

// --- answers ---

// How it ended: `status` and `incomplete_details` of a response.
FinishReason finish_of(wire::JsonValue response, bool has_calls);
// The error of a response that failed; absent when it did not.
std::optional<Error> failure_of(wire::JsonValue response, std::string_view key);
Result<ChatResponse> read_answer(wire::JsonValue root, IdSource& ids, std::string_view key);

// Appends `{"input_tokens":..}`.
void write_usage(const TokenUsage& usage, std::string& out);

}  // namespace llmrouter::dialects::responses

#endif  // LLMROUTER_DIALECTS_RESPONSES_H_
