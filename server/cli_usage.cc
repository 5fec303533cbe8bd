// usage: reads the usage database; a server may be writing it meanwhile.
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
    append_member(out, "group", sum.group);
    append_member(out, "calls", sum.calls);
    append_member(out, "errors", sum.errors);
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
  std::vector<std::vector<std::string>> rows{{by, "calls", "errors", "input_tokens", "output_tokens", "cost_usd"}};
  for (const UsageSum& s : *sums)
    rows.push_back({s.group, std::to_string(s.calls), std::to_string(s.errors), std::to_string(s.usage.input), std::to_string(s.usage.output),
                    format_usd(s.cost_nano_usd)});
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

}  // namespace

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
    bool known = false;
    for (const char* name : {"model", "provider", "key", "user", "day"}) known |= *by == name;
    if (!known) return complain(Error(ErrorCode::kInvalidRequest, "--by: expected model, provider, key, user or day"), kUsage);
  }
  auto loaded = load(config_input(args));
  if (!loaded) return kUsage;
  Config& config = loaded->config;
  config.storage.keys = "memory:";
  auto parts = build_parts(config, make_stderr_logger(LogLevel::kWarn, config.observe.json));
  if (!parts) return complain(parts.error());
  const auto store = std::dynamic_pointer_cast<UsageStore>(parts->usage);
  if (!store) return complain(Error(ErrorCode::kNotFound, "no usage is kept (storage.usage: off)"));
  return args.has("--by") ? print_sums(args, *store, filter) : print_records(args, *store, filter);
}

}  // namespace llmrouter::server
