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

// An id of one vendor's store says nothing at another's; by how it begins one knows whose it is. Clients of any dialect may name any.
inline bool is_openai_file(std::string_view id) noexcept { return id.substr(0, 5) == "file-" || id.substr(0, 10) == "assistant-"; }
inline bool is_anthropic_file(std::string_view id) noexcept { return id.substr(0, 5) == "file_"; }

// A name for a file that has none, by what it is: there are vendors who refuse a file without.
inline std::string_view file_name_of(std::string_view mime) noexcept {
  struct Row {
    std::string_view mime, name;
  };
  constexpr Row kRows[] = {
      {"application/pdf", "file.pdf"},
      {"application/json", "file.json"},
      {"text/plain", "file.txt"},
      {"text/csv", "file.csv"},
      {"text/html", "file.html"},
      {"text/markdown", "file.md"},
      {"application/msword", "file.doc"},
      {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "file.docx"},
      {"application/vnd.ms-excel", "file.xls"},
      {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "file.xlsx"},
      {"application/vnd.openxmlformats-officedocument.presentationml.presentation", "file.pptx"},
  };
  for (const Row& row : kRows) {
    if (mime == row.mime) return row.name;
  }
  return "file";
}

// A URL that anybody could ask for, or one that holds the bytes: no "gs://".
inline bool is_common_url(std::string_view url) noexcept {
  return url.substr(0, 5) == "data:" || url.substr(0, 8) == "https://" || url.substr(0, 7) == "http://";
}

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_MEDIA_H_
