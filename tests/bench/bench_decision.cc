// What one routing decision costs over so many targets: CPU and allocations, of the decision itself (rules, resolving the name, ordering the
// candidates) and of Router::explain, which tells it in words.
//
//   bench_decision [--targets 50] [--rounds 100000] [--strategy weighted] [--rules none|plain|content] [--affinity no|yes]
//                  [--prompt 4096] [--hostile no|yes]
//
// Every target has a price and a past. `plain`: fifty rules over model, tags, tokens and key, none of which holds; `content`: the same fifty with
// an expression each, looked for in a prompt of so many bytes; `hostile`: one that has all their words and nearly matches everywhere, so that each of them is tried. `affinity`: requests of a hundred users, each of whom has a home.
#include <memory>
#include <optional>

#include "alloc_count.h"
#include "core/overlay.h"
#include "core/resolve.h"
#include "core/wishes.h"
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

// None of them holds.
std::vector<RuleConfig> rules_of(const std::string& kind) {
  std::vector<RuleConfig> rules;
  for (int i = 0; kind != "none" && i < 50; ++i) {
    RuleConfig rule;
    rule.name = "rule-" + std::to_string(i);
    rule.priority = i;
    if (kind == "content") rule.when.content = "(?i)\\b(stack trace|refactor|migrate to) number " + std::to_string(i) + "\\b";
    else if (i % 4 == 0) rule.when.model = {"gpt-4*", "claude-*", "model-" + std::to_string(i)};
    else if (i % 4 == 1) rule.when.tag = {"tag-" + std::to_string(i)};
    else if (i % 4 == 2) rule.when.tokens_over = 100000 + i;
    else rule.when.key = {"team-" + std::to_string(i) + "-*"};
    rule.use.model = "bench";
    rules.push_back(std::move(rule));
  }
  return rules;
}

// A past for each target: some thirty answers, a few of them failed.
void teach(core::Registry& registry, const Config& config, TimePoint now) {
  int n = 0;
  for (const TargetConfig& target : config.models.front().targets) {
    TargetStats& stats = registry.target(target.provider, target.model)->stats;
    for (int i = 0; i < 30; ++i) {
      AttemptSample sample;
      sample.ok = ++n % 29 != 0;
      sample.first_token = std::chrono::milliseconds(200 + n * 37 % 400);
      sample.total = sample.first_token + std::chrono::milliseconds(1000 + n * 53 % 1000);
      sample.input_tokens = 1000;
      sample.cached_tokens = n % 500;
      sample.output_tokens = 100 + n % 100;
      stats.started();
      stats.ended(sample, now - std::chrono::seconds(30 - i));
    }
    if (n % 3 != 0) stats.started();
  }
}

struct Prompt final : core::RuleContent {
  Prompt(size_t bytes, bool hostile) {
    Message message;
    message.role = Role::kUser;
    std::string text;
    if (hostile) {
      for (int i = 0; i < 50; ++i) text += "stack trace number " + std::to_string(i) + "x refactor number " + std::to_string(i) + "x migrate to number " + std::to_string(i) + "x ";
    }
    while (text.size() < bytes) text += hostile ? "Stack trace number STACK TRACE number refactor number migrate to number " : "please look at what this function does when its input is empty, and tell me why. ";
    text.resize(bytes);
    message.parts.push_back(Part::of_text(std::move(text)));
    chat_.messages.push_back(std::move(message));
  }
  Result<bool> tell_texts(TextSink& sink) override { return llmrouter::tell_texts(chat_, sink); }

 private:
  ChatRequest chat_;
};

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
  Config config = config_of(targets, arguments.word("strategy", "weighted"));
  config.routing.rules = rules_of(arguments.word("rules", "none"));
  config.routing.rule_text = 64 << 20;
  const bool affinity = arguments.word("affinity", "no") == "yes";
  if (affinity) config.routing.affinity.by = {"user"};

  const TimePoint now = system_clock().now();
  RouterParts parts;
  RateLimiter limiter(system_clock());
  core::Registry registry;
  parts.dialects = builtin_dialects();
  PriceEntry price;
  price.match = "*";
  price.row.input = 150000;
  price.row.output = 600000;
  teach(registry, config, now);
  const auto catalog = make_catalog({price});
  auto snapshot = core::build_snapshot(config, parts, catalog, limiter, registry);
  auto router = Router::create(config);
  if (!snapshot || !router) {
    std::fprintf(stderr, "bench_decision: %s\n", (!snapshot ? snapshot.error() : router.error()).message.c_str());
    return 1;
  }
  const core::Snapshot& snap = **snapshot;

  uint64_t seed = 1;
  size_t seen = 0;
  core::Overlay overlay;
  Prompt prompt(static_cast<size_t>(arguments.number("prompt", 4096)), arguments.word("hostile", "no") == "yes");
  RequestFacts facts;
  facts.model = "bench";
  facts.input_tokens = 1000;
  facts.max_tokens = 500;
  std::vector<std::string> users;
  for (int i = 0; i < 100; ++i) users.push_back("user-" + std::to_string(i));
  RouteRequest wishes;
  std::string model = "bench", forced;
  const std::vector<HttpHeader> headers;
  std::vector<core::Candidate> candidates;
  const Cost decision = measure(rounds, [&] {
    candidates.clear();
    model = facts.model;
    core::Direction direction;
    if (!core::direct(overlay, snap, nullptr, headers, WallTime{}, prompt, {model, facts, wishes, forced}, direction) || direction.rule != nullptr) std::abort();
    auto resolved = core::resolve_wish(snap, model, forced, wishes, nullptr);
    core::Ask ask;
    ask.seed = ++seed;
    ask.now = now;
    ask.input_tokens = facts.input_tokens;
    ask.max_output = *facts.max_tokens;
    if (affinity) {
      facts.user = users[seed % users.size()];
      ask.affinity = core::affinity_of(snap.config.routing.affinity.by, nullptr, facts, {}, nullptr, headers);
      const uint64_t session = stable_hash(resolved->route->name, ask.affinity);
      ask.home = snap.affinity->find(session, now);
      core::append_first(snap, *resolved, model, ask, candidates);
      snap.affinity->put(session, candidates.front().id, now + std::chrono::minutes(5));
    } else {
      core::append_first(snap, *resolved, model, ask, candidates);
    }
    seen += candidates.size();
  });
  const Cost explain = measure(rounds / 10 + 1, [&] { seen += (*router)->explain("bench")->steps.size(); });
  if (seen == 0) return 1;
  std::printf("{\"targets\":%ld,\"decision_ns\":%.0f,\"decision_allocations\":%.2f,\"explain_ns\":%.0f,\"explain_allocations\":%.2f}\n", targets,
              decision.ns, decision.allocations, explain.ns, explain.allocations);
  return 0;
}
