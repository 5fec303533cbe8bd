// Titan and Nova take one text for a request, Cohere many; Bedrock adds nothing of its own but a header with the count of tokens. As
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html,
// https://docs.aws.amazon.com/nova/latest/userguide/embeddings-schema.html and
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html have it.
#include "dialects/bedrock_embed.h"

#include <algorithm>

#include "dialects/aws_sign.h"
#include "dialects/bedrock.h"
#include "dialects/bedrock_request.h"
#include "dialects/cohere_tasks.h"
#include "dialects/dates.h"
#include "dialects/fault.h"
#include "dialects/task_codec.h"
#include "llmrouter/dropped.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::bedrock {
namespace {

using wire::find_member;
using wire::JsonValue;
using wire::JsonWriter;

constexpr std::string_view kTarget = "this model on Bedrock";
constexpr std::string_view kCountHeader = "x-amzn-bedrock-input-token-count";
constexpr int64_t kMaxCount = int64_t{1} << 50;  // beyond it a count is a lie

enum class Maker { kUnknown, kTitan1, kTitan2, kNova, kCohere3, kCohere };

// By what stands in an id, a profile's id ("us.cohere.embed-v4:0") or an ARN that holds one.
Maker maker_of_embedding(std::string_view model) noexcept {
  const auto has = [&](std::string_view word) { return model.find(word) != std::string_view::npos; };
  if (has("titan-embed-text-v2")) return Maker::kTitan2;
  if (has("titan-embed-text-v1") || has("titan-embed-g1-text")) return Maker::kTitan1;
  if (has("amazon.nova") && has("embeddings")) return Maker::kNova;
  if (has("cohere.embed-english-v3") || has("cohere.embed-multilingual-v3")) return Maker::kCohere3;
  return has("cohere.embed") ? Maker::kCohere : Maker::kUnknown;
}

bool is_titan(Maker maker) noexcept { return maker == Maker::kTitan1 || maker == Maker::kTitan2; }
bool takes_one(Maker maker) noexcept { return is_titan(maker) || maker == Maker::kNova; }

// Nova has to be told what its vectors are for.
std::string_view nova_purpose(EmbedUse use) noexcept {
  switch (use) {
    case EmbedUse::kQuery: return "TEXT_RETRIEVAL";
    case EmbedUse::kClassification: return "CLASSIFICATION";
    case EmbedUse::kClustering: return "CLUSTERING";
    default: return "GENERIC_INDEX";
  }
}

// And what to do with a text that is too long: Bedrock's other models refuse it.
std::string_view nova_truncation(std::string_view truncate) noexcept { return truncate == "start" ? "START" : truncate == "end" ? "END" : "NONE"; }

class BedrockEmbedUpstream final : public TaskUpstream {
 public:
  bool relays(const ProviderConfig&, const RequestFacts&) const override { return false; }  // nobody speaks this dialect to us
  int64_t max_inputs(const ProviderConfig&, std::string_view model) const override { return takes_one(maker_of_embedding(model)) ? 1 : cohere::kMostTexts; }

  Result<void> encode(const EncodeInput& input, EncodedRequest& out) override {
    if (input.provider == nullptr || input.task == nullptr) return Error(ErrorCode::kInternal, "nothing to encode, or no provider to encode for");
    key_ = Secret(std::string(input.key));
    model_ = input.upstream_model;
    maker_ = maker_of_embedding(model_);
    counted_.reset();
    const EmbedRequest& embed = input.task->embed;
    std::string& body = out.owned.emplace_back();
    JsonWriter w(body);
    w.begin_object();
    auto written = is_titan(maker_) ? write_titan(embed, w, out.dropped) : maker_ == Maker::kNova ? write_nova(embed, w, out.dropped) : write_cohere(embed, w, out.dropped);
    if (!written) return written;
    w.end_object();
    if (!embed.user.empty()) add_dropped(out.dropped, "user");
    for_each_member(input.task->extras, [&](const wire::JsonMember& m) { add_dropped(out.dropped, m.key); });
    out.http.body.push_back(body);
    return fill(*input.provider, "POST", "/model/" + percent_encode(model_) + "/invoke", "application/json", input.key, out.http);
  }

  void set_head(const HttpHead& head) override {
    const std::string count(head.header(kCountHeader));
    counted_ = JsonValue(count).integer();
  }

  Result<TaskResponse> decode_task(std::string_view body) override {
    auto root = read_root(body);
    if (!root) return std::move(root).error();
    TaskResponse out;
    out.model = model_;
    find_member(*root, "id").string(out.id);
    out.usage = usage_of(*root);
    if (!takes_one(maker_)) {
      if (!cohere::read_embed_vectors(*root, out.vectors)) return no_vectors(*root);
      return out;
    }
    JsonValue vector = find_member(*root, "embedding");
    if (maker_ == Maker::kNova) {
      for (JsonValue entry : wire::JsonElements(find_member(*root, "embeddings"))) {
        if (!vector.exists()) vector = find_member(entry, "embedding");
      }
    }
    if (!vector.exists()) vector = wire::find(*root, "embeddingsByType", "float");
    out.vectors.emplace_back();
    if (!read_vector(vector, out.vectors.back())) return no_vectors(*root);
    return out;
  }

  Error parse_error(const HttpHead& head, std::string_view body) const override {
    Error error = error_of(head.header("x-amzn-errortype"), head.status, body, key_.reveal());
    if (error.code == ErrorCode::kUpstreamRateLimited || error.code == ErrorCode::kUpstreamError) {
      if (const auto wait = retry_after(head); wait.count() > 0) error.retry_after = wait;
    }
    return error;
  }

 protected:
  TokenUsage usage_of(JsonValue root) const override {
    TokenUsage usage;
    auto count = find_member(root, "inputTextTokenCount").integer();
    if (!count) count = counted_;
    usage.known = count && *count >= 0 && *count <= kMaxCount;
    if (usage.known) usage.input = *count;
    return usage;
  }

 private:
  // A 200 may hold an exception's words.
  Error no_vectors(JsonValue root) const {
    if (find_member(root, "message").is_string() || find_member(root, "Message").is_string()) {
      const std::string type = find_member(root, "__type").string_or();
      return error_of(type.substr(type.find('#') + 1), 0, root.raw(), key_.reveal());
    }
    return unreadable("the upstream's answer has no embedding", root.raw(), key_.reveal());
  }

  Result<void> write_titan(const EmbedRequest& embed, JsonWriter& w, std::vector<std::string>& dropped) const {
    if (embed.inputs.size() != 1) return Error(ErrorCode::kInternal, "Titan embeds one text at once");
    if (!embed.inputs[0].tokens.empty()) return cannot_express("input", "an input in tokens", kTarget);
    w.member("inputText", embed.inputs[0].text);
    if (embed.dimensions && maker_ == Maker::kTitan1) return cannot_express("dimensions", "another length of vectors", kTarget);
    if (embed.dimensions) w.member("dimensions", *embed.dimensions);
    if (embed.use != EmbedUse::kUnset) add_dropped(dropped, "input_type");
    // It refuses what is too long, which is "none".
    if (!embed.truncate.empty() && embed.truncate != "none") add_dropped(dropped, "truncate");
    return {};
  }

  Result<void> write_nova(const EmbedRequest& embed, JsonWriter& w, std::vector<std::string>& dropped) const {
    if (embed.inputs.size() != 1) return Error(ErrorCode::kInternal, "Nova embeds one text at once");
    if (!embed.inputs[0].tokens.empty()) return cannot_express("input", "an input in tokens", kTarget);
    w.member("schemaVersion", "nova-multimodal-embed-v1");
    w.member("taskType", "SINGLE_EMBEDDING");
    w.key("singleEmbeddingParams");
    w.begin_object();
    w.member("embeddingPurpose", nova_purpose(embed.use));
    if (embed.dimensions) w.member("embeddingDimension", *embed.dimensions);
    w.key("text");
    w.begin_object();
    w.member("truncationMode", nova_truncation(embed.truncate));
    w.member("value", embed.inputs[0].text);
    w.end_object();
    w.end_object();
    if (embed.use == EmbedUse::kSimilarity || embed.use == EmbedUse::kOther) add_dropped(dropped, "input_type");
    return {};
  }

  Result<void> write_cohere(const EmbedRequest& embed, JsonWriter& w, std::vector<std::string>& dropped) const {
    if (maker_ == Maker::kUnknown) return cannot_express("model", "embeddings by a model that is not Titan's for text, Nova's or Cohere's", "this server for Bedrock");
    if (embed.dimensions && maker_ == Maker::kCohere3) return cannot_express("dimensions", "another length of vectors", kTarget);
    if (embed.use == EmbedUse::kSimilarity || embed.use == EmbedUse::kOther) add_dropped(dropped, "input_type");
    return cohere::write_embed_members(embed, w);
  }

  std::string model_;
  Maker maker_ = Maker::kUnknown;
  std::optional<int64_t> counted_;
};

}  // namespace

std::unique_ptr<UpstreamCodec> new_embed_upstream() { return std::make_unique<BedrockEmbedUpstream>(); }

}  // namespace llmrouter::dialects::bedrock
