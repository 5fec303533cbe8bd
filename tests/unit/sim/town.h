// A town of models and providers, its traffic and its bad days, played by the engine behind simulate(): what decides is the library's, what the
// upstreams do is the scenario's.
#ifndef LLMROUTER_TESTS_UNIT_SIM_TOWN_H_
#define LLMROUTER_TESTS_UNIT_SIM_TOWN_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/rehearsal.h"

namespace llmrouter::sim {

// What happened in a second.
struct Second {
  int32_t calls = 0, failed = 0, limited = 0, attempts = 0, broken = 0;  // broken: attempts that failed
};

struct Attempt {
  uint32_t target = 0;     // its place in the town: model * targets of a model + target
  int credential = -1;
  double at_s = 0;
  int64_t in_flight = 0;   // there, this one too
};

class Town final : public core::Stage {
 public:
  // `models` models of `each` targets, all of a provider of its own ("p0", "p1", ...).
  Town(int models, int each, const std::string& strategy);
  ~Town();

  Config config;  // may be changed until the first live()
  // What an upstream does; the usual: it answers within some 400 ms.
  std::function<core::Acting(const Attempt&, core::Random&)> behave;
  std::function<void(const Attempt&)> seen;  // each attempt; may be empty
  std::vector<std::shared_ptr<const KeyRecord>> keys;  // who calls, in turn by chance; empty: nobody

  // Poisson arrivals at `per_second` until `until_s`, each at a model by chance.
  void live(double until_s, double per_second);
  void finish();

  double now_s() const;
  int target_count() const { return models_ * each_; }
  const std::vector<Second>& seconds() const { return seconds_; }
  Second between(double from_s, double to_s) const;
  const std::vector<int64_t>& asked() const { return asked_; }      // attempts of each target
  const std::vector<int64_t>& answered() const { return answered_; }
  const std::vector<int64_t>& most() const { return most_; }        // in flight at once
  int64_t latency_ms() const { return total_.calls == 0 ? 0 : latency_ms_ / std::max<int64_t>(1, total_ok_); }
  const Second& total() const { return total_; }
  int64_t probes() const { return probes_; }
  int most_attempts() const { return most_attempts_; }              // of one call
  static core::Acting usual(core::Random& random, double ms = 400);

 private:
  void build();
  core::Acting act(const core::RehearsedCall& call, const core::Candidate& c, int credential, TimePoint now) override;
  core::Acting probed(const core::ProviderRuntime& provider, const core::RouteTarget* target, int credential, TimePoint now) override;
  void ended(const core::EndedCall& e) override;
  Second& second();

  const int models_, each_;
  std::vector<std::string> names_;  // of models
  ManualClock clock_;
  RateLimiter limiter_{clock_, nullptr};
  core::Registry registry_;
  core::Overlay overlay_;
  core::Random random_{11};
  std::unordered_map<const core::ProviderRuntime*, uint32_t> places_;
  std::unique_ptr<core::Rehearsal> rehearsal_;
  TimePoint begin_{};
  std::vector<Second> seconds_;
  std::vector<int64_t> asked_, answered_, most_;
  Second total_;
  int64_t latency_ms_ = 0, total_ok_ = 0, probes_ = 0;
  int most_attempts_ = 0;
};

}  // namespace llmrouter::sim

#endif  // LLMROUTER_TESTS_UNIT_SIM_TOWN_H_
