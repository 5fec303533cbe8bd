// What the strategies share.
#ifndef LLMROUTER_CORE_BALANCERS_H_
#define LLMROUTER_CORE_BALANCERS_H_

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <string_view>

#include "core/random.h"
#include "core/room.h"
#include "llmrouter/route.h"

namespace llmrouter::core {

// Sorts by `key` (never negative), the smallest first, equal ones as they stood. Keys are worked out once each; what differs by less than a part in
// 2^52 / count is equal.
template <typename Key>
void order_by(BalancerTarget* targets, size_t count, Key&& key) {
  if (count < 2) return;
  // Doubles that are not negative are in the order of their bits. In place of the lowest ones stands where the target stood: plain numbers are
  // sorted, and no two are equal.
  const uint64_t places = (uint64_t{1} << std::bit_width(count)) - 1;
  Room<uint64_t, 1024> ranked_room(count);  // more targets are worth an allocation
  Room<BalancerTarget, 1024> before_room(count);
  uint64_t* const ranked = ranked_room.take(count);
  BalancerTarget* const before = before_room.take(count);
  std::memcpy(static_cast<void*>(before), targets, count * sizeof(BalancerTarget));
  for (size_t i = 0; i < count; ++i) ranked[i] = (std::bit_cast<uint64_t>(static_cast<double>(key(before[i]))) & ~places) | i;
  std::sort(ranked, ranked + count);
  for (size_t i = 0; i < count; ++i) targets[i] = before[ranked[i] & places];
}

// -ln(u) of a fresh u in (0, 1), above 0. With u = 2^k m, m within sqrt(1/2) and sqrt(2): ln m = 2 artanh((m - 1) / (m + 1)), whose series is good to one
// part in ten million after four terms, for the smallest results too.
inline double exponential(Random& random) noexcept {
  constexpr uint64_t kRootOfHalf = 0x3fe6a09e667f3bcd;
  const auto bits = std::bit_cast<uint64_t>(random.unit());
  const auto k = static_cast<int64_t>(bits - kRootOfHalf) >> 52;
  const auto m = std::bit_cast<double>(bits - (static_cast<uint64_t>(k) << 52));
  const double z = (m - 1) / (m + 1), z2 = z * z;
  return -(static_cast<double>(k) * 0.6931471805599453 + 2 * z * (1 + z2 * (1.0 / 3 + z2 * (1.0 / 5 + z2 / 7))));
}

// Weighted order without replacement (Efraimidis and Spirakis 2006, "Weighted random sampling with a reservoir", A-ES): each target draws
// -ln(u)/weight and the smallest goes first. Weight 0 goes last.
inline void weighted_order(BalancerTarget* targets, size_t count, uint64_t seed) {
  Random random(seed);
  order_by(targets, count, [&random](const BalancerTarget& t) { return t.weight > 0 ? exponential(random) / t.weight : HUGE_VAL; });
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
