#include "dialects/gemini_args.h"

#include "dialects/gemini.h"
#include "dialects/text_match.h"

namespace llmrouter::dialects::gemini {

using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;

namespace {

constexpr size_t kNowhere = static_cast<size_t>(-1);

}  // namespace

size_t PartialArgs::add_node(size_t parent, std::string_view key) {
  if (nodes_.size() >= kMaxValues) return kNowhere;
  const size_t at = nodes_.size();
  nodes_.emplace_back().key = key;
  bytes_ += key.size();
  nodes_[parent].children.push_back(at);
  return at;
}

size_t PartialArgs::member(size_t node, std::string_view key) {
  if (nodes_[node].kind == Node::Kind::kUnset) nodes_[node].kind = Node::Kind::kObject;
  if (nodes_[node].kind != Node::Kind::kObject) return kNowhere;
  // The one that came last is the one that goes on.
  const std::vector<size_t>& children = nodes_[node].children;
  for (size_t i = children.size(); i-- > 0;) {
    if (nodes_[children[i]].key == key) return children[i];
  }
  return add_node(node, key);
}

size_t PartialArgs::element(size_t node, size_t index) {
  if (nodes_[node].kind == Node::Kind::kUnset) nodes_[node].kind = Node::Kind::kArray;
  if (nodes_[node].kind != Node::Kind::kArray || index > nodes_[node].children.size()) return kNowhere;
  return index < nodes_[node].children.size() ? nodes_[node].children[index] : add_node(node, {});
}

// "$.a.b[0]['c d']"
size_t PartialArgs::walk(std::string_view path) {
  if (nodes_.empty()) nodes_.emplace_back().kind = Node::Kind::kObject;
  if (path.empty() || path.front() != '$') return kNowhere;
  path.remove_prefix(1);
  size_t at = 0;
  for (size_t depth = 0; !path.empty() && at != kNowhere; ++depth) {
    if (depth >= kMaxDepth) return kNowhere;
    if (path.front() == '.') {
      path.remove_prefix(1);
      const std::string_view key = path.substr(0, path.find_first_of(".["));
      path.remove_prefix(key.size());
      at = member(at, key);
    } else if (path.substr(0, 2) == "['" || path.substr(0, 2) == "[\"") {
      const char quote = path[1];
      const size_t end = path.find(std::string{quote, ']'}, 2);
      if (end == std::string_view::npos) return kNowhere;
      at = member(at, path.substr(2, end - 2));
      path.remove_prefix(end + 2);
    } else if (path.front() == '[') {
      size_t index = 0, i = 1;
      for (; i < path.size() && is_digit(path[i]) && index < kMaxValues; ++i) index = index * 10 + static_cast<size_t>(path[i] - '0');
      if (i == 1 || i == path.size() || path[i] != ']') return kNowhere;
      at = element(at, index);
      path.remove_prefix(i + 1);
    } else {
      return kNowhere;
    }
  }
  return at;
}

bool PartialArgs::add(JsonValue entry) {
  std::string path;
  JsonValue text, value;
  for (const JsonMember& m : JsonMembers(entry)) {
    if (is_field(m.key, "jsonPath")) m.value.string(path);
    else if (is_field(m.key, "stringValue")) text = m.value;
    else if (is_field(m.key, "numberValue") || is_field(m.key, "boolValue")) value = m.value;
    else if (is_field(m.key, "nullValue")) value = JsonValue("null");
  }
  const size_t at = walk(path);
  if (at == kNowhere || at == 0) return false;
  Node& node = nodes_[at];
  if (text.is_string()) {
    if (node.kind != Node::Kind::kUnset && node.kind != Node::Kind::kString) return false;
    node.kind = Node::Kind::kString;
    const size_t before = node.text.size();
    text.append_string(node.text);
    bytes_ += node.text.size() - before;
  } else if (value.exists()) {
    if (node.kind != Node::Kind::kUnset && node.kind != Node::Kind::kValue) return false;
    node.kind = Node::Kind::kValue;
    node.text = value.raw();
    bytes_ += node.text.size();
  }
  return bytes_ <= kMaxBytes;
}

void PartialArgs::write(size_t at, std::string& out) const {
  const Node& node = nodes_[at];
  switch (node.kind) {
    case Node::Kind::kUnset: out += "null"; return;
    case Node::Kind::kValue: out += node.text; return;
    case Node::Kind::kString: wire::append_json_string(out, node.text); return;
    case Node::Kind::kObject:
    case Node::Kind::kArray: break;
  }
  const bool object = node.kind == Node::Kind::kObject;
  out += object ? '{' : '[';
  bool first = true;
  for (size_t child : node.children) {
    if (!first) out += ',';
    first = false;
    if (object) {
      wire::append_json_string(out, nodes_[child].key);
      out += ':';
    }
    write(child, out);
  }
  out += object ? '}' : ']';
}

std::string PartialArgs::json() const {
  std::string out;
  if (nodes_.empty()) return "{}";
  write(0, out);
  return out;
}

}  // namespace llmrouter::dialects::gemini
