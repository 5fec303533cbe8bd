#include "server/loop.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "server/session.h"

namespace llmrouter::server {

namespace {

constexpr int kAcceptsAtOnce = 64;
constexpr size_t kIdleBuffers = 32;
constexpr size_t kBufferBytes = 4096;
constexpr size_t kMaxKeptBuffer = 256 * 1024;
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);

bool is_loopback(const sockaddr_storage& peer) noexcept {
  if (peer.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &peer, sizeof in);
    return (ntohl(in.sin_addr.s_addr) >> 24) == 127;
  }
  if (peer.ss_family != AF_INET6) return peer.ss_family == AF_UNIX;
  sockaddr_in6 in6{};
  std::memcpy(&in6, &peer, sizeof in6);
  if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) return in6.sin6_addr.s6_addr[12] == 127;
  return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
}

}  // namespace

Loop::Loop(Context& context, std::shared_ptr<const Settings> settings)
    : context_(context), settings_(std::move(settings)), scratch_(new char[kScratch]) {}

Result<std::unique_ptr<Loop>> Loop::make(Context& context, std::shared_ptr<const Settings> settings) {
  std::unique_ptr<Loop> loop(new Loop(context, std::move(settings)));
  auto reactor = make_reactor();
  if (!reactor) return std::move(reactor).error();
  loop->reactor_ = std::move(*reactor);
  auto transport = make_default_transport(*loop->reactor_);
  if (!transport) return std::move(transport).error();
  loop->transport_ = std::move(*transport);
  context.counters.push_back(&loop->counters_);
  return loop;
}

Loop::~Loop() {
  if (thread_.joinable()) thread_.join();
  for (const Listener& listener : listeners_) ::close(listener.fd);
  sessions_.clear();
  retired_.clear();
  transport_.reset();
}

void Loop::add_listener(int fd, bool local) { listeners_.push_back({fd, local}); }

void Loop::run() {
  thread_ = std::thread([this] { thread_main(); });
}

void Loop::thread_main() {
  for (const Listener& listener : listeners_) listen_on(listener);
  reactor_->run_until([this] {
    after_drive();
    return stopping_;
  });
  // What is still open ends without a word: drain() and cut() were the time for it.
  std::vector<Session*> all;
  for (const auto& [session, owner] : sessions_) all.push_back(session);
  for (Session* session : all) session->close();
  retired_.clear();
}

void Loop::listen_on(const Listener& listener) {
  if (auto watched = reactor_->watch(listener.fd, Reactor::kRead, [this, listener](unsigned) { accept_some(listener); }); !watched)
    context_.logger->log(LogLevel::kError, "cannot watch a listener", {{"error", watched.error().message}});
}

void Loop::accept_some(const Listener& listener) {
  for (int i = 0; i < kAcceptsAtOnce; ++i) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    const int fd = ::accept4(listener.fd, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      adopt(fd, listener.local || is_loopback(peer));
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return;
    // Out of descriptors or memory: those who wait stay in the kernel's queue for a moment.
    context_.logger->log(LogLevel::kWarn, "cannot accept connections", {{"error", std::strerror(errno)}});
    reactor_->unwatch(listener.fd);
    reactor_->add_timer(now() + kAcceptPause, [this, listener] {
      if (!context_.draining.load(std::memory_order_relaxed)) listen_on(listener);
    });
    return;
  }
}

void Loop::adopt(int fd, bool local) {
  if (context_.connections.fetch_add(1, std::memory_order_relaxed) >= settings_->max_connections) {
    context_.connections.fetch_sub(1, std::memory_order_relaxed);
    return refuse(fd);
  }
  Counters::add(counters_.accepted);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails on Unix sockets, which do not need it
  auto session = std::make_shared<Session>(*this, fd, local);
  Session* raw = session.get();
  sessions_.emplace(raw, std::move(session));
  raw->open();
}

// One attempt to say why, without waiting.
void Loop::refuse(int fd) {
  Counters::add(counters_.refused);
  constexpr std::string_view body =
      "{\"error\":{\"message\":\"server.max_connections are open; try again\",\"type\":\"server_error\",\"param\":null,\"code\":\"too_many_connections\"}}\n";
  std::string reply = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\nconnection: close\r\nx-request-id: ";
  reply.append(new_request_id()).append("\r\ncontent-length: ").append(std::to_string(body.size())).append("\r\n\r\n").append(body);
  [[maybe_unused]] const ssize_t sent = ::send(fd, reply.data(), reply.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  ::shutdown(fd, SHUT_WR);
  ::recv(fd, scratch_.get(), kScratch, MSG_DONTWAIT);
  ::close(fd);
}

void Loop::apply(std::shared_ptr<const Settings> settings) {
  reactor_->post([this, settings = std::move(settings)] { settings_ = settings; });
}

void Loop::drain(std::function<void()> drained) {
  reactor_->post([this, drained = std::move(drained)] {
    for (const Listener& listener : listeners_) {
      reactor_->unwatch(listener.fd);
      ::close(listener.fd);
    }
    listeners_.clear();
    drained_ = drained;
    std::vector<Session*> all;
    for (const auto& [session, owner] : sessions_) all.push_back(session);
    for (Session* session : all) session->drain();
  });
}

void Loop::cut() {
  reactor_->post([this] {
    std::vector<Session*> all;
    for (const auto& [session, owner] : sessions_) all.push_back(session);
    for (Session* session : all) session->cut();
  });
}

void Loop::stop() {
  reactor_->post([this] { stopping_ = true; });
}

void Loop::after_drive() {
  while (!dirty_.empty()) {
    std::vector<Session*> now_dirty;
    now_dirty.swap(dirty_);
    for (Session* session : now_dirty) session->flush();
    if (dirty_.empty()) {  // keeps the capacity
      now_dirty.clear();
      dirty_.swap(now_dirty);
    }
  }
  retired_.clear();
  if (drained_ && sessions_.empty()) std::exchange(drained_, nullptr)();
}

void Loop::mark_dirty(Session& session) { dirty_.push_back(&session); }

void Loop::retire(Session& session) {
  const auto it = sessions_.find(&session);
  if (it == sessions_.end()) return;
  retired_.push_back(std::move(it->second));
  sessions_.erase(it);
  context_.connections.fetch_sub(1, std::memory_order_relaxed);
}

std::string Loop::take_buffer() {
  if (buffers_.empty()) {
    std::string fresh;
    fresh.reserve(kBufferBytes);
    return fresh;
  }
  std::string buffer = std::move(buffers_.back());
  buffers_.pop_back();
  return buffer;
}

void Loop::give_buffer(std::string&& buffer) {
  if (buffer.capacity() < kBufferBytes || buffer.capacity() > kMaxKeptBuffer || buffers_.size() >= kIdleBuffers) {
    std::string().swap(buffer);
    return;
  }
  buffer.clear();
  buffers_.push_back(std::move(buffer));
}

std::string_view Loop::date() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec != date_second_) {
    date_second_ = now.tv_sec;
    tm utc{};
    gmtime_r(&now.tv_sec, &utc);
    char text[40];
    date_.assign(text, strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc));
  }
  return date_;
}

}  // namespace llmrouter::server
