#include "core/steps.h"

namespace llmrouter::core {
namespace {

// Does a text say this name, and not a longer one that it is a part of?
bool names(std::string_view text, std::string_view name) noexcept {
  const auto goes_on = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_'; };
  if (name.size() < 2) return false;  // one letter is any
  for (size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
    const size_t end = at + name.size();
    if ((at == 0 || !goes_on(text[at - 1])) && (end == text.size() || !goes_on(text[end]))) return true;
  }
  return false;
}

}  // namespace

Duration hedge_after(const HedgeConfig& hedge, const Candidate& candidate, bool stream) noexcept {
  if (!hedge.p95) return hedge.after;
  const double usual = candidate.stats().p95_ms(stream);
  return usual <= 0 ? Duration(0) : std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(usual));
}

size_t hedge_target(const std::vector<Candidate>& candidates, size_t current, TimePoint now) noexcept {
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& c = candidates[i];
    if (!c.out && !c.considered && c.reason != StepReason::kCoolingDown && !c.health().resting(now)) return i;
  }
  return current;
}

bool is_better_news(const Error& error, const Error& than) noexcept {
  const auto rank = [](const Error& e) { return e.code == ErrorCode::kNone ? 3 : is_limit(e) ? 0 : e.never ? 2 : 1; };
  if (rank(error) != rank(than)) return rank(error) < rank(than);
  return error.retry_after > Duration(0) && (than.retry_after <= Duration(0) || error.retry_after < than.retry_after);
}

bool other_key_may(const Error& error, Candidate& candidate, int credential) noexcept {
  if (credential < 0 || candidate.provider->credentials.size() < 2) return false;
  if (error.code == ErrorCode::kUpstreamRateLimited) return true;
  if (error.code != ErrorCode::kUpstreamCredentialsRejected) return false;
  if (error.upstream_code != kTooDearCode) return true;  // it rests, or is refused for the model
  if (credential >= 64) return false;
  candidate.too_dear_for |= uint64_t{1} << credential;
  return true;
}

Wanted wanted_of(const Snapshot& snapshot, const Candidate& first, bool budget, int64_t input, int64_t output, bool bounded, WallTime wall) {
  Wanted w;
  w.bounded = bounded;
  w.expected.tokens = input + output;
  w.least.tokens = bounded ? w.expected.tokens : input;
  std::optional<PriceRow> price;
  const ProviderConfig& provider = first.provider->config;
  if (budget && snapshot.catalog) price = snapshot.catalog->price(provider.name, provider.type, first.model, input, wall);
  w.most = w.expected;
  if (!price) return w;
  TokenUsage usage;
  usage.input = input;
  w.least.nano_usd = cost_nano_usd(usage, *price);
  usage.output = output;
  w.expected.nano_usd = cost_nano_usd(usage, *price);
  if (bounded) w.least.nano_usd = w.expected.nano_usd;
  if (input > 0) usage.input = first.unseen_input().bound(input, wall);
  if (const int64_t window = snapshot.catalog->facts(provider.type, first.model).context_window; window > 0) usage.input = std::max(input, std::min(usage.input, window));
  w.most.nano_usd = cost_nano_usd(usage, *price);
  return w;
}

Reservation reserve_or_what_is_left(RateLimiter& limiter, const CallBuckets& buckets, Wanted& wanted, Denial* denial) {
  constexpr int kGuesses = 8;  // what is left changes while others settle
  Demand& demand = wanted.most;
  const Demand& least = wanted.least;
  const bool guessed = least.tokens < demand.tokens || least.nano_usd < demand.nano_usd;
  const int64_t least_tokens = std::max<int64_t>(1, least.tokens);
  const int count = static_cast<int>(buckets.size());
  Reservation reservation = limiter.reserve(buckets.data(), count, demand, denial);
  for (int tries = 0; !reservation.active() && guessed && tries < kGuesses; ++tries) {
    const int64_t left = denial->remaining;
    if (denial->kind == LimitKind::kBudget) {
      const bool some_will_do = !wanted.bounded && left > 0 && least.nano_usd <= denial->limit;
      const int64_t nano = some_will_do ? left : std::max(left, least.nano_usd);
      if (nano >= demand.nano_usd) break;
      demand.nano_usd = nano;
    } else if (denial->kind == LimitKind::kTokens) {
      const int64_t tokens = std::max(left, least_tokens);
      if (tokens >= demand.tokens) break;
      demand.tokens = tokens;
    } else {
      break;
    }
    reservation = limiter.reserve(buckets.data(), count, demand, denial);
  }
  return reservation;
}

bool is_kept_elsewhere(const Error& error) noexcept {
  if (error.code != ErrorCode::kUpstreamRejected) return false;
  for (std::string_view code : {"previous_response_not_found", "conversation_not_found", "thread_not_found"}) {
    if (error.upstream_code == code) return true;
  }
  return false;
}

void learn_from(const Error& error, Candidate& candidate, int credential, TimePoint now, const CooldownConfig& config) {
  const auto& pool = candidate.provider->credentials;
  if (error.code == ErrorCode::kUpstreamError || error.code == ErrorCode::kUpstreamTimeout) {
    TargetHealth& target = candidate.enter(now).health;
    target.failed(now, config);
    target.rest_as_asked(now, error.retry_after, false);
  }
  // Providers count by model as a rule. Where no other key could be asked in its place the limit is taken for the model's, and no matter of the provider's
  // others: when it is the key's, each of them is told so itself. Not told for how long, trying it is how one learns that it works again.
  if (error.code == ErrorCode::kUpstreamRateLimited && pool.size() < 2) return candidate.enter(now).health.rest_as_asked(now, error.retry_after, true);
  if (credential < 0) return;
  CredentialHealth& key = *pool[static_cast<size_t>(credential)].health;
  if (error.code == ErrorCode::kUpstreamRateLimited) {
    if (names(error.message, candidate.model)) return key.rest_for_model(candidate.model, now, RestReason::kRateLimited, error.retry_after, config);
    key.rest(now, RestReason::kRateLimited, error.retry_after, config);
  } else if (error.code == ErrorCode::kUpstreamCredentialsRejected && pool.size() > 1 && error.upstream_code != kTooDearCode) {
    if (error.upstream_code == kModelRefusedCode) return key.rest_for_model(candidate.model, now, RestReason::kRefused, error.retry_after, config);
    key.rest(now, error.upstream_code == kOutOfQuotaCode ? RestReason::kOutOfQuota : RestReason::kRefused, error.retry_after, config);
  }
}

}  // namespace llmrouter::core
