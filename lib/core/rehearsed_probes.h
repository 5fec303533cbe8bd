// Probes of providers (health.probe) in a rehearsal's virtual time.
#ifndef LLMROUTER_CORE_REHEARSED_PROBES_H_
#define LLMROUTER_CORE_REHEARSED_PROBES_H_

#include <cstdint>
#include <vector>

#include "core/snapshot.h"
#include "llmrouter/limits.h"

namespace llmrouter::core {

struct Acting;
class Stage;

// As probes.cc asks: each provider every `interval`, the first time somewhere within it.
class RehearsedProbes {
 public:
  // `snapshot` and the others must outlive it.
  RehearsedProbes(const Snapshot& snapshot, RateLimiter& limiter, Stage& stage, TimePoint now, uint64_t seed);
  TimePoint next() const noexcept { return next_; }  // when something is due; TimePoint::max(): never
  void pass(TimePoint now);         // what is due then

 private:
  struct Round {
    const ProviderRuntime* provider;
    std::vector<const RouteTarget*> targets;  // null: the list of models
    TimePoint due;
  };
  struct Probe {
    const ProviderRuntime* provider;
    const RouteTarget* target;
    TimePoint ends;
    int status;
    bool whole;
    Reservation reservation;
  };
  void find_next() noexcept;
  void ask(const ProviderRuntime& provider, const RouteTarget* target, TimePoint now);
  const Snapshot& snapshot_;
  RateLimiter& limiter_;
  Stage& stage_;
  std::vector<Round> rounds_;
  std::vector<Probe> probes_;  // under way
  TimePoint next_ = TimePoint::max();
};

}  // namespace llmrouter::core

#endif  // LLMROUTER_CORE_REHEARSED_PROBES_H_
