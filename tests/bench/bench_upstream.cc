// A provider that costs next to nothing: one epoll loop that answers every POST with the same chat completion, or, when a stream is asked
// for, with chunks at a fixed interval. Which dialect it speaks is told by the path: Anthropic's, Google's, else OpenAI's.
//
//   bench_upstream [--port 0] [--interval-us 10000] [--reply-bytes 600]
//
// Prints `port N`, serves 127.0.0.1 and ends when its standard input does. `"stream":true` in a body (Google: the path) asks for a stream
// of as many chunks as its `"max_tokens"` (Google: `"maxOutputTokens"`) says (100).
#include <sys/timerfd.h>

#include <algorithm>
#include <memory>
#include <queue>

#include "answers.h"
#include "net_util.h"

namespace {

using bench::die;
using bench::epoll_set;

constexpr uint64_t kListener = 0, kStdin = 1, kTimer = 2;  // in epoll data; connections are pointers

// The answers of one dialect, as they go over the wire.
struct Spoken {
  std::string whole, begin, chunk, end;
};

struct Connection {
  int fd = -1;
  uint64_t serial = 0;
  std::string in;
  std::string out;  // what the socket did not take
  int64_t chunks_left = 0;
  const Spoken* speaks = nullptr;
  bool streaming = false;
};

// When a stream sends next. Named by descriptor and serial: the connection may be gone by then.
struct Due {
  int64_t at;
  int fd;
  uint64_t serial;
  bool operator<(const Due& other) const { return at > other.at; }  // the earliest on top
};

std::string http_chunk(std::string_view bytes) {
  char size[32];
  std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
  return std::string(size).append(bytes).append("\r\n");
}

std::string whole_reply(const std::string& body) {
  return "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_bench\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

Spoken spoken(const bench::Answer& answer) {
  Spoken s;
  s.whole = whole_reply(answer.whole);
  s.begin = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n";
  if (!answer.begin.empty()) s.begin += http_chunk(answer.begin);
  s.chunk = http_chunk(answer.chunk);
  s.end = http_chunk(answer.end) + "0\r\n\r\n";
  return s;
}

class Upstream {
 public:
  Upstream(int64_t interval_ns, size_t reply_bytes) : interval_(interval_ns) {
    openai_ = spoken(bench::openai_answer(reply_bytes));
    anthropic_ = spoken(bench::anthropic_answer(reply_bytes));
    gemini_ = spoken(bench::gemini_answer(reply_bytes));
    models_ = whole_reply(R"({"object":"list","data":[{"id":"bench-1","object":"model","created":1,"owned_by":"bench"}]})");
  }

  int open(int port) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address = bench::loopback(port);
    socklen_t size = sizeof address;
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_, 4096) != 0) die("listen");
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    epoll_set(epoll_, EPOLL_CTL_ADD, listener_, EPOLLIN, kListener);
    epoll_set(epoll_, EPOLL_CTL_ADD, 0, EPOLLIN, kStdin);
    epoll_set(epoll_, EPOLL_CTL_ADD, timer_, EPOLLIN, kTimer);
    return ntohs(address.sin_port);
  }

  void run() {
    epoll_event events[256];
    for (;;) {
      arm_timer();
      const int count = epoll_wait(epoll_, events, 256, -1);
      for (int i = 0; i < count; ++i) {
        switch (events[i].data.u64) {
          case kListener: accept_all(); break;
          case kStdin: {
            char gone[64];
            if (read(0, gone, sizeof gone) <= 0) return;
            break;
          }
          case kTimer: {
            uint64_t fired;
            (void)!read(timer_, &fired, sizeof fired);
            break;
          }
          default: ready(reinterpret_cast<Connection*>(events[i].data.u64), events[i].events);
        }
      }
      send_due();
      closed_.clear();
    }
  }

 private:
  void arm_timer() {
    if (due_.empty() || armed_ == due_.top().at) return;
    armed_ = due_.top().at;
    itimerspec when{};
    when.it_value.tv_sec = armed_ / 1000000000;
    when.it_value.tv_nsec = armed_ % 1000000000;
    timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
  }

  void accept_all() {
    for (;;) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      bench::set_no_delay(fd);
      auto connection = std::make_unique<Connection>();
      connection->fd = fd;
      connection->serial = ++serials_;
      epoll_set(epoll_, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP, reinterpret_cast<uint64_t>(connection.get()));
      if (static_cast<size_t>(fd) >= connections_.size()) connections_.resize(static_cast<size_t>(fd) + 1);
      connections_[static_cast<size_t>(fd)] = std::move(connection);
    }
  }

  void drop(Connection* c) {
    close(c->fd);
    c->serial = 0;
    closed_.push_back(std::move(connections_[static_cast<size_t>(c->fd)]));  // freed after this round's events
  }

  void ready(Connection* c, uint32_t events) {
    if (c->serial == 0) return;
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) return drop(c);
    if ((events & EPOLLOUT) != 0 && !flush(c)) return;
    if ((events & (EPOLLIN | EPOLLRDHUP)) == 0) return;
    static char buffer[256 * 1024];
    for (;;) {
      const ssize_t got = read(c->fd, buffer, sizeof buffer);
      if (got == 0) return drop(c);
      if (got < 0) {
        if (errno == EAGAIN) break;
        return drop(c);
      }
      c->in.append(buffer, static_cast<size_t>(got));
      if (got < static_cast<ssize_t>(sizeof buffer)) break;
    }
    while (c->serial != 0 && !c->streaming && answer_one(c)) {
    }
  }

  // Answers the request at the front of `in`; false when it is not all there.
  bool answer_one(Connection* c) {
    const size_t end = c->in.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    const std::string_view head(c->in.data(), end + 2);
    const std::string_view length = bench::header_value(head, "content-length");
    const size_t body_size = length.empty() ? 0 : std::strtoull(std::string(length).c_str(), nullptr, 10);
    if (c->in.size() < end + 4 + body_size) {
      if (c->in.size() == end + 4 && !bench::header_value(head, "expect").empty()) send_bytes(c, "HTTP/1.1 100 Continue\r\n\r\n");
      return false;
    }
    const std::string_view body(c->in.data() + end + 4, body_size);
    // The member stands at one end of the body in what the client sends; what a router spliced in stands there too.
    const std::string_view front = body.substr(0, 4096), back = body.substr(body.size() - std::min<size_t>(body.size(), 4096));
    const std::string_view target = head.substr(0, head.find("\r\n"));
    const bool google = target.find("enerateContent") != std::string_view::npos;
    c->speaks = google ? &gemini_ : target.find("/messages") != std::string_view::npos ? &anthropic_ : &openai_;
    const bool stream = google ? target.find(":stream") != std::string_view::npos : says(front, back, "\"stream\":true");
    if (stream) {
      const char* limit = google ? "\"maxOutputTokens\"" : "\"max_tokens\"";
      c->chunks_left = bench::member_number(front, limit, bench::member_number(back, limit, 100));
      begin_stream(c);
    } else {
      send_bytes(c, head.substr(0, 4) == "GET " ? models_ : c->speaks->whole);
    }
    if (c->serial != 0) c->in.erase(0, end + 4 + body_size);
    return c->serial != 0;
  }

  static bool says(std::string_view front, std::string_view back, std::string_view words) {
    return front.find(words) != std::string_view::npos || back.find(words) != std::string_view::npos;
  }

  void begin_stream(Connection* c) {
    c->streaming = true;
    if (!send_bytes(c, c->speaks->begin + c->speaks->chunk)) return;
    --c->chunks_left;
    // The first pause has a length of its own, so that different streams' chunks do not come in one burst.
    const int64_t pause = interval_ / 2 + static_cast<int64_t>(c->serial * 0x9E3779B97F4A7C15u >> 40) * interval_ / (1 << 24);
    due_.push({bench::now_ns() + pause, c->fd, c->serial});
  }

  void send_due() {
    const int64_t now = bench::now_ns();
    while (!due_.empty() && due_.top().at <= now) {
      const Due due = due_.top();
      due_.pop();
      Connection* c = connections_[static_cast<size_t>(due.fd)].get();
      if (c == nullptr || c->serial != due.serial) continue;
      if (c->chunks_left-- > 0) {
        if (send_bytes(c, c->speaks->chunk)) due_.push({due.at + interval_, due.fd, due.serial});
        continue;
      }
      if (!send_bytes(c, c->speaks->end)) continue;
      c->streaming = false;
      while (c->serial != 0 && !c->streaming && answer_one(c)) {
      }
    }
  }

  bool send_bytes(Connection* c, std::string_view bytes) {
    if (c->out.empty()) {
      const ssize_t sent = send(c->fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return drop(c), false;
      if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
      if (bytes.empty()) return true;
      epoll_set(epoll_, EPOLL_CTL_MOD, c->fd, EPOLLIN | EPOLLRDHUP | EPOLLOUT, reinterpret_cast<uint64_t>(c));
    }
    c->out.append(bytes);
    return true;
  }

  bool flush(Connection* c) {
    const ssize_t sent = send(c->fd, c->out.data(), c->out.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || (drop(c), false);
    c->out.erase(0, static_cast<size_t>(sent));
    if (c->out.empty()) epoll_set(epoll_, EPOLL_CTL_MOD, c->fd, EPOLLIN | EPOLLRDHUP, reinterpret_cast<uint64_t>(c));
    return true;
  }

  const int64_t interval_;
  Spoken openai_, anthropic_, gemini_;
  std::string models_;
  int listener_ = -1, epoll_ = -1, timer_ = -1;
  int64_t armed_ = 0;
  uint64_t serials_ = 0;
  std::vector<std::unique_ptr<Connection>> connections_;  // by descriptor
  std::vector<std::unique_ptr<Connection>> closed_;
  std::priority_queue<Due> due_;
};

}  // namespace

int main(int argc, char** argv) {
  const bench::Arguments arguments(argc, argv);
  bench::raise_descriptor_limit();
  Upstream upstream(arguments.number("interval-us", 10000) * 1000, static_cast<size_t>(arguments.number("reply-bytes", 600)));
  std::printf("port %d\n", upstream.open(static_cast<int>(arguments.number("port", 0))));
  std::fflush(stdout);
  upstream.run();
  return 0;
}
