// Requests that wait for a token: one fetch for all, on any thread, whatever goes wrong.
#include <atomic>
#include <thread>

#include "catch.h"
#include "llmrouter/fake_transport.h"
#include "llmrouter/token.h"
#include "unit/net/listener.h"

using namespace llmrouter;
using namespace net_test;
using namespace std::chrono_literals;
using Kind = TransferError::Kind;

namespace {

class Exchange final : public TokenExchange {
 public:
  Result<HttpRequest> request(WallTime, std::deque<std::string>& owned) const override {
    HttpRequest request;
    request.url = "https://token/";
    request.body.push_back(owned.emplace_back("grant"));
    return request;
  }
  Result<AccessToken> read(int status, std::string_view body) const override {
    if (status == 400) return Error(ErrorCode::kUpstreamCredentialsRejected, "refused: " + std::string(body));
    if (status != 200) return Error(ErrorCode::kUpstreamError, "broken");
    return AccessToken{Secret(std::string(body)), 3600s};
  }
};

std::shared_ptr<AccessTokens> tokens() { return make_access_tokens(std::make_shared<Exchange>()); }

ScriptedReply token(const std::string& text, int status = 200) { return ScriptedReply::json(text, status); }

// One thread's half: a reactor, a scripted network, the transport over it.
struct Host {
  explicit Host(const Clock& clock) : reactor(make_reactor(clock).value()) {
    auto owned = std::make_unique<FakeTransport>(*reactor);
    fake = owned.get();
    transport = make_token_transport(std::move(owned));
  }
  void ask(Listener& listener, const std::shared_ptr<AccessTokens>& tokens) {
    HttpRequest request = post_to("https://host/v1", "{}");
    request.tokens = tokens;
    listener.transfer = transport->start(std::move(request), listener);
  }
  void drive(int times = 12) {
    for (int i = 0; i < times; ++i) reactor->drive();
  }
  int fetches() const {
    int count = 0;
    for (const SeenRequest& request : fake->seen()) count += request.url == "https://token/";
    return count;
  }
  std::string last_header() const { return fake->seen().back().header("authorization"); }

  std::unique_ptr<Reactor> reactor;
  FakeTransport* fake;
  std::unique_ptr<Transport> transport;
};

}  // namespace

TEST_CASE("a token is fetched once, and goes with every request") {
  ManualClock clock;
  Host host(clock);
  const auto shared = tokens();
  host.fake->push(token("t1"));
  for (int i = 0; i < 4; ++i) host.fake->push(ScriptedReply::json("{}"));
  Listener listeners[3], late, plain;
  for (Listener& listener : listeners) host.ask(listener, shared);
  CHECK(host.fake->seen().size() == 1);
  host.drive();
  for (Listener& listener : listeners) CHECK(listener.good());
  CHECK(host.fetches() == 1);
  CHECK(host.last_header() == "Bearer t1");
  host.ask(late, shared);
  CHECK(host.last_header() == "Bearer t1");
  host.drive();
  CHECK(late.good());
  CHECK(host.fetches() == 1);
  host.fake->push(ScriptedReply::json("{}"));
  plain.transfer = host.transport->start(post_to("https://host/v1", "{}"), plain);
  CHECK(host.last_header().empty());
}

TEST_CASE("a refused credential fails those who wait, and is asked anew by the next") {
  ManualClock clock;
  Host host(clock);
  const auto shared = tokens();
  host.fake->push(token("invalid_grant", 400));
  Listener first, second, third;
  host.ask(first, shared);
  host.ask(second, shared);
  host.drive();
  for (Listener* listener : {&first, &second}) {
    CHECK(listener->ends == 1);
    CHECK(listener->error.kind == Kind::kUnauthorized);
    CHECK(listener->error.message == "refused: invalid_grant");
  }
  host.fake->push(token("t2"));
  host.fake->push(ScriptedReply::json("{}"));
  host.ask(third, shared);
  host.drive();
  CHECK(third.good());
  CHECK(host.last_header() == "Bearer t2");
}

TEST_CASE("an exchange that breaks or never answers is a failed connection, said so") {
  ManualClock clock;
  Host host(clock);
  Listener broken, down, silent;
  host.fake->push(token("", 503));
  host.ask(broken, tokens());
  host.drive();
  CHECK(broken.error.kind == Kind::kConnect);
  host.ask(down, tokens());  // nothing scripted: no connection
  host.drive();
  CHECK(down.error.kind == Kind::kConnect);
  CHECK(down.error.message.find("no access token") != std::string::npos);
  ScriptedReply hang;
  hang.hang = true;
  host.fake->push(hang);
  host.ask(silent, tokens());
  host.drive();
  CHECK(silent.ends == 0);
  clock.advance(16s);
  host.drive();
  CHECK(silent.error.kind == Kind::kConnectTimeout);
  CHECK(host.fake->live() == 0);
}

TEST_CASE("a request that goes away does not take the fetch with it") {
  ManualClock clock;
  Host host(clock);
  const auto shared = tokens();
  host.fake->push(token("t1"));
  host.fake->push(ScriptedReply::json("{}"));
  Listener gone, stays;
  host.ask(gone, shared);
  host.ask(stays, shared);
  gone.transfer.reset();
  host.drive();
  CHECK(gone.ends == 0);
  CHECK(stays.good());
  CHECK(host.fetches() == 1);
}

TEST_CASE("a token is renewed before its end, while the old one still serves") {
  ManualClock clock;
  Host host(clock);
  const auto shared = tokens();
  host.fake->push(token("t1"));
  host.fake->push(ScriptedReply::json("{}"));
  Listener first, during, after, late;
  host.ask(first, shared);
  host.drive();
  clock.advance(56min);
  host.fake->push(token("t2"));
  host.fake->push(ScriptedReply::json("{}"));
  host.ask(during, shared);
  CHECK(host.last_header() == "Bearer t1");  // did not wait
  CHECK(host.fetches() == 2);
  host.drive();
  CHECK(during.good());
  host.fake->push(ScriptedReply::json("{}"));
  host.ask(after, shared);
  CHECK(host.last_header() == "Bearer t2");
  host.drive();
  clock.advance(2h);  // its end is over: this one waits
  host.fake->push(token("t3"));
  host.fake->push(ScriptedReply::json("{}"));
  host.ask(late, shared);
  CHECK(host.last_header().empty());
  host.drive();
  CHECK(late.good());
  CHECK(host.last_header() == "Bearer t3");
  CHECK(host.fetches() == 3);
}

TEST_CASE("a failed renewal does not fail requests while the old token is good") {
  ManualClock clock;
  Host host(clock);
  const auto shared = tokens();
  host.fake->push(token("t1"));
  host.fake->push(ScriptedReply::json("{}"));
  Listener first, during, next;
  host.ask(first, shared);
  host.drive();
  clock.advance(56min);
  host.fake->push(token("", 503));
  host.fake->push(ScriptedReply::json("{}"));
  host.ask(during, shared);
  host.drive();
  CHECK(during.good());
  host.fake->push(token("t2"));
  host.fake->push(ScriptedReply::json("{}"));
  host.ask(next, shared);
  CHECK(host.last_header() == "Bearer t1");
  host.drive();
  CHECK(next.good());
}

TEST_CASE("when the thread that fetches goes, another takes over") {
  ManualClock clock;
  Host host(clock);
  auto other = std::make_unique<Host>(clock);
  const auto shared = tokens();
  ScriptedReply hang;
  hang.hang = true;
  other->fake->push(hang);
  {
    Listener theirs;
    other->ask(theirs, shared);
    Listener ours;
    host.ask(ours, shared);
    other->drive();
    host.drive();
    CHECK(host.fetches() == 0);
    host.fake->push(token("t1"));
    host.fake->push(ScriptedReply::json("{}"));
    theirs.transfer.reset();
    other.reset();
    host.drive();
    CHECK(host.fetches() == 1);
    CHECK(ours.good());
    CHECK(host.last_header() == "Bearer t1");
  }
}

TEST_CASE("threads share one fetch") {
  const auto shared = tokens();
  std::atomic<int> fetches{0}, good{0}, ready{0};
  constexpr int kThreads = 4, kEach = 50;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      Host host(system_clock());
      host.fake->fallback = [&](const SeenRequest& request) {
        if (request.url != "https://token/") return ScriptedReply::json(request.header("authorization") == "Bearer t" ? "{}" : "no token");
        ++fetches;
        ScriptedReply reply = token("t");
        reply.head_after = 20ms;
        return reply;
      };
      ++ready;
      while (ready < kThreads) std::this_thread::yield();
      std::vector<Listener> listeners(kEach);
      for (Listener& listener : listeners) host.ask(listener, shared);
      listeners[0].transfer.reset();
      const auto done = [&] {
        for (size_t i = 1; i < listeners.size(); ++i) {
          if (listeners[i].ends == 0) return false;
        }
        return true;
      };
      host.reactor->run_until(done, system_clock().now() + 10s);
      for (Listener& listener : listeners) {
        if (listener.good() && listener.body == "{}") ++good;
        listener.transfer.reset();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(good == kThreads * (kEach - 1));
  CHECK(fetches >= 1);
  CHECK(fetches <= kThreads);  // one that was abandoned with its thread is begun anew
}
