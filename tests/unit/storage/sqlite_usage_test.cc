// Usage on disk: what survives, what a bad disk or a bad file does, and that recording never waits.
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <chrono>
#include <thread>

#include "catch.h"
#include "storage/sqlite_db.h"
#include "unit/storage/support.h"

namespace llmrouter {

using namespace storage_test;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

struct Fixture {
  Fixture() { options.path = dir / "data/usage.db"; }
  std::shared_ptr<UsageStore> open() { return open_sqlite_usage_store(options, clock, logger).value(); }
  std::vector<UsageRecord> all(UsageStore& store) {
    UsageFilter filter;
    filter.limit = 1000;
    return store.query(filter).value().data;
  }
  TempDir dir;
  ManualClock clock{at(0)};
  MemoryLogger logger;
  SqliteUsageOptions options;
};

bool adds_up(const StoreHealth& h, uint64_t recorded) { return h.written + h.dropped + h.queued == recorded; }

}  // namespace

TEST_CASE("Records survive a restart, and closing writes what waits") {
  Fixture f;
  {
    auto store = f.open();
    for (int i = 0; i < 500; ++i) store->record(full_record(i));
  }
  auto store = f.open();
  const auto data = f.all(*store);
  REQUIRE(data.size() == 500);
  for (int i = 0; i < 500; ++i) {
    if (!same_record(data[static_cast<size_t>(i)], full_record(499 - i))) FAIL("record " << i);
  }
  CHECK(mode_of(f.dir / "data") == 0700);
  for (const std::string& name : f.dir.files()) CHECK(mode_of(f.dir / name) == 0600);
  CHECK(store->health().written == 0);  // by this one
}

TEST_CASE("Records are written by themselves, soon") {
  Fixture f;
  f.options.flush_every = milliseconds(50);
  auto store = f.open();
  store->record(plain_record(1));
  CHECK(eventually([&] { return store->health().written == 1; }));
  CHECK(f.all(*store).size() == 1);
}

TEST_CASE("A queue that is half full is written at once") {
  Fixture f;
  f.options.flush_every = std::chrono::hours(1);
  f.options.queue = 100;
  auto store = f.open();
  for (int i = 0; i < 60; ++i) store->record(plain_record(i));
  CHECK(eventually([&] { return store->health().written >= 51; }));
  CHECK(store->flush(seconds(10)).ok());
  CHECK(store->health().written == 60);
}

TEST_CASE("Threads: everything that was recorded is written once") {
  Fixture f;
  f.options.flush_every = milliseconds(5);
  auto store = f.open();
  constexpr int kThreads = 6, kRecords = 700;
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRecords; ++i) {
        store->record(full_record(t * kRecords + i));
        if (i % 200 == 0 && (!store->flush(seconds(60)).ok() || !store->query({}).ok() || !store->sum("model", {}).ok())) ++failures;
        if (i % 50 == 0 && store->health().dropped > 0) ++failures;
      }
    });
  }
  for (std::thread& t : threads) t.join();
  CHECK(failures == 0);
  REQUIRE(store->flush(seconds(60)).ok());
  const StoreHealth health = store->health();
  CHECK(health.written == kThreads * kRecords);
  CHECK(health.queued == 0);
  CHECK(store->sum("", {}).value()[0].calls == kThreads * kRecords);
}

TEST_CASE("A full queue drops, counts, says so, and never waits") {
  Fixture f;
  f.options.queue = 50;
  auto store = f.open();
  REQUIRE(store->flush(seconds(10)).ok());
  // Nobody can write while this connection holds the database.
  storage::Db other;
  REQUIRE(other.open(f.options.path, false, milliseconds(1000)));
  REQUIRE(other.exec("BEGIN IMMEDIATE"));
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 120; ++i) store->record(plain_record(i));
  CHECK(std::chrono::steady_clock::now() - began < milliseconds(500));
  const StoreHealth full = store->health();
  CHECK(full.queued == 50);
  CHECK(full.dropped == 70);
  const auto flushed = store->flush(milliseconds(50));
  REQUIRE_FALSE(flushed.ok());
  CHECK(flushed.error().code == ErrorCode::kStorage);
  CHECK(flushed.error().message.find("50 usage records are not on disk yet") == 0);
  CHECK(eventually([&] { return !store->health().ok; }));
  CHECK(store->health().problem.find("locked by another process") != std::string::npos);
  CHECK(store->query({}).ok());  // readers do not wait for writers
  REQUIRE(other.exec("COMMIT"));
  REQUIRE(store->flush(seconds(30)).ok());
  CHECK(store->health().ok);
  CHECK(store->health().written == 50);
  CHECK(store->health().dropped == 70);
  CHECK(f.logger.has("error usage records cannot be written; they wait"));
  CHECK(eventually([&] { return f.logger.has("info usage records are written again"); }));
  CHECK(eventually([&] { return f.logger.has("warn usage records were dropped: the queue was full records=70"); }));
  store->record(plain_record(500));
  CHECK(store->flush(seconds(10)).ok());
  CHECK(f.all(*store).size() == 51);
}

TEST_CASE("A database that stays locked at the end costs what is queued, and says how much") {
  Fixture f;
  auto store = f.open();
  REQUIRE(store->flush(seconds(10)).ok());
  storage::Db other;
  REQUIRE(other.open(f.options.path, false, milliseconds(1000)));
  REQUIRE(other.exec("BEGIN IMMEDIATE"));
  for (int i = 0; i < 7; ++i) store->record(plain_record(i));
  store.reset();
  CHECK(f.logger.has("usage records could not be written at the end and are lost records=7"));
}

TEST_CASE("The same id twice is one record, and counted") {
  Fixture f;
  auto store = f.open();
  store->record(plain_record(1));
  store->record(plain_record(1));
  store->record(plain_record(2));
  REQUIRE(store->flush(seconds(10)).ok());
  CHECK(store->health().written == 2);
  CHECK(store->health().dropped == 1);
  CHECK(f.logger.has("there is a record with the id \"use_1000001\" already"));
}

TEST_CASE("Old records are deleted, in small steps, and the others stay") {
  Fixture f;
  f.options.retention = seconds(1000);
  f.options.flush_every = milliseconds(1);
  {
    auto store = f.open();
    for (int i = 0; i < 2500; ++i) store->record(plain_record(i));
    REQUIRE(store->flush(seconds(30)).ok());
    CHECK(store->sum("", {}).value()[0].calls == 2500);
    f.clock.advance(seconds(3000));  // now 2000 and older may go
    store->record(plain_record(3000));
    CHECK(eventually([&] { return store->sum("", {}).value()[0].calls == 501; }));
    UsageFilter filter;
    filter.until = at(2000);
    CHECK(store->query(filter).value().data.empty());
    filter = {};
    filter.since = at(2000);
    filter.until = at(2001);
    CHECK(store->query(filter).value().data.size() == 1);
  }
  f.options.retention = seconds(0);  // for ever
  f.clock.advance(std::chrono::hours(100000));
  auto store = f.open();
  store->record(plain_record(4000));
  REQUIRE(store->flush(seconds(30)).ok());
  REQUIRE(store->flush(seconds(30)).ok());
  CHECK(store->sum("", {}).value()[0].calls == 502);
}

TEST_CASE("Retention does not touch the time between two looks") {
  Fixture f;
  f.options.retention = seconds(10);
  auto store = f.open();
  const auto record = [&](int i) {
    store->record(plain_record(i));
    REQUIRE(store->flush(seconds(30)).ok());
  };
  record(0);
  record(1);  // when this one is written, the look that followed the first is over
  f.clock.advance(seconds(59));
  record(59);
  record(60);
  CHECK(store->sum("", {}).value()[0].calls == 4);  // not looked at yet
  f.clock.advance(seconds(2));
  record(61);
  CHECK(eventually([&] { return store->sum("", {}).value()[0].calls == 3; }));
}

TEST_CASE("A damaged file is moved aside at the start, and a new one begun") {
  Fixture f;
  mkdir((f.dir / "data").c_str(), 0700);
  std::string spoiled = std::string(5000, 'g');
  SECTION("garbage") {}
  SECTION("cut") {
    {
      auto store = f.open();
      for (int i = 0; i < 300; ++i) store->record(full_record(i));
    }
    spoiled = read_file(f.options.path).substr(0, 20000);
  }
  SECTION("scrambled") {
    {
      auto store = f.open();
      for (int i = 0; i < 300; ++i) store->record(full_record(i));
    }
    spoiled = read_file(f.options.path);
    for (size_t i = 100; i < spoiled.size(); i += 3) spoiled[i] = '\x77';
  }
  write_file(f.options.path, spoiled);
  auto store = f.open();
  CHECK(f.logger.has("error the usage database is damaged: it was moved aside, and a new one is begun"));
  const auto files = f.dir.files();
  const std::string kept = "data/usage.db.corrupt-20261121T000000Z";
  REQUIRE(std::find(files.begin(), files.end(), kept) != files.end());
  CHECK(read_file(f.dir / kept) == spoiled);
  CHECK(store->health().ok);
  CHECK(store->health().moved_aside == 1);
  CHECK(store->health().problem.find("is kept as " + (f.dir / kept)) != std::string::npos);
  store->record(plain_record(1));
  REQUIRE(store->flush(seconds(10)).ok());
  CHECK(f.all(*store).size() == 1);
  // A second one in the same second does not overwrite the first.
  store.reset();
  write_file(f.options.path, std::string(3000, 'h'));
  store = f.open();
  CHECK(read_file(f.dir / (kept + "-2")) == std::string(3000, 'h'));
  CHECK(read_file(f.dir / kept) == spoiled);
}

TEST_CASE("A database that is spoiled while it is used: who reads it finds out, it is moved aside, and a new one is begun") {
  Fixture f;
  auto store = f.open();
  store->record(plain_record(1));
  REQUIRE(store->flush(seconds(10)).ok());
  write_file(f.options.path, std::string(40000, 'g'));
  write_file(f.options.path + "-wal", std::string(40000, 'g'));
  CHECK_FALSE(store->query(UsageFilter()).ok());
  const auto told = [&] { return f.logger.has("error the usage database is damaged: it was moved aside, and a new one is begun"); };
  for (int i = 0; i < 1000 && !told(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  REQUIRE(told());
  store->record(plain_record(2));
  REQUIRE(store->flush(seconds(10)).ok());
  CHECK(store->health().ok);
  CHECK(store->health().moved_aside == 1);
  CHECK(store->health().problem.find("the database was damaged: what was recorded before 2026-11-21T") != std::string::npos);
  CHECK(f.all(*store).size() == 1);
}

TEST_CASE("Who only looks changes nothing") {
  Fixture f;
  SqliteUsageOptions options = f.options;
  options.read_only = true;
  const auto look = [&] { return open_sqlite_usage_store(options, f.clock, f.logger); };
  SECTION("nothing there: nothing is made") {
    CHECK(look().error().code == ErrorCode::kNotFound);
    CHECK(f.dir.files().empty());
  }
  SECTION("a damaged file stays where it is") {
    mkdir((f.dir / "data").c_str(), 0700);
    const std::string garbage(10000, 'g');
    write_file(f.options.path, garbage);
    const auto refused = look();
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::kStorage);
    CHECK(refused.error().message.find("Nothing was changed") != std::string::npos);
    CHECK(read_file(f.options.path) == garbage);
    CHECK(f.dir.files().size() == 1);
  }
  SECTION("damaged inside: the question fails, the file stays") {
    {
      auto store = f.open();
      for (int i = 0; i < 2000; ++i) store->record(plain_record(i));
    }
    std::string bytes = read_file(f.options.path);
    for (size_t at = 8192; at < bytes.size(); at += 50) bytes[at] = '\x5a';
    write_file(f.options.path, bytes);
    auto store = look();
    const bool failed = !store.ok() || !(*store)->query({}).ok();
    CHECK(failed);
    CHECK(read_file(f.options.path) == bytes);
  }
  SECTION("one that is being written is read; a record given to the reader is dropped and counted") {
    auto writer = f.open();
    writer->record(plain_record(1));
    REQUIRE(writer->flush(std::chrono::seconds(10)).ok());
    auto reader = look().value();
    CHECK(reader->sum("", {}).value()[0].calls == 1);
    writer->record(plain_record(2));
    REQUIRE(writer->flush(std::chrono::seconds(10)).ok());
    CHECK(reader->query({}).value().data.size() == 2);
    CHECK(reader->query({}).value().data[0].id == plain_record(2).id);
    reader->record(plain_record(3));
    CHECK(reader->health().dropped == 1);
    CHECK(writer->sum("", {}).value()[0].calls == 2);
  }
  SECTION("somebody else's") {
    SqliteKeyOptions keys;
    keys.path = f.options.path;
    CHECK(open_sqlite_key_store(keys, f.clock, f.logger).ok());
    CHECK(look().error().message.find("is a database of something else") != std::string::npos);
  }
}

TEST_CASE("A file that is damaged while in use is moved aside, and what is queued goes into the new one") {
  Fixture f;
  f.options.flush_every = milliseconds(20);
  auto store = f.open();
  for (int i = 0; i < 3000; ++i) store->record(full_record(i));
  REQUIRE(store->flush(seconds(30)).ok());
  {
    storage::Db other;  // so that the damage is in the file, not behind a log that still has the truth
    REQUIRE(other.open(f.options.path, false, milliseconds(1000)));
    REQUIRE(other.exec("PRAGMA wal_checkpoint(TRUNCATE)"));
  }
  {
    FILE* file = fopen(f.options.path.c_str(), "r+b");
    REQUIRE(file != nullptr);
    const std::string garbage(4096, '\x5a');
    fseek(file, 0, SEEK_END);
    const long size = ftell(file);
    for (long at = 4096; at < size; at += 4096) {
      fseek(file, at, SEEK_SET);
      fwrite(garbage.data(), 1, garbage.size(), file);
    }
    fclose(file);
  }
  int recorded = 3000;
  REQUIRE(eventually([&] {
    store->record(full_record(recorded++));
    return f.logger.has("it was moved aside");
  }, seconds(20)));
  REQUIRE(store->flush(seconds(20)).ok());
  const StoreHealth health = store->health();
  CHECK(health.ok);
  CHECK(health.dropped == 0);
  CHECK(adds_up(health, static_cast<uint64_t>(recorded)));
  CHECK(store->query({}).ok());
  CHECK(store->sum("", {}).value()[0].calls >= 1);
}

TEST_CASE("A usage database that a person has to look at is refused") {
  Fixture f;
  SECTION("somebody else's") {
    mkdir((f.dir / "data").c_str(), 0700);
    write_file(f.options.path, "");
    {
      storage::Db db;
      REQUIRE(db.open(f.options.path, false, milliseconds(1000)));
      REQUIRE(db.exec("CREATE TABLE theirs (x)"));
    }
    const auto refused = open_sqlite_usage_store(f.options, f.clock, f.logger);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().message.find("is a database of something else, not a usage store") != std::string::npos);
    CHECK(f.dir.files().size() == 1);
  }
  SECTION("newer") {
    f.open();
    {
      storage::Db db;
      REQUIRE(db.open(f.options.path, false, milliseconds(1000)));
      REQUIRE(db.exec("PRAGMA user_version=2000"));
    }
    CHECK(open_sqlite_usage_store(f.options, f.clock, f.logger).error().message.find("newer llmrouter") != std::string::npos);
  }
  SECTION("a path that cannot be") {
    write_file(f.dir / "data", "a file");
    CHECK_FALSE(open_sqlite_usage_store(f.options, f.clock, f.logger).ok());
    f.options.path = "";
    CHECK_FALSE(open_sqlite_usage_store(f.options, f.clock, f.logger).ok());
  }
}

TEST_CASE("A database that is locked at the start does not keep anybody from serving") {
  Fixture f;
  f.open();
  storage::Db other;
  REQUIRE(other.open(f.options.path, false, milliseconds(1000)));
  REQUIRE(other.exec("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE; PRAGMA user_version=1; COMMIT"));
  auto store = f.open();
  CHECK_FALSE(store->health().ok);
  store->record(plain_record(1));
  CHECK_FALSE(store->flush(milliseconds(10)).ok());
  CHECK_FALSE(store->query({}).ok());
  other.close();
  REQUIRE(store->flush(seconds(30)).ok());
  CHECK(store->health().ok);
  CHECK(f.all(*store).size() == 1);
}

TEST_CASE("A store with nothing to write finds out by itself that the trouble is over") {
  Fixture f;
  f.open();
  storage::Db other;
  REQUIRE(other.open(f.options.path, false, milliseconds(1000)));
  REQUIRE(other.exec("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE; PRAGMA user_version=1; COMMIT"));
  auto store = f.open();
  CHECK_FALSE(store->health().ok);
  other.close();
  CHECK(eventually([&] { return store->health().ok; }));
}

TEST_CASE("Several processes may write to one usage database") {
  Fixture f;
  constexpr int kChildren = 3, kRecords = 200;
  {
    std::vector<std::unique_ptr<Child>> children;
    for (int c = 0; c < kChildren; ++c) {
      children.push_back(std::make_unique<Child>([&, c] {
        f.options.flush_every = milliseconds(10);
        auto store = f.open();
        for (int i = 0; i < kRecords; ++i) {
          store->record(plain_record(c * 1000 + i));
          if (i % 20 == 0) usleep(1000);
        }
        if (!store->flush(seconds(60)).ok()) _exit(1);
      }));
    }
    for (auto& child : children) CHECK(child->joined_well());
  }
  CHECK(f.open()->sum("", {}).value()[0].calls == kChildren * kRecords);
}

TEST_CASE("kill -9 loses at most the last second of records") {
  Fixture f;
  struct Talk {
    std::atomic<int> count{0};
    std::array<std::atomic<int64_t>, 5000> when{};  // steady nanoseconds of each record
  };
  Shared<Talk> talk;
  const auto now = [] { return std::chrono::steady_clock::now().time_since_epoch().count(); };
  Child child([&] {
    auto store = f.open();  // the default: every half second
    for (int i = 0; i < 5000; ++i) {
      store->record(full_record(i));
      talk->when[static_cast<size_t>(i)] = now();
      ++talk->count;
      usleep(800);
    }
    pause();
  });
  REQUIRE(eventually([&] { return talk->count >= 2200; }, seconds(60)));
  const int64_t killed = now();
  child.kill_now();
  auto store = f.open();
  const int64_t stored = store->sum("", {}).value()[0].calls;
  int64_t least = 0;
  for (int i = 0; i < talk->count; ++i) least += talk->when[static_cast<size_t>(i)] < killed - 1000000000 ? 1 : 0;
  CHECK(least > 100);
  CHECK(stored >= least);
  CHECK_FALSE(f.logger.has("damaged"));
  CHECK(f.dir.files().size() >= 1);
  // What is there is whole, and without holes.
  UsageFilter filter;
  filter.limit = 1000;
  const auto page = store->query(filter).value().data;
  for (size_t i = 0; i < page.size(); ++i) {
    if (!same_record(page[i], full_record(static_cast<int>(stored) - 1 - static_cast<int>(i)))) FAIL("record " << i);
  }
}

TEST_CASE("Queries use the indexes") {
  Fixture f;
  f.open();
  storage::Db db;
  REQUIRE(db.open(f.options.path, true, milliseconds(1000)));
  for (const char* column : {"key", "user", "provider"}) {
    const std::string sql = "SELECT id FROM usage WHERE 1 AND time >= 5 AND " + std::string(column) + " = 'x' ORDER BY time DESC, n DESC LIMIT 10";
    storage::Statement plan(db, "EXPLAIN QUERY PLAN " + sql);
    REQUIRE(plan.row());
    INFO(plan.text(3));
    CHECK(plan.text(3).find("USING INDEX usage_" + std::string(column)) != std::string_view::npos);
    CHECK_FALSE(plan.row());  // no sorting
  }
  storage::Statement plan(db, "EXPLAIN QUERY PLAN SELECT id FROM usage WHERE 1 AND (time, n) < (5, 6) ORDER BY time DESC, n DESC LIMIT 10");
  REQUIRE(plan.row());
  CHECK(plan.text(3).find("USING INDEX usage_time") != std::string_view::npos);
  CHECK_FALSE(plan.row());
}

}  // namespace llmrouter
