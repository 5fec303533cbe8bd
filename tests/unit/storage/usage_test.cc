// What every usage store does, in memory or in SQLite.
#include <limits>
#include <set>

#include "catch.h"
#include "storage/usage_rules.h"
#include "unit/storage/support.h"

namespace llmrouter {

using namespace storage_test;

namespace {

struct Fixture {
  explicit Fixture(bool sqlite) {
    if (!sqlite) {
      store = make_memory_usage_store();
      return;
    }
    SqliteUsageOptions options;
    options.path = dir / "usage.db";
    store = open_sqlite_usage_store(options, clock, logger).value();
  }
  void record(UsageRecord r) { store->record(std::move(r)); }
  void flush() { REQUIRE(store->flush(std::chrono::seconds(30)).ok()); }
  std::vector<std::string> ids(const UsageFilter& filter) {
    std::vector<std::string> out;
    const UsagePage page = store->query(filter).value();
    for (const UsageRecord& r : page.data) out.push_back(r.id.substr(4));
    return out;
  }
  TempDir dir;
  ManualClock clock{at(0)};
  MemoryLogger logger;
  std::shared_ptr<UsageStore> store;
};

std::vector<std::string> numbers(std::initializer_list<int> list) {
  std::vector<std::string> out;
  for (int i : list) out.push_back(std::to_string(1000000 + i));
  return out;
}

}  // namespace

TEST_CASE("A record comes back as it was, newest first") {
  Fixture f(GENERATE(false, true));
  CHECK(f.store->query({}).value().data.empty());
  f.record(full_record(1));
  f.record(plain_record(0));
  f.record(full_record(2));
  f.flush();
  const UsagePage page = f.store->query({}).value();
  REQUIRE(page.data.size() == 3);
  CHECK(page.next.empty());
  CHECK(same_record(page.data[0], full_record(2)));
  CHECK(same_record(page.data[1], full_record(1)));
  CHECK(same_record(page.data[2], plain_record(0)));
  CHECK(f.store->health().ok);
  CHECK(f.store->health().written == 3);
  CHECK(f.store->health().queued == 0);
  CHECK(f.store->health().dropped == 0);
}

TEST_CASE("Every status comes back") {
  Fixture f(GENERATE(false, true));
  const CallStatus all[] = {CallStatus::kOk, CallStatus::kError, CallStatus::kCancelled, CallStatus::kCut, CallStatus::kLimited};
  for (int i = 0; i < 5; ++i) {
    UsageRecord r = plain_record(i);
    r.status = all[i];
    f.record(r);
  }
  f.flush();
  for (int i = 0; i < 5; ++i) {
    UsageFilter filter;
    filter.status = std::string(call_status_name(all[i]));
    const auto found = f.store->query(filter).value().data;
    REQUIRE(found.size() == 1);
    CHECK(found[0].status == all[i]);
  }
}

TEST_CASE("Filters") {
  Fixture f(GENERATE(false, true));
  for (int i = 0; i < 8; ++i) {
    UsageRecord r = plain_record(i);
    r.key = i % 2 ? "key_odd" : "key_even";
    r.user = i < 4 ? "low" : "high";
    r.provider = i % 3 ? "p" : "q";
    r.model = i % 4 ? "m1" : "m2";
    r.requested_model = i == 1 ? "m2" : "alias";
    r.status = i == 5 ? CallStatus::kError : CallStatus::kOk;
    f.record(r);
  }
  f.flush();
  UsageFilter filter;
  CHECK(f.ids(filter) == numbers({7, 6, 5, 4, 3, 2, 1, 0}));
  filter.key = "key_odd";
  CHECK(f.ids(filter) == numbers({7, 5, 3, 1}));
  filter.user = "low";
  CHECK(f.ids(filter) == numbers({3, 1}));
  filter = {};
  filter.provider = "q";
  CHECK(f.ids(filter) == numbers({6, 3, 0}));
  filter = {};
  filter.model = "m2";  // as asked for, or as it was
  CHECK(f.ids(filter) == numbers({4, 1, 0}));
  filter.status = "error";
  CHECK(f.ids(filter).empty());
  filter.model.clear();
  CHECK(f.ids(filter) == numbers({5}));
  filter = {};
  filter.since = at(2);
  filter.until = at(5);
  CHECK(f.ids(filter) == numbers({4, 3, 2}));
  filter.until = at(2);
  CHECK(f.ids(filter).empty());
  filter = {};
  filter.key = "' OR 1=1 --";
  CHECK(f.ids(filter).empty());
}

TEST_CASE("What is wrong with a filter is said by its name") {
  Fixture f(GENERATE(false, true));
  const std::pair<const char*, std::function<void(UsageFilter&)>> faults[] = {
      {"limit", [](UsageFilter& u) { u.limit = 0; }},
      {"limit", [](UsageFilter& u) { u.limit = 1001; }},
      {"status", [](UsageFilter& u) { u.status = "fine"; }},
      {"cursor", [](UsageFilter& u) { u.cursor = "x"; }},
      {"cursor", [](UsageFilter& u) { u.cursor = "1_"; }},
      {"cursor", [](UsageFilter& u) { u.cursor = "1_2_3"; }},
      {"cursor", [](UsageFilter& u) { u.cursor = "99999999999999999999999_1"; }},
  };
  for (const auto& [param, spoil] : faults) {
    INFO(param);
    UsageFilter filter;
    spoil(filter);
    const auto page = f.store->query(filter);
    REQUIRE_FALSE(page.ok());
    CHECK(page.error().code == ErrorCode::kInvalidRequest);
    CHECK(page.error().param == param);
    CHECK_FALSE(f.store->sum("", filter).ok());
  }
  const auto sums = f.store->sum("colour", {});
  REQUIRE_FALSE(sums.ok());
  CHECK(sums.error().param == "by");
}

TEST_CASE("Pages are whole: nothing twice, nothing left out, while records come in") {
  Fixture f(GENERATE(false, true));
  // Many of the same moment: the cursor must tell them apart.
  for (int i = 0; i < 50; ++i) {
    UsageRecord r = plain_record(i);
    r.time = at(i / 10);
    f.record(r);
  }
  f.flush();
  for (int limit : {1, 3, 7, 10, 49, 50, 51}) {
    INFO("limit " << limit);
    std::vector<std::string> seen;
    UsageFilter filter;
    filter.limit = limit;
    int pages = 0;
    do {
      const UsagePage page = f.store->query(filter).value();
      CHECK(page.data.size() <= static_cast<size_t>(limit));
      for (const UsageRecord& r : page.data) {
        if (r.id < "use_2") seen.push_back(r.id);
      }
      // Newer ones arrive between the pages.
      UsageRecord late = plain_record(1000 * limit + pages);
      late.id = "use_2" + std::to_string(limit) + "_" + std::to_string(pages);
      late.time = at(1000);
      f.record(late);
      f.flush();
      filter.cursor = page.next;
      REQUIRE(++pages < 200);
    } while (!filter.cursor.empty());
    CHECK(std::set<std::string>(seen.begin(), seen.end()).size() == 50);
    CHECK(seen.size() == 50);
  }
}

TEST_CASE("Sums") {
  Fixture f(GENERATE(false, true));
  CHECK(f.store->sum("", {}).value().size() == 1);
  CHECK(f.store->sum("", {}).value()[0].calls == 0);
  CHECK(f.store->sum("model", {}).value().empty());
  for (int i = 0; i < 6; ++i) {
    UsageRecord r = full_record(i);
    r.model = i < 4 ? "big" : "";
    r.requested_model = i < 5 ? "asked" : "";
    r.key = i % 2 ? "key_odd" : "key_even";
    r.user = "";
    r.provider = "p" + std::to_string(i / 3);
    r.status = i == 0 ? CallStatus::kError : i == 1 ? CallStatus::kCut : i == 2 ? CallStatus::kCancelled : i == 3 ? CallStatus::kLimited : CallStatus::kOk;
    r.cost_nano_usd = i < 4 ? 10 : 1000;
    r.time = at(i < 5 ? 86399 - i : 86400);
    f.record(r);
  }
  f.flush();
  const UsageSum all = f.store->sum("", {}).value()[0];
  CHECK(all.calls == 6);
  CHECK(all.errors == 2);
  CHECK(all.limited == 1);
  CHECK(all.cancelled == 1);
  CHECK(all.usage.input == 1 + 2 + 3 + 4 + 5 + 6);
  CHECK(all.usage.cached == 2 + 3 + 4 + 5 + 6 + 7);
  CHECK(all.usage.cache_write == 33);
  CHECK(all.usage.output == 39);
  CHECK(all.usage.reasoning == 45);
  CHECK(all.usage.audio_input == 51);
  CHECK(all.usage.audio_output == 57);
  CHECK(all.usage.image == 63);
  CHECK(all.usage.known);
  CHECK(all.usage.estimated);
  CHECK(all.cost_nano_usd == 2040);

  auto by = [&](const char* group, const UsageFilter& filter = {}) {
    std::vector<std::pair<std::string, int64_t>> out;
    const auto sums = f.store->sum(group, filter).value();
    for (const UsageSum& s : sums) out.emplace_back(s.group, s.cost_nano_usd);
    return out;
  };
  using Rows = std::vector<std::pair<std::string, int64_t>>;
  CHECK(by("model") == Rows{{"asked", 1040}, {"", 1000}});  // as it was asked for, whatever answered
  CHECK(by("provider") == Rows{{"p1", 2010}, {"p0", 30}});
  CHECK(by("key") == Rows{{"key_even", 1020}, {"key_odd", 1020}});
  CHECK(by("user") == Rows{{"", 2040}});
  CHECK(by("day") == Rows{{"2026-11-21", 1040}, {"2026-11-22", 1000}});
  UsageFilter filter;
  filter.status = "limited";
  filter.model = "big";
  CHECK(by("day", filter) == Rows{{"2026-11-21", 10}});
}

TEST_CASE("Groups of equal cost stand by calls, then by name") {
  std::vector<UsageSum> sums(3);
  sums[0].group = "b";
  sums[1].group = "a";
  sums[2].group = "c";
  sums[2].calls = 1;
  storage::sort_sums(storage::UsageGroup::kModel, sums);
  CHECK(sums[0].group == "c");
  CHECK(sums[1].group == "a");
}

TEST_CASE("Sums of absurd numbers stay at the largest there is") {
  Fixture f(GENERATE(false, true));
  for (int i = 0; i < 5; ++i) {
    UsageRecord r = plain_record(i);
    r.cost_nano_usd = std::numeric_limits<int64_t>::max();
    r.usage.input = (int64_t{1} << 40) + 3;
    r.usage.output = std::numeric_limits<int64_t>::max() / 5;
    f.record(r);
  }
  f.flush();
  const UsageSum sum = f.store->sum("", {}).value()[0];
  CHECK(sum.cost_nano_usd == std::numeric_limits<int64_t>::max());
  CHECK(sum.usage.input == 5 * ((int64_t{1} << 40) + 3));
  CHECK(sum.usage.output == std::numeric_limits<int64_t>::max() / 5 * 5);
}

TEST_CASE("What a stranger chose is cut to a bounded size, at a character's end") {
  Fixture f(GENERATE(false, true));
  UsageRecord r = plain_record(1);
  const std::string euro = "\xe2\x82\xac";
  for (int i = 0; i < 100000; ++i) r.requested_model += euro;
  r.user = std::string(10000, 'u');
  r.decision = std::string(100000, 'd');
  r.price = std::string(100000, '1');
  r.dropped.assign(1000, std::string(1000, 'x'));
  AttemptRecord attempt;
  attempt.reason = std::string(100000, 'r');
  r.attempts.assign(1000, attempt);
  f.record(r);
  UsageRecord odd = plain_record(2);
  odd.user = std::string("nul\0inside", 10);
  odd.requested_model = "not utf-8 \xff\xfe";
  odd.dropped = {"\xff", ""};
  f.record(odd);
  f.flush();
  const auto data = f.store->query({}).value().data;
  REQUIRE(data.size() == 2);
  CHECK(data[0].user == odd.user);
  CHECK(data[0].requested_model == odd.requested_model);
  CHECK(data[0].dropped.size() == 2);
  const UsageRecord& cut = data[1];
  CHECK(cut.requested_model.size() == 255);
  CHECK(cut.requested_model.substr(252) == euro);
  CHECK(cut.user.size() == 256);
  CHECK(cut.decision.size() == 1024);
  CHECK(cut.price.empty());
  CHECK(cut.dropped.size() == 64);
  CHECK(cut.dropped[63].size() == 256);
  CHECK(cut.attempts.size() == 64);
  CHECK(cut.attempts[63].reason.size() == 1024);
}

TEST_CASE("Records without an id get one") {
  Fixture f(GENERATE(false, true));
  UsageRecord r;
  r.time = at(0);
  f.record(r);
  f.record(r);
  f.flush();
  const auto data = f.store->query({}).value().data;
  REQUIRE(data.size() == 2);
  CHECK(data[0].id != data[1].id);
  CHECK(data[0].id.compare(0, 4, "use_") == 0);
}

TEST_CASE("The memory store keeps the last records") {
  auto store = make_memory_usage_store(10);
  for (int i = 0; i < 25; ++i) store->record(plain_record(i));
  CHECK(store->flush(Duration(0)).ok());
  const auto data = store->query({}).value().data;
  REQUIRE(data.size() == 10);
  CHECK(data[0].id == plain_record(24).id);
  CHECK(data[9].id == plain_record(15).id);
  CHECK(store->health().written == 25);
  CHECK(make_memory_usage_store(0)->query({}).ok());
}

}  // namespace llmrouter
