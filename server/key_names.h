// What a key names has to be there: asked of keys that are made over HTTP and on the command line.
#ifndef LLMROUTER_SERVER_KEY_NAMES_H_
#define LLMROUTER_SERVER_KEY_NAMES_H_

#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/result.h"

namespace llmrouter::server {

// `wanted` is what stands in `field`, `before` what the key had there: its provider or filter may have gone since. kInvalidRequest names the entry, FIELD[2].

// Each leads to a provider that there is: a misspelt one would allow less, and one with `!` more, than is meant. Patterns with a star are for what is to come, too.
Result<void> check_providers(std::string_view field, const std::vector<std::string>& there, const std::vector<std::string>& wanted, const std::vector<std::string>& before);

// One that is misspelt would let everything of the key's be refused.
Result<void> check_filters(std::string_view field, const std::vector<std::string>& there, const std::vector<std::string>& wanted, const std::vector<std::string>& before);

}  // namespace llmrouter::server

#endif  // LLMROUTER_SERVER_KEY_NAMES_H_
