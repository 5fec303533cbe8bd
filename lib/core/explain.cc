// Plans without a call: what would be asked, in which order, and why.
#include <algorithm>
#include <optional>

#include "core/resolve.h"
#include "core/router_impl.h"
#include "core/standing.h"
#include "core/steps.h"
#include "core/wishes.h"

namespace llmrouter {

using core::Candidate;

namespace {

PlanStep step_of(const Candidate& c, TimePoint now) {
  PlanStep step;
  step.provider = c.provider->config.name;
  step.model = c.model;
  if (c.route != nullptr) step.route = c.route->name;
  step.weight = c.weight;
  step.priority = c.priority;
  step.eligible = !c.out;
  step.reason = c.reason;
  step.ready_in = std::max(Duration(0), c.not_before - now);
  return step;
}

// A request that is only looked at. `codec` must live as long as `body`.
class Reading final : public core::RuleContent {
 public:
  Result<void> read(const core::Snapshot& snap, const KeyRecord* key, CallOptions& given, std::string_view model, std::string_view text) {
    if (auto headers = core::read_header_wishes(given, wishes); !headers) return headers;
    core::name_provider(snap, given.forced_provider);
    dialect = snap.dialect("openai");
    body = text;
    if (!body.empty()) {
      codec_ = dialect != nullptr ? dialect->new_client_codec() : nullptr;
      if (!codec_) return Error(ErrorCode::kNotSupported, "no openai codec to read the body with");
      auto scanned = codec_->scan(body);
      if (!scanned && scanned.error().param == "messages" && complete()) scanned = codec_->scan(body = completed_);
      if (!scanned) return std::move(scanned).error();
      facts = std::move(*scanned);
    }
    if (!model.empty()) facts.model = model;
    if (auto allowed = core::check_preset(snap, facts, body, key); !allowed) return allowed;
    if (!core::has_route_members(snap, facts, given.forced_provider, body)) return core::check_passed_models(snap, facts, given.forced_provider, body, key);
    std::string copy(body);
    return core::cut_route_members(facts, copy, given, wishes);
  }

  Result<bool> tell_texts(TextSink& sink) override {
    if (!codec_) return true;
    return codec_->tell_texts(sink);
  }

  // Targets whose dialect has no words for what is asked are out. What a model's own edits and filters make of it is not looked at.
  void judge_words(std::vector<Candidate>& candidates) const {
    std::optional<ChatRequest> chat;
    for (Candidate& c : candidates) {
      const bool as_it_came = facts.relayable && c.provider->speaks(dialect, c.model);
      if (c.out || as_it_came || !codec_ || (c.route != nullptr && (!c.route->edits.empty() || !c.route->filters.empty()))) continue;
      if (!chat) {
        auto decoded = codec_->decode();
        if (!decoded) return;
        chat = std::move(*decoded);
      }
      const Dialect* spoken = c.provider->dialect_of(c.model);
      const auto upstream = spoken->new_upstream_codec();
      if (!upstream) continue;
      EncodeInput input;
      input.chat = &*chat;
      input.provider = &c.provider->config;
      input.upstream_model = c.model;
      input.stream = facts.stream;
      input.foreign = spoken != dialect;
      EncodedRequest encoded;
      const auto written = upstream->encode(input, encoded);
      if (written || written.error().code != ErrorCode::kInvalidRequest) continue;
      c.out = true;
      c.reason = StepReason::kCannotExpress;
    }
  }

  const Dialect* dialect = nullptr;
  std::string_view body;
  RequestFacts facts;
  RouteRequest wishes;

 private:
  // A plan may be asked for with nothing but a name. False: the messages are there, and it is they that are wrong.
  bool complete() {
    const size_t open = body.find('{');
    if (open == std::string_view::npos) return false;
    completed_.assign(body.substr(0, open + 1));
    completed_.append("\"messages\":[{\"role\":\"user\",\"content\":\"\"}]");
    if (body.find_first_not_of(" \t\r\n", open + 1) != body.rfind('}')) completed_ += ',';
    completed_.append(body.substr(open + 1));
    codec_ = dialect->new_client_codec();
    const bool distinct = codec_->scan(completed_).ok();
    codec_ = dialect->new_client_codec();
    return distinct;
  }

  std::unique_ptr<ClientCodec> codec_;
  std::string completed_;  // the body with messages
};

}  // namespace

Result<Plan> Router::Impl::plan(const core::Snapshot& snap, const KeyRecord* key, CallOptions options, std::string_view model, std::string_view body,
                                uint64_t plan_seed) const {
  Reading request;
  if (auto read = request.read(snap, key, options, model, body); !read) return std::move(read).error();
  RequestFacts& facts = request.facts;
  if (facts.model.empty()) return Error(ErrorCode::kInvalidRequest, "`model` is required: in the body, or as `?model=`", "model");
  Plan plan;
  plan.requested = facts.model;
  plan.model = facts.model;
  const WallTime wall = clock().wall();
  core::Direction direction;
  if (options.endpoint.empty() || options.endpoint == "chat") {
    auto directed = core::direct(overlay, snap, key, options.headers, wall, request, {plan.model, facts, request.wishes, options.forced_provider}, direction);
    if (!directed) return std::move(directed).error();
  }
  plan.by = direction.by;
  if (direction.rule != nullptr) plan.rule = direction.rule->config.name;
  const RouteRequest& wishes = request.wishes;
  if (auto known = core::check_wishes(snap, wishes, key); !known) return core::in_words_of(std::move(known).error(), options, wishes, direction.rule);
  auto resolved = core::resolve_wish(snap, plan.model, options.forced_provider, wishes, key);
  if (!resolved) return core::in_words_of(std::move(resolved).error(), options, wishes, direction.rule);
  core::Ask ask;
  if (core::needs_abilities(facts)) ask.facts = &facts;
  if (!wishes.empty()) ask.wishes = &wishes;
  ask.dialect = request.dialect;
  ask.relays = facts.relayable;
  ask.key = key;
  ask.forced = options.forced_provider;
  ask.input_tokens = facts.input_tokens;
  ask.max_output = core::tokens_of_all(facts.max_tokens.value_or(0), facts.n);
  ask.seed = plan_seed;
  ask.now = clock().now();
  ask.wall = wall;
  ask.peek = true;
  const auto& by = snap.config.routing.affinity.by;
  ask.affinity = core::identity_of(by, key, facts, request.body, nullptr, options.headers);
  if (snap.affinity && wishes.cache && resolved->route != nullptr) {
    const uint64_t together = core::affinity_of(by, key, facts, request.body, nullptr, options.headers);
    if (together != 0) ask.home = snap.affinity->find(stable_hash(resolved->route->name, together), ask.now);
  }
  std::vector<Candidate> candidates;
  const bool anybody = core::append_first(snap, *resolved, plan.model, ask, candidates);
  plan.how = resolved->how;
  core::TurnOrder order;
  core::Fallbacks& fallbacks = order.fallbacks;
  if (resolved->route != nullptr) {
    fallbacks.visited(resolved->route);
    plan.strategy = core::balancer_of(snap, *resolved->route, ask.wishes).name();
    if (resolved->how == "wildcard") plan.how += " " + resolved->route->name;
  }
  // As Call::State::place(): who may use none of these comes to no fallback either; what is too long for all of them goes to the model's list for that.
  const auto asks = [&ask] { return ask; };
  bool goes_on = anybody;
  if (!anybody) {
    const ErrorCode why = core::nobody(snap, candidates, plan.model, ask).code;
    goes_on = why == ErrorCode::kContextLengthExceeded && core::fall_back_for(why, snap, wishes, 0, 0, order, candidates, asks);
  }
  while (goes_on && fallbacks.append(snap, ask, candidates)) {
  }
  if (options.endpoint.empty() || options.endpoint == "chat") request.judge_words(candidates);
  core::stand(*parts.limiter, resolved->route, facts.input_tokens + ask.max_output, ask.now, candidates);
  // Those that rest come when nobody else is left, those that are out not at all.
  auto place = [](const Candidate& c) { return c.out ? 2 : c.reason == StepReason::kCoolingDown || c.reason == StepReason::kKeysRest ? 1 : 0; };
  for (int p : {0, 1, 2}) {
    for (const Candidate& c : candidates) {
      if (place(c) == p) plan.steps.push_back(step_of(c, ask.now));
    }
  }
  return plan;
}

Result<Plan> Router::explain(std::string_view model, const CallOptions& options, std::string_view body) const {
  auto snap = impl_->snapshot.load();
  auto key = impl_->authenticate(*snap, options.key, options.endpoint.empty() ? "chat" : options.endpoint, options.trusted);
  if (!key) return std::move(key).error();
  return impl_->plan(*snap, key->get(), options, model, body, impl_->seed);
}

Result<Plan> Router::explain_for(const KeyRecord* key, std::string_view model, const CallOptions& options, std::string_view body) const {
  return impl_->plan(*impl_->snapshot.load(), key, options, model, body, impl_->seed);
}

Result<std::optional<RuleState>> Router::matching_rule(std::string_view model, const KeyRecord* key, const CallOptions& given, std::string_view body) const {
  auto snap = impl_->snapshot.load();
  CallOptions options = given;
  Reading request;
  if (auto read = request.read(*snap, key, options, model, body); !read) return std::move(read).error();
  if (!snap->rules) return std::optional<RuleState>();
  auto found = snap->rules->find({request.facts.model, &request.facts, &request.wishes, key, &options.headers, impl_->clock().wall(), snap.get()}, request);
  if (!found) return std::move(found).error();
  const core::Rule* rule = *found;
  if (rule == nullptr) return std::optional<RuleState>();
  return std::optional<RuleState>(RuleState{rule->config, rule->stored, {}, rule->hits->load(std::memory_order_relaxed)});
}

}  // namespace llmrouter
