// Budgets over a restart, with the ledger that the server has.
#include <cstdlib>
#include <filesystem>
#include <string>

#include "catch.h"
#include "llmrouter/keys.h"
#include "llmrouter/limits.h"
#include "llmrouter/logger.h"

namespace llmrouter {

TEST_CASE("A limiter over the SQLite ledger goes on where the last one stopped") {
  std::string directory = (std::filesystem::temp_directory_path() / "llmrouter-test-XXXXXX").string();
  REQUIRE(mkdtemp(directory.data()) != nullptr);
  ManualClock clock;
  SqliteKeyOptions options;
  options.path = directory + "/keys.db";
  Limits limits;
  limits.budget = Budget{1000, BudgetPeriod::kMonth, 0, {}};
  for (int round = 1; round <= 3; ++round) {
    auto store = open_sqlite_key_store(options, clock, null_logger()).value();
    RateLimiter limiter(clock, store.ledger);
    LimitBucket* bucket = limiter.bucket("key:a", "key a", limits);
    CHECK(limiter.state(bucket).spent_nano_usd == (round - 1) * 333);
    limiter.reserve(&bucket, 1, {1, 0, 334}, nullptr).settle({1, 0, 333});
  }
  {
    auto store = open_sqlite_key_store(options, clock, null_logger()).value();
    RateLimiter limiter(clock, store.ledger);
    LimitBucket* bucket = limiter.bucket("key:a", "key a", limits);
    CHECK_FALSE(limiter.reserve(&bucket, 1, {1, 0, 2}, nullptr).active());
    CHECK(limiter.reserve(&bucket, 1, {1, 0, 1}, nullptr).active());
    clock.advance(std::chrono::hours(24 * 31));
    CHECK(limiter.reserve(&bucket, 1, {1, 0, 1000}, nullptr).active());
  }
  std::filesystem::remove_all(directory);
}

}  // namespace llmrouter
