#include "probe_thread.h"

#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <system_error>

namespace llmrouter {

bool wants_probes(const Config& config) {
  return std::any_of(config.providers.begin(), config.providers.end(), [](const ProviderConfig& p) { return p.health.probe != ProbeKind::kOff; });
}

Result<std::unique_ptr<ProbeThread>> ProbeThread::start(std::shared_ptr<Router> router) {
  std::unique_ptr<ProbeThread> probing(new ProbeThread(std::move(router)));
  auto reactor = make_reactor(probing->router_->clock());
  if (!reactor) return std::move(reactor).error();
  probing->reactor_ = std::move(*reactor);
  auto transport = make_default_transport(*probing->reactor_);
  if (!transport) return std::move(transport).error();
  probing->transport_ = std::move(*transport);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  Result<void> started;
  try {
    probing->thread_ = std::thread([self = probing.get()] { self->run(); });
  } catch (const std::system_error& error) {
    started = Error(ErrorCode::kInternal, std::string("no thread for probes: ") + error.what());
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!started) return std::move(started).error();
  return probing;
}

ProbeThread::~ProbeThread() {
  stop_.store(true);
  if (thread_.joinable()) {
    reactor_->post([] {});
    thread_.join();
  }
  transport_.reset();
  reactor_.reset();
}

void ProbeThread::run() noexcept {
  std::unique_ptr<Transfer> probes;
  while (!stop_.load()) {
    try {
      if (!probes) probes = router_->start_probes(*transport_);
      reactor_->run_until([this] { return stop_.load(); });
    } catch (...) {  // memory ran out: begun anew, each provider at its own time
      probes.reset();
    }
  }
}

}  // namespace llmrouter
