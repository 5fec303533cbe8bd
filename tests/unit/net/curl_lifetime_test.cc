// Who may be destroyed when: every callback of the libcurl transport, with transfers going, coming and cancelled inside it.
#include <atomic>

#include "catch.h"
#include "unit/net/curl_client.h"
#include "unit/net/scripted_server.h"

using namespace llmrouter;
using namespace net_test;
using namespace std::chrono_literals;
using Kind = TransferError::Kind;

namespace {

// Head, then `pieces` chunks one after the other, then the end.
ScriptedServer::Script in_pieces(int pieces) {
  return [pieces](Peer& peer) {
    while (peer.request()) {
      if (!peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")) return;
      for (int i = 0; i < pieces; ++i) {
        std::this_thread::sleep_for(1ms);
        if (!peer.send(chunk_of("piece"))) return;
      }
      if (!peer.send(chunk_of(""))) return;
    }
  };
}

enum class Where { kHead, kBody, kEnd };

// Calls `act` in the given callback, the first time.
void at(Listener& listener, Where where, std::function<Flow()> act) {
  if (where == Where::kHead) listener.at_head = [act] { act(); };
  if (where == Where::kEnd) listener.at_end = [act] { act(); };
  if (where == Where::kBody) {
    listener.at_body = [act, &listener] { return listener.pieces == 1 ? act() : Flow::kContinue; };
  }
}

}  // namespace

TEST_CASE("a sink may destroy its transfer in any callback, and hears nothing after it") {
  const Where where = GENERATE(Where::kHead, Where::kBody, Where::kEnd);
  const size_t body_size = GENERATE(10, 500000);
  ScriptedServer server(in_pieces(5));
  Client client;
  for (int round = 0; round < 3; ++round) {
    Listener listener;
    auto body = std::make_unique<std::string>(body_size, 'x');
    bool gone = false;
    at(listener, where, [&] {
      listener.transfer.reset();
      body.reset();  // as soon as the transfer is destroyed
      gone = true;
      return Flow::kContinue;
    });
    client.start(listener, post_to(server.url(), *body));
    REQUIRE(wait_until(*client.reactor, [&] { return gone; }));
    const int heads = listener.heads, pieces = listener.pieces, ends = listener.ends;
    drive_for(*client.reactor, 15ms);
    CHECK(listener.heads == heads);
    CHECK(listener.pieces == pieces);
    CHECK(listener.ends == ends);
    CHECK(ends == (where == Where::kEnd ? 1 : 0));
  }
  // And the transport is as good as before.
  Listener after;
  client.run(after, post_to(server.url(), "{}"));
  CHECK(after.good());
}

TEST_CASE("a sink may answer kCancel: nothing more comes, no end either") {
  ScriptedServer server(in_pieces(5));
  Client client;
  Listener listener;
  listener.at_body = [&] { return listener.pieces == 2 ? Flow::kCancel : Flow::kContinue; };
  client.start(listener, post_to(server.url(), "{}"));
  REQUIRE(wait_until(*client.reactor, [&] { return listener.pieces == 2; }));
  drive_for(*client.reactor, 15ms);
  CHECK(listener.pieces == 2);
  CHECK(listener.ends == 0);
  CHECK(server.wait_closed(1));  // at once, not when the handle goes
  listener.transfer->resume();
  listener.transfer.reset();
  drive_for(*client.reactor, 5ms);
  CHECK(listener.ends == 0);
}

TEST_CASE("a transfer may be destroyed before anything happened, while it connects, waits or is paused") {
  ScriptedServer server(in_pieces(3));
  Client client;
  {
    Listener listener;
    client.start(listener, post_to(server.url(), "{}"));
    listener.transfer.reset();
    drive_for(*client.reactor, 10ms);
    CHECK(listener.heads == 0);
  }
  {
    Listener listener;
    listener.at_body = [] { return Flow::kPause; };
    client.start(listener, post_to(server.url(), "{}"));
    REQUIRE(wait_until(*client.reactor, [&] { return listener.pieces == 1; }));
    listener.transfer->resume();
    listener.transfer.reset();  // with the resume still to be done
    drive_for(*client.reactor, 10ms);
    CHECK(listener.pieces == 1);
  }
  {
    Listener listener;  // told later that it cannot be sent, if it still wants to know
    HttpRequest request = post_to(server.url(), "{}");
    request.headers.push_back({"bad name", "x"});
    client.start(listener, std::move(request));
    listener.transfer.reset();
    drive_for(*client.reactor, 5ms);
    CHECK(listener.ends == 0);
  }
  Listener after;
  client.run(after, post_to(server.url(), "{}"));
  CHECK(after.good());
}

TEST_CASE("destroying closes the connection at once") {
  ScriptedServer server([](Peer& peer) {
    peer.request();
    peer.wait_closed();
  });
  Client client;
  Listener listener;
  client.start(listener, post_to(server.url(), "{}"));
  drive_for(*client.reactor, 20ms);
  CHECK(server.connections() == 1);
  listener.transfer.reset();  // nobody drives now
  CHECK(server.wait_closed(1));
}

TEST_CASE("a sink may start the next transfer in any callback") {
  const Where where = GENERATE(Where::kHead, Where::kBody, Where::kEnd);
  const bool destroy_first = GENERATE(false, true);
  ScriptedServer server(in_pieces(3));
  Client client;
  Listener first, second;
  const std::string big(200000, 'n');
  at(first, where, [&] {
    if (destroy_first) first.transfer.reset();
    client.start(second, post_to(server.url(), big));
    CHECK(second.heads + second.ends == 0);
    return Flow::kContinue;
  });
  client.start(first, post_to(server.url(), "{}"));
  REQUIRE(wait_until(*client.reactor, [&] { return second.ended(); }));
  CHECK(second.good());
  if (!destroy_first) REQUIRE(wait_until(*client.reactor, [&] { return first.ended(); }));
  CHECK(first.ends == (where == Where::kEnd || !destroy_first ? 1 : 0));
}

TEST_CASE("a sink may destroy any other transfer in any callback") {
  const Where where = GENERATE(Where::kHead, Where::kBody, Where::kEnd);
  ScriptedServer server(in_pieces(3));
  Client client;
  std::vector<std::unique_ptr<Listener>> listeners;
  auto bodies = std::make_unique<std::vector<std::string>>();
  for (int i = 0; i < 20; ++i) bodies->emplace_back(static_cast<size_t>(1 + 40000 * (i % 3)), 'x');
  bool done = false;
  int ends = 0;
  for (int i = 0; i < 20; ++i) {
    listeners.push_back(std::make_unique<Listener>());
    at(*listeners.back(), where, [&] {
      if (!done) {
        for (auto& listener : listeners) listener->transfer.reset();  // itself among them
        bodies.reset();
        ends = 0;
        for (auto& listener : listeners) ends += listener->ends;
      }
      done = true;
      return Flow::kContinue;
    });
  }
  for (size_t i = 0; i < 20; ++i) client.start(*listeners[i], post_to(server.url(), (*bodies)[i]));
  REQUIRE(wait_until(*client.reactor, [&] { return done; }));
  drive_for(*client.reactor, 20ms);
  int after = 0;
  for (auto& listener : listeners) after += listener->ends;
  CHECK(after == ends);
}

TEST_CASE("a sink that starts anew in each end does not keep the loop for itself") {
  Client client;
  const std::string url = "http://127.0.0.1:" + std::to_string(free_port()) + "/";
  Listener listener;
  int failures = 0;
  listener.at_end = [&] {
    ++failures;
    if (failures < 500) client.start(listener, post_to(url, "{}"));
  };
  client.start(listener, post_to(url, "{}"));
  int most = 0;
  REQUIRE(client.reactor->run_until([&] {
    static int before = 0;
    most = std::max(most, failures - before);
    before = failures;
    return failures == 500;
  }, in(10s)));
  CHECK(most < 100);
}

TEST_CASE("an exception in a callback ends that transfer and no other") {
  const Where where = GENERATE(Where::kHead, Where::kBody);
  ScriptedServer server(in_pieces(3));
  Client client;
  Listener bad, good;
  at(bad, where, [&]() -> Flow { throw std::runtime_error("from a sink"); });
  client.start(bad, post_to(server.url(), "{}"));
  client.start(good, post_to(server.url(), "{}"));
  REQUIRE(wait_until(*client.reactor, [&] { return bad.ended() && good.ended(); }));
  CHECK(bad.error.kind == Kind::kInternal);
  CHECK(good.good());
}

TEST_CASE("more transfers than handles are kept for, twice over, leave nothing behind") {
  ScriptedServer server([](Peer& peer) {
    while (peer.request()) peer.send(whole_reply("ok"));
  });
  Client client;
  for (int round = 0; round < 2; ++round) {
    std::vector<std::unique_ptr<Listener>> listeners;
    int ended = 0, good = 0;
    for (int i = 0; i < 400; ++i) {
      listeners.push_back(std::make_unique<Listener>());
      Listener* listener = listeners.back().get();
      listener->at_end = [&, listener] {
        ++ended;
        good += listener->good() ? 1 : 0;
      };
      client.start(*listener, post_to(server.url(), "{}"));
      if (i % 5 == 4) listeners[static_cast<size_t>(i)]->transfer.reset();
    }
    wait_until(*client.reactor, [&] { return ended == 320; });
    CHECK(ended == 320);
    CHECK(good == 320);
  }
}
