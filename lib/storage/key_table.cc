#include "storage/key_table.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <unordered_set>

#include "storage/key_rules.h"

namespace llmrouter::storage {

size_t KeyTable::DigestHash::operator()(const Digest& digest) const noexcept {
  size_t hash;
  std::memcpy(&hash, digest.data(), sizeof(hash));  // it is a MAC: any part of it is spread evenly
  return hash;
}

namespace {

constexpr size_t kMostPlaces = 1 << 16;

size_t places_for(size_t keys) noexcept {
  size_t places = 16;
  while (places < 2 * keys && places < kMostPlaces) places *= 2;
  return places;
}

}  // namespace

KeyTable::Known::Known(size_t keys) : mask_(places_for(keys) - 1), places_(mask_ + kWays) {}

KeyTable::Known::~Known() {
  for (const auto& place : places_) delete place.load(std::memory_order_relaxed);
}

const std::shared_ptr<const KeyRecord>* KeyTable::Known::find(const Tag& tag) const noexcept {
  const size_t first = tag[0] & mask_;
  for (size_t i = first; i < first + kWays; ++i) {
    const Seen* seen = places_[i].load(std::memory_order_acquire);
    if (seen == nullptr) return nullptr;
    if (same_tag(seen->tag, tag)) return &seen->record;
  }
  return nullptr;
}

void KeyTable::Known::add(const Tag& tag, const std::shared_ptr<const KeyRecord>& record) noexcept {
  std::unique_ptr<const Seen> seen(new (std::nothrow) Seen{tag, record});
  if (!seen) return;
  const size_t first = tag[0] & mask_;
  for (size_t i = first; i < first + kWays; ++i) {
    const Seen* there = nullptr;
    if (places_[i].compare_exchange_strong(there, seen.get(), std::memory_order_acq_rel)) {
      seen.release();
      return;
    }
    if (same_tag(there->tag, tag)) return;  // another thread was faster
  }
}

KeyTable::KeyTable(KeyHasher hasher)
    : hasher_(std::move(hasher)),
      snapshot_(std::make_unique<Snapshot>(
          Snapshot{std::make_shared<Entries>(), std::make_shared<Entries>(), {}, std::make_shared<Sessions>(), std::make_unique<Known>(0)})) {}

std::shared_ptr<const KeyRecord> KeyTable::find(std::string_view presented) const {
  if (presented.empty() || presented.size() > kMaxKeyText) return nullptr;
  const Tag tag = hasher_.tag(presented);
  return snapshot_.read([&](const Snapshot& snapshot) -> std::shared_ptr<const KeyRecord> {
    if (const auto* known = snapshot.known->find(tag)) return *known;
    Digest digest;
    if (!hasher_.lookup(presented, &digest)) return nullptr;
    for (const Entries* entries : {snapshot.file.get(), snapshot.stored.get()}) {
      const auto found = entries->find(digest);
      if (found == entries->end()) continue;
      if (!hasher_.matches(found->second.hashed, presented)) return nullptr;
      snapshot.known->add(tag, found->second.record);
      return found->second.record;
    }
    const auto session = snapshot.sessions->find(digest);
    if (session == snapshot.sessions->end() || !hasher_.matches(session->second.hashed, presented)) return nullptr;
    auto record = record_of(snapshot, session->second);
    if (record) snapshot.known->add(tag, record);
    return record;
  });
}

bool KeyTable::empty() const noexcept {
  return snapshot_.read([](const Snapshot& snapshot) { return snapshot.file->empty() && snapshot.stored->empty(); });
}

std::vector<std::shared_ptr<const KeyRecord>> KeyTable::list() const {
  std::vector<std::shared_ptr<const KeyRecord>> all;
  std::shared_ptr<const Entries> stored;
  snapshot_.read([&](const Snapshot& snapshot) {
    all = snapshot.file_order;
    stored = snapshot.stored;
  });
  const auto first_stored = static_cast<std::ptrdiff_t>(all.size());
  for (const auto& [digest, entry] : *stored) all.push_back(entry.record);
  std::sort(all.begin() + first_stored, all.end(), [](const auto& a, const auto& b) {
    return a->created != b->created ? a->created < b->created : a->id < b->id;
  });
  return all;
}

Result<std::shared_ptr<const KeyRecord>> KeyTable::get(std::string_view id_or_name) const {
  // Keys without a name are not what an empty one (a variable that was not set) means: the wrong one might be revoked.
  if (id_or_name.empty()) return Error(ErrorCode::kInvalidRequest, "no key is named: expected an id or a name");
  std::vector<std::shared_ptr<const KeyRecord>> live, revoked;
  for (const auto& record : list()) {
    if (record->id == id_or_name) return record;
    if (record->spec.name == id_or_name) (record->revoked ? revoked : live).push_back(record);
  }
  const auto& named = live.empty() ? revoked : live;
  if (named.empty()) return no_such_key(id_or_name);
  if (named.size() > 1) {
    return Error(ErrorCode::kConflict, std::to_string(named.size()) + " keys are named \"" + std::string(id_or_name) + "\": say which by its id");
  }
  return named.front();
}

Result<void> KeyTable::check_free(const std::string& name, std::string_view id) const {
  if (name.empty()) return {};
  for (const auto& record : list()) {
    if (record->id == id || (record->id != name && (record->revoked || record->spec.name != name))) continue;
    return Error(ErrorCode::kConflict, "name: there is a key named \"" + name + "\" already" + (record->from_file ? ", in the configuration" : " (" + record->id + ')'),
                 "name");
  }
  return {};
}

std::unique_ptr<KeyTable::Snapshot> KeyTable::copy() const {
  return snapshot_.read([](const Snapshot& snapshot) {
    return std::make_unique<Snapshot>(Snapshot{snapshot.file, snapshot.stored, snapshot.file_order, snapshot.sessions, nullptr});
  });
}

void KeyTable::publish(std::unique_ptr<Snapshot> next) {
  next->known = std::make_unique<Known>(next->file->size() + next->stored->size() + next->sessions->size());
  snapshot_.publish(std::move(next));
}

Result<void> KeyTable::set_file_keys(const std::vector<FileKey>& keys, WallTime now) {
  auto entries = std::make_shared<Entries>();
  std::vector<std::shared_ptr<const KeyRecord>> order;
  std::unordered_set<std::string> names;
  for (size_t i = 0; i < keys.size(); ++i) {
    const FileKey& file = keys[i];
    const std::string path = "keys[" + std::to_string(i) + ']';
    if (auto ok = check_spec(file.spec); !ok) {
      return Error(ErrorCode::kInvalidRequest, path + '.' + ok.error().message, path + '.' + ok.error().param);
    }
    if (!names.insert(file.spec.name).second) {
      return Error(ErrorCode::kInvalidRequest, path + ".name: there are two keys named \"" + file.spec.name + "\"", path + ".name");
    }
    if (file.key.empty() || file.key.reveal().size() > kMaxKeyText) {
      return Error(ErrorCode::kInvalidRequest, path + ".key must have 1 to " + std::to_string(kMaxKeyText) + " characters", path + ".key");
    }
    auto record = std::make_shared<KeyRecord>();
    record->id = "file:" + file.spec.name;
    record->spec = file.spec;
    record->hint = file.key.hint();
    record->created = now;
    record->from_file = true;
    KeyEntry entry;
    if (!hasher_.hash(file.key.reveal(), &entry.hashed)) return Error(ErrorCode::kStorage, "a key could not be hashed");
    entry.record = record;
    if (!entries->emplace(entry.hashed.lookup, std::move(entry)).second) {
      return Error(ErrorCode::kInvalidRequest, path + ".key is the key of another entry", path + ".key");
    }
    order.push_back(std::move(record));
  }
  std::lock_guard<std::mutex> lock(writers_);
  auto next = copy();
  next->file = std::move(entries);
  next->file_order = std::move(order);
  publish(std::move(next));
  return {};
}

void KeyTable::set_stored(std::vector<KeyEntry> fresh) {
  std::lock_guard<std::mutex> lock(writers_);
  auto next = copy();
  auto entries = std::make_shared<Entries>();
  for (KeyEntry& entry : fresh) {
    const auto old = next->stored->find(entry.hashed.lookup);
    if (old != next->stored->end() && old->second.version == entry.version && old->second.record->id == entry.record->id) entry = old->second;
    entries->emplace(entry.hashed.lookup, std::move(entry));
  }
  next->stored = std::move(entries);
  publish(std::move(next));
}

void KeyTable::put_stored(KeyEntry entry) {
  std::lock_guard<std::mutex> lock(writers_);
  auto next = copy();
  auto entries = std::make_shared<Entries>(*next->stored);
  (*entries)[entry.hashed.lookup] = std::move(entry);
  next->stored = std::move(entries);
  publish(std::move(next));
}

std::shared_ptr<const KeyRecord> KeyTable::record_of(const Snapshot& snapshot, const SessionEntry& entry) {
  for (const Entries* entries : {snapshot.file.get(), snapshot.stored.get()}) {
    const auto found = entries->find(entry.key);
    if (found == entries->end() || found->second.record->id != entry.session->key) continue;
    auto record = std::make_shared<KeyRecord>(*found->second.record);
    record->session = entry.session;
    return record;
  }
  return nullptr;
}

std::optional<KeyEntry> KeyTable::entry_of(std::string_view id) const {
  return snapshot_.read([&](const Snapshot& snapshot) -> std::optional<KeyEntry> {
    for (const Entries* entries : {snapshot.file.get(), snapshot.stored.get()}) {
      for (const auto& [digest, entry] : *entries) {
        if (entry.record->id == id) return entry;
      }
    }
    return std::nullopt;
  });
}

std::vector<KeySession> KeyTable::sessions(std::string_view key_id, WallTime now) const {
  std::vector<KeySession> out;
  snapshot_.read([&](const Snapshot& snapshot) {
    for (const auto& [digest, entry] : *snapshot.sessions) {
      if (entry.session->key == key_id && entry.session->expires > now && record_of(snapshot, entry)) out.push_back(*entry.session);
    }
  });
  std::sort(out.begin(), out.end(), [](const KeySession& a, const KeySession& b) { return a.created != b.created ? a.created < b.created : a.id < b.id; });
  return out;
}

void KeyTable::set_sessions(std::vector<SessionEntry> fresh) {
  auto entries = std::make_shared<Sessions>();
  for (SessionEntry& entry : fresh) entries->emplace(entry.hashed.lookup, std::move(entry));
  std::lock_guard<std::mutex> lock(writers_);
  auto next = copy();
  next->sessions = std::move(entries);
  publish(std::move(next));
}

void KeyTable::put_session(SessionEntry fresh, WallTime now) {
  std::lock_guard<std::mutex> lock(writers_);
  auto next = copy();
  auto entries = std::make_shared<Sessions>();
  for (const auto& [digest, entry] : *next->sessions) {
    if (entry.session->expires > now) entries->emplace(digest, entry);
  }
  entries->emplace(fresh.hashed.lookup, std::move(fresh));
  next->sessions = std::move(entries);
  publish(std::move(next));
}

size_t KeyTable::remove_sessions(std::string_view key_id, std::string_view id) {
  std::lock_guard<std::mutex> lock(writers_);
  auto next = copy();
  auto entries = std::make_shared<Sessions>();
  for (const auto& [digest, entry] : *next->sessions) {
    if (entry.session->key != key_id || (!id.empty() && entry.session->id != id)) entries->emplace(digest, entry);
  }
  const size_t removed = next->sessions->size() - entries->size();
  next->sessions = std::move(entries);
  if (removed > 0) publish(std::move(next));
  return removed;
}

}  // namespace llmrouter::storage
