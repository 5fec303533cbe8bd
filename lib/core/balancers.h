// What the strategies share.
#ifndef LLMROUTER_CORE_BALANCERS_H_
#define LLMROUTER_CORE_BALANCERS_H_

#include <algorithm>
#include <cmath>
#include <memory>
#include <string_view>

#include "core/random.h"
#include "core/room.h"
#include "llmrouter/route.h"

namespace llmrouter::core {

// Sorts by `key`, the smallest first, equal ones as they stood. Keys are worked out once each.
template <typename Key>
void order_by(BalancerTarget* targets, size_t count, Key&& key) {
  if (count < 2) return;
  struct Ranked {
    double key;
    uint32_t at;
  };
  Room<Ranked, 1024> ranked(count);  // more targets are worth an allocation
  Room<BalancerTarget, 1024> before(count);
  for (size_t i = 0; i < count; ++i) {
    ranked.add({key(targets[i]), static_cast<uint32_t>(i)});
    before.add(targets[i]);
  }
  std::sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) { return a.key != b.key ? a.key < b.key : a.at < b.at; });
  for (const Ranked& r : ranked) *targets++ = before.data()[r.at];
}

// Weighted order without replacement (Efraimidis and Spirakis 2006, "Weighted random sampling with a reservoir", A-ES): each target draws
// -ln(u)/weight and the smallest goes first. Weight 0 goes last.
inline void weighted_order(BalancerTarget* targets, size_t count, uint64_t seed) {
  Random random(seed);
  order_by(targets, count, [&random](const BalancerTarget& t) { return t.weight > 0 ? -std::log(random.unit()) / t.weight : HUGE_VAL; });
}

// How long this request is expected to take at a target, in milliseconds: first token, and a time for each expected one. 0: not known.
inline double expected_ms(const BalancerTarget& t, const BalancerRequest& request) noexcept {
  if (t.stats == nullptr) return 0;
  return t.stats->first_token_ms(request.now) + t.stats->per_token_ms(request.now) * static_cast<double>(request.expected_output);
}

// least_busy, latency, performance; null: none of these.
std::unique_ptr<Balancer> make_load_balancer(std::string_view name);
// cost, pareto; null: none of these.
std::unique_ptr<Balancer> make_cost_balancer(std::string_view name);

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_BALANCERS_H_
