// Is a text JSON? For members of requests and configurations that hold some (ChatRequest::metadata, Tool::parameters, ModelConfig::defaults).
#ifndef LLMROUTER_JSON_TEXT_H_
#define LLMROUTER_JSON_TEXT_H_

#include <string_view>

#include "llmrouter/export.h"

namespace llmrouter {

// One value and nothing behind it, nested no deeper than the router reads.
LLMROUTER_EXPORT bool is_json(std::string_view text);
LLMROUTER_EXPORT bool is_json_object(std::string_view text);
// The members of an object without its braces, as RawMembers has them; empty: none.
LLMROUTER_EXPORT bool is_json_members(std::string_view text);

}  // namespace llmrouter

#endif  // LLMROUTER_JSON_TEXT_H_
