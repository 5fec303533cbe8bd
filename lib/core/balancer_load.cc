// Strategies that go by load and by what was measured: least_busy, latency, performance.
#include <utility>

#include "core/balancers.h"

namespace llmrouter::core {
namespace {

// Power of two choices (Mitzenmacher 2001): of two that were drawn by weight the better one, then of the other one and the next, and so on. Always
// taking the best of all would send every caller that looks at the same figures to the same place.
template <typename Score>
void two_choices(BalancerTarget* targets, size_t count, const BalancerRequest& request, Score&& score) {
  weighted_order(targets, count, request.seed);
  constexpr size_t kRanked = 16;  // no request tries more targets
  if (count < 2 || targets[0].weight == 0) return;
  double held = score(targets[0]);
  for (size_t i = 0; i + 1 < count && i < kRanked && targets[i + 1].weight > 0; ++i) {
    const double next = score(targets[i + 1]);
    if (next < held) {
      std::swap(targets[i], targets[i + 1]);
    } else {
      held = next;
    }
  }
}

class LeastBusyBalancer final : public Balancer {
 public:
  std::string_view name() const noexcept override { return "least_busy"; }
  bool wants_expectations() const noexcept override { return false; }
  void order(BalancerTarget* targets, size_t count, const BalancerRequest& request) override { preview(targets, count, request); }
  void preview(BalancerTarget* targets, size_t count, const BalancerRequest& request) const override {
    two_choices(targets, count, request, [](const BalancerTarget& t) { return static_cast<double>(t.in_flight) / t.weight; });
  }
};

constexpr double kUnknownMs = 60e3;  // of who answers its first request just now
constexpr double kRetryMs = 1000;    // what a failure costs beside the attempt itself

// Finagle's PeakEwma: what a request takes there, times those that are there and this one. Who was never measured, or not for long, is asked
// once at once; until it has answered it counts as slow.
double load(const BalancerTarget& t, const BalancerRequest& request, double ms, double flights) noexcept {
  if (t.stats == nullptr || t.stats->stale(request.now)) {
    if (t.in_flight == 0) return 0;
    if (ms <= 0) ms = kUnknownMs;
  }
  return ms * (flights + 1) / t.weight;
}

class LatencyBalancer final : public Balancer {
 public:
  std::string_view name() const noexcept override { return "latency"; }
  void order(BalancerTarget* targets, size_t count, const BalancerRequest& request) override { preview(targets, count, request); }
  void preview(BalancerTarget* targets, size_t count, const BalancerRequest& request) const override {
    two_choices(targets, count, request, [&](const BalancerTarget& t) { return load(t, request, expectation(t, request).ms, static_cast<double>(t.in_flight)); });
  }
};

// The expected time until somebody has answered when each attempt there succeeds with probability s and a failure costs a second more:
// (T + (1 - s) * 1 s) / s. Who fails at once has little in flight for what he is given: what is there is taken as 1 / s times as much.
class PerformanceBalancer final : public Balancer {
 public:
  std::string_view name() const noexcept override { return "performance"; }
  void order(BalancerTarget* targets, size_t count, const BalancerRequest& request) override { preview(targets, count, request); }
  void preview(BalancerTarget* targets, size_t count, const BalancerRequest& request) const override {
    two_choices(targets, count, request, [&](const BalancerTarget& t) {
      const TargetStats::Expectation expected = expectation(t, request);
      const double s = std::max(0.01, expected.success);
      const double ms = (expected.ms + (1 - s) * kRetryMs) / s;
      const double flights = static_cast<double>(t.in_flight) / s;
      if (s < 0.5) return ms * (flights + 1) / t.weight;  // whoever fails is known by that, measured or not
      return load(t, request, ms, flights);
    });
  }
};

}  // namespace

std::unique_ptr<Balancer> make_load_balancer(std::string_view name) {
  if (name == "least_busy") return std::make_unique<LeastBusyBalancer>();
  if (name == "latency") return std::make_unique<LatencyBalancer>();
  if (name == "performance") return std::make_unique<PerformanceBalancer>();
  return nullptr;
}

}  // namespace llmrouter::core
