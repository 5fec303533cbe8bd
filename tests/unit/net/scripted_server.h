// A TCP server on loopback that does what a test tells it, byte by byte.
#ifndef LLMROUTER_TESTS_SCRIPTED_SERVER_H_
#define LLMROUTER_TESTS_SCRIPTED_SERVER_H_

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace net_test {

struct Asked {
  std::string head;  // with the empty line
  std::string body;
  std::string line() const { return head.substr(0, head.find("\r\n")); }
  // The value of a header, matched as "\r\nname: " without regard to case; empty: none.
  std::string header(std::string_view lower_case_name) const;
};

// One accepted connection, on a thread of its own.
class Peer {
 public:
  Peer(int fd, int number) : fd_(fd), number_(number) {}
  virtual ~Peer() = default;
  int number() const { return number_; }  // 1 for the first connection
  // The next request, body by content-length. None: the other side closed.
  std::optional<Asked> request();
  bool send(std::string_view bytes);  // all of it; false: the other side is gone
  bool send_slowly(std::string_view bytes);  // one byte for each write
  bool wait_closed();                 // until the other side closes or the server stops
  void reset();                       // the close that follows is a TCP reset
  virtual long read_some(char* to, size_t size);
  virtual long write_some(const char* from, size_t size);
  int fd() const { return fd_; }

 protected:
  int fd_;
  int number_;
  std::string unread_;
};

class ScriptedServer {
 public:
  using Script = std::function<void(Peer&)>;
  // `script` runs on each connection, which is closed when it returns.
  explicit ScriptedServer(Script script) : ScriptedServer(std::move(script), nullptr) {}
  // `dress` makes the peer of an accepted connection (one that speaks TLS, say); null from it: the connection is closed.
  using Dress = std::function<std::unique_ptr<Peer>(int fd, int number)>;
  ScriptedServer(Script script, Dress dress);
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  int port() const { return port_; }
  std::string url(std::string_view path = "/") const { return "http://127.0.0.1:" + std::to_string(port_) + std::string(path); }
  int connections() const { return connections_; }
  bool wait_closed(int count) const;  // until this many scripts have returned; false: not within ten seconds

 private:
  void accept_loop();
  void serve(int fd, int number);

  Script script_;
  Dress dress_;
  int port_ = 0;
  int listener_ = -1;
  std::atomic<int> connections_{0};
  std::atomic<int> closed_{0};
  std::mutex mutex_;
  bool stopping_ = false;
  std::vector<int> open_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

// A loopback port that nobody listens on.
int free_port();

// "HTTP/1.1 200 OK" with content-length and this body.
std::string whole_reply(std::string_view body, std::string_view more_headers = {});
// One piece of a chunked body; the empty piece ends it.
std::string chunk_of(std::string_view bytes);

}  // namespace net_test

#endif  // LLMROUTER_TESTS_SCRIPTED_SERVER_H_
