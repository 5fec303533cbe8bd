// Google's ways to a token: https://developers.google.com/identity/protocols/oauth2/service-account (JWT bearer grant),
// https://cloud.google.com/compute/docs/access/authenticate-workloads (metadata server).
#include <algorithm>
#include <initializer_list>

#include "auth/rs256.h"
#include "llmrouter/token.h"
#include "wire/base64.h"
#include "wire/json_scan.h"
#include "wire/json_writer.h"

namespace llmrouter {
namespace {

using wire::find_member;
using wire::JsonValue;
using wire::JsonWriter;

constexpr std::string_view kTokenUrl = "https://oauth2.googleapis.com/token";
constexpr std::string_view kScope = "https://www.googleapis.com/auth/cloud-platform";
constexpr std::string_view kMetadata = "google-metadata";
constexpr std::string_view kMetadataHost = "http://metadata.google.internal";
constexpr std::string_view kMetadataPath = "/computeMetadata/v1/instance/service-accounts/default/token";
constexpr int64_t kAssertionSeconds = 3600;  // the most that Google takes
constexpr std::chrono::seconds kLongest = std::chrono::hours(24);

bool starts_with(std::string_view text, std::string_view head) noexcept { return text.substr(0, head.size()) == head; }

// http://127.x.y.z, http://localhost, http://[::1]: for tests.
bool is_loopback_url(std::string_view url) noexcept {
  if (!starts_with(url, "http://")) return false;
  std::string_view host = url.substr(7);
  host = host.substr(0, host.find('/'));
  if (starts_with(host, "[::1]")) return true;
  if (host.find('@') != std::string_view::npos) return false;
  host = host.substr(0, host.find(':'));
  const bool numeric = !host.empty() && std::all_of(host.begin(), host.end(), [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
  return host == "localhost" || (numeric && starts_with(host, "127."));
}

// RFC 7515: the URL's alphabet, no padding.
std::string base64_url(std::string_view bytes) {
  std::string out;
  wire::append_base64(out, bytes);
  while (!out.empty() && out.back() == '=') out.pop_back();
  for (char& c : out) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return out;
}

void append_form(std::string& out, std::string_view name, std::string_view value) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  if (!out.empty()) out += '&';
  out.append(name).append("=");
  for (char c : value) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
}

// OAuth's two words on what went wrong; they name accounts and clocks, and `secrets` only where a server echoes what it was sent.
std::string words_of(std::string_view body, std::initializer_list<std::string_view> secrets) {
  if (!wire::validate(body)) return {};
  const JsonValue root(body), error = find_member(root, "error");
  std::string words = error.is_object() ? find_member(error, "message").string_or() : error.string_or();
  const std::string more = find_member(root, "error_description").string_or();
  if (!more.empty()) words += (words.empty() ? "" : ": ") + more;
  for (std::string_view secret : secrets) {
    for (size_t at = words.find(secret); at != std::string::npos; at = words.find(secret, at + 3)) words.replace(at, secret.size(), "***");
  }
  return words.substr(0, 500);
}

// `secrets`: what was sent, none of it empty.
Result<AccessToken> read_token(std::string_view from, int status, std::string_view body, std::initializer_list<std::string_view> secrets = {}) {
  if (status < 200 || status > 299) {
    const bool refused = status == 400 || status == 401 || status == 403 || status == 404;
    const std::string words = words_of(body, secrets);
    Error error(refused ? ErrorCode::kUpstreamCredentialsRejected : ErrorCode::kUpstreamError,
                std::string(from) + " gave no access token: status " + std::to_string(status) + (words.empty() ? "" : ": " + words));
    error.upstream_status = status;
    return error;
  }
  AccessToken token;
  if (wire::validate(body)) {
    token.value = Secret(find_member(JsonValue(body), "access_token").string_or());
    token.lifetime = std::chrono::seconds(find_member(JsonValue(body), "expires_in").integer().value_or(0));
  }
  const std::string& text = token.value.reveal();
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (!plain || token.lifetime.count() <= 0) return Error(ErrorCode::kUpstreamError, std::string(from) + " answered without a usable access token");
  token.lifetime = std::min(token.lifetime, kLongest);
  return token;
}

HttpRequest form_request(const std::string& url, std::string form, std::deque<std::string>& owned) {
  HttpRequest request;
  request.url = url;
  request.headers = {{"content-type", "application/x-www-form-urlencoded"}, {"accept", "application/json"}};
  request.body.push_back(owned.emplace_back(std::move(form)));
  return request;
}

class ServiceAccount final : public TokenExchange {
 public:
  ServiceAccount(std::string email, std::string key_id, Secret private_key, std::string url)
      : email_(std::move(email)), key_id_(std::move(key_id)), private_key_(std::move(private_key)), url_(std::move(url)) {}

  Result<HttpRequest> request(WallTime now, std::deque<std::string>& owned) const override {
    const int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    std::string header, claims;
    JsonWriter h(header);
    h.begin_object();
    h.member("alg", "RS256");
    h.member("typ", "JWT");
    if (!key_id_.empty()) h.member("kid", key_id_);
    h.end_object();
    JsonWriter c(claims);
    c.begin_object();
    c.member("iss", email_);
    c.member("scope", kScope);
    c.member("aud", kTokenUrl);
    c.member("iat", seconds);
    c.member("exp", seconds + kAssertionSeconds);
    c.end_object();
    std::string assertion = base64_url(header) + "." + base64_url(claims);
    const auto signature = auth::sign_rs256(private_key_.reveal(), assertion);
    if (!signature) return Error(ErrorCode::kUpstreamCredentialsRejected, "the service account's private key cannot sign");
    assertion += "." + base64_url(*signature);
    std::string form;
    append_form(form, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
    append_form(form, "assertion", assertion);
    return form_request(url_, std::move(form), owned);
  }
  Result<AccessToken> read(int status, std::string_view body) const override { return read_token("Google", status, body); }

 private:
  std::string email_, key_id_;
  Secret private_key_;
  std::string url_;
};

class AuthorizedUser final : public TokenExchange {
 public:
  AuthorizedUser(Secret id, Secret secret, Secret refresh, std::string url)
      : id_(std::move(id)), secret_(std::move(secret)), refresh_(std::move(refresh)), url_(std::move(url)) {}

  Result<HttpRequest> request(WallTime, std::deque<std::string>& owned) const override {
    std::string form;
    append_form(form, "grant_type", "refresh_token");
    append_form(form, "client_id", id_.reveal());
    append_form(form, "client_secret", secret_.reveal());
    append_form(form, "refresh_token", refresh_.reveal());
    return form_request(url_, std::move(form), owned);
  }
  Result<AccessToken> read(int status, std::string_view body) const override {
    return read_token("Google", status, body, {secret_.reveal(), refresh_.reveal()});
  }

 private:
  Secret id_, secret_, refresh_;
  std::string url_;
};

class MetadataServer final : public TokenExchange {
 public:
  explicit MetadataServer(std::string host) : host_(std::move(host)) {}

  Result<HttpRequest> request(WallTime, std::deque<std::string>&) const override {
    HttpRequest request;
    request.method = "GET";
    request.url = host_ + std::string(kMetadataPath);
    request.headers = {{"metadata-flavor", "Google"}};
    return request;
  }
  Result<AccessToken> read(int status, std::string_view body) const override { return read_token("the metadata server", status, body); }

 private:
  std::string host_;
};

Error bad_key(std::string_view what) { return Error(ErrorCode::kConfig, "the Google credential " + std::string(what)); }

Result<std::shared_ptr<const TokenExchange>> from_json(std::string_view text) {
  if (!wire::validate(text)) return bad_key("is not valid JSON");
  const JsonValue root(text);
  const auto member = [&](std::string_view name) { return find_member(root, name).string_or(); };
  // A file from elsewhere could lead the assertion, or a refresh token, anywhere.
  std::string url = member("token_uri");
  if (url.empty()) url = kTokenUrl;
  if (url != kTokenUrl && url != "https://accounts.google.com/o/oauth2/token" && !is_loopback_url(url)) return bad_key("has a token_uri that is not Google's");
  if (!is_loopback_url(url)) url = kTokenUrl;
  const std::string type = member("type");
  if (type == "service_account") {
    const std::string email = member("client_email");
    Secret key(member("private_key"));
    if (email.empty()) return bad_key("has no client_email");
    if (!auth::sign_rs256(key.reveal(), "test")) return bad_key("has no private_key that is an RSA key in PEM");
    return std::shared_ptr<const TokenExchange>(std::make_shared<ServiceAccount>(email, member("private_key_id"), std::move(key), std::move(url)));
  }
  if (type == "authorized_user") {
    Secret id(member("client_id")), secret(member("client_secret")), refresh(member("refresh_token"));
    if (id.empty() || secret.empty() || refresh.empty()) return bad_key("lacks one of client_id, client_secret, refresh_token");
    return std::shared_ptr<const TokenExchange>(std::make_shared<AuthorizedUser>(std::move(id), std::move(secret), std::move(refresh), std::move(url)));
  }
  return bad_key("is of a type that is not supported: expected service_account or authorized_user");
}

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= 0x20) text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= 0x20) text.remove_suffix(1);
  return text;
}

}  // namespace

bool is_google_credential(std::string_view key) noexcept {
  key = trimmed(key);
  return starts_with(key, "{") || key == kMetadata || (starts_with(key, kMetadata) && key[kMetadata.size()] == ':');
}

Result<std::shared_ptr<const TokenExchange>> make_google_exchange(const Secret& key) {
  const std::string_view text = trimmed(key.reveal());
  if (!is_google_credential(text)) return bad_key("is neither JSON nor google-metadata");
  if (starts_with(text, "{")) return from_json(text);
  std::string host(kMetadataHost);
  if (text.size() > kMetadata.size() + 1) host = text.substr(kMetadata.size() + 1);
  while (!host.empty() && host.back() == '/') host.pop_back();
  // The address of the metadata server itself, or this machine.
  if (host != kMetadataHost && host != "http://169.254.169.254" && !is_loopback_url(host)) {
    return bad_key("names a metadata server that is neither Google's nor on this host");
  }
  return std::shared_ptr<const TokenExchange>(std::make_shared<MetadataServer>(std::move(host)));
}

}  // namespace llmrouter
