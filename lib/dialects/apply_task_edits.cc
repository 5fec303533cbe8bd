// A model's defaults, overrides and drops on requests that are no chats.
#include "dialects/fields.h"
#include "dialects/task_codec.h"

namespace llmrouter {
namespace {

using dialects::Fields;
using wire::JsonValue;

// Sets or (null) clears a member that has a field; false: it has none.
bool set_field(TaskRequest& request, Fields& fields, std::string_view name, JsonValue value) {
  auto number = [&](std::optional<int64_t>& into) {
    into.reset();
    fields.read(name, value, into);
    return true;
  };
  auto text = [&](std::string& into) {
    into.clear();
    fields.read(name, value, into);
    return true;
  };
  if (request.operation == Operation::kEmbed) {
    if (name == "dimensions") return number(request.embed.dimensions);
    if (name == "user") return text(request.embed.user);
    if (name == "input_type") {
      dialects::read_use(value.string_or(), request.embed);
      return true;
    }
  } else if (request.operation == Operation::kRerank) {
    if (name == "top_n" || name == "top_k") return number(request.rerank.top_n);
  } else if (request.operation == Operation::kImage) {
    if (name == "n") return number(request.image.n);
    if (name == "size") return text(request.image.size);
    if (name == "output_format") return text(request.image.format);
    if (name == "user") return text(request.image.user);
  }
  return false;
}

bool has_field(const TaskRequest& request, std::string_view name) {
  if (request.operation == Operation::kEmbed) {
    if (name == "dimensions") return request.embed.dimensions.has_value();
    if (name == "user") return !request.embed.user.empty();
    if (name == "input_type") return request.embed.use != EmbedUse::kUnset;
  }
  if (request.operation == Operation::kImage) {
    if (name == "n") return request.image.n.has_value();
    if (name == "size") return !request.image.size.empty();
    if (name == "output_format") return !request.image.format.empty();
    if (name == "user") return !request.image.user.empty();
  }
  return request.operation == Operation::kRerank && (name == "top_n" || name == "top_k") && request.rerank.top_n.has_value();
}

}  // namespace

Result<void> apply_edits(const std::vector<BodyEdit>& edits, TaskRequest& request) {
  if (request.operation == Operation::kCountTokens) return apply_edits(edits, request.chat);
  Fields fields;
  for (const BodyEdit& edit : edits) {
    RawMembers kept;
    bool there = has_field(request, edit.name);
    dialects::for_each_member(request.extras, [&](const wire::JsonMember& m) {
      if (m.key != edit.name) dialects::add_member(kept, m.raw);
      else there = there || !m.value.is_null();
    });
    if (edit.kind == BodyEdit::Kind::kDefault && there) continue;
    const bool remove = edit.kind == BodyEdit::Kind::kRemove;
    request.extras = std::move(kept);
    if (set_field(request, fields, edit.name, remove ? JsonValue("null") : JsonValue(edit.json))) continue;
    if (!remove) dialects::add_member(request.extras, "\"" + edit.name + "\":" + edit.json);
  }
  if (!fields.ok()) return fields.take_error();
  return {};
}

}  // namespace llmrouter
