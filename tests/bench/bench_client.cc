// Load on loopback from one epoll loop: keep-alive connections, each sends its next request when the last answer is complete.
//
//   bench_client --port N --body FILE [--path /v1/chat/completions] [--header "name: value"]... [--connections 1] [--requests 100]
//                [--warm 0] [--hold 0] [--limit-s 60]
//
// Prints one line of JSON: counts and latencies in microseconds of all but the first `--warm` requests. With `--hold 1` every connection sends
// one request for a stream; the line comes when all streams have begun, and they are held until standard input ends. Ends by itself after
// `--limit-s` seconds, with what was not answered counted as errors.
#include <algorithm>
#include <fstream>
#include <memory>
#include <sstream>

#include "net_util.h"

namespace {

using bench::epoll_set;

// Takes an answer apart: head, then a body of a known length or in chunks. Counts the events of an SSE body.
class AnswerParser {
 public:
  // Returns false when the answer cannot be read.
  bool feed(std::string_view bytes) {
    while (!bytes.empty() && !done_) {
      if (state_ == State::kHead) {
        head_.append(bytes);
        const size_t end = head_.find("\r\n\r\n");
        if (end == std::string::npos) return head_.size() < 65536;
        const std::string rest = head_.substr(end + 4);
        head_.resize(end + 2);
        if (!read_head()) return false;
        return feed(rest);
      }
      if (!feed_body(bytes)) return false;
    }
    return bytes.empty();
  }
  void reset() { *this = AnswerParser(); }
  bool done() const { return done_; }
  int status() const { return status_; }
  int64_t events() const { return events_; }
  // A stream that came to its end says so, each dialect in its own words.
  bool whole() const {
    if (!done_ || !stream_) return done_;
    for (const char* last : {"data: [DONE]", "\"message_stop\"", "\"response.completed\"", "\"finishReason\":\"STOP\""}) {
      if (tail_.find(last) != std::string::npos) return true;
    }
    return false;
  }

 private:
  static constexpr size_t kTail = 8192;  // bytes of a stream's end that are looked at
  enum class State { kHead, kBody, kSize, kData, kDataEnd, kTrailer };

  bool read_head() {
    if (head_.size() < 12 || head_.compare(0, 7, "HTTP/1.") != 0) return false;
    status_ = std::atoi(head_.c_str() + 9);
    stream_ = bench::header_value(head_, "content-type").substr(0, 17) == "text/event-stream";
    const std::string_view length = bench::header_value(head_, "content-length");
    if (!length.empty()) {
      left_ = std::strtoull(std::string(length).c_str(), nullptr, 10);
      state_ = State::kBody;
      done_ = left_ == 0;
      return true;
    }
    state_ = State::kSize;
    return bench::header_value(head_, "transfer-encoding").substr(0, 7) == "chunked";
  }

  bool feed_body(std::string_view& bytes) {
    switch (state_) {
      case State::kBody:
      case State::kData: {
        const std::string_view piece = bytes.substr(0, left_);
        count_events(piece);
        bytes.remove_prefix(piece.size());
        left_ -= piece.size();
        if (left_ == 0) {
          done_ = state_ == State::kBody;
          state_ = State::kDataEnd;
        }
        return true;
      }
      case State::kSize:
        line_ += bytes.front();
        bytes.remove_prefix(1);
        if (line_.size() > 32) return false;
        if (line_.back() != '\n') return true;
        left_ = std::strtoull(line_.c_str(), nullptr, 16);
        line_.clear();
        state_ = left_ == 0 ? State::kTrailer : State::kData;
        return true;
      case State::kDataEnd:  // CRLF behind a chunk
        if (bytes.front() == '\n') state_ = State::kSize;
        bytes.remove_prefix(1);
        return true;
      case State::kTrailer:
        line_ += bytes.front();
        bytes.remove_prefix(1);
        done_ = line_ == "\r\n";
        return line_.size() <= 2;
      case State::kHead: break;
    }
    return false;
  }

  void count_events(std::string_view piece) {
    if (!stream_) return;
    for (char c : piece) {
      if (c == '\n' && last_ == '\n') ++events_;
      last_ = c;
    }
    tail_.append(piece.substr(piece.size() - std::min<size_t>(piece.size(), kTail)));
    if (tail_.size() > 2 * kTail) tail_.erase(0, tail_.size() - kTail);
  }

  State state_ = State::kHead;
  std::string head_, line_, tail_;
  uint64_t left_ = 0;
  int64_t events_ = 0;
  int status_ = 0;
  char last_ = 0;
  bool stream_ = false;
  bool done_ = false;
};

struct Connection {
  int fd = -1;
  size_t sent = 0;
  int64_t began = 0;
  int64_t first_event = 0;
  bool busy = false;
  bool want_write = false;
  AnswerParser answer;
};

struct Options {
  int port = 0;
  int connections = 1;
  int64_t requests = 100;
  int64_t warm = 0;
  int64_t deadline = 0;
  bool hold = false;
  std::string request;
};

class Load {
 public:
  explicit Load(Options options) : options_(std::move(options)), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    connections_.resize(static_cast<size_t>(options_.connections));
    latencies_.reserve(static_cast<size_t>(options_.requests));
  }

  void run() {
    const int64_t began = bench::now_ns();
    measured_from_ = began;
    epoll_set(epoll_, EPOLL_CTL_ADD, 0, EPOLLIN, kStdin);
    // Streams are opened some at a time, so that no listen queue overflows.
    const size_t at_once = options_.hold ? 256 : connections_.size();
    while (!finished()) {
      while (opened_ < connections_.size() && opened_ - static_cast<size_t>(begun_streams_) - failed_opens_ < at_once && wanted()) open(opened_++);
      if (options_.hold && !reported_ && begun_streams_ + errors_ >= options_.connections) report(began);
      step();
    }
    if (!reported_) report(began);
  }

 private:
  static constexpr uint64_t kStdin = ~uint64_t{0};

  bool wanted() const { return started_ < options_.requests; }
  bool finished() {
    if (bench::now_ns() > options_.deadline) return true;
    if (options_.hold) return stdin_ended_;
    return completed_ + errors_ >= options_.requests;
  }

  void open(size_t i) {
    Connection& c = connections_[i];
    c = Connection();
    c.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = bench::loopback(options_.port);
    if (c.fd < 0 || connect(c.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      if (c.fd >= 0) close(c.fd);
      c.fd = -1;
      ++started_;
      ++errors_;
      ++failed_opens_;
      return;
    }
    fcntl(c.fd, F_SETFL, O_NONBLOCK);
    bench::set_no_delay(c.fd);
    epoll_set(epoll_, EPOLL_CTL_ADD, c.fd, EPOLLIN, i);
    begin(i);
  }

  void begin(size_t i) {
    Connection& c = connections_[i];
    if (started_++ == options_.warm) measured_from_ = bench::now_ns();
    c.sent = 0;
    c.first_event = 0;
    c.busy = true;
    c.answer.reset();
    c.began = bench::now_ns();
    write_some(i);
  }

  void write_some(size_t i) {
    Connection& c = connections_[i];
    while (c.sent < options_.request.size()) {
      const ssize_t sent = send(c.fd, options_.request.data() + c.sent, options_.request.size() - c.sent, MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return failed(i);
      if (sent < 0) break;
      c.sent += static_cast<size_t>(sent);
    }
    const bool want = c.sent < options_.request.size();
    if (want != c.want_write) epoll_set(epoll_, EPOLL_CTL_MOD, c.fd, want ? EPOLLIN | EPOLLOUT : EPOLLIN, i);
    c.want_write = want;
  }

  void step() {
    epoll_event events[256];
    const int count = epoll_wait(epoll_, events, 256, 100);
    for (int e = 0; e < count; ++e) {
      if (events[e].data.u64 == kStdin) {
        char gone[16];
        if (read(0, gone, sizeof gone) <= 0) {
          stdin_ended_ = true;
          epoll_set(epoll_, EPOLL_CTL_DEL, 0, 0, 0);
        }
        continue;
      }
      const size_t i = events[e].data.u64;
      if (connections_[i].fd >= 0 && (events[e].events & EPOLLOUT) != 0) write_some(i);
      if (connections_[i].fd >= 0 && (events[e].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read_some(i);
    }
  }

  void read_some(size_t i) {
    Connection& c = connections_[i];
    static char buffer[256 * 1024];
    const ssize_t got = read(c.fd, buffer, sizeof buffer);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0 || !c.busy || !c.answer.feed({buffer, static_cast<size_t>(got)})) return failed(i);
    if (c.first_event == 0 && c.answer.events() > 0) {
      c.first_event = bench::now_ns();
      ++begun_streams_;
    }
    if (!c.answer.done()) return;
    c.busy = false;
    if (c.answer.status() != 200 || !c.answer.whole()) {
      if (errors_ == 0) std::fprintf(stderr, "bench_client: an answer with status %d that is not whole\n", c.answer.status());
      ++errors_;
    } else {
      if (completed_++ >= options_.warm) latencies_.push_back(bench::now_ns() - c.began);
      events_ += c.answer.events();
      last_answer_ = bench::now_ns();
    }
    if (wanted() && !options_.hold) begin(i);
  }

  // A connection broke: its request is lost; the next one gets a new connection.
  void failed(size_t i) {
    Connection& c = connections_[i];
    if (errors_ == 0) std::fprintf(stderr, "bench_client: a connection broke\n");
    if (c.busy) ++errors_;
    close(c.fd);
    c.fd = -1;
    if (wanted() && !options_.hold && errors_ < 100) open(i);
  }

  double percentile(double p) const {
    if (latencies_.empty()) return 0;
    const auto at = static_cast<size_t>(p * static_cast<double>(latencies_.size() - 1));
    return static_cast<double>(latencies_[at]) / 1000;
  }

  void report(int64_t began) {
    reported_ = true;
    std::sort(latencies_.begin(), latencies_.end());
    const int64_t unanswered = options_.hold ? 0 : options_.requests - completed_ - errors_;
    std::printf("{\"completed\":%ld,\"errors\":%ld,\"events\":%ld,\"live\":%ld,\"seconds\":%.6f,\"all_seconds\":%.6f,\"p50_us\":%.1f,"
                "\"p90_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}\n",
                completed_, errors_ + unanswered, events_, begun_streams_,
                completed_ == 0 ? 0.0 : static_cast<double>(last_answer_ - measured_from_) / 1e9,
                static_cast<double>(bench::now_ns() - began) / 1e9, percentile(0.5), percentile(0.9), percentile(0.99), percentile(1));
    std::fflush(stdout);
  }

  const Options options_;
  const int epoll_;
  std::vector<Connection> connections_;
  std::vector<int64_t> latencies_;
  size_t opened_ = 0, failed_opens_ = 0;
  int64_t started_ = 0, completed_ = 0, errors_ = 0, events_ = 0, begun_streams_ = 0;
  int64_t measured_from_ = 0, last_answer_ = 0;
  bool reported_ = false, stdin_ended_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  const bench::Arguments arguments(argc, argv);
  bench::raise_descriptor_limit();
  Options options;
  options.port = static_cast<int>(arguments.number("port", 0));
  options.connections = static_cast<int>(arguments.number("connections", 1));
  options.hold = arguments.number("hold", 0) != 0;
  options.requests = options.hold ? options.connections : arguments.number("requests", 100);
  options.warm = arguments.number("warm", 0);
  options.deadline = bench::now_ns() + arguments.number("limit-s", 60) * 1000000000;
  std::ifstream file(arguments.word("body", ""), std::ios::binary);
  std::stringstream body;
  body << file.rdbuf();
  if (!file || options.port == 0) bench::die("--port and --body are needed");
  options.request = "POST " + arguments.word("path", "/v1/chat/completions") + " HTTP/1.1\r\nhost: 127.0.0.1:" + std::to_string(options.port) +
                    "\r\ncontent-type: application/json\r\ncontent-length: " + std::to_string(body.str().size()) + "\r\n";
  for (const std::string& header : arguments.all("header")) options.request += header + "\r\n";
  options.request += "\r\n" + body.str();
  Load(std::move(options)).run();
  return 0;
}
