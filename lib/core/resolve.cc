#include "core/resolve.h"

#include <algorithm>

#include "llmrouter/pattern.h"

namespace llmrouter::core {
namespace {

std::vector<std::string> known_names(const Snapshot& snapshot, const KeyRecord* key) {
  std::vector<std::string> names;
  for (const auto& route : snapshot.routes) {
    if (may_use(key, *route)) names.push_back(route->name);
  }
  for (const auto& provider : snapshot.providers) {
    auto list = provider->shared->models.load();
    if (!list) continue;
    for (const std::string& id : *list) {
      if (!may_use(key, *provider, id)) continue;
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

constexpr size_t kShown = 200;  // of a stranger's text
constexpr size_t kNear = 3;

// "provider/model" and "[provider]model" in two halves, blanks around them taken off; false when it is neither.
bool halves(std::string_view name, std::string_view* provider, std::string_view* model) {
  const bool bracketed = !name.empty() && name[0] == '[';
  const size_t end = name.find(bracketed ? ']' : '/');
  if (end == std::string_view::npos) return false;
  auto trimmed = [](std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
  };
  *provider = trimmed(name.substr(bracketed, end - bracketed));
  *model = trimmed(name.substr(end + 1));
  return true;
}

// Names a caller may have meant; what is wrong with the one that was asked for goes to `why`.
std::vector<std::string> suggestions(const Snapshot& snapshot, std::string_view name, const KeyRecord* key, std::string* why) {
  std::vector<std::string> providers, near;
  for (const auto& provider : snapshot.providers) {
    if (may_use(key, snapshot, *provider)) providers.push_back(provider->config.name);
    if (offers(*provider, name) && may_use(key, *provider, std::string(name))) near.push_back(provider->config.name + '/' + std::string(name));
  }
  if (near.size() > 1) {
    *why = " is offered by several providers; say which";
    return near;
  }
  std::string_view provider, model;
  const auto known = known_names(snapshot, key);
  // Of a provider: its models that may be told.
  auto told = [&](const ProviderRuntime& p) {
    std::vector<std::string> models;
    auto list = p.shared->models.load();
    for (size_t i = 0; list && i < list->size(); ++i) {
      if (may_use(key, p, (*list)[i])) models.push_back((*list)[i]);
    }
    return models;
  };
  if (!halves(name, &provider, &model)) return nearest_names(name, known, kNear);
  if (const ProviderRuntime* p = snapshot.provider(provider)) {
    *why = " not found: it names no model of provider \"" + p->config.name + "\"";
    for (const std::string& id : told(*p)) {
      if (near.size() < kNear) near.push_back(p->config.name + '/' + id);
    }
    return near;
  }
  *why = " not found: there is no provider \"" + std::string(provider.substr(0, kShown)) + "\"";
  near = nearest_names(name, known, kNear);
  auto meant = nearest_names(provider, providers, kNear);
  if (near.empty() && meant.empty()) meant.assign(providers.begin(), providers.begin() + static_cast<ptrdiff_t>(std::min(kNear, providers.size())));
  for (const std::string& other : meant) {
    if (near.size() == kNear) break;
    const auto list = told(*snapshot.provider(other));
    auto models = nearest_names(model, list, 1);
    if (models.empty() && !list.empty()) models.push_back(list.front());
    const std::string id = models.empty() ? std::string(model.substr(0, kShown)) : models.front();
    const std::string whole = other + '/' + id;
    if (may_use(key, *snapshot.provider(other), id) && std::find(near.begin(), near.end(), whole) == near.end()) near.push_back(whole);
  }
  return near;
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

// What several offer is nobody's by its name alone: those that the caller may use, by their whole names.
std::vector<std::string> whole_names(const Snapshot& snapshot, const std::vector<std::string>& names, const KeyRecord* key) {
  std::vector<std::string> out;
  for (const std::string& name : names) {
    std::vector<std::string> whole;
    for (const auto& provider : snapshot.providers) {
      if (offers(*provider, name) && may_use(key, *provider, name)) whole.push_back(provider->config.name + '/' + name);
    }
    if (whole.empty() || snapshot.route_by_name.count(name) != 0 || sole_offerer(snapshot, name) != nullptr) whole = {name};
    for (std::string& w : whole) {
      if (out.size() < kNear && std::find(out.begin(), out.end(), w) == out.end()) out.push_back(std::move(w));
    }
  }
  return out;
}

// Those that offer what nobody knows yet.
std::string without_lists(const Snapshot& snapshot, const KeyRecord* key) {
  constexpr size_t kMostNamed = 8;
  std::string names;
  size_t named = 0;
  for (const auto& provider : snapshot.providers) {
    if (!provider->config.models.override_.empty() || provider->config.type == "demo" || provider->shared->models.load() != nullptr) continue;
    if (!may_use(key, snapshot, *provider)) continue;
    if (++named <= kMostNamed) names.append(named == 1 ? "" : ", ").append(provider->config.name);
  }
  return named > kMostNamed ? names + ", ..." : names;
}

Error not_found(const Snapshot& snapshot, std::string_view name, const KeyRecord* key) {
  std::string why = " not found";
  const auto near = whole_names(snapshot, suggestions(snapshot, name, key, &why), key);
  std::string words = "model \"" + std::string(name.substr(0, kShown)) + "\"" + why;
  for (size_t i = 0; i < near.size(); ++i) words += (i == 0 ? "; the nearest names are: " : ", ") + near[i];
  // With a provider's name in it, it is more likely misspelt than an id that nobody has told of yet.
  const bool bare = name.find('/') == std::string_view::npos && (name.empty() || name[0] != '[');
  const std::string unknown = bare || near.empty() ? without_lists(snapshot, key) : std::string();
  if (!unknown.empty()) words += "; what " + unknown + " offers is not known yet";
  if (near.empty() || !unknown.empty()) words += "; " + snapshot.models_hint;
  return Error(ErrorCode::kModelNotFound, std::move(words), "model");
}

// Has the route a target at the provider that was asked for, if one was?
bool reaches(const Route& route, std::string_view forced) {
  return forced.empty() || std::any_of(route.targets.begin(), route.targets.end(), [&](const RouteTarget& t) { return t.provider->config.name == forced; });
}

bool direct(const Snapshot& snapshot, std::string_view name, Resolved& out) {
  std::string_view provider, model;
  if (!halves(name, &provider, &model) || model.empty()) return false;
  out.provider = snapshot.provider(provider);
  out.model = model;
  out.how = name[0] == '[' ? "[provider]model" : "provider/model";
  return out.provider != nullptr;
}

// Many upstreams have the model in their path: `a/../b` would be `b` to who takes dots away (RFC 3986, 5.2.4), and `a/../b` to allow-lists and prices.
bool climbs(std::string_view name) {
  for (size_t from = 0; from <= name.size();) {
    const size_t end = std::min(name.find('/', from), name.size());
    const std::string_view segment = name.substr(from, end - from);
    if (segment == "." || segment == "..") return true;
    from = end + 1;
  }
  return false;
}

// A star that matched nothing must not make an upstream's name empty.
bool leaves_a_name(const Route& route, std::string_view capture) {
  return !capture.empty() || std::none_of(route.targets.begin(), route.targets.end(), [](const RouteTarget& t) { return t.model == "*"; });
}

// What `allow.models` says of a name: an entry with `!`, another one, or a list without any other.
struct Verdict {
  bool excluded = false, listed = false;
};

Verdict judge(const std::vector<std::string>& list, std::string_view name) {
  Verdict verdict;
  bool positive = false;
  for (const std::string& entry : list) {
    if (!entry.empty() && entry[0] == '!') {
      verdict.excluded |= pattern_match(std::string_view(entry).substr(1), name);
    } else {
      positive = true;
      verdict.listed |= pattern_match(entry, name);
    }
  }
  verdict.listed |= !positive;
  return verdict;
}

}  // namespace

Grant grant_of(const KeyRecord* key, std::string_view asked, const Route* route, bool granted) {
  Grant grant;
  grant.key = key;
  if (key == nullptr) return grant;
  const auto& models = key->spec.allow.models;
  Verdict verdict = judge(models, asked);
  // A configured name stands for itself whatever led to it; a pattern is nobody's name.
  if (route != nullptr && route->name.find('*') == std::string::npos && route->name != asked) {
    const Verdict configured = judge(models, route->name);
    verdict.excluded |= configured.excluded;
    verdict.listed |= configured.listed;
  }
  grant.by_name = granted || verdict.listed;
  grant.preset = !granted && asked.find(kPreset) != std::string_view::npos && (route == nullptr || route->name != asked);
  grant.excluded = verdict.excluded;
  return grant;
}

bool Grant::allows(const ProviderRuntime& provider, std::string_view model) const {
  if (key == nullptr) return true;
  const AllowList& allow = key->spec.allow;
  if (const size_t at = model.find(kPreset); preset && at != std::string_view::npos) return may_use_preset(key, provider, model.substr(at + kPreset.size()));
  if (excluded || !pattern_list_match(allow.providers, provider.config.name)) return false;
  if (allow.models.empty()) return true;
  const Verdict whole = judge(allow.models, (provider.config.name + '/').append(model));
  return !whole.excluded && !judge(allow.models, model).excluded && (by_name || whole.listed);
}

bool may_use(const KeyRecord* key, const Route& route) {
  if (key == nullptr) return true;
  const Grant grant = grant_of(key, route.name, &route, false);
  return std::any_of(route.targets.begin(), route.targets.end(), [&](const RouteTarget& t) { return grant.allows(*t.provider, t.model); });
}

bool may_use(const KeyRecord* key, const ProviderRuntime& provider, const std::string& model) {
  return key == nullptr || grant_of(key, provider.config.name + '/' + model, nullptr, false).allows(provider, model);
}

bool may_use_preset(const KeyRecord* key, const ProviderRuntime& provider, std::string_view name) {
  if (key == nullptr) return true;
  const AllowList& allow = key->spec.allow;
  if (!pattern_list_match(allow.providers, provider.config.name)) return false;
  const bool excludes = std::any_of(allow.models.begin(), allow.models.end(), [](const std::string& entry) { return !entry.empty() && entry[0] == '!'; });
  return !excludes && judge(allow.models, (provider.config.name + '/').append(kPreset).append(name)).listed;
}

bool may_use(const KeyRecord* key, const Snapshot& snapshot, const ProviderRuntime& provider) {
  if (key == nullptr || (key->spec.allow.models.empty() && pattern_list_match(key->spec.allow.providers, provider.config.name))) return true;
  if (!pattern_list_match(key->spec.allow.providers, provider.config.name)) return false;
  auto list = provider.shared->models.load();
  if (list && std::any_of(list->begin(), list->end(), [&](const std::string& id) { return may_use(key, provider, id); })) return true;
  for (const auto& route : snapshot.routes) {
    const Grant grant = grant_of(key, route->name, route.get(), false);
    for (const RouteTarget& t : route->targets) {
      if (t.provider == &provider && grant.allows(provider, t.model)) return true;
    }
  }
  // Names that nobody lists: an entry of its own leads there.
  return std::any_of(key->spec.allow.models.begin(), key->spec.allow.models.end(), [&](const std::string& entry) {
    return entry.size() > provider.config.name.size() && entry.compare(0, provider.config.name.size(), provider.config.name) == 0 &&
           entry[provider.config.name.size()] == '/';
  });
}

namespace {

// The wildcard that means it; with a provider that the caller insists on, one that has it among its targets.
bool match_wildcard(const Snapshot& snapshot, std::string_view name, std::string_view forced, Resolved& out) {
  for (const Route* route : snapshot.wildcards) {
    if (!pattern_match(route->name, name) || !reaches(*route, forced)) continue;
    const std::string_view capture = pattern_capture(route->name, name);
    if (!leaves_a_name(*route, capture)) continue;
    out.route = route;
    out.model = capture;
    out.how = "wildcard";
    return true;
  }
  return false;
}

bool is_configured(const Snapshot& snapshot, std::string_view name) {
  return snapshot.route_by_name.count(name) != 0 ||
         std::any_of(snapshot.wildcards.begin(), snapshot.wildcards.end(), [&](const Route* route) { return pattern_match(route->name, name); });
}

}  // namespace

namespace {

// `only`: the provider that the caller insists on, `forced` its name.
bool find_named(const Snapshot& snapshot, std::string_view name, std::string_view forced, const ProviderRuntime* only, Resolved& out) {
  if (auto it = snapshot.route_by_name.find(name); it != snapshot.route_by_name.end() && reaches(*it->second, forced)) {
    out.route = it->second;
    out.how = "model";
    return true;
  }
  if (climbs(name)) return false;
  // As a configured name without a target there, another provider's `provider/model` is a name of the provider that is asked for: OpenRouter's are.
  if (direct(snapshot, name, out) && (only == nullptr || only == out.provider)) return true;
  if (only != nullptr) {
    if (match_wildcard(snapshot, name, forced, out)) return true;
    out.provider = only;
    out.model = name;
    out.left_route = is_configured(snapshot, name);
    out.how = "?proxy=provider";
    return true;
  }
  if (const ProviderRuntime* sole = sole_offerer(snapshot, name)) {
    out.provider = sole;
    out.model = name;
    out.how = "offered by one provider";
    return true;
  }
  if (match_wildcard(snapshot, name, {}, out)) return true;
  if ((name != "auto" && name != "default") || snapshot.default_model.empty() || snapshot.default_model == name) return false;
  if (!find_named(snapshot, snapshot.default_model, {}, nullptr, out)) return false;
  out.how = "default";
  return true;
}

}  // namespace

std::string providers_for(const Snapshot& snapshot, const KeyRecord* key) {
  std::string names;
  for (const auto& p : snapshot.providers) {
    if (may_use(key, snapshot, *p)) names.append(names.empty() ? "" : ", ").append(p->config.name);
  }
  return names.empty() ? "none" : names;
}

Result<Resolved> resolve(const Snapshot& snapshot, std::string_view name, std::string_view forced, const KeyRecord* key) {
  Resolved out;
  const ProviderRuntime* only = forced.empty() ? nullptr : snapshot.provider(forced);
  if (only == nullptr && !forced.empty()) {
    return Error(ErrorCode::kInvalidRequest, "there is no provider \"" + std::string(forced.substr(0, kShown)) + "\"; there are: " + providers_for(snapshot, key), "proxy");
  }
  if (find_named(snapshot, name, forced, only, out)) return out;
  const bool is_default = (name == "auto" || name == "default") && !snapshot.default_model.empty() && only == nullptr;
  return not_found(snapshot, is_default ? std::string_view(snapshot.default_model) : name, key);
}

bool is_known(const Snapshot& snapshot, std::string_view name) {
  Resolved out;
  return find_named(snapshot, name, {}, nullptr, out);
}

}  // namespace llmrouter::core
