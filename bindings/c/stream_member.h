// The one thing that a request's body must say as its call does: whether the answer is streamed.
#ifndef LLMROUTER_BINDINGS_C_STREAM_MEMBER_H_
#define LLMROUTER_BINDINGS_C_STREAM_MEMBER_H_

#include <string>

#include "llmrouter/codec.h"

namespace llmrouter::c {

// Makes `stream` of a chat request say `wanted`, and drops `stream_options` from one that is not streamed. A body that is no such request is
// left as it is: whoever reads it next says what is wrong.
void set_stream(std::string& body, bool wanted, const Dialect& openai);

}  // namespace llmrouter::c

#endif  // LLMROUTER_BINDINGS_C_STREAM_MEMBER_H_
