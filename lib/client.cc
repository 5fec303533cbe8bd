// The blocking face: each call in flight drives a reactor of its own on the caller's thread.
#include <condition_variable>
#include <exception>
#include <mutex>
#include <new>
#include <utility>

#include "llmrouter/llmrouter.h"
#include "probe_thread.h"

namespace llmrouter {

namespace {

constexpr size_t kIdleLines = 64;  // reactors kept for the next calls; each holds a few descriptors and its live connections
constexpr Duration kModelsFresh = std::chrono::minutes(5);

// A reactor and the transport on it. Used by one thread at a time.
struct Line {
  std::unique_ptr<Reactor> reactor;
  std::unique_ptr<Transport> transport;
  ~Line() {
    transport.reset();
    reactor.reset();
  }
};

Result<std::unique_ptr<Line>> make_line(const Clock& clock) {
  auto line = std::make_unique<Line>();
  auto reactor = make_reactor(clock);
  if (!reactor) return std::move(reactor).error();
  line->reactor = std::move(*reactor);
  auto transport = make_default_transport(*line->reactor);
  if (!transport) return std::move(transport).error();
  line->transport = std::move(*transport);
  return line;
}

// Idle lines, the last one used on top: its connections are the warmest. Locked while taking and giving back, never while driving.
class LinePool {
 public:
  explicit LinePool(const Clock& clock) : clock_(clock) {}

  Result<std::unique_ptr<Line>> take() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!idle_.empty()) {
        auto line = std::move(idle_.back());
        idle_.pop_back();
        return line;
      }
    }
    return make_line(clock_);
  }

  void give(std::unique_ptr<Line> line) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (idle_.size() < kIdleLines) idle_.push_back(std::move(line));
  }

 private:
  const Clock& clock_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Line>> idle_;
};

// Collects what a call tells, and turns exceptions of the caller's own callback into a cancellation: they must not travel through
// the transport's C frames. `rethrow` hands them back on the caller's stack.
class BlockingSink final : public StreamSink {
 public:
  explicit BlockingSink(const std::function<Flow(const StreamEvent&)>* on_event) : on_event_(on_event) {}

  Flow on_event(const StreamEvent& event) override {
    if (on_event_ == nullptr) return Flow::kContinue;
    try {
      const Flow flow = (*on_event_)(event);
      if (flow != Flow::kPause) return flow;
      asked_pause_ = true;
    } catch (...) {
      thrown_ = std::current_exception();
    }
    return Flow::kCancel;
  }
  void on_response(ChatResponse&& response) override { response_ = std::move(response); }
  void on_end(const CallResult& result) override {
    // Set first: whatever happens to the copy, the caller must stop driving.
    done_ = true;
    try {
      result_ = result;
      if (asked_pause_) result_.error = Error(ErrorCode::kInvalidRequest, "Flow::kPause is not for blocking calls");
    } catch (...) {
      thrown_ = std::current_exception();
    }
  }

  bool done() const noexcept { return done_; }
  bool thrown() const noexcept { return thrown_ != nullptr; }
  void rethrow() const {
    if (thrown_) std::rethrow_exception(thrown_);
  }
  ChatResponse& response() noexcept { return response_; }
  CallResult& result() noexcept { return result_; }

 private:
  const std::function<Flow(const StreamEvent&)>* on_event_;
  ChatResponse response_;
  CallResult result_;
  std::exception_ptr thrown_;
  bool done_ = false;
  bool asked_pause_ = false;
};

// Fits the small buffer of std::string, so that saying it needs no memory.
Error out_of_memory() { return Error(ErrorCode::kInternal, "out of memory"); }

}  // namespace

struct Client::Impl {
  Impl(Config given, const Clock& clock) : config(std::move(given)), pool(clock) {}

  Result<void> run(ChatRequest request, bool stream, CallOptions options, BlockingSink& sink);
  Result<void> refresh_models();
  Result<void> ask_for_models();

  Config config;
  std::shared_ptr<Router> router;
  std::shared_ptr<UsageStore> usage;
  LinePool pool;  // its transports go before the router
  std::unique_ptr<ProbeThread> probes;  // null: nobody is probed

  std::mutex models_mutex;
  std::condition_variable models_ready;
  bool models_asking = false;
  std::optional<TimePoint> models_asked;
};

// An error here means that the call never ended; what it ended with is in the sink.
Result<void> Client::Impl::run(ChatRequest request, bool stream, CallOptions options, BlockingSink& sink) {
  try {
    // Whoever cannot be asked is passed over: the name may be another's, and if it is nobody's the call says so.
    if (!request.model.empty() && options.forced_provider.empty() && !router->knows(request.model)) (void)refresh_models();
    auto line = pool.take();
    if (!line) return std::move(line).error();
    {
      Call call = router->start(*(*line)->transport, std::move(request), stream, std::move(options), sink);
      (*line)->reactor->run_until([&sink] { return sink.done(); });
    }
    if (!sink.done()) return Error(ErrorCode::kInternal, "the reactor stopped before the call ended");
    pool.give(std::move(*line));
    return {};
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  }
}

// Asks for the lists unless they are fresh; a second caller waits for the first one's answer.
Result<void> Client::Impl::refresh_models() {
  std::unique_lock<std::mutex> lock(models_mutex);
  models_ready.wait(lock, [this] { return !models_asking; });
  const TimePoint now = router->clock().now();
  if (models_asked && now - *models_asked < kModelsFresh) return {};
  models_asking = true;
  lock.unlock();
  Result<void> asked = Error(ErrorCode::kInternal, "out of memory");
  try {
    asked = ask_for_models();
  } catch (const std::bad_alloc&) {  // told as it stands in `asked`
  }
  lock.lock();
  models_asking = false;
  if (asked) models_asked = now;
  lock.unlock();
  models_ready.notify_all();
  return asked;
}

Result<void> Client::Impl::ask_for_models() {
  auto line = pool.take();
  if (!line) return std::move(line).error();
  bool done = false;
  {
    auto refresh = router->refresh_models(*(*line)->transport, [&done] { done = true; });
    (*line)->reactor->run_until([&done] { return done; });
  }
  pool.give(std::move(*line));
  return {};
}

Result<ChatResponse> Client::chat(std::string_view model, std::string_view text) {
  try {
    return chat(ChatRequest::of(std::string(model), std::string(text)));
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  }
}

Result<ChatResponse> Client::chat(ChatRequest request, CallOptions options) {
  const auto impl = impl_;  // the call goes on when its client is dropped meanwhile
  BlockingSink sink(nullptr);
  if (auto ran = impl->run(std::move(request), false, std::move(options), sink); !ran) return std::move(ran).error();
  if (sink.thrown()) return out_of_memory();  // no callback of the caller's here: copying the result is all that can throw
  if (!sink.result().ok()) return std::move(sink.result().error);
  return std::move(sink.response());
}

Result<CallResult> Client::stream(std::string_view model, std::string_view text, const std::function<Flow(std::string_view)>& on_text) {
  return stream(ChatRequest::of(std::string(model), std::string(text)), [&on_text](const StreamEvent& event) {
    if (event.kind != StreamEvent::Kind::kText || event.choice != 0 || event.text.empty()) return Flow::kContinue;
    return on_text(event.text);
  });
}

Result<CallResult> Client::stream(ChatRequest request, const std::function<Flow(const StreamEvent&)>& on_event, CallOptions options) {
  const auto impl = impl_;
  BlockingSink sink(&on_event);
  auto ran = impl->run(std::move(request), true, std::move(options), sink);
  sink.rethrow();
  if (!ran) return std::move(ran).error();
  if (!sink.result().ok()) return std::move(sink.result().error);
  return std::move(sink.result());
}

Result<Plan> Client::explain(std::string_view model) const { return impl_->router->explain(model); }

Result<std::vector<ModelEntry>> Client::models() {
  try {
    const auto impl = impl_;
    if (auto asked = impl->refresh_models(); !asked) return std::move(asked).error();
    return impl->router->models(nullptr);
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  }
}

Router& Client::router() const noexcept { return *impl_->router; }
std::shared_ptr<UsageStore> Client::usage() const noexcept { return impl_->usage; }
const Config& Client::config() const noexcept { return impl_->config; }

Result<Client> open_config(const Config& config, std::shared_ptr<Logger> logger, std::string models_hint) {
  try {
    auto parts = build_parts(config, std::move(logger));
    if (!parts) return std::move(parts).error();
    parts->models_hint = std::move(models_hint);
    Client client;
    client.impl_ = std::make_shared<Client::Impl>(config, *parts->clock);
    client.impl_->usage = std::dynamic_pointer_cast<UsageStore>(parts->usage);
    auto router = Router::create(config, std::move(*parts));
    if (!router) return std::move(router).error();
    client.impl_->router = std::move(*router);
    if (wants_probes(config)) {
      auto probes = ProbeThread::start(client.impl_->router);
      if (!probes) return std::move(probes).error();
      client.impl_->probes = std::move(*probes);
    }
    return client;
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  }
}

namespace {

Result<Client> open_input(const ConfigInput& input) {
  ConfigResult loaded = load_config(input);
  if (!loaded.ok()) return loaded.to_error();
  return open_config(loaded.config);
}

}  // namespace

Result<Client> open(const std::string& path) {
  try {
    ConfigInput input;
    input.file = path;
    return open_input(input);
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  }
}

Result<Client> open_text(std::string yaml) {
  try {
    ConfigInput input;
    input.text = std::move(yaml);
    return open_input(input);
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  }
}

}  // namespace llmrouter
