#include "llmrouter/shown.h"

namespace llmrouter {

std::string shown(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool c1 = c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) - 0x80u < 0x20;  // U+0080 to U+009F
    if (c1) ++i;
    out += c1 || c < 0x20 || c == 0x7f ? '?' : text[i];
  }
  return out;
}

}  // namespace llmrouter
