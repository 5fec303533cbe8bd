// A whole answer as the events of a stream: for upstreams that answer whole where a stream was asked for.
#ifndef LLMROUTER_DIALECTS_TELL_ANSWER_H_
#define LLMROUTER_DIALECTS_TELL_ANSWER_H_

#include "dialects/pictures.h"
#include "llmrouter/chat.h"
#include "llmrouter/stream.h"
#include "wire/json_scan.h"

namespace llmrouter::dialects {

template <typename Tell>
void tell_parts(const Choice& choice, Tell&& tell) {
  for (const Part& part : choice.message.parts) {
    StreamEvent event;
    event.choice = choice.index;
    if (part.kind == Part::Kind::kReasoning) event.kind = StreamEvent::Kind::kReasoning;
    else if (part.kind == Part::Kind::kRefusal) event.kind = StreamEvent::Kind::kRefusal;
    else if (part.kind == Part::Kind::kText) event.kind = StreamEvent::Kind::kText;
    else continue;
    event.text = part.text;
    event.signature = part.signature;
    event.maker = part.maker;
    event.redacted = part.redacted;
    tell(event);
  }
  if (const std::vector<std::string> pictures = pictures_of(choice.message); !pictures.empty()) {
    const std::string object = "{\"images\":" + picture_list(pictures) + "}";
    StreamEvent event;
    event.choice = choice.index;
    event.kind = StreamEvent::Kind::kOther;
    event.raw = object;
    tell(event);
  }
  for (wire::JsonValue annotation : wire::JsonElements(wire::JsonValue(choice.message.annotations))) {
    StreamEvent event;
    event.choice = choice.index;
    event.kind = StreamEvent::Kind::kAnnotation;
    event.raw = annotation.raw();
    tell(event);
  }
  int64_t index = 0;
  for (const ToolCall& call : choice.message.tool_calls) {
    StreamEvent event;
    event.choice = choice.index;
    event.kind = StreamEvent::Kind::kToolCallBegin;
    event.tool_index = index++;
    event.id = call.id;
    event.name = call.name;
    event.arguments = call.arguments;
    event.signature = call.signature;
    event.maker = call.maker;
    tell(event);
  }
}

template <typename Tell>
void tell_answer(const ChatResponse& response, Tell&& tell) {
  StreamEvent start;
  start.kind = StreamEvent::Kind::kStart;
  start.id = response.id;
  start.model = response.model;
  start.created = response.created;
  start.service_tier = response.service_tier;
  tell(start);
  for (const Choice& choice : response.choices) {
    if (!choice.logprobs.empty()) {
      StreamEvent event;
      event.kind = StreamEvent::Kind::kLogprobs;
      event.choice = choice.index;
      event.raw = choice.logprobs;
      tell(event);
    }
    tell_parts(choice, tell);
    StreamEvent finish;
    finish.kind = StreamEvent::Kind::kFinish;
    finish.choice = choice.index;
    finish.finish = choice.finish;
    finish.raw = choice.finish_raw;
    tell(finish);
  }
  if (!response.usage.known) return;
  StreamEvent usage;
  usage.kind = StreamEvent::Kind::kUsage;
  usage.usage = response.usage;
  tell(usage);
}

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_TELL_ANSWER_H_
