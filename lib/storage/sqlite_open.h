// From a path to a database that is ready for use.
#ifndef LLMROUTER_STORAGE_SQLITE_OPEN_H_
#define LLMROUTER_STORAGE_SQLITE_OPEN_H_

#include <chrono>
#include <string>
#include <string_view>

#include "llmrouter/logger.h"
#include "llmrouter/result.h"
#include "storage/sqlite_db.h"

namespace llmrouter::storage {

// A database of ours: what it is called, how it is told from others, and the steps from one version to the next.
struct Schema {
  const char* what;                 // "key store"
  int application_id;               // PRAGMA application_id
  const char* const* migrations;    // [i] leads from version i to i + 1 (PRAGMA user_version)
  int version;                      // how many there are
};
extern const Schema kKeySchema;
extern const Schema kUsageSchema;

// Why a database could not be opened.
enum class OpenFault {
  kNone,
  kUnusable,  // a person has to act: the path, its rights, somebody else's file, a newer version
  kCorrupt,
  kPassing,   // locked, full, read-only, I/O: may be gone the next time
};

struct OpenFailure {
  OpenFault fault = OpenFault::kNone;
  Error error;
};

// The directory (0700) and the file (0600), where they do not exist yet.
OpenFailure prepare_path(const std::string& path, const Schema& schema);
// Opens, sets the database up (WAL) and brings its schema up to date. `check` also reads the whole of it for damage.
OpenFailure open_database(Db& db, const std::string& path, const Schema& schema, std::chrono::milliseconds busy_timeout, bool check);
// Opens a database that is there without changing anything of it; one of an older version is kUnusable.
OpenFailure open_to_read(Db& db, const std::string& path, const Schema& schema, std::chrono::milliseconds busy_timeout);
// Warns when others may read the file.
void warn_if_open_to_others(const std::string& path, Logger& logger);

// The directory a file lies in; "." for a bare name.
std::string directory_of(const std::string& path);

}  // namespace llmrouter::storage

#endif  // LLMROUTER_STORAGE_SQLITE_OPEN_H_
