// Requests whose body is read while it is sent: whole, again, and when the source fails.
#include <algorithm>

#include "catch.h"
#include "llmrouter/body.h"
#include "llmrouter/fake_transport.h"
#include "unit/net/curl_client.h"
#include "unit/net/scripted_server.h"

using namespace llmrouter;
using namespace net_test;
using namespace std::chrono_literals;
using Kind = TransferError::Kind;

namespace {

// Bytes that a place alone decides; at most `most` at once, the `fail_at`-th read fails, and none come from `real` on.
class Numbers final : public BodySource {
 public:
  explicit Numbers(size_t size) : real(size), size_(size) {}
  size_t size() const noexcept override { return size_; }
  Result<size_t> read(size_t offset, char* to, size_t count) const override {
    if (++reads == fail_at) return Error(ErrorCode::kIo, "scripted");
    const size_t n = offset < real ? std::min({count, most, real - offset}) : 0;
    for (size_t i = 0; i < n; ++i) to[i] = byte(offset + i);
    return n;
  }
  static char byte(size_t at) { return static_cast<char>((at * 2654435761u) >> 11); }
  std::string all() const {
    std::string out(size_, '\0');
    for (size_t i = 0; i < size_; ++i) out[i] = byte(i);
    return out;
  }
  size_t most = static_cast<size_t>(-1), real;
  int fail_at = 0;
  mutable int reads = 0;

 private:
  size_t size_;
};

HttpRequest sending(std::string url, std::shared_ptr<const BodySource> source) {
  HttpRequest request;
  request.url = std::move(url);
  request.headers = {{"content-type", "application/octet-stream"}};
  request.source = std::move(source);
  return request;
}

}  // namespace

TEST_CASE("source: a body goes out byte for byte with its length, however little comes at once") {
  std::vector<Asked> seen;
  ScriptedServer server([&](Peer& peer) {
    while (auto asked = peer.request()) {
      seen.push_back(std::move(*asked));
      peer.send(whole_reply("ok"));
    }
  });
  Client client;
  for (size_t size : {0, 1, 5000, 48 * 1024, 48 * 1024 + 1, 3000000}) {
    for (size_t most : {static_cast<size_t>(-1), size_t{4097}}) {
      auto source = std::make_shared<Numbers>(size);
      source->most = most;
      std::weak_ptr<Numbers> watched = source;
      const std::string all = source->all();
      Listener listener;
      client.run(listener, sending(server.url(), std::move(source)));
      CHECK(listener.good());
      REQUIRE_FALSE(seen.empty());
      CHECK((seen.back().body == all));
      CHECK(seen.back().header("content-length") == std::to_string(size));
      listener.transfer.reset();
      CHECK(watched.expired());  // nobody holds it longer than it is needed
    }
  }
}

TEST_CASE("source: after a connection died under it the next transfer reads it again from the start") {
  const size_t size = GENERATE(2, 300000);
  auto source = std::make_shared<Numbers>(size);
  const std::string all = source->all();
  std::atomic<int> good{0};
  ScriptedServer server([&](Peer& peer) {
    while (auto asked = peer.request()) {
      if (peer.number() == 1 && good == 1) return;
      if (asked->body == all) ++good;
      peer.send(whole_reply("ok"));
    }
  });
  Client client;
  for (int i = 0; i < 3; ++i) {
    Listener listener;
    client.run(listener, sending(server.url(), source));
    CHECK(listener.good() == (i != 1));
  }
  CHECK(good == 2);
  CHECK(server.connections() == 2);
}

TEST_CASE("source: when its Nth read fails the transfer ends with that, and the transport goes on") {
  std::atomic<int> whole{0};
  ScriptedServer server([&](Peer& peer) {
    while (peer.request()) {
      ++whole;
      peer.send(whole_reply("ok"));
    }
  });
  Client client;
  for (size_t size : {1000, 400000}) {
    int nth = 1;
    for (;; ++nth) {
      auto source = std::make_shared<Numbers>(size);
      source->most = 50000;
      source->fail_at = nth;
      Listener listener;
      client.run(listener, sending(server.url(), source));
      CAPTURE(size, nth);
      if (listener.error.ok()) break;
      CHECK(listener.error.kind == Kind::kRequestBody);
      CHECK(listener.error.message.find("the request's body could not be read: scripted") != std::string::npos);
      CHECK(listener.heads == 0);
    }
    CHECK(nth > (size == 1000 ? 1 : 8));  // libcurl decides how much it asks for at once
  }
  CHECK(whole == 2);
}

TEST_CASE("source: one that is shorter than it said, or that gives more than it was asked for, ends the transfer") {
  ScriptedServer server([&](Peer& peer) {
    while (peer.request()) peer.send(whole_reply("ok"));
  });
  Client client;
  for (size_t real : {0, 100, 999}) {
    auto source = std::make_shared<Numbers>(real == 100 ? 1000 : 100000);
    source->real = real;
    Listener listener;
    client.run(listener, sending(server.url(), source));
    CHECK(listener.error.kind == Kind::kRequestBody);
    CHECK(listener.error.message.find("length") != std::string::npos);
  }
}

TEST_CASE("source: the scripted transport and the demo model read it whole") {
  auto reactor = make_reactor().value();
  FakeTransport fake(*reactor);
  auto source = std::make_shared<Numbers>(100000);
  source->most = 1000;
  fake.push(ScriptedReply::json("{}"));
  Listener listener;
  listener.transfer = fake.start(sending("http://x.test/", source), listener);
  REQUIRE(wait_until(*reactor, [&] { return listener.ended(); }));
  CHECK(listener.good());
  CHECK((fake.seen().at(0).body == source->all()));

  source->fail_at = source->reads + 50;
  Listener failed;
  failed.transfer = fake.start(sending("http://x.test/", source), failed);
  REQUIRE(wait_until(*reactor, [&] { return failed.ended(); }));
  CHECK(failed.error.kind == Kind::kRequestBody);
  CHECK(failed.heads == 0);

  auto demo = make_demo_transport(*reactor, nullptr);
  source->fail_at = source->reads + 3;
  Listener asked;
  asked.transfer = demo->start(sending("demo:/chat/completions", source), asked);
  REQUIRE(wait_until(*reactor, [&] { return asked.ended(); }));
  CHECK(asked.error.kind == Kind::kRequestBody);
}
