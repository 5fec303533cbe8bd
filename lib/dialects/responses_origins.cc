// Where in a client's body the neutral request came from: what responses_read.cc does, without the values.
#include "dialects/fields.h"
#include "dialects/origins.h"
#include "dialects/responses.h"

namespace llmrouter::dialects::responses {
namespace {

using wire::find_member;
using wire::JsonElements;
using wire::JsonValue;

// A text at `at`, a list of entries there, or something else that is read as one text.
void note_content(JsonValue value, const std::string& at, Origin& origin) {
  if (value.is_unset()) return;
  if (value.is_array()) origin.content(value, at);
  else origin.parts.push_back(at);
}

class Notes {
 public:
  Origins run(JsonValue root, const ChatRequest& decoded) {
    note_instructions(find_member(root, "instructions"));
    const JsonValue input = find_member(root, "input");
    if (input.is_string()) out_.add("input").parts.emplace_back("input");
    size_t i = 0;
    for (JsonValue item : JsonElements(input)) note_item(item, path("input", i++));
    note_tools(find_member(root, "tools"), decoded);
    return std::move(out_);
  }

 private:
  void note_instructions(JsonValue value) {
    Origin origin;
    origin.self = "instructions";
    if (value.is_string() && !value.equals("")) origin.parts.emplace_back("instructions");
    size_t i = 0;
    for (JsonValue entry : JsonElements(value)) note_content(find_member(entry, "content"), path("instructions", i++, "content"), origin);
    if (!origin.parts.empty()) out_.messages.push_back(std::move(origin));
  }

  void note_item(JsonValue item, const std::string& at) {
    const JsonValue type = find_member(item, "type");
    if (type.is_unset() || type.equals("message")) {
      const bool assistant = find_member(item, "role").equals("assistant");
      note_content(find_member(item, "content"), at + ".content", assistant ? answer(at, false) : out_.add(at));
    } else if (type.equals("reasoning")) {
      const Part part = read_reasoning(item);
      const bool of_call = part.maker.size() >= kOfCall.size() && part.maker.compare(part.maker.size() - kOfCall.size(), kOfCall.size(), kOfCall) == 0;
      if (!of_call && !(part.text.empty() && part.signature.empty())) answer(at, false);
    } else if (type.equals("function_call") || type.equals("custom_tool_call")) {
      answer(at, true).calls.push_back(at);
    } else if (type.equals("function_call_output") || type.equals("custom_tool_call_output")) {
      note_content(find_member(item, "output"), at + ".output", out_.add(at));
    }
  }

  // Items of one turn of the assistant become one message.
  Origin& answer(const std::string& at, bool call) {
    const bool open = !out_.messages.empty() && out_.messages.back().assistant;
    const bool said = open && out_.messages.back().calls.empty() && !out_.messages.back().parts.empty();
    if (!open || (said && !call)) out_.add(at).assistant = true;
    return out_.messages.back();
  }

  // `allowed_tools` has left some out.
  void note_tools(JsonValue list, const ChatRequest& decoded) {
    size_t i = 0;
    for (JsonValue tool : JsonElements(list)) {
      const std::string here = path("tools", i++);
      const size_t next = out_.tools.size();
      if (next == decoded.tools.size()) return;
      const Tool& read = decoded.tools[next];
      if (read.raw.empty() ? find_member(tool, "name").equals(read.name) : tool.raw() == read.raw) out_.tools.push_back(here);
    }
  }

  Origins out_;
};

}  // namespace

Origins origins_of(std::string_view body, const ChatRequest& decoded) { return Notes().run(JsonValue(body), decoded); }

}  // namespace llmrouter::dialects::responses
