// Usage records in an SQLite database of their own.
#ifndef LLMROUTER_STORAGE_SQLITE_USAGE_H_
#define LLMROUTER_STORAGE_SQLITE_USAGE_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "llmrouter/logger.h"
#include "llmrouter/usage.h"
#include "storage/inbox.h"
#include "storage/sqlite_db.h"
#include "storage/sqlite_open.h"
#include "storage/sqlite_usage_rows.h"
#include "storage/worker.h"

namespace llmrouter::storage {

// record() puts into a lock-free inbox and never waits. The worker empties it every `flush_every`, writes in transactions, tries again (with
// growing pauses) what could not be written, and deletes what is too old. Queries have a connection of their own.
//
// Every record is counted once: as queued, then as written or dropped.
class SqliteUsageStore final : public UsageStore {
 public:
  static Result<std::shared_ptr<SqliteUsageStore>> open(const SqliteUsageOptions& options, const Clock& clock, Logger& logger);
  ~SqliteUsageStore() override;

  void record(UsageRecord record) noexcept override;
  Result<UsagePage> query(const UsageFilter& filter) override;
  Result<std::vector<UsageSum>> sum(std::string_view by, const UsageFilter& filter) override;
  Result<void> flush(Duration timeout) override;
  StoreHealth health() const override;

 private:
  SqliteUsageStore(const SqliteUsageOptions& options, const Clock& clock, Logger& logger);
  void raise(std::atomic<bool>& flag) noexcept;  // and wake the worker

  // The worker's. None holds a lock while it works with the disk.
  void work();
  void wait_for_work(std::unique_lock<std::mutex>& lock);
  void write_backlog();
  bool write_batch();
  struct Outcome {
    DbFault fault = DbFault::kNone;
    Error error;          // of the transaction, or of the last record that cannot be stored
    uint64_t unfit = 0;   // records that cannot be stored
  };
  Outcome write_transaction(size_t count);
  void probe();
  void delete_old();
  void give_up(size_t records);
  void count_done(uint64_t written, uint64_t dropped);
  void failed(const Error& error, DbFault fault);
  void succeeded();
  OpenFailure connect();
  OpenFailure try_connect();
  Result<void> move_aside(const Error& why);
  void disconnect() noexcept;

  template <typename T, typename F>
  Result<T> ask(F&& question);

  const SqliteUsageOptions options_;
  const Clock& clock_;
  Logger& logger_;

  Inbox<UsageRecord> inbox_;
  std::atomic<uint64_t> accepted_{0};       // put into the inbox, or about to be
  std::atomic<uint64_t> done_{0};           // of those: written or dropped
  std::atomic<uint64_t> written_{0}, dropped_{0};
  std::atomic<bool> awake_{false};          // the worker knows that there is something
  std::atomic<bool> hurry_{false};          // half the queue is full
  std::atomic<bool> damaged_{false};        // a question came upon it

  mutable std::mutex mutex_;                // what follows; held for moments
  std::condition_variable wake_, done_changed_;
  std::string problem_;
  std::string moved_;                       // where the last damaged database went
  uint64_t moved_aside_ = 0;
  bool flush_asked_ = false;
  bool stop_ = false;

  // The worker's alone.
  std::unique_ptr<Db> db_;
  std::unique_ptr<UsageInserter> inserter_;
  std::deque<UsageRecord> backlog_;
  int failures_ = 0;                        // in a row
  std::chrono::steady_clock::time_point retry_at_{};
  WallTime next_delete_{};
  bool deleting_ = false;                   // there was more than one batch to delete
  uint64_t overflow_told_ = 0;
  std::atomic<uint64_t> overflow_{0};       // refused because the queue was full

  std::mutex reader_mutex_;
  std::unique_ptr<Db> reader_;
  std::atomic<uint64_t> generation_{0};     // of the file; the reader's connection belongs to one
  uint64_t reader_generation_ = 0;

  Worker worker_;
};

}  // namespace llmrouter::storage

#endif  // LLMROUTER_STORAGE_SQLITE_USAGE_H_
