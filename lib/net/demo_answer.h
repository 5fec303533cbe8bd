// What the demo model says, and how it looks on the wire.
#ifndef LLMROUTER_NET_DEMO_ANSWER_H_
#define LLMROUTER_NET_DEMO_ANSWER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "net/demo_request.h"

namespace llmrouter::net {

// The content of one answer; every choice says the same, with tool call ids of its own.
struct DemoAnswer {
  struct Call {
    std::string name;
    std::string arguments;
    std::vector<std::string> ids;  // one for each choice
  };
  std::vector<std::string> pieces;  // of the text: words with the blanks before them
  std::vector<Call> calls;          // not empty: instead of a text
  std::string_view finish = "stop";
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
  int64_t choices = 1;

  std::string id;
  std::string model;
  int64_t created = 0;
  bool logprobs = false;
  int64_t top_logprobs = 0;
  bool include_usage = false;
};

// `make_id` gives a new id with this prefix each time.
DemoAnswer compose(const DemoRequest& request, const std::function<std::string(std::string_view prefix)>& make_id);

// The whole answer as one JSON body.
std::string whole_body(const DemoAnswer& answer);

// One event of the streamed answer.
struct DemoStep {
  enum class Kind { kRole, kText, kCallBegin, kCallArguments, kFinish, kUsage, kDone };
  Kind kind = Kind::kDone;
  int32_t choice = 0;
  int32_t index = 0;  // of the piece, or of the call
  int32_t begin = 0, end = 0;  // of the arguments
  // Text and arguments: what a reader waits for.
  bool visible() const noexcept { return kind == Kind::kText || kind == Kind::kCallArguments; }
};
std::vector<DemoStep> steps_of(const DemoAnswer& answer);
// As an SSE event, with the empty line after it.
std::string event_of(const DemoAnswer& answer, const DemoStep& step);

// {"error":{...}}. An empty param or code is null.
std::string error_body(std::string_view message, std::string_view type, std::string_view param, std::string_view code);

}  // namespace llmrouter::net

#endif  // LLMROUTER_NET_DEMO_ANSWER_H_
