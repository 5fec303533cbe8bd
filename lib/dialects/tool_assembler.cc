#include "dialects/tool_assembler.h"

#include "dialects/fields.h"
#include "dialects/signature.h"

namespace llmrouter::dialects {

using wire::JsonValue;

// The position of the call that a delta belongs to; calls_.size(): a new one.
size_t ToolAssembler::find(std::optional<int64_t> index, std::string_view id, std::string_view name) const noexcept {
  const size_t none = calls_.size();
  if (none == 0) return none;
  const auto is_another = [&](const Call& call) {
    if (name.empty()) return false;
    if (!id.empty() && !call.vendor_id.empty()) return call.vendor_id != id;
    return id.empty() && !call.name.empty() && call.depth.complete();
  };
  for (size_t i = none; i-- > 0;) {
    const Call& call = calls_[i];
    if (index ? call.index == index : (!id.empty() && call.vendor_id == id)) return is_another(call) ? none : i;
  }
  if (index || !id.empty()) return none;
  const Call& last = calls_.back();
  return !name.empty() && !last.name.empty() ? none : none - 1;
}

void ToolAssembler::begin(size_t at, int64_t choice, std::string_view arguments, IdSource& ids, UpstreamSink& sink) {
  Call& call = calls_[at];
  call.id = call.vendor_id;
  bool bad = call.id.size() < 2;
  for (size_t i = 0; i < calls_.size() && !bad; ++i) bad = i != at && calls_[i].id == call.id;
  if (bad) call.id = ids.next("call_");
  call.begun = true;
  call.has_arguments = !arguments.empty();
  StreamEvent event;
  event.kind = StreamEvent::Kind::kToolCallBegin;
  event.choice = choice;
  event.tool_index = static_cast<int64_t>(at);
  event.id = call.id;
  event.name = call.name;
  event.arguments = arguments;
  Signed sign = open_signature(call.signature, "gemini");
  event.signature = sign.signature;
  event.maker = sign.maker;
  sink.on_event(event);
}

bool ToolAssembler::delta(JsonValue entry, int64_t choice, IdSource& ids, UpstreamSink& sink) {
  JsonValue index_value, id_value, function, custom, extra;
  wire::pick(entry, {{"index", &index_value}, {"id", &id_value}, {"function", &function}, {"custom", &custom}, {"extra_content", &extra}});
  const bool is_custom = !function.is_object() && custom.is_object();
  if (is_custom) function = custom;
  const std::optional<int64_t> index = index_value.integer();
  const std::string id = id_value.is_number() ? std::string(id_value.raw()) : id_value.string_or();
  const std::string name = wire::find_member(function, "name").string_or();
  std::string arguments = text_of_value(wire::find_member(function, is_custom ? "input" : "arguments"));

  const size_t at = find(index, id, name);
  if (at == calls_.size()) {
    if (calls_.size() == kMaxCalls) return false;
    Call call;
    call.index = index;
    call.vendor_id = id;
    calls_.push_back(std::move(call));
  }
  Call& call = calls_[at];
  if (call.vendor_id.empty() && !call.begun) call.vendor_id = id;
  if (call.name.empty() && !call.begun) call.name = name;
  call.custom = call.custom || is_custom;
  if (is_custom) {
    const std::string input = std::move(arguments);
    arguments.clear();
    call.input.piece(input, arguments);
  }
  call.depth.feed(arguments);
  if (extra.is_object() && call.signature.empty()) call.signature = wire::find(extra, "google", "thought_signature").string_or();
  if (!call.begun) {
    call.held += arguments;
    if (call.name.empty()) return true;
    const std::string held = std::move(call.held);
    begin(at, choice, held, ids, sink);
    return true;
  }
  if (arguments.empty()) return true;
  call.has_arguments = true;
  StreamEvent event;
  event.kind = StreamEvent::Kind::kToolCallDelta;
  event.choice = choice;
  event.tool_index = static_cast<int64_t>(at);
  event.arguments = arguments;
  sink.on_event(event);
  return true;
}

void ToolAssembler::finish(int64_t choice, IdSource& ids, UpstreamSink& sink) {
  for (size_t i = 0; i < calls_.size(); ++i) {
    Call& call = calls_[i];
    if (call.closed) continue;
    call.closed = true;
    if (!call.begun) {
      const std::string held = std::move(call.held);
      begin(i, choice, held, ids, sink);
    }
    std::string rest;
    if (call.custom) call.input.finish(rest);
    else if (!call.has_arguments) rest = "{}";
    if (rest.empty()) continue;
    StreamEvent event;
    event.kind = StreamEvent::Kind::kToolCallDelta;
    event.choice = choice;
    event.tool_index = static_cast<int64_t>(i);
    event.arguments = rest;
    sink.on_event(event);
  }
}

}  // namespace llmrouter::dialects
