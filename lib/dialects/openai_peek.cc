#include "dialects/openai_peek.h"

#include <cstring>
#include <utility>

#include "dialects/openai.h"
#include "dialects/text_match.h"
#include "wire/bytes.h"

namespace llmrouter::dialects::openai {
namespace {

using wire::JsonElements;
using wire::JsonKind;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;

bool is_null_next(const char* p, const char* end) noexcept { return end - p >= 4 && std::memcmp(p, "null", 4) == 0; }

// A string with at least one character.
bool is_text_next(const char* p, const char* end) noexcept { return end - p >= 3 && p[0] == '"' && p[1] != '"'; }

bool says_something(JsonValue value) noexcept {
  switch (value.kind()) {
    case JsonKind::kString: return value.nonempty_string();
    case JsonKind::kArray:
    case JsonKind::kObject: return !value.empty_container();
    case JsonKind::kNumber: return true;
    default: return false;
  }
}

// Of a member of a delta; what it repeats in another form (reasoning_details) and what is no text are not counted.
size_t said_in(const JsonMember& m) noexcept {
  if (m.key == "tool_calls") {
    size_t bytes = 0;
    for (JsonValue call : JsonElements(m.value)) bytes += wire::find(call, "function", "arguments").string_bytes();
    return bytes;
  }
  if (m.key == "function_call") return wire::find_member(m.value, "arguments").string_bytes();
  if (m.key == "content" && m.value.is_array()) return m.value.raw().size();
  const bool words = m.key == "content" || m.key == "reasoning_content" || m.key == "reasoning" || m.key == "refusal" || m.key == "thinking";
  return words ? m.value.string_bytes() : 0;
}

}  // namespace

// Strings are jumped over, what stands between them is walked, so a name inside a text is never taken for a member.
bool is_plain_payload(std::string_view json, size_t& said, std::string_view& usage) noexcept {
  said = 0;
  usage = {};
  const char* p = json.data();
  const char* const end = p + json.size();
  int depth = 0, delta_depth = 0;
  bool visible = false, saying = false;
  while (p != end) {
    const char c = *p++;
    if (c != '"') {
      if (c == '{' || c == '[') ++depth;
      else if ((c == '}' || c == ']') && --depth <= 0) return depth == 0 && p == end && visible;
      else if (depth < delta_depth) delta_depth = 0;
      continue;
    }
    const char* const begin = p;
    bool escapes = false;
    for (;;) {
      p = wire::find_byte<wire::StringStop>(p, end);
      if (p == end) return false;
      if (*p == '"') break;
      if (*p != '\\' || end - p < 2) return false;  // a control character, or the text ends here
      escapes = true;
      p += 2;
    }
    const std::string_view name(begin, static_cast<size_t>(p - begin));
    ++p;
    while (p != end && is_blank(*p)) ++p;
    if (p == end || *p != ':') {  // a value
      if (std::exchange(saying, false)) said += name.size();
      continue;
    }
    if (escapes) return false;
    ++p;
    while (p != end && is_blank(*p)) ++p;
    if (depth < delta_depth) delta_depth = 0;
    switch (name.size()) {
      case 5:
        if ((name == "usage" || name == "error") && !is_null_next(p, end)) return false;
        if (depth == 1 && name == "usage") usage = std::string_view(begin - 1, static_cast<size_t>(p + 4 - (begin - 1)));
        if (name == "delta" && p != end && *p == '{') delta_depth = depth + 1;
        break;
      case 6:
        if (name == "x_groq") return false;
        break;
      case 7:
        if (name == "content" && depth == delta_depth && is_text_next(p, end)) visible = saying = true;
        break;
      case 9:
        if (name == "reasoning" && depth == delta_depth && is_text_next(p, end)) visible = saying = true;
        else if (name == "arguments" && delta_depth != 0 && is_text_next(p, end)) saying = true;
        break;
      case 10:
        if (name == "tool_calls" && depth == delta_depth && end - p >= 2 && p[0] == '[' && p[1] == '{') visible = true;
        break;
      case 13:
        if (name == "finish_reason" && !is_null_next(p, end)) return false;
        break;
      case 17:
        if (name == "reasoning_content" && depth == delta_depth && is_text_next(p, end)) visible = saying = true;
        break;
      default: break;
    }
  }
  return false;
}

ChunkChoice look_at_choice(JsonValue choice) {
  ChunkChoice out;
  for (const JsonMember& m : JsonMembers(choice)) {
    if (m.key == "index") out.index = m.value.integer();
    else if (m.key == "finish_reason") out.finish = m.value;
    else if (m.key == "error") out.error = m.value;
    else if (m.key == "text") out.said += m.value.string_bytes();  // legacy completions
    else if (m.key == "delta" || m.key == "message") {
      for (const JsonMember& d : JsonMembers(m.value)) {
        if (d.key == "role" || d.key == "index" || d.key == "name" || d.key == "tool_call_id" || d.key == "channel" || is_noise(d)) continue;
        out.visible = out.visible || says_something(d.value);
        out.said += said_in(d);
      }
    }
  }
  out.visible = out.visible || out.said != 0;
  return out;
}

}  // namespace llmrouter::dialects::openai
