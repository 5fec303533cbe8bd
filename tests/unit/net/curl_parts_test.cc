// The parts of the libcurl transport that need no network.
#include "catch.h"
#include "net/curl_errors.h"
#include "net/curl_headers.h"
#include "net/head_builder.h"
#include "net/resolve_gate.h"

using namespace llmrouter;
using namespace llmrouter::net;
using namespace std::chrono_literals;

TEST_CASE("authority_of and is_resolved_host") {
  CHECK(authority_of("https://api.openai.com/v1?x=http://y") == "api.openai.com");
  CHECK(authority_of("http://u:p@w@host:81#f") == "host:81");
  CHECK(authority_of("socks5://127.0.0.1:1080") == "127.0.0.1:1080");
  CHECK(authority_of("host?x") == "host");
  CHECK(authority_of("") == "");
  CHECK(is_resolved_host("127.0.0.1:80"));
  CHECK(is_resolved_host("10.0.0.1"));
  CHECK(is_resolved_host("[::1]:80"));
  CHECK(is_resolved_host("localhost:1"));
  CHECK(is_resolved_host("a.LocalHost"));
  CHECK(is_resolved_host(""));
  CHECK_FALSE(is_resolved_host("notlocalhost"));
  CHECK_FALSE(is_resolved_host("api.openai.com:443"));
  CHECK_FALSE(is_resolved_host("1.2.3.4.example"));
}

TEST_CASE("one look-up for each host at a time; the others wait for it") {
  ResolveGate gate(58s);
  ResolveGate::Guest a, b, c, other, local;
  const TimePoint now{1h};
  CHECK(gate.enter(local, "127.0.0.1:1", now) == ResolveGate::Entry::kFree);
  CHECK(gate.enter(a, "h:1", now) == ResolveGate::Entry::kLeads);
  CHECK(gate.enter(b, "h:1", now) == ResolveGate::Entry::kWaits);
  CHECK(gate.enter(c, "h:1", now) == ResolveGate::Entry::kWaits);
  CHECK(gate.enter(other, "g:1", now) == ResolveGate::Entry::kLeads);
  gate.pass(b, true, now);  // not the leader
  CHECK(gate.idle());
  gate.pass(a, true, now);
  CHECK(gate.take_released() == &b);
  CHECK(gate.take_released() == &c);
  CHECK(gate.take_released() == nullptr);
  // Known now, for as long as the resolver remembers; an answer from its cache does not make that longer.
  CHECK(gate.enter(a, "h:1", now + 57s) == ResolveGate::Entry::kFree);
  CHECK(gate.enter(a, "h:1", now + 58s) == ResolveGate::Entry::kLeads);
  gate.pass(a, true, now + 58s);
  CHECK(gate.enter(a, "h:1", now + 115s) == ResolveGate::Entry::kFree);
}

TEST_CASE("a leader that used an open connection has looked nothing up") {
  ResolveGate gate(58s);
  ResolveGate::Guest a, b;
  const TimePoint now{1h};
  CHECK(gate.enter(a, "h", now) == ResolveGate::Entry::kLeads);
  gate.pass(a, false, now);
  CHECK(gate.enter(b, "h", now) == ResolveGate::Entry::kLeads);
}

TEST_CASE("when a leader goes the next one leads; when its look-up fails all fail") {
  ResolveGate gate(58s);
  ResolveGate::Guest a, b, c, d;
  const TimePoint now{1h};
  gate.enter(a, "h", now);
  gate.enter(b, "h", now);
  gate.enter(c, "h", now);
  gate.enter(d, "h", now);
  gate.leave(c);  // a waiter goes
  gate.leave(a);
  CHECK(gate.take_released() == &b);
  CHECK(gate.take_released() == nullptr);
  gate.fail(d);  // does not lead
  CHECK(gate.idle());
  gate.fail(b);
  CHECK(gate.take_failed() == &d);
  CHECK(gate.take_failed() == nullptr);
  CHECK(gate.enter(a, "h", now) == ResolveGate::Entry::kLeads);
  gate.enter(b, "h", now);
  gate.leave(a);  // b is released, and goes before it was taken
  gate.leave(b);
  CHECK(gate.take_released() == nullptr);
  CHECK(gate.enter(a, "h", now) == ResolveGate::Entry::kLeads);
}

TEST_CASE("hosts that nobody uses any more are forgotten") {
  ResolveGate gate(58s);
  TimePoint now{1h};
  for (int i = 0; i < 5000; ++i) {
    ResolveGate::Guest guest;
    REQUIRE(gate.enter(guest, "h" + std::to_string(i), now) == ResolveGate::Entry::kLeads);
    gate.pass(guest, true, now);
    now += 1s;
  }
  ResolveGate::Guest guest;
  CHECK(gate.enter(guest, "h4999", now) == ResolveGate::Entry::kFree);
}

TEST_CASE("a head is built from lines") {
  HeadBuilder builder;
  using Step = HeadBuilder::Step;
  builder.reset(10000);
  CHECK(builder.feed("HTTP/1.1 100 Continue\r\n") == Step::kMore);
  CHECK(builder.feed("X-Interim: 1\r\n") == Step::kMore);
  CHECK(builder.feed("\r\n") == Step::kMore);
  CHECK_FALSE(builder.complete());
  CHECK(builder.feed("HTTP/2 200\r\n") == Step::kMore);
  CHECK(builder.feed("Content-TYPE:\ttext/plain \r\n") == Step::kMore);
  CHECK(builder.feed("X-Folded: a\r\n") == Step::kMore);
  CHECK(builder.feed("  b\r\n") == Step::kMore);
  CHECK(builder.feed("no colon here\r\n") == Step::kMore);
  CHECK(builder.feed("\r\n") == Step::kDone);
  CHECK(builder.complete());
  CHECK(builder.head().status == 200);
  REQUIRE(builder.head().headers.size() == 2);
  CHECK(builder.head().headers[0].name == "content-type");
  CHECK(builder.head().headers[0].value == "text/plain");
  CHECK(builder.head().header("x-folded") == "a b");
  CHECK(builder.feed("X-Trailer: 1\r\n") == Step::kMore);
  CHECK(builder.head().headers.size() == 2);
  builder.reset(10000);
  CHECK_FALSE(builder.complete());
  CHECK(builder.head().headers.empty());
}

TEST_CASE("heads that are none, and the cap") {
  using Step = HeadBuilder::Step;
  for (const char* line : {"", "\r\n", "HTTP/1.1", "HTTP/1.1 abc", "HTTP/1.1 20", "HTTP/1.1 099 x", "ICY 200 OK", "HTTP/1.1 -10"}) {
    HeadBuilder builder;
    builder.reset(1000);
    INFO(line);
    CHECK(builder.feed(line) == Step::kBad);
  }
  HeadBuilder builder;
  builder.reset(40);
  CHECK(builder.feed("HTTP/1.1 200 OK\r\n") == Step::kMore);
  CHECK(builder.feed(" folded into nothing\r\n") == Step::kBad);
  builder.reset(40);
  CHECK(builder.feed("HTTP/1.1 200 OK\r\n") == Step::kMore);
  CHECK(builder.feed("a: 567890123456789012\r\n") == Step::kMore);  // 40 now
  CHECK(builder.feed("\r\n") == Step::kTooLarge);
}

TEST_CASE("what describes an encoding goes with the encoding") {
  HeadBuilder builder;
  builder.reset(1000);
  for (const char* line : {"HTTP/1.1 200 OK\r\n", "Content-Length: 5\r\n", "Content-Encoding: gzip\r\n", "X: y\r\n", "\r\n"}) builder.feed(line);
  REQUIRE(builder.head().headers.size() == 1);
  CHECK(builder.head().header("x") == "y");
  builder.reset(1000);
  for (const char* line : {"HTTP/1.1 200 OK\r\n", "Content-Length: 5\r\n", "Content-Encoding: identity\r\n", "\r\n"}) builder.feed(line);
  CHECK(builder.head().headers.size() == 2);
}

TEST_CASE("headers as libcurl takes them") {
  CurlHeaders headers;
  REQUIRE(headers.set({{"Accept", "a/b"}, {"X-Empty", " "}, {"content-LENGTH", "5"}, {"Content-Type", "c/d"}}, ""));
  std::vector<std::string> lines;
  for (const curl_slist* node = headers.list(); node != nullptr; node = node->next) lines.emplace_back(node->data);
  CHECK(lines == std::vector<std::string>{"Accept: a/b", "X-Empty;", "Content-Type: c/d", "Expect:", "Accept-Encoding:"});
  REQUIRE(headers.set({{"a", "b"}}, "agent/1"));
  CHECK(headers.list()->next->data == std::string("User-Agent: agent/1"));
  REQUIRE(headers.set({{"USER-agent", "own"}}, "agent/1"));
  CHECK(headers.list()->next->data == std::string("Expect:"));
  CHECK_FALSE(headers.set({{"a", "b\nc"}}, ""));
  CHECK_FALSE(headers.set({{"a", std::string("b\0c", 3)}}, ""));
  CHECK_FALSE(headers.set({{"a:", "b"}}, ""));
  REQUIRE(headers.set({{"utf8", "\xc3\xa4"}}, ""));
}

TEST_CASE("curl: a fault has the same words however long it took") {
  const auto said = [](const char* detail) { return transfer_error(CURLE_COULDNT_CONNECT, Progress::kNothingSent, "h:1", detail).detail; };
  CHECK(said("Failed to connect to h port 1 after 0 ms: Couldn't connect") == "h:1: Failed to connect to h port 1: Couldn't connect");
  CHECK(said("Failed to connect to h port 1 after 17 ms: Couldn't connect") == said("Failed to connect to h port 1 after 0 ms: Couldn't connect"));
  CHECK(said("Resolving timed out after 5000 milliseconds") == "h:1: Resolving timed out");
  CHECK(said("gave up after ms") == "h:1: gave up after ms");
  CHECK(said("ended after 3 bytes") == "h:1: ended after 3 bytes");
}

TEST_CASE("messages hold no credentials and no query") {
  CHECK(scrub("Could not resolve http://me:pw@host:1/p?key=k now") == "Could not resolve http://host:1/p now");
  CHECK(scrub("me:pw@host") == "host");
  CHECK(scrub("a?b c") == "a c");
  CHECK(scrub("") == "");
  const TransferError error = transfer_error(CURLE_COULDNT_CONNECT, Progress::kNothingSent, "u:pw@h:1", "");
  CHECK(error.kind == TransferError::Kind::kConnect);
  CHECK(error.message == "cannot connect");
  CHECK(error.detail.rfind("h:1: ", 0) == 0);
  CHECK(error.in_full().rfind("cannot connect (h:1: ", 0) == 0);
}

TEST_CASE("what callers may read of a failed transfer says what happened and names no address") {
  const auto told = [](CURLcode code, Progress progress) {
    const TransferError error = transfer_error(code, progress, "10.9.8.7:1234", "Failed to connect to 10.9.8.7 port 1234 over /etc/ssl/x.pem");
    CHECK(error.detail.find("10.9.8.7:1234") == 0);
    for (const char* hidden : {"10.9.8.7", "1234", "/etc"}) CHECK(error.message.find(hidden) == std::string::npos);
    return error.message;
  };
  CHECK(told(CURLE_COULDNT_CONNECT, Progress::kNothingSent) == "cannot connect");
  CHECK(told(CURLE_COULDNT_RESOLVE_HOST, Progress::kNothingSent) == "cannot connect: a name cannot be resolved");
  CHECK(told(CURLE_COULDNT_RESOLVE_PROXY, Progress::kNothingSent) == "cannot connect: a name cannot be resolved");
  CHECK(told(CURLE_PEER_FAILED_VERIFICATION, Progress::kNothingSent) == "cannot connect: its TLS certificate is not accepted");
  CHECK(told(CURLE_SSL_CONNECT_ERROR, Progress::kNothingSent) == "cannot connect: TLS failed");
  CHECK(told(CURLE_OPERATION_TIMEDOUT, Progress::kNothingSent) == "timed out while connecting");
  CHECK(told(CURLE_RECV_ERROR, Progress::kSent) == "broke off before a reply");
  CHECK(told(CURLE_RECV_ERROR, Progress::kHead) == "the reply broke off");
}

TEST_CASE("libcurl's results by how far the transfer had got") {
  using Kind = TransferError::Kind;
  const auto kind = [](CURLcode code, Progress progress, const char* detail = "") {
    return transfer_error(code, progress, "h", detail).kind;
  };
  for (const CURLcode code : {CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT, CURLE_SSL_CONNECT_ERROR,
                              CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_RECV_ERROR, CURLE_URL_MALFORMAT,
                              CURLE_UNSUPPORTED_PROTOCOL, CURLE_PROXY, CURLE_SEND_ERROR}) {
    CHECK(kind(code, Progress::kNothingSent) == Kind::kConnect);
  }
  for (const CURLcode code : {CURLE_GOT_NOTHING, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_PARTIAL_FILE, CURLE_HTTP2, CURLE_HTTP2_STREAM}) {
    CHECK(kind(code, Progress::kSent) == Kind::kReset);
    CHECK(kind(code, Progress::kHead) == Kind::kTruncated);
  }
  CHECK(kind(CURLE_OK, Progress::kHead) == Kind::kNone);
  CHECK(kind(CURLE_OK, Progress::kSent) == Kind::kReset);
  CHECK(kind(CURLE_OPERATION_TIMEDOUT, Progress::kNothingSent) == Kind::kConnectTimeout);
  CHECK(kind(CURLE_OPERATION_TIMEDOUT, Progress::kSent) == Kind::kReset);
  CHECK(kind(CURLE_RECV_ERROR, Progress::kHead, "Illegal or missing hexadecimal sequence in chunked-encoding") == Kind::kProtocol);
  CHECK(kind(static_cast<CURLcode>(100), Progress::kSent) == Kind::kTooLarge);
}
