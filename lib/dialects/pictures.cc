#include "dialects/pictures.h"

#include "dialects/fields.h"
#include "dialects/media.h"
#include "wire/json_writer.h"

namespace llmrouter::dialects {

using wire::find_member;
using wire::JsonElements;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::JsonWriter;

namespace {

void take_list(JsonValue images, std::vector<std::string>& urls) {
  for (JsonValue image : JsonElements(images)) {
    const JsonValue at = find_member(image, "image_url");
    std::string url = at.is_object() ? find_member(at, "url").string_or() : at.string_or(find_member(image, "url").string_or());
    if (const JsonValue bytes = find_member(image, "b64_json"); url.empty() && bytes.nonempty_string()) url = picture_url({}, bytes.string_or());
    if (!url.empty()) urls.push_back(std::move(url));
  }
}

// "a picture (image/png, 12 KB)"
std::string what_stood(std::string_view noun, const Inline& bytes) {
  const size_t size = bytes.data.size() / 4 * 3;
  std::string out(noun);
  out.append(" (").append(bytes.mime.empty() ? "of an unknown type" : bytes.mime).append(", ");
  return out.append(size < 1024 ? std::to_string(size) + " bytes" : std::to_string(size / 1024) + " KB").append(")");
}

std::string in_words(std::string_view noun, const Inline& bytes) {
  return "\n[The answer has " + what_stood(noun, bytes) + " here, which this API has no place for.]\n";
}

}  // namespace

std::vector<std::string> pictures_of(const Message& message) {
  std::vector<std::string> urls;
  for (const Part& part : message.parts) {
    if (part.kind != Part::Kind::kImage) continue;
    if (std::string url = picture_url(part); !url.empty()) urls.push_back(std::move(url));
  }
  for (std::string& url : pictures_in(message.extras)) urls.push_back(std::move(url));
  return urls;
}

std::vector<std::string> pictures_in(const RawMembers& extras) {
  std::vector<std::string> urls;
  for_each_member(extras, [&](const JsonMember& m) {
    if (m.key == "images") take_list(m.value, urls);
  });
  return urls;
}

std::vector<std::string> pictures_of(const StreamEvent& event) {
  std::vector<std::string> urls;
  if (event.kind != StreamEvent::Kind::kOther) return urls;
  take_list(find_member(JsonValue(event.raw), "images"), urls);
  return urls;
}

std::string picture_url(std::string_view mime, std::string_view base64) {
  if (mime.empty()) mime = image_mime_of(base64);
  std::string out = "data:";
  return out.append(mime.empty() ? "image/png" : mime).append(";base64,").append(base64);
}

std::string picture_url(const Part& part) {
  if (!part.url.empty() || part.data.empty()) return part.url;
  return picture_url(part.mime, part.data);
}

std::string picture_list(const std::vector<std::string>& urls) {
  std::string out;
  JsonWriter w(out);
  w.begin_array();
  for (const std::string& url : urls) {
    w.begin_object();
    w.member("type", "image_url");
    w.key("image_url");
    w.begin_object();
    w.member("url", url);
    w.end_object();
    w.end_object();
  }
  w.end_array();
  return out;
}

std::string picture_object(std::string_view url) { return "{\"images\":" + picture_list({std::string(url)}) + "}"; }

std::string picture_in_words(std::string_view url) {
  Part part;
  part.kind = Part::Kind::kImage;
  part.url = url;
  const Inline bytes = inline_of(part);
  if (!bytes.data.empty()) return in_words("a picture", bytes);
  return url.substr(0, 5) == "data:" ? in_words("a picture", {}) : "\n![picture](" + part.url + ")\n";
}

std::string media_in_words(const Part& part) {
  if (!part.url.empty() && part.url.compare(0, 5, "data:") != 0) return "\n" + part.url + "\n";
  switch (part.kind) {
    case Part::Kind::kImage: return picture_in_words(picture_url(part));
    case Part::Kind::kAudio: return in_words("a sound", inline_of(part));
    case Part::Kind::kVideo: return in_words("a film", inline_of(part));
    default: return in_words("a file", inline_of(part));
  }
}

}  // namespace llmrouter::dialects
