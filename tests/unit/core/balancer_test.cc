#include <cmath>
#include <map>

#include "catch.h"
#include "core/random.h"
#include "llmrouter/route.h"

using namespace llmrouter;

namespace {

std::vector<BalancerTarget> targets(std::vector<int> weights, std::vector<int> priorities = {}) {
  std::vector<BalancerTarget> out;
  for (size_t i = 0; i < weights.size(); ++i) {
    out.push_back({static_cast<uint32_t>(i), weights[i], priorities.empty() ? 1 : priorities[i], 0});
  }
  return out;
}

std::map<uint32_t, int> firsts(Balancer& balancer, const std::vector<BalancerTarget>& seats, int picks) {
  std::map<uint32_t, int> count;
  core::Random random(42);
  for (int i = 0; i < picks; ++i) {
    auto copy = seats;
    balancer.order(copy.data(), copy.size(), random.next());
    ++count[copy[0].index];
    std::vector<bool> there(seats.size());
    for (const auto& t : copy) there[t.index] = true;
    for (bool b : there) REQUIRE(b);
  }
  return count;
}

}  // namespace

TEST_CASE("weighted: first places are shared by weight, within sampling error") {
  auto seats = targets({1, 2, 7, 0});
  auto balancer = make_balancer("weighted", seats);
  const int n = 20000;
  auto count = firsts(*balancer, seats, n);
  for (auto [index, share] : std::map<uint32_t, double>{{0, 0.1}, {1, 0.2}, {2, 0.7}}) {
    const double sigma = std::sqrt(n * share * (1 - share));
    CHECK(std::abs(count[index] - n * share) < 5 * sigma);
  }
  CHECK(count[3] == 0);
}

TEST_CASE("round_robin: the turns of who is out are shared by the weights of the others") {
  const std::vector<int> weights = GENERATE(as<std::vector<int>>(), std::vector<int>{1, 1, 1}, std::vector<int>{5, 3, 2}, std::vector<int>{2, 1, 1, 4}, std::vector<int>{1, 0, 3});
  const auto seats = targets(weights);
  const bool rests = GENERATE(false, true);  // it is found out only when its turn has come
  for (size_t gone = 0; gone < weights.size(); ++gone) {
    auto balancer = make_balancer("round_robin", seats);
    std::map<uint32_t, int> count;
    int left = 0;
    const int picks = 3000;
    for (size_t i = 0; i < weights.size(); ++i) left += i == gone ? 0 : weights[i];
    for (int i = 0; i < picks; ++i) {
      auto there = seats;
      if (!rests) there.erase(there.begin() + static_cast<std::ptrdiff_t>(gone));
      balancer->order(there.data(), there.size(), 0);
      ++count[there[there[0].index == gone].index];
    }
    for (size_t i = 0; i < weights.size(); ++i) {
      if (i != gone) CHECK(std::abs(count[static_cast<uint32_t>(i)] - picks * weights[i] / left) <= picks / 50);
    }
  }
}

TEST_CASE("round_robin: any sum-of-weights picks in a row give each target exactly its weight") {
  auto seats = targets({5, 1, 1, 0});
  auto balancer = make_balancer("round_robin", seats);
  std::vector<uint32_t> picks;
  for (int i = 0; i < 70; ++i) {
    auto copy = seats;
    balancer->order(copy.data(), copy.size(), 0);
    picks.push_back(copy[0].index);
    CHECK(copy.back().index == 3);
  }
  for (size_t start = 0; start + 7 <= picks.size(); ++start) {
    std::map<uint32_t, int> count;
    for (size_t i = start; i < start + 7; ++i) ++count[picks[i]];
    CHECK(count[0] == 5);
    CHECK(count[1] == 1);
    CHECK(count[2] == 1);
  }
}

TEST_CASE("priority: the lowest number first, by weight within it") {
  auto seats = targets({1, 3, 1, 1}, {2, 1, 3, 1});
  auto balancer = make_balancer("priority", seats);
  auto count = firsts(*balancer, seats, 4000);
  CHECK(count[0] == 0);
  CHECK(count[2] == 0);
  CHECK(std::abs(count[1] - 3000) < 150);
  auto copy = seats;
  balancer->preview(copy.data(), copy.size(), 1);
  CHECK(copy[2].index == 0);
  CHECK(copy[3].index == 2);
}

TEST_CASE("preview changes nothing, the same seed gives the same order") {
  auto seats = targets({1, 2, 3});
  for (std::string_view name : balancer_names()) {
    auto balancer = make_balancer(name, seats);
    auto a = seats, b = seats, c = seats;
    balancer->preview(a.data(), a.size(), 9);
    balancer->preview(b.data(), b.size(), 9);
    balancer->order(c.data(), c.size(), 9);
    for (size_t i = 0; i < seats.size(); ++i) {
      CHECK(a[i].index == b[i].index);
      CHECK(a[i].index == c[i].index);
    }
  }
  CHECK(make_balancer("magic", seats) == nullptr);
}

namespace {

const TimePoint kNow{std::chrono::seconds(5000)};

BalancerRequest request(uint64_t seed, uint64_t affinity = 0) {
  BalancerRequest r(seed);
  r.now = kNow;
  r.expected_output = 100;
  r.affinity = affinity;
  return r;
}

void measured(TargetStats& stats, int first_ms, int each_ms, TimePoint at = kNow) {
  AttemptSample s;
  s.first_token = std::chrono::milliseconds(first_ms);
  s.total = std::chrono::milliseconds(first_ms + 10 * each_ms);
  s.output_tokens = 11;
  stats.started();
  stats.ended(s, at);
}

uint32_t first(const Balancer& balancer, std::vector<BalancerTarget> seats, const BalancerRequest& r) {
  balancer.preview(seats.data(), seats.size(), r);
  return seats[0].index;
}

}  // namespace

TEST_CASE("random: every target as often as every other, whatever its weight, but for 0") {
  auto seats = targets({1, 5, 100, 0});
  auto balancer = make_balancer("random", seats);
  const int n = 9000;
  auto count = firsts(*balancer, seats, n);
  for (uint32_t i = 0; i < 3; ++i) CHECK(std::abs(count[i] - n / 3) < 250);
  CHECK(count[3] == 0);
}

TEST_CASE("least_busy: of two the one with less in flight for its weight; shares by weight while nobody is busy") {
  auto seats = targets({1, 4});
  auto balancer = make_balancer("least_busy", seats);
  auto idle = firsts(*balancer, seats, 10000);
  CHECK(std::abs(idle[1] - 8000) < 250);
  seats[0].in_flight = 1;
  seats[1].in_flight = 3;
  for (uint64_t seed = 0; seed < 50; ++seed) CHECK(first(*balancer, seats, seed) == 1);
  seats[1].in_flight = 5;
  for (uint64_t seed = 0; seed < 50; ++seed) CHECK(first(*balancer, seats, seed) == 0);
}

TEST_CASE("latency: faster first, times what is in flight; the unmeasured once") {
  auto seats = targets({1, 1});
  TargetStats slow, fast;
  measured(slow, 400, 20);
  measured(fast, 500, 5);
  seats[0].stats = &slow;
  seats[1].stats = &fast;
  auto balancer = make_balancer("latency", seats);
  for (uint64_t seed = 0; seed < 20; ++seed) CHECK(first(*balancer, seats, request(seed)) == 1);  // 2400 ms against 1000
  BalancerRequest brief = request(1);
  brief.expected_output = 1;
  CHECK(first(*balancer, seats, brief) == 0);
  seats[1].in_flight = 2;  // 3 x 1000
  CHECK(first(*balancer, seats, request(1)) == 0);
  TargetStats unknown;
  seats[1].stats = &unknown;
  seats[1].in_flight = 0;
  CHECK(first(*balancer, seats, request(1)) == 1);
  seats[1].in_flight = 1;  // somebody finds out already
  CHECK(first(*balancer, seats, request(1)) == 0);
}

TEST_CASE("performance: a fast target that fails half the time loses to a slower one that does not") {
  auto seats = targets({1, 1});
  TargetStats flaky, steady;
  measured(flaky, 100, 5);
  measured(steady, 150, 6);
  AttemptSample bad;
  bad.ok = false;
  for (int i = 0; i < 6; ++i) {
    flaky.started();
    flaky.ended(bad, kNow);
  }
  seats[0].stats = &flaky;
  seats[1].stats = &steady;
  CHECK(first(*make_balancer("latency", seats), seats, request(1)) == 0);
  for (uint64_t seed = 0; seed < 20; ++seed) CHECK(first(*make_balancer("performance", seats), seats, request(seed)) == 1);
}

TEST_CASE("cost: the cheapest, equals by weight, unpriced behind, weight 0 last") {
  auto seats = targets({1, 1, 3, 1, 0});
  seats[0].cost_nano_usd = 500;
  seats[1].cost_nano_usd = 200;
  seats[2].cost_nano_usd = 200;
  seats[4].cost_nano_usd = 1;
  auto balancer = make_balancer("cost", seats);
  CHECK(balancer->wants_cost());
  auto count = firsts(*balancer, seats, 4000);
  CHECK(count[1] + count[2] == 4000);
  CHECK(std::abs(count[2] - 3000) < 150);
  auto copy = seats;
  balancer->preview(copy.data(), copy.size(), 3);
  CHECK(copy[2].index == 0);
  CHECK(copy[3].index == 3);
  CHECK(copy[4].index == 4);
}

TEST_CASE("pareto: only what nobody beats in everything stands in front, and that by weight") {
  auto seats = targets({1, 1, 1, 1});
  TargetStats quick, slow, same, best;
  measured(quick, 100, 5);
  measured(slow, 1000, 50);
  measured(same, 1001, 50);
  measured(best, 1000, 50);
  seats[0].stats = &quick, seats[0].cost_nano_usd = 900;   // dear and quick
  seats[1].stats = &slow, seats[1].cost_nano_usd = 100;    // cheap and slow
  seats[2].stats = &same, seats[2].cost_nano_usd = 300;    // dearer and no quicker than 1: out
  seats[3].stats = &best, seats[3].cost_nano_usd = 950, seats[3].quality = 90;  // better answers
  auto balancer = make_balancer("pareto", seats);
  std::map<uint32_t, int> count;
  for (uint64_t seed = 0; seed < 3000; ++seed) ++count[first(*balancer, seats, request(seed * 7919))];
  CHECK(count[2] == 0);
  for (uint32_t i : {0u, 1u, 3u}) CHECK(std::abs(count[i] - 1000) < 150);
  auto copy = seats;
  balancer->preview(copy.data(), copy.size(), request(5));
  CHECK(copy[3].index == 2);
}

TEST_CASE("hash: stable, by weight, and a target that goes moves only what it had") {
  auto seats = targets({1, 2, 1, 4});
  for (auto& s : seats) s.id = stable_hash("provider-" + std::to_string(s.index) + "/m");
  auto balancer = make_balancer("hash", seats);
  std::map<uint32_t, int> count;
  auto fewer = seats;
  fewer.erase(fewer.begin() + 1);
  for (int i = 0; i < 8000; ++i) {
    const uint64_t who = stable_hash("user-" + std::to_string(i));
    const uint32_t there = first(*balancer, seats, request(static_cast<uint64_t>(i), who));
    CHECK(first(*balancer, seats, request(1, who)) == there);  // not the seed's doing
    if (there != 1) CHECK(first(*balancer, fewer, request(2, who)) == there);
    ++count[there];
  }
  CHECK(std::abs(count[0] - 1000) < 150);
  CHECK(std::abs(count[1] - 2000) < 200);
  CHECK(std::abs(count[3] - 4000) < 250);
}

TEST_CASE("stable_hash is what it was: plans and affinities hold over releases") {
  CHECK(stable_hash("openai/gpt-4o") == stable_hash("openai/gpt-4o"));
  CHECK(stable_hash("a") != stable_hash("b"));
  CHECK(stable_hash(std::string_view("a\0", 2)) != stable_hash("a"));
  CHECK(stable_hash("") != 0);
}

TEST_CASE("every strategy gives an order of all, whatever the count and in whatever order they came") {
  for (std::string_view name : balancer_names()) {
    for (size_t n : {1u, 2u, 63u, 64u, 65u, 1000u}) {
      std::vector<BalancerTarget> seats;
      for (size_t i = 0; i < n; ++i) {
        BalancerTarget t;
        t.index = static_cast<uint32_t>(i);
        t.weight = static_cast<int>(i % 5);
        t.priority = static_cast<int>(i % 3);
        t.in_flight = static_cast<int64_t>(i % 7);
        t.cost_nano_usd = i % 4 == 0 ? -1 : static_cast<int64_t>(i % 11);
        t.quality = static_cast<int>(i % 2);
        t.id = i + 1;
        seats.push_back(t);
      }
      auto balancer = make_balancer(name, seats);
      auto ordered = seats;
      balancer->order(ordered.data(), n, request(n, 77));
      std::vector<bool> seen(n);
      bool weightless = false;
      for (const auto& t : ordered) {
        CHECK_FALSE(seen[t.index]);
        seen[t.index] = true;
        if (name == "priority") continue;
        if (weightless) CHECK(t.weight == 0);
        weightless = weightless || t.weight == 0;
      }
    }
  }
}
