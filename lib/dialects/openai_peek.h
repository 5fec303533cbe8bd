// Quick looks at a chunk of a stream that is passed on as it is.
#ifndef LLMROUTER_DIALECTS_OPENAI_PEEK_H_
#define LLMROUTER_DIALECTS_OPENAI_PEEK_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "wire/json_scan.h"

namespace llmrouter::dialects::openai {

// True only when this is what most chunks of most streams are: one choice with some text or reasoning in its delta, and neither a finish
// reason, nor usage, nor an error. When in doubt false: then somebody looks closely. Costs one pass over the bytes. `said` gets the bytes of
// text, reasoning and arguments in it, escapes as they stand; `usage` the chunk's own `"usage": null`, if it has one.
bool is_plain_payload(std::string_view json, size_t& said, std::string_view& usage) noexcept;

// What a choice of a chunk has that a relay must know.
struct ChunkChoice {
  std::optional<int64_t> index;
  bool visible = false;    // its delta holds more than a role and empty members
  size_t said = 0;         // bytes of text, reasoning, refusals and arguments
  wire::JsonValue finish, error;  // as they stand there; absent when they do not
};
ChunkChoice look_at_choice(wire::JsonValue choice);

}  // namespace llmrouter::dialects::openai

#endif  // LLMROUTER_DIALECTS_OPENAI_PEEK_H_
