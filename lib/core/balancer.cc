// Strategies that know of no load: weighted, random, priority, round_robin, hash. And the list of all.
#include <algorithm>
#include <iterator>
#include <atomic>
#include <bit>
#include <cmath>
#include <memory>

#include "core/balancers.h"
#include "core/random.h"

namespace llmrouter {

using core::weighted_order;

namespace {

class WeightedBalancer final : public Balancer {
 public:
  std::string_view name() const noexcept override { return "weighted"; }
  bool wants_expectations() const noexcept override { return false; }
  void order(BalancerTarget* targets, size_t count, const BalancerRequest& request) override { weighted_order(targets, count, request.seed); }
  void preview(BalancerTarget* targets, size_t count, const BalancerRequest& request) const override { weighted_order(targets, count, request.seed); }
};

// Every order as likely as every other (Fisher and Yates); of the weights only 0 counts.
class RandomBalancer final : public Balancer {
 public:
  std::string_view name() const noexcept override { return "random"; }
  bool wants_expectations() const noexcept override { return false; }
  void order(BalancerTarget* targets, size_t count, const BalancerRequest& request) override { preview(targets, count, request); }
  void preview(BalancerTarget* targets, size_t count, const BalancerRequest& request) const override {
    count = static_cast<size_t>(std::partition(targets, targets + count, [](const BalancerTarget& t) { return t.weight > 0; }) - targets);
    core::Random random(request.seed);
    for (size_t left = count; left > 1; --left) {
      std::swap(targets[left - 1], targets[static_cast<size_t>(random.unit() * static_cast<double>(left))]);
    }
  }
};

// Rendezvous hashing (Thaler and Ravishankar 1998), weighted by -w / ln(u) (Schindelhauer and Schomaker 2005): a target that comes or goes moves
// only what it takes or leaves. Without anything to hash it is `weighted`.
class HashBalancer final : public Balancer {
 public:
  std::string_view name() const noexcept override { return "hash"; }
  bool wants_affinity() const noexcept override { return true; }
  bool wants_expectations() const noexcept override { return false; }
  void order(BalancerTarget* targets, size_t count, const BalancerRequest& request) override { preview(targets, count, request); }
  void preview(BalancerTarget* targets, size_t count, const BalancerRequest& request) const override {
    if (request.affinity == 0) return weighted_order(targets, count, request.seed);
    core::order_by(targets, count, [&](const BalancerTarget& t) {
      if (t.weight <= 0) return HUGE_VAL;
      core::Random random(request.affinity ^ t.id);
      return core::exponential(random) / t.weight;
    });
  }
};

class PriorityBalancer final : public Balancer {
 public:
  std::string_view name() const noexcept override { return "priority"; }
  bool wants_expectations() const noexcept override { return false; }
  void order(BalancerTarget* targets, size_t count, const BalancerRequest& request) override { preview(targets, count, request); }
  void preview(BalancerTarget* targets, size_t count, const BalancerRequest& request) const override {
    // Unlike std::stable_sort this allocates nothing.
    std::sort(targets, targets + count,
              [](const BalancerTarget& a, const BalancerTarget& b) { return a.priority != b.priority ? a.priority < b.priority : a.index < b.index; });
    for (size_t begin = 0; begin < count;) {
      size_t end = begin + 1;
      while (end < count && targets[end].priority == targets[begin].priority) ++end;
      weighted_order(targets + begin, end - begin, request.seed + begin);
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
  bool wants_expectations() const noexcept override { return false; }
  void order(BalancerTarget* targets, size_t count, const BalancerRequest&) override {
    if (!sequence_.empty()) place(targets, count, next_.fetch_add(1, std::memory_order_relaxed));
  }
  void preview(BalancerTarget* targets, size_t count, const BalancerRequest&) const override {
    if (!sequence_.empty()) place(targets, count, next_.load(std::memory_order_relaxed));
  }

 private:
  static int gcd(int a, int b) { return b == 0 ? a : gcd(b, a % b); }
  // The picked one first, then those whose turn it is when he is found to rest, the others in their own order after them, the weightless last.
  void place(BalancerTarget* targets, size_t count, uint64_t turn) const {
    const uint32_t pick = sequence_[turn % sequence_.size()];
    size_t at = 0;
    while (at < count && targets[at].index != pick) ++at;
    if (at == count) at = stand_in(targets, count, turn, kSpread[0]);
    if (at < count) std::rotate(targets, targets + at, targets + count);
    for (size_t k = 1; k < std::min(count, std::size(kSpread)); ++k) {
      const size_t next = k + stand_in(targets + k, count - k, turn, kSpread[k]);
      if (next < count) std::rotate(targets + k, targets + next, targets + next + 1);
    }
    size_t end = 0;
    for (size_t i = 0; i < count; ++i) {
      if (targets[i].weight > 0) std::swap(targets[end++], targets[i]);
    }
  }
  // Whose turn it is is out. His turns are shared by the weights of the others, and not left to who follows him: multiples of the golden ratio fall evenly,
  // also those of every second or fifth turn (Knuth, TAOCP 3, 6.4); where more are out, those of the square roots of 2, 3 and 5.
  static constexpr uint64_t kSpread[] = {0x9e3779b97f4a7c15u, 0x6a09e667f3bcc909u, 0xbb67ae8584caa73bu, 0x3c6ef372fe94f82bu};
  static size_t stand_in(const BalancerTarget* targets, size_t count, uint64_t turn, uint64_t spread) noexcept {
    uint64_t total = 0;
    for (size_t i = 0; i < count; ++i) total += static_cast<uint64_t>(std::max(0, targets[i].weight));
    uint64_t lot = static_cast<uint64_t>((static_cast<unsigned __int128>(turn * spread) * total) >> 64);
    size_t at = 0;
    while (at < count && lot >= static_cast<uint64_t>(std::max(0, targets[at].weight))) lot -= static_cast<uint64_t>(std::max(0, targets[at++].weight));
    return at;
  }
  std::vector<uint32_t> sequence_;
  std::atomic<uint64_t> next_{0};
};

}  // namespace

std::unique_ptr<Balancer> make_balancer(std::string_view name, const std::vector<BalancerTarget>& targets) {
  if (name == "weighted") return std::make_unique<WeightedBalancer>();
  if (name == "random") return std::make_unique<RandomBalancer>();
  if (name == "priority") return std::make_unique<PriorityBalancer>();
  if (name == "round_robin") return std::make_unique<RoundRobinBalancer>(targets);
  if (name == "hash") return std::make_unique<HashBalancer>();
  if (auto learning = core::make_load_balancer(name)) return learning;
  return core::make_cost_balancer(name);
}

std::vector<std::string_view> balancer_names() {
  return {"weighted", "round_robin", "random", "priority", "least_busy", "latency", "performance", "cost", "pareto", "hash"};
}

uint64_t stable_hash(std::string_view text, uint64_t seed) noexcept {
  // FNV-1a over eight bytes at a time, each step finished by SplitMix64's mixer.
  uint64_t hash = seed ^ 0xcbf29ce484222325ull ^ text.size();
  while (!text.empty()) {
    uint64_t word = 0;
    const size_t n = std::min<size_t>(8, text.size());
    for (size_t i = 0; i < n; ++i) word |= uint64_t{static_cast<unsigned char>(text[i])} << (8 * i);
    hash = core::Random(hash ^ word).next();
    text.remove_prefix(n);
  }
  return hash == 0 ? 1 : hash;
}

}  // namespace llmrouter
