// The decision that comes before all others: what is asked for in place of what the program asked for.
#include "core/overlay.h"

namespace llmrouter::core {
namespace {

void apply(const Rule& rule, const Directed& request) {
  const RuleConfig::Use& use = rule.config.use;
  if (!use.model.empty()) {
    request.model = use.model;
    request.forced.clear();
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
    request.model = snapshot.default_model;
    request.wishes = RouteRequest();
    request.forced.clear();
    direction.by = "switch";
    return {};
  }
  if (key != nullptr && key->session) {
    request.model = key->session->model;
    request.forced.clear();
    direction.by = "session";
  } else if (key != nullptr && overlay.any_override.load(std::memory_order_relaxed)) {
    const auto overrides = overlay.overrides.load();
    const auto found = overrides->find(key->id);
    if (found != overrides->end()) {
      request.model = found->second;
      request.forced.clear();
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
