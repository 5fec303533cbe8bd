// A reactor with its transport, and the door by which other threads reach the calls on it.
#ifndef LLMROUTER_BINDINGS_C_LOOP_H_
#define LLMROUTER_BINDINGS_C_LOOP_H_

#include <atomic>
#include <functional>
#include <memory>

#include "llmrouter/llmrouter.h"

namespace llmrouter::c {

class CallState;

// Driven by one thread at a time: the router's own for started calls, the caller's for those that are run.
class Loop {
 public:
  static Result<std::unique_ptr<Loop>> make(const Clock& clock);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Any thread, needs no memory. `call` hears of it on the driving thread.
  void tell(CallState& call) noexcept;
  // Any thread: whether it is done is asked again.
  void wake() noexcept;
  // Any thread: calls that are active now or come later are cancelled.
  void close() noexcept;
  bool closing() const noexcept { return closing_.load(); }

  // The driving thread's.
  Transport& transport() noexcept { return *transport_; }
  void enter(CallState& call) noexcept;
  void leave(CallState& call) noexcept;
  // Nothing active and nothing told.
  bool idle() const noexcept;
  // Drives until `done`. What is thrown while driving ends every active call with an error.
  void run_until(const std::function<bool()>& done) noexcept;
  // Hears what was told and not yet heard.
  void hear() noexcept;

 private:
  Loop() = default;
  void woken() noexcept;

  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<Transport> transport_;
  int wake_fd_ = -1;
  std::atomic<CallState*> told_{nullptr};  // a stack
  std::atomic<bool> closing_{false};
  CallState* active_ = nullptr;  // a list
};

}  // namespace llmrouter::c

#endif  // LLMROUTER_BINDINGS_C_LOOP_H_
