// TLS and HTTP/2 of the libcurl transport.
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <set>

#include "catch.h"
#include "unit/net/curl_client.h"
#include "unit/net/scripted_server.h"
#include "unit/net/tls_identity.h"

using namespace llmrouter;
using namespace net_test;
using namespace std::chrono_literals;
using Kind = TransferError::Kind;

namespace {

std::string https(int port, std::string_view path = "/") { return "https://127.0.0.1:" + std::to_string(port) + std::string(path); }

void echo(Peer& peer) {
  while (auto asked = peer.request()) {
    if (!peer.send(whole_reply(asked->body))) return;
  }
}

std::shared_ptr<Endpoint> trusting(const TlsIdentity& identity) {
  auto endpoint = std::make_shared<Endpoint>();
  endpoint->ca_file = identity.certificate_file();
  return endpoint;
}

// A write to a connection that is gone must not need the application to ignore SIGPIPE.
struct DefaultSigpipe {
  DefaultSigpipe() : before(std::signal(SIGPIPE, SIG_DFL)) {}
  ~DefaultSigpipe() { std::signal(SIGPIPE, before); }
  void (*before)(int);
};

// nginx with TLS and HTTP/2 in front of a scripted server.
class Nginx {
 public:
  Nginx(const TlsIdentity& identity, int upstream_port) : port_(free_port()) {
    const std::string folder = identity.folder();
    std::ofstream(folder + "/nginx.conf") << "daemon off; master_process off; pid " << folder << "/pid; error_log " << folder << "/error;\n"
        << "events {} http { access_log off; client_body_temp_path " << folder << "/b; proxy_temp_path " << folder << "/p;\n"
        << "fastcgi_temp_path " << folder << "/f; uwsgi_temp_path " << folder << "/u; scgi_temp_path " << folder << "/s;\n"
        << "client_max_body_size 0; server { listen 127.0.0.1:" << port_ << " ssl http2; ssl_certificate " << identity.certificate_file()
        << "; ssl_certificate_key " << identity.key_file() << ";\n"
        << "location / { return 200 \"$server_protocol $connection\"; }\n"
        << "location /small { client_max_body_size 1k; return 200; }\n"
        << "location /up { proxy_buffering off; proxy_http_version 1.1; proxy_pass http://127.0.0.1:" << upstream_port << "; } } }\n";
    pid_ = ::fork();
    if (pid_ == 0) {
      const std::string config = folder + "/nginx.conf", log = folder + "/error";
      std::freopen("/dev/null", "w", stderr);
      ::execl("/usr/sbin/nginx", "nginx", "-e", log.c_str(), "-p", folder.c_str(), "-c", config.c_str(), nullptr);
      ::_exit(127);
    }
  }
  ~Nginx() {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }
  static bool present() { return ::access("/usr/sbin/nginx", X_OK) == 0; }
  int port() const { return port_; }
  // Asks until it answers.
  bool wait_ready(Client& client, const std::shared_ptr<const Endpoint>& endpoint) const {
    for (int i = 0; i < 200; ++i) {
      Listener listener;
      HttpRequest request = post_to(https(port_), "");
      request.method = "GET";
      request.endpoint = endpoint;
      client.run(listener, std::move(request));
      if (listener.good()) return true;
      drive_for(*client.reactor, 20ms);
    }
    return false;
  }

 private:
  int port_;
  pid_t pid_ = -1;
};

}  // namespace

TEST_CASE("TLS with the certificate in ca_file, kept alive") {
  const DefaultSigpipe sigpipe;
  TlsIdentity identity;
  ScriptedServer server(echo, identity.dress());
  Client client;
  const size_t size = GENERATE(5, 400000);
  const std::string body(size, 't');
  const auto endpoint = trusting(identity);
  for (int i = 0; i < 3; ++i) {
    Listener listener;
    HttpRequest request = post_to(https(server.port()), body);
    request.endpoint = endpoint;
    client.run(listener, std::move(request));
    CHECK(listener.good());
    CHECK((listener.body == body));
  }
  CHECK(server.connections() == 1);
}

TEST_CASE("a certificate that nobody trusts, another host's, or none to check by: nothing is sent") {
  TlsIdentity identity;
  std::atomic<int> asked{0};
  ScriptedServer server([&](Peer& peer) {
    while (peer.request()) {
      ++asked;
      peer.send(whole_reply("leaked"));
    }
  }, identity.dress());
  Client client;
  auto endpoint = std::make_shared<Endpoint>();
  std::string url = https(server.port());
  SECTION("the system's bundle does not know it") {}
  SECTION("the file is missing") { endpoint->ca_file = identity.folder() + "/none.pem"; }
  SECTION("it is another's") {
    endpoint->ca_file = identity.certificate_file();
    url = "https://other.localhost:" + std::to_string(server.port()) + "/";
  }
  Listener listener;
  HttpRequest request = post_to(url, "{\"secret\":1}");
  request.endpoint = endpoint;
  client.run(listener, std::move(request));
  INFO(listener.error.message);
  CHECK(listener.error.kind == Kind::kConnect);
  CHECK(asked == 0);
}

TEST_CASE("verify_tls: false takes any certificate, and only for that endpoint") {
  TlsIdentity identity;
  ScriptedServer server(echo, identity.dress());
  Client client;
  auto blind = std::make_shared<Endpoint>();
  blind->verify_tls = false;
  Listener trusted, checked;
  HttpRequest request = post_to(https(server.port()), "{}");
  request.endpoint = blind;
  client.run(trusted, std::move(request));
  CHECK(trusted.good());
  client.run(checked, post_to(https(server.port()), "{}"));  // the same handle, and an open connection it must not use
  CHECK(checked.error.kind == Kind::kConnect);
}

TEST_CASE("a plain server asked for TLS, and one that closes in the handshake") {
  ScriptedServer plain([](Peer& peer) {
    char hello[64];
    peer.read_some(hello, sizeof hello);
    if (peer.number() == 1) peer.send("HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  Client client;
  for (int i = 0; i < 2; ++i) {
    Listener listener;
    client.run(listener, post_to(https(plain.port()), "{}"));
    CHECK(listener.error.kind == Kind::kConnect);
  }
}

TEST_CASE("a handshake that stalls is a connect timeout; one that is abandoned leaves the next untouched") {
  ScriptedServer mute([](Peer& peer) { peer.wait_closed(); });
  TlsIdentity identity;
  ScriptedServer server(echo, identity.dress());
  Client client;
  Listener stalled;
  HttpRequest request = post_to(https(mute.port()), "{}");
  request.connect_timeout = 80ms;
  client.run(stalled, std::move(request));
  CHECK(stalled.error.kind == Kind::kConnectTimeout);
  const auto endpoint = trusting(identity);
  for (int i = 0; i < 20; ++i) {
    Listener abandoned, good;
    client.start(abandoned, post_to(https(mute.port()), "{}"));
    drive_for(*client.reactor, std::chrono::milliseconds(i % 4));
    abandoned.transfer.reset();  // its descriptor's number is free for the next
    HttpRequest next = post_to(https(server.port()), "{}");
    next.endpoint = endpoint;
    client.run(good, std::move(next));
    CHECK(good.good());
  }
}

TEST_CASE("a TLS reply cut short is not a good one") {
  TlsIdentity identity;
  const std::string full = whole_reply("secret words");
  const size_t cut = GENERATE(0U, 10U, 60U, 75U);
  ScriptedServer server([&](Peer& peer) {
    if (peer.request() && cut > 0) peer.send(std::string_view(full).substr(0, cut));
  }, identity.dress());
  Client client;
  Listener listener;
  HttpRequest request = post_to(https(server.port()), "{}");
  request.endpoint = trusting(identity);
  client.run(listener, std::move(request));
  CHECK_FALSE(listener.error.ok());
  CHECK(listener.error.kind == (listener.heads == 1 ? Kind::kTruncated : Kind::kReset));
}

TEST_CASE("a TLS server without HTTP/2: many at once do not wait for one another's replies") {
  TlsIdentity identity;
  ScriptedServer server([](Peer& peer) {
    while (auto asked = peer.request()) {
      std::this_thread::sleep_for(300ms);
      if (!peer.send(whole_reply(asked->body))) return;
    }
  }, identity.dress());
  Client client;
  const auto endpoint = trusting(identity);
  std::vector<std::unique_ptr<Listener>> listeners;
  int good = 0;
  for (int i = 0; i < 8; ++i) {
    listeners.push_back(std::make_unique<Listener>());
    Listener* listener = listeners.back().get();
    listener->at_end = [&good, listener] { good += listener->good() ? 1 : 0; };
    HttpRequest request = post_to(https(server.port()), "{}");
    request.endpoint = endpoint;
    client.start(*listener, std::move(request));
  }
  REQUIRE(wait_until(*client.reactor, [&] { return good == 8; }));
  CHECK(server.connections() == 8);
}

TEST_CASE("an https proxy is used, and its certificate checked") {
  TlsIdentity identity;
  std::string line;
  ScriptedServer proxy([&](Peer& peer) {
    while (auto asked = peer.request()) {
      line = asked->line();
      peer.send(whole_reply("by proxy"));
    }
  }, identity.dress());
  Client client;
  for (const bool trusted : {true, false}) {
    auto behind = trusted ? trusting(identity) : std::make_shared<Endpoint>();
    behind->proxy = "https://127.0.0.1:" + std::to_string(proxy.port());
    Listener listener;
    HttpRequest request = post_to("http://upstream.example/v1/x", "{}");
    request.endpoint = behind;
    client.run(listener, std::move(request));
    CHECK(listener.good() == trusted);
    CHECK(listener.error.kind == (trusted ? Kind::kNone : Kind::kConnect));
  }
  CHECK(line == "POST http://upstream.example/v1/x HTTP/1.1");
}

TEST_CASE("HTTP/2 over TLS: one connection for many, pauses and cancels of one leave the others alone") {
  if (!Nginx::present()) {
    WARN("skipped: HTTP/2 is tested with nginx, which is not installed");
    return;
  }
  TlsIdentity identity;
  ScriptedServer upstream([](Peer& peer) {
    while (auto asked = peer.request()) {
      if (asked->line().find("/up/stream") == std::string::npos) {
        peer.send(whole_reply(asked->body));
        continue;
      }
      peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      for (int i = 0; i < 400; ++i) {
        if (!peer.send(chunk_of(std::string(10000, static_cast<char>('a' + i % 26))))) return;
      }
      peer.send(chunk_of(""));
    }
  });
  Nginx nginx(identity, upstream.port());
  const auto endpoint = trusting(identity);
  Client client;
  REQUIRE(nginx.wait_ready(client, endpoint));
  const auto ask = [&](Listener& listener, std::string_view path, std::string_view body) {
    HttpRequest request = post_to(https(nginx.port(), path), body);
    request.endpoint = endpoint;
    client.start(listener, std::move(request));
  };

  SECTION("thirty at once from cold share a connection") {
    Client cold;
    std::vector<std::unique_ptr<Listener>> listeners;
    int ended = 0;
    for (int i = 0; i < 30; ++i) {
      listeners.push_back(std::make_unique<Listener>());
      listeners.back()->at_end = [&] { ++ended; };
      HttpRequest request = post_to(https(nginx.port()), "");
      request.method = "GET";
      request.endpoint = endpoint;
      cold.start(*listeners.back(), std::move(request));
    }
    REQUIRE(wait_until(*cold.reactor, [&] { return ended == 30; }));
    std::set<std::string> answers;
    for (const auto& listener : listeners) {
      INFO(listener->error.message);
      CHECK(listener->good());
      CHECK(listener->head.status == 200);
      answers.insert(listener->body);
    }
    CHECK(answers.size() == 1);
    CHECK(answers.begin()->rfind("HTTP/2.0 ", 0) == 0);
  }

  SECTION("bodies of all sizes") {
    for (const size_t size : {0, 1, 40000, 60000, 1000000}) {
      const std::string body(size, 'h');
      Listener listener;
      ask(listener, "/up/echo", body);
      REQUIRE(wait_until(*client.reactor, [&] { return listener.ended(); }));
      INFO(size << ": " << listener.error.message);
      CHECK(listener.good());
      CHECK((listener.body == body));
    }
  }

  SECTION("an error before the body has been read is that error") {
    const std::string body(3000000, 'h');
    for (int i = 0; i < 5; ++i) {
      Listener listener;
      ask(listener, "/small", body);
      REQUIRE(wait_until(*client.reactor, [&] { return listener.ended(); }));
      INFO(listener.error.message);
      CHECK(listener.good());
      CHECK(listener.head.status == 413);
    }
  }

  SECTION("one paused, one cancelled, one destroyed, one undisturbed") {
    Listener paused, cancelled, destroyed, good;
    int pauses = 0;
    paused.at_body = [&] {
      if (paused.pieces % 20 != 0) return Flow::kContinue;
      ++pauses;
      client.reactor->add_timer(client.reactor->clock().now() + 2ms, [&] { paused.transfer->resume(); });
      return Flow::kPause;
    };
    cancelled.at_body = [&] { return cancelled.pieces == 3 ? Flow::kCancel : Flow::kContinue; };
    destroyed.at_body = [&] {
      if (destroyed.pieces == 3) destroyed.transfer.reset();
      return Flow::kContinue;
    };
    ask(paused, "/up/stream", "{}");
    ask(cancelled, "/up/stream", "{}");
    ask(destroyed, "/up/stream", "{}");
    ask(good, "/up/stream", "{}");
    REQUIRE(wait_until(*client.reactor, [&] { return paused.ended() && good.ended(); }));
    CHECK(paused.good());
    CHECK(good.good());
    CHECK(good.body.size() == 4000000);
    CHECK((paused.body == good.body));
    CHECK(pauses > 3);
    CHECK(cancelled.ends == 0);
    CHECK(destroyed.ends == 0);
  }
}
