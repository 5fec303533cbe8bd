// The upstream side: any server with an OpenAI-compatible /chat/completions.
#include "dialects/fault.h"
#include "dialects/http_request.h"
#include "dialects/openai.h"
#include "dialects/openai_stream.h"
#include "dialects/text_match.h"
#include "dialects/tool_names.h"
#include "dialects/usage.h"
#include "dialects/vertex.h"
#include "llmrouter/secret.h"

namespace llmrouter::dialects::openai {
namespace {

using wire::JsonValue;

// The same provider at `/beta` in place of the version.
ProviderConfig at_beta(const ProviderConfig& provider) {
  constexpr std::string_view kVersion = "/v1";
  ProviderConfig beta = provider;
  std::string& url = beta.base_url;
  if (url.size() >= kVersion.size() && std::string_view(url).substr(url.size() - kVersion.size()) == kVersion) url.resize(url.size() - kVersion.size());
  url += "/beta";
  return beta;
}

class OpenAiUpstream final : public UpstreamCodec {
 public:
  explicit OpenAiUpstream(bool legacy) : legacy_(legacy) {}

  Result<void> encode(const EncodeInput& input, EncodedRequest& out) override {
    if (input.provider == nullptr) return Error(ErrorCode::kInternal, "no provider to encode for");
    key_ = Secret(std::string(input.key));
    if (legacy_ && input.facts == nullptr) return Error(ErrorCode::kNotSupported, "text completions are only passed on as they came", "dialect");
    if (!legacy_ && vertex::serves(*input.provider)) return encode_for_vertex(input, out);
    Quirks quirks;
    if (!legacy_) quirks = Quirks::of(input.provider->quirks);
    quirks.text_completions = legacy_;
    if (auto body = encode_body(input, quirks, out); !body) return body;
    if (input.prefill && input.provider->has_quirk("prefill_at_beta")) {
      return fill_request(at_beta(*input.provider), "POST", "/chat/completions", "text/event-stream", input.key, out.http);
    }
    return fill_request(*input.provider, "POST", model_path(*input.provider, input.upstream_model, legacy_ ? "/completions" : "/chat/completions"),
                        input.stream ? "text/event-stream" : "application/json", input.key, out.http);
  }

  bool fetches(const ProviderConfig& provider, const Part&) const override { return !provider.has_quirk("inline_media"); }

  Prefill prefill(const ProviderConfig& provider, std::string_view) const override {
    if (legacy_ || !Quirks::of(provider.quirks).goes_on()) return Prefill::kNone;
    return provider.has_quirk("repeats_prefill") ? Prefill::kRepeats : Prefill::kGoesOn;
  }

  void feed(std::string_view bytes, UpstreamSink& sink) override { stream_.feed(bytes, names_.restoring(sink)); }
  void finish(UpstreamSink& sink) override { stream_.finish(names_.restoring(sink)); }

  Result<ReplyFacts> inspect(std::string_view body) override {
    auto root = read_root(body, key_.reveal());
    if (!root) return std::move(root).error();
    AnswerTop top;
    if (auto error = read_top(*root, key_.reveal(), top)) return std::move(*error);
    ReplyFacts facts;
    read_usage(find_usage(top.usage, top.x_groq, top.choices), facts.usage);
    facts.finish = top.finish;
    top.model.string(facts.model);
    return facts;
  }

  Result<ChatResponse> decode(std::string_view body) override {
    auto root = read_root(body, key_.reveal());
    if (!root) return std::move(root).error();
    Result<ChatResponse> response = read_answer(*root, ids_, key_.reveal());
    if (response && foreign_) cite_sources(*response);
    if (response) names_.restore(*response);
    return response;
  }

  Error parse_error(const HttpHead& head, std::string_view body) const override { return error_of_reply(head, body, key_.reveal()); }

  Result<void> encode_models(const ProviderConfig& provider, std::string_view key, EncodedRequest& out) override {
    key_ = Secret(std::string(key));
    stream_.start(false, 1, key_.reveal());
    return fill_request(provider, "GET", "/models", "application/json", key, out.http);
  }

  Result<std::vector<std::string>> parse_models(std::string_view body) override {
    auto root = read_json(body, key_.reveal());
    if (!root) return std::move(root).error();
    return read_models(*root, key_.reveal());
  }

 private:
  Result<void> encode_body(const EncodeInput& input, const Quirks& quirks, EncodedRequest& out) {
    const bool relay = input.facts != nullptr;
    const int64_t choices = relay ? input.facts->n : input.chat->n.value_or(1);
    foreign_ = !relay && input.foreign;
    stream_.start(relay, choices, key_.reveal(), foreign_);
    stream_.hide_usage(relay && asks_for_usage(input, quirks));
    return relay ? splice_request(input, quirks, out) : write_body(input, quirks, out);
  }

  Result<void> encode_for_vertex(const EncodeInput& input, EncodedRequest& out) {
    const vertex::OpenModel model = vertex::open_model(input.upstream_model, input.stream);
    EncodeInput named = input;
    named.upstream_model = model.name;
    std::vector<std::string> quirks = input.provider->quirks;
    quirks.insert(quirks.end(), model.quirks.begin(), model.quirks.end());
    if (auto body = encode_body(named, Quirks::of(quirks), out); !body) return body;
    return vertex::fill_open(*input.provider, model, input.stream ? "text/event-stream" : "application/json", input.key, out.http);
  }

  Result<void> write_body(const EncodeInput& input, const Quirks& quirks, EncodedRequest& out) {
    if (input.chat == nullptr) return Error(ErrorCode::kInternal, "nothing to encode");
    std::string body;
    std::optional<ChatRequest> copy;
    const ChatRequest& chat = names_.fit(*input.chat, kPlainNames, input.foreign, copy);
    auto written = write_request(chat, input.upstream_model, quirks, {input.stream, input.want_usage, input.foreign, input.prefill}, body, out.dropped);
    if (!written) return written;
    out.http.body.push_back(out.owned.emplace_back(std::move(body)));
    return {};
  }

  const bool legacy_;  // text completions
  bool foreign_ = false;  // whose answers are told to another dialect
  Secret key_;
  ToolNames names_;
  StreamReader stream_;
  IdSource ids_;
};

}  // namespace

std::unique_ptr<UpstreamCodec> new_upstream_codec() { return std::make_unique<OpenAiUpstream>(false); }
std::unique_ptr<UpstreamCodec> new_legacy_upstream_codec() { return std::make_unique<OpenAiUpstream>(true); }

}  // namespace llmrouter::dialects::openai
