// Filters: what stands between a caller and the model, and may rewrite both sides. A filter sees a call in its neutral form, so a call with one is
// translated, never passed on byte by byte.
//
// Filters are registered by name (RouterParts::filters; `filters` of a configuration makes text filters) and switched on by model
// (ModelConfig::filters) or key (KeySpec::filters; its purpose `cursor`: think_tags). A model's come first, in its order.
#ifndef LLMROUTER_FILTER_H_
#define LLMROUTER_FILTER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "llmrouter/chat.h"
#include "llmrouter/result.h"
#include "llmrouter/stream.h"
#include "llmrouter/task.h"

namespace llmrouter {

// Where a filter's events go: to the next filter, at last to the caller.
class FilterOutput {
 public:
  virtual void emit(const StreamEvent& event) = 0;

 protected:
  ~FilterOutput() = default;
};

// One attempt of one call. Used from that call's thread only; must not throw, must not wait, must not touch the call.
class LLMROUTER_EXPORT Filter {
 public:
  virtual ~Filter() = default;
  // Only chats have a neutral form that filters see. May another operation (vectors, rankings, pictures, ...) pass without this one? False: it is
  // refused where the filter is switched on. Default: false, since a filter may be there to keep something from going out.
  virtual bool may_miss(Operation operation) const noexcept;
  // Before the request is written for its target; once for each attempt, each time on the request as the caller sent it. An error ends
  // the attempt: kInvalidRequest is what a caller should hear of.
  virtual Result<void> on_request(ChatRequest& request);
  // A whole answer, before the caller gets it.
  virtual void on_response(ChatResponse& response);
  // One event of a stream. May emit it, others in its place, or none now and more later; what is held back has to be out before a
  // choice's kFinish is emitted. Default: passes it.
  virtual void on_event(const StreamEvent& event, FilterOutput& out);
};

// Makes a filter for each attempt. Called from many threads. Null: this call goes without.
using FilterFactory = std::function<std::unique_ptr<Filter>()>;
using FilterMap = std::map<std::string, FilterFactory>;

// Reasoning as text: `<think>...</think>` before the words, for clients that show text alone. Such tags at the beginning of what the assistant said earlier are
// taken out of requests. Signatures go with the thoughts.
LLMROUTER_EXPORT FilterFactory think_tags_filter();

// A text filter of a configuration: each match of a regular expression (RE2 syntax, linear time) in a text is replaced; `\1` to `\9` in the
// replacement are groups, `\\` a backslash. Texts are what is said, thought and refused, and the strings inside a tool call's arguments, which stay the JSON they
// were. Thoughts that were changed lose their signature.
struct TextFilterConfig {
  std::string name;
  std::string pattern;
  std::string replace;
  bool request = false;   // texts of all messages of a request
  bool response = true;   // whole answers
  bool stream = true;     // streams; the last kTextFilterHold bytes wait for what may follow, so a longer match may be missed
};
constexpr size_t kTextFilterHold = 256;

// kConfig when the pattern or the replacement cannot be used; kNotSupported in a library built without regular expressions.
LLMROUTER_EXPORT Result<FilterFactory> make_text_filter(const TextFilterConfig& config);

}  // namespace llmrouter

#endif  // LLMROUTER_FILTER_H_
