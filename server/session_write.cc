// What a session says: heads, bodies, chunks, and how they reach the socket.
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "server/session.h"

namespace llmrouter::server {

namespace {

constexpr Duration kLingerFor = std::chrono::seconds(2);

// A header that came from elsewhere never splits ours.
bool clean(std::string_view text) noexcept {
  for (char c : text)
    if (static_cast<unsigned char>(c) < 0x20 && c != '\t') return false;
  return true;
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  if (!clean(name) || !clean(value)) return;
  out.append(name).append(": ").append(value).append("\r\n");
}

// Empty: it is not there yet.
std::string_view request_id_of(const std::vector<ReplyHeader>& headers) noexcept {
  for (const ReplyHeader& header : headers)
    if (header.name == "x-request-id") return header.value;
  return {};
}

}  // namespace

void Session::append_cors() {
  const Request& r = *request_;
  if (!settings_->cors.empty()) out_.append("vary: origin\r\n");  // also to those who get nothing: what is stored of theirs is not for the others
  if (r.origin.empty() || !origin_allowed(*settings_, r.origin)) return;
  append_header(out_, "access-control-allow-origin", r.origin);
  out_.append(
      "access-control-expose-headers: x-request-id, retry-after, x-llmrouter-model, x-llmrouter-provider, x-llmrouter-unreachable, x-llmrouter-attempts, "
      "x-llmrouter-dropped, x-llmrouter-cost-usd, x-llmrouter-overhead-us, x-should-retry, x-ratelimit-limit-requests, x-ratelimit-remaining-requests, "
      "x-ratelimit-reset-requests, x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens\r\n");
}

void Session::append_head(int status, std::string_view content_type, const std::vector<ReplyHeader>& headers) {
  if (out_.empty()) out_ = loop_.take_buffer();
  char line[48];
  out_.append(line, static_cast<size_t>(std::snprintf(line, sizeof line, "HTTP/1.1 %d ", status)));
  out_.append(status_text(status)).append("\r\ndate: ").append(loop_.date()).append("\r\n");
  if (!content_type.empty()) append_header(out_, "content-type", content_type);
  for (const ReplyHeader& header : headers) append_header(out_, header.name, header.value);
  append_cors();
  if (!keep_alive_) out_.append("connection: close\r\n");
  else if (!request_->http11) out_.append("connection: keep-alive\r\n");
}

void Session::begin(int status, std::string_view content_type, int64_t length, const std::vector<ReplyHeader>& headers) {
  begun_ = true;
  status_ = status;
  if (loop_.context().draining.load(std::memory_order_relaxed)) keep_alive_ = false;
  const bool bodyless = status == 204 || status == 304;
  if (bodyless || request_->method == Method::kHead) framing_ = Framing::kNoBody;
  else if (length >= 0) framing_ = Framing::kLength;
  else if (request_->http11) framing_ = Framing::kChunked;
  else framing_ = Framing::kUntilClose;
  if (framing_ == Framing::kUntilClose) keep_alive_ = false;
  append_head(status, content_type, headers);
  const std::string_view id = request_id_of(headers);
  // The name that Anthropic's SDKs look for.
  if (route_.dialect == "anthropic" && !id.empty()) append_header(out_, "request-id", id);
  if (loop_.context().logger->enabled(LogLevel::kDebug)) log_request_id_.assign(id);
  if (length >= 0 && !bodyless) out_.append("content-length: ").append(std::to_string(length)).append("\r\n");
  else if (framing_ == Framing::kChunked) out_.append("transfer-encoding: chunked\r\ncache-control: no-cache\r\nx-accel-buffering: no\r\n");
  out_.append("\r\n");
  dirty();
}

Flow Session::write(std::string_view bytes) {
  if (framing_ == Framing::kNoBody || bytes.empty()) return Flow::kContinue;
  if (payload_.empty()) payload_ = loop_.take_buffer();
  payload_.append(bytes);
  dirty();
  if (framing_ == Framing::kLength || unsent() < kHighWater) return Flow::kContinue;
  // Perhaps the client takes it now; when it does not, the upstream waits.
  if (!broken_ && !blocked_) try_write();
  if (!broken_ && unsent() < kHighWater) return Flow::kContinue;
  paused_ = true;
  return Flow::kPause;
}

void Session::write_whole(std::string&& body) {
  if (!payload_.empty() || framing_ == Framing::kNoBody) {
    write(body);
    return;
  }
  payload_ = std::move(body);
  dirty();
}

void Session::finish(bool complete) {
  ended_ = true;
  complete_ = complete;
  if (!complete) {
    keep_alive_ = false;
    Counters::add(loop_.counters().broken);
  }
  loop_.counters().count(route_.endpoint, status_);
  Logger& log = *loop_.context().logger;
  if (log.enabled(LogLevel::kDebug)) {
    // Calls have told theirs; whose anything else is, is looked up for the log alone.
    KeyStore* const keys = loop_.context().router->keys();
    if (log_key_.empty() && keys != nullptr && !request_->key.empty()) {
      if (const auto key = keys->find(request_->key)) log_key_ = key->id;
    }
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(loop_.now() - began_);
    log.log(LogLevel::kDebug, "request",
            {{"request_id", log_request_id_},
             {"method", method_name(request_->method)},
             {"path", request_->path()},
             {"status", std::to_string(status_), true},
             {"complete", complete ? "true" : "false", true},
             {"key", log_key_},
             {"us", std::to_string(took.count()), true}});
  }
  dirty();
}

void Session::respond(Reply&& reply) {
  if (begun_) return;
  if (request_id_of(reply.headers).empty()) reply.headers.push_back({"x-request-id", request_->request_id.empty() ? new_request_id() : request_->request_id});
  begin(reply.status, reply.body.empty() ? std::string_view() : std::string_view(reply.content_type), static_cast<int64_t>(reply.body.size()),
        reply.headers);
  write_whole(std::move(reply.body));
  finish(true);
}

void Session::fail(const Error& error) {
  const std::string id = request_->request_id.empty() ? new_request_id() : request_->request_id;
  Reply reply = error_reply(loop_.context(), route_.dialect, error, id);
  reply.headers.push_back({"x-request-id", id});
  if (error.code == ErrorCode::kMethodNotAllowed) {
    std::string allow;
    for (Method m : {Method::kGet, Method::kHead, Method::kPost, Method::kPut, Method::kPatch, Method::kDelete, Method::kOptions}) {
      if (!route_.allows(m)) continue;
      if (!allow.empty()) allow += ", ";
      allow += method_name(m);
    }
    reply.headers.push_back({"allow", allow});
  }
  respond(std::move(reply));
}

void Session::later(uint64_t ticket, Reply&& reply) {
  if (phase_ != Phase::kReplying || ticket != ticket_ || begun_) return;
  respond(std::move(reply));
}

// One writev of what waits from before, and of this drive's payload in its frame. What the socket does not take is kept, framed.
bool Session::try_write() {
  char size_line[24];
  iovec parts[4];
  int count = 0;
  const auto add = [&](const void* data, size_t size) {
    if (size != 0) parts[count++] = {const_cast<void*>(data), size};
  };
  const bool chunked = framing_ == Framing::kChunked && begun_;
  add(out_.data() + out_sent_, out_.size() - out_sent_);
  std::string_view tail;
  if (!payload_.empty()) {
    if (chunked) add(size_line, static_cast<size_t>(std::snprintf(size_line, sizeof size_line, "%zx\r\n", payload_.size())));
    add(payload_.data(), payload_.size());
    if (chunked) tail = "\r\n";
  }
  if (chunked && ended_ && complete_ && phase_ == Phase::kReplying) tail = payload_.empty() ? "0\r\n\r\n" : "\r\n0\r\n\r\n";
  const bool closes_chunks = tail.size() > 2;
  add(tail.data(), tail.size());
  if (count == 0) return true;

  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = static_cast<size_t>(count);
  ssize_t written = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
  if (written < 0) {
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
      broken_ = true;
      return false;
    }
    written = 0;
  }
  if (closes_chunks) framing_ = Framing::kLength;  // the last chunk is said (or kept below): once

  keep_unsent(parts, count, static_cast<size_t>(written));
  return true;
}

// Drops what was written; what was not goes to `out_`, framed, and the socket is taken to be full.
void Session::keep_unsent(const iovec* parts, int count, size_t written) {
  std::string rest;
  size_t rest_sent = 0;
  for (int i = 0; i < count; ++i) {
    const size_t skip = std::min(written, parts[i].iov_len);
    written -= skip;
    if (skip == parts[i].iov_len) continue;
    if (i == 0 && parts[0].iov_base == out_.data() + out_sent_) {  // stays where it is
      rest_sent = out_sent_ + skip;
      rest = std::move(out_);
      continue;
    }
    if (rest.empty()) rest = loop_.take_buffer();
    rest.append(static_cast<const char*>(parts[i].iov_base) + skip, parts[i].iov_len - skip);
  }
  loop_.give_buffer(std::move(payload_));
  loop_.give_buffer(std::move(out_));
  payload_ = std::string();
  blocked_ = !rest.empty();
  // Sent bytes in front go when they are the larger part: a client that reads slowly must not make this grow.
  if (rest_sent > rest.size() / 2) {
    rest.erase(0, rest_sent);
    rest_sent = 0;
  }
  out_ = std::move(rest);
  out_sent_ = rest_sent;
}

void Session::flush() {
  dirty_ = false;
  if (phase_ == Phase::kClosed) return;
  const size_t before = unsent();
  if (!broken_ && !blocked_) try_write();
  if (broken_) return close();
  if (blocked_) {
    set_interest(interest_ | Reactor::kWrite);
    // Any progress gives the client its time anew.
    if (wait_ != Wait::kWrite || unsent() < before) arm(Wait::kWrite, settings_->write_timeout);
  } else {
    set_interest(interest_ & ~unsigned{Reactor::kWrite});
    if (wait_ == Wait::kWrite) arm(phase_ == Phase::kReading ? Wait::kBody : Wait::kNone, settings_->body_timeout);
  }
  if (paused_ && unsent() < kLowWater) {
    paused_ = false;
    if (relay_) relay_->resume();
  }
  if (phase_ == Phase::kReplying && ended_ && unsent() == 0 && !dirty_) finish_reply();
}

void Session::finish_reply() {
  if (keep_alive_ && !half_closed_) return next_request();
  if (keep_alive_ && !pending_.empty()) return next_request();
  linger();
}

// Closing with unread input would reset the connection, and the client might lose what we said last.
void Session::linger() {
  relay_.reset();
  if (half_closed_) return close();
  phase_ = Phase::kLingering;
  ::shutdown(fd_, SHUT_WR);
  pending_ = std::string();
  set_interest(Reactor::kRead);
  arm(Wait::kLinger, kLingerFor);
}

}  // namespace llmrouter::server
