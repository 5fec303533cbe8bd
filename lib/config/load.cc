// load_config(): command line over environment over file over defaults, checked in one pass.
#include <algorithm>
#include <exception>

#include "config/advise.h"
#include "config/check.h"
#include "config/prices_file.h"
#include "config/providers.h"
#include "config/walk.h"

namespace llmrouter {
namespace config {
namespace {

std::shared_ptr<Node> scalar(std::string text, Origin origin, std::string source) {
  auto node = std::make_shared<Node>();
  node->kind = text.empty() ? Node::Kind::kNull : Node::Kind::kScalar;
  node->origin = origin;
  node->source = std::move(source);
  node->text = std::move(text);
  return node;
}

NodePtr read_root(Context& context, const ConfigInput& input) {
  if (input.text) return parse_yaml(*input.text, Node::Kind::kMap, context.faults);
  if (input.file.empty()) return parse_yaml("", Node::Kind::kMap, context.faults);
  std::string error;
  auto text = read_file(input.file, TreeLimits::kBytes, &error);
  if (text) return parse_yaml(*text, Node::Kind::kMap, context.faults);
  context.faults.add(Place(), "", "cannot be read: " + error);
  return nullptr;
}

// A variable's text as the value of a key; a list is separated by commas.
NodePtr variable_value(const Key& key, const std::string& text) {
  auto literal = [&key](std::string part) {
    auto node = scalar(std::move(part), Origin::kEnvironment, key.variable);
    node->literal = true;
    return node;
  };
  if (key.type != Type::kTexts) return literal(text);
  auto list = literal("");
  list->kind = Node::Kind::kList;
  for (size_t from = 0; from <= text.size();) {
    const size_t comma = std::min(text.find(',', from), text.size());
    const size_t first = text.find_first_not_of(' ', from);
    std::string part = first < comma ? text.substr(first, comma - first) : std::string();
    part.erase(part.find_last_not_of(' ') + 1);
    list->items.push_back(literal(std::move(part)));
    from = comma + 1;
  }
  return list;
}

NodePtr with_variables(const Context& context, NodePtr root) {
  for (const Key& key : context.rows->keys()) {
    if (key.variable.empty()) continue;
    auto text = context.environment.get_filled(key.variable);
    std::vector<Step> steps;
    std::string error;
    if (!text || !parse_path(key.path, &steps)) continue;
    // Where the file has something else than a map on the way, that is the fault to tell.
    if (NodePtr changed = with_value(root, steps, variable_value(key, *text), &error)) root = changed;
  }
  return root;
}

// What the table says about a path; null: nothing, or inside a value that is JSON (`*json`).
const Key* key_at(const Table& rows, const std::vector<Step>& steps, bool* json) {
  const Branch* branch = &rows.root();
  for (const Step& step : steps) {
    const Branch* next = step.is_index ? (branch->key->type == Type::kList ? branch->each.get() : nullptr)
                         : branch->key->type == Type::kNamed ? branch->each.get() : branch->member(step.name);
    if (!next) {
      *json = branch->key->type == Type::kJsonMap || branch->key->type == Type::kTemplate;
      return nullptr;
    }
    branch = next;
  }
  return branch->key;
}

// A value of the command line: YAML where the key is a collection, else the text as it is, so that `[::1]:8000` and a key with a `#` in it
// need no quotes.
NodePtr setting_value(const Table& rows, const std::vector<Step>& steps, const std::string& text, std::string* error) {
  bool as_yaml = false;
  if (const Key* key = key_at(rows, steps, &as_yaml)) {
    const bool flow_list = text.size() >= 2 && text.front() == '[' && text.back() == ']';
    switch (key->type) {
      case Type::kMap: case Type::kNamed: case Type::kList: case Type::kHeaders: case Type::kJsonMap: case Type::kTemplate: as_yaml = true; break;
      case Type::kTexts: case Type::kRange: as_yaml = flow_list; break;
      case Type::kRate: as_yaml = !text.empty() && text.front() == '{'; break;
      default: break;
    }
  }
  return as_yaml ? parse_value(text, error) : scalar(text, Origin::kCommandLine, {});
}

NodePtr with_settings(Context& context, NodePtr root, const ConfigInput& input) {
  for (const auto& [path, text] : input.set) {
    std::vector<Step> steps;
    std::string error;
    NodePtr value, changed;
    if (!parse_path(path, &steps)) {
      error = "expected PATH=VALUE, such as routing.attempts=2 (a name with a dot in it in quotes: models.\"gpt-4.1\".strategy)";
    } else if ((value = setting_value(*context.rows, steps, text, &error))) {
      changed = with_value(root, steps, std::move(value), &error);
    }
    if (changed) root = std::move(changed);
    else context.faults.add_in(kSettings, Place(), path, error);
  }
  return root;
}

// LLMROUTER_DATA_DIR is the databases' folder, whatever the file says: a variable comes before the file, and only the command line before it. They keep
// their names; what is no file stays what it is.
void move_data(const Context& context, StorageConfig& storage, std::vector<std::string>& notes) {
  auto folder = context.environment.get_filled("LLMROUTER_DATA_DIR");
  if (!folder) return;
  while (!folder->empty() && folder->back() == '/') folder->pop_back();
  const auto move = [&](const char* path, std::string& place) {
    constexpr std::string_view kSqlite = "sqlite:";
    const auto found = context.seen.find(path);
    const bool written = found != context.seen.end() && !found->second->is_null();
    if (place.compare(0, kSqlite.size(), kSqlite) != 0 || (written && found->second->origin == Origin::kCommandLine)) return;
    const size_t slash = place.rfind('/');
    const std::string moved = std::string(kSqlite) + *folder + "/" + place.substr(slash == std::string::npos ? kSqlite.size() : slash + 1);
    if (written && moved != place) notes.push_back(std::string(path) + ": in the folder of LLMROUTER_DATA_DIR, not at " + place);
    place = moved;
  };
  move("storage.keys", storage.keys);
  move("storage.usage", storage.usage);
}

void read_price_file(Context& context, Config& config) {
  auto found = context.seen.find("prices.file");
  std::string path;
  if (found == context.seen.end() || found->second->kind != Node::Kind::kScalar || context.faults.any_under("prices.file")) return;
  if (scalar_text(context, found->second, "prices.file", "a text", &path) == Got::kValue && !path.empty()) read_prices(context, path, config);
}

void load(Context& context, const ConfigInput& input, ConfigResult& result) {
  result.config.source = input.file;
  if (!input.file.empty() && !input.text) context.files.insert(context.files.end(), {input.file, beside(input.file, ".env")});
  NodePtr root = read_root(context, input);
  if (!root) return;
  root = with_settings(context, with_variables(context, std::move(root)), input);
  Config& config = result.config;
  walk(context, root, config);
  move_data(context, config.storage, result.notes);
  const Member* providers = root->find("providers");
  if (!providers || providers->value->is_null()) providers_from_environment(context, config, result.notes);
  else complete_providers(context, config, result.notes);
  append_demo(config);
  read_price_file(context, config);
  cross_check(context, config, input.filters);
  if (context.faults.empty()) advise(context, config);
}

}  // namespace
}  // namespace config

ConfigResult load_config(const ConfigInput& input) {
  std::string problem;
  try {
    ConfigResult result;
    config::Context context(input.file, input.env);
    config::load(context, input, result);
    result.faults = context.faults.take();
    result.files = std::move(context.files);
    result.warnings = context.warnings.take();
    for (ConfigFault& warning : result.warnings) warning.warning = true;
    return result;
  } catch (const std::exception& e) {
    problem = e.what();
  } catch (...) {
    problem = "an exception of an unknown kind";
  }
  ConfigResult result;
  result.faults.push_back({input.file, 0, 0, "", "cannot be read: " + problem});
  return result;
}

}  // namespace llmrouter
