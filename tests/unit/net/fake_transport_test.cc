#include "llmrouter/fake_transport.h"

#include "catch.h"
#include "unit/net/listener.h"

using namespace llmrouter;
using namespace net_test;
using namespace std::chrono_literals;
using Kind = TransferError::Kind;

namespace {

struct Stage {
  ManualClock clock;
  std::unique_ptr<Reactor> reactor = make_reactor(clock).value();
  FakeTransport fake{*reactor};
  void start(Listener& listener, std::string_view body = "{}") {
    listener.transfer = fake.start(post_to("https://host/v1/chat", body), listener);
  }
  void drive(int times = 1) {
    for (int i = 0; i < times; ++i) reactor->drive();
  }
};

}  // namespace

TEST_CASE("a scripted reply comes step by step, one for each drive") {
  Stage stage;
  ScriptedReply reply = ScriptedReply::sse({"one", "two"});
  reply.status = 202;
  reply.headers.push_back({"X-Loud", "Yes"});
  stage.fake.push(reply);
  Listener listener;
  const std::string part = "{\"a\":";
  HttpRequest request = post_to("https://host/v1/chat", part);
  request.body = {part, "1}"};
  request.headers.push_back({"Authorization", "Bearer k"});
  listener.transfer = stage.fake.start(std::move(request), listener);
  CHECK(listener.heads == 0);
  CHECK(stage.fake.live() == 1);
  stage.drive();
  CHECK(listener.head.status == 202);
  CHECK(listener.head.header("content-type") == "text/event-stream");
  CHECK(listener.head.header("x-loud") == "Yes");
  CHECK(listener.pieces == 0);
  stage.drive();
  CHECK(listener.body == "data: one\n\n");
  stage.drive();
  CHECK(listener.pieces == 2);
  CHECK(listener.ends == 0);
  stage.drive();
  CHECK(listener.good());
  CHECK(stage.fake.live() == 0);
  CHECK(stage.fake.cancelled() == 0);
  REQUIRE(stage.fake.seen().size() == 1);
  const SeenRequest& seen = stage.fake.seen()[0];
  CHECK(seen.method == "POST");
  CHECK(seen.url == "https://host/v1/chat");
  CHECK(seen.body == "{\"a\":1}");
  CHECK(seen.header("authorization") == "Bearer k");
  CHECK(seen.header("nothing").empty());
}

TEST_CASE("delays follow the reactor's clock") {
  Stage stage;
  ScriptedReply reply = ScriptedReply::sse({"one", "two"});
  reply.head_after = 2s;
  reply.chunk_every = 100ms;
  stage.fake.push(reply);
  Listener listener;
  stage.start(listener);
  stage.clock.advance(1999ms);
  stage.drive(3);
  CHECK(listener.heads == 0);
  stage.clock.advance(1ms);
  stage.drive(3);
  CHECK(listener.heads == 1);
  CHECK(listener.pieces == 0);
  stage.clock.advance(100ms);
  stage.drive(3);
  CHECK(listener.pieces == 1);
  stage.clock.advance(100ms);
  stage.drive(3);
  CHECK(listener.good());
}

TEST_CASE("failures where the script says") {
  Stage stage;
  ScriptedReply reply = ScriptedReply::json("whole");
  reply.chunks = {"a", "b"};
  Kind expected = Kind::kTruncated;
  std::string body;
  reply.end = {Kind::kTruncated, "cut"};
  int heads = 1;
  SECTION("right after the head") { reply.fail_before_chunk = 0; }
  SECTION("between chunks") {
    reply.fail_before_chunk = 1;
    body = "a";
  }
  SECTION("after the last") { body = "ab"; }
  SECTION("after the last, said twice") {
    reply.fail_before_chunk = 2;
    reply.hang = true;
    body = "ab";
  }
  SECTION("in place of the head") {
    reply.no_head = true;
    heads = 0;
  }
  SECTION("in place of the head, without a reason") {
    reply.no_head = true;
    reply.end = {};
    heads = 0;
    expected = Kind::kReset;
  }
  stage.fake.push(reply);
  Listener listener;
  stage.start(listener);
  stage.drive(10);
  CHECK(listener.ends == 1);
  CHECK(listener.error.kind == expected);
  CHECK(listener.body == body);
  CHECK(listener.heads == heads);
}

TEST_CASE("a reply that hangs is live until it is destroyed") {
  Stage stage;
  ScriptedReply reply = ScriptedReply::sse({"one"});
  reply.hang = true;
  stage.fake.push(reply);
  Listener listener;
  stage.start(listener);
  stage.drive(10);
  CHECK(listener.pieces == 1);
  listener.transfer->resume();
  stage.drive(10);
  CHECK(listener.ends == 0);
  CHECK(stage.fake.live() == 1);
  listener.transfer.reset();
  CHECK(stage.fake.live() == 0);
  CHECK(stage.fake.cancelled() == 1);
}

TEST_CASE("pauses hold the next chunk back") {
  Stage stage;
  stage.fake.push(ScriptedReply::sse({"one", "two", "three"}));
  Listener listener;
  listener.at_body = [&] {
    if (listener.pieces == 2) listener.transfer->resume();  // before its own pause: not lost
    return Flow::kPause;
  };
  stage.start(listener);
  stage.drive(10);
  CHECK(listener.pieces == 1);
  CHECK(stage.fake.paused() == 1);
  listener.transfer->resume();
  CHECK(listener.pieces == 1);
  stage.drive(10);
  CHECK(listener.pieces == 3);
  CHECK(listener.ends == 0);
  listener.transfer->resume();
  stage.drive(10);
  CHECK(listener.good());
  CHECK(stage.fake.paused() == 1);
}

TEST_CASE("replies in order, then the fallback, then none") {
  Stage stage;
  stage.fake.push(ScriptedReply::json("first"));
  Listener a, b, c;
  stage.start(a, "1");
  Listener inner;
  stage.fake.fallback = [&](const SeenRequest& request) {
    if (request.body == "2") stage.start(inner, "nested");
    return ScriptedReply::json("fallback for " + request.body, 500);
  };
  stage.start(b, "2");
  stage.fake.fallback = nullptr;
  stage.start(c, "3");
  stage.drive(10);
  CHECK(a.body == "first");
  CHECK(b.body == "fallback for 2");
  CHECK(b.head.status == 500);
  CHECK(inner.body == "fallback for nested");
  CHECK(c.error.kind == Kind::kConnect);
  CHECK(stage.fake.seen().size() == 4);
}

TEST_CASE("a scripted transfer may be destroyed or cancelled in each callback") {
  const int where = GENERATE(0, 1, 2, 3);
  Stage stage;
  stage.fake.push(ScriptedReply::sse({"one", "two"}));
  Listener listener;
  if (where == 0) listener.at_head = [&] { listener.transfer.reset(); };
  if (where == 1) listener.at_body = [&] { return listener.transfer.reset(), Flow::kContinue; };
  if (where == 2) listener.at_body = [] { return Flow::kCancel; };
  if (where == 3) listener.at_end = [&] { listener.transfer.reset(); };
  stage.start(listener);
  stage.drive(10);
  CHECK(listener.ends == (where == 3 ? 1 : 0));
  CHECK(listener.pieces == (where == 0 ? 0 : where == 3 ? 2 : 1));
  CHECK(stage.fake.live() == 0);
  CHECK(stage.fake.cancelled() == (where == 3 ? 0 : 1));
}
