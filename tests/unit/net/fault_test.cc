// The n-th operation fails, for every n: allocations, the reactor's watches, sockets.
#include <sys/resource.h>

#include "catch.h"
#include "fault/failing_new.h"
#include "llmrouter/fake_transport.h"
#include "unit/net/curl_client.h"
#include "unit/net/scripted_server.h"

using namespace llmrouter;
using namespace net_test;
using namespace std::chrono_literals;
using Kind = TransferError::Kind;
using fault::FailingNew;

namespace {

// A sink that allocates nothing.
struct Quiet : TransferSink {
  void on_head(const HttpHead& head) override { status = head.status; }
  Flow on_body(std::string_view bytes) override {
    size += bytes.size();
    return Flow::kContinue;
  }
  void on_end(const TransferError& error) override {
    ++ends;
    kind = error.kind;
  }
  int status = 0, ends = 0;
  size_t size = 0;
  Kind kind = Kind::kNone;
  std::unique_ptr<Transfer> transfer;
};

// Starts, and drives until the end has been told. False: memory ran out on the way to it.
bool run_short_of_memory(Transport& transport, HttpRequest request, Quiet& sink, FailingNew& fail) {
  try {
    sink.transfer = transport.start(std::move(request), sink);
  } catch (const std::bad_alloc&) {
    return false;
  }
  const TimePoint limit = in(5s);
  while (sink.ends == 0) {
    try {
      transport.reactor().run_until([&] { return sink.ends > 0; }, limit);
    } catch (const std::bad_alloc&) {
      continue;  // told to the host; the transfer goes on
    }
    if (std::chrono::steady_clock::now() >= limit) break;
  }
  const FailingNew::Pause pause;
  INFO("without an end: allocation " << (fail.happened() ? "failed" : "still to fail"));
  CHECK(sink.ends == 1);
  return true;
}

// Forwards everything; the n-th watch is refused.
class FlakyReactor : public Reactor {
 public:
  explicit FlakyReactor(Reactor& real) : real_(real) {}
  int refuse_in = 0;
  int fd() const noexcept override { return real_.fd(); }
  std::optional<TimePoint> deadline() const noexcept override { return real_.deadline(); }
  void drive() override { real_.drive(); }
  void post(std::function<void()> task) override { real_.post(std::move(task)); }
  bool run_until(const std::function<bool()>& done, std::optional<TimePoint> limit) override { return real_.run_until(done, limit); }
  const Clock& clock() const noexcept override { return real_.clock(); }
  TimerId add_timer(TimePoint when, std::function<void()> fn) override { return real_.add_timer(when, std::move(fn)); }
  void cancel_timer(TimerId id) noexcept override { real_.cancel_timer(id); }
  Result<void> watch(int fd, unsigned interest, std::function<void(unsigned)> fn) override {
    if (refuse_in > 0 && --refuse_in == 0) return Error(ErrorCode::kIo, "refused");
    return real_.watch(fd, interest, std::move(fn));
  }
  void unwatch(int fd) noexcept override { real_.unwatch(fd); }

 private:
  Reactor& real_;
};

}  // namespace

TEST_CASE("any allocation of a network transfer may fail: it ends, and the next one is good") {
  ScriptedServer server([](Peer& peer) {
    while (peer.request()) {
      if (!peer.send("HTTP/1.1 200 OK\r\nX-A-Header-With-A-Long-Name: and a value that is long enough for the heap\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n" + chunk_of("one") + chunk_of("two") + chunk_of(""))) return;
    }
  });
  const bool fresh = GENERATE(true, false);  // a transport that has never done anything; one that is warm
  int ended = 0, good = 0;
  std::unique_ptr<Client> client = std::make_unique<Client>();
  for (int n = 1;; ++n) {
    if (fresh) client = std::make_unique<Client>();
    HttpRequest request = post_to(server.url(), "{\"model\":\"some model\"}");
    request.headers.push_back({"x-a-header-with-a-long-name", std::string(200, 'v')});
    Quiet sink;
    bool happened;
    {
      FailingNew fail(n);
      if (run_short_of_memory(*client->transport, std::move(request), sink, fail)) ++ended;
      happened = fail.happened();
    }
    if (sink.ends == 1 && sink.kind == Kind::kNone) ++good;
    if (!happened) CHECK(sink.kind == Kind::kNone);
    if (sink.ends == 1 && sink.kind == Kind::kNone) CHECK(sink.size == 6);
    sink.transfer.reset();
    Listener after;
    client->run(after, post_to(server.url(), "{}"));
    REQUIRE(after.good());
    if (!happened) break;
    REQUIRE(n < 1000);
  }
  CHECK(ended > 3);
  CHECK(good > 0);
}

TEST_CASE("any allocation of a scripted transfer may fail without harm to the next") {
  auto reactor = make_reactor().value();
  FakeTransport fake(*reactor);
  fake.fallback = [](const SeenRequest&) {
    return ScriptedReply::sse({"a piece that is longer than a small string", "two"});
  };
  for (int n = 1;; ++n) {
    HttpRequest request = post_to("http://host/", "{\"model\":\"some model\"}");
    Quiet sink;
    bool happened;
    {
      FailingNew fail(n);
      run_short_of_memory(fake, std::move(request), sink, fail);
      happened = fail.happened();
    }
    sink.transfer.reset();
    CHECK(fake.live() == 0);
    if (!happened) {
      CHECK(sink.kind == Kind::kNone);
      break;
    }
    REQUIRE(n < 1000);
  }
}

TEST_CASE("a watch that the reactor refuses fails the transfers on that socket, and only those") {
  ScriptedServer server([](Peer& peer) {
    while (peer.request()) {
      std::this_thread::sleep_for(2ms);
      peer.send(whole_reply("ok"));
    }
  });
  auto real = make_reactor().value();
  for (int nth = 1; nth <= 4; ++nth) {
    FlakyReactor reactor(*real);
    auto transport = make_curl_transport(reactor).value();
    reactor.refuse_in = nth;
    Listener first, second;
    first.transfer = transport->start(post_to(server.url(), "{}"), first);
    second.transfer = transport->start(post_to(server.url(), "{}"), second);
    REQUIRE(wait_until(*real, [&] { return first.ended() && second.ended(); }));
    INFO("watch " << nth << ": " << first.error.message << " | " << second.error.message);
    CHECK((first.good() || second.good()));
    const bool refused = reactor.refuse_in == 0;
    CHECK((first.good() && second.good()) == !refused);
    for (const Listener* listener : {&first, &second}) {
      if (!listener->good()) CHECK((listener->error.kind == Kind::kConnect || listener->error.kind == Kind::kReset));
    }
    Listener after;
    after.transfer = transport->start(post_to(server.url(), "{}"), after);
    REQUIRE(wait_until(*real, [&] { return after.ended(); }));
    CHECK(after.good());
    for (Listener* listener : {&first, &second, &after}) listener->transfer.reset();
  }
}

TEST_CASE("without descriptors left nothing is sent; with some again all is well") {
  ScriptedServer server([](Peer& peer) {
    while (peer.request()) peer.send(whole_reply("ok"));
  });
  Client client;
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  Listener none, after;
  const rlimit few{0, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  client.run(none, post_to(server.url(), "{}"));
  const auto refused = make_reactor();
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(none.error.kind == Kind::kConnect);
  CHECK_FALSE(refused.ok());
  client.run(after, post_to(server.url(), "{}"));
  CHECK(after.good());
}
