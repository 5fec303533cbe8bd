#include "config/table.h"

#include <mutex>

namespace llmrouter::config {
namespace {

// The next part of a row's path: "a", "*" or "[]".
std::string_view next_name(std::string_view& path) {
  if (path.substr(0, 2) == "[]") {
    path.remove_prefix(2);
    if (!path.empty() && path[0] == '.') path.remove_prefix(1);
    return "[]";
  }
  const size_t end = path.find_first_of(".[");
  std::string_view name = path.substr(0, end);
  path = end == std::string_view::npos ? std::string_view() : path.substr(end + (path[end] == '.' ? 1 : 0));
  return name;
}

Branch& child(Branch& branch, std::string_view name) {
  if (name == "*" || name == "[]") {
    if (!branch.each) {
      branch.each = std::make_unique<Branch>();
      branch.each->name = std::string(name);
    }
    return *branch.each;
  }
  for (auto& member : branch.members) {
    if (member->name == name) return *member;
  }
  branch.members.push_back(std::make_unique<Branch>());
  branch.members.back()->name = std::string(name);
  return *branch.members.back();
}

}  // namespace

const Branch* Branch::member(std::string_view member_name) const noexcept {
  for (const auto& m : members) {
    if (m->name == member_name) return m.get();
  }
  return nullptr;
}

Table::Table() : root_key_("", Type::kMap, "", "") {
  add_server_keys(keys_);
  add_provider_keys(keys_);
  add_model_keys(keys_);
  add_routing_keys(keys_);
  add_rule_keys(keys_);
  add_key_keys(keys_);
  add_price_and_observe_keys(keys_);
  root_.key = &root_key_;
  for (const Key& key : keys_) {
    Branch* branch = &root_;
    for (std::string_view rest = key.path; !rest.empty();) branch = &child(*branch, next_name(rest));
    branch->key = &key;
  }
}

std::shared_ptr<const Table> table() {
  static std::mutex mutex;
  static std::weak_ptr<const Table> last;
  std::lock_guard lock(mutex);
  auto rows = last.lock();
  if (!rows) last = rows = std::make_shared<const Table>();
  return rows;
}

std::vector<std::string> words(std::string_view bounds) {
  std::vector<std::string> out;
  while (!bounds.empty()) {
    const size_t end = bounds.find('|');
    out.emplace_back(bounds.substr(0, end));
    bounds = end == std::string_view::npos ? std::string_view() : bounds.substr(end + 1);
  }
  return out;
}

}  // namespace llmrouter::config
