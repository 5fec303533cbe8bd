// A configuration made ready for decisions: names resolved to pointers, limits to buckets, strategies to balancers. Immutable.
#ifndef LLMROUTER_CORE_SNAPSHOT_H_
#define LLMROUTER_CORE_SNAPSHOT_H_

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/affinity.h"
#include "core/rules.h"
#include "core/stats.h"
#include "llmrouter/codec.h"
#include "llmrouter/config.h"
#include "llmrouter/route.h"

namespace llmrouter {
struct RouterParts;
}

namespace llmrouter::core {

struct CredentialRuntime {
  const Credential* config = nullptr;
  LimitBucket* bucket = nullptr;  // null: no limits
  std::shared_ptr<CredentialHealth> health;
  std::shared_ptr<AccessTokens> tokens;  // null: the key goes out as it is

  std::string_view key_to_send() const noexcept { return tokens ? std::string_view() : std::string_view(config->key.reveal()); }
};

struct ProviderRuntime {
  ProviderConfig config;
  const Dialect* dialect = nullptr;
  std::vector<const Dialect*> also;  // spoken beside it
  std::shared_ptr<const Endpoint> endpoint;
  LimitBucket* bucket = nullptr;
  std::vector<CredentialRuntime> credentials;
  Timeouts timeouts;         // routing's where the provider has none
  std::shared_ptr<ProviderShared> shared;

  struct OfModels {
    std::string_view pattern;  // the config's
    const Dialect* dialect = nullptr;
  };
  std::vector<OfModels> model_dialects;  // models that speak another one

  const Dialect* dialect_of(std::string_view model) const noexcept;
  // Of the provider's own dialect and those beside it; a model with a dialect of its own has no other.
  bool speaks(const Dialect* asked, std::string_view model) const noexcept {
    const Dialect* own = dialect_of(model);
    return asked == own || (own == dialect && std::find(also.begin(), also.end(), asked) != also.end());
  }
};

// What a target takes beside text.
struct Abilities {
  bool says_inputs = false;        // false: not known, everything is tried
  bool image = false, audio = false, video = false, file = false;
  bool says_capabilities = false;  // the same
  bool tools = false, schema = false;
  int64_t window = 0;              // tokens of context; 0: not known
};

struct Route;

struct RouteTarget {
  // What every decision reads comes first: a line of the cache or two.
  const ProviderRuntime* provider = nullptr;
  const Route* home = nullptr;    // the route it stands under
  const TargetHealth* reach = nullptr;  // the provider's
  std::shared_ptr<TargetState> state;   // null: its name has a star, and each name that it stands for has one of its own
  uint64_t id = 0;    // stable_hash of provider/model
  std::string model;  // may hold the `*` of its route
  size_t star = std::string::npos;  // where
  int weight = 1;
  int priority = 1;
  int quality = 0;
  std::shared_ptr<const ModelPrices> prices;  // null: the catalogue has to be asked for each request
  Abilities able;
  std::vector<std::string> tags;  // its own and its model's
};

struct Route {
  std::string name;
  const ModelConfig* config = nullptr;
  std::vector<RouteTarget> targets;
  std::vector<BalancerTarget> seats;      // of the targets; what a request changes is not in them
  std::unique_ptr<Balancer> balancer;
  std::unique_ptr<Balancer> round_robin;  // for requests that ask for it; null: one target
  LimitBucket* bucket = nullptr;
  std::vector<BodyEdit> edits;
  std::vector<FilterFactory> filters;
};

// Whose keys have limits together.
struct UserRuntime {
  const UserConfig* config = nullptr;
  LimitBucket* bucket = nullptr;
};

// What survives from one snapshot to the next, by name. Touched only while a snapshot is built or an overview is made.
class Registry {
 public:
  std::shared_ptr<ProviderShared> provider(const std::string& name);
  // Of a model that the configuration names: the one that callers find who name it themselves.
  std::shared_ptr<TargetState> target(const std::string& provider, const std::string& model);
  std::shared_ptr<CredentialHealth> credential(const std::string& provider, const Credential& credential);
  // The tokens of a credential, those that were there when the key is the same one.
  Result<std::shared_ptr<AccessTokens>> tokens(const ProviderConfig& provider, const Credential& credential, const RouterParts& parts);
  std::shared_ptr<AffinityTable> affinity();
  RuleHits rule_hits(const std::string& name);

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<ProviderShared>> providers_;
  std::map<std::string, std::shared_ptr<CredentialHealth>> credentials_;
  std::map<std::string, std::shared_ptr<AccessTokens>> tokens_;
  std::map<std::string, RuleHits> rule_hits_;
  std::shared_ptr<AffinityTable> affinity_;  // made when a configuration first asks for it
};

struct NameHash {
  using is_transparent = void;
  size_t operator()(std::string_view s) const noexcept { return std::hash<std::string_view>()(s); }
};
template <typename T>
using NameMap = std::unordered_map<std::string, T, NameHash, std::equal_to<>>;

struct Snapshot {
  Config config;
  std::shared_ptr<const Catalog> catalog;  // null: no prices
  std::vector<std::shared_ptr<const Dialect>> dialects;
  std::vector<std::unique_ptr<ProviderRuntime>> providers;
  std::vector<std::unique_ptr<Route>> routes;
  std::unique_ptr<Route> pool;                 // every target of a name without a star, for requests that choose by what a target is; null: none
  NameMap<std::unique_ptr<Balancer>> balancers;  // by strategy, for requests that name one; they keep no state but that of round_robin's turns
  std::vector<std::string> tags;               // all there are, sorted
  NameMap<const ProviderRuntime*> provider_by_name;
  FilterMap filters;
  NameMap<const Route*> route_by_name;         // names without a star
  std::vector<const Route*> wildcards;         // in the file's order
  NameMap<UserRuntime> users;                  // those that have limits
  std::string default_model;
  std::string models_hint;                     // for who asked for a model that there is not
  std::shared_ptr<AffinityTable> affinity;     // null: off
  std::unique_ptr<const RuleSet> rules;        // null: there are none
  std::vector<std::pair<std::string, std::string>> idle_rules;  // stored ones that cannot be, and why

  const ProviderRuntime* provider(std::string_view name) const noexcept;
  const Dialect* dialect(std::string_view name) const noexcept;
};

// Null: the key is nobody's who has limits.
const UserRuntime* user_of(const Snapshot& snapshot, const KeyRecord* key) noexcept;

// kConfig when a name leads nowhere or a dialect or strategy is not known: the configuration came from structs, not through the loader.
Result<std::shared_ptr<const Snapshot>> build_snapshot(const Config& config, const RouterParts& parts, std::shared_ptr<const Catalog> catalog,
                                                       RateLimiter& limiter, Registry& registry, const std::vector<RuleConfig>& stored_rules = {});

// The ids of `listed` that a provider's list policy lets through.
std::vector<std::string> apply_list_policy(const ModelListPolicy& policy, const std::vector<std::string>& listed);

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_SNAPSHOT_H_
