#include "storage/sqlite_db.h"

#include <sqlite3.h>

namespace llmrouter::storage {
namespace {

DbFault fault_of(int code) noexcept {
  switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE: return DbFault::kNone;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: return DbFault::kBusy;
    case SQLITE_FULL: return DbFault::kFull;
    case SQLITE_READONLY:
    case SQLITE_PERM: return DbFault::kReadOnly;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return DbFault::kCorrupt;
    case SQLITE_CANTOPEN:
    case SQLITE_AUTH: return DbFault::kCannotOpen;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
    case SQLITE_TOOBIG: return DbFault::kInput;
    default: return DbFault::kOther;
  }
}

std::string_view words_of(DbFault fault) noexcept {
  switch (fault) {
    case DbFault::kBusy: return "it is locked by another process";
    case DbFault::kFull: return "the disk is full";
    case DbFault::kReadOnly: return "it cannot be written";
    case DbFault::kCorrupt: return "it is damaged or not a database";
    case DbFault::kCannotOpen: return "it cannot be opened";
    default: return {};
  }
}

}  // namespace

void Db::Close::operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }

bool Db::open(const std::string& path, bool read_only, std::chrono::milliseconds busy_timeout) {
  path_ = path;
  sqlite3* raw = nullptr;
  code_ = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  handle_.reset(raw);
  if (code_ != SQLITE_OK) {
    handle_.reset();
    return false;
  }
  sqlite3_busy_timeout(raw, static_cast<int>(busy_timeout.count()));
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  const bool ready = exec("PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY") &&
                     (!read_only || exec("PRAGMA query_only=ON"));
  if (!ready) handle_.reset();
  return ready;
}

bool Db::exec(const char* sql) {
  code_ = handle_ ? sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) : SQLITE_CANTOPEN;
  return code_ == SQLITE_OK;
}

int64_t Db::number(const char* sql) {
  Statement statement(*this, sql);
  return statement.row() ? statement.integer(0) : 0;
}

std::string Db::text(const char* sql) {
  Statement statement(*this, sql);
  return statement.row() ? std::string(statement.text(0)) : std::string();
}

int64_t Db::changes() const noexcept { return handle_ ? sqlite3_changes(handle_.get()) : 0; }

bool Db::in_transaction() const noexcept { return handle_ && sqlite3_get_autocommit(handle_.get()) == 0; }

DbFault Db::fault() const noexcept { return fault_of(code_); }

Error Db::error(std::string_view what) const {
  std::string message = path_;
  message.append(": ").append(what);
  const std::string_view words = words_of(fault());
  if (!words.empty()) message.append(": ").append(words);
  message.append(" (SQLite: ").append(sqlite3_errstr(code_)).append(", ").append(std::to_string(code_)).append(")");
  return Error(ErrorCode::kStorage, std::move(message));
}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }

Statement::Statement(Db& db, std::string_view sql) : db_(&db) {
  sqlite3_stmt* raw = nullptr;
  db.code_ = db.handle_ ? sqlite3_prepare_v3(db.handle_.get(), sql.data(), static_cast<int>(sql.size()), 0, &raw, nullptr) : SQLITE_CANTOPEN;
  handle_.reset(raw);
  failed_ = db.code_ != SQLITE_OK;
}

Statement& Statement::bound(int code) noexcept {
  if (code != SQLITE_OK) {
    db_->code_ = code;
    failed_ = true;
  }
  return *this;
}

Statement& Statement::bind(int64_t value) { return bound(sqlite3_bind_int64(handle_.get(), ++next_, value)); }

Statement& Statement::bind(double value) { return bound(sqlite3_bind_double(handle_.get(), ++next_, value)); }

Statement& Statement::bind(std::string_view text) {
  // A null pointer would bind NULL.
  const char* data = text.data() != nullptr ? text.data() : "";
  return bound(sqlite3_bind_text64(handle_.get(), ++next_, data, text.size(), SQLITE_STATIC, SQLITE_UTF8));
}

Statement& Statement::bind_blob(const void* bytes, size_t size) {
  return bound(sqlite3_bind_blob64(handle_.get(), ++next_, bytes, size, SQLITE_STATIC));
}

Statement& Statement::bind_null() { return bound(sqlite3_bind_null(handle_.get(), ++next_)); }

bool Statement::row() {
  if (failed_ || !handle_) return false;
  const int code = sqlite3_step(handle_.get());
  db_->code_ = code;
  failed_ = code != SQLITE_ROW && code != SQLITE_DONE;
  return code == SQLITE_ROW;
}

bool Statement::run() {
  while (row()) {
  }
  const bool ok = !failed_ && handle_ != nullptr;
  const int code = db_ != nullptr ? db_->code_ : 0;
  reset();
  if (db_ != nullptr) db_->code_ = code;
  return ok;
}

void Statement::reset() noexcept {
  next_ = 0;
  if (!handle_) return;
  sqlite3_reset(handle_.get());
  sqlite3_clear_bindings(handle_.get());
  failed_ = false;
}

int64_t Statement::integer(int column) const noexcept { return sqlite3_column_int64(handle_.get(), column); }
double Statement::real(int column) const noexcept { return sqlite3_column_double(handle_.get(), column); }
bool Statement::null(int column) const noexcept { return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL; }

std::string_view Statement::text(int column) const noexcept {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
  return text == nullptr ? std::string_view() : std::string_view(text, static_cast<size_t>(sqlite3_column_bytes(handle_.get(), column)));
}

std::string_view Statement::blob(int column) const noexcept {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(handle_.get(), column));
  return bytes == nullptr ? std::string_view() : std::string_view(bytes, static_cast<size_t>(sqlite3_column_bytes(handle_.get(), column)));
}

Transaction::~Transaction() {
  if (!open_) return;
  const int code = db_.code_;
  db_.exec("ROLLBACK");
  db_.code_ = code;  // why it was rolled back is what the caller wants to know
}

bool Transaction::commit() {
  if (!open_) return false;
  if (!db_.exec("COMMIT")) return false;
  open_ = false;
  return true;
}

}  // namespace llmrouter::storage
