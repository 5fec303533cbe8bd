#include "unit/net/scripted_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

namespace net_test {

namespace {

int listen_on_loopback(int* port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(fd, 512) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no loopback socket");
  }
  *port = ntohs(address.sin_port);
  return fd;
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  return text;
}

}  // namespace

std::string Asked::header(std::string_view lower_case_name) const {
  const std::string all = lower(head);
  const size_t at = all.find("\r\n" + std::string(lower_case_name) + ":");
  if (at == std::string::npos) return {};
  size_t begin = at + lower_case_name.size() + 3;
  while (begin < head.size() && head[begin] == ' ') ++begin;
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

long Peer::read_some(char* to, size_t size) { return ::recv(fd_, to, size, 0); }
long Peer::write_some(const char* from, size_t size) { return ::send(fd_, from, size, MSG_NOSIGNAL); }

std::optional<Asked> Peer::request() {
  char buffer[16384];
  const auto more = [&] {
    const long n = read_some(buffer, sizeof buffer);
    if (n > 0) unread_.append(buffer, static_cast<size_t>(n));
    return n > 0;
  };
  size_t end;
  while ((end = unread_.find("\r\n\r\n")) == std::string::npos) {
    if (!more()) return std::nullopt;
  }
  Asked asked;
  asked.head = unread_.substr(0, end + 4);
  unread_.erase(0, end + 4);
  const std::string length = asked.header("content-length");
  const size_t wanted = length.empty() ? 0 : std::strtoull(length.c_str(), nullptr, 10);
  while (unread_.size() < wanted) {
    if (!more()) return std::nullopt;
  }
  asked.body = unread_.substr(0, wanted);
  unread_.erase(0, wanted);
  return asked;
}

bool Peer::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const long n = write_some(bytes.data(), bytes.size());
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

bool Peer::send_slowly(std::string_view bytes) {
  const int one = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  for (const char& c : bytes) {
    if (!send({&c, 1})) return false;
  }
  return true;
}

bool Peer::wait_closed() {
  char c;
  while (read_some(&c, 1) > 0) {
  }
  return true;
}

void Peer::reset() {
  const linger hard{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

ScriptedServer::ScriptedServer(Script script, Dress dress)
    : script_(std::move(script)), dress_(std::move(dress)), listener_(listen_on_loopback(&port_)) {
  acceptor_ = std::thread([this] { accept_loop(); });
}

ScriptedServer::~ScriptedServer() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  acceptor_.join();
  for (std::thread& thread : threads_) thread.join();
  ::close(listener_);
}

bool ScriptedServer::wait_closed(int count) const {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (closed_ < count) {
    if (std::chrono::steady_clock::now() > limit) return false;
    std::this_thread::yield();
  }
  return true;
}

void ScriptedServer::accept_loop() {
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopping_) {
      if (fd >= 0) ::close(fd);
      return;
    }
    if (fd < 0) continue;  // a test that leaves the process without descriptors for a while
    open_.push_back(fd);
    const int number = ++connections_;
    threads_.emplace_back([this, fd, number] { serve(fd, number); });
  }
}

void ScriptedServer::serve(int fd, int number) {
  {
    const std::unique_ptr<Peer> peer = dress_ ? dress_(fd, number) : std::make_unique<Peer>(fd, number);
    if (peer) script_(*peer);
  }
  const std::lock_guard<std::mutex> closing(mutex_);
  open_.erase(std::find(open_.begin(), open_.end(), fd));
  ::close(fd);
  ++closed_;
}

int free_port() {
  int port = 0;
  ::close(listen_on_loopback(&port));
  return port;
}

std::string whole_reply(std::string_view body, std::string_view more_headers) {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" + std::string(more_headers) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

std::string chunk_of(std::string_view bytes) {
  char size[32];
  std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
  return size + std::string(bytes) + "\r\n";
}

}  // namespace net_test
