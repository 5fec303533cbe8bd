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
  Notes(std::string prefix, const ChatRequest& decoded) : prefix_(std::move(prefix)), decoded_(decoded) {}

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
      if (!is_field(m.key, "functionDeclarations")) note_tool_as({}, "{" + std::string(m.raw) + "}", here);
      else for_each_at(m.value, here, [&](JsonValue declaration, const std::string& where) { note_tool_as(find_member(declaration, "name"), {}, where); });
    }
  }

  // Those that may not be called were left out.
  void note_tool_as(JsonValue name, const std::string& raw, const std::string& at) {
    if (out_.tools.size() == decoded_.tools.size()) return;
    const Tool& next = decoded_.tools[out_.tools.size()];
    if (next.raw.empty() ? name.equals(next.name) : raw == next.raw) out_.tools.push_back(at);
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
  const ChatRequest& decoded_;
  Origins out_;
};

}  // namespace

Origins origins_of(std::string_view body, const Target& target, const ChatRequest& decoded) {
  const JsonValue root(body);
  const JsonValue inner = target.count ? find_field(root, "generateContentRequest") : JsonValue();
  return inner.is_object() ? Notes("generateContentRequest.", decoded).run(inner) : Notes("", decoded).run(root);
}

std::string client_field(const Origins& origins, std::string_view neutral, const ChatRequest& decoded) {
  return origins.field(neutral, decoded,
                       {{"messages", "contents"}, {"n", "generationConfig.candidateCount"}, {"response_format", "generationConfig.responseSchema"},
                        {"modalities", "generationConfig.responseModalities"}, {"tool_choice", "toolConfig.functionCallingConfig"},
                        {"max_tokens", "generationConfig.maxOutputTokens"}, {"temperature", "generationConfig.temperature"},
                        {"reasoning_budget", "generationConfig.thinkingConfig.thinkingBudget"}});
}

}  // namespace llmrouter::dialects::gemini
