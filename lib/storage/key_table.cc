#include "storage/key_table.h"

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "storage/key_rules.h"

namespace llmrouter::storage {

size_t KeyTable::DigestHash::operator()(const Digest& digest) const noexcept {
  size_t hash;
  std::memcpy(&hash, digest.data(), sizeof(hash));  // it is a MAC: any part of it is spread evenly
  return hash;
}

KeyTable::KeyTable(KeyHasher hasher)
    : hasher_(std::move(hasher)),
      snapshot_(std::make_unique<Snapshot>(Snapshot{std::make_shared<Entries>(), std::make_shared<Entries>(), {}})) {}

std::shared_ptr<const KeyRecord> KeyTable::find(std::string_view presented) const {
  if (presented.empty() || presented.size() > kMaxKeyText) return nullptr;
  Digest digest;
  if (!hasher_.lookup(presented, &digest)) return nullptr;
  return snapshot_.read([&](const Snapshot& snapshot) -> std::shared_ptr<const KeyRecord> {
    for (const Entries* entries : {snapshot.file.get(), snapshot.stored.get()}) {
      const auto found = entries->find(digest);
      if (found != entries->end()) return hasher_.matches(found->second.hashed, presented) ? found->second.record : nullptr;
    }
    return nullptr;
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

std::unique_ptr<KeyTable::Snapshot> KeyTable::copy() const {
  return snapshot_.read([](const Snapshot& snapshot) { return std::make_unique<Snapshot>(snapshot); });
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
  snapshot_.publish(std::move(next));
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
  snapshot_.publish(std::move(next));
}

void KeyTable::put_stored(KeyEntry entry) {
  std::lock_guard<std::mutex> lock(writers_);
  auto next = copy();
  auto entries = std::make_shared<Entries>(*next->stored);
  (*entries)[entry.hashed.lookup] = std::move(entry);
  next->stored = std::move(entries);
  snapshot_.publish(std::move(next));
}

}  // namespace llmrouter::storage
