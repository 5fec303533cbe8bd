// Tokens for logins, in memory or in SQLite.
#include <thread>

#include "catch.h"
#include "storage/sqlite_db.h"
#include "unit/storage/support.h"

namespace llmrouter {

using namespace storage_test;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

struct Fixture {
  explicit Fixture(bool on_disk) : sqlite(on_disk) { open(); }
  void open() {
    if (!sqlite) {
      keys = make_memory_key_store(clock);
      return;
    }
    keys.reset();
    SqliteKeyOptions options;
    options.path = dir / "keys.db";
    keys = open_sqlite_key_store(options, clock, logger).value().keys;
  }
  const bool sqlite;
  TempDir dir;
  ManualClock clock;
  MemoryLogger logger;
  std::shared_ptr<KeyStore> keys;

  CreatedKey create(const std::string& name, std::optional<WallTime> expires = {}) {
    KeySpec spec;
    spec.name = name;
    spec.expires = expires;
    return keys->create(spec).value();
  }
  CreatedSession session(const KeyRecord& key, const std::string& model = "m", Duration ttl = SessionWish::kUsual) {
    return keys->create_session(key, {model, ttl}).value();
  }
};

FileKey file_key(const std::string& name, const std::string& key) {
  FileKey file;
  file.spec.name = name;
  file.key = Secret(key);
  return file;
}

}  // namespace

TEST_CASE("A session's token is its key, with a model, and nobody else's") {
  Fixture f(GENERATE(false, true));
  const CreatedKey key = f.create("k"), other = f.create("other");
  const CreatedSession made = f.session(key.record, "gpt-4o");
  const std::string token(made.token.reveal());
  CHECK(token.compare(0, 4, "lrs_") == 0);
  REQUIRE(token.size() == 4 + 32);
  CHECK(made.session.id.compare(0, 4, "ses_") == 0);
  CHECK(made.session.expires == f.clock.wall() + hours(8));
  CHECK(to_json(made.session).find(token) == std::string::npos);
  CHECK(to_json(made).find(token) != std::string::npos);
  const auto found = f.keys->find(token);
  REQUIRE(found);
  CHECK(found->id == key.record.id);
  REQUIRE(found->session);
  CHECK(found->session->model == "gpt-4o");
  CHECK(found->session->key == key.record.id);
  CHECK(f.keys->find(token) == found);  // the same object: the limiter keeps a pointer in it
  CHECK_FALSE(f.keys->find(key.key.reveal())->session);
  CHECK(f.keys->find(token.substr(0, token.size() - 1)) == nullptr);
  CHECK(f.keys->find(made.session.id) == nullptr);
  CHECK(f.keys->list().size() == 2);
  CHECK(f.keys->get(made.session.id).error().code == ErrorCode::kNotFound);
  // What the key becomes, the token is.
  KeyChange change;
  change.user = "ann";
  REQUIRE(f.keys->modify("k", change).ok());
  CHECK(f.keys->find(token)->spec.user == "ann");
  CHECK(f.keys->sessions(other.record).empty());
  REQUIRE(f.keys->revoke("k").ok());
  CHECK(f.keys->find(token)->revoked);
  CHECK(f.keys->create_session(key.record, {"m"}).error().code == ErrorCode::kConflict);
}

TEST_CASE("A session ends: itself, with its time, with all of its key's, with its key") {
  Fixture f(GENERATE(false, true));
  const CreatedKey key = f.create("k"), other = f.create("other");
  const CreatedSession a = f.session(key.record, "a"), b = f.session(key.record, "b", minutes(5)), c = f.session(key.record, "c");
  const CreatedSession theirs = f.session(other.record);
  CHECK(f.keys->sessions(key.record).size() == 3);
  CHECK(f.keys->end_sessions(other.record, a.session.id).error().code == ErrorCode::kNotFound);
  CHECK(f.keys->find(a.token.reveal()) != nullptr);
  CHECK(f.keys->end_sessions(key.record, a.session.id).value() == 1);
  CHECK(f.keys->find(a.token.reveal()) == nullptr);
  CHECK(f.keys->end_sessions(key.record, a.session.id).error().code == ErrorCode::kNotFound);
  f.clock.advance(minutes(5));
  REQUIRE(f.keys->sessions(key.record).size() == 1);
  CHECK(f.keys->sessions(key.record).front().model == "c");
  CHECK(f.keys->end_sessions(key.record, {}).value() >= 1);
  CHECK(f.keys->find(c.token.reveal()) == nullptr);
  CHECK(f.keys->end_sessions(key.record, {}).value() == 0);
  CHECK(f.keys->find(theirs.token.reveal()) != nullptr);

  const CreatedKey brief = f.create("brief", f.clock.wall() + hours(1));
  CHECK(f.session(brief.record).session.expires == f.clock.wall() + hours(1));
  f.clock.advance(hours(1));
  CHECK(f.keys->create_session(brief.record, {"m"}).error().code == ErrorCode::kConflict);
}

TEST_CASE("What a session may not be") {
  Fixture f(GENERATE(false, true));
  const CreatedKey key = f.create("k");
  for (const auto& [wish, param] : {std::pair(SessionWish{""}, "model"), std::pair(SessionWish{std::string(1025, 'm')}, "model"),
                                    std::pair(SessionWish{"m", Duration(0)}, "ttl"), std::pair(SessionWish{"m", -seconds(1)}, "ttl"),
                                    std::pair(SessionWish{"m", hours(30 * 24) + seconds(1)}, "ttl")}) {
    const auto refused = f.keys->create_session(key.record, wish);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::kInvalidRequest);
    CHECK(refused.error().param == param);
  }
  const auto token = f.session(key.record, "m", hours(30 * 24)).token;
  CHECK(f.keys->create_session(*f.keys->find(token.reveal()), {"m"}).error().code == ErrorCode::kConflict);
  KeyRecord nobody;
  nobody.id = "key_nobody";
  CHECK(f.keys->create_session(nobody, {"m"}).error().code == ErrorCode::kNotFound);
  for (size_t i = 1; i < KeyStore::kMostSessions; ++i) f.session(key.record, "m", hours(1));
  const auto one_more = f.keys->create_session(key.record, {"m"});
  REQUIRE_FALSE(one_more.ok());
  CHECK(one_more.error().code == ErrorCode::kConflict);
  CHECK(one_more.error().message.find("100") != std::string::npos);
  f.clock.advance(hours(1));  // what has ended makes room
  CHECK(f.keys->create_session(key.record, {"m"}).ok());
}

TEST_CASE("Sessions of the configuration's keys: while the key is the same") {
  Fixture f(GENERATE(false, true));
  REQUIRE(f.keys->set_file_keys({file_key("ci", "sk-1"), file_key("b", "sk-2")}).ok());
  const auto key = f.keys->get("ci").value();
  const std::string token(f.session(*key).token.reveal());
  CHECK(f.keys->find(token)->id == "file:ci");
  REQUIRE(f.keys->set_file_keys({file_key("ci", "sk-1")}).ok());
  CHECK(f.keys->find(token) != nullptr);
  // Whoever changes a key's text does so because others know it: what was made with it is void.
  REQUIRE(f.keys->set_file_keys({file_key("ci", "sk-3")}).ok());
  CHECK(f.keys->find(token) == nullptr);
  CHECK(f.keys->sessions(*f.keys->get("ci").value()).empty());
  REQUIRE(f.keys->set_file_keys({file_key("other", "sk-1")}).ok());
  CHECK(f.keys->find(token) == nullptr);
  REQUIRE(f.keys->set_file_keys({}).ok());
  CHECK(f.keys->find(token) == nullptr);
}

TEST_CASE("Sessions on disk: they survive, those that ended are purged, no token is there, others' are seen") {
  Fixture f(true);
  const CreatedKey key = f.create("k");
  const CreatedSession lasting = f.session(key.record, "a"), brief = f.session(key.record, "b", minutes(1));
  for (const std::string& name : f.dir.files()) {
    CHECK(read_file(f.dir / name).find(std::string(lasting.token.reveal())) == std::string::npos);
  }
  f.open();
  const auto found = f.keys->find(lasting.token.reveal());
  REQUIRE(found);
  CHECK(found->session->id == lasting.session.id);
  CHECK(found->session->model == "a");
  CHECK(found->session->hint == lasting.session.hint);
  CHECK(found->session->created == lasting.session.created);
  CHECK(found->session->expires == lasting.session.expires);

  SqliteKeyOptions options;
  options.path = f.dir / "keys.db";
  auto there = open_sqlite_key_store(options, f.clock, f.logger).value().keys;
  const CreatedSession news = there->create_session(key.record, {"c"}).value();
  CHECK(eventually([&] { return f.keys->find(news.token.reveal()) != nullptr; }));
  REQUIRE(there->end_sessions(key.record, news.session.id).ok());
  CHECK(eventually([&] { return f.keys->find(news.token.reveal()) == nullptr; }));
  there.reset();

  f.clock.advance(minutes(1));
  f.session(key.record, "d");
  f.keys.reset();
  storage::Db db;
  REQUIRE(db.open(options.path, false, std::chrono::milliseconds(1000)));
  CHECK(db.number("SELECT count(*) FROM sessions") == 2);
  CHECK(db.number("SELECT count(*) FROM sessions WHERE model = 'b'") == 0);
}

TEST_CASE("Threads: sessions begin and end while others present theirs") {
  Fixture f(false);
  const CreatedKey key = f.create("k");
  const std::string token(f.session(key.record).token.reveal());
  std::atomic<bool> stop{false};
  std::atomic<int> lost{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!stop) {
        const auto found = f.keys->find(token);
        if (!found || !found->session || found->session->model != "m") ++lost;
      }
    });
  }
  for (int i = 0; i < 200; ++i) {
    const CreatedSession made = f.session(key.record, "other");
    CHECK(f.keys->find(made.token.reveal())->session->model == "other");
    CHECK(f.keys->end_sessions(key.record, made.session.id).ok());
    CHECK(f.keys->find(made.token.reveal()) == nullptr);
  }
  stop = true;
  for (auto& reader : readers) reader.join();
  CHECK(lost == 0);
}

}  // namespace llmrouter
