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
  int64_t total_weight = 0;  // of the credentials
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

struct RouteTarget {
  const ProviderRuntime* provider = nullptr;
  std::string model;  // may hold the `*` of its route
  size_t star = std::string::npos;  // where
  int weight = 1;
  int priority = 1;
  std::shared_ptr<TargetHealth> health;
};

struct Route {
  std::string name;
  const ModelConfig* config = nullptr;
  std::vector<RouteTarget> targets;
  std::unique_ptr<Balancer> balancer;
  LimitBucket* bucket = nullptr;
  std::vector<BodyEdit> edits;
  std::vector<FilterFactory> filters;
};

// What survives from one snapshot to the next, by name. Touched only while a snapshot is built or an overview is made.
class Registry {
 public:
  std::shared_ptr<ProviderShared> provider(const std::string& name);
  std::shared_ptr<TargetHealth> target(const std::string& provider, const std::string& model);
  std::shared_ptr<CredentialHealth> credential(const std::string& provider, const Credential& credential);
  // The tokens of a credential, those that were there when the key is the same one.
  Result<std::shared_ptr<AccessTokens>> tokens(const ProviderConfig& provider, const Credential& credential, const RouterParts& parts);

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<ProviderShared>> providers_;
  std::map<std::string, std::shared_ptr<TargetHealth>> targets_;
  std::map<std::string, std::shared_ptr<CredentialHealth>> credentials_;
  std::map<std::string, std::shared_ptr<AccessTokens>> tokens_;
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
  NameMap<const ProviderRuntime*> provider_by_name;
  FilterMap filters;
  NameMap<const Route*> route_by_name;         // names without a star
  std::vector<const Route*> wildcards;         // in the file's order
  std::string default_model;

  const ProviderRuntime* provider(std::string_view name) const noexcept;
  const Dialect* dialect(std::string_view name) const noexcept;
};

// kConfig when a name leads nowhere or a dialect or strategy is not known: the configuration came from structs, not through the loader.
Result<std::shared_ptr<const Snapshot>> build_snapshot(const Config& config, const RouterParts& parts, std::shared_ptr<const Catalog> catalog,
                                                       RateLimiter& limiter, Registry& registry);

// The ids of `listed` that a provider's list policy lets through.
std::vector<std::string> apply_list_policy(const ModelListPolicy& policy, const std::vector<std::string>& listed);

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_SNAPSHOT_H_
