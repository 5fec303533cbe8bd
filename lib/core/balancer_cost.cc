// Strategies that go by money: cost, pareto.
#include <limits>
#include <tuple>

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
    weighted_order(targets, count, request.seed);
    order_by(targets, count, [](const BalancerTarget& t) {
      if (t.weight == 0) return HUGE_VAL;
      return t.cost_nano_usd < 0 ? std::numeric_limits<double>::max() : static_cast<double>(t.cost_nano_usd);
    });
  }
};

// One target's place in each dimension, less is better. In steps, so that noise does not decide: 10% of time, 2% of success. Steps keep "better"
// transitive, so that somebody is always undominated.
struct Place {
  int64_t cost = 0;
  int time = 0, failing = 0, quality = 0;
  uint32_t at = 0;
  bool dominated = false;
  auto key() const noexcept { return std::tie(cost, time, failing, quality, at); }
  bool dominates(const Place& o) const noexcept {
    const bool no_worse = cost <= o.cost && time <= o.time && failing <= o.failing && quality <= o.quality;
    return no_worse && (cost < o.cost || time < o.time || failing < o.failing || quality < o.quality);
  }
};

Place place_of(const BalancerTarget& t, const BalancerRequest& request, uint32_t at) noexcept {
  Place p;
  p.cost = t.cost_nano_usd < 0 ? std::numeric_limits<int64_t>::max() : t.cost_nano_usd;
  const double ms = expected_ms(t, request);
  p.time = ms < 1 ? 0 : static_cast<int>(std::log(ms) / std::log(1.1));  // never measured: as the fastest, so that it will be
  p.failing = t.stats == nullptr ? 0 : static_cast<int>((1 - t.stats->success(request.now)) * 50);
  p.quality = -t.quality;
  p.at = at;
  return p;
}

// The targets that no other beats in cost, time, success and quality at once (the Pareto front), by weight; behind them the others, by weight.
class ParetoBalancer final : public Balancer {
 public:
  std::string_view name() const noexcept override { return "pareto"; }
  bool wants_cost() const noexcept override { return true; }
  void order(BalancerTarget* targets, size_t count, const BalancerRequest& request) override { preview(targets, count, request); }
  void preview(BalancerTarget* targets, size_t count, const BalancerRequest& request) const override {
    weighted_order(targets, count, request.seed);
    size_t weighed = 0;
    while (weighed < count && targets[weighed].weight > 0) ++weighed;
    if (weighed < 2) return;
    Room<Place, 1024> room(weighed);
    for (size_t i = 0; i < weighed; ++i) room.add(place_of(targets[i], request, static_cast<uint32_t>(i)));
    Place* const places = room.data();
    // Sorted by one dimension after the other nobody is dominated by one that comes later, and whoever is dominated is so by one of the front.
    std::sort(places, places + weighed, [](const Place& a, const Place& b) { return a.key() < b.key(); });
    size_t front = 0;
    for (size_t i = 0; i < weighed; ++i) {
      for (size_t f = 0; f < front && !places[i].dominated; ++f) places[i].dominated = places[f].dominates(places[i]);
      if (!places[i].dominated) std::swap(places[front++], places[i]);
    }
    std::sort(places, places + weighed, [](const Place& a, const Place& b) { return a.at < b.at; });
    size_t next = 0;
    order_by(targets, weighed, [&](const BalancerTarget&) { return places[next++].dominated ? 1.0 : 0.0; });
  }
};

}  // namespace

std::unique_ptr<Balancer> make_cost_balancer(std::string_view name) {
  if (name == "cost") return std::make_unique<CostBalancer>();
  if (name == "pareto") return std::make_unique<ParetoBalancer>();
  return nullptr;
}

}  // namespace llmrouter::core
