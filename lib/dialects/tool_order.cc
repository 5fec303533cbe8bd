#include "dialects/tool_order.h"

#include <utility>

namespace llmrouter::dialects {

void ToolOrder::begin(const StreamEvent& event, Teller& teller) {
  Waiting next;
  next.index = event.tool_index;
  next.call.id = event.id;
  next.call.name = event.name;
  next.call.arguments = event.arguments;
  next.call.signature = event.signature;
  next.call.maker = event.maker;
  if (!busy()) return tell(next, teller);
  bytes_ += sizeof(Waiting) + event.name.size() + event.arguments.size() + event.signature.size();
  waiting_.push_back(std::move(next));
}

bool ToolOrder::hold(const StreamEvent& event) {
  if (!busy()) return false;
  held_.hold(event);
  return true;
}

void ToolOrder::arguments(int64_t index, std::string_view piece, Teller& teller) {
  if (piece.empty()) return;
  for (Waiting& waiting : waiting_) {
    if (waiting.index != index) continue;
    waiting.call.arguments += piece;
    bytes_ += piece.size();
    return;
  }
  if (index != open_) return;  // of a call that is over
  depth_.feed(piece);
  teller.call_arguments(piece);
  if (!waiting_.empty() || !held_.empty()) tell_waiting(false, teller);
}

void ToolOrder::close(Teller& teller) {
  tell_waiting(true, teller);
  end(teller);
}

void ToolOrder::end(Teller& teller) {
  if (open_ >= 0) teller.call_end();
  open_ = -1;
}

void ToolOrder::tell(const Waiting& next, Teller& teller) {
  end(teller);
  any_ = true;
  open_ = next.index;
  depth_ = JsonDepth();
  teller.call_begin(next.call);
  if (next.call.arguments.empty()) return;
  depth_.feed(next.call.arguments);
  teller.call_arguments(next.call.arguments);
}

// Calls, as long as the one before is whole, or all of them; then what was said meanwhile.
void ToolOrder::tell_waiting(bool all, Teller& teller) {
  size_t told = 0;
  while (told < waiting_.size() && (all || depth_.complete())) tell(waiting_[told++], teller);
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(told));
  if (!all && busy()) return;
  bytes_ = 0;
  if (held_.empty()) return;
  end(teller);
  held_.tell([&](const StreamEvent& event) { teller.say(event); });
}

}  // namespace llmrouter::dialects
