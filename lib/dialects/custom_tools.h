// Tools that take any text where a function takes JSON: `custom` tools of OpenAI's two dialects. For all others, and in neutral form, such a tool is a
// function of one text, `input` (Tool::custom says what it was); its calls have {"input": "the text"} as arguments, and are told to a client that
// declared the tool as what they are.
#ifndef LLMROUTER_DIALECTS_CUSTOM_TOOLS_H_
#define LLMROUTER_DIALECTS_CUSTOM_TOOLS_H_

#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/chat.h"
#include "wire/json_scan.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects {

// Tool::parameters of such a tool.
inline constexpr std::string_view kCustomParameters =
    R"({"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false})";

// Fills `format` (Tool::format) from a tool's own: `grammar` is where syntax and definition stand, which is not the same place in the two dialects. False: it is
// of a kind that is not known here.
bool read_custom_format(wire::JsonValue format, wire::JsonValue grammar, std::string& format_out);

// What a target hears of a tool that has no custom ones: its description, and the grammar in words. Nobody holds the model to it there, which is why it is named
// among what was dropped; agents whose edits have a grammar (Codex) would reach no other vendor's model else.
std::string described(const Tool& tool);

// The names of a request's custom tools, for those who write its answer.
std::vector<std::string> custom_names(const std::vector<Tool>& tools);
bool is_custom(const std::vector<std::string>& names, std::string_view name) noexcept;
bool is_custom(const std::vector<Tool>& tools, std::string_view name) noexcept;

std::string arguments_of_input(std::string_view input);
// Arguments that are no object with a text `input` in front are the text themselves.
std::string input_of_arguments(std::string_view arguments);

// The arguments of a call whose input comes in pieces. They are whole when finish() was appended.
class InputWriter {
 public:
  void piece(std::string_view input, std::string& arguments);
  void finish(std::string& arguments);

 private:
  bool open_ = false, done_ = false;
};

// The input of a call whose arguments come in pieces, as far as it is known. Holds a few bytes.
class InputReader {
 public:
  void feed(std::string_view arguments, std::string& input);
  // The arguments are whole.
  void finish(std::string& input);

 private:
  enum class State { kFront, kInside, kBehind, kOther };
  void read_front(std::string_view& arguments, std::string& input);
  void read_inside(std::string_view arguments, std::string& input);

  State state_ = State::kFront;
  size_t token_ = 0, offset_ = 0;  // of the front: what is expected next
  std::string held_;    // kFront: what was read; kInside: a character or an escape that is not whole
};

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_CUSTOM_TOOLS_H_
