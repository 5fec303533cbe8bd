// Token counts out of an OpenAI-shaped usage object, whatever the vendor calls them.
#ifndef LLMROUTER_DIALECTS_USAGE_H_
#define LLMROUTER_DIALECTS_USAGE_H_

#include <string>

#include "llmrouter/chat.h"
#include "wire/json_scan.h"

namespace llmrouter::dialects {

// False, and nothing changed, when `usage` holds no counts (null, {}, or counts that are all null).
//
// Where total_tokens says more than prompt and completion together, a vendor counts something outside of them: reasoning (xAI), audio
// (Mistral) or caches go to the side they belong to; what nobody names is thinking (Google), so output.
bool read_usage(wire::JsonValue usage, TokenUsage& out);

// The usage object that counts in an answer or a chunk: `usage`, `x_groq.usage`, `choices[0].usage`; absent when there is none.
wire::JsonValue find_usage(wire::JsonValue root);
wire::JsonValue find_usage(wire::JsonValue usage, wire::JsonValue x_groq, wire::JsonValue choices);

// The members of a usage object that write_usage() does not write, as they came.
RawMembers usage_extras(wire::JsonValue usage);

// Appends the OpenAI usage object.
void write_usage(const TokenUsage& usage, const RawMembers& extras, std::string& out);

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_USAGE_H_
