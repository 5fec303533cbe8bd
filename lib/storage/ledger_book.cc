#include "storage/ledger_book.h"

#include <algorithm>
#include <new>

namespace llmrouter::storage {
namespace {

int64_t sum(int64_t a, int64_t b) noexcept { return a + std::min(b, INT64_MAX - a); }

}  // namespace

bool LedgerBook::add(std::string_view bucket, int64_t period, int64_t nano_usd) noexcept {
  if (nano_usd <= 0) return true;
  try {
    return inbox_.put({std::string(bucket), period, nano_usd});
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void LedgerBook::drain() {
  inbox_.drain([this](LedgerEntry&& entry) {
    Row& row = rows_[{std::move(entry.bucket), entry.period}];
    row.pending = sum(row.pending, entry.nano_usd);
  });
}

std::optional<int64_t> LedgerBook::spent(std::string_view bucket, int64_t period) {
  std::lock_guard<std::mutex> lock(mutex_);
  drain();
  const auto found = rows_.find({std::string(bucket), period});
  if (found == rows_.end()) return std::nullopt;
  return sum(found->second.stored, found->second.pending);
}

std::vector<LedgerEntry> LedgerBook::pending() {
  std::vector<LedgerEntry> entries;
  std::lock_guard<std::mutex> lock(mutex_);
  drain();
  for (const auto& [key, row] : rows_) {
    if (row.pending > 0) entries.push_back({key.first, key.second, row.pending});
  }
  return entries;
}

void LedgerBook::written(const std::vector<LedgerEntry>& entries) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (const LedgerEntry& entry : entries) {
    Row& row = rows_[{entry.bucket, entry.period}];
    row.pending -= std::min(row.pending, entry.nano_usd);
    row.stored = sum(row.stored, entry.nano_usd);
  }
}

void LedgerBook::set_stored(const std::vector<LedgerEntry>& entries) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (const LedgerEntry& entry : entries) rows_[{entry.bucket, entry.period}].stored = entry.nano_usd;
}

size_t LedgerBook::waiting() {
  std::lock_guard<std::mutex> lock(mutex_);
  drain();
  return static_cast<size_t>(std::count_if(rows_.begin(), rows_.end(), [](const auto& row) { return row.second.pending > 0; }));
}

}  // namespace llmrouter::storage
