// What was spent, in memory: what the disk has, and what is on its way there.
#ifndef LLMROUTER_STORAGE_LEDGER_BOOK_H_
#define LLMROUTER_STORAGE_LEDGER_BOOK_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/inbox.h"

namespace llmrouter::storage {

struct LedgerEntry {
  std::string bucket;
  int64_t period = 0;
  int64_t nano_usd = 0;
};

// Thread-safe. The mutex is held for memory alone, never while anybody waits for a disk; add() does not take it.
class LedgerBook {
 public:
  // False: no memory, the money is not booked.
  bool add(std::string_view bucket, int64_t period, int64_t nano_usd) noexcept;
  // Nothing when no such entry is known here.
  std::optional<int64_t> spent(std::string_view bucket, int64_t period);

  std::vector<LedgerEntry> pending();                          // what is to be written
  void written(const std::vector<LedgerEntry>& entries);       // they are on disk now
  void set_stored(const std::vector<LedgerEntry>& entries);    // what the disk has, after others wrote to it
  size_t waiting();

 private:
  struct Row {
    int64_t stored = 0;
    int64_t pending = 0;
  };
  using Key = std::pair<std::string, int64_t>;
  void drain();

  Inbox<LedgerEntry> inbox_;
  std::mutex mutex_;
  std::map<Key, Row> rows_;
};

}  // namespace llmrouter::storage

#endif  // LLMROUTER_STORAGE_LEDGER_BOOK_H_
