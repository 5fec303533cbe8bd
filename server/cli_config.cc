// check, schema, reference.
#include <cstdio>

#include "llmrouter/llmrouter.h"
#include "server/cli.h"
#include "server/open_pages.h"

namespace llmrouter::server {

int run_check(const Args& args) {
  const auto loaded = load(args);
  if (!loaded) return kUsage;
  // What only the whole can tell (a credential's private key), with nothing opened on disk.
  Config config = loaded->config;
  config.storage.keys = config.storage.usage = "memory:";
  auto parts = build_parts(config);
  if (!parts) return complain(parts.error(), kUsage);
  if (auto router = Router::create(config, std::move(*parts)); !router) return complain(router.error(), kUsage);
  for (const std::string& note : loaded->notes) std::fprintf(stderr, "%s\n", note.c_str());
  for (const ConfigFault& warning : loaded->warnings) std::fprintf(stderr, "%s\n", warning.to_string().c_str());
  size_t warnings = loaded->warnings.size();
  StorageConfig storage = loaded->config.storage;
  const bool may_have_keys = storage.keys != "memory:" && leave_absent(storage).empty();
  if (const std::string open = open_to_pages(loaded->config, may_have_keys); !open.empty()) {
    std::fprintf(stderr, "%s\n", open.c_str());
    ++warnings;
  }
  if (warnings > 0 && args.has("--strict")) return kUsage;
  std::string verdict = (loaded->config.source.empty() ? std::string("no file") : loaded->config.source) + ": ok";
  if (warnings > 0) verdict += warnings == 1 ? ", 1 warning" : ", " + std::to_string(warnings) + " warnings";
  print(verdict + "\n");
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
