#include "unit/sim/town.h"

#include <algorithm>
#include <cmath>

namespace llmrouter::sim {

using core::Acting;

Town::Town(int models, int each, const std::string& strategy) : models_(models), each_(each), begin_(clock_.now()) {
  for (int m = 0; m < models; ++m) {
    ModelConfig model;
    model.name = "m" + std::to_string(m);
    model.strategy = strategy;
    names_.push_back(model.name);
    for (int t = 0; t < each; ++t) {
      ProviderConfig provider;
      provider.name = "p" + std::to_string(m * each + t);
      provider.base_url = "http://" + provider.name + ".test/v1";
      provider.models.override_ = {"x"};
      config.providers.push_back(provider);
      model.targets.push_back({provider.name, "x", 1, 1});
    }
    config.models.push_back(std::move(model));
  }
  asked_.resize(static_cast<size_t>(target_count()));
  answered_.resize(asked_.size());
  most_.resize(asked_.size());
}

Town::~Town() { finish(); }

void Town::build() {
  RouterParts parts;
  parts.dialects = builtin_dialects();
  auto snapshot = core::build_snapshot(config, parts, nullptr, limiter_, registry_).value();
  for (size_t i = 0; i < snapshot->providers.size(); ++i) places_[snapshot->providers[i].get()] = static_cast<uint32_t>(i);
  overlay_.overrides.store(std::make_shared<core::Overrides>());
  rehearsal_ = std::make_unique<core::Rehearsal>(std::move(snapshot), overlay_, limiter_, clock_, *this, 5);
}

double Town::now_s() const { return static_cast<double>((clock_.now() - begin_).count()) / 1e9; }

Second& Town::second() {
  const auto at = static_cast<size_t>(now_s());
  if (seconds_.size() <= at) seconds_.resize(at + 1);
  return seconds_[at];
}

void Town::live(double until_s, double per_second) {
  if (!rehearsal_) build();
  double next = now_s();
  for (;;) {
    next -= std::log(random_.unit()) / per_second;
    if (next >= until_s) break;
    rehearsal_->pass(begin_ + Duration(static_cast<int64_t>(next * 1e9)));
    ++second().calls;
    ++total_.calls;
    core::RehearsedCall call;
    call.model = names_[random_.next() % names_.size()];
    if (!keys.empty()) call.key = keys[random_.next() % keys.size()];
    call.stream = true;
    call.usage.input = 1000;
    call.usage.output = 100;
    call.max_output = 100;
    rehearsal_->arrive(std::move(call), clock_.wall());
  }
  rehearsal_->pass(begin_ + Duration(static_cast<int64_t>(until_s * 1e9)));
}

void Town::finish() {
  if (rehearsal_) rehearsal_->finish();
}

Acting Town::usual(core::Random& random, double ms) {
  const double normal = std::sqrt(-2 * std::log(random.unit())) * std::cos(6.283185307179586 * random.unit());
  Acting acting;
  acting.total = Duration(static_cast<int64_t>(ms * 1e6 * std::exp(0.2 * normal)));
  acting.first_token = acting.total / 4;
  return acting;
}

Acting Town::act(const core::RehearsedCall&, const core::Candidate& c, int credential, TimePoint) {
  Attempt attempt;
  attempt.target = places_.at(c.provider);
  attempt.credential = credential;
  attempt.at_s = now_s();
  attempt.in_flight = c.stats().in_flight();
  ++asked_[attempt.target];
  most_[attempt.target] = std::max(most_[attempt.target], attempt.in_flight);
  if (seen) seen(attempt);
  const Acting acting = behave ? behave(attempt, random_) : usual(random_);
  Second& now = second();
  ++now.attempts;
  ++total_.attempts;
  if (acting.code != ErrorCode::kNone) ++now.broken, ++total_.broken;
  return acting;
}

Acting Town::probed(const core::ProviderRuntime& provider, const core::RouteTarget*, int credential, TimePoint) {
  Attempt attempt;
  attempt.target = places_.at(&provider);
  attempt.credential = credential;
  attempt.at_s = now_s();
  ++probes_;
  return behave ? behave(attempt, random_) : usual(random_);
}

void Town::ended(const core::EndedCall& e) {
  most_attempts_ = std::max(most_attempts_, e.attempts);
  switch (e.how) {
    case core::Ending::kAnswered:
      ++answered_[places_.at(e.by->provider)];
      ++total_ok_;
      latency_ms_ += e.took.count() / 1000000;
      break;
    case core::Ending::kLimited: ++second().limited, ++total_.limited; break;
    default: ++second().failed, ++total_.failed; break;
  }
}

Second Town::between(double from_s, double to_s) const {
  Second sum;
  for (auto i = static_cast<size_t>(from_s); i < seconds_.size() && static_cast<double>(i) < to_s; ++i) {
    sum.calls += seconds_[i].calls;
    sum.failed += seconds_[i].failed;
    sum.limited += seconds_[i].limited;
    sum.attempts += seconds_[i].attempts;
    sum.broken += seconds_[i].broken;
  }
  return sum;
}

}  // namespace llmrouter::sim
