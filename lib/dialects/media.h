// Bytes inside a part: base64 and what they are.
#ifndef LLMROUTER_DIALECTS_MEDIA_H_
#define LLMROUTER_DIALECTS_MEDIA_H_

#include <string_view>

#include "llmrouter/chat.h"

namespace llmrouter::dialects {

struct Inline {
  std::string_view mime;  // "image/png"; empty: nobody said
  std::string_view data;  // base64; empty: the part holds no bytes, only a reference
};

// `data` and `mime` of a part, or what stands in its data: URL. Views of the part.
inline Inline inline_of(const Part& part) noexcept {
  if (!part.data.empty()) return {part.mime, part.data};
  const std::string_view url = part.url;
  constexpr std::string_view kMark = ";base64,";
  const size_t at = url.substr(0, 5) == "data:" ? url.find(kMark) : std::string_view::npos;
  if (at == std::string_view::npos) return {};
  const std::string_view type = url.substr(5, at - 5);
  return {type.substr(0, type.find(';')), url.substr(at + kMark.size())};
}

// What a picture is by the base64 of its first bytes; empty: not known.
inline std::string_view image_mime_of(std::string_view data) noexcept {
  if (data.substr(0, 4) == "/9j/") return "image/jpeg";
  if (data.substr(0, 6) == "R0lGOD") return "image/gif";
  if (data.substr(0, 6) == "UklGRg") return "image/webp";
  return data.substr(0, 6) == "iVBORw" ? std::string_view("image/png") : std::string_view();
}

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_MEDIA_H_
