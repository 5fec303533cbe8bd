#include "core/named_states.h"

#include <map>
#include <memory>
#include <set>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "catch.h"
#include "core/random.h"

using llmrouter::core::NamedStates;
using llmrouter::core::TargetState;
using llmrouter::core::UnseenInput;

namespace {

constexpr llmrouter::TimePoint kNow{std::chrono::hours(1)};

std::string nth(size_t i) { return "vendor/model-" + std::to_string(i); }

}  // namespace

TEST_CASE("a name has one state from when something is remembered of it, however it is spelled") {
  NamedStates states;
  CHECK(states.find(std::string_view("gpt-big"), kNow) == nullptr);
  CHECK(states.size() == 0);
  TargetState& big = states.enter("gpt-big", kNow);
  CHECK(&states.enter("gpt-big", kNow) == &big);
  CHECK(states.find(std::string_view("gpt-big"), kNow) == &big);
  CHECK(states.find({"gpt-*", 4, "big"}, kNow) == &big);
  CHECK(states.find({"*-big", 0, "gpt"}, kNow) == &big);
  CHECK(states.find({"g*g", 1, "pt-bi"}, kNow) == &big);
  for (const char* other : {"gpt-bi", "gpt-bigg", "gpt-bih", "", "*"}) CHECK(states.find(std::string_view(other), kNow) == nullptr);
  CHECK(states.find({"gpt-*", 4, "bi"}, kNow) == nullptr);
  CHECK(states.find({"gpt*", 3, "big"}, kNow) == nullptr);
  CHECK(&states.enter("gpt-small", kNow) != &big);
  CHECK(&states.enter("", kNow) != &big);
  CHECK(states.size() == 3);
}

TEST_CASE("strangers' names are bounded: in number, in length and in what a lookup looks at") {
  NamedStates states;
  CHECK(&states.enter(std::string(NamedStates::kLongest + 1, 'x'), kNow) == &states.shared());
  CHECK(&states.enter(std::string(NamedStates::kLongest, 'x'), kNow) != &states.shared());

  SECTION("number") {
    std::set<TargetState*> own;
    for (size_t i = 1; i < NamedStates::kMost; ++i) own.insert(&states.enter(nth(i), kNow));
    CHECK(own.size() == NamedStates::kMost - 1);
    CHECK(own.count(&states.shared()) == 0);
    CHECK(&states.enter("late", kNow) == &states.shared());
    CHECK(states.find(std::string_view("later"), kNow) == &states.shared());
    CHECK(states.size() == NamedStates::kMost);
    CHECK(states.find(std::string_view(nth(7)), kNow) == &states.enter(nth(7), kNow));
    CHECK(own.count(states.find(std::string_view(nth(7)), kNow)) == 1);
  }
  SECTION("what a lookup looks at") {
    const std::string victim = "gpt-4o";
    std::vector<std::string> same;
    for (size_t i = 0; same.size() <= NamedStates::kDeepest; ++i) {
      if (NamedStates::hash(std::string_view(nth(i))) % NamedStates::kChains == NamedStates::hash(std::string_view(victim)) % NamedStates::kChains) same.push_back(nth(i));
    }
    for (size_t i = 0; i < NamedStates::kDeepest; ++i) CHECK(&states.enter(same[i], kNow) != &states.shared());
    CHECK(&states.enter(same.back(), kNow) == &states.shared());
    CHECK(states.find(std::string_view(victim), kNow) == &states.shared());
    CHECK(states.find(std::string_view(same[0]), kNow) != &states.shared());
    CHECK(states.size() == NamedStates::kDeepest + 1);
    CHECK(&states.enter("elsewhere", kNow) != &states.shared());
  }
}

TEST_CASE("names of the configuration have a state beyond all bounds, the one that strangers find") {
  NamedStates states;
  TargetState& before = states.enter("named before", kNow);
  CHECK(&states.keep("named before") == &before);
  const std::string long_name(4 * NamedStates::kLongest, 'x');
  TargetState& long_state = states.keep(long_name);
  CHECK(&states.enter(long_name, kNow) == &long_state);
  CHECK(states.find({"*" + long_name.substr(1), 0, "x"}, kNow) == &long_state);
  CHECK(states.find(std::string_view(long_name).substr(1), kNow) == &states.shared());
  for (size_t i = 0; states.size() < NamedStates::kMost; ++i) states.enter(nth(i), kNow);
  CHECK(&states.enter("late", kNow) == &states.shared());
  TargetState& late = states.keep("late");
  CHECK(&late != &states.shared());
  CHECK(&states.enter("late", kNow) == &late);
  CHECK(states.find({"l*te", 1, "a"}, kNow) == &late);
  CHECK(states.size() == NamedStates::kMost);
  // Any number of them in one chain takes no stranger's place.
  NamedStates few;
  const size_t chain = NamedStates::hash(std::string_view("stranger")) % NamedStates::kChains;
  size_t kept = 0;
  for (size_t i = 0; kept <= NamedStates::kDeepest; ++i) {
    if (NamedStates::hash(std::string_view(nth(i))) % NamedStates::kChains != chain) continue;
    few.keep(nth(i));
    ++kept;
  }
  CHECK(&few.enter("stranger", kNow) != &few.shared());
  CHECK(few.size() == 1);
}

TEST_CASE("idle names make room, the one that was used longest ago first; who works or rests does not") {
  constexpr llmrouter::TimePoint kLater = kNow + NamedStates::kIdle + std::chrono::seconds(1);
  NamedStates states;
  // All of one chain, so that who goes is known.
  std::vector<std::string> same;
  const size_t chain = NamedStates::hash(std::string_view("gpt-4o")) % NamedStates::kChains;
  for (size_t i = 0; same.size() < 3 * NamedStates::kDeepest; ++i) {
    if (NamedStates::hash(std::string_view(nth(i))) % NamedStates::kChains == chain) same.push_back(nth(i));
  }
  std::vector<TargetState*> own;
  for (size_t i = 0; i < NamedStates::kDeepest; ++i) own.push_back(&states.enter(same[i], kNow + std::chrono::milliseconds(NamedStates::kDeepest - i)));
  llmrouter::AttemptSample sample;
  sample.total = std::chrono::seconds(3);
  for (TargetState* state : own) state->stats.started(), state->stats.ended(sample, kNow);
  CHECK(states.find(std::string_view("gpt-4o"), kNow) == &states.shared());
  CHECK(&states.enter("gpt-4o", kNow + NamedStates::kIdle) == &states.shared());  // not yet
  CHECK(states.find(std::string_view("gpt-4o"), kLater) == nullptr);              // nothing is remembered, and there will be a place

  own[NamedStates::kDeepest - 1]->stats.started();                    // the oldest ones: one works,
  states.keep(same[NamedStates::kDeepest - 2]);                       // one is named by a configuration now,
  own[NamedStates::kDeepest - 3]->health.rest_as_asked(kNow, std::chrono::hours(1), true);  // one rests,
  states.enter(same[NamedStates::kDeepest - 4], kLater);              // and one was used just now
  TargetState& fresh = states.enter("gpt-4o", kLater);
  CHECK(&fresh == own[NamedStates::kDeepest - 5]);
  CHECK(&states.enter("gpt-4o", kLater) == &fresh);
  CHECK(fresh.stats.attempts() == 0);
  CHECK(fresh.stats.stale(kLater));
  CHECK_FALSE(fresh.health.resting(kLater));
  CHECK(states.find({"gpt-*", 4, "4o"}, kLater) == &fresh);
  CHECK(states.find(std::string_view(same[NamedStates::kDeepest - 5]), kLater) == nullptr);
  CHECK(states.size() == NamedStates::kDeepest);
  CHECK(own[NamedStates::kDeepest - 6]->stats.attempts() == 1);
  // The rest go in their order; then there is nobody left to go.
  for (size_t i = 0; i + 5 < NamedStates::kDeepest; ++i) CHECK(&states.enter(same[NamedStates::kDeepest + i], kLater) == own[NamedStates::kDeepest - 6 - i]);
  CHECK(&states.enter(same[2 * NamedStates::kDeepest], kLater) == &states.shared());
  CHECK(states.find(std::string_view(same[2 * NamedStates::kDeepest]), kLater) == &states.shared());
  for (size_t i = NamedStates::kDeepest - 4; i < NamedStates::kDeepest; ++i) CHECK(states.find(std::string_view(same[i]), kLater) == own[i]);
  // What was found and used is used again without a search: touching counts as well.
  fresh.touch(kLater + NamedStates::kIdle);
  const auto much_later = kLater + NamedStates::kIdle + std::chrono::seconds(1);
  for (size_t i = 0; i < NamedStates::kDeepest; ++i) states.enter(same[2 * NamedStates::kDeepest + i], much_later);
  CHECK(states.find(std::string_view("gpt-4o"), much_later) == &fresh);
}

TEST_CASE("a full table takes in new names wherever they fall once the old ones are idle") {
  NamedStates states;
  for (size_t i = 0; states.size() < NamedStates::kMost; ++i) states.enter(nth(i), kNow);
  const auto later = kNow + 2 * NamedStates::kIdle;
  std::set<TargetState*> own;
  for (size_t i = 0; i < 500; ++i) own.insert(&states.enter("new/" + nth(i), later));
  CHECK(own.size() == 500);
  CHECK(own.count(&states.shared()) == 0);
  CHECK(states.size() == NamedStates::kMost);
}

TEST_CASE("threads that take each other's places never meet in one while they work there") {
  NamedStates states;
  std::vector<std::string> same;
  for (size_t i = 0; same.size() < 2 * NamedStates::kDeepest; ++i) {
    if (NamedStates::hash(std::string_view(nth(i))) % NamedStates::kChains < 1) same.push_back(nth(i));
  }
  std::shared_mutex time;  // nobody is between entering and beginning for as long as kIdle
  int64_t minutes = 0;
  std::atomic<size_t> lost{0}, crowded{0}, moved{0};
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      llmrouter::core::Random random(t);
      std::map<std::string, TargetState*> before;
      for (int i = 0; i < 3000; ++i) {
        const std::string& name = same[random.next() % same.size()];
        TargetState* state = nullptr;
        {
          std::shared_lock<std::shared_mutex> lock(time);
          state = &states.enter(name, kNow + std::chrono::minutes(minutes));
          state->stats.started();
        }
        if (state == &states.shared()) {
          ++crowded;
        } else {
          TargetState*& mine = before[name];
          if (mine != nullptr && mine != state) ++moved;
          mine = state;
        }
        if (i % 4 == 0) {
          std::lock_guard<std::shared_mutex> lock(time);
          minutes += 4;
        }
        std::shared_lock<std::shared_mutex> lock(time);
        const auto now = kNow + std::chrono::minutes(minutes);
        states.find(std::string_view(same[random.next() % same.size()]), now);
        if (state != &states.shared() && states.find(std::string_view(name), now) != state) ++lost;
        state->touch(now);
        state->stats.cancelled();
      }
    });
  }
  for (auto& t : threads) t.join();
  CHECK(lost == 0);
  CHECK(moved > 100);
  CHECK(crowded < 6000);
  CHECK(states.size() == NamedStates::kDeepest);
  for (const std::string& name : same) {
    if (const TargetState* state = states.find(std::string_view(name), kNow)) CHECK(state->stats.in_flight() == 0);
  }
}

TEST_CASE("threads that enter and look up the same names at once agree") {
  constexpr size_t kThreads = 4;
  const size_t names = GENERATE(size_t{1000}, NamedStates::kMost + 1000);
  NamedStates states;
  std::vector<std::vector<TargetState*>> seen(kThreads, std::vector<TargetState*>(names));
  std::vector<std::thread> threads;
  std::atomic<size_t> lost{0};
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (size_t step = 0; step < names; ++step) {
        const size_t i = t % 2 == 0 ? step : names - 1 - step;
        const std::string name = nth(i);
        TargetState* before = states.find(std::string_view(name), kNow);
        TargetState& state = states.enter(name, kNow);
        if (before != nullptr && before != &state && before != &states.shared()) ++lost;
        if (&state != &states.shared() && states.find(std::string_view(name), kNow) != &state) ++lost;
        state.stats.started();
        seen[t][i] = &state;
      }
    });
  }
  for (auto& t : threads) t.join();
  CHECK(lost == 0);
  std::map<TargetState*, size_t> owner;
  size_t torn = 0;
  for (size_t i = 0; i < names; ++i) {
    for (size_t t = 0; t < kThreads; ++t) {
      TargetState* state = seen[t][i];
      if (state == &states.shared()) continue;
      if (owner.emplace(state, i).first->second != i) ++torn;
      if (states.find(std::string_view(nth(i)), kNow) != state) ++torn;
    }
  }
  CHECK(torn == 0);
  int64_t started = states.shared().stats.in_flight();
  for (const auto& [state, name] : owner) started += state->stats.in_flight();
  CHECK(started == static_cast<int64_t>(kThreads * names));
  CHECK(states.size() == owner.size());
  CHECK(states.size() <= NamedStates::kMost);
  if (names < NamedStates::kMost) CHECK(states.size() == names);
}

TEST_CASE("what a target counts beyond a request's bytes is bounded, kept at its peak, and forgotten") {
  const llmrouter::WallTime now(std::chrono::seconds(1767225600));
  UnseenInput unseen;
  CHECK(unseen.bound(100, now) == 400 + UnseenInput::kBeforeAny);
  unseen.counted(100, 90, now);
  CHECK(unseen.bound(100, now) == 400);
  unseen.counted(100, 1400, now);
  CHECK(unseen.bound(100, now) == 400 + 1000);
  CHECK(unseen.bound(5, now) == 20 + 1000);
  unseen.counted(100, 90, now);
  CHECK(unseen.bound(0, now) == 1000 - 1000 / 32 - 1);
  for (int i = 0; i < 1000; ++i) unseen.counted(100, 90, now);
  CHECK(unseen.bound(0, now) == 0);
  unseen.counted(1, INT64_MAX, now);
  CHECK(unseen.bound(0, now) == UnseenInput::kMost);
  CHECK(unseen.bound(INT64_MAX, now) > 0);
  unseen.counted(INT64_MAX, -1, now);
  CHECK(unseen.bound(-7, now) < UnseenInput::kMost);
}

TEST_CASE("what one request had beyond its bytes is half as much each half minute, whether others come or not") {
  const llmrouter::WallTime begin(std::chrono::seconds(1767225600));
  const bool busy = GENERATE(false, true);
  UnseenInput unseen;
  unseen.counted(0, 800'000, begin);
  for (int second = 1; second <= 600; ++second) {
    const llmrouter::WallTime now = begin + std::chrono::seconds(second);
    if (busy && second % 20 == 0) unseen.counted(100, 90, now);
    const int64_t halves = second / 30;
    CHECK(unseen.bound(0, now) <= 800'000 >> halves);
    if (!busy) CHECK(unseen.bound(0, now) == 800'000 >> halves);
  }
  CHECK(unseen.bound(0, begin - std::chrono::hours(1)) <= 800'000);  // a clock that went back
  CHECK(unseen.bound(0, begin + std::chrono::hours(24 * 400)) == 0);
  unseen.counted(0, 500, begin + std::chrono::hours(24 * 400));
  CHECK(unseen.bound(0, begin + std::chrono::hours(24 * 400)) == 500);
}
