// simulate: what recorded traffic would have become under another configuration.
#include <cstdio>

#include "llmrouter/llmrouter.h"
#include "llmrouter/simulate.h"
#include "llmrouter/values.h"
#include "server/admin_query.h"
#include "server/cli.h"

namespace llmrouter::server {

namespace {

constexpr int64_t kMostRecords = 2000000;

// A count of an option; nullopt when it is none, and then that was said.
std::optional<int64_t> count_of(const Args& args, const char* option, int64_t fallback, int64_t most) {
  const auto text = args.maybe(option);
  if (!text) return fallback;
  auto count = parse_count(*text);
  if (count && *count >= 1 && *count <= most) return *count;
  complain(Error(ErrorCode::kInvalidRequest, std::string(option) + ": expected a number from 1 to " + std::to_string(most)));
  return std::nullopt;
}

// Newest first, page by page.
Result<std::vector<UsageRecord>> read_records(UsageStore& store, UsageFilter filter, size_t most) {
  std::vector<UsageRecord> records;
  filter.limit = 1000;
  for (;;) {
    auto page = store.query(filter);
    if (!page) return std::move(page).error();
    for (UsageRecord& record : page->data) {
      if (records.size() == most) {
        std::fprintf(stderr, "llmrouter-server: only the newest %zu records are replayed (--limit)\n", most);
        return records;
      }
      records.push_back(std::move(record));
    }
    if (page->next.empty()) return records;
    filter.cursor = std::move(page->next);
  }
}

// The keys that made the records, and what is stored beside them, where their store is there; the configuration's own alone otherwise.
SimulationParts stored_parts(Config config) {
  SimulationParts stored;
  if (!leave_absent(config.storage).empty()) return stored;
  config.storage.usage = "off";
  auto parts = build_parts(config, make_stderr_logger(LogLevel::kWarn, config.observe.json));
  if (parts) {
    stored.keys = std::move(parts->keys);
    stored.state = std::move(parts->state);
  } else {
    std::fprintf(stderr, "llmrouter-server: %s; only the configuration's own keys and rules are known\n", parts.error().message.c_str());
  }
  return stored;
}

}  // namespace

int run_simulate(const Args& args) {
  UsageFilter filter;
  for (const char* name : {"since", "until"}) {
    const auto value = args.maybe(std::string("--") + name);
    if (!value && name != std::string_view("since")) continue;
    if (auto set = set_filter(filter, name, value.value_or("7d"), system_clock().wall()); !set) {
      return complain(Error(ErrorCode::kInvalidRequest, "--" + set.error().message), kUsage);
    }
  }
  if (auto span = check_span(filter); !span) return complain(Error(ErrorCode::kInvalidRequest, "--" + span.error().message), kUsage);
  const auto limit = count_of(args, "--limit", 200000, kMostRecords), seed = count_of(args, "--seed", 1, int64_t{1} << 62);
  if (!limit || !seed) return kUsage;
  const auto loaded = load(args);
  if (!loaded) return kUsage;
  Config config = loaded->config;
  if (const auto path = args.maybe("--usage")) config.storage.usage = "sqlite:" + *path;
  const auto store = open_usage(config);
  if (!store) return complain(store.error());
  auto records = read_records(**store, filter, static_cast<size_t>(*limit));
  if (!records) return complain(records.error());
  if (records->empty()) std::fprintf(stderr, "llmrouter-server: %s holds no records of this time\n", config.storage.usage.c_str());
  SimulationParts parts = stored_parts(config);
  if (args.has("--without-stored")) parts.state = nullptr;
  parts.catalog = make_catalog(config.prices);
  parts.seed = static_cast<uint64_t>(*seed);
  auto done = simulate(config, std::move(*records), parts);
  if (!done) return complain(done.error());
  print(args.has("--json") ? done->to_json() + "\n" : done->to_text());
  return kDone;
}

}  // namespace llmrouter::server
