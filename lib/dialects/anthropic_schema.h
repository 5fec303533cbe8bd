// JSON Schema as structured output takes it: a grammar is compiled from it, which knows names, types and choices, but no measures.
#ifndef LLMROUTER_DIALECTS_ANTHROPIC_SCHEMA_H_
#define LLMROUTER_DIALECTS_ANTHROPIC_SCHEMA_H_

#include <string>
#include <string_view>

#include "wire/json_scan.h"

namespace llmrouter::dialects::anthropic {

// Appends `schema` (a valid JSON object) without the keywords that are refused: measures (minimum, maxLength, pattern, ...) are told in the
// description, objects get "additionalProperties":false, oneOf becomes anyOf. False, and nothing appended: it says something that has no
// such form (free member names, tuples, conditions, a schema inside itself).
bool append_output_schema(std::string_view schema, std::string& out);

}  // namespace llmrouter::dialects::anthropic

#endif  // LLMROUTER_DIALECTS_ANTHROPIC_SCHEMA_H_
