#include "dialects/bedrock_stream.h"

#include <algorithm>

#include "dialects/bedrock.h"
#include "dialects/dates.h"
#include "dialects/fault.h"
#include "dialects/fields.h"
#include "dialects/tool_assembler.h"
#include "dialects/usage.h"

namespace llmrouter::dialects::bedrock {

using wire::EventStreamMessage;
using wire::EventStreamParser;
using wire::find_member;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using Kind = StreamEvent::Kind;

void StreamReader::start(std::string_view model, std::string_view key, std::string answer_tool) {
  model_ = model;
  answer_tool_ = std::move(answer_tool);
  maker_ = maker_of(family_of(model));
  key_ = Secret(std::string(key));
}

void StreamReader::feed(std::string_view bytes, UpstreamSink& sink) {
  if (dead_) return;
  parser_.feed(bytes);
  drain(sink);
}

void StreamReader::finish(UpstreamSink& sink) {
  if (dead_) return;
  parser_.finish();
  drain(sink);
  if (!stopped_) fail(unreadable("the upstream's stream ended before the answer was finished", {}, key_.reveal()), sink);
}

void StreamReader::drain(UpstreamSink& sink) {
  EventStreamMessage message;
  while (!dead_) {
    switch (parser_.next(message)) {
      case EventStreamParser::Next::kMessage: take(message, sink); break;
      case EventStreamParser::Next::kMore: return;
      case EventStreamParser::Next::kError:
        return fail(unreadable("the upstream's stream cannot be read: " + parser_.error(), {}, key_.reveal()), sink);
    }
  }
}

void StreamReader::fail(Error error, UpstreamSink& sink) {
  if (dead_) return;
  dead_ = true;
  sink.on_error(std::move(error));
}

void StreamReader::tell(const StreamEvent& event, UpstreamSink& sink) {
  if (!dead_ && sink.on_event(event) == Flow::kCancel) dead_ = true;
}

void StreamReader::take(const EventStreamMessage& message, UpstreamSink& sink) {
  const std::string_view kind = message.header(":message-type");
  if (kind == "exception") return fail(error_of(message.header(":exception-type"), 0, message.payload, key_.reveal()), sink);
  if (kind == "error") {
    const std::string_view words = message.header(":error-message");
    return fail(error_of(message.header(":error-code"), 0, words.empty() ? message.payload : words, key_.reveal()), sink);
  }
  const std::string_view type = message.header(":event-type");
  const JsonValue root(message.payload);
  if (!root.is_object() || !wire::validate(message.payload)) {
    return fail(unreadable("an event of the upstream's stream is not JSON: " + scrub(plain_words(message.payload), key_.reveal()), message.payload, key_.reveal()), sink);
  }
  if (type == "metadata") return count(last_told(root, "usage"), wire::find(root, "serviceTier", "type").string_or(), sink);
  const bool starts = type == "contentBlockStart", goes_on = type == "contentBlockDelta";
  if (stopped_) {
    if (starts || goes_on) fail(unreadable("the upstream's stream goes on behind its end", message.payload, key_.reveal()), sink);
    return;
  }
  begin(sink);
  const int64_t index = find_member(root, "contentBlockIndex").integer().value_or(0);
  if (starts) begin_block(find_member(root, "start"), index, sink);
  else if (goes_on) delta(find_member(root, "delta"), sink);
  else if (type == "contentBlockStop" && (in_block_ || index < begun_)) end_block(sink);
  else if (type == "contentBlockStop") fail(unreadable("the upstream's stream ends a block that never began", message.payload, key_.reveal()), sink);
  else if (type == "messageStop") stop(find_member(root, "stopReason"), sink);
  if (!starts && !goes_on) return;
  in_block_ = true;
  begun_ = std::max(begun_, index + 1);
}

// The last event of all.
void StreamReader::count(JsonValue usage, const std::string& tier, UpstreamSink& sink) {
  begin(sink);
  StreamEvent event;
  event.kind = Kind::kUsage;
  event.usage = read_usage(usage);
  event.service_tier = tier;
  if (event.usage.known) tell(event, sink);
  if (stopped_ && !dead_) sink.on_frame({}, FrameKind::kDone);
}

void StreamReader::begin(UpstreamSink& sink) {
  if (started_) return;
  started_ = true;
  StreamEvent event;
  event.kind = Kind::kStart;
  event.model = model_;
  event.created = now_seconds();
  tell(event, sink);
}

// Only calls have one.
void StreamReader::begin_block(JsonValue start, int64_t index, UpstreamSink& sink) {
  if ((in_call_ || in_answer_) && index < begun_) {
    // Which of the two the pieces belong to, nobody knows.
    return fail(unreadable("the upstream's stream begins a tool call anew that has not ended", start.raw(), key_.reveal()), sink);
  }
  end_block(sink);
  const JsonValue call = find_member(start, "toolUse");
  if (!call.is_object()) return;
  has_input_ = false;
  in_answer_ = !answer_tool_.empty() && find_member(call, "name").equals(answer_tool_);
  if (in_answer_) return;
  if (static_cast<size_t>(calls_) >= ToolAssembler::kMaxCalls) {
    return fail(unreadable("the upstream's stream has more tool calls than " + std::to_string(ToolAssembler::kMaxCalls), {}, key_.reveal()), sink);
  }
  in_call_ = true;
  const std::string id = find_member(call, "toolUseId").string_or(), name = find_member(call, "name").string_or();
  StreamEvent event;
  event.kind = Kind::kToolCallBegin;
  event.tool_index = calls_++;
  event.id = id;
  event.name = name;
  tell(event, sink);
}

void StreamReader::delta(JsonValue delta, UpstreamSink& sink) {
  for (const JsonMember& m : JsonMembers(delta)) {
    StreamEvent event;
    if (m.key == "text") {
      event.kind = Kind::kText;
      event.text = m.value.string_view(scratch_).value_or(std::string_view{});
      if (!event.text.empty()) tell(event, sink);  // there are empty blocks before thoughts
    } else if (m.key == "reasoningContent") {
      think(m.value, sink);
    } else if (m.key == "citation") {
      const std::string annotation = annotation_of(m.value);
      event.kind = Kind::kAnnotation;
      event.raw = annotation;
      if (!annotation.empty()) tell(event, sink);
    } else if (m.key == "toolUse") {
      if (!in_call_ && !in_answer_) return fail(unreadable("the upstream's stream has arguments of a call that never began", delta.raw(), key_.reveal()), sink);
      const std::string piece = text_of_value(find_member(m.value, "input"));
      if (piece.empty()) continue;
      tell_input(piece, sink);
    }
  }
}

void StreamReader::tell_input(std::string_view piece, UpstreamSink& sink) {
  has_input_ = true;
  StreamEvent event;
  if (in_answer_) {
    event.kind = Kind::kText;
    event.text = piece;
  } else {
    event.kind = Kind::kToolCallDelta;
    event.tool_index = calls_ - 1;
    event.arguments = piece;
  }
  tell(event, sink);
}

void StreamReader::think(JsonValue thought, UpstreamSink& sink) {
  for (const JsonMember& m : JsonMembers(thought)) {
    StreamEvent event;
    event.kind = Kind::kReasoning;
    const std::string_view said = m.value.string_view(scratch_).value_or(std::string_view{});
    if (said.empty()) continue;
    if (m.key == "text") {
      event.text = said;
    } else if (m.key == "signature") {
      event.signature = said;
      event.maker = maker_;
    } else if (m.key == "redactedContent") {
      event.signature = said;
      event.maker = kMaker;
      event.redacted = true;
    } else {
      continue;
    }
    tell(event, sink);
  }
}

// A call without a piece of input has none.
void StreamReader::end_block(UpstreamSink& sink) {
  if ((in_call_ || in_answer_) && !has_input_) tell_input("{}", sink);
  in_call_ = in_answer_ = in_block_ = false;
}

void StreamReader::stop(JsonValue reason, UpstreamSink& sink) {
  end_block(sink);
  const std::string word = reason.string_or();
  StreamEvent event;
  event.kind = Kind::kFinish;
  event.finish = finish_reason_of(word);
  event.raw = word;
  if (event.finish == FinishReason::kError) {
    return fail(Error(ErrorCode::kUpstreamError, "the upstream broke the answer off: stopReason \"" + word + "\""), sink);
  }
  if (calls_ != 0 && event.finish == FinishReason::kStop) event.finish = FinishReason::kToolCalls;
  if (calls_ == 0 && event.finish == FinishReason::kToolCalls && !answer_tool_.empty()) {
    event.finish = FinishReason::kStop;  // the call was the answer
    event.raw = "end_turn";
  }
  stopped_ = true;
  tell(event, sink);
}

}  // namespace llmrouter::dialects::bedrock
