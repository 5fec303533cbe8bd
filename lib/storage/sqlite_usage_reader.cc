#include "storage/sqlite_usage_reader.h"

#include <unistd.h>

#include "storage/sqlite_open.h"
#include "storage/sqlite_usage_rows.h"

namespace llmrouter::storage {
namespace {

constexpr std::chrono::milliseconds kBusyTimeout{5000};

}  // namespace

Result<std::shared_ptr<SqliteUsageReader>> SqliteUsageReader::open(const std::string& path) {
  if (access(path.c_str(), F_OK) != 0) return Error(ErrorCode::kNotFound, path + ": there is no usage store yet");
  std::shared_ptr<SqliteUsageReader> reader(new SqliteUsageReader());
  if (OpenFailure failure = open_to_read(reader->db_, path, kUsageSchema, kBusyTimeout); failure.fault != OpenFault::kNone) {
    if (failure.fault == OpenFault::kCorrupt) failure.error.message += ". Nothing was changed; a server that starts moves it aside and begins a new one";
    return std::move(failure.error);
  }
  return reader;
}

void SqliteUsageReader::record(UsageRecord) noexcept {
  std::lock_guard<std::mutex> lock(mutex_);
  ++dropped_;
}

Result<UsagePage> SqliteUsageReader::query(const UsageFilter& filter) {
  const auto checked = check_filter(filter);
  if (!checked) return checked.error();
  std::lock_guard<std::mutex> lock(mutex_);
  return query_usage(db_, filter, *checked);
}

Result<std::vector<UsageSum>> SqliteUsageReader::sum(std::string_view by, const UsageFilter& filter) {
  const auto group = usage_group(by);
  if (!group) return group.error();
  if (auto checked = check_filter(filter); !checked) return std::move(checked).error();
  std::lock_guard<std::mutex> lock(mutex_);
  return sum_usage(db_, *group, filter);
}

StoreHealth SqliteUsageReader::health() const {
  std::lock_guard<std::mutex> lock(mutex_);
  StoreHealth health;
  health.dropped = dropped_;
  return health;
}

}  // namespace llmrouter::storage
