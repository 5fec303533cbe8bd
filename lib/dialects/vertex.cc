#include "dialects/vertex.h"

#include <algorithm>
#include <utility>

#include "dialects/http_request.h"
#include "dialects/text_match.h"

namespace llmrouter::dialects::vertex {
namespace {

bool starts_with(std::string_view text, std::string_view head) noexcept { return text.substr(0, head.size()) == head; }

bool is_api_key(std::string_view key) noexcept { return starts_with(key, "AIza") || starts_with(key, "AQ."); }

Result<void> fill_path(const ProviderConfig& provider, std::string_view method, const std::string& path, std::string_view accept, std::string_view key,
                       HttpRequest& out) {
  if (auto filled = fill_request(provider, method, path, accept, key, out); !filled || !is_api_key(key)) return filled;
  for (HttpHeader& h : out.headers) {
    if (h.name == "authorization" && h.value.size() == key.size() + 7 && h.value.substr(7) == key) h = {"x-goog-api-key", std::string(key)};
  }
  return {};
}

// Makers by how their models' names begin.
constexpr std::pair<std::string_view, std::string_view> kFamilies[] = {
    {"llama", "meta"},        {"deepseek", "deepseek-ai"}, {"qwen", "qwen"},        {"gpt-oss", "openai"},      {"kimi", "moonshotai"},     {"glm", "zai-org"},
    {"minimax", "minimaxai"}, {"grok", "xai"},             {"jamba", "ai21"},       {"mistral", "mistralai"},   {"codestral", "mistralai"}, {"ministral", "mistralai"},
};

std::string_view maker_of(std::string_view model) noexcept {
  for (const auto& [family, maker] : kFamilies) {
    if (starts_with(model, family)) return maker;
  }
  return {};
}

}  // namespace

OpenModel open_model(std::string_view model, bool stream) {
  constexpr std::string_view kPublishers = "publishers/", kModels = "/models/";
  OpenModel out;
  std::string_view maker;
  if (starts_with(model, kPublishers)) {
    model.remove_prefix(kPublishers.size());
    const size_t end = std::min(model.find(kModels), model.size());
    maker = model.substr(0, end);
    model.remove_prefix(std::min(end + kModels.size(), model.size()));
  } else if (const size_t slash = model.find('/'); slash != std::string_view::npos) {
    maker = model.substr(0, slash);
    model.remove_prefix(slash + 1);
  } else {
    maker = maker_of(model);
  }
  const bool mistral = maker == "mistralai";
  if (mistral) out.quirks = {"no_stream_options", "max_tokens_only", "required_is_any", "random_seed", "short_tool_ids", "strict_members", "no_reasoning_back",
                              "no_top_k", "no_logprobs", "no_logit_bias", "no_user", "no_service_tier"};
  if (mistral || maker == "ai21") {
    out.name = model;
    out.path = path_of(maker, model, stream ? "streamRawPredict" : "rawPredict");
    return out;
  }
  if (!maker.empty()) out.name.append(maker).append("/");
  out.name.append(model);
  out.path = "/endpoints/openapi/chat/completions";
  return out;
}

Result<void> fill_open(const ProviderConfig& provider, const OpenModel& model, std::string_view accept, std::string_view key, HttpRequest& out) {
  return fill_path(provider, "POST", model.path, accept, key, out);
}

bool serves(const ProviderConfig& provider) noexcept { return provider.has_quirk("publishers"); }

std::string path_of(std::string_view publisher, std::string_view model, std::string_view operation) {
  std::string path = "/";
  if (!starts_with(model, "publishers/") && !starts_with(model, "endpoints/")) {
    if (starts_with(model, "models/")) model.remove_prefix(7);
    else if (model.size() > publisher.size() && starts_with(model, publisher) && model[publisher.size()] == '/') model.remove_prefix(publisher.size() + 1);
    path.append("publishers/").append(publisher).append("/models/");
  }
  append_path(path, model);
  return path.append(":").append(operation);
}

Result<void> fill(const ProviderConfig& provider, std::string_view publisher, std::string_view model, std::string_view operation, std::string_view accept,
                  std::string_view key, HttpRequest& out) {
  return fill_path(provider, "POST", path_of(publisher, model, operation), accept, key, out);
}

Result<void> fill_list(const ProviderConfig& provider, std::string_view publisher, std::string_view query, std::string_view key, HttpRequest& out) {
  ProviderConfig beside = provider;
  const size_t host = beside.base_url.find("://");
  beside.base_url.resize(std::min(beside.base_url.size(), beside.base_url.find('/', host == std::string::npos ? 0 : host + 3)));
  return fill_path(beside, "GET", "/v1beta1/publishers/" + std::string(publisher) + "/models" + std::string(query), "application/json", key, out);
}

}  // namespace llmrouter::dialects::vertex
