#include "net/curl_sockets.h"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

namespace llmrouter::net {

namespace {

// What libcurl takes for a dead connection is one that ends, and one where something waits to be read for a live one: that goes, as far as it has come.
void make_dead(int fd) noexcept {
  constexpr size_t kAtOnce = 1024 * 1024;
  ::shutdown(fd, SHUT_RDWR);
  for (int i = 0; i < 64 && ::recv(fd, nullptr, kAtOnce, MSG_TRUNC | MSG_DONTWAIT) > 0; ++i) {  // of TCP the flag says: thrown away, not copied
  }
}

}  // namespace

CurlSockets::CurlSockets(Reactor& reactor, std::function<void(int, unsigned)> on_ready)
    : reactor_(reactor), on_ready_(std::move(on_ready)) {}

CurlSockets::~CurlSockets() {
  for (size_t fd = 0; fd < sockets_.size(); ++fd) {
    if (sockets_[fd].watched != 0) reactor_.unwatch(static_cast<int>(fd));
  }
}

void CurlSockets::want(int fd, unsigned interest, bool established) {
  const auto index = static_cast<size_t>(fd);
  if (index >= sockets_.size()) {
    changed_.reserve(index + 16);
    refused_.reserve(index + 16);
    sockets_.resize(index + 16);
  }
  Socket& socket = sockets_[index];
  if (established) socket.established = true;
  if (interest == 0 && !socket.established) {
    forget(fd);
    return;
  }
  socket.wanted = interest;
  socket.idle = false;
  if (!std::exchange(socket.changed, true)) changed_.push_back(fd);
}

void CurlSockets::idles(int fd) noexcept {
  if (static_cast<size_t>(fd) < sockets_.size()) sockets_[static_cast<size_t>(fd)].idle = true;
}

void CurlSockets::forget(int fd) noexcept {
  if (static_cast<size_t>(fd) >= sockets_.size()) return;
  Socket& socket = sockets_[static_cast<size_t>(fd)];
  if (std::exchange(socket.watched, 0U) != 0) reactor_.unwatch(fd);
  socket.wanted = 0;
  socket.established = socket.idle = false;
}

void CurlSockets::apply() noexcept {
  for (const int fd : changed_) {
    Socket& socket = sockets_[static_cast<size_t>(fd)];
    socket.changed = false;
    if (socket.wanted == 0 && socket.watched == Reactor::kRead) continue;  // an idle connection, or soon a closed one
    if (socket.idle && watch(fd, Reactor::kRead)) {  // the answer was there before it was waited for
      socket.watched = Reactor::kRead;
      continue;
    }
    if (socket.wanted == socket.watched) continue;
    if (socket.wanted == 0) {
      reactor_.unwatch(fd);
    } else if (!watch(fd, socket.wanted)) {
      if (std::find(refused_.begin(), refused_.end(), fd) == refused_.end()) refused_.push_back(fd);
      continue;
    }
    socket.watched = socket.wanted;
  }
  changed_.clear();
}

bool CurlSockets::watch(int fd, unsigned interest) noexcept {
  try {
    return reactor_.watch(fd, interest, [this, fd](unsigned events) { ready(fd, events); }).ok();
  } catch (...) {
    return false;
  }
}

int CurlSockets::take_refused() noexcept {
  if (refused_.empty()) return -1;
  const int fd = refused_.back();
  refused_.pop_back();
  return fd;
}

void CurlSockets::ready(int fd, unsigned events) {
  Socket& socket = sockets_[static_cast<size_t>(fd)];
  if (socket.wanted != 0) {
    on_ready_(fd, events);
    return;
  }
  // The other side closed an idle connection, or talks on it.
  socket.watched = 0;
  reactor_.unwatch(fd);
  if (socket.idle) make_dead(fd);
}

}  // namespace llmrouter::net
