// Which sockets libcurl wants to hear of, and which the reactor watches.
#ifndef LLMROUTER_NET_CURL_SOCKETS_H_
#define LLMROUTER_NET_CURL_SOCKETS_H_

#include <functional>
#include <vector>

#include "llmrouter/reactor.h"

namespace llmrouter::net {

// libcurl's socket callback only writes down; apply() does it afterwards. A socket that we opened stays watched while its
// connection idles in libcurl's pool, which saves two system calls for each request: we hear of its close before it happens.
class CurlSockets {
 public:
  // `on_ready` is called from the reactor for sockets that libcurl waits for.
  CurlSockets(Reactor& reactor, std::function<void(int fd, unsigned ready)> on_ready);
  ~CurlSockets();
  CurlSockets(const CurlSockets&) = delete;
  CurlSockets& operator=(const CurlSockets&) = delete;

  void opened(int fd);                  // ours: closing() will be called for it
  void closing(int fd) noexcept;        // just before it is closed
  void want(int fd, unsigned interest); // Reactor::kRead | kWrite; 0: none
  // Brings the reactor up to date. Sockets that it does not take are returned: their transfers have to be failed.
  std::vector<int> apply();

 private:
  struct Socket {
    unsigned wanted = 0;
    unsigned watched = 0;
    bool ours = false;
    bool changed = false;
  };
  Socket& at(int fd);
  void ready(int fd, unsigned events);

  Reactor& reactor_;
  std::function<void(int, unsigned)> on_ready_;
  std::vector<Socket> sockets_;  // by descriptor
  std::vector<int> changed_;
};

}  // namespace llmrouter::net

#endif  // LLMROUTER_NET_CURL_SOCKETS_H_
