// Text of strangers' as a person may be shown it.
#ifndef LLMROUTER_SHOWN_H_
#define LLMROUTER_SHOWN_H_

#include <string>
#include <string_view>

#include "llmrouter/export.h"

namespace llmrouter {

// Without control characters (U+0000 to U+001F, U+007F to U+009F), which could tell a terminal something or begin a line: each becomes `?`. Other bytes
// stay as they are, UTF-8 or not. Names of models and users are the caller's, and stand in records as they came.
LLMROUTER_EXPORT std::string shown(std::string_view text);

}  // namespace llmrouter

#endif  // LLMROUTER_SHOWN_H_
