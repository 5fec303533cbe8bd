// How providers and targets are doing, for those who ask.
#include <algorithm>

#include "core/key_pool.h"
#include "core/resolve.h"
#include "core/router_impl.h"

namespace llmrouter {
namespace {

std::chrono::milliseconds left(TimePoint until, TimePoint now) {
  return until > now ? std::chrono::ceil<std::chrono::milliseconds>(until - now) : std::chrono::milliseconds(0);
}

ProviderState::CredentialState state_of(const core::CredentialRuntime& credential, TimePoint now) {
  ProviderState::CredentialState s;
  s.name = credential.config->name;
  s.hint = credential.config->key.hint();
  s.resting = credential.health->resting(now);
  if (!s.resting) return s;
  s.resting_for = left(credential.health->until(), now);
  switch (credential.health->why()) {
    case core::RestReason::kRateLimited: s.why = "rate limited"; break;
    case core::RestReason::kOutOfQuota: s.why = "out of quota"; break;
    default: s.why = "refused"; break;
  }
  return s;
}

const char* word_of(core::TargetHealth::State state) {
  switch (state) {
    case core::TargetHealth::State::kOpen: return "open";
    case core::TargetHealth::State::kHalfOpen: return "half_open";
    default: return "closed";
  }
}

TargetCondition condition_of(const core::Candidate& c, TimePoint now) {
  TargetCondition t;
  t.provider = c.provider->config.name;
  t.model = c.model;
  t.breaker = word_of(c.health().state(now));
  const TimePoint keys_rest = core::KeyWalk(*c.provider, c.model, 0, now).all_rest_until();
  t.resting = c.health().resting(now) || keys_rest > now;
  if (t.resting) t.resting_for = left(std::max(c.health().resting_until(), keys_rest), now);
  t.reachable = c.provider->shared->reach.state(now) != core::TargetHealth::State::kOpen;
  t.in_flight = c.stats().in_flight();
  t.attempts = c.stats().attempts();
  t.failures = c.stats().failures();
  t.known = t.attempts > 0 || c.provider->shared->probes.load(std::memory_order_relaxed) > 0;
  t.success_percent = static_cast<int>(c.stats().success(now) * 100 + 0.5);
  t.first_token_ms = static_cast<int64_t>(c.stats().first_token_ms(now));
  t.p95_first_token_ms = static_cast<int64_t>(c.stats().p95_ms(true));
  return t;
}

// The first answer is waited for as one that failed: either way its models are not there.
std::string list_error_of(const core::ProviderShared& shared) {
  const bool waits = !shared.listed.load(std::memory_order_relaxed) && shared.list_questions.load(std::memory_order_acquire) > 0;
  std::string error = shared.list_error();
  return error.empty() && waits ? "it has not answered yet" : error;
}

}  // namespace

std::vector<ProviderState> Router::providers(const KeyRecord* key) const {
  auto snap = impl_->snapshot.load();
  const TimePoint now = impl_->clock().now();
  std::vector<ProviderState> out;
  for (const auto& provider : snap->providers) {
    if (!core::may_use(key, *snap, *provider)) continue;
    const core::ProviderShared& shared = *provider->shared;
    ProviderState s;
    s.name = provider->config.name;
    s.type = provider->config.type;
    s.dialect = provider->config.dialect;
    s.in_flight = shared.in_flight.load(std::memory_order_relaxed);
    s.attempts = shared.attempts.load(std::memory_order_relaxed);
    s.failures = shared.failures.load(std::memory_order_relaxed);
    s.probes = shared.probes.load(std::memory_order_relaxed);
    s.failed_probes = shared.failed_probes.load(std::memory_order_relaxed);
    s.last_error = shared.last_error();
    auto list = shared.models.load();
    s.models = list ? list->size() : 0;
    const ModelListPolicy& lists = provider->config.models;
    s.known = s.attempts > 0 || s.probes > 0 || (list && lists.override_.empty() && lists.append.empty());
    if (lists.override_.empty()) s.list_error = list_error_of(shared);
    size_t resting = 0;
    for (const core::CredentialRuntime& c : provider->credentials) {
      s.credentials.push_back(state_of(c, now));
      resting += s.credentials.back().resting ? 1 : 0;
    }
    s.available = shared.reach.state(now) != core::TargetHealth::State::kOpen && (provider->credentials.empty() || resting < provider->credentials.size());
    out.push_back(std::move(s));
  }
  return out;
}

Result<ModelHealth> Router::model_health(std::string_view model, const KeyRecord* key) const {
  auto snap = impl_->snapshot.load();
  auto resolved = core::resolve(*snap, model, {}, key);
  if (!resolved) return std::move(resolved).error();
  core::Ask ask;
  ask.key = key;
  ask.now = impl_->clock().now();
  ask.peek = true;
  std::vector<core::Candidate> candidates;
  core::append_candidates(*snap, *resolved, model, ask, candidates);
  ModelHealth health;
  health.model = model;
  for (const core::Candidate& c : candidates) {
    if (c.reason == StepReason::kNotAllowed) continue;
    health.targets.push_back(condition_of(c, ask.now));
    health.known |= health.targets.back().known;
    if (!health.targets.back().resting && health.targets.back().reachable) ++health.healthy;
  }
  return health;
}

}  // namespace llmrouter
