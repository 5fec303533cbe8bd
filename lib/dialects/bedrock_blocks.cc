#include "dialects/bedrock_blocks.h"

#include <algorithm>
#include <set>

#include "dialects/bedrock.h"
#include "dialects/fields.h"
#include "dialects/media.h"
#include "dialects/openai.h"
#include "dialects/results_first.h"
#include "dialects/text_match.h"
#include "llmrouter/dropped.h"

namespace llmrouter::dialects::bedrock {
namespace {

using wire::JsonValue;

bool plain_id_char(char c) noexcept { return is_alnum(c) || c == '_' || c == '-'; }

// toolUseId: 1 to 64 of [a-zA-Z0-9_-]. Others get one that depends on them alone.
std::string plain_id(std::string_view id) {
  if (!id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), plain_id_char)) return std::string(id);
  std::string out;
  for (char c : id.substr(0, 48)) out += plain_id_char(c) ? c : '_';
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  out += '_';
  for (int i = 0; i < 12; ++i, hash >>= 5) out += "0123456789abcdefghijklmnopqrstuv"[hash & 31];
  return out;
}

struct FormatRow {
  std::string_view mime, ending, format;
};
constexpr FormatRow kImages[] = {{"image/png", ".png", "png"}, {"image/jpeg", ".jpeg", "jpeg"}, {"image/jpg", ".jpg", "jpeg"}, {"image/gif", ".gif", "gif"},
                                 {"image/webp", ".webp", "webp"}};
constexpr FormatRow kDocuments[] = {
    {"application/pdf", ".pdf", "pdf"},
    {"text/csv", ".csv", "csv"},
    {"application/msword", ".doc", "doc"},
    {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", ".docx", "docx"},
    {"application/vnd.ms-excel", ".xls", "xls"},
    {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".xlsx", "xlsx"},
    {"text/html", ".html", "html"},
    {"text/markdown", ".md", "md"},
    {"text/plain", ".txt", "txt"},
};
constexpr FormatRow kVideos[] = {{"video/mp4", ".mp4", "mp4"},   {"video/quicktime", ".mov", "mov"}, {"video/x-matroska", ".mkv", "mkv"},
                                 {"video/webm", ".webm", "webm"}, {"video/x-flv", ".flv", "flv"},     {"video/mpeg", ".mpeg", "mpeg"},
                                 {"video/x-ms-wmv", ".wmv", "wmv"}, {"video/3gpp", ".3gp", "three_gp"}};

constexpr FormatRow kAudios[] = {{"audio/wav", ".wav", "wav"},  {"audio/x-wav", ".wav", "wav"}, {"audio/mpeg", ".mp3", "mp3"}, {"audio/mp3", ".mp3", "mp3"},
                                 {"audio/flac", ".flac", "flac"}, {"audio/ogg", ".ogg", "ogg"},  {"audio/opus", ".opus", "opus"}, {"audio/aac", ".aac", "aac"},
                                 {"audio/mp4", ".mp4", "mp4"},  {"audio/m4a", ".m4a", "m4a"},   {"audio/webm", ".webm", "webm"}};

template <size_t N>
std::string_view format_of(const FormatRow (&rows)[N], std::string_view mime, std::string_view name) noexcept {
  mime = trim(mime.substr(0, mime.find(';')));
  for (const FormatRow& row : rows) {
    if (equals_ci(mime, row.mime)) return row.format;
  }
  for (const FormatRow& row : rows) {
    if (mime.empty() && name.size() > row.ending.size() && equals_ci(name.substr(name.size() - row.ending.size()), row.ending)) return row.format;
  }
  return {};
}

// A document's name: letters, digits, single blanks, hyphens, brackets.
std::string plain_name(std::string_view name) {
  std::string out;
  for (char c : name.substr(0, 190)) {
    const bool kept = is_alnum(c) || c == '-' || c == '(' || c == ')' || c == '[' || c == ']';
    if (kept) out += c;
    else if (!out.empty() && out.back() != ' ') out += ' ';
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

bool is_s3(std::string_view url) noexcept { return url.substr(0, 5) == "s3://"; }
bool is_blank_text(std::string_view text) noexcept { return trim(text).empty(); }

std::string_view without_blanks_behind(std::string_view text) noexcept {
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string_view side_of(Role role) noexcept { return role == Role::kAssistant ? std::string_view("assistant") : std::string_view("user"); }
bool is_system(Role role) noexcept { return role == Role::kSystem || role == Role::kDeveloper; }

std::string (*shortener(std::string_view model))(std::string_view) { return family_of(model) == Family::kMistral ? openai::short_tool_id : plain_id; }

}  // namespace

BlockWriter::BlockWriter(const ChatRequest& request, std::string_view model, bool foreign, wire::JsonWriter& w, std::vector<std::string>& dropped)
    : request_(request), maker_(maker_of(family_of(model))), foreign_(foreign), w_(w), dropped_(dropped), ids_(request.messages, shortener(model)) {
  for (const Message& message : request.messages) has_calls_ = has_calls_ || !message.tool_calls.empty() || message.role == Role::kTool;
  nobody_speaks_ = std::none_of(request.messages.begin(), request.messages.end(),
                                [this](const Message& m) { return !is_system(m.role) && says_something(m); });
  if (request.messages.empty() || family_of(model) != Family::kClaude) return;
  const Message& last = request.messages.back();
  if (last.role != Role::kAssistant || !last.tool_calls.empty()) return;
  for (const Part& part : last.parts) {
    if (!is_blank_text(part.text)) begun_ = &part;
  }
}

bool BlockWriter::says_something(const Message& message) const noexcept {
  if (message.role == Role::kTool || !message.tool_calls.empty()) return true;
  return std::any_of(message.parts.begin(), message.parts.end(), [this](const Part& part) {
    if (part.kind == Part::Kind::kText || part.kind == Part::Kind::kRefusal) return !is_blank_text(part.text);
    return part.kind != Part::Kind::kReasoning || is_own_thought(part);
  });
}

void BlockWriter::fail(Error error) {
  if (error_.code == ErrorCode::kNone) error_ = std::move(error);
}

void BlockWriter::drop(std::string_view name) {
  add_dropped(dropped_, name);
}

std::optional<Error> BlockWriter::take_error() {
  if (error_.code == ErrorCode::kNone) return std::nullopt;
  return std::move(error_);
}

bool BlockWriter::is_own_thought(const Part& part) const noexcept {
  return part.kind == Part::Kind::kReasoning && !part.signature.empty() && part.maker == (part.redacted ? kMaker : maker_);
}

void BlockWriter::write_cache_point(const std::string& cache) {
  if (cache.empty()) return;
  const std::string ttl = wire::find_member(JsonValue(cache), "ttl").string_or();
  w_.begin_object();
  w_.key("cachePoint");
  w_.begin_object();
  w_.member("type", "default");
  if (ttl == "1h") w_.member("ttl", ttl);
  w_.end_object();
  w_.end_object();
}

void BlockWriter::write_text(std::string_view text) {
  w_.begin_object();
  w_.member("text", text);
  w_.end_object();
}

void BlockWriter::write_system() {
  if (nobody_speaks_) return;  // a conversation of instructions alone: they are what the user says
  bool any = false;
  for (size_t i = 0; i < request_.messages.size(); ++i) {
    if (!is_system(request_.messages[i].role)) continue;
    for (const Part& part : request_.messages[i].parts) {
      if (part.kind != Part::Kind::kText) {
        fail(cannot_express(path("messages", i, "content"), "anything but text in a system message", kTarget));
        continue;
      }
      if (is_blank_text(part.text)) continue;
      if (!any) {
        w_.key("system");
        w_.begin_array();
      }
      any = true;
      write_text(part.text);
      write_cache_point(part.cache);
    }
  }
  if (any) w_.end_array();
}

// A message is opened by its first block: one without any is refused there, so it is left out.
void BlockWriter::open_message(std::string_view role) {
  if (open_ == role) return;
  close_message();
  open_ = role;
  w_.begin_object();
  w_.member("role", role);
  w_.key("content");
  w_.begin_array();
}

void BlockWriter::close_message() {
  if (open_.empty()) return;
  w_.end_array();
  w_.end_object();
  open_ = {};
}

void BlockWriter::write_messages() {
  w_.key("messages");
  w_.begin_array();
  for (size_t i : results_first(request_.messages)) {
    const Message& message = request_.messages[i];
    if (is_system(message.role) != nobody_speaks_) continue;
    if (!message.name.empty() && message.role != Role::kTool) drop("messages.name");
    wanted_ = side_of(message.role);
    if (message.role == Role::kTool) {
      write_result(message, i);
      continue;
    }
    write_parts(message.parts, path("messages", i, "content"));
    for (size_t k = 0; k < message.tool_calls.size(); ++k) {
      write_call(message.tool_calls[k], ids_.call(i, k), path(path("messages", i, "tool_calls"), k));
    }
  }
  if (open_.empty()) fail(wrong_value("messages", "a conversation in which something is said"));
  close_message();
  w_.end_array();
}

void BlockWriter::write_parts(const std::vector<Part>& parts, const std::string& at) {
  for (size_t i = 0; i < parts.size(); ++i) {
    write_part(parts[i], path(at, i));
    if (!parts[i].cache.empty() && open_ == wanted_) write_cache_point(parts[i].cache);
  }
}

void BlockWriter::write_part(const Part& part, const std::string& at) {
  if (foreign_ && is_media(part) && wanted_ == side_of(Role::kAssistant)) return fail(cannot_express(at, "a picture, sound or file in an answer", kTarget));
  switch (part.kind) {
    case Part::Kind::kText:
    case Part::Kind::kRefusal:
      if (is_blank_text(part.text)) return;
      open_message(wanted_);
      return write_text(&part == begun_ ? without_blanks_behind(part.text) : std::string_view(part.text));
    case Part::Kind::kReasoning: return write_thought(part);
    case Part::Kind::kImage: return write_image(part, at);
    case Part::Kind::kFile: return write_document(part, at);
    case Part::Kind::kVideo: return write_video(part, at);
    case Part::Kind::kAudio: return write_audio(part, at);
    case Part::Kind::kOther:
      if (foreign_ || part.raw.empty()) return fail(cannot_express(at, "a part of this type", kTarget));
      open_message(wanted_);
      return w_.raw(part.raw);
  }
}

// Taken back only with the signature of who thought it; a thought of anybody else's stays out.
void BlockWriter::write_thought(const Part& part) {
  if (!is_own_thought(part)) {
    if (!part.text.empty() || !part.signature.empty()) drop("reasoning");
    return;
  }
  open_message(wanted_);
  w_.begin_object();
  w_.key("reasoningContent");
  w_.begin_object();
  if (part.redacted) {
    w_.member("redactedContent", part.signature);
  } else {
    w_.key("reasoningText");
    w_.begin_object();
    w_.member("text", part.text);
    w_.member("signature", part.signature);
    w_.end_object();
  }
  w_.end_object();
  w_.end_object();
}

void BlockWriter::write_media(std::string_view kind, std::string_view format, std::string_view name, std::string_view data, std::string_view url, bool citations) {
  open_message(wanted_);
  w_.begin_object();
  w_.key(kind);
  w_.begin_object();
  w_.member("format", format);
  if (!name.empty()) w_.member("name", name);
  w_.key("source");
  w_.begin_object();
  if (!data.empty()) {
    w_.member("bytes", data);
  } else {
    w_.key("s3Location");
    w_.begin_object();
    w_.member("uri", url);
    w_.end_object();
  }
  w_.end_object();
  if (citations) w_.raw_member("citations", R"({"enabled":true})");
  w_.end_object();
  w_.end_object();
}

void BlockWriter::write_image(const Part& part, const std::string& at) {
  Inline bytes = inline_of(part);
  if (bytes.data.empty() && !is_s3(part.url)) return fail(cannot_express(at, "an image that is neither inline (base64) nor in S3", kTarget));
  if (bytes.mime.empty()) bytes.mime = bytes.data.empty() ? std::string_view(part.mime) : image_mime_of(bytes.data);
  const std::string_view format = format_of(kImages, bytes.mime, part.url);
  if (format.empty()) return fail(cannot_express(at, "an image that is no png, jpeg, gif or webp", kTarget));
  if (part.detail == "low" || part.detail == "high") drop("detail");
  write_media("image", format, {}, bytes.data, part.url);
}

void BlockWriter::write_document(const Part& part, const std::string& at) {
  const Inline bytes = inline_of(part);
  if (bytes.data.empty() && !is_s3(part.url)) return fail(cannot_express(at, "a file that is neither inline (base64) nor in S3", kTarget));
  const std::string_view format = format_of(kDocuments, bytes.mime.empty() ? std::string_view(part.mime) : bytes.mime, part.name.empty() ? part.url : part.name);
  if (format.empty()) return fail(cannot_express(at, "a file of this type", kTarget));
  std::string name = plain_name(part.name);
  if (name.empty()) name = "document";
  if (documents_++ != 0) name += " " + std::to_string(documents_);  // two of one name are refused
  bool citations = false;  // wanted, in Anthropic's words
  for_each_member(part.extras, [&](const wire::JsonMember& m) {
    if (m.key == "citations") citations = wire::find_member(m.value, "enabled").boolean().value_or(false);
  });
  write_media("document", format, name, bytes.data, part.url, citations);
}

void BlockWriter::write_video(const Part& part, const std::string& at) {
  const Inline bytes = inline_of(part);
  if (bytes.data.empty() && !is_s3(part.url)) return fail(cannot_express(at, "a video that is neither inline (base64) nor in S3", kTarget));
  const std::string_view format = format_of(kVideos, bytes.mime.empty() ? std::string_view(part.mime) : bytes.mime, part.url);
  if (format.empty()) return fail(cannot_express(at, "a video of this type", kTarget));
  write_media("video", format, {}, bytes.data, part.url);
}

void BlockWriter::write_audio(const Part& part, const std::string& at) {
  const Inline bytes = inline_of(part);
  if (bytes.data.empty() && !is_s3(part.url)) return fail(cannot_express(at, "audio that is neither inline (base64) nor in S3", kTarget));
  const std::string_view format = format_of(kAudios, bytes.mime.empty() ? std::string_view(part.mime) : bytes.mime, part.url);
  if (format.empty()) return fail(cannot_express(at, "audio of this type", kTarget));
  write_media("audio", format, {}, bytes.data, part.url);
}

void BlockWriter::write_call(const ToolCall& call, std::string_view id, const std::string& at) {
  if (call.name.empty()) fail(cannot_express(at, "a call that is no function", kTarget));
  open_message("assistant");
  w_.begin_object();
  w_.key("toolUse");
  w_.begin_object();
  w_.member("toolUseId", id);
  w_.member("name", call.name);
  w_.raw_member("input", arguments_object(call.arguments));
  w_.end_object();
  w_.end_object();
}

void BlockWriter::write_result(const Message& message, size_t index) {
  open_message("user");
  w_.begin_object();
  w_.key("toolResult");
  w_.begin_object();
  w_.member("toolUseId", ids_.result(index));
  w_.key("content");
  w_.begin_array();
  const std::string at = path("messages", index, "content");
  size_t written = 0;
  for (size_t i = 0; i < message.parts.size(); ++i) {
    const Part& part = message.parts[i];
    if (part.kind == Part::Kind::kReasoning || (part.kind == Part::Kind::kText && is_blank_text(part.text))) continue;
    write_part(part, path(at, i));
    ++written;
  }
  if (written == 0) w_.raw(R"({"json":{}})");  // nothing to say; an empty text is refused
  w_.end_array();
  if (message.tool_error) w_.member("status", "error");
  w_.end_object();
  w_.end_object();
  for (const Part& part : message.parts) write_cache_point(part.cache);
}

void BlockWriter::write_tools_of_history() {
  std::set<std::string_view> names;
  for (const Message& message : request_.messages) {
    for (const ToolCall& call : message.tool_calls) names.insert(call.name);
  }
  if (names.empty()) names.insert("unknown");
  for (std::string_view name : names) {
    w_.begin_object();
    w_.key("toolSpec");
    w_.begin_object();
    w_.member("name", name);
    w_.raw_member("inputSchema", R"({"json":{"type":"object","properties":{}}})");
    w_.end_object();
    w_.end_object();
  }
}

}  // namespace llmrouter::dialects::bedrock
