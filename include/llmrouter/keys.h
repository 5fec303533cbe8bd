// Who is calling, and what they may do.
#ifndef LLMROUTER_KEYS_H_
#define LLMROUTER_KEYS_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/limits.h"
#include "llmrouter/secret.h"
#include "llmrouter/usage.h"

namespace llmrouter {

// The most a request may ask for. Unset: not limited.
struct ParamLimits {
  // Of all answers of a request together, and of a budget for thinking; a request that names none gets this one, divided by its `n`.
  std::optional<int64_t> max_tokens;
  std::optional<double> min_temperature, max_temperature;
  std::optional<bool> tools;          // false: a request with tools is refused
};

// Empty lists allow everything. Entries are patterns (see pattern.h).
//
// A model is allowed by the name that was asked for, by the configured name that stands for it, or as provider/model. A configured name that is
// allowed may use all its targets and fallbacks; one that is not may still use those of its targets that are allowed themselves. An entry with
// `!` holds for all of these names, and for the upstream's own, whatever else allows them: what it excludes is reached by no other name.
struct AllowList {
  std::vector<std::string> models;
  std::vector<std::string> providers;
  std::vector<std::string> endpoints;  // of endpoint_names()
};

// What `allow.endpoints` may name: operation_name() of every Operation (`chat` is chat in every dialect), and models.
LLMROUTER_EXPORT const std::vector<std::string>& endpoint_names();
// Does this entry of `allow.endpoints` match one of them? `!` in front is ignored.
LLMROUTER_EXPORT bool is_endpoint_pattern(std::string_view entry);

enum class KeyRole { kUser, kAdmin };

// What a key is made of, besides the secret itself.
struct KeySpec {
  std::string name;     // for people; of the keys of a store that are not revoked no two have the same. Empty: none
  std::string user;     // groups keys
  std::string purpose = "default";
  KeyRole role = KeyRole::kUser;
  AllowList allow;
  ParamLimits params;
  Limits limits;        // the budget is here too
  std::optional<WallTime> expires;
  // Names of filters that its chats pass behind those of the model, each once; one that is not there then refuses the request. See ModelConfig::filters.
  std::vector<std::string> filters;
};

// A key that stands in a configuration.
struct FileKey {
  KeySpec spec;
  Secret key;
};

// A token for a login: presented in place of its key it is that key, with its limits, budget, permissions and usage; but its chats go to
// `model`, whatever they ask for. It ends with the key too.
struct KeySession {
  std::string id;       // "ses_..." unique, safe to show
  std::string key;      // the id of its key
  std::string model;
  std::string hint;     // Secret::hint() of the token
  WallTime created{}, expires{};
};
LLMROUTER_EXPORT std::string to_json(const KeySession& session);  // no token in it

// What a session is made of.
struct SessionWish {
  static constexpr Duration kUsual = std::chrono::hours(8), kLongest = std::chrono::hours(30 * 24);
  std::string model;
  Duration ttl = kUsual;  // above 0, at most kLongest; it ends with its key when that is sooner
};
// {"model": "gpt-4o", "ttl": "8h"}, the latter optional. Strict, as key_spec_from_json.
LLMROUTER_EXPORT Result<SessionWish> session_wish_from_json(std::string_view json);

struct CreatedSession {
  KeySession session;
  Secret token;  // "lrs_..." shown once: it is not kept
};
LLMROUTER_EXPORT std::string to_json(const CreatedSession& created);  // the token is in it

// A key as it is known after it was made. Immutable once published, but for the slot.
struct KeyRecord {
  std::string id;       // "key_..." unique, safe to show; what usage records hold
  KeySpec spec;
  std::string hint;     // Secret::hint() of the key
  WallTime created{};
  bool revoked = false;
  bool from_file = false;
  std::shared_ptr<const KeySession> session;  // the session whose token was presented; null: the key itself was
  // The limiter's bucket of this key, found once. Not part of the value.
  struct Slot {
    std::atomic<const void*> limiter{nullptr};
    std::atomic<LimitBucket*> bucket{nullptr};
    Slot() = default;
    Slot(const Slot&) noexcept {}
    Slot& operator=(const Slot&) noexcept { return *this; }
  };
  mutable Slot slot;
};

// active, expired or revoked.
LLMROUTER_EXPORT std::string_view key_state(const KeyRecord& key, WallTime now = system_clock().wall()) noexcept;
LLMROUTER_EXPORT std::string to_json(const KeyRecord& key, WallTime now = system_clock().wall());  // no secret in it; its state is that of `now`

struct CreatedKey {
  KeyRecord record;
  Secret key;  // shown once: it is not kept
};

// Changes to a key; unset fields stay.
struct KeyChange {
  std::optional<std::string> name, user, purpose;
  std::optional<KeyRole> role;
  std::optional<AllowList> allow;
  std::optional<ParamLimits> params;
  std::optional<Limits> limits;
  std::optional<std::optional<WallTime>> expires;
  std::optional<std::vector<std::string>> filters;
};

// What the admin API and the C ABI take: a JSON object with the names and values of the configuration's `keys` (name user purpose role allow
// params limits budget expires filters; all may be left out). Strict: unknown and repeated members and wrong types are kInvalidRequest, the path in
// `param`. `now` anchors a 30d budget.
LLMROUTER_EXPORT Result<KeySpec> key_spec_from_json(std::string_view json, WallTime now);
// The same for a change to a key that is now `current`, as a merge patch: members that are absent stay, inside `allow`, `params`, `limits` and
// `budget` too; null clears.
LLMROUTER_EXPORT Result<KeyChange> key_change_from_json(std::string_view json, const KeySpec& current, WallTime now);

// Thread-safe. `find` never touches the disk and takes no lock; the others may block on the disk. All return only when the change is
// durable and visible to `find`.
class LLMROUTER_EXPORT KeyStore {
 public:
  virtual ~KeyStore() = default;
  // The record of the key that was presented, or of the key whose session's token was (`session` says so); null when there is none. What is
  // revoked or has ended is returned as it is: the caller says which it was.
  virtual std::shared_ptr<const KeyRecord> find(std::string_view presented) const = 0;
  virtual bool empty() const noexcept = 0;  // no key at all, revoked ones counted as keys

  // `prefix` stands before the random part ("sk-" when empty; letters, digits, - and _, at most 16). kConflict when the name is another key's
  // (a revoked one's is free again); kInvalidRequest when the key would have expired already.
  virtual Result<CreatedKey> create(const KeySpec& spec, std::string_view prefix = {}) = 0;
  // The keys of a configuration: replaces those set before, kept in memory alone, found before the store's own. Their ids are "file:NAME".
  // kInvalidRequest when two have the same name or the same key. They cannot be modified or revoked here (kConflict).
  virtual Result<void> set_file_keys(const std::vector<FileKey>& keys) = 0;
  virtual std::vector<std::shared_ptr<const KeyRecord>> list() const = 0;
  // By id, or by name when exactly one has it.
  virtual Result<std::shared_ptr<const KeyRecord>> get(std::string_view id_or_name) const = 0;
  virtual Result<KeyRecord> modify(std::string_view id_or_name, const KeyChange& change) = 0;
  virtual Result<void> revoke(std::string_view id_or_name) = 0;

  // Sessions of a key, of one of the configuration too. A store that keeps none refuses them. Whether the key may use the model is not asked here:
  // Router::start_session does.
  static constexpr size_t kMostSessions = 100;  // of one key
  // kInvalidRequest: what is wished for; kConflict: the key has kMostSessions, or is itself a session's, or revoked or expired.
  virtual Result<CreatedSession> create_session(const KeyRecord& key, const SessionWish& wish);
  virtual std::vector<KeySession> sessions(const KeyRecord& key) const;  // those that have not ended, oldest first
  // Ends the one of that id (kNotFound when the key has none such), or, when `id` is empty, all of the key's. How many these were.
  virtual Result<size_t> end_sessions(const KeyRecord& key, std::string_view id);
  virtual StoreHealth health() const = 0;
};

LLMROUTER_EXPORT std::shared_ptr<KeyStore> make_memory_key_store(const Clock& clock);

struct SqliteKeyOptions {
  std::string path;
  Secret secret_key;  // keys the digests and the encryption at rest; empty: made and kept beside the database as `secret.key`, mode 0600
};
// Keys and budget ledger in one database. One writer thread. Other processes' changes (the CLI's) are seen within a second.
struct SqliteKeys {
  std::shared_ptr<KeyStore> keys;
  std::shared_ptr<BudgetLedger> ledger;
  std::shared_ptr<class StateStore> state;
};
LLMROUTER_EXPORT Result<SqliteKeys> open_sqlite_key_store(const SqliteKeyOptions& options, const Clock& clock, class Logger& logger);

}  // namespace llmrouter

#endif  // LLMROUTER_KEYS_H_
