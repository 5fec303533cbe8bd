// Strategies that go by money: cost, pareto.
#include <bit>
#include <limits>

#include "core/balancers.h"

namespace llmrouter::core {
namespace {

// The cheapest for this very request first; those without a price last; among equals by weight.
class CostBalancer final : public Balancer {
 public:
  std::string_view name() const noexcept override { return "cost"; }
  bool wants_cost() const noexcept override { return true; }
  void order(BalancerTarget* targets, size_t count, const BalancerRequest& request) override { preview(targets, count, request); }
  void preview(BalancerTarget* targets, size_t count, const BalancerRequest& request) const override {
    order_by(targets, count, [](const BalancerTarget& t) {
      if (t.weight == 0) return HUGE_VAL;
      return t.cost_nano_usd < 0 ? std::numeric_limits<double>::max() : static_cast<double>(t.cost_nano_usd);
    });
    // Dice are thrown only for those that cost the same.
    for (size_t begin = 0; begin < count && targets[begin].weight > 0;) {
      size_t end = begin + 1;
      while (end < count && targets[end].weight > 0 && targets[end].cost_nano_usd == targets[begin].cost_nano_usd) ++end;
      weighted_order(targets + begin, end - begin, request.seed + begin);
      begin = end;
    }
  }
};

// One target's place in each dimension, less is better. In steps, so that noise does not decide: about 10% of time, 2% of success. Steps keep "better"
// transitive, so that somebody is always undominated.
struct Place {
  uint64_t cost = 0;  // the bits of a double that is not negative, which are in its order; the lowest of them left out
  uint64_t rest = 0;  // time, failing and quality, each below a bit that is 0

  static constexpr int kBits = 12;
  static constexpr uint64_t kHighest = (1u << (kBits - 1)) - 1;
  static constexpr uint64_t kGuards = (kHighest + 1) | (kHighest + 1) << kBits | (kHighest + 1) << 2 * kBits;
  // No guard is borrowed from where nothing is worse.
  bool dominates(const Place& o) const noexcept {
    const bool no_worse = (cost <= o.cost) & ((((o.rest | kGuards) - rest) & kGuards) == kGuards);
    return no_worse & ((cost != o.cost) | (rest != o.rest));
  }
  uint64_t sum() const noexcept { return (rest & kHighest) + (rest >> kBits & kHighest) + (rest >> 2 * kBits); }
};
constexpr int kSumBits = Place::kBits + 1;

// `coarse`: the bits of the cost that do not count.
Place place_of(const BalancerTarget& t, const BalancerRequest& request, int coarse) noexcept {
  const double cost = t.cost_nano_usd < 0 ? std::numeric_limits<double>::max() : static_cast<double>(t.cost_nano_usd);
  const auto [ms, success] = expectation(t, request);
  // Eight steps from one power of two to the next, 7 to 12 parts of a hundred each: a double's exponent and three bits more. Never measured: as the
  // fastest, so that it will be.
  const uint64_t time = ms < 1 ? 0 : (std::bit_cast<uint64_t>(ms) - std::bit_cast<uint64_t>(1.0)) >> 49;
  const auto failing = static_cast<uint64_t>((1 - success) * 50);
  const auto quality = static_cast<uint64_t>(std::clamp(1000 - t.quality, 0, 1000));
  return {std::bit_cast<uint64_t>(cost) >> coarse, std::min(time, Place::kHighest) | failing << Place::kBits | quality << 2 * Place::kBits};
}

// The targets that no other beats in cost, time, success and quality at once (the Pareto front), by weight; behind them the others, by weight.
class ParetoBalancer final : public Balancer {
 public:
  std::string_view name() const noexcept override { return "pareto"; }
  bool wants_cost() const noexcept override { return true; }
  void order(BalancerTarget* targets, size_t count, const BalancerRequest& request) override { preview(targets, count, request); }
  void preview(BalancerTarget* targets, size_t count, const BalancerRequest& request) const override {
    Room<uint8_t, 1024> beaten_room(count);
    uint8_t* const beaten = beaten_room.take(count);
    find_beaten(targets, count, request, beaten);
    constexpr double kBehind = 0x1p200;  // farther than any two draws are apart
    order_by(targets, count, [random = Random(request.seed), next = beaten](const BalancerTarget& t) mutable {
      return draw(random, t) * (*next++ != 0 ? kBehind : 1.0);
    });
  }

 private:
  static void find_beaten(const BalancerTarget* targets, size_t count, const BalancerRequest& request, uint8_t* beaten) {
    const int index_bits = std::bit_width(count);
    const size_t numbers = room_to_sort(count);
    Room<Place, 1024> places_room(count), front_room(count);
    Room<uint64_t, 2 * 1024> keys_room(2 * numbers);
    Place* const places = places_room.take(count);
    Place* const front = front_room.take(count);
    uint64_t* const keys = keys_room.take(2 * numbers);
    size_t weighed = 0, best = 0;
    for (size_t i = 0; i < count; ++i) {
      beaten[i] = 0;
      if (targets[i].weight <= 0) continue;
      const Place& p = places[i] = place_of(targets[i], request, kSumBits + index_bits);
      keys[weighed++] = p.sum() << (64 - kSumBits) | p.cost << index_bits | i;
    }
    if (weighed == 0) return;
    // Whoever has the best sum beats many at once: those need not be sorted.
    const uint64_t index = (uint64_t{1} << index_bits) - 1;
    const Place best_sum = places[*std::min_element(keys, keys + weighed) & index];
    size_t left = 0;
    for (size_t n = 0; n < weighed; ++n) {
      const size_t i = keys[n] & index;
      const bool loses = best_sum.dominates(places[i]);
      beaten[i] = loses;
      keys[left] = keys[n];
      left += !loses;
    }
    // By the sum of the steps, then by cost: nobody is beaten by one that comes later, and whoever is beaten is so by one of the front.
    const uint64_t* const sorted = sort_numbers(keys, left, keys + numbers);
    for (size_t n = 0; n < left; ++n) {
      const size_t i = sorted[n] & index;
      size_t f = 0;
      while (f < best && !front[f].dominates(places[i])) ++f;
      beaten[i] = f < best;
      front[best] = places[i];
      best += f == best;
    }
  }
};

}  // namespace

std::unique_ptr<Balancer> make_cost_balancer(std::string_view name) {
  if (name == "cost") return std::make_unique<CostBalancer>();
  if (name == "pareto") return std::make_unique<ParetoBalancer>();
  return nullptr;
}

}  // namespace llmrouter::core
