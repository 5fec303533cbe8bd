// What one routing decision costs over so many targets: CPU and allocations, of the decision itself (resolving the name and ordering
// the candidates) and of Router::explain, which tells it in words.
//
//   bench_decision [--targets 50] [--rounds 100000] [--strategy weighted]
#include <memory>
#include <optional>

#include "alloc_count.h"
#include "core/resolve.h"
#include "llmrouter/llmrouter.h"
#include "net_util.h"

namespace {

using namespace llmrouter;

int64_t cpu_ns() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return int64_t{t.tv_sec} * 1000000000 + t.tv_nsec;
}

Config config_of(int64_t targets, const std::string& strategy) {
  Config config;
  ModelConfig model;
  model.name = "bench";
  model.strategy = strategy;
  for (int64_t i = 0; i < targets; ++i) {
    ProviderConfig provider;
    provider.name = "provider-" + std::to_string(i);
    provider.base_url = "http://127.0.0.1:9/v1";
    provider.models.override_ = {"model"};
    config.providers.push_back(provider);
    model.targets.push_back({provider.name, "some-model-name-2026-01-01", static_cast<int>(1 + i % 4), static_cast<int>(1 + i % 3)});
  }
  config.models.push_back(model);
  return config;
}

struct Cost {
  double ns = 0, allocations = 0;
};

template <typename F>
Cost measure(int64_t rounds, F&& f) {
  for (int64_t i = 0; i < rounds / 10 + 1; ++i) f();
  const bench::Allocations before = bench::allocations();
  const int64_t began = cpu_ns();
  for (int64_t i = 0; i < rounds; ++i) f();
  const int64_t ended = cpu_ns();
  const auto n = static_cast<double>(rounds);
  return {static_cast<double>(ended - began) / n, static_cast<double>(bench::allocations().count - before.count) / n};
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Arguments arguments(argc, argv);
  const int64_t targets = arguments.number("targets", 50);
  const int64_t rounds = arguments.number("rounds", 100000);
  const Config config = config_of(targets, arguments.word("strategy", "weighted"));

  RouterParts parts;
  RateLimiter limiter(system_clock());
  core::Registry registry;
  parts.dialects = builtin_dialects();
  auto snapshot = core::build_snapshot(config, parts, nullptr, limiter, registry);
  auto router = Router::create(config);
  if (!snapshot || !router) {
    std::fprintf(stderr, "bench_decision: %s\n", (!snapshot ? snapshot.error() : router.error()).message.c_str());
    return 1;
  }

  uint64_t seed = 1;
  size_t seen = 0;
  const TimePoint now = system_clock().now();
  std::vector<core::Candidate> candidates;
  const Cost decision = measure(rounds, [&] {
    candidates.clear();
    auto resolved = core::resolve(**snapshot, "bench", {}, nullptr);
    core::Ask ask;
    ask.seed = ++seed;
    ask.now = now;
    core::append_candidates(**snapshot, *resolved, "bench", ask, candidates);
    seen += candidates.size();
  });
  const Cost explain = measure(rounds / 10 + 1, [&] { seen += (*router)->explain("bench")->steps.size(); });
  if (seen == 0) return 1;
  std::printf("{\"targets\":%ld,\"decision_ns\":%.0f,\"decision_allocations\":%.2f,\"explain_ns\":%.0f,\"explain_allocations\":%.2f}\n", targets,
              decision.ns, decision.allocations, explain.ns, explain.allocations);
  return 0;
}
