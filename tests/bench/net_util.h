// Small pieces that the benchmark's upstream and client share: sockets on loopback and command lines.
#ifndef LLMROUTER_TESTS_BENCH_NET_UTIL_H_
#define LLMROUTER_TESTS_BENCH_NET_UTIL_H_

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

[[noreturn]] inline void die(const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

inline int64_t now_ns() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * 1000000000 + t.tv_nsec;
}

// As many descriptors as the hard limit lets us have.
inline void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

inline sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

inline void set_no_delay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

inline void epoll_set(int epoll, int op, int fd, uint32_t events, uint64_t data) {
  epoll_event e{};
  e.events = events;
  e.data.u64 = data;
  if (epoll_ctl(epoll, op, fd, &e) != 0 && op != EPOLL_CTL_DEL) die("epoll_ctl");
}

// `--name value` pairs; a name may come again.
class Arguments {
 public:
  Arguments(int argc, char** argv) {
    for (int i = 1; i + 1 < argc; i += 2) {
      if (std::strncmp(argv[i], "--", 2) != 0) usage(argv[i]);
      values_[argv[i] + 2].push_back(argv[i + 1]);
    }
    if (argc % 2 == 0) usage(argv[argc - 1]);
  }
  int64_t number(const std::string& name, int64_t otherwise) const {
    const std::string text = word(name, "");
    return text.empty() ? otherwise : std::strtoll(text.c_str(), nullptr, 10);
  }
  std::string word(const std::string& name, const std::string& otherwise) const {
    auto it = values_.find(name);
    return it == values_.end() ? otherwise : it->second.back();
  }
  std::vector<std::string> all(const std::string& name) const {
    auto it = values_.find(name);
    return it == values_.end() ? std::vector<std::string>() : it->second;
  }

 private:
  [[noreturn]] static void usage(const char* at) {
    std::fprintf(stderr, "expected --name value, found %s\n", at);
    std::exit(2);
  }
  std::map<std::string, std::vector<std::string>> values_;
};

// The number behind `"name":` in a body; `otherwise` when it is not there.
inline int64_t member_number(std::string_view body, std::string_view quoted_name, int64_t otherwise) {
  const size_t at = body.find(quoted_name);
  if (at == std::string_view::npos) return otherwise;
  size_t i = at + quoted_name.size();
  while (i < body.size() && (body[i] == ' ' || body[i] == ':')) ++i;
  int64_t value = 0;
  bool any = false;
  for (; i < body.size() && body[i] >= '0' && body[i] <= '9' && value < 1000000000; ++i, any = true) value = value * 10 + (body[i] - '0');
  return any ? value : otherwise;
}

// A header's value in a head, names compared without case; empty when it is not there.
inline std::string_view header_value(std::string_view head, std::string_view lower_case_name) {
  size_t line = head.find("\r\n");
  while (line != std::string_view::npos && line + 2 < head.size()) {
    const size_t begin = line + 2;
    const size_t end = head.find("\r\n", begin);
    const std::string_view text = head.substr(begin, end == std::string_view::npos ? std::string_view::npos : end - begin);
    if (text.size() > lower_case_name.size() && text[lower_case_name.size()] == ':') {
      bool same = true;
      for (size_t i = 0; i < lower_case_name.size() && same; ++i) same = (text[i] | 0x20) == lower_case_name[i];
      if (same) {
        std::string_view value = text.substr(lower_case_name.size() + 1);
        while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
        return value;
      }
    }
    line = end;
  }
  return {};
}

}  // namespace bench

#endif  // LLMROUTER_TESTS_BENCH_NET_UTIL_H_
