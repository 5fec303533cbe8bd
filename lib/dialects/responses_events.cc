#include "dialects/responses_events.h"

#include <algorithm>
#include <cstdio>

#include "dialects/dates.h"
#include "dialects/fields.h"
#include "dialects/media.h"
#include "dialects/pictures.h"
#include "dialects/responses.h"
#include "dialects/signature.h"
#include "dialects/sse_text.h"
#include "dialects/tell_answer.h"

namespace llmrouter::dialects::responses {

using wire::append_integer;
using wire::append_json_string;
using wire::find_member;
using wire::JsonElements;
using wire::JsonValue;

namespace {

std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

void add_element(std::string& list, std::string_view json) {
  if (!list.empty()) list += ',';
  append_one_line(list, json);
}

// What an answer echoes of its request, with what it says where the request is silent. In the order of the real ones.
struct Echo {
  std::string_view name, otherwise;
};
constexpr Echo kEchoes[] = {
    {"instructions", "null"}, {"max_output_tokens", "null"}, {"max_tool_calls", "null"}, {"metadata", "{}"}, {"parallel_tool_calls", "true"},
    {"prompt_cache_key", "null"}, {"reasoning", R"({"effort":null,"summary":null})"}, {"safety_identifier", "null"}, {"temperature", "1.0"},
    {"text", R"({"format":{"type":"text"}})"}, {"tool_choice", R"("auto")"}, {"tools", "[]"}, {"top_logprobs", "0"}, {"top_p", "1.0"},
    {"truncation", R"("disabled")"}, {"user", "null"},
};

}  // namespace

void EventWriter::start(std::string_view body, std::vector<MemberSpan> members) {
  body_ = body;
  members_ = std::move(members);
  JsonValue(echo("model", {})).string(model_);
  for (JsonValue tool : JsonElements(JsonValue(echo("tools", "[]")))) {
    if (find_member(tool, "type").equals("custom")) custom_.push_back(find_member(tool, "name").string_or());
  }
}

std::string_view EventWriter::echo(std::string_view name, std::string_view otherwise) const {
  for (const MemberSpan& m : members_) {
    if (m.name != name) continue;
    const std::string_view raw = body_.substr(m.value_begin, m.value_end - m.value_begin);
    return raw == "null" ? otherwise : raw;
  }
  return otherwise;
}

// --- frames ---

void EventWriter::frame(std::string_view type, std::string_view members, std::string& out) {
  if (quiet_) return;
  out.append("event: ").append(type).append("\ndata: {\"type\":\"").append(type).append("\",\"sequence_number\":");
  append_integer(out, sequence_++);
  out.append(",").append(members).append("}\n\n");
}

void EventWriter::write_response(std::string_view status, const Error* error, std::string& out) {
  const bool ended = status != "in_progress";
  out.append("{\"id\":").append(quoted(id_)).append(",\"object\":\"response\",\"created_at\":");
  append_integer(out, created_);
  out.append(",\"status\":\"").append(status).append("\",\"background\":false,\"completed_at\":");
  if (status == "completed") append_integer(out, std::max(created_, now_seconds()));
  else out += "null";
  out += ",\"error\":";
  if (error != nullptr) out.append("{\"code\":").append(quoted(code_name(error->code))).append(",\"message\":").append(quoted(error->message)).append("}");
  else out += "null";
  out += ",\"incomplete_details\":";
  if (status == "incomplete" && finish_ == FinishReason::kLength) out += R"({"reason":"max_output_tokens"})";
  else if (status == "incomplete" && finish_ == FinishReason::kContentFilter) out += R"({"reason":"content_filter"})";
  else out += "null";
  out.append(",\"model\":").append(quoted(model_)).append(",\"output\":[");
  if (ended) out += output_;
  out += "],\"previous_response_id\":null,\"store\":false,\"service_tier\":";
  if (service_tier_.empty()) append_one_line(out, echo("service_tier", "null"));
  else out += quoted(service_tier_);
  for (const Echo& e : kEchoes) {
    out.append(",\"").append(e.name).append("\":");
    const std::string_view value = echo(e.name, e.otherwise);
    if (e.name == "text" && !find_member(JsonValue(value), "format").is_object()) {
      out += R"({"format":{"type":"text"})";
      if (const JsonValue verbosity = find_member(JsonValue(value), "verbosity"); verbosity.is_string()) out.append(",\"verbosity\":").append(verbosity.raw());
      out += '}';
    } else {
      append_one_line(out, value);
    }
  }
  out += ",\"usage\":";
  if (ended && usage_.known) write_usage(usage_, out);
  else out += "null";
  out += '}';
}

void EventWriter::state_frame(std::string_view type, std::string_view status, const Error* error, std::string& out) {
  if (quiet_) return;
  std::string members = "\"response\":";
  write_response(status, error, members);
  frame(type, members, out);
}

void EventWriter::begin(std::string& out) {
  if (begun_) return;
  begun_ = true;
  id_ = upstream_id_.compare(0, 5, "resp_") == 0 ? upstream_id_ : ids_.next("resp_");
  if (created_ == 0) created_ = now_seconds();
  state_frame("response.created", "in_progress", nullptr, out);
  state_frame("response.in_progress", "in_progress", nullptr, out);
}

void EventWriter::append_at(std::string& out) const {
  out += "\"output_index\":";
  append_integer(out, output_index_);
  out += ",\"item_id\":";
  append_json_string(out, item_id_);
}

std::string EventWriter::at() const {
  std::string out;
  append_at(out);
  return out;
}

void EventWriter::delta_frame(std::string_view type, std::string_view members, std::string_view delta, std::string_view after, std::string& out) {
  delta_.clear();
  append_at(delta_);
  delta_.append(members).append(",\"delta\":");
  append_json_string(delta_, delta);
  delta_ += after;
  frame(type, delta_, out);
}

std::string EventWriter::at_part() const {
  std::string out = at() + ",\"content_index\":";
  append_integer(out, content_index_);
  return out;
}

void EventWriter::item_done(const std::string& item, std::string& out) {
  frame("response.output_item.done", "\"output_index\":" + std::to_string(output_index_) + ",\"item\":" + item, out);
  add_element(output_, item);
  ++output_index_;
  open_ = Open::kNone;
}

void EventWriter::close(std::string& out) {
  switch (open_) {
    case Open::kNone: return;
    case Open::kMessage: return close_message(out);
    case Open::kThought: return close_thought(out);
    case Open::kCall: return close_call(out);
  }
}

// --- messages ---

void EventWriter::open_message(bool refusal, std::string& out) {
  if (open_ != Open::kMessage) {
    close(out);
    open_ = Open::kMessage;
    item_id_ = ids_.next("msg_");
    parts_.clear();
    content_index_ = 0;
    frame("response.output_item.added",
          "\"output_index\":" + std::to_string(output_index_) + ",\"item\":{\"id\":" + quoted(item_id_) +
              ",\"type\":\"message\",\"status\":\"in_progress\",\"role\":\"assistant\",\"content\":[]}", out);
  }
  if (part_open_ && refusal_ == refusal) return;
  close_part(out);
  part_open_ = true;
  refusal_ = refusal;
  annotation_index_ = 0;
  frame("response.content_part.added", at_part() + ",\"part\":" + part_json(), out);
}

std::string EventWriter::part_json() const {
  if (refusal_) return "{\"type\":\"refusal\",\"refusal\":" + quoted(text_) + "}";
  return "{\"type\":\"output_text\",\"annotations\":[" + annotations_ + "],\"logprobs\":[" + logprobs_ + "],\"text\":" + quoted(text_) + "}";
}

void EventWriter::close_part(std::string& out) {
  if (!part_open_) return;
  part_open_ = false;
  if (refusal_) frame("response.refusal.done", at_part() + ",\"refusal\":" + quoted(text_), out);
  else frame("response.output_text.done", at_part() + ",\"logprobs\":[" + logprobs_ + "],\"text\":" + quoted(text_), out);
  const std::string part = part_json();
  frame("response.content_part.done", at_part() + ",\"part\":" + part, out);
  add_element(parts_, part);
  ++content_index_;
  text_.clear();
  annotations_.clear();
  logprobs_.clear();
}

void EventWriter::close_message(std::string& out) {
  close_part(out);
  const bool cut = finish_ == FinishReason::kLength || finish_ == FinishReason::kContentFilter;
  item_done("{\"id\":" + quoted(item_id_) + ",\"type\":\"message\",\"status\":\"" + (cut ? "incomplete" : "completed") +
                "\",\"role\":\"assistant\",\"content\":[" + parts_ + "]}", out);
}

void EventWriter::text(bool refusal, std::string_view words, std::string& out) {
  if (words.empty()) return;
  open_message(refusal, out);
  text_ += words;
  char place[40];
  const int size = std::snprintf(place, sizeof place, ",\"content_index\":%lld", static_cast<long long>(content_index_));
  const std::string_view part(place, static_cast<size_t>(size));
  if (refusal) return delta_frame("response.refusal.delta", part, words, {}, out);
  if (next_logprobs_.empty()) return delta_frame("response.output_text.delta", part, words, ",\"logprobs\":[]", out);
  delta_frame("response.output_text.delta", part, words, ",\"logprobs\":[" + next_logprobs_ + "]", out);
  add_element(logprobs_, next_logprobs_);
  next_logprobs_.clear();
}

void EventWriter::annotation(std::string_view chat, std::string& out) {
  open_message(false, out);
  const std::string flat = flat_annotation(JsonValue(chat));
  frame("response.output_text.annotation.added", at_part() + ",\"annotation_index\":" + std::to_string(annotation_index_++) + ",\"annotation\":" + flat, out);
  add_element(annotations_, flat);
}

// An item of its own, as this dialect's tool for pictures makes it; it has bytes and no URL.
void EventWriter::picture(const std::string& url, std::string& out) {
  Part part;
  part.kind = Part::Kind::kImage;
  part.url = url;
  const Inline bytes = inline_of(part);
  if (bytes.data.empty()) return text(false, picture_in_words(url), out);
  close(out);
  item_id_ = ids_.next("ig_");
  const std::string item = "{\"id\":" + quoted(item_id_) + ",\"type\":\"image_generation_call\",\"status\":";
  frame("response.output_item.added", "\"output_index\":" + std::to_string(output_index_) + ",\"item\":" + item + "\"in_progress\"}", out);
  for (const char* step : {"in_progress", "generating", "completed"}) frame(std::string("response.image_generation_call.") + step, at(), out);
  const std::string_view format = bytes.mime.substr(0, 6) == "image/" ? bytes.mime.substr(6) : std::string_view("png");
  item_done(item + "\"completed\",\"output_format\":" + quoted(format) + ",\"result\":" + quoted(bytes.data) + "}", out);
}

// --- thoughts ---

void EventWriter::open_thought(std::string& out) {
  close(out);
  open_ = Open::kThought;
  item_id_ = ids_.next("rs_");
  thought_.clear();
  signature_.clear();
  frame("response.output_item.added",
        "\"output_index\":" + std::to_string(output_index_) + ",\"item\":{\"id\":" + quoted(item_id_) + ",\"type\":\"reasoning\",\"summary\":[]}", out);
}

// A signature ends its thought: what comes after it is another one's.
void EventWriter::thought(const StreamEvent& event, std::string& out) {
  if (event.text.empty() && event.signature.empty()) return;
  if (open_ != Open::kThought || !signature_.empty()) open_thought(out);
  if (!event.text.empty()) {
    if (thought_.empty()) {
      frame("response.reasoning_summary_part.added", at() + ",\"summary_index\":0,\"part\":{\"type\":\"summary_text\",\"text\":\"\"}", out);
    }
    thought_ += event.text;
    delta_frame("response.reasoning_summary_text.delta", ",\"summary_index\":0", event.text, {}, out);
  }
  if (!event.signature.empty()) signature_ = seal_signature(event.maker, kMaker, event.signature);
  redacted_ = event.redacted && thought_.empty();
}

void EventWriter::close_thought(std::string& out) {
  std::string summary;
  const std::string words = quoted(thought_);
  // One that is hidden has no summary, one that says nothing an empty one: its maker has to know which it was.
  if (!redacted_) summary = "{\"type\":\"summary_text\",\"text\":" + words + "}";
  if (!thought_.empty()) {
    frame("response.reasoning_summary_text.done", at() + ",\"summary_index\":0,\"text\":" + words, out);
    frame("response.reasoning_summary_part.done", at() + ",\"summary_index\":0,\"part\":" + summary, out);
  }
  std::string item = "{\"id\":" + quoted(item_id_) + ",\"type\":\"reasoning\",\"summary\":[" + summary + "]";
  if (!signature_.empty()) item += ",\"encrypted_content\":" + quoted(signature_);
  item_done(item + "}", out);
}

// --- calls ---

std::string EventWriter::call_json(std::string_view status, bool begun) const {
  const bool custom = custom_call_;
  std::string out = "{\"id\":" + quoted(item_id_) + ",\"type\":\"";
  out.append(custom ? "custom_tool_call" : "function_call").append("\",\"status\":\"").append(status).append("\",\"call_id\":").append(quoted(call_.id));
  out.append(",\"name\":").append(quoted(call_.name)).append(custom ? ",\"input\":" : ",\"arguments\":");
  if (!begun) return out.append("\"\"}");
  return out.append(quoted(custom ? input_of_arguments(call_.arguments) : call_.arguments)).append("}");
}

void EventWriter::begin_call(const StreamEvent& event, std::string& out) {
  called_ = true;
  Call call;
  call.index = event.tool_index;
  call.id = event.id;
  call.name = event.name;
  call.arguments = event.arguments;
  call.signature = event.signature;
  call.maker = event.maker;
  if (busy()) waiting_.push_back(std::move(call));
  else tell_call(std::move(call), out);
}

void EventWriter::tell_call(Call&& call, std::string& out) {
  close(out);
  if (!call.signature.empty()) {
    StreamEvent thought_of_call;
    const std::string maker = call.maker + std::string(kOfCall);
    thought_of_call.signature = call.signature;
    thought_of_call.maker = maker;
    thought_of_call.redacted = true;
    thought(thought_of_call, out);
    close(out);
  }
  open_ = Open::kCall;
  const std::string arguments = std::move(call.arguments);
  call_ = std::move(call);
  call_.arguments.clear();
  if (call_.id.empty()) call_.id = ids_.next("call_");
  depth_ = JsonDepth();
  custom_call_ = is_custom(custom_, call_.name);
  input_ = InputReader();
  item_id_ = ids_.next(custom_call_ ? "ctc_" : "fc_");
  frame("response.output_item.added", "\"output_index\":" + std::to_string(output_index_) + ",\"item\":" + call_json("in_progress", false), out);
  call_arguments(call_.index, arguments, out);
}

void EventWriter::call_arguments(int64_t index, std::string_view arguments, std::string& out) {
  if (arguments.empty()) return;
  if (open_ != Open::kCall || call_.index != index) {
    for (Call& call : waiting_) {
      if (call.index == index) call.arguments += arguments;
    }
    return;
  }
  call_.arguments += arguments;
  depth_.feed(arguments);
  if (!custom_call_) {
    delta_frame("response.function_call_arguments.delta", {}, arguments, {}, out);
  } else {
    std::string input;
    input_.feed(arguments, input);
    input_delta(input, out);
  }
  tell_waiting(false, out);
}

void EventWriter::input_delta(std::string_view input, std::string& out) {
  if (!input.empty()) delta_frame("response.custom_tool_call_input.delta", {}, input, {}, out);
}

// Those that waited, as long as the one before is whole, or all of them; then what was said meanwhile.
void EventWriter::tell_waiting(bool all, std::string& out) {
  while (!waiting_.empty() && (all || depth_.complete())) {
    Call call = std::move(waiting_.front());
    waiting_.erase(waiting_.begin());
    tell_call(std::move(call), out);
  }
  if (held_events_.empty() || (!all && busy())) return;
  close(out);
  held_events_.tell([&](const StreamEvent& event) { tell(event, out); });
}

void EventWriter::close_call(std::string& out) {
  const bool whole = finish_ != FinishReason::kLength || wire::validate(call_.arguments);
  if (whole && call_.arguments.empty()) call_.arguments = "{}";
  if (custom_call_) {
    std::string rest;
    input_.finish(rest);
    input_delta(rest, out);
    frame("response.custom_tool_call_input.done", at() + ",\"input\":" + quoted(input_of_arguments(call_.arguments)), out);
  } else {
    frame("response.function_call_arguments.done", at() + ",\"name\":" + quoted(call_.name) + ",\"arguments\":" + quoted(call_.arguments), out);
  }
  item_done(call_json(whole ? "completed" : "incomplete", true), out);
}

// --- the answer ---

void EventWriter::event(const StreamEvent& event, std::string& out) {
  using Kind = StreamEvent::Kind;
  if (dead_ || event.choice != 0) return;  // there is one answer here
  held_ += event.text.size() + event.arguments.size() + event.signature.size() + event.raw.size();
  if (held_ > kMaxAnswer) return error(Error(ErrorCode::kUpstreamError, "the answer is longer than " + std::to_string(kMaxAnswer) + " bytes"), out);
  if (!event.service_tier.empty()) service_tier_ = event.service_tier;
  switch (event.kind) {
    case Kind::kStart:
      upstream_id_ = event.id;
      if (!event.model.empty()) model_ = event.model;
      if (event.created != 0) created_ = event.created;
      return begin(out);
    case Kind::kUsage: usage_ = event.usage; return;
    case Kind::kFinish:
      finish_ = event.finish;
      finish_raw_ = event.raw;
      return;
    case Kind::kOther:
      if (pictures_of(event).empty()) return;
      break;
    default: break;
  }
  begin(out);
  const bool of_call = event.kind == Kind::kToolCallBegin || event.kind == Kind::kToolCallDelta;
  if (busy() && !of_call) return held_events_.hold(event);  // told when the calls are whole
  tell(event, out);
}

void EventWriter::tell(const StreamEvent& event, std::string& out) {
  using Kind = StreamEvent::Kind;
  switch (event.kind) {
    case Kind::kText: return text(false, event.text, out);
    case Kind::kRefusal: return text(true, event.text, out);
    case Kind::kReasoning: return thought(event, out);
    case Kind::kToolCallBegin: return begin_call(event, out);
    case Kind::kToolCallDelta: return call_arguments(event.tool_index, event.arguments, out);
    case Kind::kAnnotation: return annotation(event.raw, out);
    case Kind::kOther:
      for (const std::string& url : pictures_of(event)) picture(url, out);
      return;
    case Kind::kLogprobs:
      for (JsonValue entry : JsonElements(find_member(JsonValue(event.raw), "content"))) add_element(next_logprobs_, entry.raw());
      return;
    default: return;
  }
}

// The dialect has no reason for an end that is neither clean nor one of the two; where calls were made they are what goes on.
bool EventWriter::is_cut() const noexcept {
  return finish_ == FinishReason::kLength || finish_ == FinishReason::kContentFilter || (is_unclean(finish_, finish_raw_) && !called_);
}

void EventWriter::finish(std::string& out) {
  begin(out);
  tell_waiting(true, out);
  close(out);
}

void EventWriter::end(std::string& out) {
  if (dead_) return;
  dead_ = true;
  finish(out);
  const bool cut = is_cut();
  state_frame(cut ? "response.incomplete" : "response.completed", cut ? "incomplete" : "completed", nullptr, out);
}

// The answer so far was another's: its name and its numbers go on.
void EventWriter::passed(std::string_view frames) {
  if (id_.empty()) {
    const size_t begin = frames.find("data:"), end = frames.find('\n', begin);
    if (end == std::string_view::npos) return;
    const JsonValue response = find_member(JsonValue(frames.substr(begin + 5, end - begin - 5)), "response");
    find_member(response, "id").string(id_);
    created_ = find_member(response, "created_at").integer().value_or(0);
  }
  constexpr std::string_view kNumber = "\"sequence_number\":";
  const size_t at = frames.rfind(kNumber);
  if (at == std::string_view::npos) return;
  const std::string_view rest = frames.substr(at + kNumber.size());
  sequence_ = JsonValue(rest.substr(0, rest.find_first_of(",}\r\n"))).integer().value_or(sequence_ - 1) + 1;
}

bool EventWriter::go_on(const std::vector<StreamEvent>& told, std::string_view frames) {
  JsonValue text;
  bool over = false;
  std::string output;
  for_each_data_line(frames, [&](std::string_view data) {
    const JsonValue root(data), type = find_member(root, "type"), item = find_member(root, "item");
    if (type.equals("response.output_text.delta")) text = root, over = false;
    else if (type.equals("response.output_text.done")) over = true;
    else if (type.equals("response.output_item.done")) add_element(output, item.raw()), over = over || find_member(item, "type").equals("message");
  });
  if (over) return false;
  const std::string id = id_;
  const int64_t created = created_;
  std::string said;
  quiet_ = true;
  for (const StreamEvent& e : told) event(e, said);
  quiet_ = false;
  if (!id.empty()) id_ = id;
  if (created != 0) created_ = created;
  output_ = output;
  find_member(text, "item_id").string(item_id_);
  output_index_ = find_member(text, "output_index").integer().value_or(output_index_);
  content_index_ = find_member(text, "content_index").integer().value_or(content_index_);
  return true;
}

// Both shapes that clients look for: the members beside `type`, as documented, and the object that the real ones send.
void EventWriter::error(const Error& error, std::string& out) {
  if (dead_) return;
  dead_ = true;
  if (id_.empty()) id_ = ids_.next("resp_");
  if (created_ == 0) created_ = now_seconds();
  const std::string code = quoted(code_name(error.code)), message = quoted(error.message), param = error.param.empty() ? "null" : quoted(error.param);
  frame("error", "\"code\":" + code + ",\"message\":" + message + ",\"param\":" + param + ",\"error\":{\"type\":" + quoted(error_type(error.code)) +
                     ",\"code\":" + code + ",\"message\":" + message + ",\"param\":" + param + "}", out);
  state_frame("response.failed", "failed", &error, out);
}

void EventWriter::response(const ChatResponse& response, std::string& out) {
  quiet_ = true;
  service_tier_ = response.service_tier;
  if (!response.choices.empty()) {
    finish_ = response.choices.front().finish;
    finish_raw_ = response.choices.front().finish_raw;
  }
  tell_answer(response, [&](const StreamEvent& e) { event(e, out); });
  finish(out);
  write_response(is_cut() ? "incomplete" : "completed", nullptr, out);
}

}  // namespace llmrouter::dialects::responses
