#include <algorithm>
#include <cmath>
#include <thread>
#include <vector>

#include "catch.h"
#include "llmrouter/target_stats.h"

using namespace llmrouter;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

const TimePoint kStart{seconds(1000)};

AttemptSample streamed(int first_ms, int64_t tokens, int each_ms) {
  AttemptSample s;
  s.first_token = milliseconds(first_ms);
  s.total = milliseconds(first_ms + static_cast<int>(tokens - 1) * each_ms);
  s.input_tokens = 100;
  s.cached_tokens = 25;
  s.output_tokens = tokens;
  return s;
}

void run(TargetStats& stats, const AttemptSample& sample, TimePoint now) {
  stats.started();
  stats.ended(sample, now);
}

}  // namespace

TEST_CASE("target statistics: nothing is known, then what a stream shows") {
  TargetStats stats;
  CHECK(stats.stale(kStart));
  CHECK(stats.first_token_ms(kStart) == 0);
  CHECK(stats.success(kStart) == 1);
  stats.started();
  CHECK(stats.in_flight() == 1);
  stats.ended(streamed(400, 101, 20), kStart);
  CHECK(stats.in_flight() == 0);
  CHECK_FALSE(stats.stale(kStart));
  CHECK(stats.first_token_ms(kStart) == Approx(400));
  CHECK(stats.per_token_ms(kStart) == Approx(20));
  CHECK(stats.output_tokens() == Approx(101));
  CHECK(stats.cached_share() == Approx(0.25));
  CHECK(stats.attempts() == 1);
  CHECK(stats.failures() == 0);
}

TEST_CASE("target statistics: what is expected is what the figures say one by one, and falls as exp does") {
  TargetStats stats;
  CHECK(stats.expect(100, kStart).ms == 0);
  CHECK(stats.expect(100, kStart).success == 1);
  run(stats, streamed(400, 101, 20), kStart);
  AttemptSample failed;
  failed.ok = false;
  run(stats, failed, kStart + seconds(3));
  for (int round = 0; round < 2; ++round) {  // the failure alone is the last attempt, then all figures are of one
    for (int64_t ms : {3000, 3001, 20000, 63000, 165000, 200000, 4000000}) {
      const TimePoint now = kStart + milliseconds(ms);
      const TargetStats::Expectation expected = stats.expect(100, now);
      CHECK(expected.ms == Approx(stats.first_token_ms(now) + 100 * stats.per_token_ms(now)).epsilon(1e-6));
      CHECK(expected.success == Approx(stats.success(now)).epsilon(1e-6));
      if (round == 0) CHECK(stats.first_token_ms(now) == Approx(400 * std::max(1.0 / 16, std::exp(-static_cast<double>(ms) / 60e3))).epsilon(1e-6));
    }
    run(stats, streamed(400, 101, 20), kStart + seconds(3));
  }
}

TEST_CASE("target statistics: a peak counts at once, what is faster only with time") {
  TargetStats stats;
  run(stats, streamed(400, 2, 20), kStart);
  run(stats, streamed(4000, 2, 20), kStart + milliseconds(10));
  CHECK(stats.first_token_ms(kStart + milliseconds(10)) == Approx(4000));
  run(stats, streamed(400, 2, 20), kStart + milliseconds(20));
  CHECK(stats.first_token_ms(kStart + milliseconds(20)) > 3900);
  TimePoint t = kStart;
  for (int i = 0; i < 300; ++i) run(stats, streamed(400, 2, 20), t += milliseconds(100));  // 30 s of them
  CHECK(stats.first_token_ms(t) < 600);
  CHECK(stats.first_token_ms(t) >= 399);
}

TEST_CASE("target statistics: what is idle is forgotten, down to a sixteenth, then asked anew") {
  TargetStats stats;
  run(stats, streamed(1600, 2, 20), kStart);
  CHECK(stats.first_token_ms(kStart + seconds(60)) == Approx(1600 * 0.3679).epsilon(0.01));
  CHECK_FALSE(stats.stale(kStart + seconds(160)));
  CHECK(stats.stale(kStart + seconds(170)));
  CHECK(stats.first_token_ms(kStart + minutes(60)) == Approx(100));
  run(stats, streamed(50, 2, 20), kStart + minutes(61));
  CHECK(stats.first_token_ms(kStart + minutes(61)) == Approx(50).epsilon(0.01));
}

TEST_CASE("target statistics: failures lower the success and are forgiven; failing fast is not being fast") {
  TargetStats stats;
  run(stats, streamed(400, 2, 20), kStart);
  AttemptSample bad;
  bad.ok = false;
  bad.total = milliseconds(3);
  for (int i = 0; i < 30; ++i) run(stats, bad, kStart + milliseconds(i));
  const TimePoint t = kStart + milliseconds(29);
  CHECK(stats.success(t) < 0.06);
  CHECK(stats.failures() == 30);
  CHECK(stats.first_token_ms(t) == Approx(400).epsilon(0.01));
  CHECK(stats.success(t + minutes(5)) > 0.99);
  bad.total = seconds(30);
  run(stats, bad, t);
  CHECK(stats.first_token_ms(t) == Approx(30000));
}

TEST_CASE("target statistics: a whole answer tells of its first token and of the others together") {
  TargetStats stats;
  AttemptSample whole;
  whole.total = milliseconds(2500);
  whole.output_tokens = 100;
  run(stats, whole, kStart);
  CHECK(stats.per_token_ms(kStart) == Approx(20));
  CHECK(stats.first_token_ms(kStart) == Approx(500));
}

TEST_CASE("target statistics: cancelled attempts leave no trace, a clock that steps back no harm") {
  TargetStats stats;
  stats.started();
  stats.cancelled();
  CHECK(stats.in_flight() == 0);
  CHECK(stats.attempts() == 0);
  run(stats, streamed(400, 2, 20), kStart);
  CHECK(stats.first_token_ms(kStart - seconds(5)) == Approx(400));
}

TEST_CASE("target statistics: written from many threads nothing is lost") {
  TargetStats stats;
  constexpr int kThreads = 4, kEach = 5000;
  std::vector<std::thread> threads;
  for (int n = 0; n < kThreads; ++n) {
    threads.emplace_back([&stats, n] {
      for (int i = 0; i < kEach; ++i) {
        stats.started();
        AttemptSample s = streamed(100 + n, 11, 10);
        s.ok = i % 10 != 0;
        stats.ended(s, kStart + milliseconds(i));
        if (i % 100 == 0) (void)stats.success(kStart);
      }
    });
  }
  for (auto& t : threads) t.join();
  CHECK(stats.in_flight() == 0);
  CHECK(stats.attempts() == kThreads * kEach);
  CHECK(stats.failures() == kThreads * kEach / 10);
  CHECK(stats.first_token_ms(kStart + seconds(5)) >= 90);
  CHECK(stats.first_token_ms(kStart + seconds(5)) <= 110);
}
