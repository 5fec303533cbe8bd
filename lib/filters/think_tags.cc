// Reasoning as text between tags.
#include <algorithm>
#include <set>

#include "llmrouter/filter.h"

namespace llmrouter {
namespace {

constexpr std::string_view kOpen = "<think>", kClose = "</think>";

class ThinkTags final : public Filter {
 public:
  bool may_miss(Operation) const noexcept override { return true; }

  // The thoughts of earlier turns are no words of theirs.
  Result<void> on_request(ChatRequest& request) override {
    for (Message& message : request.messages) {
      if (message.role != Role::kAssistant) continue;
      for (Part& part : message.parts) {
        if (part.kind != Part::Kind::kText) continue;
        strip(part.text);
        break;
      }
    }
    return {};
  }

  void on_response(ChatResponse& response) override {
    for (Choice& choice : response.choices) {
      std::string thought;
      auto& parts = choice.message.parts;
      for (const Part& part : parts) {
        if (part.kind == Part::Kind::kReasoning) thought += part.text;
      }
      parts.erase(std::remove_if(parts.begin(), parts.end(), [](const Part& p) { return p.kind == Part::Kind::kReasoning; }), parts.end());
      if (thought.empty()) continue;
      Part tagged = Part::of_text(std::string(kOpen) + thought + std::string(kClose));
      if (!parts.empty() && parts.front().kind == Part::Kind::kText) parts.front().text.insert(0, tagged.text);
      else parts.insert(parts.begin(), std::move(tagged));
    }
  }

  void on_event(const StreamEvent& event, FilterOutput& out) override {
    using Kind = StreamEvent::Kind;
    if (event.kind == Kind::kReasoning) {
      if (event.text.empty()) return;
      if (open_.insert(event.choice).second) tell(event.choice, kOpen, out);
      return tell(event.choice, event.text, out);
    }
    // Counts and names belong to no words.
    const bool words = event.kind == Kind::kText || event.kind == Kind::kRefusal || event.kind == Kind::kToolCallBegin || event.kind == Kind::kFinish;
    if (words && open_.erase(event.choice) != 0) tell(event.choice, kClose, out);
    out.emit(event);
  }

 private:
  static void strip(std::string& text) {
    if (text.compare(0, kOpen.size(), kOpen) != 0) return;
    const size_t end = text.find(kClose);
    if (end != std::string::npos) text.erase(0, end + kClose.size());
  }

  static void tell(int64_t choice, std::string_view text, FilterOutput& out) {
    StreamEvent event;
    event.kind = StreamEvent::Kind::kText;
    event.choice = choice;
    event.text = text;
    out.emit(event);
  }

  std::set<int64_t> open_;  // choices that are thinking
};

}  // namespace

FilterFactory think_tags_filter() {
  return [] { return std::make_unique<ThinkTags>(); };
}

}  // namespace llmrouter
