// What docs/routing.md says of bad days, seen over whole calls: a Router, a clock that is moved, upstreams that fail as the scenario wants.
#include <cmath>
#include <cstdio>
#include <list>
#include <map>

#include "core/random.h"
#include "unit/core/call_fixture.h"

using namespace llmrouter;
using namespace llmrouter::test;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

struct Counts {
  int64_t calls = 0, failed = 0, attempts = 0;
};

struct Town : World {
  explicit Town(int providers) {
    parts.usage = nullptr;
    config.routing.strategy = "weighted";
    ModelConfig m = model("m", {});
    for (int i = 0; i < providers; ++i) {
      const std::string name(1, static_cast<char>('a' + i));
      config.providers.push_back(provider(name));
      m.targets.push_back({name, "x", 1, 1});
    }
    config.models = {m};
    begin = clock.now();
    transport.fallback = [this](const SeenRequest& r) {
      const size_t at = r.url.find("//") + 2;
      const char name = r.url[at];
      asked[name].push_back(now_s());
      per_second[static_cast<int64_t>(now_s())].attempts += 1;
      ScriptedReply reply = behave ? behave(name, r) : ScriptedReply::json(kWhole);
      if (reply.head_after == Duration(0)) reply.head_after = milliseconds(reply.status < 300 ? 200 : 20);
      return reply;
    };
  }
  ~Town() { calls.clear(); }

  double now_s() const { return static_cast<double>((clock.now() - begin).count()) / 1e9; }

  // Poisson arrivals until `until_s`; `who` says with which options each call is made.
  void live(double until_s, double per_second_, const std::function<CallOptions(core::Random&)>& who = {}) {
    if (!router) build();
    double next = now_s();
    for (;;) {
      next -= std::log(random.unit()) / per_second_;
      if (next >= until_s) break;
      pass(next);
      CallOptions options = who ? who(random) : CallOptions();
      One& one = calls.emplace_back();
      one.second = static_cast<int64_t>(next);
      one.key = std::string(options.key.reveal());
      one.call = router->relay(transport, {"openai", World::body("m")}, std::move(options), one.heard);
      per_second[one.second].calls += 1;
      for (int i = 0; i < 2; ++i) reactor->drive();
      if (calls.size() >= 512) sweep();
    }
    pass(until_s);
  }
  void pass(double until_s) {
    const TimePoint stop = begin + Duration(static_cast<int64_t>(until_s * 1e9));
    for (;;) {
      for (int posted = 0; posted < 3; ++posted) reactor->drive();
      const auto due = reactor->deadline();
      if (!due || *due > stop) break;
      if (*due > clock.now()) clock.advance(*due - clock.now());
    }
    if (clock.now() < stop) clock.advance(stop - clock.now());
    sweep();
  }
  void sweep() {
    for (auto it = calls.begin(); it != calls.end();) {
      if (it->heard.ends == 0) {
        ++it;
        continue;
      }
      const bool ok = it->heard.head.status == 200;
      if (!ok) per_second[it->second].failed += 1;
      (ok ? served : refused)[it->key] += 1;
      it = calls.erase(it);
    }
  }
  Counts between(double from_s, double to_s) const {
    Counts sum;
    for (const auto& [second, c] : per_second) {
      if (static_cast<double>(second) < from_s || static_cast<double>(second) >= to_s) continue;
      sum.calls += c.calls;
      sum.failed += c.failed;
      sum.attempts += c.attempts;
    }
    return sum;
  }
  int64_t asks(char name, double from_s, double to_s) const {
    const auto found = asked.find(name);
    if (found == asked.end()) return 0;
    return std::count_if(found->second.begin(), found->second.end(), [&](double t) { return t >= from_s && t < to_s; });
  }
  void row(const char* scenario, double from_s, double to_s) const {
    const Counts c = between(from_s, to_s);
    std::printf("%-34s %4.0f-%4.0f s %7lld calls %6lld failed %7lld attempts  a: %lld\n", scenario, from_s, to_s, static_cast<long long>(c.calls),
                static_cast<long long>(c.failed), static_cast<long long>(c.attempts), static_cast<long long>(asks('a', from_s, to_s)));
  }

  struct One {
    Heard heard;
    int64_t second = 0;
    std::string key;
    Call call;
  };
  TimePoint begin;
  core::Random random{11};
  std::list<One> calls;
  std::map<int64_t, Counts> per_second;
  std::map<char, std::vector<double>> asked;
  std::map<std::string, int64_t> served, refused;
  std::function<ScriptedReply(char, const SeenRequest&)> behave;
};

ScriptedReply broken(int status = 500) { return ScriptedReply::json(R"({"error":{"message":"no"}})", status); }

}  // namespace

TEST_CASE("bad day: an outage of one of three is left after a few requests, probed alone, and found over") {
  Town t(3);
  t.behave = [&](char name, const SeenRequest&) { return name == 'a' && t.now_s() >= 60 && t.now_s() < 180 ? broken() : ScriptedReply::json(kWhole); };
  t.live(300, 50);
  t.row("outage", 60, 180);
  CHECK(t.between(0, 300).failed == 0);
  // Three to see it, those under way meanwhile, and a probe after 30 and 90 s.
  CHECK(t.asks('a', 60, 180) >= 5);
  CHECK(t.asks('a', 60, 180) <= 12);
  CHECK(t.between(60, 180).attempts - t.between(60, 180).calls <= 12);
  CHECK(t.asks('a', 62, 180) <= 2);
  CHECK(t.asks('a', 180, 268) == 0);  // rests of 30, 60 and 120 s
  const auto all = static_cast<double>(t.between(275, 300).calls);
  CHECK(static_cast<double>(t.asks('a', 275, 300)) > 0.25 * all);
}

TEST_CASE("bad day: a brown-out of most requests is left, one of a few is borne, and callers see neither") {
  const double fails = GENERATE(0.7, 0.03);
  Town t(3);
  core::Random dice(5);
  t.behave = [&](char name, const SeenRequest&) {
    return name == 'a' && t.now_s() >= 30 && dice.unit() < fails ? broken(503) : ScriptedReply::json(kWhole);
  };
  t.live(150, 50);
  t.row(fails > 0.5 ? "brown-out, 70% fail" : "brown-out, 3% fail", 30, 150);
  CHECK(t.between(0, 150).failed == 0);
  const double share = static_cast<double>(t.asks('a', 35, 150)) / static_cast<double>(t.between(35, 150).calls);
  if (fails > 0.5) CHECK(share < 0.1);
  else CHECK(share > 0.25);
}

TEST_CASE("bad day: when everything is down the load on it grows by the retry budget alone, and nobody waits for its return") {
  Town t(3);
  t.behave = [&](char, const SeenRequest&) { return t.now_s() >= 30 && t.now_s() < 90 ? broken(503) : ScriptedReply::json(kWhole); };
  t.live(120, 100);
  t.row("all down", 30, 90);
  const Counts outage = t.between(30, 90);
  CHECK(outage.failed > outage.calls * 95 / 100);
  for (double from = 30; from <= 80; from += 5) {
    const Counts c = t.between(from, from + 10);
    CHECK(static_cast<double>(c.attempts) <= 1.2 * static_cast<double>(t.between(from - 1, from + 10).calls) + 100 + 20);
  }
  CHECK(t.between(91, 120).failed == 0);
  CHECK(t.between(90, 92).attempts <= t.between(90, 92).calls * 12 / 10 + 40);
}

TEST_CASE("bad day: keys that are limited rest exactly as they were told, while the other one works") {
  Town t(1);
  t.config.providers = {provider("a", {"k-1", "k-2"})};
  struct Window {
    int64_t second = -1;
    int count = 0;
    double until = 0;
  };
  std::map<std::string, Window> windows;
  int64_t too_early = 0, limited = 0;
  t.behave = [&](char, const SeenRequest& r) {
    Window& w = windows[r.header("authorization")];
    const double now = t.now_s();
    if (now < w.until - 0.001) ++too_early;
    if (const auto second = static_cast<int64_t>(now); w.second != second) w = {second, 0, w.until};
    if (++w.count <= 10) return ScriptedReply::json(kWhole);
    ++limited;
    const double left = std::ceil((static_cast<double>(w.second) + 1 - now) * 1000);
    w.until = now + left / 1000;
    ScriptedReply reply = broken(429);
    reply.headers.push_back({"retry-after-ms", std::to_string(static_cast<int>(left))});
    reply.head_after = Duration(1);
    return reply;
  };
  t.live(120, 12);
  t.row("limited keys", 0, 120);
  CHECK(limited > 0);
  CHECK(too_early == 0);
  const Counts all = t.between(0, 120);
  CHECK(all.failed * 100 <= all.calls);
}

TEST_CASE("bad day: a queue before a limit grants what the limit grants, in any window, and each key its turn") {
  Town t(1);
  t.config.providers[0].limits.requests = Rate{20, seconds(1), 20};
  t.config.routing.queue.max_wait = seconds(2);
  for (const char* name : {"busy", "calm"}) {
    FileKey key;
    key.spec.name = name;
    key.key = Secret(std::string("sk-") + name + "-0123456789abcdef");
    t.config.keys.push_back(key);
  }
  t.live(30, 60, [&](core::Random& random) {
    CallOptions options;
    options.trusted = false;
    options.key = t.config.keys[random.unit() < 0.1 ? 1 : 0].key;
    return options;
  });
  t.pass(40);
  t.row("queue", 0, 30);
  const std::vector<double>& grants = t.asked['a'];
  size_t most = 0;
  for (size_t i = 0, j = 0; i < grants.size(); ++i) {
    while (grants[i] - grants[j] > 1.0) ++j;
    most = std::max(most, i - j + 1);
  }
  CHECK(most <= 41);
  CHECK(grants.size() >= 600);
  CHECK(grants.size() <= 20 + 20 * 33);
  const std::string busy = "sk-busy-0123456789abcdef", calm = "sk-calm-0123456789abcdef";
  CHECK(t.refused[calm] == 0);
  CHECK(t.served[calm] > 100);
  CHECK(t.refused[busy] > t.served[busy] / 2);
}
