// Amazon Bedrock's Converse API, upstream only: POST /model/{id}/converse and /converse-stream.
#ifndef LLMROUTER_DIALECTS_BEDROCK_H_
#define LLMROUTER_DIALECTS_BEDROCK_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/codec.h"
#include "wire/json_scan.h"

namespace llmrouter::dialects::bedrock {

std::unique_ptr<UpstreamCodec> new_upstream_codec();

// Who makes the models of an id such as "eu.anthropic.claude-sonnet-4-5-20250929-v1:0" or an ARN that holds one. What differs by them is how
// thinking is asked for and under which name top_k goes.
enum class Family { kUnknown, kClaude, kNova, kCohere, kMistral, kOpenAi, kOther };
Family family_of(std::string_view model) noexcept;

// Whose signatures a model takes back: "anthropic" for Claude, whose signatures hold wherever it runs; else "bedrock". What is hidden (redactedContent) is
// always "bedrock", since it is wrapped in bytes of Amazon's own.
std::string_view maker_of(Family family) noexcept;
constexpr std::string_view kMaker = "bedrock";

// Appends the request body; the name of a tool whose call is the answer itself (structured output of models without), empty: none. kInvalidRequest names
// what the API has no word for.
Result<std::string> write_request(const ChatRequest& request, std::string_view model, bool foreign, std::string& out, std::vector<std::string>& dropped);

FinishReason finish_reason_of(std::string_view word) noexcept;
// inputTokens counts neither of the caches.
TokenUsage read_usage(wire::JsonValue usage) noexcept;
// One content block of a whole answer.
void read_block(wire::JsonValue block, std::string_view maker, Message& out);
// A citation that names a page, as OpenAI's annotation; empty: it names none.
std::string annotation_of(wire::JsonValue citation);

// An error by its name ("throttlingException", "ValidationException:http://...") and body; `status` 0: by the name.
Error error_of(std::string_view name, int status, std::string_view body, std::string_view key);

}  // namespace llmrouter::dialects::bedrock

#endif  // LLMROUTER_DIALECTS_BEDROCK_H_
