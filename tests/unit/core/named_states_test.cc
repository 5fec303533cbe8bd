#include "core/named_states.h"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "catch.h"

using llmrouter::core::NamedStates;
using llmrouter::core::TargetState;
using llmrouter::core::UnseenInput;

namespace {

std::string nth(size_t i) { return "vendor/model-" + std::to_string(i); }

}  // namespace

TEST_CASE("a name has one state from when something is remembered of it, however it is spelled") {
  NamedStates states;
  CHECK(states.find(std::string_view("gpt-big")) == nullptr);
  CHECK(states.size() == 0);
  TargetState& big = states.enter("gpt-big");
  CHECK(&states.enter("gpt-big") == &big);
  CHECK(states.find(std::string_view("gpt-big")) == &big);
  CHECK(states.find({"gpt-*", 4, "big"}) == &big);
  CHECK(states.find({"*-big", 0, "gpt"}) == &big);
  CHECK(states.find({"g*g", 1, "pt-bi"}) == &big);
  for (const char* other : {"gpt-bi", "gpt-bigg", "gpt-bih", "", "*"}) CHECK(states.find(std::string_view(other)) == nullptr);
  CHECK(states.find({"gpt-*", 4, "bi"}) == nullptr);
  CHECK(states.find({"gpt*", 3, "big"}) == nullptr);
  CHECK(&states.enter("gpt-small") != &big);
  CHECK(&states.enter("") != &big);
  CHECK(states.size() == 3);
}

TEST_CASE("strangers' names are bounded: in number, in length and in what a lookup looks at") {
  NamedStates states;
  CHECK(&states.enter(std::string(NamedStates::kLongest + 1, 'x')) == &states.shared());
  CHECK(&states.enter(std::string(NamedStates::kLongest, 'x')) != &states.shared());

  SECTION("number") {
    std::set<TargetState*> own;
    for (size_t i = 1; i < NamedStates::kMost; ++i) own.insert(&states.enter(nth(i)));
    CHECK(own.size() == NamedStates::kMost - 1);
    CHECK(own.count(&states.shared()) == 0);
    CHECK(&states.enter("late") == &states.shared());
    CHECK(states.find(std::string_view("later")) == &states.shared());
    CHECK(states.size() == NamedStates::kMost);
    CHECK(states.find(std::string_view(nth(7))) == &states.enter(nth(7)));
    CHECK(own.count(states.find(std::string_view(nth(7)))) == 1);
  }
  SECTION("what a lookup looks at") {
    const std::string victim = "gpt-4o";
    std::vector<std::string> same;
    for (size_t i = 0; same.size() <= NamedStates::kDeepest; ++i) {
      if (NamedStates::hash(std::string_view(nth(i))) % NamedStates::kChains == NamedStates::hash(std::string_view(victim)) % NamedStates::kChains) same.push_back(nth(i));
    }
    for (size_t i = 0; i < NamedStates::kDeepest; ++i) CHECK(&states.enter(same[i]) != &states.shared());
    CHECK(&states.enter(same.back()) == &states.shared());
    CHECK(states.find(std::string_view(victim)) == &states.shared());
    CHECK(states.find(std::string_view(same[0])) != &states.shared());
    CHECK(states.size() == NamedStates::kDeepest + 1);
    CHECK(&states.enter("elsewhere") != &states.shared());
  }
}

TEST_CASE("names of the configuration have a state beyond all bounds, the one that strangers find") {
  NamedStates states;
  TargetState& before = states.enter("named before");
  CHECK(&states.keep("named before") == &before);
  const std::string long_name(4 * NamedStates::kLongest, 'x');
  TargetState& long_state = states.keep(long_name);
  CHECK(&states.enter(long_name) == &long_state);
  CHECK(states.find({"*" + long_name.substr(1), 0, "x"}) == &long_state);
  CHECK(states.find(std::string_view(long_name).substr(1)) == &states.shared());
  for (size_t i = 0; states.size() < NamedStates::kMost; ++i) states.enter(nth(i));
  CHECK(&states.enter("late") == &states.shared());
  TargetState& late = states.keep("late");
  CHECK(&late != &states.shared());
  CHECK(&states.enter("late") == &late);
  CHECK(states.find({"l*te", 1, "a"}) == &late);
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
  CHECK(&few.enter("stranger") != &few.shared());
  CHECK(few.size() == 1);
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
        TargetState* before = states.find(std::string_view(name));
        TargetState& state = states.enter(name);
        if (before != nullptr && before != &state && before != &states.shared()) ++lost;
        if (&state != &states.shared() && states.find(std::string_view(name)) != &state) ++lost;
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
      if (states.find(std::string_view(nth(i))) != state) ++torn;
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

TEST_CASE("what a target counts beyond a request's bytes is bounded, kept at its peak, and forgotten slowly") {
  UnseenInput unseen;
  CHECK(unseen.bound(100) == 400 + UnseenInput::kBeforeAny);
  unseen.counted(100, 90);
  CHECK(unseen.bound(100) == 400);
  unseen.counted(100, 1400);
  CHECK(unseen.bound(100) == 400 + 1000);
  CHECK(unseen.bound(5) == 20 + 1000);
  unseen.counted(100, 90);
  CHECK(unseen.bound(0) == 1000 - 1000 / 32 - 1);
  for (int i = 0; i < 1000; ++i) unseen.counted(100, 90);
  CHECK(unseen.bound(0) == 0);
  unseen.counted(1, INT64_MAX);
  CHECK(unseen.bound(0) == UnseenInput::kMost);
  CHECK(unseen.bound(INT64_MAX) > 0);
  unseen.counted(INT64_MAX, -1);
  CHECK(unseen.bound(-7) < UnseenInput::kMost);
}
