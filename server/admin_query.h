// The filters of `GET /admin/v1/usage` and of the `usage` command.
#ifndef LLMROUTER_SERVER_ADMIN_QUERY_H_
#define LLMROUTER_SERVER_ADMIN_QUERY_H_

#include <string_view>

#include "llmrouter/result.h"
#include "llmrouter/usage.h"

namespace llmrouter::server {

// A moment: RFC 3339, a date, Unix seconds, or a duration before `now` ("7d").
Result<WallTime> parse_moment(std::string_view text, WallTime now);
// One filter by its name; kInvalidRequest when there is no such filter or the value is wrong.
Result<void> set_filter(UsageFilter& filter, std::string_view name, std::string_view value, WallTime now);
// A query string; unknown parameters are errors.
Result<UsageFilter> usage_filter(std::string_view query, WallTime now);

}  // namespace llmrouter::server

#endif  // LLMROUTER_SERVER_ADMIN_QUERY_H_
