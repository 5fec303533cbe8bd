// A sink that writes down what it hears and lets a test step in at each callback.
#ifndef LLMROUTER_TESTS_LISTENER_H_
#define LLMROUTER_TESTS_LISTENER_H_

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "llmrouter/transport.h"

namespace net_test {

class Listener : public llmrouter::TransferSink {
 public:
  void on_head(const llmrouter::HttpHead& h) override {
    ++heads;
    head = h;
    if (at_head) at_head();
  }
  llmrouter::Flow on_body(std::string_view bytes) override {
    body.append(bytes);
    ++pieces;
    return at_body ? at_body() : llmrouter::Flow::kContinue;
  }
  void on_end(const llmrouter::TransferError& e) override {
    ++ends;
    error = e;
    if (at_end) at_end();
  }
  bool ended() const { return ends > 0; }
  bool good() const { return ends == 1 && error.ok() && heads == 1; }

  llmrouter::HttpHead head;
  std::string body;
  llmrouter::TransferError error;
  int heads = 0, ends = 0, pieces = 0;
  std::function<void()> at_head, at_end;
  std::function<llmrouter::Flow()> at_body;
  std::unique_ptr<llmrouter::Transfer> transfer;
};

inline llmrouter::TimePoint in(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }

// Drives until `done` or ten seconds have gone.
inline bool wait_until(llmrouter::Reactor& reactor, const std::function<bool()>& done) {
  return reactor.run_until(done, in(std::chrono::seconds(10)));
}
// Drives for this long, whatever happens.
inline void drive_for(llmrouter::Reactor& reactor, std::chrono::milliseconds time) {
  reactor.run_until([] { return false; }, in(time));
}

inline llmrouter::HttpRequest post_to(std::string url, std::string_view body) {
  llmrouter::HttpRequest request;
  request.url = std::move(url);
  request.headers = {{"content-type", "application/json"}};
  request.body = {body};
  return request;
}

}  // namespace net_test

#endif  // LLMROUTER_TESTS_LISTENER_H_
