// Where the messages, parts, calls and tools of a neutral request stand in the body that a client sent. Found only when an error names one of them: on the
// good path nobody asks. What each dialect's reader does in passing is followed here without the values.
#ifndef LLMROUTER_DIALECTS_ORIGINS_H_
#define LLMROUTER_DIALECTS_ORIGINS_H_

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "llmrouter/chat.h"
#include "wire/json_scan.h"

namespace llmrouter::dialects {

// Of one message.
struct Origin {
  std::string self;                // "contents[1]", or several of them have become one: the first
  std::vector<std::string> parts;  // but for thoughts, which no error names: "contents[1].parts[0]"
  std::vector<std::string> calls;
  bool assistant = false;

  // A text at `at`, or a list of entries there.
  void content(wire::JsonValue value, const std::string& at);
  // A list in `tool_calls`.
  void note_calls(wire::JsonValue list);
};

// A member of the neutral request and what the dialect calls it.
using FieldName = std::pair<std::string_view, std::string_view>;

struct Origins {
  std::vector<Origin> messages;
  std::vector<std::string> tools;
  bool same_members = false;  // messages' members have the chat dialect's names

  Origin& add(std::string self);
  // `neutral` ("messages[2].content[0]", "tools[1]", "response_format") as it stands in the body. `decoded` is the request that was read from that body. What
  // is not found there stays as it is.
  std::string field(std::string_view neutral, const ChatRequest& decoded, std::initializer_list<FieldName> names = {}) const;
};

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_ORIGINS_H_
