// The Nth operation of the disk fails, for every N until none does: nothing crashes, nothing is lost without being counted, and what was
// said to be done is done.
#include <sqlite3.h>

#include <map>

#include "catch.h"
#include "unit/storage/failing_vfs.h"
#include "unit/storage/support.h"

namespace llmrouter {

using namespace storage_test;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

struct Disk {
  const char* name;
  int code;
  bool reads_too;
};
const Disk kDisks[] = {{"full", SQLITE_FULL, false}, {"broken", SQLITE_IOERR, true}, {"sync fails", SQLITE_IOERR_FSYNC, false}};

constexpr int kTooMany = 400;  // operations; every run here has fewer

// Asks again and again, which makes the writer try at once instead of after its pause.
bool flushed(UsageStore& store) {
  return eventually([&] { return store.flush(milliseconds(2)).ok(); }, seconds(30));
}

bool adds_up(const StoreHealth& h, uint64_t recorded) { return h.written + h.dropped + h.queued == recorded; }

}  // namespace

TEST_CASE("Usage: the Nth operation of the disk fails once") {
  const Disk disk = kDisks[GENERATE(0, 1, 2)];
  INFO(disk.name);
  FailingVfs vfs;
  ManualClock clock{at(0)};
  int n = 1;
  for (; n < kTooMany; ++n) {
    INFO("operation " << n);
    TempDir dir;
    MemoryLogger logger;
    SqliteUsageOptions options;
    options.path = dir / "usage.db";
    options.flush_every = milliseconds(1);
    uint64_t recorded = 0, stored = 0;
    vfs.fail(n, disk.code, false, disk.reads_too);
    {
      auto opened = open_sqlite_usage_store(options, clock, logger);
      if (!opened) {
        // What cannot be opened is refused with words; the next try goes well.
        CHECK(opened.error().code == ErrorCode::kStorage);
        CHECK(vfs.failed());
        opened = open_sqlite_usage_store(options, clock, logger);
        REQUIRE(opened.ok());
      }
      auto& store = **opened;
      for (int batch = 0; batch < 3; ++batch) {
        for (int i = 0; i < 4; ++i) store.record(full_record(static_cast<int>(recorded++)));
        REQUIRE(flushed(store));
        CHECK(adds_up(store.health(), recorded));
      }
      // The reader's own trouble is an error, and passes.
      auto page = store.query({});
      if (!page) page = store.query({});
      REQUIRE(page.ok());
      CHECK(page->data.size() == recorded);
      const StoreHealth health = store.health();
      CHECK(health.dropped == 0);
      CHECK(health.written == recorded);
      CHECK(health.queued == 0);
      CHECK(health.ok);
      stored = health.written;
    }
    const bool reached = vfs.failed();
    vfs.heal();
    auto again = open_sqlite_usage_store(options, clock, logger).value();
    CHECK(again->sum("", {}).value()[0].calls == static_cast<int64_t>(stored));
    CHECK_FALSE(logger.has("damaged"));
    if (!reached) break;
  }
  CHECK(n > 20);
  CHECK(n < kTooMany);
}

TEST_CASE("Usage: from the Nth operation on the disk is bad, then good again") {
  const Disk disk = kDisks[GENERATE(0, 1, 2)];
  INFO(disk.name);
  FailingVfs vfs;
  ManualClock clock{at(0)};
  int n = 1;
  for (; n < kTooMany; ++n) {
    INFO("operation " << n);
    TempDir dir;
    MemoryLogger logger;
    SqliteUsageOptions options;
    options.path = dir / "usage.db";
    options.flush_every = milliseconds(1);
    options.queue = 6;
    vfs.fail(n, disk.code, true, disk.reads_too);
    auto opened = open_sqlite_usage_store(options, clock, logger);
    if (!opened) {
      CHECK(opened.error().code == ErrorCode::kStorage);
      continue;
    }
    auto& store = **opened;
    uint64_t recorded = 0;
    for (int batch = 0; batch < 2; ++batch) {
      for (int i = 0; i < 5; ++i) store.record(plain_record(static_cast<int>(recorded++)));
      const bool done = store.flush(milliseconds(10)).ok();
      const StoreHealth health = store.health();
      CHECK(adds_up(health, recorded));
      if (!done && !vfs.failed()) CHECK((flushed(store) || vfs.failed()));  // it was only slow, or fails by now
    }
    const bool reached = vfs.failed();
    if (reached) CHECK(eventually([&] { return !store.health().ok; }));
    vfs.heal();
    REQUIRE(flushed(store));
    const StoreHealth health = store.health();
    CHECK(health.ok);
    CHECK(health.queued == 0);
    CHECK(adds_up(health, recorded));
    CHECK(store.sum("", {}).value()[0].calls == static_cast<int64_t>(health.written));
    CHECK(health.written >= 6);  // those that fit into the queue were kept through it all
    if (!reached) break;
  }
  CHECK(n > 20);
  CHECK(n < kTooMany);
}

TEST_CASE("Usage: what a bad disk costs at the end is counted in the log") {
  FailingVfs vfs;
  ManualClock clock{at(0)};
  TempDir dir;
  MemoryLogger logger;
  SqliteUsageOptions options;
  options.path = dir / "usage.db";
  auto store = open_sqlite_usage_store(options, clock, logger).value();
  vfs.fail(1, SQLITE_FULL, true);
  for (int i = 0; i < 9; ++i) store->record(plain_record(i));
  store.reset();
  CHECK(logger.has("lost records=9"));
  CHECK(logger.has("the disk is full"));
}

TEST_CASE("Keys: the Nth operation of the disk fails once") {
  const Disk disk = kDisks[GENERATE(0, 1, 2)];
  INFO(disk.name);
  FailingVfs vfs;
  ManualClock clock{at(0)};
  int n = 1;
  for (; n < kTooMany; ++n) {
    INFO("operation " << n);
    TempDir dir;
    MemoryLogger logger;
    SqliteKeyOptions options;
    options.path = dir / "keys.db";
    std::map<std::string, std::string> users;  // of the keys that were said to be made, by text
    std::string revoked;
    int64_t spent = 0;
    vfs.fail(n, disk.code, false, disk.reads_too);
    {
      auto opened = open_sqlite_key_store(options, clock, logger);
      if (!opened) {
        CHECK(opened.error().code == ErrorCode::kStorage);
        CHECK(vfs.failed());
        opened = open_sqlite_key_store(options, clock, logger);
        REQUIRE(opened.ok());
      }
      auto& keys = *opened->keys;
      for (int i = 0; i < 2; ++i) {
        KeySpec spec = full_spec();
        spec.name = "k" + std::to_string(i);
        auto made = keys.create(spec);
        if (!made) {
          CHECK(made.error().code == ErrorCode::kStorage);
          made = keys.create(spec);
          REQUIRE(made.ok());
        }
        users[made->key.reveal()] = spec.user;
        REQUIRE(keys.find(made->key.reveal()));
        opened->ledger->add("key:a", 0, 100);
        spent += 100;
        KeyChange change;
        change.user = "changed";
        auto modified = keys.modify(made->record.id, change);
        if (modified) {
          users[made->key.reveal()] = "changed";
        } else {
          CHECK(modified.error().code == ErrorCode::kStorage);
          CHECK(keys.find(made->key.reveal())->spec.user == spec.user);  // not half done
        }
        if (i == 1 && keys.revoke(made->record.id).ok()) revoked = made->key.reveal();
      }
      CHECK(opened->ledger->spent("key:a", 0) == spent);
    }
    const bool reached = vfs.failed();
    vfs.heal();
    auto again = open_sqlite_key_store(options, clock, logger).value();
    for (const auto& [text, user] : users) {
      const auto found = again.keys->find(text);
      REQUIRE(found);
      CHECK(found->spec.user == user);
      CHECK(found->spec.allow.models == full_spec().allow.models);
    }
    if (!revoked.empty()) CHECK(again.keys->find(revoked)->revoked);
    CHECK(again.ledger->spent("key:a", 0) == spent);
    CHECK_FALSE(logger.has("damaged"));
    if (!reached) break;
  }
  CHECK(n > 20);
  CHECK(n < kTooMany);
}

TEST_CASE("Keys: a bad disk is an error for who writes, nothing for who reads, and it heals") {
  const Disk disk = kDisks[GENERATE(0, 1, 2)];
  INFO(disk.name);
  FailingVfs vfs;
  ManualClock clock{at(0)};
  TempDir dir;
  MemoryLogger logger;
  SqliteKeyOptions options;
  options.path = dir / "keys.db";
  auto store = open_sqlite_key_store(options, clock, logger).value();
  const CreatedKey made = store.keys->create(full_spec()).value();
  store.ledger->add("key:a", 0, 1);
  REQUIRE(eventually([&] { return store.keys->health().written == 1; }));
  vfs.fail(1, disk.code, true, disk.reads_too);
  KeySpec another = full_spec();
  another.name = "another";
  const auto refused = store.keys->create(another);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::kStorage);
  CHECK(refused.error().message.find(options.path) == 0);
  CHECK_FALSE(store.keys->modify(made.record.id, {}).ok());
  CHECK_FALSE(store.keys->revoke(made.record.id).ok());
  CHECK_FALSE(store.keys->find(made.key.reveal())->revoked);
  CHECK(same_spec(store.keys->find(made.key.reveal())->spec, full_spec()));
  CHECK(store.keys->list().size() == 1);
  for (int i = 0; i < 50; ++i) store.ledger->add("key:a", 0, 1);
  CHECK(store.ledger->spent("key:a", 0) == 51);
  CHECK(eventually([&] { return store.keys->health().queued == 1; }));
  CHECK_FALSE(store.keys->health().ok);
  CHECK_FALSE(store.keys->health().problem.empty());
  CHECK(logger.has("error the key store has a problem"));
  vfs.heal();
  CHECK(eventually([&] { return store.keys->health().ok && store.keys->health().queued == 0; }));
  CHECK(eventually([&] { return logger.has("info the key store works again"); }));
  CHECK(store.keys->create(another).ok());
  store = {};
  CHECK(open_sqlite_key_store(options, clock, logger).value().ledger->spent("key:a", 0) == 51);
}

TEST_CASE("Keys: a store that only failed to make a key finds out by itself that the disk is well") {
  FailingVfs vfs;
  ManualClock clock{at(0)};
  TempDir dir;
  MemoryLogger logger;
  SqliteKeyOptions options;
  options.path = dir / "keys.db";
  auto store = open_sqlite_key_store(options, clock, logger).value();
  vfs.fail(1, SQLITE_FULL, true);
  CHECK_FALSE(store.keys->create({}).ok());
  CHECK_FALSE(store.keys->health().ok);
  vfs.heal();
  CHECK(eventually([&] { return store.keys->health().ok; }));
}

}  // namespace llmrouter
