// What a message holds, as OpenAI's chat dialect writes it.
#ifndef LLMROUTER_DIALECTS_OPENAI_PARTS_H_
#define LLMROUTER_DIALECTS_OPENAI_PARTS_H_

#include "llmrouter/chat.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::openai {

struct PartOptions {
  bool cache = false;      // cache_control is written
  bool extras = false;     // and members and parts that have no field: they are this dialect's
  bool documents = false;  // files are written as document_url
};


// The member `content`: a text, a list of parts, or null.
void write_content(const Message& message, PartOptions options, wire::JsonWriter& w);

// Was the thought written? `thoughts`: the server takes them back. `details`: those that came in reasoning_details go back there; `verbatim`: from the extras.
bool write_reasoning_and_refusal(const Message& message, bool thoughts, bool details, bool verbatim, wire::JsonWriter& w);

}  // namespace llmrouter::dialects::openai

#endif  // LLMROUTER_DIALECTS_OPENAI_PARTS_H_
