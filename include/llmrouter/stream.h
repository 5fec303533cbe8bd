// Where a streamed answer goes, piece by piece.
#ifndef LLMROUTER_STREAM_H_
#define LLMROUTER_STREAM_H_

#include <string_view>

#include "llmrouter/chat.h"
#include "llmrouter/error.h"

namespace llmrouter {

// What a sink answers. kPause: nothing more until the call's `resume()`; the pause reaches the upstream's socket. A few
// events already read may still arrive. kCancel: as if the call had been destroyed, but `on_end` still comes (kCancelled).
enum class Flow { kContinue, kPause, kCancel };

// One step of an answer. Views are valid until the callback returns.
struct StreamEvent {
  enum class Kind {
    kStart,          // id, model, created, service_tier: once, first
    kText,           // text
    kReasoning,      // text, and/or signature with its maker; redacted: the text is hidden in the signature
    kRefusal,        // text
    kToolCallBegin,  // tool_index, id, name; arguments may already hold some text; signature with its maker
    kToolCallDelta,  // tool_index, arguments
    kLogprobs,       // raw: JSON
    kAnnotation,     // raw: one annotation as OpenAI's chat dialect has it: {"type":"url_citation","url_citation":{...}}
    kFinish,         // finish, raw: the provider's own word; service_tier; once for each choice
    kUsage,          // usage, service_tier; the last one counts
    kOther,          // raw: a JSON object of a delta's members that no kind here stands for
  };
  Kind kind = Kind::kText;
  int64_t choice = 0;
  int64_t tool_index = 0;
  std::string_view text;
  std::string_view signature;
  std::string_view maker;  // whose signature, as in Part
  bool redacted = false;
  std::string_view id;
  std::string_view name;
  std::string_view arguments;
  std::string_view model;
  std::string_view service_tier;  // what served it, as in ChatResponse; empty: not told, or as it was told before
  std::string_view raw;
  int64_t created = 0;
  FinishReason finish = FinishReason::kNone;
  TokenUsage usage;

  // Text, reasoning, refusal or a tool call: once one of these is out, the answer is committed to this upstream.
  bool visible() const noexcept;
};

inline bool StreamEvent::visible() const noexcept {
  switch (kind) {
    case Kind::kText:
    case Kind::kReasoning:
    case Kind::kRefusal:
      return !text.empty() || !signature.empty();
    case Kind::kToolCallBegin:
    case Kind::kToolCallDelta:
      return true;
    default:
      return false;
  }
}

}  // namespace llmrouter

#endif  // LLMROUTER_STREAM_H_
