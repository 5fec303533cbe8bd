// Listening sockets from the words of `server.listen`.
#ifndef LLMROUTER_SERVER_LISTENER_H_
#define LLMROUTER_SERVER_LISTENER_H_

#include <string>
#include <vector>

#include "llmrouter/result.h"

namespace llmrouter::server {

struct Listening {
  std::string url;        // for people: http://0.0.0.0:8000, or the path of a Unix socket
  std::string near_url;   // TCP: where a caller of this host finds it, http://127.0.0.1:8000; the same unless it is every address
  std::string unix_path;  // empty: TCP
  bool local = false;     // only callers of this host reach it
  std::vector<int> fds;   // one for each loop, non-blocking, listening; the caller's
};

// Can only callers of this host reach such an address? (Names are resolved.)
bool is_local_address(const std::string& address);

// `address`: host:port, [::1]:8000 or unix:/path. TCP: a socket of its own for each loop, the kernel spreads the connections (SO_REUSEPORT);
// port 0 takes a free one. Unix: mode 0600; a socket file that nobody serves any more is replaced. The error says what to do.
Result<Listening> open_listener(const std::string& address, int loops);

}  // namespace llmrouter::server

#endif  // LLMROUTER_SERVER_LISTENER_H_
