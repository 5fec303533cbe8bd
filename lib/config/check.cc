#include "config/check.h"

#include <algorithm>
#include <map>
#include <set>

#include "config/address.h"
#include "config/names.h"
#include "config/providers.h"
#include "llmrouter/pattern.h"
#include "llmrouter/values.h"

namespace llmrouter::config {
namespace {

class Checker {
 public:
  Checker(Context& context, const Config& config, const std::vector<std::string>& filters) : context_(context), config_(config), filters_(filters) {
    filters_.emplace_back("think_tags");
    for (const TextFilterConfig& filter : config.filters) filters_.push_back(filter.name);
    for (const ProviderConfig& provider : config.providers) providers_.push_back(provider.name);
    for (const ModelConfig& model : config.models) models_.push_back(model.name);
  }

  void run() {
    models();
    fallback_cycles();
    filters();
    keys();
    users();
    routing();
    providers();
    server();
    storage();
  }

 private:
  void fault(const std::string& path, const std::string& message) {
    auto [at, node] = context_.written(path);
    if (node) context_.faults.add(*node, at, message);
    else context_.faults.add(Place(), path, message);
  }

  // A name that stands at a path, for a fault.
  std::string quoted(const std::string& path, const std::string& name) const {
    NodePtr node = context_.written(path).second;
    return node && node->kind == Node::Kind::kScalar ? shown(*node, name) : "`" + name + "`";
  }

  static std::string suggestion(const std::string& name, const std::vector<std::string>& names) {
    const std::vector<std::string> near = nearest_names(name, names, 3);
    std::string out;
    for (const std::string& n : near) out += (out.empty() ? "; did you mean `" : ", `") + n + "`";
    return out.empty() ? out : out + "?";
  }

  bool is_provider(const std::string& name) const { return std::find(providers_.begin(), providers_.end(), name) != providers_.end(); }

  // The configured model that a name leads to; null: none.
  const ModelConfig* find_model(const std::string& name) const {
    for (const ModelConfig& model : config_.models) {
      if (model.name == name) return &model;
    }
    for (const ModelConfig& model : config_.models) {
      if (model.name.find('*') != std::string::npos && pattern_match(model.name, name)) return &model;
    }
    return nullptr;
  }

  bool is_offered(const std::string& name) const {
    return std::any_of(config_.providers.begin(), config_.providers.end(), [&](const ProviderConfig& p) {
      auto holds = [&](const std::vector<std::string>& list) { return std::find(list.begin(), list.end(), name) != list.end(); };
      return holds(p.models.append) || holds(p.models.override_);
    });
  }

  // Whether a request for this name would find something, as far as a configuration can tell.
  bool resolves(const std::string& name) const {
    std::string provider, model;
    if (std::find(models_.begin(), models_.end(), name) != models_.end()) return true;
    if (split_target(name, &provider, &model) && is_provider(provider)) return true;
    return find_model(name) != nullptr || is_offered(name);
  }

  void must_resolve(const std::string& name, const std::string& path) {
    if (resolves(name)) return;
    std::string provider, model;
    if (split_target(name, &provider, &model)) {
      fault(path, quoted(path, name) + ": there is no such provider" + suggestion(provider, providers_));
    } else {
      fault(path, quoted(path, name) + " is no name under `models` and no provider/model" + suggestion(name, models_));
    }
  }

  void must_resolve(const std::vector<std::string>& names, const std::string& path) {
    for (size_t i = 0; i < names.size(); ++i) {
      if (!names[i].empty()) must_resolve(names[i], join(path, i));  // else a fault already
    }
  }

  void models() {
    for (const ModelConfig& model : config_.models) {
      const std::string path = join("models", model.name);
      const bool has_star = model.name.find('*') != std::string::npos;
      for (size_t i = 0; i < model.targets.size(); ++i) {
        const TargetConfig& target = model.targets[i];
        const std::string at = join(join(path, "targets"), i);
        if (target.provider.empty()) continue;  // a fault already
        if (!is_provider(target.provider)) {
          const std::string name = target.provider + "/" + target.model;
          fault(at, quoted(at + ".model", name) + ": there is no such provider" + suggestion(target.provider, providers_));
        }
        if (!has_star && target.model.find('*') != std::string::npos) {
          fault(at, "a `*` here stands for what the model's own name left open, and that has none");
        }
      }
      must_resolve(model.fallbacks, join(path, "fallbacks"));
      must_resolve(model.context_fallbacks, join(path, "context_fallbacks"));
      must_resolve(model.content_fallbacks, join(path, "content_fallbacks"));
      must_be_filters(model.filters, join(path, "filters"));
    }
    for (size_t i = 0; i < config_.keys.size(); ++i) must_be_filters(config_.keys[i].spec.filters, join(join("keys", i), "filters"));
    if (!config_.routing.default_model.empty()) must_resolve(config_.routing.default_model, "routing.default_model");
  }

  void must_be_filters(const std::vector<std::string>& names, const std::string& path) {
    for (size_t i = 0; i < names.size(); ++i) {
      const std::string& name = names[i];
      const std::string at = join(path, i);
      if (!name.empty() && std::find(filters_.begin(), filters_.end(), name) == filters_.end()) {
        fault(at, quoted(at, name) + ": there is no such filter" + suggestion(name, filters_));
      }
    }
  }

  // A replacement is judged by its pattern.
  void filters() {
    for (const TextFilterConfig& filter : config_.filters) {
      const std::string path = join("filters", filter.name);
      if (context_.faults.any_under(path + ".pattern") || context_.faults.any_under(path + ".replace")) continue;
      auto made = make_text_filter(filter);
      if (!made) fault(path + ".replace", made.error().message.substr(std::min(made.error().message.size(), made.error().param.size() + 2)));
    }
  }

  // A request that falls back would come by where it was before.
  void fallback_cycles() {
    std::map<const ModelConfig*, int> state;  // 1: on the way, 2: done
    for (const ModelConfig& model : config_.models) {
      std::vector<const ModelConfig*> way;
      follow(model, state, way);
    }
  }

  void follow(const ModelConfig& model, std::map<const ModelConfig*, int>& state, std::vector<const ModelConfig*>& way) {
    constexpr size_t kLongestWay = 1000;
    if (state[&model] == 2 || way.size() > kLongestWay) return;
    state[&model] = 1;
    way.push_back(&model);
    for (size_t i = 0; i < model.fallbacks.size(); ++i) {
      const ModelConfig* next = find_model(model.fallbacks[i]);
      if (!next) continue;
      if (state[next] == 1) {
        std::string words;
        for (auto at = std::find(way.begin(), way.end(), next); at != way.end(); ++at) words += (*at)->name + " -> ";
        fault(join(join(join("models", model.name), "fallbacks"), i), "falls back in a circle: " + words + next->name);
      } else {
        follow(*next, state, way);
      }
    }
    way.pop_back();
    state[&model] = 2;
  }

  void keys() {
    std::map<std::string_view, size_t> names, values;  // views: no copies of secrets
    for (size_t i = 0; i < config_.keys.size(); ++i) {
      const FileKey& key = config_.keys[i];
      const std::string path = join("keys", i);
      if (!key.spec.name.empty()) {
        auto [first, fresh] = names.emplace(key.spec.name, i);
        if (!fresh) fault(path + ".name", "the name of keys[" + std::to_string(first->second) + "] too");
      }
      budget(key.spec.limits, path);
      allowed_providers(key.spec.allow.providers, join(join(path, "allow"), "providers"));
      if (key.key.empty()) continue;
      auto [first, fresh] = values.emplace(key.key.reveal(), i);
      if (!fresh) fault(path + ".key", "the same key as keys[" + std::to_string(first->second) + "]");
      if (!config_.server.admin_key.empty() && key.key.equals(config_.server.admin_key.reveal()))
        fault(path + ".key", "the same as server.admin_key");
    }
  }

  void users() {
    std::map<std::string_view, size_t> names;
    for (size_t i = 0; i < config_.users.size(); ++i) {
      const UserConfig& user = config_.users[i];
      const std::string path = join("users", i);
      auto [first, fresh] = names.emplace(user.name, i);
      if (!fresh && !user.name.empty()) fault(path + ".name", "the name of users[" + std::to_string(first->second) + "] too");
      budget(user.limits, path);
    }
  }

  void budget(const Limits& limits, const std::string& path) {
    if (limits.budget && limits.budget->nano_usd == 0 && !context_.faults.any_under(path + ".budget.usd")) fault(path + ".budget.usd", "expected an amount above 0");
  }

  // Which models there are only the providers know; the providers are all here. A misspelt exclusion would let in whom it was to keep out.
  void allowed_providers(const std::vector<std::string>& patterns, const std::string& path) {
    for (size_t i = 0; i < patterns.size(); ++i) {
      const std::string name = patterns[i].substr(patterns[i].compare(0, 1, "!") == 0 ? 1 : 0);
      // A vendor that is known by name may be there wherever its key is in the environment.
      if (name.empty() || name.find('*') != std::string::npos || is_provider(name) || find_preset(name) != nullptr) continue;
      fault(join(path, i), quoted(join(path, i), patterns[i]) + ": there is no such provider" + suggestion(name, providers_));
    }
  }

  void routing() {
    const RoutingConfig& routing = config_.routing;
    no_more_than("routing.backoff.first", routing.backoff.first, "routing.backoff.max", routing.backoff.max);
    no_more_than("routing.cooldown.for", routing.cooldown.rest, "routing.cooldown.max", routing.cooldown.max);
    rules();
  }

  void rules() {
    const std::vector<RuleConfig>& rules = config_.routing.rules;
    if (rules.size() > RuleLimits::kRules) fault("routing.rules", "more than " + std::to_string(RuleLimits::kRules) + " rules");
    size_t expressions = 0;
    for (size_t i = 0; i < rules.size(); ++i) {
      const std::string path = join("routing.rules", i);
      if (!rules[i].when.content.empty() && ++expressions == RuleLimits::kExpressions + 1) {
        fault(path + ".when.content", "more than " + std::to_string(RuleLimits::kExpressions) + " rules look at content");
      }
      for (const Error& error : rule_faults(rules[i])) {
        const std::string at = path + "." + error.param;
        if (!context_.faults.any_under(at)) fault(at, error.message.substr(std::min(error.message.size(), error.param.size() + 2)));
      }
      for (size_t j = 0; j < i; ++j) {
        if (!rules[i].name.empty() && rules[j].name == rules[i].name) fault(path + ".name", "the name of routing.rules[" + std::to_string(j) + "] too");
      }
      rule_names(rules[i].use, path + ".use");
    }
  }

  void rule_names(const RuleConfig::Use& use, const std::string& path) {
    if (!use.model.empty() && use.model != "auto" && use.model != "default") must_resolve(use.model, path + ".model");
    std::vector<std::string> tags, types;
    for (const ModelConfig& model : config_.models) {
      tags.insert(tags.end(), model.tags.begin(), model.tags.end());
      for (const TargetConfig& target : model.targets) tags.insert(tags.end(), target.tags.begin(), target.tags.end());
    }
    for (const ProviderConfig& provider : config_.providers) types.push_back(provider.type);
    auto one_of = [this](const std::vector<std::string>& names, const std::vector<std::string>& there, const std::string& at, const char* what) {
      for (size_t i = 0; i < names.size(); ++i) {
        if (names[i].empty()) continue;  // a fault already
        if (std::find(there.begin(), there.end(), names[i]) == there.end()) fault(join(at, i), "`" + names[i] + "`: " + what + suggestion(names[i], there));
      }
    };
    one_of(use.tags, tags, path + ".tags", "no model or target has this tag");
    one_of(use.provider_types, types, path + ".provider_types", "no provider is of this type");
  }

  // Where both are given.
  void no_more_than(const std::string& path, Duration value, const std::string& bound, Duration most) {
    if (value <= most || context_.seen.count(bound) == 0 || context_.faults.any_under(path) || context_.faults.any_under(bound)) return;
    fault(path, "expected no more than " + bound + ", which is " + format_duration(most));
  }

  void providers() {
    for (const ProviderConfig& provider : config_.providers) {
      if (!provider.pass_client_key || config_.server.auth == AuthMode::kNone) continue;
      fault(join(join("providers", provider.name), "pass_client_key"), "only with `server.auth: none`: otherwise the client's key is one of ours");
    }
  }

  void server() {
    std::set<std::string> addresses;
    for (size_t i = 0; i < config_.server.listen.size(); ++i) {
      const std::string& address = config_.server.listen[i];
      if (address.empty()) continue;  // a fault already
      if (!addresses.insert(address).second && address.find(":0") == std::string::npos) fault(join("server.listen", i), "stands twice");
    }
    if (config_.server.listen.empty() && !context_.faults.any_under("server.listen")) fault("server.listen", "expected at least one address");
    // With a key store on disk there may be keys that are not written here: then the server decides when it starts.
    const bool open = std::any_of(config_.server.listen.begin(), config_.server.listen.end(), [](const std::string& a) { return !a.empty() && !is_loopback(a); });
    if (open && config_.server.auth != AuthMode::kNone && config_.storage.keys == "memory:" && config_.keys.empty() &&
        config_.server.admin_key.empty() && !context_.faults.any_under("keys") && !context_.faults.any_under("server.admin_key")) {
      fault("server.listen", "other hosts can reach this, and there is no key: add one under `keys`, set server.admin_key, or say server.auth: none");
    }
  }

  void storage() {
    const StorageConfig& storage = config_.storage;
    if (storage.keys == storage.usage && storage.keys != "memory:")
      fault("storage.usage", "expected a database of its own, not that of storage.keys");
  }

  Context& context_;
  const Config& config_;
  std::vector<std::string> providers_, models_, filters_;
};

}  // namespace

void cross_check(Context& context, const Config& config, const std::vector<std::string>& filters) { Checker(context, config, filters).run(); }

}  // namespace llmrouter::config
