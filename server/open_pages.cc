#include "server/open_pages.h"

#include <algorithm>

namespace llmrouter::server {

std::string open_to_pages(const Config& config, bool keys) {
  const ServerConfig& server = config.server;
  const bool told = config.storage.keys == "memory:" && server.admin_key.empty();  // with the configuration's own warnings
  if (keys || told || server.auth != AuthMode::kAuto || !config.keys.empty() || std::find(server.cors.begin(), server.cors.end(), "*") == server.cors.end()) return {};
  return "server.cors: every web page may call, and no key was made yet (server.auth: auto asks for one as soon as there is): anybody's page may spend your money";
}

}  // namespace llmrouter::server
