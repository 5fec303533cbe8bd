// What the providers offer: asked, kept, listed.
#include <algorithm>
#include <iterator>
#include <set>

#include "core/resolve.h"
#include "core/router_impl.h"
#include "llmrouter/pattern.h"

namespace llmrouter {
namespace {

constexpr size_t kListCap = 8 * 1024 * 1024;  // of one provider's answer
constexpr int kMostPages = 50;
constexpr Duration kPatience = std::chrono::seconds(15);

// One question to one provider.
class ListQuestion final : public TransferSink {
 public:
  ListQuestion(const core::ProviderRuntime& provider, std::function<void()> done, Logger& logger)
      : provider_(provider), done_(std::move(done)), logger_(logger) {}
  ~ListQuestion() override { close(); }

  bool ask(Transport& transport) {
    codec_ = provider_.dialect->new_upstream_codec();
    if (!codec_) return false;
    std::string_view key;
    if (!provider_.credentials.empty()) key = provider_.credentials.front().key_to_send();
    if (!codec_->encode_models(provider_.config, key, encoded_)) return false;
    transport_ = &transport;
    asked_ = true;
    provider_.shared->list_questions.fetch_add(1, std::memory_order_relaxed);
    send();
    return true;
  }
  bool over() const noexcept { return over_; }
  void give_up(std::string_view why) {
    if (over_) return;
    transfer_.reset();
    fail(why);
    close();
  }

  void on_head(const HttpHead& head) override { status_ = head.status; }
  Flow on_body(std::string_view bytes) override {
    if (body_.size() + bytes.size() > kListCap) {
      give_up("the list is too long");
      done_();
      return Flow::kCancel;
    }
    body_.append(bytes);
    return Flow::kContinue;
  }
  void on_end(const TransferError& error) override {
    if (over_) return;
    if (error.ok() && status_ == 200 && take_page()) return;
    if (!error.ok()) {
      fail(error.message, error.detail);
    } else if (status_ != 200) {
      fail("it answered " + std::to_string(status_));
    } else if (!fault_.empty()) {
      fail(fault_);
    } else {
      auto list = core::apply_list_policy(provider_.config.models, ids_);
      provider_.shared->models.store(std::make_shared<const std::vector<std::string>>(std::move(list)));
      provider_.shared->listed.store(true, std::memory_order_relaxed);
      if (!provider_.shared->set_list_error({}).empty()) logger_.log(LogLevel::kInfo, "model list fetched again", {{"provider", provider_.config.name}});
    }
    close();
    done_();
  }

 private:
  // What came of it is told before: in between somebody may look.
  void close() noexcept {
    if (asked_ && !over_) provider_.shared->list_questions.fetch_sub(1, std::memory_order_release);
    over_ = true;
  }

  void send() {
    encoded_.http.connect_timeout = provider_.timeouts.connect;
    encoded_.http.endpoint = provider_.endpoint;
    if (!provider_.credentials.empty()) encoded_.http.tokens = provider_.credentials.front().tokens;
    transfer_ = transport_->start(std::move(encoded_.http), *this);
  }

  // True: the list goes on, and has been asked to.
  bool take_page() {
    auto ids = codec_->parse_models(body_);
    if (!ids) {
      fault_ = ids.error().message;
      return false;
    }
    ids_.insert(ids_.end(), std::make_move_iterator(ids->begin()), std::make_move_iterator(ids->end()));
    std::string_view key;
    if (!provider_.credentials.empty()) key = provider_.credentials.front().key_to_send();
    encoded_ = EncodedRequest();
    if (!codec_->encode_more_models(provider_.config, key, encoded_)) return false;
    if (++pages_ >= kMostPages) {
      fault_ = "the list has more than " + std::to_string(kMostPages) + " pages";
      return false;
    }
    body_.clear();
    status_ = 0;
    send();
    return true;
  }

  // The list that was known before stays. Told in the log when it is another failure than the last time.
  void fail(std::string_view why, std::string_view detail = {}) {
    const std::string words = with_detail(why, detail);
    const std::string before = provider_.shared->set_list_error(words);
    // Whatever the detail: how long it took is never the same.
    if (before == why || before.compare(0, why.size() + 2, std::string(why) + " (") == 0) return;
    logger_.log(LogLevel::kWarn, "model list not fetched", {{"provider", provider_.config.name}, {"error", words}});
  }

  const core::ProviderRuntime& provider_;
  std::function<void()> done_;
  Logger& logger_;
  std::unique_ptr<UpstreamCodec> codec_;
  Transport* transport_ = nullptr;
  EncodedRequest encoded_;
  std::unique_ptr<Transfer> transfer_;
  std::string body_, fault_;
  std::vector<std::string> ids_;
  int status_ = 0, pages_ = 0;
  bool asked_ = false, over_ = false;
};

// All of them at once. `done` comes from a timer, so that its receiver may destroy this.
class ListRefresh final : public Transfer {
 public:
  ListRefresh(std::shared_ptr<const core::Snapshot> snap, Reactor& reactor, std::function<void()> done, Logger& logger)
      : snap_(std::move(snap)), reactor_(reactor), done_(std::move(done)), logger_(logger) {}
  ~ListRefresh() override { reactor_.cancel_timer(timer_); }
  void resume() override {}

  void start(Transport& transport) {
    for (const auto& provider : snap_->providers) {
      if (!provider->config.models.override_.empty()) continue;
      auto question = std::make_unique<ListQuestion>(*provider, [this] { check(); }, logger_);
      if (question->ask(transport)) questions_.push_back(std::move(question));
    }
    timer_ = reactor_.add_timer(reactor_.clock().now() + kPatience, [this] { finish("no answer in time"); });
    check();
  }

 private:
  void check() {
    const bool all = std::all_of(questions_.begin(), questions_.end(), [](const auto& q) { return q->over(); });
    if (!all || finishing_) return;
    finishing_ = true;
    reactor_.cancel_timer(timer_);
    timer_ = reactor_.add_timer(reactor_.clock().now(), [this] { finish(""); });
  }
  void finish(std::string_view why) {
    finishing_ = true;
    timer_ = 0;
    for (auto& question : questions_) question->give_up(why);
    auto done = std::move(done_);
    if (done) done();
  }

  std::shared_ptr<const core::Snapshot> snap_;
  Reactor& reactor_;
  std::function<void()> done_;
  Logger& logger_;
  std::vector<std::unique_ptr<ListQuestion>> questions_;
  Reactor::TimerId timer_ = 0;
  bool finishing_ = false;
};

}  // namespace

std::unique_ptr<Transfer> Router::refresh_models(Transport& transport, std::function<void()> done) {
  auto refresh = std::make_unique<ListRefresh>(impl_->snapshot.load(), transport.reactor(), std::move(done), impl_->logger());
  refresh->start(transport);
  return refresh;
}

std::vector<std::string> Router::filters() const {
  std::vector<std::string> names;
  const auto snap = impl_->snapshot.load();
  for (const auto& [name, factory] : snap->filters) names.push_back(name);
  return names;
}

bool Router::knows(std::string_view model) const { return core::is_known(*impl_->snapshot.load(), model); }

std::vector<ModelEntry> Router::models(const KeyRecord* key) const {
  auto snap = impl_->snapshot.load();
  std::vector<ModelEntry> out;
  std::set<std::string> seen;
  const auto created = std::chrono::duration_cast<std::chrono::seconds>(impl_->clock().wall().time_since_epoch()).count();
  auto add = [&](std::string id, const std::string& only, const std::string& owner, const core::ProviderRuntime& provider, const std::string& model) {
    if (!seen.insert(id).second) return;
    const ModelFacts facts = snap->catalog ? snap->catalog->facts(provider.config.type, model) : ModelFacts();
    out.push_back({std::move(id), only, owner, created, facts.context_window, facts.max_output});
  };
  for (const auto& route : snap->routes) {
    if (route->name.find('*') != std::string::npos || route->targets.empty()) continue;
    const core::Grant grant = core::grant_of(key, route->name, route.get(), false);
    const auto& targets = route->targets;
    if (std::none_of(targets.begin(), targets.end(), [&](const core::RouteTarget& t) { return grant.allows(*t.provider, t.model); })) continue;
    const std::string& only = targets.size() == 1 ? targets.front().provider->config.name : std::string();
    add(route->name, only, only.empty() ? "llmrouter" : only, *targets.front().provider, targets.front().model);
  }
  for (const auto& provider : snap->providers) {
    auto list = provider->shared->models.load();
    if (!list) continue;
    const std::string& name = provider->config.name;
    for (const std::string& id : *list) {
      if (core::grant_of(key, name + '/' + id, nullptr, false).allows(*provider, id)) add(name + '/' + id, name, name, *provider, id);
    }
  }
  return out;
}

}  // namespace llmrouter
