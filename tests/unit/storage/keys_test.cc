// What every key store does, in memory or in SQLite.
#include <set>
#include <thread>

#include "catch.h"
#include "storage/key_hash.h"
#include "unit/storage/support.h"

namespace llmrouter {

using namespace storage_test;

namespace {

struct Fixture {
  explicit Fixture(bool sqlite) {
    if (!sqlite) {
      keys = make_memory_key_store(clock);
      return;
    }
    SqliteKeyOptions options;
    options.path = dir / "keys.db";
    keys = open_sqlite_key_store(options, clock, logger).value().keys;
  }
  TempDir dir;
  ManualClock clock;
  MemoryLogger logger;
  std::shared_ptr<KeyStore> keys;

  CreatedKey create(const std::string& name) {
    KeySpec spec;
    spec.name = name;
    return keys->create(spec).value();
  }
};

KeySpec named(const std::string& name) {
  KeySpec spec;
  spec.name = name;
  return spec;
}

FileKey file_key(const std::string& name, const std::string& key) { return {named(name), Secret(key)}; }

}  // namespace

TEST_CASE("A key is made, found, and is nobody else") {
  Fixture f(GENERATE(false, true));
  CHECK(f.keys->empty());
  CHECK(f.keys->find("") == nullptr);
  CHECK(f.keys->find("sk-none") == nullptr);
  const CreatedKey made = f.keys->create(full_spec()).value();
  CHECK_FALSE(f.keys->empty());
  const std::string text = made.key.reveal();
  REQUIRE(text.size() == 3 + 32);
  CHECK(text.compare(0, 3, "sk-") == 0);
  CHECK(text.find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", 3) == std::string::npos);
  CHECK(made.record.id.compare(0, 4, "key_") == 0);
  CHECK(made.record.hint == made.key.hint());
  CHECK(made.record.created == f.clock.wall());
  CHECK_FALSE(made.record.revoked);
  CHECK_FALSE(made.record.from_file);

  const auto found = f.keys->find(text);
  REQUIRE(found);
  CHECK(found->id == made.record.id);
  CHECK(same_spec(found->spec, full_spec()));
  CHECK(f.keys->find(text) == found);  // the same object: the limiter keeps a pointer in it
  for (size_t i = 0; i < text.size(); ++i) {
    std::string wrong = text;
    wrong[i] = wrong[i] == 'x' ? 'y' : 'x';
    CHECK(f.keys->find(wrong) == nullptr);
  }
  CHECK(f.keys->find(text.substr(0, text.size() - 1)) == nullptr);
  CHECK(f.keys->find(text + 'x') == nullptr);
  CHECK(f.keys->find(text + std::string(1, '\0')) == nullptr);
  CHECK(f.keys->find(std::string(100000, 'x')) == nullptr);
}

TEST_CASE("Keys differ, and their prefixes are checked") {
  Fixture f(GENERATE(false, true));
  std::set<std::string> texts, ids;
  for (int i = 0; i < 50; ++i) {
    const CreatedKey made = f.create("k" + std::to_string(i));
    texts.insert(made.key.reveal());
    ids.insert(made.record.id);
  }
  CHECK(texts.size() == 50);
  CHECK(ids.size() == 50);
  CHECK(f.keys->create(named("p"), "team_A-1").value().key.reveal().compare(0, 8, "team_A-1") == 0);
  CHECK(f.keys->create(named("q"), "0123456789abcdef").value().key.reveal().size() == 16 + 32);
  for (const char* prefix : {"0123456789abcdefg", "with space", "ü", "a.b", "a\n"}) {
    const auto refused = f.keys->create(named("p"), prefix);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::kInvalidRequest);
    CHECK(refused.error().param == "prefix");
  }
}

TEST_CASE("What a key may not be made of") {
  Fixture f(GENERATE(false, true));
  const std::pair<const char*, std::function<void(KeySpec&)>> faults[] = {
      {"name", [](KeySpec& s) { s.name = "a\nb"; }},
      {"name", [](KeySpec& s) { s.name = std::string(300, 'x'); }},
      {"name", [](KeySpec& s) { s.name = " ann"; }},
      {"name", [](KeySpec& s) { s.name = " "; }},
      {"expires", [](KeySpec& s) { s.expires = WallTime{}; }},
      {"allow.endpoints[1]", [](KeySpec& s) { s.allow.endpoints = {"chat", "chatt"}; }},
      {"allow.endpoints[0]", [](KeySpec& s) { s.allow.endpoints = {"!imagine*"}; }},
      {"user", [](KeySpec& s) { s.user = "\x1b[31m"; }},
      {"purpose", [](KeySpec& s) { s.purpose = "\x7f"; }},
      {"purpose", [](KeySpec& s) { s.purpose = "nightly"; }},
      {"allow.models[1]", [](KeySpec& s) { s.allow.models = {"a", ""}; }},
      {"allow.providers", [](KeySpec& s) { s.allow.providers.resize(2000, "a"); }},
      {"allow.endpoints[0]", [](KeySpec& s) { s.allow.endpoints = {"\t"}; }},
      {"params.max_tokens", [](KeySpec& s) { s.params.max_tokens = 0; }},
      {"params.temperature", [](KeySpec& s) { s.params.min_temperature = 2, s.params.max_temperature = 1; }},
      {"params.temperature", [](KeySpec& s) { s.params.max_temperature = std::numeric_limits<double>::quiet_NaN(); }},
      {"limits.requests", [](KeySpec& s) { s.limits.requests = Rate{-1, std::chrono::seconds(1), 0}; }},
      {"limits.tokens", [](KeySpec& s) { s.limits.tokens = Rate{1, Duration(0), 0}; }},
      {"limits.concurrent", [](KeySpec& s) { s.limits.concurrent = -1; }},
      {"budget.usd", [](KeySpec& s) { s.limits.budget = Budget{-1, BudgetPeriod::kDay, 0, {}}; }},
      {"budget.soft", [](KeySpec& s) { s.limits.budget = Budget{1, BudgetPeriod::kDay, 101, {}}; }},
  };
  for (const auto& [param, spoil] : faults) {
    INFO(param);
    KeySpec spec;
    spoil(spec);
    const auto refused = f.keys->create(spec);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::kInvalidRequest);
    CHECK(refused.error().param == param);
    CHECK(refused.error().message.find(param) == 0);
  }
  CHECK(f.keys->empty());
}

TEST_CASE("A change touches what it names and nothing else") {
  Fixture f(GENERATE(false, true));
  const CreatedKey made = f.keys->create(full_spec()).value();
  const auto before = f.keys->find(made.key.reveal());
  KeyChange change;
  change.name = "renamed";
  change.limits = Limits();
  change.expires = std::optional<WallTime>();
  f.clock.advance(std::chrono::hours(1));
  const KeyRecord after = f.keys->modify(made.record.id, change).value();
  KeySpec expected = full_spec();
  expected.name = "renamed";
  expected.limits = {};
  expected.expires.reset();
  CHECK(same_spec(after.spec, expected));
  CHECK(after.created == made.record.created);
  CHECK(after.hint == made.record.hint);
  const auto found = f.keys->find(made.key.reveal());
  CHECK(same_spec(found->spec, expected));
  CHECK(found != before);                           // the old record is still what it was for calls in flight
  CHECK(same_spec(before->spec, full_spec()));
  KeyChange all;
  all.user = "u";
  all.purpose = "default";
  all.role = KeyRole::kUser;
  all.allow = AllowList();
  all.params = ParamLimits();
  CHECK(f.keys->modify("renamed", all).value().spec.user == "u");
  CHECK(f.keys->find(made.key.reveal())->spec.role == KeyRole::kUser);
  CHECK(f.keys->find(made.key.reveal())->spec.allow.models.empty());
  CHECK_FALSE(f.keys->find(made.key.reveal())->spec.params.tools.has_value());

  KeyChange bad;
  bad.name = "\x01";
  CHECK(f.keys->modify("renamed", bad).error().param == "name");
  CHECK(f.keys->modify("nobody", all).error().code == ErrorCode::kNotFound);
}

TEST_CASE("A budget of 30 days begins when its key was made") {
  Fixture f(GENERATE(false, true));
  const auto created = std::chrono::time_point_cast<std::chrono::microseconds>(f.clock.wall());
  KeySpec spec = named("k");
  spec.limits.budget = Budget{1, BudgetPeriod::k30d, 0, {}};
  CHECK(f.keys->create(spec).value().record.spec.limits.budget->anchor == created);
  f.create("later");
  f.clock.advance(std::chrono::hours(100));
  KeyChange change;
  change.limits = spec.limits;
  CHECK(f.keys->modify("later", change).value().spec.limits.budget->anchor == created);
}

TEST_CASE("A revoked key is found and says so") {
  Fixture f(GENERATE(false, true));
  const CreatedKey made = f.create("k");
  CHECK(f.keys->revoke("k").ok());
  CHECK(f.keys->find(made.key.reveal())->revoked);
  CHECK(f.keys->revoke(made.record.id).ok());  // twice is once
  CHECK_FALSE(f.keys->empty());
  CHECK(f.keys->revoke("nobody").error().code == ErrorCode::kNotFound);
  KeyChange change;
  change.name = "x";
  CHECK(f.keys->modify(made.record.id, change).error().code == ErrorCode::kConflict);
  // The name is free again: what is meant is the one that lives.
  const CreatedKey again = f.create("k");
  CHECK(f.keys->get("k").value()->id == again.record.id);
  CHECK(f.keys->revoke("k").ok());
  CHECK(f.keys->get("k").error().code == ErrorCode::kConflict);  // two dead ones
  CHECK(f.keys->get(made.record.id).value()->revoked);
}

TEST_CASE("Two keys never have the same name") {
  Fixture f(GENERATE(false, true));
  const CreatedKey a = f.create("same");
  f.clock.advance(std::chrono::seconds(1));
  const CreatedKey b = f.create("other");
  REQUIRE(f.keys->set_file_keys({file_key("ci", "my-own-key")}).ok());
  for (const std::string& name : {std::string("same"), std::string("ci"), a.record.id}) {
    INFO(name);
    const auto refused = f.keys->create(named(name));
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::kConflict);
    CHECK(refused.error().param == "name");
    CHECK(refused.error().message.find("name: there is a key named \"" + name + "\" already") == 0);
    KeyChange change;
    change.name = name;
    CHECK(f.keys->modify(b.record.id, change).error().code == ErrorCode::kConflict);
  }
  KeyChange same;
  same.name = "same";
  CHECK(f.keys->modify(a.record.id, same).ok());
  CHECK(f.keys->health().ok);  // a refusal is no trouble of the store's
  CHECK(f.keys->list().size() == 3);
  // Without a name, as many as one likes.
  CHECK(f.keys->create(named("")).ok());
  CHECK(f.keys->create(named("")).ok());
  CHECK(f.keys->get("").error().code == ErrorCode::kInvalidRequest);
  // A revoked key gives its name back.
  CHECK(f.keys->revoke("same").ok());
  CHECK(f.keys->create(named("same")).ok());
  CHECK(f.keys->list()[1]->id == a.record.id);
  CHECK(a.record.id < b.record.id);  // ids sort by time
}

TEST_CASE("A key that has expired may be changed, but not be given an end that is past") {
  Fixture f(GENERATE(false, true));
  KeySpec spec = named("short");
  spec.expires = f.clock.wall() + std::chrono::seconds(5);
  REQUIRE(f.keys->create(spec).ok());
  f.clock.advance(std::chrono::seconds(10));
  KeyChange change;
  change.user = "ann";
  change.expires = spec.expires;  // as it is
  CHECK(f.keys->modify("short", change).ok());
  change.expires = f.clock.wall();
  CHECK(f.keys->modify("short", change).error().param == "expires");
  change.expires = f.clock.wall() + std::chrono::seconds(1);
  CHECK(f.keys->modify("short", change).ok());
}

TEST_CASE("The configuration's keys are found first, replaced as a whole and changed nowhere else") {
  Fixture f(GENERATE(false, true));
  const CreatedKey stored = f.create("stored");
  REQUIRE(f.keys->set_file_keys({file_key("ci", "my-own-key"), file_key("dev", stored.key.reveal())}).ok());
  const auto ci = f.keys->find("my-own-key");
  REQUIRE(ci);
  CHECK(ci->id == "file:ci");
  CHECK(ci->from_file);
  CHECK(ci->hint == "...");
  CHECK(f.keys->find(stored.key.reveal())->id == "file:dev");
  CHECK(f.keys->list().size() == 3);
  CHECK(f.keys->list()[0]->id == "file:ci");
  CHECK(f.keys->get("file:dev").ok());
  for (const char* name : {"ci", "file:ci"}) {
    const auto refused = f.keys->modify(name, {});
    CHECK(refused.error().code == ErrorCode::kConflict);
    CHECK(refused.error().message == "key \"ci\" stands in the configuration: change it there");
    CHECK(f.keys->revoke(name).error().code == ErrorCode::kConflict);
  }
  REQUIRE(f.keys->set_file_keys({file_key("ci", "another-key")}).ok());
  CHECK(f.keys->find("my-own-key") == nullptr);
  CHECK(f.keys->find("another-key")->id == "file:ci");
  CHECK(f.keys->find(stored.key.reveal())->id == stored.record.id);

  const std::pair<std::vector<FileKey>, const char*> faults[] = {
      {{file_key("a", "1"), file_key("a", "2")}, "keys[1].name"},
      {{file_key("a", "1"), file_key("b", "1")}, "keys[1].key"},
      {{file_key("a", "")}, "keys[0].key"},
      {{file_key("a", std::string(600, 'x'))}, "keys[0].key"},
      {{file_key("a\n", "1")}, "keys[0].name"},
  };
  for (const auto& [keys, param] : faults) {
    const auto refused = f.keys->set_file_keys(keys);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::kInvalidRequest);
    CHECK(refused.error().param == param);
    CHECK(refused.error().message.find(param) == 0);
  }
  CHECK(f.keys->find("another-key") != nullptr);  // what was there stays
  REQUIRE(f.keys->set_file_keys({}).ok());
  CHECK(f.keys->list().size() == 1);
}

TEST_CASE("Keys may be looked up from many threads while they change") {
  Fixture f(GENERATE(false, true));
  const CreatedKey stays = f.create("stays");
  const std::string text = stays.key.reveal();
  std::atomic<bool> stop{false};
  std::atomic<int> missed{0}, looked{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      while (!stop) {
        const auto found = f.keys->find(text);
        if (!found || found->id != stays.record.id) ++missed;
        if (f.keys->empty()) ++missed;
        ++looked;
      }
    });
  }
  while (looked == 0) std::this_thread::yield();  // on a busy machine all below may be over before a thread begins
  for (int i = 0; i < 30; ++i) {
    const CreatedKey made = f.create("k" + std::to_string(i));
    if (!f.keys->find(made.key.reveal())) ++missed;
    KeyChange change;
    change.user = std::to_string(i);
    if (!f.keys->modify(stays.record.id, change).ok()) ++missed;
    if (f.keys->find(text)->spec.user != std::to_string(i)) ++missed;
    if (i % 3 == 0 && !f.keys->set_file_keys({file_key("f", "file-key-" + std::to_string(i))}).ok()) ++missed;
    if (!f.keys->revoke(made.record.id).ok() || !f.keys->find(made.key.reveal())->revoked) ++missed;
  }
  stop = true;
  for (std::thread& t : threads) t.join();
  CHECK(missed == 0);
  CHECK(looked > 0);
  CHECK(f.keys->list().size() == 32);
}

TEST_CASE("Digests are compared in constant time") {
  storage::Digest a{}, b{};
  CHECK(storage::same_bytes(a, b));
  for (size_t i = 0; i < a.size(); ++i) {
    b[i] ^= 0x80;
    CHECK_FALSE(storage::same_bytes(a, b));
    b[i] ^= 0x80;
  }
  // What cannot be measured reliably can be read: no plain comparison of digests in the sources that handle them.
  for (const char* name : {"key_hash.cc", "key_hash.h", "key_table.cc", "key_table.h", "sqlite_keys.cc"}) {
    const std::string source = read_file(std::string(LLMROUTER_SOURCE_DIR) + "/lib/storage/" + name);
    REQUIRE_FALSE(source.empty());
    CHECK(source.find("std::memcmp") == std::string::npos);
    CHECK(source.find("bcmp(") == std::string::npos);
    CHECK(source.find(".hash ==") == std::string::npos);
    CHECK(source.find(".lookup ==") == std::string::npos);
    CHECK(source.find("tag ==") == std::string::npos);
  }
  CHECK(read_file(std::string(LLMROUTER_SOURCE_DIR) + "/lib/storage/key_hash.cc").find("CRYPTO_memcmp(a.data(), b.data(), a.size())") !=
        std::string::npos);
}

TEST_CASE("The tag of a key is SipHash-2-4 of 128 bits, under a key of the process's own") {
  const storage::Tag key{0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
  std::string text;
  const auto tag_of = [&](size_t size) {
    text.clear();
    for (size_t i = 0; i < size; ++i) text += static_cast<char>(i);
    return storage::siphash(key, text);
  };
  // Of the paper's reference implementation, read as two little-endian words.
  CHECK(tag_of(0) == storage::Tag{0xe6a825ba047f81a3u, 0x930255c71472f66du});
  CHECK(tag_of(1) == storage::Tag{0x44af996bd8c187dau, 0x45fc229b11597634u});
  CHECK(tag_of(8) == storage::Tag{0x61f55862baa9623bu, 0xb49714f364e2830fu});
  CHECK(tag_of(15) == storage::Tag{0x11a8b03399e99354u, 0xd9c3cf970fec087eu});
  CHECK(tag_of(43) == storage::Tag{0xaa21b7ef3734d927u, 0x89df5aecdc211840u});
  const storage::KeyHasher one = storage::KeyHasher::make("a secret of thirty-two characters").value();
  const storage::KeyHasher same = storage::KeyHasher::make("a secret of thirty-two characters").value();
  CHECK(one.tag("sk-key") == one.tag("sk-key"));
  CHECK(one.tag("sk-key") != one.tag("sk-kez"));
  CHECK(one.tag("sk-key") != same.tag("sk-key"));
  for (size_t word : {0u, 1u}) {
    storage::Tag other = key;
    other[word] ^= 1;
    CHECK_FALSE(storage::same_tag(key, other));
  }
}

TEST_CASE("Each of many keys is found as itself, the first time and later, until it is replaced") {
  Fixture f(false);
  constexpr int kKeys = 500;
  std::vector<FileKey> keys;
  for (int i = 0; i < kKeys; ++i) keys.push_back(file_key("k" + std::to_string(i), "file-key-" + std::to_string(i)));
  REQUIRE(f.keys->set_file_keys(keys).ok());
  const CreatedKey stored = f.create("stored");
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < kKeys; ++i) {
      const auto found = f.keys->find("file-key-" + std::to_string(i));
      REQUIRE(found);
      CHECK(found->spec.name == "k" + std::to_string(i));
      CHECK(f.keys->find("file-kez-" + std::to_string(i)) == nullptr);
    }
    CHECK(f.keys->find(stored.key.reveal())->spec.name == "stored");
  }
  keys.resize(kKeys / 2);
  for (FileKey& key : keys) key.spec.user = "changed";
  REQUIRE(f.keys->set_file_keys(keys).ok());
  REQUIRE(f.keys->revoke("stored").ok());
  for (int i = 0; i < kKeys; ++i) {
    const auto found = f.keys->find("file-key-" + std::to_string(i));
    REQUIRE((found != nullptr) == (i < kKeys / 2));
    if (found) CHECK(found->spec.user == "changed");
  }
  CHECK(f.keys->find(stored.key.reveal())->revoked);
}

TEST_CASE("The same key has another digest under another secret, and another hash each time") {
  using storage::HashedKey;
  using storage::KeyHasher;
  const KeyHasher one = KeyHasher::make("a secret of thirty-two characters").value();
  const KeyHasher two = KeyHasher::make("another secret").value();
  HashedKey a, b, c;
  REQUIRE(one.hash("sk-key", &a));
  REQUIRE(one.hash("sk-key", &b));
  REQUIRE(two.hash("sk-key", &c));
  CHECK(a.lookup == b.lookup);
  CHECK(a.salt != b.salt);
  CHECK(a.hash != b.hash);
  CHECK(a.lookup != c.lookup);
  CHECK(one.check() != two.check());
  CHECK(one.matches(a, "sk-key"));
  CHECK_FALSE(one.matches(a, "sk-kez"));
  CHECK_FALSE(one.matches(a, std::string(5000, 'x')));
  HashedKey none;
  const KeyHasher broken;
  CHECK_FALSE(broken.hash("sk-key", &none));
  CHECK_FALSE(broken.matches(a, "sk-key"));
}

}  // namespace llmrouter
