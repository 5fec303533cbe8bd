// A Reactor inside an Asio io_context, and calls with completion tokens (callbacks, futures, awaitables). Needs Boost.Asio 1.78 or later, or with
// LLMROUTER_ASIO_STANDALONE defined the Asio of its own name, 1.22 or later; nothing else of llmrouter does.
//
//   net::io_context io;
//   AsioHost host(io.get_executor(), *reactor);
//   async_chat(host, router, *transport, ChatRequest::of("demo/echo", "hello"), [&](Result<ChatResponse> answer) { ...; host.stop(); });
//   io.run();
//
// Everything here belongs to one thread, or to one strand: the executor that the host was given.
#ifndef LLMROUTER_ASIO_H_
#define LLMROUTER_ASIO_H_

#if defined(LLMROUTER_ASIO_STANDALONE)
#include <asio/any_io_executor.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/dispatch.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#else
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#endif

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "llmrouter/router.h"

namespace llmrouter {

#if defined(LLMROUTER_ASIO_STANDALONE)
namespace asio_impl = ::asio;
using AsioError = std::error_code;
#else
namespace asio_impl = ::boost::asio;
using AsioError = boost::system::error_code;
#endif

namespace asio_detail {

// A call in flight, as its host knows it.
class InFlight {
 public:
  virtual void cancel() = 0;  // ends it: it is in no list afterwards

 protected:
  ~InFlight() = default;

 private:
  friend class HostState;
  InFlight* prev_ = nullptr;
  InFlight* next_ = nullptr;
};

class HostState : public std::enable_shared_from_this<HostState> {
 public:
  HostState(asio_impl::any_io_executor given, Reactor& on) : executor(given), reactor(on), descriptor_(given, on.fd()), timer_(given) {}

  void wait() {
    descriptor_.async_wait(asio_impl::posix::stream_descriptor::wait_read, [self = shared_from_this()](const AsioError& error) {
      if (error || self->stopped_) return;
      self->drive();
      if (!self->stopped_) self->wait();
    });
    arm();
  }

  void arm() {
    if (stopped_) return;
    const auto when = reactor.deadline();
    if (when == armed_) return;
    armed_ = when;
    timer_.cancel();
    if (!when) return;
    timer_.expires_at(std::chrono::time_point_cast<std::chrono::steady_clock::duration>(*when));
    timer_.async_wait([self = shared_from_this()](const AsioError& error) {
      if (error || self->stopped_) return;
      self->armed_.reset();
      self->drive();
    });
  }

  void enter(InFlight& call) noexcept {
    call.next_ = calls_;
    if (calls_ != nullptr) calls_->prev_ = &call;
    calls_ = &call;
  }
  void leave(InFlight& call) noexcept {
    (call.prev_ != nullptr ? call.prev_->next_ : calls_) = call.next_;
    if (call.next_ != nullptr) call.next_->prev_ = call.prev_;
    call.prev_ = call.next_ = nullptr;
  }

  void stop() {
    if (std::exchange(stopped_, true)) return;
    timer_.cancel();
    AsioError ignored;
    descriptor_.cancel(ignored);
    descriptor_.release();  // the descriptor is the reactor's
    while (calls_ != nullptr) calls_->cancel();
  }

  bool stopped() const noexcept { return stopped_; }

  const asio_impl::any_io_executor executor;
  Reactor& reactor;

 private:
  void drive() {
    reactor.drive();
    arm();
  }

  asio_impl::posix::stream_descriptor descriptor_;
  asio_impl::steady_timer timer_;
  std::optional<TimePoint> armed_;
  bool stopped_ = false;
  InFlight* calls_ = nullptr;
};

}  // namespace asio_detail

// Drives a reactor from Asio's loop: waits for its descriptor and for its deadline. The reactor must outlive it, and so must the router and the
// transport of every call that is made here. While it lives and is not stopped, the io_context has work.
class AsioHost {
 public:
  AsioHost(asio_impl::any_io_executor executor, Reactor& reactor) : state_(std::make_shared<asio_detail::HostState>(executor, reactor)) {
    state_->wait();
  }
  AsioHost(const AsioHost&) = delete;
  AsioHost& operator=(const AsioHost&) = delete;
  ~AsioHost() { stop(); }

  Reactor& reactor() const noexcept { return state_->reactor; }
  asio_impl::any_io_executor executor() const { return state_->executor; }
  // Looks at the deadline again: after timers were added or calls started outside of drive(). What is below does it by itself.
  void rearm() { state_->arm(); }
  // No more driving. Calls in flight are cancelled and complete so (kCancelled), as ever through their executors.
  void stop() { state_->stop(); }
  const std::shared_ptr<asio_detail::HostState>& state() const noexcept { return state_; }

 private:
  std::shared_ptr<asio_detail::HostState> state_;
};

namespace asio_detail {

// A call whose end completes a handler. Owns itself while the call is in flight; its handler's cancellation cancels the call.
template <typename Handler, typename Value>
class Operation final : private StreamSink, private InFlight, public std::enable_shared_from_this<Operation<Handler, Value>> {
 public:
  Operation(AsioHost& host, Handler&& handler, std::function<Flow(const StreamEvent&)> on_event)
      : host_(host.state()), handler_(std::move(handler)), on_event_(std::move(on_event)) {}

  void start(Router& router, Transport& transport, ChatRequest request, bool stream, CallOptions options) {
    auto slot = asio_impl::get_associated_cancellation_slot(*handler_);
    if (slot.is_connected()) {
      slot.assign([weak = this->weak_from_this()](asio_impl::cancellation_type) {
        if (const auto self = weak.lock()) self->cancel();
      });
    }
    call_ = router.start(transport, std::move(request), stream, std::move(options), *this);
    self_ = this->shared_from_this();
    host_->enter(*this);
    host_->stopped() ? call_.cancel() : host_->arm();
  }

 private:
  void cancel() override { call_.cancel(); }
  Flow on_event(const StreamEvent& event) override { return on_event_ ? on_event_(event) : Flow::kContinue; }
  void on_response(ChatResponse&& response) override { response_ = std::move(response); }

  void on_end(const CallResult& result) override {
    const auto keep = std::move(self_);
    host_->leave(*this);
    Handler handler = std::move(*handler_);
    handler_.reset();
    auto slot = asio_impl::get_associated_cancellation_slot(handler);
    if (slot.is_connected()) slot.clear();
    auto executor = asio_impl::get_associated_executor(handler, host_->executor);
    asio_impl::post(executor, [handler = std::move(handler), value = value_of(result)]() mutable { std::move(handler)(std::move(value)); });
  }

  Value value_of(const CallResult& result) {
    if constexpr (std::is_same_v<Value, CallResult>) {
      return result;
    } else {
      if (!result.ok()) return result.error;
      return std::move(response_);
    }
  }

  const std::shared_ptr<HostState> host_;
  std::optional<Handler> handler_;
  std::function<Flow(const StreamEvent&)> on_event_;
  ChatResponse response_;
  std::shared_ptr<Operation> self_;
  Call call_;
};

template <typename Value, typename Token>
auto initiate(AsioHost& host, Router& router, Transport& transport, ChatRequest request, bool stream, CallOptions options,
              std::function<Flow(const StreamEvent&)> on_event, Token&& token) {
  return asio_impl::async_initiate<Token, void(Value)>(
      [&host, &router, &transport, stream](auto handler, ChatRequest asked, CallOptions how, std::function<Flow(const StreamEvent&)> events) {
        auto operation = std::make_shared<Operation<decltype(handler), Value>>(host, std::move(handler), std::move(events));
        operation->start(router, transport, std::move(asked), stream, std::move(how));
      },
      token, std::move(request), std::move(options), std::move(on_event));
}

}  // namespace asio_detail

// Completes with void(Result<ChatResponse>), through the handler's executor, never inside this function. Per-operation cancellation works. Inside a
// co_await give the options a name before: GCC 12 miscompiles an aggregate that is made in one.
template <typename Token>
auto async_chat(AsioHost& host, Router& router, Transport& transport, ChatRequest request, CallOptions options, Token&& token) {
  return asio_detail::initiate<Result<ChatResponse>>(host, router, transport, std::move(request), false, std::move(options), nullptr,
                                                     std::forward<Token>(token));
}
template <typename Token>
auto async_chat(AsioHost& host, Router& router, Transport& transport, ChatRequest request, Token&& token) {
  return async_chat(host, router, transport, std::move(request), CallOptions(), std::forward<Token>(token));
}

// Every event to `on_event`, on the host's executor, then void(CallResult).
template <typename Token>
auto async_stream(AsioHost& host, Router& router, Transport& transport, ChatRequest request, std::function<Flow(const StreamEvent&)> on_event,
                  CallOptions options, Token&& token) {
  return asio_detail::initiate<CallResult>(host, router, transport, std::move(request), true, std::move(options), std::move(on_event),
                                           std::forward<Token>(token));
}
template <typename Token>
auto async_stream(AsioHost& host, Router& router, Transport& transport, ChatRequest request, std::function<Flow(const StreamEvent&)> on_event,
                  Token&& token) {
  return async_stream(host, router, transport, std::move(request), std::move(on_event), CallOptions(), std::forward<Token>(token));
}

}  // namespace llmrouter

#endif  // LLMROUTER_ASIO_H_
