#include "llmrouter/reactor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "catch.h"
#include "net/timer_queue.h"

using namespace llmrouter;
using namespace std::chrono_literals;

namespace {

struct Pair {
  Pair() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()) == 0); }
  ~Pair() {
    ::close(fds[0]);
    ::close(fds[1]);
  }
  void poke() { REQUIRE(::write(fds[1], "x", 1) == 1); }
  std::array<int, 2> fds{};
};

bool readable(int fd, int timeout_ms) {
  pollfd p{fd, POLLIN, 0};
  return ::poll(&p, 1, timeout_ms) == 1;
}

std::unique_ptr<Reactor> reactor_on(const Clock& clock) { return make_reactor(clock).value(); }

}  // namespace

TEST_CASE("a timer queue gives timers in order of time, then of age") {
  net::TimerQueue queue;
  std::mt19937 random(7);
  const TimePoint base{1s};
  std::multimap<std::pair<TimePoint, int>, net::TimerQueue::Id> expected;
  std::vector<int> fired, wanted;
  for (int i = 0; i < 5000; ++i) {
    if (!expected.empty() && random() % 3 == 0) {
      auto victim = expected.begin();
      std::advance(victim, random() % std::min<size_t>(expected.size(), 40));
      queue.cancel(victim->second);
      queue.cancel(victim->second);  // spent: ignored
      expected.erase(victim);
    }
    const TimePoint when = base + std::chrono::milliseconds(random() % 500);
    expected.emplace(std::make_pair(when, i), queue.add(when, [&fired, i] { fired.push_back(i); }));
    REQUIRE(queue.size() == expected.size());
    REQUIRE(*queue.next() == expected.begin()->first.first);
  }
  for (const auto& entry : expected) wanted.push_back(entry.first.second);
  while (auto fn = queue.take_due(base + 1h, queue.mark())) fn();
  CHECK(fired == wanted);
  CHECK(queue.empty());
  CHECK_FALSE(queue.next());
}

TEST_CASE("a cancelled timer's closure goes at once, and may come back to the reactor while it does") {
  ManualClock clock;
  auto reactor = reactor_on(clock);
  auto held = std::make_shared<int>(1);
  const auto id = reactor->add_timer(clock.now() + 1s, [held] {});
  CHECK(held.use_count() == 2);
  reactor->cancel_timer(id);
  CHECK(held.use_count() == 1);

  Reactor::TimerId other = reactor->add_timer(clock.now() + 1s, [] { FAIL("cancelled"); });
  struct Cancels {
    Reactor* reactor;
    Reactor::TimerId id;
    ~Cancels() { reactor->cancel_timer(id); }
  };
  auto chained = std::make_shared<Cancels>(Cancels{reactor.get(), other});
  const auto outer = reactor->add_timer(clock.now() + 1s, [chained] {});
  chained.reset();
  reactor->cancel_timer(outer);
  CHECK_FALSE(reactor->deadline());
  clock.advance(2s);
  reactor->drive();
}

TEST_CASE("timers run at or after their time, in order, once") {
  ManualClock clock;
  auto reactor = reactor_on(clock);
  std::vector<int> order;
  reactor->add_timer(clock.now() + 20ms, [&] { order.push_back(2); });
  reactor->add_timer(clock.now() + 10ms, [&] { order.push_back(1); });
  reactor->add_timer(clock.now() + 20ms, [&] { order.push_back(3); });
  CHECK(*reactor->deadline() == clock.now() + 10ms);
  reactor->drive();
  CHECK(order.empty());
  clock.advance(10ms);
  reactor->drive();
  CHECK(order == std::vector<int>{1});
  clock.advance(10ms);
  reactor->drive();
  reactor->drive();
  CHECK(order == std::vector<int>{1, 2, 3});
}

TEST_CASE("a timer cancels another that is due in the same drive") {
  ManualClock clock;
  auto reactor = reactor_on(clock);
  int ran = 0;
  Reactor::TimerId second = 0;
  reactor->add_timer(clock.now() + 1ms, [&] {
    ++ran;
    reactor->cancel_timer(second);
  });
  second = reactor->add_timer(clock.now() + 2ms, [&] { ++ran; });
  clock.advance(5ms);
  reactor->drive();
  reactor->drive();
  CHECK(ran == 1);
}

TEST_CASE("timers that breed timers run them in later drives and starve nobody") {
  ManualClock clock;
  auto reactor = reactor_on(clock);
  int bred = 0, patient = 0;
  std::function<void()> breed = [&] {
    ++bred;
    reactor->add_timer(TimePoint{}, breed);  // long ago
  };
  reactor->add_timer(TimePoint{}, breed);
  reactor->add_timer(clock.now(), [&] { ++patient; });
  reactor->drive();
  CHECK(bred == 1);
  CHECK(patient == 1);
  reactor->drive();
  CHECK(bred == 2);
}

TEST_CASE("a drive inside a drive is refused") {
  ManualClock clock;
  auto reactor = reactor_on(clock);
  int ran = 0;
  reactor->post([&] {
    reactor->add_timer(TimePoint{}, [&] { ++ran; });
    reactor->drive();
    CHECK_FALSE(reactor->run_until([] { return true; }));
    CHECK(ran == 0);
  });
  reactor->drive();
  reactor->drive();
  CHECK(ran == 1);
}

TEST_CASE("a callback that throws leaves the reactor usable") {
  ManualClock clock;
  auto reactor = reactor_on(clock);
  Pair pair;
  int ran = 0;
  REQUIRE(reactor->watch(pair.fds[0], Reactor::kRead, [&](unsigned) {
    if (++ran == 1) throw std::runtime_error("once");
  }));
  pair.poke();
  CHECK_THROWS(reactor->drive());
  reactor->drive();
  CHECK(ran == 2);
}

TEST_CASE("watchers get what they asked for") {
  auto reactor = reactor_on(system_clock());
  Pair pair;
  unsigned seen = 0;
  REQUIRE(reactor->watch(pair.fds[0], Reactor::kRead | Reactor::kWrite, [&](unsigned ready) { seen = ready; }));
  reactor->drive();
  CHECK(seen == Reactor::kWrite);
  pair.poke();
  reactor->drive();
  CHECK(seen == (Reactor::kRead | Reactor::kWrite));
  seen = 0;
  REQUIRE(reactor->watch(pair.fds[0], Reactor::kRead, [&](unsigned ready) { seen = ready | 8U; }));
  reactor->drive();
  CHECK(seen == (Reactor::kRead | 8U));
  seen = 0;
  REQUIRE(reactor->watch(pair.fds[0], 0, {}));
  reactor->drive();
  CHECK(seen == 0);
  reactor->unwatch(pair.fds[0]);
  reactor->unwatch(-1);
  reactor->unwatch(100000);
  CHECK_FALSE(reactor->watch(-1, Reactor::kRead, [](unsigned) {}).ok());
  CHECK_FALSE(reactor->watch(pair.fds[0], Reactor::kRead, {}).ok());
  const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  const auto refused = reactor->watch(file, Reactor::kRead, [](unsigned) {});
  CHECK_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::kIo);
  ::close(file);
}

TEST_CASE("a close by the other side is told to a reader") {
  auto reactor = reactor_on(system_clock());
  Pair pair;
  int told = 0;
  REQUIRE(reactor->watch(pair.fds[0], Reactor::kRead, [&](unsigned ready) {
    CHECK(ready == Reactor::kRead);
    ++told;
    reactor->unwatch(pair.fds[0]);
  }));
  ::shutdown(pair.fds[1], SHUT_RDWR);
  reactor->drive();
  reactor->drive();
  CHECK(told == 1);
}

TEST_CASE("an event already fetched is void once its watcher is gone") {
  auto reactor = reactor_on(system_clock());
  Pair a, b;
  int ran = 0;
  const auto first_wins = [&](int other) {
    return [&, other](unsigned) {
      ++ran;
      reactor->unwatch(other);
    };
  };
  REQUIRE(reactor->watch(a.fds[0], Reactor::kRead, first_wins(b.fds[0])));
  REQUIRE(reactor->watch(b.fds[0], Reactor::kRead, first_wins(a.fds[0])));
  a.poke();
  b.poke();
  reactor->drive();
  CHECK(ran == 1);
}

TEST_CASE("an event already fetched does not reach a descriptor that took the number") {
  auto reactor = reactor_on(system_clock());
  Pair a, b, fresh;
  int stray = 0, ran = 0;
  const auto replace = [&](int self, int other) {
    return [&, self, other](unsigned) {
      ++ran;
      reactor->unwatch(self);
      reactor->unwatch(other);
      REQUIRE(::dup2(fresh.fds[0], other) == other);  // closes `other`: the number is another socket now, with nothing to read
      REQUIRE(reactor->watch(other, Reactor::kRead, [&](unsigned) { ++stray; }));
    };
  };
  REQUIRE(reactor->watch(a.fds[0], Reactor::kRead, replace(a.fds[0], b.fds[0])));
  REQUIRE(reactor->watch(b.fds[0], Reactor::kRead, replace(b.fds[0], a.fds[0])));
  a.poke();
  b.poke();
  reactor->drive();
  CHECK(ran == 1);
  CHECK(stray == 0);
  fresh.poke();
  reactor->drive();
  CHECK(stray == 1);
}

TEST_CASE("a descriptor closed without unwatch and used again can be watched") {
  auto reactor = reactor_on(system_clock());
  auto old = std::make_unique<Pair>();
  const int number = old->fds[0];
  REQUIRE(reactor->watch(number, Reactor::kRead, [](unsigned) { FAIL("the old one"); }));
  old.reset();
  Pair fresh;
  if (fresh.fds[0] != number) REQUIRE(::dup2(fresh.fds[0], number) == number);
  int seen = 0;
  REQUIRE(reactor->watch(number, Reactor::kRead, [&](unsigned) { ++seen; }));
  fresh.poke();
  reactor->drive();
  CHECK(seen == 1);
  if (fresh.fds[0] != number) ::close(number);
}

TEST_CASE("a watcher may replace itself, watch more and go while it runs") {
  auto reactor = reactor_on(system_clock());
  Pair pair;
  std::vector<std::unique_ptr<Pair>> more;
  std::vector<int> log;
  REQUIRE(reactor->watch(pair.fds[0], Reactor::kRead, [&, owned = std::make_shared<int>(5)](unsigned) {
    for (int i = 0; i < 40; ++i) {  // the table grows under us
      more.push_back(std::make_unique<Pair>());
      REQUIRE(reactor->watch(more.back()->fds[0], Reactor::kRead, [](unsigned) {}));
    }
    REQUIRE(reactor->watch(pair.fds[0], Reactor::kRead, [&](unsigned) {
      log.push_back(2);
      reactor->unwatch(pair.fds[0]);
      log.push_back(3);
    }));
    log.push_back(*owned);
  }));
  pair.poke();
  for (int i = 0; i < 3; ++i) reactor->drive();
  CHECK(log == std::vector<int>{5, 2, 3});
}

TEST_CASE("posts from many threads all run, in each thread's order, and wake a sleeping host") {
  auto reactor = reactor_on(system_clock());
  constexpr int kThreads = 4, kEach = 5000;
  std::array<int, kThreads> next{};
  std::atomic<bool> in_order{true};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        reactor->post([&, t, i] {
          if (next[static_cast<size_t>(t)]++ != i) in_order = false;
        });
      }
    });
  }
  const bool all = reactor->run_until([&] { return next == std::array<int, kThreads>{kEach, kEach, kEach, kEach}; },
                                      std::chrono::steady_clock::now() + 20s);
  for (auto& thread : threads) thread.join();
  CHECK(all);
  CHECK(in_order);
}

TEST_CASE("many posts make the descriptor readable until they have run, and no longer") {
  auto reactor = reactor_on(system_clock());
  CHECK_FALSE(readable(reactor->fd(), 0));
  int ran = 0;
  for (int i = 0; i < 3000; ++i) reactor->post([&] { ++ran; });
  int drives = 0;
  while (readable(reactor->fd(), 0) && drives < 100) {
    const int before = ran;
    reactor->drive();
    ++drives;
    CHECK(ran - before <= 1024);  // a host's own events get their turn
  }
  CHECK(ran == 3000);
  CHECK(drives <= 5);
}

TEST_CASE("a task that posts runs in one drive, what it posted in the next") {
  auto reactor = reactor_on(system_clock());
  int ran = 0;
  reactor->post([&] {
    ++ran;
    reactor->post([&] { ++ran; });
  });
  reactor->drive();
  CHECK(ran == 1);
  CHECK(readable(reactor->fd(), 0));
  reactor->drive();
  CHECK(ran == 2);
}

TEST_CASE("tasks and timers not run are destroyed with the reactor") {
  auto held = std::make_shared<int>(0);
  {
    auto reactor = reactor_on(system_clock());
    reactor->post([held] { FAIL("never"); });
    reactor->add_timer(std::chrono::steady_clock::now() + 1h, [held] { FAIL("never"); });
    CHECK(held.use_count() == 3);
  }
  CHECK(held.use_count() == 1);
}

TEST_CASE("a host that only watches the descriptor is woken for timers") {
  auto reactor = reactor_on(system_clock());
  int ran = 0;
  const TimePoint start = std::chrono::steady_clock::now();
  reactor->add_timer(start + 1h, [] {});
  reactor->add_timer(start + 30ms, [&] { ++ran; });
  REQUIRE(readable(reactor->fd(), 5000));
  CHECK(std::chrono::steady_clock::now() >= start + 30ms);
  reactor->drive();
  CHECK(ran == 1);
  // From inside a drive as well, and for one that is due already.
  reactor->add_timer(start, [&] { reactor->add_timer(start, [&] { ++ran; }); });
  reactor->drive();
  CHECK(ran == 1);
  REQUIRE(readable(reactor->fd(), 5000));
  reactor->drive();
  CHECK(ran == 2);
  CHECK_FALSE(readable(reactor->fd(), 0));
}

TEST_CASE("who asks for the descriptor late is woken for what was added before") {
  auto reactor = reactor_on(system_clock());
  int ran = 0;
  reactor->add_timer(std::chrono::steady_clock::now(), [&] { ++ran; });
  CHECK(reactor->run_until([&] { return ran == 1; }));
  reactor->add_timer(std::chrono::steady_clock::now(), [&] { ++ran; });
  REQUIRE(readable(reactor->fd(), 0));
  reactor->drive();
  CHECK(ran == 2);
  CHECK_FALSE(readable(reactor->fd(), 0));
}

TEST_CASE("a cancelled timer costs an idle wake at most") {
  auto reactor = reactor_on(system_clock());
  const auto id = reactor->add_timer(std::chrono::steady_clock::now() + 5ms, [] { FAIL("cancelled"); });
  reactor->cancel_timer(id);
  readable(reactor->fd(), 50);
  reactor->drive();
  CHECK_FALSE(readable(reactor->fd(), 20));
}

TEST_CASE("run_until returns at its limit, and when it is done") {
  auto reactor = reactor_on(system_clock());
  const TimePoint start = std::chrono::steady_clock::now();
  CHECK_FALSE(reactor->run_until([] { return false; }, start + 20ms));
  CHECK(std::chrono::steady_clock::now() >= start + 20ms);
  bool done = false;
  reactor->add_timer(start, [&] { done = true; });
  CHECK(reactor->run_until([&] { return done; }));
  CHECK(reactor->run_until([] { return true; }, start));
}

TEST_CASE("timers that breed timers keep neither descriptors nor posts from their turn in run_until") {
  auto reactor = reactor_on(system_clock());
  Pair pair;
  int turns = 0, heard_at = 0, ran_at = 0;
  std::function<void()> again = [&] {
    ++turns;
    reactor->add_timer(reactor->clock().now(), again);
  };
  reactor->add_timer(reactor->clock().now(), again);
  reactor->run_until([&] { return turns > 3; });
  turns = 0;
  REQUIRE(reactor->watch(pair.fds[0], Reactor::kRead, [&](unsigned) {
    heard_at = turns;
    reactor->unwatch(pair.fds[0]);
  }));
  pair.poke();
  reactor->post([&] { ran_at = turns; });
  CHECK(reactor->run_until([&] { return turns > 50; }, std::chrono::steady_clock::now() + 10s));
  CHECK(heard_at > 0);
  CHECK(heard_at <= 10);
  CHECK(ran_at > 0);
  CHECK(ran_at <= 10);
}

TEST_CASE("with a manual clock timers follow that clock alone") {
  ManualClock clock;
  auto reactor = reactor_on(clock);
  int ran = 0;
  reactor->add_timer(clock.now() + 1h, [&] { ++ran; });
  CHECK_FALSE(reactor->run_until([&] { return ran > 0; }, std::chrono::steady_clock::now() + 10ms));
  std::thread mover([&] {
    clock.advance(1h);
    reactor->post([] {});
  });
  CHECK(reactor->run_until([&] { return ran > 0; }, std::chrono::steady_clock::now() + 10s));
  mover.join();
}

TEST_CASE("one drive does a bounded share of many ready descriptors, and all get their turn") {
  auto reactor = reactor_on(system_clock());
  std::vector<std::unique_ptr<Pair>> pairs;
  std::vector<int> hits(400);
  for (size_t i = 0; i < hits.size(); ++i) {
    pairs.push_back(std::make_unique<Pair>());
    REQUIRE(reactor->watch(pairs.back()->fds[0], Reactor::kRead, [&hits, i](unsigned) { ++hits[i]; }));
    pairs.back()->poke();
  }
  for (int i = 0; i < 3; ++i) reactor->drive();
  CHECK(std::count(hits.begin(), hits.end(), 0) == 0);
}
