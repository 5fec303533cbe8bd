#include "net/curl_sockets.h"

#include <utility>

namespace llmrouter::net {

CurlSockets::CurlSockets(Reactor& reactor, std::function<void(int, unsigned)> on_ready)
    : reactor_(reactor), on_ready_(std::move(on_ready)) {}

CurlSockets::~CurlSockets() {
  for (size_t fd = 0; fd < sockets_.size(); ++fd) {
    if (sockets_[fd].watched != 0) reactor_.unwatch(static_cast<int>(fd));
  }
}

CurlSockets::Socket& CurlSockets::at(int fd) {
  const auto index = static_cast<size_t>(fd);
  if (index >= sockets_.size()) sockets_.resize(index + 16);
  return sockets_[index];
}

void CurlSockets::opened(int fd) {
  Socket& socket = at(fd);
  socket.ours = true;
  socket.wanted = 0;
}

void CurlSockets::closing(int fd) noexcept {
  if (static_cast<size_t>(fd) >= sockets_.size()) return;
  Socket& socket = sockets_[static_cast<size_t>(fd)];
  if (std::exchange(socket.watched, 0U) != 0) reactor_.unwatch(fd);
  socket.wanted = 0;
  socket.ours = false;
}

void CurlSockets::want(int fd, unsigned interest) {
  Socket& socket = at(fd);
  socket.wanted = interest;
  // A descriptor that is not ours may be closed by libcurl without a word as soon as it is unwanted.
  if (interest == 0 && !socket.ours && std::exchange(socket.watched, 0U) != 0) reactor_.unwatch(fd);
  if (std::exchange(socket.changed, true)) return;
  changed_.push_back(fd);
}

std::vector<int> CurlSockets::apply() {
  std::vector<int> refused;
  for (const int fd : changed_) {
    Socket& socket = sockets_[static_cast<size_t>(fd)];
    socket.changed = false;
    if (socket.wanted == socket.watched) continue;
    if (socket.wanted == 0 && socket.watched == Reactor::kRead) continue;  // an idle connection, or soon a closed one
    if (socket.wanted == 0) {
      reactor_.unwatch(fd);
    } else if (!reactor_.watch(fd, socket.wanted, [this, fd](unsigned events) { ready(fd, events); })) {
      refused.push_back(fd);
      continue;
    }
    socket.watched = socket.wanted;
  }
  changed_.clear();
  return refused;
}

void CurlSockets::ready(int fd, unsigned events) {
  Socket& socket = sockets_[static_cast<size_t>(fd)];
  if (socket.wanted != 0) {
    on_ready_(fd, events);
    return;
  }
  // The other side closed an idle connection, or talks on it: libcurl finds out when it wants to use it.
  socket.watched = 0;
  reactor_.unwatch(fd);
}

}  // namespace llmrouter::net
