#include "storage/key_sessions.h"

#include <algorithm>

#include "storage/key_rules.h"

namespace llmrouter {

Result<CreatedSession> KeyStore::create_session(const KeyRecord&, const SessionWish&) {
  return Error(ErrorCode::kNotSupported, "this key store keeps no sessions");
}
std::vector<KeySession> KeyStore::sessions(const KeyRecord&) const { return {}; }
Result<size_t> KeyStore::end_sessions(const KeyRecord&, std::string_view) { return Error(ErrorCode::kNotSupported, "this key store keeps no sessions"); }

namespace storage {
namespace {

constexpr size_t kLongestModel = 1024;
constexpr std::string_view kPrefix = "lrs_";

}  // namespace

Result<void> check_wish(const SessionWish& wish) {
  if (wish.model.empty() || wish.model.size() > kLongestModel) {
    return Error(ErrorCode::kInvalidRequest, "model: expected a model's name of at most " + std::to_string(kLongestModel) + " bytes", "model");
  }
  if (wish.ttl <= Duration(0) || wish.ttl > SessionWish::kLongest) {
    return Error(ErrorCode::kInvalidRequest, "ttl: expected a duration above 0 and of at most 30d", "ttl");
  }
  return {};
}

Result<NewSession> make_session(const KeyTable& table, const KeyRecord& key, const SessionWish& wish, WallTime now) {
  if (auto ok = check_wish(wish); !ok) return std::move(ok).error();
  if (key.session) return Error(ErrorCode::kConflict, "a session begins no other: present the key itself");
  const auto own = table.entry_of(key.id);
  if (!own) return no_such_key(key.id);
  const KeyRecord& record = *own->record;
  if (record.revoked || (record.spec.expires && *record.spec.expires <= now)) {
    return Error(ErrorCode::kConflict, "key \"" + record.id + (record.revoked ? "\" is revoked" : "\" has expired"));
  }
  if (table.sessions(record.id, now).size() >= KeyStore::kMostSessions) {
    return Error(ErrorCode::kConflict, "this key has " + std::to_string(KeyStore::kMostSessions) + " sessions: end one, or wait for the end of one");
  }
  auto token = make_key_text(kPrefix);
  if (!token) return std::move(token).error();
  auto id = make_id("ses_", now);
  if (!id) return std::move(id).error();
  NewSession made;
  if (!table.hasher().hash(token->reveal(), &made.entry.hashed)) return Error(ErrorCode::kStorage, "the token could not be hashed");
  made.entry.key = own->hashed.lookup;
  auto session = std::make_shared<KeySession>();
  session->id = std::move(*id);
  session->key = record.id;
  session->model = wish.model;
  session->hint = token->hint();
  session->created = now;
  session->expires = now + std::chrono::duration_cast<std::chrono::microseconds>(wish.ttl);
  if (record.spec.expires) session->expires = std::min(session->expires, *record.spec.expires);
  made.entry.session = std::move(session);
  made.token = std::move(*token);
  return made;
}

Error no_such_session(std::string_view id) { return Error(ErrorCode::kNotFound, "this key has no session \"" + std::string(id.substr(0, 200)) + "\""); }

}  // namespace storage
}  // namespace llmrouter
