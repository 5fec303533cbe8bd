#include "dialects/openai_parts.h"

#include <optional>
#include <string>

#include "dialects/fields.h"
#include "dialects/media.h"
#include "dialects/openai.h"
#include "dialects/text_file.h"

namespace llmrouter::dialects::openai {
namespace {

using wire::JsonWriter;

void write_data_url(std::string_view mime, std::string_view data, std::string& url) {
  url.assign("data:").append(mime).append(";base64,").append(data);
}

std::string_view audio_format(std::string_view mime) noexcept {
  const std::string_view usual = wav_or_mp3(mime);
  if (!usual.empty()) return usual;
  return mime.substr(0, 6) == "audio/" ? mime.substr(6) : mime;
}

void write_url_part(const Part& part, std::string_view name, JsonWriter& w) {
  std::string url = part.url;
  if (url.empty()) write_data_url(part.mime, part.data, url);
  w.member("type", name);
  w.key(name);
  w.begin_object();
  w.member("url", url);
  if (!part.detail.empty()) w.member("detail", part.detail);
  w.end_object();
}

// `named`: a file that has no name gets one.
void write_file_part(const Part& part, bool named, JsonWriter& w) {
  w.member("type", "file");
  w.key("file");
  w.begin_object();
  if (!part.file_id.empty()) w.member("file_id", part.file_id);
  if (!part.name.empty()) w.member("filename", part.name);
  else if (named) w.member("filename", file_name_of(inline_of(part).mime));
  if (!part.url.empty()) {
    w.member("file_data", part.url);
  } else if (!part.data.empty()) {
    std::string data = part.data;
    if (!part.mime.empty()) write_data_url(part.mime, part.data, data);
    w.member("file_data", data);
  }
  w.end_object();
}

// Mistral's own part.
void write_document(const Part& part, JsonWriter& w) {
  std::string url = part.url;
  if (url.empty()) write_data_url(part.mime.empty() ? std::string_view("application/pdf") : std::string_view(part.mime), part.data, url);
  w.member("type", "document_url");
  w.member("document_url", url);
  if (!part.name.empty()) w.member("document_name", part.name);
}

void write_file(const Part& part, PartOptions options, JsonWriter& w) {
  if (options.extras) return write_file_part(part, false, w);
  if (const std::optional<std::string> words = words_of_file(part)) {  // `file` holds PDFs
    w.member("type", "text");
    return w.member("text", *words);
  }
  if (options.documents && part.file_id.empty()) return write_document(part, w);
  write_file_part(part, part.file_id.empty(), w);
}

void write_part(const Part& part, PartOptions options, JsonWriter& w) {
  if (!part.raw.empty()) return w.raw(part.raw);
  w.begin_object();
  switch (part.kind) {
    case Part::Kind::kImage: write_url_part(part, "image_url", w); break;
    case Part::Kind::kVideo: write_url_part(part, "video_url", w); break;
    case Part::Kind::kFile: write_file(part, options, w); break;
    case Part::Kind::kAudio:
      w.member("type", "input_audio");
      w.key("input_audio");
      w.begin_object();
      w.member("data", part.data);
      w.member("format", audio_format(part.mime));
      w.end_object();
      break;
    default:
      w.member("type", "text");
      w.member("text", part.text);
  }
  if (options.cache && !part.cache.empty()) w.raw_member("cache_control", part.cache);
  if (options.extras) w.raw_members(part.extras);
  w.end_object();
}

// Reasoning and refusals have members of their own; what is left stands in `content`.
bool stands_in_content(const Part& part, PartOptions options) noexcept {
  if (part.kind == Part::Kind::kOther) return options.extras;
  if (part.kind == Part::Kind::kReasoning) return !part.raw.empty();
  if (part.kind == Part::Kind::kText && part.text.empty()) {
    if (!part.signature.empty()) return false;                                            // its signature was all of it
    if (!options.extras && part.raw.empty() && part.cache.empty()) return false;  // streams leave such parts in the histories of other dialects
  }
  return part.kind != Part::Kind::kRefusal;
}

}  // namespace

void write_content(const Message& message, PartOptions options, JsonWriter& w) {
  size_t count = 0;
  const Part* only = nullptr;
  for (const Part& part : message.parts) {
    if (!stands_in_content(part, options)) continue;
    ++count;
    only = &part;
  }
  w.key("content");
  if (count == 0) {
    // Some hosts refuse "" beside tool calls.
    if (message.role == Role::kAssistant && !message.tool_calls.empty()) return w.null();
    return w.string(message.tool_error ? "Error" : "");
  }
  // The chat dialect has no word for a tool that failed.
  const std::string prefix = message.tool_error ? "Error: " : "";
  const bool plain = count == 1 && only->kind == Part::Kind::kText && (!options.extras || only->extras.empty()) && (!options.cache || only->cache.empty());
  if (plain) return w.string(prefix + only->text);
  w.begin_array();
  if (!prefix.empty()) write_part(Part::of_text(prefix), options, w);
  for (const Part& part : message.parts) {
    if (stands_in_content(part, options)) write_part(part, options, w);
  }
  w.end_array();
}

bool write_reasoning_and_refusal(const Message& message, bool thoughts, bool details, bool verbatim, JsonWriter& w) {
  std::string reasoning, refusal, entries;
  const Part* first = nullptr;
  for (const Part& part : message.parts) {
    if (part.kind == Part::Kind::kRefusal) refusal += part.text;
    if (part.kind != Part::Kind::kReasoning || !part.raw.empty() || !thoughts) continue;
    if (details && part.maker == kMaker && !part.signature.empty()) add_member(entries, detail_of(part));
    if (part.redacted || (part.text.empty() && !part.signature.empty()) || (verbatim && part.name == "reasoning_details")) continue;
    if (!first) first = &part;
    reasoning += part.text;
  }
  if (first) w.member(first->name == "reasoning" ? "reasoning" : "reasoning_content", reasoning);
  if (!entries.empty()) w.raw_member("reasoning_details", "[" + entries + "]");
  if (!refusal.empty()) w.member("refusal", refusal);
  return first != nullptr;
}

}  // namespace llmrouter::dialects::openai
