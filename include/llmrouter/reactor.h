// The event loop that transports and calls live on, and that lives in yours.
#ifndef LLMROUTER_REACTOR_H_
#define LLMROUTER_REACTOR_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "llmrouter/clock.h"
#include "llmrouter/result.h"

namespace llmrouter {

// Single-threaded but for `post`. Any foreign loop hosts it: watch `fd()` for reading, wake at `deadline()`, then call `drive()`.
// With nothing of a loop at hand, `run_until` blocks and drives.
class LLMROUTER_EXPORT Reactor {
 public:
  virtual ~Reactor() = default;
  virtual int fd() const noexcept = 0;  // readable when there is something to do; -1: this reactor has none (tests)
  virtual std::optional<TimePoint> deadline() const noexcept = 0;  // when the next timer is due; may change in every drive() and add_timer()
  virtual void drive() = 0;             // runs what is ready, never blocks; not from inside one of its own callbacks
  // Runs `task` in a later drive(). The only door for other threads. Tasks posted and not run when the reactor goes are destroyed unrun.
  virtual void post(std::function<void()> task) = 0;
  // Blocks and drives until `done()` or `limit` (steady time); true when done. `done` is asked after every drive.
  virtual bool run_until(const std::function<bool()>& done, std::optional<TimePoint> limit = std::nullopt) = 0;
  virtual const Clock& clock() const noexcept = 0;

  // Timers; reactor's thread only. `fn` runs once in a drive() at or after `when`; it may add and cancel timers.
  using TimerId = uint64_t;  // 0: none
  virtual TimerId add_timer(TimePoint when, std::function<void()> fn) = 0;
  virtual void cancel_timer(TimerId id) noexcept = 0;  // unknown and spent ids are ignored

  // File descriptors; reactor's thread only. `fn` gets the ready events. Interest 0 removes. One watcher for each descriptor.
  enum : unsigned { kRead = 1, kWrite = 2 };
  virtual Result<void> watch(int fd, unsigned interest, std::function<void(unsigned ready)> fn) = 0;
  virtual void unwatch(int fd) noexcept = 0;
};

// On epoll. `clock` must outlive it.
LLMROUTER_EXPORT Result<std::unique_ptr<Reactor>> make_reactor(const Clock& clock = system_clock());

}  // namespace llmrouter

#endif  // LLMROUTER_REACTOR_H_
