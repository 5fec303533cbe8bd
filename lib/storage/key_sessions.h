// Tokens for logins, for every key store.
#ifndef LLMROUTER_STORAGE_KEY_SESSIONS_H_
#define LLMROUTER_STORAGE_KEY_SESSIONS_H_

#include "llmrouter/keys.h"
#include "storage/key_table.h"

namespace llmrouter::storage {

// kInvalidRequest with the field in `param`.
Result<void> check_wish(const SessionWish& wish);

// A session of the key as `table` has it now, and its token. Nothing is kept yet.
struct NewSession {
  SessionEntry entry;
  Secret token;
};
Result<NewSession> make_session(const KeyTable& table, const KeyRecord& key, const SessionWish& wish, WallTime now);

Error no_such_session(std::string_view id);

}  // namespace llmrouter::storage

#endif  // LLMROUTER_STORAGE_KEY_SESSIONS_H_
