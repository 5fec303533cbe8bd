// HTTP by libcurl's multi interface on a Reactor.
#ifndef LLMROUTER_NET_CURL_TRANSPORT_H_
#define LLMROUTER_NET_CURL_TRANSPORT_H_

#include <curl/curl.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "llmrouter/transport.h"
#include "net/curl_exchange.h"
#include "net/curl_sockets.h"
#include "net/linked_list.h"
#include "net/resolve_gate.h"

namespace llmrouter::net {

// libcurl's callbacks only write down what they say (sockets, timer) or go to a sink (head, body). Everything that calls back
// into the multi handle (adding, taking out, unpausing) waits until libcurl has returned. Sinks are called from drive() alone:
// start() lets libcurl send at once but holds back whatever should already come in.
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
  void connection_died(std::string_view authority) noexcept override;
  bool wants_fresh(std::string_view authority) noexcept override;
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

  struct Suspect {
    std::string authority;
    TimePoint until;
  };
  std::vector<Suspect> suspects_;  // hosts whose kept connections are not used now

  bool in_libcurl_ = false;
  bool holding_ = false;
  bool settling_ = false;
  std::optional<TimePoint> due_;         // when libcurl wants to be called
  Reactor::TimerId timer_ = 0;
  TimePoint timer_when_{};
  Reactor::TimerId settle_timer_ = 0;
};

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

}  // namespace llmrouter::net

#endif  // LLMROUTER_NET_CURL_TRANSPORT_H_
