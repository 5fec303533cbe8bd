// The heart: takes a request, finds a target, survives its bad day, meters and records the call.
#ifndef LLMROUTER_ROUTER_H_
#define LLMROUTER_ROUTER_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/codec.h"
#include "llmrouter/config.h"
#include "llmrouter/keys.h"
#include "llmrouter/limits.h"
#include "llmrouter/media.h"
#include "llmrouter/route.h"
#include "llmrouter/state.h"
#include "llmrouter/stream.h"
#include "llmrouter/transport.h"
#include "llmrouter/usage.h"

namespace llmrouter {

// What a Router is made of. Leave out what you do not need: unset parts get the default named here.
struct RouterParts {
  const Clock* clock = nullptr;                          // system_clock(); must outlive the router; its reactors must be made with the same one
  std::shared_ptr<Logger> logger;                        // null_logger()
  std::shared_ptr<KeyStore> keys;                        // none: only the configuration's own keys
  std::shared_ptr<BudgetLedger> ledger;                  // none: budgets start anew with the process
  std::shared_ptr<RateLimiter> limiter;                  // made over `clock` and `ledger`
  std::shared_ptr<UsageSink> usage;                      // none: records are dropped
  std::shared_ptr<const Catalog> catalog;                // none: no prices, cost is 0
  std::vector<std::shared_ptr<const Dialect>> dialects;  // builtin_dialects()
  // Strategies of your own; asked before make_balancer().
  std::function<std::unique_ptr<Balancer>(std::string_view name, const std::vector<BalancerTarget>&)> balancers;
  // Makes the tokens of a credential that has to be exchanged for them; null for one that goes out as it is. None: there are no such credentials.
  std::function<Result<std::shared_ptr<AccessTokens>>(const ProviderConfig&, const Secret& key)> tokens;
  std::shared_ptr<MediaFetcher> media;                   // none: routing.remote_media fetches nothing
  std::shared_ptr<StateStore> state;                     // none: run-time changes are gone with the process
  FilterMap filters;                                     // by name, beside those of the configuration; think_tags is always there
  uint64_t seed = 0;                                     // 0: from the system
  std::string models_hint;                               // what an unknown model's error ends with when no name is near, or not all lists were fetched; empty: "models() lists what there is"
};

// How a call is made.
struct CallOptions {
  Secret key;                 // the caller's; empty: none presented
  bool trusted = true;        // no key is asked for (the application itself calls). The server sets false.
  std::string request_id;     // up to 128 letters, digits and -_.:/=+@, else kInvalidRequest; empty: one is made
  std::string endpoint;       // what the key must be allowed, and the record says; empty: the operation's name
  Duration timeout{0};        // shorter than the configured total; 0: that one; negative: kInvalidRequest
  std::string forced_provider;  // as `?proxy=` does; empty: none
  RouteRequest route;         // what the call asks of routing; headers named x-llmrouter-* and the body's own members come over it
  std::vector<HttpHeader> headers;  // the client's own, names in lower case; only allow-listed ones go upstream
};

// A finished call: what on_end tells.
struct CallResult {
  UsageRecord record;
  Error error;           // code kNone when the call went well
  // false: something was already passed on before it failed; the answer must not look finished.
  bool complete = true;
  bool ok() const noexcept { return error.code == ErrorCode::kNone; }
};

// Hears a neutral call. Runs on the reactor's thread, never inside `start`. on_end comes exactly once unless the Call is destroyed
// first. Either callback may destroy the Call.
class LLMROUTER_EXPORT StreamSink {
 public:
  virtual ~StreamSink() = default;
  virtual Flow on_event(const StreamEvent& event) = 0;    // streamed calls
  virtual void on_response(ChatResponse&& response) { (void)response; }  // calls that are not streamed: the answer, just before on_end
  virtual void on_task(TaskResponse&& response) { (void)response; }      // calls that are no chat: the same
  virtual void on_end(const CallResult& result) = 0;
};

// One of the header fields that are llmrouter's own. The name is a literal: there as long as the library is.
struct ReplyHeader {
  std::string_view name;  // in lower case
  std::string value;
};

// The answer to a raw call, as HTTP.
struct ReplyHead {
  int status = 200;
  bool stream = false;
  std::string_view content_type;
  int64_t content_length = -1;       // -1: streamed
  std::vector<ReplyHeader> headers;  // x-request-id, x-llmrouter-*, x-ratelimit-*, retry-after
};

// Hears a raw call: bytes in the client's own dialect. Same rules as StreamSink. Errors before the first byte come as a whole reply
// (head, body, end); later ones as an error frame and `complete == false`.
class LLMROUTER_EXPORT ReplySink {
 public:
  virtual ~ReplySink() = default;
  virtual void on_head(const ReplyHead& head) = 0;
  virtual Flow on_bytes(std::string_view bytes) = 0;
  // A whole answer, all of it at once; take it over to write it without a copy.
  virtual Flow on_whole(std::string&& body) { return on_bytes(body); }
  virtual void on_end(const CallResult& result) = 0;
};

struct RawRequest {
  std::string dialect = "openai";
  std::string body;
  RequestPath path{};
  Operation operation = Operation::kChat;
  std::shared_ptr<const BodySource> source{};  // not null: the body, in place of `body`; for operations that take a form, with path.content_type
};

// One request in flight. Destroying it cancels: the upstream is let go at once, the reservation settled, the call recorded as
// cancelled, and its sink never called again. Reactor's thread only.
class LLMROUTER_EXPORT Call {
 public:
  Call() noexcept;
  Call(Call&&) noexcept;
  Call& operator=(Call&&) noexcept;
  ~Call();
  bool active() const noexcept;  // on_end has not come yet
  void resume();                 // after kPause
  void cancel();                 // as the destructor, but on_end comes (kCancelled), inside this call
  // Ended by the application itself, not by its caller: who hears it gets `why`, before the answer has begun as its reply and later as the stream's last
  // event, and the record has it, too (status error, or cut). on_end comes inside this call.
  void end(Error why);

 private:
  friend class Router;
  struct State;
  explicit Call(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

struct ModelEntry {
  std::string id;        // what a client asks for
  std::string provider;  // empty: a configured name over several
  std::string owned_by;
  int64_t created = 0;
  int64_t context_window = 0, max_output = 0;  // tokens, of its first target; 0: the catalogue does not know
};

struct ProviderState {
  std::string name, type, dialect;
  bool available = true;         // it answers, be it with errors, and not every credential rests
  int64_t in_flight = 0;
  uint64_t attempts = 0, failures = 0;
  uint64_t probes = 0, failed_probes = 0;
  std::string last_error;
  size_t models = 0;
  std::string list_error;        // why its list of models could not be fetched when it was last asked; empty: it could, or nobody asks
  struct CredentialState {
    std::string name, hint;
    bool resting = false;
    std::string why;                 // rate limited | refused | out of quota
    std::chrono::milliseconds resting_for{0};
  };
  std::vector<CredentialState> credentials;
  bool known = false;            // it has been asked since the process began: by a call, a probe or for its list
  std::string_view status() const noexcept { return !available ? "down" : known ? "ok" : "unknown"; }
};
// One object of these names; durations in milliseconds.
LLMROUTER_EXPORT std::string to_json(const ProviderState& provider);

// How one target of a model is doing.
struct TargetCondition {
  std::string provider, model;
  std::string breaker;               // closed | open | half_open: one attempt decides
  bool resting = false;              // not asked while others are there
  std::chrono::milliseconds resting_for{0};
  bool reachable = true;             // its provider answers at all
  int64_t in_flight = 0;
  uint64_t attempts = 0, failures = 0;  // since the process began
  bool known = false;                // it was asked, or its provider probed
  int success_percent = 100;         // of the latest ones; says nothing before the first
  int64_t first_token_ms = 0, p95_first_token_ms = 0;  // 0: not known
};

struct ModelHealth {
  std::string model;                 // as it was asked for
  std::vector<TargetCondition> targets;
  size_t healthy = 0;                // of them: reachable, and not resting
  bool known = false;                // one of them was asked
  std::string_view status() const noexcept {
    return healthy < targets.size() ? healthy > 0 ? "degraded" : "down" : known ? "ok" : "unknown";
  }
};
LLMROUTER_EXPORT std::string to_json(const ModelHealth& health);

// Thread-safe but for what is said at each function. Immutable snapshots inside: a reload never changes a call in flight.
class LLMROUTER_EXPORT Router {
 public:
  static Result<std::shared_ptr<Router>> create(const Config& config, RouterParts parts = {});
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;
  struct Impl;  // opaque

  // A new configuration for calls that start from now on. Limits keep their state where names stay. On error nothing changed.
  // `catalog` replaces the prices and facts; null: those before stay (make_catalog(config.prices) makes the configuration's own).
  Result<void> reload(const Config& config, std::shared_ptr<const Catalog> catalog = nullptr);

  // Start a call on `transport`'s reactor thread. Nothing fires before they return; what is wrong with the request comes to on_end.
  // `sink`, `transport` and the router must outlive the Call.
  Call start(Transport& transport, ChatRequest request, bool stream, CallOptions options, StreamSink& sink);
  Call relay(Transport& transport, RawRequest request, CallOptions options, ReplySink& sink);
  // kEmbed, kRerank, kImage, kCountTokens.
  Call start(Transport& transport, TaskRequest request, CallOptions options, StreamSink& sink);

  // The plan for a request, nothing sent, no state changed. `body` may be empty (then only the name counts); `key` as in CallOptions.
  Result<Plan> explain(std::string_view model, const CallOptions& options = {}, std::string_view body = {}) const;

  // ---- Changes at run time; all of them may block on the state store, and outlive the process where that does ----

  // All rules, in the order they are asked.
  std::vector<RuleState> rules() const;
  // Adds a stored rule, or replaces the one of its name. kInvalidRequest with the member in `param`; kConflict when the configuration has one of
  // that name.
  Result<void> put_rule(const RuleConfig& rule);
  Result<void> remove_rule(std::string_view name);  // kNotFound; kConflict when it is the configuration's
  // The rule that would decide a chat, whatever the switch says; null: none. `key` may be null; `body` as in explain.
  Result<std::optional<RuleState>> matching_rule(std::string_view model, const KeyRecord* key, const CallOptions& options, std::string_view body) const;

  // Turns the routing switch, or the other way when `enabled` is not set, after routing.switch.delay. kRateLimited, with retry_after, until that and
  // routing.switch.cooldown are over; kInvalidRequest when `who` or `why` has more than 1,024 bytes or is not UTF-8. What it is already is no change.
  Result<SwitchState> toggle(std::optional<bool> enabled, std::string who, std::string why);
  SwitchState switch_state() const;
  std::vector<SwitchChange> switch_history() const;  // newest first, at most 1,000

  // From now on chats with this key ask for `model`, whatever the program says. kModelNotFound, kModelNotAllowed when the key may not use it; kConflict when
  // the key was presented by a session's token, here and in clear_override().
  Result<void> set_override(const KeyRecord& key, std::string_view model);
  Result<bool> clear_override(const KeyRecord& key);  // false: there was none
  std::string override_of(const KeyRecord& key) const;  // empty: none

  // A session of that key (KeyStore::create_session) for a model that it may use: kModelNotFound, kModelNotAllowed otherwise. The key store's
  // `sessions` and `end_sessions` say which there are, and end them.
  Result<CreatedSession> start_session(const KeyRecord& key, const SessionWish& wish);

  // The same as explain for a key that is known by its record; null: nobody's.
  Result<Plan> explain_for(const KeyRecord* key, std::string_view model, const CallOptions& options = {}, std::string_view body = {}) const;

  // Who is calling. Null record: nobody, and that is allowed. `endpoint` is checked against the key's allow-list, unless it is empty.
  Result<std::shared_ptr<const KeyRecord>> authenticate(const Secret& presented, std::string_view endpoint) const;
  // kMissingKey, kInvalidKey or kAdminOnly unless `presented` is the admin key or a key of role admin.
  Result<void> authorize_admin(const Secret& presented) const;
  bool keys_required() const noexcept;

  // Whether a name leads somewhere, for anybody. One that providers alone know does not before their lists were fetched.
  bool knows(std::string_view model) const;
  std::vector<std::string> filters() const;  // names that `filters` of models and keys may hold

  // What may be asked for, with this key or (null) any. Lists that were never fetched hold the configured names alone.
  std::vector<ModelEntry> models(const KeyRecord* key) const;
  // Asks every provider whose list is not overridden; `done` comes on the transport's reactor thread when all have answered or failed. Reactor's
  // thread only. The router and the transport must outlive it; destroying the returned handle stops it.
  std::unique_ptr<Transfer> refresh_models(Transport& transport, std::function<void()> done);

  // Those of which `key` may use something; null: all.
  std::vector<ProviderState> providers(const KeyRecord* key = nullptr) const;
  // The targets that a name leads to, without its fallbacks and those that `key` may not use. kModelNotFound.
  Result<ModelHealth> model_health(std::string_view model, const KeyRecord* key = nullptr) const;
  // Probes as `providers.*.health` says, also after a reload, until the returned handle is destroyed. Reactor's thread only; once for a process is
  // enough. The router and the transport must outlive it.
  std::unique_ptr<Transfer> start_probes(Transport& transport);
  // Counters and gauges in the Prometheus text format, version 0.0.4. Label values are configured names alone, so their number is bounded.
  std::string metrics() const;

  // How this key's limits stand. The first time for a key it takes a lock and may read the ledger.
  LimitState limits_of(const KeyRecord& key) const;
  RateLimiter& limiter() noexcept;
  KeyStore* keys() noexcept;  // null: none
  const Clock& clock() const noexcept;

 private:
  Router();
  std::unique_ptr<Impl> impl_;
  friend class Call;
};

}  // namespace llmrouter

#endif  // LLMROUTER_ROUTER_H_
