// Usage records for those who only look.
#ifndef LLMROUTER_STORAGE_SQLITE_USAGE_READER_H_
#define LLMROUTER_STORAGE_SQLITE_USAGE_READER_H_

#include <memory>
#include <mutex>
#include <string>

#include "llmrouter/usage.h"
#include "storage/sqlite_db.h"

namespace llmrouter::storage {

// One connection that may not write. It makes no file, repairs nothing and starts no thread; a record given to it is dropped and counted.
class SqliteUsageReader final : public UsageStore {
 public:
  // kNotFound when there is no database; kStorage when it is damaged, somebody else's, or of another version.
  static Result<std::shared_ptr<SqliteUsageReader>> open(const std::string& path);

  void record(UsageRecord record) noexcept override;
  Result<UsagePage> query(const UsageFilter& filter) override;
  Result<std::vector<UsageSum>> sum(std::string_view by, const UsageFilter& filter) override;
  Result<void> flush(Duration) override { return {}; }
  StoreHealth health() const override;

 private:
  SqliteUsageReader() = default;

  mutable std::mutex mutex_;
  Db db_;
  uint64_t dropped_ = 0;
};

}  // namespace llmrouter::storage

#endif  // LLMROUTER_STORAGE_SQLITE_USAGE_READER_H_
