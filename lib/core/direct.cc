// The decision that comes before all others: what is asked for in place of what the program asked for.
#include "core/overlay.h"

namespace llmrouter::core {
namespace {

// What the program asked of the model that it named is not asked of another.
void send_to(const std::string& model, const Directed& request) {
  request.model = model;
  request.wishes = RouteRequest();
  request.forced.clear();
}

void apply(const Rule& rule, const Directed& request) {
  const RuleConfig::Use& use = rule.config.use;
  if (!use.model.empty()) {
    send_to(use.model, request);
  } else if (!use.tags.empty() || !use.provider_types.empty()) {
    request.model = "auto";  // chosen by what a target is, of every model
  }
  if (!use.tags.empty()) request.wishes.tags = use.tags;
  if (!use.provider_types.empty()) request.wishes.provider_types = use.provider_types;
  if (!use.strategy.empty()) request.wishes.strategy = use.strategy;
}

}  // namespace

Result<void> direct(const Overlay& overlay, const Snapshot& snapshot, const KeyRecord* key, const std::vector<HttpHeader>& headers, WallTime wall,
                    RuleContent& content, const Directed& request, Direction& direction) {
  if (!overlay.gate.enabled(wall) && !snapshot.default_model.empty()) {
    send_to(snapshot.default_model, request);
    direction.by = "switch";
    return {};
  }
  if (key != nullptr && key->session) {
    send_to(key->session->model, request);
    direction.by = "session";
  } else if (key != nullptr && overlay.any_override.load(std::memory_order_relaxed)) {
    const auto overrides = overlay.overrides.load();
    const auto found = overrides->find(key->id);
    if (found != overrides->end()) {
      send_to(found->second, request);
      direction.by = "override";
    }
  }
  if (!snapshot.rules) return {};
  // Rules come after an override and a session: what a key's owner chose does not get around what the administrator rules.
  auto found = snapshot.rules->find({request.model, &request.facts, &request.wishes, key, &headers, wall, &snapshot}, content);
  if (!found) return std::move(found).error();
  direction.rule = *found;
  if (direction.rule == nullptr) return {};
  const RuleConfig& rule = direction.rule->config;
  direction.by = "rule";
  if (!rule.use.reject.empty()) return Error(ErrorCode::kModelNotAllowed, rule.use.reject + " (rule \"" + rule.name + "\")", "model");
  apply(*direction.rule, request);
  return {};
}

}  // namespace llmrouter::core
