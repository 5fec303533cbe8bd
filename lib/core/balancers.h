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
#include "core/sorted.h"
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
  const size_t numbers = room_to_sort(count);
  Room<uint64_t, 2 * 1024> ranked_room(2 * numbers);  // more targets are worth an allocation
  Room<BalancerTarget, 1024> before_room(count);
  uint64_t* const keys = ranked_room.take(2 * numbers);
  BalancerTarget* const before = before_room.take(count);
  for (size_t i = 0; i < count; ++i) keys[i] = (std::bit_cast<uint64_t>(static_cast<double>(key(targets[i]))) & ~places) | i;
  if (std::is_sorted(keys, keys + count)) return;  // prices are often the same; draws are known for what they are after two or three
  std::memcpy(static_cast<void*>(before), targets, count * sizeof(BalancerTarget));
  const uint64_t* const ranked = sort_numbers(keys, count, keys + numbers);
  for (size_t i = 0; i < count; ++i) targets[i] = before[ranked[i] & places];
}

// ln x for x above 0. With x = 2^k m, m within sqrt(1/2) and sqrt(2): ln m = 2 artanh((m - 1) / (m + 1)), whose series is good to one part in ten
// million after four terms, near 1 too.
inline double natural_log(double x) noexcept {
  constexpr uint64_t kRootOfHalf = 0x3fe6a09e667f3bcd;
  const auto bits = std::bit_cast<uint64_t>(x);
  const auto k = static_cast<int64_t>(bits - kRootOfHalf) >> 52;
  const auto m = std::bit_cast<double>(bits - (static_cast<uint64_t>(k) << 52));
  const double z = (m - 1) / (m + 1), z2 = z * z;
  return static_cast<double>(k) * 0.6931471805599453 + 2 * z * (1 + z2 * (1.0 / 3 + z2 * (1.0 / 5 + z2 * (1.0 / 7))));
}

// -ln(u) of a fresh u in (0, 1), above 0.
inline double exponential(Random& random) noexcept { return -natural_log(random.unit()); }

// Weighted order without replacement (Efraimidis and Spirakis 2006, "Weighted random sampling with a reservoir", A-ES): each target draws
// -ln(u)/weight and the smallest goes first. Weight 0 goes last.
inline double draw(Random& random, const BalancerTarget& t) noexcept { return t.weight > 0 ? exponential(random) / t.weight : HUGE_VAL; }

inline void weighted_order(BalancerTarget* targets, size_t count, uint64_t seed) {
  order_by(targets, count, [random = Random(seed)](const BalancerTarget& t) mutable { return draw(random, t); });
}

// How long this request is expected to take at a target, in milliseconds (0: not known), and whether it succeeds.
inline TargetStats::Expectation expectation(const BalancerTarget& t, const BalancerRequest& request) noexcept {
  return t.stats == nullptr ? TargetStats::Expectation() : t.stats->expect(static_cast<double>(request.expected_output), request.now);
}

// least_busy, latency, performance; null: none of these.
std::unique_ptr<Balancer> make_load_balancer(std::string_view name);
// cost, pareto; null: none of these.
std::unique_ptr<Balancer> make_cost_balancer(std::string_view name);

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_BALANCERS_H_
