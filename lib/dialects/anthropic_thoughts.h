// Thoughts in a client's history that no Claude signed: another maker's model had them, or nobody said whose they are. Claude refuses the whole request for one
// of them, so that they are cut out of a relayed body, and with them what hangs on them: thinking with a budget wants the thoughts of the turn that goes on.
#ifndef LLMROUTER_DIALECTS_ANTHROPIC_THOUGHTS_H_
#define LLMROUTER_DIALECTS_ANTHROPIC_THOUGHTS_H_

#include <vector>

#include "dialects/anthropic.h"
#include "wire/splice.h"

namespace llmrouter::dialects::anthropic {

// `block` is a `thinking` or `redacted_thinking` block.
bool is_refused_thought(wire::JsonValue block);

// Appends what has to change in a body that has some. kNotSupported: nothing would be left of it, or more than members would change.
Result<void> cut_thoughts(const EncodeInput& input, const WriteOptions& options, EncodedRequest& out, std::vector<wire::SpliceEdit>& edits);

}  // namespace llmrouter::dialects::anthropic

#endif  // LLMROUTER_DIALECTS_ANTHROPIC_THOUGHTS_H_
