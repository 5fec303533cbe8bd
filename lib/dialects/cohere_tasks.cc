// Embeddings and rankings as Cohere has them, both ways.
#include "dialects/cohere_tasks.h"

#include <algorithm>

#include "dialects/fault.h"
#include "dialects/http_request.h"
#include "dialects/ids.h"
#include "llmrouter/dropped.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::cohere {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::JsonWriter;

namespace {

constexpr std::string_view kTarget = "Cohere's API";

std::string_view use_word(EmbedUse use) noexcept {
  switch (use) {
    case EmbedUse::kQuery: return "search_query";
    case EmbedUse::kClassification: return "classification";
    case EmbedUse::kClustering: return "clustering";
    default: return "search_document";
  }
}

// Which texts of `documents` a client sent; API v1 allows objects with a `text`.
std::string text_of(JsonValue document) { return (document.is_object() ? find_member(document, "text") : document).string_or(); }

void write_meta(std::string_view name, int64_t units, JsonWriter& w) {
  w.key("meta");
  w.begin_object();
  w.raw_member("api_version", R"({"version":"2"})");
  w.key("billed_units");
  w.begin_object();
  w.member(name, units);
  w.end_object();
  w.end_object();
}

class CohereTaskClient final : public TaskClient {
 public:
  explicit CohereTaskClient(Operation operation) : operation_(operation) {}

  Result<RequestFacts> scan(std::string_view body) override {
    body_ = body;
    auto facts = scan_task(body);
    if (!facts) return facts;
    if (facts->model.empty()) return missing("model", "a string that is not empty");
    model_ = facts->model;
    Fields fields;
    if (operation_ == Operation::kEmbed) scan_embed(fields, *facts);
    else scan_rerank(fields, *facts);
    if (!fields.ok()) return fields.take_error();
    return facts;
  }

  Result<TaskRequest> decode_task() override { return operation_ == Operation::kEmbed ? read_embed() : read_rerank(); }

  void encode_task(const TaskResponse& response, std::string& out) override {
    if (operation_ == Operation::kEmbed) write_embed(response, out);
    else write_rerank(response, out);
  }

  void encode_error(const Error& error, std::string& out) const override {
    JsonWriter w(out);
    w.begin_object();
    w.member("id", IdSource().next(""));
    w.member("message", error.message);
    w.end_object();
  }
  void encode_stream_error(const Error& error, std::string& out) override { encode_error(error, out); }

 private:
  void scan_embed(Fields& fields, RequestFacts& facts) const {
    JsonValue texts, images, inputs;
    wire::pick(JsonValue(body_), {{"texts", &texts}, {"images", &images}, {"inputs", &inputs}});
    if (!texts.is_unset()) {
      if (!texts.is_array()) return fields.fail(wrong_type("texts", "an array of strings", texts));
      return scan_inputs("texts", texts, fields, facts);
    }
    const JsonValue other = images.is_unset() ? inputs : images;
    if (!other.is_array()) return fields.fail(missing("texts", "an array of strings"));
    for (JsonValue entry : JsonElements(other)) {
      ++facts.inputs;
      facts.input_tokens += static_cast<int64_t>(entry.raw().size() / 4);
    }
    facts.has_image = !images.is_unset();
  }

  void scan_rerank(Fields& fields, RequestFacts& facts) const {
    JsonValue query, documents;
    wire::pick(JsonValue(body_), {{"query", &query}, {"documents", &documents}});
    if (!query.is_string()) return fields.fail(query.is_unset() ? missing("query", "a string") : wrong_type("query", "a string", query));
    if (!documents.is_array()) return fields.fail(documents.is_unset() ? missing("documents", "an array of strings") : wrong_type("documents", "an array of strings", documents));
    if (documents.empty_container()) return fields.fail(wrong_value("documents", "an array with at least one document"));
    facts.input_tokens = static_cast<int64_t>((query.raw().size() + documents.raw().size() + 3) / 4);
  }

  Result<TaskRequest> read_embed() {
    TaskRequest out;
    Fields fields;
    std::string use;
    for (const JsonMember& m : JsonMembers(JsonValue(body_))) {
      if (m.key == "model") fields.read(m.key, m.value, out.model);
      else if (m.key == "texts") read_inputs(m.key, m.value, fields, out.embed.inputs);
      else if (m.key == "input_type") fields.read(m.key, m.value, use);
      else if (m.key == "output_dimension") fields.read(m.key, m.value, out.embed.dimensions);
      else if (m.key == "truncate") out.embed.truncate = m.value.equals("NONE") ? "none" : m.value.equals("START") ? "start" : "end";
      else if (m.key == "embedding_types") check_types(m.value, fields);
      else if (m.key == "images" || m.key == "inputs") read_other(m, fields, out.embed.inputs);
      else if (!m.value.is_null()) add_member(out.extras, m.raw);
    }
    if (!fields.ok()) return fields.take_error();
    read_use(use, out.embed);
    return out;
  }

  static void check_types(JsonValue types, Fields& fields) {
    for (JsonValue type : JsonElements(types)) {
      if (!type.equals("float") && !type.equals("base64")) fields.fail(cannot_express("embedding_types", std::string(type.raw()), "another dialect"));
    }
  }

  // `inputs`: content of texts alone is a text.
  static void read_other(const JsonMember& m, Fields& fields, std::vector<EmbedInput>& out) {
    size_t i = 0;
    for (JsonValue entry : JsonElements(m.value)) {
      EmbedInput input;
      bool texts = entry.is_object();
      for (JsonValue part : JsonElements(find_member(entry, "content"))) {
        texts = texts && find_member(part, "type").equals("text");
        find_member(part, "text").append_string(input.text);
      }
      if (!texts) return fields.fail(cannot_express(path(m.key, i), "an input that is no text", "another dialect"));
      out.push_back(std::move(input));
      ++i;
    }
  }

  Result<TaskRequest> read_rerank() {
    TaskRequest out;
    out.operation = Operation::kRerank;
    Fields fields;
    for (const JsonMember& m : JsonMembers(JsonValue(body_))) {
      if (m.key == "model") fields.read(m.key, m.value, out.model);
      else if (m.key == "query") fields.read(m.key, m.value, out.rerank.query);
      else if (m.key == "documents") for (JsonValue d : JsonElements(m.value)) out.rerank.documents.push_back({text_of(d), d.is_object() ? std::string(d.raw()) : std::string()});
      else if (m.key == "top_n") fields.read(m.key, m.value, out.rerank.top_n);
      else if (m.key == "max_tokens_per_doc") fields.read(m.key, m.value, out.rerank.max_tokens_per_doc);
      else if (m.key != "return_documents" && !m.value.is_null()) add_member(out.extras, m.raw);
    }
    if (!fields.ok()) return fields.take_error();
    return out;
  }

  void write_embed(const TaskResponse& response, std::string& out) {
    bool floats = false, base64 = false;
    for (JsonValue type : JsonElements(find_member(JsonValue(body_), "embedding_types"))) {
      floats = floats || type.equals("float");
      base64 = base64 || type.equals("base64");
    }
    JsonWriter w(out);
    w.begin_object();
    w.member("id", response.id.empty() ? IdSource().next("") : response.id);
    w.key("embeddings");
    w.begin_object();
    auto list = [&](std::string_view name, auto append) {
      std::string text = "[";
      for (const auto& vector : response.vectors) {
        if (text.size() > 1) text += ',';
        append(vector, text);
      }
      w.raw_member(name, text + "]");
    };
    if (floats || !base64) list("float", append_vector);
    if (base64) list("base64", append_vector_base64);
    w.end_object();
    if (const JsonValue texts = find_member(JsonValue(body_), "texts"); texts.is_array()) w.raw_member("texts", texts.raw());
    write_meta("input_tokens", response.usage.input, w);
    w.member("response_type", "embeddings_by_type");
    w.end_object();
  }

  void write_rerank(const TaskResponse& response, std::string& out) {
    std::vector<JsonValue> documents;
    const JsonValue root(body_);
    const bool wanted = find_member(root, "return_documents").boolean().value_or(false);
    if (wanted) for (JsonValue d : JsonElements(find_member(root, "documents"))) documents.push_back(d);
    const size_t top = static_cast<size_t>(find_member(root, "top_n").integer().value_or(INT64_MAX));
    JsonWriter w(out);
    w.begin_object();
    w.member("id", response.id.empty() ? IdSource().next("") : response.id);
    w.key("results");
    w.begin_array();
    for (size_t i = 0; i < std::min(top, response.ranked.size()); ++i) {
      const Ranked& ranked = response.ranked[i];
      w.begin_object();
      w.member("index", ranked.index);
      w.member("relevance_score", ranked.score);
      if (ranked.index >= 0 && static_cast<size_t>(ranked.index) < documents.size()) {
        const JsonValue document = documents[static_cast<size_t>(ranked.index)];
        w.raw_member("document", document.is_object() ? std::string(document.raw()) : "{\"text\":" + std::string(document.raw()) + "}");
      }
      w.end_object();
    }
    w.end_array();
    write_meta("search_units", std::max<int64_t>(1, response.search_units), w);
    w.end_object();
  }

  const Operation operation_;
  std::string_view body_;
  std::string model_;
};

class CohereTaskUpstream final : public TaskUpstream {
 public:
  explicit CohereTaskUpstream(Operation operation) : operation_(operation) {}

  bool relays(const ProviderConfig&, const RequestFacts& facts) const override { return operation_ != Operation::kEmbed || facts.inputs <= kMostTexts; }
  int64_t max_inputs(const ProviderConfig&, std::string_view) const override { return kMostTexts; }

  Result<void> encode(const EncodeInput& input, EncodedRequest& out) override {
    if (input.provider == nullptr) return Error(ErrorCode::kInternal, "no provider to encode for");
    key_ = Secret(std::string(input.key));
    if (input.facts != nullptr) {
      if (auto spliced = splice_task(input, out); !spliced) return spliced;
    } else if (input.task == nullptr) {
      return Error(ErrorCode::kInternal, "nothing to encode");
    } else if (auto written = operation_ == Operation::kEmbed ? write_embed(input, out) : write_rerank(input, out); !written) {
      return written;
    }
    return fill_request(*input.provider, "POST", operation_ == Operation::kEmbed ? "/embed" : "/rerank", "application/json", input.key, out.http);
  }

  Result<TaskResponse> decode_task(std::string_view body) override {
    auto root = read_root(body);
    if (!root) return std::move(root).error();
    TaskResponse out;
    find_member(*root, "id").string(out.id);
    out.usage = usage_of(*root);
    if (operation_ == Operation::kEmbed) {
      if (!read_embed_vectors(*root, out.vectors)) return unreadable("the upstream's answer has no `embeddings`", body, key_.reveal());
      return out;
    }
    const JsonValue results = find_member(*root, "results");
    if (!results.is_array()) return unreadable("the upstream's answer has no `results`", body, key_.reveal());
    out.search_units = wire::find(*root, "meta", "billed_units", "search_units").integer().value_or(0);
    for (JsonValue entry : JsonElements(results)) {
      JsonValue index, score;
      wire::pick(entry, {{"index", &index}, {"relevance_score", &score}});
      if (!index.integer() || !score.number()) return unreadable("the upstream's answer has a result without index or score", body, key_.reveal());
      out.ranked.push_back({*index.integer(), *score.number()});
    }
    return out;
  }

 protected:
  TokenUsage usage_of(JsonValue root) const override {
    TokenUsage usage;
    const JsonValue meta = find_member(root, "meta");
    auto count = wire::find(meta, "billed_units", "input_tokens").integer();
    if (!count) count = wire::find(meta, "tokens", "input_tokens").integer();
    const auto images = wire::find(meta, "billed_units", "images").integer();
    usage.known = count.has_value() || images.has_value();
    usage.input = std::max<int64_t>(0, count.value_or(0));
    return usage;
  }

 private:
  static void drop_foreign(const EncodeInput& input, JsonWriter& w, std::vector<std::string>& dropped) {
    if (input.foreign) for_each_member(input.task->extras, [&](const JsonMember& m) { add_dropped(dropped, m.key); });
    else w.raw_members(input.task->extras);
  }

  static Result<void> write_embed(const EncodeInput& input, EncodedRequest& out) {
    const EmbedRequest& embed = input.task->embed;
    std::string& body = out.owned.emplace_back();
    JsonWriter w(body);
    w.begin_object();
    w.member("model", input.upstream_model);
    if (auto written = write_embed_members(embed, w); !written) return written;
    if (embed.use == EmbedUse::kSimilarity || embed.use == EmbedUse::kOther) add_dropped(out.dropped, "input_type");
    if (!embed.user.empty()) add_dropped(out.dropped, "user");
    drop_foreign(input, w, out.dropped);
    w.end_object();
    out.http.body.push_back(body);
    return {};
  }

  static Result<void> write_rerank(const EncodeInput& input, EncodedRequest& out) {
    const RerankRequest& rerank = input.task->rerank;
    std::string& body = out.owned.emplace_back();
    JsonWriter w(body);
    w.begin_object();
    w.member("model", input.upstream_model);
    w.member("query", rerank.query);
    w.key("documents");
    w.begin_array();
    for (size_t i = 0; i < rerank.documents.size(); ++i) {
      if (rerank.documents[i].text.empty() && !rerank.documents[i].raw.empty()) return cannot_express(path("documents", i), "a document that is no text", kTarget);
      w.string(rerank.documents[i].text);
    }
    w.end_array();
    if (rerank.top_n) w.member("top_n", *rerank.top_n);
    if (rerank.max_tokens_per_doc) w.member("max_tokens_per_doc", *rerank.max_tokens_per_doc);
    drop_foreign(input, w, out.dropped);
    w.end_object();
    out.http.body.push_back(body);
    return {};
  }

  const Operation operation_;
};

}  // namespace

Result<void> write_embed_members(const EmbedRequest& embed, JsonWriter& w) {
  std::string texts;
  if (auto written = write_texts(embed.inputs, kTarget, texts); !written) return written;
  w.raw_member("texts", texts);
  w.member("input_type", use_word(embed.use));
  w.raw_member("embedding_types", R"(["float"])");
  if (embed.dimensions) w.member("output_dimension", *embed.dimensions);
  if (!embed.truncate.empty()) w.member("truncate", embed.truncate == "none" ? "NONE" : embed.truncate == "start" ? "START" : "END");
  return {};
}

bool read_embed_vectors(JsonValue root, std::vector<std::vector<float>>& out) {
  JsonValue list = find_member(root, "embeddings");
  if (list.is_object()) list = find_member(list, "float");
  if (!list.is_array()) return false;
  for (JsonValue entry : JsonElements(list)) {
    out.emplace_back();
    if (!read_vector(entry, out.back())) return false;
  }
  return true;
}

std::unique_ptr<ClientCodec> new_task_client(Operation operation) {
  if (operation != Operation::kEmbed && operation != Operation::kRerank) return nullptr;
  return std::make_unique<CohereTaskClient>(operation);
}

std::unique_ptr<UpstreamCodec> new_task_upstream(Operation operation) {
  if (operation != Operation::kEmbed && operation != Operation::kRerank) return nullptr;
  return std::make_unique<CohereTaskUpstream>(operation);
}

}  // namespace llmrouter::dialects::cohere
