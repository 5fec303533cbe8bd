#include "dialects/vertex.h"

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

}  // namespace

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
