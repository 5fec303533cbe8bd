// Inside an Asio io_context: a call with a callback, and one that is awaited. No thread but this one.
//   asio_context [MODEL]
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <iostream>
#include <llmrouter/asio.h>
#include <llmrouter/llmrouter.h>

namespace net = boost::asio;
using llmrouter::ChatRequest;
using llmrouter::ChatResponse;
using llmrouter::Result;

int main(int argc, char** argv) {
  const std::string model = argc > 1 ? argv[1] : "demo/echo";
  auto llm = llmrouter::open().value();
  auto reactor = llmrouter::make_reactor().value();
  auto transport = llmrouter::make_default_transport(*reactor).value();

  net::io_context io;
  llmrouter::AsioHost host(io.get_executor(), *reactor);
  int failed = 0;

  const auto awaited = [&]() -> net::awaitable<void> {
    auto answer = co_await llmrouter::async_chat(host, llm.router(), *transport, ChatRequest::of(model, "Say hello to a coroutine"),
                                                 net::use_awaitable);
    std::cout << (answer ? answer->text() : answer.error().message) << '\n';
    failed += answer ? 0 : 1;
    host.stop();
  };

  llmrouter::async_chat(host, llm.router(), *transport, ChatRequest::of(model, "Say hello to a callback"), [&](Result<ChatResponse> answer) {
    std::cout << (answer ? answer->text() : answer.error().message) << '\n';
    failed += answer ? 0 : 1;
    net::co_spawn(io, awaited(), net::detached);
  });
  io.run();
  return failed;
}
