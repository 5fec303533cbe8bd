// The life of an exchange, from start() to its end.
#include "net/curl_transport.h"

#include <unistd.h>

#include <algorithm>
#include <new>

namespace llmrouter {
namespace net {

namespace {

constexpr Duration kSuspicion = std::chrono::seconds(2);  // time for another attempt
constexpr size_t kMostSuspects = 64;
constexpr size_t kIdleExchanges = 256;  // easy handles kept for reuse
constexpr char kDebianBundle[] = "/etc/ssl/certs/ca-certificates.crt";
using State = CurlExchange::State;

bool init_libcurl() noexcept {
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;  // once for the process, for good
  return ready;
}

}  // namespace

Result<void> CurlTransport::open(const CurlOptions& options) {
  if (!init_libcurl()) return Error(ErrorCode::kInternal, "libcurl cannot be initialised");
  multi_ = curl_multi_init();
  share_ = curl_share_init();
  if (multi_ == nullptr || share_ == nullptr) return Error(ErrorCode::kInternal, "no memory for libcurl");
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &socket_callback);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &timer_callback);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_MULTIPLEX));
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(std::max(options.idle_connections, 1)));
  curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, static_cast<long>(std::max(options.max_connections, 0)));
  curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, static_cast<long>(std::max(options.max_per_host, 0)));
  curl_share_setopt(share_, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);  // one thread: no lock functions
  defaults_.share = share_;
  defaults_.user_agent = options.user_agent;
  defaults_.ca_file = options.ca_file;
  if (defaults_.ca_file.empty() && ::access(kDebianBundle, R_OK) == 0) defaults_.ca_file = kDebianBundle;
  defaults_.endpoint = std::make_shared<const Endpoint>();
  return {};
}

CurlTransport::~CurlTransport() {
  reactor_.cancel_timer(timer_);
  reactor_.cancel_timer(settle_timer_);
  for (const auto& exchange : exchanges_) {
    reactor_.cancel_timer(exchange->notes.wait_timer);
    exchange->silence();
    if (multi_ != nullptr) take_out(*exchange);
  }
  exchanges_.clear();
  if (multi_ != nullptr) curl_multi_cleanup(multi_);
  if (share_ != nullptr) curl_share_cleanup(share_);
}

std::unique_ptr<Transfer> CurlTransport::start(HttpRequest request, TransferSink& sink) {
  auto handle = std::make_unique<Handle>(*this);
  CurlExchange& exchange = obtain();
  exchange.notes.handle = handle.get();
  handle->set(&exchange);
  try {
    if (!exchange.begin(std::move(request), sink)) {
      end_later(exchange, CURLE_FAILED_INIT);
    } else if (gate_.enter(exchange, exchange.resolved_name(), reactor_.clock().now()) == ResolveGate::Entry::kWaits) {
      wait_for_resolver(exchange);
    } else {
      launch(exchange);
    }
  } catch (const std::bad_alloc&) {
    exchange.fail(TransferError::Kind::kInternal, "out of memory");
    end_later(exchange, CURLE_OUT_OF_MEMORY);
  }
  return handle;
}

CurlExchange& CurlTransport::obtain() {
  if (CurlExchange* exchange = idle_.take_first()) {
    --idle_count_;
    return *exchange;
  }
  exchanges_.reserve(exchanges_.size() + 1 > exchanges_.capacity() ? exchanges_.capacity() * 2 + 16 : exchanges_.capacity());
  exchanges_.push_back(std::make_unique<CurlExchange>(static_cast<CurlExchange::Owner&>(*this), defaults_));
  exchanges_.back()->notes.index = exchanges_.size() - 1;
  return *exchanges_.back();
}

void CurlTransport::wait_for_resolver(CurlExchange& exchange) {
  exchange.notes.state = State::kWaiting;
  const Duration limit = exchange.request().connect_timeout;
  if (limit <= Duration::zero()) return;
  exchange.notes.wait_timer = reactor_.add_timer(reactor_.clock().now() + limit, [this, &exchange] {
    exchange.notes.wait_timer = 0;
    exchange.fail(TransferError::Kind::kConnectTimeout, "timed out while the name was being looked up");
    gate_.leave(exchange);
    end_later(exchange, CURLE_OPERATION_TIMEDOUT);
  });
}

void CurlTransport::launch(CurlExchange& exchange) {
  if (in_libcurl_) {
    exchange.notes.state = State::kQueued;
    queued_.add_last(exchange);
    return;
  }
  if (add(exchange)) send_now();
}

bool CurlTransport::add(CurlExchange& exchange) {
  exchange.notes.state = State::kRunning;
  const CURLMcode code = curl_multi_add_handle(multi_, exchange.easy());
  if (code == CURLM_OK) return true;
  exchange.fail(TransferError::Kind::kInternal, curl_multi_strerror(code));
  end_later(exchange, CURLE_FAILED_INIT);
  return false;
}

// Lets libcurl begin what was added, without waiting for a turn of the loop.
void CurlTransport::send_now() {
  {
    const Flagged holding(holding_);
    act(CURL_SOCKET_TIMEOUT, 0);
  }
  if (!settling_) apply();
}

void CurlTransport::end_later(CurlExchange& exchange, CURLcode result) noexcept {
  exchange.notes.state = State::kDone;
  exchange.notes.result = result;
  done_.add_last(exchange);
  settle_later();
}

void CurlTransport::tell_end(CurlExchange& exchange) {
  take_out(exchange);
  const CURLcode result = exchange.notes.result;
  if (result == CURLE_COULDNT_RESOLVE_HOST || result == CURLE_COULDNT_RESOLVE_PROXY) {
    const TransferError error = exchange.outcome(result);
    gate_.fail(exchange);
    while (ResolveGate::Guest* guest = gate_.take_failed()) {
      auto& waiter = static_cast<CurlExchange&>(*guest);
      reactor_.cancel_timer(std::exchange(waiter.notes.wait_timer, 0));
      end_later(waiter, result);
    }
  }
  const uint64_t serial = exchange.serial();
  if (exchange.Hook<Held>::linked()) exchange.give_head();
  if (exchange.serial() != serial) return;  // destroyed by its sink
  TransferSink* sink = exchange.sink();
  const TransferError error = exchange.outcome(result);
  detach(exchange);
  recycle(exchange);
  if (sink != nullptr) sink->on_end(error);
}

void CurlTransport::detach(CurlExchange& exchange) noexcept {
  exchange.silence();
  if (auto* handle = static_cast<Handle*>(std::exchange(exchange.notes.handle, nullptr))) handle->set(nullptr);
}

// Nobody wants to hear of it any more.
void CurlTransport::abandon(CurlExchange& exchange) noexcept {
  detach(exchange);
  switch (exchange.notes.state) {
    case State::kQueued:
    case State::kWaiting:
      recycle(exchange);
      break;
    case State::kRunning:
      if (in_libcurl_) {
        exchange.notes.state = State::kDoomed;
        doomed_.add_last(exchange);
        break;
      }
      take_out(exchange);
      recycle(exchange);
      if (!settling_) apply();
      break;
    case State::kDone:  // when its turn comes there is nobody to tell
    case State::kDoomed:
    case State::kIdle:
      break;
  }
  if (!gate_.idle()) settle_later();
}

void CurlTransport::recycle(CurlExchange& exchange) noexcept {
  gate_.leave(exchange);
  reactor_.cancel_timer(std::exchange(exchange.notes.wait_timer, 0));
  exchange.Hook<Held>::unlink();
  exchange.Hook<Resuming>::unlink();
  exchange.notes.state = State::kIdle;
  exchange.end();
  idle_.add_first(exchange);  // the one used last is the warmest
  ++idle_count_;
}

void CurlTransport::trim() {
  for (; idle_count_ > kIdleExchanges; --idle_count_) {
    const size_t index = idle_.take_first()->notes.index;
    std::swap(exchanges_[index], exchanges_.back());
    exchanges_[index]->notes.index = index;
    exchanges_.pop_back();
  }
}

void CurlTransport::connection_died(std::string_view authority) noexcept {
  try {
    if (suspects_.size() >= kMostSuspects) suspects_.erase(suspects_.begin());
    suspects_.push_back({std::string(authority), reactor_.clock().now() + kSuspicion});
  } catch (const std::bad_alloc&) {  // then the next one may meet a dead connection, too
  }
}

bool CurlTransport::wants_fresh(std::string_view authority) noexcept {
  if (suspects_.empty()) return false;
  std::erase_if(suspects_, [now = reactor_.clock().now()](const Suspect& s) { return s.until <= now; });
  return std::any_of(suspects_.begin(), suspects_.end(), [&](const Suspect& s) { return s.authority == authority; });
}

void CurlTransport::take_out(CurlExchange& exchange) noexcept {
  // While these are still open for certain.
  if (!exchange.connected()) {
    for (const int fd : exchange.notes.connecting) sockets_.forget(fd);
  }
  exchange.notes.connecting.clear();
  curl_multi_remove_handle(multi_, exchange.easy());
}

}  // namespace net

Result<std::unique_ptr<Transport>> make_curl_transport(Reactor& reactor, const CurlOptions& options) {
  auto transport = std::make_unique<net::CurlTransport>(reactor);
  if (auto opened = transport->open(options); !opened) return std::move(opened).error();
  return std::unique_ptr<Transport>(std::move(transport));
}

}  // namespace llmrouter
