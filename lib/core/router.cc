#include "llmrouter/router.h"

#include <algorithm>
#include <random>

#include "core/call_state.h"
#include "core/router_impl.h"
#include "core/wishes.h"
#include "llmrouter/pattern.h"

namespace llmrouter {

using core::Candidate;

std::string Router::Impl::new_id(std::string_view prefix) {
  // As a ULID: 48 bits of milliseconds, here with 16 that count within one, then 65 random ones, in Crockford's base 32.
  static constexpr char kDigits[] = "0123456789abcdefghjkmnpqrstvwxyz";
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(clock().wall().time_since_epoch()).count();
  uint64_t last = last_id.load(std::memory_order_relaxed), order;
  do {
    order = std::max(static_cast<uint64_t>(ms) << 16, last + 1);
  } while (!last_id.compare_exchange_weak(last, order, std::memory_order_relaxed));
  char text[26];
  char* p = text;
  for (int shift = 60; shift >= 0; shift -= 5) *p++ = kDigits[(order >> shift) & 31];
  uint64_t random = draw();
  for (int i = 0; i < 12; ++i, random >>= 5) *p++ = kDigits[random & 31];
  *p++ = kDigits[draw() & 31];
  std::string id;
  id.reserve(prefix.size() + sizeof(text));
  return id.append(prefix).append(text, sizeof(text));
}

bool Router::Impl::keys_required(const core::Snapshot& snap) const noexcept {
  switch (snap.config.server.auth) {
    case AuthMode::kKeys: return true;
    case AuthMode::kNone: return false;
    case AuthMode::kAuto: return parts.keys && !parts.keys->empty();
  }
  return true;
}

Result<std::shared_ptr<const KeyRecord>> Router::Impl::authenticate(const core::Snapshot& snap, const Secret& presented,
                                                                    std::string_view endpoint, bool trusted) const {
  std::shared_ptr<const KeyRecord> key;
  const bool required = !trusted && keys_required(snap);
  if (presented.empty()) {
    if (required) return Error(ErrorCode::kMissingKey, "no key: send one as \"Authorization: Bearer KEY\", x-api-key, x-goog-api-key, api-key or ?key=");
    return key;
  }
  if (snap.config.server.auth == AuthMode::kNone && !trusted) return key;  // whatever is presented is not ours to judge
  if (parts.keys) key = parts.keys->find(presented.reveal());
  if (!key) {
    // SDKs send some key always: where none is asked for, one that nobody knows is as good as none.
    if (!required && !trusted) return key;
    return Error(ErrorCode::kInvalidKey, "this key is not known (" + presented.hint() + ")");
  }
  if (key->revoked) return Error(ErrorCode::kInvalidKey, "this key was revoked (" + key->id + ")");
  if (key->spec.expires && *key->spec.expires <= clock().wall()) return Error(ErrorCode::kExpiredKey, "this key has expired (" + key->id + ")");
  if (!endpoint.empty() && !pattern_list_match(key->spec.allow.endpoints, endpoint)) {
    return Error(ErrorCode::kEndpointNotAllowed, "this key may not use the endpoint \"" + std::string(endpoint) + "\" (allow.endpoints)");
  }
  return key;
}

LimitBucket* Router::Impl::bucket_of(const KeyRecord& key) {
  KeyRecord::Slot& slot = key.slot;
  if (slot.limiter.load(std::memory_order_acquire) == parts.limiter.get()) {
    if (LimitBucket* bucket = slot.bucket.load(std::memory_order_acquire)) return bucket;
  }
  Limits limits = key.spec.limits;
  if (limits.budget && limits.budget->per == BudgetPeriod::k30d && limits.budget->anchor == WallTime{}) limits.budget->anchor = key.created;
  const std::string& name = key.spec.name.empty() ? key.id : key.spec.name;
  LimitBucket* bucket = parts.limiter->bucket("key:" + key.id, "key " + name, limits);
  slot.bucket.store(bucket, std::memory_order_release);
  slot.limiter.store(parts.limiter.get(), std::memory_order_release);
  return bucket;
}

Router::Router() : impl_(std::make_unique<Impl>()) {}
Router::~Router() = default;

Result<std::shared_ptr<Router>> Router::create(const Config& config, RouterParts parts) {
  std::shared_ptr<Router> router(new Router());
  Impl& impl = *router->impl_;
  impl.parts = std::move(parts);
  RouterParts& p = impl.parts;
  if (p.clock == nullptr) p.clock = &system_clock();
  if (!p.logger) p.logger = std::shared_ptr<Logger>(std::shared_ptr<Logger>(), &null_logger());
  if (!p.limiter) p.limiter = std::make_shared<RateLimiter>(*p.clock, p.ledger);
  if (!p.keys && !config.keys.empty()) p.keys = make_memory_key_store(*p.clock);
  if (p.dialects.empty()) p.dialects = builtin_dialects();
  impl.seed = p.seed;
  if (impl.seed == 0) {
    std::random_device device;
    impl.seed = (static_cast<uint64_t>(device()) << 32) | device();
  }
  impl.started = p.clock->now();
  if (auto loaded = router->reload(config); !loaded) return std::move(loaded).error();
  return router;
}

Result<void> Router::reload(const Config& config, std::shared_ptr<const Catalog> catalog) {
  Impl& impl = *impl_;
  if (!catalog) {
    auto before = impl.snapshot.load();
    catalog = before ? before->catalog : impl.parts.catalog;
  }
  auto snapshot = core::build_snapshot(config, impl.parts, std::move(catalog), *impl.parts.limiter, impl.registry);
  if (!snapshot) return std::move(snapshot).error();
  if (!impl.parts.keys && !config.keys.empty()) {
    return Error(ErrorCode::kConfig, "keys: this router was made without a key store and cannot take keys later", "keys");
  }
  if (impl.parts.keys) {
    if (auto set = impl.parts.keys->set_file_keys(config.keys); !set) return set;
  }
  impl.snapshot.store(std::move(*snapshot));
  return {};
}

Call Router::start(Transport& transport, ChatRequest request, bool stream, CallOptions options, StreamSink& sink) {
  auto state = std::make_unique<Call::State>(*impl_, transport, std::move(options));
  state->begin_neutral(std::move(request), stream, sink);
  return Call(std::move(state));
}

Call Router::relay(Transport& transport, RawRequest request, CallOptions options, ReplySink& sink) {
  auto state = std::make_unique<Call::State>(*impl_, transport, std::move(options));
  state->begin_raw(std::move(request), sink);
  return Call(std::move(state));
}

Call Router::start(Transport& transport, TaskRequest request, CallOptions options, StreamSink& sink) {
  auto state = std::make_unique<Call::State>(*impl_, transport, std::move(options));
  state->begin_task(std::move(request), sink);
  return Call(std::move(state));
}

namespace {

PlanStep step_of(const Candidate& c) {
  PlanStep step;
  step.provider = c.provider->config.name;
  step.model = c.model;
  if (c.route != nullptr) step.route = c.route->name;
  step.weight = c.weight;
  step.priority = c.priority;
  step.eligible = !c.out;
  step.reason = c.reason;
  return step;
}

}  // namespace

Result<Plan> Router::explain(std::string_view model, const CallOptions& given, std::string_view body) const {
  auto snap = impl_->snapshot.load();
  CallOptions options = given;
  RouteRequest wishes;
  if (auto read = core::read_header_wishes(options, wishes); !read) return std::move(read).error();
  auto key = impl_->authenticate(*snap, options.key, options.endpoint.empty() ? "chat" : options.endpoint, options.trusted);
  if (!key) return std::move(key).error();
  RequestFacts facts;
  const Dialect* dialect = snap->dialect("openai");
  if (!body.empty()) {
    auto codec = dialect != nullptr ? dialect->new_client_codec() : nullptr;
    if (!codec) return Error(ErrorCode::kNotSupported, "no openai codec to read the body with");
    auto scanned = codec->scan(body);
    if (!scanned) return std::move(scanned).error();
    facts = std::move(*scanned);
  }
  if (!model.empty()) facts.model = model;
  if (core::has_route_members(*snap, facts, options.forced_provider)) {
    std::string copy(body);
    if (auto cut = core::cut_route_members(facts, copy, wishes); !cut) return std::move(cut).error();
  }
  if (auto known = core::check_wishes(*snap, wishes); !known) return std::move(known).error();
  auto resolved = core::resolve_wish(*snap, facts.model, options.forced_provider, wishes);
  if (!resolved) return std::move(resolved).error();
  core::Ask ask;
  if (core::needs_abilities(facts)) ask.facts = &facts;
  if (!wishes.empty()) ask.wishes = &wishes;
  ask.dialect = dialect;
  ask.relays = facts.relayable;
  ask.key = key->get();
  ask.forced = options.forced_provider;
  ask.input_tokens = facts.input_tokens;
  ask.max_output = facts.max_tokens.value_or(0) * std::max<int64_t>(1, facts.n);
  ask.seed = impl_->seed;
  ask.now = impl_->clock().now();
  ask.wall = impl_->clock().wall();
  ask.peek = true;
  ask.affinity = core::affinity_of(snap->config.routing.affinity.by, key->get(), facts, body, nullptr, options.headers);
  if (snap->affinity && ask.affinity != 0 && wishes.cache && resolved->route != nullptr) {
    ask.home = snap->affinity->find(stable_hash(resolved->route->name, ask.affinity), ask.now);
  }
  std::vector<Candidate> candidates;
  core::append_first(*snap, *resolved, facts.model, ask, candidates);
  Plan plan;
  plan.requested = facts.model;
  plan.how = resolved->how;
  core::Fallbacks fallbacks;
  if (resolved->route != nullptr) {
    fallbacks.visited(resolved->route);
    plan.strategy = core::balancer_of(*snap, *resolved->route, ask.wishes).name();
    if (resolved->how == "wildcard") plan.how += " " + resolved->route->name;
  }
  while (fallbacks.append(*snap, ask, candidates)) {
  }
  // Those that rest come when nobody else is left, those that are out not at all.
  auto place = [](const Candidate& c) { return c.out ? 2 : c.reason == StepReason::kCoolingDown ? 1 : 0; };
  for (int p : {0, 1, 2}) {
    for (const Candidate& c : candidates) {
      if (place(c) == p) plan.steps.push_back(step_of(c));
    }
  }
  return plan;
}

Result<std::shared_ptr<const KeyRecord>> Router::authenticate(const Secret& presented, std::string_view endpoint) const {
  return impl_->authenticate(*impl_->snapshot.load(), presented, endpoint, false);
}

Result<void> Router::authorize_admin(const Secret& presented) const {
  auto snap = impl_->snapshot.load();
  if (presented.empty()) return Error(ErrorCode::kMissingKey, "administration asks for the admin key, or a key of role admin, as a bearer");
  const Secret& admin = snap->config.server.admin_key;
  if (!admin.empty() && admin.equals(presented.reveal())) return {};
  auto key = impl_->parts.keys ? impl_->parts.keys->find(presented.reveal()) : nullptr;
  if (!key || key->revoked) return Error(ErrorCode::kInvalidKey, "this key is not known (" + presented.hint() + ")");
  if (key->spec.expires && *key->spec.expires <= impl_->clock().wall()) return Error(ErrorCode::kExpiredKey, "this key has expired (" + key->id + ")");
  if (key->spec.role != KeyRole::kAdmin) return Error(ErrorCode::kAdminOnly, "this key is not of role admin");
  return {};
}

bool Router::keys_required() const noexcept { return impl_->keys_required(*impl_->snapshot.load()); }
LimitState Router::limits_of(const KeyRecord& key) const { return impl_->parts.limiter->state(impl_->bucket_of(key)); }
RateLimiter& Router::limiter() noexcept { return *impl_->parts.limiter; }
KeyStore* Router::keys() noexcept { return impl_->parts.keys.get(); }
const Clock& Router::clock() const noexcept { return impl_->clock(); }

}  // namespace llmrouter
