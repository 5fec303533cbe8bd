// A chat in no vendor's dialect: what every codec decodes to and encodes from.
//
// A request in the caller's dialect that goes to an upstream of the same dialect never takes this form: its bytes pass.
// The neutral form is for applications that build requests in C++, and for translation between dialects.
#ifndef LLMROUTER_CHAT_H_
#define LLMROUTER_CHAT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/export.h"

namespace llmrouter {

enum class Role { kSystem, kDeveloper, kUser, kAssistant, kTool };
LLMROUTER_EXPORT std::string_view role_name(Role role) noexcept;

// Members of a JSON object that no field here stands for, kept as they came: `"a":1,"b":{"c":2}` without the braces.
// Given back to an upstream or client of the dialect they came from, dropped (and named as dropped) for others.
using RawMembers = std::string;

// One piece of a message.
struct Part {
  enum class Kind {
    kText,       // text
    kImage,      // url (https: or data:) or data + mime; detail
    kAudio,      // data + mime
    kVideo,      // url or data + mime
    kFile,       // file_id, url, or data + mime; name
    kReasoning,  // text: the model's thinking; signature: what its maker wants back with it
    kRefusal,    // text
    kOther,      // raw: a part of a kind that is not known here; text, where it has one: what it looks like in other dialects
  };
  Kind kind = Kind::kText;
  std::string text;
  std::string url;
  std::string data;       // base64 as on the wire
  std::string mime;       // "image/png"; for OpenAI's input_audio "audio/wav" stands for format wav
  std::string file_id;
  std::string name;       // a file's name
  std::string detail;     // low | high | auto
  std::string signature;  // opaque: what its maker wants back with it, byte for byte
  std::string maker;      // whose `signature` it is: a dialect's name ("anthropic", "gemini", "responses", ...); empty: none, or not known
  bool redacted = false;  // kReasoning whose text is hidden in `signature`
  std::string cache;      // a prompt-cache mark behind this part: Anthropic's cache_control object as JSON; empty: none
  std::string raw;        // kOther: the whole JSON object
  RawMembers extras;

  static Part of_text(std::string text) {
    Part p;
    p.text = std::move(text);
    return p;
  }
};

struct ToolCall {
  std::string id;         // may be empty where a dialect has none
  std::string name;
  std::string arguments;  // JSON text; "{}" when there are none
  std::string signature;  // opaque, wanted back by its maker
  RawMembers extras;
  std::string maker{};    // as in Part
  bool custom = false;    // of a custom tool, see Tool; `arguments` is then {"input": "the text"}
};

struct Message {
  Role role = Role::kUser;
  std::string name;
  std::vector<Part> parts;
  std::vector<ToolCall> tool_calls;  // kAssistant
  std::string tool_call_id;          // kTool
  bool tool_error = false;           // kTool: the tool failed
  std::string annotations;           // JSON array as it came; may be empty
  std::string audio;                 // JSON object as it came (a spoken answer, or a reference to one); may be empty
  RawMembers extras;

  LLMROUTER_EXPORT std::string text() const;  // the text parts, joined
};

struct Tool {
  std::string name;
  std::string description;
  std::string parameters;  // JSON Schema text; empty: none
  std::optional<bool> strict;
  std::string raw;  // a tool that is no function: the whole JSON object; the fields above are then empty
  std::string cache;  // as in Part
  RawMembers extras;
  // Takes any text where a function takes JSON (OpenAI's custom tools). Elsewhere it is a function of one text: `parameters` says so already.
  bool custom = false;
  std::string format;  // custom: the grammar its text has to follow, {"type":"grammar","syntax":"lark","definition":"..."}; empty: any text
};

struct ToolChoice {
  enum class Kind { kUnset, kAuto, kNone, kRequired, kNamed, kRaw };
  Kind kind = Kind::kUnset;
  std::string name;  // kNamed
  std::string raw;   // kRaw: JSON text
};

struct ResponseFormat {
  enum class Kind { kUnset, kText, kJsonObject, kJsonSchema, kRaw };
  Kind kind = Kind::kUnset;
  std::string name;
  std::string description;
  std::string schema;  // JSON text
  std::optional<bool> strict;
  std::string raw;  // kRaw: JSON text
};

struct ChatRequest {
  std::string model;
  std::vector<Message> messages;
  std::vector<Tool> tools;
  ToolChoice tool_choice;
  std::optional<bool> parallel_tool_calls;
  ResponseFormat response_format;
  std::optional<int64_t> max_tokens;
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<int64_t> top_k;
  std::optional<double> frequency_penalty;
  std::optional<double> presence_penalty;
  std::optional<int64_t> seed;
  std::optional<int64_t> n;
  std::vector<std::string> stop;
  std::optional<bool> logprobs;
  std::optional<int64_t> top_logprobs;
  std::string logit_bias;  // JSON object text; empty: unset
  std::string user;
  std::string reasoning_effort;              // none | minimal | low | medium | high | xhigh; empty: unset
  std::optional<int64_t> reasoning_budget;   // tokens
  std::optional<bool> reasoning;             // thinking asked for as such, however much (true), or not wanted (false)
  std::string reasoning_summary;             // auto | concise | detailed: the thoughts are to be told in short; empty: unset
  std::string verbosity;                     // low | medium | high; empty: unset
  std::string prompt_cache_key;
  std::string service_tier;
  std::string metadata;  // JSON object text; empty: unset
  bool stream = false;         // set by Router::start for a stream; what a caller puts here is not read
  bool include_usage = false;  // a streaming client asked for the usage chunk
  RawMembers extras;

  // A request of one user message.
  LLMROUTER_EXPORT static ChatRequest of(std::string model, std::string text);
};

// Tokens, all classes. `input` includes cached, cache_write, audio_input and image; `output` includes reasoning and audio_output; `cached` and
// `audio_input` both include cached_audio, which is for the price alone: records do not hold it.
struct TokenUsage {
  int64_t input = 0;
  int64_t cached = 0;
  int64_t cache_write = 0;
  int64_t output = 0;
  int64_t reasoning = 0;
  int64_t audio_input = 0;
  int64_t audio_output = 0;
  int64_t image = 0;
  bool known = false;      // an upstream said so, or an estimate was made
  bool estimated = false;  // nobody said, or not to the end: counted here
  int64_t cached_audio = 0;
  bool output_counted = false;  // beside `estimated`: that is the input alone, the upstream has counted its output to the end
};

enum class FinishReason { kNone, kStop, kLength, kToolCalls, kContentFilter, kError, kOther };
LLMROUTER_EXPORT std::string_view finish_reason_name(FinishReason reason) noexcept;  // OpenAI's words

struct Choice {
  int64_t index = 0;
  Message message;
  FinishReason finish = FinishReason::kNone;
  std::string finish_raw;  // the provider's own word
  std::string logprobs;    // JSON as it came; may be empty
  RawMembers extras;
};

struct ChatResponse {
  std::string id;
  std::string model;    // as the provider names it
  int64_t created = 0;  // Unix seconds
  std::vector<Choice> choices;
  TokenUsage usage;
  std::string service_tier;
  std::string system_fingerprint;
  RawMembers extras;
  RawMembers usage_extras;

  LLMROUTER_EXPORT std::string text() const;  // the first choice's text; empty when there is none
};

// Hears the texts of a request, one by one; a view holds while it is told.
class TextSink {
 public:
  virtual bool on_text(std::string_view text) = 0;  // false: that is enough

 protected:
  ~TextSink() = default;
};

// Tells what the caller says in a request: the texts of system, developer, user and tool messages, the newest message first, its files' and its speaker's names.
// Not what the model said (kAssistant), nor what is in URLs and base64. False: the sink had enough.
LLMROUTER_EXPORT bool tell_texts(const ChatRequest& request, TextSink& sink);

}  // namespace llmrouter

#endif  // LLMROUTER_CHAT_H_
