// A router as the C ABI holds it: the parts, the loops, and the thread for started calls.
#ifndef LLMROUTER_BINDINGS_C_CORE_H_
#define LLMROUTER_BINDINGS_C_CORE_H_

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "loop.h"

namespace llmrouter::c {

// Shared by its handle, its calls and, while there is one, its thread. Thread-safe.
class Core : public std::enable_shared_from_this<Core> {
 public:
  static Result<std::shared_ptr<Core>> make(const Config& config, std::shared_ptr<Logger> logger, FilterMap filters);

  Router& router() noexcept { return *router_; }
  const std::shared_ptr<UsageStore>& usage() const noexcept { return usage_; }
  const Dialect& openai() const noexcept { return *openai_; }

  // Gives the call to the thread for started calls, made now when there is none. kShuttingDown after close().
  Result<void> start(const std::shared_ptr<CallState>& call);
  // Drives the call on this thread until it has ended. The first that asks for a name nobody knows here asks the providers for theirs before, unless it is
  // cancelled meanwhile.
  Result<void> run(const std::shared_ptr<CallState>& call);
  // Asks the providers for their models, on this thread.
  Result<void> refresh_models();

  // Asks providers how they are, on the thread for started calls, when `config` wants that; from then on what a reload says holds, too.
  Result<void> probe(const Config& config);

  void close() noexcept;

 private:
  Result<std::unique_ptr<Loop>> take_loop();
  void give_loop(std::unique_ptr<Loop> loop) noexcept;
  // Until all have answered or failed, the loop closes, or `call` (may be null) is cancelled; false: no memory.
  bool ask_lists(Loop& loop, const CallState* call) noexcept;
  Result<void> ensure_thread();
  void drive_thread() noexcept;

  std::shared_ptr<Router> router_;
  std::shared_ptr<UsageStore> usage_;
  std::shared_ptr<const Dialect> openai_;

  std::atomic<bool> probing_{false};      // wanted once
  std::atomic<bool> lists_asked_{false};  // all providers have answered or failed once

  std::mutex mutex_;  // never held while anything is driven or called back
  bool closed_ = false;
  std::vector<std::unique_ptr<Loop>> idle_;
  std::vector<Loop*> busy_;
  std::unique_ptr<Loop> thread_loop_;
  std::thread thread_;
};

}  // namespace llmrouter::c

struct llmrouter_router {
  std::shared_ptr<llmrouter::c::Core> core;
};

#endif  // LLMROUTER_BINDINGS_C_CORE_H_
