#include "storage/sqlite_open.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

namespace llmrouter::storage {
namespace {

std::string system_words(int code) {
  char text[128];
  return strerror_r(code, text, sizeof(text));  // the GNU one: it returns the text
}

OpenFailure failure(OpenFault fault, const std::string& path, const std::string& words) {
  return {fault, Error(ErrorCode::kStorage, path + ": " + words)};
}

bool passing(int code) noexcept { return code == ENOSPC || code == EDQUOT || code == EROFS || code == EIO || code == EMFILE || code == ENFILE; }

OpenFailure make_directories(const std::string& directory) {
  for (size_t end = directory.find('/', 1);; end = directory.find('/', end + 1)) {
    const std::string part = directory.substr(0, end);
    if (mkdir(part.c_str(), 0700) != 0) {
      const int code = errno;  // of a directory that is there: that it is, that the file system is read-only, ...
      struct stat there;
      if (stat(part.c_str(), &there) != 0 || !S_ISDIR(there.st_mode)) {
        return failure(passing(code) ? OpenFault::kPassing : OpenFault::kUnusable, part, "the directory cannot be made: " + system_words(code));
      }
    }
    if (end == std::string::npos) return {};
  }
}

// One process at a time: to switch a new database to WAL while another does the same fails at once, busy timeout or not. Held by the directory,
// since a second descriptor of the database itself would drop this process's locks on it when it is closed.
class OpeningLock {
 public:
  explicit OpeningLock(const std::string& path) : fd_(::open(directory_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    while (fd_ >= 0 && flock(fd_, LOCK_EX) != 0 && errno == EINTR) {
    }
  }
  ~OpeningLock() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpeningLock(const OpeningLock&) = delete;
  OpeningLock& operator=(const OpeningLock&) = delete;

 private:
  const int fd_;  // -1: a file system without such locks; then two that begin together may fail
};

OpenFailure failure_of(const Db& db, const Schema& schema, std::string_view doing) {
  OpenFault fault = OpenFault::kPassing;
  if (db.fault() == DbFault::kCorrupt) fault = OpenFault::kCorrupt;
  if (db.fault() == DbFault::kCannotOpen) fault = OpenFault::kUnusable;
  return {fault, db.error(std::string(doing) + " the " + schema.what)};
}

OpenFailure migrate(Db& db, const Schema& schema) {
  Transaction transaction(db);
  if (!transaction.begun()) return failure_of(db, schema, "setting up");
  // Asked inside the transaction: another process may have been faster.
  for (int64_t version = db.number("PRAGMA user_version"); version < schema.version; ++version) {
    if (!db.exec(schema.migrations[version])) return failure_of(db, schema, "bringing up to date");
  }
  const std::string marks =
      "PRAGMA application_id=" + std::to_string(schema.application_id) + "; PRAGMA user_version=" + std::to_string(schema.version);
  if (!db.exec(marks.c_str()) || !transaction.commit()) return failure_of(db, schema, "bringing up to date");
  return {};
}

// What a database says of itself.
struct Found {
  bool fresh = false;  // nothing in it
  int64_t version = 0;
};

OpenFailure look(Db& db, const std::string& path, const Schema& schema, Found* found) {
  const int64_t application_id = db.number("PRAGMA application_id");
  if (db.fault() != DbFault::kNone) return failure_of(db, schema, "opening");
  found->version = db.number("PRAGMA user_version");
  const int64_t tables = db.number("SELECT count(*) FROM sqlite_schema");
  if (db.fault() != DbFault::kNone) return failure_of(db, schema, "opening");
  found->fresh = application_id == 0 && found->version == 0 && tables == 0;
  if (!found->fresh && application_id != schema.application_id) {
    return failure(OpenFault::kUnusable, path, "is a database of something else, not a " + std::string(schema.what));
  }
  if (found->version > schema.version) {
    return failure(OpenFault::kUnusable, path,
                   "was made by a newer llmrouter (its " + std::string(schema.what) + " has version " + std::to_string(found->version) +
                       ", this one knows up to " + std::to_string(schema.version) + ")");
  }
  return {};
}

}  // namespace

std::string directory_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

OpenFailure prepare_path(const std::string& path, const Schema& schema) {
  if (path.empty() || path.front() == ':') {
    return failure(OpenFault::kUnusable, "\"" + path + "\"", "no path for the " + std::string(schema.what) + " (memory: keeps it in memory)");
  }
  if (path.find('\0') != std::string::npos) return failure(OpenFault::kUnusable, "storage", "a path holds a zero byte");
  if (OpenFailure made = make_directories(directory_of(path)); made.fault != OpenFault::kNone) return made;
  // Made here, so that nobody else can ever read it; SQLite gives its other files the same mode. An existing file is not opened: to close a
  // second descriptor would drop this process's locks on it.
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0) {
    ::close(fd);
    return {};
  }
  const int code = errno;
  if (code != EEXIST) return failure(passing(code) ? OpenFault::kPassing : OpenFault::kUnusable, path, "cannot be made: " + system_words(code));
  struct stat there;
  if (stat(path.c_str(), &there) != 0) return failure(OpenFault::kUnusable, path, "cannot be read: " + system_words(errno));
  if (!S_ISREG(there.st_mode)) return failure(OpenFault::kUnusable, path, "is not a file");
  return {};
}

OpenFailure open_database(Db& db, const std::string& path, const Schema& schema, std::chrono::milliseconds busy_timeout, bool check) {
  const OpeningLock lock(path);
  if (!db.open(path, false, busy_timeout)) return failure_of(db, schema, "opening");
  Found found;
  if (OpenFailure failed = look(db, path, schema, &found); failed.fault != OpenFault::kNone) return failed;
  const bool fresh = found.fresh;
  const int64_t version = found.version;
  if (check && !fresh) {
    const std::string verdict = db.text("PRAGMA quick_check(1)");
    if (db.fault() != DbFault::kNone) return failure_of(db, schema, "checking");
    if (verdict != "ok") return failure(OpenFault::kCorrupt, path, "the " + std::string(schema.what) + " is damaged: " + verdict);
  }
  // A new file's first page needs no journal on disk: what it would be rolled back to is nothing.
  if (!db.exec(fresh ? "PRAGMA synchronous=NORMAL; PRAGMA journal_mode=MEMORY" : "PRAGMA synchronous=NORMAL")) return failure_of(db, schema, "opening");
  // Readers and the writer do not wait for each other. A file system that cannot do it stays with the rollback journal.
  const bool wal = db.text("PRAGMA journal_mode=WAL") == "wal";
  if (db.fault() != DbFault::kNone) return failure_of(db, schema, "opening");
  if (!wal && fresh && !db.exec("PRAGMA journal_mode=DELETE")) return failure_of(db, schema, "opening");
  if (!db.exec("PRAGMA journal_size_limit=67108864")) return failure_of(db, schema, "opening");
  if (version == schema.version) return {};
  // The tables of a new database are in the WAL alone, and reach the disk with the first commit that has to: lost before it, they are made again.
  // The first page is there already, or SQLite would take the WAL for an old one.
  if (!wal || !fresh) return migrate(db, schema);
  if (!db.exec("PRAGMA synchronous=OFF")) return failure_of(db, schema, "setting up");
  if (OpenFailure failed = migrate(db, schema); failed.fault != OpenFault::kNone) return failed;
  if (!db.exec("PRAGMA synchronous=NORMAL")) return failure_of(db, schema, "setting up");
  return {};
}

OpenFailure open_to_read(Db& db, const std::string& path, const Schema& schema, std::chrono::milliseconds busy_timeout) {
  if (!db.open(path, true, busy_timeout)) return failure_of(db, schema, "opening");
  Found found;
  if (OpenFailure failed = look(db, path, schema, &found); failed.fault != OpenFault::kNone) return failed;
  if (found.version < schema.version) {
    return failure(OpenFault::kUnusable, path, "is a " + std::string(schema.what) + " of an older llmrouter: start the server once, which brings it up to date");
  }
  return {};
}

void warn_if_open_to_others(const std::string& path, Logger& logger) {
  struct stat there;
  if (stat(path.c_str(), &there) == 0 && (there.st_mode & 077) != 0) {
    logger.log(LogLevel::kWarn, "others may read this file: chmod 600 is safer", {{"path", path}});
  }
}

}  // namespace llmrouter::storage
