#include "dialects/anthropic_blocks.h"

#include "dialects/anthropic.h"
#include "dialects/anthropic_plan.h"
#include "dialects/fields.h"
#include "dialects/media.h"
#include "dialects/signature.h"
#include "dialects/text_match.h"
#include "llmrouter/dropped.h"
#include "wire/base64.h"

namespace llmrouter::dialects::anthropic {
namespace {

// What the vendor takes; empty: none of them. Where the label says something else, the first bytes decide.
std::string_view image_type(std::string_view mime, std::string_view data) noexcept {
  for (std::string_view known : {"image/jpeg", "image/png", "image/gif", "image/webp"}) {
    if (mime == known) return known;
  }
  if (const std::string_view seen = image_mime_of(data); !seen.empty()) return seen;
  return mime.empty() ? std::string_view("image/png") : std::string_view();
}

bool ends_with_ci(std::string_view text, std::string_view end) noexcept {
  return text.size() >= end.size() && equals_ci(text.substr(text.size() - end.size()), end);
}

// By what it is called, by what it is named, by its first bytes ("%PDF-").
bool is_pdf(std::string_view mime, std::string_view name, std::string_view data) noexcept {
  if (!mime.empty() && mime != "application/octet-stream") return mime == "application/pdf";
  return data.substr(0, 6) == "JVBERi" || ends_with_ci(name, ".pdf");
}
bool is_text(std::string_view mime, std::string_view name) noexcept {
  if (mime.substr(0, 5) == "text/" || mime == "application/json" || mime == "application/xml") return true;
  return mime.empty() && (ends_with_ci(name, ".txt") || ends_with_ci(name, ".md") || ends_with_ci(name, ".csv") || ends_with_ci(name, ".json"));
}

std::string_view without_blanks_behind(std::string_view text) noexcept {
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

bool BlockWriter::writes(const Part& part) const noexcept {
  switch (part.kind) {
    case Part::Kind::kText:
    case Part::Kind::kRefusal: return !trim(part.text).empty();
    case Part::Kind::kReasoning: return is_own_thought(part) || (!foreign_ && !claude_ && !part.text.empty());
    default: return true;
  }
}

void BlockWriter::write_cache(const std::string& mark) {
  if (!mark.empty()) w_.raw_member("cache_control", mark);
}

void BlockWriter::write_extras(const RawMembers& extras, std::string_view where) {
  if (!foreign_) return w_.raw_members(extras);
  for_each_member(extras, [&](const wire::JsonMember& m) {
    if (m.key != "type") name_member(where, m, "function", dropped_);  // told in other words
  });
}

void BlockWriter::write_content(const std::vector<Part>& parts, const std::string& where) {
  size_t count = 0;
  const Part* only = nullptr;
  for (const Part& part : parts) {
    if (!writes(part)) continue;
    ++count;
    only = &part;
  }
  if (count == 1 && only->kind == Part::Kind::kText && only->cache.empty() && only->extras.empty()) return w_.string(only->text);
  w_.begin_array();
  for (size_t i = 0; i < parts.size(); ++i) {
    if (writes(parts[i])) write(parts[i], path(where, i));
    else if (parts[i].kind == Part::Kind::kReasoning) add_dropped(dropped_, "reasoning");
  }
  w_.end_array();
}

void BlockWriter::write(const Part& part, const std::string& where, bool last) {
  switch (part.kind) {
    case Part::Kind::kText:
    case Part::Kind::kRefusal: return write_text(last ? without_blanks_behind(part.text) : std::string_view(part.text), part);
    case Part::Kind::kReasoning: return write_thought(part);
    case Part::Kind::kImage: return write_image(part, where);
    case Part::Kind::kFile: return write_document(part, where);
    case Part::Kind::kAudio: return fail(cannot_express(where, "audio", kTarget));
    case Part::Kind::kVideo: return fail(cannot_express(where, "video", kTarget));
    case Part::Kind::kOther: break;
  }
  if (foreign_) return fail(cannot_express(where, "a part of this type", kTarget));
  w_.raw(part.raw);
}

void BlockWriter::write_text(std::string_view text, const Part& part) {
  w_.begin_object();
  w_.member("type", "text");
  w_.member("text", text);
  write_cache(part.cache);
  write_extras(part.extras, "content.");
  w_.end_object();
}

void BlockWriter::write_thought(const Part& part) {
  w_.begin_object();
  w_.member("type", part.redacted ? "redacted_thinking" : "thinking");
  if (!part.redacted) w_.member("thinking", part.text);
  w_.member(part.redacted ? "data" : "signature", seal_signature(part.maker, kMaker, part.signature));
  write_extras(part.extras, "content.");
  w_.end_object();
}

void BlockWriter::write_source(std::string_view mime, std::string_view data, std::string_view url, const std::string& file_id) {
  w_.key("source");
  w_.begin_object();
  if (!file_id.empty()) {
    files_ = true;
    w_.member("type", "file");
    w_.member("file_id", file_id);
  } else if (!url.empty()) {
    w_.member("type", "url");
    w_.member("url", url);
  } else {
    w_.member("type", "base64");
    w_.member("media_type", mime);
    w_.member("data", data);
  }
  w_.end_object();
}

void BlockWriter::write_image(const Part& part, const std::string& where) {
  const Inline bytes = inline_of(part);
  const std::string_view url = bytes.data.empty() ? std::string_view(part.url) : std::string_view();
  if (is_openai_file(part.file_id)) return fail(cannot_express(where, "an image in another vendor's store", kTarget));
  if (url.empty() && bytes.data.empty() && part.file_id.empty()) return fail(cannot_express(where, "an image without data or URL", kTarget));
  if (is_data_url(url)) return fail(cannot_express(where, "an image whose data: URL is not base64", kTarget));
  if (!url.empty() && !is_common_url(url)) return fail(cannot_express(where, "an image at such a URL", kTarget));
  if (inline_only_ && bytes.data.empty()) return fail(cannot_express(where, "an image that is not inline", kInGoogle));
  std::string_view mime = bytes.data.empty() ? std::string_view() : image_type(bytes.mime, bytes.data);
  if (mime.empty() && !bytes.data.empty()) {
    if (foreign_) return fail(cannot_express(where, "an image that is no png, jpeg, gif or webp", kTarget));
    mime = bytes.mime;
  }
  if (!part.detail.empty() && part.detail != "auto") add_dropped(dropped_, "detail");
  w_.begin_object();
  w_.member("type", "image");
  write_source(mime, bytes.data, url, part.file_id);
  write_cache(part.cache);
  write_extras(part.extras, "content.");
  w_.end_object();
}

void BlockWriter::write_document(const Part& part, const std::string& where) {
  const auto [mime, data] = inline_of(part);
  const std::string_view url = data.empty() ? std::string_view(part.url) : std::string_view();
  if (is_openai_file(part.file_id)) return fail(cannot_express(where, "a file in another vendor's store", kTarget));
  if (is_data_url(url)) return fail(cannot_express(where, "a file whose data: URL is not base64", kTarget));
  if (!url.empty() && !is_common_url(url)) return fail(cannot_express(where, "a file at such a URL", kTarget));
  const bool inline_data = url.empty() && part.file_id.empty();
  if (inline_only_ && !inline_data) return fail(cannot_express(where, "a file that is not inline", kInGoogle));
  if (mime.substr(0, 6) == "image/" && inline_data) return write_image(part, where);
  std::optional<std::string> text;
  if (inline_data && !is_pdf(mime, part.name, data)) {
    if (is_text(mime, part.name)) text = wire::decode_base64(data);
    if (!text) return fail(cannot_express(where, "a file that is neither PDF nor text", kTarget));
  }
  w_.begin_object();
  w_.member("type", "document");
  if (text) {
    w_.key("source");
    w_.begin_object();
    w_.member("type", "text");
    w_.member("media_type", "text/plain");
    w_.member("data", *text);
    w_.end_object();
  } else {
    write_source("application/pdf", data, url, part.file_id);
  }
  if (!part.name.empty()) w_.member("title", part.name);
  write_cache(part.cache);
  write_extras(part.extras, "content.");
  w_.end_object();
}

}  // namespace llmrouter::dialects::anthropic
