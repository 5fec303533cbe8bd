// Keys and budgets in one SQLite database.
#ifndef LLMROUTER_STORAGE_SQLITE_KEYS_H_
#define LLMROUTER_STORAGE_SQLITE_KEYS_H_

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "llmrouter/keys.h"
#include "llmrouter/logger.h"
#include "llmrouter/state.h"
#include "storage/key_table.h"
#include "storage/ledger_book.h"
#include "storage/sqlite_db.h"
#include "storage/worker.h"

namespace llmrouter::storage {

// Requests read the table in memory. Whoever changes a key writes the row, in a transaction of its own that is on disk before the table
// changes. The worker writes what was spent every 20 ms while there is any, and looks twice a second whether another process wrote.
//
// Locks, in this order: db_mutex_ (held over disk I/O; changes of keys and the worker), then the table's and the book's own (memory alone).
class SqliteKeyStore final : public KeyStore, public BudgetLedger, public StateStore {
 public:
  static Result<std::shared_ptr<SqliteKeyStore>> open(const SqliteKeyOptions& options, const Clock& clock, Logger& logger);
  ~SqliteKeyStore() override;

  std::shared_ptr<const KeyRecord> find(std::string_view presented) const override { return table_.find(presented); }
  bool empty() const noexcept override { return table_.empty(); }
  Result<CreatedKey> create(const KeySpec& spec, std::string_view prefix) override;
  Result<void> set_file_keys(const std::vector<FileKey>& keys) override;
  std::vector<std::shared_ptr<const KeyRecord>> list() const override { return table_.list(); }
  Result<std::shared_ptr<const KeyRecord>> get(std::string_view id_or_name) const override { return table_.get(id_or_name); }
  Result<KeyRecord> modify(std::string_view id_or_name, const KeyChange& change) override;
  Result<void> revoke(std::string_view id_or_name) override;
  StoreHealth health() const override;

  // sqlite_sessions.cc
  Result<CreatedSession> create_session(const KeyRecord& key, const SessionWish& wish) override;
  std::vector<KeySession> sessions(const KeyRecord& key) const override { return table_.sessions(key.id, clock_.wall()); }
  Result<size_t> end_sessions(const KeyRecord& key, std::string_view id) override;

  int64_t spent(std::string_view bucket, int64_t period_start) override;
  void add(std::string_view bucket, int64_t period_start, int64_t nano_usd) noexcept override;

  // sqlite_state.cc
  std::vector<StateEntry> all() const override;
  Result<void> put(const StateEntry& entry) override;
  Result<bool> remove(std::string_view kind, std::string_view name) override;
  void watch(std::function<void()> changed) override;

 private:
  SqliteKeyStore(KeyHasher hasher, const Clock& clock, Logger& logger) : clock_(clock), logger_(logger), table_(std::move(hasher)) {}

  Result<void> start(std::unique_ptr<Db> db);
  Result<void> insert(const KeyEntry& entry);
  // The row as it is now, with `step` made of it.
  Result<KeyRecord> update(std::string_view id_or_name, const std::function<Result<KeyRecord>(const KeyRecord&)>& step);

  // With db_mutex_ held:
  Result<KeyEntry> row_of(std::string_view id_or_name);
  Result<void> reload();
  Result<void> reload_if_changed();
  Result<void> reload_state();
  Result<void> reload_sessions();

  void work();
  void wake() noexcept;
  bool write_ledger();
  void try_writing();  // while writing fails and there is nothing to write: is it better now?
  void look_for_changes();
  void tell_of_state();  // without a lock held
  // For health(); logs the first failure of a row and the recovery. Without a lock held.
  void note(std::string* problem, const Result<void>& outcome);

  const Clock& clock_;
  Logger& logger_;
  KeyTable table_;
  mutable LedgerBook book_;
  int64_t book_since_ = 0;  // the book holds every period from here on

  using State = std::map<std::pair<std::string, std::string>, std::string>;  // by kind and name
  mutable std::mutex state_mutex_;
  State state_;
  std::function<void()> state_watcher_;
  std::atomic<bool> state_changed_{false};  // by another process, and the watcher does not know yet

  std::mutex db_mutex_;
  std::unique_ptr<Db> db_;
  int64_t data_version_ = 0;  // SQLite's count of what others wrote

  mutable std::mutex health_mutex_;
  std::string write_problem_, read_problem_;
  std::atomic<uint64_t> written_{0}, lost_{0};

  std::mutex wake_mutex_;
  std::condition_variable wake_;
  std::atomic<bool> spent_something_{false};
  bool stop_ = false;
  Worker worker_;
};

}  // namespace llmrouter::storage

#endif  // LLMROUTER_STORAGE_SQLITE_KEYS_H_
