#include "loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <new>

#include "call.h"

namespace llmrouter::c {

Result<std::unique_ptr<Loop>> Loop::make(const Clock& clock) {
  std::unique_ptr<Loop> loop(new Loop);
  auto reactor = make_reactor(clock);
  if (!reactor) return std::move(reactor).error();
  loop->reactor_ = std::move(*reactor);
  auto transport = make_default_transport(*loop->reactor_);
  if (!transport) return std::move(transport).error();
  loop->transport_ = std::move(*transport);
  loop->wake_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (loop->wake_fd_ < 0) return Error(ErrorCode::kIo, "no event descriptor: " + std::to_string(errno));
  auto watched = loop->reactor_->watch(loop->wake_fd_, Reactor::kRead, [self = loop.get()](unsigned) { self->woken(); });
  if (!watched) return std::move(watched).error();
  return loop;
}

Loop::~Loop() {
  if (reactor_ && wake_fd_ >= 0) reactor_->unwatch(wake_fd_);
  transport_.reset();
  reactor_.reset();
  if (wake_fd_ >= 0) ::close(wake_fd_);
}

void Loop::wake() noexcept {
  const uint64_t one = 1;
  // A full counter means that a wake-up is pending already: the one failure there is.
  [[maybe_unused]] const auto n = ::write(wake_fd_, &one, sizeof one);
}

void Loop::woken() noexcept {
  uint64_t count;
  [[maybe_unused]] const auto n = ::read(wake_fd_, &count, sizeof count);
  hear();
}

void Loop::tell(CallState& call) noexcept {
  if (call.told_.exchange(true)) return;  // it is on the stack and has not been heard yet
  call.told_self_ = call.shared_from_this();
  call.told_next_ = told_.load();
  while (!told_.compare_exchange_weak(call.told_next_, &call)) {
  }
  wake();
}

void Loop::hear() noexcept {
  CallState* stack = told_.exchange(nullptr);
  CallState* in_order = nullptr;
  while (stack != nullptr) {
    CallState* next = stack->told_next_;
    stack->told_next_ = in_order;
    in_order = stack;
    stack = next;
  }
  while (in_order != nullptr) {
    CallState& call = *in_order;
    in_order = call.told_next_;
    const auto keep = std::move(call.told_self_);
    call.told_.store(false);  // from here on it may be told again
    call.hear();
  }
  if (!closing()) return;
  // Each cancelled call leaves the list before its callbacks run, and those may do anything: look from the front again.
  while (active_ != nullptr) {
    const auto keep = active_->shared_from_this();
    keep->cancel_wanted_.store(true);
    keep->hear();
    if (!keep->ended()) keep->fail(nullptr);
  }
}

void Loop::close() noexcept {
  closing_.store(true);
  wake();
}

void Loop::enter(CallState& call) noexcept {
  call.active_prev_ = nullptr;
  call.active_next_ = active_;
  if (active_ != nullptr) active_->active_prev_ = &call;
  active_ = &call;
}

void Loop::leave(CallState& call) noexcept {
  (call.active_prev_ != nullptr ? call.active_prev_->active_next_ : active_) = call.active_next_;
  if (call.active_next_ != nullptr) call.active_next_->active_prev_ = call.active_prev_;
  call.active_prev_ = call.active_next_ = nullptr;
}

bool Loop::idle() const noexcept { return active_ == nullptr && told_.load() == nullptr; }

void Loop::run_until(const std::function<bool()>& done) noexcept {
  for (;;) {
    try {
      if (done() || reactor_->run_until(done)) return;
    } catch (const std::bad_alloc&) {
      while (active_ != nullptr) active_->fail(nullptr);
    } catch (...) {
      const Error error(ErrorCode::kInternal, "");
      while (active_ != nullptr) active_->fail(&error);
    }
  }
}

}  // namespace llmrouter::c
