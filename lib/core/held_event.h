// A stream event that owns its text.
#ifndef LLMROUTER_CORE_HELD_EVENT_H_
#define LLMROUTER_CORE_HELD_EVENT_H_

#include <string>

#include "llmrouter/stream.h"

namespace llmrouter {

struct HeldEvent {
  StreamEvent event;  // but for its views
  std::string text, signature, maker, id, name, arguments, model, service_tier, raw;
  explicit HeldEvent(const StreamEvent& e);
  StreamEvent view() const noexcept;
};

}  // namespace llmrouter

#endif  // LLMROUTER_CORE_HELD_EVENT_H_
