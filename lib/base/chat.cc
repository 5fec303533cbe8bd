#include "llmrouter/chat.h"

namespace llmrouter {
namespace {

std::string text_of(const std::vector<Part>& parts) {
  std::string out;
  for (const Part& part : parts) {
    if (part.kind == Part::Kind::kText) out += part.text;
  }
  return out;
}

bool tell_texts(const Message& message, TextSink& sink) {
  for (const Part& part : message.parts) {
    if (part.kind == Part::Kind::kReasoning) continue;
    if (!part.text.empty() && !sink.on_text(part.text)) return false;
    if (part.kind == Part::Kind::kFile && !part.name.empty() && !sink.on_text(part.name)) return false;
  }
  return true;
}

}  // namespace

bool tell_texts(const ChatRequest& request, TextSink& sink) {
  for (auto message = request.messages.rbegin(); message != request.messages.rend(); ++message) {
    if (message->role == Role::kAssistant) continue;
    if (!tell_texts(*message, sink)) return false;
    if (message->role != Role::kTool && !message->name.empty() && !sink.on_text(message->name)) return false;  // a tool's is the model's word
  }
  return true;
}

std::string_view role_name(Role role) noexcept {
  switch (role) {
    case Role::kSystem: return "system";
    case Role::kDeveloper: return "developer";
    case Role::kUser: return "user";
    case Role::kAssistant: return "assistant";
    case Role::kTool: return "tool";
  }
  return "user";
}

std::string_view finish_reason_name(FinishReason reason) noexcept {
  switch (reason) {
    case FinishReason::kNone: return "";
    case FinishReason::kStop: return "stop";
    case FinishReason::kLength: return "length";
    case FinishReason::kToolCalls: return "tool_calls";
    case FinishReason::kContentFilter: return "content_filter";
    case FinishReason::kError: return "error";
    case FinishReason::kOther: return "stop";
  }
  return "stop";
}

std::string Message::text() const { return text_of(parts); }

std::string ChatResponse::text() const { return choices.empty() ? std::string() : choices.front().message.text(); }

ChatRequest ChatRequest::of(std::string model, std::string text) {
  ChatRequest request;
  request.model = std::move(model);
  Message message;
  message.parts.push_back(Part::of_text(std::move(text)));
  request.messages.push_back(std::move(message));
  return request;
}

}  // namespace llmrouter
