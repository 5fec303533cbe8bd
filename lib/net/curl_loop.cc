// Calls into libcurl, and what they leave to do.
#include <algorithm>

#include "net/curl_transport.h"

namespace llmrouter::net {

namespace {

// What is told in one go: sinks that start anew in each end must not keep the loop for themselves.
constexpr size_t kEndsPerRound = 64;
constexpr int kRoundsPerTurn = 4;
using State = CurlExchange::State;

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

}  // namespace

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
    CurlSockets& sockets = static_cast<CurlTransport*>(self)->sockets_;
    sockets.want(fd, interest, established && interest != 0);
    if (interest == 0 && established && exchange->leaves_idle()) sockets.idles(fd);
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

}  // namespace llmrouter::net
