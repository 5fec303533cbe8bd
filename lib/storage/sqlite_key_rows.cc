#include "storage/sqlite_key_rows.h"

#include <cstring>

#include "wire/json_writer.h"

namespace llmrouter::storage {
namespace {

constexpr std::string_view kColumns =
    "id, version, created, revoked, hint, lookup, salt, hash, name, user, purpose, role, allow_models, allow_providers, allow_endpoints, "
    "max_tokens, min_temperature, max_temperature, tools, requests, requests_per, requests_burst, tokens, tokens_per, tokens_burst, "
    "concurrent, budget, budget_per, budget_soft, budget_anchor, expires, filters";

std::string list_json(const std::vector<std::string>& list) {
  std::string json;
  wire::JsonWriter w(json);
  w.begin_array();
  for (const std::string& entry : list) w.string(entry);
  w.end_array();
  return json;
}

WallTime wall(int64_t micros) noexcept { return WallTime(std::chrono::microseconds(micros)); }

constexpr BudgetPeriod kPeriods[] = {BudgetPeriod::kDay, BudgetPeriod::kWeek, BudgetPeriod::kMonth, BudgetPeriod::k30d, BudgetPeriod::kTotal};

// Takes one row apart, column by column.
class RowReader {
 public:
  RowReader(Db& db, const Statement& row) : db_(db), row_(row) {}

  bool read(KeyEntry* entry) {
    auto record = std::make_shared<KeyRecord>();
    record->id = text();
    entry->version = integer();
    record->created = wall(integer());
    record->revoked = integer() != 0;
    record->hint = text();
    blob(entry->hashed.lookup);
    blob(entry->hashed.salt);
    blob(entry->hashed.hash);
    read_spec(record->spec);
    entry->record = std::move(record);
    return sound_;
  }

 private:
  void read_spec(KeySpec& spec) {
    spec.name = text();
    spec.user = text();
    spec.purpose = text();
    const std::string role = text();
    spec.role = role == "admin" ? KeyRole::kAdmin : KeyRole::kUser;
    sound_ &= role == "admin" || role == "user";
    spec.allow.models = list();
    spec.allow.providers = list();
    spec.allow.endpoints = list();
    spec.params.max_tokens = maybe_integer();
    spec.params.min_temperature = maybe_real();
    spec.params.max_temperature = maybe_real();
    if (const auto tools = maybe_integer()) spec.params.tools = *tools != 0;
    spec.limits.requests = rate();
    spec.limits.tokens = rate();
    spec.limits.concurrent = integer();
    spec.limits.budget = budget();
    if (const auto expires = maybe_integer()) spec.expires = wall(*expires);
    spec.filters = list();
  }

  int64_t integer() { return row_.integer(column_++); }
  std::string text() { return std::string(row_.text(column_++)); }
  std::optional<int64_t> maybe_integer() {
    const int column = column_++;
    return row_.null(column) ? std::nullopt : std::optional<int64_t>(row_.integer(column));
  }
  std::optional<double> maybe_real() {
    const int column = column_++;
    return row_.null(column) ? std::nullopt : std::optional<double>(row_.real(column));
  }
  template <size_t N>
  void blob(std::array<unsigned char, N>& out) {
    const std::string_view bytes = row_.blob(column_++);
    sound_ &= bytes.size() == N;
    if (bytes.size() == N) std::memcpy(out.data(), bytes.data(), N);
  }
  std::optional<Rate> rate() {
    const auto count = maybe_integer();
    const int64_t per = integer(), burst = integer();
    if (!count) return std::nullopt;
    return Rate{*count, Duration(per), burst};
  }
  std::optional<Budget> budget() {
    const auto nano = maybe_integer();
    const std::string per = text();
    const int64_t soft = integer(), anchor = integer();
    if (!nano) return std::nullopt;
    for (BudgetPeriod period : kPeriods) {
      if (budget_period_name(period) == per) return Budget{*nano, period, static_cast<int>(soft), wall(anchor)};
    }
    sound_ = false;
    return std::nullopt;
  }
  std::vector<std::string> list() {
    std::vector<std::string> entries;
    const std::string json = text();
    if (json == "[]") return entries;
    Statement each(db_, "SELECT value FROM json_each(?)");
    each.bind(json);
    while (each.row()) entries.emplace_back(each.text(0));
    sound_ &= !each.failed();  // an allow-list that cannot be read must not become one that allows everything
    return entries;
  }

  Db& db_;
  const Statement& row_;
  int column_ = 0;
  bool sound_ = true;
};

Error damaged(const Db& db, std::string_view id) {
  return Error(ErrorCode::kStorage, db.path() + ": the row of key \"" + std::string(id) + "\" is damaged");
}

template <typename T>
void bind_maybe(Statement& s, const std::optional<T>& value) {
  if (value) {
    s.bind(*value);
  } else {
    s.bind_null();
  }
}

void bind_rate(Statement& s, const std::optional<Rate>& rate) {
  if (!rate) {
    s.bind_null().bind_null().bind_null();
    return;
  }
  s.bind(rate->count).bind(static_cast<int64_t>(rate->per.count())).bind(rate->burst);
}

void bind_budget(Statement& s, const std::optional<Budget>& budget) {
  if (!budget) {
    s.bind_null().bind_null().bind_null().bind_null();
    return;
  }
  s.bind(budget->nano_usd).bind(budget_period_name(budget->per)).bind(int64_t{budget->soft_percent}).bind(micros(budget->anchor));
}

}  // namespace

Result<std::vector<KeyEntry>> load_keys(Db& db) {
  std::vector<KeyEntry> entries;
  Statement s(db, std::string("SELECT ").append(kColumns).append(" FROM keys"));
  while (s.row()) {
    KeyEntry entry;
    if (!RowReader(db, s).read(&entry)) return damaged(db, s.text(0));
    entries.push_back(std::move(entry));
  }
  if (s.failed()) return db.error("reading the keys");
  return entries;
}

Result<std::optional<KeyEntry>> load_key(Db& db, std::string_view id) {
  Statement s(db, std::string("SELECT ").append(kColumns).append(" FROM keys WHERE id = ?"));
  s.bind(id);
  if (!s.row()) {
    if (s.failed()) return db.error("reading a key");
    return std::optional<KeyEntry>();
  }
  KeyEntry entry;
  if (!RowReader(db, s).read(&entry)) return damaged(db, id);
  return std::optional<KeyEntry>(std::move(entry));
}

Result<void> save_key(Db& db, const KeyEntry& entry) {
  const KeyRecord& record = *entry.record;
  const KeySpec& spec = record.spec;
  const std::string models = list_json(spec.allow.models), providers = list_json(spec.allow.providers),
                    endpoints = list_json(spec.allow.endpoints), filters = list_json(spec.filters);
  Statement s(db, std::string("INSERT OR REPLACE INTO keys (")
                      .append(kColumns)
                      .append(") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"));
  s.bind(record.id).bind(entry.version).bind(micros(record.created)).bind(int64_t{record.revoked}).bind(record.hint);
  s.bind_blob(entry.hashed.lookup.data(), entry.hashed.lookup.size());
  s.bind_blob(entry.hashed.salt.data(), entry.hashed.salt.size());
  s.bind_blob(entry.hashed.hash.data(), entry.hashed.hash.size());
  s.bind(spec.name).bind(spec.user).bind(spec.purpose).bind(spec.role == KeyRole::kAdmin ? "admin" : "user");
  s.bind(models).bind(providers).bind(endpoints);
  bind_maybe(s, spec.params.max_tokens);
  bind_maybe(s, spec.params.min_temperature);
  bind_maybe(s, spec.params.max_temperature);
  bind_maybe(s, spec.params.tools ? std::optional<int64_t>(*spec.params.tools) : std::nullopt);
  bind_rate(s, spec.limits.requests);
  bind_rate(s, spec.limits.tokens);
  s.bind(spec.limits.concurrent);
  bind_budget(s, spec.limits.budget);
  bind_maybe(s, spec.expires ? std::optional<int64_t>(micros(*spec.expires)) : std::nullopt);
  s.bind(filters);
  if (!s.run()) return db.error("writing a key");
  return {};
}

Result<std::optional<std::string>> load_meta(Db& db, std::string_view name) {
  Statement s(db, "SELECT value FROM meta WHERE name = ?");
  s.bind(name);
  if (s.row()) return std::optional<std::string>(s.blob(0));
  if (s.failed()) return db.error("reading the key store");
  return std::optional<std::string>();
}

Result<void> save_meta(Db& db, std::string_view name, std::string_view value) {
  Statement s(db, "INSERT OR IGNORE INTO meta (name, value) VALUES (?, ?)");
  s.bind(name).bind_blob(value.data(), value.size());
  if (!s.run()) return db.error("writing to the key store");
  return {};
}

Result<std::vector<LedgerEntry>> load_ledger(Db& db, int64_t since) {
  std::vector<LedgerEntry> entries;
  Statement s(db, "SELECT bucket, period, nano_usd FROM ledger WHERE period = 0 OR period >= ?");
  s.bind(since);
  while (s.row()) entries.push_back({std::string(s.text(0)), s.integer(1), s.integer(2)});
  if (s.failed()) return db.error("reading the budgets");
  return entries;
}

Result<int64_t> load_spent(Db& db, std::string_view bucket, int64_t period) {
  Statement s(db, "SELECT nano_usd FROM ledger WHERE bucket = ? AND period = ?");
  s.bind(bucket).bind(period);
  if (s.row()) return s.integer(0);
  if (s.failed()) return db.error("reading a budget");
  return int64_t{0};
}

Result<void> add_to_ledger(Db& db, const std::vector<LedgerEntry>& entries) {
  Transaction transaction(db);
  if (!transaction.begun()) return db.error("writing the budgets");
  Statement s(db,
              "INSERT INTO ledger (bucket, period, nano_usd) VALUES (?, ?, ?) "
              "ON CONFLICT (bucket, period) DO UPDATE SET nano_usd = min(nano_usd, 9223372036854775807 - excluded.nano_usd) + excluded.nano_usd");
  for (const LedgerEntry& entry : entries) {
    s.bind(entry.bucket).bind(entry.period).bind(entry.nano_usd);
    if (!s.run()) return db.error("writing the budgets");
  }
  if (!transaction.commit()) return db.error("writing the budgets");
  return {};
}

}  // namespace llmrouter::storage
