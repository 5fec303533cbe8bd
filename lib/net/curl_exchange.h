// One request and its reply on one libcurl easy handle. Handle, buffers and options are kept and used again.
#ifndef LLMROUTER_NET_CURL_EXCHANGE_H_
#define LLMROUTER_NET_CURL_EXCHANGE_H_

#include <curl/curl.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "llmrouter/transport.h"
#include "net/curl_headers.h"
#include "net/head_builder.h"
#include "net/request_body.h"
#include "net/resolve_gate.h"

namespace llmrouter::net {

// What is the same for every exchange of a transport; outlives them.
struct CurlDefaults {
  CURLSH* share = nullptr;
  std::string user_agent;
  std::string ca_file;  // empty: libcurl's own
  std::shared_ptr<const Endpoint> endpoint;
};
constexpr long kResolverCacheSeconds = 60;

// The kinds of list its owner keeps it in.
struct ByState;
struct Held;
struct Resuming;

// Belongs to its owner, who adds it to the multi handle and takes it out. libcurl's callbacks come here and go to the sink at
// once, but for calls while the owner is holding. Nothing here calls into libcurl's multi interface.
class CurlExchange : public ResolveGate::Guest, public Hook<ByState>, public Hook<Held>, public Hook<Resuming> {
 public:
  class Owner {
   public:
    virtual bool holding() const noexcept = 0;         // sinks must not be called now
    virtual void hold(CurlExchange& exchange) noexcept = 0;  // something is kept back: give_head() and unpause() later
    virtual void passed_resolver(CurlExchange& exchange, bool looked_up) noexcept = 0;
    virtual void cancelled(CurlExchange& exchange) noexcept = 0;  // its sink answered kCancel
    // A kept connection to this host died under a request: the others may be dead, too.
    virtual void connection_died(std::string_view authority) noexcept = 0;
    virtual bool wants_fresh(std::string_view authority) noexcept = 0;  // such a connection died a moment ago
    virtual void socket_opened(int fd) noexcept = 0;
    virtual void socket_closing(int fd) noexcept = 0;

   protected:
    ~Owner() = default;
  };

  CurlExchange(Owner& owner, const CurlDefaults& defaults);
  ~CurlExchange();
  CurlExchange(const CurlExchange&) = delete;
  CurlExchange& operator=(const CurlExchange&) = delete;

  // False: it cannot be sent, and outcome() says why.
  bool begin(HttpRequest request, TransferSink& sink);
  void end() noexcept;  // back to idle: nothing of the request is kept
  // Changes with every begin() and end(): tells whether this is still the same request after a sink was called.
  uint64_t serial() const noexcept { return serial_; }

  CURL* easy() const noexcept { return easy_; }
  const HttpRequest& request() const noexcept { return request_; }
  const Endpoint& endpoint() const noexcept { return *endpoint_; }
  std::string_view resolved_name() const;  // whose address has to be known before anything is sent

  TransferSink* sink() const noexcept { return sink_; }  // null: nobody listens any more
  void silence() noexcept { sink_ = nullptr; }

  bool connected() const noexcept { return connected_; }  // its connection is established
  // Libcurl wants nothing of its socket any more: since the transfer is over, and not since it pauses or the connection is HTTP/2's.
  bool leaves_idle() const noexcept;
  bool in_sink() const noexcept { return in_sink_; }  // in on_body, that is
  bool paused() const noexcept { return paused_; }  // by the sink
  // Outside of libcurl's callbacks: the head if it was kept back. Then, unless the sink paused, unpause() is due.
  void give_head();
  bool held() const noexcept { return held_; }
  CURLcode unpause();

  // Decides the outcome, unless that is decided. The host is told in its detail, before `detail`.
  void fail(TransferError::Kind kind, std::string_view message, std::string_view detail = {}) noexcept;
  TransferError outcome(CURLcode code) const noexcept;

  // The owner's notes.
  enum class State { kIdle, kWaiting, kQueued, kRunning, kDone, kDoomed };
  struct Notes {
    State state = State::kIdle;
    CURLcode result = CURLE_OK;
    size_t index = 0;
    Reactor::TimerId wait_timer = 0;
    void* handle = nullptr;
    std::vector<int> connecting;  // sockets that libcurl waits for while the connection is not established
  } notes;

 private:
  static size_t header_callback(char* data, size_t size, size_t count, void* self);
  static size_t write_callback(char* data, size_t size, size_t count, void* self);
  static size_t read_callback(char* to, size_t size, size_t count, void* self);
  static int seek_callback(void* self, curl_off_t offset, int origin);
  static int prereq_callback(void* self, char*, char*, int, int);
  static curl_socket_t open_socket_callback(void* self, curlsocktype purpose, curl_sockaddr* address);
  static int close_socket_callback(void* owner, curl_socket_t fd);

  size_t on_header(std::string_view line);
  size_t on_write(std::string_view bytes);
  void refuse_redirect();
  bool allows(const sockaddr& address) const noexcept;  // by the request's policy
  void drop_sent_body() noexcept;
  bool may_send() noexcept;
  curl_off_t sent_bytes() const noexcept;
  void set_fixed_options();
  void set_url();
  void set_method_and_body();
  void set_endpoint();
  void forget_options() noexcept;
  template <typename T>
  void set(CURLoption option, T value) noexcept {
    if (curl_easy_setopt(easy_, option, value) == CURLE_OUT_OF_MEMORY) options_lost_ = true;
  }

  Owner& owner_;
  const CurlDefaults& defaults_;
  CURL* easy_;
  TransferSink* sink_ = nullptr;
  HttpRequest request_;
  const Endpoint* endpoint_ = nullptr;
  CurlHeaders headers_;
  HeadBuilder head_;
  uint64_t serial_ = 0;

  curl_off_t sent_before_ = 0;  // sent_bytes() when it was first to be sent
  bool sent_ = false;  // there was a connection: some of the request may have left
  bool connected_ = false;  // as sent_, but for the attempt after a kept connection turned out dead
  bool head_given_ = false;
  bool held_ = false;        // libcurl was told to pause because the owner is holding
  bool paused_ = false;
  bool in_sink_ = false;
  uint64_t body_bytes_ = 0;
  TransferError fault_;
  std::array<char, CURL_ERROR_SIZE> error_text_{};

  RequestBody body_;  // what is to be sent

  // Options as they are set now.
  bool options_lost_ = false;  // one was not taken: none of the below is certain
  std::string url_set_;
  CURLU* parsed_ = nullptr;  // url_set_
  std::string method_set_;
  std::string joined_;  // a short body in one piece: it goes out with the headers in one write
  long connect_ms_set_ = -1;
  long buffer_set_ = -1;
  std::shared_ptr<const Endpoint> endpoint_set_;
};

}  // namespace llmrouter::net

#endif  // LLMROUTER_NET_CURL_EXCHANGE_H_
