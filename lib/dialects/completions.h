// OpenAI's legacy text completions: POST /completions. For clients that still speak it: their bytes pass where a provider serves it, and become a
// chat of one user message elsewhere. There is no upstream of this dialect alone.
#ifndef LLMROUTER_DIALECTS_COMPLETIONS_H_
#define LLMROUTER_DIALECTS_COMPLETIONS_H_

#include <memory>

#include "llmrouter/codec.h"

namespace llmrouter::dialects::completions {

std::unique_ptr<ClientCodec> new_client_codec();

// Reads a body once; errors name the field.
Result<RequestFacts> scan_request(std::string_view body);
// kInvalidRequest for what a chat cannot say: several prompts, prompts of token ids, echo, suffix, logprobs.
Result<ChatRequest> read_request(std::string_view body);

}  // namespace llmrouter::dialects::completions

#endif  // LLMROUTER_DIALECTS_COMPLETIONS_H_
