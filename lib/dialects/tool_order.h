// Parallel tool calls of a stream, told strictly one after the other: start, arguments, end, next. Upstreams interleave them; many clients take
// another call's start for the end of the one before.
#ifndef LLMROUTER_DIALECTS_TOOL_ORDER_H_
#define LLMROUTER_DIALECTS_TOOL_ORDER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dialects/held_events.h"
#include "dialects/json_depth.h"
#include "llmrouter/stream.h"

namespace llmrouter::dialects {

// The calls of one choice. A call is over when its arguments are a whole object and another one begins, or when close() says so. What comes for
// a call that has to wait is held, and so is what is said while one is not whole yet, up to kMaxHeld bytes.
class ToolOrder {
 public:
  static constexpr size_t kMaxHeld = 64 * 1024 * 1024;

  class Teller {
   public:
    virtual ~Teller() = default;
    virtual void call_begin(const ToolCall& call) = 0;  // without its arguments
    virtual void call_arguments(std::string_view piece) = 0;
    virtual void call_end() = 0;
    virtual void say(const StreamEvent& held) = 0;  // what hold() kept, when its turn has come
  };

  void begin(const StreamEvent& event, Teller& teller);
  void arguments(int64_t index, std::string_view piece, Teller& teller);
  // Anything else than calls. True: it has to wait for a call that is not whole, and is kept. False: it is to be told now.
  bool hold(const StreamEvent& event);
  // Ends the call that is open and tells all that wait: before text, and at the end.
  void close(Teller& teller);
  // More is waiting than may be held: the answer cannot be told.
  bool overflowed() const noexcept { return bytes_ + held_.bytes() > kMaxHeld; }
  bool any() const noexcept { return any_; }

 private:
  struct Waiting {
    int64_t index;
    ToolCall call;
  };
  void tell(const Waiting& next, Teller& teller);
  void end(Teller& teller);
  void tell_waiting(bool all, Teller& teller);
  bool busy() const noexcept { return open_ >= 0 && (!depth_.complete() || !waiting_.empty()); }

  std::vector<Waiting> waiting_;
  HeldEvents held_;
  size_t bytes_ = 0;   // of those that wait
  int64_t open_ = -1;  // the index of the call being told; -1: none
  JsonDepth depth_;
  bool any_ = false;
};

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_TOOL_ORDER_H_
