#include "dialects/aws_sign.h"

#include <algorithm>
#include <vector>

#include "dialects/dates.h"
#include "dialects/text_match.h"
#include "wire/sha256.h"

namespace llmrouter::dialects {
namespace {

using wire::bytes_of;
using wire::hmac_sha256;

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

struct UrlParts {
  std::string_view host, path, query;  // host with a port that is not the scheme's own
};

UrlParts parts_of(std::string_view url) noexcept {
  UrlParts parts;
  const bool https = starts_with_ci(url, "https:");
  const size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  const size_t host = std::min(url.find_first_of("/?"), url.size());
  parts.host = url.substr(0, host);
  const std::string_view usual = https ? ":443" : ":80";
  if (parts.host.size() > usual.size() && parts.host.substr(parts.host.size() - usual.size()) == usual) parts.host.remove_suffix(usual.size());
  url.remove_prefix(host);
  const size_t query = std::min(url.find('?'), url.size());
  parts.path = url.substr(0, query);
  parts.query = query == url.size() ? std::string_view{} : url.substr(query + 1);
  return parts;
}

void append_encoded(std::string& out, std::string_view text, bool keep_slash) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  for (char c : text) {
    if (is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~' || (keep_slash && c == '/')) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
}

// Parameters sorted, each with a `=`. They come encoded.
std::string canonical_query(std::string_view query) {
  std::vector<std::string> list;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    std::string one(query.substr(0, end));
    if (one.find('=') == std::string::npos) one += '=';
    list.push_back(std::move(one));
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  std::sort(list.begin(), list.end());
  std::string out;
  for (const std::string& one : list) out.append(out.empty() ? "" : "&").append(one);
  return out;
}

std::string hash_of(const std::vector<std::string_view>& pieces) {
  wire::Sha256 hash;
  for (std::string_view piece : pieces) hash.update(piece);
  return wire::hex_of(hash.finish());
}

// "2026-01-02T03:04:05Z" as "20260102T030405Z".
std::string stamp_of(int64_t now) {
  std::string out;
  for (char c : format_rfc3339(now)) {
    if (c != '-' && c != ':') out += c;
  }
  return out;
}

std::string_view header_of(const HttpRequest& request, std::string_view lower_case_name) noexcept {
  for (const HttpHeader& h : request.headers) {
    if (equals_ci(h.name, lower_case_name)) return h.value;
  }
  return {};
}

}  // namespace

std::string percent_encode(std::string_view text) {
  std::string out;
  append_encoded(out, text, false);
  return out;
}

std::optional<AwsKey> parse_aws_key(std::string_view text) noexcept {
  const size_t first = text.find(':');
  if (first == std::string_view::npos) return std::nullopt;
  const size_t second = std::min(text.find(':', first + 1), text.size());
  AwsKey key{text.substr(0, first), text.substr(first + 1, second - first - 1), {}};
  if (second < text.size()) key.session = text.substr(second + 1);
  if (key.id.empty() || key.secret.empty()) return std::nullopt;
  return key;
}

void sign_aws(const AwsKey& key, const AwsScope& scope, HttpRequest& request) {
  const UrlParts url = parts_of(request.url);
  const std::string stamp = stamp_of(scope.now), day = stamp.substr(0, 8);
  const std::string place = day + "/" + std::string(scope.region) + "/" + std::string(scope.service) + "/aws4_request";

  std::string canonical = request.method + "\n";
  append_encoded(canonical, url.path.empty() ? std::string_view("/") : url.path, true);
  canonical += "\n" + canonical_query(url.query) + "\n";
  std::string names;
  const auto sign_header = [&](std::string_view name, std::string_view value) {
    canonical.append(name).append(":").append(trim(value)).append("\n");
    names.append(names.empty() ? "" : ";").append(name);
  };
  if (const std::string_view type = header_of(request, "content-type"); !type.empty()) sign_header("content-type", type);
  sign_header("host", url.host);
  sign_header("x-amz-date", stamp);
  if (!key.session.empty()) sign_header("x-amz-security-token", key.session);
  canonical += "\n" + names + "\n" + hash_of(request.body);

  const std::string to_sign = std::string(kAlgorithm) + "\n" + stamp + "\n" + place + "\n" + wire::hex_of(wire::sha256(canonical));
  auto sum = hmac_sha256("AWS4" + std::string(key.secret), day);
  for (std::string_view step : {scope.region, scope.service, std::string_view("aws4_request")}) sum = hmac_sha256(bytes_of(sum), step);
  const std::string signature = wire::hex_of(hmac_sha256(bytes_of(sum), to_sign));

  request.headers.push_back({"x-amz-date", stamp});
  if (!key.session.empty()) request.headers.push_back({"x-amz-security-token", std::string(key.session)});
  request.headers.push_back({"authorization", std::string(kAlgorithm) + " Credential=" + std::string(key.id) + "/" + place + ", SignedHeaders=" + names +
                                                  ", Signature=" + signature});
}

}  // namespace llmrouter::dialects
