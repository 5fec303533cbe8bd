// The reactor on epoll. One epoll descriptor is its face to the host loop; inside it are an eventfd for post(), a timerfd for the
// earliest timer (when the clock is the machine's) and whatever is being watched.
#include "llmrouter/reactor.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "net/timer_queue.h"

namespace llmrouter {
namespace net {
namespace {

// What one drive() does at most, so that a host's own events are not starved.
constexpr int kMaxEvents = 256;
constexpr size_t kMaxTasks = 1024;
constexpr size_t kMaxTimers = 1024;
constexpr int kUnpolledTurns = 8;  // of run_until(), one after the other
constexpr int kNoPoll = -2;        // in place of epoll_wait's timeout

Error io_error(const char* what, int code) {
  return Error(ErrorCode::kIo, std::string(what) + ": " + std::strerror(code));
}

class Descriptor {
 public:
  Descriptor() = default;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  void set(int fd) noexcept { fd_ = fd; }
  int get() const noexcept { return fd_; }

 private:
  int fd_ = -1;
};

class EpollReactor final : public Reactor {
 public:
  explicit EpollReactor(const Clock& clock) : clock_(clock) {}

  Result<void> open() {
    epoll_.set(::epoll_create1(EPOLL_CLOEXEC));
    if (epoll_.get() < 0) return io_error("epoll_create1", errno);
    wake_.set(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (wake_.get() < 0) return io_error("eventfd", errno);
    if (auto added = add_own(wake_.get()); !added) return added;
    if (&clock_ != &system_clock()) return {};  // only the machine's clock has a descriptor
    timer_.set(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (timer_.get() < 0) return io_error("timerfd_create", errno);
    return add_own(timer_.get());
  }

  int fd() const noexcept override {
    if (!std::exchange(hosted_, true)) arm();  // for what was added before
    return epoll_.get();
  }
  std::optional<TimePoint> deadline() const noexcept override { return timers_.next(); }
  const Clock& clock() const noexcept override { return clock_; }

  void drive() override {
    if (driving_) return;
    turn(0);
    arm();
  }

  void post(std::function<void()> task) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    posted_.push_back(std::move(task));
    signal();
  }

  bool run_until(const std::function<bool()>& done, std::optional<TimePoint> limit) override {
    if (driving_) return false;
    bool finished = false;
    for (int timeout = 0, unpolled = 0;; timeout = wait_for(limit)) {
      // Where a timer is due, what is ready can wait for a few turns: asking costs as much as a small reply does.
      if (timeout == 0 && timer_due() && ++unpolled < kUnpolledTurns) {
        turn(kNoPoll);
      } else {
        unpolled = 0;
        turn(timeout);
      }
      if ((finished = done())) break;
      if (limit && std::chrono::steady_clock::now() >= *limit) break;
    }
    arm();  // a host may take over
    return finished;
  }

  TimerId add_timer(TimePoint when, std::function<void()> fn) override {
    // Inside a drive nothing can be due before the drive itself: this keeps timers that breed timers behind those that wait.
    const TimerId id = timers_.add(driving_ ? std::max(when, now_) : when, std::move(fn));
    if (!driving_) arm();
    return id;
  }

  void cancel_timer(TimerId id) noexcept override { timers_.cancel(id); }

  Result<void> watch(int fd, unsigned interest, std::function<void(unsigned)> fn) override;
  void unwatch(int fd) noexcept override;

 private:
  struct Watcher {
    std::function<void(unsigned)> fn;  // empty while it runs
    uint32_t generation = 0;           // changes when the watching ends: what was fetched for the old one is void
    unsigned interest = 0;             // 0: not watched
  };

  Result<void> add_own(int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = static_cast<uint32_t>(fd);
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return io_error("epoll_ctl", errno);
    return {};
  }

  void signal() const {  // with the lock held
    if (signalled_) return;
    signalled_ = true;
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);  // only fails when it is already readable
  }

  bool timer_due() const { return !timers_.empty() && *timers_.next() <= clock_.now(); }
  void turn(int timeout_ms);
  void run_tasks();
  void run_watcher(const epoll_event& event);
  void run_timers();
  void arm() const;
  void arm_timer(TimePoint when) const;
  int wait_for(std::optional<TimePoint> limit);

  const Clock& clock_;
  Descriptor epoll_, wake_, timer_;
  TimerQueue timers_;
  std::vector<Watcher> watchers_;  // by descriptor
  std::array<epoll_event, kMaxEvents> events_;
  bool driving_ = false;
  TimePoint now_{};                       // of this drive
  mutable TimePoint armed_ = TimePoint::max();  // what the timerfd is set to; never later than the earliest timer
  mutable bool hosted_ = false;           // somebody has the descriptor, and may be waiting on it
  std::vector<std::function<void()>> tasks_;  // taken from posted_, to be run from next_task_ on
  size_t next_task_ = 0;

  mutable std::mutex mutex_;
  std::vector<std::function<void()>> posted_;  // guarded by mutex_, as is signalled_
  mutable bool signalled_ = false;
};

Result<void> EpollReactor::watch(int fd, unsigned interest, std::function<void(unsigned)> fn) {
  if (fd < 0) return Error(ErrorCode::kIo, "watch: not a descriptor");
  if ((interest & (kRead | kWrite)) == 0) {
    unwatch(fd);
    return {};
  }
  if (!fn) return Error(ErrorCode::kInternal, "watch: no function to call");
  if (static_cast<size_t>(fd) >= watchers_.size()) watchers_.resize(static_cast<size_t>(fd) + 16);
  Watcher& watcher = watchers_[static_cast<size_t>(fd)];
  const bool known = watcher.interest != 0;
  epoll_event event{};
  event.events = ((interest & kRead) != 0 ? EPOLLIN : 0U) | ((interest & kWrite) != 0 ? EPOLLOUT : 0U);
  event.data.u64 = (uint64_t{watcher.generation} << 32) | static_cast<uint32_t>(fd);
  if (::epoll_ctl(epoll_.get(), known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0) {
    int failed = errno;
    if (known && failed == ENOENT) {
      // It was closed without unwatch() and the number has come back as something else.
      event.data.u64 = (uint64_t{++watcher.generation} << 32) | static_cast<uint32_t>(fd);
      failed = ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
    } else if (!known && failed == EEXIST) {
      failed = ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0 ? 0 : errno;
    }
    if (failed != 0) return io_error("epoll_ctl", failed);
  }
  watcher.interest = interest & (kRead | kWrite);
  const std::function<void(unsigned)> old = std::exchange(watcher.fn, std::move(fn));
  return {};
}

void EpollReactor::unwatch(int fd) noexcept {
  if (fd < 0 || static_cast<size_t>(fd) >= watchers_.size()) return;
  Watcher& watcher = watchers_[static_cast<size_t>(fd)];
  if (watcher.interest == 0) return;
  epoll_event event{};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, &event);  // fails when the descriptor is closed already, which is as good
  watcher.interest = 0;
  ++watcher.generation;
  const std::function<void(unsigned)> old = std::exchange(watcher.fn, nullptr);
}

void EpollReactor::turn(int timeout_ms) {
  const int count = timeout_ms == kNoPoll ? 0 : ::epoll_wait(epoll_.get(), events_.data(), kMaxEvents, timeout_ms);
  struct Driving {  // also when a callback throws
    bool& flag;
    explicit Driving(bool& f) : flag(f) { flag = true; }
    ~Driving() { flag = false; }
  } driving(driving_);
  now_ = clock_.now();
  bool woken = false;
  for (int i = 0; i < count; ++i) {
    const int fd = static_cast<int>(static_cast<uint32_t>(events_[static_cast<size_t>(i)].data.u64));
    if (fd == wake_.get()) {
      woken = true;
    } else if (fd == timer_.get()) {
      uint64_t expirations = 0;
      [[maybe_unused]] const ssize_t got = ::read(fd, &expirations, sizeof expirations);
      armed_ = TimePoint::max();
    } else {
      run_watcher(events_[static_cast<size_t>(i)]);
    }
  }
  if (woken) run_tasks();
  run_timers();
}

void EpollReactor::run_watcher(const epoll_event& event) {
  const auto index = static_cast<size_t>(static_cast<uint32_t>(event.data.u64));
  const auto generation = static_cast<uint32_t>(event.data.u64 >> 32);
  Watcher& watcher = watchers_[index];
  if (watcher.generation != generation || watcher.interest == 0) return;
  unsigned ready = ((event.events & EPOLLIN) != 0 ? kRead : 0U) | ((event.events & EPOLLOUT) != 0 ? kWrite : 0U);
  if ((event.events & (EPOLLERR | EPOLLHUP)) != 0) ready |= kRead | kWrite;  // reading or writing will tell what it is
  ready &= watcher.interest;
  if (ready == 0) return;
  // Out of the table while it runs: it may unwatch itself, or make the table grow.
  struct Running {
    EpollReactor& reactor;
    size_t index;
    uint32_t generation;
    std::function<void(unsigned)> fn;
    ~Running() {
      Watcher& w = reactor.watchers_[index];
      if (w.generation == generation && w.interest != 0 && !w.fn) w.fn = std::move(fn);
    }
  } running{*this, index, generation, std::exchange(watcher.fn, nullptr)};
  running.fn(ready);
}

void EpollReactor::run_tasks() {
  if (next_task_ == tasks_.size()) {
    tasks_.clear();
    next_task_ = 0;
    uint64_t count = 0;
    const std::lock_guard<std::mutex> lock(mutex_);
    [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &count, sizeof count);
    signalled_ = false;
    tasks_.swap(posted_);
  }
  for (size_t left = kMaxTasks; left > 0 && next_task_ < tasks_.size(); --left) {
    const std::function<void()> task = std::move(tasks_[next_task_++]);
    task();
  }
  if (next_task_ == tasks_.size()) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  signal();  // the rest of them, in the next drive
}

void EpollReactor::run_timers() {
  const uint64_t mark = timers_.mark();
  for (size_t left = kMaxTimers; left > 0; --left) {
    const std::function<void()> fn = timers_.take_due(now_, mark);
    if (!fn) return;
    fn();
  }
}

// Makes the descriptor readable in time for the earliest timer, where anybody may be watching it: run_until() looks at the timers itself.
// One that is due already goes by the eventfd: setting a timerfd to fire at once costs ten times as much.
void EpollReactor::arm() const {
  if (!hosted_ || timers_.empty()) return;
  const TimePoint next = *timers_.next();
  if (next >= armed_) return;
  if (next > clock_.now()) return arm_timer(next);
  const std::lock_guard<std::mutex> lock(mutex_);
  signal();
}

// One that fires for a timer that was cancelled meanwhile costs an idle drive; setting it anew for each would cost more.
void EpollReactor::arm_timer(TimePoint when) const {
  if (timer_.get() < 0 || when >= armed_) return;
  armed_ = when;
  const long long since = std::max<long long>(when.time_since_epoch().count(), 1);  // 0 would disarm it
  itimerspec spec{};
  spec.it_value.tv_sec = static_cast<time_t>(since / 1000000000);
  spec.it_value.tv_nsec = static_cast<long>(since % 1000000000);
  ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
}

// Milliseconds for epoll_wait, -1 for ever. Timers of the machine's clock wake it by their descriptor; for any other clock the
// distance to the next one is a guess, and post() is how who moves that clock says so.
int EpollReactor::wait_for(std::optional<TimePoint> limit) {
  std::optional<Duration> wait;
  if (limit) wait = *limit - std::chrono::steady_clock::now();
  if (!timers_.empty()) {
    const Duration due = *timers_.next() - clock_.now();
    if (due <= Duration::zero()) return 0;
    arm_timer(*timers_.next());
    if (timer_.get() < 0) wait = wait ? std::min(*wait, due) : due;
  }
  if (!wait) return -1;
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(*wait).count();
  return static_cast<int>(std::clamp<long long>(ms, 0, 3600 * 1000));
}

}  // namespace
}  // namespace net

Result<std::unique_ptr<Reactor>> make_reactor(const Clock& clock) {
  auto reactor = std::make_unique<net::EpollReactor>(clock);
  if (auto opened = reactor->open(); !opened) return std::move(opened).error();
  return std::unique_ptr<Reactor>(std::move(reactor));
}

}  // namespace llmrouter
