// One client connection: reads requests one after the other, answers them in order.
#ifndef LLMROUTER_SERVER_SESSION_H_
#define LLMROUTER_SERVER_SESSION_H_

#include <sys/uio.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/chat_relay.h"
#include "server/loop.h"
#include "server/request_parser.h"
#include "server/routes.h"

namespace llmrouter::server {

// Lives on its loop's thread. Closed sessions stay in memory until the drive() that closed them is over, so that no callback
// finds its object gone.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Loop& loop, int fd, bool local);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void open();
  void flush();  // by the loop, after a drive
  void drain();  // shutting down: closes when idle, after the reply otherwise
  void cut();    // shutting down and out of patience
  void close();  // at once

  Loop& loop() noexcept { return loop_; }
  const Route& route() const noexcept { return route_; }
  const Request& request() const noexcept { return *request_; }
  bool trusted() const noexcept;  // trust_loopback holds for this request

  // A whole reply to the request at hand.
  void respond(Reply&& reply);
  void fail(const Error& error);  // the same, in the route's dialect
  // For replies that are made elsewhere: the ticket of the request at hand; later() with another one is ignored.
  uint64_t ticket() const noexcept { return ticket_; }
  void later(uint64_t ticket, Reply&& reply);

  // For ChatRelay: a reply in pieces. `length` -1: not known.
  void begin(int status, std::string_view content_type, int64_t length, const std::vector<ReplyHeader>& headers);
  Flow write(std::string_view bytes);
  void write_whole(std::string&& body);  // all of the reply's body; not copied
  void finish(bool complete);
  void note(std::string_view key) { log_key_.assign(key); }  // for the access line

  // Unsent bytes from which a stream's upstream waits, and below which it goes on.
  static constexpr size_t kHighWater = 64 * 1024;
  static constexpr size_t kLowWater = 16 * 1024;

 private:
  enum class Phase {
    kReading,    // a request, or waiting for one
    kReplying,   // a request is at work
    kLingering,  // all is said; the client's rest is read and dropped so that it sees our last words
    kClosed,
  };
  enum class Framing { kLength, kChunked, kUntilClose, kNoBody };
  enum class Wait { kNone, kIdle, kHeader, kBody, kWrite, kLinger };

  void on_ready(unsigned ready);
  void on_readable();
  void on_input(std::string_view bytes);
  size_t consume(std::string_view bytes);
  void on_head();
  void begin_upload();
  void on_request();
  void look_up();
  Error check_head() const;
  Error check_caller() const;
  void refuse(const Error& error);  // and close afterwards: the rest of the input cannot or will not be read
  void on_eof();
  void on_timer();
  void next_request();

  void append_head(int status, std::string_view content_type, const std::vector<ReplyHeader>& headers);
  void append_cors();
  bool try_write();  // false: the socket is broken
  void keep_unsent(const iovec* parts, int count, size_t written);
  void finish_reply();
  void linger();
  void dirty();

  void arm(Wait wait, Duration after);
  void set_interest(unsigned interest);
  size_t unsent() const noexcept { return out_.size() - out_sent_ + payload_.size(); }

  Loop& loop_;
  std::shared_ptr<const Settings> settings_;
  const int fd_;
  const bool local_;
  Phase phase_ = Phase::kReading;

  RequestParser parser_;
  Request* request_ = nullptr;  // the parser's
  Route route_;
  Error refusal_;               // found with the header; said when the small body behind it has been read
  std::string pending_;         // input not yet taken: half a header, or the next request
  std::optional<ChatRelay> relay_;
  uint64_t ticket_ = 0;

  std::string out_;             // framed, on its way
  size_t out_sent_ = 0;
  std::string payload_;         // of this drive, not framed yet
  Framing framing_ = Framing::kLength;
  bool begun_ = false;          // the reply's head is out
  bool ended_ = false;          // nothing more will be added to it
  bool complete_ = true;
  bool keep_alive_ = true;
  bool broken_ = false;         // the client is gone
  bool blocked_ = false;        // the socket takes no more
  bool paused_ = false;         // the upstream waits for us
  bool half_closed_ = false;    // the client sends no more, and still reads
  bool dirty_ = false;
  int status_ = 0;

  unsigned interest_ = 0;
  Wait wait_ = Wait::kNone;
  TimePoint deadline_{};
  TimePoint timer_at_{};
  Reactor::TimerId timer_ = 0;
  TimePoint began_{};           // the request at hand was complete
  std::string log_key_, log_request_id_;  // the latter for a debug log alone
};

}  // namespace llmrouter::server

#endif  // LLMROUTER_SERVER_SESSION_H_
