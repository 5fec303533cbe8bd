#include "dialects/anthropic_events.h"

#include "dialects/anthropic.h"
#include "dialects/pictures.h"
#include "dialects/signature.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::anthropic {

using wire::append_integer;
using wire::append_json_string;
using wire::JsonWriter;

void EventWriter::open_message() {
  if (started_) return;
  started_ = true;
  std::string& out = *out_;
  out += "event: message_start\ndata: ";
  JsonWriter w(out);
  w.begin_object();
  w.member("type", "message_start");
  w.key("message");
  w.begin_object();
  w.member("id", id_.empty() ? ids_.next("msg_") : id_);
  w.member("type", "message");
  w.member("role", "assistant");
  w.member("model", model_);
  w.raw_member("content", "[]");
  w.raw_member("stop_reason", "null");
  w.raw_member("stop_sequence", "null");
  // Some clients take the input from here alone, and add the output to that of the end.
  TokenUsage usage;
  usage.input = estimate_;
  if (usage_.known && usage_.input > 0) usage = usage_;
  usage.output = usage.reasoning = 0;
  w.key("usage");
  w.begin_object();
  write_usage(usage, w);
  tell_tier(w);
  w.end_object();
  w.end_object();
  w.end_object();
  out += "\n\n";
}

// The vendor has it at the beginning; at the end only what was not known then.
void EventWriter::tell_tier(JsonWriter& w) {
  if (tier_told_ || service_tier_.empty()) return;
  tier_told_ = true;
  write_tier(service_tier_, w);
}

// `content_block`: as JSON.
void EventWriter::open(Block kind, std::string_view content_block) {
  open_message();
  close();
  block_ = kind;
  ++index_;
  std::string& out = *out_;
  out += "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":";
  append_integer(out, index_);
  out.append(",\"content_block\":").append(content_block).append("}\n\n");
}

void EventWriter::close() {
  if (block_ == Block::kNone) return;
  block_ = Block::kNone;
  std::string& out = *out_;
  out += "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":";
  append_integer(out, index_);
  out += "}\n\n";
}

void EventWriter::begin_delta() {
  std::string& out = *out_;
  out += "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":";
  append_integer(out, index_);
  out += ",\"delta\":";
}

void EventWriter::text(std::string_view text) {
  if (text.empty()) return;
  calls_.close(*this);
  if (block_ != Block::kText) open(Block::kText, R"({"type":"text","text":""})");
  begin_delta();
  *out_ += R"({"type":"text_delta","text":)";
  append_json_string(*out_, text);
  *out_ += "}}\n\n";
}

void EventWriter::redacted(std::string_view data) {
  std::string block = R"({"type":"redacted_thinking","data":)";
  append_json_string(block, data);
  open(Block::kThinking, block += '}');
  close();
}

// A signature ends its thought: what comes behind is another one.
void EventWriter::thought(const StreamEvent& event) {
  if (event.text.empty() && event.signature.empty()) return;
  calls_.close(*this);
  const std::string signature = seal_signature(event.maker, kMaker, event.signature);
  if (event.redacted) return redacted(signature);
  if (block_ != Block::kThinking) open(Block::kThinking, R"({"type":"thinking","thinking":"","signature":""})");
  if (!event.text.empty()) {
    begin_delta();
    *out_ += R"({"type":"thinking_delta","thinking":)";
    append_json_string(*out_, event.text);
    *out_ += "}}\n\n";
  }
  if (signature.empty()) return;
  begin_delta();
  *out_ += R"({"type":"signature_delta","signature":)";
  append_json_string(*out_, signature);
  *out_ += "}}\n\n";
  close();
}

void EventWriter::citation(std::string_view annotation) {
  said_index_.grow(said_);
  const std::string citation = citation_of(wire::JsonValue(annotation), said_index_);
  if (citation.empty()) return;
  calls_.close(*this);
  if (block_ != Block::kText) open(Block::kText, R"({"type":"text","text":""})");
  begin_delta();
  out_->append(R"({"type":"citations_delta","citation":)").append(citation).append("}}\n\n");
}

void EventWriter::call_begin(const ToolCall& call) {
  if (!call.signature.empty() && !call.maker.empty()) redacted(seal_call_signature(call.maker, call.signature));
  std::string block = R"({"type":"tool_use","id":)";
  append_json_string(block, call.id.empty() ? ids_.next("toolu_") : call.id);
  block += ",\"name\":";
  append_json_string(block, call.name);
  open(Block::kCall, block += ",\"input\":{}}");
}

void EventWriter::call_arguments(std::string_view piece) {
  begin_delta();
  *out_ += R"({"type":"input_json_delta","partial_json":)";
  append_json_string(*out_, piece);
  *out_ += "}}\n\n";
}

void EventWriter::event(const StreamEvent& event, std::string& out) {
  using Kind = StreamEvent::Kind;
  if (dead_) return;
  if (!event.service_tier.empty() && event.service_tier != service_tier_) {
    service_tier_ = event.service_tier;
    tier_told_ = false;
  }
  // Sources may be told behind the finish reason.
  if (event.choice != 0 || (finished_ && event.kind != Kind::kAnnotation)) {
    if (event.kind == Kind::kUsage) usage_ = event.usage;
    return;  // there is one choice here; of others nothing is told
  }
  out_ = &out;
  switch (event.kind) {
    case Kind::kStart:
      if (!event.id.empty()) id_ = event.id;
      if (!event.model.empty()) model_ = event.model;
      break;
    case Kind::kUsage: usage_ = event.usage; break;
    case Kind::kText:
    case Kind::kRefusal:
    case Kind::kReasoning:
    case Kind::kAnnotation:
    case Kind::kOther:
      if (!calls_.hold(event)) say(event);
      break;
    case Kind::kToolCallBegin: calls_.begin(event, *this); break;
    case Kind::kToolCallDelta: calls_.arguments(event.tool_index, event.arguments, *this); break;
    case Kind::kFinish:
      finished_ = true;
      finish_ = event.finish;
      finish_raw_ = event.raw;
      open_message();
      calls_.close(*this);
      close();
      break;
    case Kind::kLogprobs: break;
  }
  if (calls_.overflowed()) fail("more of the answer than " + std::to_string(ToolOrder::kMaxHeld) + " bytes waits for a tool call that does not end");
  out_ = nullptr;
}

void EventWriter::say(const StreamEvent& event) {
  using Kind = StreamEvent::Kind;
  if (event.kind == Kind::kReasoning) return thought(event);
  if (event.kind == Kind::kAnnotation) return citation(event.raw);
  if (event.kind == Kind::kOther) {
    for (const std::string& url : pictures_of(event)) text(picture_in_words(url));
    return;
  }
  refused_ = refused_ || (event.kind == Kind::kRefusal && !event.text.empty());
  if (event.kind == Kind::kText) keep(event.text);
  text(event.text);
}

// Places of citations count from the text's beginning: behind a gap they would be places of something else.
void EventWriter::keep(std::string_view text) {
  said_all_ = said_all_ && said_.size() + text.size() <= kMaxSaid;
  if (said_all_) said_ += text;
}

void EventWriter::fail(std::string_view what) {
  dead_ = true;
  *out_ += "event: error\ndata: ";
  write_error(Error(ErrorCode::kUpstreamError, std::string(what)), {}, *out_);
  *out_ += "\n\n";
}

void EventWriter::passed(std::string_view event) {
  const wire::JsonValue root(event);
  const wire::JsonValue type = wire::find_member(root, "type");
  if (type.equals("content_block_start")) block_ = wire::find(root, "content_block", "type").equals("text") ? Block::kText : Block::kThinking;
  else if (type.equals("content_block_stop")) block_ = Block::kNone;
  index_ = wire::find_member(root, "index").integer().value_or(index_);
  said_all_ = false;
}

void EventWriter::end(std::string& out) {
  if (dead_) return;
  out_ = &out;
  open_message();
  calls_.close(*this);
  close();
  out += "event: message_delta\ndata: ";
  JsonWriter w(out);
  w.begin_object();
  w.member("type", "message_delta");
  w.key("delta");
  w.begin_object();
  w.member("stop_reason", stop_reason_of(finish_, finish_raw_, calls_.any(), refused_));
  w.raw_member("stop_sequence", "null");
  w.end_object();
  TokenUsage usage = usage_;
  if (!usage.known) usage.input = estimate_;
  w.key("usage");
  w.begin_object();
  write_usage(usage, w);
  tell_tier(w);
  w.end_object();
  w.end_object();
  out += "\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
  out_ = nullptr;
}

}  // namespace llmrouter::dialects::anthropic
