#include "server/cli.h"
#include "server/server.h"

namespace llmrouter::server {

int run_serve(const Args& args) {
  const auto loaded = load(args);
  return loaded ? serve([&args] { return read(args); }, *loaded) : kUsage;
}

}  // namespace llmrouter::server
