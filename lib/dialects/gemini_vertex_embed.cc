// Embeddings at Vertex AI: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api
#include "dialects/fields.h"
#include "dialects/gemini.h"
#include "dialects/gemini_embed.h"
#include "dialects/task_codec.h"
#include "dialects/text_match.h"
#include "llmrouter/dropped.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::gemini {
namespace {

using wire::find_member;
using wire::JsonElements;
using wire::JsonValue;
using wire::JsonWriter;

constexpr std::string_view kPredict = "predict";
constexpr std::string_view kFirstGemini = "gemini-embedding-001";  // still asked like the models before it
constexpr int64_t kMostOfPredict = 250;
constexpr double kMostTokens = 1e12;  // what is told beyond it is no count

std::string_view last_part(std::string_view model) noexcept { return model.substr(model.rfind('/') + 1); }

void write_parameters(const EmbedRequest& embed, JsonWriter& w) {
  if (embed.dimensions) w.member("outputDimensionality", *embed.dimensions);
  if (embed.truncate == "end" || embed.truncate == "none") w.member("autoTruncate", embed.truncate == "end");
}

void write_predict(const EmbedRequest& embed, std::string_view use, JsonWriter& w) {
  w.key("instances");
  w.begin_array();
  for (const EmbedInput& input : embed.inputs) {
    w.begin_object();
    w.member("content", input.text);
    if (!use.empty()) w.member("task_type", use);
    w.end_object();
  }
  w.end_array();
  w.key("parameters");
  w.begin_object();
  write_parameters(embed, w);
  w.end_object();
}

void write_content(const EmbedRequest& embed, std::string_view use, JsonWriter& w) {
  w.key("content");
  w.begin_object();
  w.key("parts");
  w.begin_array();
  w.begin_object();
  w.member("text", embed.inputs.front().text);
  w.end_object();
  w.end_array();
  w.end_object();
  w.key("embedContentConfig");
  w.begin_object();
  if (!use.empty()) w.member("taskType", use);
  write_parameters(embed, w);
  w.end_object();
}

}  // namespace

// The rule of the vendor's own SDK.
std::string_view vertex_embed_operation(std::string_view model) noexcept {
  model = last_part(model);
  const bool gemini = find_ci(model, "gemini") != std::string_view::npos && model != kFirstGemini;
  return gemini || find_ci(model, "maas") != std::string_view::npos ? "embedContent" : kPredict;
}

int64_t vertex_most_texts(std::string_view model) noexcept {
  return vertex_embed_operation(model) == kPredict && last_part(model) != kFirstGemini ? kMostOfPredict : 1;
}

Result<void> write_vertex_embed(const EncodeInput& input, std::string& out, std::vector<std::string>& dropped) {
  const EmbedRequest& embed = input.task->embed;
  for (size_t i = 0; i < embed.inputs.size(); ++i) {
    if (!embed.inputs[i].tokens.empty()) return cannot_express(path("input", i), "an input in tokens", "Vertex AI");
  }
  const std::string_view use = embed.use == EmbedUse::kOther && !input.foreign ? std::string_view(embed.use_raw) : use_word(embed.use);
  JsonWriter w(out);
  w.begin_object();
  if (vertex_embed_operation(input.upstream_model) == kPredict) write_predict(embed, use, w);
  else write_content(embed, use, w);
  w.end_object();
  if (embed.use == EmbedUse::kOther && use.empty()) add_dropped(dropped, "input_type");
  if (embed.truncate == "start") add_dropped(dropped, "truncate");
  if (!embed.user.empty()) add_dropped(dropped, "user");
  for_each_member(input.task->extras, [&](const wire::JsonMember& m) { add_dropped(dropped, m.key); });
  return {};
}

bool read_vertex_embed(JsonValue root, TaskResponse& out) {
  const JsonValue whole = find_member(root, "embedding");
  if (whole.exists()) {
    out.usage = usage_of_answer(root);
    out.vectors.emplace_back();
    return read_vector(find_member(whole, "values"), out.vectors.back());
  }
  for (JsonValue prediction : JsonElements(find_member(root, "predictions"))) {
    const JsonValue embeddings = find_member(prediction, "embeddings");
    out.vectors.emplace_back();
    if (!read_vector(find_member(embeddings, "values"), out.vectors.back())) return false;
    if (const auto tokens = wire::find(embeddings, "statistics", "token_count").number(); tokens && *tokens >= 0 && *tokens < kMostTokens) {
      out.usage.input += static_cast<int64_t>(*tokens);
      out.usage.known = true;
    }
  }
  return !out.vectors.empty();
}

}  // namespace llmrouter::dialects::gemini
