#include "config/walk.h"

#include <algorithm>

#include "config/names.h"
#include "llmrouter/pattern.h"

namespace llmrouter::config {
namespace {

class Walker {
 public:
  explicit Walker(Context& context) : context_(context) {}

  void visit(const Branch& branch, const NodePtr& node, const std::string& path, Scope scope) {
    context_.seen.emplace(path, node);
    const Key& key = *branch.key;
    if (key.later) return only_default(key, node, path);
    switch (key.type) {
      case Type::kMap: return map(branch, node, path, std::move(scope));
      case Type::kNamed: return named(branch, node, path, scope);
      case Type::kList: return list(branch, node, path, scope);
      default: return leaf(key, node, path, scope);
    }
  }

 private:
  void leaf(const Key& key, const NodePtr& node, const std::string& path, Scope& scope) {
    Value value;
    const Got got = convert(context_, key, node, path, &value);
    if (got == Got::kValue || got == Got::kPart) key.set(scope, value);
    else if (got == Got::kUnset && key.required) context_.faults.add(*node, path, "expected " + expectation(key) + ", found nothing" + why_nothing(*node));
  }

  // A key that is not served yet takes what it would be without being there, and nothing else.
  void only_default(const Key& key, const NodePtr& node, const std::string& path) {
    const bool empty_collection =
        (node->kind == Node::Kind::kList && node->items.empty()) || (node->kind == Node::Kind::kMap && node->members.empty());
    if (node->is_null()) return;
    if (node->kind == Node::Kind::kScalar && is_leaf(key.type)) {
      std::string text;
      Key plain = key;
      plain.bounds.clear();
      if (scalar_text(context_, node, path, expectation(key), &text) == Got::kFault) return;
      if (text == key.fallback || same_value(plain, text)) return;
    } else if (empty_collection && key.fallback.empty()) {
      return;
    }
    context_.faults.add(*node, path,
                        "not supported yet; leave it out" + (key.fallback.empty() ? std::string() : ", or at its default " + key.fallback));
  }

  // 0s and 0ms are the same.
  bool same_value(const Key& key, const std::string& text) {
    Value given, usual;
    Context quiet{std::string(), [](const std::string&) { return std::nullopt; }};
    auto read = [&](const std::string& from, Value* out) {
      auto node = std::make_shared<Node>();
      node->kind = Node::Kind::kScalar;
      node->literal = true;
      node->text = from;
      return key.type != Type::kText && key.type != Type::kTexts && convert(quiet, key, node, "", out) == Got::kValue;
    };
    return read(text, &given) && read(key.fallback, &usual) && given.number == usual.number && given.flag == usual.flag;
  }

  static bool is_leaf(Type type) {
    return type != Type::kMap && type != Type::kNamed && type != Type::kList && type != Type::kHeaders && type != Type::kJsonMap && type != Type::kTemplate;
  }

  // A map, or the one member that a text or list stands for. Of a name or an item null is a map with nothing in it; elsewhere it is as if the
  // key were not there.
  void map(const Branch& branch, const NodePtr& node, const std::string& path, Scope scope) {
    const Key& key = *branch.key;
    const bool is_part = branch.name == "*" || branch.name == "[]";
    if (node->is_null() && !is_part) return;
    const bool is_short = !key.stands_for.empty() && (node->kind == Node::Kind::kScalar || node->kind == Node::Kind::kList);
    if (!is_short && node->kind != Node::Kind::kMap && !node->is_null()) return wrong_kind(key, node, path);
    if (key.set) key.set(scope, Value());
    if (is_short) {
      context_.short_forms.emplace(join(path, key.stands_for), path);
      return visit(*branch.member(key.stands_for), node, path, scope);
    }
    for (const Member& member : node->members) {
      if (!known(branch, member.name)) unknown(branch, member, path);
    }
    for (const auto& part : branch.members) visit_member(*part, *node, path, scope);
  }

  void wrong_kind(const Key& key, const NodePtr& node, const std::string& path) {
    // A text where a map belongs may be a secret that slipped in.
    const std::string found = node->kind == Node::Kind::kScalar ? "a text" : shown(*node);
    context_.faults.add(*node, path, "expected " + expectation(key) + ", found " + found);
  }

  void visit_member(const Branch& part, const Node& node, const std::string& path, const Scope& scope) {
    const Key& key = *part.key;
    const Member* member = node.find(part.name);
    const Member* file = key.type == Type::kSecret ? node.find(part.name + "_file") : nullptr;
    if (member && file && member->value->origin != file->value->origin) {
      // Two names of one value: the command line's or a variable's takes the place of the file's.
      (rank(*member->value) > rank(*file->value) ? file : member) = nullptr;
    }
    if (member && file) {
      context_.faults.add(*file, join(path, file->name), "stands beside `" + part.name + "`: one of the two");
    }
    if (file) secret_file(key, file->value, join(path, file->name), scope);
    if (member) visit(part, member->value, join(path, part.name), scope);
    if (!member && !file && key.required) {
      context_.faults.add(node, join(path, part.name), "missing; expected " + expectation(key));
    }
    const Member* given = member ? member : file;
    if (given && !key.needs.empty() && !node.find(key.needs)) {
      context_.faults.add(*given, join(path, given->name), "means nothing without `" + key.needs + "` beside it");
    }
  }

  static int rank(const Node& node) noexcept {
    return node.origin == Origin::kCommandLine ? 2 : node.origin == Origin::kEnvironment ? 1 : 0;
  }

  void secret_file(const Key& key, const NodePtr& node, const std::string& path, Scope scope) {
    context_.seen.emplace(path, node);
    if (key.later) return only_default(key, node, path);
    Value value;
    const Got got = convert_secret_file(context_, key, node, path, &value);
    if (got == Got::kValue) key.set(scope, value);
    else if (got == Got::kUnset && key.required) context_.faults.add(*node, path, "expected the path of a file, found nothing" + why_nothing(*node));
  }

  static bool known(const Branch& branch, const std::string& name) {
    return std::any_of(branch.members.begin(), branch.members.end(), [&](const auto& part) {
      return part->name == name || (part->key->type == Type::kSecret && part->name + "_file" == name);
    });
  }

  void unknown(const Branch& branch, const Member& member, const std::string& path) {
    std::vector<std::string> names;
    for (const auto& part : branch.members) {
      names.push_back(part->name);
      if (part->key->type == Type::kSecret) names.push_back(part->name + "_file");
    }
    std::string message = "unknown key; ";
    const std::vector<std::string> near = nearest_names(member.name, names, 1);
    if (!near.empty()) {
      message += "did you mean `" + near[0] + "`?";
    } else {
      message += "known here: ";
      for (size_t i = 0; i < names.size(); ++i) message += (i > 0 ? ", " : "") + names[i];
    }
    // A key that was typed where its name belongs must not show.
    const bool hides = path.find("api_key") != std::string::npos || branch.key->path == "keys[]";
    const std::string name = hides && near.empty() && member.name.size() > 12 ? "..." : member.name.substr(0, 100);
    context_.faults.add(member, join(path, name), std::move(message));
  }

  void named(const Branch& branch, const NodePtr& node, const std::string& path, Scope& scope) {
    if (node->is_null()) return;
    if (node->kind != Node::Kind::kMap) return wrong_kind(*branch.key, node, path);
    const bool providers = path == "providers";
    for (const Member& member : node->members) {
      const std::string at = join(path, member.name);
      const std::string fault = providers ? check_provider_name(member.name) : check_model_name(member.name);
      if (!fault.empty()) context_.faults.add(member, at, fault);
      scope.name = member.name;
      visit(*branch.each, member.value, at, scope);
    }
  }

  void list(const Branch& branch, const NodePtr& node, const std::string& path, const Scope& scope) {
    if (node->is_null() || (node->kind == Node::Kind::kList && node->items.empty())) {
      if (branch.key->required) context_.faults.add(*node, path, "expected at least one");
      return;
    }
    // One item may stand alone, without brackets, where an item has a short form; elsewhere a map is more likely one of names.
    if (node->kind != Node::Kind::kList && !branch.each->key->stands_for.empty()) return visit(*branch.each, node, path, scope);
    if (node->kind != Node::Kind::kList) return wrong_kind(*branch.key, node, path);
    for (size_t i = 0; i < node->items.size(); ++i) visit(*branch.each, node->items[i], join(path, i), scope);
  }

  Context& context_;
};

}  // namespace

void walk(Context& context, const NodePtr& root, Config& config) {
  Scope scope;
  scope.config = &config;
  Walker(context).visit(context.rows->root(), root, "", scope);
}

void walk_list(Context& context, const Branch& list, const NodePtr& root, Config& config) {
  Scope scope;
  scope.config = &config;
  Walker(context).visit(list, root, list.key->path, scope);
}

}  // namespace llmrouter::config
