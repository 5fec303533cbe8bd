#include "dialects/distinct.h"

#include <algorithm>
#include <array>
#include <functional>
#include <set>
#include <vector>

#include "dialects/text_match.h"

namespace llmrouter::dialects {
namespace {

using wire::JsonValue;

// Up to so many names are compared as they come; more are sorted.
constexpr size_t kCompareAtOnce = 32;

// The next character of a name as camel case writes it.
char next_char(std::string_view name, size_t& at, Spelling spelling) noexcept {
  if (spelling == Spelling::kCamelOrSnake && at + 1 < name.size() && name[at] == '_' && name[at + 1] >= 'a' && name[at + 1] <= 'z') {
    at += 2;
    return static_cast<char>(name[at - 1] - 'a' + 'A');
  }
  return name[at++];
}

std::string in_one_spelling(std::string_view name, Spelling spelling) {
  std::string out;
  for (size_t at = 0; at < name.size();) out += next_char(name, at, spelling);
  return out;
}

NameFault twice(std::string_view name) {
  constexpr size_t kMost = 100;  // what a person wants to read
  if (name.size() <= kMost) return {std::string(name), false};
  size_t cut = kMost;
  while (cut > 0 && (static_cast<unsigned char>(name[cut]) & 0xc0) == 0x80) --cut;
  return {std::string(name.substr(0, cut)) + "...", false};
}

// The names of one object, as they come.
class Names {
 public:
  // `text`: what is walked. Names that are not part of it, having escapes, do not stay where they are.
  Names(std::string_view text, Spelling spelling) : text_(text), spelling_(spelling) {}

  std::optional<NameFault> add(std::string_view name) {
    const bool stays = std::less_equal<>()(text_.data(), name.data()) && std::less<>()(name.data(), text_.data() + text_.size());
    if (!stays || count_ == names_.size()) return add_other(name);
    for (size_t i = 0; i < count_; ++i) {
      if (is_same_name({names_[i].data, names_[i].size}, name, spelling_)) return twice(name);
    }
    if (!others_.empty() && others_.count(in_one_spelling(name, spelling_)) != 0) return twice(name);
    names_[count_++] = {name.data(), name.size()};
    return std::nullopt;
  }

 private:
  std::optional<NameFault> add_other(std::string_view name) {
    if (others_.empty()) {
      for (size_t i = 0; i < count_; ++i) others_.insert(in_one_spelling({names_[i].data, names_[i].size}, spelling_));
    }
    if (others_.size() == wire::ScanLimits().max_members) return NameFault{{}, true};
    if (!others_.insert(in_one_spelling(name, spelling_)).second) return twice(name);
    return std::nullopt;
  }

  struct Name {
    const char* data;
    size_t size;
  };
  const std::string_view text_;
  const Spelling spelling_;
  std::array<Name, kCompareAtOnce> names_;
  size_t count_ = 0;
  std::set<std::string> others_;  // all of them, when there are more or some have escapes
};

}  // namespace

bool is_same_name(std::string_view a, std::string_view b, Spelling spelling) noexcept {
  if (spelling == Spelling::kExact) return a == b;
  size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (next_char(a, i, spelling) != next_char(b, j, spelling)) return false;
  }
  return i == a.size() && j == b.size();
}

std::optional<NameFault> pick_distinct(wire::JsonCursor& at, std::string_view text, std::initializer_list<wire::Pick> wanted, Spelling spelling) {
  for (const wire::Pick& w : wanted) *w.value = {};
  Names names(text, spelling);
  while (at.next_member()) {
    const std::string_view name = at.key();
    if (auto fault = names.add(name)) return fault;
    for (const wire::Pick& w : wanted) {
      if (!is_same_name(w.name, name, spelling)) continue;
      *w.value = at.take();
      break;
    }
  }
  return std::nullopt;
}

std::optional<NameFault> pick_distinct(JsonValue object, std::initializer_list<wire::Pick> wanted, Spelling spelling) {
  wire::JsonCursor at(object.is_object() ? object : JsonValue());
  return pick_distinct(at, object.raw(), wanted, spelling);
}

Result<void> check_case(const std::vector<MemberSpan>& members) {
  constexpr std::string_view kRead[] = {
      "model", "models", "route", "messages", "input", "inputs", "prompt", "instructions", "system", "suffix", "texts", "images", "query", "documents",
      "stream", "stream_options", "n", "best_of", "max_tokens", "max_completion_tokens", "max_output_tokens", "temperature", "top_p", "top_k", "seed", "stop",
      "stop_sequences", "tools", "functions", "tool_choice", "function_call", "mcp_servers", "web_search_options", "parallel_tool_calls", "response_format", "text",
      "output_config", "output_format", "modalities", "audio", "thinking", "reasoning", "reasoning_effort", "thinking_budget", "enable_thinking", "user",
      "safety_identifier", "metadata", "previous_response_id", "conversation", "background", "include", "store", "service_tier", "logprobs", "top_logprobs",
      "logit_bias", "presence_penalty", "frequency_penalty", "verbosity"};
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  for (const MemberSpan& m : members) {
    if (std::none_of(m.name.begin(), m.name.end(), is_upper)) continue;
    const auto same = [&m](std::string_view known) { return equals_ci(m.name, known); };
    if (std::any_of(std::begin(kRead), std::end(kRead), same)) return Error(ErrorCode::kInvalidRequest, "`" + m.name + "`: names are in lower case here", m.name);
  }
  return {};
}

Error not_distinct(std::string where, const NameFault& fault) {
  if (fault.too_many) return wrong_value(std::move(where), "an object with at most " + std::to_string(wire::ScanLimits().max_members) + " members");
  std::string param = std::move(where);
  if (!param.empty()) param += '.';
  param += fault.name;
  return Error(ErrorCode::kInvalidRequest, "`" + param + "` comes twice", param);
}

namespace {

class InsideWalk {
 public:
  InsideWalk(JsonValue value, Spelling spelling) : text_(value.raw()), spelling_(spelling), at_(value) {}

  // What the cursor stands in. False: a name comes twice; `path` is where from here.
  bool object(int levels, std::string& path) {
    Names names(text_, spelling_);
    while (at_.next_member()) {
      if (auto fault = names.add(at_.key())) {
        fault_ = std::move(*fault);
        return false;
      }
      if (levels <= 1 || (*at_.here() != '{' && *at_.here() != '[')) continue;
      const std::string key(at_.key());
      std::string inner;
      if (value(levels - 1, inner)) continue;
      path = "." + key + inner;
      return false;
    }
    return true;
  }
  bool array(int levels, std::string& path) {
    for (size_t i = 0; at_.next_element(); ++i) {
      std::string inner;
      if (value(levels, inner)) continue;
      path = dialects::path({}, i) + inner;
      return false;
    }
    return true;
  }
  const NameFault& fault() const noexcept { return fault_; }

 private:
  bool value(int levels, std::string& path) {
    if (at_.enter_object()) return object(levels, path);
    return !at_.enter_array() || array(levels, path);
  }

  const std::string_view text_;
  const Spelling spelling_;
  wire::JsonCursor at_;
  NameFault fault_;
};

}  // namespace

std::optional<NameFault> fault_inside(JsonValue value, int levels, std::string& path, Spelling spelling) {
  InsideWalk walk(value, spelling);
  if (value.is_object() ? walk.object(levels, path) : walk.array(levels, path)) return std::nullopt;
  return walk.fault();
}

}  // namespace llmrouter::dialects
