// Typed fields of a request, and the errors that name them.
#ifndef LLMROUTER_DIALECTS_FIELDS_H_
#define LLMROUTER_DIALECTS_FIELDS_H_

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/chat.h"
#include "llmrouter/error.h"
#include "wire/json_scan.h"

namespace llmrouter::dialects {

// "a string", "an object", ..., for messages.
std::string_view kind_words(wire::JsonKind kind) noexcept;

// kInvalidRequest: "`temperature` must be a number, not a string".
Error wrong_type(std::string param, std::string_view expected, wire::JsonValue got);
// kInvalidRequest: "`n` must be from 1 to 128".
Error wrong_value(std::string param, std::string_view expected);
// kInvalidRequest: "`model` is required: a string".
Error missing(std::string param, std::string_view expected);
// kInvalidRequest: "`n` above 1 cannot be expressed by <target>".
Error cannot_express(std::string param, std::string_view what, std::string_view target);

// "messages[2].content"
std::string path(std::string_view array, size_t index, std::string_view member = {});

// Reads members that may be absent or null. Remembers the first fault; later reads then do nothing but keep quiet.
class Fields {
 public:
  bool ok() const noexcept { return error_.code == ErrorCode::kNone; }
  Error take_error() { return std::move(error_); }
  void fail(Error error) {
    if (ok()) error_ = std::move(error);
  }

  void read(std::string_view name, wire::JsonValue value, std::string& out);
  void read(std::string_view name, wire::JsonValue value, std::optional<bool>& out);
  void read(std::string_view name, wire::JsonValue value, std::optional<int64_t>& out);
  void read(std::string_view name, wire::JsonValue value, std::optional<double>& out);
  // A string, or an array of at most kMostStrings.
  void read_strings(std::string_view name, wire::JsonValue value, std::vector<std::string>& out);
  // The strings of one list of a request that is read whole. A body's own bounds count arrays and objects, not what is as short as `"a"`.
  static constexpr size_t kMostStrings = 10000;
  // False: a list of `count` is too long, and a fault that names it.
  bool check_count(std::string_view name, size_t count);
  // An object's text.
  void read_object(std::string_view name, wire::JsonValue value, std::string& out);

 private:
  Error error_;
};

// Appends a member's text to `members`.
void add_member(RawMembers& members, std::string_view member_text);
// Calls `each(member)` for the members of RawMembers.
template <typename Each>
void for_each_member(const RawMembers& members, Each&& each) {
  if (members.empty()) return;
  const std::string object = "{" + members + "}";
  for (const wire::JsonMember& m : wire::JsonMembers(wire::JsonValue(object))) each(m);
}

// Names a member as dropped, behind `where` ("tools."); of one called `inside` its own members, as "tools.function.x".
void name_member(std::string_view where, const wire::JsonMember& member, std::string_view inside, std::vector<std::string>& dropped);

// Names the members of another dialect's extras as dropped, but for those that say nothing to others: what also stands in a field of its own
// (`reasoning`, `thinking`, `enable_thinking`, `thinking_budget`, `output_config.effort`; `include` of encrypted thoughts and logprobs), `store: false`, and
// `stream_options`.
void name_extras(const RawMembers& extras, std::vector<std::string>& dropped);

// The same of what stands inside of parts and tools, as "content.citations" and "tools.defer_loading", each once; but for their type, which is told in other words. `said`: what this target has a word
// for and was told.
void name_inner_extras(const ChatRequest& request, std::initializer_list<std::string_view> said, std::vector<std::string>& dropped);

// A thought that no other maker can read: hidden, or nothing but its signature. Where only words can be sent it is lost.
bool is_sealed_thought(const Part& part) noexcept;

// Does a message say what its speaker is called? Of a tool's result it is the function.
bool names_a_speaker(const ChatRequest& request) noexcept;

// A value as text for a field that is JSON inside a string: strings as they are, objects as their JSON, null as nothing.
std::string text_of_value(wire::JsonValue value);

// Is it an end that is known to be no clean one, though no vendor's word for length, content or failure? By the upstream's own word: one that nobody knows may
// well be another spelling of "stop".
bool is_unclean(FinishReason finish, std::string_view word) noexcept;

// Did the length limit cut the answer inside this call? Nobody can tell what it would have been: dialects whose calls come whole leave it out.
bool is_unfinished(const ToolCall& call, FinishReason finish);

// `{"location":"Paris"}` for JSON text that is an object; else the text as a member, for dialects that want an object. On one line.
std::string arguments_object(std::string_view arguments);

// Appends JSON text without the line ends it may have between its tokens: streams are framed by lines.
void append_one_line(std::string& out, std::string_view json);

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_FIELDS_H_
