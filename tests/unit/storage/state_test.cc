// Run-time state: what survives, and what another process sees.
#include <atomic>

#include "catch.h"
#include "llmrouter/state.h"
#include "storage/sqlite_db.h"
#include "unit/storage/support.h"

namespace llmrouter {

using namespace storage_test;

namespace {

std::string lines(const StateStore& store) {
  std::string out;
  for (const StateEntry& e : store.all()) out += e.kind + "/" + e.name + "=" + e.value + " ";
  return out;
}

void put_and_remove(StateStore& store) {
  CHECK(lines(store).empty());
  REQUIRE(store.put({"rule", "b", "1"}).ok());
  REQUIRE(store.put({"rule", "a", "2"}).ok());
  REQUIRE(store.put({"override", "a", "it's \"3\""}).ok());
  REQUIRE(store.put({"rule", "b", "4"}).ok());
  CHECK(lines(store) == "override/a=it's \"3\" rule/a=2 rule/b=4 ");
  CHECK(store.remove("rule", "a").value());
  CHECK_FALSE(store.remove("rule", "a").value());
  CHECK(lines(store) == "override/a=it's \"3\" rule/b=4 ");
}

}  // namespace

TEST_CASE("State in memory") { put_and_remove(*make_memory_state_store()); }

TEST_CASE("State on disk survives, and another process's changes are told of") {
  TempDir dir;
  MemoryLogger logger;
  SqliteKeyOptions options;
  options.path = dir / "keys.db";
  auto open = [&] { return open_sqlite_key_store(options, system_clock(), logger).value(); };
  {
    auto first = open();
    put_and_remove(*first.state);
  }
  auto here = open();
  CHECK(lines(*here.state) == "override/a=it's \"3\" rule/b=4 ");
  std::atomic<int> told{0};
  std::atomic<bool> seen{false};
  here.state->watch([&] {
    ++told;
    seen = lines(*here.state).find("rule/c=5") != std::string::npos;
  });
  REQUIRE(here.state->put({"rule", "own", "0"}).ok());  // one's own is no news
  auto there = open();
  REQUIRE(there.state->put({"rule", "c", "5"}).ok());
  CHECK(eventually([&] { return seen.load(); }));
  CHECK(told == 1);
}

TEST_CASE("A store of the version before gets a place for state and keeps its keys") {
  TempDir dir;
  MemoryLogger logger;
  SqliteKeyOptions options;
  options.path = dir / "keys.db";
  KeySpec spec;
  spec.name = "kept";
  CHECK(open_sqlite_key_store(options, system_clock(), logger).value().keys->create(spec).ok());
  {
    storage::Db db;
    REQUIRE(db.open(options.path, false, std::chrono::milliseconds(1000)));
    REQUIRE(db.exec("DROP TABLE state; DROP TABLE sessions; ALTER TABLE keys DROP COLUMN filters; PRAGMA user_version=1"));
  }
  auto store = open_sqlite_key_store(options, system_clock(), logger).value();
  REQUIRE(store.keys->get("kept").ok());
  CHECK(store.keys->get("kept").value()->spec.filters.empty());
  KeyChange change;
  change.filters = std::vector<std::string>{"redact", "think_tags"};
  REQUIRE(store.keys->modify("kept", change).ok());
  store = {};
  store = open_sqlite_key_store(options, system_clock(), logger).value();
  CHECK(store.keys->get("kept").value()->spec.filters == std::vector<std::string>{"redact", "think_tags"});
  CHECK(store.state->put({"rule", "a", "1"}).ok());
}

}  // namespace llmrouter
