#include "stream_member.h"

#include <string_view>

namespace llmrouter::c {

namespace {

constexpr std::string_view kBlanks = " \t\r\n";

// After the opening brace of an object that has members; npos: no such object.
size_t first_member(const std::string& body) {
  const size_t open = body.find_first_not_of(kBlanks);
  if (open == std::string::npos || body[open] != '{') return std::string::npos;
  const size_t next = body.find_first_not_of(kBlanks, open + 1);
  return next != std::string::npos && body[next] == '"' ? open + 1 : std::string::npos;
}

// Takes a member away together with the comma that parts it from a neighbour.
void remove_member(std::string& body, const MemberSpan& member) {
  size_t begin = member.key_begin;
  size_t end = body.find_first_not_of(kBlanks, member.value_end);
  if (end != std::string::npos && body[end] == ',') {
    ++end;
  } else {
    const size_t before = body.find_last_not_of(kBlanks, begin - 1);
    if (before != std::string::npos && body[before] == ',') begin = before;
  }
  body.erase(begin, end - begin);
}

}  // namespace

void set_stream(std::string& body, bool wanted, const Dialect& openai) {
  // Most bodies say nothing of it, and are not read an extra time.
  if (body.find("\"stream") == std::string::npos && body.find('\\') == std::string::npos) {
    const size_t at = wanted ? first_member(body) : std::string::npos;
    if (at != std::string::npos) body.insert(at, "\"stream\":true,");
    return;
  }
  const auto codec = openai.new_client_codec();
  const auto facts = codec->scan(body);
  if (!facts) return;
  const MemberSpan* stream = nullptr;
  const MemberSpan* options = nullptr;
  for (const MemberSpan& member : facts->members) {
    if (member.name == "stream") stream = &member;
    if (member.name == "stream_options") options = &member;
  }
  // From the back, so that what stands in front keeps its place.
  const bool drop = options != nullptr && !wanted;
  if (drop && (stream == nullptr || options->key_begin > stream->key_begin)) remove_member(body, *options);
  if (stream != nullptr) body.replace(stream->value_begin, stream->value_end - stream->value_begin, wanted ? "true" : "false");
  if (drop && stream != nullptr && options->key_begin < stream->key_begin) remove_member(body, *options);
  if (stream == nullptr && wanted) body.insert(first_member(body), "\"stream\":true,");
}

}  // namespace llmrouter::c
