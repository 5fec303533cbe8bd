#include "storage/sqlite_keys.h"

#include "storage/key_rules.h"
#include "storage/sqlite_key_rows.h"
#include "storage/sqlite_open.h"
#include "storage/sqlite_secret.h"

namespace llmrouter {
namespace storage {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kBusyTimeout{2000};
constexpr milliseconds kLookEvery{500};
constexpr milliseconds kGather{20};  // what is spent meanwhile is written together; a kill -9 forgets no more than that
constexpr int kLastTries = 3;
constexpr int64_t kBookSeconds = 40 * 86400;  // longer than the longest period that ends

// The secret that was given, or the one beside the database.
Result<Secret> secret_for(const SqliteKeyOptions& options, bool database_has_one, Logger& logger) {
  if (!options.secret_key.empty()) return options.secret_key;
  const std::string path = directory_of(options.path) + "/secret.key";
  auto kept = read_secret_file(path, logger);
  if (!kept) return std::move(kept).error();
  if (*kept) return std::move(**kept);
  if (database_has_one) {
    return Error(ErrorCode::kStorage, path + ": is not there, and " + options.path +
                                          " cannot be read without it: put it back, or give the secret as storage.secret_key");
  }
  return make_secret_file(path, logger);
}

// The hasher of this database: made with the secret that its keys were made with.
Result<KeyHasher> hasher_for(Db& db, const SqliteKeyOptions& options, Logger& logger) {
  static constexpr std::string_view kCheck = "secret_check";
  auto check = load_meta(db, kCheck);
  if (!check) return std::move(check).error();
  auto secret = secret_for(options, check->has_value(), logger);
  if (!secret) return std::move(secret).error();
  auto hasher = KeyHasher::make(secret->reveal());
  if (!hasher) return hasher;
  const Digest& mine = hasher->check();
  if (!*check) {
    auto saved = save_meta(db, kCheck, {reinterpret_cast<const char*>(mine.data()), mine.size()});
    if (!saved) return std::move(saved).error();
    check = load_meta(db, kCheck);  // another process may have been faster
    if (!check) return std::move(check).error();
  }
  Digest theirs{};
  if (*check && (*check)->size() == theirs.size()) (*check)->copy(reinterpret_cast<char*>(theirs.data()), theirs.size());
  if (!same_bytes(mine, theirs)) {
    return Error(ErrorCode::kStorage, options.path + ": was made with another secret key (storage.secret_key, or " +
                                          directory_of(options.path) + "/secret.key): its keys can only be read with that one");
  }
  return hasher;
}

}  // namespace

Result<std::shared_ptr<SqliteKeyStore>> SqliteKeyStore::open(const SqliteKeyOptions& options, const Clock& clock, Logger& logger) {
  if (OpenFailure failed = prepare_path(options.path, kKeySchema); failed.fault != OpenFault::kNone) return std::move(failed.error);
  warn_if_open_to_others(options.path, logger);
  auto db = std::make_unique<Db>();
  OpenFailure failed = open_database(*db, options.path, kKeySchema, kBusyTimeout, true);
  if (failed.fault == OpenFault::kCorrupt) {
    failed.error.message += ". Nothing was changed. Put back a copy, or move the file away to begin without keys";
  }
  if (failed.fault != OpenFault::kNone) return std::move(failed.error);
  auto hasher = hasher_for(*db, options, logger);
  if (!hasher) return std::move(hasher).error();
  std::shared_ptr<SqliteKeyStore> store(new SqliteKeyStore(std::move(*hasher), clock, logger));
  if (auto started = store->start(std::move(db)); !started) return std::move(started).error();
  return store;
}

Result<void> SqliteKeyStore::start(std::unique_ptr<Db> db) {
  db_ = std::move(db);
  book_since_ = std::chrono::floor<std::chrono::seconds>(clock_.wall()).time_since_epoch().count() - kBookSeconds;
  data_version_ = db_->number("PRAGMA data_version");
  if (auto loaded = reload(); !loaded) return loaded;
  return worker_.start("llmrouter-keys", [this] { work(); });
}

SqliteKeyStore::~SqliteKeyStore() {
  {
    std::lock_guard<std::mutex> lock(wake_mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  worker_.join();
}

Result<CreatedKey> SqliteKeyStore::create(const KeySpec& spec, std::string_view prefix) {
  if (auto ok = check_prefix(prefix); !ok) return std::move(ok).error();
  if (auto ok = check_spec(spec); !ok) return std::move(ok).error();
  auto key = make_key_text(prefix.empty() ? "sk-" : prefix);
  if (!key) return std::move(key).error();
  const WallTime now = clock_.wall();
  if (auto ok = check_expiry(spec.expires, now); !ok) return std::move(ok).error();
  auto id = make_id("key_", now);
  if (!id) return std::move(id).error();
  auto record = std::make_shared<KeyRecord>();
  record->id = std::move(*id);
  record->spec = spec;
  record->hint = key->hint();
  record->created = now;
  anchor_budget(record->spec, now);
  KeyEntry entry;
  if (!table_.hasher().hash(key->reveal(), &entry.hashed)) return Error(ErrorCode::kStorage, "the key could not be hashed");
  entry.record = record;
  entry.version = 1;
  const Result<void> inserted = insert(entry);
  if (inserted || inserted.error().code == ErrorCode::kStorage) note(&write_problem_, inserted);
  if (!inserted) return inserted.error();
  written_.fetch_add(1, std::memory_order_relaxed);
  return CreatedKey{*record, std::move(*key)};
}

Result<void> SqliteKeyStore::insert(const KeyEntry& entry) {
  std::lock_guard<std::mutex> lock(db_mutex_);
  const FullSync sync(*db_);
  Transaction transaction(*db_);
  // Names are looked at inside the transaction: another process may be making the same.
  if (!transaction.begun()) return db_->error("writing a key");
  if (auto fresh = reload_if_changed(); !fresh) return fresh;
  if (auto free = table_.check_free(entry.record->spec.name, entry.record->id); !free) return free;
  if (auto saved = save_key(*db_, entry); !saved) return saved;
  if (!transaction.commit()) return db_->error("writing a key");
  table_.put_stored(entry);
  return {};
}

Result<void> SqliteKeyStore::set_file_keys(const std::vector<FileKey>& keys) { return table_.set_file_keys(keys, clock_.wall()); }

Result<KeyRecord> SqliteKeyStore::modify(std::string_view id_or_name, const KeyChange& change) {
  return update(id_or_name, [&](const KeyRecord& record) -> Result<KeyRecord> {
    auto next = changed(record, change, clock_.wall());
    if (!next) return next;
    if (auto free = table_.check_renamed(record, *next); !free) return std::move(free).error();
    return next;
  });
}

Result<void> SqliteKeyStore::revoke(std::string_view id_or_name) {
  auto revoked = update(id_or_name, [](const KeyRecord& record) -> Result<KeyRecord> {
    KeyRecord next = record;
    next.revoked = true;
    return next;
  });
  return revoked ? Result<void>() : Result<void>(std::move(revoked).error());
}

Result<KeyRecord> SqliteKeyStore::update(std::string_view id_or_name, const std::function<Result<KeyRecord>(const KeyRecord&)>& step) {
  const auto locked = [&]() -> Result<KeyRecord> {
    std::lock_guard<std::mutex> lock(db_mutex_);
    const FullSync sync(*db_);
    // The row is read inside the transaction: another process may be changing it.
    Transaction transaction(*db_);
    if (!transaction.begun()) return db_->error("writing a key");
    auto entry = row_of(id_or_name);
    if (!entry) return std::move(entry).error();
    auto next = step(*entry->record);
    if (!next) return next;
    entry->record = std::make_shared<KeyRecord>(*next);
    ++entry->version;
    if (auto saved = save_key(*db_, *entry); !saved) return std::move(saved).error();
    if (!transaction.commit()) return db_->error("writing a key");
    table_.put_stored(std::move(*entry));
    return next;
  };
  Result<KeyRecord> done = locked();
  if (done) {
    written_.fetch_add(1, std::memory_order_relaxed);
    note(&write_problem_, {});
  }
  if (!done && done.error().code == ErrorCode::kStorage) note(&write_problem_, done.error());
  return done;
}

Result<KeyEntry> SqliteKeyStore::row_of(std::string_view id_or_name) {
  if (auto fresh = reload_if_changed(); !fresh) return std::move(fresh).error();
  auto known = table_.get(id_or_name);
  if (!known) return std::move(known).error();
  if ((*known)->from_file) return key_of_the_file((*known)->spec.name);
  auto row = load_key(*db_, (*known)->id);
  if (!row) return std::move(row).error();
  if (!*row) return no_such_key(id_or_name);
  return std::move(**row);
}

Result<void> SqliteKeyStore::reload() {
  auto entries = load_keys(*db_);
  if (!entries) return std::move(entries).error();
  auto ledger = load_ledger(*db_, book_since_);
  if (!ledger) return std::move(ledger).error();
  if (auto state = reload_state(); !state) return state;
  if (auto sessions = reload_sessions(); !sessions) return sessions;
  table_.set_stored(std::move(*entries));
  book_.set_stored(*ledger);
  return {};
}

Result<void> SqliteKeyStore::reload_if_changed() {
  const int64_t version = db_->number("PRAGMA data_version");
  if (db_->fault() != DbFault::kNone) return db_->error("looking for changes");
  if (version == data_version_) return {};
  if (auto loaded = reload(); !loaded) return loaded;
  data_version_ = version;
  return {};
}

int64_t SqliteKeyStore::spent(std::string_view bucket, int64_t period_start) {
  if (const auto known = book_.spent(bucket, period_start)) return *known;
  if (period_start == 0 || period_start >= book_since_) return 0;
  std::lock_guard<std::mutex> lock(db_mutex_);
  auto stored = load_spent(*db_, bucket, period_start);
  return stored ? *stored : 0;
}

void SqliteKeyStore::add(std::string_view bucket, int64_t period_start, int64_t nano_usd) noexcept {
  if (!book_.add(bucket, period_start, nano_usd)) lost_.fetch_add(1, std::memory_order_relaxed);
  wake();
}

void SqliteKeyStore::wake() noexcept {
  if (spent_something_.exchange(true)) return;  // the worker knows
  {
    std::lock_guard<std::mutex> lock(wake_mutex_);  // so that it is either before its look at the flag, or asleep
  }
  wake_.notify_one();
}

void SqliteKeyStore::work() {
  std::unique_lock<std::mutex> lock(wake_mutex_);
  while (!stop_) {
    // The look at other processes' changes is the one thing here that goes by time: SQLite tells nobody.
    wake_.wait_for(lock, kLookEvery, [this] { return stop_ || spent_something_.load(); });
    if (spent_something_.load() && !stop_) wake_.wait_for(lock, kGather, [this] { return stop_; });
    spent_something_.store(false);
    lock.unlock();
    write_ledger();
    try_writing();
    look_for_changes();
    tell_of_state();
    lock.lock();
  }
  lock.unlock();
  for (int i = 0; i < kLastTries && !write_ledger(); ++i) {
  }
  const size_t left = book_.waiting();
  if (left == 0) return;
  lost_.fetch_add(left, std::memory_order_relaxed);
  logger_.log(LogLevel::kError, "money spent could not be written at the end: the next run does not know of it",
              {{"path", db_->path()}, {"budgets", std::to_string(left), true}});
}

bool SqliteKeyStore::write_ledger() {
  Result<void> done;
  {
    std::lock_guard<std::mutex> lock(db_mutex_);
    const std::vector<LedgerEntry> entries = book_.pending();
    if (entries.empty()) return true;
    done = add_to_ledger(*db_, entries);
    if (done) {
      book_.written(entries);
      written_.fetch_add(entries.size(), std::memory_order_relaxed);
    }
  }
  note(&write_problem_, done);
  return done.ok();
}

void SqliteKeyStore::try_writing() {
  {
    std::lock_guard<std::mutex> lock(health_mutex_);
    if (write_problem_.empty()) return;
  }
  Result<void> done;
  {
    std::lock_guard<std::mutex> lock(db_mutex_);
    if (!db_->exec("INSERT OR REPLACE INTO meta (name, value) VALUES ('written', x'01')")) done = db_->error("writing to the key store");
  }
  note(&write_problem_, done);
}

void SqliteKeyStore::look_for_changes() {
  Result<void> done;
  {
    std::lock_guard<std::mutex> lock(db_mutex_);
    done = reload_if_changed();
  }
  note(&read_problem_, done);
}

void SqliteKeyStore::note(std::string* problem, const Result<void>& outcome) {
  const std::string words = outcome ? std::string() : outcome.error().message;
  std::string before = words;
  {
    std::lock_guard<std::mutex> lock(health_mutex_);
    before.swap(*problem);
  }
  if (!words.empty() && before.empty()) logger_.log(LogLevel::kError, "the key store has a problem", {{"error", words}});
  if (words.empty() && !before.empty()) logger_.log(LogLevel::kInfo, "the key store works again", {{"path", db_->path()}});
}

StoreHealth SqliteKeyStore::health() const {
  StoreHealth health;
  {
    std::lock_guard<std::mutex> lock(health_mutex_);
    health.problem = write_problem_.empty() ? read_problem_ : write_problem_;
  }
  health.ok = health.problem.empty();
  health.written = written_.load(std::memory_order_relaxed);
  health.dropped = lost_.load(std::memory_order_relaxed);
  health.queued = book_.waiting();
  return health;
}

}  // namespace storage

Result<SqliteKeys> open_sqlite_key_store(const SqliteKeyOptions& options, const Clock& clock, Logger& logger) {
  auto store = storage::SqliteKeyStore::open(options, clock, logger);
  if (!store) return std::move(store).error();
  return SqliteKeys{*store, *store, *store};
}

}  // namespace llmrouter
