// Usage records replayed through the decisions of a configuration.
#include "llmrouter/simulate.h"

#include <algorithm>
#include <map>

#include "core/random.h"
#include "core/resolve.h"
#include "core/router_impl.h"
#include "core/wishes.h"

namespace llmrouter {
namespace {

using core::Candidate;

std::string target_name(std::string_view provider, std::string_view model) { return std::string(provider).append("/").append(model); }

// What the records say of a target.
struct Past {
  int64_t attempts = 0, ok = 0;
  int64_t ok_ms = 0, first_ms = 0, firsts = 0;
  double success() const noexcept { return attempts == 0 ? 1.0 : static_cast<double>(ok) / static_cast<double>(attempts); }
  int64_t latency_ms() const noexcept { return ok == 0 ? 0 : ok_ms / ok; }
};

bool counts(const UsageRecord& r) {
  return r.endpoint == "chat" && !r.requested_model.empty() && r.status != CallStatus::kCancelled && r.status != CallStatus::kLimited;
}

// Rules find no content: it was not recorded.
struct NoContent final : core::RuleContent {
  const ChatRequest* chat() override { return nullptr; }
};

class Replay {
 public:
  Replay(uint64_t seed, const Config& config, std::shared_ptr<const Catalog> catalog, std::shared_ptr<KeyStore> keys)
      : seed_(seed), catalog_(std::move(catalog)), keys_(std::move(keys)), most_(std::max(1, config.routing.attempts)) {}

  void learn(const UsageRecord& r) {
    for (const AttemptRecord& a : r.attempts) {
      if (a.outcome == "skipped" || a.outcome == "cancelled") continue;
      Past& past = past_[target_name(a.provider, a.model)];
      ++past.attempts;
      all_.attempts++;
      if (a.outcome != "ok") continue;
      ++past.ok, ++all_.ok;
      past.ok_ms += a.duration_ms, all_.ok_ms += a.duration_ms;
      if (r.first_token_ms > 0) past.first_ms += r.first_token_ms, ++past.firsts;
    }
  }

  Result<void> run(const Config& config, const std::vector<UsageRecord>& records) {
    if (!keys_) keys_ = make_memory_key_store(clock_);
    if (auto set = keys_->set_file_keys(config.keys); !set) return set;
    RouterParts parts;
    parts.dialects = builtin_dialects();
    RateLimiter limiter(clock_, nullptr);
    core::Registry registry;
    auto built = core::build_snapshot(config, parts, catalog_, limiter, registry);
    if (!built) return std::move(built).error();
    overlay_.overrides.store(std::make_shared<core::Overrides>());
    overlay_.gate.fix(config.routing.toggle.enabled);
    const WallTime first = records.empty() ? WallTime{} : records.front().time;
    uint64_t number = 0;
    for (const UsageRecord& r : records) {
      const TimePoint now = TimePoint(std::chrono::hours(1)) + std::chrono::duration_cast<Duration>(r.time - first);
      replay(**built, r, now, core::Random(seed_ + ++number * 0x632be59bd9b4e019ull).next());
    }
    return {};
  }

  Simulation result(int64_t skipped) {
    out_.skipped = skipped;
    if (out_.before.ok > 0) out_.before.latency_ms = before_ms_ / out_.before.ok;
    if (out_.after.ok > 0) out_.after.latency_ms = after_ms_ / out_.after.ok;
    for (auto& [name, share] : shares_) {
      share.target = name;
      out_.targets.push_back(std::move(share));
    }
    return std::move(out_);
  }

 private:
  void replay(const core::Snapshot& snap, const UsageRecord& r, TimePoint now, uint64_t draw) {
    ++out_.replayed;
    const bool was_ok = r.status == CallStatus::kOk;
    const std::string was = r.provider.empty() ? std::string() : target_name(r.provider, r.model);
    (was_ok ? out_.before.ok : out_.before.failed)++;
    out_.before.cost_nano_usd += r.cost_nano_usd;
    if (was_ok) {
      before_ms_ += r.latency_ms;
      if (r.price.empty()) ++out_.before.unpriced;
      SimulationShare& share = shares_[was];
      ++share.before;
      share.cost_before += r.cost_nano_usd;
    }
    std::vector<Candidate> candidates;
    core::Random random(draw);
    if (!plan(snap, r, now, random.next(), candidates)) {
      ++out_.after.refused;
      return;
    }
    int64_t spent_ms = 0;
    int attempts = 0;
    for (size_t i = 0; i < candidates.size() && attempts < most_; ++i) {
      if (candidates[i].out) continue;
      ++attempts;
      if (attempt(snap, r, candidates[i], now, random.unit(), spent_ms, was)) return;
    }
    ++out_.after.failed;
  }

  // True when it answered.
  bool attempt(const core::Snapshot& snap, const UsageRecord& r, Candidate& c, TimePoint now, double chance, int64_t& spent_ms, const std::string& was) {
    const std::string name = target_name(c.provider->config.name, c.model);
    const auto found = past_.find(name);
    const Past& past = found != past_.end() ? found->second : all_;
    const bool ok = found == past_.end() || chance < past.success();
    const int64_t took = past.latency_ms();
    tell(c, past, r, ok, took, now);
    spent_ms += took;
    if (!ok) return false;
    if (found == past_.end()) ++out_.guessed;
    ++out_.after.ok;
    after_ms_ += spent_ms;
    SimulationShare& share = shares_[name];
    ++share.after;
    if (name != was) ++out_.moved;
    std::optional<PriceRow> price;
    if (snap.catalog) price = snap.catalog->price(c.provider->config.name, c.provider->config.type, c.model, r.usage.input, r.time);
    if (!price) {
      ++out_.after.unpriced;
      return true;
    }
    const int64_t cost = cost_nano_usd(r.usage, *price);
    share.cost_after += cost;
    out_.after.cost_nano_usd += cost;
    return true;
  }

  // The strategies' statistics, as a call would have left them.
  static void tell(Candidate& c, const Past& past, const UsageRecord& r, bool ok, int64_t took, TimePoint now) {
    if (c.stats == nullptr) return;
    AttemptSample sample;
    sample.ok = ok;
    sample.total = std::chrono::milliseconds(took);
    if (r.stream && past.firsts > 0) sample.first_token = std::chrono::milliseconds(std::min(took, past.first_ms / past.firsts));
    sample.input_tokens = r.usage.input;
    sample.cached_tokens = r.usage.cached;
    sample.output_tokens = r.usage.output;
    c.stats->started();
    c.stats->ended(sample, now);
  }

  bool plan(const core::Snapshot& snap, const UsageRecord& r, TimePoint now, uint64_t draw, std::vector<Candidate>& candidates) {
    std::shared_ptr<const KeyRecord> key;
    if (!r.key.empty()) {
      if (auto found = keys_->get(r.key)) key = *found;
    }
    RequestFacts facts;
    facts.model = r.requested_model;
    facts.stream = r.stream;
    facts.user = r.user;
    facts.input_tokens = r.usage.input;
    RouteRequest wishes;
    std::string model = r.requested_model, forced;
    NoContent content;
    core::Direction direction;
    if (!core::direct(overlay_, snap, key.get(), {}, r.time, content, {model, facts, wishes, forced}, direction)) return false;
    auto resolved = core::resolve_wish(snap, model, forced, wishes, key.get());
    if (!resolved) return false;
    core::Ask ask;
    if (!wishes.empty()) ask.wishes = &wishes;
    ask.key = key.get();
    ask.input_tokens = r.usage.input;
    ask.seed = draw;
    ask.now = now;
    ask.wall = r.time;
    ask.affinity = core::affinity_of(snap.config.routing.affinity.by, key.get(), facts, {}, nullptr, {});
    if (!core::append_first(snap, *resolved, model, ask, candidates)) return false;
    core::Fallbacks fallbacks;
    if (resolved->route != nullptr) fallbacks.visited(resolved->route);
    while (fallbacks.append(snap, ask, candidates)) {
    }
    return true;
  }

  const uint64_t seed_;
  std::shared_ptr<const Catalog> catalog_;
  std::shared_ptr<KeyStore> keys_;
  const int most_;
  ManualClock clock_;
  core::Overlay overlay_;
  std::map<std::string, Past> past_;
  Past all_;
  std::map<std::string, SimulationShare> shares_;
  Simulation out_;
  int64_t before_ms_ = 0, after_ms_ = 0;
};

}  // namespace

Result<Simulation> simulate(const Config& config, std::vector<UsageRecord> records, std::shared_ptr<const Catalog> catalog,
                            std::shared_ptr<KeyStore> keys, uint64_t seed) {
  const auto end = std::remove_if(records.begin(), records.end(), [](const UsageRecord& r) { return !counts(r); });
  const int64_t skipped = records.end() - end;
  records.erase(end, records.end());
  std::sort(records.begin(), records.end(), [](const UsageRecord& a, const UsageRecord& b) { return a.time != b.time ? a.time < b.time : a.id < b.id; });
  Replay replay(seed, config, std::move(catalog), std::move(keys));
  for (const UsageRecord& r : records) replay.learn(r);
  if (auto ran = replay.run(config, records); !ran) return std::move(ran).error();
  return replay.result(skipped);
}

}  // namespace llmrouter
