// Keys in memory alone: for tests, and for applications that bring their own.
#include "llmrouter/keys.h"
#include "storage/key_rules.h"
#include "storage/key_sessions.h"
#include "storage/key_table.h"

namespace llmrouter {
namespace storage {
namespace {

class MemoryKeyStore final : public KeyStore {
 public:
  MemoryKeyStore(KeyHasher hasher, const Clock& clock) : clock_(clock), table_(std::move(hasher)) {}

  std::shared_ptr<const KeyRecord> find(std::string_view presented) const override { return table_.find(presented); }
  bool empty() const noexcept override { return table_.empty(); }
  std::vector<std::shared_ptr<const KeyRecord>> list() const override { return table_.list(); }
  Result<std::shared_ptr<const KeyRecord>> get(std::string_view id_or_name) const override { return table_.get(id_or_name); }
  Result<void> set_file_keys(const std::vector<FileKey>& keys) override { return table_.set_file_keys(keys, clock_.wall()); }

  Result<CreatedKey> create(const KeySpec& spec, std::string_view prefix) override {
    if (auto ok = check_prefix(prefix); !ok) return std::move(ok).error();
    if (auto ok = check_spec(spec); !ok) return std::move(ok).error();
    if (auto ok = check_expiry(spec.expires, clock_.wall()); !ok) return std::move(ok).error();
    auto key = make_key_text(prefix.empty() ? "sk-" : prefix);
    if (!key) return std::move(key).error();
    auto id = make_id("key_", clock_.wall());
    if (!id) return std::move(id).error();
    KeyRecord record;
    record.id = std::move(*id);
    record.spec = spec;
    record.hint = key->hint();
    record.created = clock_.wall();
    anchor_budget(record.spec, record.created);
    KeyEntry entry;
    if (!table_.hasher().hash(key->reveal(), &entry.hashed)) return Error(ErrorCode::kStorage, "the key could not be hashed");
    entry.record = std::make_shared<KeyRecord>(record);
    std::lock_guard<std::mutex> lock(mutex_);
    if (auto free = table_.check_free(spec.name, record.id); !free) return std::move(free).error();
    hashes_[record.id] = entry.hashed;
    table_.put_stored(std::move(entry));
    return CreatedKey{std::move(record), std::move(*key)};
  }

  Result<KeyRecord> modify(std::string_view id_or_name, const KeyChange& change) override {
    std::lock_guard<std::mutex> lock(mutex_);
    auto current = stored(id_or_name);
    if (!current) return std::move(current).error();
    auto next = changed(**current, change, clock_.wall());
    if (!next) return next;
    if (auto free = table_.check_renamed(**current, *next); !free) return std::move(free).error();
    put(*next);
    return next;
  }

  Result<void> revoke(std::string_view id_or_name) override {
    std::lock_guard<std::mutex> lock(mutex_);
    auto current = stored(id_or_name);
    if (!current) return std::move(current).error();
    KeyRecord next = **current;
    next.revoked = true;
    put(next);
    return {};
  }

  Result<CreatedSession> create_session(const KeyRecord& key, const SessionWish& wish) override {
    std::lock_guard<std::mutex> lock(mutex_);
    auto made = make_session(table_, key, wish, clock_.wall());
    if (!made) return std::move(made).error();
    CreatedSession created{*made->entry.session, std::move(made->token)};
    table_.put_session(std::move(made->entry), clock_.wall());
    return created;
  }

  std::vector<KeySession> sessions(const KeyRecord& key) const override { return table_.sessions(key.id, clock_.wall()); }

  Result<size_t> end_sessions(const KeyRecord& key, std::string_view id) override {
    std::lock_guard<std::mutex> lock(mutex_);
    const size_t ended = table_.remove_sessions(key.id, id);
    if (ended == 0 && !id.empty()) return no_such_session(id);
    return ended;
  }

  StoreHealth health() const override { return {}; }

 private:
  Result<std::shared_ptr<const KeyRecord>> stored(std::string_view id_or_name) const {
    auto found = table_.get(id_or_name);
    if (found && (*found)->from_file) return key_of_the_file((*found)->spec.name);
    return found;
  }

  void put(const KeyRecord& record) {
    KeyEntry entry;
    entry.hashed = hashes_.at(record.id);
    entry.record = std::make_shared<KeyRecord>(record);
    table_.put_stored(std::move(entry));
  }

  const Clock& clock_;
  KeyTable table_;
  std::mutex mutex_;  // one change at a time
  std::unordered_map<std::string, HashedKey> hashes_;
};

}  // namespace
}  // namespace storage

std::shared_ptr<KeyStore> make_memory_key_store(const Clock& clock) {
  // A system without random bytes gets a store that knows no key and takes none: never one that lets everybody in.
  storage::KeyHasher hasher;
  unsigned char secret[32];
  if (storage::random_bytes(secret, sizeof(secret))) {
    if (auto made = storage::KeyHasher::make({reinterpret_cast<const char*>(secret), sizeof(secret)})) hasher = std::move(*made);
  }
  return std::make_shared<storage::MemoryKeyStore>(std::move(hasher), clock);
}

}  // namespace llmrouter
