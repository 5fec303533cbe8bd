#include "server/cli.h"
#include "server/server.h"

namespace llmrouter::server {

int run_serve(const Args& args) {
  const ConfigInput input = config_input(args);
  const auto loaded = load(input);
  return loaded ? serve(input, *loaded) : kUsage;
}

}  // namespace llmrouter::server
