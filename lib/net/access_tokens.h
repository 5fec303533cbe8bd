// The tokens of one credential: the one in use, and who waits for the next.
#ifndef LLMROUTER_NET_ACCESS_TOKENS_H_
#define LLMROUTER_NET_ACCESS_TOKENS_H_

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "llmrouter/reactor.h"
#include "llmrouter/token.h"

namespace llmrouter {

// Thread-safe. Whoever finds no token, or one that is to be renewed, and gets kFetch, fetches; the others wait or use what there is. Each thread keeps
// what it was given, so the lock is taken when a token changes and not for each request.
class AccessTokens {
 public:
  struct Token {
    Secret header;         // "Bearer ..."
    TimePoint renew_at{};  // from then on somebody asks for a new one
    TimePoint ends{};      // from then on it is of no use
  };

  // Somebody who waits. `wake` is called on the reactor's thread, in a later drive, unless leave() came first.
  class Waiter {
   public:
    virtual ~Waiter() = default;
    virtual void wake() = 0;
  };

  explicit AccessTokens(std::shared_ptr<const TokenExchange> exchange) : exchange_(std::move(exchange)) {}
  const TokenExchange& exchange() const noexcept { return *exchange_; }

  enum class Answer { kReady, kFetch, kWait };
  // kReady: `token` is good. kFetch: the caller has to fetch, and to say how it went; `token` may still be good meanwhile. kWait: there is none, and a fetch
  // runs: join() it.
  Answer get(TimePoint now, std::shared_ptr<const Token>& token);
  // Becomes one of those who are told when the fetch that runs is over; false: it is over already.
  bool join(Reactor& reactor, const std::shared_ptr<Waiter>& waiter);
  void leave(const Waiter* waiter) noexcept;

  void fetched(AccessToken token, TimePoint now);
  void failed(TransferError error);
  void abandoned();  // whoever fetched is gone: one of those who wait takes over
  TransferError last_failure() const;  // kNone: the last fetch went well or was abandoned

 private:
  void end_fetch();  // under the lock

  const std::shared_ptr<const TokenExchange> exchange_;
  mutable std::mutex mutex_;
  std::shared_ptr<const Token> token_;
  bool fetching_ = false;
  TransferError failure_;
  std::vector<std::pair<Reactor*, std::shared_ptr<Waiter>>> waiters_;
};

}  // namespace llmrouter

#endif  // LLMROUTER_NET_ACCESS_TOKENS_H_
