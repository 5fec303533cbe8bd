#include "dialects/gemini_events.h"

#include "dialects/dates.h"
#include "dialects/fault.h"
#include "dialects/fields.h"
#include "dialects/gemini.h"
#include "dialects/pictures.h"
#include "dialects/text_match.h"
#include "dialects/tool_assembler.h"

namespace llmrouter::dialects::gemini {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::JsonWriter;
using Kind = StreamEvent::Kind;

namespace {

bool is_something(JsonValue value) noexcept { return !value.is_unset() && !value.empty_container(); }

bool is_visible(JsonValue part) {
  for (const JsonMember& m : JsonMembers(part)) {
    if (m.key == "text" || is_field(m.key, "thoughtSignature")) {
      if (m.value.nonempty_string()) return true;
    } else if (m.key != "thought" && is_something(m.value)) {
      return true;
    }
  }
  return false;
}

size_t said_in(JsonValue part) {
  size_t bytes = 0;
  for (const JsonMember& m : JsonMembers(part)) {
    if (m.key == "text") bytes += m.value.string_bytes();
    else if (is_field(m.key, "functionCall") || is_field(m.key, "executableCode")) bytes += m.value.raw().size();
  }
  return bytes;
}

}  // namespace

Look look_at(JsonValue response) {
  Look look;
  JsonValue candidates, feedback;
  for (const JsonMember& m : JsonMembers(response)) {
    if (m.key == "candidates") candidates = m.value;
    else if (is_field(m.key, "promptFeedback")) feedback = m.value;
    else if (is_field(m.key, "usageMetadata")) read_usage(m.value, look.usage);
    else if (is_field(m.key, "modelVersion")) m.value.string(look.model);
  }
  int64_t position = 0;
  for (JsonValue candidate : JsonElements(candidates)) {
    JsonValue content, finish, index;
    for (const JsonMember& m : JsonMembers(candidate)) {
      if (m.key == "content") content = m.value;
      else if (m.key == "index") index = m.value;
      else if (is_field(m.key, "finishReason")) finish = m.value;
    }
    for (JsonValue part : JsonElements(find_member(content, "parts"))) {
      look.visible = look.visible || is_visible(part);
      look.said += said_in(part);
      look.calls = look.calls || find_field(part, "functionCall").is_object();
    }
    const uint64_t bit = uint64_t{1} << (static_cast<uint64_t>(index.integer().value_or(position++)) % 64);
    look.seen |= bit;
    const FinishReason reason = finish_reason_of(finish);
    if (reason == FinishReason::kNone) continue;
    if (look.ended == 0) look.finish = reason;
    look.ended |= bit;
  }
  if (look.seen == 0 && is_something(find_field(feedback, "blockReason"))) {
    look.finish = FinishReason::kContentFilter;
    look.seen = look.ended = 1;
  }
  if (look.calls && look.finish == FinishReason::kStop) look.finish = FinishReason::kToolCalls;
  look.usage.estimated = look.visible && look.usage.output == 0;
  return look;
}

// --- telling ---

void EventReader::fail(Error error, UpstreamSink& sink) {
  if (dead_) return;
  dead_ = true;
  sink.on_error(std::move(error));
}

void EventReader::tell(const StreamEvent& event, UpstreamSink& sink) {
  if (!dead_ && sink.on_event(event) == Flow::kCancel) dead_ = true;
}

void EventReader::tell_raw(Kind kind, const ChoiceState& choice, std::string_view raw, UpstreamSink& sink) {
  StreamEvent event;
  event.kind = kind;
  event.choice = choice.index;
  event.raw = raw;
  tell(event, sink);
}

void EventReader::tell_text(Kind kind, const ChoiceState& choice, std::string_view text, UpstreamSink& sink) {
  StreamEvent event;
  event.kind = kind;
  event.choice = choice.index;
  event.text = text;
  tell(event, sink);
}

bool EventReader::finished() const noexcept {
  for (const ChoiceState& choice : choices_) {
    if (!choice.finished) return false;
  }
  return !choices_.empty();
}

EventReader::ChoiceState* EventReader::choice_at(int64_t index, UpstreamSink& sink) {
  for (ChoiceState& choice : choices_) {
    if (choice.index == index) return &choice;
  }
  if (index < 0 || index >= kMaxChoices) {
    fail(unreadable("the upstream's answer has a candidate numbered " + std::to_string(index), {}, key_), sink);
    return nullptr;
  }
  choices_.emplace_back().index = index;
  return &choices_.back();
}

// --- a response ---

bool EventReader::step(JsonValue response, UpstreamSink& sink) {
  if (dead_) return false;
  if (!response.is_object()) {
    fail(unreadable("the upstream answered with no object", response.raw(), key_), sink);
    return false;
  }
  if (has_error_member(response)) {
    fail(error_of_object(response, key_), sink);
    return false;
  }
  JsonValue candidates, feedback, usage, model, id, created;
  for (const JsonMember& m : JsonMembers(response)) {
    if (m.key == "candidates") candidates = m.value;
    else if (is_field(m.key, "promptFeedback")) feedback = m.value;
    else if (is_field(m.key, "usageMetadata")) usage = m.value.is_null() ? usage : m.value;
    else if (is_field(m.key, "modelVersion")) model = m.value;
    else if (is_field(m.key, "responseId")) id = m.value;
    else if (is_field(m.key, "createTime")) created = m.value;
  }
  start(model, id, created, sink);
  int64_t position = 0;
  for (JsonValue entry : JsonElements(candidates)) candidate(entry, position++, sink);
  if (position == 0 && is_something(find_field(feedback, "blockReason"))) blocked(feedback, sink);
  StreamEvent event;
  event.kind = Kind::kUsage;
  const bool spoke = std::any_of(choices_.begin(), choices_.end(), [](const ChoiceState& c) { return c.spoke; });
  if (read_usage(usage, event.usage)) {
    event.usage = counts_.take(event.usage, finished() && !(spoke && event.usage.output == 0));  // counts are of what came so far
    tell(event, sink);
  } else if (const auto last = finished() ? counts_.settle() : std::nullopt) {
    event.usage = *last;
    tell(event, sink);
  }
  return !dead_;
}

void EventReader::start(JsonValue model, JsonValue id, JsonValue created, UpstreamSink& sink) {
  if (started_) return;
  started_ = true;
  const std::string name = model.string_or(), response_id = id.string_or();
  StreamEvent event;
  event.kind = Kind::kStart;
  event.model = name;
  event.id = response_id;
  event.created = parse_rfc3339(created.string_or()).value_or(0);
  tell(event, sink);
}

// The prompt was not even answered: there is no candidate to say so.
void EventReader::blocked(JsonValue feedback, UpstreamSink& sink) {
  ChoiceState* choice = choice_at(0, sink);
  if (choice == nullptr || choice->finished) return;
  const std::string reason = text_of_value(find_field(feedback, "blockReason"));
  std::string words = find_field(feedback, "blockReasonMessage").string_or();
  if (words.empty()) words = "The prompt was blocked: " + reason;
  if (!foreign_) tell_raw(Kind::kOther, *choice, R"({"promptFeedback":)" + compact(feedback.raw()) + "}", sink);
  tell_text(Kind::kRefusal, *choice, words, sink);
  choice->finished = true;
  choice->reason = FinishReason::kContentFilter;
  choice->word = reason;
}

EventReader::Candidate EventReader::read_candidate(JsonValue value) const {
  Candidate out;
  for (const JsonMember& m : JsonMembers(value)) {
    if (m.key == "index") out.index = m.value;
    else if (m.key == "content") out.content = m.value;
    else if (is_field(m.key, "finishReason")) out.finish = m.value;
    else if (is_field(m.key, "logprobsResult")) out.logprobs = m.value;
    else {
      if (is_field(m.key, "finishMessage")) out.finish_message = m.value;
      if (is_field(m.key, "groundingMetadata")) out.grounding = m.value;
      if (!foreign_ && is_something(m.value)) add_member(out.others, compact(m.raw));
    }
  }
  return out;
}

void EventReader::candidate(JsonValue value, int64_t position, UpstreamSink& sink) {
  const Candidate read = read_candidate(value);
  ChoiceState* choice = choice_at(read.index.integer().value_or(position), sink);
  if (choice == nullptr) return;
  if (const std::string logprobs = openai_logprobs(read.logprobs); !logprobs.empty()) tell_raw(Kind::kLogprobs, *choice, logprobs, sink);
  for (JsonValue entry : JsonElements(find_member(read.content, "parts"))) {
    if (dead_) return;
    part(entry, *choice, sink);
  }
  if (!read.others.empty()) tell_raw(Kind::kOther, *choice, "{" + read.others + "}", sink);
  if (is_something(read.grounding) && read.grounding.raw().size() <= kMaxText) choice->grounding = read.grounding.raw();
  if (finish_reason_of(read.finish) != FinishReason::kNone) end(*choice, read.finish, read.finish_message, sink);
}

// --- parts ---

void EventReader::part(JsonValue value, ChoiceState& choice, UpstreamSink& sink) {
  JsonValue text, thought, signature, call, media, code;
  std::string code_key;
  bool other = false;
  for (const JsonMember& m : JsonMembers(value)) {
    if (m.value.is_null()) continue;
    if (m.key == "text") text = m.value;
    else if (m.key == "thought") thought = m.value;
    else if (is_field(m.key, "thoughtSignature")) signature = m.value;
    else if (is_field(m.key, "functionCall")) call = m.value;
    else if (is_field(m.key, "inlineData") || is_field(m.key, "fileData")) media = m.value;
    else if (is_field(m.key, "executableCode") || is_field(m.key, "codeExecutionResult")) {
      code = m.value;
      code_key = m.key;
    } else {
      other = true;
    }
  }
  std::string scratch;
  const std::string_view sign = signature.string_view(scratch).value_or(std::string_view{});
  if (call.is_object()) return call_part(call, sign, choice, sink);
  if (code.is_object()) return code_part(code_key, code, value, choice, sink);
  if (media.is_object()) return media_part(value, choice, sink);
  if (text.is_string() || (!sign.empty() && !other)) return text_part(text, thought.boolean().value_or(false), sign, choice, sink);
  if (other) other_part(value, choice, sink);
}

void EventReader::text_part(JsonValue text, bool thought, std::string_view signature, ChoiceState& choice, UpstreamSink& sink) {
  std::string scratch;
  StreamEvent event;
  event.kind = thought ? Kind::kReasoning : Kind::kText;
  event.choice = choice.index;
  event.text = text.string_view(scratch).value_or(std::string_view{});
  event.signature = signature;
  if (!signature.empty()) event.maker = kName;
  if (!event.visible()) return;
  spoke(choice);
  if (!thought && choice.text.size() + event.text.size() <= kMaxText) choice.text += event.text;
  tell(event, sink);
}

void EventReader::code_part(std::string_view key, JsonValue code, JsonValue part, ChoiceState& choice, UpstreamSink& sink) {
  if (!foreign_) return other_part(part, choice, sink);
  spoke(choice);
  const std::string words = code_as_text(key, code);
  if (choice.text.size() + words.size() <= kMaxText) choice.text += words;
  tell_text(Kind::kText, choice, words, sink);
}

void EventReader::media_part(JsonValue value, ChoiceState& choice, UpstreamSink& sink) {
  if (!foreign_) return other_part(value, choice, sink);
  Part read;
  if (!read_media(value, read)) return;
  spoke(choice);
  if (read.kind != Part::Kind::kImage) return tell_text(Kind::kText, choice, media_in_words(read), sink);
  tell_raw(Kind::kOther, choice, picture_object(picture_url(read)), sink);
}

void EventReader::other_part(JsonValue value, ChoiceState& choice, UpstreamSink& sink) {
  spoke(choice);
  if (!foreign_) tell_raw(Kind::kOther, choice, R"({"parts":[)" + compact(value.raw()) + "]}", sink);
}

// --- calls: whole in one part, or a name and then pieces of arguments, until one says no more come ---

void EventReader::call_part(JsonValue call, std::string_view signature, ChoiceState& choice, UpstreamSink& sink) {
  JsonValue name, id, args, pieces, more;
  for (const JsonMember& m : JsonMembers(call)) {
    if (m.key == "name") name = m.value;
    else if (m.key == "id") id = m.value;
    else if (m.key == "args") args = m.value;
    else if (is_field(m.key, "partialArgs")) pieces = m.value;
    else if (is_field(m.key, "willContinue")) more = m.value;
  }
  const bool goes_on = more.boolean().value_or(false);
  const std::string whole = args.is_object() ? compact(args.raw()) : std::string();
  if (name.nonempty_string()) {
    end_partial(choice, sink);
    const bool in_pieces = goes_on || pieces.is_array();
    begin_call(name.string_or(), id.string_or(), in_pieces ? std::string_view{} : whole.empty() ? std::string_view("{}") : std::string_view(whole),
               signature, choice, sink);
    if (!in_pieces) return;
    choice.partial = true;
  }
  if (!choice.partial) return;
  if (args.is_object() && !args.empty_container()) choice.whole_args = whole;
  for (JsonValue piece : JsonElements(pieces)) {
    if (choice.args.add(piece)) continue;
    return fail(unreadable("the upstream's stream has arguments of a call that cannot be put together", piece.raw(), key_), sink);
  }
  if (!goes_on) end_partial(choice, sink);
}

void EventReader::begin_call(std::string name, std::string id, std::string_view arguments, std::string_view signature, ChoiceState& choice,
                             UpstreamSink& sink) {
  if (call_ids_.size() >= ToolAssembler::kMaxCalls) {
    return fail(unreadable("the upstream's answer has more tool calls than " + std::to_string(ToolAssembler::kMaxCalls), {}, key_), sink);
  }
  while (id.empty() || !call_ids_.insert(id).second) id = ids_.next("call_");
  choice.called = true;
  spoke(choice);
  StreamEvent event;
  event.kind = Kind::kToolCallBegin;
  event.choice = choice.index;
  event.tool_index = choice.next_call++;
  event.id = id;
  event.name = name;
  event.arguments = arguments;
  event.signature = signature;
  if (!signature.empty()) event.maker = kName;
  tell(event, sink);
}

void EventReader::end_partial(ChoiceState& choice, UpstreamSink& sink) {
  if (!choice.partial) return;
  const std::string arguments = choice.whole_args.empty() ? choice.args.json() : choice.whole_args;
  choice.partial = false;
  choice.args = PartialArgs();
  choice.whole_args.clear();
  StreamEvent event;
  event.kind = Kind::kToolCallDelta;
  event.choice = choice.index;
  event.tool_index = choice.next_call - 1;
  event.arguments = arguments;
  tell(event, sink);
}

void EventReader::end(ChoiceState& choice, JsonValue finish, JsonValue message, UpstreamSink& sink) {
  end_partial(choice, sink);
  const std::string word = finish_text(finish), words = message.string_or();
  FinishReason reason = finish_reason_of(finish);
  const bool broken = reason == FinishReason::kError || (reason == FinishReason::kOther && !choice.spoke);
  choice.finished = true;
  choice.reason = reason;
  choice.word = word;
  choice.message = cut(words, kMaxErrorMessage);
  if (broken) {
    std::string what = "the upstream broke the answer off: finishReason " + word;
    if (!words.empty()) what += ": " + scrub(cut(words, kMaxErrorMessage), key_);
    return fail(unreadable(what, {}, key_), sink);
  }
}

void EventReader::close(UpstreamSink& sink) {
  for (ChoiceState& choice : choices_) {
    if (choice.finished) close(choice, sink);
  }
}

void EventReader::close(ChoiceState& choice, UpstreamSink& sink) {
  end_partial(choice, sink);
  for (const std::string& annotation : annotations_of(JsonValue(choice.grounding), choice.text)) tell_raw(Kind::kAnnotation, choice, annotation, sink);
  FinishReason reason = choice.reason;
  if (reason == FinishReason::kContentFilter && !choice.spoke && !choice.message.empty()) tell_text(Kind::kRefusal, choice, choice.message, sink);
  // Google says STOP after calls, too.
  if (choice.called && (reason == FinishReason::kStop || reason == FinishReason::kOther)) reason = FinishReason::kToolCalls;
  StreamEvent event;
  event.kind = Kind::kFinish;
  event.choice = choice.index;
  event.finish = reason;
  event.raw = choice.word;
  tell(event, sink);
}

// --- a whole answer ---

Choice& Collector::choice_at(int64_t index) {
  for (Choice& choice : response_.choices) {
    if (choice.index == index) return choice;
  }
  Choice& choice = response_.choices.emplace_back();
  choice.index = index;
  choice.message.role = Role::kAssistant;
  return choice;
}

// What is signed stays a part of its own: a signature belongs to the part it came with.
void Collector::words(Part::Kind kind, const StreamEvent& event) {
  std::vector<Part>& parts = choice_at(event.choice).message.parts;
  const bool joins = !parts.empty() && parts.back().kind == kind && parts.back().signature.empty() && event.signature.empty();
  if (joins) {
    parts.back().text += event.text;
    return;
  }
  Part& part = parts.emplace_back();
  part.kind = kind;
  part.text = event.text;
  part.signature = event.signature;
  part.maker = event.maker;
}

void Collector::other(const StreamEvent& event) {
  Choice& choice = choice_at(event.choice);
  for (const JsonMember& m : JsonMembers(JsonValue(event.raw))) {
    if (m.key == "parts") {
      for (JsonValue value : JsonElements(m.value)) {
        Part& part = choice.message.parts.emplace_back();
        if (read_media(value, part)) continue;
        part.kind = Part::Kind::kOther;
        part.raw = value.raw();
      }
    } else if (m.key == "images") {
      add_member(choice.message.extras, m.raw);
    } else if (m.key == "promptFeedback") {
      add_member(response_.extras, m.raw);
    } else {
      add_member(choice.extras, m.raw);
    }
  }
}

Flow Collector::on_event(const StreamEvent& event) {
  switch (event.kind) {
    case Kind::kStart:
      response_.id = event.id;
      response_.model = event.model;
      response_.created = event.created;
      break;
    case Kind::kText: words(Part::Kind::kText, event); break;
    case Kind::kReasoning: words(Part::Kind::kReasoning, event); break;
    case Kind::kRefusal: words(Part::Kind::kRefusal, event); break;
    case Kind::kToolCallBegin: {
      ToolCall& call = choice_at(event.choice).message.tool_calls.emplace_back();
      call.id = event.id;
      call.name = event.name;
      call.arguments = event.arguments;
      call.signature = event.signature;
      call.maker = event.maker;
      break;
    }
    case Kind::kToolCallDelta: choice_at(event.choice).message.tool_calls.back().arguments += event.arguments; break;
    case Kind::kLogprobs: join_logprobs(choice_at(event.choice).logprobs, event.raw); break;
    case Kind::kAnnotation: {
      std::string& list = choice_at(event.choice).message.annotations;
      if (list.empty()) list = "[" + std::string(event.raw) + "]";
      else list.insert(list.size() - 1, "," + std::string(event.raw));
      break;
    }
    case Kind::kFinish:
      choice_at(event.choice).finish = event.finish;
      choice_at(event.choice).finish_raw = event.raw;
      break;
    case Kind::kUsage: response_.usage = event.usage; break;
    case Kind::kOther: other(event); break;
  }
  return Flow::kContinue;
}

Result<ChatResponse> Collector::take() {
  if (error_) return std::move(*error_);
  return std::move(response_);
}

}  // namespace llmrouter::dialects::gemini
