#include "config/address.h"

#include <algorithm>
#include <initializer_list>
#include <iterator>

#include "llmrouter/filter.h"
#include "llmrouter/http_text.h"
#include "llmrouter/transport.h"
#include "wire/json_scan.h"

namespace llmrouter::config {
namespace {

bool digit(char c) { return c >= '0' && c <= '9'; }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

bool is_port(std::string_view text) {
  if (text.empty() || text.size() > 5 || !std::all_of(text.begin(), text.end(), digit)) return false;
  return std::stoi(std::string(text)) <= 65535;
}

bool is_host(std::string_view text) {
  return !text.empty() && text.size() <= 253 && std::all_of(text.begin(), text.end(), [](char c) {
    return digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_';
  });
}

bool is_ipv6(std::string_view text) {
  return text.size() >= 2 && text.size() <= 64 && text.find(':') != std::string_view::npos && std::all_of(text.begin(), text.end(), [](char c) {
    return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.' || c == '%';
  });
}

struct Authority {
  std::string_view host;  // without brackets
  std::string_view port;  // may be empty
};

// host, host:port, [v6], [v6]:port.
bool split_authority(std::string_view text, Authority* out) {
  size_t end;
  if (!text.empty() && text[0] == '[') {
    end = text.find(']');
    if (end == std::string_view::npos) return false;
    out->host = text.substr(1, end - 1);
    if (!is_ipv6(out->host)) return false;
    ++end;
  } else {
    end = std::min(text.find(':'), text.size());
    out->host = text.substr(0, end);
    if (!is_host(out->host)) return false;
  }
  if (end == text.size()) return true;
  if (text[end] != ':') return false;
  out->port = text.substr(end + 1);
  return is_port(out->port);
}

struct Url {
  std::string scheme;  // lower case
  std::string_view authority, path;
};

bool split_url(std::string_view text, Url* out) {
  const size_t colon = text.find("://");
  if (colon == std::string_view::npos || colon == 0) return false;
  out->scheme = lower(text.substr(0, colon));
  text.remove_prefix(colon + 3);
  const size_t slash = std::min(text.find('/'), text.size());
  out->authority = text.substr(0, slash);
  out->path = text.substr(slash);
  return true;
}

bool visible_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

template <size_t N>
bool one_of(std::string_view text, const std::string_view (&words)[N]) {
  return std::find(std::begin(words), std::end(words), text) != std::end(words);
}

// Headers that belong to one connection or are written by whoever sends the body.
constexpr std::string_view kOurHeaders[] = {"connection", "content-length", "expect",  "host",       "keep-alive", "proxy-connection",
                                            "te",         "trailer",        "upgrade", "transfer-encoding"};
// What a caller authenticates with here, and what describes a body that may be written anew.
constexpr std::string_view kNeverForwarded[] = {"accept-encoding", "api-key",        "authorization",   "content-encoding", "content-type",
                                                "cookie",          "x-goog-api-key", "proxy-authorization", "x-api-key"};

// A part such as v1, v4, v1beta or beta: with it in the path, nothing is appended.
bool is_version(std::string_view part) { return part == "beta" || (part.size() >= 2 && part[0] == 'v' && digit(part[1])); }

bool has_version(std::string_view path) {
  while (!path.empty()) {
    const size_t end = std::min(path.find('/'), path.size());
    if (is_version(path.substr(0, end))) return true;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return false;
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// Dialects whose paths bring their own version part: what people put at the end of the base URL all the same.
struct BareDialect {
  std::string_view name;
  std::string_view endings[2];
};
constexpr BareDialect kBareDialects[] = {{"ollama", {"/v1", "/api"}}, {"anthropic", {"/v1"}}, {"bedrock", {"", ""}}, {"http", {"", ""}}};

std::string check_storage(const std::string& place, const char* expected) {
  if (place == "memory:" || (place.rfind("sqlite:", 0) == 0 && place.size() > 7)) return {};
  for (const char* later : {"postgres:", "postgresql:", "redis:", "rediss:"}) {
    if (place.rfind(later, 0) == 0) return "`" + std::string(later) + "//` is not supported yet; expected " + expected;
  }
  return std::string("expected ") + expected;
}

bool local_host(std::string_view host) {
  return host == "localhost" || host == "::1" || (host.substr(0, 4) == "127." && std::count(host.begin(), host.end(), '.') == 3);
}

}  // namespace

std::string check_listen(const std::string& address) {
  constexpr const char* kExpected = "expected host:port, [address]:port or unix:/path";
  if (address.rfind("unix:", 0) == 0) return address.size() > 6 && address[5] == '/' && address.size() < 100 ? "" : kExpected;
  Authority parts;
  return split_authority(address, &parts) && !parts.port.empty() ? "" : kExpected;
}

std::string check_proxy(const std::string& url) {
  constexpr const char* kExpected = "expected http://, https:// or socks5:// with host and port";
  Url parts;
  if (url.empty()) return {};
  if (url.size() > 2048 || !visible_ascii(url) || !split_url(url, &parts) || (parts.path != "" && parts.path != "/")) return kExpected;
  if (parts.scheme != "http" && parts.scheme != "https" && parts.scheme != "socks5" && parts.scheme != "socks5h") return kExpected;
  const size_t at = parts.authority.rfind('@');
  Authority authority;
  return split_authority(at == std::string_view::npos ? parts.authority : parts.authority.substr(at + 1), &authority) ? "" : kExpected;
}

std::string check_base_url(const std::string& url) {
  if (url == "demo:") return {};
  Url parts;
  if (url.size() > 2048 || !visible_ascii(url) || !split_url(url, &parts)) return "expected a URL: http://host[:port]/path or https://...";
  if (parts.scheme != "http" && parts.scheme != "https") return "expected a URL with http:// or https://";
  if (parts.authority.find('@') != std::string_view::npos) return "expected a URL without a user or password in it (use api_key or headers)";
  Authority authority;
  if (!split_authority(parts.authority, &authority)) return "expected http:// or https:// and a host, perhaps with a port";
  if (url.find_first_of("?#") != std::string::npos) return "expected a URL without ? and #";
  std::string_view path = parts.path;
  while (!path.empty() && path.back() == '/') path.remove_suffix(1);
  for (const char* end : {":generateContent", ":streamGenerateContent", "/chat/completions", "/api/chat", "/completions", "/messages", "/responses"}) {
    if (ends_with(path, end)) return "expected the base alone, what stands before `" + std::string(end) + "`";
  }
  return {};
}

std::string check_key_storage(const std::string& place) { return check_storage(place, "sqlite:PATH or memory:"); }

std::string check_usage_storage(const std::string& place) {
  return place == "off" ? std::string() : check_storage(place, "sqlite:PATH, memory: or off");
}

std::string check_origin(const std::string& origin) {
  constexpr const char* kExpected = "expected * or an origin such as https://app.example.com";
  Url parts;
  Authority authority;
  if (origin == "*") return {};
  return visible_ascii(origin) && split_url(origin, &parts) && parts.path.empty() && split_authority(parts.authority, &authority) ? "" : kExpected;
}

std::string check_header_name(const std::string& name) {
  if (!is_header_name(name) || name.size() > 256) return "expected a header's name";
  if (one_of(lower(name), kOurHeaders)) return "`" + lower(name) + "` is written by the transport and cannot be set";
  return {};
}

std::string check_header_value(const std::string& value) {
  return value.size() <= 8192 && is_header_value(value) ? "" : "expected a header's value, without line breaks";
}

std::string check_forwarded_header(const std::string& name) {
  std::string fault = check_header_name(name);
  if (!fault.empty()) return fault;
  if (one_of(lower(name), kNeverForwarded)) return "`" + lower(name) + "` never goes upstream (a client's own key does with pass_client_key)";
  return {};
}

std::string check_pointer(const std::string& pointer) {
  constexpr const char* kExpected = "expected a JSON pointer such as `/output/0/text`";
  if (pointer.empty() || pointer[0] != '/') return kExpected;
  for (size_t i = 0; i < pointer.size(); ++i) {
    if (pointer[i] == '~' && (i + 1 == pointer.size() || (pointer[i + 1] != '0' && pointer[i + 1] != '1'))) {
      return std::string(kExpected) + "; `~` is written `~0` and `/` inside a name `~1`";
    }
  }
  return {};
}

std::string check_template_path(const std::string& path) {
  std::string rest = path;
  const size_t model = rest.find("{model}");
  if (model != std::string::npos) rest.erase(model, 7);
  const bool good = !rest.empty() && path[0] == '/' && rest.find_first_of("{}") == std::string::npos && visible_ascii(rest) && rest.find('#') == std::string::npos;
  return good ? "" : "expected a path such as `/generate`, with at most one `{model}` in it";
}

std::string check_template_text(const std::string& text) {
  for (size_t at = text.find("${"); at != std::string::npos; at = text.find("${", at + 2)) {
    if (at > 0 && text[at - 1] == '$') continue;
    const size_t close = text.find('}', at);
    if (close == std::string::npos) return "`${` at " + std::to_string(at + 1) + " is not closed by `}` (`$${` is a literal `${`)";
    std::string name = text.substr(at + 2, close - at - 2);
    if (const size_t mark = name.find(":-"); mark != std::string::npos) name.resize(mark);
    const bool good = !name.empty() && !digit(name[0]) && std::all_of(name.begin(), name.end(), [](char c) {
      return digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    });
    if (!good) return "expected `${NAME}` or `${NAME:-default}` at " + std::to_string(at + 1) + ", where NAME is `prompt` or a member of a request";
  }
  return {};
}

namespace {

// A credential file's content: not sent, but exchanged. Whether its private key is one is seen when the provider is made.
std::string check_credential(std::string_view json) {
  if (json.size() > 64 * 1024) return "expected a credential of at most 64 KiB";
  if (!wire::validate(json)) return "expected a key, or the JSON of a Google credential, which this is not";
  const wire::JsonValue root(json);
  const std::string type = wire::find_member(root, "type").string_or();
  auto lacks = [&root](std::initializer_list<const char*> names) -> std::string {
    for (const char* name : names) {
      if (wire::find_member(root, name).string_or().empty()) return std::string("expected a Google credential with a ") + name;
    }
    return {};
  };
  if (type == "service_account") return lacks({"client_email", "private_key"});
  if (type == "authorized_user") return lacks({"client_id", "client_secret", "refresh_token"});
  return "expected a Google credential of type service_account or authorized_user";
}

}  // namespace

std::string check_key_text(const std::string& secret) {
  const size_t first = secret.find_first_not_of(" \t\r\n");
  if (first != std::string::npos && secret[first] == '{') {
    return check_credential(std::string_view(secret).substr(first, secret.find_last_not_of(" \t\r\n") + 1 - first));
  }
  return secret.size() <= 4096 && visible_ascii(secret) ? "" : "expected a key of visible ASCII characters, without blanks and line breaks";
}

std::string check_dialect_beside(const std::string& name) {
  return name == "openai" || name == "responses" || name == "completions" || name == "anthropic"
             ? ""
             : "expected one of openai, responses, completions, anthropic";
}

std::string check_address_range(const std::string& range) {
  return is_address_range(range) ? "" : "expected an address or a range, such as 10.1.0.0/16 or ::1";
}

std::string check_project(const std::string& id) {
  const bool good = id.size() >= 1 && id.size() <= 100 && std::all_of(id.begin(), id.end(), [](char c) {
    return digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == ':';
  });
  return good ? "" : "expected a project's id, such as my-project-123";
}

std::string check_api_version(const std::string& version) {
  const bool good = !version.empty() && version.size() <= 64 && std::all_of(version.begin(), version.end(), [](char c) {
    return digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '.';
  });
  return good ? "" : "expected a version such as 2024-10-21 or preview";
}

std::string check_expression(const std::string& pattern) {
  TextFilterConfig config;
  config.name = "x";
  config.pattern = pattern;
  auto made = make_text_filter(config);
  if (made) return {};
  const std::string& words = made.error().message;
  return "expected a regular expression (RE2): " + words.substr(words.find(": ") + 2);
}

std::string check_filter_place(const std::string& place) {
  return place == "request" || place == "response" || place == "stream" ? "" : "expected request, response or stream";
}

std::string check_label(const std::string& name) {
  const bool good = !name.empty() && name.size() <= 128 && name.front() != ' ' && name.back() != ' ' && std::none_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  });
  return good ? "" : "expected a name of 1 to 128 bytes, without line breaks, and without blanks around it";
}

bool is_loopback(std::string_view listen_address) {
  if (listen_address.substr(0, 5) == "unix:") return true;
  Authority parts;
  return split_authority(listen_address, &parts) && local_host(parts.host);
}

bool has_version_part(std::string_view url) {
  Url parts;
  return split_url(url, &parts) && !parts.path.empty() && has_version(parts.path.substr(1));
}

std::string without_slashes_behind(std::string url) {
  while (!url.empty() && url.back() == '/') url.pop_back();
  return url;
}

std::string normalise_base_url(std::string url, std::string_view dialect) {
  if (url == "demo:") return url;
  url = without_slashes_behind(std::move(url));
  Url parts;
  if (!split_url(url, &parts)) return url;
  for (const BareDialect& bare : kBareDialects) {
    if (dialect != bare.name) continue;
    for (std::string_view end : bare.endings) {
      if (end.empty() || !ends_with(parts.path, end)) continue;
      url.resize(url.size() - end.size());
      break;
    }
    while (url.back() == '/') url.pop_back();
    return url;
  }
  const std::string_view path = parts.path.empty() ? parts.path : parts.path.substr(1);
  if (has_version(path)) return url;
  return url + (dialect == "cohere" ? "/v2" : dialect == "gemini" ? "/v1beta" : "/v1");
}

std::string azure_base_url(std::string url, bool api_version) {
  while (!url.empty() && url.back() == '/') url.pop_back();
  Url parts;
  if (!split_url(url, &parts)) return url;
  if (parts.path.empty()) return url + (api_version ? "/openai" : "/openai/v1");
  return parts.path == "/openai" && !api_version ? url + "/v1" : url;
}

std::string vertex_base_url(std::string url, const std::string& project_path) {
  while (!url.empty() && url.back() == '/') url.pop_back();
  if (const size_t at = url.find("/publishers"); at != std::string::npos) {
    url.resize(at);
    return url;
  }
  Url parts;
  if (!split_url(url, &parts) || parts.path.find("/projects/") != std::string_view::npos) return url;
  return url + (has_version(parts.path.empty() ? parts.path : parts.path.substr(1)) ? "" : "/v1") + project_path;
}

std::string ollama_url(std::string host) {
  std::string scheme = "http://", path, port;
  const size_t colons = host.find("://");
  if (colons != std::string::npos) {
    scheme = lower(host.substr(0, colons + 3));
    host.erase(0, colons + 3);
  } else {
    port = ":11434";
  }
  const size_t slash = host.find('/');
  if (slash != std::string::npos) {
    path = host.substr(slash);
    host.resize(slash);
  }
  const size_t colon = host.rfind(':');
  const bool has_port = colon != std::string::npos && host.find(']', colon) == std::string::npos;
  if (has_port) {
    port = host.substr(colon);
    host.resize(colon);
  }
  if (host.empty() || host == "0.0.0.0" || host == "[::]") host = "127.0.0.1";
  return scheme + host + port + path;
}

bool leads_to(std::string_view url, std::string_view listen_address) {
  Url parts;
  Authority there, here;
  if (!split_url(url, &parts) || !split_authority(parts.authority, &there) || !split_authority(listen_address, &here)) return false;
  const std::string_view port = !there.port.empty() ? there.port : parts.scheme == "https" ? "443" : "80";
  const bool here_local = local_host(here.host) || here.host == "0.0.0.0" || here.host == "::";
  return port == here.port && here_local && local_host(lower(there.host));
}

}  // namespace llmrouter::config
