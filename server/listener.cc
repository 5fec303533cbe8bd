#include "server/listener.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace llmrouter::server {

namespace {

constexpr int kBacklog = 4096;
constexpr std::string_view kUnix = "unix:";

Error fault(const std::string& address, const std::string& what) { return Error(ErrorCode::kIo, "cannot listen on " + address + ": " + what); }
Error system_fault(const std::string& address, int code) {
  if (code == EADDRINUSE)
    return fault(address, "another process has this address. Stop it, or choose another one with --listen HOST:PORT");
  if (code == EACCES) return fault(address, "not permitted. Ports below 1024 need root; choose another one with --listen HOST:PORT");
  if (code == EADDRNOTAVAIL) return fault(address, "this host has no such address");
  return fault(address, std::strerror(code));
}

struct AddressList {
  addrinfo* first = nullptr;
  ~AddressList() {
    if (first != nullptr) ::freeaddrinfo(first);
  }
};

// Splits host:port and [v6]:port.
bool split(const std::string& address, std::string& host, std::string& port) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon + 1 == address.size()) return false;
  host = address.substr(0, colon);
  port = address.substr(colon + 1);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  else if (host.find(':') != std::string::npos) return false;
  return port.find_first_not_of("0123456789") == std::string::npos && port.size() <= 5 && std::stoi(port) <= 65535;
}

Result<std::unique_ptr<AddressList>> resolve(const std::string& address) {
  std::string host, port;
  if (!split(address, host, port)) return fault(address, "expected HOST:PORT, [IPV6]:PORT or unix:/PATH");
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  auto list = std::make_unique<AddressList>();
  const int failed = ::getaddrinfo(host.empty() ? nullptr : host.c_str(), port.c_str(), &hints, &list->first);
  if (failed != 0) return fault(address, ::gai_strerror(failed));
  return list;
}

// Of a name with several addresses (localhost) the IPv4 one: it is what most clients try.
const addrinfo& chosen(const AddressList& list) noexcept {
  for (const addrinfo* a = list.first; a != nullptr; a = a->ai_next)
    if (a->ai_family == AF_INET) return *a;
  return *list.first;
}

bool loopback(const sockaddr* address) noexcept {
  if (address->sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, address, sizeof in);
    return (ntohl(in.sin_addr.s_addr) >> 24) == 127;
  }
  sockaddr_in6 in6{};
  std::memcpy(&in6, address, sizeof in6);
  return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
}

// -1 and errno when it fails. `shared`: others of ours will have the same address.
int bind_one(const addrinfo& info, const sockaddr* address, bool shared) {
  const int fd = ::socket(info.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (shared) ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (info.ai_family == AF_INET6) {
    // [::] serves IPv4 callers too, as people expect of it.
    const int off = 0;
    ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  if (::bind(fd, address, info.ai_addrlen) == 0 && ::listen(fd, kBacklog) == 0) return fd;
  const int code = errno;
  ::close(fd);
  errno = code;
  return -1;
}

int port_of(const sockaddr_storage& address) noexcept {
  if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
}

std::string url_of(const sockaddr_storage& address) {
  char host[NI_MAXHOST] = "";
  ::getnameinfo(reinterpret_cast<const sockaddr*>(&address), sizeof address, host, sizeof host, nullptr, 0, NI_NUMERICHOST);
  std::string name = host;
  if (name.find(':') != std::string::npos) name = "[" + name + "]";
  return "http://" + name + ":" + std::to_string(port_of(address));
}

// Every address of this host is no address to call: of those, the loopback one.
sockaddr_storage near(sockaddr_storage address) noexcept {
  if (address.ss_family == AF_INET) {
    auto& in = reinterpret_cast<sockaddr_in&>(address);
    if (in.sin_addr.s_addr == htonl(INADDR_ANY)) in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  } else {
    auto& in6 = reinterpret_cast<sockaddr_in6&>(address);
    if (IN6_IS_ADDR_UNSPECIFIED(&in6.sin6_addr)) in6.sin6_addr = in6addr_loopback;
  }
  return address;
}

Result<Listening> open_tcp(const std::string& address, int loops) {
  auto resolved = resolve(address);
  if (!resolved) return std::move(resolved).error();
  const addrinfo& info = chosen(**resolved);
  Listening out;
  out.local = loopback(info.ai_addr);
  // With SO_REUSEPORT a second server of the same user would share the port unnoticed: whether it is free is asked without.
  const int probe = bind_one(info, info.ai_addr, false);
  if (probe < 0) return system_fault(address, errno);
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  ::getsockname(probe, reinterpret_cast<sockaddr*>(&bound), &size);
  ::close(probe);
  for (int i = 0; i < loops; ++i) {
    const int fd = bind_one(info, reinterpret_cast<const sockaddr*>(&bound), true);
    if (fd < 0) {
      const int code = errno;
      for (int open : out.fds) ::close(open);
      return system_fault(address, code);
    }
    out.fds.push_back(fd);
  }
  out.url = url_of(bound);
  out.near_url = url_of(near(bound));
  return out;
}

bool somebody_serves(const sockaddr_un& name) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return true;
  const bool answered = ::connect(fd, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0 || errno != ECONNREFUSED;
  ::close(fd);
  return answered;
}

Result<Listening> open_unix(const std::string& address, int loops) {
  const std::string path = address.substr(kUnix.size());
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof name.sun_path) return fault(address, "the path must have 1 to 107 characters");
  path.copy(name.sun_path, path.size());
  struct stat found {};
  if (::lstat(path.c_str(), &found) == 0) {
    if (!S_ISSOCK(found.st_mode)) return fault(address, S_ISDIR(found.st_mode) ? "a directory is there" : "a file that is no socket is there");
    if (somebody_serves(name)) return system_fault(address, EADDRINUSE);
    ::unlink(path.c_str());
  }
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return system_fault(address, errno);
  const mode_t mask = ::umask(0177);
  const bool bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
  const int code = errno;
  ::umask(mask);
  if (!bound || ::listen(fd, kBacklog) != 0) {
    const int why = bound ? errno : code;
    ::close(fd);
    if (why == ENOENT || why == ENOTDIR) return fault(address, "there is no directory " + path.substr(0, path.rfind('/') + 1));
    return system_fault(address, why);
  }
  Listening out;
  out.local = true;
  out.unix_path = path;
  out.url = path;
  out.fds.push_back(fd);
  while (static_cast<int>(out.fds.size()) < loops) {
    const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) break;
    out.fds.push_back(copy);
  }
  return out;
}

}  // namespace

bool is_local_address(const std::string& address) {
  if (address.compare(0, kUnix.size(), kUnix) == 0) return true;
  auto resolved = resolve(address);
  return resolved && loopback(chosen(**resolved).ai_addr);
}

Result<Listening> open_listener(const std::string& address, int loops) {
  return address.compare(0, kUnix.size(), kUnix) == 0 ? open_unix(address, loops) : open_tcp(address, loops);
}

}  // namespace llmrouter::server
