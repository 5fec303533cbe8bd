// From what a name stands for to who is asked, in which order.
#include <algorithm>
#include <cmath>
#include <utility>

#include "core/resolve.h"
#include "core/room.h"

namespace llmrouter::core {
namespace {

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool same_word(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

// Its place in a list of providers; the list's size when it is not there.
size_t place_of(const ProviderRuntime& provider, const std::vector<std::string>& list) noexcept {
  return static_cast<size_t>(std::find_if(list.begin(), list.end(), [&](const std::string& name) { return is_called(provider, name); }) - list.begin());
}

bool called_one_of(const ProviderRuntime& provider, const std::vector<std::string>& list) noexcept {
  return place_of(provider, list) < list.size();
}

constexpr int64_t kShortestWindow = 2000;  // no model's is shorter: not worth a lookup

// Of what the request asks for, what this target is not; kStrategy: nothing.
StepReason misfit(const Snapshot& snapshot, const Candidate& c, const RouteTarget* target, const Ask& ask) {
  if (ask.facts != nullptr) {
    Abilities able;
    if (target != nullptr) able = target->able;
    if (able.window == 0 && c.owned && snapshot.catalog && ask.input_tokens > kShortestWindow) {
      able.window = snapshot.catalog->facts(c.provider->config.type, c.model).context_window;
    }
    if (const StepReason lack = missing_ability(able, *ask.facts); lack != StepReason::kStrategy) return lack;
  }
  if (ask.wishes == nullptr) return StepReason::kStrategy;
  const RouteRequest& w = *ask.wishes;
  const ProviderConfig& provider = c.provider->config;
  if (!w.providers.empty() && !called_one_of(*c.provider, w.providers)) return StepReason::kOtherProvider;
  if (called_one_of(*c.provider, w.ignore)) return StepReason::kOtherProvider;
  if (!w.provider_types.empty() && std::find(w.provider_types.begin(), w.provider_types.end(), provider.type) == w.provider_types.end()) {
    return StepReason::kOtherType;
  }
  if (!w.allow_fallbacks && !w.order.empty() && !called_one_of(*c.provider, w.order)) return StepReason::kNoFallbacks;
  const bool named_fallback = ask.fallback && w.fallbacks;  // asked for by name: tags choose the others
  for (const std::string& tag : w.tags) {
    if (!named_fallback && (target == nullptr || std::find(target->tags.begin(), target->tags.end(), tag) == target->tags.end())) return StepReason::kNoTag;
  }
  if (w.max_input_price || w.max_output_price) {
    std::optional<PriceRow> price;
    if (snapshot.catalog) price = snapshot.catalog->price(provider.name, provider.type, c.model, ask.input_tokens, ask.wall);
    if (!price) return StepReason::kNoPrice;
    if (w.max_input_price && price->input > *w.max_input_price) return StepReason::kTooDear;
    if (w.max_output_price && price->output > *w.max_output_price) return StepReason::kTooDear;
  }
  if (w.require_parameters && (ask.dialect == nullptr || !ask.relays || !c.provider->speaks(ask.dialect, c.model))) return StepReason::kCannotExpress;
  return StepReason::kStrategy;
}

constexpr int64_t kUsualOutput = 512;  // tokens of an answer before any was seen

// What answers of these targets are like, within what the request allows.
int64_t expected_output(const BalancerTarget* seats, size_t count, int64_t most) noexcept {
  double sum = 0;
  int known = 0;
  for (size_t i = 0; i < count; ++i) {
    const double tokens = seats[i].stats->output_tokens();
    if (tokens <= 0) continue;
    sum += tokens;
    ++known;
  }
  const int64_t usual = known == 0 ? kUsualOutput : std::max<int64_t>(1, std::llround(sum / known));
  return most > 0 ? std::min(most, usual) : usual;
}

// Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam 2018): nobody gets more than 5/4 of his share of what is in flight; a few
// requests at once, as one session makes them, are never too many.
constexpr int64_t kAlwaysTaken = 4;

bool within_bound(const BalancerTarget* seats, size_t count, const BalancerTarget& home) noexcept {
  if (home.in_flight < kAlwaysTaken) return true;
  int64_t flights = 1, weights = 0;
  for (size_t i = 0; i < count; ++i) {
    flights += seats[i].in_flight;
    weights += seats[i].weight;
  }
  return weights > 0 && 4 * (home.in_flight + 1) * weights <= 5 * flights * home.weight + 4 * weights - 1;
}

// Home goes first; when it has its share, behind all others that are not the last resort.
void place_home(BalancerTarget* seats, size_t count, uint64_t home) {
  for (size_t i = 0; i < count; ++i) {
    if (seats[i].id != home) continue;
    if (seats[i].weight == 0) return;
    if (within_bound(seats, count, seats[i])) {
      std::rotate(seats, seats + i, seats + i + 1);
      return;
    }
    size_t end = count;
    while (seats[end - 1].weight == 0) --end;
    if (i < end) std::rotate(seats + i, seats + i + 1, seats + end);
    return;
  }
}

int64_t cost_at(const PriceRow& price, const TargetStats& stats, int64_t input, int64_t output) noexcept {
  TokenUsage usage;
  usage.input = input;
  usage.cached = static_cast<int64_t>(static_cast<double>(input) * stats.cached_share());
  usage.output = output;
  return llmrouter::cost_nano_usd(usage, price);
}

int64_t cost_of(const Snapshot& snapshot, const ProviderRuntime& provider, std::string_view model, const TargetStats& stats, int64_t input, int64_t output,
                WallTime wall) {
  if (!snapshot.catalog) return -1;
  auto price = snapshot.catalog->price(provider.config.name, provider.config.type, model, input, wall);
  return price ? cost_at(*price, stats, input, output) : -1;
}

// What a star stands for is `meant`.
std::string name_of(const RouteTarget& t, std::string_view meant) { return std::string(t.model).replace(t.star, 1, meant); }

int64_t cost_of(const Snapshot& snapshot, const RouteTarget& t, std::string_view meant, const TargetStats& stats, int64_t input, int64_t output, WallTime wall) {
  if (t.star != std::string::npos) return cost_of(snapshot, *t.provider, name_of(t, meant), stats, input, output, wall);
  if (t.prices == nullptr) return cost_of(snapshot, *t.provider, t.model, stats, input, output, wall);
  const PriceRow* price = t.prices->at(input, wall);
  return price == nullptr ? -1 : cost_at(*price, stats, input, output);
}

const TargetStats& stats_of(const RouteTarget& t, std::string_view meant, TimePoint now) noexcept {
  const TargetState* known = t.provider->shared->named.find({t.model, t.star, meant}, now);
  return (known != nullptr ? *known : kNothingKnown).stats;
}

// The seats of a route, ordered by its strategy.
class Seating {
 public:
  Seating(const Snapshot& snapshot, const Route& route, std::string_view meant, const Ask& ask) : seats_(route.targets.size()) {
    BalancerRequest request(ask.seed);
    request.now = ask.now;
    request.input_tokens = ask.input_tokens;
    request.affinity = ask.affinity;
    Balancer& balancer = balancer_of(snapshot, route, ask.wishes);
    const bool costs = balancer.wants_cost();
    BalancerTarget* const seats = seats_.take(route.seats.size());
    std::copy(route.seats.begin(), route.seats.end(), seats);
    for (size_t i = 0; i < seats_.size(); ++i) {
      if (seats[i].stats == nullptr) seats[i].stats = &stats_of(route.targets[i], meant, ask.now);
      seats[i].in_flight = seats[i].stats->in_flight();
    }
    if (balancer.wants_expectations()) request.expected_output = expected_output(seats, seats_.size(), ask.max_output);
    if (costs) {
      for (size_t i = 0; i < seats_.size(); ++i) {
        seats[i].cost_nano_usd = cost_of(snapshot, route.targets[i], meant, *seats[i].stats, ask.input_tokens, request.expected_output, ask.wall);
      }
    }
    if (ask.peek) {
      balancer.preview(seats_.data(), seats_.size(), request);
    } else if (seats_.size() > 1) {
      balancer.order(seats_.data(), seats_.size(), request);
    }
    if (ask.home != 0) place_home(seats_.data(), seats_.size(), ask.home);
  }
  const BalancerTarget* begin() noexcept { return seats_.begin(); }
  const BalancerTarget* end() noexcept { return seats_.end(); }

 private:
  Room<BalancerTarget, 1024> seats_;
};

// Of the candidates that were put into a plan.
struct Tally {
  size_t usable = 0, resting = 0;
};

// `lack`: what it does not have of what the request asks for; kStrategy: nothing.
inline void place(Candidate& c, StepReason lack, const TargetHealth& reach, const Ask& ask, Tally& tally) noexcept {
  c.reason = lack;
  c.out = lack != StepReason::kStrategy;
  if (c.out) return;
  ++tally.usable;
  if (c.health().resting(ask.now) || reach.state(ask.now) == TargetHealth::State::kOpen) {
    c.reason = StepReason::kCoolingDown;
    ++tally.resting;
  } else if (ask.fallback) {
    c.reason = StepReason::kFallback;
  } else if (c.weight == 0) {
    c.reason = StepReason::kLastResort;
  }
}

// Those that rest behind those that do not, each group in its own order. Where they begin. Unlike std::stable_partition this allocates nothing.
template <typename Iterator>
Iterator rested_last(Iterator begin, Iterator end) {
  if (end - begin == 1) return begin->reason == StepReason::kCoolingDown ? begin : end;
  const Iterator middle = begin + (end - begin) / 2;
  const Iterator left = rested_last(begin, middle), right = rested_last(middle, end);
  return std::rotate(left, middle, right);
}

}  // namespace

bool is_called(const ProviderRuntime& provider, std::string_view name) noexcept {
  return same_word(provider.config.name, name) || (!provider.config.type.empty() && same_word(provider.config.type, name));
}

bool append_first(const Snapshot& snapshot, Resolved& resolved, std::string_view requested, const Ask& ask, std::vector<Candidate>& out) {
  if (append_candidates(snapshot, resolved, requested, ask, out)) return true;
  if (resolved.how != "default" || !snapshot.pool || (ask.facts == nullptr && ask.wishes == nullptr)) return false;
  std::vector<Candidate> all;
  Resolved pool;
  pool.route = snapshot.pool.get();
  pool.how = "selector";
  if (!append_candidates(snapshot, pool, requested, ask, all)) return false;
  resolved = std::move(pool);
  out = std::move(all);
  return true;
}

int64_t expected_cost(const Snapshot& snapshot, const Candidate& c, const Ask& ask, const TargetStats* like) {
  double known = c.stats().output_tokens();
  if (known <= 0 && like != nullptr) known = like->output_tokens();
  const int64_t usual = known > 0 ? std::max<int64_t>(1, std::llround(known)) : kUsualOutput;
  return cost_of(snapshot, *c.provider, c.model, c.stats(), ask.input_tokens, ask.max_output > 0 ? std::min(ask.max_output, usual) : usual, ask.wall);
}

bool needs_abilities(const RequestFacts& f) noexcept {
  return f.has_image || f.has_audio || f.has_video || f.has_file || f.has_tools || f.wants_schema || f.input_tokens > kShortestWindow;
}

StepReason missing_ability(const Abilities& able, const RequestFacts& facts) noexcept {
  if (able.says_inputs) {
    if (facts.has_image && !able.image) return StepReason::kNoImage;
    if (facts.has_audio && !able.audio) return StepReason::kNoAudio;
    if (facts.has_video && !able.video) return StepReason::kNoVideo;
    if (facts.has_file && !able.file) return StepReason::kNoFile;
  }
  if (able.says_capabilities) {
    if (facts.has_tools && !able.tools) return StepReason::kNoTools;
    if (facts.wants_schema && !able.schema) return StepReason::kNoSchema;
  }
  if (able.window > 0 && facts.input_tokens > able.window) return StepReason::kTooLong;
  return StepReason::kStrategy;
}

Balancer& balancer_of(const Snapshot& snapshot, const Route& route, const RouteRequest* wishes) {
  if (wishes == nullptr || wishes->strategy.empty() || wishes->strategy == route.balancer->name()) return *route.balancer;
  if (wishes->strategy == "round_robin") return route.round_robin ? *route.round_robin : *route.balancer;
  auto found = snapshot.balancers.find(wishes->strategy);
  return found == snapshot.balancers.end() ? *route.balancer : *found->second;
}

void Fallbacks::append_one(const Snapshot& snapshot, std::string_view name, const Ask& ask, bool granted, std::vector<Candidate>& candidates) {
  auto resolved = resolve(snapshot, name, {}, ask.key);
  if (!resolved) return;
  if (resolved->route != nullptr) {
    if (std::find(visited_.begin(), visited_.end(), resolved->route) != visited_.end()) return;
    visited_.push_back(resolved->route);
  }
  Ask later = ask;
  later.forced = {};
  later.home = 0;
  later.fallback = true;
  later.granted = granted;
  append_candidates(snapshot, *resolved, name, later, candidates);
}

bool Fallbacks::append_names(const Snapshot& snapshot, const std::vector<std::string>& names, const Ask& ask, bool granted,
                             std::vector<Candidate>& candidates) {
  from_ = candidates.size();
  for (const std::string& name : names) append_one(snapshot, name, ask, granted, candidates);
  return std::any_of(candidates.begin() + static_cast<ptrdiff_t>(from_), candidates.end(), [](const Candidate& c) { return !c.out; });
}

bool Fallbacks::append(const Snapshot& snapshot, const Ask& ask, std::vector<Candidate>& candidates) {
  const size_t begin = candidates.size(), from = std::exchange(from_, begin);
  if (ask.wishes != nullptr && !ask.wishes->allow_fallbacks) return false;
  if (ask.wishes != nullptr && ask.wishes->fallbacks) {
    if (from > 0 || begin == 0) return false;
    for (const std::string& name : *ask.wishes->fallbacks) append_one(snapshot, name, ask, false, candidates);  // the caller's choice, not the model's
    return candidates.size() > begin;
  }
  for (size_t i = from; i < begin; ++i) {
    const Route* route = candidates[i].route;
    const bool granted = candidates[i].granted;
    if (route == nullptr || route->config->fallbacks.empty() || std::find(expanded_.begin(), expanded_.end(), route) != expanded_.end()) continue;
    expanded_.push_back(route);
    for (const std::string& name : route->config->fallbacks) append_one(snapshot, name, ask, granted, candidates);
  }
  return candidates.size() > begin;
}

namespace {

// A configured name that is allowed stands for its targets. Taken to another provider it is that one's model, and has to be allowed as such.
Grant grant_for(const KeyRecord* key, const Resolved& resolved, std::string_view requested, bool granted) {
  const std::string elsewhere = key != nullptr && resolved.left_route ? resolved.provider->config.name + '/' + resolved.model : std::string();
  return grant_of(key, elsewhere.empty() ? requested : std::string_view(elsewhere), resolved.route, granted);
}

}  // namespace

bool may_use(const KeyRecord* key, const Resolved& resolved, std::string_view requested) {
  if (key == nullptr) return true;
  const Grant grant = grant_for(key, resolved, requested, false);
  if (resolved.route == nullptr) return grant.allows(*resolved.provider, resolved.model);
  return std::any_of(resolved.route->targets.begin(), resolved.route->targets.end(), [&](const RouteTarget& t) {
    return t.star == std::string::npos ? grant.allows(*t.provider, t.model) : grant.allows(*t.provider, name_of(t, resolved.model));
  });
}

bool append_candidates(const Snapshot& snapshot, const Resolved& resolved, std::string_view requested, const Ask& ask, std::vector<Candidate>& out) {
  const Grant grant = grant_for(ask.key, resolved, requested, ask.granted);
  const size_t begin = out.size();
  const bool picky = ask.facts != nullptr || ask.wishes != nullptr;
  const bool forced = resolved.route != nullptr && !ask.forced.empty();
  const bool strict = picky || forced || grant.key != nullptr;
  auto lack = [&](const Candidate& c, const RouteTarget* target) {
    if (grant.key != nullptr && !grant.allows(*c.provider, c.model)) return StepReason::kNotAllowed;
    if (forced && c.provider->config.name != ask.forced) return StepReason::kOtherProvider;
    return picky ? misfit(snapshot, c, target, ask) : StepReason::kStrategy;
  };
  Tally tally;
  if (resolved.route == nullptr) {
    Candidate& c = out.emplace_back();
    c.provider = resolved.provider;
    c.owned = std::make_unique<const std::string>(resolved.model);
    c.model = *c.owned;
    c.look_again(ask.now);
    c.granted = grant.by_name;
    place(c, strict ? lack(c, nullptr) : StepReason::kStrategy, c.provider->shared->reach, ask, tally);
  } else {
    const Route& route = *resolved.route;
    out.reserve(begin + route.targets.size());
    Seating seating(snapshot, route, resolved.model, ask);
    for (const BalancerTarget& seat : seating) {
      const RouteTarget& t = route.targets[seat.index];
      Candidate& c = out.emplace_back(t);
      c.cost_nano_usd = seat.cost_nano_usd;
      c.granted = grant.by_name;
      if (t.star != std::string::npos) {
        c.owned = std::make_unique<const std::string>(name_of(t, resolved.model));
        c.model = *c.owned;
        c.look_again(ask.now);
      }
      place(c, strict ? lack(c, &t) : StepReason::kStrategy, *t.reach, ask, tally);
    }
  }
  const auto first = out.begin() + static_cast<ptrdiff_t>(begin);
  if (ask.wishes != nullptr && !ask.wishes->order.empty()) {
    const auto& order = ask.wishes->order;
    std::stable_sort(first, out.end(), [&order](const Candidate& a, const Candidate& b) { return place_of(*a.provider, order) < place_of(*b.provider, order); });
  }
  if (tally.resting > 0) rested_last(first, out.end());
  if (tally.usable > 1 && ask.wishes != nullptr && !ask.wishes->allow_fallbacks && ask.wishes->order.empty()) {
    bool other = false;
    for (size_t i = begin; i < out.size(); ++i) {
      if (out[i].out || !std::exchange(other, true)) continue;
      out[i].out = true;
      out[i].reason = StepReason::kNoFallbacks;
    }
  }
  return tally.usable > 0;
}

}  // namespace llmrouter::core
