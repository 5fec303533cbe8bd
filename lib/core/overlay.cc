// The router's changes at run time: from the store, and into it.
#include <algorithm>

#include "core/router_impl.h"
#include "core/wishes.h"
#include "llmrouter/values.h"

namespace llmrouter {
namespace {

constexpr std::string_view kRule = "rule", kOverride = "override", kSwitch = "switch";
constexpr size_t kHistory = 1000;
constexpr size_t kLongestWord = 1024;

// Sorts as the times do.
std::string switch_name(WallTime when) {
  const std::string digits = std::to_string(when.time_since_epoch().count());
  return std::string(digits.size() < 20 ? 20 - digits.size() : 0, '0') + digits;
}

bool has_rule(const std::vector<RuleConfig>& rules, std::string_view name) {
  return std::any_of(rules.begin(), rules.end(), [&](const RuleConfig& r) { return r.name == name; });
}

std::chrono::milliseconds until(WallTime when, WallTime now) {
  return std::chrono::ceil<std::chrono::milliseconds>(when - now);
}

WallTime after(WallTime when, Duration delay) { return when + std::chrono::duration_cast<std::chrono::microseconds>(delay); }

Error rule_of_the_file(std::string_view name) {
  return Error(ErrorCode::kConflict, "name: rule \"" + std::string(name) + "\" stands in the configuration file: change or remove it there, under routing.rules; a changed file is "
                                     "applied without a restart. A stored rule of another name and a higher priority is asked before it", "name");
}

Error session_alone() { return Error(ErrorCode::kConflict, "a session changes nothing for the others of its key: present the key itself"); }

}  // namespace

core::Stored core::read_stored(const StateStore& store, const std::function<void(const StateEntry& entry, const Error& why)>& broken) {
  Stored stored;
  stored.overrides = std::make_shared<Overrides>();
  for (const StateEntry& entry : store.all()) {
    if (entry.kind == kRule) {
      auto rule = rule_from_json(entry.value);
      if (rule) stored.rules.push_back(std::move(*rule));
      else broken(entry, rule.error());
    } else if (entry.kind == kSwitch) {
      auto change = switch_change_from_json(entry.value);
      if (change) stored.changes.push_back(std::move(*change));
      else broken(entry, change.error());
    } else if (entry.kind == kOverride) {
      stored.overrides->emplace(entry.name, entry.value);
    }
  }
  return stored;
}

void Router::Impl::load_overlay() {
  core::Stored stored = core::read_stored(*overlay.store, [this](const StateEntry& entry, const Error& why) {
    logger().log(LogLevel::kWarn, "a stored entry cannot be read and is left out", {{"kind", entry.kind}, {"name", entry.name}, {"why", why.message}});
  });
  overlay.rules = std::move(stored.rules);
  overlay.changes = std::move(stored.changes);
  if (!overlay.changes.empty()) overlay.gate.from(overlay.changes.back().effective, overlay.changes.back().enabled);
  const bool any = !stored.overrides->empty();
  overlay.overrides.store(std::move(stored.overrides));
  overlay.any_override.store(any, std::memory_order_relaxed);
}

void Router::Impl::watch_overlay() {
  overlay_watch->impl = this;
  overlay.store->watch([watch = overlay_watch] {
    std::lock_guard<std::mutex> alive(watch->mutex);
    if (watch->impl == nullptr) return;
    Impl& impl = *watch->impl;
    std::lock_guard<std::mutex> lock(impl.overlay.writers);
    impl.load_overlay();
    auto applied = impl.publish(impl.snapshot.load()->config, nullptr);
    if (!applied) impl.logger().log(LogLevel::kError, "what another process stored cannot be applied", {{"error", applied.error().message}});
  });
}

std::vector<RuleState> Router::rules() const {
  auto snap = impl_->snapshot.load();
  std::vector<RuleState> out;
  if (snap->rules) {
    for (const core::Rule& rule : snap->rules->rules()) {
      const auto there = core::check_rule_names(*snap, rule.config, true);
      out.push_back({rule.config, rule.stored, there ? std::string() : there.error().message, rule.hits->load(std::memory_order_relaxed)});
    }
  }
  std::lock_guard<std::mutex> lock(impl_->overlay.writers);
  for (const auto& [name, problem] : snap->idle_rules) {
    for (const RuleConfig& rule : impl_->overlay.rules) {
      if (rule.name == name) out.push_back({rule, true, problem, 0});
    }
  }
  return out;
}

Result<void> Router::put_rule(const RuleConfig& rule) {
  if (auto good = check_rule(rule); !good) return good;
  core::Overlay& overlay = impl_->overlay;
  std::lock_guard<std::mutex> lock(overlay.writers);
  auto snap = impl_->snapshot.load();
  if (has_rule(snap->config.routing.rules, rule.name)) {
    return rule_of_the_file(rule.name);
  }
  if (auto there = core::check_rule_names(*snap, rule, true); !there) return there;
  std::vector<RuleConfig> next = overlay.rules;
  auto at = std::find_if(next.begin(), next.end(), [&](const RuleConfig& r) { return r.name == rule.name; });
  const bool fresh = at == next.end();
  const size_t looking = static_cast<size_t>(std::count_if(overlay.rules.begin(), overlay.rules.end(), [&](const RuleConfig& r) {
    return !r.when.content.empty() && r.name != rule.name;
  })) + static_cast<size_t>(std::count_if(snap->config.routing.rules.begin(), snap->config.routing.rules.end(), [](const RuleConfig& r) {
    return !r.when.content.empty();
  }));
  if (fresh && overlay.rules.size() + snap->config.routing.rules.size() >= RuleLimits::kRules) {
    return Error(ErrorCode::kInvalidRequest, "there are " + std::to_string(RuleLimits::kRules) + " rules already");
  }
  if (!rule.when.content.empty() && looking >= RuleLimits::kExpressions) {
    return Error(ErrorCode::kInvalidRequest, "when.content: " + std::to_string(RuleLimits::kExpressions) + " rules look at content already", "when.content");
  }
  if (fresh) next.push_back(rule);
  else *at = rule;
  if (auto stored = overlay.store->put({std::string(kRule), rule.name, to_json(rule)}); !stored) return stored;
  overlay.rules = std::move(next);
  return impl_->publish(snap->config, nullptr);
}

Result<void> Router::remove_rule(std::string_view name) {
  core::Overlay& overlay = impl_->overlay;
  std::lock_guard<std::mutex> lock(overlay.writers);
  auto snap = impl_->snapshot.load();
  if (has_rule(snap->config.routing.rules, name)) {
    return rule_of_the_file(name);
  }
  auto removed = overlay.store->remove(kRule, name);
  if (!removed) return std::move(removed).error();
  if (!*removed) return Error(ErrorCode::kNotFound, "there is no rule \"" + std::string(name.substr(0, 200)) + "\"");
  auto& rules = overlay.rules;
  rules.erase(std::remove_if(rules.begin(), rules.end(), [&](const RuleConfig& r) { return r.name == name; }), rules.end());
  return impl_->publish(snap->config, nullptr);
}

Result<SwitchState> Router::toggle(std::optional<bool> enabled, std::string who, std::string why) {
  if (who.size() > kLongestWord) return Error(ErrorCode::kInvalidRequest, "who: longer than 1024 bytes", "who");
  if (why.size() > kLongestWord) return Error(ErrorCode::kInvalidRequest, "reason: longer than 1024 bytes", "reason");
  // Other words would come back from the store otherwise than they were said.
  if (!is_utf8(who) || !is_utf8(why)) return Error(ErrorCode::kInvalidRequest, "who, reason: expected UTF-8", "reason");
  core::Overlay& overlay = impl_->overlay;
  {
    std::lock_guard<std::mutex> lock(overlay.writers);
    const SwitchConfig config = impl_->snapshot.load()->config.routing.toggle;
    const WallTime now = impl_->clock().wall();
    const SwitchChange* last = overlay.changes.empty() ? nullptr : &overlay.changes.back();
    const bool to_be = last != nullptr ? last->enabled : config.enabled;
    const bool wanted = enabled.value_or(!to_be);
    if (wanted != to_be) {
      if (last != nullptr && now < after(last->effective, config.cooldown)) {
        overlay.refused.fetch_add(1, std::memory_order_relaxed);
        Error error(ErrorCode::kRateLimited, "the routing switch was turned lately and rests; try again later");
        error.retry_after = until(after(last->effective, config.cooldown), now);
        return error;
      }
      SwitchChange change{now, after(now, config.delay), wanted, std::move(who), std::move(why)};
      overlay.changes.reserve(overlay.changes.size() + 1);  // what is stored must not fail to be remembered
      if (auto stored = overlay.store->put({std::string(kSwitch), switch_name(now), to_json(change)}); !stored) return std::move(stored).error();
      if (overlay.changes.size() >= kHistory) {
        if (auto removed = overlay.store->remove(kSwitch, switch_name(overlay.changes.front().time)); !removed) return std::move(removed).error();
        overlay.changes.erase(overlay.changes.begin());
      }
      overlay.gate.from(change.effective, change.enabled);
      overlay.changes.push_back(std::move(change));
      const SwitchChange& c = overlay.changes.back();
      impl_->logger().log(LogLevel::kWarn, "the routing switch was turned", {{"to", c.enabled ? "on" : "off"}, {"who", c.who}, {"why", c.why}});
    }
  }
  return switch_state();
}

SwitchState Router::switch_state() const {
  core::Overlay& overlay = impl_->overlay;
  SwitchState state;
  std::lock_guard<std::mutex> lock(overlay.writers);
  state.enabled = overlay.gate.enabled(impl_->clock().wall());
  if (!overlay.changes.empty()) {
    state.last = overlay.changes.back();
    state.next = after(state.last->effective, impl_->snapshot.load()->config.routing.toggle.cooldown);
  }
  state.requests_on = overlay.requests_on.load(std::memory_order_relaxed);
  state.requests_off = overlay.requests_off.load(std::memory_order_relaxed);
  state.refused = overlay.refused.load(std::memory_order_relaxed);
  return state;
}

std::vector<SwitchChange> Router::switch_history() const {
  std::lock_guard<std::mutex> lock(impl_->overlay.writers);
  return {impl_->overlay.changes.rbegin(), impl_->overlay.changes.rend()};
}

Result<void> Router::Impl::may_use(const core::Snapshot& snap, const KeyRecord& key, std::string_view model) const {
  if (model.empty() || model.size() > kLongestWord || !is_utf8(model)) {
    return Error(ErrorCode::kInvalidRequest, "model: expected a model's name: 1 to " + std::to_string(kLongestWord) + " bytes of UTF-8", "model");
  }
  auto resolved = core::resolve(snap, model, {}, &key);
  if (!resolved) return std::move(resolved).error();
  if (core::may_use(&key, *resolved, model)) return {};
  return Error(ErrorCode::kModelNotAllowed, "this key may not use model \"" + std::string(model) + "\"", "model");
}

Result<CreatedSession> Router::start_session(const KeyRecord& key, const SessionWish& wish) {
  if (!impl_->parts.keys) return Error(ErrorCode::kNotSupported, "this router keeps no keys");
  if (auto may = impl_->may_use(*impl_->snapshot.load(), key, wish.model); !may) return std::move(may).error();
  return impl_->parts.keys->create_session(key, wish);
}

Result<void> Router::set_override(const KeyRecord& key, std::string_view model) {
  if (key.session) return session_alone();
  core::Overlay& overlay = impl_->overlay;
  std::lock_guard<std::mutex> lock(overlay.writers);
  if (auto may = impl_->may_use(*impl_->snapshot.load(), key, model); !may) return may;
  auto next = std::make_shared<core::Overrides>(*overlay.overrides.load());
  (*next)[key.id] = model;
  if (auto stored = overlay.store->put({std::string(kOverride), key.id, std::string(model)}); !stored) return stored;
  overlay.overrides.store(std::move(next));
  overlay.any_override.store(true, std::memory_order_relaxed);
  return {};
}

Result<bool> Router::clear_override(const KeyRecord& key) {
  if (key.session) return session_alone();
  core::Overlay& overlay = impl_->overlay;
  std::lock_guard<std::mutex> lock(overlay.writers);
  auto removed = overlay.store->remove(kOverride, key.id);
  if (!removed) return removed;
  auto next = std::make_shared<core::Overrides>(*overlay.overrides.load());
  next->erase(key.id);
  overlay.any_override.store(!next->empty(), std::memory_order_relaxed);
  overlay.overrides.store(std::move(next));
  return removed;
}

std::string Router::override_of(const KeyRecord& key) const {
  const auto overrides = impl_->overlay.overrides.load();
  const auto found = overrides->find(key.id);
  return found == overrides->end() ? std::string() : found->second;
}

}  // namespace llmrouter
