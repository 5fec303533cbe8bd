// Names of tools fitted to a target's rule, and given back in its answer.
#include <set>
#include <string>
#include <vector>

#include "dialects/tool_names.h"
#include "fuzz/fuzz.h"

using namespace llmrouter;
using namespace llmrouter::dialects;

namespace {

bool fits(const std::string& name, const ToolNameRule& rule) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  for (char c : name) {
    if (!is_letter(c) && !(c >= '0' && c <= '9') && c != '-' && rule.more.find(c) == std::string_view::npos) return false;
  }
  return !name.empty() && name.size() <= rule.most && (!rule.letter_first || is_letter(name[0]));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  const unsigned how = in.byte();
  const ToolNameRule& rule = how & 1 ? kGoogleNames : kPlainNames;
  ChatRequest request = ChatRequest::of("m", "q");
  request.messages.emplace_back().role = Role::kAssistant;
  std::set<std::string> names;
  for (std::string_view rest = in.rest(); !rest.empty() && names.size() < 64;) {
    const std::string name(rest.substr(0, rest.find('\n')));
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
    if (name.empty() || !names.insert(name).second) continue;
    Tool tool;
    tool.name = name;
    request.tools.push_back(tool);
    ToolCall call;
    call.name = name;
    request.messages.back().tool_calls.push_back(call);
  }
  ToolNames fitted;
  std::optional<ChatRequest> copy;
  const ChatRequest& written = fitted.fit(request, rule, (how & 2) != 0, copy);
  if (!(how & 2)) {
    fuzz::must(&written == &request, "names of the target's own dialect stay");
    return 0;
  }
  fuzz::must(written.tools.size() == request.tools.size(), "no tool is lost");
  std::set<std::string> used;
  ChatResponse answer;
  answer.choices.emplace_back();
  for (size_t i = 0; i < written.tools.size(); ++i) {
    const std::string& name = written.tools[i].name;
    fuzz::must(fits(name, rule), "a name fits the rule");
    fuzz::must(used.insert(name).second, "no two tools have one name");
    fuzz::must(!fits(request.tools[i].name, rule) || name == request.tools[i].name, "a name that fits stays");
    fuzz::must(written.messages.back().tool_calls[i].name == name, "a call has its tool's name");
    ToolCall call;
    call.name = name;
    answer.choices[0].message.tool_calls.push_back(call);
  }
  fitted.restore(answer);
  for (size_t i = 0; i < request.tools.size(); ++i) {
    fuzz::must(answer.choices[0].message.tool_calls[i].name == request.tools[i].name, "the caller hears its own names");
  }
  return 0;
}
