// A libcurl transport on a reactor of its own.
#ifndef LLMROUTER_TESTS_CURL_CLIENT_H_
#define LLMROUTER_TESTS_CURL_CLIENT_H_

#include <memory>
#include <utility>

#include "catch.h"
#include "unit/net/listener.h"

namespace net_test {

struct Client {
  explicit Client(const llmrouter::CurlOptions& options = {})
      : reactor(llmrouter::make_reactor().value()), transport(llmrouter::make_curl_transport(*reactor, options).value()) {}
  void start(Listener& listener, llmrouter::HttpRequest request) { listener.transfer = transport->start(std::move(request), listener); }
  // Starts, waits for the end.
  void run(Listener& listener, llmrouter::HttpRequest request) {
    start(listener, std::move(request));
    CHECK(listener.ends == 0);  // nothing from inside start()
    CHECK(listener.heads == 0);
    REQUIRE(wait_until(*reactor, [&] { return listener.ended(); }));
    UNSCOPED_INFO(listener.error.message);
  }
  std::unique_ptr<llmrouter::Reactor> reactor;
  std::unique_ptr<llmrouter::Transport> transport;
};

}  // namespace net_test

#endif  // LLMROUTER_TESTS_CURL_CLIENT_H_
