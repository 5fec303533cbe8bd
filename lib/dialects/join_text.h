// Several texts as one, for dialects that have room for one.
#ifndef LLMROUTER_DIALECTS_JOIN_TEXT_H_
#define LLMROUTER_DIALECTS_JOIN_TEXT_H_

#include <string>
#include <string_view>

#include "dialects/text_match.h"

namespace llmrouter::dialects {

// What would run together is set apart by a blank line. Not for the texts of an answer: vendors cut those anywhere (at citations, for one).
inline void append_apart(std::string& out, std::string_view text) {
  if (!out.empty() && !text.empty() && !is_blank(out.back()) && !is_blank(text.front())) out += "\n\n";
  out += text;
}

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_JOIN_TEXT_H_
