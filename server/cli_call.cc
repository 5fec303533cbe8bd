// models: the library at work in this process; no server is needed.
#include <cstdio>

#include "llmrouter/llmrouter.h"
#include "server/cli.h"
#include "server/json.h"

namespace llmrouter::server {

namespace {

// Without stores and probes: what looks and does not spend keeps no books.
std::optional<Config> without_stores(const Args& args) {
  auto loaded = load(args);
  if (!loaded) return std::nullopt;
  loaded->config.storage.keys = "memory:";
  loaded->config.storage.usage = "off";
  for (ProviderConfig& provider : loaded->config.providers) provider.health.probe = ProbeKind::kOff;
  return std::move(loaded->config);
}

}  // namespace

int run_models(const Args& args) {
  const auto config = without_stores(args);
  if (!config) return kUsage;
  auto client = open_config(*config, make_stderr_logger(LogLevel::kWarn, false));
  if (!client) return complain(client.error());
  auto models = client->models();
  if (!models) return complain(models.error());
  if (args.has("--json")) {
    std::string out = "{\"data\":[";
    for (const ModelEntry& m : *models) {
      if (out.back() == '}') out += ',';
      out += '{';
      append_member(out, "id", m.id);
      append_member(out, "provider", m.provider);
      append_member(out, "owned_by", m.owned_by);
      append_member(out, "created", m.created);
      out += '}';
    }
    out += "],\"unreachable\":[";
    for (const ProviderState& p : client->router().providers()) {
      if (p.list_error.empty()) continue;
      if (out.back() == '}') out += ',';
      out += '{';
      append_member(out, "provider", p.name);
      append_member(out, "error", p.list_error);
      out += '}';
    }
    print(out + "]}\n");
    return kDone;
  }
  std::vector<std::vector<std::string>> rows{{"MODEL", "PROVIDER"}};
  for (const ModelEntry& m : *models) rows.push_back({m.id, m.provider.empty() ? "(configured)" : m.provider});
  print(table(rows));
  return kDone;
}

}  // namespace llmrouter::server
