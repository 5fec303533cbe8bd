#include "core/snapshot.h"

#include "core/config_check.h"
#include "core/wishes.h"

#include <algorithm>

#include "llmrouter/pattern.h"
#include "llmrouter/router.h"

namespace llmrouter::core {
namespace {

Error config_error(std::string path, std::string words) {
  return Error(ErrorCode::kConfig, path + ": " + words, path);
}

Timeouts merged(const Timeouts& narrow, const Timeouts& wide) {
  auto pick = [](Duration a, Duration b) { return a > Duration(0) ? a : b; };
  return {pick(narrow.connect, wide.connect), pick(narrow.first_token, wide.first_token), pick(narrow.idle, wide.idle),
          pick(narrow.total, wide.total)};
}

// Members of one build, so that its steps need no long argument lists.
class Builder {
 public:
  Builder(const Config& config, const RouterParts& parts, std::shared_ptr<const Catalog> catalog, RateLimiter& limiter, Registry& registry)
      : parts_(parts), limiter_(limiter), registry_(registry), snapshot_(std::make_shared<Snapshot>()) {
    snapshot_->config = config;
    snapshot_->dialects = parts.dialects;
    snapshot_->catalog = std::move(catalog);
    snapshot_->models_hint = parts.models_hint.empty() ? "models() lists what there is" : parts.models_hint;
  }

  Result<std::shared_ptr<const Snapshot>> build(const std::vector<RuleConfig>& stored_rules) {
    if (auto good = check_config(snapshot_->config); !good) return std::move(good).error();
    if (auto known = check_strategy(); !known) return std::move(known).error();
    if (auto added = add_filters(); !added) return std::move(added).error();
    for (const ProviderConfig& provider : snapshot_->config.providers) {
      if (auto added = add_provider(provider); !added) return std::move(added).error();
    }
    for (const ModelConfig& model : snapshot_->config.models) {
      if (auto added = add_route(model); !added) return std::move(added).error();
    }
    if (auto added = add_users(); !added) return std::move(added).error();
    choose_default();
    for (std::string_view name : balancer_names()) snapshot_->balancers.emplace(name, make_balancer(name, {}));
    std::sort(snapshot_->tags.begin(), snapshot_->tags.end());
    snapshot_->tags.erase(std::unique(snapshot_->tags.begin(), snapshot_->tags.end()), snapshot_->tags.end());
    if (auto made = make_pool(); !made) return std::move(made).error();
    if (auto ruled = add_rules(stored_rules); !ruled) return std::move(ruled).error();
    if (!snapshot_->config.routing.affinity.by.empty()) snapshot_->affinity = registry_.affinity();
    return std::shared_ptr<const Snapshot>(std::move(snapshot_));
  }

 private:
  LimitBucket* bucket(std::string id, std::string label, const Limits& limits) {
    return limits.empty() ? nullptr : limiter_.bucket(id, label, limits);
  }

  // Models may all name their own, and wildcards come later.
  Result<void> check_strategy() const {
    const std::string& strategy = snapshot_->config.routing.strategy;
    if ((parts_.balancers && parts_.balancers(strategy, {})) || make_balancer(strategy, {})) return {};
    return config_error("routing.strategy", "there is no strategy \"" + strategy + "\"");
  }

  // The application's own win over those of the file.
  Result<void> add_filters() {
    snapshot_->filters = parts_.filters;
    snapshot_->filters.emplace("think_tags", think_tags_filter());
    for (const TextFilterConfig& config : snapshot_->config.filters) {
      auto made = make_text_filter(config);
      if (!made) return std::move(made).error();
      snapshot_->filters.emplace(config.name, std::move(*made));
    }
    return {};
  }

  Result<void> add_provider(const ProviderConfig& config) {
    const std::string path = "providers." + config.name;
    if (config.name.empty()) return config_error("providers", "a provider without a name");
    if (snapshot_->provider_by_name.count(config.name)) return config_error(path, "there are two of this name");
    auto p = std::make_unique<ProviderRuntime>();
    p->config = config;
    p->dialect = snapshot_->dialect(config.dialect);
    if (p->dialect == nullptr) return config_error(path + ".dialect", "no codec for \"" + config.dialect + "\"");
    for (const std::string& name : config.also) {
      const Dialect* dialect = snapshot_->dialect(name);
      if (dialect == nullptr) return config_error(path + ".also", "no codec for \"" + name + "\"");
      p->also.push_back(dialect);
    }
    for (const auto& [pattern, name] : p->config.model_dialects) {
      const Dialect* dialect = snapshot_->dialect(name);
      if (dialect == nullptr) return config_error(path + ".model_dialects", "no codec for \"" + name + "\"");
      p->model_dialects.push_back({pattern, dialect});
    }
    auto endpoint = std::make_shared<Endpoint>();
    endpoint->proxy = config.proxy;
    endpoint->ca_file = config.ca_file;
    endpoint->verify_tls = config.verify_tls;
    p->endpoint = std::move(endpoint);
    p->bucket = bucket("provider:" + config.name, "provider " + config.name, config.limits);
    p->timeouts = merged(config.timeouts, snapshot_->config.routing.timeouts);
    p->shared = registry_.provider(config.name);
    for (const Credential& credential : p->config.credentials) {
      CredentialRuntime c;
      c.config = &credential;
      const std::string id = config.name + "/" + credential.name;
      c.bucket = bucket("credential:" + id, "credential " + id, credential.limits);
      c.health = registry_.credential(config.name, credential);
      auto tokens = registry_.tokens(config, credential, parts_);
      if (!tokens) return std::move(tokens).error();
      c.tokens = std::move(*tokens);
      p->credentials.push_back(std::move(c));
    }
    if (!config.models.override_.empty() || (!config.models.append.empty() && !p->shared->models.load())) {
      p->shared->models.store(std::make_shared<const std::vector<std::string>>(apply_list_policy(config.models, {})));
    }
    snapshot_->provider_by_name.emplace(config.name, p.get());
    snapshot_->providers.push_back(std::move(p));
    return {};
  }

  Result<void> add_route(const ModelConfig& config) {
    const std::string path = "models." + config.name;
    if (config.name.empty()) return config_error("models", "a model without a name");
    if (config.targets.empty()) return config_error(path + ".targets", "a model needs at least one target");
    auto r = std::make_unique<Route>();
    r->name = config.name;
    r->config = &config;
    for (const TargetConfig& target : config.targets) {
      RouteTarget t;
      t.provider = snapshot_->provider(target.provider);
      if (t.provider == nullptr) return config_error(path + ".targets", "there is no provider \"" + target.provider + "\"");
      t.model = target.model;
      t.star = t.model.find('*');
      t.weight = target.weight;
      t.priority = target.priority;
      t.quality = target.quality;
      t.id = stable_hash(target.provider + '/' + target.model);
      if (t.star == std::string::npos) t.state = registry_.target(target.provider, target.model);
      t.tags = config.tags;
      t.tags.insert(t.tags.end(), target.tags.begin(), target.tags.end());
      snapshot_->tags.insert(snapshot_->tags.end(), t.tags.begin(), t.tags.end());
      t.able = abilities(config, t);
      t.home = r.get();
      t.reach = &t.provider->shared->reach;
      if (snapshot_->catalog && t.star == std::string::npos) t.prices = snapshot_->catalog->prices(target.provider, t.provider->config.type, t.model);
      add_target(*r, std::move(t));
    }
    const std::string& strategy = config.strategy.empty() ? snapshot_->config.routing.strategy : config.strategy;
    if (parts_.balancers) r->balancer = parts_.balancers(strategy, r->seats);
    if (!r->balancer) r->balancer = make_balancer(strategy, r->seats);
    if (!r->balancer) return config_error(path + ".strategy", "there is no strategy \"" + strategy + "\"");
    if (r->seats.size() > 1) r->round_robin = make_balancer("round_robin", r->seats);
    r->bucket = bucket("model:" + config.name, "model " + config.name, config.limits);
    for (const auto& [name, json] : config.defaults) r->edits.push_back({BodyEdit::Kind::kDefault, name, json});
    for (const auto& [name, json] : config.override_) r->edits.push_back({BodyEdit::Kind::kSet, name, json});
    for (const std::string& name : config.filters) {
      auto found = snapshot_->filters.find(name);
      if (found == snapshot_->filters.end()) return config_error(path + ".filters", "there is no filter \"" + name + "\"");
      r->filters.push_back(found->second);
    }
    for (const std::string& name : config.drop) {
      r->edits.push_back({BodyEdit::Kind::kRemove, name, {}});
      if (name != "tools") continue;
      // A choice among tools that are gone is refused, and `functions` are tools by their older name.
      for (const char* with : {"tool_choice", "parallel_tool_calls", "functions", "function_call"}) r->edits.push_back({BodyEdit::Kind::kRemove, with, {}});
    }
    if (config.name.find('*') != std::string::npos) {
      snapshot_->wildcards.push_back(r.get());
    } else if (!snapshot_->route_by_name.emplace(config.name, r.get()).second) {
      return config_error(path, "there are two of this name");
    }
    snapshot_->routes.push_back(std::move(r));
    return {};
  }

  static void add_target(Route& route, RouteTarget t) {
    route.seats.push_back({static_cast<uint32_t>(route.seats.size()), t.weight, t.priority, t.quality, 0, t.id, -1, t.state ? &t.state->stats : nullptr});
    route.targets.push_back(std::move(t));
  }

  // What the configuration says, else the catalogue.
  Abilities abilities(const ModelConfig& config, const RouteTarget& t) const {
    Abilities able;
    ModelFacts facts;
    if (snapshot_->catalog && t.model.find('*') == std::string::npos) facts = snapshot_->catalog->facts(t.provider->config.type, t.model);
    able.window = facts.context_window;
    auto holds = [](const std::vector<std::string>& list, std::string_view word) { return std::find(list.begin(), list.end(), word) != list.end(); };
    if (config.modalities) {
      able.says_inputs = true;
      able.image = holds(*config.modalities, "image");
      able.audio = holds(*config.modalities, "audio");
      able.video = holds(*config.modalities, "video");
      able.file = holds(*config.modalities, "file");
    } else if (facts.modalities_known) {
      able.says_inputs = true;
      able.image = facts.image, able.audio = facts.audio, able.video = facts.video, able.file = facts.file;
    }
    if (config.capabilities) {
      able.says_capabilities = true;
      able.tools = holds(*config.capabilities, "tools");
      able.schema = holds(*config.capabilities, "json_schema");
    }
    return able;
  }

  Result<void> make_pool() {
    auto pool = std::make_unique<Route>();
    for (const auto& route : snapshot_->routes) {
      if (route->name.find('*') != std::string::npos) continue;
      for (const RouteTarget& t : route->targets) add_target(*pool, t);
    }
    if (pool->seats.empty()) return {};
    const std::string& strategy = snapshot_->config.routing.strategy;
    if (parts_.balancers) pool->balancer = parts_.balancers(strategy, pool->seats);
    if (!pool->balancer) pool->balancer = make_balancer(strategy, pool->seats);
    if (!pool->balancer) return config_error("routing.strategy", "there is no strategy \"" + strategy + "\"");
    if (pool->seats.size() > 1) pool->round_robin = make_balancer("round_robin", pool->seats);
    snapshot_->pool = std::move(pool);
    return {};
  }

  // One of the file that cannot be is an error; a stored one was good once, and is told of.
  Result<void> add_rules(const std::vector<RuleConfig>& stored) {
    const std::vector<RuleConfig>& own = snapshot_->config.routing.rules;
    if (own.empty() && stored.empty()) return {};
    if (own.size() + stored.size() > RuleLimits::kRules) return config_error("routing.rules", "more than " + std::to_string(RuleLimits::kRules));
    auto set = std::make_unique<RuleSet>(snapshot_->config.routing.rule_text);
    size_t expressions = 0;
    auto add = [&](const RuleConfig& config, bool is_stored) -> Result<void> {
      auto rule = make_rule(config, is_stored, registry_.rule_hits(config.name));
      if (!rule) return std::move(rule).error();
      if (auto there = check_rule_names(*snapshot_, config, false); !there) return there;
      if (!config.when.content.empty() && ++expressions > RuleLimits::kExpressions) {
        return Error(ErrorCode::kInvalidRequest, "when.content: more than " + std::to_string(RuleLimits::kExpressions) + " rules look at content", "when.content");
      }
      set->add(std::move(*rule));
      return {};
    };
    for (size_t i = 0; i < own.size(); ++i) {
      const std::string path = "routing.rules[" + std::to_string(i) + "]";
      const bool twice = std::any_of(own.begin(), own.begin() + static_cast<ptrdiff_t>(i), [&](const RuleConfig& r) { return r.name == own[i].name; });
      if (twice) return config_error(path + ".name", "there are two of this name");
      if (auto added = add(own[i], false); !added) return Error(ErrorCode::kConfig, path + "." + added.error().message, path + "." + added.error().param);
    }
    for (const RuleConfig& config : stored) {
      if (auto added = add(config, true); !added) snapshot_->idle_rules.emplace_back(config.name, added.error().message);
    }
    if (auto ready = set->ready(); !ready) return ready;
    snapshot_->rules = std::move(set);
    return {};
  }

  Result<void> add_users() {
    for (const UserConfig& user : snapshot_->config.users) {
      const bool first = snapshot_->users.emplace(user.name, UserRuntime{&user, bucket("user:" + user.name, "user " + user.name, user.limits)}).second;
      if (!first) return config_error("users." + user.name, "there are two of this name");
    }
    return {};
  }

  void choose_default() {
    snapshot_->default_model = snapshot_->config.routing.default_model;
    if (!snapshot_->default_model.empty()) return;
    for (const auto& route : snapshot_->routes) {
      if (route->name.find('*') == std::string::npos) {
        snapshot_->default_model = route->name;
        return;
      }
    }
    if (snapshot_->provider("demo") != nullptr) snapshot_->default_model = "demo/echo";
  }

  const RouterParts& parts_;
  RateLimiter& limiter_;
  Registry& registry_;
  std::shared_ptr<Snapshot> snapshot_;
};

template <typename Map, typename Make>
auto find_or_make(Map& map, const std::string& key, Make make) {
  auto& slot = map[key];
  if (!slot) slot = make();
  return slot;
}

}  // namespace

std::shared_ptr<ProviderShared> Registry::provider(const std::string& name) {
  std::lock_guard<std::mutex> lock(mutex_);
  return find_or_make(providers_, name, [&] {
    auto shared = std::make_shared<ProviderShared>();
    shared->name = name;
    return shared;
  });
}

std::shared_ptr<TargetState> Registry::target(const std::string& provider, const std::string& model) {
  std::shared_ptr<ProviderShared> shared = this->provider(provider);
  TargetState& state = shared->named.keep(model);
  return {std::move(shared), &state};
}

std::shared_ptr<CredentialHealth> Registry::credential(const std::string& provider, const Credential& credential) {
  // A changed key is another credential: it must not rest for its predecessor's faults.
  const size_t fingerprint = std::hash<std::string>()(credential.key.reveal());
  std::lock_guard<std::mutex> lock(mutex_);
  return find_or_make(credentials_, provider + '/' + credential.name + '/' + std::to_string(fingerprint),
                      [] { return std::make_shared<CredentialHealth>(); });
}

Result<std::shared_ptr<AccessTokens>> Registry::tokens(const ProviderConfig& provider, const Credential& credential, const RouterParts& parts) {
  if (!parts.tokens) {
    // What has to be exchanged must never go out as it is.
    if (credential.key.reveal().find('{') == std::string::npos) return std::shared_ptr<AccessTokens>();
    return config_error("providers." + provider.name, "a credential that has to be exchanged for tokens, and RouterParts::tokens is not set");
  }
  const std::string name = provider.name + '/' + credential.name + '/' + std::to_string(std::hash<std::string>()(credential.key.reveal()));
  std::lock_guard<std::mutex> lock(mutex_);
  if (auto found = tokens_.find(name); found != tokens_.end()) return found->second;
  auto made = parts.tokens(provider, credential.key);
  if (made && *made) tokens_.emplace(name, *made);
  return made;
}

RuleHits Registry::rule_hits(const std::string& name) {
  std::lock_guard<std::mutex> lock(mutex_);
  return find_or_make(rule_hits_, name, [] { return std::make_shared<std::atomic<uint64_t>>(0); });
}

std::shared_ptr<AffinityTable> Registry::affinity() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!affinity_) affinity_ = std::make_shared<AffinityTable>();
  return affinity_;
}

const ProviderRuntime* Snapshot::provider(std::string_view name) const noexcept {
  auto it = provider_by_name.find(name);
  return it == provider_by_name.end() ? nullptr : it->second;
}

const Dialect* ProviderRuntime::dialect_of(std::string_view model) const noexcept {
  for (const OfModels& other : model_dialects) {
    if (pattern_match(other.pattern, model)) return other.dialect;
  }
  return dialect;
}

const Dialect* Snapshot::dialect(std::string_view name) const noexcept {
  for (const auto& d : dialects) {
    if (d->name() == name) return d.get();
  }
  return nullptr;
}

Result<std::shared_ptr<const Snapshot>> build_snapshot(const Config& config, const RouterParts& parts, std::shared_ptr<const Catalog> catalog,
                                                       RateLimiter& limiter, Registry& registry, const std::vector<RuleConfig>& stored_rules) {
  return Builder(config, parts, std::move(catalog), limiter, registry).build(stored_rules);
}

const UserRuntime* user_of(const Snapshot& snapshot, const KeyRecord* key) noexcept {
  if (key == nullptr || key->spec.user.empty() || snapshot.users.empty()) return nullptr;
  const auto found = snapshot.users.find(std::string_view(key->spec.user));
  return found == snapshot.users.end() ? nullptr : &found->second;
}

std::vector<std::string> apply_list_policy(const ModelListPolicy& policy, const std::vector<std::string>& listed) {
  const bool said = !policy.override_.empty();  // all of them are meant, whatever the filter
  std::vector<std::string> words;
  for (size_t at = 0; !said && at < policy.filter.size();) {
    size_t end = std::min(policy.filter.find(' ', at), policy.filter.size());
    if (end > at) words.push_back('*' + policy.filter.substr(at, end - at) + '*');
    at = end + 1;
  }
  std::vector<std::string> out;
  auto add = [&out](const std::string& id) {
    if (std::find(out.begin(), out.end(), id) == out.end()) out.push_back(id);
  };
  for (const std::string& id : said ? policy.override_ : listed) {
    if (std::all_of(words.begin(), words.end(), [&](const std::string& w) { return pattern_match(w, id); })) add(id);
  }
  for (const std::string& id : policy.append) add(id);
  return out;
}

}  // namespace llmrouter::core
