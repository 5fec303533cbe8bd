// The filters of `GET /admin/v1/usage` and of the `usage` command.
#ifndef LLMROUTER_SERVER_ADMIN_QUERY_H_
#define LLMROUTER_SERVER_ADMIN_QUERY_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "llmrouter/keys.h"
#include "llmrouter/result.h"
#include "llmrouter/usage.h"

namespace llmrouter::server {

// A moment: RFC 3339, a date, Unix seconds, or a duration before `now` ("7d").
Result<WallTime> parse_moment(std::string_view text, WallTime now);
// One filter by its name; kInvalidRequest when there is no such filter or the value is wrong.
Result<void> set_filter(UsageFilter& filter, std::string_view name, std::string_view value, WallTime now);
// kInvalidRequest when nothing can be between the two.
Result<void> check_span(const UsageFilter& filter);
// What `GET /admin/v1/usage` asks for.
struct UsageQuestion {
  UsageFilter filter;
  std::string by;  // sums of these; empty: the records
};
// A query string; unknown and repeated parameters are errors, and `limit` and `cursor` beside `by`, which sums all.
Result<UsageQuestion> usage_question(std::string_view query, WallTime now);

// The id of the key that a filter names by id or name. An id of a key that is gone stands for itself: its records are still there.
// kInvalidRequest when there is no such key.
Result<std::string> key_of_filter(const KeyStore& keys, const std::string& id_or_name);
bool is_key_id(std::string_view text) noexcept;

// Which part of a list is asked for.
struct Page {
  size_t limit = SIZE_MAX;
  std::string cursor;
};
Result<Page> page_of(std::string_view query);
// For paths that take no parameters, or only these, with a blank between them.
Result<void> refuse_parameters(std::string_view query, std::string_view known = {});

}  // namespace llmrouter::server

#endif  // LLMROUTER_SERVER_ADMIN_QUERY_H_
