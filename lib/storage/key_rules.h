// What a key may be made of, for every key store.
#ifndef LLMROUTER_STORAGE_KEY_RULES_H_
#define LLMROUTER_STORAGE_KEY_RULES_H_

#include <string>
#include <string_view>

#include "llmrouter/keys.h"

namespace llmrouter::storage {

// kInvalidRequest with the field in `param`.
Result<void> check_prefix(std::string_view prefix);  // an empty one is "sk-"
Result<void> check_spec(const KeySpec& spec);
Result<void> check_expiry(const std::optional<WallTime>& expires, WallTime now);  // of a key that is made or given a new one

// A budget of 30 days that names no beginning begins when its key was made.
void anchor_budget(KeySpec& spec, WallTime created) noexcept;

// `record` with the change made; checked.
Result<KeyRecord> changed(const KeyRecord& record, const KeyChange& change, WallTime now);

Error no_such_key(std::string_view id_or_name);
Error key_of_the_file(std::string_view name);

}  // namespace llmrouter::storage

#endif  // LLMROUTER_STORAGE_KEY_RULES_H_
