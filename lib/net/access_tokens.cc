#include "net/access_tokens.h"

#include <algorithm>

namespace llmrouter {

AccessTokens::Answer AccessTokens::get(TimePoint now, std::shared_ptr<const Token>& token) {
  std::lock_guard<std::mutex> lock(mutex_);
  token = token_ && now < token_->ends ? token_ : nullptr;
  if (token && now < token->renew_at) return Answer::kReady;
  if (fetching_) return token ? Answer::kReady : Answer::kWait;
  fetching_ = true;
  failure_ = TransferError();
  return Answer::kFetch;
}

bool AccessTokens::join(Reactor& reactor, const std::shared_ptr<Waiter>& waiter) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!fetching_) return false;
  waiters_.emplace_back(&reactor, waiter);
  return true;
}

void AccessTokens::leave(const Waiter* waiter) noexcept {
  std::lock_guard<std::mutex> lock(mutex_);
  waiters_.erase(std::remove_if(waiters_.begin(), waiters_.end(), [&](const auto& w) { return w.second.get() == waiter; }), waiters_.end());
}

// A reactor outlives its transfers, and they leave before they go: those on the list can be posted to.
void AccessTokens::end_fetch() {
  fetching_ = false;
  for (auto& [reactor, waiter] : waiters_) {
    reactor->post([weak = std::weak_ptr<Waiter>(waiter)] {
      if (auto held = weak.lock()) held->wake();
    });
  }
  waiters_.clear();
}

void AccessTokens::fetched(AccessToken token, TimePoint now) {
  auto fresh = std::make_shared<Token>();
  fresh->header = Secret("Bearer " + token.value.reveal());
  // Renewed five minutes before its end, or when four fifths of a short life are over; not used in its last moments.
  const Duration life = token.lifetime;
  fresh->renew_at = now + std::max<Duration>(life - std::chrono::minutes(5), life * 4 / 5);
  fresh->ends = now + std::max<Duration>(life - std::chrono::seconds(10), life * 9 / 10);
  std::lock_guard<std::mutex> lock(mutex_);
  token_ = std::move(fresh);
  failure_ = TransferError();
  end_fetch();
}

void AccessTokens::failed(TransferError error) {
  std::lock_guard<std::mutex> lock(mutex_);
  failure_ = std::move(error);
  end_fetch();
}

void AccessTokens::abandoned() {
  std::lock_guard<std::mutex> lock(mutex_);
  failure_ = TransferError();
  end_fetch();
}

TransferError AccessTokens::last_failure() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return failure_;
}

std::shared_ptr<AccessTokens> make_access_tokens(std::shared_ptr<const TokenExchange> exchange) {
  return std::make_shared<AccessTokens>(std::move(exchange));
}

}  // namespace llmrouter
