// asio.h over a scripted transport and the in-process model, inside an io_context.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <llmrouter/asio.h>
#include <llmrouter/fake_transport.h>
#include <llmrouter/llmrouter.h>

#include "check.h"

namespace net = boost::asio;
using namespace llmrouter;

namespace {

Checks check;

struct World {
  World() {
    ConfigInput input;
    input.text = "storage: {keys: 'memory:', usage: 'off'}\nproviders: {lab: {base_url: 'http://lab.invalid/v1'}}\nrouting: {attempts: 1}\n";
    input.env = [](const std::string&) { return std::optional<std::string>(); };
    const auto config = load_config(input);
    router = Router::create(config.config, build_parts(config.config).value()).value();
    reactor = make_reactor().value();
    transport = make_default_transport(*reactor).value();
  }
  ~World() {
    transport.reset();
    reactor.reset();
  }
  net::io_context io;
  std::shared_ptr<Router> router;
  std::unique_ptr<Reactor> reactor;
  std::unique_ptr<Transport> transport;
};

void callbacks() {
  World w;
  AsioHost host(w.io.get_executor(), *w.reactor);
  bool inside = true;
  std::string answer, failure, streamed;
  bool ended = false;
  int open = 3;
  const auto done = [&] {
    if (--open == 0) host.stop();
  };
  async_chat(host, *w.router, *w.transport, ChatRequest::of("demo/echo", "hello asio"), [&](Result<ChatResponse> result) {
    check(!inside, "nothing completes inside the initiation");
    answer = result ? result->text() : result.error().message;
    done();
  });
  async_chat(host, *w.router, *w.transport, ChatRequest::of("demon", "hello"), [&](Result<ChatResponse> result) {
    failure = result ? "" : std::string(code_name(result.error().code));
    done();
  });
  async_stream(
      host, *w.router, *w.transport, ChatRequest::of("demo/echo", "one two three"),
      [&](const StreamEvent& event) {
        if (event.kind == StreamEvent::Kind::kText) streamed += event.text;
        return Flow::kContinue;
      },
      [&](CallResult result) {
        ended = result.ok();
        done();
      });
  inside = false;
  w.io.run();
  check(answer.find("asio") != std::string::npos, "a callback gets the answer");
  check(failure == "model_not_found", "a callback gets the error");
  check(ended && streamed.find("two") != std::string::npos, "a stream's events and its end");
}

void awaited() {
  World w;
  AsioHost host(w.io.get_executor(), *w.reactor);
  std::string text;
  net::co_spawn(
      w.io,
      [&]() -> net::awaitable<void> {
        auto first = co_await async_chat(host, *w.router, *w.transport, ChatRequest::of("demo/echo", "first"), net::use_awaitable);
        auto second = co_await async_chat(host, *w.router, *w.transport, ChatRequest::of("demo/echo", "second"), net::use_awaitable);
        if (first && second) text = first->text() + second->text();
        host.stop();
      },
      net::detached);
  w.io.run();
  check(text.find("first") != std::string::npos && text.find("second") != std::string::npos, "awaitables");
}

void future() {
  World w;
  AsioHost host(w.io.get_executor(), *w.reactor);
  auto answer = async_chat(host, *w.router, *w.transport, ChatRequest::of("demo/echo", "later"), net::use_future);
  // A future is completed on a thread of Asio's own: that does not wake this loop.
  while (answer.wait_for(std::chrono::seconds(0)) != std::future_status::ready) w.io.run_one_for(std::chrono::milliseconds(10));
  auto result = answer.get();
  check(result.ok() && result->text().find("later") != std::string::npos, "futures");
}

void cancellation() {
  World w;
  AsioHost host(w.io.get_executor(), *w.reactor);
  net::cancellation_signal signal;
  std::string code;
  async_chat(host, *w.router, *w.transport, ChatRequest::of("demo/slow", "a b c d e f g h i j k l m n o p q r s t"),
             net::bind_cancellation_slot(signal.slot(), [&](Result<ChatResponse> result) {
               code = result ? "ok" : std::string(code_name(result.error().code));
               host.stop();
             }));
  net::steady_timer timer(w.io, std::chrono::milliseconds(20));
  timer.async_wait([&](boost::system::error_code) { signal.emit(net::cancellation_type::all); });
  w.io.run();
  check(code == "cancelled", "a cancellation signal cancels the call");
}

// The deadline alone wakes the reactor: a reply that comes after a while, without a descriptor.
void deadlines() {
  World w;
  FakeTransport transport(*w.reactor);
  ScriptedReply reply = ScriptedReply::json(R"({"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,)"
                                            R"("finish_reason":"stop","message":{"role":"assistant","content":"late"}}]})");
  reply.head_after = std::chrono::milliseconds(40);
  transport.push(reply);
  AsioHost host(w.io.get_executor(), *w.reactor);
  std::string text;
  async_chat(host, *w.router, transport, ChatRequest::of("lab/m", "hi"), [&](Result<ChatResponse> result) {
    text = result ? result->text() : result.error().message;
    host.stop();
  });
  w.io.run_for(std::chrono::seconds(10));
  check(text == "late", "deadlines are kept");
}

void abandoned() {
  World w;
  std::string code;
  {
    AsioHost host(w.io.get_executor(), *w.reactor);
    async_chat(host, *w.router, *w.transport, ChatRequest::of("demo/slow", "a b c d e f"),
               [&](Result<ChatResponse> result) { code = result ? "ok" : std::string(code_name(result.error().code)); });
    w.io.poll();
    check(code.empty(), "a call is in flight");
  }
  check(code.empty(), "it completes through its executor alone");
  w.io.run();
  check(code == "cancelled", "a host that goes cancels it, and the io_context ends");
  {
    AsioHost host(w.io.get_executor(), *w.reactor);
    async_chat(host, *w.router, *w.transport, ChatRequest::of("demo/slow", "a b c d e f"), [](Result<ChatResponse>) {});
  }
  {
    AsioHost host(w.io.get_executor(), *w.reactor);
    host.stop();
    code.clear();
    async_chat(host, *w.router, *w.transport, ChatRequest::of("demo/echo", "hello"),
               [&](Result<ChatResponse> result) { code = result ? "ok" : std::string(code_name(result.error().code)); });
    check(code.empty(), "nothing completes inside the initiation");
    w.io.restart();
    w.io.run();
    check(code == "cancelled", "a host that was stopped takes no calls");
    async_chat(host, *w.router, *w.transport, ChatRequest::of("demo/echo", "hello"), [](Result<ChatResponse>) {});
  }
  check(true, "an io_context that is never run again frees what waits in it");
}

}  // namespace

int main() {
  callbacks();
  awaited();
  future();
  cancellation();
  deadlines();
  abandoned();
  return check.finish();
}
