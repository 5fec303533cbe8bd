// Names, as Google spells them, and what a model's name says.
#include "dialects/gemini.h"
#include "dialects/text_match.h"

namespace llmrouter::dialects::gemini {

using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;

bool is_field(std::string_view key, std::string_view camel) noexcept {
  size_t k = 0;
  for (char c : camel) {
    if (k < key.size() && key[k] == '_' && c >= 'A' && c <= 'Z') {
      if (++k == key.size() || key[k] != lower(c)) return false;
    } else if (k == key.size() || key[k] != c) {
      return false;
    }
    ++k;
  }
  return k == key.size();
}

JsonValue find_field(JsonValue object, std::string_view camel) {
  for (const JsonMember& m : JsonMembers(object)) {
    if (is_field(m.key, camel)) return m.value;
  }
  return {};
}

void append_compact(std::string& out, std::string_view json) {
  bool in_string = false, escaped = false;
  for (char c : json) {
    if (in_string) {
      if (escaped) escaped = false;
      else if (c == '\\') escaped = true;
      else if (c == '"') in_string = false;
    } else if (is_blank(c)) {
      continue;
    } else {
      in_string = c == '"';
    }
    out += c;
  }
}

std::string compact(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  append_compact(out, json);
  return out;
}

std::string_view bare_model(std::string_view model) noexcept {
  constexpr std::string_view kPrefix = "models/";
  return model.substr(0, kPrefix.size()) == kPrefix ? model.substr(kPrefix.size()) : model;
}

ModelTraits traits_of(std::string_view model) {
  constexpr std::string_view kFamily = "gemini-";
  ModelTraits traits;
  const size_t at = find_ci(model, kFamily);
  traits.gemini = at != std::string_view::npos;
  if (traits.gemini) {
    size_t i = at + kFamily.size();
    const auto number = [&] {
      int value = 0;
      for (; i < model.size() && is_digit(model[i]) && value < 1000; ++i) value = value * 10 + (model[i] - '0');
      return value;
    };
    traits.major = number();
    if (i < model.size() && model[i] == '.') {
      ++i;
      traits.minor = number();
    }
    traits.pro = find_ci(model, "pro", at) != std::string_view::npos;
  }
  const bool open_model = find_ci(model, "gemma") != std::string_view::npos || find_ci(model, "learnlm") != std::string_view::npos;
  const bool old = open_model || traits.older_than(2, 5);
  traits.takes_json_schema = !old;
  traits.thinks = !old;
  traits.has_levels = traits.gemini && !traits.older_than(3, 0);
  traits.wants_signatures = traits.has_levels;
  return traits;
}

}  // namespace llmrouter::dialects::gemini
