// Bytes inside a part: base64 and what they are.
#ifndef LLMROUTER_DIALECTS_MEDIA_H_
#define LLMROUTER_DIALECTS_MEDIA_H_

#include <string_view>

#include "dialects/text_match.h"
#include "llmrouter/chat.h"

namespace llmrouter::dialects {

// A picture, sound, film or file.
inline bool is_media(const Part& part) noexcept {
  return part.kind == Part::Kind::kImage || part.kind == Part::Kind::kAudio || part.kind == Part::Kind::kVideo || part.kind == Part::Kind::kFile;
}

struct Inline {
  std::string_view mime;  // "image/png"; empty: nobody said
  std::string_view data;  // base64; empty: the part holds no bytes, only a reference
};

// Types of pictures and documents as vendors spell them; others as they came, without parameters but for sounds, whose rate is one.
inline std::string_view usual_mime(std::string_view mime) noexcept {
  struct Row {
    std::string_view said, usual;
  };
  constexpr Row kRows[] = {{"image/jpeg", "image/jpeg"}, {"image/jpg", "image/jpeg"}, {"image/pjpeg", "image/jpeg"},
                           {"image/png", "image/png"},   {"image/x-png", "image/png"}, {"image/gif", "image/gif"},
                           {"image/webp", "image/webp"}, {"application/pdf", "application/pdf"}};
  if (starts_with_ci(mime, "audio/")) return trim(mime);
  mime = trim(mime.substr(0, mime.find(';')));
  for (const Row& row : kRows) {
    if (equals_ci(mime, row.said)) return row.usual;
  }
  return mime;
}

inline bool is_data_url(std::string_view url) noexcept { return starts_with_ci(url, "data:"); }

// `data` and `mime` of a part, or what stands in its data: URL ("data:image/png;base64,AAAA", in any case). Views of the part, or of names.
inline Inline inline_of(const Part& part) noexcept {
  if (!part.data.empty()) return {usual_mime(part.mime), part.data};
  const std::string_view url = part.url;
  const size_t comma = is_data_url(url) ? url.find(',') : std::string_view::npos;
  if (comma == std::string_view::npos) return {};
  const std::string_view type = url.substr(5, comma - 5);
  constexpr std::string_view kMark = ";base64";
  if (type.size() < kMark.size() || !equals_ci(type.substr(type.size() - kMark.size()), kMark)) return {};
  return {usual_mime(type.substr(0, type.size() - kMark.size())), url.substr(comma + 1)};
}

// What a picture is by the base64 of its first bytes; empty: not known.
inline std::string_view image_mime_of(std::string_view data) noexcept {
  if (data.substr(0, 4) == "/9j/") return "image/jpeg";
  if (data.substr(0, 6) == "R0lGOD") return "image/gif";
  if (data.substr(0, 6) == "UklGRg") return "image/webp";
  return data.substr(0, 6) == "iVBORw" ? std::string_view("image/png") : std::string_view();
}

// The two sounds that OpenAI takes, in its words; empty: another one.
inline std::string_view wav_or_mp3(std::string_view mime) noexcept {
  const std::string_view type = trim(mime.substr(0, mime.find(';')));
  for (std::string_view wav : {"audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"}) {
    if (equals_ci(type, wav)) return "wav";
  }
  return equals_ci(type, "audio/mpeg") || equals_ci(type, "audio/mp3") ? std::string_view("mp3") : std::string_view();
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

// A file in Google's own store, which only the key that put it there opens.
inline bool is_google_file(std::string_view url) noexcept {
  return starts_with_ci(url, "https://generativelanguage.googleapis.com/") || starts_with_ci(url, "http://generativelanguage.googleapis.com/");
}

// A URL that anybody could ask for, or one that holds the bytes: no "gs://", no file in a vendor's store.
inline bool is_common_url(std::string_view url) noexcept {
  if (is_google_file(url)) return false;
  return is_data_url(url) || url.substr(0, 8) == "https://" || url.substr(0, 7) == "http://";
}

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_MEDIA_H_
