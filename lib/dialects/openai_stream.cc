#include "dialects/openai_stream.h"

#include <functional>

#include "dialects/fault.h"
#include "dialects/fields.h"
#include "dialects/openai.h"
#include "dialects/openai_chunks.h"
#include "dialects/openai_peek.h"
#include "dialects/pictures.h"
#include "dialects/tell_answer.h"
#include "dialects/text_match.h"

namespace llmrouter::dialects::openai {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::SseFrame;
using wire::SseParser;

namespace {

constexpr size_t kMaxWhole = 16 * 1024 * 1024;

// Words, thoughts or a call.
bool says_anything(JsonValue delta) {
  for (const JsonMember& m : JsonMembers(delta)) {
    const bool text = m.key == "content" || m.key == "refusal" || m.key == "reasoning_content" || m.key == "reasoning";
    if (text && m.value.nonempty_string()) return true;
    if ((text || m.key == "tool_calls") && m.value.is_array() && !m.value.empty_container()) return true;
  }
  return false;
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
  // What came before the first byte that told: blanks.
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
  if (dead_ || done_ || all_finished()) return;
  fail(unreadable("the upstream's stream ended before the answer was finished", {}, key_), sink);
}

bool StreamReader::all_finished() const noexcept {
  if (choices_.empty()) return false;
  for (const ChoiceState& choice : choices_) {
    if (!choice.finished) return false;
  }
  return true;
}

// The frame without that member of its JSON, and the comma before it, or behind where it stands first. Of data in several lines all stays.
std::string_view StreamReader::without(std::string_view raw, std::string_view member) {
  const std::less<const char*> before;
  if (member.empty() || before(member.data(), raw.data()) || before(raw.data() + raw.size(), member.data() + member.size())) return raw;
  auto begin = static_cast<size_t>(member.data() - raw.data()), end = begin + member.size();
  size_t at = begin;
  while (at != 0 && is_blank(raw[at - 1])) --at;
  if (at != 0 && raw[at - 1] == ',') {
    begin = at - 1;
  } else {
    at = end;
    while (at != raw.size() && is_blank(raw[at])) ++at;
    if (at != raw.size() && raw[at] == ',') end = at + 1;
  }
  shown_.assign(raw.substr(0, begin)).append(raw.substr(end));
  return shown_;
}

// `usage`: what the chunk counts, as it stands there.
void StreamReader::pass(const SseFrame& frame, FrameKind kind, UpstreamSink& sink, std::string_view usage) {
  std::string_view raw = hides_usage_ ? without(frame.raw, usage) : frame.raw;
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
    // llama.cpp's older face: a field named "error", which no SSE parser hands on.
    if (frame.raw.substr(0, 6) == "error:" && !done_) return fail(error_of_object(JsonValue(trim(frame.raw.substr(6))), key_), sink);
    if (relay_) pass(frame, FrameKind::kPrelude, sink);
    return;
  }
  if (done_) return;  // nothing belongs after the terminator
  const std::string_view data = trim(frame.data);
  if (data == "[DONE]") return terminator(frame, sink);
  if (frame.event == "error") {
    const JsonValue root(data);
    if (root.is_object() && wire::validate(data)) return fail(error_of_object(root, key_), sink);
    Fault fault;
    fault.message = plain_words(data);
    return fail(make_error(fault, data, key_), sink);
  }
  if (data.empty()) {
    if (relay_ && frame.terminated) pass(frame, FrameKind::kPrelude, sink);
    return;
  }
  size_t said = 0;
  std::string_view usage;
  if (relay_ && single_ && is_plain_payload(data, said, usage)) {
    if (!spoke_) {
      spoke_ = true;
      if (choice_at(0, sink) == nullptr) return;
    }
    counts_.spoke();
    sink.on_payload(said);
    return pass(frame, FrameKind::kPayload, sink, usage);
  }
  chunk(frame, data, sink);
}

void StreamReader::chunk(const SseFrame& frame, std::string_view json, UpstreamSink& sink) {
  const JsonValue root(json);
  if (!root.is_object() || !wire::validate(json)) {
    // The body ended inside a chunk. After the finish reason nobody misses it.
    if (!frame.terminated && all_finished()) return;
    if (!frame.terminated) return fail(unreadable("the upstream's stream ended in the middle of a chunk", json, key_), sink);
    // transformers serve puts a message into JSON without escaping it.
    const bool complaint = json.substr(0, 9) == "{\"error\":";
    return fail(unreadable(complaint ? "the upstream reported an error: " + scrub(cut(json, 300), key_)
                                     : "a chunk of the upstream's stream is not JSON: " + scrub(plain_words(json), key_),
                           json, key_), sink);
  }
  ChunkTop top;
  for (const JsonMember& m : JsonMembers(root)) {
    if (m.key == "choices") top.choices = m.value;
    else if (m.key == "usage") top.usage = m.value.is_null() ? top.usage : m.value, top.usage_member = m.raw;
    else if (m.key == "x_groq") top.x_groq = m.value;
    else if (m.key == "error") top.error = m.value;
    else if (m.key == "id") top.id = m.value;
    else if (m.key == "model") top.model = m.value;
    else if (m.key == "created") top.created = m.value;
    else if (m.key == "service_tier") top.service_tier = m.value;
    else if (m.key == "citations") top.citations = m.value;
    else if (m.key == "search_results") top.search_results = m.value;
  }
  top.usage = find_usage(top.usage, top.x_groq, top.choices);
  if (top.error.exists() && has_error_member(root)) {
    tell_usage(top.usage, sink);
    return fail(error_of_object(root, key_), sink);
  }
  if (relay_) relay_chunk(frame, top, sink);
  else translate_chunk(top, sink);
}

// `running`: of an answer that goes on; some count in each chunk.
void StreamReader::tell_usage(JsonValue value, UpstreamSink& sink, bool running) {
  TokenUsage usage;
  if (!read_usage(value, usage)) return;
  keep_told(counts_.last(), usage);
  tell_counts(counts_.take(usage, !running), sink);
}

// Many count with the last word, and have null beside the finish reason.
void StreamReader::settle_usage(UpstreamSink& sink) {
  if (dead_) return;
  if (const auto usage = counts_.settle()) tell_counts(*usage, sink);
}

void StreamReader::tell_counts(const TokenUsage& usage, UpstreamSink& sink) {
  if (relay_) return sink.on_usage(usage);
  StreamEvent event;
  event.kind = StreamEvent::Kind::kUsage;
  event.usage = usage;
  event.service_tier = service_tier_;
  sink.on_event(event);
}

bool StreamReader::goes_on(const ChunkTop& top) const noexcept {
  return top.choices.is_array() && !top.choices.empty_container() && !all_finished();
}

StreamReader::ChoiceState* StreamReader::choice_at(int64_t index, UpstreamSink& sink) {
  for (ChoiceState& choice : choices_) {
    if (choice.index == index) return &choice;
  }
  if (index < 0 || index >= kMaxChoices) {
    fail(unreadable("the upstream's stream has a choice numbered " + std::to_string(index), {}, key_), sink);
    return nullptr;
  }
  choices_.emplace_back().index = index;
  return &choices_.back();
}

void StreamReader::terminator(const SseFrame& frame, UpstreamSink& sink) {
  if (choices_.empty()) return fail(unreadable("the upstream's stream ended without an answer", {}, key_), sink);
  done_ = true;
  if (relay_) {
    settle_usage(sink);
    return pass(frame, FrameKind::kDone, sink);
  }
  // Who says [DONE] means it, with or without a finish_reason (Snowflake).
  for (ChoiceState& choice : choices_) end_choice(choice, "", sink);
  settle_usage(sink);
  if (!dead_) sink.on_frame({}, FrameKind::kDone);
}

// --- relay ---

void StreamReader::relay_chunk(const SseFrame& frame, const ChunkTop& top, UpstreamSink& sink) {
  bool visible = false, finished = false;
  int64_t position = 0;
  for (JsonValue value : JsonElements(top.choices)) {
    const ChunkChoice look = look_at_choice(value);
    if (look.error.exists() && has_error_member(value)) {
      tell_usage(top.usage, sink);
      return fail(error_of_choice(value, key_), sink);
    }
    ChoiceState* choice = choice_at(look.index.value_or(position++), sink);
    if (choice == nullptr) return;
    visible = visible || look.visible;
    if (look.said != 0) sink.on_payload(look.said);
    auto word = look.finish.string_view(scratch_);
    if (!word || finish_reason_of(*word) == FinishReason::kNone || choice->finished) continue;
    if (finish_reason_of(*word) == FinishReason::kError) {
      tell_usage(top.usage, sink);
      return fail(finish_error(*word), sink);
    }
    choice->finished = finished = true;
    sink.on_finish(finish_reason_of(*word));
  }
  if (visible) counts_.spoke();
  tell_usage(top.usage, sink, goes_on(top));
  if (all_finished()) settle_usage(sink);
  FrameKind kind = FrameKind::kPrelude;
  if (finished) kind = FrameKind::kFinish;
  else if (visible) kind = FrameKind::kPayload;
  else if (top.usage.exists() && (!top.choices.is_array() || top.choices.empty_container())) kind = FrameKind::kUsageOnly;
  pass(frame, kind, sink, top.usage_member);
}

// --- translate ---

void StreamReader::tell_start(UpstreamSink& sink) {
  if (started_) return;
  started_ = true;
  StreamEvent event;
  event.kind = StreamEvent::Kind::kStart;
  event.id = id_;
  event.model = model_;
  event.created = created_;
  event.service_tier = service_tier_;
  sink.on_event(event);
}

void StreamReader::tell(StreamEvent::Kind kind, const ChoiceState& choice, std::string_view text, UpstreamSink& sink) {
  if (text.empty() || dead_) return;
  counts_.spoke();
  StreamEvent event;
  event.kind = kind;
  event.choice = choice.index;
  const bool raw = kind == StreamEvent::Kind::kLogprobs || kind == StreamEvent::Kind::kOther || kind == StreamEvent::Kind::kAnnotation;
  (raw ? event.raw : event.text) = text;
  if (sink.on_event(event) == Flow::kCancel) dead_ = true;
}

void StreamReader::translate_chunk(const ChunkTop& top, UpstreamSink& sink) {
  // Azure's first chunk names nothing; the first that does counts.
  if (id_.empty()) top.id.string(id_);
  if (model_.empty()) top.model.string(model_);
  if (created_ == 0) created_ = top.created.integer().value_or(0);
  if (top.service_tier.nonempty_string()) top.service_tier.string(service_tier_);
  if (foreign_) keep_sources(top);
  int64_t position = 0;
  for (JsonValue value : JsonElements(top.choices)) {
    JsonValue index, delta, message, logprobs, finish, error;
    wire::pick(value, {{"index", &index}, {"delta", &delta}, {"message", &message}, {"logprobs", &logprobs}, {"finish_reason", &finish}, {"error", &error}});
    if (error.exists() && has_error_member(value)) {
      tell_usage(top.usage, sink);
      return fail(error_of_choice(value, key_), sink);
    }
    ChoiceState* choice = choice_at(index.integer().value_or(position++), sink);
    if (choice == nullptr) return;
    // Some say the whole message in the one chunk they send; beside a delta (Perplexity) it only repeats.
    if (delta.is_object()) spoke_ = true;
    else if (!spoke_) delta = message;
    if (delta.is_object() && !choice->finished) {
      tell_start(sink);
      if (has_logprobs(logprobs)) tell(StreamEvent::Kind::kLogprobs, *choice, logprobs.raw(), sink);
      translate_delta(delta, *choice, sink);
    }
    if (choice->finished && says_anything(delta) && is_of_answer(top.id)) {
      return fail(unreadable("the upstream's stream goes on behind its finish reason", value.raw(), key_), sink);
    }
    if (dead_) return;
    const std::string word = finish.string_or();
    if (finish_reason_of(word) != FinishReason::kNone) end_choice(*choice, word, sink);
    if (dead_) return;
  }
  if (foreign_ && all_finished()) tell_sources(sink);  // xAI's may come behind the finish
  tell_usage(top.usage, sink, goes_on(top));
  if (all_finished()) settle_usage(sink);
}

// Not a second answer behind the first (recorded of Cerebras), which nobody hears of.
bool StreamReader::is_of_answer(JsonValue id) { return id.string_view(scratch_).value_or(std::string_view{}) == id_; }

// Perplexity says them anew in every chunk.
void StreamReader::keep_sources(const ChunkTop& top) {
  const auto keep = [](JsonValue list, std::string& into) {
    if (list.is_array() && !list.empty_container() && list.raw().size() <= kMaxSources) into = list.raw();
  };
  if (annotated_) return;
  keep(top.citations, citations_);
  keep(top.search_results, search_results_);
}

// Once, for the first choice, unless the answer cited for itself.
void StreamReader::tell_sources(UpstreamSink& sink) {
  if (annotated_ || dead_ || choices_.empty() || (citations_.empty() && search_results_.empty())) return;
  const std::string list = "[" + annotations_of_sources(JsonValue(citations_), JsonValue(search_results_)) + "]";
  tell_annotations(JsonValue(list), choices_.front(), sink);
}

void StreamReader::tell_annotations(JsonValue list, const ChoiceState& choice, UpstreamSink& sink) {
  for (JsonValue annotation : JsonElements(list)) {
    annotated_ = true;
    tell(StreamEvent::Kind::kAnnotation, choice, annotation.raw(), sink);
  }
}

void StreamReader::translate_delta(JsonValue delta, ChoiceState& choice, UpstreamSink& sink) {
  using Kind = StreamEvent::Kind;
  JsonValue content, refusal, reasoning_content, reasoning, details, tool_calls, annotations;
  RawMembers other;
  for (const JsonMember& m : JsonMembers(delta)) {
    if (m.key == "content") content = m.value;
    else if (m.key == "refusal") refusal = m.value;
    else if (m.key == "reasoning_content") reasoning_content = m.value;
    else if (m.key == "reasoning") reasoning = m.value;
    else if (m.key == "tool_calls") tool_calls = m.value;
    else if (m.key == "annotations" && m.value.is_array()) annotations = m.value;
    else if (m.key == "role" || m.key == "index" || m.key == "tool_call_id" || is_noise(m) || m.value.empty_container()) continue;
    else {
      if (m.key == "reasoning_details") details = m.value;
      add_member(other, m.raw);
    }
  }
  // One thought under two names is one thought.
  const JsonValue thought = reasoning_content.nonempty_string() ? reasoning_content : reasoning;
  if (auto text = thought.string_view(scratch_)) tell(Kind::kReasoning, choice, *text, sink);
  translate_details(details, !thought.nonempty_string(), choice, sink);
  translate_content(content, choice, sink);
  tell_annotations(annotations, choice, sink);
  if (auto text = refusal.string_view(scratch_)) tell(Kind::kRefusal, choice, *text, sink);
  for (JsonValue entry : JsonElements(tool_calls)) {
    if (dead_) return;
    counts_.spoke();
    if (!choice.tools.delta(entry, choice.index, ids_, sink)) {
      return fail(unreadable("the upstream's stream has more tool calls than " + std::to_string(ToolAssembler::kMaxCalls), {}, key_), sink);
    }
  }
  if (!other.empty()) tell(Kind::kOther, choice, "{" + other + "}", sink);
}

// OpenRouter's reasoning_details: the text when it stands nowhere else, and the signature. The member itself goes on verbatim.
void StreamReader::translate_details(JsonValue details, bool text_too, const ChoiceState& choice, UpstreamSink& sink) {
  for (JsonValue entry : JsonElements(details)) {
    if (text_too) {
      JsonValue text = find_member(entry, "text");
      if (!text.nonempty_string()) text = find_member(entry, "summary");
      if (auto words = text.string_view(scratch_)) tell(StreamEvent::Kind::kReasoning, choice, *words, sink);
    }
    const Part part = read_detail(entry);
    if (part.signature.empty() || dead_) continue;
    StreamEvent event;
    event.kind = StreamEvent::Kind::kReasoning;
    event.choice = choice.index;
    event.signature = part.signature;
    event.maker = part.maker;
    event.redacted = part.redacted;
    sink.on_event(event);
  }
}

void StreamReader::translate_content(JsonValue content, ChoiceState& choice, UpstreamSink& sink) {
  if (auto text = content.string_view(scratch_)) return tell(StreamEvent::Kind::kText, choice, *text, sink);
  if (!content.is_array()) return;
  std::vector<Part> parts;  // Mistral
  read_content(content, parts);
  for (const Part& part : parts) {
    if (part.kind == Part::Kind::kText) tell(StreamEvent::Kind::kText, choice, part.text, sink);
    else if (part.kind == Part::Kind::kReasoning) tell(StreamEvent::Kind::kReasoning, choice, part.text, sink);
    else if (part.kind == Part::Kind::kImage) tell(StreamEvent::Kind::kOther, choice, picture_object(picture_url(part)), sink);
  }
}

void StreamReader::end_choice(ChoiceState& choice, std::string_view word, UpstreamSink& sink) {
  if (choice.finished || dead_) return;
  if (finish_reason_of(word) == FinishReason::kError) return fail(finish_error(word), sink);
  choice.finished = true;
  tell_start(sink);
  choice.tools.finish(choice.index, ids_, sink);
  if (foreign_ && choice.index == 0) tell_sources(sink);
  StreamEvent event;
  event.kind = StreamEvent::Kind::kFinish;
  event.choice = choice.index;
  event.finish = settle_finish(word, !choice.tools.empty());
  event.raw = word;
  event.service_tier = service_tier_;
  if (sink.on_event(event) == Flow::kCancel) dead_ = true;
}

// --- a body that is no event stream ---

void StreamReader::whole(UpstreamSink& sink) {
  const std::string_view body = bare(whole_);
  if (!wire::validate(body)) {
    return fail(unreadable("the upstream answered with no event stream: " + scrub(plain_words(body), key_), body, key_), sink);
  }
  Result<ChatResponse> response = read_answer(JsonValue(body), ids_, key_);
  if (!response) return fail(std::move(response).error(), sink);
  done_ = true;
  if (foreign_) cite_sources(*response);
  if (!relay_) {
    tell_answer(*response, [&](const StreamEvent& event) { sink.on_event(event); });
    return;
  }
  ChunkWriter writer;
  writer.start(response->model, false);
  std::vector<std::string> custom;
  for (const Choice& choice : response->choices) {
    for (const ToolCall& call : choice.message.tool_calls) {
      if (call.custom) custom.push_back(call.name);
    }
  }
  writer.set_custom(std::move(custom));
  std::string frames;
  tell_answer(*response, [&](const StreamEvent& event) {
    writer.event(event, frames);
    if (event.visible()) sink.on_payload(event.text.size() + event.arguments.size());
    if (event.kind == StreamEvent::Kind::kFinish) sink.on_finish(event.finish);
    if (event.kind == StreamEvent::Kind::kUsage) sink.on_usage(event.usage);
  });
  constexpr std::string_view kDone = "data: [DONE]\n\n";
  writer.end(frames);
  frames.resize(frames.size() - kDone.size());
  if (sink.on_frame(frames, FrameKind::kPayload) == Flow::kCancel) return;
  sink.on_frame(kDone, FrameKind::kDone);
}

}  // namespace llmrouter::dialects::openai
