// The secret of a store that was given none: made once, kept beside the database.
#ifndef LLMROUTER_STORAGE_SQLITE_SECRET_H_
#define LLMROUTER_STORAGE_SQLITE_SECRET_H_

#include <optional>
#include <string>

#include "llmrouter/logger.h"
#include "llmrouter/result.h"
#include "llmrouter/secret.h"

namespace llmrouter::storage {

// What the file holds; nothing when there is none. Warns when others may read it; an error when it cannot be read or is damaged.
Result<std::optional<Secret>> read_secret_file(const std::string& path, Logger& logger);
// A new secret in a new file, mode 0600, complete before it has its name and on disk before this returns. When another process was faster, its secret.
Result<Secret> make_secret_file(const std::string& path, Logger& logger);

}  // namespace llmrouter::storage

#endif  // LLMROUTER_STORAGE_SQLITE_SECRET_H_
