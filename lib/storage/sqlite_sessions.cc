// Tokens for logins, in the database of the keys.
#include <cstring>

#include "storage/key_sessions.h"
#include "storage/sqlite_keys.h"

namespace llmrouter::storage {
namespace {

template <size_t N>
bool read_blob(std::string_view bytes, std::array<unsigned char, N>& out) noexcept {
  if (bytes.size() == N) std::memcpy(out.data(), bytes.data(), N);
  return bytes.size() == N;
}

Result<void> save_session(Db& db, const SessionEntry& entry, WallTime now) {
  Statement purge(db, "DELETE FROM sessions WHERE expires <= ?");
  if (!purge.ready() || !purge.bind(micros(now)).run()) return db.error("writing a session");
  const KeySession& session = *entry.session;
  Statement s(db, "INSERT INTO sessions (id, key, key_lookup, lookup, salt, hash, hint, model, created, expires) VALUES (?,?,?,?,?,?,?,?,?,?)");
  if (!s.ready()) return db.error("writing a session");
  s.bind(session.id).bind(session.key);
  s.bind_blob(entry.key.data(), entry.key.size());
  s.bind_blob(entry.hashed.lookup.data(), entry.hashed.lookup.size());
  s.bind_blob(entry.hashed.salt.data(), entry.hashed.salt.size());
  s.bind_blob(entry.hashed.hash.data(), entry.hashed.hash.size());
  s.bind(session.hint).bind(session.model).bind(micros(session.created)).bind(micros(session.expires));
  if (!s.run()) return db.error("writing a session");
  return {};
}

}  // namespace

Result<CreatedSession> SqliteKeyStore::create_session(const KeyRecord& key, const SessionWish& wish) {
  const WallTime now = clock_.wall();
  const auto locked = [&]() -> Result<CreatedSession> {
    std::lock_guard<std::mutex> lock(db_mutex_);
    const FullSync sync(*db_);
    // The key and its sessions are looked at inside the transaction: another process may be changing them.
    Transaction transaction(*db_);
    if (!transaction.begun()) return db_->error("writing a session");
    if (auto fresh = reload_if_changed(); !fresh) return std::move(fresh).error();
    auto made = make_session(table_, key, wish, now);
    if (!made) return std::move(made).error();
    if (auto saved = save_session(*db_, made->entry, now); !saved) return std::move(saved).error();
    if (!transaction.commit()) return db_->error("writing a session");
    CreatedSession created{*made->entry.session, std::move(made->token)};
    table_.put_session(std::move(made->entry), now);
    return created;
  };
  auto created = locked();
  if (created) note(&write_problem_, {});
  if (!created && created.error().code == ErrorCode::kStorage) note(&write_problem_, created.error());
  return created;
}

Result<size_t> SqliteKeyStore::end_sessions(const KeyRecord& key, std::string_view id) {
  Result<void> done;
  size_t ended = 0;
  {
    std::lock_guard<std::mutex> lock(db_mutex_);
    const FullSync sync(*db_);
    Statement erase(*db_, id.empty() ? "DELETE FROM sessions WHERE key = ?" : "DELETE FROM sessions WHERE key = ? AND id = ?");
    if (erase.ready()) erase.bind(key.id);
    if (erase.ready() && !id.empty()) erase.bind(id);
    if (!erase.ready() || !erase.run()) done = db_->error("writing a session");
    if (done) {
      ended = static_cast<size_t>(db_->changes());
      table_.remove_sessions(key.id, id);
    }
  }
  note(&write_problem_, done);
  if (!done) return std::move(done).error();
  if (ended == 0 && !id.empty()) return no_such_session(id);
  return ended;
}

Result<void> SqliteKeyStore::reload_sessions() {
  std::vector<SessionEntry> entries;
  Statement rows(*db_, "SELECT id, key, key_lookup, lookup, salt, hash, hint, model, created, expires FROM sessions WHERE expires > ?");
  if (!rows.ready()) return db_->error("reading the sessions");
  rows.bind(micros(clock_.wall()));
  while (rows.row()) {
    SessionEntry entry;
    auto session = std::make_shared<KeySession>();
    session->id = rows.text(0);
    session->key = rows.text(1);
    if (!read_blob(rows.blob(2), entry.key) || !read_blob(rows.blob(3), entry.hashed.lookup) || !read_blob(rows.blob(4), entry.hashed.salt) ||
        !read_blob(rows.blob(5), entry.hashed.hash)) {
      return Error(ErrorCode::kStorage, db_->path() + ": the row of session \"" + session->id + "\" is damaged");
    }
    session->hint = rows.text(6);
    session->model = rows.text(7);
    session->created = WallTime(std::chrono::microseconds(rows.integer(8)));
    session->expires = WallTime(std::chrono::microseconds(rows.integer(9)));
    entry.session = std::move(session);
    entries.push_back(std::move(entry));
  }
  if (rows.failed()) return db_->error("reading the sessions");
  table_.set_sessions(std::move(entries));
  return {};
}

}  // namespace llmrouter::storage
