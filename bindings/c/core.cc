#include "core.h"

#include <pthread.h>

#include <algorithm>
#include <csignal>

#include "call.h"

namespace llmrouter::c {

namespace {

constexpr size_t kIdleLoops = 64;

// Threads made while this lives take no signals: those are the application's.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace

Result<std::shared_ptr<Core>> Core::make(const Config& config, std::shared_ptr<Logger> logger, FilterMap filters) {
  auto parts = build_parts(config, std::move(logger));
  if (!parts) return std::move(parts).error();
  parts->filters = std::move(filters);
  parts->models_hint = "llmrouter_models(router, 1, &list) asks the providers for what there is";
  auto core = std::make_shared<Core>();
  core->usage_ = std::dynamic_pointer_cast<UsageStore>(parts->usage);
  for (const auto& dialect : parts->dialects) {
    if (dialect->name() == "openai") core->openai_ = dialect;
  }
  if (!core->openai_) return Error(ErrorCode::kInternal, "the openai dialect is missing");
  auto router = Router::create(config, std::move(*parts));
  if (!router) return std::move(router).error();
  core->router_ = std::move(*router);
  if (auto probed = core->probe(config); !probed) {
    core->close();
    return std::move(probed).error();
  }
  return core;
}

Result<void> Core::ensure_thread() {
  if (thread_.joinable()) return {};
  if (!thread_loop_) {
    auto loop = Loop::make(router_->clock());
    if (!loop) return std::move(loop).error();
    thread_loop_ = std::move(*loop);
  }
  const SignalsBlocked blocked;
  // The thread keeps the core: it may be closed from a callback, whose frames are still on this thread's stack.
  thread_ = std::thread([core = shared_from_this()] { core->drive_thread(); });
  return {};
}

void Core::drive_thread() noexcept {
  Loop& loop = *thread_loop_;
  std::unique_ptr<Transfer> probes;
  const auto over = [&loop] { return loop.closing() && loop.idle(); };
  while (!over()) {
    loop.run_until([&] { return over() || (!probes && probing_.load() && !loop.closing()); });
    if (probes || !probing_.load() || loop.closing()) continue;
    try {
      probes = router_->start_probes(loop.transport());
    } catch (...) {  // no memory: tried again
    }
  }
}

Result<void> Core::probe(const Config& config) {
  const auto wants = [](const ProviderConfig& provider) { return provider.health.probe != ProbeKind::kOff; };
  if (probing_.load() || std::none_of(config.providers.begin(), config.providers.end(), wants)) return {};
  std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return Error(ErrorCode::kShuttingDown, "the router was closed");
  if (auto ready = ensure_thread(); !ready) return ready;
  probing_.store(true);
  thread_loop_->wake();
  return {};
}

Result<void> Core::start(const std::shared_ptr<CallState>& call) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return Error(ErrorCode::kShuttingDown, "the router was closed");
  if (auto ready = ensure_thread(); !ready) return ready;
  call->board(*thread_loop_, true);
  thread_loop_->tell(*call);
  return {};
}

Result<std::unique_ptr<Loop>> Core::take_loop() {
  std::unique_ptr<Loop> loop;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) return Error(ErrorCode::kShuttingDown, "the router was closed");
    if (!idle_.empty()) {
      loop = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (!loop) {
    auto made = Loop::make(router_->clock());
    if (!made) return made;
    loop = std::move(*made);
  }
  std::lock_guard<std::mutex> lock(mutex_);
  idle_.reserve(std::min(kIdleLoops, busy_.size() + idle_.size() + 1));  // giving it back needs no memory
  busy_.push_back(loop.get());
  if (closed_) loop->close();
  return loop;
}

void Core::give_loop(std::unique_ptr<Loop> loop) noexcept {
  std::lock_guard<std::mutex> lock(mutex_);
  busy_.erase(std::find(busy_.begin(), busy_.end(), loop.get()));
  if (!closed_ && idle_.size() < idle_.capacity()) idle_.push_back(std::move(loop));
}

Result<void> Core::run(const std::shared_ptr<CallState>& call) {
  const bool unknown = !lists_asked_.load() && !call->leads_somewhere();
  auto loop = take_loop();
  if (!loop) return std::move(loop).error();
  call->board(**loop, false);
  if (unknown) (void)ask_lists(**loop, call.get());  // who cannot be asked is passed over
  call->launch();
  (*loop)->run_until([&call] { return call->ended(); });
  (*loop)->hear();  // what was told as it ended
  give_loop(std::move(*loop));
  return {};
}

Result<void> Core::refresh_models() {
  auto loop = take_loop();
  if (!loop) return std::move(loop).error();
  const bool asked = ask_lists(**loop, nullptr);
  give_loop(std::move(*loop));
  if (!asked) return Error(ErrorCode::kInternal, "out of memory");
  return {};
}

bool Core::ask_lists(Loop& loop, const CallState* call) noexcept {
  struct {
    Loop& loop;
    const CallState* call;
    bool done;
  } wait{loop, call, false};
  std::unique_ptr<Transfer> refresh;
  try {
    refresh = router_->refresh_models(loop.transport(), [&wait] { wait.done = true; });
  } catch (...) {
    return false;
  }
  if (refresh) loop.run_until([&wait] { return wait.done || wait.loop.closing() || (wait.call != nullptr && wait.call->cancel_wanted()); });
  refresh.reset();
  if (wait.done) lists_asked_.store(true);
  return true;
}

void Core::close() noexcept {
  std::thread thread;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    closed_ = true;
    idle_.clear();
    for (Loop* loop : busy_) loop->close();
    if (thread_.joinable()) {
      thread_loop_->close();
      thread = std::move(thread_);
    }
  }
  if (!thread.joinable()) return;
  if (thread.get_id() == std::this_thread::get_id()) {
    thread.detach();  // closed by a callback: the thread ends when that has returned
  } else {
    thread.join();
  }
}

}  // namespace llmrouter::c
