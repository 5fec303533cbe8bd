#include "llmrouter/filter.h"

namespace llmrouter {

bool Filter::may_miss(Operation) const noexcept { return false; }
Result<void> Filter::on_request(ChatRequest&) { return {}; }
void Filter::on_response(ChatResponse&) {}
void Filter::on_event(const StreamEvent& event, FilterOutput& out) { out.emit(event); }

}  // namespace llmrouter
