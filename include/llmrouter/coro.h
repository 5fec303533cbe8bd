// Coroutines (C++20) over Router::start: await an answer, or an answer's events one by one. Thin: a coroutine runs on its reactor's thread, inside
// drive(), and destroying one that waits cancels its call.
//
//   llmrouter::Task<int> talk(Router& router, Transport& transport) {
//     auto answer = co_await llmrouter::async_chat(router, transport, ChatRequest::of("demo/echo", "hello"));
//     llmrouter::ChatStream stream(router, transport, ChatRequest::of("demo/echo", "hello again"));
//     while (const StreamEvent* event = co_await stream.next()) std::cout << event->text;
//     co_return stream.result().ok() ? 0 : 1;
//   }
//   int code = llmrouter::run(*reactor, talk(router, *transport));
//
// The awaitables are of no library's kind: they work in every coroutine whose promise has no await_transform of its own. Router and transport must
// outlive them.
#ifndef LLMROUTER_CORO_H_
#define LLMROUTER_CORO_H_

#if !defined(__cpp_impl_coroutine) || !__has_include(<coroutine>)
#error "llmrouter/coro.h needs coroutines: C++20, GCC 11 or Clang 16 and later"
#endif

#include <coroutine>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "llmrouter/router.h"

namespace llmrouter {

// What async_chat returns. Awaited once, where it was made; the call starts then.
class [[nodiscard]] ChatAwaitable final : private StreamSink {
 public:
  ChatAwaitable(Router& router, Transport& transport, ChatRequest request, CallOptions options)
      : router_(router), transport_(transport), request_(std::move(request)), options_(std::move(options)) {}
  ChatAwaitable(const ChatAwaitable&) = delete;
  ChatAwaitable& operator=(const ChatAwaitable&) = delete;

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    waiter_ = waiter;
    call_ = router_.start(transport_, std::move(request_), false, std::move(options_), *this);
  }
  Result<ChatResponse> await_resume() {
    if (error_.code != ErrorCode::kNone) return std::move(error_);
    return std::move(response_);
  }

 private:
  Flow on_event(const StreamEvent&) override { return Flow::kContinue; }
  void on_response(ChatResponse&& response) override { response_ = std::move(response); }
  void on_end(const CallResult& result) override {
    error_ = result.error;
    waiter_.resume();  // may destroy this object
  }

  Router& router_;
  Transport& transport_;
  ChatRequest request_;
  CallOptions options_;
  ChatResponse response_;
  Error error_;
  std::coroutine_handle<> waiter_;
  Call call_;
};

// Give the options a name before the co_await: GCC 12 miscompiles an aggregate that is made inside of one.
inline ChatAwaitable async_chat(Router& router, Transport& transport, ChatRequest request, CallOptions options) {
  return ChatAwaitable(router, transport, std::move(request), std::move(options));
}
inline ChatAwaitable async_chat(Router& router, Transport& transport, ChatRequest request) {
  return ChatAwaitable(router, transport, std::move(request), CallOptions());
}

// A streamed answer, pulled. One coroutine reads it. When it is slower than the upstream, a few events wait here and then the upstream is paused.
class ChatStream final : private StreamSink {
 public:
  ChatStream(Router& router, Transport& transport, ChatRequest request, CallOptions options = {})
      : router_(router), transport_(transport), request_(std::move(request)), options_(std::move(options)) {}
  ChatStream(const ChatStream&) = delete;
  ChatStream& operator=(const ChatStream&) = delete;
  ~ChatStream() override {
    if (gone_ != nullptr) *gone_ = true;
  }

  class Next {
   public:
    bool await_ready() const { return stream_.ready(); }
    void await_suspend(std::coroutine_handle<> waiter) { stream_.waiter_ = waiter; }
    const StreamEvent* await_resume() { return stream_.take(); }

   private:
    friend class ChatStream;
    explicit Next(ChatStream& stream) noexcept : stream_(stream) {}
    ChatStream& stream_;
  };
  // The next event, valid until the next `next()`; null: the end, see `result()`. The first one starts the call.
  Next next() { return Next(*this); }

  // How the call ended; only after `next()` gave null.
  const CallResult& result() const noexcept { return *result_; }

 private:
  static constexpr size_t kHigh = 16;  // events that wait before the upstream is paused

  // An event with texts of its own.
  class Held {
   public:
    explicit Held(const StreamEvent& event) : event_(event) {
      std::string_view* const views[] = {&event_.text, &event_.signature, &event_.maker, &event_.id, &event_.name,
                                         &event_.arguments, &event_.model, &event_.service_tier, &event_.raw};
      size_t size = 0;
      for (const auto* view : views) size += view->size();
      bytes_.reset(new char[size + 1]);
      char* at = bytes_.get();
      for (auto* view : views) {
        if (!view->empty()) std::memcpy(at, view->data(), view->size());
        *view = std::string_view(at, view->size());
        at += view->size();
      }
    }
    const StreamEvent& event() const noexcept { return event_; }

   private:
    StreamEvent event_;
    std::unique_ptr<char[]> bytes_;
  };

  bool ready() {
    current_.reset();
    if (!started_) {
      started_ = true;
      call_ = router_.start(transport_, std::move(request_), true, std::move(options_), *this);
    }
    return !waiting_.empty() || result_.has_value();
  }

  const StreamEvent* take() {
    if (waiting_.empty()) return nullptr;
    current_.emplace(std::move(waiting_.front()));
    waiting_.pop_front();
    if (paused_ && waiting_.empty()) {
      paused_ = false;
      if (!result_) call_.resume();
    }
    return &current_->event();
  }

  // Runs the coroutine until it waits again; false: it destroyed this stream meanwhile.
  bool wake() {
    const auto waiter = std::exchange(waiter_, {});
    if (!waiter) return true;
    bool gone = false;
    gone_ = &gone;
    waiter.resume();
    if (gone) return false;
    gone_ = nullptr;
    return true;
  }

  Flow on_event(const StreamEvent& event) override {
    waiting_.emplace_back(event);
    if (!wake()) return Flow::kCancel;
    if (waiting_.size() < kHigh) return Flow::kContinue;
    paused_ = true;
    return Flow::kPause;
  }
  void on_end(const CallResult& result) override {
    result_ = result;
    wake();
  }

  Router& router_;
  Transport& transport_;
  ChatRequest request_;
  CallOptions options_;
  bool started_ = false;
  bool paused_ = false;
  bool* gone_ = nullptr;
  std::deque<Held> waiting_;
  std::optional<Held> current_;
  std::optional<CallResult> result_;
  std::coroutine_handle<> waiter_;
  Call call_;
};

// A coroutine's result, for programs that have no such type yet: starts when it is awaited or run, belongs to one awaiter. Exceptions come
// out where it is awaited.
template <typename T>
class [[nodiscard]] Task {
 public:
  struct promise_type {
    std::optional<T> value;
    std::exception_ptr thrown;
    std::coroutine_handle<> awaiter = std::noop_coroutine();

    Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    struct Final {
      bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> done) noexcept { return done.promise().awaiter; }
      void await_resume() const noexcept {}
    };
    Final final_suspend() noexcept { return {}; }
    template <typename U>
    void return_value(U&& result) {
      value.emplace(std::forward<U>(result));
    }
    void unhandled_exception() noexcept { thrown = std::current_exception(); }
  };

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool done() const noexcept { return handle_.done(); }
  // Begins; for tasks that nobody awaits.
  void start() { handle_.resume(); }
  // The result; only when done().
  T result() {
    if (handle_.promise().thrown) std::rethrow_exception(handle_.promise().thrown);
    return std::move(*handle_.promise().value);
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiter) noexcept {
    handle_.promise().awaiter = awaiter;
    return handle_;
  }
  T await_resume() { return result(); }

 private:
  explicit Task(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

// Drives `reactor` on this thread until the task is done.
template <typename T>
T run(Reactor& reactor, Task<T> task) {
  task.start();
  reactor.run_until([&task] { return task.done(); });
  return task.result();
}

}  // namespace llmrouter

#endif  // LLMROUTER_CORO_H_
