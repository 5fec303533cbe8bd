// What the body of an answer to a request for a stream turns out to be.
#ifndef LLMROUTER_DIALECTS_BODY_SHAPE_H_
#define LLMROUTER_DIALECTS_BODY_SHAPE_H_

#include <cstddef>
#include <string_view>

#include "dialects/text_match.h"

namespace llmrouter::dialects {

enum class BodyShape { kUnknown, kEvents, kWhole };

// By its first byte: a body that begins like JSON or HTML is no event stream, whatever its content type says. `held`: the blanks before.
inline BodyShape shape_of(std::string_view held, std::string_view bytes) noexcept {
  constexpr size_t kPatience = 1024;
  for (size_t i = 0; i < bytes.size() && held.size() + i < kPatience; ++i) {
    const char c = bytes[i];
    if (is_blank(c) || c == '\xef' || c == '\xbb' || c == '\xbf') continue;
    return c == '{' || c == '[' || c == '<' ? BodyShape::kWhole : BodyShape::kEvents;
  }
  return held.size() + bytes.size() < kPatience ? BodyShape::kUnknown : BodyShape::kEvents;
}

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_BODY_SHAPE_H_
