// The upstream side: any server with a /v1/messages.
#include <algorithm>

#include "dialects/anthropic.h"
#include "dialects/anthropic_stream.h"
#include "dialects/anthropic_thoughts.h"
#include "dialects/anthropic_upstream.h"
#include "dialects/fault.h"
#include "dialects/fields.h"
#include "dialects/http_request.h"
#include "dialects/own_edits.h"
#include "dialects/text_match.h"
#include "dialects/tool_names.h"
#include "dialects/usage.h"
#include "dialects/vertex.h"
#include "llmrouter/secret.h"
#include "wire/splice.h"

namespace llmrouter::dialects::anthropic {
namespace {

using wire::find_member;
using wire::JsonElements;
using wire::JsonValue;

constexpr std::string_view kVersion = "2023-06-01";
constexpr std::string_view kFilesBeta = "files-api-2025-04-14";
constexpr std::string_view kOauthBeta = "oauth-2025-04-20";

bool is_set_by_provider(const ProviderConfig& provider, std::string_view name) noexcept {
  return std::any_of(provider.headers.begin(), provider.headers.end(), [&](const HttpHeader& h) { return equals_ci(h.name, name); });
}

class AnthropicUpstream final : public UpstreamCodec {
 public:
  bool fetches(const ProviderConfig& provider, const Part&) const override { return !vertex::serves(provider); }

  Result<void> encode(const EncodeInput& input, EncodedRequest& out) override {
    if (input.provider == nullptr) return Error(ErrorCode::kInternal, "no provider to encode for");
    key_ = Secret(std::string(input.key));
    const bool relay = input.facts != nullptr;
    Written written;
    if (relay) {
      if (auto spliced = splice_request(input, false, out); !spliced) return spliced;
    } else {
      if (input.chat == nullptr) return Error(ErrorCode::kInternal, "nothing to encode");
      std::string body;
      std::optional<ChatRequest> copy;
      auto wrote = write_request(names_.fit(*input.chat, kPlainNames, input.foreign, copy), input.upstream_model, write_options(input, false), body, out.dropped);
      if (!wrote) return std::move(wrote).error();
      written = std::move(*wrote);
      out.http.body.push_back(out.owned.emplace_back(std::move(body)));
    }
    answer_tool_ = written.answer_tool;
    stream_.start(relay, key_.reveal(), std::move(written.answer_tool));
    const std::string_view accept = input.stream ? "text/event-stream" : "application/json";
    if (vertex::serves(*input.provider)) {
      return vertex::fill(*input.provider, vertex::kAnthropic, input.upstream_model, input.stream ? "streamRawPredict" : "rawPredict", accept, input.key,
                          out.http);
    }
    return fill_anthropic(*input.provider, "POST", "/messages", accept, input.key, written.files ? kFilesBeta : std::string_view{}, out.http);
  }

  // Thoughts that it would refuse are cut out.
  bool relays(const ProviderConfig&, const RequestFacts&) const override { return true; }

  Prefill prefill(const ProviderConfig& provider, std::string_view upstream_model) const override {
    return traits_of(upstream_model).prefill || provider.has_quirk("prefill") ? Prefill::kGoesOn : Prefill::kNone;
  }

  void feed(std::string_view bytes, UpstreamSink& sink) override { stream_.feed(bytes, names_.restoring(sink)); }
  void finish(UpstreamSink& sink) override { stream_.finish(names_.restoring(sink)); }

  Result<ReplyFacts> inspect(std::string_view body) override {
    auto root = read_root(body);
    if (!root) return std::move(root).error();
    if (auto error = error_in_answer(*root, key_.reveal())) return std::move(*error);
    JsonValue model, reason;
    wire::pick(*root, {{"model", &model}, {"stop_reason", &reason}});
    ReplyFacts facts;
    read_usage(last_told(*root, "usage"), facts.usage);
    facts.finish = finish_reason_of(reason.string_or());
    model.string(facts.model);
    return facts;
  }

  Result<ChatResponse> decode(std::string_view body) override {
    auto root = read_root(body);
    if (!root) return std::move(root).error();
    auto answer = read_answer(*root, answer_tool_, key_.reveal());
    if (answer) names_.restore(*answer);
    return answer;
  }

  Error parse_error(const HttpHead& head, std::string_view body) const override { return error_of_reply(head, body, key_.reveal()); }

  Result<void> encode_models(const ProviderConfig& provider, std::string_view key, EncodedRequest& out) override {
    key_ = Secret(std::string(key));
    std::string path = "/models?limit=1000";
    if (!last_id_.empty()) append_query(path += "&after_id=", last_id_);
    return fill_anthropic(provider, "GET", path, "application/json", key, {}, out.http);
  }

  bool encode_more_models(const ProviderConfig& provider, std::string_view key, EncodedRequest& out) override {
    return !last_id_.empty() && encode_models(provider, key, out).ok();
  }

  Result<std::vector<std::string>> parse_models(std::string_view body) override {
    const std::string_view text = bare(body);
    const JsonValue root(text);
    if (!wire::validate(text)) return unreadable("the upstream's list of models is not JSON", text, key_.reveal());
    if (has_error_member(root)) return error_of_object(root, key_.reveal());
    const JsonValue list = find_member(root, "data");
    if (!list.is_array()) return unreadable("the upstream's list of models has no `data`", text, key_.reveal());
    std::vector<std::string> ids;
    for (JsonValue entry : JsonElements(list)) {
      if (std::string id = find_member(entry, "id").string_or(); !id.empty()) ids.push_back(std::move(id));
    }
    last_id_ = find_member(root, "has_more").boolean().value_or(false) ? find_member(root, "last_id").string_or() : std::string();
    return ids;
  }

 private:
  Result<JsonValue> read_root(std::string_view body) const {
    const std::string_view text = bare(body);
    if (!wire::validate(text)) {
      return unreadable("the upstream's answer is not JSON: " + scrub(plain_words(text), key_.reveal()), text, key_.reveal());
    }
    return JsonValue(text);
  }

  Secret key_;
  std::string answer_tool_;
  std::string last_id_;  // of the page of models read last, while there are more
  ToolNames names_;
  StreamReader stream_;
};

// A policy's edits in this dialect's members.
Result<void> add_policy(const EncodeInput& input, bool counting, EncodedRequest& out, std::vector<wire::SpliceEdit>& edits) {
  OwnForm form;
  form.conversation = "messages";
  form.least = R"([{"role":"user","content":"."}])";
  form.bulk = {"system", "tools", "mcp_servers"};
  form.holders = {"metadata", "output_config"};
  form.formats = {"output_config.format", "output_format"};
  form.read = [](std::string_view body) { return read_request(body); };
  form.write = [&](const ChatRequest& request, std::string& body, std::vector<std::string>& dropped) -> Result<void> {
    auto written = write_request(request, bare_name(input), write_options(input, counting), body, dropped);
    if (!written) return std::move(written).error();
    if (!written->answer_tool.empty()) return not_spliced();  // a call is the answer: its client has to get it as one
    return {};
  };
  return add_own_edits(input, form, out, edits);
}

}  // namespace

Result<void> splice_request(const EncodeInput& input, bool counting, EncodedRequest& out) {
  std::vector<wire::SpliceEdit> edits;
  if (has_edits(input)) {
    if (auto added = add_policy(input, counting, out, edits); !added) return added;
  }
  if (!input.facts->relayable) {
    if (auto cut = cut_thoughts(input, write_options(input, counting), out, edits); !cut) return cut;
  }
  std::string model, version;
  wire::append_json_string(model, bare_name(input));
  const bool in_google = vertex::serves(*input.provider);
  if (in_google && !counting) edits.push_back({BodyEdit::Kind::kRemove, "model", {}, {}});
  else if (in_google || input.facts->model != input.upstream_model) edits.push_back({BodyEdit::Kind::kSet, "model", {}, model});
  if (in_google) {
    wire::append_json_string(version, vertex::kAnthropicVersion);
    edits.push_back({BodyEdit::Kind::kDefault, "anthropic_version", {}, version});
  }
  if (edits.empty()) out.http.body.push_back(input.body);
  else wire::splice(input.body, input.facts->members, edits, out.owned, out.http.body);
  return {};
}

WriteOptions write_options(const EncodeInput& input, bool counting) {
  WriteOptions options;
  options.stream = input.stream && !counting;
  options.foreign = input.foreign;
  options.count = counting;
  options.in_google = vertex::serves(*input.provider);
  if (options.in_google) {
    options.model = counting;  // else the path names it
    options.version = vertex::kAnthropicVersion;
  }
  return options;
}

// "anthropic/claude-x" and "publishers/anthropic/models/claude-x" name a Claude of Vertex AI, too.
std::string_view bare_name(const EncodeInput& input) noexcept {
  const std::string_view model = input.upstream_model;
  return vertex::serves(*input.provider) ? model.substr(model.rfind('/') + 1) : model;
}

Result<void> fill_anthropic(const ProviderConfig& provider, std::string_view method, std::string_view path, std::string_view accept, std::string_view key,
                            std::string_view beta, HttpRequest& out) {
  // The base is the bare host; that of a provider that speaks this dialect beside its own may end with the version.
  std::string full;
  const std::string_view base = provider.base_url;
  if (base.size() < 3 || base.substr(base.size() - 3) != "/v1") full = "/v1";
  full.append(path);
  if (auto filled = fill_request(provider, method, full, accept, key, out); !filled) return filled;
  std::string betas(beta);
  // A token of a person's account goes where tokens go.
  if (key.substr(0, 10) == "sk-ant-oat" && provider.auth == "x-api-key" && !is_set_by_provider(provider, "authorization")) {
    for (HttpHeader& h : out.headers) {
      if (h.name == "x-api-key" && h.value == key) h = {"authorization", std::string("Bearer ").append(key)};
    }
    betas.append(betas.empty() ? "" : ",").append(kOauthBeta);
  }
  if (!is_set_by_provider(provider, "anthropic-version")) out.headers.push_back({"anthropic-version", std::string(kVersion)});
  if (!betas.empty() && !is_set_by_provider(provider, "anthropic-beta")) out.headers.push_back({"anthropic-beta", std::move(betas)});
  return {};
}

std::unique_ptr<UpstreamCodec> new_upstream_codec() { return std::make_unique<AnthropicUpstream>(); }

}  // namespace llmrouter::dialects::anthropic
