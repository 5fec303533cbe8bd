// Which sockets libcurl wants to hear of, and which the reactor watches.
#ifndef LLMROUTER_NET_CURL_SOCKETS_H_
#define LLMROUTER_NET_CURL_SOCKETS_H_

#include <functional>
#include <vector>

#include "llmrouter/reactor.h"

namespace llmrouter::net {

// libcurl's socket callback only writes down; apply() does it afterwards.
//
// libcurl tells of a socket's close beforehand only once the connection is established; before that (and for the pipes of its
// resolver) the descriptor is gone without a word, and its number may be another socket by the time we hear that it is no longer
// wanted. So those are let go of at once, while the socket of an established connection stays watched while it idles in libcurl's
// pool: that saves two system calls for each request, and tells when something happens on it. Whatever an HTTP/1.1 server says there
// belongs to no request (RFC 9112, 9.2) and would be read as the answer to the next: the connection is shut down, so that libcurl finds
// it dead. Over HTTP/2 frames between requests are usual.
class CurlSockets {
 public:
  // `on_ready` is called from the reactor for sockets that libcurl waits for.
  CurlSockets(Reactor& reactor, std::function<void(int fd, unsigned ready)> on_ready);
  ~CurlSockets();
  CurlSockets(const CurlSockets&) = delete;
  CurlSockets& operator=(const CurlSockets&) = delete;

  // Interest: Reactor::kRead | kWrite; 0: none. `established`: forget() will be called before it is closed.
  void want(int fd, unsigned interest, bool established);
  // No transfer has it until it is wanted again, and its server has nothing to say.
  void idles(int fd) noexcept;
  // The number means nothing any more, or something new.
  void forget(int fd) noexcept;
  // Brings the reactor up to date.
  void apply() noexcept;
  // A socket that the reactor did not take, whose transfers have to be failed; -1: none.
  int take_refused() noexcept;
  bool has_refused() const noexcept { return !refused_.empty(); }

 private:
  struct Socket {
    unsigned wanted = 0;
    unsigned watched = 0;
    bool established = false;
    bool idle = false;
    bool changed = false;
  };
  bool watch(int fd, unsigned interest) noexcept;
  void ready(int fd, unsigned events);

  Reactor& reactor_;
  std::function<void(int, unsigned)> on_ready_;
  std::vector<Socket> sockets_;  // by descriptor
  std::vector<int> changed_;  // these two have room for every descriptor
  std::vector<int> refused_;
};

}  // namespace llmrouter::net

#endif  // LLMROUTER_NET_CURL_SOCKETS_H_
