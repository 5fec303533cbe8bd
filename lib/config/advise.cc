#include "config/advise.h"

#include <algorithm>
#include <numeric>

#include "config/address.h"
#include "config/members.h"
#include "llmrouter/pattern.h"
#include "llmrouter/values.h"

namespace llmrouter::config {
namespace {

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Could a text that begins so match the pattern?
bool may_match_beginning(std::string_view pattern, std::string_view beginning) noexcept {
  for (size_t i = 0; i < beginning.size(); ++i) {
    if (i == pattern.size()) return false;
    if (pattern[i] == '*') return true;
    if (lower(pattern[i]) != lower(beginning[i])) return false;
  }
  return true;
}

// Could a text match both? Judged by what stands before their first stars, so that `may` is said too often rather than too rarely.
bool may_meet(std::string_view a, std::string_view b) noexcept {
  const size_t common = std::min(std::min(a.find('*'), a.size()), std::min(b.find('*'), b.size()));
  if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(common), b.begin(), [](char x, char y) { return lower(x) == lower(y); })) return false;
  return a.find('*') != std::string_view::npos || b.find('*') != std::string_view::npos || a.size() == b.size();
}

bool has_star(std::string_view text) noexcept { return text.find('*') != std::string_view::npos; }

bool is_any(const std::vector<std::string>& patterns) noexcept {
  return patterns.empty() || (patterns.size() == 1 && !patterns[0].empty() && patterns[0].find_first_not_of('*') == std::string::npos);
}

bool always_holds(const RuleConfig::When& w) noexcept {
  return is_any(w.model) && w.key.empty() && w.user.empty() && w.tag.empty() && w.header.empty() && w.content.empty() && w.has.empty() && !w.tokens_over &&
         !w.tokens_under && w.hours.empty();
}

bool same(const RuleConfig::When& a, const RuleConfig::When& b) {
  return a.model == b.model && a.key == b.key && a.user == b.user && a.tag == b.tag && a.header == b.header && a.content == b.content && a.has == b.has &&
         a.tokens_over == b.tokens_over && a.tokens_under == b.tokens_under && a.hours == b.hours;
}

constexpr size_t kShortKey = 12;     // what is asked for over a network
constexpr size_t kShortSecret = 16;  // what somebody with the database may try at leisure

class Adviser {
 public:
  Adviser(Context& context, const Config& config) : context_(context), config_(config) {
    for (const ProviderConfig& provider : config.providers) providers_.push_back(provider.name);
  }

  void run() {
    server();
    providers();
    models();
    timeouts();
    rules();
    keys();
    secrets();
    prices();
  }

 private:
  void warn(const std::string& path, const std::string& message) {
    auto [at, node] = context_.written(path);
    if (node) context_.warnings.add(*node, at, message);
    else context_.warnings.add(Place(), path, message);
  }

  // Whether somebody wrote a value there.
  bool is_set(const std::string& path) const {
    auto found = context_.seen.find(path);
    return found != context_.seen.end() && !found->second->is_null();
  }

  const ProviderConfig* provider(const std::string& name) const {
    for (const ProviderConfig& p : config_.providers) {
      if (p.name == name) return &p;
    }
    return nullptr;
  }

  bool any_origin() const { return std::find(config_.server.cors.begin(), config_.server.cors.end(), "*") != config_.server.cors.end(); }

  // With a key store on disk there may be keys that are not here: what is open without one is the server's to refuse when it starts.
  void server() {
    const ServerConfig& server = config_.server;
    const bool keyless = config_.storage.keys == "memory:" && config_.keys.empty() && server.admin_key.empty();
    if (server.auth == AuthMode::kAuto && keyless && any_origin()) {
      warn("server.cors", "every web page may call, and there is no key (server.auth: auto asks for one as soon as there is): anybody's page may spend your money");
    }
    if (server.auth != AuthMode::kNone) return;
    for (size_t i = 0; i < server.listen.size(); ++i) {
      if (is_loopback(server.listen[i])) continue;
      warn(join("server.listen", i), "other hosts can reach this, and nobody is asked for a key (server.auth: none): anybody may spend your money");
    }
    if (any_origin()) {
      warn("server.cors", "every web page may call, and nobody is asked for a key (server.auth: none): anybody's page may spend your money");
    }
    if (!config_.keys.empty()) warn("keys", "mean little with server.auth: none: whoever sends no key is let in, too");
  }

  void providers() {
    for (const ProviderConfig& p : config_.providers) {
      const std::string path = join("providers", p.name);
      if (std::any_of(config_.server.listen.begin(), config_.server.listen.end(), [&](const std::string& a) { return leads_to(p.base_url, a); })) {
        warn(join(path, "base_url"), "its base_url has the port of server.listen; served from here it would call itself");
      }
    }
  }

  // Whether one of the provider's keys may be used for it.
  static bool has_key_for(const ProviderConfig& p, const std::string& model) {
    if (p.credentials.empty() || has_star(model)) return true;
    return std::any_of(p.credentials.begin(), p.credentials.end(), [&](const Credential& c) { return pattern_list_match(c.models, model); });
  }

  // Of two names with a star that both match, the one that stands first in the file is taken.
  void hidden() {
    for (size_t i = 0; i < config_.models.size(); ++i) {
      const std::string& name = config_.models[i].name;
      if (!has_star(name)) continue;
      for (size_t j = 0; j < i; ++j) {
        const std::string& first = config_.models[j].name;
        if (!has_star(first) || !pattern_match(first, name)) continue;
        warn(join("models", name), "never asked for: `" + first + "` stands before it and matches every name that it does; put the narrower one first");
        break;
      }
    }
  }

  void models() {
    hidden();
    for (const ModelConfig& model : config_.models) {
      const std::string path = join(join("models", model.name), "targets");
      for (size_t i = 0; i < model.targets.size(); ++i) {
        const TargetConfig& target = model.targets[i];
        const ProviderConfig* p = provider(target.provider);
        if (p == nullptr) continue;
        if (!has_key_for(*p, target.model)) {
          warn(join(path, i), "no key of provider " + p->name + " may be used for `" + target.model + "` (providers." + p->name + ".api_keys[].models)");
        }
        const auto twin = std::find_if(model.targets.begin(), model.targets.begin() + static_cast<std::ptrdiff_t>(i), [&](const TargetConfig& t) {
          return t.provider == target.provider && t.model == target.model;
        });
        if (twin != model.targets.begin() + static_cast<std::ptrdiff_t>(i)) {
          warn(join(path, i), "the same target as [" + std::to_string(twin - model.targets.begin()) + "]: it is one to the health and the limits, `weight` gives it more");
        }
      }
      members(join("models", model.name));
    }
  }

  void members(const std::string& model) {
    for (const char* list : {"defaults", "override"}) {
      const std::string path = join(model, list);
      const auto found = context_.seen.find(path);
      if (found == context_.seen.end()) continue;
      for (const Member& member : found->second->members) {
        const std::string meant = misspelt_member(member.name);
        if (!meant.empty()) context_.warnings.add(member, join(path, member.name), "no member of a request is known by this name; did you mean `" + meant + "`?");
      }
    }
  }

  // What is over before it could have happened.
  void never_before(const std::string& path, Duration value, const char* bound, Duration most) {
    if (value <= most || most <= Duration(0) || !is_set(path)) return;
    warn(path, "longer than " + std::string(bound) + " (" + format_duration(most) + "), which ends the request before");
  }

  void timeouts() {
    const RoutingConfig& routing = config_.routing;
    const char* const kTotal = "routing.timeouts.total";
    const Duration total = routing.timeouts.total;
    const auto all = [&](const std::string& path, const Timeouts& t, const char* bound, Duration most) {
      never_before(join(path, "connect"), t.connect, bound, most);
      never_before(join(path, "first_token"), t.first_token, bound, most);
      never_before(join(path, "idle"), t.idle, bound, most);
    };
    all("routing.timeouts", routing.timeouts, kTotal, total);
    for (const ProviderConfig& p : config_.providers) {
      const std::string path = join(join("providers", p.name), "timeouts");
      const std::string own = join(path, "total");
      const bool shorter = p.timeouts.total > Duration(0) && (total <= Duration(0) || p.timeouts.total <= total);
      all(path, p.timeouts, shorter ? own.c_str() : kTotal, shorter ? p.timeouts.total : total);
      never_before(own, p.timeouts.total, kTotal, total);
    }
    never_before("routing.hedge.after", routing.hedge.after, kTotal, total);
    never_before("routing.queue.max_wait", routing.queue.max_wait, kTotal, total);
  }

  // By priority, as they are asked.
  void rules() {
    const std::vector<RuleConfig>& rules = config_.routing.rules;
    std::vector<size_t> order(rules.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return rules[a].priority > rules[b].priority; });
    const auto warn_of = [&](size_t rule, size_t earlier, const char* why) {
      warn(join("routing.rules", rule), "never decides: `" + rules[earlier].name + "` (routing.rules[" + std::to_string(earlier) + "]) " + why);
    };
    for (size_t k = 0; k < order.size(); ++k) {
      for (size_t j = 0; j < k; ++j) {
        const bool always = always_holds(rules[order[j]].when);
        if (!always && !same(rules[order[j]].when, rules[order[k]].when)) continue;
        warn_of(order[k], order[j], always ? "stands before it and has no condition" : "stands before it and has the same condition");
        break;
      }
    }
  }

  void keys() {
    const WallTime now = std::chrono::time_point_cast<WallTime::duration>(std::chrono::system_clock::now());
    for (size_t i = 0; i < config_.keys.size(); ++i) {
      const auto& expires = config_.keys[i].spec.expires;
      if (expires && *expires <= now) warn(join("keys", i) + ".expires", "is over: this key is refused");
      const auto& allow = config_.keys[i].spec.allow;
      const std::string path = join("keys", i) + ".allow";
      const std::pair<const char*, const std::vector<std::string>*> lists[] = {{"models", &allow.models}, {"providers", &allow.providers}, {"endpoints", &allow.endpoints}};
      for (const auto& [name, patterns] : lists) {
        const std::string at = join(path, name);
        const auto found = context_.seen.find(at);
        if (patterns->empty() && found != context_.seen.end() && found->second->kind == Node::Kind::kScalar) {
          warn(at, shown(*found->second) + " is empty, and so this key may use all " + name);
        }
      }
      for (size_t k = 0; k < allow.models.size(); ++k) allowed_model(join(join(path, "models"), k), allow.models[k]);
    }
  }

  // What providers offer is not known here: a pattern without a provider may always match something.
  void allowed_model(const std::string& path, std::string_view pattern) {
    pattern.remove_prefix(!pattern.empty() && pattern[0] == '!' ? 1 : 0);
    const size_t slash = pattern.find('/');
    if (slash == std::string_view::npos) return;
    if (std::any_of(config_.models.begin(), config_.models.end(), [&](const ModelConfig& m) { return may_meet(pattern, m.name); })) return;
    if (std::any_of(providers_.begin(), providers_.end(), [&](const std::string& name) { return may_match_beginning(pattern, name + "/"); })) return;
    warn(path, "matches no model: " + no_provider(pattern.substr(0, slash)));
  }

  std::string no_provider(std::string_view name) const {
    const std::vector<std::string> near = nearest_names(name, providers_, 1);
    return "there is no provider `" + std::string(name) + "`" + (near.empty() ? "" : "; did you mean `" + near[0] + "`?");
  }

  // Of what opens this server. Upstreams choose their own keys.
  void secrets() {
    const auto judge = [this](const std::string& path, const Secret& secret, size_t shortest) {
      if (secret.empty() || secret.reveal().size() >= shortest) return;
      warn(path, "shorter than " + std::to_string(shortest) + " characters: others may guess it; 32 random ones are safe");
    };
    judge("server.admin_key", config_.server.admin_key, kShortKey);
    judge("storage.secret_key", config_.storage.secret_key, kShortSecret);
    for (size_t i = 0; i < config_.keys.size(); ++i) judge(join("keys", i) + ".key", config_.keys[i].key, kShortKey);
  }

  // Of a price list of their own (prices.file) people use what they need.
  void prices() {
    for (size_t i = 0; i < config_.prices.size(); ++i) {
      const std::string path = join("prices.entries", i) + ".model", &match = config_.prices[i].match;
      if (context_.seen.count(path) == 0) break;
      const bool somewhere = std::any_of(providers_.begin(), providers_.end(), [&](const std::string& name) { return may_match_beginning(match, name + "/"); });
      if (somewhere) continue;
      const size_t slash = match.find('/');
      if (slash == std::string::npos) {
        warn(path, "matches no model: patterns are of `provider/model`");
        continue;
      }
      warn(path, "matches no model: " + no_provider(std::string_view(match).substr(0, slash)));
    }
  }

  Context& context_;
  const Config& config_;
  std::vector<std::string> providers_;
};

}  // namespace

void advise(Context& context, const Config& config) { Adviser(context, config).run(); }

}  // namespace llmrouter::config
