// Rows of the usage store's database.
#ifndef LLMROUTER_STORAGE_SQLITE_USAGE_ROWS_H_
#define LLMROUTER_STORAGE_SQLITE_USAGE_ROWS_H_

#include <vector>

#include "llmrouter/usage.h"
#include "storage/sqlite_db.h"
#include "storage/usage_rules.h"

namespace llmrouter::storage {

// Inserts records; prepared once.
class UsageInserter {
 public:
  explicit UsageInserter(Db& db);
  // False: see db.fault(). A record whose id is there already is left alone: it was written before.
  bool insert(const UsageRecord& record);

 private:
  Statement statement_;
  std::string dropped_, attempts_;
};

Result<UsagePage> query_usage(Db& db, const UsageFilter& filter, const CheckedFilter& checked);
Result<std::vector<UsageSum>> sum_usage(Db& db, UsageGroup group, const UsageFilter& filter);

}  // namespace llmrouter::storage

#endif  // LLMROUTER_STORAGE_SQLITE_USAGE_ROWS_H_
