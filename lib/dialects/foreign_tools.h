// What a request of another dialect asks for beside functions: tools that a vendor's own servers run or that its models were taught, and members that
// bring tools or knowledge along. No other vendor has them, and an answer without them is another answer.
#ifndef LLMROUTER_DIALECTS_FOREIGN_TOOLS_H_
#define LLMROUTER_DIALECTS_FOREIGN_TOOLS_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/chat.h"
#include "llmrouter/result.h"

namespace llmrouter::dialects {

// kInvalidRequest, which names the tool (`tools[2]`), the choice or the member, when the target would answer something else without it. Not an error,
// but named in `dropped` ("tools.web_search"): what coding agents offer beside their functions whether the task needs it or not, and kinds that nobody
// here has heard of. Where nothing else is in the request these are what it is about, and an error, too. The rule is told in README.md, "Tools that are no functions".
// `spoken`: a member that this target understands. `grammars`: it has custom tools of its own; others hear of a grammar in words (described()).
Result<void> check_foreign_tools(const ChatRequest& request, std::string_view target, std::vector<std::string>& dropped, std::string_view spoken = {},
                                 bool grammars = false);

// A choice among some of the tools: functions and custom tools by their names, hosted ones by their types.
struct AllowedTools {
  std::vector<std::string> names, hosted;
};

// Leaves the others out of `tools`: who may not call a tool need not see it, and the answer is the same in every dialect. False: none would be left, and
// nothing has changed.
bool keep_allowed(AllowedTools allowed, std::vector<Tool>& tools);

// What such tools left in the history of a request of another dialect, and other parts that only that dialect knows. Those that say in `text` what they look like
// elsewhere become that text; others of the assistant's are history, and left out by name ("messages.server_tool_use"). What a user or a tool says stays,
// for the target to refuse.
class ForeignParts {
 public:
  // `request` has to live as long. `no_files`: the target has no place for files, so that those of text become what they say.
  ForeignParts(const ChatRequest& request, bool foreign, std::vector<std::string>& dropped, bool no_files = false);
  const ChatRequest& request() const noexcept { return copy_ ? *copy_ : request_; }

 private:
  const ChatRequest& request_;
  std::unique_ptr<ChatRequest> copy_;  // where there are such parts
};

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_FOREIGN_TOOLS_H_
