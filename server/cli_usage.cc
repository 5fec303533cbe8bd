// usage: reads the usage database; a server may be writing it meanwhile.
#include <unistd.h>

#include <cstdio>

#include "llmrouter/llmrouter.h"
#include "llmrouter/values.h"
#include "server/admin_query.h"
#include "server/cli.h"
#include "server/json.h"

namespace llmrouter::server {

namespace {

constexpr int kShownByDefault = 20;

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

std::string csv(const std::vector<std::vector<std::string>>& rows) {
  std::string out;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) out.append(i == 0 ? "" : ",").append(csv_cell(row[i]));
    out += '\n';
  }
  return out;
}

std::string sums_json(const std::string& by, const std::vector<UsageSum>& sums) {
  std::string out = "{\"by\":" + json_string(by) + ",\"data\":[";
  for (const UsageSum& sum : sums) {
    if (out.back() == '}') out += ',';
    out += '{';
    if (sum.group.empty()) {
      append_name(out, "group");
      out += "null";
    } else {
      append_member(out, "group", sum.group);
    }
    append_member(out, "calls", sum.calls);
    append_member(out, "errors", sum.errors);
    append_member(out, "limited", sum.limited);
    append_member(out, "cancelled", sum.cancelled);
    append_member(out, "input_tokens", sum.usage.input);
    append_member(out, "cached_tokens", sum.usage.cached);
    append_member(out, "output_tokens", sum.usage.output);
    append_member(out, "reasoning_tokens", sum.usage.reasoning);
    append_member(out, "cost_nano_usd", sum.cost_nano_usd);
    out += '}';
  }
  return out + "]}\n";
}

int print_sums(const Args& args, UsageStore& store, const UsageFilter& filter) {
  const std::string by = args.value("--by");
  auto sums = store.sum(by, filter);
  if (!sums) return complain(sums.error());
  if (args.has("--json")) {
    print(sums_json(by, *sums));
    return kDone;
  }
  std::vector<std::vector<std::string>> rows{{by, "calls", "errors", "limited", "cancelled", "input_tokens", "output_tokens", "cost_usd"}};
  for (const UsageSum& s : *sums)
    rows.push_back({s.group.empty() && !args.has("--csv") ? "(none)" : s.group, std::to_string(s.calls), std::to_string(s.errors), std::to_string(s.limited),
                    std::to_string(s.cancelled), std::to_string(s.usage.input), std::to_string(s.usage.output), format_usd(s.cost_nano_usd)});
  print(args.has("--csv") ? csv(rows) : table(rows));
  return kDone;
}

std::vector<std::string> row_of(const UsageRecord& r) {
  return {format_time_rfc3339(r.time), r.id,
          r.key,                       r.user,
          r.requested_model,           r.provider.empty() ? std::string("-") : r.provider + "/" + r.model,
          std::string(call_status_name(r.status)), std::to_string(r.http_status),
          std::to_string(r.usage.input), std::to_string(r.usage.output),
          format_usd(r.cost_nano_usd), std::to_string(r.latency_ms)};
}

int print_records(const Args& args, UsageStore& store, const UsageFilter& filter) {
  auto page = store.query(filter);
  if (!page) return complain(page.error());
  if (args.has("--json")) {
    std::string out = "{\"data\":[";
    for (const UsageRecord& record : page->data) {
      if (out.back() == '}') out += ',';
      out += to_json(record);
    }
    out += "],\"next\":";
    print(out + (page->next.empty() ? "null" : json_string(page->next)) + "}\n");
    return kDone;
  }
  std::vector<std::vector<std::string>> rows{
      {"time", "id", "key", "user", "model", "target", "status", "http", "input", "output", "cost_usd", "ms"}};
  for (const UsageRecord& record : page->data) rows.push_back(row_of(record));
  print(args.has("--csv") ? csv(rows) : table(rows));
  return kDone;
}

// An id for a name. Key stores are opened only when there is something to look up, and never made.
Result<void> find_key(const Config& given, std::string& key) {
  if (key.empty() || is_key_id(key)) return {};
  Config config = given;
  config.storage.usage = "off";
  constexpr std::string_view kSqlite = "sqlite:";
  if (config.storage.keys.compare(0, kSqlite.size(), kSqlite) == 0 && ::access(config.storage.keys.c_str() + kSqlite.size(), F_OK) != 0)
    config.storage.keys = "memory:";
  auto parts = build_parts(config, make_stderr_logger(LogLevel::kWarn, config.observe.json));
  if (!parts) return std::move(parts).error();
  if (auto set = parts->keys->set_file_keys(config.keys); !set) return set;
  auto found = key_of_filter(*parts->keys, key);
  if (!found) return Error(found.error().code, "--" + found.error().message);
  key = std::move(*found);
  return {};
}

}  // namespace

// One that was never begun is as good as an empty one.
Result<std::shared_ptr<UsageStore>> open_usage(const Config& given) {
  Config config = given;
  config.storage.keys = "memory:";
  config.storage.usage_read_only = true;
  auto parts = build_parts(config, make_stderr_logger(LogLevel::kWarn, config.observe.json));
  if (!parts && parts.error().code == ErrorCode::kNotFound) {
    std::fprintf(stderr, "%s\n", parts.error().message.c_str());
    return make_memory_usage_store();
  }
  if (!parts) return std::move(parts).error();
  auto store = std::dynamic_pointer_cast<UsageStore>(parts->usage);
  if (!store) return Error(ErrorCode::kNotFound, "no usage is kept (storage.usage: off)");
  return store;
}

int run_usage(const Args& args) {
  UsageFilter filter;
  filter.limit = args.has("--json") || args.has("--csv") ? 1000 : kShownByDefault;
  for (const char* name : {"since", "until", "key", "user", "model", "provider", "status", "limit", "cursor"}) {
    const auto value = args.maybe(std::string("--") + name);
    if (!value) continue;
    if (auto set = set_filter(filter, name, *value, system_clock().wall()); !set) {
      Error error = std::move(set).error();
      error.message = "--" + error.message;
      return complain(error, kUsage);
    }
  }
  if (const auto by = args.maybe("--by")) {
    for (const char* name : {"--limit", "--cursor"})
      if (args.has(name)) return complain(Error(ErrorCode::kInvalidRequest, std::string(name) + ": not with --by, which sums all"), kUsage);
    bool known = false;
    for (const char* name : {"model", "provider", "key", "user", "day"}) known |= *by == name;
    if (!known) return complain(Error(ErrorCode::kInvalidRequest, "--by: expected model, provider, key, user or day"), kUsage);
  }
  if (args.has("--json") && args.has("--csv")) return complain(Error(ErrorCode::kInvalidRequest, "--json, --csv: expected one of them"), kUsage);
  const auto loaded = load(config_input(args));
  if (!loaded) return kUsage;
  if (auto named = find_key(loaded->config, filter.key); !named) {
    return complain(named.error(), named.error().code == ErrorCode::kInvalidRequest ? kUsage : kFailed);
  }
  const auto store = open_usage(loaded->config);
  if (!store) return complain(store.error());
  return args.has("--by") ? print_sums(args, **store, filter) : print_records(args, **store, filter);
}

}  // namespace llmrouter::server
