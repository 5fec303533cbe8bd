// Everything inside an epoll loop of the application's own: two streams at once, no thread of the library's.
//   own_loop [MODEL]
#include <sys/epoll.h>
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <llmrouter/llmrouter.h>
#include <memory>

namespace {

// Hears one call.
class Printer final : public llmrouter::StreamSink {
 public:
  Printer(std::string name, int* open) : name_(std::move(name)), open_(open) {}
  llmrouter::Flow on_event(const llmrouter::StreamEvent& event) override {
    if (event.kind == llmrouter::StreamEvent::Kind::kText) std::cout << name_ << ": " << event.text << '\n';
    return llmrouter::Flow::kContinue;
  }
  void on_end(const llmrouter::CallResult& result) override {
    std::cout << name_ << " ended: " << (result.ok() ? "ok" : result.error.message) << '\n';
    if (!result.ok()) failed = true;
    --*open_;
  }
  bool failed = false;

 private:
  std::string name_;
  int* open_;
};

// Milliseconds until the reactor wants to be driven, as epoll_wait takes them.
int wait_ms(const llmrouter::Reactor& reactor) {
  const auto deadline = reactor.deadline();
  if (!deadline) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - reactor.clock().now()).count();
  return left < 0 ? 0 : static_cast<int>(left);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string model = argc > 1 ? argv[1] : "demo/echo";
  // No files either: keys and usage in memory.
  auto config = llmrouter::load_config({"", std::nullopt, {{"storage.keys", "memory:"}, {"storage.usage", "off"}}, {}});
  if (!config.ok()) {
    std::cerr << config.to_error().message << '\n';
    return 1;
  }
  auto router = llmrouter::Router::create(config.config, llmrouter::build_parts(config.config).value()).value();
  auto reactor = llmrouter::make_reactor().value();
  auto transport = llmrouter::make_default_transport(*reactor).value();

  // The application's own loop, which may watch much else.
  const int loop = epoll_create1(EPOLL_CLOEXEC);
  epoll_event interest{};
  interest.events = EPOLLIN;
  interest.data.fd = reactor->fd();
  epoll_ctl(loop, EPOLL_CTL_ADD, reactor->fd(), &interest);

  int open = 2;
  Printer first("first", &open), second("second", &open);
  auto call1 = router->start(*transport, llmrouter::ChatRequest::of(model, "one two three"), true, {}, first);
  auto call2 = router->start(*transport, llmrouter::ChatRequest::of(model, "four five six"), true, {}, second);

  while (open > 0) {
    epoll_event ready[8];
    const int n = epoll_wait(loop, ready, 8, wait_ms(*reactor));
    if (n < 0) break;
    reactor->drive();  // its descriptor is readable, or its deadline has come
  }
  close(loop);
  return first.failed || second.failed ? 1 : 0;
}
