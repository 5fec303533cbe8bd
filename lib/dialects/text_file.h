// Files that are nothing but words.
#ifndef LLMROUTER_DIALECTS_TEXT_FILE_H_
#define LLMROUTER_DIALECTS_TEXT_FILE_H_

#include <optional>
#include <string>

#include "llmrouter/chat.h"

namespace llmrouter::dialects {

// What a file of text says, its name above it; nothing when it is no text, is not inline or is not UTF-8.
std::optional<std::string> words_of_file(const Part& part);

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_TEXT_FILE_H_
