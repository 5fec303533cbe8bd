#include "net/curl_exchange.h"

#include <netinet/in.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "llmrouter/http_text.h"
#include "net/curl_errors.h"

namespace llmrouter::net {

namespace {

// Up to here a body is copied once and leaves with the headers in one system call and packet; libcurl would copy it anyway.
constexpr size_t kJoinedBody = 48 * 1024;
// What a transfer reads at once. libcurl keeps so much for each as long as it lives; events are small, and of streams there are thousands.
constexpr long kBuffer = 8 * 1024;
constexpr long kStreamBuffer = 2 * 1024;
// libcurl 7.88 gives up at 300 KiB for all headers on its own; below that the cap is the endpoint's.
constexpr size_t kMaxHeaderCap = 256 * 1024;

std::string_view host_of(std::string_view url) noexcept { return authority_of(url); }

bool is_redirect(int status) noexcept { return status == 301 || status == 302 || status == 303 || status == 307 || status == 308; }

}  // namespace

CurlExchange::CurlExchange(Owner& owner, const CurlDefaults& defaults)
    : owner_(owner), defaults_(defaults), easy_(curl_easy_init()) {
  if (easy_ != nullptr) set_fixed_options();
  if (easy_ != nullptr && options_lost_) curl_easy_cleanup(std::exchange(easy_, nullptr));
}

CurlExchange::~CurlExchange() {
  if (easy_ != nullptr) curl_easy_cleanup(easy_);
  curl_url_cleanup(parsed_);
}

void CurlExchange::set_fixed_options() {
  set(CURLOPT_PRIVATE, static_cast<void*>(this));
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_ERRORBUFFER, error_text_.data());
  set(CURLOPT_HEADERFUNCTION, &header_callback);
  set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  set(CURLOPT_WRITEFUNCTION, &write_callback);
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  set(CURLOPT_READFUNCTION, &read_callback);
  set(CURLOPT_READDATA, static_cast<void*>(this));
  set(CURLOPT_SEEKFUNCTION, &seek_callback);
  set(CURLOPT_SEEKDATA, static_cast<void*>(this));
  set(CURLOPT_PREREQFUNCTION, &prereq_callback);
  set(CURLOPT_PREREQDATA, static_cast<void*>(this));
  set(CURLOPT_OPENSOCKETFUNCTION, &open_socket_callback);
  set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(this));
  set(CURLOPT_CLOSESOCKETFUNCTION, &close_socket_callback);
  set(CURLOPT_CLOSESOCKETDATA, static_cast<void*>(&owner_));  // connections outlive the exchange that opened them
#if LIBCURL_VERSION_NUM >= 0x075500
  set(CURLOPT_PROTOCOLS_STR, "http,https");
#else
  set(CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
  set(CURLOPT_QUICK_EXIT, 1L);  // else cancelling waits for a look-up under way
#endif
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(CURLOPT_ACCEPT_ENCODING, "gzip, deflate");  // to decode; CurlHeaders keeps it from being asked for
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_DNS_CACHE_TIMEOUT, kResolverCacheSeconds);
  set(CURLOPT_SHARE, defaults_.share);
  set(CURLOPT_NOPROXY, "");  // else the environment's no_proxy counts
}

bool CurlExchange::begin(HttpRequest request, TransferSink& sink) {
  ++serial_;
  request_ = std::move(request);
  endpoint_ = request_.endpoint ? request_.endpoint.get() : defaults_.endpoint.get();
  sink_ = &sink;
  sent_ = connected_ = head_given_ = held_ = paused_ = false;
  body_bytes_ = 0;
  fault_ = {};
  error_text_[0] = '\0';
  head_.reset(std::min(endpoint_->max_header_bytes, kMaxHeaderCap));
  if (easy_ == nullptr) {
    fail(TransferError::Kind::kInternal, "no memory for a transfer");
    return false;
  }
  if (!is_http_url(request_.url)) {  // libcurl guesses what is missing, and a key would go where nobody meant it to
    fail(TransferError::Kind::kConnect, "its address is not one of HTTP");
    return false;
  }
  if (!headers_.set(request_.headers, defaults_.user_agent)) {
    fail(TransferError::Kind::kInternal, headers_.fault());
    return false;
  }
  set(CURLOPT_HTTPHEADER, headers_.list());
  set_url();
  set_method_and_body();
  set_endpoint();
  // Connections that others opened were not judged, and those judged leniently are not for others.
  set(CURLOPT_FRESH_CONNECT, request_.addresses || owner_.wants_fresh(host_of(request_.url)) ? 1L : 0L);
  set(CURLOPT_FORBID_REUSE, request_.addresses ? 1L : 0L);
  const auto connect_ms = static_cast<long>(std::chrono::ceil<std::chrono::milliseconds>(request_.connect_timeout).count());
  if (connect_ms != connect_ms_set_) set(CURLOPT_CONNECTTIMEOUT_MS, connect_ms_set_ = connect_ms);
  const long buffer = request_.stream ? kStreamBuffer : kBuffer;
  if (buffer != buffer_set_) set(CURLOPT_BUFFERSIZE, buffer_set_ = buffer);
  if (!options_lost_) return fault_.ok();
  forget_options();
  fail(TransferError::Kind::kInternal, "no memory for a transfer");
  return false;
}

void CurlExchange::forget_options() noexcept {
  options_lost_ = false;
  url_set_.clear();
  method_set_.clear();
  endpoint_set_.reset();
  connect_ms_set_ = buffer_set_ = -1;
}

void CurlExchange::end() noexcept {
  ++serial_;
  sink_ = nullptr;
  endpoint_ = nullptr;
  request_.headers.clear();
  request_.body.clear();
  request_.source.reset();
  body_.set(nullptr);
  request_.endpoint.reset();
  request_.addresses.reset();
  if (joined_.capacity() > 2 * kJoinedBody) joined_ = {};
}

void CurlExchange::set_url() {
  if (request_.url == url_set_) return;
  url_set_ = request_.url;
  // Taken apart once: from CURLOPT_URL libcurl does it for every transfer, and writes it anew. What it cannot take apart it may refuse in its own words.
  if (parsed_ == nullptr) parsed_ = curl_url();
  else curl_url_set(parsed_, CURLUPART_URL, nullptr, 0);  // else one that is not absolute is taken for a path of the last one
  const bool parsed = parsed_ != nullptr && curl_url_set(parsed_, CURLUPART_URL, url_set_.c_str(), CURLU_PATH_AS_IS) == CURLUE_OK;
  set(CURLOPT_URL, parsed ? nullptr : url_set_.c_str());
  set(CURLOPT_CURLU, parsed ? parsed_ : nullptr);
  // Transfers that could share a connection wait for the first to say whether it is HTTP/2. Without TLS it never is, and
  // libcurl would find that out only with the first reply.
  set(CURLOPT_PIPEWAIT, url_set_.compare(0, 6, "https:") == 0 ? 1L : 0L);
}

void CurlExchange::set_method_and_body() {
  body_.set(&request_);
  const size_t size = body_.size();
  const bool get = request_.method == "GET", head = request_.method == "HEAD", post = request_.method == "POST";
  if (request_.method != method_set_) {
    set(CURLOPT_NOBODY, 0L);
    set(CURLOPT_CUSTOMREQUEST, (get && size == 0) || head || post ? nullptr : request_.method.c_str());
  }
  method_set_ = request_.method;
  if (head) {
    set(CURLOPT_NOBODY, 1L);
    return;
  }
  if (size == 0 && !post) {
    set(CURLOPT_HTTPGET, 1L);
    return;
  }
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(size));
  if (size <= kJoinedBody) {
    joined_.clear();
    if (auto read = append_body(request_, joined_); !read) fail(TransferError::Kind::kRequestBody, read.error().message);
    set(CURLOPT_POSTFIELDS, joined_.data());
  } else {
    set(CURLOPT_POSTFIELDS, nullptr);
    set(CURLOPT_POST, 1L);
  }
}

void CurlExchange::set_endpoint() {
  const std::shared_ptr<const Endpoint>& wanted = request_.endpoint ? request_.endpoint : defaults_.endpoint;
  if (wanted == endpoint_set_) return;
  endpoint_set_ = wanted;
  const std::string& ca = wanted->ca_file.empty() ? defaults_.ca_file : wanted->ca_file;
  if (!ca.empty()) {
    // With a path set as well every connection would read the whole directory's store.
    set(CURLOPT_CAPATH, nullptr);
    set(CURLOPT_PROXY_CAPATH, nullptr);
    set(CURLOPT_CAINFO, ca.c_str());
    set(CURLOPT_PROXY_CAINFO, ca.c_str());
  }
  const long verify = wanted->verify_tls ? 1L : 0L;
  set(CURLOPT_SSL_VERIFYPEER, verify);
  set(CURLOPT_SSL_VERIFYHOST, verify * 2);
  set(CURLOPT_PROXY_SSL_VERIFYPEER, verify);
  set(CURLOPT_PROXY_SSL_VERIFYHOST, verify * 2);
  set(CURLOPT_PROXY, wanted->proxy.c_str());  // empty: none, whatever the environment says
}

std::string_view CurlExchange::resolved_name() const {
  return authority_of(endpoint_->proxy.empty() ? request_.url : endpoint_->proxy);
}

size_t CurlExchange::on_header(std::string_view line) {
  if (sink_ == nullptr) return 0;
  switch (head_.feed(line)) {
    case HeadBuilder::Step::kMore:
      return line.size();
    case HeadBuilder::Step::kTooLarge:
      fail(TransferError::Kind::kTooLarge, "the reply's headers are over " +
                                             std::to_string(std::min(endpoint_->max_header_bytes, kMaxHeaderCap)) + " bytes");
      return 0;
    case HeadBuilder::Step::kBad:
      fail(TransferError::Kind::kProtocol, "the reply's head is not good HTTP");
      return 0;
    case HeadBuilder::Step::kDone:
      break;
  }
  if (is_redirect(head_.head().status) && !request_.addresses) {
    refuse_redirect();
    return 0;
  }
  if (owner_.holding()) {
    owner_.hold(*this);
    return line.size();
  }
  give_head();
  return sink_ != nullptr ? line.size() : 0;
}

void CurlExchange::refuse_redirect() {
  const std::string_view location = head_.head().header("location");
  std::string to;
  if (location.find("//") != std::string_view::npos) to = "to " + scrub(authority_of(location));
  fail(TransferError::Kind::kProtocol, "a redirect (" + std::to_string(head_.head().status) + ") was refused", to);
}

void CurlExchange::give_head() {
  if (sink_ == nullptr || head_given_ || !head_.complete()) return;
  head_given_ = true;
  drop_sent_body();
  sink_->on_head(head_.head());
}

// A stream may live for minutes, and there are thousands: the copy of what was asked goes when libcurl has sent all of it.
void CurlExchange::drop_sent_body() noexcept {
  constexpr std::string_view kStream = "text/event-stream";
  if (joined_.empty() || head_.head().header("content-type").substr(0, kStream.size()) != kStream) return;
  curl_off_t sent = 0;
  if (curl_easy_getinfo(easy_, CURLINFO_SIZE_UPLOAD_T, &sent) != CURLE_OK || sent != static_cast<curl_off_t>(joined_.size())) return;
  joined_ = std::string();
}

size_t CurlExchange::on_write(std::string_view bytes) {
  if (sink_ == nullptr) return 0;
  if (owner_.holding()) {
    held_ = true;
    owner_.hold(*this);
    return CURL_WRITEFUNC_PAUSE;
  }
  give_head();
  if (sink_ == nullptr) return 0;
  body_bytes_ += bytes.size();
  if (endpoint_->max_body_bytes != 0 && body_bytes_ > endpoint_->max_body_bytes) {
    fail(TransferError::Kind::kTooLarge, "the reply's body is over " + std::to_string(endpoint_->max_body_bytes) + " bytes");
    return 0;
  }
  in_sink_ = true;
  const Flow flow = sink_->on_body(bytes);
  in_sink_ = false;
  if (sink_ == nullptr) return 0;  // it destroyed the transfer
  if (flow == Flow::kCancel) {
    owner_.cancelled(*this);
    return 0;
  }
  if (flow == Flow::kPause) {
    paused_ = true;
    curl_easy_pause(easy_, CURLPAUSE_RECV);
  }
  return bytes.size();
}

CURLcode CurlExchange::unpause() {
  held_ = paused_ = false;
  return curl_easy_pause(easy_, CURLPAUSE_CONT);
}

// Without memory for words the kind has to do, here and below.
void CurlExchange::fail(TransferError::Kind kind, std::string_view message, std::string_view detail) noexcept {
  if (!fault_.ok()) return;
  fault_.kind = kind;
  try {
    fault_.message = message;
    fault_.detail = scrub(host_of(request_.url));
    if (!detail.empty()) fault_.detail.append(": ").append(detail);
  } catch (...) {
    fault_.detail.clear();
  }
}

TransferError CurlExchange::outcome(CURLcode code) const noexcept {
  const Progress progress = head_.complete() ? Progress::kHead : sent_ ? Progress::kSent : Progress::kNothingSent;
  if (fault_.ok() && code == CURLE_OK && progress == Progress::kHead) return {};
  try {
    return !fault_.ok() ? fault_ : transfer_error(code, progress, host_of(request_.url), error_text_.data());
  } catch (...) {
    TransferError error;
    error.kind = fault_.ok() ? TransferError::Kind::kInternal : fault_.kind;
    return error;
  }
}

// An exception must not pass through libcurl's frames: it becomes the transfer's end.
size_t CurlExchange::header_callback(char* data, size_t size, size_t count, void* self) {
  auto& exchange = *static_cast<CurlExchange*>(self);
  try {
    return exchange.on_header({data, size * count});
  } catch (...) {
    exchange.in_sink_ = false;
    exchange.fail(TransferError::Kind::kInternal, "a callback threw an exception");
    return 0;
  }
}

size_t CurlExchange::write_callback(char* data, size_t size, size_t count, void* self) {
  auto& exchange = *static_cast<CurlExchange*>(self);
  try {
    return exchange.on_write({data, size * count});
  } catch (...) {
    exchange.in_sink_ = false;
    exchange.fail(TransferError::Kind::kInternal, "a callback threw an exception");
    return 0;
  }
}

size_t CurlExchange::read_callback(char* to, size_t size, size_t count, void* self) {
  auto& exchange = *static_cast<CurlExchange*>(self);
  if (exchange.sink_ == nullptr) return CURL_READFUNC_ABORT;  // the body may be gone
  try {
    auto read = exchange.body_.read(to, size * count);
    if (read) return *read;
    exchange.fail(TransferError::Kind::kRequestBody, read.error().message);
  } catch (...) {
    exchange.fail(TransferError::Kind::kInternal, "the body's source threw an exception");
  }
  return CURL_READFUNC_ABORT;
}

// A connection that turned out closed before anything left takes the body again from the start.
int CurlExchange::seek_callback(void* self, curl_off_t offset, int origin) {
  auto& exchange = *static_cast<CurlExchange*>(self);
  if (origin != SEEK_SET || offset < 0 || exchange.sink_ == nullptr) return CURL_SEEKFUNC_FAIL;
  return exchange.body_.seek(static_cast<size_t>(offset)) ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

bool CurlExchange::leaves_idle() const noexcept {
  long version = 0;
  if (paused_ || held_ || curl_easy_getinfo(easy_, CURLINFO_HTTP_VERSION, &version) != CURLE_OK) return false;
  return version == CURL_HTTP_VERSION_1_0 || version == CURL_HTTP_VERSION_1_1;
}

curl_off_t CurlExchange::sent_bytes() const noexcept {
  long head = 0;
  curl_off_t body = 0;
  curl_easy_getinfo(easy_, CURLINFO_REQUEST_SIZE, &head);
  curl_easy_getinfo(easy_, CURLINFO_SIZE_UPLOAD_T, &body);
  return head + body;
}

// libcurl sends a request anew by itself when a connection that was kept dies before a reply, up to six times. The server may have read each of them, and
// answered none: that is for whoever counts attempts to decide (RFC 9110, 9.2.2), unless none of it had left.
bool CurlExchange::may_send() noexcept {
  if (!sent_ || request_.method == "GET" || request_.method == "HEAD" || sent_bytes() == sent_before_) return true;
  fail(TransferError::Kind::kReset, "broke off before a reply", "a connection kept from an earlier request was closed");
  owner_.connection_died(host_of(request_.url));
  return false;
}

int CurlExchange::prereq_callback(void* self, char*, char*, int, int) {
  auto& exchange = *static_cast<CurlExchange*>(self);
  if (!exchange.may_send()) return CURL_PREREQFUNC_ABORT;
  if (!exchange.sent_) exchange.sent_before_ = exchange.sent_bytes();
  exchange.sent_ = exchange.connected_ = true;
  exchange.owner_.passed_resolver(exchange, false);
  return CURL_PREREQFUNC_OK;
}

bool CurlExchange::allows(const sockaddr& address) const noexcept {
  if (address.sa_family == AF_INET) {
    in_addr ip;
    std::memcpy(&ip, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, sizeof ip);
    return request_.addresses->allows({reinterpret_cast<const char*>(&ip), sizeof ip});
  }
  if (address.sa_family != AF_INET6) return false;
  in6_addr ip;
  std::memcpy(&ip, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, sizeof ip);
  return request_.addresses->allows({reinterpret_cast<const char*>(&ip), sizeof ip});
}

curl_socket_t CurlExchange::open_socket_callback(void* self, curlsocktype, curl_sockaddr* address) {
  auto& exchange = *static_cast<CurlExchange*>(self);
  if (exchange.request_.addresses && !exchange.allows(address->addr)) {
    exchange.fail(TransferError::Kind::kConnect, "its address is not a public one");
    return CURL_SOCKET_BAD;
  }
  if (!exchange.may_send()) return CURL_SOCKET_BAD;
  const int fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (fd < 0) return CURL_SOCKET_BAD;
  exchange.connected_ = false;
  exchange.owner_.socket_opened(fd);
  exchange.owner_.passed_resolver(exchange, true);
  return fd;
}

int CurlExchange::close_socket_callback(void* owner, curl_socket_t fd) {
  static_cast<Owner*>(owner)->socket_closing(fd);
  return ::close(fd);
}

}  // namespace llmrouter::net
