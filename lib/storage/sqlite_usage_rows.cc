#include "storage/sqlite_usage_rows.h"

#include <optional>

#include "wire/json_writer.h"

namespace llmrouter::storage {
namespace {

constexpr std::string_view kColumns =
    "id, time, request_id, key, user, endpoint, dialect, requested_model, provider, model, stream, status, http_status, error_code, "
    "input_tokens, cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens, audio_input_tokens, audio_output_tokens, image_tokens, "
    "known, estimated, cost_nano_usd, price, latency_ms, first_token_ms, overhead_us, dropped, decision, attempts";
constexpr int kNumberColumn = 32;  // `n`, after them

// The columns that are summed, in the order of `counters`.
constexpr std::string_view kCounters[] = {"input_tokens",     "cached_tokens",      "cache_write_tokens",  "output_tokens", "reasoning_tokens",
                                          "audio_input_tokens", "audio_output_tokens", "image_tokens", "cost_nano_usd"};


void write_attempts(const std::vector<AttemptRecord>& attempts, std::string& out) {
  wire::JsonWriter w(out);
  w.begin_array();
  for (const AttemptRecord& a : attempts) {
    w.begin_object();
    w.member("provider", a.provider);
    w.member("model", a.model);
    w.member("credential", a.credential);
    w.member("started_ms", a.started_ms);
    w.member("duration_ms", a.duration_ms);
    w.member("outcome", a.outcome);
    w.member("http_status", a.http_status);
    w.member("reason", a.reason);
    if (!a.detail.empty()) w.member("detail", a.detail);
    w.member("cost_nano_usd", a.cost_nano_usd);
    w.end_object();
  }
  w.end_array();
}

// Reads pages; its statements for the JSON columns are prepared once.
class RowReader {
 public:
  explicit RowReader(Db& db)
      : strings_(db, "SELECT value FROM json_each(?)"),
        attempts_(db,
                  "SELECT value ->> 'provider', value ->> 'model', value ->> 'credential', value ->> 'started_ms', value ->> 'duration_ms', "
                  "value ->> 'outcome', value ->> 'http_status', value ->> 'reason', value ->> 'cost_nano_usd', value ->> 'detail' FROM json_each(?)") {}

  // What is left of a damaged column is left out: a page is worth more than an error.
  UsageRecord read(const Statement& row) {
    row_ = &row;
    column_ = 0;
    UsageRecord r;
    r.id = text();
    r.time = WallTime(std::chrono::microseconds(integer()));
    r.request_id = text();
    r.key = text();
    r.user = text();
    r.endpoint = text();
    r.dialect = text();
    r.requested_model = text();
    r.provider = text();
    r.model = text();
    r.stream = integer() != 0;
    r.status = status_of_name(row.text(column_++));
    r.http_status = static_cast<int>(integer());
    r.error_code = text();
    read_usage(r.usage);
    r.cost_nano_usd = integer();
    r.price = text();
    r.latency_ms = integer();
    r.first_token_ms = integer();
    r.overhead_us = integer();
    read_strings(row.text(column_++), r.dropped);
    r.decision = text();
    read_attempts(row.text(column_++), r.attempts);
    return r;
  }

 private:
  std::string text() { return std::string(row_->text(column_++)); }
  int64_t integer() { return row_->integer(column_++); }

  void read_usage(TokenUsage& u) {
    u.input = integer();
    u.cached = integer();
    u.cache_write = integer();
    u.output = integer();
    u.reasoning = integer();
    u.audio_input = integer();
    u.audio_output = integer();
    u.image = integer();
    u.known = integer() != 0;
    u.estimated = integer() != 0;
  }

  void read_strings(std::string_view json, std::vector<std::string>& out) {
    if (json == "[]") return;
    strings_.reset();
    strings_.bind(json);
    while (strings_.row()) out.emplace_back(strings_.text(0));
    strings_.reset();
  }

  void read_attempts(std::string_view json, std::vector<AttemptRecord>& out) {
    if (json == "[]") return;
    Statement& s = attempts_;
    s.reset();
    s.bind(json);
    while (s.row()) {
      AttemptRecord a;
      a.provider = s.text(0);
      a.model = s.text(1);
      a.credential = s.text(2);
      a.started_ms = s.integer(3);
      a.duration_ms = s.integer(4);
      a.outcome = s.text(5);
      a.http_status = static_cast<int>(s.integer(6));
      a.reason = s.text(7);
      a.cost_nano_usd = s.integer(8);
      a.detail = s.text(9);
      out.push_back(std::move(a));
    }
    s.reset();
  }

  const Statement* row_ = nullptr;
  int column_ = 0;
  Statement strings_, attempts_;
};

// The conditions of a filter, and their parameters in the same order.
struct Where {
  explicit Where(const UsageFilter& f) : filter(f) {
    if (f.since) sql += " AND time >= ?";
    if (f.until) sql += " AND time < ?";
    if (!f.key.empty()) sql += " AND key = ?";
    if (!f.user.empty()) sql += " AND user = ?";
    if (!f.provider.empty()) sql += " AND provider = ?";
    if (!f.model.empty()) sql += " AND (model = ? OR requested_model = ?)";
    if (!f.status.empty()) sql += " AND status = ?";
  }
  void bind(Statement& s) const {
    if (filter.since) s.bind(micros(*filter.since));
    if (filter.until) s.bind(micros(*filter.until));
    for (const std::string* text : {&filter.key, &filter.user, &filter.provider}) {
      if (!text->empty()) s.bind(*text);
    }
    if (!filter.model.empty()) s.bind(filter.model).bind(filter.model);
    if (!filter.status.empty()) s.bind(filter.status);
  }
  const UsageFilter& filter;
  std::string sql = " WHERE 1";
};

const char* group_sql(UsageGroup group) noexcept {
  switch (group) {
    case UsageGroup::kAll: return "''";
    case UsageGroup::kModel: return "requested_model";
    case UsageGroup::kProvider: return "provider";
    case UsageGroup::kKey: return "key";
    case UsageGroup::kUser: return "user";
    case UsageGroup::kDay: return "date(time / 1000000, 'unixepoch')";
  }
  return "''";
}

// A sum in two halves cannot overflow, and SQLite refuses one that does.
int64_t from_halves(int64_t high, int64_t low) noexcept {
  const int64_t carry = high + (low >> 32);
  if (carry < 0) return 0;
  if (carry > INT64_MAX >> 32) return INT64_MAX;
  return carry << 32 | (low & 0xffffffff);
}

}  // namespace

UsageInserter::UsageInserter(Db& db)
    : statement_(db, std::string("INSERT INTO usage (")
                         .append(kColumns)
                         .append(") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING")) {}

bool UsageInserter::insert(const UsageRecord& r) {
  dropped_.clear();
  wire::JsonWriter w(dropped_);
  w.begin_array();
  for (const std::string& name : r.dropped) w.string(name);
  w.end_array();
  attempts_.clear();
  write_attempts(r.attempts, attempts_);
  Statement& s = statement_;
  const TokenUsage& u = r.usage;
  s.bind(r.id).bind(micros(r.time)).bind(r.request_id).bind(r.key).bind(r.user).bind(r.endpoint).bind(r.dialect).bind(r.requested_model);
  s.bind(r.provider).bind(r.model).bind(int64_t{r.stream}).bind(call_status_name(r.status)).bind(int64_t{r.http_status}).bind(r.error_code);
  s.bind(u.input).bind(u.cached).bind(u.cache_write).bind(u.output).bind(u.reasoning).bind(u.audio_input).bind(u.audio_output).bind(u.image);
  s.bind(int64_t{u.known}).bind(int64_t{u.estimated}).bind(r.cost_nano_usd).bind(r.price);
  s.bind(r.latency_ms).bind(r.first_token_ms).bind(r.overhead_us).bind(dropped_).bind(r.decision).bind(attempts_);
  return s.run();
}

Result<UsagePage> query_usage(Db& db, const UsageFilter& filter, const CheckedFilter& checked) {
  const Where where(filter);
  std::string sql = std::string("SELECT ").append(kColumns).append(", n FROM usage").append(where.sql);
  if (checked.after) sql += " AND (time, n) < (?, ?)";
  sql += " ORDER BY time DESC, n DESC LIMIT ?";
  Statement s(db, sql);
  where.bind(s);
  if (checked.after) s.bind(checked.after->time_us).bind(checked.after->number);
  s.bind(int64_t{filter.limit} + 1);
  RowReader reader(db);
  UsagePage page;
  UsagePlace last;
  while (s.row()) {
    if (page.data.size() == static_cast<size_t>(filter.limit)) {
      page.next = cursor_of(last);  // there is one more
      break;
    }
    page.data.push_back(reader.read(s));
    last = {s.integer(1), s.integer(kNumberColumn)};
  }
  if (s.failed()) return db.error("reading the usage");
  return page;
}

Result<std::vector<UsageSum>> sum_usage(Db& db, UsageGroup group, const UsageFilter& filter) {
  const Where where(filter);
  std::string sql = std::string("SELECT ").append(group_sql(group)).append(" AS g, count(*), sum(status IN ('error', 'cut')), sum(status = 'limited'), sum(status = 'cancelled'), max(known), max(estimated)");
  for (std::string_view counter : kCounters) {
    sql.append(", sum(").append(counter).append(" >> 32), sum(").append(counter).append(" & 4294967295)");
  }
  sql.append(" FROM usage").append(where.sql).append(" GROUP BY g");
  Statement s(db, sql);
  where.bind(s);
  std::vector<UsageSum> sums;
  while (s.row()) {
    UsageSum sum;
    sum.group = s.text(0);
    sum.calls = s.integer(1);
    sum.errors = s.integer(2);
    sum.limited = s.integer(3);
    sum.cancelled = s.integer(4);
    sum.usage.known = s.integer(5) != 0;
    sum.usage.estimated = s.integer(6) != 0;
    int64_t* const counters[] = {&sum.usage.input,       &sum.usage.cached,       &sum.usage.cache_write, &sum.usage.output,  &sum.usage.reasoning,
                                 &sum.usage.audio_input, &sum.usage.audio_output, &sum.usage.image,       &sum.cost_nano_usd};
    int column = 7;
    for (int64_t* counter : counters) {
      *counter = from_halves(s.integer(column), s.integer(column + 1));
      column += 2;
    }
    sums.push_back(std::move(sum));
  }
  if (s.failed()) return db.error("summing the usage");
  if (group == UsageGroup::kAll && sums.empty()) sums.emplace_back();
  sort_sums(group, sums);
  return sums;
}

}  // namespace llmrouter::storage
