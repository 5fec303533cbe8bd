#include "server/settings.h"

#include <algorithm>
#include <cstdlib>

#include "server/http.h"

namespace llmrouter::server {

namespace {

// TMPDIR, when it is set; else beside the database, since /tmp is often memory.
std::string upload_directory(const Config& config) {
  if (const char* set = std::getenv("TMPDIR"); set != nullptr && *set != '\0') return set;
  constexpr std::string_view kSqlite = "sqlite:";
  const std::string_view keys = config.storage.keys;
  if (keys.substr(0, kSqlite.size()) != kSqlite) return "/var/tmp";
  const std::string_view path = keys.substr(kSqlite.size());
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? "." : std::string(path.substr(0, std::max<size_t>(1, slash)));
}

}  // namespace

std::shared_ptr<const Settings> make_settings(const Config& config, const std::vector<RuleState>& rules) {
  auto settings = std::make_shared<Settings>();
  const ServerConfig& server = config.server;
  settings->parser.max_header = server.max_header;
  settings->parser.max_body = server.max_body;
  settings->header_timeout = server.header_timeout;
  settings->body_timeout = server.body_timeout;
  settings->idle_timeout = server.idle_timeout;
  settings->write_timeout = server.write_timeout;
  settings->max_connections = server.max_connections;
  settings->trust_loopback = server.trust_loopback;
  settings->metrics = config.observe.metrics;
  settings->cors = server.cors;
  settings->listen = server.listen;
  // The protocol's own pass between equal dialects; the router decides which of these really go where.
  auto& forward = settings->forward_headers;
  forward = {"anthropic-version", "anthropic-beta", "openai-beta", "idempotency-key"};
  for (const ProviderConfig& provider : config.providers)
    for (const std::string& name : provider.forward_headers)
      if (std::find(forward.begin(), forward.end(), name) == forward.end()) forward.push_back(name);
  for (const RuleState& state : rules)
    for (const auto& [name, pattern] : state.rule.when.header)
      if (std::find(forward.begin(), forward.end(), name) == forward.end()) forward.push_back(name);
  settings->parser.forward = &settings->forward_headers;
  settings->upload_directory = upload_directory(config);
  return settings;
}

bool origin_allowed(const Settings& settings, std::string_view origin) noexcept {
  if (origin.empty()) return false;
  for (const std::string& allowed : settings.cors)
    if (allowed == "*" || iequals(allowed, origin)) return true;
  return false;
}

bool host_allowed(const Settings& settings, std::string_view host) noexcept {
  if (is_plain_host(host)) return true;
  for (const std::string& address : settings.listen)
    if (iequals(address, host)) return true;
  for (const std::string& origin : settings.cors) {
    const size_t scheme = origin.find("://");
    if (origin == "*" || (scheme != std::string::npos && iequals(std::string_view(origin).substr(scheme + 3), host))) return true;
  }
  return false;
}

}  // namespace llmrouter::server
