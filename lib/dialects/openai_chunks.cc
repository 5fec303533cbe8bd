#include "dialects/openai_chunks.h"

#include "dialects/dates.h"
#include "dialects/fields.h"
#include "dialects/openai.h"
#include "dialects/signature.h"
#include "dialects/usage.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::openai {

using wire::append_integer;
using wire::append_json_string;

void ChunkWriter::make_head() {
  if (id_.empty()) id_ = ids_.next("chatcmpl-");
  if (created_ == 0) created_ = now_seconds();
  head_ = "data: {\"id\":";
  append_json_string(head_, id_);
  head_ += ",\"object\":\"chat.completion.chunk\",\"created\":";
  append_integer(head_, created_);
  head_ += ",\"model\":";
  append_json_string(head_, model_);
  if (!service_tier_.empty()) {
    head_ += ",\"service_tier\":";
    append_json_string(head_, service_tier_);
  }
  head_ += ",\"choices\":[";
}

// Some tell it at the end alone: the chunks from there on have it.
void ChunkWriter::take_tier(std::string_view tier) {
  if (tier.empty() || tier == service_tier_) return;
  service_tier_ = tier;
  if (!head_.empty()) make_head();
}

ChunkWriter::ChoiceState& ChunkWriter::choice(int64_t index) {
  for (ChoiceState& c : choices_) {
    if (c.index == index) return c;
  }
  choices_.emplace_back().index = index;
  return choices_.back();
}

void ChunkWriter::begin_chunk(const ChoiceState& c, std::string& out) {
  if (head_.empty()) make_head();
  out += head_;
  out += "{\"index\":";
  append_integer(out, c.index);
  out += ",\"delta\":";
}

void ChunkWriter::end_chunk(ChoiceState& c, std::string_view finish, std::string& out) {
  out += ",\"logprobs\":";
  if (c.logprobs.empty()) {
    out += "null";
  } else {
    out += c.logprobs;
    c.logprobs.clear();
  }
  out += ",\"finish_reason\":";
  if (finish.empty()) out += "null}]";
  else out.append("\"").append(finish).append("\"}]");
  out += include_usage_ ? ",\"usage\":null}\n\n" : "}\n\n";
}

// The role, once. OpenAI has no text beside calls that come first, and an empty one otherwise.
void ChunkWriter::open(ChoiceState& c, bool call_first, std::string& out) {
  if (c.role_sent) return;
  c.role_sent = true;
  std::string held;
  held.swap(c.logprobs);
  begin_chunk(c, out);
  out += call_first ? "{\"role\":\"assistant\",\"content\":null}" : "{\"role\":\"assistant\",\"content\":\"\"}";
  end_chunk(c, {}, out);
  held.swap(c.logprobs);
}

void ChunkWriter::text(ChoiceState& c, std::string_view member, std::string_view text, std::string& out) {
  open(c, false, out);
  if (text.empty()) return;
  begin_chunk(c, out);
  out.append("{\"").append(member).append("\":");
  append_json_string(out, text);
  out += '}';
  end_chunk(c, {}, out);
}

// A signature comes with all of its thought, so that a client can give both back; the words alone went before, as they came.
void ChunkWriter::thought(ChoiceState& c, const StreamEvent& event, std::string& out) {
  constexpr size_t kMaxThought = 16 * 1024 * 1024;  // of one that is signed; a longer one goes unsigned
  text(c, "reasoning_content", event.text, out);
  if (event.maker == kMaker) return;  // OpenRouter's own entries are told as they are
  if (c.thought.size() <= kMaxThought) c.thought += event.text;
  if (event.signature.empty()) return;
  if (c.thought.size() <= kMaxThought) {
    begin_chunk(c, out);
    out += "{\"reasoning_details\":[";
    out += client_detail(event.maker, event.signature, c.thought, event.redacted, c.details++);
    out += "]}";
    end_chunk(c, {}, out);
  }
  c.thought.clear();
}

void ChunkWriter::tell_arguments(ChoiceState& c, int64_t index, std::string_view arguments, std::string& out) {
  if (arguments.empty()) return;
  if (index == c.open_call) c.depth.feed(arguments);
  if (index == c.open_call && c.custom) {
    std::string input;
    c.input.feed(arguments, input);
    return tell_input(c, input, out);
  }
  begin_chunk(c, out);
  out += "{\"tool_calls\":[{\"index\":";
  append_integer(out, index);
  out += ",\"function\":{\"arguments\":";
  append_json_string(out, arguments);
  out += "}}]}";
  end_chunk(c, {}, out);
}

void ChunkWriter::tell_input(ChoiceState& c, std::string_view input, std::string& out) {
  if (input.empty()) return;
  begin_chunk(c, out);
  out += "{\"tool_calls\":[{\"index\":";
  append_integer(out, c.open_call);
  out += ",\"custom\":{\"input\":";
  append_json_string(out, input);
  out += "}}]}";
  end_chunk(c, {}, out);
}

void ChunkWriter::close_call(ChoiceState& c, std::string& out) {
  if (!c.custom) return;
  c.custom = false;
  std::string rest;
  c.input.finish(rest);
  tell_input(c, rest, out);
}

void ChunkWriter::tell_call(ChoiceState& c, const Call& call, std::string& out) {
  open(c, true, out);
  close_call(c, out);
  c.called = true;
  c.open_call = call.index;
  c.depth = JsonDepth();
  c.custom = is_custom(custom_, call.name);
  c.input = InputReader();
  begin_chunk(c, out);
  out += "{\"tool_calls\":[{\"index\":";
  append_integer(out, call.index);
  out += ",\"id\":";
  append_json_string(out, call.id.empty() ? ids_.next("call_") : call.id);
  out += c.custom ? ",\"type\":\"custom\",\"custom\":{\"name\":" : ",\"type\":\"function\",\"function\":{\"name\":";
  append_json_string(out, call.name);
  out += c.custom ? ",\"input\":\"\"}" : ",\"arguments\":\"\"}";
  if (!call.signature.empty()) {
    out += ",\"extra_content\":{\"google\":{\"thought_signature\":";
    append_json_string(out, call.signature);
    out += "}}";
  }
  out += "}]}";
  end_chunk(c, {}, out);
  tell_arguments(c, call.index, call.arguments, out);
}

// Those that waited, as long as the one before is whole, or all of them.
void ChunkWriter::tell_waiting(ChoiceState& c, bool all, std::string& out) {
  size_t told = 0;
  while (told < c.waiting.size() && (all || c.depth.complete())) {
    const Call call = std::move(c.waiting[told++]);
    tell_call(c, call, out);
  }
  c.waiting.erase(c.waiting.begin(), c.waiting.begin() + static_cast<std::ptrdiff_t>(told));
}

void ChunkWriter::begin_call(ChoiceState& c, const StreamEvent& event, std::string& out) {
  Call call;
  call.index = event.tool_index;
  call.id = event.id;
  call.name = event.name;
  call.arguments = event.arguments;
  call.signature = seal_signature(event.maker, kSignatureMaker, event.signature);
  const bool busy = c.open_call >= 0 && (!c.depth.complete() || !c.waiting.empty());
  if (busy) c.waiting.push_back(std::move(call));
  else tell_call(c, call, out);
}

void ChunkWriter::call_arguments(ChoiceState& c, int64_t index, std::string_view arguments, std::string& out) {
  for (Call& call : c.waiting) {
    if (call.index == index) {
      call.arguments += arguments;
      return;
    }
  }
  tell_arguments(c, index, arguments, out);
  if (!c.waiting.empty()) tell_waiting(c, false, out);
}

void ChunkWriter::finish(ChoiceState& c, FinishReason reason, std::string& out) {
  if (c.finished) return;
  open(c, false, out);
  tell_waiting(c, true, out);
  close_call(c, out);
  c.finished = true;
  begin_chunk(c, out);
  out += "{}";
  end_chunk(c, finish_word(reason), out);
}

void ChunkWriter::event(const StreamEvent& event, std::string& out) {
  using Kind = StreamEvent::Kind;
  switch (event.kind) {
    case Kind::kStart:
      if (!event.id.empty()) id_ = event.id;
      if (!event.model.empty()) model_ = event.model;
      if (event.created != 0) created_ = event.created;
      return take_tier(event.service_tier);
    case Kind::kUsage:
      usage_ = event.usage;
      take_tier(event.service_tier);
      return;
    case Kind::kText: return text(choice(event.choice), "content", event.text, out);
    case Kind::kReasoning: return thought(choice(event.choice), event, out);
    case Kind::kRefusal: return text(choice(event.choice), "refusal", event.text, out);
    case Kind::kToolCallBegin: return begin_call(choice(event.choice), event, out);
    case Kind::kToolCallDelta: return call_arguments(choice(event.choice), event.tool_index, event.arguments, out);
    case Kind::kLogprobs:
      choice(event.choice).logprobs.clear();
      append_one_line(choice(event.choice).logprobs, event.raw);
      return;
    case Kind::kFinish:
      take_tier(event.service_tier);
      return finish(choice(event.choice), event.finish, out);
    case Kind::kAnnotation:
    case Kind::kOther: break;
  }
  const bool annotation = event.kind == Kind::kAnnotation;
  ChoiceState& c = choice(event.choice);
  open(c, false, out);
  begin_chunk(c, out);
  if (annotation) out += "{\"annotations\":[";
  if (annotation) append_one_line(out, chat_annotation(wire::JsonValue(event.raw)));
  else append_one_line(out, event.raw);
  if (annotation) out += "]}";
  end_chunk(c, {}, out);
}

void ChunkWriter::end(std::string& out) {
  if (choices_.empty()) choice(0);
  for (ChoiceState& c : choices_) finish(c, c.called ? FinishReason::kToolCalls : FinishReason::kStop, out);
  if (include_usage_ && usage_.known) {
    out += head_;
    out += "],\"usage\":";
    write_usage(usage_, {}, out);
    out += "}\n\n";
  }
  out += "data: [DONE]\n\n";
}

}  // namespace llmrouter::dialects::openai
