#include "llmrouter/values.h"

#include <limits>
#include <string>
#include <vector>

#include "catch.h"

using namespace llmrouter;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST_CASE("durations are a number and a unit") {
  struct Row {
    const char* text;
    Duration value;
  };
  const Row rows[] = {{"250ms", milliseconds(250)}, {"5s", seconds(5)},        {"2m", minutes(2)},   {"1h", hours(1)},
                      {"30d", hours(720)},          {"1w", hours(168)},        {"0", Duration(0)},   {"0s", Duration(0)},
                      {"1.5s", milliseconds(1500)}, {"0.000000001s", Duration(1)}, {"7ns", Duration(7)}, {"3us", Duration(3000)},
                      {"36500d", hours(24 * 36500)}};
  for (const Row& row : rows) {
    CAPTURE(row.text);
    auto value = parse_duration(row.text);
    REQUIRE(value.ok());
    CHECK(value->count() == row.value.count());
  }
  for (const char* bad : {"", "5", "s", "-5s", "+5s", "5 s", " 5s", "5s ", "5S", "5sec", "1h30m", ".5s", "5.s", "1.5ns", "1e3s", "36501d",
                          "99999999999999999999999s", "18446744073709551616ns", "0x5s", "5s\n", "nan", "inf"}) {
    CAPTURE(bad);
    auto value = parse_duration(bad);
    REQUIRE_FALSE(value.ok());
    CHECK(value.error().code == ErrorCode::kInvalidRequest);
    CHECK(value.error().message.find("expected a duration") == 0);
  }
}

TEST_CASE("sizes know both kinds of thousand") {
  struct Row {
    const char* text;
    int64_t value;
  };
  const Row rows[] = {{"0", 0},         {"65536", 65536},       {"64KiB", 65536},          {"32MiB", 33554432}, {"1GiB", 1073741824},
                      {"1TiB", int64_t{1} << 40}, {"8192TiB", int64_t{1} << 53}, {"10kB", 10000}, {"2MB", 2000000},    {"5B", 5},  {"1.5KiB", 1536}};
  for (const Row& row : rows) {
    CAPTURE(row.text);
    auto value = parse_size(row.text);
    REQUIRE(value.ok());
    CHECK(*value == row.value);
  }
  for (const char* bad : {"", "k", "64K", "64kb", "64 KiB", "-1", "1.0001KiB", "8193TiB", "9007199254740993", "99999999999999999999TiB"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_size(bad).ok());
  }
}

TEST_CASE("counts carry k and M") {
  CHECK(*parse_count("0") == 0);
  CHECK(*parse_count("200k") == 200000);
  CHECK(*parse_count("2M") == 2000000);
  CHECK(*parse_count("1.5M") == 1500000);
  CHECK(*parse_count("1000000000000000") == 1000000000000000);
  for (const char* bad : {"", "1.5", "1.0005k", "200K", "2m", "-1", "1e3", "1000000000000001", "1,000", "1_000"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_count(bad).ok());
  }
}

TEST_CASE("rates are a count per period") {
  auto rate = [](const char* text) {
    CAPTURE(text);
    auto value = parse_rate(text);
    REQUIRE(value.ok());
    return *value;
  };
  CHECK(rate("60/min") == Rate{60, minutes(1), 0});
  CHECK(rate("200k/min") == Rate{200000, minutes(1), 0});
  CHECK(rate("10/s") == Rate{10, seconds(1), 0});
  CHECK(rate("1000/day") == Rate{1000, hours(24), 0});
  CHECK(rate("100/30s") == Rate{100, seconds(30), 0});
  CHECK(rate("1/week") == Rate{1, hours(168), 0});
  for (const char* bad : {"", "60", "60/", "/min", "0/min", "60/0s", "60/fortnight", "60 / min", "60/min/s", "-60/min", "1.5/min"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_rate(bad).ok());
  }
}

TEST_CASE("percentages are whole and end in a sign") {
  CHECK(*parse_percent("0%") == 0);
  CHECK(*parse_percent("100%") == 100);
  for (const char* bad : {"", "%", "80", "101%", "5.5%", "-1%", "80 %"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_percent(bad).ok());
  }
}

TEST_CASE("money is exact") {
  CHECK(*parse_usd_nano("50") == 50000000000);
  CHECK(*parse_usd_nano("0.25") == 250000000);
  CHECK(*parse_usd_nano("0.1") == 100000000);  // a double would not hold it
  CHECK(*parse_usd_nano("0.000000001") == 1);
  CHECK(*parse_usd_nano("123456789.123456789") == 123456789123456789);
  CHECK(*parse_usd_nano("1000000000") == 1000000000000000000);
  CHECK(*parse_usd_nano("1.5000000000000000") == 1500000000);  // zeros say nothing
  CHECK(*parse_usd_micro("2.50") == 2500000);
  CHECK(*parse_usd_micro("0.000001") == 1);
  for (const char* bad : {"", ".", ".5", "5.", "-1", "+1", "$5", "1e-3", "0.0000000001", "1000000000.000000001", "1000000001",
                          "99999999999999999999999999999999999999999", "1,5", "NaN", "0x1", " 1", "1 "}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_usd_nano(bad).ok());
  }
  CHECK_FALSE(parse_usd_micro("0.0000001").ok());
}

TEST_CASE("times are RFC 3339") {
  auto micros = [](const char* text) {
    CAPTURE(text);
    auto value = parse_time(text);
    REQUIRE(value.ok());
    return static_cast<int64_t>(value->time_since_epoch().count());
  };
  CHECK(micros("1970-01-01T00:00:00Z") == 0);
  CHECK(micros("2027-01-01T00:00:00Z") == 1798761600000000);
  CHECK(micros("2027-01-01") == 1798761600000000);
  CHECK(micros("2027-01-01T01:30:00+01:30") == 1798761600000000);
  CHECK(micros("2026-12-31T22:00:00.250-02:00") == 1798761600250000);
  CHECK(micros("2028-02-29 12:00:00z") == 1835438400000000);
  CHECK(micros("9999-12-31T23:59:59.999999Z") == 253402300799999999);
  CHECK(micros("2027-01-01T00:00:00.123456789Z") == 1798761600123456);
  for (const char* bad : {"", "2027", "2027-1-1", "2027-02-29", "2027-13-01", "2027-00-01", "2027-04-31", "2027-01-01T", "2027-01-01T00:00Z",
                          "2027-01-01T24:00:00Z", "2027-01-01T00:60:00Z", "2027-01-01T00:00:60Z", "2027-01-01T00:00:00", "2027-01-01T00:00:00.Z",
                          "2027-01-01T00:00:00Zx", "2027-01-01T00:00:00+24:00", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+01:00", "tomorrow"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_time(bad).ok());
  }
}

TEST_CASE("limits in one line") {
  auto limits = parse_limits("requests=60/min,tokens=200k/min,concurrent=8,burst=20,usd=50/month,soft=80%");
  REQUIRE(limits.ok());
  CHECK(*limits->requests == Rate{60, minutes(1), 20});
  CHECK(*limits->tokens == Rate{200000, minutes(1), 0});
  CHECK(limits->concurrent == 8);
  REQUIRE(limits->budget);
  CHECK(limits->budget->nano_usd == 50000000000);
  CHECK(limits->budget->per == BudgetPeriod::kMonth);
  CHECK(limits->budget->soft_percent == 80);
  CHECK(parse_limits("")->empty());
  CHECK(parse_limits("usd=5/total")->budget->per == BudgetPeriod::kTotal);
  CHECK(parse_limits("usd=5")->budget->per == BudgetPeriod::kMonth);

  // Onto others: what is not named stays.
  CHECK(*parse_limits("", *limits) == *limits);
  auto changed = parse_limits("requests=5/s,usd=7,concurrent=none", *limits);
  REQUIRE(changed.ok());
  CHECK(*changed->requests == Rate{5, seconds(1), 20});
  CHECK(*changed->tokens == *limits->tokens);
  CHECK(changed->concurrent == 0);
  CHECK(changed->budget->nano_usd == 7000000000);
  CHECK(changed->budget->soft_percent == 80);
  CHECK(parse_limits("usd=7/day,soft=none", *limits)->budget->soft_percent == 0);
  CHECK(parse_limits("usd=8", *parse_limits("usd=7/day"))->budget->per == BudgetPeriod::kDay);
  CHECK(parse_limits("burst=none", *limits)->requests->burst == 0);
  CHECK(parse_limits("requests=none,tokens=none,usd=none,concurrent=none", *limits)->empty());
  CHECK(parse_limits("requests=none,burst=5", *limits).error().param == "burst");
  CHECK(parse_limits("soft=5%,usd=none", *limits).error().param == "soft");

  struct Bad {
    const char* text;
    const char* param;
  };
  const Bad rows[] = {{"requests", ""},          {"requests=60", "requests"}, {"tokens=x/min", "tokens"}, {"concurrent=0", "concurrent"},
                      {"burst=5", "burst"},      {"soft=80%", "soft"},        {"usd=-1", "usd"},          {"usd=1/year", "usd"},
                      {"speed=9", "speed"},      {"requests=1/s,", ""},       {",", ""},                  {"usd=5,soft=80", "soft"},
                      {"usd=0", "usd"},          {"requests=5/s,requests=6/s", "requests"}};
  for (const Bad& row : rows) {
    CAPTURE(row.text);
    auto bad = parse_limits(row.text);
    REQUIRE_FALSE(bad.ok());
    CHECK(bad.error().param == row.param);
  }
}

TEST_CASE("what is formatted reads back as it was") {
  for (int64_t ns : {0LL, 1LL, 999LL, 1000LL, 1500000LL, 250000000LL, 1000000000LL, 75000000000LL, 60000000000LL, 3600000000000LL,
                     7776000000000000LL, 86399999999999LL, 3153600000000000000LL}) {
    CAPTURE(ns);
    std::string text = format_duration(Duration(ns));
    CAPTURE(text);
    CHECK(parse_duration(text)->count() == ns);
  }
  CHECK(format_duration(hours(24 * 90)) == "90d");
  CHECK(format_duration(milliseconds(1500)) == "1500ms");
  CHECK(format_duration(seconds(75)) == "75s");

  for (int64_t bytes : {0LL, 1LL, 1023LL, 1024LL, 65536LL, 33554432LL, 33554433LL, 9007199254740992LL}) {
    std::string text = format_size(bytes);
    CAPTURE(text);
    CHECK(*parse_size(text) == bytes);
  }
  CHECK(format_size(33554432) == "32MiB");

  for (int64_t count : {0LL, 999LL, 1000LL, 10000LL, 200000LL, 2000000LL, 2000001LL}) {
    std::string text = format_count(count);
    CAPTURE(text);
    CHECK(*parse_count(text) == count);
  }
  CHECK(format_count(200000) == "200k");

  for (const char* text : {"60/min", "200k/min", "10/s", "1000/day", "100/30s", "5/h", "7/week"}) CHECK(format_rate(*parse_rate(text)) == text);

  for (int64_t nano : {0LL, 1LL, 125000LL, 1000000000LL, 50000000000LL, 123456789123456789LL}) {
    std::string text = format_usd(nano);
    CAPTURE(text);
    CHECK(*parse_usd_nano(text) == nano);
  }
  CHECK(format_usd(50000000000) == "50.00");
  CHECK(format_usd(125000) == "0.000125");
  CHECK(format_usd(-1500000000) == "-1.50");
  CHECK(format_usd(std::numeric_limits<int64_t>::min()) == "-9223372036.854775808");

  for (const char* text : {"1970-01-01T00:00:00Z", "2000-02-29T23:59:59Z", "2027-01-01T00:00:00.25Z", "2100-03-01T00:00:00.000001Z"}) {
    CHECK(format_time_rfc3339(*parse_time(text)) == text);
  }
  CHECK(format_time_rfc3339(WallTime(std::chrono::microseconds(-1))) == "1969-12-31T23:59:59.999999Z");
}

TEST_CASE("every day of four centuries is its own date") {
  const int64_t day = 86400000000;
  std::string before;
  for (int64_t i = 0; i < 146097; ++i) {
    std::string text = format_time_rfc3339(WallTime(std::chrono::microseconds(i * day)));
    if (text <= before || parse_time(text)->time_since_epoch().count() != i * day) FAIL(text << " after " << before);
    before = text;
  }
  CHECK(before == "2369-12-31T00:00:00Z");
}
