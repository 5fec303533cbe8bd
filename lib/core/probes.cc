// Asks providers how they are, between the requests of callers.
#include <algorithm>
#include <list>
#include <map>

#include "core/random.h"
#include "core/resolve.h"
#include "core/router_impl.h"
#include "llmrouter/pattern.h"

namespace llmrouter {
namespace {

constexpr Duration kPatience = std::chrono::seconds(15);
constexpr Duration kLookAgain = std::chrono::seconds(5);  // whether a reload wants something else

// One question; its answer's status is all that counts.
class Probe final : public TransferSink {
 public:
  Probe(std::shared_ptr<const core::Snapshot> snap, const core::ProviderRuntime& provider, const core::RouteTarget* target, Router::Impl& router)
      : snap_(std::move(snap)), provider_(provider), target_(target), router_(router) {}

  // False: there is nothing to ask with, or a limit is in the way.
  bool ask(Transport& transport) {
    const core::CredentialRuntime* credential = nullptr;
    const TimePoint now = router_.clock().now();
    uint64_t hash = 0;
    for (const auto& c : provider_.credentials) {
      if (target_ != nullptr ? c.health->rest_for(target_->model, hash, now).resting : c.health->resting(now)) continue;
      if (target_ != nullptr && !pattern_list_match(c.config->models, target_->model)) continue;
      credential = &c;
      break;
    }
    if (credential == nullptr && !provider_.credentials.empty()) return false;
    const std::string_view key = credential != nullptr ? credential->key_to_send() : std::string_view();
    codec_ = provider_.dialect->new_upstream_codec();
    if (!codec_) return false;
    if (target_ == nullptr) {
      if (!codec_->encode_models(provider_.config, key, encoded_)) return false;
    } else {
      LimitBucket* buckets[2] = {provider_.bucket, credential != nullptr ? credential->bucket : nullptr};
      Demand demand;
      demand.tokens = kTokens;
      Denial denial;
      if (buckets[0] != nullptr || buckets[1] != nullptr) {
        reservation_ = router_.parts.limiter->reserve(buckets, 2, demand, &denial);
        if (!reservation_.active()) return false;
      }
      Message message;
      message.role = Role::kUser;
      message.parts.emplace_back();
      message.parts.back().text = "ping";
      chat_.messages.push_back(std::move(message));
      chat_.max_tokens = 1;
      EncodeInput input;
      input.chat = &chat_;
      input.provider = &provider_.config;
      input.key = key;
      input.upstream_model = target_->model;
      if (!codec_->encode(input, encoded_)) return false;
    }
    if (credential != nullptr) encoded_.http.tokens = credential->tokens;
    encoded_.http.connect_timeout = provider_.timeouts.connect;
    encoded_.http.endpoint = provider_.endpoint;
    began_ = router_.clock().now();
    provider_.shared->probes.fetch_add(1, std::memory_order_relaxed);
    transfer_ = transport.start(std::move(encoded_.http), *this);
    return true;
  }

  bool over() const noexcept { return over_; }
  TimePoint due() const noexcept { return began_ + kPatience; }
  void give_up() { verdict(false, "no answer in time"); }

  void on_head(const HttpHead& head) override { status_ = head.status; }
  Flow on_body(std::string_view) override { return Flow::kContinue; }
  void on_end(const TransferError& error) override {
    if (over_) return;
    if (!error.ok()) return verdict(false, error.in_full());
    verdict(status_ < 500, "status " + std::to_string(status_));
  }

 private:
  static constexpr int64_t kTokens = 16;  // of a question and an answer of one word each

  void verdict(bool well, const std::string& words) {
    over_ = true;
    const TimePoint now = router_.clock().now();
    CooldownConfig cooldown = snap_->config.routing.cooldown;
    cooldown.within = std::max(cooldown.within, provider_.config.health.interval * (cooldown.failures + 1));  // probes are far apart
    core::TargetHealth& reach = provider_.shared->reach;
    const bool answered = status_ != 0;
    if (answered && (target_ != nullptr || well)) reach.succeeded(now, cooldown);
    else reach.failed(now, cooldown);
    // Who is limited or was refused is not broken, nor is it shown to work.
    if (target_ != nullptr && status_ >= 200 && status_ < 300) target_->state->health.succeeded(now, cooldown);
    if (target_ != nullptr && !well) target_->state->health.failed(now, cooldown);
    if (reservation_.active()) reservation_.settle({1, kTokens, 0});
    if (well) return;
    provider_.shared->failed_probes.fetch_add(1, std::memory_order_relaxed);
    router_.logger().log(LogLevel::kWarn, "probe failed",
                         {{"provider", provider_.config.name}, {"model", target_ != nullptr ? target_->model : std::string()}, {"error", words}});
  }

  std::shared_ptr<const core::Snapshot> snap_;
  const core::ProviderRuntime& provider_;
  const core::RouteTarget* target_;  // null: the list of models is asked for
  Router::Impl& router_;
  std::unique_ptr<UpstreamCodec> codec_;
  ChatRequest chat_;
  EncodedRequest encoded_;
  Reservation reservation_;
  std::unique_ptr<Transfer> transfer_;
  TimePoint began_{};
  int status_ = 0;
  bool over_ = false;
};

class Prober final : public Transfer {
 public:
  Prober(Router::Impl& router, Transport& transport) : router_(router), transport_(transport), reactor_(transport.reactor()) { tick(); }
  ~Prober() override { reactor_.cancel_timer(timer_); }
  void resume() override {}

 private:
  void tick() {
    const TimePoint now = router_.clock().now();
    for (auto& probe : probes_) {
      if (!probe->over() && probe->due() <= now) probe->give_up();
    }
    probes_.remove_if([](const auto& probe) { return probe->over(); });
    auto snap = router_.snapshot.load();
    TimePoint next = now + kLookAgain;
    for (const auto& provider : snap->providers) {
      const HealthConfig& health = provider->config.health;
      if (health.probe == ProbeKind::kOff) continue;
      auto [at, fresh] = due_.try_emplace(provider->config.name, now);
      // The first at a random time, so that the processes of a fleet do not ask at once.
      if (fresh) at->second = now + Duration(static_cast<int64_t>(static_cast<double>(health.interval.count()) * core::Random(router_.draw()).unit()));
      at->second = std::min(at->second, now + health.interval);
      if (at->second <= now) {
        at->second = now + health.interval;
        ask(snap, *provider);
      }
      next = std::min(next, at->second);
    }
    for (const auto& probe : probes_) next = std::min(next, probe->due());
    timer_ = reactor_.add_timer(next, [this] { tick(); });
  }

  void ask(const std::shared_ptr<const core::Snapshot>& snap, const core::ProviderRuntime& provider) {
    const HealthConfig& health = provider.config.health;
    if (health.probe == ProbeKind::kModels) return start(snap, provider, nullptr);
    std::vector<uint64_t> asked;  // a target may stand under several names
    for (const auto& route : snap->routes) {
      for (const core::RouteTarget& target : route->targets) {
        if (target.provider != &provider || target.star != std::string::npos || !pattern_list_match(health.models, target.model)) continue;
        if (std::find(asked.begin(), asked.end(), target.id) != asked.end()) continue;
        asked.push_back(target.id);
        start(snap, provider, &target);
      }
    }
  }

  void start(const std::shared_ptr<const core::Snapshot>& snap, const core::ProviderRuntime& provider, const core::RouteTarget* target) {
    auto probe = std::make_unique<Probe>(snap, provider, target, router_);
    if (probe->ask(transport_)) probes_.push_back(std::move(probe));
  }

  Router::Impl& router_;
  Transport& transport_;
  Reactor& reactor_;
  std::map<std::string, TimePoint> due_;
  std::list<std::unique_ptr<Probe>> probes_;
  Reactor::TimerId timer_ = 0;
};

}  // namespace

std::unique_ptr<Transfer> Router::start_probes(Transport& transport) { return std::make_unique<Prober>(*impl_, transport); }

}  // namespace llmrouter
