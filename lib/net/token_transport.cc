// Requests that need a token first.
#include <algorithm>
#include <deque>
#include <list>

#include "net/access_tokens.h"

namespace llmrouter {
namespace {

constexpr Duration kPatience = std::chrono::seconds(15);  // for one fetch
constexpr size_t kAnswerCap = 64 * 1024;

class TokenTransport;

// One fetch. It belongs to the transport, not to the request that began it: that one may go, the others still want the token.
class Fetch final : public TransferSink {
 public:
  Fetch(TokenTransport& owner, std::shared_ptr<AccessTokens> tokens) : owner_(owner), tokens_(std::move(tokens)) {}
  ~Fetch() override;
  void start(Transport& next, const std::shared_ptr<const Endpoint>& endpoint);
  bool told() const noexcept { return told_; }

  void on_head(const HttpHead& head) override { status_ = head.status; }
  Flow on_body(std::string_view bytes) override {
    if (body_.size() < kAnswerCap) body_.append(bytes.substr(0, kAnswerCap - body_.size()));
    return Flow::kContinue;
  }
  void on_end(const TransferError& error) override;

 private:
  void fail(const Error& error);
  void over();

  TokenTransport& owner_;
  std::shared_ptr<AccessTokens> tokens_;
  std::deque<std::string> owned_;
  std::unique_ptr<Transfer> transfer_;
  Reactor::TimerId timer_ = 0;
  int status_ = 0;
  std::string body_;
  bool told_ = false;
};

class TokenTransport final : public Transport {
 public:
  explicit TokenTransport(std::unique_ptr<Transport> next) : next_(std::move(next)) {}
  ~TokenTransport() override {
    reactor().cancel_timer(reaper_);
    fetches_.clear();
  }

  Reactor& reactor() noexcept override { return next_->reactor(); }
  std::unique_ptr<Transfer> start(HttpRequest request, TransferSink& sink) override;

  // A token that is good now; null: none. Begins a fetch when it is this thread's turn.
  std::shared_ptr<const AccessTokens::Token> token(const HttpRequest& request, AccessTokens::Answer* answer);
  std::unique_ptr<Transfer> send(HttpRequest request, const AccessTokens::Token& token, TransferSink& sink) {
    request.tokens.reset();
    request.headers.push_back({"authorization", token.header.reveal()});
    return next_->start(std::move(request), sink);
  }
  Transport& next() noexcept { return *next_; }
  // Not at once: the fetch is still on the stack.
  void reap() {
    if (reaper_ != 0) return;
    reaper_ = reactor().add_timer(reactor().clock().now(), [this] {
      reaper_ = 0;
      fetches_.remove_if([](const auto& fetch) { return fetch->told(); });
    });
  }

 private:
  struct Known {
    std::shared_ptr<AccessTokens> tokens;
    std::shared_ptr<const AccessTokens::Token> token;
  };
  std::unique_ptr<Transport> next_;
  std::vector<Known> known_;  // what this thread was given; as many as there are credentials
  std::list<std::unique_ptr<Fetch>> fetches_;
  Reactor::TimerId reaper_ = 0;
};

// A request that waits, and then is the exchange itself.
class WaitingTransfer final : public Transfer {
 public:
  WaitingTransfer(TokenTransport& owner, HttpRequest request, TransferSink& sink)
      : owner_(owner), request_(std::move(request)), sink_(sink), seat_(std::make_shared<Seat>(*this)) {}
  ~WaitingTransfer() override {
    if (request_.tokens) request_.tokens->leave(seat_.get());
    owner_.reactor().cancel_timer(timer_);
  }
  void resume() override {
    if (transfer_) transfer_->resume();
  }

  void wait() {
    if (request_.tokens->join(owner_.reactor(), seat_)) return;
    soon();  // it was over before we sat down
  }

 private:
  struct Seat final : AccessTokens::Waiter {
    explicit Seat(WaitingTransfer& owner) : owner_(owner) {}
    void wake() override { owner_.go_on(); }
    WaitingTransfer& owner_;
  };

  void soon() {
    timer_ = owner_.reactor().add_timer(owner_.reactor().clock().now(), [this] {
      timer_ = 0;
      go_on();
    });
  }

  void go_on() {
    // A failure that we waited for is ours; a fetch that nobody finished is begun anew.
    const TransferError failure = request_.tokens->last_failure();
    if (!failure.ok()) return sink_.on_end(failure);
    AccessTokens::Answer answer = AccessTokens::Answer::kWait;
    if (auto token = owner_.token(request_, &answer)) {
      auto tokens = std::move(request_.tokens);
      transfer_ = owner_.send(std::move(request_), *token, sink_);
      return;
    }
    wait();
  }

  TokenTransport& owner_;
  HttpRequest request_;
  TransferSink& sink_;
  std::shared_ptr<Seat> seat_;
  std::unique_ptr<Transfer> transfer_;
  Reactor::TimerId timer_ = 0;
};

std::unique_ptr<Transfer> TokenTransport::start(HttpRequest request, TransferSink& sink) {
  if (!request.tokens) return next_->start(std::move(request), sink);
  AccessTokens::Answer answer = AccessTokens::Answer::kWait;
  if (auto token = this->token(request, &answer)) return send(std::move(request), *token, sink);
  auto waiting = std::make_unique<WaitingTransfer>(*this, std::move(request), sink);
  waiting->wait();
  return waiting;
}

std::shared_ptr<const AccessTokens::Token> TokenTransport::token(const HttpRequest& request, AccessTokens::Answer* answer) {
  const TimePoint now = reactor().clock().now();
  for (const Known& known : known_) {
    if (known.tokens == request.tokens && now < known.token->renew_at) return known.token;
  }
  std::shared_ptr<const AccessTokens::Token> token;
  *answer = request.tokens->get(now, token);
  known_.erase(std::remove_if(known_.begin(), known_.end(), [&](const Known& k) { return k.tokens == request.tokens || k.tokens.use_count() == 1; }), known_.end());
  if (token) known_.push_back({request.tokens, token});
  if (*answer == AccessTokens::Answer::kFetch) {
    fetches_.push_back(std::make_unique<Fetch>(*this, request.tokens));
    fetches_.back()->start(*next_, request.endpoint);
  }
  return token;
}

Fetch::~Fetch() {
  owner_.reactor().cancel_timer(timer_);
  if (!told_) tokens_->abandoned();
}

void Fetch::start(Transport& next, const std::shared_ptr<const Endpoint>& endpoint) {
  auto request = tokens_->exchange().request(next.reactor().clock().wall(), owned_);
  if (!request) return fail(request.error());
  request->endpoint = endpoint;
  timer_ = next.reactor().add_timer(next.reactor().clock().now() + kPatience, [this] {
    timer_ = 0;
    transfer_.reset();
    fail(Error(ErrorCode::kUpstreamTimeout, "no access token came within 15 s"));
  });
  transfer_ = next.start(std::move(*request), *this);
}

void Fetch::on_end(const TransferError& error) {
  if (!error.ok()) {
    Error failed(ErrorCode::kUpstreamError, "no access token: " + error.message);
    failed.detail = error.detail;
    return fail(failed);
  }
  auto token = tokens_->exchange().read(status_, body_);
  if (!token) return fail(token.error());
  told_ = true;
  tokens_->fetched(std::move(*token), owner_.reactor().clock().now());
  over();
}

void Fetch::fail(const Error& error) {
  using Kind = TransferError::Kind;
  TransferError failure;
  failure.kind = error.code == ErrorCode::kUpstreamCredentialsRejected ? Kind::kUnauthorized
                 : error.code == ErrorCode::kUpstreamTimeout           ? Kind::kConnectTimeout
                                                                       : Kind::kConnect;
  failure.message = error.message;
  failure.detail = error.detail;
  told_ = true;
  tokens_->failed(std::move(failure));
  over();
}

void Fetch::over() {
  owner_.reactor().cancel_timer(timer_);
  timer_ = 0;
  owner_.reap();
}

}  // namespace

std::unique_ptr<Transport> make_token_transport(std::unique_ptr<Transport> next) { return std::make_unique<TokenTransport>(std::move(next)); }

}  // namespace llmrouter
