// What every usage store does alike: bounds of records, filters, cursors, groups.
#ifndef LLMROUTER_STORAGE_USAGE_RULES_H_
#define LLMROUTER_STORAGE_USAGE_RULES_H_

#include <optional>
#include <string>
#include <string_view>

#include "llmrouter/usage.h"

namespace llmrouter::storage {

// Callers choose some of a record's texts. Cuts those that are long (at a character's end), so that a full queue has a bounded size.
void bound(UsageRecord& record);
// An id for a record that came without.
void name(UsageRecord& record);

// Where a page ended: the record's time and its number in the store.
struct UsagePlace {
  int64_t time_us = 0;
  int64_t number = 0;
};
std::string cursor_of(const UsagePlace& place);

// Checked: limit, status and cursor. kInvalidRequest with the field in `param`.
struct CheckedFilter {
  std::optional<UsagePlace> after;
};
Result<CheckedFilter> check_filter(const UsageFilter& filter);

enum class UsageGroup { kAll, kModel, kProvider, kKey, kUser, kDay };
Result<UsageGroup> usage_group(std::string_view by);

// An error or a stream that was cut; a caller who left or was limited is none.
inline bool counts_as_error(CallStatus status) noexcept { return status == CallStatus::kError || status == CallStatus::kCut; }
CallStatus status_of_name(std::string_view name) noexcept;  // kError for a name that is not known

// Days in order; other groups by cost, then calls, then name.
void sort_sums(UsageGroup group, std::vector<UsageSum>& sums);

// a + b for a, b >= 0; stays at the largest number there is.
inline int64_t saturating_sum(int64_t a, int64_t b) noexcept { return b > INT64_MAX - a ? INT64_MAX : a + b; }

}  // namespace llmrouter::storage

#endif  // LLMROUTER_STORAGE_USAGE_RULES_H_
