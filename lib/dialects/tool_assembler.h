// Makes sense of streamed tool calls: which call a delta belongs to, when the vendor says it well, badly or not at all.
#ifndef LLMROUTER_DIALECTS_TOOL_ASSEMBLER_H_
#define LLMROUTER_DIALECTS_TOOL_ASSEMBLER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/custom_tools.h"
#include "dialects/ids.h"
#include "dialects/json_depth.h"
#include "llmrouter/codec.h"
#include "wire/json_scan.h"

namespace llmrouter::dialects {

// The calls of one choice. Calls are numbered from 0 in the order they begin, whatever index the vendor gave.
//
// A delta's call is found by its index, else by its id, else it is a new one when it has a name, else the last one. Another id
// together with a name is another call although the index is the same; so is a name without an id when the call before is whole. Ids and names
// after the first are not read. Missing and doubled ids are made up.
class ToolAssembler {
 public:
  static constexpr size_t kMaxCalls = 1024;

  // One element of delta.tool_calls. Tells the sink what is new. False: too many calls.
  bool delta(wire::JsonValue entry, int64_t choice, IdSource& ids, UpstreamSink& sink);
  // The choice is done: begins what had no name, gives "{}" to calls without arguments.
  void finish(int64_t choice, IdSource& ids, UpstreamSink& sink);
  bool empty() const noexcept { return calls_.empty(); }

 private:
  struct Call {
    std::optional<int64_t> index;  // as the vendor numbers it
    std::string vendor_id;
    std::string id, name;
    std::string held;              // arguments that came before the name
    std::string signature;         // Google's
    bool custom = false;           // of a custom tool: `input` makes arguments of what comes
    InputWriter input;
    bool begun = false, has_arguments = false, closed = false;
    JsonDepth depth;
  };
  size_t find(std::optional<int64_t> index, std::string_view id, std::string_view name) const noexcept;
  void begin(size_t at, int64_t choice, std::string_view arguments, IdSource& ids, UpstreamSink& sink);
  std::vector<Call> calls_;
};

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_TOOL_ASSEMBLER_H_
