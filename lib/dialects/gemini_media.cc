// Pictures, sounds, films, documents and code as Google's parts have them.
#include <algorithm>

#include "dialects/gemini.h"
#include "dialects/text_match.h"

namespace llmrouter::dialects::gemini {

using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;

namespace {

struct Ending {
  std::string_view ending, mime;
};
constexpr Ending kEndings[] = {
    {".png", "image/png"},        {".jpg", "image/jpeg"},      {".jpeg", "image/jpeg"},     {".webp", "image/webp"},
    {".gif", "image/gif"},        {".heic", "image/heic"},     {".heif", "image/heif"},     {".pdf", "application/pdf"},
    {".txt", "text/plain"},       {".md", "text/markdown"},    {".html", "text/html"},      {".csv", "text/csv"},
    {".json", "application/json"}, {".mp3", "audio/mpeg"},     {".wav", "audio/wav"},       {".flac", "audio/flac"},
    {".ogg", "audio/ogg"},        {".aac", "audio/aac"},       {".m4a", "audio/m4a"},       {".mp4", "video/mp4"},
    {".mov", "video/quicktime"},  {".webm", "video/webm"},     {".mpeg", "video/mpeg"},     {".avi", "video/x-msvideo"},
};

bool is_youtube(std::string_view url) noexcept {
  return url.find("youtube.com/") != std::string_view::npos || url.find("youtu.be/") != std::string_view::npos;
}

// Google takes both alphabets of base64, others the first one only.
void to_plain_base64(std::string& data) {
  bool safe = false;
  for (char& c : data) {
    if (c == '-') c = '+';
    else if (c == '_') c = '/';
    else continue;
    safe = true;
  }
  if (safe) data.append((4 - data.size() % 4) % 4, '=');
}

}  // namespace

bool is_googles(std::string_view url) noexcept {
  for (std::string_view own : {"gs://", "https://generativelanguage.googleapis.com/", "https://www.youtube.com/", "https://youtube.com/",
                               "https://youtu.be/", "https://m.youtube.com/"}) {
    if (url.substr(0, own.size()) == own) return true;
  }
  return false;
}

Part::Kind kind_of_mime(std::string_view mime) noexcept {
  if (starts_with_ci(mime, "image/")) return Part::Kind::kImage;
  if (starts_with_ci(mime, "audio/")) return Part::Kind::kAudio;
  if (starts_with_ci(mime, "video/")) return Part::Kind::kVideo;
  return Part::Kind::kFile;
}

std::string_view mime_of_name(std::string_view name) noexcept {
  name = name.substr(0, name.find_first_of("?#"));
  for (const Ending& e : kEndings) {
    if (name.size() > e.ending.size() && equals_ci(name.substr(name.size() - e.ending.size()), e.ending)) return e.mime;
  }
  return {};
}

bool read_media(JsonValue part, Part& out) {
  JsonValue inline_data, file_data;
  for (const JsonMember& m : JsonMembers(part)) {
    if (is_field(m.key, "inlineData")) inline_data = m.value;
    else if (is_field(m.key, "fileData")) file_data = m.value;
  }
  const JsonValue media = inline_data.is_object() ? inline_data : file_data;
  if (!media.is_object()) return false;
  for (const JsonMember& m : JsonMembers(media)) {
    if (is_field(m.key, "mimeType")) m.value.string(out.mime);
    else if (m.key == "data") m.value.string(out.data);
    else if (is_field(m.key, "fileUri")) m.value.string(out.url);
    else if (is_field(m.key, "displayName")) m.value.string(out.name);
  }
  to_plain_base64(out.data);
  if (out.mime.empty()) out.mime = mime_of_name(out.url.empty() ? out.name : out.url);
  out.kind = out.mime.empty() && is_youtube(out.url) ? Part::Kind::kVideo : kind_of_mime(out.mime);
  return true;
}

std::string code_as_text(std::string_view key, JsonValue value) {
  const bool code = is_field(key, "executableCode");
  std::string body = wire::find_member(value, code ? "code" : "output").string_or();
  std::string language = code ? wire::find_member(value, "language").string_or() : std::string();
  for (char& c : language) c = lower(c);
  if (!body.empty() && body.back() != '\n') body += '\n';
  return "```" + language + "\n" + body + "```\n";
}

}  // namespace llmrouter::dialects::gemini
