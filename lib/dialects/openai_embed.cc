// Embeddings as OpenAI has them, both ways.
#include <algorithm>

#include "dialects/fault.h"
#include "dialects/openai_tasks.h"
#include "dialects/usage.h"
#include "llmrouter/dropped.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::openai {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::JsonWriter;

namespace {

constexpr std::string_view kTarget = "OpenAI's embeddings";

// The vendor's word for what the vectors are for; empty: it has none.
std::string_view use_word(EmbedUse use, const TaskQuirks& quirks) noexcept {
  const bool query = use == EmbedUse::kQuery, document = use == EmbedUse::kDocument;
  if (quirks.voyage_names) return query ? "query" : document ? "document" : "";
  if (quirks.nvidia_names) return query ? "query" : document ? "passage" : "";
  if (!quirks.jina_names) return {};
  switch (use) {
    case EmbedUse::kQuery: return "retrieval.query";
    case EmbedUse::kDocument: return "retrieval.passage";
    case EmbedUse::kClassification: return "classification";
    case EmbedUse::kClustering: return "separation";
    case EmbedUse::kSimilarity: return "text-matching";
    default: return {};
  }
}

void write_inputs(const std::vector<EmbedInput>& inputs, JsonWriter& w) {
  w.key("input");
  w.begin_array();
  for (const EmbedInput& input : inputs) {
    if (input.tokens.empty()) {
      w.string(input.text);
      continue;
    }
    w.begin_array();
    for (int64_t token : input.tokens) w.integer(token);
    w.end_array();
  }
  w.end_array();
}

}  // namespace

Result<TaskRequest> read_embed(std::string_view body) {
  TaskRequest out;
  Fields fields;
  std::string format, use;
  for (const JsonMember& m : JsonMembers(JsonValue(body))) {
    if (m.key == "model") fields.read(m.key, m.value, out.model);
    else if (m.key == "input") read_inputs(m.key, m.value, fields, out.embed.inputs);
    else if (m.key == "dimensions" || m.key == "output_dimension") fields.read(m.key, m.value, out.embed.dimensions);
    else if (m.key == "user") fields.read(m.key, m.value, out.embed.user);
    else if (m.key == "encoding_format") fields.read(m.key, m.value, format);
    else if (m.key == "input_type" || m.key == "task") fields.read(m.key, m.value, use);
    else if (!m.value.is_null()) add_member(out.extras, m.raw);
  }
  if (fields.ok() && !format.empty() && format != "float" && format != "base64") {
    fields.fail(cannot_express("encoding_format", "\"" + format + "\"", "another dialect"));
  }
  if (fields.ok() && out.embed.dimensions && *out.embed.dimensions < 1) fields.fail(wrong_value("dimensions", "a positive integer"));
  if (!fields.ok()) return fields.take_error();
  read_use(use, out.embed);
  return out;
}

bool wants_base64(std::string_view body) { return find_member(JsonValue(body), "encoding_format").equals("base64"); }

Result<void> write_embed(const TaskRequest& request, std::string_view model, const TaskQuirks& quirks, bool foreign, std::string& out,
                         std::vector<std::string>& dropped) {
  const EmbedRequest& embed = request.embed;
  JsonWriter w(out);
  w.begin_object();
  w.member("model", model);
  write_inputs(embed.inputs, w);
  if (embed.dimensions) w.member(quirks.output_dimension ? "output_dimension" : "dimensions", *embed.dimensions);
  if (!embed.user.empty()) w.member("user", embed.user);
  if (embed.use != EmbedUse::kUnset) {
    const std::string_view word = use_word(embed.use, quirks);
    if (!word.empty()) w.member(quirks.jina_names ? "task" : "input_type", word);
    else if (!foreign && embed.use == EmbedUse::kOther) w.member(quirks.jina_names ? "task" : "input_type", embed.use_raw);
    else add_dropped(dropped, "input_type");
  }
  if (!embed.truncate.empty()) {
    if (quirks.voyage_names && embed.truncate != "start") w.member("truncation", embed.truncate == "end");
    else if (quirks.nvidia_names) w.member("truncate", embed.truncate == "none" ? "NONE" : embed.truncate == "start" ? "START" : "END");
    else add_dropped(dropped, "truncate");
  }
  if (foreign) for_each_member(request.extras, [&](const JsonMember& m) { add_dropped(dropped, m.key); });
  else w.raw_members(request.extras);
  w.end_object();
  for (size_t i = 0; i < embed.inputs.size(); ++i) {
    if (!embed.inputs[i].tokens.empty() && (quirks.voyage_names || quirks.jina_names || quirks.nvidia_names)) {
      return cannot_express(path("input", i), "an input in tokens", kTarget);
    }
  }
  return {};
}

Result<TaskResponse> read_embed_answer(JsonValue root, std::string_view key) {
  JsonValue data, model;
  wire::pick(root, {{"data", &data}, {"model", &model}});
  if (!data.is_array()) return unreadable("the upstream's answer has no `data`", root.raw(), key);
  TaskResponse out;
  model.string(out.model);
  out.usage = read_task_usage(last_told(root, "usage"));
  std::vector<std::pair<int64_t, std::vector<float>>> rows;
  for (JsonValue entry : JsonElements(data)) {
    JsonValue index, embedding;
    wire::pick(entry, {{"index", &index}, {"embedding", &embedding}});
    rows.emplace_back(index.integer().value_or(static_cast<int64_t>(rows.size())), std::vector<float>());
    if (!read_vector(embedding, rows.back().second)) return unreadable("the upstream's answer has an embedding that is no vector", root.raw(), key);
  }
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& row : rows) out.vectors.push_back(std::move(row.second));
  return out;
}

void write_embed_answer(const TaskResponse& response, std::string_view model, bool base64, std::string& out) {
  JsonWriter w(out);
  w.begin_object();
  w.member("object", "list");
  w.key("data");
  w.begin_array();
  std::string text;
  for (size_t i = 0; i < response.vectors.size(); ++i) {
    text.clear();
    if (base64) append_vector_base64(response.vectors[i], text);
    else append_vector(response.vectors[i], text);
    w.begin_object();
    w.member("object", "embedding");
    w.member("index", i);
    w.raw_member("embedding", text);
    w.end_object();
  }
  w.end_array();
  w.member("model", response.model.empty() ? model : std::string_view(response.model));
  w.key("usage");
  w.begin_object();
  w.member("prompt_tokens", response.usage.input);
  w.member("total_tokens", response.usage.input + response.usage.output);
  w.end_object();
  w.end_object();
}

}  // namespace llmrouter::dialects::openai
