#include "dialects/foreign_tools.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "dialects/fields.h"
#include "dialects/text_file.h"
#include "llmrouter/dropped.h"

namespace llmrouter::dialects {
namespace {

using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;

// As their dialects call them, without the date that may stand behind. Google's stand here in both spellings that it takes.
constexpr std::string_view kMeant[] = {
    "function", "custom",  // of a shape that nobody here knows
    "builtin_function",    // Moonshot's, which looks like a function
    "web_search_preview", "file_search", "computer", "computer_use", "computer_use_preview", "code_interpreter", "mcp", "local_shell", "shell", "apply_patch",
    "web_fetch", "code_execution", "bash", "text_editor", "memory", "mcp_toolset",
    "googleSearch", "google_search", "googleSearchRetrieval", "google_search_retrieval", "codeExecution", "urlContext", "url_context", "computerUse",
    "fileSearch", "googleMaps", "google_maps", "enterpriseWebSearch", "enterprise_web_search", "retrieval", "mcpServers", "mcp_servers",
};

bool is_digits(std::string_view text) noexcept {
  return !text.empty() && text.find_first_not_of("0123456789_") == std::string_view::npos;
}

// "bash_20250124" and "web_search_2025_08_26" without their dates.
std::string_view without_date(std::string_view kind) noexcept {
  for (size_t at = kind.find('_'); at != std::string_view::npos; at = kind.find('_', at + 1)) {
    if (is_digits(kind.substr(at + 1))) return kind.substr(0, at);
  }
  return kind;
}

// Google's are called by their member.
std::string kind_of(std::string_view raw) {
  const JsonValue tool(raw);
  std::string kind = wire::find_member(tool, "type").string_or();
  if (JsonMembers members(tool); kind.empty() && members.next()) kind = members->key;
  if (kind.empty()) kind = "unknown";
  constexpr size_t kMost = 64;
  kind.resize(std::min(kind.size(), kMost));
  for (char& c : kind) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == ':';
    if (!word) c = '_';
  }
  return kind;
}

// A search that says its date was asked for by a caller; the one of today, without, is what agents have with them.
bool is_meant(std::string_view kind) noexcept {
  const std::string_view base = without_date(kind);
  if (base == "web_search") return base != kind;
  return std::find(std::begin(kMeant), std::end(kMeant), base) != std::end(kMeant);
}

bool says_something(JsonValue value) { return !value.is_unset() && !value.empty_container() && value.raw() != "false"; }

// What a member asks for; empty: nothing that would make another answer.
std::string_view meaning_of(const JsonMember& m) {
  if (m.key == "functions") return says_something(m.value) ? "tools in the older words" : "";
  if (m.key == "function_call") return says_something(m.value) && !m.value.equals("none") ? "tools in the older words" : "";
  if (m.key == "mcp_servers") return says_something(m.value) ? "servers of tools" : "";
  if (m.key == "web_search_options") return m.value.is_object() ? "a search of the web" : "";
  if (m.key == "cachedContent" || m.key == "cached_content") return says_something(m.value) ? "what another vendor keeps" : "";
  return "";
}

bool is_other(const Part& part) noexcept { return part.kind == Part::Kind::kOther; }

// What it is marked with stays, to be named where it is not taken.
Part told_as_text(const Part& file, std::string words) {
  Part out = Part::of_text(std::move(words));
  out.cache = file.cache;
  out.extras = file.extras;
  return out;
}

// Is the tool that has to be called one that is no function? A name that no tool has is the caller's own fault, and told by the target.
bool chooses_hosted(const ChatRequest& request) {
  const ToolChoice& choice = request.tool_choice;
  if (choice.kind != ToolChoice::Kind::kNamed) return false;
  bool hosted = false;
  for (const Tool& tool : request.tools) {
    if (tool.raw.empty() && tool.name == choice.name) return false;
    hosted = hosted || (!tool.raw.empty() && wire::find_member(JsonValue(tool.raw), "name").equals(choice.name));
  }
  return hosted;
}

}  // namespace

ForeignParts::ForeignParts(const ChatRequest& request, bool foreign, std::vector<std::string>& dropped, bool no_files) : request_(request) {
  const auto is_asked_for = [no_files](const Part& part) { return is_other(part) || (no_files && part.kind == Part::Kind::kFile); };
  const auto has_others = [&](const Message& m) { return std::any_of(m.parts.begin(), m.parts.end(), is_asked_for); };
  if (!foreign || std::none_of(request.messages.begin(), request.messages.end(), has_others)) return;
  copy_ = std::make_unique<ChatRequest>(request);
  for (Message& message : copy_->messages) {
    for (Part& part : message.parts) {
      if (no_files) {
        if (std::optional<std::string> words = words_of_file(part)) part = told_as_text(part, std::move(*words));
      }
      if (!is_other(part)) continue;
      if (!part.text.empty()) part = Part::of_text(std::move(part.text));
      else if (message.role == Role::kAssistant) add_dropped(dropped, "messages." + kind_of(part.raw));
    }
    if (message.role == Role::kAssistant) message.parts.erase(std::remove_if(message.parts.begin(), message.parts.end(), is_other), message.parts.end());
  }
}

bool keep_allowed(AllowedTools allowed, std::vector<Tool>& tools) {
  std::sort(allowed.names.begin(), allowed.names.end());
  std::sort(allowed.hosted.begin(), allowed.hosted.end());
  const auto has = [](const std::vector<std::string>& list, const std::string& name) { return std::binary_search(list.begin(), list.end(), name); };
  const auto left_out = [&](const Tool& t) {
    return t.raw.empty() ? !has(allowed.names, t.name) : !has(allowed.hosted, wire::find_member(JsonValue(t.raw), "type").string_or());
  };
  if (std::all_of(tools.begin(), tools.end(), left_out)) return false;
  tools.erase(std::remove_if(tools.begin(), tools.end(), left_out), tools.end());
  return true;
}

Result<void> check_foreign_tools(const ChatRequest& request, std::string_view target, std::vector<std::string>& dropped, std::string_view spoken, bool grammars) {
  const bool functions = std::any_of(request.tools.begin(), request.tools.end(), [](const Tool& tool) { return tool.raw.empty(); });
  if (chooses_hosted(request)) return cannot_express("tool_choice", "a choice of a tool that is no function", target);
  const bool wanted = request.tool_choice.kind != ToolChoice::Kind::kNone;  // else no tool is called here either
  for (size_t i = 0; i < request.tools.size(); ++i) {
    const Tool& tool = request.tools[i];
    if (tool.raw.empty()) {
      if (wanted && !grammars && !tool.format.empty()) add_dropped(dropped, "tools.format");
      continue;
    }
    const std::string kind = kind_of(tool.raw);
    if (!functions || (wanted && is_meant(kind))) return cannot_express(path("tools", i), "a tool of the type " + kind, target);
    add_dropped(dropped, "tools." + kind);
  }
  Error error;
  for_each_member(request.extras, [&](const JsonMember& m) {
    const std::string_view meaning = m.key == spoken ? std::string_view() : meaning_of(m);
    if (!meaning.empty() && error.code == ErrorCode::kNone) error = cannot_express(std::string(m.key), meaning, target);
  });
  if (error.code != ErrorCode::kNone) return error;
  return {};
}

}  // namespace llmrouter::dialects
