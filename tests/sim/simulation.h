// A simulation of a strategy over many targets: virtual time, seeded, no threads. The same arguments give the same result.
//
// Requests arrive as a Poisson process and each goes to the target that the strategy puts first. A target serves any number at once; its first token
// and its tokens take log-normal times around what is set, times a factor once more is in flight than it has room for. Ends are told to the
// target's statistics as a Router does.
#ifndef LLMROUTER_TESTS_SIM_SIMULATION_H_
#define LLMROUTER_TESTS_SIM_SIMULATION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "llmrouter/route.h"

namespace llmrouter::sim {

struct Target {
  int weight = 1;
  int priority = 1;
  int quality = 0;
  double first_token_ms = 400;
  double per_token_ms = 10;
  double fails = 0;           // share of requests
  double fail_ms = 20;        // how long a failure takes
  int64_t room = 1 << 30;     // in flight; beyond it times grow in proportion
  int64_t cost_nano_usd = -1;
};

struct Event {
  double at_s = 0;
  std::function<void(std::vector<Target>&)> change;
};

struct Setup {
  std::string strategy = "weighted";
  std::vector<Target> targets;
  std::vector<Event> events;  // by time
  double seconds = 60;
  double per_second = 100;
  int64_t output_tokens = 100;
  double jitter = 0.2;        // sigma of the log-normal factor; 0: none
  uint64_t seed = 1;
  double bucket_s = 1;        // of the time series
  std::function<uint64_t(uint64_t draw)> affinity;  // of each request; unset: none
};

struct Slice {
  std::vector<int64_t> picks;       // of each target
  std::vector<int64_t> most;        // in flight at once
};

struct Outcome {
  int64_t requests = 0, failed = 0;
  std::vector<int64_t> picks;
  std::vector<int64_t> most;        // in flight at once
  std::vector<Slice> slices;
  double mean_ms = 0, p99_ms = 0;
  int64_t cost_nano_usd = 0;
  double share(size_t target) const { return requests == 0 ? 0 : static_cast<double>(picks[target]) / static_cast<double>(requests); }
  // Of the requests within [from, to) seconds.
  double share(size_t target, double from_s, double to_s, double bucket_s = 1) const;
};

Outcome simulate(const Setup& setup);

}  // namespace llmrouter::sim

#endif  // LLMROUTER_TESTS_SIM_SIMULATION_H_
