// Name patterns: `*` matches anything, letters match in either case, the whole string must match. In a list any entry that
// matches decides; an entry that begins with `!` excludes whatever it matches, wherever it stands.
#ifndef LLMROUTER_PATTERN_H_
#define LLMROUTER_PATTERN_H_

#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/export.h"

namespace llmrouter {

// Linear in the text for each star; no recursion.
LLMROUTER_EXPORT bool pattern_match(std::string_view pattern, std::string_view text) noexcept;
// An empty list matches everything; a list of exclusions alone matches whatever is not excluded.
LLMROUTER_EXPORT bool pattern_list_match(const std::vector<std::string>& patterns, std::string_view text) noexcept;
// What `*` stood for in the first star of `pattern` (the text between what precedes it and what follows); empty when it does not match.
LLMROUTER_EXPORT std::string_view pattern_capture(std::string_view pattern, std::string_view text) noexcept;
// Up to `max` names nearest to `name` by edit distance, nearest first; far ones are left out.
LLMROUTER_EXPORT std::vector<std::string> nearest_names(std::string_view name, const std::vector<std::string>& names, size_t max = 3);

}  // namespace llmrouter

#endif  // LLMROUTER_PATTERN_H_
