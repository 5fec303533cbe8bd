#include "llmrouter/router.h"

#include <algorithm>
#include <random>

#include "core/call_state.h"
#include "core/router_impl.h"
#include "core/wishes.h"
#include "llmrouter/pattern.h"

namespace llmrouter {

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
  id.append(prefix).append(text, sizeof(text));
  return id;
}

bool Router::Impl::keys_required(const core::Snapshot& snap) const noexcept {
  switch (snap.config.server.auth) {
    case AuthMode::kKeys: return true;
    case AuthMode::kNone: return false;
    case AuthMode::kAuto: return parts.keys && !parts.keys->empty();
  }
  return true;
}

Result<void> Router::Impl::still_valid(const KeyRecord& key) const {
  const WallTime now = clock().wall();
  if (key.spec.expires && *key.spec.expires <= now) return Error(ErrorCode::kExpiredKey, "this key has expired (" + key.id + ")");
  if (key.session && key.session->expires <= now) return Error(ErrorCode::kExpiredKey, "this session has ended (" + key.session->id + ")");
  return {};
}

Result<std::shared_ptr<const KeyRecord>> Router::Impl::authenticate(const core::Snapshot& snap, const Secret& presented,
                                                                    std::string_view endpoint, bool trusted) const {
  std::shared_ptr<const KeyRecord> key;
  const bool required = !trusted && keys_required(snap);
  if (presented.empty()) {
    if (required) return Error(ErrorCode::kMissingKey, "no key: send one as \"Authorization: Bearer KEY\", x-api-key, x-goog-api-key, api-key or ?key=");
    return key;
  }
  if (parts.keys) key = parts.keys->find(presented.reveal());
  // Where nobody needs one a key of ours still is that key, with its limits and its records; what else is presented is not ours to judge.
  if (snap.config.server.auth == AuthMode::kNone && !trusted && (!key || key->revoked || !still_valid(*key))) return std::shared_ptr<const KeyRecord>();
  if (!key) {
    // SDKs send some key always: where none is asked for, one that nobody knows is as good as none.
    if (!required && !trusted) return key;
    return Error(ErrorCode::kInvalidKey, "this key is not known (" + presented.hint() + ")");
  }
  if (key->revoked) return Error(ErrorCode::kInvalidKey, "this key was revoked (" + key->id + ")");
  if (auto lasting = still_valid(*key); !lasting) return std::move(lasting).error();
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
Router::~Router() { impl_->overlay_watch->forget(); }

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
  impl.overlay.store = p.state ? p.state : make_memory_state_store();
  impl.load_overlay();
  if (auto loaded = router->reload(config); !loaded) return std::move(loaded).error();
  impl.watch_overlay();
  return router;
}

Result<void> Router::Impl::publish(const Config& config, std::shared_ptr<const Catalog> catalog) {
  if (!catalog) {
    auto before = snapshot.load();
    catalog = before ? before->catalog : parts.catalog;
  }
  auto built = core::build_snapshot(config, parts, std::move(catalog), *parts.limiter, registry, overlay.rules);
  if (!built) return std::move(built).error();
  if (!parts.keys && !config.keys.empty()) {
    return Error(ErrorCode::kConfig, "keys: this router was made without a key store and cannot take keys later", "keys");
  }
  if (parts.keys) {
    if (auto set = parts.keys->set_file_keys(config.keys); !set) return set;
  }
  for (const auto& [name, why] : (*built)->idle_rules) logger().log(LogLevel::kWarn, "a stored rule is left out", {{"rule", name}, {"why", why}});
  if ((*built)->rules) {
    for (const core::Rule& rule : (*built)->rules->rules()) {
      auto there = core::check_rule_names(**built, rule.config, true);
      if (!there) logger().log(LogLevel::kWarn, "a rule is left out until its model is there", {{"rule", rule.config.name}, {"why", there.error().message}});
    }
  }
  snapshot.store(std::move(*built));
  if (overlay.changes.empty()) overlay.gate.fix(config.routing.toggle.enabled);
  return {};
}

Result<void> Router::reload(const Config& config, std::shared_ptr<const Catalog> catalog) {
  std::lock_guard<std::mutex> lock(impl_->overlay.writers);
  return impl_->publish(config, std::move(catalog));
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

Result<std::shared_ptr<const KeyRecord>> Router::authenticate(const Secret& presented, std::string_view endpoint) const {
  return impl_->authenticate(*impl_->snapshot.load(), presented, endpoint, false);
}

Result<void> Router::authorize_admin(const Secret& presented) const {
  auto snap = impl_->snapshot.load();
  static constexpr const char* kAsked = "administration asks for the admin key (server.admin_key), or a key of role admin, as `Authorization: Bearer KEY`";
  if (presented.empty()) return Error(ErrorCode::kMissingKey, std::string(kAsked) + "; a key in the address is not taken");
  const Secret& admin = snap->config.server.admin_key;
  if (!admin.empty() && admin.equals(presented.reveal())) return {};
  auto key = impl_->parts.keys ? impl_->parts.keys->find(presented.reveal()) : nullptr;
  if (!key || key->revoked) return Error(ErrorCode::kInvalidKey, "this key is not known (" + presented.hint() + "); " + kAsked);
  if (auto lasting = impl_->still_valid(*key); !lasting) return lasting;
  if (key->spec.role != KeyRole::kAdmin) return Error(ErrorCode::kAdminOnly, std::string("this key is not of role admin; ") + kAsked);
  return {};
}

bool Router::keys_required() const noexcept { return impl_->keys_required(*impl_->snapshot.load()); }
LimitState Router::limits_of(const KeyRecord& key) const { return impl_->parts.limiter->state(impl_->bucket_of(key)); }
RateLimiter& Router::limiter() noexcept { return *impl_->parts.limiter; }
KeyStore* Router::keys() noexcept { return impl_->parts.keys.get(); }
const Clock& Router::clock() const noexcept { return impl_->clock(); }

}  // namespace llmrouter
