#include "dialects/gemini_embed.h"

#include "dialects/distinct.h"
#include "dialects/fault.h"
#include "dialects/gemini.h"
#include "dialects/http_request.h"
#include "dialects/own_edits.h"
#include "dialects/task_codec.h"
#include "dialects/vertex.h"
#include "llmrouter/dropped.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::gemini {

std::string_view use_word(EmbedUse use) noexcept {
  switch (use) {
    case EmbedUse::kQuery: return "RETRIEVAL_QUERY";
    case EmbedUse::kDocument: return "RETRIEVAL_DOCUMENT";
    case EmbedUse::kClassification: return "CLASSIFICATION";
    case EmbedUse::kClustering: return "CLUSTERING";
    case EmbedUse::kSimilarity: return "SEMANTIC_SIMILARITY";
    default: return {};
  }
}

namespace {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::JsonWriter;

constexpr std::string_view kBatch = "batchEmbedContents";
constexpr int64_t kMostTexts = 100;  // of one request

class GeminiEmbedClient final : public TaskClient {
 public:
  void set_path(const RequestPath& path) override {
    model_ = bare_model(path.model);
    batch_ = path.operation == kBatch;
  }

  Result<RequestFacts> scan(std::string_view body) override {
    body_ = body;
    RequestFacts facts;
    if (wire::ScanResult scanned = wire::scan_object(body, {}, facts.members); !scanned) return scanned.to_error(body);
    facts.model = model_;
    if (facts.model.empty()) return missing("model", "its name in the path");
    Fields fields;
    if (!pick_distinct(fields, JsonValue(body), {}, [] { return std::string(); }, Spelling::kCamelOrSnake)) return fields.take_error();
    for (const MemberSpan& m : facts.members) {
      const JsonValue value(body.substr(m.value_begin, m.value_end - m.value_begin));
      if (!distinct_inside(fields, value, 4, [&m] { return m.name; }, Spelling::kCamelOrSnake)) return fields.take_error();
    }
    if (!batch_) {
      take_content("content", find_field(JsonValue(body), "content"), fields, facts);
    } else {
      const JsonValue requests = find_field(JsonValue(body), "requests");
      if (!requests.is_array() || requests.empty_container()) return missing("requests", "an array with at least one request");
      for (JsonValue request : JsonElements(requests)) {
        take_content(path("requests", static_cast<size_t>(facts.inputs), "content"), find_field(request, "content"), fields, facts);
        if (!fields.ok()) break;
      }
    }
    if (!fields.ok()) return fields.take_error();
    return facts;
  }

  Result<TaskRequest> decode_task() override {
    TaskRequest out;
    out.model = model_;
    Fields fields;
    if (!batch_) {
      take_request(JsonValue(body_), "", out, fields);
    } else {
      size_t i = 0;
      for (JsonValue request : JsonElements(find_field(JsonValue(body_), "requests"))) {
        take_request(request, path("requests", i++) + ".", out, fields);
        if (!fields.ok()) break;
      }
    }
    if (!fields.ok()) return fields.take_error();
    return out;
  }

  void encode_task(const TaskResponse& response, std::string& out) override {
    auto append = [&](const std::vector<float>& vector) {
      out += "{\"values\":";
      append_vector(vector, out);
      out += '}';
    };
    if (!batch_) {
      out += "{\"embedding\":";
      append(response.vectors.front());
      out += '}';
      return;
    }
    out += "{\"embeddings\":[";
    for (size_t i = 0; i < response.vectors.size(); ++i) {
      if (i != 0) out += ',';
      append(response.vectors[i]);
    }
    out += "]}";
  }

  void encode_error(const Error& error, std::string& out) const override { write_error(error, out); }
  void encode_stream_error(const Error& error, std::string& out) override { write_error(error, out); }

 private:
  static void take_content(const std::string& where, JsonValue content, Fields& fields, RequestFacts& facts) {
    ++facts.inputs;
    if (!content.is_object()) return fields.fail(content.is_unset() ? missing(where, "an object with parts") : wrong_type(where, "an object with parts", content));
    bool any = false;
    for_each_entry(find_field(content, "parts"), [&](JsonValue part) {
      any = true;
      facts.input_tokens += static_cast<int64_t>((part.raw().size() + 3) / 4);
    });
    if (!any) fields.fail(missing(where + ".parts", "at least one part"));
  }

  // One text with what goes for it; that must be the same for all, since other dialects say it once.
  static void take_request(JsonValue request, const std::string& where, TaskRequest& out, Fields& fields) {
    EmbedInput input;
    std::string use;
    std::optional<int64_t> dimensions;
    RawMembers extras;
    for (const JsonMember& m : JsonMembers(request)) {
      if (is_field(m.key, "content")) {
        for_each_entry(find_field(m.value, "parts"), [&](JsonValue part) {
          const JsonValue text = find_field(part, "text");
          if (!text.is_string()) return fields.fail(cannot_express(where + "content", "a part that is no text", "another dialect"));
          if (!input.text.empty()) input.text += '\n';
          text.append_string(input.text);
        });
      } else if (is_field(m.key, "taskType")) {
        fields.read(where + "taskType", m.value, use);
      } else if (is_field(m.key, "outputDimensionality")) {
        fields.read(where + "outputDimensionality", m.value, dimensions);
      } else if (m.key != "model" && !m.value.is_null()) {
        add_member(extras, m.raw);
      }
    }
    EmbedRequest& embed = out.embed;
    EmbedRequest said;
    read_use(use, said);
    if (embed.inputs.empty()) {
      embed.use = said.use;
      embed.use_raw = said.use_raw;
      embed.dimensions = dimensions;
      out.extras = std::move(extras);
    } else if (embed.use != said.use || embed.use_raw != said.use_raw || embed.dimensions != dimensions) {
      return fields.fail(cannot_express(where + "taskType", "a value that differs from the first request's", "another dialect"));
    }
    embed.inputs.push_back(std::move(input));
  }

  std::string_view body_;
  std::string model_;
  bool batch_ = false;
};

class GeminiEmbedUpstream final : public TaskUpstream {
 public:
  bool relays(const ProviderConfig& provider, const RequestFacts& facts) const override { return facts.inputs <= kMostTexts && !vertex::serves(provider); }
  int64_t max_inputs(const ProviderConfig& provider, std::string_view model) const override {
    return vertex::serves(provider) ? vertex_most_texts(model) : kMostTexts;
  }

  Result<void> encode(const EncodeInput& input, EncodedRequest& out) override {
    if (input.provider == nullptr) return Error(ErrorCode::kInternal, "no provider to encode for");
    key_ = Secret(std::string(input.key));
    vertex_ = vertex::serves(*input.provider);
    if (vertex_) {
      if (input.task == nullptr) return Error(ErrorCode::kInternal, "nothing to encode");
      std::string& body = out.owned.emplace_back();
      if (auto written = write_vertex_embed(input, body, out.dropped); !written) return written;
      out.http.body.push_back(body);
      return vertex::fill(*input.provider, vertex::kGoogle, bare_model(input.upstream_model), vertex_embed_operation(input.upstream_model), "application/json",
                          input.key, out.http);
    }
    std::string_view operation = kBatch;
    if (input.facts != nullptr) {
      if (has_edits(input)) return not_spliced();
      const JsonValue requests = find_field(JsonValue(input.body), "requests");
      if (!requests.is_array()) operation = "embedContent";
      relay(input, requests, out);
    } else if (auto written = write(input, out); !written) {
      return written;
    }
    const std::string path = "/models/" + std::string(bare_model(input.upstream_model)) + ":" + std::string(operation);
    return fill_request(*input.provider, "POST", path, "application/json", input.key, out.http);
  }

  Result<TaskResponse> decode_task(std::string_view body) override {
    auto root = read_root(body);
    if (!root) return std::move(root).error();
    if (vertex_) {
      TaskResponse out;
      if (!read_vertex_embed(*root, out)) return unreadable("the upstream's answer has no vectors", body, key_.reveal());
      return out;
    }
    const JsonValue list = find_member(*root, "embeddings");
    if (!list.is_array()) return unreadable("the upstream's answer has no `embeddings`", body, key_.reveal());
    TaskResponse out;
    out.usage = usage_of(*root);
    for (JsonValue entry : JsonElements(list)) {
      out.vectors.emplace_back();
      if (!read_vector(find_member(entry, "values"), out.vectors.back())) return unreadable("the upstream's answer has an embedding that is no vector", body, key_.reveal());
    }
    return out;
  }

 protected:
  TokenUsage usage_of(JsonValue root) const override { return usage_of_answer(root); }

 private:
  bool vertex_ = false;

  // Each request of a batch names the model again, and it must be the path's.
  static void relay(const EncodeInput& input, JsonValue requests, EncodedRequest& out) {
    std::string model;
    wire::append_json_string(model, "models/" + std::string(bare_model(input.upstream_model)));
    std::vector<JsonValue> names;
    auto look = [&](JsonValue request) {
      if (const JsonValue name = find_member(request, "model"); name.exists() && name.raw() != model) names.push_back(name);
    };
    if (requests.is_array()) for (JsonValue request : JsonElements(requests)) look(request);
    else look(JsonValue(input.body));
    if (names.empty()) return out.http.body.push_back(input.body);
    std::string& body = out.owned.emplace_back();
    body.reserve(input.body.size() + names.size() * model.size());
    size_t at = 0;
    for (JsonValue name : names) {
      const auto begin = static_cast<size_t>(name.raw().data() - input.body.data());
      body.append(input.body.substr(at, begin - at)).append(model);
      at = begin + name.raw().size();
    }
    body.append(input.body.substr(at));
    out.http.body.push_back(body);
  }

  static Result<void> write(const EncodeInput& input, EncodedRequest& out) {
    if (input.task == nullptr) return Error(ErrorCode::kInternal, "nothing to encode");
    const EmbedRequest& embed = input.task->embed;
    const std::string model = "models/" + std::string(bare_model(input.upstream_model));
    const std::string_view use = embed.use == EmbedUse::kOther && !input.foreign ? std::string_view(embed.use_raw) : use_word(embed.use);
    std::string& body = out.owned.emplace_back();
    JsonWriter w(body);
    w.begin_object();
    w.key("requests");
    w.begin_array();
    for (size_t i = 0; i < embed.inputs.size(); ++i) {
      if (!embed.inputs[i].tokens.empty()) return cannot_express(path("input", i), "an input in tokens", "Google's API");
      w.begin_object();
      w.member("model", model);
      w.key("content");
      w.begin_object();
      w.key("parts");
      w.begin_array();
      w.begin_object();
      w.member("text", embed.inputs[i].text);
      w.end_object();
      w.end_array();
      w.end_object();
      if (!use.empty()) w.member("taskType", use);
      if (embed.dimensions) w.member("outputDimensionality", *embed.dimensions);
      if (!input.foreign) w.raw_members(input.task->extras);
      w.end_object();
    }
    w.end_array();
    w.end_object();
    if (embed.use == EmbedUse::kOther && use.empty()) add_dropped(out.dropped, "input_type");
    if (!embed.truncate.empty()) add_dropped(out.dropped, "truncate");
    if (!embed.user.empty()) add_dropped(out.dropped, "user");
    if (input.foreign) for_each_member(input.task->extras, [&](const JsonMember& m) { add_dropped(out.dropped, m.key); });
    out.http.body.push_back(body);
    return {};
  }
};

}  // namespace

std::unique_ptr<ClientCodec> new_embed_client() { return std::make_unique<GeminiEmbedClient>(); }
std::unique_ptr<UpstreamCodec> new_embed_upstream() { return std::make_unique<GeminiEmbedUpstream>(); }

}  // namespace llmrouter::dialects::gemini
