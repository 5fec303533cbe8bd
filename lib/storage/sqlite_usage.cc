#include "storage/sqlite_usage.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "llmrouter/values.h"
#include "storage/sqlite_usage_reader.h"

namespace llmrouter {
namespace storage {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr milliseconds kWriterBusyTimeout{1000};
constexpr milliseconds kReaderBusyTimeout{5000};
constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{5000};
constexpr size_t kBatch = 1000;               // records in a transaction
constexpr int kDeleteBatch = 500;             // old records in a transaction
constexpr int kLastTries = 3;
constexpr std::chrono::minutes kDeleteEvery{1};
constexpr std::chrono::minutes kIdleLook{10};  // for old records while nothing comes in
constexpr std::chrono::hours kLongestFlush{24};

// "20261121T074300Z": fit for a file's name.
std::string stamp(WallTime time) {
  const time_t seconds = std::chrono::system_clock::to_time_t(time);
  struct tm parts;
  char text[32];
  gmtime_r(&seconds, &parts);
  strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &parts);
  return text;
}

}  // namespace

SqliteUsageStore::SqliteUsageStore(const SqliteUsageOptions& options, const Clock& clock, Logger& logger)
    : options_(options), clock_(clock), logger_(logger) {}

Result<std::shared_ptr<SqliteUsageStore>> SqliteUsageStore::open(const SqliteUsageOptions& options, const Clock& clock, Logger& logger) {
  std::shared_ptr<SqliteUsageStore> store(new SqliteUsageStore(options, clock, logger));
  const OpenFailure failure = store->connect();
  if (failure.fault == OpenFault::kUnusable) return failure.error;
  // What may pass does not keep anybody from serving: records wait, and the worker tries again.
  if (failure.fault != OpenFault::kNone) store->failed(failure.error, DbFault::kOther);
  SqliteUsageStore* self = store.get();
  if (auto started = store->worker_.start("llmrouter-usage", [self] { self->work(); }); !started) return std::move(started).error();
  return store;
}

SqliteUsageStore::~SqliteUsageStore() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  worker_.join();
}

void SqliteUsageStore::record(UsageRecord record) noexcept {
  uint64_t accepted = accepted_.load(std::memory_order_relaxed);
  uint64_t queued = 0;
  do {
    queued = accepted - std::min(accepted, done_.load(std::memory_order_relaxed));
    if (queued >= options_.queue) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      overflow_.fetch_add(1, std::memory_order_relaxed);
      raise(awake_);
      return;
    }
  } while (!accepted_.compare_exchange_weak(accepted, accepted + 1));
  bool put = false;
  try {
    bound(record);
    put = inbox_.put(std::move(record));
  } catch (...) {  // no memory to cut a text
  }
  if (!put) {
    dropped_.fetch_add(1, std::memory_order_relaxed);
    done_.fetch_add(1);
  }
  if (queued >= options_.queue / 2) raise(hurry_);
  raise(awake_);
}

void SqliteUsageStore::raise(std::atomic<bool>& flag) noexcept {
  if (flag.exchange(true)) return;
  {
    std::lock_guard<std::mutex> lock(mutex_);  // so that the worker is either before its look at the flags, or asleep
  }
  wake_.notify_one();
}

void SqliteUsageStore::work() {
  std::unique_lock<std::mutex> lock(mutex_);
  bool last = false;
  while (!last) {
    wait_for_work(lock);
    last = stop_;
    flush_asked_ = false;
    lock.unlock();
    awake_.store(false);
    hurry_.store(false);
    inbox_.drain([this](UsageRecord&& record) { backlog_.push_back(std::move(record)); });
    if (damaged_.exchange(false) && db_) failed(Error(ErrorCode::kStorage, "reading usage records: the file is damaged"), DbFault::kCorrupt);
    write_backlog();
    if (failures_ > 0 && backlog_.empty()) probe();
    if (const uint64_t lost = overflow_.load(); lost != overflow_told_) {
      logger_.log(LogLevel::kWarn, "usage records were dropped: the queue was full", {{"records", std::to_string(lost - overflow_told_), true}});
      overflow_told_ = lost;
    }
    if (!last) delete_old();
    lock.lock();
  }
  lock.unlock();
  for (int i = 1; i < kLastTries && !backlog_.empty(); ++i) write_backlog();
  if (!backlog_.empty()) give_up(backlog_.size());
}

void SqliteUsageStore::wait_for_work(std::unique_lock<std::mutex>& lock) {
  const auto called = [this] { return stop_ || flush_asked_; };
  if (failures_ > 0) {
    wake_.wait_until(lock, retry_at_, called);
    return;
  }
  if (deleting_) return;
  wake_.wait_for(lock, kIdleLook, [&] { return called() || awake_.load(); });
  if (awake_.load()) wake_.wait_for(lock, options_.flush_every, [&] { return called() || hurry_.load(); });
}

void SqliteUsageStore::write_backlog() {
  while (!backlog_.empty() && write_batch()) {
  }
}

bool SqliteUsageStore::write_batch() {
  if (!db_) {
    const OpenFailure failure = connect();
    if (failure.fault != OpenFault::kNone) {
      failed(failure.error, DbFault::kOther);
      return false;
    }
  }
  const size_t count = std::min(kBatch, backlog_.size());
  const Outcome outcome = write_transaction(count);
  if (outcome.fault != DbFault::kNone) {
    failed(outcome.error, outcome.fault);
    return false;
  }
  backlog_.erase(backlog_.begin(), backlog_.begin() + static_cast<std::ptrdiff_t>(count));
  if (outcome.unfit > 0) {
    logger_.log(LogLevel::kError, "usage records that cannot be stored were dropped",
                {{"records", std::to_string(outcome.unfit), true}, {"error", outcome.error.message}});
  }
  succeeded();
  count_done(count - outcome.unfit, outcome.unfit);  // last: a flush that returns finds everything in order
  return true;
}

SqliteUsageStore::Outcome SqliteUsageStore::write_transaction(size_t count) {
  Outcome outcome;
  Transaction transaction(*db_);
  bool ok = transaction.begun();
  for (size_t i = 0; ok && i < count; ++i) {
    name(backlog_[i]);
    if (inserter_->insert(backlog_[i])) {
      // After a failure it may have been written before: a commit can fail after the fact.
      if (db_->changes() != 0 || failures_ > 0) continue;
      ++outcome.unfit;
      outcome.error = Error(ErrorCode::kStorage, "there is a record with the id \"" + backlog_[i].id + "\" already");
      continue;
    }
    ok = db_->fault() == DbFault::kInput;  // this one cannot be stored; the others can
    if (ok) ++outcome.unfit;
    outcome.error = db_->error("writing a usage record");
  }
  if (ok && transaction.commit()) return outcome;
  outcome.fault = db_->fault();
  outcome.error = db_->error("writing usage records");
  return outcome;
}

// While writing fails and there is nothing to write: is it better now?
void SqliteUsageStore::probe() {
  if (!db_) {
    const OpenFailure failure = connect();
    if (failure.fault != OpenFault::kNone) return failed(failure.error, DbFault::kOther);
  }
  const std::string sql = "PRAGMA user_version=" + std::to_string(kUsageSchema.version);
  if (db_->exec(sql.c_str())) return succeeded();
  const DbFault fault = db_->fault();
  failed(db_->error("writing to the usage store"), fault);
}

void SqliteUsageStore::give_up(size_t records) {
  logger_.log(LogLevel::kError, "usage records could not be written at the end and are lost", {{"records", std::to_string(records), true}});
  backlog_.clear();
  count_done(0, records);
}

void SqliteUsageStore::count_done(uint64_t written, uint64_t dropped) {
  written_.fetch_add(written, std::memory_order_relaxed);
  dropped_.fetch_add(dropped, std::memory_order_relaxed);
  done_.fetch_add(written + dropped);
  {
    std::lock_guard<std::mutex> lock(mutex_);
  }
  done_changed_.notify_all();
}

void SqliteUsageStore::disconnect() noexcept {
  inserter_.reset();  // its statement goes before its connection
  db_.reset();
}

OpenFailure SqliteUsageStore::connect() {
  OpenFailure failure = try_connect();
  if (failure.fault == OpenFault::kCorrupt) {
    disconnect();
    if (auto moved = move_aside(failure.error); !moved) return {OpenFault::kPassing, std::move(moved).error()};
    failure = try_connect();
  }
  if (failure.fault != OpenFault::kNone) disconnect();
  return failure;
}

OpenFailure SqliteUsageStore::try_connect() {
  disconnect();
  if (OpenFailure failure = prepare_path(options_.path, kUsageSchema); failure.fault != OpenFault::kNone) return failure;
  db_ = std::make_unique<Db>();
  if (OpenFailure failure = open_database(*db_, options_.path, kUsageSchema, kWriterBusyTimeout, false); failure.fault != OpenFault::kNone) {
    return failure;
  }
  db_->number("SELECT n FROM usage ORDER BY n DESC LIMIT 1");  // a look at the end of it
  if (db_->fault() != DbFault::kNone) {
    return {db_->fault() == DbFault::kCorrupt ? OpenFault::kCorrupt : OpenFault::kPassing, db_->error("opening the usage store")};
  }
  inserter_ = std::make_unique<UsageInserter>(*db_);
  generation_.fetch_add(1);
  return {};
}

// History is not worth refusing to serve: a damaged file is kept for whoever wants to look into it, and a new one begun.
Result<void> SqliteUsageStore::move_aside(const Error& why) {
  const std::string& path = options_.path;
  const std::string base = path + ".corrupt-" + stamp(clock_.wall());
  std::string kept = base;
  for (int i = 2; access(kept.c_str(), F_OK) == 0; ++i) kept = base + '-' + std::to_string(i);
  if (::rename(path.c_str(), kept.c_str()) != 0) {
    return Error(ErrorCode::kStorage, why.message + "; it could not be moved aside either (errno " + std::to_string(errno) + ")");
  }
  ::rename((path + "-wal").c_str(), (kept + "-wal").c_str());  // there may be none
  ::unlink((path + "-shm").c_str());
  logger_.log(LogLevel::kError, "the usage database is damaged: it was moved aside, and a new one is begun",
              {{"error", why.message}, {"moved_to", kept}});
  std::lock_guard<std::mutex> lock(mutex_);
  moved_ = "the database was damaged: what was recorded before " + format_time_rfc3339(clock_.wall()) + " is not shown any more, the file is kept as " + kept;
  ++moved_aside_;
  return {};
}

void SqliteUsageStore::failed(const Error& error, DbFault fault) {
  const milliseconds pause = std::min(kLongestPause, kFirstPause * (1 << std::min(failures_, 10)));
  ++failures_;
  retry_at_ = SteadyClock::now() + pause;
  bool first = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    first = problem_.empty();
    problem_ = error.message;
  }
  if (first) logger_.log(LogLevel::kError, "usage records cannot be written; they wait", {{"error", error.message}});
  if (fault == DbFault::kBusy || fault == DbFault::kFull) return;
  disconnect();  // the file may have been replaced: the next try opens it anew
  if (fault == DbFault::kCorrupt && move_aside(error)) retry_at_ = SteadyClock::now();
}

void SqliteUsageStore::succeeded() {
  failures_ = 0;
  bool recovered = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    recovered = !problem_.empty();
    problem_.clear();
  }
  if (recovered) logger_.log(LogLevel::kInfo, "usage records are written again", {{"path", options_.path}});
}

void SqliteUsageStore::delete_old() {
  if (options_.retention.count() <= 0 || !db_ || failures_ > 0) return;
  const WallTime now = clock_.wall();
  if (!deleting_ && now < next_delete_) return;
  next_delete_ = now + kDeleteEvery;
  deleting_ = false;
  Statement old(*db_, "DELETE FROM usage WHERE n IN (SELECT n FROM usage WHERE time < ? ORDER BY time LIMIT ?)");
  old.bind(std::chrono::time_point_cast<std::chrono::microseconds>(now - options_.retention).time_since_epoch().count()).bind(int64_t{kDeleteBatch});
  if (old.run()) {
    deleting_ = db_->changes() == kDeleteBatch;
    return;
  }
  const DbFault fault = db_->fault();
  const Error why = db_->error("deleting old usage records");
  old = Statement();  // goes before its connection may
  failed(why, fault);
}

template <typename T, typename F>
Result<T> SqliteUsageStore::ask(F&& question) {
  std::lock_guard<std::mutex> lock(reader_mutex_);
  const uint64_t generation = generation_.load();
  if (generation == 0) {
    const StoreHealth now = health();
    return Error(ErrorCode::kStorage, now.problem.empty() ? options_.path + ": is not open yet" : now.problem);
  }
  if (!reader_ || reader_generation_ != generation) {
    reader_ = std::make_unique<Db>();
    reader_generation_ = generation;
    if (!reader_->open(options_.path, true, kReaderBusyTimeout)) {
      const Error error = reader_->error("opening the usage store");
      reader_.reset();
      return error;
    }
  }
  Result<T> answer = question(*reader_);
  if (answer || reader_->fault() == DbFault::kBusy) return answer;
  if (reader_->fault() == DbFault::kCorrupt) {  // the writer may not come across it for long
    damaged_.store(true);
    raise(awake_);
  }
  reader_.reset();
  return answer;
}

Result<UsagePage> SqliteUsageStore::query(const UsageFilter& filter) {
  const auto checked = check_filter(filter);
  if (!checked) return checked.error();
  return ask<UsagePage>([&](Db& db) { return query_usage(db, filter, *checked); });
}

Result<std::vector<UsageSum>> SqliteUsageStore::sum(std::string_view by, const UsageFilter& filter) {
  const auto group = usage_group(by);
  if (!group) return group.error();
  if (auto checked = check_filter(filter); !checked) return std::move(checked).error();
  return ask<std::vector<UsageSum>>([&](Db& db) { return sum_usage(db, *group, filter); });
}

Result<void> SqliteUsageStore::flush(Duration timeout) {
  const uint64_t target = accepted_.load();
  std::unique_lock<std::mutex> lock(mutex_);
  flush_asked_ = true;
  wake_.notify_all();
  const Duration wait = std::clamp<Duration>(timeout, Duration(0), kLongestFlush);
  if (done_changed_.wait_for(lock, wait, [&] { return done_.load() >= target; })) return {};
  const std::string problem = problem_.empty() ? "the writer is not done" : problem_;
  lock.unlock();
  return Error(ErrorCode::kStorage, std::to_string(target - std::min(target, done_.load())) + " usage records are not on disk yet: " + problem);
}

StoreHealth SqliteUsageStore::health() const {
  StoreHealth health;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    health.ok = problem_.empty();
    health.problem = health.ok ? moved_ : problem_;
    health.moved_aside = moved_aside_;
  }
  health.written = written_.load();
  health.dropped = dropped_.load();
  const uint64_t done = done_.load(), accepted = accepted_.load();
  health.queued = accepted - std::min(accepted, done);
  return health;
}

}  // namespace storage

Result<std::shared_ptr<UsageStore>> open_sqlite_usage_store(const SqliteUsageOptions& options, const Clock& clock, Logger& logger) {
  if (options.read_only) {
    auto reader = storage::SqliteUsageReader::open(options.path);
    if (!reader) return std::move(reader).error();
    return std::shared_ptr<UsageStore>(std::move(*reader));
  }
  auto store = storage::SqliteUsageStore::open(options, clock, logger);
  if (!store) return std::move(store).error();
  return std::shared_ptr<UsageStore>(std::move(*store));
}

}  // namespace llmrouter
