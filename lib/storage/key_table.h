// All keys in memory, as requests see them.
#ifndef LLMROUTER_STORAGE_KEY_TABLE_H_
#define LLMROUTER_STORAGE_KEY_TABLE_H_

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "llmrouter/keys.h"
#include "storage/key_hash.h"
#include "storage/published.h"

namespace llmrouter::storage {

struct KeyEntry {
  HashedKey hashed;
  std::shared_ptr<const KeyRecord> record;
  int64_t version = 0;  // of the stored row: one that did not change keeps its record, and with it the limiter's slot in it
};

// A token of a key's.
struct SessionEntry {
  HashedKey hashed;
  Digest key{};  // HashedKey::lookup of its key: one that the configuration changed is another key, whose sessions these are not
  std::shared_ptr<const KeySession> session;
};

// Thread-safe. Reads take no lock: they look into an immutable snapshot, which each change replaces as a whole.
class KeyTable {
 public:
  explicit KeyTable(KeyHasher hasher);

  const KeyHasher& hasher() const noexcept { return hasher_; }
  std::shared_ptr<const KeyRecord> find(std::string_view presented) const;
  bool empty() const noexcept;
  std::vector<std::shared_ptr<const KeyRecord>> list() const;  // the configuration's first, then the store's by age
  // By id, or by name when exactly one key has it; of several the one that is not revoked. kNotFound, kConflict.
  Result<std::shared_ptr<const KeyRecord>> get(std::string_view id_or_name) const;

  // kConflict when `name` is that of a key which is not revoked, or the id of one; `id` itself does not count. An empty name is always free.
  Result<void> check_free(const std::string& name, std::string_view id) const;
  Result<void> check_renamed(const KeyRecord& before, const KeyRecord& after) const {
    return before.spec.name == after.spec.name ? Result<void>() : check_free(after.spec.name, after.id);
  }

  Result<void> set_file_keys(const std::vector<FileKey>& keys, WallTime now);
  void set_stored(std::vector<KeyEntry> entries);  // all of them
  void put_stored(KeyEntry entry);                 // a new one, or the next version of one

  std::optional<KeyEntry> entry_of(std::string_view id) const;
  std::vector<KeySession> sessions(std::string_view key_id, WallTime now) const;  // those that have not ended, oldest first
  void set_sessions(std::vector<SessionEntry> entries);                           // all of them
  void put_session(SessionEntry entry, WallTime now);                             // those that have ended go
  // Of that key the one of this id, or, when it is empty, all. How many there were.
  size_t remove_sessions(std::string_view key_id, std::string_view id);

 private:
  struct DigestHash {
    size_t operator()(const Digest& digest) const noexcept;
  };
  struct DigestSame {
    bool operator()(const Digest& a, const Digest& b) const noexcept { return same_bytes(a, b); }
  };
  using Entries = std::unordered_map<Digest, KeyEntry, DigestHash, DigestSame>;
  using Sessions = std::unordered_map<Digest, SessionEntry, DigestHash, DigestSame>;
  // Keys that were presented and verified, by their tag: what comes again with each request costs no hashing of the kind a database needs.
  // Grows only, and goes with its snapshot; a key that finds no place is verified each time.
  class Known {
   public:
    explicit Known(size_t keys);
    ~Known();
    Known(const Known&) = delete;
    Known& operator=(const Known&) = delete;
    const std::shared_ptr<const KeyRecord>* find(const Tag& tag) const noexcept;
    void add(const Tag& tag, const std::shared_ptr<const KeyRecord>& record) noexcept;

   private:
    struct Seen {
      Tag tag;
      std::shared_ptr<const KeyRecord> record;
    };
    static constexpr size_t kWays = 4;  // places a tag may stand in
    size_t mask_;
    std::vector<std::atomic<const Seen*>> places_;
  };

  struct Snapshot {
    std::shared_ptr<const Entries> file, stored;
    std::vector<std::shared_ptr<const KeyRecord>> file_order;
    std::shared_ptr<const Sessions> sessions;
    std::unique_ptr<Known> known;
  };
  // The record of the session's key, as this session's; null when there is no such key any more.
  static std::shared_ptr<const KeyRecord> record_of(const Snapshot& snapshot, const SessionEntry& entry);

  std::unique_ptr<Snapshot> copy() const;  // of what `known` knows nothing
  void publish(std::unique_ptr<Snapshot> next);

  const KeyHasher hasher_;
  std::mutex writers_;
  Published<Snapshot> snapshot_;
};

}  // namespace llmrouter::storage

#endif  // LLMROUTER_STORAGE_KEY_TABLE_H_
