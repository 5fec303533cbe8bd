#include "dialects/anthropic_stream.h"

#include <algorithm>
#include <utility>

#include "dialects/anthropic.h"
#include "dialects/anthropic_events.h"
#include "dialects/fault.h"
#include "dialects/fields.h"
#include "dialects/signature.h"
#include "dialects/text_match.h"
#include "dialects/usage.h"

namespace llmrouter::dialects::anthropic {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::SseFrame;
using wire::SseParser;
using Kind = StreamEvent::Kind;

void StreamReader::fail(Error error, UpstreamSink& sink) {
  if (dead_) return;
  dead_ = true;
  sink.on_error(std::move(error));
}

// --- bytes to frames ---

void StreamReader::feed(std::string_view bytes, UpstreamSink& sink) {
  if (dead_) return;
  if (shape_ == Shape::kUnknown) {
    // A body that begins like JSON or HTML is no event stream, whatever its content type says.
    const size_t at = bytes.find_first_not_of(" \t\r\n\xef\xbb\xbf");
    if (at == std::string_view::npos && whole_.size() + bytes.size() < 1024) {
      whole_.append(bytes);
      return;
    }
    const char first = at == std::string_view::npos ? ':' : bytes[at];
    shape_ = first == '{' || first == '[' || first == '<' ? Shape::kWhole : Shape::kEvents;
    if (shape_ == Shape::kEvents && !whole_.empty()) {
      const std::string held = std::move(whole_);
      whole_.clear();
      parser_.feed(held);
      drain(sink);
    }
  }
  if (shape_ == Shape::kWhole) {
    if (whole_.size() + bytes.size() > kMaxWhole) return fail(unreadable("the upstream answered with no event stream", whole_, key_), sink);
    whole_.append(bytes);
    return;
  }
  if (dead_) return;
  parser_.feed(bytes);
  drain(sink);
}

void StreamReader::drain(UpstreamSink& sink) {
  SseFrame f;
  while (!dead_) {
    switch (parser_.next(f)) {
      case SseParser::Next::kFrame: frame(f, sink); break;
      case SseParser::Next::kMore: return;
      case SseParser::Next::kError: return fail(unreadable("the upstream's stream cannot be read: " + parser_.error(), {}, key_), sink);
    }
  }
}

void StreamReader::finish(UpstreamSink& sink) {
  if (dead_) return;
  if (shape_ == Shape::kWhole) return whole(sink);
  parser_.feed(whole_);  // blanks alone
  drain(sink);
  parser_.finish();
  drain(sink);
  if (dead_) return;
  // Who says why it stopped has said all; some forget the message_stop.
  if (!stopped_ && stop_reason_.empty()) {
    return fail(unreadable("the upstream's stream ended before the answer was finished", {}, key_), sink);
  }
  if (!relay_) end_answer(sink);
}

void StreamReader::pass(const SseFrame& frame, FrameKind kind, UpstreamSink& sink) {
  std::string_view raw = frame.raw;
  std::string mended;
  if (!frame.terminated && frame.kind == SseFrame::Kind::kEvent) {
    // The last event lacks its blank line: without it no client would hear of it.
    mended.append(raw).append(!raw.empty() && raw.back() == '\n' ? "\n" : "\n\n");
    raw = mended;
  }
  if (sink.on_frame(raw, kind) == Flow::kCancel) dead_ = true;
}

void StreamReader::frame(const SseFrame& frame, UpstreamSink& sink) {
  if (frame.kind == SseFrame::Kind::kComment) {
    if (relay_) pass(frame, FrameKind::kPrelude, sink);
    return;
  }
  const std::string_view data = trim(frame.data);  // padded with blanks to hide the tokens' lengths
  if (data.empty() || data == "[DONE]") {
    if (relay_ && (frame.terminated || !data.empty())) pass(frame, FrameKind::kPrelude, sink);  // not one that was cut before its data
    return;
  }
  const JsonValue root(data);
  if (!root.is_object() || !wire::validate(data)) {
    if (frame.event == "error") {
      Fault fault;
      fault.message = plain_words(data);
      return fail(make_error(fault, data, key_), sink);
    }
    // The body ended inside an event. After the stop reason nobody misses it.
    if (!frame.terminated && (stopped_ || !stop_reason_.empty())) return;
    if (!frame.terminated) return fail(unreadable("the upstream's stream ended in the middle of an event", data, key_), sink);
    return fail(unreadable("an event of the upstream's stream is not JSON: " + scrub(plain_words(data), key_), data, key_), sink);
  }
  const JsonValue type = find_member(root, "type");
  if (type.equals("error") || frame.event == "error" || (!type.is_string() && has_error_member(root))) {
    return fail(error_of_object(root, key_), sink);
  }
  if (!relay_) return translate(root, type, sink);
  const FrameKind kind = look(root, type, sink);
  if (!dead_) pass(frame, kind, sink);
}

// What a message begins with counts its input; its output is a placeholder.
void StreamReader::tell_usage(JsonValue usage, bool last, UpstreamSink& sink) {
  if (const JsonValue tier = find_member(usage, "service_tier"); !relay_ && tier.nonempty_string()) service_tier_ = read_tier(tier);
  if (!anthropic::read_usage(usage, usage_)) return;
  if (!last) mark_missing(usage_, true, false);
  if (relay_) return sink.on_usage(usage_);
  StreamEvent event;
  event.kind = Kind::kUsage;
  event.usage = usage_;
  event.service_tier = service_tier_;
  tell(event, sink);
}

// --- relay ---

FrameKind StreamReader::look(JsonValue root, JsonValue type, UpstreamSink& sink) {
  if (type.equals("content_block_delta")) {
    JsonValue text, thinking, partial, signature;
    const JsonValue delta = find_member(root, "delta");
    wire::pick(delta, {{"text", &text}, {"thinking", &thinking}, {"partial_json", &partial}, {"signature", &signature}});
    for (JsonValue said : {text, thinking, partial}) sink.on_payload(said.string_bytes());
    for (JsonValue said : {text, thinking, signature}) {
      if (said.is_string()) return said.nonempty_string() ? FrameKind::kPayload : FrameKind::kPrelude;
    }
    return FrameKind::kPayload;
  }
  if (type.equals("content_block_start")) {
    const JsonValue block = find_member(root, "content_block"), kind = find_member(block, "type");
    note_caller(block);
    for (std::string_view word : {"text", "thinking"}) {
      if (!kind.equals(word)) continue;
      const size_t bytes = find_member(block, word).string_bytes();
      sink.on_payload(bytes);
      return bytes != 0 ? FrameKind::kPayload : FrameKind::kPrelude;
    }
    if (const JsonValue input = find_member(block, "input"); !input.empty_container()) sink.on_payload(input.raw().size());
    return FrameKind::kPayload;
  }
  if (type.equals("message_start")) {
    const JsonValue message = find_member(root, "message"), content = find_member(message, "content");
    stopped_ = false;
    stop_reason_.clear();
    tell_usage(last_told(message, "usage"), false, sink);
    return content.is_array() && !content.empty_container() ? FrameKind::kPayload : FrameKind::kPrelude;
  }
  if (type.equals("message_delta")) {
    tell_usage(last_told(root, "usage"), true, sink);
    const JsonValue reason = wire::find(root, "delta", "stop_reason");
    if (!reason.nonempty_string()) return FrameKind::kPrelude;
    reason.string(stop_reason_);
    if (!finish_told_) sink.on_finish(finish_reason_of(stop_reason_));
    finish_told_ = true;
    return FrameKind::kFinish;
  }
  if (!type.equals("message_stop")) return FrameKind::kPrelude;  // pings, ends of blocks, and what is not known yet
  stopped_ = true;
  return is_last() ? FrameKind::kDone : FrameKind::kPrelude;
}

// --- translate ---

void StreamReader::tell_start(std::string_view id, std::string_view model, UpstreamSink& sink) {
  if (started_ || dead_) return;
  started_ = true;
  StreamEvent event;
  event.kind = Kind::kStart;
  event.id = id;
  event.model = model;
  if (sink.on_event(event) == Flow::kCancel) dead_ = true;
}

void StreamReader::tell(const StreamEvent& event, UpstreamSink& sink) {
  tell_start({}, {}, sink);  // some begin without a message_start
  if (!dead_ && sink.on_event(event) == Flow::kCancel) dead_ = true;
}

void StreamReader::tell_text(std::string_view text, UpstreamSink& sink) {
  if (text.empty()) return;
  characters_ += count_characters(text);
  StreamEvent event;
  event.kind = Kind::kText;
  event.text = text;
  tell(event, sink);
}

void StreamReader::tell_thought(std::string_view text, std::string_view signature, bool redacted, UpstreamSink& sink) {
  if (text.empty() && signature.empty()) return;
  StreamEvent event;
  event.kind = Kind::kReasoning;
  event.text = text;
  event.redacted = redacted;
  const Signed sealed = open_signature(signature, kMaker);
  event.signature = sealed.signature;
  event.maker = sealed.maker;
  tell(event, sink);
}

void StreamReader::translate(JsonValue root, JsonValue type, UpstreamSink& sink) {
  const int64_t index = find_member(root, "index").integer().value_or(0);
  if (type.equals("content_block_delta")) take_delta(find_member(root, "delta"), index, sink);
  else if (type.equals("content_block_start")) begin_block(find_member(root, "content_block"), index, sink);
  else if (type.equals("content_block_stop")) end_block(index, sink);
  else if (type.equals("message_start")) take_message(find_member(root, "message"), sink);
  else if (type.equals("message_delta")) take_message_delta(root, sink);
  else if (type.equals("message_stop")) stop(sink);
}

void StreamReader::stop(UpstreamSink& sink) {
  stopped_ = true;
  if (is_last() && !dead_) sink.on_frame({}, FrameKind::kDone);
}

// A message that stops for a call which the provider's own code made is followed by others (take_message).
bool StreamReader::is_last() const noexcept { return !stop_reason_.empty() && !(code_calls_ && stop_reason_ == "tool_use"); }

void StreamReader::note_caller(JsonValue block) noexcept {
  const JsonValue by = wire::find(block, "caller", "type");
  if (by.is_string() && !by.equals("direct")) code_calls_ = true;
}

// A stream may hold several messages (tools called by code, FORMATS section 4): they are one answer, and the last one says how it ended.
void StreamReader::take_message(JsonValue message, UpstreamSink& sink) {
  stopped_ = false;
  stop_reason_.clear();
  begun_ = 0;
  JsonValue id, model, content, reason;
  wire::pick(message, {{"id", &id}, {"model", &model}, {"content", &content}, {"stop_reason", &reason}});
  tell_start(id.string_or(), model.string_or(), sink);
  tell_usage(last_told(message, "usage"), reason.nonempty_string(), sink);
  while (!blocks_.empty()) end_block(blocks_.front(), sink);
  for (JsonValue block : JsonElements(content)) {
    if (dead_) return;
    begin_block(block, 0, sink);
    end_block(0, sink);
  }
  reason.string(stop_reason_);
}

void StreamReader::take_message_delta(JsonValue root, UpstreamSink& sink) {
  tell_usage(last_told(root, "usage"), true, sink);
  if (const JsonValue reason = wire::find(root, "delta", "stop_reason"); reason.nonempty_string()) reason.string(stop_reason_);
}

StreamReader::Block* StreamReader::block_at(int64_t index) noexcept {
  for (Block& block : blocks_) {
    if (block.index == index) return &block;
  }
  return nullptr;
}

void StreamReader::begin_block(JsonValue content, int64_t index, UpstreamSink& sink) {
  if (Block* open = block_at(index)) {
    // Which of the two the pieces belong to, nobody knows.
    if (open->is_call()) return fail(unreadable("the upstream's stream begins a tool call anew that has not ended", content.raw(), key_), sink);
    end_block(*open, sink);
  }
  begun_ = std::max(begun_, index + 1);
  if (blocks_.size() >= kMaxBlocks || calls_ >= static_cast<int64_t>(kMaxBlocks)) {
    return fail(unreadable("the upstream's stream has more content blocks than " + std::to_string(kMaxBlocks), {}, key_), sink);
  }
  Block& block = blocks_.emplace_back();
  block.index = index;
  block.begin = characters_;
  const JsonValue type = find_member(content, "type");
  if (type.equals("text")) {
    block.kind = Block::Kind::kText;
    for (JsonValue citation : JsonElements(find_member(content, "citations"))) block.citations.emplace_back(citation.raw());
    tell_text(find_member(content, "text").string_view(scratch_).value_or(std::string_view{}), sink);
  } else if (type.equals("thinking")) {
    block.kind = Block::Kind::kThinking;
    const std::string text = find_member(content, "thinking").string_or();
    tell_thought(text, find_member(content, "signature").string_view(scratch_).value_or(std::string_view{}), false, sink);
  } else if (type.equals("redacted_thinking")) {
    tell_thought({}, find_member(content, "data").string_view(scratch_).value_or(std::string_view{}), true, sink);
  } else if (type.equals("tool_use")) {
    begin_call(block, content, sink);
  }
  // What the vendor's own tools do (server_tool_use and the like) is told to clients of this dialect, by relay.
}

void StreamReader::begin_call(Block& block, JsonValue content, UpstreamSink& sink) {
  note_caller(content);
  const JsonValue input = find_member(content, "input");
  if (input.is_object() && !input.empty_container()) block.input = input.raw();
  std::string id = find_member(content, "id").string_or();
  const std::string name = find_member(content, "name").string_or();
  if (!answer_tool_.empty() && name == answer_tool_) {
    block.kind = Block::Kind::kAnswer;
    return;
  }
  if (id.empty()) id = ids_.next("toolu_");
  block.kind = Block::Kind::kCall;
  block.call = calls_++;
  StreamEvent event;
  event.kind = Kind::kToolCallBegin;
  event.tool_index = block.call;
  event.id = id;
  event.name = name;
  tell(event, sink);
}

void StreamReader::take_input(Block& block, std::string_view piece, UpstreamSink& sink) {
  if (piece.empty()) return;
  block.has_input = true;
  if (block.kind == Block::Kind::kAnswer) return tell_text(piece, sink);
  StreamEvent event;
  event.kind = Kind::kToolCallDelta;
  event.tool_index = block.call;
  event.arguments = piece;
  tell(event, sink);
}

void StreamReader::take_delta(JsonValue delta, int64_t index, UpstreamSink& sink) {
  const JsonValue type = find_member(delta, "type");
  const auto words = [&](std::string_view member) { return find_member(delta, member).string_view(scratch_).value_or(std::string_view{}); };
  if (!type.equals("input_json_delta")) begun_ = std::max(begun_, index + 1);  // texts and thoughts are what they are without a start
  if (type.equals("text_delta")) return tell_text(words("text"), sink);
  if (type.equals("thinking_delta")) return tell_thought(words("thinking"), {}, false, sink);
  if (type.equals("signature_delta")) return tell_thought({}, words("signature"), false, sink);
  Block* block = block_at(index);
  if (type.equals("input_json_delta")) {
    if (block == nullptr) return fail(unreadable("the upstream's stream goes on with a tool call that never began", delta.raw(), key_), sink);
    if (block->is_call()) take_input(*block, words("partial_json"), sink);
    return;
  }
  if (!type.equals("citations_delta") || block == nullptr) return;
  const JsonValue citation = find_member(delta, "citation");
  block->citation_bytes += citation.raw().size();
  if (block->citation_bytes > kMaxCitations) return fail(unreadable("a block of the upstream's stream has too many citations", {}, key_), sink);
  block->citations.emplace_back(citation.raw());
}

void StreamReader::end_block(int64_t index, UpstreamSink& sink) {
  if (Block* block = block_at(index)) return end_block(*block, sink);
  // One that says nothing before its end is a call without arguments.
  if (index >= begun_) fail(unreadable("the upstream's stream ends a block that never began", {}, key_), sink);
}

void StreamReader::end_block(Block& block, UpstreamSink& sink) {
  if (block.is_call() && !block.has_input) take_input(block, block.input.empty() ? std::string_view("{}") : std::string_view(block.input), sink);
  // Now it is known how far the cited text goes.
  for (const std::string& citation : block.citations) {
    const std::string annotation = annotation_of(JsonValue(citation), block.begin, characters_);
    if (annotation.empty()) continue;
    StreamEvent event;
    event.kind = Kind::kAnnotation;
    event.raw = annotation;
    tell(event, sink);
  }
  blocks_.erase(blocks_.begin() + (&block - blocks_.data()));
}

void StreamReader::end_answer(UpstreamSink& sink) {
  while (!blocks_.empty()) end_block(blocks_.front(), sink);
  StreamEvent event;
  event.kind = Kind::kFinish;
  event.finish = finish_reason_of(stop_reason_);
  event.raw = stop_reason_;
  if (event.finish == FinishReason::kNone) event.finish = calls_ != 0 ? FinishReason::kToolCalls : FinishReason::kStop;
  if (event.finish == FinishReason::kToolCalls && calls_ == 0) {
    // The only call was the answer itself.
    event.finish = FinishReason::kStop;
    event.raw = "end_turn";
  }
  tell(event, sink);
}

// --- a body that is no event stream ---

namespace {

// Tells the events of an answer as the frames of a stream.
class Retelling final : public UpstreamSink {
 public:
  explicit Retelling(UpstreamSink& to) : to_(to) {}
  Flow on_event(const StreamEvent& event) override {
    writer_.event(event, frames_);
    if (event.visible()) to_.on_payload(event.text.size() + event.arguments.size());
    if (event.kind == Kind::kUsage) to_.on_usage(event.usage);
    if (event.kind == Kind::kFinish) to_.on_finish(event.finish);
    return Flow::kContinue;
  }
  Flow on_frame(std::string_view, FrameKind) override { return Flow::kContinue; }
  void on_usage(const TokenUsage&) override {}
  void on_finish(FinishReason) override {}
  void on_error(Error error) override { to_.on_error(std::move(error)); }
  void end() {
    writer_.end(frames_);
    const size_t stop = frames_.rfind("event: message_stop");
    const std::string_view all = frames_;
    if (to_.on_frame(all.substr(0, stop), FrameKind::kFinish) != Flow::kCancel) to_.on_frame(all.substr(stop), FrameKind::kDone);
  }

 private:
  UpstreamSink& to_;
  EventWriter writer_;
  std::string frames_;
};

}  // namespace

void StreamReader::whole(UpstreamSink& sink) {
  const std::string_view body = bare(whole_);
  if (!wire::validate(body)) {
    return fail(unreadable("the upstream answered with no event stream: " + scrub(plain_words(body), key_), body, key_), sink);
  }
  const JsonValue root(body);
  if (auto read = read_answer(root, answer_tool_, key_); !read) return fail(std::move(read).error(), sink);
  stopped_ = true;
  Retelling retelling(sink);
  UpstreamSink& to = relay_ ? static_cast<UpstreamSink&>(retelling) : sink;
  const bool relay = std::exchange(relay_, false);
  take_message(root, to);
  end_answer(to);
  relay_ = relay;
  if (relay_ && !dead_) retelling.end();
}

}  // namespace llmrouter::dialects::anthropic
