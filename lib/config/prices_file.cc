#include "config/prices_file.h"

#include "config/walk.h"

namespace llmrouter::config {
namespace {

// The part up to a separator, which is taken off as well.
std::string_view take_until(std::string_view& rest, char separator) {
  const size_t end = rest.find(separator);
  std::string_view part = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return part;
}

std::shared_ptr<Node> make(Node::Kind kind, int line, int column) {
  auto node = std::make_shared<Node>();
  node->kind = kind;
  node->place = {line, column};
  return node;
}

// One line by the names of the first; fields beyond them are faults.
NodePtr line_entry(std::string_view text, int line, const std::vector<std::string>& names, Faults& faults) {
  auto entry = make(Node::Kind::kMap, line, 1);
  int column = 1;
  for (size_t i = 0; !text.empty(); ++i) {
    std::string_view field = take_until(text, '\t');
    const Place place{line, column};
    column += static_cast<int>(field.size()) + 1;
    if (field.empty()) continue;
    if (i >= names.size()) {
      faults.add(place, "", "a field too many: the first line names " + std::to_string(names.size()));
      break;
    }
    auto value = make(Node::Kind::kScalar, line, place.column);
    value->literal = true;
    value->text = std::string(field);
    entry->members.push_back({names[i], place, std::move(value)});
  }
  return entry;
}

NodePtr parse_tsv(std::string_view text, Faults& faults) {
  auto list = make(Node::Kind::kList, 1, 1);
  std::vector<std::string> names;
  for (int line = 1; !text.empty(); ++line) {
    std::string_view rest = take_until(text, '\n');
    if (!rest.empty() && rest.back() == '\r') rest.remove_suffix(1);
    if (rest.empty() || rest[0] == '#') continue;
    if (!names.empty()) {
      list->items.push_back(line_entry(rest, line, names, faults));
      continue;
    }
    while (!rest.empty()) {
      names.emplace_back(take_until(rest, '\t'));
      for (size_t k = 0; k + 1 < names.size(); ++k) {
        if (names[k] == names.back()) faults.add(Place{line, 1}, "", "the first line names `" + names[k] + "` twice");
      }
    }
    if (!table()->root().member("prices")->member("entries")->each->member(names[0])) {
      faults.add(Place{line, 1}, "", "expected a first line of names (model, input, output, ...), separated by tabs");
      return nullptr;
    }
  }
  return list;
}

bool is_tsv(const std::string& path) { return path.size() > 4 && path.compare(path.size() - 4, 4, ".tsv") == 0; }

}  // namespace

void read_prices(Context& context, const std::string& path, Config& config) {
  const std::string where = beside(context.file, path);
  context.files.push_back(where);
  std::string error;
  auto text = read_file(where, TreeLimits::kBytes, &error);
  if (!text) {
    auto at = context.seen.find("prices.file");
    return context.faults.add(*at->second, "prices.file", "cannot be read: " + error);
  }
  Context inner(where, [&context](const std::string& name) { return context.environment.get(name); });
  NodePtr root = is_tsv(path) ? parse_tsv(*text, inner.faults) : parse_yaml(*text, Node::Kind::kList, inner.faults);
  if (root) walk_list(inner, *context.rows->root().member("prices")->member("entries"), root, config);
  for (ConfigFault& fault : inner.faults.take()) {
    context.faults.add_in(std::move(fault.file), {fault.line, fault.column}, std::move(fault.path), std::move(fault.message));
  }
}

}  // namespace llmrouter::config
