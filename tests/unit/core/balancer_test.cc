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
