#include "dialects/cohere_stream.h"

#include <algorithm>

#include "dialects/cohere.h"
#include "dialects/dates.h"
#include "dialects/fault.h"
#include "dialects/fields.h"
#include "dialects/text_match.h"
#include "dialects/tool_assembler.h"
#include "dialects/usage.h"

namespace llmrouter::dialects::cohere {

using wire::find;
using wire::find_element;
using wire::find_member;
using wire::JsonElements;
using wire::JsonValue;
using wire::SseFrame;
using wire::SseParser;

namespace {

// Words, thoughts or a call.
bool says_anything(JsonValue event) {
  const JsonValue message = find(event, "delta", "message"), content = find_member(message, "content");
  const JsonValue calls = find_member(message, "tool_calls");
  return find_member(content, "text").nonempty_string() || find_member(content, "thinking").nonempty_string() ||
         find_member(message, "tool_plan").nonempty_string() || calls.is_object() || (calls.is_array() && !calls.empty_container());
}

}  // namespace

void StreamReader::feed(std::string_view bytes, UpstreamSink& sink) {
  if (dead_) return;
  sse_.feed(bytes);
  drain(sink);
}

void StreamReader::finish(UpstreamSink& sink) {
  if (dead_) return;
  sse_.finish();
  drain(sink);
  if (!ended_) fail(unreadable("the upstream's stream ended before the answer was finished", {}, key_.reveal()), sink);
}

void StreamReader::drain(UpstreamSink& sink) {
  SseFrame frame;
  while (!dead_) {
    switch (sse_.next(frame)) {
      case SseParser::Next::kFrame: take(frame, sink); break;
      case SseParser::Next::kMore: return;
      case SseParser::Next::kError:
        return fail(unreadable("the upstream's stream cannot be read: " + sse_.error(), {}, key_.reveal()), sink);
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

// A last event without its blank line gets one.
void StreamReader::pass(const SseFrame& frame, FrameKind kind, UpstreamSink& sink) {
  if (!relay_) return;
  std::string mended;
  std::string_view raw = frame.raw;
  if (!frame.terminated && frame.kind == SseFrame::Kind::kEvent) raw = mended.append(raw).append(raw.back() == '\n' ? "\n" : "\n\n");
  if (sink.on_frame(raw, kind) == Flow::kCancel) dead_ = true;
}

void StreamReader::take(const SseFrame& frame, UpstreamSink& sink) {
  if (frame.kind == SseFrame::Kind::kComment) return pass(frame, ended_ ? FrameKind::kDone : FrameKind::kPrelude, sink);
  const std::string_view data = trim(frame.data);
  if (data == "[DONE]") return pass(frame, FrameKind::kDone, sink);  // Cohere sends it although its clients do not need it
  const JsonValue root(data);
  if (ended_) {  // but for a piece of the terminator
    if (!relay_ && wire::validate(data) && says_anything(root)) return fail(unreadable("the upstream's stream goes on behind its end", data, key_.reveal()), sink);
    if (frame.terminated) pass(frame, FrameKind::kDone, sink);
    return;
  }
  if (!root.is_object() || !wire::validate(data)) {
    const char* const what = frame.terminated ? "an event of the upstream's stream is not JSON: " : "the upstream's stream ended in the middle of an event: ";
    return fail(unreadable(what + scrub(plain_words(data), key_.reveal()), data, key_.reveal()), sink);
  }
  const JsonValue type = find_member(root, "type"), delta = find_member(root, "delta"), message = find_member(delta, "message");
  if (Fault fault; !type.is_string() && (has_error_member(root) || read_fault(root, fault))) return fail(error_of_object(root, key_.reveal()), sink);
  if (!relay_) begin(find_member(root, "id").string_or(), sink);
  if (type.equals("message-end") && !end(delta, sink)) return;
  if (relay_) sink.on_payload(said_in(message));
  if (relay_) pass(frame, ended_ ? FrameKind::kFinish : kind_of(type, message), sink);
  else translate(root, type, message, sink);
  if (ended_ && !dead_) sink.on_frame({}, FrameKind::kDone);
}

// False: it did not end well.
bool StreamReader::end(JsonValue delta, UpstreamSink& sink) {
  const std::string word = find_member(delta, "finish_reason").string_or();
  FinishReason finish = finish_reason_of(word);
  if (finish == FinishReason::kError) {
    const std::string words = find_member(delta, "error").string_or();
    fail(Error(ErrorCode::kUpstreamError,
               "the upstream broke the answer off: " + (words.empty() ? "finish_reason \"" + word + "\"" : scrub(words, key_.reveal()))),
         sink);
    return false;
  }
  if (!relay_ && finish != FinishReason::kLength && !calls_whole()) {
    fail(unreadable("the upstream's stream ended before a tool call did", {}, key_.reveal()), sink);
    return false;
  }
  ended_ = true;
  if (finish == FinishReason::kStop && !calls_.empty()) finish = FinishReason::kToolCalls;
  const TokenUsage usage = read_usage(last_told(delta, "usage"));
  if (relay_) {
    if (usage.known) sink.on_usage(usage);
    sink.on_finish(finish);
    return true;
  }
  StreamEvent event;
  event.kind = StreamEvent::Kind::kFinish;
  event.finish = finish;
  event.raw = word;
  tell(event, sink);
  event = StreamEvent();
  event.kind = StreamEvent::Kind::kUsage;
  event.usage = usage;
  if (usage.known) tell(event, sink);
  return true;
}

size_t StreamReader::said_in(JsonValue message) {
  const JsonValue content = find_member(message, "content");
  return find_member(content, "text").string_bytes() + find_member(content, "thinking").string_bytes() +
         find_member(message, "tool_plan").string_bytes() + wire::find(message, "tool_calls", "function", "arguments").string_bytes();
}

FrameKind StreamReader::kind_of(JsonValue type, JsonValue message) const {
  const JsonValue content = find_member(message, "content");
  if (type.equals("content-delta") || type.equals("content-start")) {
    const bool visible = find_member(content, "text").nonempty_string() || find_member(content, "thinking").nonempty_string();
    return visible ? FrameKind::kPayload : FrameKind::kPrelude;
  }
  if (type.equals("tool-plan-delta")) return find_member(message, "tool_plan").nonempty_string() ? FrameKind::kPayload : FrameKind::kPrelude;
  if (type.equals("tool-call-start") || type.equals("tool-call-delta") || type.equals("citation-start")) return FrameKind::kPayload;
  return FrameKind::kPrelude;
}

// Told with the first event, whatever it is.
void StreamReader::begin(const std::string& id, UpstreamSink& sink) {
  if (started_) return;
  started_ = true;
  StreamEvent event;
  event.kind = StreamEvent::Kind::kStart;
  event.id = id;
  event.model = model_;
  event.created = now_seconds();
  tell(event, sink);
}

void StreamReader::tell_text(StreamEvent::Kind kind, JsonValue text, std::string_view name, UpstreamSink& sink) {
  if (!text.nonempty_string()) return;
  StreamEvent event;
  event.kind = kind;
  event.text = text.string_view(scratch_).value_or(std::string_view{});
  event.name = name;
  tell(event, sink);
}

void StreamReader::translate(JsonValue root, JsonValue type, JsonValue message, UpstreamSink& sink) {
  using Kind = StreamEvent::Kind;
  if (type.equals("content-start") || type.equals("content-delta")) {
    if (const std::string logprobs = openai_logprobs(find_member(root, "logprobs")); !logprobs.empty()) {
      StreamEvent event;
      event.kind = Kind::kLogprobs;
      event.raw = logprobs;
      tell(event, sink);
    }
    const JsonValue content = find_member(message, "content");
    tell_text(Kind::kReasoning, find_member(content, "thinking"), {}, sink);
    tell_text(Kind::kText, find_member(content, "text"), {}, sink);
  } else if (type.equals("tool-plan-delta")) {
    tell_text(Kind::kReasoning, find_member(message, "tool_plan"), kToolPlan, sink);
  } else if (type.equals("tool-call-start")) {
    begin_call(root, find_member(message, "tool_calls"), sink);
  } else if (type.equals("tool-call-delta")) {
    call_arguments(root, find_member(message, "tool_calls"), sink);
  } else if (type.equals("tool-call-end")) {
    end_call(root, sink);
  } else if (type.equals("citation-start")) {
    const JsonValue citations = find_member(message, "citations");
    cite(citations.is_array() ? find_element(citations, 0) : citations, sink);
  }
}

// The place among the calls; that of the last one when the event does not say.
size_t StreamReader::call_at(JsonValue root) const noexcept {
  const auto index = find_member(root, "index").integer();
  for (size_t i = calls_.size(); index && i-- > 0;) {
    if (calls_[i].index == *index) return i;
  }
  return index || calls_.empty() ? calls_.size() : calls_.size() - 1;
}

// Did each end, or does it have all of its arguments?
bool StreamReader::calls_whole() const noexcept {
  return std::all_of(calls_.begin(), calls_.end(), [](const Call& call) { return call.ended || call.depth.complete(); });
}

void StreamReader::begin_call(JsonValue root, JsonValue calls, UpstreamSink& sink) {
  if (calls_.size() >= ToolAssembler::kMaxCalls) {
    return fail(unreadable("the upstream's stream has more tool calls than " + std::to_string(ToolAssembler::kMaxCalls), {}, key_.reveal()), sink);
  }
  const ToolCall call = read_tool_call(calls.is_array() ? find_element(calls, 0) : calls, ids_);
  const auto own = static_cast<int64_t>(calls_.size());
  const auto index = find_member(root, "index").integer();
  if (const size_t at = call_at(root); index && at < calls_.size() && !calls_[at].ended) {
    return fail(unreadable("the upstream's stream begins a tool call anew that has not ended", root.raw(), key_.reveal()), sink);
  }
  Call& begun = calls_.emplace_back();
  begun.index = index.value_or(own);
  begun.has_arguments = !call.arguments.empty();
  begun.depth.feed(call.arguments);
  StreamEvent event;
  event.kind = StreamEvent::Kind::kToolCallBegin;
  event.tool_index = own;
  event.id = call.id;
  event.name = call.name;
  event.arguments = call.arguments;
  tell(event, sink);
}

void StreamReader::call_arguments(JsonValue root, JsonValue calls, UpstreamSink& sink) {
  const size_t at = call_at(root);
  if (at == calls_.size()) return fail(unreadable("the upstream's stream has arguments of a call that never began", root.raw(), key_.reveal()), sink);
  const JsonValue call = calls.is_array() ? find_element(calls, 0) : calls;
  const std::string arguments = text_of_value(find(call, "function", "arguments"));
  if (arguments.empty()) return;
  if (calls_[at].ended) return fail(unreadable("the upstream's stream goes on with a tool call that has ended", root.raw(), key_.reveal()), sink);
  calls_[at].has_arguments = true;
  calls_[at].depth.feed(arguments);
  StreamEvent event;
  event.kind = StreamEvent::Kind::kToolCallDelta;
  event.tool_index = static_cast<int64_t>(at);
  event.arguments = arguments;
  tell(event, sink);
}

// A call without arguments is told so.
void StreamReader::end_call(JsonValue root, UpstreamSink& sink) {
  const size_t at = call_at(root);
  if (at == calls_.size()) return fail(unreadable("the upstream's stream ends a tool call that never began", root.raw(), key_.reveal()), sink);
  calls_[at].ended = true;
  if (calls_[at].has_arguments) return;
  calls_[at].has_arguments = true;
  StreamEvent event;
  event.kind = StreamEvent::Kind::kToolCallDelta;
  event.tool_index = static_cast<int64_t>(at);
  event.arguments = "{}";
  tell(event, sink);
}

void StreamReader::cite(JsonValue citation, UpstreamSink& sink) {
  const std::string annotations = "[" + annotations_of(citation) + "]";
  for (JsonValue annotation : JsonElements(JsonValue(annotations))) {
    StreamEvent event;
    event.kind = StreamEvent::Kind::kAnnotation;
    event.raw = annotation.raw();
    tell(event, sink);
  }
}

}  // namespace llmrouter::dialects::cohere
