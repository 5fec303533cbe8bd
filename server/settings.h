// What a configuration means to the server's loops: an immutable snapshot, replaced by a reload.
#ifndef LLMROUTER_SERVER_SETTINGS_H_
#define LLMROUTER_SERVER_SETTINGS_H_

#include <memory>
#include <string>
#include <vector>

#include "llmrouter/config.h"
#include "llmrouter/state.h"
#include "server/request_parser.h"

namespace llmrouter::server {

struct Settings {
  ParserLimits parser;                 // `forward` points at `forward_headers` below
  Duration header_timeout, body_timeout, idle_timeout, write_timeout;
  int max_connections = 0;
  bool trust_loopback = false;
  bool metrics = true;
  std::vector<std::string> cors;
  std::vector<std::string> listen;
  std::vector<std::string> forward_headers;
  std::string upload_directory;        // of the temporary files that large forms go to
};

std::shared_ptr<const Settings> make_settings(const Config& config, const std::vector<RuleState>& rules);

// May pages of this origin read our answers?
bool origin_allowed(const Settings& settings, std::string_view origin) noexcept;

// May a browser come by this host header where no key is asked for: an address, `localhost`, what the server listens on, a listed origin's?
bool host_allowed(const Settings& settings, std::string_view host) noexcept;

}  // namespace llmrouter::server

#endif  // LLMROUTER_SERVER_SETTINGS_H_
