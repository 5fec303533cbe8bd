// A plain model of what a splice does, to compare with.
#ifndef LLMROUTER_TESTS_UNIT_WIRE_SPLICE_SUPPORT_H_
#define LLMROUTER_TESTS_UNIT_WIRE_SPLICE_SUPPORT_H_

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/json_scan.h"
#include "wire/json_writer.h"
#include "wire/splice.h"

namespace splice_test {

using namespace llmrouter::wire;
using Kind = llmrouter::BodyEdit::Kind;

// A plain model of an object: names and values in order. An object among the values is a model of its own text.
using Model = std::vector<std::pair<std::string, std::string>>;

inline Model model_of(std::string_view object) {
  Model m;
  for (const JsonMember& member : JsonMembers(JsonValue(object))) m.emplace_back(member.key, member.value.raw());
  return m;
}

inline std::string text_of(const Model& m) {
  std::string out;
  JsonWriter w(out);
  w.begin_object();
  for (const auto& [name, value] : m) w.raw_member(name, value);
  w.end_object();
  return out;
}

// Where a name comes twice, the first one changes and the others go.
inline void edit_model(Model& m, Kind kind, const std::string& name, const std::string& json) {
  const auto is_it = [&](const auto& member) { return member.first == name; };
  const auto it = std::find_if(m.begin(), m.end(), is_it);
  if (kind == Kind::kRemove) {
    m.erase(std::remove_if(m.begin(), m.end(), is_it), m.end());
  } else if (it == m.end()) {
    m.emplace_back(name, json);
  } else if (kind == Kind::kSet || it->second == "null") {
    it->second = json;
    m.erase(std::remove_if(it + 1, m.end(), is_it), m.end());
  }
}

inline void edit_model(Model& m, const SpliceEdit& e) {
  const std::string name(e.name), child(e.child), json(e.json);
  if (child.empty()) return edit_model(m, e.kind, name, json);
  const auto it = std::find_if(m.begin(), m.end(), [&](const auto& member) { return member.first == name; });
  const bool is_object = it != m.end() && it->second[0] == '{';
  const bool is_set = it != m.end() && it->second != "null";
  if (!is_object) {
    if (e.kind == Kind::kSet || (e.kind == Kind::kDefault && !is_set)) edit_model(m, Kind::kSet, name, text_of({{child, json}}));
    return;
  }
  Model inner = model_of(it->second);
  edit_model(inner, e.kind, child, json);
  it->second = text_of(inner);
}

// Blanks taken out and members sorted, so that two texts of the same members are equal: a member that was removed and set again keeps its place
// in the text and goes to the end of the model.
inline Model normal(std::string_view object) {
  Model m = model_of(object);
  for (auto& [name, value] : m) {
    if (value[0] == '{') value = text_of(normal(value));
  }
  std::sort(m.begin(), m.end());
  return m;
}

inline bool same_members(std::string_view a, std::string_view b) { return normal(a) == normal(b); }

}  // namespace splice_test

#endif  // LLMROUTER_TESTS_UNIT_WIRE_SPLICE_SUPPORT_H_
