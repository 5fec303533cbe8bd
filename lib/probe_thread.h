// Probes for who has no event loop that they could run on.
#ifndef LLMROUTER_LIB_PROBE_THREAD_H_
#define LLMROUTER_LIB_PROBE_THREAD_H_

#include <atomic>
#include <memory>
#include <thread>

#include "llmrouter/llmrouter.h"

namespace llmrouter {

// Does a provider of this configuration want to be asked how it is?
bool wants_probes(const Config& config);

// A reactor on a thread of its own, for Router::start_probes() alone. The thread takes no signals: those are the application's.
class ProbeThread {
 public:
  static Result<std::unique_ptr<ProbeThread>> start(std::shared_ptr<Router> router);
  // Stops the probes and waits for the thread, which is at once.
  ~ProbeThread();
  ProbeThread(const ProbeThread&) = delete;
  ProbeThread& operator=(const ProbeThread&) = delete;

 private:
  explicit ProbeThread(std::shared_ptr<Router> router) : router_(std::move(router)) {}
  void run() noexcept;

  std::shared_ptr<Router> router_;
  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<Transport> transport_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace llmrouter

#endif  // LLMROUTER_LIB_PROBE_THREAD_H_
