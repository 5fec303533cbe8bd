// usage: reads the usage database; a server may be writing it meanwhile.
#include <cstdio>
#include <functional>

#include "llmrouter/llmrouter.h"
#include "llmrouter/values.h"
#include "server/admin_query.h"
#include "server/cli.h"
#include "server/usage_json.h"

namespace llmrouter::server {

namespace {

constexpr int kShownByDefault = 20;
constexpr int kMostAtOnce = 1000;  // records of one query
constexpr int64_t kMostCounted = 10000;

// A spreadsheet takes what begins with one of these for a formula, and callers choose names: it gets an apostrophe, as OWASP ("CSV Injection") has it.
std::string csv_cell(std::string text) {
  if (!text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos && text != "-") text.insert(0, 1, '\'');
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

// The keys that are known: the configuration's, and those of the store where it is there.
Result<std::shared_ptr<KeyStore>> known_keys(const Config& given) {
  Config config = given;
  config.storage.usage = "off";
  leave_absent(config.storage);
  auto parts = build_parts(config, make_stderr_logger(LogLevel::kWarn, config.observe.json));
  if (!parts) return std::move(parts).error();
  if (auto set = parts->keys->set_file_keys(config.keys); !set) return std::move(set).error();
  return std::move(parts->keys);
}

// Keys by their names, for people: a record has the id alone, so that a key may change its name.
class KeyNames {
 public:
  explicit KeyNames(const Config& config) : config_(config) {}
  // "name (id)"; the id alone of a key that is not known any more, or that has no name.
  std::string with_name(const std::string& id) {
    const std::string name = name_of(id);
    return name.empty() ? id : name + " (" + id + ")";
  }
  std::string name_of(const std::string& id) {
    if (id.empty()) return {};
    if (!asked_) open();
    if (!keys_) return {};
    const auto key = keys_->get(id);
    return key ? (*key)->spec.name : std::string();
  }

 private:
  void open() {
    asked_ = true;
    auto keys = known_keys(config_);
    if (keys) keys_ = std::move(*keys);
    else std::fprintf(stderr, "llmrouter-server: %s; keys are shown by their ids\n", keys.error().message.c_str());
  }

  const Config& config_;
  bool asked_ = false;
  std::shared_ptr<KeyStore> keys_;
};

void say_nothing_found() { std::fprintf(stderr, "llmrouter-server: no records are of this time and these filters\n"); }

int print_sums(const Args& args, UsageStore& store, const UsageFilter& filter, KeyNames& names) {
  const std::string by = args.value("--by");
  const bool keys = by == "key";
  auto sums = store.sum(by, filter);
  if (!sums) return complain(sums.error());
  if (args.has("--json")) {
    print(usage_sums_json(by, *sums, keys ? [&names](const std::string& id) { return names.name_of(id); } : std::function<std::string(const std::string&)>()) + "\n");
    return kDone;
  }
  const bool as_csv = args.has("--csv");
  if (sums->empty()) say_nothing_found();
  std::vector<std::vector<std::string>> rows{{by, "calls", "errors", "limited", "cancelled", "input_tokens", "output_tokens", "cost_usd"}};
  for (const UsageSum& s : *sums)
    rows.push_back({as_csv ? s.group : s.group.empty() ? "(none)" : keys ? names.with_name(s.group) : s.group, std::to_string(s.calls), std::to_string(s.errors), std::to_string(s.limited),
                    std::to_string(s.cancelled), std::to_string(s.usage.input), std::to_string(s.usage.output), format_usd(s.cost_nano_usd)});
  if (as_csv && keys) {  // the id stays a column of its own, for those who join by it
    rows.front().emplace_back("key_name");
    for (size_t i = 0; i < sums->size(); ++i) rows[i + 1].push_back(names.name_of((*sums)[i].group));
  }
  print(as_csv ? csv(rows) : table(rows));
  return kDone;
}

std::vector<std::string> row_of(const UsageRecord& r, std::string key) {
  return {format_time_rfc3339(r.time), r.id,
          std::move(key),              r.user,
          r.requested_model,           r.provider.empty() ? std::string("-") : r.provider + "/" + r.model,
          std::string(call_status_name(r.status)), std::to_string(r.http_status),
          std::to_string(r.usage.input), std::to_string(r.usage.output),
          format_usd(r.cost_nano_usd), std::to_string(r.latency_ms)};
}

std::vector<std::string> csv_row(const UsageRecord& record, KeyNames& names) {
  std::vector<std::string> row = row_of(record, record.key);
  row.push_back(names.name_of(record.key));
  return row;
}

const std::vector<std::string> kRecordHead{"time", "id", "key", "user", "model", "target", "status", "http", "input", "output", "cost_usd", "ms"};

// All that match, page by page: a spreadsheet that is cut at some number gives wrong sums.
int print_all_as_csv(UsageStore& store, UsageFilter filter, KeyNames& names) {
  std::vector<std::vector<std::string>> rows{kRecordHead};
  rows.front().emplace_back("key_name");
  filter.limit = kMostAtOnce;
  for (bool first = true;; first = false) {
    auto page = store.query(filter);
    if (!page) return complain(page.error());
    if (first && page->data.empty()) say_nothing_found();
    for (const UsageRecord& record : page->data) rows.push_back(csv_row(record, names));
    print(csv(rows));
    rows.clear();
    if (page->next.empty()) return kDone;
    filter.cursor = std::move(page->next);
  }
}

// How many are left after a page is counted by asking for them: nobody waits for a million, so beyond kMostCounted it is "more than".
Result<int64_t> count_after(UsageStore& store, UsageFilter filter, std::string cursor) {
  filter.limit = kMostAtOnce;
  int64_t count = 0;
  while (!cursor.empty() && count <= kMostCounted) {
    filter.cursor = std::move(cursor);
    auto page = store.query(filter);
    if (!page) return std::move(page).error();
    count += static_cast<int64_t>(page->data.size());
    cursor = std::move(page->next);
  }
  return count;
}

int print_records(const Args& args, UsageStore& store, const UsageFilter& filter, KeyNames& names) {
  const bool as_csv = args.has("--csv");
  if (as_csv && !args.has("--limit")) return print_all_as_csv(store, filter, names);
  auto page = store.query(filter);
  if (!page) return complain(page.error());
  if (args.has("--json")) {
    print(usage_page_json(*page) + "\n");
    return kDone;
  }
  if (page->data.empty()) say_nothing_found();
  std::vector<std::vector<std::string>> rows{kRecordHead};
  if (as_csv) rows.front().emplace_back("key_name");
  for (const UsageRecord& record : page->data) rows.push_back(as_csv ? csv_row(record, names) : row_of(record, names.with_name(record.key)));
  print(as_csv ? csv(rows) : table(rows));
  if (page->next.empty()) return kDone;
  const auto more = count_after(store, filter, page->next);
  if (!more) return complain(more.error());
  const bool uncounted = *more > kMostCounted;
  std::fprintf(stderr, "llmrouter-server: %s%lld more; see them with --limit N (at most %d), --cursor %s, or %s for all\n", uncounted ? "over " : "",
               static_cast<long long>(uncounted ? kMostCounted : *more), kMostAtOnce, page->next.c_str(), as_csv ? "--csv without --limit" : "--csv");
  return kDone;
}

// An id for a name. Key stores are opened only when there is something to look up.
Result<void> find_key(const Config& config, std::string& key) {
  if (key.empty() || is_key_id(key)) return {};
  auto keys = known_keys(config);
  if (!keys) return std::move(keys).error();
  auto found = key_of_filter(**keys, key);
  if (!found) return Error(found.error().code, "--" + found.error().message);
  key = std::move(*found);
  return {};
}

}  // namespace

Result<std::shared_ptr<UsageStore>> open_usage(const Config& given) {
  if (given.storage.usage == "memory:")
    return Error(ErrorCode::kNotFound, "storage.usage is memory: its records are in the server's memory, which no command sees; ask the server: GET /admin/v1/usage");
  Config config = given;
  config.storage.keys = "memory:";
  config.storage.usage_read_only = true;
  auto parts = build_parts(config, make_stderr_logger(LogLevel::kWarn, config.observe.json));
  if (!parts) return std::move(parts).error();
  auto store = std::dynamic_pointer_cast<UsageStore>(parts->usage);
  if (!store) return Error(ErrorCode::kNotFound, "no usage is kept (storage.usage: off)");
  return store;
}

int run_usage(const Args& args) {
  UsageFilter filter;
  filter.limit = args.has("--json") ? kMostAtOnce : kShownByDefault;
  for (const char* name : {"since", "until", "key", "user", "model", "provider", "status", "limit", "cursor"}) {
    const auto value = args.maybe(std::string("--") + name);
    if (!value) continue;
    if (auto set = set_filter(filter, name, *value, system_clock().wall()); !set) {
      Error error = std::move(set).error();
      error.message = "--" + error.message;
      if (args.has("--csv") && name == std::string_view("limit")) error.message += "; without --limit, --csv writes all";
      return complain(error, kUsage);
    }
  }
  if (auto span = check_span(filter); !span) return complain(Error(ErrorCode::kInvalidRequest, "--" + span.error().message), kUsage);
  if (const auto by = args.maybe("--by")) {
    for (const char* name : {"--limit", "--cursor"})
      if (args.has(name)) return complain(Error(ErrorCode::kInvalidRequest, std::string(name) + ": not with --by, which sums all"), kUsage);
    if (!is_usage_group(*by)) return complain(Error(ErrorCode::kInvalidRequest, "--by: expected " + std::string(kUsageGroups)), kUsage);
  }
  if (args.has("--json") && args.has("--csv")) return complain(Error(ErrorCode::kInvalidRequest, "--json, --csv: expected one of them"), kUsage);
  const auto loaded = load(args);
  if (!loaded) return kUsage;
  if (auto named = find_key(loaded->config, filter.key); !named) {
    return complain(named.error(), named.error().code == ErrorCode::kInvalidRequest ? kUsage : kFailed);
  }
  const auto store = open_usage(loaded->config);
  if (!store) return complain(store.error());
  KeyNames names(loaded->config);
  return args.has("--by") ? print_sums(args, **store, filter, names) : print_records(args, **store, filter, names);
}

}  // namespace llmrouter::server
