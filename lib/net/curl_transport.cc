// HTTP by libcurl's multi interface on a Reactor.
//
// libcurl's callbacks only write down what they say (sockets, timer) or go to a sink (head, body). Everything that calls back
// into the multi handle (adding, taking out, unpausing) waits until libcurl has returned. Sinks are called from drive() alone:
// start() lets libcurl send at once but holds back whatever should already come in.
#include "llmrouter/transport.h"

#include <curl/curl.h>
#include <unistd.h>

#include <algorithm>
#include <new>
#include <optional>
#include <utility>

#include "net/curl_errors.h"
#include "net/curl_exchange.h"
#include "net/curl_sockets.h"
#include "net/resolve_gate.h"

namespace llmrouter {
namespace net {
namespace {

constexpr size_t kIdleExchanges = 256;   // easy handles kept for reuse
constexpr size_t kEndsPerRound = 64;     // told in one go, and rounds of it: sinks that start anew in each end must not keep
constexpr int kRoundsPerTurn = 4;        // the loop for themselves
constexpr char kDebianBundle[] = "/etc/ssl/certs/ca-certificates.crt";
using State = CurlExchange::State;

// True for as long as it stands, also when a sink throws.
class Flagged {
 public:
  explicit Flagged(bool& flag) : flag_(flag), was_(std::exchange(flag, true)) {}
  ~Flagged() { flag_ = was_; }
  Flagged(const Flagged&) = delete;
  Flagged& operator=(const Flagged&) = delete;

 private:
  bool& flag_;
  const bool was_;
};

bool init_libcurl() noexcept {
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;  // once for the process, for good
  return ready;
}

// Null: one of libcurl's own.
CurlExchange* exchange_of(CURL* easy) noexcept {
  CurlExchange* exchange = nullptr;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &exchange);
  return exchange;
}

void note_connecting(CurlExchange& exchange, int fd, bool wanted) {
  std::vector<int>& connecting = exchange.notes.connecting;
  std::erase(connecting, fd);
  if (wanted) connecting.push_back(fd);
}

class CurlTransport final : public Transport, private CurlExchange::Owner {
 public:
  explicit CurlTransport(Reactor& reactor)
      : reactor_(reactor),
        gate_(std::chrono::seconds(kResolverCacheSeconds - 2)),
        sockets_(reactor, [this](int fd, unsigned ready) { on_ready(fd, ready); }) {}
  ~CurlTransport() override;
  Result<void> open(const CurlOptions& options);

  Reactor& reactor() noexcept override { return reactor_; }
  std::unique_ptr<Transfer> start(HttpRequest request, TransferSink& sink) override;

 private:
  class Handle final : public Transfer {
   public:
    explicit Handle(CurlTransport& transport) : transport_(transport) {}
    ~Handle() override {
      if (exchange_ != nullptr) transport_.abandon(*exchange_);
    }
    void resume() override {
      if (exchange_ != nullptr) transport_.want_resume(*exchange_);
    }
    void set(CurlExchange* exchange) noexcept { exchange_ = exchange; }

   private:
    CurlTransport& transport_;
    CurlExchange* exchange_ = nullptr;
  };

  // The life of an exchange.
  CurlExchange& obtain();
  void launch(CurlExchange& exchange);
  bool add(CurlExchange& exchange);
  void wait_for_resolver(CurlExchange& exchange);
  void end_later(CurlExchange& exchange, CURLcode result) noexcept;
  void tell_end(CurlExchange& exchange);
  void take_out(CurlExchange& exchange) noexcept;
  void abandon(CurlExchange& exchange) noexcept;
  void recycle(CurlExchange& exchange) noexcept;
  void trim();
  void detach(CurlExchange& exchange) noexcept;

  // Calls into libcurl, and what they leave to do.
  void act(curl_socket_t fd, int events);
  void send_now();
  void after_libcurl();
  void bury();
  void settle();
  void launch_waiting();
  void give_held();
  void tell_ends();
  void resume_paused();
  void unpause(CurlExchange& exchange);
  void want_resume(CurlExchange& exchange);
  bool pending() const noexcept;
  void settle_later() noexcept;
  void apply() noexcept;
  void apply_timer() noexcept;
  template <typename Fn>
  Reactor::TimerId timer_at(TimePoint when, Fn fn) noexcept;
  void on_timer();
  void on_ready(int fd, unsigned ready);

  // CurlExchange::Owner: from inside libcurl.
  bool holding() const noexcept override { return holding_; }
  void hold(CurlExchange& exchange) noexcept override { held_.add_last(exchange); }
  void passed_resolver(CurlExchange& exchange, bool looked_up) noexcept override {
    gate_.pass(exchange, looked_up, reactor_.clock().now());
  }
  void cancelled(CurlExchange& exchange) noexcept override { abandon(exchange); }
  void socket_opened(int fd) noexcept override { sockets_.forget(fd); }
  void socket_closing(int fd) noexcept override { sockets_.forget(fd); }
  static int socket_callback(CURL* easy, curl_socket_t fd, int what, void* self, void*);
  static int timer_callback(CURLM*, long timeout_ms, void* self);

  Reactor& reactor_;
  CURLM* multi_ = nullptr;
  CURLSH* share_ = nullptr;
  CurlDefaults defaults_;
  ResolveGate gate_;
  CurlSockets sockets_;

  std::vector<std::unique_ptr<CurlExchange>> exchanges_;  // all of them
  size_t idle_count_ = 0;
  List<CurlExchange, ByState> idle_;
  List<CurlExchange, ByState> queued_;     // to be launched when libcurl has returned
  List<CurlExchange, ByState> done_;       // whose end is to be told
  List<CurlExchange, ByState> doomed_;     // to be taken out when libcurl has returned
  List<CurlExchange, Held> held_;          // to whom something is to be given that came inside start()
  List<CurlExchange, Resuming> resuming_;  // to be unpaused
  bool dead_ = false;                      // libcurl has given up on all its transfers

  bool in_libcurl_ = false;
  bool holding_ = false;
  bool settling_ = false;
  std::optional<TimePoint> due_;         // when libcurl wants to be called
  Reactor::TimerId timer_ = 0;
  TimePoint timer_when_{};
  Reactor::TimerId settle_timer_ = 0;
};

Result<void> CurlTransport::open(const CurlOptions& options) {
  if (!init_libcurl()) return Error(ErrorCode::kInternal, "libcurl cannot be initialised");
  multi_ = curl_multi_init();
  share_ = curl_share_init();
  if (multi_ == nullptr || share_ == nullptr) return Error(ErrorCode::kInternal, "no memory for libcurl");
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &socket_callback);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &timer_callback);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_MULTIPLEX));
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(std::max(options.idle_connections, 1)));
  curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, static_cast<long>(std::max(options.max_connections, 0)));
  curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, static_cast<long>(std::max(options.max_per_host, 0)));
  curl_share_setopt(share_, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);  // one thread: no lock functions
  defaults_.share = share_;
  defaults_.user_agent = options.user_agent;
  defaults_.ca_file = options.ca_file;
  if (defaults_.ca_file.empty() && ::access(kDebianBundle, R_OK) == 0) defaults_.ca_file = kDebianBundle;
  defaults_.endpoint = std::make_shared<const Endpoint>();
  return {};
}

CurlTransport::~CurlTransport() {
  reactor_.cancel_timer(timer_);
  reactor_.cancel_timer(settle_timer_);
  for (const auto& exchange : exchanges_) {
    reactor_.cancel_timer(exchange->notes.wait_timer);
    exchange->silence();
    if (multi_ != nullptr) take_out(*exchange);
  }
  exchanges_.clear();
  if (multi_ != nullptr) curl_multi_cleanup(multi_);
  if (share_ != nullptr) curl_share_cleanup(share_);
}

std::unique_ptr<Transfer> CurlTransport::start(HttpRequest request, TransferSink& sink) {
  auto handle = std::make_unique<Handle>(*this);
  CurlExchange& exchange = obtain();
  exchange.notes.handle = handle.get();
  handle->set(&exchange);
  try {
    if (!exchange.begin(std::move(request), sink)) {
      end_later(exchange, CURLE_FAILED_INIT);
    } else if (gate_.enter(exchange, exchange.resolved_name(), reactor_.clock().now()) == ResolveGate::Entry::kWaits) {
      wait_for_resolver(exchange);
    } else {
      launch(exchange);
    }
  } catch (const std::bad_alloc&) {
    exchange.fail(TransferError::Kind::kInternal, "out of memory");
    end_later(exchange, CURLE_OUT_OF_MEMORY);
  }
  return handle;
}

CurlExchange& CurlTransport::obtain() {
  if (CurlExchange* exchange = idle_.take_first()) {
    --idle_count_;
    return *exchange;
  }
  exchanges_.reserve(exchanges_.size() + 1 > exchanges_.capacity() ? exchanges_.capacity() * 2 + 16 : exchanges_.capacity());
  exchanges_.push_back(std::make_unique<CurlExchange>(static_cast<CurlExchange::Owner&>(*this), defaults_));
  exchanges_.back()->notes.index = exchanges_.size() - 1;
  return *exchanges_.back();
}

void CurlTransport::wait_for_resolver(CurlExchange& exchange) {
  exchange.notes.state = State::kWaiting;
  const Duration limit = exchange.request().connect_timeout;
  if (limit <= Duration::zero()) return;
  exchange.notes.wait_timer = reactor_.add_timer(reactor_.clock().now() + limit, [this, &exchange] {
    exchange.notes.wait_timer = 0;
    exchange.fail(TransferError::Kind::kConnectTimeout, "timed out while the name was being looked up");
    gate_.leave(exchange);
    end_later(exchange, CURLE_OPERATION_TIMEDOUT);
  });
}

void CurlTransport::launch(CurlExchange& exchange) {
  if (in_libcurl_) {
    exchange.notes.state = State::kQueued;
    queued_.add_last(exchange);
    return;
  }
  if (add(exchange)) send_now();
}

bool CurlTransport::add(CurlExchange& exchange) {
  exchange.notes.state = State::kRunning;
  const CURLMcode code = curl_multi_add_handle(multi_, exchange.easy());
  if (code == CURLM_OK) return true;
  exchange.fail(TransferError::Kind::kInternal, curl_multi_strerror(code));
  end_later(exchange, CURLE_FAILED_INIT);
  return false;
}

// Lets libcurl begin what was added, without waiting for a turn of the loop.
void CurlTransport::send_now() {
  {
    const Flagged holding(holding_);
    act(CURL_SOCKET_TIMEOUT, 0);
  }
  if (!settling_) apply();
}

void CurlTransport::end_later(CurlExchange& exchange, CURLcode result) noexcept {
  exchange.notes.state = State::kDone;
  exchange.notes.result = result;
  done_.add_last(exchange);
  settle_later();
}

void CurlTransport::tell_end(CurlExchange& exchange) {
  take_out(exchange);
  const CURLcode result = exchange.notes.result;
  if (result == CURLE_COULDNT_RESOLVE_HOST || result == CURLE_COULDNT_RESOLVE_PROXY) {
    const TransferError error = exchange.outcome(result);
    gate_.fail(exchange);
    while (ResolveGate::Guest* guest = gate_.take_failed()) {
      auto& waiter = static_cast<CurlExchange&>(*guest);
      reactor_.cancel_timer(std::exchange(waiter.notes.wait_timer, 0));
      end_later(waiter, result);
    }
  }
  const uint64_t serial = exchange.serial();
  if (exchange.Hook<Held>::linked()) exchange.give_head();
  if (exchange.serial() != serial) return;  // destroyed by its sink
  TransferSink* sink = exchange.sink();
  const TransferError error = exchange.outcome(result);
  detach(exchange);
  recycle(exchange);
  if (sink != nullptr) sink->on_end(error);
}

void CurlTransport::detach(CurlExchange& exchange) noexcept {
  exchange.silence();
  if (auto* handle = static_cast<Handle*>(std::exchange(exchange.notes.handle, nullptr))) handle->set(nullptr);
}

// Nobody wants to hear of it any more.
void CurlTransport::abandon(CurlExchange& exchange) noexcept {
  detach(exchange);
  switch (exchange.notes.state) {
    case State::kQueued:
    case State::kWaiting:
      recycle(exchange);
      break;
    case State::kRunning:
      if (in_libcurl_) {
        exchange.notes.state = State::kDoomed;
        doomed_.add_last(exchange);
        break;
      }
      take_out(exchange);
      recycle(exchange);
      if (!settling_) apply();
      break;
    case State::kDone:  // when its turn comes there is nobody to tell
    case State::kDoomed:
    case State::kIdle:
      break;
  }
  if (!gate_.idle()) settle_later();
}

void CurlTransport::recycle(CurlExchange& exchange) noexcept {
  gate_.leave(exchange);
  reactor_.cancel_timer(std::exchange(exchange.notes.wait_timer, 0));
  exchange.Hook<Held>::unlink();
  exchange.Hook<Resuming>::unlink();
  exchange.notes.state = State::kIdle;
  exchange.end();
  idle_.add_first(exchange);  // the one used last is the warmest
  ++idle_count_;
}

void CurlTransport::trim() {
  for (; idle_count_ > kIdleExchanges; --idle_count_) {
    const size_t index = idle_.take_first()->notes.index;
    std::swap(exchanges_[index], exchanges_.back());
    exchanges_[index]->notes.index = index;
    exchanges_.pop_back();
  }
}

void CurlTransport::take_out(CurlExchange& exchange) noexcept {
  // While these are still open for certain.
  if (!exchange.connected()) {
    for (const int fd : exchange.notes.connecting) sockets_.forget(fd);
  }
  exchange.notes.connecting.clear();
  curl_multi_remove_handle(multi_, exchange.easy());
}

void CurlTransport::act(curl_socket_t fd, int events) {
  if (fd == CURL_SOCKET_TIMEOUT) due_.reset();  // it says anew when it wants to be called again
  int running = 0;
  {
    const Flagged in_libcurl(in_libcurl_);
    if (curl_multi_socket_action(multi_, fd, events, &running) != CURLM_OK) dead_ = true;
  }
  after_libcurl();
}

void CurlTransport::after_libcurl() {
  while (CurlExchange* exchange = doomed_.take_first()) {
    take_out(*exchange);
    recycle(*exchange);
  }
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CurlExchange* exchange = exchange_of(message->easy_handle);
    if (exchange == nullptr || exchange->notes.state != State::kRunning) continue;
    exchange->notes.state = State::kDone;
    exchange->notes.result = message->data.result;
    done_.add_last(*exchange);
  }
  if (dead_) bury();
  if (!settling_ && pending()) settle_later();
}

// libcurl stops for good when one of its calls fails as such; it begins anew when all transfers are out.
void CurlTransport::bury() {
  dead_ = false;
  for (const auto& exchange : exchanges_) {
    if (exchange->notes.state != State::kRunning) continue;
    exchange->fail(TransferError::Kind::kInternal, "libcurl gave up");
    exchange->notes.state = State::kDone;
    exchange->notes.result = CURLE_FAILED_INIT;
    done_.add_last(*exchange);
  }
}

bool CurlTransport::pending() const noexcept {
  return !done_.empty() || !held_.empty() || !resuming_.empty() || !queued_.empty() || sockets_.has_refused() || !gate_.idle();
}

void CurlTransport::settle_later() noexcept {
  if (settle_timer_ != 0) return;
  settle_timer_ = timer_at(reactor_.clock().now(), [this] {
    settle_timer_ = 0;
    settle();
  });
}

// Runs in drive(), outside of libcurl. What a sink starts from here may have its reply at once: hence the rounds.
void CurlTransport::settle() {
  {
    const Flagged settling(settling_);
    for (int rounds = kRoundsPerTurn; rounds > 0 && pending(); --rounds) {
      for (int fd; (fd = sockets_.take_refused()) >= 0;) act(fd, CURL_CSELECT_ERR);
      launch_waiting();
      give_held();
      resume_paused();
      tell_ends();
    }
    trim();
  }
  apply();
  if (pending()) settle_later();
}

void CurlTransport::tell_ends() {
  for (size_t left = kEndsPerRound; left > 0 && !done_.empty(); --left) tell_end(*done_.take_first());
}

void CurlTransport::launch_waiting() {
  bool added = false;
  while (ResolveGate::Guest* guest = gate_.take_released()) {
    auto& exchange = static_cast<CurlExchange&>(*guest);
    reactor_.cancel_timer(std::exchange(exchange.notes.wait_timer, 0));
    added = add(exchange) || added;
  }
  while (CurlExchange* exchange = queued_.take_first()) added = add(*exchange) || added;
  if (added) send_now();
}

void CurlTransport::give_held() {
  List<CurlExchange, Held> now;  // sinks may make others held
  now.take_all(held_);
  while (CurlExchange* exchange = now.take_first()) {
    const uint64_t serial = exchange->serial();
    exchange->give_head();
    if (exchange->serial() != serial || exchange->notes.state != State::kRunning) continue;
    if (exchange->held() && !exchange->paused()) unpause(*exchange);
  }
}

void CurlTransport::resume_paused() {
  List<CurlExchange, Resuming> now;
  now.take_all(resuming_);
  while (CurlExchange* exchange = now.take_first()) {
    if (exchange->paused() && exchange->notes.state == State::kRunning) unpause(*exchange);
  }
}

void CurlTransport::unpause(CurlExchange& exchange) {
  CURLcode code = CURLE_OK;
  {
    const Flagged in_libcurl(in_libcurl_);  // what libcurl has in its hands is delivered from inside this call
    code = exchange.unpause();
  }
  if (code != CURLE_OK && exchange.notes.state == State::kRunning) end_later(exchange, code);
  act(CURL_SOCKET_TIMEOUT, 0);
}

void CurlTransport::want_resume(CurlExchange& exchange) {
  // From inside on_body the pause it answers is still to come.
  if (!exchange.paused() && !exchange.in_sink()) return;
  resuming_.add_last(exchange);
  if (!settling_ && !in_libcurl_) settle_later();
}

void CurlTransport::apply() noexcept {
  sockets_.apply();
  if (sockets_.has_refused()) settle_later();
  apply_timer();
}

// One timer of the reactor that is never later than libcurl's; when it was early it is set again.
void CurlTransport::apply_timer() noexcept {
  if (!due_ || (timer_ != 0 && timer_when_ <= *due_)) return;
  reactor_.cancel_timer(std::exchange(timer_, 0));
  timer_when_ = *due_;
  timer_ = timer_at(timer_when_, [this] {
    timer_ = 0;
    on_timer();
  });
}

// 0 when there is no memory for it: what it is for is done on the next occasion instead.
template <typename Fn>
Reactor::TimerId CurlTransport::timer_at(TimePoint when, Fn fn) noexcept {
  try {
    return reactor_.add_timer(when, fn);
  } catch (...) {
    return 0;
  }
}

void CurlTransport::on_timer() {
  if (due_ && *due_ <= reactor_.clock().now()) act(CURL_SOCKET_TIMEOUT, 0);
  settle();
}

void CurlTransport::on_ready(int fd, unsigned ready) {
  act(fd, ((ready & Reactor::kRead) != 0 ? CURL_CSELECT_IN : 0) | ((ready & Reactor::kWrite) != 0 ? CURL_CSELECT_OUT : 0));
  settle();
}

int CurlTransport::socket_callback(CURL* easy, curl_socket_t fd, int what, void* self, void*) {
  unsigned interest = 0;
  if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) interest |= Reactor::kRead;
  if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) interest |= Reactor::kWrite;
  CurlExchange* exchange = exchange_of(easy);
  const bool established = exchange != nullptr && exchange->connected();
  try {
    if (exchange != nullptr && !established) note_connecting(*exchange, fd, interest != 0);
    static_cast<CurlTransport*>(self)->sockets_.want(fd, interest, established && interest != 0);
    return 0;
  } catch (...) {
    return -1;  // no memory: libcurl ends all its transfers
  }
}

int CurlTransport::timer_callback(CURLM*, long timeout_ms, void* self) {
  auto& transport = *static_cast<CurlTransport*>(self);
  if (timeout_ms < 0) {
    transport.due_.reset();
  } else {
    transport.due_ = transport.reactor_.clock().now() + std::chrono::milliseconds(timeout_ms);
  }
  return 0;
}

}  // namespace
}  // namespace net

Result<std::unique_ptr<Transport>> make_curl_transport(Reactor& reactor, const CurlOptions& options) {
  auto transport = std::make_unique<net::CurlTransport>(reactor);
  if (auto opened = transport->open(options); !opened) return std::move(opened).error();
  return std::unique_ptr<Transport>(std::move(transport));
}

}  // namespace llmrouter
