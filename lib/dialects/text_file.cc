#include "dialects/text_file.h"

#include "dialects/media.h"
#include "wire/base64.h"
#include "wire/bytes.h"

namespace llmrouter::dialects {
namespace {

bool is_utf8(std::string_view text) noexcept {
  const char *p = text.data(), *end = p + text.size();
  int bad = 0;
  for (int length = 1; p != end; p += length) {
    length = wire::utf8_length(p, end, &bad);
    if (length == 0) return false;
  }
  return true;
}

}  // namespace

std::optional<std::string> words_of_file(const Part& part) {
  if (part.kind != Part::Kind::kFile || !part.file_id.empty()) return std::nullopt;
  const Inline bytes = inline_of(part);
  const bool text = bytes.mime.substr(0, 5) == "text/" || bytes.mime == "application/json" || bytes.mime == "application/xml";
  if (!text) return std::nullopt;
  std::optional<std::string> words = wire::decode_base64(bytes.data);
  if (!words || !is_utf8(*words)) return std::nullopt;
  if (!part.name.empty()) words->insert(0, part.name + "\n\n");
  return words;
}

}  // namespace llmrouter::dialects
