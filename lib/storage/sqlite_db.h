// SQLite behind two small classes. The only header of it that other files need; sqlite3.h stays inside sqlite_db.cc.
#ifndef LLMROUTER_STORAGE_SQLITE_DB_H_
#define LLMROUTER_STORAGE_SQLITE_DB_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "llmrouter/clock.h"
#include "llmrouter/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace llmrouter::storage {

// What a failure means for what to do next.
enum class DbFault {
  kNone,
  kBusy,      // another process holds it
  kFull,
  kReadOnly,
  kCorrupt,   // not a database, or a damaged one
  kCannotOpen,
  kInput,     // this row cannot be stored, others can
  kOther,     // I/O, memory, anything else
};

// One connection. Used by one thread at a time. A failed call is remembered until the next one: fault() and error() tell.
class Db {
 public:
  Db() = default;

  // `read_only` forbids changes on this connection; the file is opened for both, since readers of a WAL database write to its index.
  bool open(const std::string& path, bool read_only, std::chrono::milliseconds busy_timeout);
  void close() noexcept { handle_.reset(); }
  bool is_open() const noexcept { return handle_ != nullptr; }

  bool exec(const char* sql);  // one or more statements without parameters
  // The first column of the first row as an integer; 0 when there is none or it fails.
  int64_t number(const char* sql);
  std::string text(const char* sql);
  int64_t changes() const noexcept;  // rows of the last statement
  bool in_transaction() const noexcept;

  DbFault fault() const noexcept;
  // kStorage: "PATH: WHAT: why".
  Error error(std::string_view what) const;
  const std::string& path() const noexcept { return path_; }

 private:
  friend class Statement;
  friend class Transaction;
  struct Close {
    void operator()(sqlite3* db) const noexcept;
  };
  std::unique_ptr<sqlite3, Close> handle_;
  std::string path_;
  int code_ = 0;  // of the last call
};

// A prepared statement. Goes before its Db does.
class Statement {
 public:
  Statement() = default;
  Statement(Db& db, std::string_view sql);

  bool ready() const noexcept { return handle_ != nullptr; }
  // Parameters are counted from 1 in the order of the calls; reset() begins anew. Texts must live until the statement ran.
  Statement& bind(int64_t value);
  Statement& bind(std::string_view text);
  Statement& bind(double value);
  Statement& bind_blob(const void* bytes, size_t size);
  Statement& bind_null();

  // Steps to the next row; false at the end and on failure (then failed()).
  bool row();
  bool failed() const noexcept { return failed_; }
  // Runs a statement that gives no rows, and resets it.
  bool run();
  void reset() noexcept;

  // Columns of the row, from 0. A text is valid until the next row().
  int64_t integer(int column) const noexcept;
  double real(int column) const noexcept;
  std::string_view text(int column) const noexcept;
  std::string_view blob(int column) const noexcept;
  bool null(int column) const noexcept;

 private:
  Statement& bound(int code) noexcept;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
  Db* db_ = nullptr;
  int next_ = 0;
  bool failed_ = false;
};

// BEGIN IMMEDIATE ... COMMIT; rolls back when it goes without commit().
class Transaction {
 public:
  explicit Transaction(Db& db) : db_(db), open_(db.exec("BEGIN IMMEDIATE")) {}
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  bool begun() const noexcept { return open_; }
  bool commit();

 private:
  Db& db_;
  bool open_;
};

// Times as they are stored.
inline int64_t micros(WallTime time) noexcept { return time.time_since_epoch().count(); }

// While it lives a commit is on disk, not only with the operating system, before it returns.
class FullSync {
 public:
  explicit FullSync(Db& db) : db_(db) { db_.exec("PRAGMA synchronous=FULL"); }
  ~FullSync() { db_.exec("PRAGMA synchronous=NORMAL"); }
  FullSync(const FullSync&) = delete;
  FullSync& operator=(const FullSync&) = delete;

 private:
  Db& db_;
};

}  // namespace llmrouter::storage

#endif  // LLMROUTER_STORAGE_SQLITE_DB_H_
