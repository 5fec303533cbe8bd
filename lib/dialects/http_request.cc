#include "dialects/http_request.h"

#include <algorithm>
#include <string>

#include "dialects/text_match.h"

namespace llmrouter::dialects {
namespace {

bool can_stand_in_a_header(std::string_view text) noexcept {
  for (char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  }
  return true;
}

std::string make_url(std::string_view base, std::string_view path) {
  const size_t query = base.find('?');
  std::string_view head = base.substr(0, query);
  while (!head.empty() && head.back() == '/') head.remove_suffix(1);
  std::string url;
  url.reserve(base.size() + path.size());
  url.append(head).append(path);
  if (query != std::string_view::npos) url.append(base.substr(query));
  return url;
}

void append_encoded(std::string& out, std::string_view text, std::string_view plain = "-._~") {
  static constexpr char kHex[] = "0123456789ABCDEF";
  for (char c : text) {
    if (is_alnum(c) || plain.find(c) != std::string_view::npos) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out.append({'%', kHex[byte >> 4], kHex[byte & 15]});
    }
  }
}

// Names compare without regard to case; `name` is in lower case.
bool is_set_by_provider(const ProviderConfig& provider, std::string_view name) noexcept {
  for (const HttpHeader& h : provider.headers) {
    if (equals_ci(h.name, name)) return true;
  }
  return false;
}

// A JSON web token: three parts, the first of them an object in base64. No key of Azure's has a dot.
bool is_access_token(std::string_view key) noexcept {
  return key.substr(0, 3) == "eyJ" && std::count(key.begin(), key.end(), '.') == 2;
}

void add(const ProviderConfig& provider, std::string name, std::string value, HttpRequest& out) {
  if (!is_set_by_provider(provider, name)) out.headers.push_back({std::move(name), std::move(value)});
}

}  // namespace

void append_path(std::string& out, std::string_view text) { append_encoded(out, text, "-._~/@:"); }
void append_query(std::string& out, std::string_view text) { append_encoded(out, text); }

std::string model_path(const ProviderConfig& provider, std::string_view model, std::string_view path) {
  constexpr std::string_view kEnd = "/openai";
  const std::string_view base = provider.base_url;
  if (provider.api_version.empty() || base.size() < kEnd.size() || base.substr(base.size() - kEnd.size()) != kEnd) return std::string(path);
  std::string out = "/deployments/";
  append_encoded(out, model);
  return out.append(path);
}

Result<void> fill_request(const ProviderConfig& provider, std::string_view method, std::string_view path, std::string_view accept,
                          std::string_view key, HttpRequest& out) {
  if (!can_stand_in_a_header(key)) {
    return Error(ErrorCode::kConfig, "provider " + provider.name + ": its key holds a control character and cannot be sent");
  }
  out.method = method;
  out.url = make_url(provider.base_url, path);
  if (!provider.api_version.empty()) {
    out.url += out.url.find('?') == std::string::npos ? "?api-version=" : "&api-version=";
    append_encoded(out.url, provider.api_version);
  }
  out.headers.reserve(out.headers.size() + provider.headers.size() + 3);
  const bool typed = std::any_of(out.headers.begin(), out.headers.end(), [](const HttpHeader& h) { return h.name == "content-type"; });
  if (method != "GET" && !typed) add(provider, "content-type", "application/json", out);
  add(provider, "accept", std::string(accept), out);
  if (!key.empty() && !provider.auth.empty()) {
    // Azure takes an access token of Entra's in place of a key, and elsewhere.
    if (provider.auth == "bearer" || (provider.auth == "api-key" && is_access_token(key))) {
      add(provider, "authorization", std::string("Bearer ").append(key), out);
    } else {
      std::string name = provider.auth;
      for (char& c : name) c = lower(c);
      add(provider, std::move(name), std::string(key), out);
    }
  }
  for (const HttpHeader& h : provider.headers) out.headers.push_back(h);
  return {};
}

}  // namespace llmrouter::dialects
