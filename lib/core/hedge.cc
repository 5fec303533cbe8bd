// Two attempts at once: a second one when the first takes longer than its target usually does, until one of them has something to pass on.
#include <algorithm>

#include "core/call_state.h"

namespace llmrouter {

Call::State::Attempt* Call::State::other_in_flight() noexcept {
  Attempt* other = at_ == &first_ ? second_.get() : &first_;
  return other != nullptr && other->in_flight ? other : nullptr;
}

// After an attempt was sent. One hedge for a call, chats alone: what else there is has no first token.
void Call::State::arm_hedge() {
  const HedgeConfig& hedge = snap_->config.routing.hedge;
  if (!core::may_hedge(hedge) || operation_ != Operation::kChat || hedged_ || committed_) return;
  const core::Candidate& c = candidates_[at_->current];
  if (attempts_ == 1) hedging_.earned = router_.hedges.earn(hedge.max_extra, core::expected_cost(*snap_, c, asking()));
  const Duration after = core::hedge_after(hedge, c, facts_.stream);
  if (after <= Duration(0)) return;
  reactor_.cancel_timer(hedge_timer_);
  hedge_timer_ = reactor_.add_timer(at_->began + after, [this] {
    Guard guard(this);
    hedge_timer_ = 0;
    on_hedge();
  });
}

void Call::State::on_hedge() {
  if (ended_ || committed_ || hedged_ || !at_->in_flight || other_in_flight() != nullptr || !awaits_first()) return;
  if (attempts_ >= most_attempts()) return;
  const size_t index = core::hedge_target(candidates_, at_->current, now());
  const int64_t cost = core::expected_cost(*snap_, candidates_[index], asking(), &candidates_[at_->current].stats());
  if (!router_.hedges.spend(cost)) return;
  hedged_ = true;
  Attempt* lead = at_;
  if (!second_) second_ = std::make_unique<Attempt>(*this);
  at_ = lead == &first_ ? second_.get() : &first_;
  candidates_[index].considered = true;
  if (start_attempt(index)) {
    router_.counters.hedges.fetch_add(1, std::memory_order_relaxed);
    hedging_.spent = std::max<int64_t>(0, cost);
    at_->hedge = true;
    hedge_beside_ = lead->current;
    return;
  }
  out_of_retries_ = false;  // the attempt under way may still fail, and be asked then
  router_.hedges.give_back(cost);
  lead_is(lead);
}

void Call::State::account_hedge(bool answered, int64_t cost) {
  if (hedging_.earned == 0 && hedging_.spent == 0) return;
  (at_->hedge ? hedging_.second : hedging_.first) += cost;
  if (!answered) {
    if (other_in_flight() == nullptr) router_.hedges.failed(hedging_);
    return;
  }
  const int64_t alone = at_->hedge ? cost_at(candidates_[hedge_beside_], at_->usage) : cost;
  router_.hedges.answered(snap_->config.routing.hedge.max_extra, hedging_, alone);
}

void Call::State::lead_is(Attempt* attempt) {
  at_ = attempt;
  record_.dropped = ignored_;
  name_dropped();
}

// The answer is this attempt's: the other one is let go at once, and what it has cost is accounted.
void Call::State::win() { drop_other("another attempt was faster"); }

void Call::State::drop_other(std::string_view why) {
  Attempt* loser = other_in_flight();
  if (loser == nullptr) return;
  Attempt* winner = at_;
  at_ = loser;
  loser->let_go();
  core::Candidate& c = candidates_[loser->current];
  c.enter(now()).stats.took_at_least(facts_.stream, now() - loser->began);
  end_attempt("cancelled", why, false);  // providers charge for what they have read, be the answer heard or not
  lead_is(winner);
}

}  // namespace llmrouter
