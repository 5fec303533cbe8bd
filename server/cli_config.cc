// check, schema, reference.
#include <cstdio>

#include "llmrouter/llmrouter.h"
#include "server/cli.h"

namespace llmrouter::server {

int run_check(const Args& args) {
  const auto loaded = load(config_input(args));
  if (!loaded) return kUsage;
  // What only the whole can tell (strategies, dialects), with nothing opened on disk.
  if (auto router = Router::create(loaded->config); !router) return complain(router.error(), kUsage);
  for (const std::string& note : loaded->notes) std::fprintf(stderr, "%s\n", note.c_str());
  print((loaded->config.source.empty() ? std::string("no file") : loaded->config.source) + ": ok\n");
  return kDone;
}

int run_schema(const Args&) {
  print(config_json_schema());
  return kDone;
}

int run_reference(const Args&) {
  print(config_reference_markdown());
  return kDone;
}

}  // namespace llmrouter::server
