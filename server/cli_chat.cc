// chat: one question, in this process; no server is needed. However it ends, what was said until then is recorded: it has to be paid for.
#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "llmrouter/llmrouter.h"
#include "server/cli.h"

namespace llmrouter::server {

namespace {

// SIGINT, SIGTERM and SIGHUP, where they are not ignored: the first of them is told, on the reactor; from then on they do what they always do.
// Threads made while this lives do not take them.
class Interruption {
 public:
  Interruption() noexcept {
    sigemptyset(&signals_);
    for (int s : {SIGINT, SIGTERM, SIGHUP}) {
      struct sigaction now {};
      if (::sigaction(s, nullptr, &now) == 0 && now.sa_handler != SIG_IGN) sigaddset(&signals_, s);
    }
    ::pthread_sigmask(SIG_BLOCK, &signals_, &before_);
  }
  ~Interruption() {
    if (reactor_ != nullptr) reactor_->unwatch(fd_);
    if (fd_ >= 0) ::close(fd_);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  // The reactor outlives this.
  Result<void> watch(Reactor& reactor, std::function<void()> told) {
    fd_ = ::signalfd(-1, &signals_, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd_ < 0) return Error(ErrorCode::kIo, std::string("signalfd: ") + std::strerror(errno));
    auto watched = reactor.watch(fd_, Reactor::kRead, [this, told = std::move(told)](unsigned) {
      signalfd_siginfo info{};
      if (signal_ != 0 || ::read(fd_, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return;
      signal_ = static_cast<int>(info.ssi_signo);
      ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
      told();
    });
    if (watched) reactor_ = &reactor;
    return watched;
  }
  int signal() const noexcept { return signal_; }  // 0: none

 private:
  sigset_t signals_, before_;
  Reactor* reactor_ = nullptr;
  int fd_ = -1;
  int signal_ = 0;
};

// Writes the words to stdout as they come, until that fails.
class Printer final : public StreamSink {
 public:
  Flow on_event(const StreamEvent& event) override {
    if (event.kind != StreamEvent::Kind::kText || event.choice != 0 || event.text.empty()) return Flow::kContinue;
    print(event.text);
    ends_line_ = event.text.back() == '\n';
    if (std::fflush(stdout) != 0) problem_ = errno;
    return problem_ != 0 ? Flow::kCancel : Flow::kContinue;
  }
  void on_end(const CallResult& result) override {
    error_ = result.error;
    done_ = true;
  }
  void end_line() const {
    if (!ends_line_ && problem_ == 0) print("\n");
  }
  bool done() const noexcept { return done_; }
  int problem() const noexcept { return problem_; }  // an errno; 0: none
  const Error& error() const noexcept { return error_; }

 private:
  bool ends_line_ = true;
  bool done_ = false;
  int problem_ = 0;
  Error error_;
};

// Asks; the signal that ended it, 0: none. What was recorded is on disk when this returns.
Result<int> ask(const Config& config, const Args& args, Printer& printer) {
  auto reactor = make_reactor();
  if (!reactor) return std::move(reactor).error();
  Interruption interruption;
  auto parts = build_parts(config, make_stderr_logger(LogLevel::kWarn, config.observe.json));
  if (!parts) return std::move(parts).error();
  parts->models_hint = kModelsHint;
  auto made = Router::create(config, std::move(*parts));
  if (!made) return std::move(made).error();
  const std::shared_ptr<Router> router = std::move(*made);
  auto transport = make_default_transport(**reactor);
  if (!transport) return std::move(transport).error();
  const std::string& model = args.arguments()[0];
  Call call;
  if (auto watched = interruption.watch(**reactor, [&call] { call.cancel(); }); !watched) return std::move(watched).error();
  if (!router->knows(model)) {
    // Whoever cannot be asked is passed over: the name may be another's, and if it is nobody's the call says so.
    bool asked = false;
    const auto lists = router->refresh_models(**transport, [&asked] { asked = true; });
    (*reactor)->run_until([&] { return asked || interruption.signal() != 0; });
  }
  if (interruption.signal() == 0) {
    call = router->start(**transport, ChatRequest::of(model, args.arguments()[1]), true, CallOptions(), printer);
    (*reactor)->run_until([&printer] { return printer.done(); });
  }
  return interruption.signal();
}

// As if nobody had caught it: shells tell this from an exit code.
void die_of(int signal) {
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

}  // namespace

int run_chat(const Args& args) {
  const auto loaded = load(args);
  if (!loaded) return kUsage;
  const auto pipe_signal = ::signal(SIGPIPE, SIG_IGN);
  Printer printer;
  const auto interrupted = ask(loaded->config, args, printer);
  printer.end_line();
  std::fflush(stdout);
  if (!interrupted) return complain(interrupted.error());
  if (*interrupted != 0) die_of(*interrupted);
  if (printer.problem() == EPIPE && pipe_signal != SIG_IGN) die_of(SIGPIPE);
  if (printer.problem() != 0) return complain(Error(ErrorCode::kIo, std::string("the answer cannot be written: ") + std::strerror(printer.problem())));
  return printer.error().code == ErrorCode::kNone ? kDone : complain(printer.error());
}

}  // namespace llmrouter::server
