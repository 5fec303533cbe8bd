#include "server/server.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <cstdio>
#include <cstring>
#include <thread>

#include "server/banner.h"
#include "server/context.h"
#include "server/listener.h"
#include "server/live_logger.h"
#include "server/loop.h"
#include "server/memory.h"
#include "server/open_pages.h"
#include "server/watch.h"

namespace llmrouter::server {

namespace {

constexpr Duration kRefreshEvery = std::chrono::minutes(10);
constexpr Duration kRefreshAfterFailure = std::chrono::seconds(5);  // doubled from one to the next: some provider's list is missing
constexpr Duration kBannerWaits = std::chrono::milliseconds(300);
constexpr Duration kQuiet = std::chrono::seconds(10);
constexpr Duration kAfterCut = std::chrono::seconds(3);  // for the last words to reach the clients

bool reachable_from_outside(const Config& config) {
  for (const std::string& address : config.server.listen)
    if (!is_local_address(address)) return true;
  return false;
}

// `auto` lets everybody in while there is no key. That must never come about on an open address by the last key going away.
Config effective(Config config) {
  if (config.server.auth == AuthMode::kAuto && reachable_from_outside(config)) config.server.auth = AuthMode::kKeys;
  return config;
}

// The control thread: everything that is not a request.
class Server {
 public:
  Server(const LoadAgain& load_again, const ConfigResult& loaded) : load_again_(load_again), loaded_(loaded), config_(effective(loaded.config)) {}
  ~Server();
  Result<void> start();
  void run();

 private:
  Result<void> build();
  Result<void> check_open_door() const;
  Result<void> open_loops();
  Result<void> watch_signals();
  void on_signal();
  void reload(const char* why);
  bool empties_the_file();
  void tell_warnings(const ConfigResult& loaded) const;
  void tell_open_pages(const Config& config) const;
  void apply_settings();
  void tell_what_needs_a_restart(const Config& next) const;
  void refresh_models();
  void rest_when_quiet();
  void begin_shutdown();
  void cut_off();
  void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {}) { context_.logger->log(level, message, fields); }

  const LoadAgain& load_again_;
  const ConfigResult& loaded_;
  Config config_;
  sigset_t signals_{};
  int signal_fd_ = -1;
  std::shared_ptr<LiveLogger> logger_;  // the context's
  Context context_;
  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<Transfer> refresh_;
  std::unique_ptr<Transfer> probes_;
  Reactor::TimerId refresh_timer_ = 0;
  Duration refresh_again_ = kRefreshAfterFailure;
  bool refreshed_ = false;  // at least once
  uint64_t events_ = 0;     // when it was last looked whether there are any
  bool busy_ = true;        // there were some; the start counts as such
  std::unique_ptr<FileWatch> watch_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::vector<Listening> listening_;
  size_t drained_ = 0;
  bool cut_ = false;
  bool done_ = false;
};

Server::~Server() {
  context_.worker.stop();
  for (auto& loop : loops_) loop->stop();
  loops_.clear();
  watch_.reset();
  refresh_.reset();
  probes_.reset();
  transport_.reset();
  if (signal_fd_ >= 0) ::close(signal_fd_);
  for (const Listening& l : listening_)
    if (!l.unix_path.empty()) ::unlink(l.unix_path.c_str());
}

Result<void> Server::build() {
  logger_ = std::make_shared<LiveLogger>(config_.observe.level, config_.observe.json);
  context_.logger = logger_;
  tell_warnings(loaded_);
  auto parts = build_parts(config_, context_.logger);
  if (!parts) return std::move(parts).error();
  parts->models_hint = "GET /v1/models lists what there is";
  context_.usage = std::dynamic_pointer_cast<UsageStore>(parts->usage);
  context_.dialects = parts->dialects;
  auto router = Router::create(config_, std::move(*parts));
  if (!router) return std::move(router).error();
  context_.router = std::move(*router);
  tell_open_pages(config_);
  context_.rules_changed = [this] { reactor_->post([this] { apply_settings(); }); };
  return {};
}

Result<void> Server::check_open_door() const {
  if (config_.server.auth == AuthMode::kNone || !reachable_from_outside(config_)) return {};
  const KeyStore* keys = context_.router->keys();
  if (keys != nullptr && !keys->empty()) return {};
  return Error(ErrorCode::kConfig,
               "server.listen is open to other hosts and there is no key: anybody could spend your money. Make a key first\n"
               "    " + create_key_words(config_, "first") + "\n"
               "or listen on 127.0.0.1 alone, or (behind a door of your own) set server.auth: none");
}

Result<void> Server::open_loops() {
  int threads = config_.server.threads;
  if (threads <= 0) threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  const auto settings = make_settings(config_, context_.router->rules());
  for (int i = 0; i < threads; ++i) {
    auto loop = Loop::make(context_, settings);
    if (!loop) return std::move(loop).error();
    loops_.push_back(std::move(*loop));
  }
  for (const std::string& address : config_.server.listen) {
    auto opened = open_listener(address, threads);
    if (!opened) return std::move(opened).error();
    for (size_t i = 0; i < opened->fds.size(); ++i) loops_[i]->add_listener(opened->fds[i], !opened->unix_path.empty());
    listening_.push_back(std::move(*opened));
  }
  return {};
}

Result<void> Server::watch_signals() {
  signal_fd_ = ::signalfd(-1, &signals_, SFD_NONBLOCK | SFD_CLOEXEC);
  if (signal_fd_ < 0) return Error(ErrorCode::kIo, std::string("signalfd: ") + std::strerror(errno));
  return reactor_->watch(signal_fd_, Reactor::kRead, [this](unsigned) { on_signal(); });
}

Result<void> Server::start() {
  ::signal(SIGPIPE, SIG_IGN);
  sigemptyset(&signals_);
  for (int s : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals_, s);
  ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);  // for every thread made from here on
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  auto reactor = make_reactor();
  if (!reactor) return std::move(reactor).error();
  reactor_ = std::move(*reactor);
  auto transport = make_default_transport(*reactor_);
  if (!transport) return std::move(transport).error();
  transport_ = std::move(*transport);
  if (auto built = build(); !built) return built;
  if (auto closed = check_open_door(); !closed) return closed;
  if (auto opened = open_loops(); !opened) return opened;
  if (auto watched = watch_signals(); !watched) return watched;
  if (!config_.source.empty()) watch_ = std::make_unique<FileWatch>(*reactor_, loaded_.files, [this] { reload("the file changed"); });
  refresh_models();  // asked before anybody can ask for them: until a provider has answered, its list is told as missing
  for (auto& loop : loops_) loop->run();
  probes_ = context_.router->start_probes(*transport_);
  // Serving already. Providers that answer at once are counted in what is printed; slow ones are not waited for.
  reactor_->run_until([this] { return refreshed_; }, reactor_->clock().now() + kBannerWaits);
  print_banner(config_, loaded_.notes, listening_, *context_.router, refreshed_);
  rest_when_quiet();
  return {};
}

void Server::run() {
  reactor_->run_until([this] { return done_; });
}

void Server::on_signal() {
  signalfd_siginfo info{};
  while (::read(signal_fd_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (info.ssi_signo == SIGHUP) {
      reload("SIGHUP");
    } else if (!context_.draining) {
      begin_shutdown();
    } else if (!cut_) {
      cut_off();
    } else {
      done_ = true;
    }
  }
}

void Server::tell_warnings(const ConfigResult& loaded) const {
  for (const ConfigFault& warning : loaded.warnings) context_.logger->log(LogLevel::kWarn, "configuration warning", {{"at", warning.to_string()}});
}

void Server::tell_open_pages(const Config& config) const {
  const KeyStore* keys = context_.router->keys();
  const std::string open = open_to_pages(config, keys != nullptr && !keys->empty());
  if (!open.empty()) context_.logger->log(LogLevel::kWarn, "configuration warning", {{"at", open}});
}

void Server::reload(const char* why) {
  if (context_.draining) return;
  ConfigResult next = load_again_();
  if (watch_) watch_->follow(next.files);
  for (const ConfigFault& fault : next.faults) log(LogLevel::kError, "configuration fault", {{"at", fault.to_string()}});
  if (!next.ok()) {
    ++context_.refused_reloads;
    return log(LogLevel::kError, "configuration refused, the running one stays", {{"why", why}, {"faults", std::to_string(next.faults.size()), true}});
  }
  if (empties_the_file()) return;
  Config config = next.config;
  config.server.listen = config_.server.listen;  // what is really listened on decides who may come in without a key
  config = effective(std::move(config));
  if (auto applied = context_.router->reload(config, make_catalog(config.prices)); !applied) {
    ++context_.refused_reloads;
    return log(LogLevel::kError, "configuration refused, the running one stays", {{"why", why}, {"error", applied.error().message}});
  }
  logger_->set(config.observe.level, config.observe.json);
  tell_warnings(next);
  tell_open_pages(config);
  tell_what_needs_a_restart(next.config);
  config_ = std::move(config);
  apply_settings();
  ++context_.reloads;
  log(LogLevel::kInfo, "configuration applied", {{"why", why}});
  refresh_models();
}

// A file that holds nothing is one that is being written: taking it would open the door until the rest is there.
bool Server::empties_the_file() {
  std::error_code unreadable;
  if (config_.source.empty() || std::filesystem::file_size(config_.source, unreadable) > 0 || unreadable) return false;
  ++context_.refused_reloads;
  log(LogLevel::kError, "configuration refused, the running one stays", {{"error", "the file is empty"}});
  return true;
}

void Server::apply_settings() {
  const auto settings = make_settings(config_, context_.router->rules());
  for (auto& loop : loops_) loop->apply(settings);
}

void Server::tell_what_needs_a_restart(const Config& next) const {
  const auto say = [this](bool changed, std::string_view key) {
    if (changed) context_.logger->log(LogLevel::kWarn, "a changed key takes effect at the next start", {{"key", key}});
  };
  say(next.server.listen != config_.server.listen, "server.listen");
  say(next.server.threads != config_.server.threads, "server.threads");
  say(next.storage.keys != config_.storage.keys, "storage.keys");
  say(next.storage.usage != config_.storage.usage, "storage.usage");
  say(next.storage.retention != config_.storage.retention, "storage.retention");
}

void Server::refresh_models() {
  refresh_ = context_.router->refresh_models(*transport_, [this] {
    refreshed_ = true;
    log(LogLevel::kDebug, "model lists refreshed", {{"models", std::to_string(context_.router->models(nullptr).size()), true}});
    const auto providers = context_.router->providers();
    const bool missing = std::any_of(providers.begin(), providers.end(), [](const ProviderState& p) { return !p.list_error.empty(); });
    const Duration wait = missing ? std::min(refresh_again_, kRefreshEvery) : kRefreshEvery;
    refresh_again_ = missing ? wait * 2 : kRefreshAfterFailure;
    reactor_->cancel_timer(refresh_timer_);
    refresh_timer_ = reactor_->add_timer(reactor_->clock().now() + wait, [this] { refresh_models(); });
  });
}

// After a time without a request nothing stays of what the last busy one took, be it ten thousand streams.
void Server::rest_when_quiet() {
  uint64_t events = context_.reloads;
  for (const auto& loop : loops_) events += loop->counters().events();
  const bool quiet = events == events_;
  events_ = events;
  if (quiet && busy_) give_back();
  busy_ = !quiet;
  reactor_->add_timer(reactor_->clock().now() + kQuiet, [this] { rest_when_quiet(); });
}

void Server::begin_shutdown() {
  log(LogLevel::kInfo, "shutting down: no new connections, replies under way may finish",
      {{"connections", std::to_string(context_.connections), true}, {"grace_ms", std::to_string(config_.server.shutdown_grace.count() / 1000000), true}});
  context_.draining = true;
  for (auto& loop : loops_)
    loop->drain([this] {
      reactor_->post([this] {
        if (++drained_ == loops_.size()) done_ = true;
      });
    });
  reactor_->add_timer(reactor_->clock().now() + config_.server.shutdown_grace, [this] { cut_off(); });
}

void Server::cut_off() {
  if (cut_) return;
  cut_ = true;
  log(LogLevel::kWarn, "cutting what is still under way", {{"connections", std::to_string(context_.connections), true}});
  for (auto& loop : loops_) loop->cut();
  reactor_->add_timer(reactor_->clock().now() + kAfterCut, [this] { done_ = true; });
}

}  // namespace

int serve(const LoadAgain& load_again, const ConfigResult& loaded) {
  Server server(load_again, loaded);
  if (auto started = server.start(); !started) {
    if (loaded.config.observe.json) {
      make_stderr_logger(LogLevel::kError, true)->log(LogLevel::kError, "cannot start", {{"error", started.error().in_full()}});
    } else {
      std::fprintf(stderr, "llmrouter-server: %s\n", started.error().in_full().c_str());
    }
    return started.error().code == ErrorCode::kConfig ? 2 : 1;
  }
  server.run();
  return 0;
}

}  // namespace llmrouter::server
