// Run-time state, in the database of the keys.
#include "storage/sqlite_keys.h"

namespace llmrouter::storage {

std::vector<StateEntry> SqliteKeyStore::all() const {
  std::lock_guard<std::mutex> lock(state_mutex_);
  std::vector<StateEntry> out;
  for (const auto& [at, value] : state_) out.push_back({at.first, at.second, value});
  return out;
}

Result<void> SqliteKeyStore::put(const StateEntry& entry) {
  Result<void> done;
  {
    std::lock_guard<std::mutex> lock(db_mutex_);
    const FullSync sync(*db_);
    Statement insert(*db_, "INSERT OR REPLACE INTO state (kind, name, value) VALUES (?, ?, ?)");
    if (!insert.ready() || !insert.bind(entry.kind).bind(entry.name).bind(entry.value).run()) done = db_->error("writing state");
    if (done) {
      std::lock_guard<std::mutex> memory(state_mutex_);
      state_[{entry.kind, entry.name}] = entry.value;
    }
  }
  note(&write_problem_, done);
  return done;
}

Result<bool> SqliteKeyStore::remove(std::string_view kind, std::string_view name) {
  Result<void> done;
  bool there = false;
  {
    std::lock_guard<std::mutex> lock(db_mutex_);
    const FullSync sync(*db_);
    Statement erase(*db_, "DELETE FROM state WHERE kind = ? AND name = ?");
    if (!erase.ready() || !erase.bind(kind).bind(name).run()) done = db_->error("writing state");
    if (done) {
      there = db_->changes() > 0;
      std::lock_guard<std::mutex> memory(state_mutex_);
      state_.erase({std::string(kind), std::string(name)});
    }
  }
  note(&write_problem_, done);
  if (!done) return std::move(done).error();
  return there;
}

void SqliteKeyStore::watch(std::function<void()> changed) {
  std::lock_guard<std::mutex> lock(state_mutex_);
  state_watcher_ = std::move(changed);
}

Result<void> SqliteKeyStore::reload_state() {
  State state;
  Statement rows(*db_, "SELECT kind, name, value FROM state");
  if (!rows.ready()) return db_->error("reading state");
  while (rows.row()) state.emplace(std::pair(std::string(rows.text(0)), std::string(rows.text(1))), rows.text(2));
  if (rows.failed()) return db_->error("reading state");
  std::lock_guard<std::mutex> lock(state_mutex_);
  if (state == state_) return {};
  state_ = std::move(state);
  state_changed_.store(true);
  return {};
}

void SqliteKeyStore::tell_of_state() {
  if (!state_changed_.exchange(false)) return;
  std::function<void()> watcher;
  {
    std::lock_guard<std::mutex> lock(state_mutex_);
    watcher = state_watcher_;
  }
  if (watcher) watcher();
}

}  // namespace llmrouter::storage
