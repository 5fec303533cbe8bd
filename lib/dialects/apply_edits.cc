// A model's `defaults`, `override` and `drop` on a neutral request: what splicing does to a relayed body.
#include "dialects/fields.h"
#include "dialects/openai.h"
#include "llmrouter/codec.h"

namespace llmrouter {
namespace {

using dialects::Fields;
using wire::JsonValue;

// One member that has a field of its own: how it is set from JSON, how it is told to be there, how it is removed.
struct MemberRow {
  std::string_view name;
  void (*set)(ChatRequest&, Fields&, std::string_view, JsonValue);
  bool (*has)(const ChatRequest&);
  void (*clear)(ChatRequest&);
};

template <auto Field>
constexpr MemberRow optional_row(std::string_view name) {
  return {name, [](ChatRequest& r, Fields& f, std::string_view n, JsonValue v) { f.read(n, v, r.*Field); },
          [](const ChatRequest& r) { return (r.*Field).has_value(); }, [](ChatRequest& r) { (r.*Field).reset(); }};
}

template <auto Field>
constexpr MemberRow string_row(std::string_view name) {
  return {name, [](ChatRequest& r, Fields& f, std::string_view n, JsonValue v) { f.read(n, v, r.*Field); },
          [](const ChatRequest& r) { return !(r.*Field).empty(); }, [](ChatRequest& r) { (r.*Field).clear(); }};
}

template <auto Field>
constexpr MemberRow object_row(std::string_view name) {
  return {name, [](ChatRequest& r, Fields& f, std::string_view n, JsonValue v) { f.read_object(n, v, r.*Field); },
          [](const ChatRequest& r) { return !(r.*Field).empty(); }, [](ChatRequest& r) { (r.*Field).clear(); }};
}

constexpr MemberRow kMembers[] = {
    optional_row<&ChatRequest::max_tokens>("max_tokens"),
    optional_row<&ChatRequest::max_tokens>("max_completion_tokens"),
    optional_row<&ChatRequest::temperature>("temperature"),
    optional_row<&ChatRequest::top_p>("top_p"),
    optional_row<&ChatRequest::top_k>("top_k"),
    optional_row<&ChatRequest::frequency_penalty>("frequency_penalty"),
    optional_row<&ChatRequest::presence_penalty>("presence_penalty"),
    optional_row<&ChatRequest::seed>("seed"),
    optional_row<&ChatRequest::n>("n"),
    optional_row<&ChatRequest::logprobs>("logprobs"),
    optional_row<&ChatRequest::top_logprobs>("top_logprobs"),
    optional_row<&ChatRequest::parallel_tool_calls>("parallel_tool_calls"),
    string_row<&ChatRequest::user>("user"),
    string_row<&ChatRequest::reasoning_effort>("reasoning_effort"),
    string_row<&ChatRequest::service_tier>("service_tier"),
    object_row<&ChatRequest::logit_bias>("logit_bias"),
    object_row<&ChatRequest::metadata>("metadata"),
    {"stop", [](ChatRequest& r, Fields& f, std::string_view n, JsonValue v) { r.stop.clear(); f.read_strings(n, v, r.stop); },
     [](const ChatRequest& r) { return !r.stop.empty(); }, [](ChatRequest& r) { r.stop.clear(); }},
    {"tools",
     [](ChatRequest&, Fields& f, std::string_view n, JsonValue) {
       f.fail(Error(ErrorCode::kInvalidRequest, "`tools` cannot be set by a model's defaults", std::string(n)));
     },
     [](const ChatRequest& r) { return !r.tools.empty(); }, [](ChatRequest& r) { r.tools.clear(); }},
    {"tool_choice",
     [](ChatRequest& r, Fields&, std::string_view, JsonValue v) { r.tool_choice = dialects::openai::read_tool_choice(v); },
     [](const ChatRequest& r) { return r.tool_choice.kind != ToolChoice::Kind::kUnset; },
     [](ChatRequest& r) { r.tool_choice = ToolChoice(); }},
    {"response_format",
     [](ChatRequest& r, Fields&, std::string_view, JsonValue v) { r.response_format = dialects::openai::read_response_format(v); },
     [](const ChatRequest& r) { return r.response_format.kind != ResponseFormat::Kind::kUnset; },
     [](ChatRequest& r) { r.response_format = ResponseFormat(); }},
};

const MemberRow* row_of(std::string_view name) noexcept {
  for (const MemberRow& row : kMembers) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

bool extra_exists(const RawMembers& extras, std::string_view name) {
  bool found = false;
  dialects::for_each_member(extras, [&](const wire::JsonMember& m) { found = found || (m.key == name && !m.value.is_null()); });
  return found;
}

void remove_extra(RawMembers& extras, std::string_view name) {
  RawMembers kept;
  dialects::for_each_member(extras, [&](const wire::JsonMember& m) {
    if (m.key != name) dialects::add_member(kept, m.raw);
  });
  extras = std::move(kept);
}

}  // namespace

namespace dialects::openai {
bool is_chat_member(std::string_view name) noexcept { return row_of(name) != nullptr; }
}  // namespace dialects::openai

Result<void> apply_edits(const std::vector<BodyEdit>& edits, ChatRequest& request) {
  Fields fields;
  for (const BodyEdit& edit : edits) {
    const MemberRow* const row = row_of(edit.name);
    const bool there = row != nullptr ? row->has(request) : extra_exists(request.extras, edit.name);
    if (edit.kind == BodyEdit::Kind::kDefault && there) continue;
    if (row != nullptr) {
      row->clear(request);
      if (edit.kind != BodyEdit::Kind::kRemove) row->set(request, fields, edit.name, JsonValue(edit.json));
    } else {
      remove_extra(request.extras, edit.name);
      if (edit.kind != BodyEdit::Kind::kRemove) dialects::add_member(request.extras, "\"" + edit.name + "\":" + edit.json);
    }
  }
  if (!fields.ok()) return fields.take_error();
  return {};
}

}  // namespace llmrouter
