// A client's own body on its way to an upstream of the same dialect: what is changed in it, and nothing else.
#include "dialects/fields.h"
#include "dialects/openai.h"
#include "dialects/responses.h"
#include "llmrouter/dropped.h"
#include "wire/splice.h"

namespace llmrouter::dialects::responses {
namespace {

using Kind = BodyEdit::Kind;
using wire::JsonValue;
using wire::JsonWriter;
using wire::SpliceEdit;

// Members of the chat dialect under their names here. No name: there is no such member.
struct Row {
  std::string_view chat, name, child;
};
constexpr Row kRows[] = {
    {"max_tokens", "max_output_tokens", {}},
    {"max_completion_tokens", "max_output_tokens", {}},
    {"reasoning_effort", "reasoning", "effort"},
    {"verbosity", "text", "verbosity"},
    {"response_format", "text", "format"},
    {"top_k", {}, {}},
    {"frequency_penalty", {}, {}},
    {"presence_penalty", {}, {}},
    {"seed", {}, {}},
    {"n", {}, {}},
    {"stop", {}, {}},
    {"logprobs", {}, {}},
    {"logit_bias", {}, {}},
    {"stream_options", {}, {}},
};

SpliceEdit named_here(const BodyEdit& edit) {
  SpliceEdit out = wire::to_splice(edit);
  for (const Row& row : kRows) {
    if (row.chat != edit.name) continue;
    out.name = row.name;
    out.child = row.child;
  }
  return out;
}

}  // namespace

Result<void> splice_request(const EncodeInput& input, EncodedRequest& out) {
  std::vector<SpliceEdit> edits;
  auto keep = [&out](std::string text) -> std::string_view { return out.owned.emplace_back(std::move(text)); };
  static const std::vector<BodyEdit> kNone;
  for (const BodyEdit& edit : input.edits != nullptr ? *input.edits : kNone) {
    SpliceEdit e = named_here(edit);
    if (e.name.empty()) {
      if (edit.kind != Kind::kRemove) add_dropped(out.dropped, edit.name);
      continue;
    }
    std::string json;
    JsonWriter w(json);
    if (edit.kind != Kind::kRemove && edit.name == "response_format") {
      write_format(openai::read_response_format(JsonValue(edit.json)), w);
      if (!json.empty()) e.json = keep(std::move(json));
    } else if (edit.kind != Kind::kRemove && edit.name == "tool_choice") {
      write_tool_choice(openai::read_tool_choice(JsonValue(edit.json)), false, w);
      if (!json.empty()) e.json = keep(json.substr(json.find(':') + 1));
    }
    edits.push_back(e);
  }
  if (input.facts->model != input.upstream_model) {
    std::string json;
    wire::append_json_string(json, input.upstream_model);
    edits.push_back({Kind::kSet, "model", {}, keep(std::move(json))});
  }
  if (edits.empty()) out.http.body.push_back(input.body);
  else wire::splice(input.body, input.facts->members, edits, out.owned, out.http.body);
  return {};
}

}  // namespace llmrouter::dialects::responses
