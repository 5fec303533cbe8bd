// What the demo model understands of an OpenAI chat request.
#ifndef LLMROUTER_NET_DEMO_REQUEST_H_
#define LLMROUTER_NET_DEMO_REQUEST_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/json_scan.h"

namespace llmrouter::net {

// Stays where it is: its views are into its own body.
struct DemoRequest {
  struct Tool {
    std::string name;
    wire::JsonValue parameters;  // a JSON schema, or absent
  };
  enum class ToolChoice { kAuto, kNone, kRequired, kNamed };
  enum class Format { kText, kJsonObject, kJsonSchema };
  // Why it is refused.
  struct Fault {
    std::string message;
    std::string param;  // may be empty
  };

  DemoRequest() = default;
  DemoRequest(const DemoRequest&) = delete;
  DemoRequest& operator=(const DemoRequest&) = delete;
  // Reads `json`; none: it is good.
  std::optional<Fault> read(std::string json);

  std::string model;
  bool stream = false;
  bool include_usage = false;
  bool logprobs = false;
  bool parallel = true;
  int64_t top_logprobs = 0;        // 0..20
  int64_t n = 1;                   // 1..128
  std::optional<int64_t> max_words;  // >= 1
  std::vector<std::string> stops;    // what ends a text, and is not said; at most four
  std::vector<Tool> tools;
  ToolChoice tool_choice = ToolChoice::kAuto;
  std::string named_tool;
  Format format = Format::kText;
  wire::JsonValue schema;          // of kJsonSchema; may be absent
  std::string text;                // of the last user message
  bool after_tool = false;         // the last message is a tool's result,
  std::string tool_text;           // which says this
  int64_t prompt_words = 0;

 private:
  std::optional<Fault> read_messages(wire::JsonValue messages);
  std::optional<Fault> read_tools(wire::JsonValue list, wire::JsonValue choice);
  std::optional<Fault> read_stops(wire::JsonValue stop);
  std::optional<Fault> read_format(wire::JsonValue format);
  void read_text(wire::JsonValue content, std::string& out);

  std::string body_;
};

// Words as the demo model counts them: what stands between blanks.
int64_t count_words(std::string_view text) noexcept;

}  // namespace llmrouter::net

#endif  // LLMROUTER_NET_DEMO_REQUEST_H_
