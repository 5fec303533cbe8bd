// C++20 coroutines: one awaits an answer, then a stream, on a reactor that this thread drives.
//   coroutine [MODEL]
#include <iostream>
#include <llmrouter/coro.h>
#include <llmrouter/llmrouter.h>

using llmrouter::ChatRequest;
using llmrouter::StreamEvent;

llmrouter::Task<int> talk(llmrouter::Router& router, llmrouter::Transport& transport, std::string model) {
  auto answer = co_await llmrouter::async_chat(router, transport, ChatRequest::of(model, "Say hello"));
  if (!answer) {
    std::cerr << answer.error().message << '\n';
    co_return 1;
  }
  std::cout << answer->text() << '\n';

  llmrouter::ChatStream stream(router, transport, ChatRequest::of(model, "and now word by word"));
  while (const StreamEvent* event = co_await stream.next()) {
    if (event->kind == StreamEvent::Kind::kText) std::cout << event->text << std::flush;
  }
  std::cout << '\n';
  co_return stream.result().ok() ? 0 : 1;
}

int main(int argc, char** argv) {
  auto llm = llmrouter::open().value();
  auto reactor = llmrouter::make_reactor().value();
  auto transport = llmrouter::make_default_transport(*reactor).value();
  return llmrouter::run(*reactor, talk(llm.router(), *transport, argc > 1 ? argv[1] : "demo/echo"));
}
