// A connection's life: its phases, its input, its timers. What it says is in session_write.cc.
#include "server/session.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "server/handlers.h"

namespace llmrouter::server {

namespace {

// Input that waits while a request is at work: pipelined requests. More stays in the kernel.
constexpr size_t kMaxPending = 64 * 1024;
// A body up to this size is read even when its request is refused, so that the connection can be kept; and is not worth asking for the key
// before it comes.
constexpr uint64_t kSmallBody = 64 * 1024;
// A client that ends its side this soon after its last request still reads; later it is taken to be gone.
constexpr Duration kHalfClose = std::chrono::milliseconds(100);

}  // namespace

namespace {

bool has_forwarded(const Request& request, std::string_view name) noexcept {
  for (const HttpHeader& header : request.forwarded)
    if (header.name == name) return true;
  return false;
}

}  // namespace

Session::Session(Loop& loop, int fd, bool local) : loop_(loop), settings_(loop.shared_settings()), fd_(fd), local_(local) {
  parser_.reset(settings_->parser);
}

Session::~Session() {
  if (phase_ != Phase::kClosed) ::close(fd_);
}

void Session::open() {
  set_interest(Reactor::kRead);
  arm(Wait::kIdle, settings_->idle_timeout);
}

void Session::set_interest(unsigned interest) {
  if (interest == interest_) return;
  interest_ = interest;
  if (interest == 0) {
    loop_.reactor().unwatch(fd_);
    return;
  }
  if (auto watched = loop_.reactor().watch(fd_, interest, [this](unsigned ready) { on_ready(ready); }); !watched) {
    broken_ = true;
    dirty();
  }
}

void Session::on_ready(unsigned ready) {
  if ((ready & Reactor::kWrite) != 0) {
    blocked_ = false;
    dirty();
  }
  if ((ready & Reactor::kRead) != 0 && phase_ != Phase::kClosed) on_readable();
}

void Session::on_readable() {
  // A large body comes in several reads; the bound keeps one client from holding the loop.
  for (int round = 0; round < 8; ++round) {
    const ssize_t n = ::recv(fd_, loop_.scratch(), Loop::kScratch, 0);
    if (n < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return;
      broken_ = true;
      return dirty();
    }
    if (n == 0) return on_eof();
    on_input({loop_.scratch(), static_cast<size_t>(n)});
    if (phase_ != Phase::kReading || static_cast<size_t>(n) < Loop::kScratch) return;
  }
}

void Session::on_input(std::string_view bytes) {
  if (phase_ == Phase::kLingering || phase_ == Phase::kClosed) return;
  if (phase_ == Phase::kReplying) {
    pending_.append(bytes);
    if (pending_.size() > kMaxPending) set_interest(interest_ & ~unsigned{Reactor::kRead});
    return;
  }
  if (pending_.empty()) {
    const size_t used = consume(bytes);
    pending_.assign(bytes.substr(used));
  } else {
    pending_.append(bytes);
    pending_.erase(0, consume(pending_));
  }
}

// Feeds the parser; a request that is complete is set to work, and what is behind it waits.
size_t Session::consume(std::string_view bytes) {
  size_t used = 0;
  while (phase_ == Phase::kReading) {
    used += parser_.feed(bytes.substr(used));
    switch (parser_.state()) {
      case RequestParser::State::kHead:
        if (parser_.started() && wait_ != Wait::kHeader) arm(Wait::kHeader, settings_->header_timeout);
        return used;
      case RequestParser::State::kHeadDone:
        on_head();
        if (used == bytes.size()) return used;
        break;
      case RequestParser::State::kBody:
        return used;
      case RequestParser::State::kDone:
        on_request();
        return used;
      case RequestParser::State::kFailed:
        Counters::add(loop_.counters().malformed);
        look_up();
        refuse(parser_.fault());
        return used;
    }
  }
  return used;
}

bool Session::trusted() const noexcept { return settings_->trust_loopback && local_ && !request_->proxied; }

// What can be said against a request before its body is there.
Error Session::check_head() const {
  const Request& r = *request_;
  if (route_.endpoint == Endpoint::kNone) {
    const std::string path(r.path().substr(0, 200));
    if (route_.later) return Error(ErrorCode::kUnknownPath, "the path " + path + " is not supported yet");
    return Error(ErrorCode::kUnknownPath, "there is no path " + path + " here");
  }
  if (r.method == Method::kPost && !route_.no_operation.empty()) {
    return Error(ErrorCode::kUnknownPath, "there is no operation \"" + std::string(route_.no_operation.substr(0, 100)) + "\" of a model here; there are " + google_operations());
  }
  if (!route_.allows(r.method)) return Error(ErrorCode::kMethodNotAllowed, "this path does not take this method");
  if (const std::string name(repeated_parameter(r.query())); !name.empty()) return Error(ErrorCode::kInvalidRequest, name + ": stands twice in the query", name);
  // A page of another site can make its own domain name point here (DNS rebinding) and then read what it asks for; what it reads from its own
  // origin comes without one. Where no key stands in the way, browsers may only come by an address or a name of an origin that is listed, or from
  // such an origin.
  if (r.browser && !host_allowed(*settings_, r.host) && !origin_allowed(*settings_, r.origin) && !loop_.context().router->keys_required()) {
    Error refused(ErrorCode::kInvalidRequest, "this server asks for no key, so web pages may use it only by an address, or from origins in server.cors", "origin");
    refused.status = 403;
    return refused;
  }
  if (r.encoded) return Error(ErrorCode::kUnsupportedMediaType, "content-encoding: compressed bodies are not supported");
  if (r.method != Method::kPost && r.method != Method::kPut && r.method != Method::kPatch) return {};
  // Neither means no body (RFC 9112, 6.3): good enough where none is needed.
  if (!r.chunked && !r.content_length && is_call(route_.endpoint)) return Error(ErrorCode::kLengthRequired, "a content-length or chunked transfer-encoding is needed");
  // Without a content type (or with curl's usual one) a body is taken for JSON; not from a browser, which may send those to anybody's
  // server without asking first.
  if (takes_form(route_.endpoint) && r.body_type == Request::BodyType::kMultipart) {
    // Browsers send forms to anybody's server without asking first, unless there is a header that makes them ask.
    if (!r.browser || r.key_rank != 0 || origin_allowed(*settings_, r.origin)) return {};
    return Error(ErrorCode::kUnsupportedMediaType, "content-type: forms from web pages need a key in a header, or an origin in server.cors");
  }
  const bool json = r.body_type == Request::BodyType::kJson;
  const bool lenient = r.body_type == Request::BodyType::kUnsaid || r.body_type == Request::BodyType::kForm;
  if (!json && (r.browser || !lenient)) return Error(ErrorCode::kUnsupportedMediaType, "content-type: expected application/json");
  return {};
}

// Who may send megabytes: asked before they come.
Error Session::check_caller() const {
  Router& router = *loop_.context().router;
  const Secret key(request_->key);
  if (is_admin(route_.endpoint)) {
    auto admin = router.authorize_admin(key);
    return admin ? Error() : admin.error();
  }
  if (trusted()) return {};
  auto caller = router.authenticate(key, is_call(route_.endpoint) ? endpoint_name(route_.endpoint) : "chat");
  return caller ? Error() : caller.error();
}

void Session::look_up() {
  request_ = &parser_.request();
  route_ = find_route(request_->path());
  if (request_->method == Method::kPost && !route_.no_operation.empty()) route_.dialect = "gemini";
  // Four vendors have their list of models at one path; the clients of three say whose they are.
  if (route_.endpoint == Endpoint::kModels && route_.dialect == "openai") {
    if (request_->key_rank == 3) route_.dialect = "gemini";  // its key's header
    else if (has_forwarded(*request_, "anthropic-version")) route_.dialect = "anthropic";
    else if (request_->cohere_sdk) route_.dialect = "cohere";
  }
  // Administration takes no key from the address, where a filter has that name.
  if (request_->key_rank != 0 || is_admin(route_.endpoint)) return;
  if (auto key = query_value(request_->query(), "key")) request_->key = std::move(*key);
}

void Session::on_head() {
  look_up();
  refusal_ = check_head();
  const bool large = request_->chunked || request_->content_length.value_or(0) > kSmallBody || request_->expect_continue;
  if (large && refusal_.code == ErrorCode::kNone) refusal_ = check_caller();
  if (refusal_.code == ErrorCode::kNone && request_->body_type == Request::BodyType::kMultipart && takes_form(route_.endpoint)) begin_upload();
  if (refusal_.code != ErrorCode::kNone && large) return refuse(refusal_);
  if (request_->expect_continue) {
    out_.append("HTTP/1.1 100 Continue\r\n\r\n");
    dirty();
  }
  arm(Wait::kBody, settings_->body_timeout);
}

// Forms may hold large files: they are not kept in memory.
void Session::begin_upload() {
  UploadOptions options;
  options.directory = settings_->upload_directory;
  auto upload = FormUpload::begin(request_->content_type, std::move(options));
  if (upload) request_->upload = std::move(*upload);
  else refusal_ = std::move(upload).error();
}

void Session::on_request() {
  Request& request = parser_.request();
  if (request_ != &request) {  // the header came with all that belongs to it: on_head() was not called
    look_up();
    refusal_ = check_head();
  }
  phase_ = Phase::kReplying;
  ++ticket_;
  began_ = loop_.now();
  keep_alive_ = request.keep_alive;
  arm(Wait::kNone, Duration(0));
  if (refusal_.code != ErrorCode::kNone) return fail(refusal_);
  if (request.method == Method::kOptions) return respond(options_reply(*this));
  if (is_call(route_.endpoint)) {
    if (auto loaded = load_reply(*this)) return respond(std::move(*loaded));
    relay_.emplace(*this);
    return relay_->start(request);
  }
  handle(*this);
}

void Session::refuse(const Error& error) {
  phase_ = Phase::kReplying;
  ++ticket_;
  began_ = loop_.now();
  keep_alive_ = false;
  parser_.request().keep_alive = false;
  arm(Wait::kNone, Duration(0));
  fail(error);
}

void Session::on_eof() {
  switch (phase_) {
    case Phase::kReading:
    case Phase::kLingering:
      return close();
    case Phase::kReplying:
      if (!half_closed_ && (!keep_alive_ || !pending_.empty()) && loop_.now() - began_ < kHalfClose) {
        half_closed_ = true;
        return set_interest(interest_ & ~unsigned{Reactor::kRead});
      }
      broken_ = true;
      return dirty();
    case Phase::kClosed: return;
  }
}

void Session::next_request() {
  relay_.reset();
  phase_ = Phase::kReading;
  begun_ = ended_ = paused_ = false;
  complete_ = true;
  status_ = 0;
  request_ = nullptr;
  refusal_ = Error();
  log_key_.clear();
  log_request_id_.clear();
  settings_ = loop_.shared_settings();
  parser_.reset(settings_->parser);
  arm(Wait::kIdle, settings_->idle_timeout);
  if (pending_.empty()) {
    if (half_closed_ || loop_.context().draining.load(std::memory_order_relaxed)) return close();
    return set_interest(interest_ | Reactor::kRead);
  }
  if (!half_closed_) set_interest(interest_ | Reactor::kRead);
  const std::string input = std::move(pending_);
  pending_.clear();
  const size_t used = consume(input);
  if (phase_ == Phase::kClosed) return;
  pending_.insert(0, input, used);
  if (phase_ == Phase::kReading && half_closed_) close();  // half a request, and no more will come
}

void Session::arm(Wait wait, Duration after) {
  wait_ = wait;
  if (wait == Wait::kNone) return;  // the timer, if any, will find that nothing is waited for
  deadline_ = loop_.now() + after;
  if (timer_ != 0) {
    if (timer_at_ <= deadline_) return;  // it will look again
    loop_.reactor().cancel_timer(timer_);
  }
  timer_at_ = deadline_;
  timer_ = loop_.reactor().add_timer(timer_at_, [this] { on_timer(); });
}

void Session::on_timer() {
  timer_ = 0;
  if (wait_ == Wait::kNone) return;
  if (loop_.now() < deadline_) {
    timer_at_ = deadline_;
    timer_ = loop_.reactor().add_timer(timer_at_, [this] { on_timer(); });
    return;
  }
  const Wait waited = wait_;
  wait_ = Wait::kNone;
  switch (waited) {
    case Wait::kHeader:
    case Wait::kBody: {
      Counters::add(loop_.counters().timeouts);
      look_up();
      const bool header = waited == Wait::kHeader;
      return refuse(Error(ErrorCode::kRequestTimeout, header ? "the header did not come within server.header_timeout"
                                                             : "the body did not come within server.body_timeout"));
    }
    case Wait::kWrite:
      Counters::add(loop_.counters().timeouts);
      return close();
    case Wait::kIdle:
    case Wait::kLinger: return close();
    case Wait::kNone: return;
  }
}

void Session::drain() {
  if (phase_ == Phase::kReading && !parser_.started()) close();
}

void Session::cut() {
  if (phase_ == Phase::kReading || phase_ == Phase::kLingering) return close();
  if (phase_ != Phase::kReplying || ended_) return;
  keep_alive_ = false;
  if (relay_) return relay_->shut_down();
  fail(Error(ErrorCode::kShuttingDown, "the server is shutting down"));
}

void Session::close() {
  if (phase_ == Phase::kClosed) return;
  if (phase_ == Phase::kReplying && !ended_) loop_.counters().count(route_.endpoint, 499);
  phase_ = Phase::kClosed;
  relay_.reset();
  loop_.reactor().cancel_timer(timer_);
  timer_ = 0;
  wait_ = Wait::kNone;
  loop_.reactor().unwatch(fd_);
  interest_ = 0;
  ::close(fd_);
  if (!out_.empty()) loop_.give_buffer(std::move(out_));
  if (!payload_.empty()) loop_.give_buffer(std::move(payload_));
  out_.clear();
  payload_.clear();
  pending_ = std::string();
  loop_.retire(*this);
}

void Session::dirty() {
  if (dirty_) return;
  dirty_ = true;
  loop_.mark_dirty(*this);
}

}  // namespace llmrouter::server
