#include "config/tree.h"

#include <algorithm>
#include <limits>
#include <tuple>

namespace llmrouter::config {
namespace {

bool plain_name(std::string_view name) {
  return !name.empty() && name.find_first_of(".[]\"\\ \t\r\n") == std::string_view::npos;
}

std::string source_name(const Node& node, const std::string& file) {
  switch (node.origin) {
    case Origin::kFile: break;
    case Origin::kCommandLine: return kSettings;
    case Origin::kEnvironment: return node.source;
  }
  return file;
}

size_t add_sizes(size_t a, size_t b) { return b > std::numeric_limits<size_t>::max() - a ? std::numeric_limits<size_t>::max() : a + b; }

// Size and depth from the parts.
void measure(Node& node) {
  node.size = 1;
  node.depth = 1;
  auto count = [&node](const Node& part) {
    node.size = add_sizes(node.size, part.size);
    node.depth = std::max(node.depth, part.depth + 1);
  };
  for (const Member& member : node.members) count(*member.value);
  for (const NodePtr& item : node.items) count(*item);
}

bool read_quoted(std::string_view path, size_t* at, std::string* name) {
  for (++*at; *at < path.size(); ++*at) {
    if (path[*at] == '"') {
      ++*at;
      return true;
    }
    if (path[*at] == '\\' && ++*at == path.size()) return false;
    *name += path[*at];
  }
  return false;
}

bool read_index(std::string_view path, size_t* at, size_t* index) {
  constexpr size_t kMost = 1000000;
  const size_t first = ++*at;
  size_t value = 0;
  while (*at < path.size() && path[*at] >= '0' && path[*at] <= '9' && value < kMost) value = value * 10 + static_cast<size_t>(path[(*at)++] - '0');
  if (*at == first || *at == path.size() || path[*at] != ']') return false;
  ++*at;
  *index = value;
  return true;
}

NodePtr replace(const NodePtr& node, const std::vector<Step>& steps, size_t at, const NodePtr& value, std::string* error);

// A copy to change; where there is nothing yet, a collection that comes from where the value comes from.
std::shared_ptr<Node> copy_of(const NodePtr& node, Node::Kind kind, const Node& value) {
  if (node && !node->is_null()) return std::make_shared<Node>(*node);
  auto fresh = std::make_shared<Node>();
  fresh->kind = kind;
  fresh->origin = value.origin;
  fresh->source = value.source;
  return fresh;
}

NodePtr replace_item(const NodePtr& node, const std::vector<Step>& steps, size_t at, const NodePtr& value, std::string* error) {
  const size_t index = steps[at].index;
  if (node && node->kind != Node::Kind::kList && !node->is_null()) {
    *error = "[" + std::to_string(index) + "] needs a list here";
    return nullptr;
  }
  auto copy = copy_of(node, Node::Kind::kList, *value);
  if (index > copy->items.size()) {
    *error = "[" + std::to_string(index) + "] is behind the end of a list of " + std::to_string(copy->items.size());
    return nullptr;
  }
  NodePtr part = replace(index < copy->items.size() ? copy->items[index] : nullptr, steps, at + 1, value, error);
  if (!part) return nullptr;
  if (index == copy->items.size()) copy->items.push_back(std::move(part));
  else copy->items[index] = std::move(part);
  measure(*copy);
  return copy;
}

NodePtr replace_member(const NodePtr& node, const std::vector<Step>& steps, size_t at, const NodePtr& value, std::string* error) {
  const std::string& name = steps[at].name;
  if (node && node->kind != Node::Kind::kMap && !node->is_null()) {
    *error = "`" + name + "` needs a map here";
    return nullptr;
  }
  auto copy = copy_of(node, Node::Kind::kMap, *value);
  const Member* old = copy->find(name);
  NodePtr part = replace(old ? old->value : nullptr, steps, at + 1, value, error);
  if (!part) return nullptr;
  if (old) copy->members[static_cast<size_t>(old - copy->members.data())].value = std::move(part);
  else copy->members.push_back({name, Place(), std::move(part)});
  measure(*copy);
  return copy;
}

NodePtr replace(const NodePtr& node, const std::vector<Step>& steps, size_t at, const NodePtr& value, std::string* error) {
  if (at == steps.size()) return value;
  return steps[at].is_index ? replace_item(node, steps, at, value, error) : replace_member(node, steps, at, value, error);
}

}  // namespace

const Member* Node::find(std::string_view name) const noexcept {
  for (const Member& member : members) {
    if (member.name == name) return &member;
  }
  return nullptr;
}

void Faults::add(const Node& at, std::string path, std::string message) {
  add_in(source_name(at, file_), at.place, std::move(path), std::move(message));
}

void Faults::add(const Member& at, std::string path, std::string message) {
  add_in(source_name(*at.value, file_), at.place, std::move(path), std::move(message));
}

void Faults::add(Place place, std::string path, std::string message) { add_in(file_, place, std::move(path), std::move(message)); }

void Faults::add_in(std::string file, Place place, std::string path, std::string message) {
  if (faults_.size() == kMost) {
    overflow_ = true;
    return;
  }
  faults_.push_back({std::move(file), place.line, place.column, std::move(path), std::move(message)});
}

bool Faults::any_under(std::string_view path) const noexcept {
  return std::any_of(faults_.begin(), faults_.end(), [path](const ConfigFault& f) { return f.path.compare(0, path.size(), path) == 0; });
}

std::vector<ConfigFault> Faults::take() {
  // The main file first, then others by name; what has no place comes last.
  auto rank = [this](const ConfigFault& f) { return std::make_tuple(f.line == 0, f.file != file_, std::string_view(f.file), f.line, f.column); };
  std::stable_sort(faults_.begin(), faults_.end(), [&](const ConfigFault& a, const ConfigFault& b) { return rank(a) < rank(b); });
  if (overflow_) faults_.push_back({file_, 0, 0, "", "there are more than " + std::to_string(kMost) + " faults; the rest is not listed"});
  overflow_ = false;
  return std::move(faults_);
}

std::string join(std::string_view path, std::string_view name) {
  std::string out(path);
  if (!out.empty()) out += '.';
  if (plain_name(name)) return out.append(name);
  out += '"';
  for (char c : name) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out += '"';
}

std::string join(std::string_view path, size_t index) {
  return std::string(path).append(1, '[').append(std::to_string(index)).append(1, ']');
}

bool parse_path(std::string_view path, std::vector<Step>* steps) {
  constexpr size_t kMostSteps = 16;
  size_t at = 0;
  while (at < path.size()) {
    if (steps->size() == kMostSteps) return false;
    Step step;
    if (path[at] == '[' && !steps->empty()) {
      step.is_index = true;
      if (!read_index(path, &at, &step.index)) return false;
    } else {
      if (!steps->empty() && (path[at] != '.' || ++at == path.size())) return false;
      if (path[at] == '"') {
        if (!read_quoted(path, &at, &step.name)) return false;
      } else {
        const size_t end = std::min(path.find_first_of(".[", at), path.size());
        step.name = std::string(path.substr(at, end - at));
        if (step.name.empty()) return false;
        at = end;
      }
    }
    steps->push_back(std::move(step));
  }
  return !steps->empty();
}

NodePtr with_value(const NodePtr& root, const std::vector<Step>& steps, NodePtr value, std::string* error) {
  return replace(root, steps, 0, value, error);
}

}  // namespace llmrouter::config
