// Steps of an answer that wait for their turn: what is said between the pieces of a tool call, in dialects that tell one thing after the other.
#ifndef LLMROUTER_DIALECTS_HELD_EVENTS_H_
#define LLMROUTER_DIALECTS_HELD_EVENTS_H_

#include <string>
#include <utility>
#include <vector>

#include "llmrouter/stream.h"

namespace llmrouter::dialects {

// Owns its text. Holds what text, thoughts, refusals, annotations, logprobs and kOther consist of.
class HeldEvents {
 public:
  void hold(const StreamEvent& event) {
    bytes_ += event.text.size() + event.signature.size() + event.raw.size();
    if (joins(event)) {
      held_.back().text += event.text;
      return;
    }
    bytes_ += sizeof(Held);
    held_.push_back({event.kind, event.choice, event.redacted, std::string(event.text), std::string(event.signature), std::string(event.maker),
                     std::string(event.name), std::string(event.raw)});
  }
  size_t bytes() const noexcept { return bytes_; }
  bool empty() const noexcept { return held_.empty(); }
  // In their order; none is held afterwards. `tell` may hold anew.
  template <typename Tell>
  void tell(Tell&& tell) {
    const std::vector<Held> held = std::exchange(held_, {});
    bytes_ = 0;
    for (const Held& h : held) {
      StreamEvent event;
      event.kind = h.kind;
      event.choice = h.choice;
      event.redacted = h.redacted;
      event.text = h.text;
      event.signature = h.signature;
      event.maker = h.maker;
      event.name = h.name;
      event.raw = h.raw;
      tell(event);
    }
  }

 private:
  struct Held {
    StreamEvent::Kind kind;
    int64_t choice;
    bool redacted;
    std::string text, signature, maker, name, raw;
  };
  bool joins(const StreamEvent& event) const {
    if (held_.empty() || event.kind == StreamEvent::Kind::kAnnotation || !event.signature.empty() || !event.raw.empty()) return false;
    const Held& last = held_.back();
    return last.kind == event.kind && last.choice == event.choice && last.name == event.name && last.signature.empty() && last.raw.empty();
  }
  std::vector<Held> held_;
  size_t bytes_ = 0;
};

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_HELD_EVENTS_H_
