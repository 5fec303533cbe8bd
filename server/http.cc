#include "server/http.h"

#include <sys/random.h>

#include <algorithm>
#include <ctime>
#include <iterator>

namespace llmrouter::server {

namespace {

constexpr struct {
  Method method;
  std::string_view name;
} kMethods[] = {
    {Method::kGet, "GET"},     {Method::kHead, "HEAD"},     {Method::kPost, "POST"},       {Method::kPut, "PUT"},
    {Method::kPatch, "PATCH"}, {Method::kDelete, "DELETE"}, {Method::kOptions, "OPTIONS"},
};

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

}  // namespace

Method method_of(std::string_view name) noexcept {
  for (const auto& m : kMethods)
    if (m.name == name) return m.method;
  return Method::kOther;
}

std::string_view method_name(Method method) noexcept {
  for (const auto& m : kMethods)
    if (m.method == method) return m.name;
  return "?";
}

std::string_view Request::path() const noexcept {
  const std::string_view t = target;
  return t.substr(0, t.find('?'));
}

std::string_view Request::query() const noexcept {
  const std::string_view t = target;
  const size_t mark = t.find('?');
  return mark == std::string_view::npos ? std::string_view() : t.substr(mark + 1);
}

std::string_view status_text(int status) noexcept {
  switch (status) {
    case 100: return "Continue";
    case 200: return "OK";
    case 201: return "Created";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 499: return "Client Closed Request";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 507: return "Insufficient Storage";
    default: return "Status";
  }
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    const size_t equals = pair.find('=');
    if (pair.substr(0, equals) != name) continue;
    return percent_decode(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1), true);
  }
  return std::nullopt;
}

bool iequals(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (lower(a[i]) != lower(b[i])) return false;
  return true;
}

bool well_formed_host(std::string_view host) noexcept {
  if (host.empty() || host.front() == ':') return false;
  for (char c : host) {
    const bool alnum = (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') || static_cast<unsigned char>(c) >= 0x80;
    if (!alnum && std::string_view("-._~%:[]!$&'()*+;=").find(c) == std::string_view::npos) return false;
  }
  return true;
}

std::string_view repeated_parameter(std::string_view query) noexcept {
  static constexpr std::string_view kRead[] = {"key",   "proxy",    "model",     "prefix",     "limit",   "after_id", "before_id",
                                               "alt",   "pageSize", "pageToken", "page_size",  "page_token", "format"};
  unsigned seen = 0;
  while (!query.empty()) {
    const size_t end = query.find('&');
    const std::string_view name = query.substr(0, std::min(end, query.find('=')));
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    for (size_t i = 0; i < std::size(kRead); ++i) {
      if (name != kRead[i]) continue;
      if ((seen >> i & 1u) != 0) return name;
      seen |= 1u << i;
    }
  }
  return {};
}

bool is_plain_host(std::string_view host) noexcept {
  if (host.empty() || host.front() == '[') return true;
  host = host.substr(0, host.find(':'));
  if (host.find_first_not_of("0123456789.") == std::string_view::npos) return true;
  constexpr std::string_view local = "localhost";
  if (host.size() < local.size() || !iequals(host.substr(host.size() - local.size()), local)) return false;
  return host.size() == local.size() || host[host.size() - local.size() - 1] == '.';
}

std::string new_request_id() {
  unsigned char random[12] = {};
  if (getrandom(random, sizeof random, GRND_NONBLOCK) != static_cast<ssize_t>(sizeof random)) {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    for (size_t i = 0; i < sizeof random; ++i) random[i] = static_cast<unsigned char>((now.tv_nsec >> (i % 4 * 8)) ^ (now.tv_sec >> (i % 5)));
  }
  std::string id = "req_";
  for (unsigned char byte : random) {
    id += "0123456789abcdef"[byte >> 4];
    id += "0123456789abcdef"[byte & 15];
  }
  return id;
}

}  // namespace llmrouter::server
