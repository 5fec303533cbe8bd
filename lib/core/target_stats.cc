#include "llmrouter/target_stats.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace llmrouter {
namespace {

constexpr double kBlendMs = 10e3;   // how fast samples below the mean pull it down
constexpr double kForgetMs = 60e3;  // how fast it falls without any
constexpr double kLeast = 1.0 / 16;
constexpr double kStaleMs = 166e3;  // when that is reached: 60 s * ln 16
// An answer that came whole says nothing of its first token: it is taken to last as long as this many others, which is what streams show.
constexpr double kFirstTokenAsOthers = 25;
constexpr double kP95Step = 0.05;
constexpr uint32_t kKnownFrom = 20, kCountedUpTo = 1'000'000;

uint32_t stamp_of(TimePoint now) noexcept {
  return static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count());
}
uint64_t word_of(double value, uint32_t low) noexcept {
  const auto narrow = static_cast<float>(value);
  uint32_t bits;
  std::memcpy(&bits, &narrow, sizeof bits);
  return (uint64_t{bits} << 32) | low;
}
// Threads read the clock before they write: a stamp may be a little younger than `now`.
double age_ms(uint64_t word, TimePoint now) noexcept {
  return std::max(0.0, static_cast<double>(static_cast<int32_t>(stamp_of(now) - static_cast<uint32_t>(word))));
}
// exp(-age / of), as good as a float is: with age / of = (k + f) ln 2 it is 2^-k times the series of exp(-f ln 2) around f = 1/2. Every decision asks for
// some of each target.
inline double left_after(double age, double of) noexcept {
  const double halvings = age * (1.4426950408889634 / of);
  if (!(halvings < 1000)) return 0;
  if (halvings <= 0) return 1;
  const auto whole = static_cast<int64_t>(halvings);
  const double z = (static_cast<double>(whole) + 0.5 - halvings) * 0.6931471805599453, z2 = z * z;
  const double series = (1 + z) + z2 * ((1.0 / 2 + z * (1.0 / 6)) + z2 * ((1.0 / 24 + z * (1.0 / 120)) + z2 * (1.0 / 720)));
  const uint64_t power = static_cast<uint64_t>(1023 - whole) << 52;
  double scale;
  std::memcpy(&scale, &power, sizeof scale);
  return 0.7071067811865476 * series * scale;
}
double kept(uint64_t word, TimePoint now) noexcept { return std::max(kLeast, left_after(age_ms(word, now), kForgetMs)); }

double success_of(double failing) noexcept { return std::clamp(1 - failing, 0.0, 1.0); }

double ms(Duration d) noexcept { return static_cast<double>(d.count()) / 1e6; }

}  // namespace

double TargetStats::Stamped::read(TimePoint now) const noexcept {
  const uint64_t word = word_.load(std::memory_order_relaxed);
  return word == 0 ? 0 : value_of(word) * kept(word, now);
}

bool TargetStats::Stamped::stale(TimePoint now) const noexcept {
  const uint64_t word = word_.load(std::memory_order_relaxed);
  return word == 0 || age_ms(word, now) >= kStaleMs;
}

double TargetStats::Stamped::forgiven(TimePoint now) const noexcept {
  const uint64_t word = word_.load(std::memory_order_relaxed);
  return word == 0 ? 0 : value_of(word) * left_after(age_ms(word, now), kForgetMs);
}

void TargetStats::Stamped::peak(double sample, TimePoint now) noexcept {
  uint64_t word = word_.load(std::memory_order_relaxed), next;
  do {
    double value = sample;
    if (word != 0) {
      const double age = age_ms(word, now);
      const double mean = value_of(word) * kept(word, now);
      if (sample < mean) {
        const double keep = left_after(age, kBlendMs);
        value = mean * keep + sample * (1 - keep);
      }
    }
    next = word_of(value, stamp_of(now));
  } while (!word_.compare_exchange_weak(word, next, std::memory_order_relaxed));
}

void TargetStats::Stamped::blend(double sample, double weight, TimePoint now) noexcept {
  uint64_t word = word_.load(std::memory_order_relaxed), next;
  do {
    const double mean = word == 0 ? 0 : value_of(word) * left_after(age_ms(word, now), kForgetMs);
    next = word_of(mean + (sample - mean) * weight, stamp_of(now));
  } while (!word_.compare_exchange_weak(word, next, std::memory_order_relaxed));
}

void TargetStats::Mean::add(double sample, double weight) noexcept {
  uint64_t word = word_.load(std::memory_order_relaxed), next;
  do {
    const double mean = word == 0 ? sample : value_of(word);
    next = word_of(mean + (sample - mean) * weight, 1);
  } while (!word_.compare_exchange_weak(word, next, std::memory_order_relaxed));
}

double TargetStats::P95::read() const noexcept {
  const uint64_t word = word_.load(std::memory_order_relaxed);
  return static_cast<uint32_t>(word) < kKnownFrom ? 0 : value_of(word);
}

void TargetStats::P95::add(double sample) noexcept {
  uint64_t word = word_.load(std::memory_order_relaxed), next;
  do {
    const auto count = static_cast<uint32_t>(word);
    const double value = value_of(word), step = kP95Step + 1.0 / (count + 1.0);  // large ones first
    const double moved = count == 0 ? sample : sample > value ? std::min(sample, value * (1 + 0.95 * step)) : value * (1 - 0.05 * step);
    next = word_of(moved, std::min(count + 1, kCountedUpTo));
  } while (!word_.compare_exchange_weak(word, next, std::memory_order_relaxed));
}

void TargetStats::took_at_least(bool stream, Duration waited) noexcept {
  P95& p95 = stream ? p95_stream_ : p95_whole_;
  if (ms(waited) > p95.read()) p95.add(ms(waited));
}

TargetStats::Expectation TargetStats::expect(double output_tokens, TimePoint now) const noexcept {
  const uint64_t first = first_token_.word(), each = per_token_.word(), failing = failing_.word();
  const auto stamp = static_cast<uint32_t>(first);
  if (first == 0 || each == 0 || failing == 0 || static_cast<uint32_t>(each) != stamp || static_cast<uint32_t>(failing) != stamp) {
    return {first_token_.read(now) + per_token_.read(now) * output_tokens, success(now)};
  }
  const double left = left_after(age_ms(first, now), kForgetMs);  // all three are of the last attempt, as they mostly are
  return {(value_of(first) + value_of(each) * output_tokens) * std::max(kLeast, left), success_of(value_of(failing) * left)};
}

double TargetStats::success(TimePoint now) const noexcept { return success_of(failing_.forgiven(now)); }

void TargetStats::forget() noexcept {
  for (Stamped* figure : {&first_token_, &per_token_, &failing_}) figure->clear();
  for (Mean* figure : {&cached_share_, &output_tokens_}) figure->clear();
  for (P95* figure : {&p95_stream_, &p95_whole_}) figure->clear();
  attempts_.store(0, std::memory_order_relaxed);
  failures_.store(0, std::memory_order_relaxed);
}

void TargetStats::ended(const AttemptSample& s, TimePoint now) noexcept {
  in_flight_.fetch_sub(1, std::memory_order_relaxed);
  attempts_.fetch_add(1, std::memory_order_relaxed);
  failing_.blend(s.ok ? 0 : 1, 0.1, now);
  if (!s.ok) {
    failures_.fetch_add(1, std::memory_order_relaxed);
    // Failing fast is not being fast, but what took its time to fail was at least that slow.
    const double waited = ms(s.first_token > Duration(0) ? s.first_token : s.total);
    if (waited > first_token_.read(now) && !first_token_.stale(now)) first_token_.peak(waited, now);
    return;
  }
  (s.first_token > Duration(0) ? p95_stream_ : p95_whole_).add(ms(s.first_token > Duration(0) ? s.first_token : s.total));
  if (s.first_token > Duration(0)) {
    first_token_.peak(ms(s.first_token), now);
    if (s.output_tokens > 1) per_token_.peak(ms(s.total - s.first_token) / static_cast<double>(s.output_tokens - 1), now);
  } else {
    const double each = ms(s.total) / (kFirstTokenAsOthers + static_cast<double>(s.output_tokens));
    first_token_.peak(each * kFirstTokenAsOthers, now);
    if (s.output_tokens > 0) per_token_.peak(each, now);
  }
  if (s.output_tokens > 0) output_tokens_.add(static_cast<double>(s.output_tokens), 0.05);
  if (s.input_tokens > 0) cached_share_.add(std::clamp(static_cast<double>(s.cached_tokens) / static_cast<double>(s.input_tokens), 0.0, 1.0), 0.1);
}

}  // namespace llmrouter
