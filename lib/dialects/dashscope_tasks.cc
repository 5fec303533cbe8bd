// As https://www.alibabacloud.com/help/en/model-studio/text-rerank-api, .../multimodal-embedding-api-reference and .../text-embedding-synchronous-api and .../qwen-image-api
// have it.
#include "dialects/dashscope_tasks.h"

#include <algorithm>

#include "dialects/fault.h"
#include "dialects/http_request.h"
#include "dialects/task_codec.h"
#include "dialects/text_match.h"
#include "llmrouter/dropped.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects::dashscope {
namespace {

using wire::find;
using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonValue;
using wire::JsonWriter;

constexpr std::string_view kTarget = "DashScope";
constexpr std::string_view kOpenAiFace = "/compatible-mode/v1";  // how base URLs end; the native API lies beside it
constexpr std::string_view kNativeFace = "/api/v1";

bool has(std::string_view model, std::string_view word) noexcept { return find_ci(model, word) != std::string_view::npos; }

// Models that rank pictures and films beside texts.
bool sees(std::string_view model) noexcept { return has(model, "-vl-"); }

// Of texts in one request. Others than this one take one thing at a time, or melt all of them into one vector.
int64_t most_contents(std::string_view model) noexcept { return has(model, "qwen3-vl-embedding") ? 20 : 1; }

enum class Service { kRerank, kSeen, kTexts, kImage };  // kSeen: vectors of pictures as well as texts

std::string_view path_of(Service service) noexcept {
  switch (service) {
    case Service::kRerank: return "/services/rerank/text-rerank/text-rerank";
    case Service::kSeen: return "/services/embeddings/multimodal-embedding/multimodal-embedding";
    case Service::kImage: return "/services/aigc/multimodal-generation/generation";
    case Service::kTexts: break;
  }
  return "/services/embeddings/text-embedding/text-embedding";
}

class DashScopeTaskUpstream final : public TaskUpstream {
 public:
  explicit DashScopeTaskUpstream(Service service) : service_(service) {}

  bool relays(const ProviderConfig&, const RequestFacts&) const override { return false; }  // no client asks in this dialect
  int64_t max_inputs(const ProviderConfig&, std::string_view model) const override { return most_contents(model); }

  Result<void> encode(const EncodeInput& input, EncodedRequest& out) override {
    if (input.provider == nullptr || input.task == nullptr) return Error(ErrorCode::kInternal, "nothing to encode, or no provider to encode for");
    key_ = Secret(std::string(input.key));
    std::string& body = out.owned.emplace_back();
    JsonWriter w(body);
    w.begin_object();
    w.member("model", input.upstream_model);
    auto written = service_ == Service::kRerank  ? write_rerank(*input.task, input.upstream_model, w, out.dropped)
                   : service_ == Service::kImage ? write_image(*input.task, w, out.dropped)
                                                 : write_embed(*input.task, w, out.dropped);
    if (!written) return written;
    w.end_object();
    out.http.body.push_back(body);
    return fill_native(*input.provider, path_of(service_), input.key, out.http);
  }

  Result<TaskResponse> decode_task(std::string_view body) override {
    auto root = read_root(body);
    if (!root) return std::move(root).error();
    const JsonValue output = find_member(*root, "output");
    // What went wrong may come with a 200, and is not under `error`.
    if (!output.is_object() && find_member(*root, "code").nonempty_string()) return error_of_object(*root, key_.reveal());
    TaskResponse out;
    find_member(*root, "request_id").string(out.id);
    out.usage = usage_of(*root);
    switch (service_) {
      case Service::kRerank:
        if (!read_ranking(output, out)) return unreadable("the upstream's answer has no ranking", body, key_.reveal());
        break;
      case Service::kImage:
        read_images(output, out);
        if (out.images.empty()) return unreadable("the upstream's answer has no picture", body, key_.reveal());
        break;
      default:
        if (!read_vectors(output, out)) return unreadable("the upstream's answer has no vectors", body, key_.reveal());
    }
    return out;
  }

 protected:
  TokenUsage usage_of(JsonValue root) const override { return read_task_usage(find_member(root, "usage")); }

 private:
  static Result<void> fill_native(const ProviderConfig& provider, std::string_view path, std::string_view key, HttpRequest& http) {
    if (auto filled = fill_request(provider, "POST", path, "application/json", key, http); !filled) return filled;
    const std::string beside = std::string(kOpenAiFace).append(path);
    const size_t at = http.url.find(beside);
    if (at == std::string::npos) {
      return Error(ErrorCode::kConfig, "provider " + provider.name + ": its base_url does not end with " + std::string(kOpenAiFace) + ", beside which the native API would be");
    }
    http.url.replace(at, kOpenAiFace.size(), kNativeFace);
    return {};
  }

  // Members by the API's own names pass, others have no place in it.
  static void write_extras(const TaskRequest& task, std::initializer_list<std::string_view> known, JsonWriter& w, std::vector<std::string>& dropped) {
    for_each_member(task.extras, [&](const JsonMember& m) {
      if (std::find(known.begin(), known.end(), m.key) != known.end()) w.raw_member(m.key, m.value.raw());
      else add_dropped(dropped, m.key);
    });
  }

  static Result<void> write_rerank(const TaskRequest& task, std::string_view model, JsonWriter& w, std::vector<std::string>& dropped) {
    const RerankRequest& rerank = task.rerank;
    w.key("input");
    w.begin_object();
    w.member("query", rerank.query);
    w.key("documents");
    w.begin_array();
    for (size_t i = 0; i < rerank.documents.size(); ++i) {
      const RerankDocument& document = rerank.documents[i];
      if (!document.raw.empty() && sees(model)) w.raw(document.raw);
      else if (!document.raw.empty() && document.text.empty()) return cannot_express(path("documents", i), "a document that is no text", kTarget);
      else w.string(document.text);
    }
    w.end_array();
    w.end_object();
    w.key("parameters");
    w.begin_object();
    w.member("return_documents", false);  // they are put in here
    if (rerank.top_n) w.member("top_n", *rerank.top_n);
    if (rerank.max_tokens_per_doc) add_dropped(dropped, "max_tokens_per_doc");
    write_extras(task, {"instruct", "fps"}, w, dropped);
    w.end_object();
    return {};
  }

  Result<void> write_embed(const TaskRequest& task, JsonWriter& w, std::vector<std::string>& dropped) const {
    const EmbedRequest& embed = task.embed;
    const bool texts = service_ == Service::kTexts;
    w.key("input");
    w.begin_object();
    w.key(texts ? "texts" : "contents");
    w.begin_array();
    for (size_t i = 0; i < embed.inputs.size(); ++i) {
      if (!embed.inputs[i].tokens.empty()) return cannot_express(path("input", i), "an input in tokens", kTarget);
      if (texts) {
        w.string(embed.inputs[i].text);
        continue;
      }
      w.begin_object();
      w.member("text", embed.inputs[i].text);
      w.end_object();
    }
    w.end_array();
    w.end_object();
    w.key("parameters");
    w.begin_object();
    if (embed.dimensions) w.member("dimension", *embed.dimensions);
    if (texts) w.member("text_type", embed.use == EmbedUse::kQuery ? "query" : "document");
    write_extras(task, {"instruct"}, w, dropped);
    w.end_object();
    if (!texts && embed.use != EmbedUse::kUnset) add_dropped(dropped, "input_type");
    if (!embed.truncate.empty()) add_dropped(dropped, "truncate");
    if (!embed.user.empty()) add_dropped(dropped, "user");
    return {};
  }

  static Result<void> write_image(const TaskRequest& task, JsonWriter& w, std::vector<std::string>& dropped) {
    const ImageRequest& image = task.image;
    if (image.inline_only) return cannot_express("response_format", "the picture itself (DashScope says where it lies)", kTarget);
    std::string size = image.size;
    if (!size.empty()) {
      const size_t by = size.find_first_not_of("0123456789");
      if (by == 0 || by == std::string::npos || size[by] != 'x' || by + 1 == size.size() || size.find_first_not_of("0123456789", by + 1) != std::string::npos) {
        return cannot_express("size", "a size that is not WIDTHxHEIGHT", kTarget);
      }
      size[by] = '*';
    }
    w.key("input");
    w.begin_object();
    w.key("messages");
    w.begin_array();
    w.begin_object();
    w.member("role", "user");
    w.key("content");
    w.begin_array();
    w.begin_object();
    w.member("text", image.prompt);
    w.end_object();
    w.end_array();
    w.end_object();
    w.end_array();
    w.end_object();
    w.key("parameters");
    w.begin_object();
    if (image.n) w.member("n", *image.n);
    if (!size.empty()) w.member("size", size);
    write_extras(task, {"negative_prompt", "prompt_extend", "watermark", "seed"}, w, dropped);
    w.end_object();
    if (!image.format.empty()) add_dropped(dropped, "output_format");
    if (!image.user.empty()) add_dropped(dropped, "user");
    return {};
  }

  static void read_images(JsonValue output, TaskResponse& out) {
    for (JsonValue choice : JsonElements(find_member(output, "choices"))) {
      for (JsonValue part : JsonElements(find(choice, "message", "content"))) {
        MadeImage image;
        image.url = find_member(part, "image").string_or();
        if (!image.url.empty()) out.images.push_back(std::move(image));
      }
    }
  }

  static bool read_ranking(JsonValue output, TaskResponse& out) {
    const JsonValue results = find_member(output, "results");
    if (!results.is_array()) return false;
    for (JsonValue entry : JsonElements(results)) {
      JsonValue index, score;
      wire::pick(entry, {{"index", &index}, {"relevance_score", &score}});
      if (!index.integer() || !score.number()) return false;
      out.ranked.push_back({*index.integer(), *score.number()});
    }
    std::stable_sort(out.ranked.begin(), out.ranked.end(), [](const Ranked& a, const Ranked& b) { return a.score > b.score; });
    return true;
  }

  static bool read_vectors(JsonValue output, TaskResponse& out) {
    const JsonValue list = find_member(output, "embeddings");
    if (!list.is_array()) return false;
    std::vector<std::pair<int64_t, std::vector<float>>> rows;
    for (JsonValue entry : JsonElements(list)) {
      JsonValue index, text_index, embedding;
      wire::pick(entry, {{"index", &index}, {"text_index", &text_index}, {"embedding", &embedding}});
      if (!index.integer()) index = text_index;
      rows.emplace_back(index.integer().value_or(static_cast<int64_t>(rows.size())), std::vector<float>());
      if (!read_vector(embedding, rows.back().second)) return false;
    }
    std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& row : rows) out.vectors.push_back(std::move(row.second));
    return true;
  }

  const Service service_;
};

}  // namespace

std::unique_ptr<UpstreamCodec> new_task_upstream(Operation operation) {
  switch (operation) {
    case Operation::kEmbed: return std::make_unique<DashScopeTaskUpstream>(Service::kSeen);
    case Operation::kRerank: return std::make_unique<DashScopeTaskUpstream>(Service::kRerank);
    case Operation::kImage: return std::make_unique<DashScopeTaskUpstream>(Service::kImage);
    default: return nullptr;
  }
}

bool says_use(const ProviderConfig& provider, EmbedUse use) noexcept {
  const std::string_view base = provider.base_url;
  const bool native = base.size() >= kOpenAiFace.size() && base.substr(base.size() - kOpenAiFace.size()) == kOpenAiFace;
  return native && (use == EmbedUse::kQuery || use == EmbedUse::kDocument);
}

std::unique_ptr<UpstreamCodec> new_text_embed_upstream() { return std::make_unique<DashScopeTaskUpstream>(Service::kTexts); }

}  // namespace llmrouter::dialects::dashscope
