// The strategies: weighted, round_robin, priority.
#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <memory>

#include "core/random.h"
#include "core/room.h"
#include "llmrouter/route.h"

namespace llmrouter {
namespace {

// Weighted order without replacement (Efraimidis and Spirakis 2006, "Weighted random sampling with a reservoir", A-ES): each target draws
// -ln(u)/weight and the smallest goes first. Weight 0 goes last.
void weighted_order(BalancerTarget* targets, size_t count, uint64_t seed) {
  if (count < 2) return;
  // A key and, in its last bits, a place: positive doubles are in the order of their bits, and the weightless stay in theirs.
  const int bits = std::bit_width(count - 1);
  const uint64_t mask = (uint64_t{1} << bits) - 1;
  core::Room<uint64_t, 1024> keys(count);  // more targets are worth an allocation
  core::Room<BalancerTarget, 1024> before(count);
  core::Random random(seed);
  for (size_t i = 0; i < count; ++i) {
    const double key = targets[i].weight > 0 ? -std::log(random.unit()) / targets[i].weight : HUGE_VAL;
    keys.add((std::bit_cast<uint64_t>(key) & ~mask) | i);
    before.add(targets[i]);
  }
  std::sort(keys.begin(), keys.end());
  for (uint64_t key : keys) *targets++ = before.data()[key & mask];
}

class WeightedBalancer final : public Balancer {
 public:
  std::string_view name() const noexcept override { return "weighted"; }
  void order(BalancerTarget* targets, size_t count, uint64_t seed) override { weighted_order(targets, count, seed); }
  void preview(BalancerTarget* targets, size_t count, uint64_t seed) const override { weighted_order(targets, count, seed); }
};

class PriorityBalancer final : public Balancer {
 public:
  std::string_view name() const noexcept override { return "priority"; }
  void order(BalancerTarget* targets, size_t count, uint64_t seed) override { preview(targets, count, seed); }
  void preview(BalancerTarget* targets, size_t count, uint64_t seed) const override {
    // Unlike std::stable_sort this allocates nothing.
    std::sort(targets, targets + count,
              [](const BalancerTarget& a, const BalancerTarget& b) { return a.priority != b.priority ? a.priority < b.priority : a.index < b.index; });
    for (size_t begin = 0; begin < count;) {
      size_t end = begin + 1;
      while (end < count && targets[end].priority == targets[begin].priority) ++end;
      weighted_order(targets + begin, end - begin, seed + begin);
      begin = end;
    }
  }
};

// Smooth weighted round robin. Its sequence repeats after `sum of weights` picks, so the picks are worked out once and a counter walks
// over them: no lock, and exact shares at any concurrency.
class RoundRobinBalancer final : public Balancer {
 public:
  explicit RoundRobinBalancer(const std::vector<BalancerTarget>& targets) {
    int64_t total = 0;
    int divisor = 0;
    for (const BalancerTarget& t : targets) divisor = gcd(divisor, t.weight);
    std::vector<int64_t> weights, current(targets.size(), 0);
    for (const BalancerTarget& t : targets) {
      weights.push_back(divisor == 0 ? 0 : t.weight / divisor);
      total += weights.back();
    }
    constexpr int64_t kLongest = 100000;  // of the period; weights beyond it are rounded down to fit
    if (total > kLongest) {
      int64_t scaled = 0;
      for (int64_t& w : weights) scaled += (w = w > 0 ? std::max<int64_t>(1, w * kLongest / total) : 0);
      total = scaled;
    }
    for (int64_t pick = 0; pick < total; ++pick) {
      size_t best = 0;
      for (size_t i = 0; i < weights.size(); ++i) {
        current[i] += weights[i];
        if (current[i] > current[best] || weights[best] == 0) best = i;
      }
      current[best] -= total;
      sequence_.push_back(targets[best].index);
    }
  }
  std::string_view name() const noexcept override { return "round_robin"; }
  void order(BalancerTarget* targets, size_t count, uint64_t) override {
    if (!sequence_.empty()) place(targets, count, next_.fetch_add(1, std::memory_order_relaxed));
  }
  void preview(BalancerTarget* targets, size_t count, uint64_t) const override {
    if (!sequence_.empty()) place(targets, count, next_.load(std::memory_order_relaxed));
  }

 private:
  static int gcd(int a, int b) { return b == 0 ? a : gcd(b, a % b); }
  // The picked one first, the others in their own order after it, the weightless last.
  void place(BalancerTarget* targets, size_t count, uint64_t turn) const {
    const uint32_t pick = sequence_[turn % sequence_.size()];
    size_t at = 0;
    while (at < count && targets[at].index != pick) ++at;
    if (at < count) std::rotate(targets, targets + at, targets + count);
    size_t end = 0;
    for (size_t i = 0; i < count; ++i) {
      if (targets[i].weight > 0) std::swap(targets[end++], targets[i]);
    }
  }
  std::vector<uint32_t> sequence_;
  std::atomic<uint64_t> next_{0};
};

}  // namespace

std::unique_ptr<Balancer> make_balancer(std::string_view name, const std::vector<BalancerTarget>& targets) {
  if (name == "weighted") return std::make_unique<WeightedBalancer>();
  if (name == "priority") return std::make_unique<PriorityBalancer>();
  if (name == "round_robin") return std::make_unique<RoundRobinBalancer>(targets);
  return nullptr;
}

std::vector<std::string_view> balancer_names() { return {"weighted", "round_robin", "priority"}; }

}  // namespace llmrouter
