// Is a text well-formed?
#include "llmrouter/values.h"
#include "wire/bytes.h"

namespace llmrouter {

bool is_utf8(std::string_view text) noexcept {
  const char* const end = text.data() + text.size();
  for (const char* p = text.data(); p != end;) {
    int bad = 0;
    const int length = wire::utf8_length(p, end, &bad);
    if (length == 0) return false;
    p += length;
  }
  return true;
}

}  // namespace llmrouter
