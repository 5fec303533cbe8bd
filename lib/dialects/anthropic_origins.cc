// Where in a client's body the neutral request came from: what anthropic_read.cc does, without the values.
#include "dialects/anthropic.h"
#include "dialects/fields.h"
#include "dialects/origins.h"

namespace llmrouter::dialects::anthropic {
namespace {

using wire::find_member;
using wire::JsonElements;
using wire::JsonValue;

void note_assistant(JsonValue content, const std::string& at, Origin& origin) {
  if (content.is_string()) return origin.parts.push_back(at);
  size_t i = 0;
  for (JsonValue block : JsonElements(content)) {
    const JsonValue type = find_member(block, "type");
    std::string here = path(at, i++);
    if (type.equals("tool_use")) origin.calls.push_back(std::move(here));
    else if (!type.equals("thinking") && !type.equals("redacted_thinking")) origin.parts.push_back(std::move(here));
  }
}

// Results are messages of their own, before what else the user says.
void note_user(JsonValue content, const std::string& self, const std::string& at, Origins& out) {
  Origin rest;
  rest.self = self;
  size_t i = 0;
  if (content.is_string()) rest.parts.push_back(at);
  for (JsonValue block : JsonElements(content)) {
    std::string here = path(at, i++);
    if (find_member(block, "type").equals("tool_result")) out.add(here).content(find_member(block, "content"), here + ".content");
    else rest.parts.push_back(std::move(here));
  }
  if (!rest.parts.empty()) out.messages.push_back(std::move(rest));
}

}  // namespace

Origins origins_of(std::string_view body) {
  Origins out;
  const JsonValue root(body);
  Origin system;
  system.self = "system";
  system.content(find_member(root, "system"), "system");
  if (!system.parts.empty()) out.messages.push_back(std::move(system));
  size_t i = 0;
  for (JsonValue message : JsonElements(find_member(root, "messages"))) {
    const std::string self = path("messages", i++), at = self + ".content";
    const JsonValue role = find_member(message, "role"), content = find_member(message, "content");
    if (role.equals("assistant")) note_assistant(content, at, out.add(self));
    else if (role.equals("system")) out.add(self).content(content, at);
    else note_user(content, self, at, out);
  }
  return out;
}

std::string client_field(const Origins& origins, std::string_view neutral, const ChatRequest& decoded) {
  return origins.field(neutral, decoded, {{"response_format", "output_config.format"}, {"stop", "stop_sequences"}, {"reasoning_budget", "thinking.budget_tokens"}});
}

}  // namespace llmrouter::dialects::anthropic
