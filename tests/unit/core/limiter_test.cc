// The limiter in one thread: what it grants, what it answers, what it gives back.
#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "catch.h"
#include "core/limiter_budget.h"
#include "llmrouter/limits.h"
#include "llmrouter/values.h"

namespace llmrouter {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr int64_t kUsd = 1000000000;

class MapLedger : public BudgetLedger {
 public:
  int64_t spent(std::string_view bucket, int64_t period) override {
    ++asked;
    return rows[{std::string(bucket), period}];
  }
  void add(std::string_view bucket, int64_t period, int64_t nano) noexcept override {
    rows[{std::string(bucket), period}] += nano;
    ++adds;
  }
  std::map<std::pair<std::string, int64_t>, int64_t> rows;
  int asked = 0, adds = 0;
};

struct Fixture {
  explicit Fixture(const char* start = "2026-01-01T00:00:00Z") : clock(parse_time(start).value()) {}
  ManualClock clock;
  std::shared_ptr<MapLedger> ledger = std::make_shared<MapLedger>();
  RateLimiter limiter{clock, ledger};
  Denial denial;

  Reservation reserve(LimitBucket* bucket, const Demand& demand = {}) { return limiter.reserve(&bucket, 1, demand, &denial); }
  bool grant(LimitBucket* bucket, const Demand& demand = {}) {
    Reservation r = reserve(bucket, demand);
    const bool ok = r.active();
    r.settle(demand);
    return ok;
  }
  int grants(LimitBucket* bucket, const Demand& demand = {}) {
    int n = 0;
    while (grant(bucket, demand)) ++n;
    return n;
  }
};

Limits requests_limit(int64_t count, Duration per, int64_t burst = 0) {
  Limits l;
  l.requests = Rate{count, per, burst};
  return l;
}

Limits tokens_limit(int64_t count, Duration per = minutes(1)) {
  Limits l;
  l.tokens = Rate{count, per, 0};
  return l;
}

Limits budget_limit(int64_t nano, BudgetPeriod per) {
  Limits l;
  l.budget = Budget{nano, per, 0, {}};
  return l;
}

}  // namespace

TEST_CASE("A burst is granted at once, then one for each interval") {
  Fixture f;
  LimitBucket* bucket = f.limiter.bucket("key:a", "key a", requests_limit(60, minutes(1)));
  CHECK(f.grants(bucket) == 60);
  CHECK(f.denial.bucket == "key:a");
  CHECK(f.denial.kind == LimitKind::kRequests);
  CHECK(f.denial.limit == 60);
  CHECK(f.denial.remaining == 0);
  CHECK(f.denial.retry_after == seconds(1));
  CHECK(f.denial.words == "60 requests/min of key a; try again in 1 s");
  f.clock.advance(milliseconds(999));
  CHECK_FALSE(f.grant(bucket));
  CHECK(f.denial.retry_after == milliseconds(1));
  f.clock.advance(milliseconds(1));
  CHECK(f.grants(bucket) == 1);
  f.clock.advance(hours(5));
  CHECK(f.grants(bucket) == 60);
}

TEST_CASE("A rate that does not divide its period never grants one too many and loses none of its burst") {
  for (int64_t count : {1, 3, 7, 59, 997, 1000003}) {
    Fixture f;
    LimitBucket* bucket = f.limiter.bucket("b", "", requests_limit(count, minutes(1)));
    CHECK(f.limiter.state(bucket).remaining_requests == count);
    if (count < 1000) CHECK(f.grants(bucket) == count);
    f.clock.advance(minutes(1));
    // One ulp of the interval may be missing, never more.
    const int64_t again = f.limiter.state(bucket).remaining_requests;
    CHECK(again <= count);
    CHECK(again >= count - 1);
  }
}

TEST_CASE("A burst of its own") {
  Fixture f;
  LimitBucket* small = f.limiter.bucket("small", "", requests_limit(60, minutes(1), 5));
  CHECK(f.grants(small) == 5);
  f.clock.advance(seconds(2));
  CHECK(f.grants(small) == 2);
  LimitBucket* large = f.limiter.bucket("large", "", requests_limit(60, minutes(1), 100));
  CHECK(f.grants(large) == 100);
}

TEST_CASE("A rate of nothing grants nothing, and extreme rates stay sane") {
  Fixture f;
  CHECK_FALSE(f.grant(f.limiter.bucket("zero", "key z", requests_limit(0, minutes(1)))));
  CHECK(f.denial.words == "0 requests/min of key z: none is allowed");
  CHECK(f.denial.retry_after == Duration(0));
  CHECK_FALSE(f.grant(f.limiter.bucket("minus", "", requests_limit(-5, minutes(1)))));
  LimitBucket* fast = f.limiter.bucket("fast", "", tokens_limit(INT64_MAX, seconds(1)));
  CHECK(f.grant(fast, {1, 1000000000, 0}));
  LimitBucket* slow = f.limiter.bucket("slow", "", requests_limit(1, hours(24 * 36500)));
  CHECK(f.grants(slow) == 1);
  LimitBucket* instant = f.limiter.bucket("instant", "", requests_limit(5, Duration(0)));
  CHECK(f.grants(instant) == 5);
  // An upstream that claims the absurd puts a bucket in debt, not in disorder.
  LimitBucket* debt = f.limiter.bucket("debt", "", tokens_limit(1000));
  for (int i = 0; i < 3; ++i) {
    Reservation r = f.reserve(debt, {1, 0, 0});
    r.settle({1, INT64_MAX, INT64_MAX});
  }
  CHECK(f.limiter.state(debt).remaining_tokens == 0);
  CHECK(f.limiter.state(debt).reset_tokens > hours(24));
}

TEST_CASE("In any window there is at most a burst and what its time is worth, with requests given back") {
  std::mt19937 random(7);
  for (int round = 0; round < 30; ++round) {
    Fixture f;
    const int64_t count = 1 + random() % 9, burst = random() % 12;
    const Duration per = milliseconds(100 + random() % 2000);
    LimitBucket* bucket = f.limiter.bucket("b", "", requests_limit(count, per, burst));
    struct Open {
      Reservation reservation;
      Duration at;
    };
    std::vector<Open> open;
    std::vector<Duration> sent;
    Duration now(0);
    for (int step = 0; step < 600; ++step) {
      const auto by = microseconds(random() % 150000);
      f.clock.advance(by);
      now += by;
      for (uint32_t burst_of = random() % 4; burst_of > 0; --burst_of) {
        Reservation r = f.reserve(bucket);
        if (r.active()) open.push_back({std::move(r), now});
      }
      while (!open.empty() && random() % 2) {
        const size_t i = random() % open.size();
        const bool was_sent = random() % 3 != 0;
        open[i].reservation.settle({was_sent ? 1 : 0, 0, 0});
        if (was_sent) sent.push_back(open[i].at);
        open.erase(open.begin() + static_cast<long>(i));
      }
    }
    for (Open& o : open) sent.push_back(o.at);
    std::sort(sent.begin(), sent.end());
    const int64_t most = burst > 0 ? burst : count;
    for (size_t i = 0; i < sent.size(); ++i) {
      for (size_t j = i; j < sent.size(); ++j) {
        const double allowed = static_cast<double>(most) + static_cast<double>(count) * static_cast<double>((sent[j] - sent[i]).count()) /
                                                              static_cast<double>(per.count());
        REQUIRE(static_cast<double>(j - i + 1) <= allowed + 1e-6);
      }
    }
    CHECK(sent.size() > 10);
  }
}

TEST_CASE("A request that was not sent comes back") {
  Fixture f;
  LimitBucket* bucket = f.limiter.bucket("b", "", requests_limit(2, minutes(1)));
  Reservation first = f.reserve(bucket), second = f.reserve(bucket);
  REQUIRE(second.active());
  CHECK_FALSE(f.grant(bucket));
  second.settle({0, 0, 0});
  CHECK(f.grants(bucket) == 1);
  first.settle({1, 0, 0});
  CHECK_FALSE(f.grant(bucket));
}

TEST_CASE("A reservation that is let go keeps its request and gives back the rest") {
  Fixture f;
  Limits limits = requests_limit(10, minutes(1));
  limits.tokens = Rate{1000, minutes(1), 0};
  limits.concurrent = 3;
  limits.budget = Budget{kUsd, BudgetPeriod::kMonth, 0, {}};
  LimitBucket* bucket = f.limiter.bucket("b", "", limits);
  {
    Reservation r = f.reserve(bucket, {1, 400, kUsd / 2});
    REQUIRE(r.active());
    const LimitState during = f.limiter.state(bucket);
    CHECK(during.remaining_requests == 9);
    CHECK(during.remaining_tokens == 600);
    CHECK(during.in_flight == 1);
    CHECK(during.limit_concurrent == 3);
    CHECK(during.reserved_nano_usd == kUsd / 2);
    CHECK(during.spent_nano_usd == 0);
  }
  const LimitState after = f.limiter.state(bucket);
  CHECK(after.remaining_requests == 9);
  CHECK(after.remaining_tokens == 1000);
  CHECK(after.in_flight == 0);
  CHECK(after.reserved_nano_usd == 0);
  CHECK(after.spent_nano_usd == 0);
  CHECK(f.ledger->adds == 0);
}

TEST_CASE("There is exactly one settlement, whoever holds the reservation") {
  Fixture f;
  Limits limits = budget_limit(10 * kUsd, BudgetPeriod::kTotal);
  limits.concurrent = 1;
  LimitBucket* bucket = f.limiter.bucket("b", "", limits);
  Reservation a = f.reserve(bucket, {1, 0, kUsd});
  Reservation b = std::move(a);
  CHECK_FALSE(a.active());
  a.settle({1, 0, 5 * kUsd});
  CHECK(f.limiter.state(bucket).in_flight == 1);
  b.settle({1, 0, 2 * kUsd});
  b.settle({1, 0, 2 * kUsd});
  CHECK_FALSE(b.active());
  CHECK(f.ledger->adds == 1);
  CHECK(f.limiter.state(bucket).spent_nano_usd == 2 * kUsd);
  CHECK(f.limiter.state(bucket).in_flight == 0);
  // An assignment settles what stood there.
  Reservation c = f.reserve(bucket, {1, 0, kUsd});
  REQUIRE(c.active());
  c = Reservation();
  CHECK(f.limiter.state(bucket).in_flight == 0);
  CHECK(f.limiter.state(bucket).reserved_nano_usd == 0);
}

TEST_CASE("Tokens are reserved as estimated and settled with the truth") {
  Fixture f;
  LimitBucket* bucket = f.limiter.bucket("b", "key b", tokens_limit(6000));  // 100 a second
  SECTION("less comes back") {
    Reservation r = f.reserve(bucket, {1, 6000, 0});
    REQUIRE(r.active());
    CHECK_FALSE(f.grant(bucket, {1, 1, 0}));
    r.settle({1, 1000, 0});
    CHECK(f.limiter.state(bucket).remaining_tokens == 5000);
  }
  SECTION("more is a debt") {
    Reservation r = f.reserve(bucket, {1, 1000, 0});
    r.settle({1, 7000, 0});
    const LimitState state = f.limiter.state(bucket);
    CHECK(state.remaining_tokens == 0);
    CHECK(state.limit_tokens == 6000);
    CHECK(state.reset_tokens == seconds(70));
    CHECK_FALSE(f.grant(bucket, {1, 0, 0}));  // not even a request of nothing
    CHECK(f.denial.retry_after == seconds(10));
    f.clock.advance(seconds(10));
    CHECK(f.grant(bucket, {1, 0, 0}));
    CHECK_FALSE(f.grant(bucket, {1, 1, 0}));
    f.clock.advance(milliseconds(10));
    CHECK(f.grant(bucket, {1, 1, 0}));
  }
  SECTION("a request above the burst is told so") {
    CHECK_FALSE(f.reserve(bucket, {1, 6001, 0}).active());
    CHECK(f.denial.kind == LimitKind::kTokens);
    CHECK(f.denial.retry_after == Duration(0));
    CHECK(f.denial.remaining == 6000);
    CHECK(f.denial.words == "6000 tokens/min of key b: this request alone needs 6001 tokens, and no more than 6000 ever fit at once: it can never be let "
                                "through, ask for less");
    CHECK(f.limiter.state(bucket).remaining_tokens == 6000);
  }
  SECTION("what is still missing decides how long to wait") {
    CHECK(f.grant(bucket, {1, 5000, 0}));
    CHECK_FALSE(f.reserve(bucket, {1, 3000, 0}).active());
    CHECK(f.denial.retry_after == seconds(20));
    CHECK(f.denial.remaining == 1000);
    CHECK(f.denial.words == "6000 tokens/min of key b; try again in 20 s");
  }
}

TEST_CASE("Over a window that begins while no call is open, tokens used stay within the rate when estimates were not exceeded") {
  std::mt19937 random(11);
  for (int round = 0; round < 20; ++round) {
    Fixture f;
    LimitBucket* bucket = f.limiter.bucket("b", "", tokens_limit(1000, seconds(1)));
    std::vector<std::pair<Reservation, int64_t>> open;
    int64_t used = 0;
    Duration now(0);
    for (int step = 0; step < 2000; ++step) {
      const auto by = microseconds(random() % 5000);
      f.clock.advance(by);
      now += by;
      const int64_t estimate = 1 + random() % 400;
      Reservation r = f.reserve(bucket, {1, estimate, 0});
      if (r.active()) open.emplace_back(std::move(r), random() % (estimate + 1));
      while (!open.empty() && random() % 2) {
        const size_t i = random() % open.size();
        open[i].first.settle({1, open[i].second, 0});
        used += open[i].second;
        open.erase(open.begin() + static_cast<long>(i));
      }
      REQUIRE(used <= 1000 + now.count() / 1000000);
    }
    CHECK(used > now.count() / 1000000 / 2);  // and what was not used was not lost
  }
}

TEST_CASE("Concurrency is counted and given back") {
  Fixture f;
  Limits limits;
  limits.concurrent = 2;
  LimitBucket* bucket = f.limiter.bucket("b", "model m", limits);
  Reservation a = f.reserve(bucket), b = f.reserve(bucket);
  REQUIRE(b.active());
  CHECK_FALSE(f.reserve(bucket).active());
  CHECK(f.denial.kind == LimitKind::kConcurrent);
  CHECK(f.denial.limit == 2);
  CHECK(f.denial.retry_after == Duration(0));
  CHECK(f.denial.words == "2 requests at once of model m; try again when one has ended");
  a.settle({1, 5, 0});
  CHECK(f.reserve(bucket).active());
}

TEST_CASE("Several buckets: all or none, nulls are skipped, too many are refused") {
  Fixture f;
  LimitBucket* wide = f.limiter.bucket("wide", "", requests_limit(100, minutes(1)));
  Limits all = tokens_limit(1000);
  all.concurrent = 5;
  all.budget = Budget{10 * kUsd, BudgetPeriod::kDay, 0, {}};
  LimitBucket* middle = f.limiter.bucket("middle", "", all);
  LimitBucket* narrow = f.limiter.bucket("narrow", "model n", requests_limit(1, minutes(1)));
  LimitBucket* buckets[] = {nullptr, wide, middle, nullptr, narrow};
  Reservation ok = f.limiter.reserve(buckets, 5, {1, 100, kUsd}, &f.denial);
  REQUIRE(ok.active());
  CHECK_FALSE(f.limiter.reserve(buckets, 5, {1, 100, kUsd}, &f.denial).active());
  CHECK(f.denial.bucket == "narrow");
  CHECK(f.limiter.state(wide).remaining_requests == 99);
  CHECK(f.limiter.state(middle).remaining_tokens == 900);
  CHECK(f.limiter.state(middle).in_flight == 1);
  CHECK(f.limiter.state(middle).reserved_nano_usd == kUsd);
  CHECK_FALSE(f.limiter.reserve(buckets, 5, {1, 100, kUsd}, nullptr).active());  // nobody wants to know why

  CHECK(f.limiter.reserve(nullptr, 0, {}, &f.denial).active());
  std::vector<LimitBucket*> many(Reservation::kMaxBuckets, wide);
  CHECK(f.limiter.reserve(many.data(), Reservation::kMaxBuckets, {}, &f.denial).active());
  many.push_back(wide);
  CHECK_FALSE(f.limiter.reserve(many.data(), Reservation::kMaxBuckets + 1, {}, &f.denial).active());
}

TEST_CASE("What a first look let through and a second did not is put back everywhere") {
  Fixture f;
  Limits all = requests_limit(100, minutes(1));
  all.tokens = Rate{1000, minutes(1), 0};
  all.budget = Budget{10 * kUsd, BudgetPeriod::kDay, 0, {}};
  LimitBucket* wide = f.limiter.bucket("wide", "", all);
  // The same bucket twice: it has room for one when it is looked at, and not for two.
  struct Row {
    const char* what;
    Limits narrow;
    LimitKind kind;
  };
  Limits one_at_once = all, few_tokens = all, little_money = all, few_requests = all;
  one_at_once.concurrent = 1;
  few_tokens.tokens = Rate{150, minutes(1), 0};
  little_money.budget->nano_usd = 3 * kUsd / 2;
  few_requests.requests = Rate{1, minutes(1), 0};
  const Row rows[] = {{"concurrent", one_at_once, LimitKind::kConcurrent},
                      {"tokens", few_tokens, LimitKind::kTokens},
                      {"money", little_money, LimitKind::kBudget},
                      {"requests", few_requests, LimitKind::kRequests}};
  for (const Row& row : rows) {
    INFO(row.what);
    LimitBucket* narrow = f.limiter.bucket(row.what, "", row.narrow);
    const LimitState before = f.limiter.state(narrow);
    LimitBucket* buckets[] = {wide, narrow, narrow};
    CHECK_FALSE(f.limiter.reserve(buckets, 3, {1, 100, kUsd}, &f.denial).active());
    CHECK(f.denial.bucket == row.what);
    CHECK(f.denial.kind == row.kind);
    for (LimitBucket* bucket : {wide, narrow}) {
      const LimitState after = f.limiter.state(bucket);
      CHECK(after.remaining_requests == (bucket == wide ? 100 : before.remaining_requests));
      CHECK(after.remaining_tokens == (bucket == wide ? 1000 : before.remaining_tokens));
      CHECK(after.in_flight == 0);
      CHECK(after.reserved_nano_usd == 0);
      CHECK(after.spent_nano_usd == 0);
    }
    CHECK(f.limiter.reserve(buckets, 2, {1, 100, kUsd}, &f.denial).active());
    wide = f.limiter.bucket(std::string("wide ") + row.what, "", all);
  }
}

TEST_CASE("What a header says") {
  Fixture f;
  Limits limits = requests_limit(60, minutes(1));
  limits.tokens = Rate{600, minutes(1), 0};
  LimitBucket* bucket = f.limiter.bucket("b", "", limits);
  LimitState s = f.limiter.state(bucket);
  CHECK(s.limit_requests == 60);
  CHECK(s.remaining_requests == 60);
  CHECK(s.reset_requests == Duration(0));
  CHECK(s.limit_concurrent == -1);
  CHECK(s.budget_nano_usd == -1);
  CHECK(f.grant(bucket, {1, 100, 0}));
  f.clock.advance(milliseconds(500));
  s = f.limiter.state(bucket);
  CHECK(s.remaining_requests == 59);  // half a request is none
  CHECK(s.reset_requests == milliseconds(500));
  CHECK(s.remaining_tokens == 505);
  CHECK(s.reset_tokens == milliseconds(9500));
  CHECK(f.limiter.state(nullptr).limit_requests == -1);
}

TEST_CASE("New limits keep what was used lately") {
  Fixture f;
  LimitBucket* bucket = f.limiter.bucket("b", "key b", requests_limit(60, minutes(1)));
  CHECK(f.grants(bucket) == 60);
  SECTION("the same limits change nothing") {
    CHECK(f.limiter.bucket("b", "key b", requests_limit(60, minutes(1))) == bucket);
    CHECK_FALSE(f.grant(bucket));
  }
  SECTION("raised: 60 of 600 are used") {
    CHECK(f.limiter.bucket("b", "key b", requests_limit(600, minutes(1))) == bucket);
    CHECK(f.limiter.state(bucket).remaining_requests == 540);
    CHECK(f.grants(bucket) == 540);
  }
  SECTION("lowered: the bucket is empty, no worse") {
    f.limiter.bucket("b", "key b", requests_limit(6, minutes(1)));
    CHECK(f.limiter.state(bucket).remaining_requests == 0);
    f.clock.advance(seconds(10));
    CHECK(f.grants(bucket) == 1);
  }
  SECTION("another period") {
    f.limiter.bucket("b", "key b", requests_limit(100, hours(24)));
    CHECK(f.limiter.state(bucket).remaining_requests == 40);
  }
  SECTION("taken away and put back: starts full") {
    f.limiter.bucket("b", "key b", {});
    CHECK(f.grant(bucket));
    f.limiter.bucket("b", "key b", requests_limit(60, minutes(1)));
    CHECK(f.limiter.state(bucket).remaining_requests == 60);
  }
  SECTION("a new label is what denials say") {
    f.limiter.bucket("b", "key renamed", requests_limit(60, minutes(1)));
    CHECK_FALSE(f.grant(bucket));
    CHECK(f.denial.words == "60 requests/min of key renamed; try again in 1 s");
  }
}

TEST_CASE("Calls in flight over a change of limits settle what they took") {
  Fixture f;
  LimitBucket* bucket = f.limiter.bucket("b", "", {});
  Reservation free = f.reserve(bucket, {1, 500, kUsd});
  Limits limits = tokens_limit(1000);
  limits.concurrent = 2;
  limits.budget = Budget{10 * kUsd, BudgetPeriod::kMonth, 0, {}};
  f.limiter.bucket("b", "", limits);
  CHECK(f.limiter.state(bucket).in_flight == 1);
  Reservation counted = f.reserve(bucket, {1, 400, kUsd});
  REQUIRE(counted.active());
  CHECK_FALSE(f.reserve(bucket).active());
  free.settle({1, 100, kUsd});  // was never charged, so nothing comes back and nothing is spent
  CHECK(f.limiter.state(bucket).remaining_tokens == 600);
  CHECK(f.limiter.state(bucket).spent_nano_usd == 0);
  f.limiter.bucket("b", "", tokens_limit(2000));
  counted.settle({1, 100, 2 * kUsd});  // its budget is gone from the bucket, but not from the ledger
  CHECK(f.limiter.state(bucket).remaining_tokens == 1900);
  CHECK(f.ledger->adds == 1);
  CHECK(f.limiter.state(bucket).in_flight == 0);
}

TEST_CASE("A request above the whole budget is told so, spent or not") {
  Fixture f;
  LimitBucket* bucket = f.limiter.bucket("key:a", "key a", budget_limit(kUsd / 200, BudgetPeriod::kDay));
  for (int spent = 0; spent < 2; ++spent) {
    CHECK_FALSE(f.reserve(bucket, {1, 0, kUsd / 200 + 1}).active());
    CHECK(f.denial.never);
    CHECK(f.denial.retry_after == Duration(0));
    CHECK(f.denial.words == "budget of 0.005 USD per day of key a: this request alone may cost 0.005000001 USD, and that is more than the whole budget: it can "
                            "never be let through, ask for less; renews 2026-01-02T00:00:00Z");
    const Error error = f.denial.to_error();
    CHECK(error.code == ErrorCode::kBudgetExceeded);
    CHECK(error.never);
    CHECK(error.param == "max_tokens");
    CHECK(f.grant(bucket, {1, 0, kUsd / 200}) == (spent == 0));
    CHECK(f.denial.never == (spent == 0));  // what the budget holds only waits for the next one
  }
}

TEST_CASE("A budget counts what is spent and what is reserved") {
  Fixture f("2026-11-21T12:00:00Z");
  LimitBucket* bucket = f.limiter.bucket("key:a", "key a", budget_limit(50 * kUsd, BudgetPeriod::kMonth));
  Reservation first = f.reserve(bucket, {1, 0, 30 * kUsd});
  REQUIRE(first.active());
  CHECK_FALSE(f.reserve(bucket, {1, 0, 20 * kUsd + 1}).active());
  CHECK(f.denial.kind == LimitKind::kBudget);
  CHECK(f.denial.limit == 50 * kUsd);
  CHECK(f.denial.remaining == 20 * kUsd);
  CHECK(f.denial.retry_after == seconds(1));  // most of what is reserved comes back
  CHECK(f.denial.words ==
        "budget of 50.00 USD per month of key a has 20.00 USD left beside what calls in flight reserve, this request may cost 20.000000001 USD; try again when "
        "one has ended; renews 2026-12-01T00:00:00Z");
  Reservation second = f.reserve(bucket, {1, 0, 20 * kUsd});
  REQUIRE(second.active());
  CHECK_FALSE(f.reserve(bucket, {1, 0, 0}).active());
  CHECK(f.denial.retry_after == seconds(1));
  CHECK(f.denial.words == "budget of 50.00 USD per month of key a is reserved by calls in flight; try again when one has ended; renews 2026-12-01T00:00:00Z");
  first.settle({1, 0, 31 * kUsd});
  CHECK_FALSE(f.reserve(bucket, {1, 0, 20 * kUsd}).active());
  CHECK(f.denial.retry_after == hours(24 * 9 + 12));  // whatever the other one gives back
  CHECK(f.denial.words == "budget of 50.00 USD per month of key a is used up or reserved by calls in flight; renews 2026-12-01T00:00:00Z");
  second.settle({1, 0, 19 * kUsd});
  CHECK_FALSE(f.reserve(bucket, {1, 0, 0}).active());
  CHECK(f.denial.remaining == 0);
  CHECK(f.denial.words == "budget of 50.00 USD per month of key a is used up; renews 2026-12-01T00:00:00Z");
  const Error error = f.denial.to_error();
  CHECK(error.code == ErrorCode::kBudgetExceeded);
  CHECK(error.http_status() == 402);
  CHECK(error.message == "budget exceeded: " + f.denial.words);
  CHECK(error.retry_after == hours(24 * 9 + 12));
  const LimitState state = f.limiter.state(bucket);
  CHECK(state.spent_nano_usd == 50 * kUsd);
  CHECK(state.reserved_nano_usd == 0);
  CHECK(state.budget_nano_usd == 50 * kUsd);
  CHECK(format_time_rfc3339(state.budget_renews) == "2026-12-01T00:00:00Z");
  const int64_t november = 1793491200;  // 2026-11-01
  CHECK(f.ledger->rows[{"key:a", november}] == 50 * kUsd);
}

TEST_CASE("What a call holds for many periods is not shown as reserved in a later one") {
  Fixture f("2026-03-01T12:00:00Z");
  LimitBucket* bucket = f.limiter.bucket("b", "", budget_limit(10 * kUsd, BudgetPeriod::kDay));
  Reservation held = f.reserve(bucket, {1, 0, 9 * kUsd});
  REQUIRE(held.active());
  for (int day = 1; day <= 40; ++day) {  // more than twice round the ring of periods
    f.clock.advance(hours(24));
    Reservation today = f.reserve(bucket, {1, 0, 2 * kUsd});
    CAPTURE(day);
    REQUIRE(today.active());
    CHECK(f.limiter.state(bucket).reserved_nano_usd == 2 * kUsd);
    CHECK(f.limiter.state(bucket).spent_nano_usd == 0);
    today.settle({1, 0, kUsd});
    CHECK(f.limiter.state(bucket).reserved_nano_usd == 0);
    CHECK(f.limiter.state(bucket).spent_nano_usd == kUsd);
  }
  held.settle({1, 0, 8 * kUsd});
  CHECK(f.limiter.state(bucket).reserved_nano_usd == 0);
  CHECK(f.limiter.state(bucket).spent_nano_usd == kUsd);
}

TEST_CASE("A call over midnight pays in the period it began in") {
  Fixture f("2026-03-31T23:59:59Z");
  LimitBucket* bucket = f.limiter.bucket("b", "", budget_limit(10 * kUsd, BudgetPeriod::kDay));
  Reservation old = f.reserve(bucket, {1, 0, 9 * kUsd});
  REQUIRE(old.active());
  f.clock.advance(seconds(1));
  CHECK(f.limiter.state(bucket).reserved_nano_usd == 0);  // a new day
  Reservation fresh = f.reserve(bucket, {1, 0, 10 * kUsd});
  REQUIRE(fresh.active());
  old.settle({1, 0, 8 * kUsd});
  CHECK(f.limiter.state(bucket).spent_nano_usd == 0);
  CHECK(f.limiter.state(bucket).reserved_nano_usd == 10 * kUsd);
  fresh.settle({1, 0, 3 * kUsd});
  CHECK(f.limiter.state(bucket).spent_nano_usd == 3 * kUsd);
  const int64_t day1 = 1774915200, day2 = day1 + 86400;
  CHECK(f.ledger->rows[{"b", day1}] == 8 * kUsd);
  CHECK(f.ledger->rows[{"b", day2}] == 3 * kUsd);
  // Many days without a call are one step.
  f.clock.advance(hours(24 * 40));
  CHECK(f.reserve(bucket, {1, 0, 10 * kUsd}).active());
  // Forty days with calls go round the ring of periods more than twice.
  for (int day = 0; day < 40; ++day) {
    f.clock.advance(hours(24));
    CHECK(f.limiter.state(bucket).spent_nano_usd == 0);
    CHECK(f.grant(bucket, {1, 0, 10 * kUsd}));
    CHECK_FALSE(f.grant(bucket, {1, 0, 1}));
  }
}

TEST_CASE("A budget goes on after a restart where it stood") {
  auto ledger = std::make_shared<MapLedger>();
  ManualClock clock(parse_time("2026-11-21T00:00:00Z").value());
  Denial denial;
  const Limits limits = budget_limit(10 * kUsd, BudgetPeriod::kTotal);
  {
    RateLimiter limiter(clock, ledger);
    LimitBucket* bucket = limiter.bucket("b", "key b", limits);
    limiter.reserve(&bucket, 1, {1, 0, kUsd}, nullptr).settle({1, 0, 7 * kUsd});
  }
  clock.advance(hours(24 * 1000));
  RateLimiter limiter(clock, ledger);
  LimitBucket* bucket = limiter.bucket("b", "key b", limits);
  CHECK(limiter.state(bucket).spent_nano_usd == 7 * kUsd);
  CHECK_FALSE(limiter.reserve(&bucket, 1, {1, 0, 4 * kUsd}, &denial).active());
  CHECK(denial.retry_after == Duration(0));
  CHECK(denial.words == "budget of 10.00 USD in total of key b has 3.00 USD left, this request may cost 4.00 USD; it does not renew");
  CHECK(limiter.reserve(&bucket, 1, {1, 0, 3 * kUsd}, &denial).active());
  CHECK(limiter.state(bucket).budget_renews == WallTime{});
}

TEST_CASE("A changed budget: the sum alone keeps what was spent, another period asks the ledger") {
  Fixture f("2026-11-21T12:00:00Z");
  LimitBucket* bucket = f.limiter.bucket("b", "", budget_limit(10 * kUsd, BudgetPeriod::kDay));
  CHECK(f.grant(bucket, {1, 0, 4 * kUsd}));
  CHECK(f.ledger->asked == 1);
  f.limiter.bucket("b", "", budget_limit(20 * kUsd, BudgetPeriod::kDay));
  CHECK(f.limiter.state(bucket).spent_nano_usd == 4 * kUsd);
  CHECK(f.ledger->asked == 1);
  const int64_t november = 1793491200;
  f.ledger->rows[{"b", november}] = 6 * kUsd;
  Reservation over_the_change = f.reserve(bucket, {1, 0, kUsd});
  f.limiter.bucket("b", "", budget_limit(20 * kUsd, BudgetPeriod::kMonth));
  CHECK(f.limiter.state(bucket).spent_nano_usd == 6 * kUsd);
  over_the_change.settle({1, 0, kUsd});  // was reserved in the day's budget and stays there
  CHECK(f.limiter.state(bucket).spent_nano_usd == 6 * kUsd);
}

TEST_CASE("A clock that goes back does not open a period again") {
  core::BudgetMeter meter(200, 0);
  int64_t in = 0;
  CHECK(meter.take(100, 10, 6, &in));
  CHECK(in == 200);
  CHECK_FALSE(meter.take(100, 10, 6, &in));
  CHECK_FALSE(meter.fits(100, 10, 6));
  CHECK(meter.take(300, 10, 6, &in));
  CHECK(in == 300);
  CHECK_FALSE(meter.take(200, 10, 6, &in));
  // A budget beyond what the meter can hold is one of that much.
  core::BudgetMeter vast(0, 0);
  CHECK(vast.take(0, INT64_MAX, core::BudgetMeter::kMaxNano, &in));
  CHECK_FALSE(vast.take(0, INT64_MAX, 1, &in));
  vast.settle(0, core::BudgetMeter::kMaxNano, INT64_MAX);
  CHECK(vast.view(0).spent == core::BudgetMeter::kMaxNano);
}

TEST_CASE("Periods in UTC") {
  struct Row {
    BudgetPeriod per;
    const char *when, *begin, *end;
  };
  const Row rows[] = {
      {BudgetPeriod::kDay, "2026-11-21T23:59:59.999999Z", "2026-11-21", "2026-11-22"},
      {BudgetPeriod::kDay, "2026-11-22T00:00:00Z", "2026-11-22", "2026-11-23"},
      {BudgetPeriod::kWeek, "2026-11-21T12:00:00Z", "2026-11-16", "2026-11-23"},  // Saturday
      {BudgetPeriod::kWeek, "2026-11-22T23:59:59Z", "2026-11-16", "2026-11-23"},  // Sunday
      {BudgetPeriod::kWeek, "2026-11-23T00:00:00Z", "2026-11-23", "2026-11-30"},  // Monday
      {BudgetPeriod::kWeek, "2027-01-01T00:00:00Z", "2026-12-28", "2027-01-04"},  // ISO week 53 of 2026
      {BudgetPeriod::kWeek, "1970-01-05T00:00:00Z", "1970-01-05", "1970-01-12"},
      {BudgetPeriod::kMonth, "2026-12-31T23:59:59Z", "2026-12-01", "2027-01-01"},
      {BudgetPeriod::kMonth, "2028-02-29T10:00:00Z", "2028-02-01", "2028-03-01"},
      {BudgetPeriod::kMonth, "2100-02-28T10:00:00Z", "2100-02-01", "2100-03-01"},
      {BudgetPeriod::k30d, "2026-11-21T11:59:59Z", "2026-10-22T12:00:00Z", "2026-11-21T12:00:00Z"},
      {BudgetPeriod::k30d, "2026-11-21T12:00:00Z", "2026-11-21T12:00:00Z", "2026-12-21T12:00:00Z"},
      {BudgetPeriod::k30d, "2026-09-30T00:00:00Z", "2026-09-22T12:00:00Z", "2026-10-22T12:00:00Z"},
  };
  for (const Row& row : rows) {
    INFO(row.when);
    Budget budget{1, row.per, 0, parse_time("2026-10-22T12:00:00Z").value()};
    const core::PeriodSpan span = core::period_at(budget, parse_time(row.when).value());
    CHECK(WallTime(seconds(span.begin)) == parse_time(row.begin).value());
    CHECK(WallTime(seconds(span.end)) == parse_time(row.end).value());
  }
  const core::PeriodSpan week_before_1970 = core::period_at({1, BudgetPeriod::kWeek, 0, {}}, WallTime(microseconds(-1)));
  CHECK(week_before_1970.begin == -3 * 86400);
  const core::PeriodSpan total = core::period_at({1, BudgetPeriod::kTotal, 0, {}}, parse_time("2026-11-21").value());
  CHECK(total.begin == 0);
  CHECK(total.end == core::PeriodSpan::kNever);
}

TEST_CASE("Names and words of limits") {
  CHECK(budget_period_name(BudgetPeriod::kDay) == "day");
  CHECK(budget_period_name(BudgetPeriod::kWeek) == "week");
  CHECK(budget_period_name(BudgetPeriod::kMonth) == "month");
  CHECK(budget_period_name(BudgetPeriod::k30d) == "30d");
  CHECK(budget_period_name(BudgetPeriod::kTotal) == "total");
  Denial denial;
  denial.kind = LimitKind::kTokens;
  denial.words = "w";
  denial.retry_after = Duration(1);
  const Error error = denial.to_error();
  CHECK(error.code == ErrorCode::kRateLimited);
  CHECK(error.http_status() == 429);
  CHECK(error.message == "rate limit reached: w");
  CHECK(error.retry_after == milliseconds(1));  // never rounded to "at once"
  struct Row {
    Rate rate;
    const char* words;
  };
  const Row rows[] = {{{1, seconds(1), 0}, "1 requests/s of k; try again in 1 s"},
                      {{1, hours(1), 0}, "1 requests/h of k; try again in 60 min"},
                      {{1, hours(24), 0}, "1 requests/day of k; try again in 24 h"},
                      {{1, seconds(90), 0}, "1 requests per 90s of k; try again in 90 s"}};
  for (const Row& row : rows) {
    Fixture f;
    Limits limits;
    limits.requests = row.rate;
    LimitBucket* bucket = f.limiter.bucket("k", "", limits);
    CHECK(f.grants(bucket) == 1);
    CHECK(f.denial.words == row.words);
  }
}

}  // namespace llmrouter
