#include "core/resolve.h"

#include <algorithm>

#include "llmrouter/pattern.h"

namespace llmrouter::core {
namespace {

std::vector<std::string> known_names(const Snapshot& snapshot) {
  std::vector<std::string> names;
  for (const auto& route : snapshot.routes) names.push_back(route->name);
  for (const auto& provider : snapshot.providers) {
    auto list = provider->shared->models.load();
    if (!list) continue;
    for (const std::string& id : *list) {
      names.push_back(provider->config.name + '/' + id);
      names.push_back(id);
    }
  }
  return names;
}

bool offers(const ProviderRuntime& provider, std::string_view name) {
  auto list = provider.shared->models.load();
  return list && std::find(list->begin(), list->end(), name) != list->end();
}

Error not_found(const Snapshot& snapshot, std::string_view name) {
  constexpr size_t kShown = 200;  // of a stranger's text
  std::string words = "model \"" + std::string(name.substr(0, kShown)) + "\" not found";
  std::vector<std::string> near;
  for (const auto& provider : snapshot.providers) {
    if (offers(*provider, name)) near.push_back(provider->config.name + '/' + std::string(name));
  }
  if (near.size() > 1) {
    words = "model \"" + std::string(name.substr(0, kShown)) + "\" is offered by several providers; say which";
  } else {
    near = nearest_names(name, known_names(snapshot));
  }
  for (size_t i = 0; i < near.size(); ++i) words += (i == 0 ? "; the nearest names are: " : ", ") + near[i];
  if (near.empty()) words += "; GET /v1/models lists what there is";
  return Error(ErrorCode::kModelNotFound, std::move(words), "model");
}

// The one provider that offers `name`; null when none or several do.
const ProviderRuntime* sole_offerer(const Snapshot& snapshot, std::string_view name) {
  const ProviderRuntime* found = nullptr;
  for (const auto& provider : snapshot.providers) {
    if (!offers(*provider, name)) continue;
    if (found != nullptr) return nullptr;
    found = provider.get();
  }
  return found;
}

// Has the route a target at the provider that was asked for, if one was?
bool reaches(const Route& route, std::string_view forced) {
  return forced.empty() || std::any_of(route.targets.begin(), route.targets.end(), [&](const RouteTarget& t) { return t.provider->config.name == forced; });
}

bool direct(const Snapshot& snapshot, std::string_view name, Resolved& out) {
  if (name.size() > 2 && name[0] == '[') {
    size_t close = name.find(']');
    if (close == std::string_view::npos || close + 1 == name.size()) return false;
    out.provider = snapshot.provider(name.substr(1, close - 1));
    out.model = name.substr(close + 1);
    out.how = "[provider]model";
    return out.provider != nullptr;
  }
  size_t slash = name.find('/');
  if (slash == std::string_view::npos || slash + 1 == name.size()) return false;
  out.provider = snapshot.provider(name.substr(0, slash));
  out.model = name.substr(slash + 1);
  out.how = "provider/model";
  return out.provider != nullptr;
}

bool key_allows_target(const KeyRecord& key, const ProviderRuntime& provider, std::string_view model, bool name_allowed) {
  const AllowList& allow = key.spec.allow;
  if (!pattern_list_match(allow.providers, provider.config.name)) return false;
  return name_allowed || pattern_list_match(allow.models, (provider.config.name + '/').append(model));
}

}  // namespace

bool key_allows_name(const KeyRecord* key, std::string_view name) {
  return key == nullptr || pattern_list_match(key->spec.allow.models, name);
}

Result<Resolved> resolve(const Snapshot& snapshot, std::string_view name, std::string_view forced) {
  Resolved out;
  if (auto it = snapshot.route_by_name.find(name); it != snapshot.route_by_name.end() && reaches(*it->second, forced)) {
    out.route = it->second;
    out.how = "model";
    return out;
  }
  if (direct(snapshot, name, out)) return out;
  if (!forced.empty()) {
    out.provider = snapshot.provider(forced);
    if (out.provider == nullptr) {
      return Error(ErrorCode::kInvalidRequest, "there is no provider \"" + std::string(forced.substr(0, 100)) + "\"", "proxy");
    }
    out.model = name;
    out.how = "?proxy=provider";
    return out;
  }
  if (const ProviderRuntime* only = sole_offerer(snapshot, name)) {
    out.provider = only;
    out.model = name;
    out.how = "offered by one provider";
    return out;
  }
  for (const Route* route : snapshot.wildcards) {
    if (!pattern_match(route->name, name)) continue;
    out.route = route;
    out.model = pattern_capture(route->name, name);
    out.how = "wildcard";
    return out;
  }
  if ((name == "auto" || name == "default") && !snapshot.default_model.empty() && snapshot.default_model != name) {
    auto found = resolve(snapshot, snapshot.default_model, forced);
    if (found) found->how = "default";
    return found;
  }
  return not_found(snapshot, name);
}

bool append_candidates(const Snapshot& snapshot, const Resolved& resolved, std::string_view requested, const KeyRecord* key,
                       std::string_view forced, bool fallback, uint64_t seed, TimePoint now, bool peek, std::vector<Candidate>& out) {
  (void)snapshot;
  const bool name_allowed = key_allows_name(key, requested) || (resolved.route != nullptr && key_allows_name(key, resolved.route->name));
  const size_t begin = out.size();
  auto add = [&](const Route* route, const ProviderRuntime* provider, std::string_view model, TargetHealth* health, int weight, int priority) {
    Candidate c;
    c.route = route;
    c.provider = provider;
    c.health = health;
    c.weight = weight;
    c.priority = priority;
    const size_t star = route == nullptr ? std::string_view::npos : model.find('*');
    if (route == nullptr) {
      c.owned = std::make_unique<const std::string>(model);
    } else if (star != std::string_view::npos) {
      c.owned = std::make_unique<const std::string>(std::string(model).replace(star, 1, resolved.model));
    }
    c.model = c.owned ? std::string_view(*c.owned) : model;
    c.out = (key != nullptr && !key_allows_target(*key, *c.provider, c.model, name_allowed)) ||
            (resolved.route != nullptr && !forced.empty() && c.provider->config.name != forced);
    if (c.out) {
      c.reason = StepReason::kNotAllowed;
    } else if (c.health->resting(now)) {
      c.reason = StepReason::kCoolingDown;
    } else {
      c.reason = fallback ? StepReason::kFallback : c.weight == 0 ? StepReason::kLastResort : StepReason::kStrategy;
    }
    out.push_back(std::move(c));
  };
  if (resolved.route == nullptr) {
    add(nullptr, resolved.provider, resolved.model, &resolved.provider->shared->health, 1, 1);
  } else {
    const Route& route = *resolved.route;
    constexpr size_t kSmall = 64;
    BalancerTarget small_seats[kSmall];
    std::unique_ptr<BalancerTarget[]> large_seats;
    const size_t count = route.targets.size();
    if (count > kSmall) large_seats = std::make_unique<BalancerTarget[]>(count);
    BalancerTarget* seats = count > kSmall ? large_seats.get() : small_seats;
    for (size_t i = 0; i < count; ++i) {
      const RouteTarget& t = route.targets[i];
      seats[i] = {static_cast<uint32_t>(i), t.weight, t.priority, t.provider->shared->in_flight.load(std::memory_order_relaxed)};
    }
    if (peek) {
      route.balancer->preview(seats, count, seed);
    } else if (count > 1) {
      route.balancer->order(seats, count, seed);
    }
    out.reserve(begin + count);
    for (size_t i = 0; i < count; ++i) {
      const RouteTarget& t = route.targets[seats[i].index];
      add(&route, t.provider, t.model, t.health.get(), t.weight, t.priority);
    }
  }
  // Those that rest go behind those that do not, each group in its own order.
  size_t end = begin;
  for (size_t i = begin; i < out.size(); ++i) {
    if (out[i].reason == StepReason::kCoolingDown) continue;
    std::rotate(out.begin() + static_cast<ptrdiff_t>(end), out.begin() + static_cast<ptrdiff_t>(i), out.begin() + static_cast<ptrdiff_t>(i) + 1);
    ++end;
  }
  return std::any_of(out.begin() + static_cast<ptrdiff_t>(begin), out.end(), [](const Candidate& c) { return !c.out; });
}

}  // namespace llmrouter::core
