// coro.h over a scripted transport: every way a coroutine and its call can end.
#include <llmrouter/coro.h>
#include <llmrouter/fake_transport.h>
#include <llmrouter/llmrouter.h>

#include <stdexcept>

#include "check.h"

using namespace llmrouter;

namespace {

Checks check;

std::string delta(const std::string& text) {
  return R"({"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":")" + text + R"("}}]})";
}

// Forty pieces of text and a clean end.
ScriptedReply long_stream() {
  std::vector<std::string> datas;
  for (int i = 0; i < 40; ++i) datas.push_back(delta("w" + std::to_string(i) + " "));
  datas.push_back(R"({"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})");
  datas.push_back("[DONE]");
  return ScriptedReply::sse(std::move(datas));
}

ScriptedReply whole() {
  return ScriptedReply::json(R"({"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop",)"
                             R"("message":{"role":"assistant","content":"whole"}}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}})");
}

struct World {
  World() {
    ConfigInput input;
    input.text = "storage: {keys: 'memory:', usage: 'off'}\nproviders: {lab: {base_url: 'http://lab.invalid/v1'}}\nrouting: {attempts: 1}\n";
    input.env = [](const std::string&) { return std::optional<std::string>(); };
    const auto config = load_config(input);
    router = Router::create(config.config, build_parts(config.config).value()).value();
    reactor = make_reactor().value();
    transport = std::make_unique<FakeTransport>(*reactor);
  }
  ~World() {
    transport.reset();
    reactor.reset();
  }
  std::shared_ptr<Router> router;
  std::unique_ptr<Reactor> reactor;
  std::unique_ptr<FakeTransport> transport;
};

ChatRequest ask() { return ChatRequest::of("lab/m", "hi"); }

Task<std::string> chat(World& w) {
  auto answer = co_await async_chat(*w.router, *w.transport, ask());
  co_return answer ? answer->text() : std::string(code_name(answer.error().code));
}

Task<std::string> read_all(World& w, CallResult* result) {
  ChatStream stream(*w.router, *w.transport, ask());
  std::string all;
  while (const StreamEvent* event = co_await stream.next()) {
    if (event->kind == StreamEvent::Kind::kText) all += event->text;
  }
  *result = stream.result();
  co_return all;
}

// Reads a piece, asks something else in between, and reads on: events wait and then the upstream.
Task<std::string> read_slowly(World& w) {
  ChatStream stream(*w.router, *w.transport, ask());
  std::string all;
  int n = 0;
  while (const StreamEvent* event = co_await stream.next()) {
    if (event->kind != StreamEvent::Kind::kText) continue;
    all += event->text;
    const std::string kept(event->text);
    if (n++ % 10 == 0) {
      auto other = co_await async_chat(*w.router, *w.transport, ask());
      if (!other || other->text() != "whole") all += "!";
      if (kept != event->text) all += "?";  // the event is still what it was
    }
  }
  co_return all;
}

// Leaves a stream in the middle.
Task<int> leave(World& w) {
  ChatStream stream(*w.router, *w.transport, ask());
  int n = 0;
  while (co_await stream.next()) {
    if (++n == 5) break;
  }
  co_return n;
}

Task<int> throws(World& w) {
  (void)co_await async_chat(*w.router, *w.transport, ask());
  throw std::runtime_error("mine");
}

Task<std::string> outer(World& w) {
  const std::string first = co_await chat(w);
  co_return first + "+" + co_await chat(w);
}

std::string expected() {
  std::string all;
  for (int i = 0; i < 40; ++i) all += "w" + std::to_string(i) + " ";
  return all;
}

}  // namespace

int main() {
  {
    World w;
    w.transport->push(whole());
    check(run(*w.reactor, chat(w)) == "whole", "an answer is awaited");
    check(run(*w.reactor, chat(w)) == "upstream_error", "an error is awaited");
    w.transport->push(whole());
    w.transport->push(whole());
    check(run(*w.reactor, outer(w)) == "whole+whole", "tasks await tasks");
  }
  {
    World w;
    CallResult result;
    w.transport->push(long_stream());
    check(run(*w.reactor, read_all(w, &result)) == expected() && result.ok(), "a stream is read to its end");
    ScriptedReply cut = long_stream();
    cut.end = {TransferError::Kind::kTruncated, "cut"};
    cut.fail_before_chunk = 10;
    w.transport->push(cut);
    check(run(*w.reactor, read_all(w, &result)).rfind("w0 w1 ", 0) == 0 && !result.ok() && !result.complete, "a stream that is cut says so at its end");
  }
  {
    World w;
    w.transport->push(long_stream());
    for (int i = 0; i < 4; ++i) w.transport->push(whole());
    check(run(*w.reactor, read_slowly(w)) == expected(), "a slow reader loses nothing");
  }
  {
    World w;
    w.transport->push(long_stream());
    check(run(*w.reactor, leave(w)) == 5 && w.transport->live() == 0 && w.transport->cancelled() == 1, "a stream that is left is cancelled");
  }
  {
    World w;
    ScriptedReply hang = long_stream();
    hang.chunks.resize(3);
    hang.hang = true;
    w.transport->push(hang);
    CallResult result;
    {
      auto task = read_all(w, &result);
      task.start();
      w.reactor->run_until([] { return false; }, w.reactor->clock().now() + std::chrono::milliseconds(30));
      check(!task.done() && w.transport->live() == 1, "a coroutine waits");
    }
    check(w.transport->live() == 0 && w.transport->cancelled() == 1, "destroying it cancels its call");
    w.reactor->run_until([] { return false; }, w.reactor->clock().now() + std::chrono::milliseconds(20));
  }
  {
    World w;
    w.transport->push(whole());
    bool caught = false;
    try {
      (void)run(*w.reactor, throws(w));
    } catch (const std::runtime_error& error) {
      caught = std::string(error.what()) == "mine";
    }
    check(caught, "an exception comes out of run()");
  }
  return check.finish();
}
