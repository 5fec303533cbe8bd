#include "core/rehearsed_probes.h"

#include <algorithm>
#include <utility>

#include "core/probing.h"
#include "core/rehearsal.h"

namespace llmrouter::core {
namespace {

// What a probe hears where an attempt would have had this. One word is asked for, so that only the way to the first one counts.
std::pair<int, Duration> heard(const Acting& acting) noexcept {
  switch (acting.code) {
    case ErrorCode::kNone: return {200, acting.first_token > Duration(0) ? acting.first_token : acting.total};
    case ErrorCode::kUpstreamRateLimited: return {429, acting.total};
    case ErrorCode::kUpstreamCredentialsRejected: return {401, acting.total};
    case ErrorCode::kUpstreamTimeout: return {0, kProbePatience};
    case ErrorCode::kUpstreamError: return {acting.unreached ? 0 : 500, acting.total};
    default: return {400, acting.total};
  }
}

}  // namespace

RehearsedProbes::RehearsedProbes(const Snapshot& snapshot, RateLimiter& limiter, Stage& stage, TimePoint now, uint64_t seed)
    : snapshot_(snapshot), limiter_(limiter), stage_(stage) {
  Random random(seed);
  for (const auto& provider : snapshot.providers) {
    const HealthConfig& health = provider->config.health;
    if (health.probe == ProbeKind::kOff) continue;
    Round round{provider.get(), {nullptr}, now};
    if (health.probe == ProbeKind::kChat) round.targets = probed_targets(snapshot, *provider);
    round.due += Duration(static_cast<int64_t>(static_cast<double>(health.interval.count()) * random.unit()));
    rounds_.push_back(std::move(round));
  }
  find_next();
}

void RehearsedProbes::find_next() noexcept {
  next_ = TimePoint::max();
  for (const Round& round : rounds_) next_ = std::min(next_, round.due);
  for (const Probe& probe : probes_) next_ = std::min(next_, probe.ends);
}

void RehearsedProbes::pass(TimePoint now) {
  constexpr Duration kShortest = std::chrono::seconds(1);  // as the file has it at least
  for (size_t i = 0; i < probes_.size();) {
    Probe& probe = probes_[i];
    if (probe.ends > now) {
      ++i;
      continue;
    }
    learn_from_probe(*probe.provider, probe.target, probe.status, probe.whole, now, snapshot_.config.routing.cooldown);
    if (probe.reservation.active()) probe.reservation.settle({1, kProbeTokens, 0});
    probes_.erase(probes_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  for (Round& round : rounds_) {
    if (round.due > now) continue;
    round.due = now + std::max(kShortest, round.provider->config.health.interval);
    for (const RouteTarget* target : round.targets) ask(*round.provider, target, now);
  }
  find_next();
}

void RehearsedProbes::ask(const ProviderRuntime& provider, const RouteTarget* target, TimePoint now) {
  const std::optional<int> credential = probing_credential(provider, target, now);
  if (!credential) return;
  Probe probe{&provider, target, now, 0, true, {}};
  if (target != nullptr && !reserve_probe(limiter_, provider, *credential, probe.reservation)) return;
  const auto [status, took] = heard(stage_.probed(provider, target, *credential, now));
  probe.whole = status != 0 && took < kProbePatience;
  probe.status = probe.whole ? status : 0;
  probe.ends = now + std::min(took, kProbePatience);
  probes_.push_back(std::move(probe));
}

}  // namespace llmrouter::core
