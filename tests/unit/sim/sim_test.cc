// What docs/routing.md says of the strategies, seen over many requests.
#include <cmath>
#include <cstdio>
#include <map>

#include "catch.h"
#include "sim/simulation.h"

using namespace llmrouter;
using namespace llmrouter::sim;

namespace {

Setup setup(std::string strategy, std::vector<Target> targets, double seconds, double per_second, uint64_t seed = 1) {
  Setup s;
  s.strategy = std::move(strategy);
  s.targets = std::move(targets);
  s.seconds = seconds;
  s.per_second = per_second;
  s.seed = seed;
  return s;
}

Target weighing(int weight) {
  Target t;
  t.weight = weight;
  return t;
}

void row(const char* scenario, const Setup& s, const Outcome& o) {
  std::printf("%-34s %-12s %8lld %5zu  %5.1f%% failed  mean %6.0f ms  p99 %6.0f ms\n", scenario, s.strategy.c_str(), static_cast<long long>(o.requests),
              s.targets.size(), 100.0 * static_cast<double>(o.failed) / static_cast<double>(o.requests), o.mean_ms, o.p99_ms);
}

// |picks - n p| within five standard deviations.
bool within_sampling(const Outcome& o, size_t target, double share) {
  const auto n = static_cast<double>(o.requests);
  return std::abs(static_cast<double>(o.picks[target]) - n * share) <= 5 * std::sqrt(n * share * (1 - share)) + 1;
}

}  // namespace

TEST_CASE("simulation: shares are the weights' within sampling error, two hundred thousand requests over two thousand targets") {
  std::vector<Target> targets;
  double sum = 0;
  for (int i = 0; i < 2000; ++i) {
    targets.push_back(weighing(1 + i % 7));
    sum += 1 + i % 7;
  }
  Setup s = setup("round_robin", targets, 20, 10000);
  const Outcome o = simulate(s);
  row("two thousand targets", s, o);
  CHECK(o.requests > 190000);
  for (size_t i = 0; i < targets.size(); ++i) {
    CHECK(std::abs(static_cast<double>(o.picks[i]) - static_cast<double>(o.requests) * targets[i].weight / sum) <= targets[i].weight);
  }
}

TEST_CASE("simulation: weighted, random and hash share as they say") {
  const std::vector<Target> targets = {weighing(1), weighing(2), weighing(3), weighing(4), weighing(0)};
  for (const char* strategy : {"weighted", "hash"}) {
    Setup s = setup(strategy, targets, 200, 1000);
    s.affinity = [](uint64_t draw) { return draw | 1; };
    const Outcome o = simulate(s);
    row("four weights", s, o);
    for (size_t i = 0; i < 4; ++i) CHECK(within_sampling(o, i, static_cast<double>(i + 1) / 10));
    CHECK(o.picks[4] == 0);
  }
  Setup s = setup("random", targets, 200, 1000);
  const Outcome o = simulate(s);
  row("four weights", s, o);
  for (size_t i = 0; i < 4; ++i) CHECK(within_sampling(o, i, 0.25));
}

TEST_CASE("simulation: the same seed gives the same result, another seed another") {
  for (std::string_view name : balancer_names()) {
    Setup s = setup(std::string(name), {weighing(1), weighing(2), weighing(3)}, 20, 100);
    const Outcome a = simulate(s), b = simulate(s);
    CHECK(a.picks == b.picks);
    CHECK(a.mean_ms == b.mean_ms);
    s.seed = 2;
    CHECK(simulate(s).mean_ms != a.mean_ms);
  }
}

TEST_CASE("simulation: latency and performance leave a target that slows down within seconds and come back when it recovers") {
  for (const char* strategy : {"latency", "performance"}) {
    std::vector<Target> targets(4);
    Setup s = setup(strategy, targets, 900, 50);
    s.events.push_back({120, [](std::vector<Target>& t) { t[0].first_token_ms *= 10, t[0].per_token_ms *= 10; }});
    s.events.push_back({300, [](std::vector<Target>& t) { t[0].first_token_ms /= 10, t[0].per_token_ms /= 10; }});
    const Outcome o = simulate(s);
    row("one of four slow, 120 s to 300 s", s, o);
    CHECK(o.share(0, 30, 120) == Approx(0.25).margin(0.06));
    CHECK(o.share(0, 135, 300) < 0.02);           // gone 15 s after: the first slow answers take 14 s to arrive
    CHECK(o.share(0, 600, 900) == Approx(0.25).margin(0.08));
  }
}

TEST_CASE("simulation: nobody herds: a new or recovered target is not flooded") {
  for (const char* strategy : {"least_busy", "latency", "performance"}) {
    std::vector<Target> targets(10);
    for (Target& t : targets) t.room = 40;
    Setup s = setup(strategy, targets, 400, 100);
    s.events.push_back({60, [](std::vector<Target>& t) { t[3].first_token_ms = 20000; }});
    s.events.push_back({150, [](std::vector<Target>& t) { t[3].first_token_ms = 400; }});
    const Outcome o = simulate(s);
    row("one of ten away and back", s, o);
    // 100/s for 1.4 s are 140 in flight, 14 each.
    for (size_t slice = 150; slice < o.slices.size(); ++slice) CHECK(o.slices[slice].most[3] <= 60);
    for (size_t i = 0; i < 10; ++i) {
      if (i != 3) CHECK(o.most[i] <= 60);
    }
  }
  // At the start nothing is known of anybody.
  Setup s = setup("latency", std::vector<Target>(50), 3, 1000);
  const Outcome o = simulate(s);
  row("fifty unknown, all at once", s, o);
  for (int64_t most : o.most) CHECK(most <= 90);  // 1400 in flight over 50
}

TEST_CASE("simulation: two choices keep the longest queue short where random choice does not") {
  std::vector<Target> targets(20);
  Setup s = setup("least_busy", targets, 60, 500);
  const Outcome two = simulate(s);
  row("twenty alike", s, two);
  s.strategy = "random";
  const Outcome any = simulate(s);
  row("twenty alike", s, any);
  CHECK(*std::max_element(two.most.begin(), two.most.end()) < 45);  // 35 each
  CHECK(*std::max_element(any.most.begin(), any.most.end()) > 48);
}

TEST_CASE("simulation: performance avoids a target that fails fast, latency alone does not") {
  std::vector<Target> targets(3);
  targets[0].fails = 0.6;
  targets[0].first_token_ms = 200;
  Setup s = setup("performance", targets, 300, 50);
  const Outcome performance = simulate(s);
  row("one of three fails at once", s, performance);
  s.strategy = "latency";
  const Outcome latency = simulate(s);
  row("one of three fails at once", s, latency);
  CHECK(performance.share(0, 60, 300) < 0.2);
  CHECK(latency.share(0, 60, 300) > 2 * performance.share(0, 60, 300));
  CHECK(performance.failed < latency.failed / 2);
}

TEST_CASE("simulation: cost takes the cheapest, pareto what is cheap or quick") {
  std::vector<Target> targets(4);
  targets[0].cost_nano_usd = 100, targets[0].first_token_ms = 2000;
  targets[1].cost_nano_usd = 1000, targets[1].first_token_ms = 100;
  targets[2].cost_nano_usd = 1000, targets[2].first_token_ms = 4000;
  targets[3].cost_nano_usd = -1;
  Setup s = setup("cost", targets, 60, 50);
  const Outcome cost = simulate(s);
  row("four prices", s, cost);
  CHECK(cost.picks[0] == cost.requests);
  s.strategy = "pareto";
  const Outcome pareto = simulate(s);
  row("four prices", s, pareto);
  CHECK(pareto.share(0, 20, 60) == Approx(0.5).margin(0.1));
  CHECK(pareto.share(1, 20, 60) == Approx(0.5).margin(0.1));
  CHECK(pareto.share(2, 20, 60) < 0.02);
}
