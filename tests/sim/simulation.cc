#include "sim/simulation.h"

#include <algorithm>
#include <cmath>
#include <queue>

#include "core/random.h"

namespace llmrouter::sim {
namespace {

struct Ending {
  int64_t at_ns;
  uint32_t target;
  bool ok;
  float first_ms, total_ms;
};
struct Later {
  bool operator()(const Ending& a, const Ending& b) const { return a.at_ns > b.at_ns; }
};

class Run {
 public:
  explicit Run(const Setup& setup) : setup_(setup), targets_(setup.targets), random_(setup.seed * 0x9e3779b97f4a7c15ull + 1), stats_(targets_.size()) {
    for (size_t i = 0; i < targets_.size(); ++i) {
      BalancerTarget seat;
      seat.index = static_cast<uint32_t>(i);
      seat.weight = targets_[i].weight;
      seat.priority = targets_[i].priority;
      seat.quality = targets_[i].quality;
      seat.id = stable_hash("target-" + std::to_string(i));
      seat.stats = &stats_[i];
      seat.cost_nano_usd = targets_[i].cost_nano_usd;
      seats_.push_back(seat);
    }
    balancer_ = make_balancer(setup.strategy, seats_);
    out_.picks.resize(targets_.size());
    out_.most.resize(targets_.size());
    order_ = seats_;
  }

  Outcome run() {
    size_t event = 0;
    const auto end = static_cast<int64_t>(setup_.seconds * 1e9);
    for (int64_t now = next_arrival(0); now < end; now = next_arrival(now)) {
      while (event < setup_.events.size() && setup_.events[event].at_s * 1e9 <= static_cast<double>(now)) setup_.events[event++].change(targets_);
      settle(now);
      arrive(now);
    }
    settle(INT64_MAX);
    if (!latencies_.empty()) {
      double sum = 0;
      for (float ms : latencies_) sum += ms;
      out_.mean_ms = sum / static_cast<double>(latencies_.size());
      auto at = latencies_.begin() + static_cast<ptrdiff_t>(latencies_.size() * 99 / 100);
      std::nth_element(latencies_.begin(), at, latencies_.end());
      out_.p99_ms = *at;
    }
    return std::move(out_);
  }

 private:
  int64_t next_arrival(int64_t now) { return now + 1 + static_cast<int64_t>(-std::log(random_.unit()) / setup_.per_second * 1e9); }

  double jitter() {
    if (setup_.jitter <= 0) return 1;
    const double normal = std::sqrt(-2 * std::log(random_.unit())) * std::cos(6.283185307179586 * random_.unit());
    return std::exp(setup_.jitter * normal);
  }

  void settle(int64_t until) {
    while (!endings_.empty() && endings_.top().at_ns <= until) {
      const Ending e = endings_.top();
      endings_.pop();
      AttemptSample s;
      s.ok = e.ok;
      s.total = Duration(static_cast<int64_t>(e.total_ms * 1e6f));
      if (e.ok) {
        s.first_token = Duration(static_cast<int64_t>(e.first_ms * 1e6f));
        s.output_tokens = setup_.output_tokens;
        s.input_tokens = 100;
      }
      stats_[e.target].ended(s, TimePoint(Duration(e.at_ns + kEpoch)));
    }
  }

  void arrive(int64_t now) {
    BalancerRequest request(random_.next());
    request.now = TimePoint(Duration(now + kEpoch));
    request.input_tokens = 100;
    request.expected_output = setup_.output_tokens;
    if (setup_.affinity) request.affinity = setup_.affinity(random_.next());
    order_ = seats_;
    for (BalancerTarget& seat : order_) seat.in_flight = stats_[seat.index].in_flight();
    balancer_->order(order_.data(), order_.size(), request);
    serve(order_[0].index, now);
  }

  void serve(uint32_t i, int64_t now) {
    const Target& t = targets_[i];
    stats_[i].started();
    const int64_t flights = stats_[i].in_flight();
    ++out_.requests;
    ++out_.picks[i];
    out_.most[i] = std::max(out_.most[i], flights);
    const auto slice = static_cast<size_t>(static_cast<double>(now) / 1e9 / setup_.bucket_s);
    while (out_.slices.size() <= slice) out_.slices.push_back({std::vector<int64_t>(targets_.size()), std::vector<int64_t>(targets_.size())});
    ++out_.slices[slice].picks[i];
    out_.slices[slice].most[i] = std::max(out_.slices[slice].most[i], flights);
    const double crowd = std::max(1.0, static_cast<double>(flights) / static_cast<double>(t.room));
    const bool ok = t.fails <= 0 || random_.unit() >= t.fails;
    const double first = ok ? t.first_token_ms * crowd * jitter() : t.fail_ms;
    const double total = ok ? first + t.per_token_ms * crowd * jitter() * static_cast<double>(setup_.output_tokens - 1) : t.fail_ms;
    if (ok) {
      latencies_.push_back(static_cast<float>(total));
      if (t.cost_nano_usd > 0) out_.cost_nano_usd += t.cost_nano_usd;
    } else {
      ++out_.failed;
    }
    endings_.push({now + static_cast<int64_t>(total * 1e6), i, ok, static_cast<float>(first), static_cast<float>(total)});
  }

  static constexpr int64_t kEpoch = 1'000'000'000'000;  // a clock that has been running for a while
  const Setup& setup_;
  std::vector<Target> targets_;
  core::Random random_;
  std::vector<TargetStats> stats_;
  std::vector<BalancerTarget> seats_, order_;
  std::unique_ptr<Balancer> balancer_;
  std::priority_queue<Ending, std::vector<Ending>, Later> endings_;
  std::vector<float> latencies_;
  Outcome out_;
};

}  // namespace

double Outcome::share(size_t target, double from_s, double to_s, double bucket_s) const {
  int64_t mine = 0, all = 0;
  for (size_t i = static_cast<size_t>(from_s / bucket_s); i < slices.size() && static_cast<double>(i) * bucket_s < to_s; ++i) {
    for (size_t t = 0; t < slices[i].picks.size(); ++t) {
      all += slices[i].picks[t];
      if (t == target) mine += slices[i].picks[t];
    }
  }
  return all == 0 ? 0 : static_cast<double>(mine) / static_cast<double>(all);
}

Outcome simulate(const Setup& setup) { return Run(setup).run(); }

}  // namespace llmrouter::sim
