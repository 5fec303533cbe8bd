// The names of what a request said and its target cannot be told: the header x-llmrouter-dropped and the usage record show them.
// Strangers choose many of these names, so the list is bounded and each name is fit for a header.
#ifndef LLMROUTER_DROPPED_H_
#define LLMROUTER_DROPPED_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/export.h"

namespace llmrouter {

constexpr size_t kMaxDropped = 64;      // entries of a list
constexpr size_t kMaxDroppedName = 64;  // bytes of an entry

// Adds a name, once. A longer one is cut; blanks, commas, control characters and bytes from 0x7f on become '?', and so does an empty name.
// The last entry of a list that is not whole is "...". The cost of a name does not grow with the number of those before it.
LLMROUTER_EXPORT void add_dropped(std::vector<std::string>& dropped, std::string_view name);

}  // namespace llmrouter

#endif  // LLMROUTER_DROPPED_H_
