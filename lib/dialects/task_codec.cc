#include "dialects/task_codec.h"

#include <algorithm>

#include "dialects/distinct.h"
#include "dialects/fault.h"
#include "dialects/own_edits.h"
#include "dialects/text_match.h"
#include "wire/json_writer.h"
#include "wire/splice.h"

namespace llmrouter::dialects {

using wire::find_member;
using wire::JsonValue;

namespace {

Error no_chat() { return Error(ErrorCode::kInternal, "this codec reads no chats"); }

}  // namespace

Result<ChatRequest> TaskClient::decode() { return no_chat(); }

void TaskUpstream::feed(std::string_view bytes, UpstreamSink& sink) {
  sink.on_error(unreadable("the upstream's answer is not JSON: " + scrub(plain_words(bytes), key_.reveal()), bytes, key_.reveal()));
}

Result<ReplyFacts> TaskUpstream::inspect(std::string_view body) {
  auto root = read_root(body);
  if (!root) return std::move(root).error();
  ReplyFacts facts;
  facts.usage = usage_of(*root);
  find_member(*root, "model").string(facts.model);
  return facts;
}

Result<ChatResponse> TaskUpstream::decode(std::string_view) { return no_chat(); }

Error TaskUpstream::parse_error(const HttpHead& head, std::string_view body) const { return error_of_reply(head, body, key_.reveal()); }

Result<void> TaskUpstream::encode_models(const ProviderConfig&, std::string_view, EncodedRequest&) { return no_chat(); }
Result<std::vector<std::string>> TaskUpstream::parse_models(std::string_view) { return no_chat(); }

Result<JsonValue> TaskUpstream::read_root(std::string_view body) const {
  const std::string_view text = bare(body);
  const JsonValue root(text);
  if (!wire::validate(text) || (!root.is_object() && !root.is_array())) {
    return unreadable("the upstream's answer is no JSON object: " + scrub(plain_words(text), key_.reveal()), text, key_.reveal());
  }
  if (has_error_member(root)) return error_of_object(root, key_.reveal());
  return root;
}

Result<RequestFacts> scan_task(std::string_view body) {
  RequestFacts facts;
  if (wire::ScanResult scanned = wire::scan_object(body, {}, facts.members); !scanned) return scanned.to_error(body);
  if (auto named = check_case(facts.members); !named) return std::move(named).error();
  Fields fields;
  for (const MemberSpan& m : facts.members) {
    const JsonValue value(body.substr(m.value_begin, m.value_end - m.value_begin));
    if (m.name == "model" && !value.is_unset() && !value.string(facts.model)) return wrong_type("model", "a string", value);
    // Of a document what it is ranked by is read; what lies deeper in it is the caller's own.
    if (!distinct_inside(fields, value, m.name == "documents" ? 1 : 3, [&m] { return m.name; })) return fields.take_error();
  }
  return facts;
}

Result<void> splice_task(const EncodeInput& input, EncodedRequest& out) {
  if (has_edits(input)) return not_spliced();
  std::vector<wire::SpliceEdit> edits;
  std::string model;
  wire::append_json_string(model, input.upstream_model);
  if (input.facts->model != input.upstream_model) edits.push_back({BodyEdit::Kind::kSet, "model", {}, model});
  if (edits.empty()) out.http.body.push_back(input.body);
  else wire::splice(input.body, input.facts->members, edits, out.owned, out.http.body);
  return {};
}

TokenUsage read_task_usage(JsonValue usage) {
  JsonValue prompt, input, completion, output, total, input_details, prompt_details;
  wire::pick(usage, {{"prompt_tokens", &prompt},
                     {"input_tokens", &input},
                     {"completion_tokens", &completion},
                     {"output_tokens", &output},
                     {"total_tokens", &total},
                     {"input_tokens_details", &input_details},
                     {"input_token_details", &prompt_details}});
  TokenUsage out;
  auto count = [](JsonValue a, JsonValue b) { return a.integer() ? a.integer() : b.integer(); };
  const std::optional<int64_t> in = count(prompt, input), outgoing = count(completion, output), all = total.integer();
  if (!in && !outgoing && !all) return out;
  out.known = true;
  out.output = std::max<int64_t>(0, outgoing.value_or(0));
  out.input = std::max<int64_t>(0, in.value_or(all.value_or(0) - out.output));
  const JsonValue details = input_details.is_object() ? input_details : prompt_details;
  out.image = std::min(out.input, find_member(details, "image_tokens").integer().value_or(0));
  out.audio_input = std::min(out.input, find_member(details, "audio_tokens").integer().value_or(0));
  out.cached = std::min(out.input, find_member(details, "cached_tokens").integer().value_or(0));
  return out;
}

}  // namespace llmrouter::dialects
