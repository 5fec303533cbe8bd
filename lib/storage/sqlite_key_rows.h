// Rows of the key store's database.
#ifndef LLMROUTER_STORAGE_SQLITE_KEY_ROWS_H_
#define LLMROUTER_STORAGE_SQLITE_KEY_ROWS_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/key_table.h"
#include "storage/ledger_book.h"
#include "storage/sqlite_db.h"

namespace llmrouter::storage {

Result<std::vector<KeyEntry>> load_keys(Db& db);
Result<std::optional<KeyEntry>> load_key(Db& db, std::string_view id);
// A new row, or the next version of one.
Result<void> save_key(Db& db, const KeyEntry& entry);

// A value of the `meta` table.
Result<std::optional<std::string>> load_meta(Db& db, std::string_view name);
Result<void> save_meta(Db& db, std::string_view name, std::string_view value);  // kept when there is one already

// Of periods that began at `since` or later, and totals.
Result<std::vector<LedgerEntry>> load_ledger(Db& db, int64_t since);
Result<int64_t> load_spent(Db& db, std::string_view bucket, int64_t period);
Result<void> add_to_ledger(Db& db, const std::vector<LedgerEntry>& entries);

}  // namespace llmrouter::storage

#endif  // LLMROUTER_STORAGE_SQLITE_KEY_ROWS_H_
