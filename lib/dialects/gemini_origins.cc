// Where in a client's body the neutral request came from: what gemini_read.cc does, without the values.
#include "dialects/fields.h"
#include "dialects/gemini.h"
#include "dialects/origins.h"

namespace llmrouter::dialects::gemini {
namespace {

using wire::find_member;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;

// A list's entries with their paths; a single thing stands for a list of one.
template <typename Each>
void for_each_at(JsonValue list, const std::string& at, Each&& each) {
  size_t i = 0;
  for_each_entry(list, [&](JsonValue entry) { each(entry, list.is_object() ? at : path(at, i++)); });
}

bool is_thought(JsonValue part) {
  if (!find_member(part, "thought").boolean().value_or(false)) return false;
  if (find_field(part, "inlineData").exists() || find_field(part, "fileData").exists()) return false;
  return !find_member(part, "text").is_unset() || find_field(part, "thoughtSignature").exists();
}

class Notes {
 public:
  explicit Notes(std::string prefix) : prefix_(std::move(prefix)) {}

  Origins run(JsonValue request) {
    JsonValue contents;
    std::string at;
    for (const JsonMember& m : JsonMembers(request)) {
      const std::string here = prefix_ + std::string(m.key);
      if (is_field(m.key, "systemInstruction")) note_system(m.value, here);
      else if (is_field(m.key, "tools")) for_each_at(m.value, here, [&](JsonValue tool, const std::string& where) { note_tool(tool, where); });
      else if (is_field(m.key, "contents")) contents = m.value, at = here;
    }
    for_each_at(contents, at, [&](JsonValue content, const std::string& here) { note_content(content, here); });
    return std::move(out_);
  }

 private:
  void note_system(JsonValue value, const std::string& at) {
    Origin origin;
    origin.self = at;
    bool any = value.is_string();
    if (any) origin.parts.push_back(at);
    for_each_at(find_member(value, "parts"), at + ".parts", [&](JsonValue part, const std::string& here) {
      any = true;
      note_part(part, here, origin);
    });
    if (any) out_.messages.push_back(std::move(origin));
  }

  void note_tool(JsonValue tool, const std::string& at) {
    for (const JsonMember& m : JsonMembers(tool)) {
      if (m.value.is_null()) continue;
      const std::string here = at + "." + std::string(m.key);
      if (!is_field(m.key, "functionDeclarations")) out_.tools.push_back(here);
      else for_each_at(m.value, here, [&](JsonValue, const std::string& where) { out_.tools.push_back(where); });
    }
  }

  static void note_part(JsonValue part, const std::string& at, Origin& origin) {
    if (!is_thought(part)) origin.parts.push_back(at);
  }

  void note_content(JsonValue content, const std::string& at) {
    const JsonValue parts = find_member(content, "parts");
    if (find_member(content, "role").equals("model")) return note_answer(parts, at);
    Origin rest;
    rest.self = at;
    bool any = false;
    for_each_at(parts, at + ".parts", [&](JsonValue part, const std::string& here) {
      const JsonValue response = find_field(part, "functionResponse");
      if (response.is_object()) return note_result(response, here);
      any = true;
      note_part(part, here, rest);
    });
    if (any) out_.messages.push_back(std::move(rest));
  }

  void note_answer(JsonValue parts, const std::string& at) {
    if (out_.messages.empty() || !out_.messages.back().assistant) out_.add(at).assistant = true;
    Origin& origin = out_.messages.back();
    for_each_at(parts, at + ".parts", [&](JsonValue part, const std::string& here) {
      if (find_field(part, "functionCall").is_object()) origin.calls.push_back(here);
      else note_part(part, here, origin);
    });
  }

  void note_result(JsonValue response, const std::string& at) {
    Origin& origin = out_.add(at);
    if (find_member(response, "response").exists()) origin.parts.push_back(at + ".functionResponse.response");
    for_each_at(find_member(response, "parts"), at + ".functionResponse.parts", [&](JsonValue part, const std::string& here) { note_part(part, here, origin); });
  }

  const std::string prefix_;
  Origins out_;
};

}  // namespace

Origins origins_of(std::string_view body, const Target& target) {
  const JsonValue root(body);
  const JsonValue inner = target.count ? find_field(root, "generateContentRequest") : JsonValue();
  return inner.is_object() ? Notes("generateContentRequest.").run(inner) : Notes("").run(root);
}

}  // namespace llmrouter::dialects::gemini
