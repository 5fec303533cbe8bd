#include "dialects/origins.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "dialects/fields.h"

namespace llmrouter::dialects {
namespace {

// Takes `name` and, behind it, "[7]" off the front of `path`; nullopt leaves it as it is.
std::optional<size_t> take_index(std::string_view& path, std::string_view name) {
  if (path.substr(0, name.size()) != name || path.substr(name.size(), 1) != "[") return std::nullopt;
  const char* const begin = path.data() + name.size() + 1;
  const char* const end = path.data() + path.size();
  size_t index = 0;
  const auto [at, wrong] = std::from_chars(begin, end, index);
  if (wrong != std::errc() || at == end || *at != ']') return std::nullopt;
  path.remove_prefix(static_cast<size_t>(at - path.data()) + 1);
  return index;
}

bool is_thought(const Part& part) noexcept { return part.kind == Part::Kind::kReasoning; }

}  // namespace

void Origin::content(wire::JsonValue value, const std::string& at) {
  if (value.is_string()) return parts.push_back(at);
  size_t i = 0;
  for (wire::JsonElements entries(value); entries.next(); ++i) parts.push_back(path(at, i));
}

void Origin::note_calls(wire::JsonValue list) {
  size_t i = 0;
  for (wire::JsonElements entries(list); entries.next(); ++i) calls.push_back(path(self + ".tool_calls", i));
}

Origin& Origins::add(std::string self) {
  messages.emplace_back().self = std::move(self);
  return messages.back();
}

std::string Origins::field(std::string_view neutral, const ChatRequest& decoded, std::initializer_list<FieldName> names) const {
  for (const FieldName& name : names) {
    if (name.first == neutral) return std::string(name.second);
  }
  std::string_view rest = neutral;
  if (const auto index = take_index(rest, "tools")) return *index < tools.size() ? tools[*index] + std::string(rest) : std::string(neutral);
  const auto index = take_index(rest, "messages");
  if (!index || *index >= messages.size() || messages.size() != decoded.messages.size()) return std::string(neutral);
  const Origin& origin = messages[*index];
  const std::vector<Part>& read = decoded.messages[*index].parts;
  if (const auto part = take_index(rest, ".content")) {
    const auto said = static_cast<size_t>(std::count_if(read.begin(), read.end(), [](const Part& p) { return !is_thought(p); }));
    if (*part >= read.size() || is_thought(read[*part]) || said != origin.parts.size()) return origin.self;
    const auto before = std::count_if(read.begin(), read.begin() + static_cast<std::ptrdiff_t>(*part), [](const Part& p) { return !is_thought(p); });
    return origin.parts[static_cast<size_t>(before)] + std::string(rest);
  }
  if (const auto call = take_index(rest, ".tool_calls")) return *call < origin.calls.size() ? origin.calls[*call] + std::string(rest) : origin.self;
  return same_members ? origin.self + std::string(rest) : origin.self;
}

}  // namespace llmrouter::dialects
