#include "dialects/responses_stream.h"

#include "dialects/fault.h"
#include "dialects/fields.h"
#include "dialects/pictures.h"
#include "dialects/responses.h"
#include "dialects/responses_events.h"
#include "dialects/signature.h"
#include "dialects/tell_answer.h"
#include "dialects/text_match.h"
#include "dialects/usage.h"

namespace llmrouter::dialects::responses {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::SseFrame;
using wire::SseParser;

namespace {

constexpr size_t kMaxWhole = 16 * 1024 * 1024;
constexpr std::string_view kPrefix = "response.";

// What is told of a part, in Item::told.
constexpr char kSaid = 't', kRefused = 'r', kSummary = 's', kThought = 'h';

bool is_call(JsonValue item) {
  const JsonValue type = find_member(item, "type");
  return type.equals("function_call") || type.equals("custom_tool_call");
}

}  // namespace

void StreamReader::fail(Error error, UpstreamSink& sink) {
  if (dead_) return;
  dead_ = true;
  sink.on_error(std::move(error));
}

void StreamReader::feed(std::string_view bytes, UpstreamSink& sink) {
  if (dead_) return;
  if (shape_ == BodyShape::kEvents) {
    parser_.feed(bytes);
    return drain(sink);
  }
  if (whole_.size() + bytes.size() > kMaxWhole) return fail(unreadable("the upstream answered with no event stream", whole_, key_), sink);
  if (shape_ == BodyShape::kUnknown) shape_ = shape_of(whole_, bytes);
  if (shape_ != BodyShape::kEvents) {
    whole_.append(bytes);
    return;
  }
  const std::string held = std::move(whole_);
  whole_.clear();
  for (std::string_view piece : {std::string_view(held), bytes}) {
    if (piece.empty() || dead_) continue;
    parser_.feed(piece);
    drain(sink);
  }
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
  if (shape_ == BodyShape::kWhole) return whole(sink);
  parser_.feed(whole_);  // blanks alone
  drain(sink);
  parser_.finish();
  drain(sink);
  if (!dead_ && !finished_) fail(unreadable("the upstream's stream ended before the answer was finished", {}, key_), sink);
}

void StreamReader::pass(const SseFrame& frame, FrameKind kind, UpstreamSink& sink) {
  if (!relay_) return;
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
  const std::string_view data = trim(frame.data);
  if (frame.kind == SseFrame::Kind::kComment || (data.empty() && frame.terminated)) return pass(frame, FrameKind::kPrelude, sink);
  if (data.empty()) return;  // cut before its data
  if (data == "[DONE]") {  // OpenRouter
    if (!finished_) return fail(unreadable("the upstream's stream ended before the answer was finished", {}, key_), sink);
    return pass(frame, FrameKind::kDone, sink);
  }
  const JsonValue root(data);
  if (finished_) {  // nothing belongs after the last event
    if (relay_ || another_ || !wire::validate(data)) return;
    another_ = find_member(root, "type").equals("response.created");  // an answer behind the first, which nobody hears of
    if (says_more(root)) fail(unreadable("the upstream's stream goes on behind its end", data, key_), sink);
    return;
  }
  if (!root.is_object() || !wire::validate(data)) {
    if (!frame.terminated) return fail(unreadable("the upstream's stream ended in the middle of an event", data, key_), sink);
    return fail(unreadable("an event of the upstream's stream is not JSON: " + scrub(plain_words(data), key_), data, key_), sink);
  }
  event(frame, root, sink);
}

void StreamReader::event(const SseFrame& frame, JsonValue root, UpstreamSink& sink) {
  Event e;
  JsonValue type;
  e.root = root;
  wire::pick(root, {{"type", &type},
                    {"output_index", &e.output_index},
                    {"content_index", &e.content_index},
                    {"summary_index", &e.summary_index},
                    {"delta", &e.delta},
                    {"item", &e.item},
                    {"text", &e.text}});
  std::string name;
  auto word = type.string_view(name);
  e.type = word ? *word : frame.event;
  // An error may come under any name, as long as there is no other one.
  if (e.type == "error" || (e.type.empty() && has_error_member(root))) return failed(e, sink);
  if (e.type.substr(0, kPrefix.size()) == kPrefix) e.type.remove_prefix(kPrefix.size());
  if (e.type == "failed" || e.type == "cancelled") return failed(e, sink);
  if (e.type == "completed" || e.type == "incomplete") {
    end(e, sink);
    if (dead_) return;
    pass(frame, FrameKind::kFinish, sink);
    // Nothing more has to come: OpenAI has no other terminator.
    if (!dead_ && sink.on_frame({}, FrameKind::kDone) == Flow::kCancel) dead_ = true;
    return;
  }
  if (relay_) {
    if (calls_ == 0 && e.item.is_object() && is_call(e.item)) calls_ = 1;
    if (e.type != "audio.delta") sink.on_payload(e.delta.string_bytes());
    return pass(frame, kind_of(e), sink);
  }
  translate(e, sink);
}

// What only announces is prelude, and so is what only repeats; what is not known is shown.
FrameKind StreamReader::kind_of(const Event& e) const {
  for (std::string_view quiet : {"created", "queued", "in_progress", "output_item.added", "content_part.added", "reasoning_summary_part.added",
                                 "reasoning_part.added", "output_text.done", "content_part.done", "reasoning_summary_text.done",
                                 "reasoning_summary_part.done", "reasoning_text.done", "reasoning_part.done"}) {
    if (e.type == quiet) return FrameKind::kPrelude;
  }
  if (e.type == "output_item.done" && e.item.is_object()) {
    const JsonValue kind = wire::find_member(e.item, "type");
    if (kind.equals("message") || kind.equals("reasoning")) return FrameKind::kPrelude;
  }
  if (e.delta.exists() && e.delta.equals("")) return FrameKind::kPrelude;
  return FrameKind::kPayload;
}

void StreamReader::failed(const Event& e, UpstreamSink& sink) {
  const JsonValue response = find_member(e.root, "response");
  TokenUsage usage;
  if (read_usage(last_told(response, "usage"), usage) && relay_) sink.on_usage(usage);
  if (auto error = failure_of(response, key_)) return fail(std::move(*error), sink);
  if (Fault fault; read_fault(e.root, fault)) {
    if (fault.type == "error") fault.type.clear();  // the event's own type
    return fail(make_error(fault, e.root.raw(), key_), sink);
  }
  fail(unreadable("the upstream broke the answer off", e.root.raw(), key_), sink);
}

void StreamReader::end(const Event& e, UpstreamSink& sink) {
  const JsonValue response = find_member(e.root, "response");
  TokenUsage usage;
  const bool counted = read_usage(last_told(response, "usage"), usage);
  const JsonValue output = find_member(response, "output");
  if (auto error = failure_of(response, key_)) return fail(std::move(*error), sink);
  finished_ = true;
  if (relay_) {
    bool calls = calls_ > 0;
    for (JsonValue item : JsonElements(output)) calls = calls || is_call(item);
    if (counted) sink.on_usage(usage);
    return sink.on_finish(finish_of(response, calls));
  }
  tell_start(response, sink);
  // What no event had told of.
  int64_t index = 0;
  const bool told = !items_.empty();
  for (JsonValue item : JsonElements(output)) {
    if (told || dead_) break;
    const std::string number = std::to_string(index++);
    if (Item* at = item_at(JsonValue(number), sink)) whole_item(*at, item, sink);
  }
  end_calls(output, sink);
  if (dead_) return;
  StreamEvent finish;
  finish.kind = StreamEvent::Kind::kFinish;
  finish.finish = finish_of(response, calls_ > 0);
  const std::string word = find_member(find_member(response, "incomplete_details"), "reason").string_or(find_member(response, "status").string_or("completed"));
  finish.raw = word;
  const std::string tier = find_member(response, "service_tier").string_or();  // before the end it is what was asked for
  finish.service_tier = tier;
  tell(finish, sink);
  if (!counted) return;
  StreamEvent count;
  count.kind = StreamEvent::Kind::kUsage;
  count.usage = usage;
  tell(count, sink);
}

// Those that no event of their own has ended. What is lacking of them may stand in the answer as a whole.
void StreamReader::end_calls(JsonValue output, UpstreamSink& sink) {
  std::vector<JsonValue> calls;
  for (JsonValue item : JsonElements(output)) {
    if (is_call(item)) calls.push_back(item);
  }
  for (auto& [at, item] : items_) {
    if (item.done || dead_) continue;
    if (!item.begun && item.early) return fail(unreadable("the upstream's stream has arguments of a call that never began", {}, key_), sink);
    if (!item.begun) continue;
    const auto place = static_cast<size_t>(item.tool_index);
    if (item.arguments == 0 && place < calls.size()) arguments(item, read_call(calls[place]).arguments, true, sink);
    if (item.whole_arguments) continue;
    if (item.early) return fail(unreadable("the upstream's stream ended before a tool call did", {}, key_), sink);
    if (item.custom) input({}, true, item, sink);
    else if (item.arguments == 0) arguments(item, "{}", true, sink);
  }
}

// A piece of text, or a call, and not an end that is told late.
bool StreamReader::says_more(JsonValue event) {
  const std::string type = find_member(event, "type").string_or();
  const bool added = type == "response.output_item.added" && is_call(find_member(event, "item"));
  return added || (find_member(event, "delta").nonempty_string() && find_member(event, "output_index").exists());
}

// --- translate ---

void StreamReader::tell(StreamEvent& event, UpstreamSink& sink) {
  if (!dead_ && sink.on_event(event) == Flow::kCancel) dead_ = true;
}

void StreamReader::tell_start(JsonValue response, UpstreamSink& sink) {
  if (started_) return;
  started_ = true;
  StreamEvent start;
  start.kind = StreamEvent::Kind::kStart;
  const std::string id = find_member(response, "id").string_or(), model = find_member(response, "model").string_or();
  start.id = id;
  start.model = model;
  start.created = find_member(response, "created_at").integer().value_or(0);
  tell(start, sink);
}

StreamReader::Item* StreamReader::item_at(JsonValue index, UpstreamSink& sink) {
  const int64_t at = index.integer().value_or(0);
  auto found = items_.find(at);
  if (found != items_.end()) return &found->second;
  if (items_.size() >= kMaxItems) {
    fail(unreadable("the upstream's answer has more than " + std::to_string(kMaxItems) + " items", {}, key_), sink);
    return nullptr;
  }
  return &items_[at];
}

void StreamReader::translate(const Event& e, UpstreamSink& sink) {
  if (e.type == "created" || e.type == "in_progress" || e.type == "queued") return tell_start(find_member(e.root, "response"), sink);
  if (!e.output_index.exists()) return;
  tell_start({}, sink);
  Item* item = item_at(e.output_index, sink);
  if (item == nullptr) return;
  auto words = [&](JsonValue value) { return value.string_view(scratch_).value_or(std::string_view()); };
  if (e.type == "output_item.added") {
    if (is_call(e.item) && item->done) return fail(unreadable("the upstream's stream begins a tool call that has ended", e.item.raw(), key_), sink);
    if (is_call(e.item)) begin_call(*item, e.item, sink);
  } else if (e.type == "output_item.done") {
    whole_item(*item, e.item, sink);
  } else if (e.type == "function_call_arguments.delta") {
    arguments(*item, words(e.delta), false, sink);
  } else if (e.type == "function_call_arguments.done") {
    arguments(*item, words(find_member(e.root, "arguments")), true, sink);
  } else if (e.type == "custom_tool_call_input.delta") {
    if (!item->begun) item->early = true;
    input(words(e.delta), false, *item, sink);
  } else if (e.type == "output_text.delta") {
    const JsonValue logprobs = find_member(e.root, "logprobs");
    if (logprobs.is_array() && !logprobs.empty_container()) {
      const std::string json = "{\"content\":" + std::string(logprobs.raw()) + ",\"refusal\":null}";
      StreamEvent event;
      event.kind = StreamEvent::Kind::kLogprobs;
      event.raw = json;
      tell(event, sink);
    }
    text(*item, kSaid, e.content_index, words(e.delta), false, sink);
  } else if (e.type == "output_text.done") {
    text(*item, kSaid, e.content_index, words(e.text), true, sink);
  } else if (e.type == "output_text.annotation.added") {
    annotation(*item, find_member(e.root, "annotation"), sink);
  } else if (e.type == "refusal.delta") {
    text(*item, kRefused, e.content_index, words(e.delta), false, sink);
  } else if (e.type == "refusal.done") {
    text(*item, kRefused, e.content_index, words(find_member(e.root, "refusal")), true, sink);
  } else if (e.type == "reasoning_summary_text.delta" && !item->thought_text) {
    text(*item, kSummary, e.summary_index, words(e.delta), false, sink);
  } else if (e.type == "reasoning_summary_text.done" && !item->thought_text) {
    text(*item, kSummary, e.summary_index, words(e.text), true, sink);
  } else if (e.type == "reasoning_text.delta") {
    item->thought_text = true;
    text(*item, kThought, e.content_index, words(e.delta), false, sink);
  } else if (e.type == "reasoning_text.done") {
    item->thought_text = true;
    text(*item, kThought, e.content_index, words(e.text), true, sink);
  }
}

void StreamReader::begin_call(Item& item, JsonValue value, UpstreamSink& sink) {
  if (item.begun) return;
  ToolCall call = read_call(value);
  if (call.name.empty()) return;  // its last event will tell
  if (call.id.empty()) call.id = ids_.next("call_");
  item.call = item.begun = true;
  item.custom = call.custom;
  item.tool_index = calls_++;
  StreamEvent event;
  event.kind = StreamEvent::Kind::kToolCallBegin;
  event.tool_index = item.tool_index;
  event.id = call.id;
  event.name = call.name;
  tell(event, sink);
  // Some say the arguments at once.
  if (!item.custom) arguments(item, find_member(value, "arguments").string_or(), true, sink);
}

// `whole`: the text is all of it, and what was told of it is its beginning.
void StreamReader::arguments(Item& item, std::string_view text, bool whole, UpstreamSink& sink) {
  if (!item.begun) item.early = true;
  if (!item.begun || (item.early && !whole)) return;
  const bool all = whole && !text.empty();
  if (whole) text.remove_prefix(std::min(text.size(), item.arguments));
  if (!text.empty() && (item.done || (item.whole_arguments && !whole))) {
    return fail(unreadable("the upstream's stream goes on with a tool call that has ended", text, key_), sink);
  }
  item.whole_arguments = item.whole_arguments || all;
  if (text.empty()) return;
  item.arguments += text.size();
  StreamEvent event;
  event.kind = StreamEvent::Kind::kToolCallDelta;
  event.tool_index = item.tool_index;
  event.arguments = text;
  tell(event, sink);
}

// The item itself says the whole of it once more.
void StreamReader::input(std::string_view text, bool end, Item& item, UpstreamSink& sink) {
  if (!item.custom) return;
  std::string told;
  item.input.piece(text, told);
  if (end) item.input.finish(told);
  arguments(item, told, false, sink);
}

void StreamReader::text(Item& item, char what, JsonValue index, std::string_view text, bool whole, UpstreamSink& sink) {
  if (item.done && whole) return;
  const int64_t at = index.integer().value_or(0);
  auto found = item.told.find({what, at});
  if (found == item.told.end()) {
    if (text.empty()) return;
    if (item.done) return fail(unreadable("the upstream's stream goes on with an item that has ended", text, key_), sink);
    if (item.told.size() >= kMaxItems) return fail(unreadable("an item of the upstream's answer has too many parts", {}, key_), sink);
    found = item.told.emplace(std::make_pair(what, at), Item::Told()).first;
  }
  Item::Told& told = found->second;
  if (whole) text.remove_prefix(std::min(text.size(), told.bytes));
  else if (!text.empty() && (told.whole || item.done)) return fail(unreadable("the upstream's stream goes on with a text that has ended", text, key_), sink);
  told.whole = told.whole || whole;
  if (text.empty()) return;
  StreamEvent event;
  const bool thought = what == kSummary || what == kThought;
  event.kind = thought ? StreamEvent::Kind::kReasoning : what == kRefused ? StreamEvent::Kind::kRefusal : StreamEvent::Kind::kText;
  if (thought && told.bytes == 0 && item.thought) {
    // Paragraphs of one thought.
    event.text = "\n\n";
    tell(event, sink);
  }
  item.thought = item.thought || thought;
  told.bytes += text.size();
  event.text = text;
  tell(event, sink);
}

void StreamReader::annotation(Item& item, JsonValue value, UpstreamSink& sink) {
  if (!value.is_object()) return;
  ++item.annotations;
  const std::string chat = chat_annotation(value);
  StreamEvent event;
  event.kind = StreamEvent::Kind::kAnnotation;
  event.raw = chat;
  tell(event, sink);
}

void StreamReader::whole_item(Item& item, JsonValue value, UpstreamSink& sink) {
  if (item.done) return;
  const JsonValue type = find_member(value, "type");
  if (type.equals("message")) {
    whole_message(item, find_member(value, "content"), sink);
  } else if (type.equals("reasoning")) {
    whole_thought(item, value, sink);
  } else if (is_call(value)) {
    begin_call(item, value, sink);
    const ToolCall call = read_call(value);
    arguments(item, call.arguments, true, sink);
  } else if (type.equals("image_generation_call")) {
    if (const std::string url = picture_of(value); !url.empty()) {
      const std::string object = picture_object(url);
      StreamEvent event;
      event.kind = StreamEvent::Kind::kOther;
      event.raw = object;
      tell(event, sink);
    }
  }
  item.done = true;
}

void StreamReader::whole_message(Item& item, JsonValue content, UpstreamSink& sink) {
  // Bedrock numbers its parts from the item's own index: with all told, nothing is looked for.
  const bool told = !item.told.empty();
  size_t seen = 0;
  int64_t index = 0;
  for (JsonValue part : JsonElements(content)) {
    const std::string at = std::to_string(index++);
    const bool refusal = find_member(part, "type").equals("refusal");
    const auto words = find_member(part, refusal ? "refusal" : "text").string_view(scratch2_);
    if (words && (!told || item.told.count({refusal ? kRefused : kSaid, index - 1}) != 0)) {
      text(item, refusal ? kRefused : kSaid, JsonValue(at), *words, true, sink);
    }
    for (JsonValue entry : JsonElements(find_member(part, "annotations"))) {
      if (seen++ >= item.annotations) annotation(item, entry, sink);
    }
  }
}

void StreamReader::whole_thought(Item& item, JsonValue value, UpstreamSink& sink) {
  JsonValue summary, content, encrypted;
  wire::pick(value, {{"summary", &summary}, {"content", &content}, {"encrypted_content", &encrypted}});
  const bool texts = item.thought_text || (!item.thought && (summary.empty_container() || !summary.is_array()));
  int64_t index = 0;
  for (JsonValue part : JsonElements(texts ? content : summary)) {
    const std::string at = std::to_string(index++);
    if (const auto words = find_member(part, "text").string_view(scratch2_)) text(item, texts ? kThought : kSummary, JsonValue(at), *words, true, sink);
  }
  Signed sign = open_signature(encrypted.string_or(), kMaker);
  if (sign.signature.empty()) return;
  StreamEvent event;
  event.kind = StreamEvent::Kind::kReasoning;
  event.signature = sign.signature;
  event.maker = sign.maker;
  event.redacted = !item.thought;
  tell(event, sink);
}

// --- a body that is no event stream ---

void StreamReader::whole(UpstreamSink& sink) {
  const std::string_view body = bare(whole_);
  if (!wire::validate(body)) {
    return fail(unreadable("the upstream answered with no event stream: " + scrub(plain_words(body), key_), body, key_), sink);
  }
  Result<ChatResponse> response = read_answer(JsonValue(body), ids_, key_);
  if (!response) return fail(std::move(response).error(), sink);
  finished_ = true;
  if (!relay_) {
    tell_answer(*response, [&](const StreamEvent& event) { sink.on_event(event); });
    return;
  }
  EventWriter writer;
  std::string frames;
  tell_answer(*response, [&](const StreamEvent& event) {
    writer.event(event, frames);
    if (event.visible()) sink.on_payload(event.text.size() + event.arguments.size());
    if (event.kind == StreamEvent::Kind::kFinish) sink.on_finish(event.finish);
    if (event.kind == StreamEvent::Kind::kUsage) sink.on_usage(event.usage);
  });
  writer.end(frames);
  if (sink.on_frame(frames, FrameKind::kPayload) != Flow::kCancel) sink.on_frame({}, FrameKind::kDone);
}

}  // namespace llmrouter::dialects::responses
