// Ollama's /api/embed, and /api/embeddings, its older way for one text.
#include "dialects/fault.h"
#include "dialects/http_request.h"
#include "dialects/ollama.h"
#include "dialects/task_codec.h"
#include "llmrouter/dropped.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::ollama {
namespace {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::JsonWriter;

// The older way names its text `prompt`.
bool asks_the_older_way(const std::vector<MemberSpan>& members) noexcept {
  bool prompt = false, input = false;
  for (const MemberSpan& m : members) {
    prompt = prompt || m.name == "prompt";
    input = input || m.name == "input";
  }
  return prompt && !input;
}

class OllamaEmbedClient final : public TaskClient {
 public:
  void set_path(const RequestPath& path) override { older_ = path.operation == "embeddings"; }

  Result<RequestFacts> scan(std::string_view body) override {
    body_ = body;
    auto facts = scan_task(body);
    if (!facts) return facts;
    if (facts->model.empty()) return missing("model", "a string that is not empty");
    model_ = facts->model;
    Fields fields;
    JsonValue input, prompt;
    wire::pick(JsonValue(body), {{"input", &input}, {"prompt", &prompt}});
    if (!older_ || (input.exists() && !prompt.exists())) {
      scan_inputs("input", input, fields, *facts);
    } else if (!prompt.is_string()) {
      fields.fail(prompt.is_unset() ? missing("prompt", "a string") : wrong_type("prompt", "a string", prompt));
    } else {
      scan_inputs("prompt", prompt, fields, *facts);
    }
    if (!fields.ok()) return fields.take_error();
    facts->relayable = older_ == asks_the_older_way(facts->members);
    return facts;
  }

  Result<TaskRequest> decode_task() override {
    TaskRequest out;
    Fields fields;
    std::optional<bool> truncate;
    for (const JsonMember& m : JsonMembers(JsonValue(body_))) {
      if (m.key == "model") fields.read(m.key, m.value, out.model);
      else if (m.key == "input" || (older_ && m.key == "prompt")) read_inputs(m.key, m.value, fields, out.embed.inputs);
      else if (m.key == "dimensions") fields.read(m.key, m.value, out.embed.dimensions);
      else if (m.key == "truncate") fields.read(m.key, m.value, truncate);
      else if (!m.value.is_null()) add_member(out.extras, m.raw);
    }
    if (!fields.ok()) return fields.take_error();
    if (truncate) out.embed.truncate = *truncate ? "end" : "none";
    return out;
  }

  void encode_task(const TaskResponse& response, std::string& out) override {
    if (older_) {
      out += "{\"embedding\":";
      append_vector(response.vectors.front(), out);
      out += '}';
      return;
    }
    std::string vectors = "[";
    for (const auto& vector : response.vectors) {
      if (vectors.size() > 1) vectors += ',';
      append_vector(vector, vectors);
    }
    vectors += ']';
    JsonWriter w(out);
    w.begin_object();
    w.member("model", response.model.empty() ? model_ : response.model);
    w.raw_member("embeddings", vectors);
    if (response.usage.known) w.member("prompt_eval_count", response.usage.input);
    w.end_object();
  }

  void encode_error(const Error& error, std::string& out) const override {
    JsonWriter w(out);
    w.begin_object();
    w.member("error", error.message);
    w.end_object();
  }
  void encode_stream_error(const Error& error, std::string& out) override { encode_error(error, out); }

 private:
  std::string_view body_;
  std::string model_;
  bool older_ = false;
};

class OllamaEmbedUpstream final : public TaskUpstream {
 public:
  Result<void> encode(const EncodeInput& input, EncodedRequest& out) override {
    if (input.provider == nullptr) return Error(ErrorCode::kInternal, "no provider to encode for");
    key_ = Secret(std::string(input.key));
    bool older = false;
    if (input.facts != nullptr) {
      older = asks_the_older_way(input.facts->members);
      if (auto spliced = splice_task(input, out); !spliced) return spliced;
    } else if (auto written = write(input, out); !written) {
      return written;
    }
    return fill_request(*input.provider, "POST", older ? "/api/embeddings" : "/api/embed", "application/json", input.key, out.http);
  }

  Result<TaskResponse> decode_task(std::string_view body) override {
    auto root = read_root(body);
    if (!root) return std::move(root).error();
    const JsonValue list = find_member(*root, "embeddings");
    if (!list.is_array()) return unreadable("the upstream's answer has no `embeddings`", body, key_.reveal());
    TaskResponse out;
    find_member(*root, "model").string(out.model);
    out.usage = usage_of(*root);
    for (JsonValue entry : JsonElements(list)) {
      out.vectors.emplace_back();
      if (!read_vector(entry, out.vectors.back())) return unreadable("the upstream's answer has an embedding that is no vector", body, key_.reveal());
    }
    return out;
  }

 protected:
  TokenUsage usage_of(JsonValue root) const override {
    TokenUsage usage;
    const auto count = find_member(root, "prompt_eval_count").integer();
    usage.known = count.has_value();
    usage.input = count.value_or(0);
    return usage;
  }

 private:
  static Result<void> write(const EncodeInput& input, EncodedRequest& out) {
    if (input.task == nullptr) return Error(ErrorCode::kInternal, "nothing to encode");
    const EmbedRequest& embed = input.task->embed;
    std::string texts;
    if (auto written = write_texts(embed.inputs, "Ollama's native API", texts); !written) return written;
    std::string& body = out.owned.emplace_back();
    JsonWriter w(body);
    w.begin_object();
    w.member("model", input.upstream_model);
    w.raw_member("input", texts);
    if (embed.dimensions) w.member("dimensions", *embed.dimensions);
    if (embed.truncate == "end" || embed.truncate == "none") w.member("truncate", embed.truncate == "end");
    else if (!embed.truncate.empty()) add_dropped(out.dropped, "truncate");
    if (embed.use != EmbedUse::kUnset) add_dropped(out.dropped, "input_type");
    if (!embed.user.empty()) add_dropped(out.dropped, "user");
    if (input.foreign) for_each_member(input.task->extras, [&](const JsonMember& m) { add_dropped(out.dropped, m.key); });
    else w.raw_members(input.task->extras);
    w.end_object();
    out.http.body.push_back(body);
    return {};
  }
};

}  // namespace

std::unique_ptr<ClientCodec> new_embed_client() { return std::make_unique<OllamaEmbedClient>(); }
std::unique_ptr<UpstreamCodec> new_embed_upstream() { return std::make_unique<OllamaEmbedUpstream>(); }

}  // namespace llmrouter::dialects::ollama
