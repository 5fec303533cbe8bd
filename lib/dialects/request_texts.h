// What a caller says in a request's body, for rules on content: read where it lies, so that what no field stands for is there, too.
#ifndef LLMROUTER_DIALECTS_REQUEST_TEXTS_H_
#define LLMROUTER_DIALECTS_REQUEST_TEXTS_H_

#include <initializer_list>
#include <string_view>

#include "llmrouter/chat.h"

namespace llmrouter::dialects {

// A member of the body that texts stand in.
struct TextMember {
  std::string_view name;
  bool turns = false;  // a conversation: what the model said in it is left out
  bool items = false;  // whose entries say by their `type` who they are of (Responses)
  bool own = false;    // JSON of the caller's own, all of it
};

// As ClientCodec::tell_texts(): of these members, in this order, the last entry of each list first. Every string inside is told but what stands under the names of ids,
// kinds, URLs and base64, nor names but that of a speaker; inside a tool's result or a document that is JSON all of them, and its names and numbers. `body` was scanned.
bool tell_texts(std::string_view body, std::initializer_list<TextMember> members, TextSink& sink);

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_REQUEST_TEXTS_H_
