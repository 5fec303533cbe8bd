#include "core/probing.h"

#include <algorithm>

#include "llmrouter/pattern.h"

namespace llmrouter::core {

std::vector<const RouteTarget*> probed_targets(const Snapshot& snapshot, const ProviderRuntime& provider) {
  std::vector<const RouteTarget*> targets;
  for (const auto& route : snapshot.routes) {
    for (const RouteTarget& target : route->targets) {
      if (target.provider != &provider || target.star != std::string::npos || !pattern_list_match(provider.config.health.models, target.model)) continue;
      const auto same = [&](const RouteTarget* t) { return t->id == target.id; };
      if (std::none_of(targets.begin(), targets.end(), same)) targets.push_back(&target);
    }
  }
  return targets;
}

std::optional<int> probing_credential(const ProviderRuntime& provider, const RouteTarget* target, TimePoint now) noexcept {
  if (provider.credentials.empty()) return -1;
  uint64_t hash = 0;  // the model's, made once
  for (size_t i = 0; i < provider.credentials.size(); ++i) {
    const CredentialRuntime& c = provider.credentials[i];
    if (target != nullptr ? c.health->rest_for(target->model, hash, now).resting : c.health->resting(now)) continue;
    if (target == nullptr || pattern_list_match(c.config->models, target->model)) return static_cast<int>(i);
  }
  return std::nullopt;
}

bool reserve_probe(RateLimiter& limiter, const ProviderRuntime& provider, int credential, Reservation& reservation) {
  LimitBucket* buckets[2] = {provider.bucket, credential >= 0 ? provider.credentials[static_cast<size_t>(credential)].bucket : nullptr};
  if (buckets[0] == nullptr && buckets[1] == nullptr) return true;
  Demand demand;
  demand.tokens = kProbeTokens;
  Denial denial;
  reservation = limiter.reserve(buckets, 2, demand, &denial);
  return reservation.active();
}

bool learn_from_probe(const ProviderRuntime& provider, const RouteTarget* target, int status, bool whole, TimePoint now, CooldownConfig cooldown) noexcept {
  const bool well = whole && status != 0 && status < 500;
  cooldown.within = std::max(cooldown.within, provider.config.health.interval * (cooldown.failures + 1));  // probes are far apart
  TargetHealth& reach = provider.shared->reach;
  if (status != 0 && (target != nullptr || well)) reach.succeeded(now, cooldown);
  else reach.failed(now, cooldown);
  if (target == nullptr) return well;
  // Who is limited or was refused is not broken, nor is it shown to work.
  if (!well) target->state->health.failed(now, cooldown);
  else if (status >= 200 && status < 300) target->state->health.succeeded(now, cooldown);
  return well;
}

}  // namespace llmrouter::core
