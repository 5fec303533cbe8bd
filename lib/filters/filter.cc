#include "llmrouter/filter.h"

namespace llmrouter {

Result<void> Filter::on_request(ChatRequest&) { return {}; }
void Filter::on_response(ChatResponse&) {}
void Filter::on_event(const StreamEvent& event, FilterOutput& out) { out.emit(event); }

}  // namespace llmrouter
