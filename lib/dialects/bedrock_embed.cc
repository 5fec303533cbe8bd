// Embeddings at Bedrock: POST /model/{id}/invoke, in the words of the model's maker.
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html, model-parameters-embed.html
#include <charconv>

#include "dialects/aws_sign.h"
#include "dialects/bedrock.h"
#include "dialects/cohere_tasks.h"
#include "dialects/fault.h"
#include "dialects/task_codec.h"
#include "dialects/text_match.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::bedrock {
namespace {

using wire::find_member;
using wire::JsonValue;
using wire::JsonWriter;

constexpr std::string_view kTarget = "Bedrock's embeddings";

bool is_titan(std::string_view model) noexcept { return find_ci(model, "titan-embed") != std::string_view::npos; }
bool is_cohere(std::string_view model) noexcept { return find_ci(model, "cohere.embed") != std::string_view::npos; }

class BedrockEmbedUpstream final : public TaskUpstream {
 public:
  int64_t max_inputs(const ProviderConfig&, std::string_view model) const override { return is_cohere(model) ? cohere::kMostTexts : 1; }

  Result<void> encode(const EncodeInput& input, EncodedRequest& out) override {
    if (input.provider == nullptr || input.task == nullptr) return Error(ErrorCode::kInternal, "nothing to encode, or no provider to encode for");
    key_ = Secret(std::string(input.key));
    titan_ = is_titan(input.upstream_model);
    if (!titan_ && !is_cohere(input.upstream_model)) return cannot_express("model", "a model that is neither Titan's nor Cohere's", kTarget);
    std::string& body = out.owned.emplace_back();
    if (auto written = titan_ ? write_titan(input, body, out.dropped) : write_cohere(input, body, out.dropped); !written) return written;
    if (!input.task->embed.user.empty()) out.dropped.emplace_back("user");
    for_each_member(input.task->extras, [&](const wire::JsonMember& m) { out.dropped.emplace_back(m.key); });
    out.http.body.push_back(body);
    return fill_signed(*input.provider, "POST", "/model/" + percent_encode(input.upstream_model) + "/invoke", "application/json", input.key, out.http);
  }

  // Cohere's answers do not count; the head does.
  void set_head(const HttpHead& head) override {
    const std::string_view text = head.header("x-amzn-bedrock-input-token-count");
    counted_ = -1;
    std::from_chars(text.data(), text.data() + text.size(), counted_);
  }

  Result<TaskResponse> decode_task(std::string_view body) override {
    auto root = read_root(body);
    if (!root) return std::move(root).error();
    TaskResponse out;
    out.usage = usage_of(*root);
    bool good = false;
    if (titan_) {
      out.vectors.emplace_back();
      good = read_vector(find_member(*root, "embedding"), out.vectors.back());
    } else {
      good = cohere::read_embed_vectors(*root, out.vectors);
    }
    if (!good) return unreadable("the upstream's answer has no vectors", body, key_.reveal());
    return out;
  }

  Error parse_error(const HttpHead& head, std::string_view body) const override { return error_of(head.header("x-amzn-errortype"), head.status, body, key_.reveal()); }

 protected:
  TokenUsage usage_of(JsonValue root) const override {
    TokenUsage usage;
    const int64_t count = find_member(root, "inputTextTokenCount").integer().value_or(counted_);
    usage.known = count >= 0;
    usage.input = usage.known ? count : 0;
    return usage;
  }

 private:
  static Result<void> write_titan(const EncodeInput& input, std::string& body, std::vector<std::string>& dropped) {
    const EmbedRequest& embed = input.task->embed;
    if (!embed.inputs.front().tokens.empty()) return cannot_express("input", "an input in tokens", kTarget);
    JsonWriter w(body);
    w.begin_object();
    w.member("inputText", embed.inputs.front().text);
    if (embed.dimensions) w.member("dimensions", *embed.dimensions);
    w.end_object();
    if (embed.use != EmbedUse::kUnset) dropped.emplace_back("input_type");
    if (!embed.truncate.empty()) dropped.emplace_back("truncate");
    return {};
  }

  static Result<void> write_cohere(const EncodeInput& input, std::string& body, std::vector<std::string>& dropped) {
    JsonWriter w(body);
    w.begin_object();
    if (auto written = cohere::write_embed_members(input.task->embed, w); !written) return written;
    w.end_object();
    const EmbedUse use = input.task->embed.use;
    if (use == EmbedUse::kSimilarity || use == EmbedUse::kOther) dropped.emplace_back("input_type");
    return {};
  }

  bool titan_ = false;
  int64_t counted_ = -1;
};

}  // namespace

std::unique_ptr<UpstreamCodec> new_embed_upstream() { return std::make_unique<BedrockEmbedUpstream>(); }

}  // namespace llmrouter::dialects::bedrock
