// Usage records replayed through the decisions of a configuration.
#include "llmrouter/simulate.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>

#include "core/past.h"
#include "core/rehearsal.h"
#include "core/wishes.h"

namespace llmrouter {
namespace {

// What a database says need not be true: sums end at the highest number.
void add(int64_t more, int64_t& sum) noexcept {
  if (__builtin_add_overflow(sum, std::max<int64_t>(more, 0), &sum)) sum = INT64_MAX;
}

using core::Acting;
using core::Candidate;
using core::refusal_of;
using core::target_name;

bool counts(const UsageRecord& r) { return r.endpoint == "chat" && !r.requested_model.empty() && r.status != CallStatus::kCancelled; }

// Why a target was not asked for a request, counted.
class Idle {
 public:
  void note(std::string_view why) {
    const auto found = std::find_if(counts_.begin(), counts_.end(), [&](const auto& c) { return c.first == why; });
    if (found == counts_.end()) counts_.emplace_back(why, 1);
    else ++found->second;
  }
  // What dominated; empty: nothing was noted.
  std::pair<std::string_view, int64_t> most() const {
    const auto found = std::max_element(counts_.begin(), counts_.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    return found == counts_.end() ? std::pair<std::string_view, int64_t>() : *found;
  }

 private:
  std::vector<std::pair<std::string_view, int64_t>> counts_;  // static texts
};

// Why a candidate of a call that has ended did not answer it.
std::string_view why_not(const core::EndedCall& e, size_t i) {
  const Candidate& c = e.plan[i];
  if (&c == e.dropped) return "another attempt was faster";
  if (c.tried > 0) return "its attempts failed";
  if (c.out && c.reason >= StepReason::kNotAllowed && c.reason != StepReason::kCoolingDown) return step_reason_text(c.reason);
  const core::Passed passed = i < e.passed.size() ? e.passed[i] : core::Passed::kNot;
  if (passed == core::Passed::kLimited) return "a limit of it, or of its provider or credentials, had no room";
  if (passed == core::Passed::kResting || c.reason == StepReason::kCoolingDown) return "it rested after failures";
  if (e.how == core::Ending::kLimited) return "a limit of the key or model refused its requests";
  if (e.how == core::Ending::kFailed) return "attempts were used up before its turn";
  if (c.reason == StepReason::kFallback) return "a fallback, never needed";
  return c.reason == StepReason::kLastResort ? "weight 0, never needed" : "others came first, and answered";
}

// Why who answered a request before is not even in its plan.
std::string_view why_absent(const core::EndedCall& e) {
  if (e.direction.by == "switch") return "the routing switch sent its requests elsewhere";
  if (e.direction.by == "override" || e.direction.by == "session") return "an override or a session sent its requests elsewhere";
  if (e.direction.by == "rule") return e.how == core::Ending::kRefused ? "a rule refused its requests" : "a rule sent its requests elsewhere";
  return e.plan.empty() ? "what its requests asked for is not there, or not allowed" : "it is no target of what its requests asked for";
}

// Rules of which a part asks for what is not recorded, without that part.
class Unknowable {
 public:
  explicit Unknowable(const core::RuleSet* rules) : rules_(rules) {
    if (rules == nullptr) return;
    for (const core::Rule& rule : rules->rules()) {
      core::Rule rest = rule;
      RuleConfig::When& when = rest.config.when;
      const auto seen = std::remove_if(when.has.begin(), when.has.end(), [](const std::string& thing) { return thing != "stream"; });
      const bool asks = !when.content.empty() || !when.header.empty() || !when.tag.empty() || seen != when.has.end();
      when.has.erase(seen, when.has.end());
      when.header.clear();
      when.tag.clear();
      when.content.clear();
      core::RuleSet alone;
      if (asks) alone.add(std::move(rest));
      left_.push_back(std::move(alone));
    }
  }
  // Might one of them have decided?
  bool might_decide(const core::RuleInput& request) const {
    if (rules_ == nullptr) return false;
    core::NoContent none;
    const core::Rule* decides = rules_->find(request, none).value();
    for (size_t i = 0; i < left_.size() && &rules_->rules()[i] != decides; ++i) {
      if (left_[i].find(request, none).value() != nullptr) return true;
    }
    return false;
  }

 private:
  const core::RuleSet* rules_;
  std::vector<core::RuleSet> left_;  // empty: all of it can be told
};

class Replay final : core::Stage {
 public:
  Replay(const Config& config, const std::vector<UsageRecord>& records, const SimulationParts& parts)
      : config_(config), records_(records), parts_(parts), clock_(records.empty() ? WallTime{} : records.front().time), limiter_(clock_, nullptr) {}

  Result<Simulation> run(int64_t skipped) {
    for (const UsageRecord& r : records_) learn(r);
    past_.order();
    if (auto ready = prepare(); !ready) return std::move(ready).error();
    core::Rehearsal rehearsal(snapshot_, overlay_, limiter_, clock_, *this, parts_.seed);
    const Unknowable unknowable(snapshot_->rules.get());
    const TimePoint first = clock_.now();
    for (const UsageRecord& r : records_) {
      rehearsal.pass(first + std::chrono::duration_cast<Duration>(r.time - records_.front().time));
      tell_before(r);
      core::RehearsedCall call = call_of(r);
      if (is_uncertain(unknowable, r, call)) ++out_.uncertain;
      rehearsal.arrive(std::move(call), r.time);
    }
    rehearsal.finish();
    return result(skipped);
  }

 private:
  void learn(const UsageRecord& r) {
    past_.learn(r);
    if (r.status != CallStatus::kOk) return;
    Mean& mean = means_[r.requested_model];
    ++mean.count;
    mean.input += r.usage.input, mean.cached += r.usage.cached, mean.output += r.usage.output;
  }

  Result<void> prepare() {
    std::shared_ptr<KeyStore> keys = parts_.keys ? parts_.keys : make_memory_key_store(clock_);
    if (auto set = keys->set_file_keys(config_.keys); !set) return set;
    for (const auto& key : keys->list()) keys_.emplace(key->id, key);
    core::Stored stored;
    stored.overrides = std::make_shared<core::Overrides>();
    if (parts_.state) stored = core::read_stored(*parts_.state, [this](const StateEntry&, const Error&) { ++out_.unreadable; });
    RouterParts parts;
    parts.dialects = builtin_dialects();
    auto built = core::build_snapshot(config_, parts, parts_.catalog, limiter_, registry_, stored.rules);
    if (!built) return std::move(built).error();
    snapshot_ = std::move(*built);
    out_.switch_enabled = stored.changes.empty() ? config_.routing.toggle.enabled : stored.changes.back().enabled;
    out_.default_model = snapshot_->default_model;
    overlay_.gate.fix(out_.switch_enabled);
    overlay_.any_override.store(!stored.overrides->empty());
    overlay_.overrides.store(std::move(stored.overrides));
    return {};
  }

  void tell_before(const UsageRecord& r) {
    ++out_.replayed;
    const bool was_ok = r.status == CallStatus::kOk;
    const bool refused = r.status == CallStatus::kError && r.attempts.empty() && r.http_status >= 400 && r.http_status < 500;
    (was_ok ? out_.before.ok : r.status == CallStatus::kLimited ? out_.before.limited : refused ? out_.before.refused : out_.before.failed)++;
    add(r.cost_nano_usd, out_.before.cost_nano_usd);
    if (!was_ok) return;
    before_ms_ += r.latency_ms;
    if (r.price.empty()) ++out_.before.unpriced;
    SimulationShare& share = shares_[target_name(r.provider, r.model)];
    ++share.before;
    add(r.cost_nano_usd, share.cost_before);
  }

  core::RehearsedCall call_of(const UsageRecord& r) {
    core::RehearsedCall call;
    call.model = model_of(r);
    call.user = r.user;
    call.stream = r.stream;
    call.usage = r.usage;
    call.number = static_cast<uint64_t>(&r - records_.data());
    if (const auto found = keys_.find(r.key); found != keys_.end()) call.key = found->second;
    if (call.key) call.max_output = call.key->spec.params.max_tokens;  // as a request gets it that names none
    if (r.status == CallStatus::kLimited || was_refused(r)) estimate(r.requested_model, call.usage);
    if (call.max_output) {  // its answer ends there
      call.usage.output = std::min(call.usage.output, *call.max_output);
      call.usage.reasoning = std::min(call.usage.reasoning, call.usage.output);
    }
    return call;
  }

  // A bare name that was found in a provider's list, which a configuration need not say, is that provider's.
  std::string_view model_of(const UsageRecord& r) {
    const bool listed = r.decision.find("offered by one provider") != std::string::npos || r.decision.find("?proxy=provider") != std::string::npos;
    if (!listed || r.provider.empty() || r.model != r.requested_model) return r.requested_model;
    return *whole_names_.insert(target_name(r.provider, r.model)).first;
  }
  static bool has_wishes(const UsageRecord& r) { return r.decision.find(core::kAsksForTargets) != std::string::npos; }

  void estimate(const std::string& model, TokenUsage& usage) {
    ++out_.estimated;
    const auto mean = means_.find(model);
    if (mean == means_.end()) return;
    usage.input = mean->second.input / mean->second.count;
    usage.cached = mean->second.cached / mean->second.count;
    usage.output = mean->second.output / mean->second.count;
  }

  bool is_uncertain(const Unknowable& unknowable, const UsageRecord& r, const core::RehearsedCall& call) const {
    if (r.error_code == code_name(ErrorCode::kParameterNotAllowed) && call.key && limits_params(call.key->spec.params)) return true;
    if (call.max_output && r.usage.output > *call.max_output) return true;  // it was cut short there, or refused for having asked for more
    if (!overlay_.gate.enabled(r.time) && !snapshot_->default_model.empty()) return false;
    if (r.decision.compare(0, 7, "session") == 0 || has_wishes(r)) return true;
    RequestFacts facts;
    facts.stream = call.stream;
    facts.user = call.user;
    facts.input_tokens = call.usage.input;
    const RouteRequest wishes;
    const std::vector<HttpHeader> headers;
    const auto overrides = overlay_.overrides.load();
    const auto overridden = call.key ? overrides->find(call.key->id) : overrides->end();
    const std::string_view model = overridden != overrides->end() ? std::string_view(overridden->second) : call.model;
    return unknowable.might_decide({model, &facts, &wishes, call.key.get(), &headers, r.time, snapshot_.get()});
  }

  static bool limits_params(const ParamLimits& p) { return p.max_tokens || p.min_temperature || p.max_temperature || (p.tools && !*p.tools); }

  // Nobody answered it, for its length or its content, and so nobody counted it.
  static bool was_refused(const UsageRecord& r) {
    if (r.status == CallStatus::kOk || r.usage.input > 0 || r.attempts.empty()) return false;
    const ErrorCode code = refusal_of(r, r.attempts.back());
    return code == ErrorCode::kContextLengthExceeded || code == ErrorCode::kContentPolicy;
  }

  // Does what was said of a request in an attempt hold for a candidate? A window is the model's, wherever it runs, a policy the provider's.
  static bool refuses(ErrorCode code, const AttemptRecord& a, const Candidate& c) {
    switch (code) {
      case ErrorCode::kNone: return false;
      case ErrorCode::kContextLengthExceeded: return a.model == c.model;
      case ErrorCode::kContentPolicy: return a.provider == c.provider->config.name;
      default: return true;
    }
  }

  Acting act(const core::RehearsedCall& call, const Candidate& c, int credential, TimePoint) override {
    const UsageRecord& r = records_[call.number];
    for (const AttemptRecord& a : r.attempts) {
      const ErrorCode code = refusal_of(r, a);
      if (!refuses(code, a, c)) continue;
      Acting refused;
      refused.code = code;
      refused.total = std::chrono::milliseconds(std::max<int64_t>(0, a.duration_ms));
      return refused;
    }
    core::Random random(parts_.seed * 0x9e3779b97f4a7c15ull + ++acts_);
    return past_.draw(c.provider->config.name, c.model, name_of(*c.provider, credential), clock_.wall(), random);
  }

  Acting probed(const core::ProviderRuntime& p, const core::RouteTarget* target, int credential, TimePoint) override {
    core::Random random(parts_.seed * 0xd1342543de82ef95ull + ++probes_);
    if (target == nullptr) return past_.draw_reach(p.config.name, clock_.wall(), random);
    return past_.draw(p.config.name, target->model, name_of(p, credential), clock_.wall(), random);
  }

  static std::string_view name_of(const core::ProviderRuntime& p, int credential) {
    return credential < 0 ? std::string_view() : p.credentials[static_cast<size_t>(credential)].config->name;
  }

  void ended(const core::EndedCall& e) override {
    note_idle(e);
    if (e.hedged) count_hedge(e);
    switch (e.how) {
      case core::Ending::kAnswered: break;
      case core::Ending::kFailed: ++out_.after.failed; return;
      case core::Ending::kRefused: ++out_.after.refused; return;
      case core::Ending::kLimited: ++out_.after.limited; return;
    }
    const UsageRecord& r = records_[e.call.number];
    const std::string name = target_name(e.by->provider->config.name, e.by->model);
    if (!past_.knows(name)) ++out_.guessed;
    ++out_.after.ok;
    after_ms_ += std::chrono::duration_cast<std::chrono::milliseconds>(e.took).count();
    ++shares_[name].after;
    if (r.provider.empty() || name != target_name(r.provider, r.model)) ++out_.moved;
    if (!charge(*e.by, e.call.usage, r.time)) ++out_.after.unpriced;
  }

  void count_hedge(const core::EndedCall& e) {
    ++out_.hedged;
    if (e.hedge_won) ++out_.hedges_won;
    if (e.dropped == nullptr) return;  // one of the two had failed before
    TokenUsage read;
    read.input = e.call.usage.input;
    charge(*e.dropped, read, records_[e.call.number].time);
  }

  // False: no price is known.
  bool charge(const Candidate& c, const TokenUsage& usage, WallTime time) {
    std::optional<PriceRow> price;
    if (parts_.catalog) price = parts_.catalog->price(c.provider->config.name, c.provider->config.type, c.model, usage.input, time);
    if (!price) return false;
    const int64_t cost = cost_nano_usd(usage, *price);
    add(cost, shares_[target_name(c.provider->config.name, c.model)].cost_after);
    add(cost, out_.after.cost_nano_usd);
    return true;
  }

  void note_idle(const core::EndedCall& e) {
    const UsageRecord& r = records_[e.call.number];
    bool planned = false;
    for (size_t i = 0; i < e.plan.size(); ++i) {
      const Candidate& c = e.plan[i];
      planned = planned || (c.provider->config.name == r.provider && c.model == r.model);
      if (&c == e.by) continue;
      idle_of(c).note(why_not(e, i));
    }
    if (!planned && r.status == CallStatus::kOk) idle_[target_name(r.provider, r.model)].note(why_absent(e));
  }

  Idle& idle_of(const Candidate& c) {
    if (c.owned) return idle_[target_name(c.provider->config.name, c.model)];
    Idle*& known = idle_by_id_[c.id];
    if (known == nullptr) known = &idle_[target_name(c.provider->config.name, c.model)];
    return *known;
  }

  // Only what this configuration asks for: who has none of it need not wonder.
  void tell_not_played() {
    auto tell = [this](bool is, const char* words) {
      if (is) out_.not_played.emplace_back(words);
    };
    const RoutingConfig& routing = config_.routing;
    const auto silent = [&](const auto& p) { return p->timeouts.idle > Duration(0) && past_.may_hold_silence(p->config.name, p->timeouts.idle); };
    const auto limited = [](const auto& k) { return limits_params(k.second->spec.params); };
    const auto& by = routing.affinity.by;
    const auto belongs = [&](const char* word) { return std::find(by.begin(), by.end(), word) != by.end(); };
    tell(std::any_of(keys_.begin(), keys_.end(), limited),
         "refusals by params of keys: what a request asked for is not recorded, so each is taken to name no max_tokens and to get the key's");
    tell(std::any_of(snapshot_->providers.begin(), snapshot_->providers.end(), silent),
         "silences within answers that came to their end (timeouts.idle): some took long enough to hold one, and records do not say where");
    tell(std::any_of(records_.begin(), records_.end(), has_wishes),
         "what requests asked of routing themselves (route, provider, models, headers, ?proxy=): it is not recorded, only that there was something; those chats are uncertain");
    tell(routing.queue.max_wait > Duration(0), "turns of keys in the queue: who waits longest comes first");
    tell(routing.continue_on_cut, "answers that another target goes on with (continue_on): what broke off has failed");
    tell(belongs("session") || belongs("prefix"), "affinity by session and prefix: neither is recorded");
    const auto hashes = [](const auto& route) { return route->balancer->wants_affinity(); };
    tell(std::any_of(snapshot_->routes.begin(), snapshot_->routes.end(), hashes),
         "the strategy hash by what is not recorded: sessions, beginnings of prompts, a user that a request names though its key has one; it goes by the key's user, else the request's, else the key");
  }

  Simulation result(int64_t skipped) {
    out_.skipped = skipped;
    tell_not_played();
    if (out_.before.ok > 0) out_.before.latency_ms = before_ms_ / out_.before.ok;
    if (out_.after.ok > 0) out_.after.latency_ms = after_ms_ / out_.after.ok;
    for (const auto& [name, idle] : idle_) {
      SimulationShare& share = shares_[name];
      if (share.after == 0) std::tie(share.why, share.why_requests) = idle.most();
    }
    for (auto& [name, share] : shares_) {
      share.target = name;
      out_.targets.push_back(std::move(share));
    }
    return std::move(out_);
  }

  struct Mean {
    int64_t count = 0, input = 0, cached = 0, output = 0;
  };
  const Config& config_;
  const std::vector<UsageRecord>& records_;
  const SimulationParts& parts_;
  ManualClock clock_;
  RateLimiter limiter_;
  core::Registry registry_;
  std::shared_ptr<const core::Snapshot> snapshot_;
  core::Overlay overlay_;
  std::map<std::string, std::shared_ptr<const KeyRecord>, std::less<>> keys_;  // by id
  core::Past past_;
  std::map<std::string, Mean, std::less<>> means_;  // of what was answered, by the model that was asked for
  std::set<std::string> whole_names_;  // that calls name, where their records do not
  uint64_t acts_ = 0, probes_ = 0;
  std::map<std::string, SimulationShare> shares_;
  std::map<std::string, Idle> idle_;                    // by target
  std::unordered_map<uint64_t, Idle*> idle_by_id_;      // of those that are configured
  Simulation out_;
  int64_t before_ms_ = 0, after_ms_ = 0;
};

}  // namespace

Result<Simulation> simulate(const Config& config, std::vector<UsageRecord> records, const SimulationParts& parts) {
  const auto end = std::remove_if(records.begin(), records.end(), [](const UsageRecord& r) { return !counts(r); });
  const int64_t skipped = records.end() - end;
  records.erase(end, records.end());
  std::sort(records.begin(), records.end(), [](const UsageRecord& a, const UsageRecord& b) { return a.time != b.time ? a.time < b.time : a.id < b.id; });
  return Replay(config, records, parts).run(skipped);
}

}  // namespace llmrouter
