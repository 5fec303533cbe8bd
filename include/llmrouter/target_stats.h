// How one target has done lately: what strategies that learn go by.
#ifndef LLMROUTER_TARGET_STATS_H_
#define LLMROUTER_TARGET_STATS_H_

#include <atomic>
#include <cstdint>
#include <cstring>

#include "llmrouter/clock.h"
#include "llmrouter/export.h"

namespace llmrouter {

// One attempt that ended.
struct AttemptSample {
  bool ok = true;
  // How long until the first visible payload of a stream. 0: none came, or the answer was not streamed.
  Duration first_token{0};
  Duration total{0};
  int64_t input_tokens = 0, cached_tokens = 0, output_tokens = 0;  // 0: not known
};

// Statistics of one target (a provider's model). Thread-safe and without locks: every figure is one atomic word, written by whoever ends an
// attempt. Readers see each figure as it is; two figures need not be of the same instant.
//
// Latencies are peak-EWMAs as Finagle's balancer keeps them (twitter/finagle, PeakEwma): a sample above the mean replaces it, one below pulls it
// down by 1 - exp(-dt / 10 s). While no sample comes, what is read falls with exp(-idle / 60 s), to a sixteenth at the most: who was slow is tried again.
class LLMROUTER_EXPORT TargetStats {
 public:
  TargetStats() = default;
  TargetStats(const TargetStats&) = delete;
  TargetStats& operator=(const TargetStats&) = delete;

  // Around each attempt. `cancelled` takes the attempt out of flight and learns nothing from it.
  void started() noexcept { in_flight_.fetch_add(1, std::memory_order_relaxed); }
  void ended(const AttemptSample& sample, TimePoint now) noexcept;
  void cancelled() noexcept { in_flight_.fetch_sub(1, std::memory_order_relaxed); }
  // As new. Not while an attempt is in flight.
  void forget() noexcept;

  int64_t in_flight() const noexcept { return in_flight_.load(std::memory_order_relaxed); }
  uint64_t attempts() const noexcept { return attempts_.load(std::memory_order_relaxed); }  // that ended, cancelled ones not counted
  uint64_t failures() const noexcept { return failures_.load(std::memory_order_relaxed); }

  // Milliseconds. 0: nothing is known.
  double first_token_ms(TimePoint now) const noexcept { return first_token_.read(now); }
  double per_token_ms(TimePoint now) const noexcept { return per_token_.read(now); }
  // The first token and the time of each of so many others, in milliseconds, and success(): both at once, for whoever weighs many targets.
  struct Expectation {
    double ms = 0;
    double success = 1;
  };
  Expectation expect(double output_tokens, TimePoint now) const noexcept;
  // Nothing was measured yet, or not for so long (166 s) that one request should find out.
  bool stale(TimePoint now) const noexcept { return first_token_.stale(now); }
  // The share of attempts that succeed, each new one counting a tenth; forgiven with exp(-idle / 60 s). In [0, 1].
  double success(TimePoint now) const noexcept;
  // What 95 of 100 answers do not exceed, in milliseconds: of streams until the first visible payload, of whole answers until their end. 0: fewer than 20
  // were seen. Stochastic approximation (Robbins and Monro, 1951): a step up by 19 parts when a sample exceeds it, down by one when not.
  double p95_ms(bool stream) const noexcept { return (stream ? p95_stream_ : p95_whole_).read(); }
  // An attempt was given up before it answered: it would have taken longer.
  void took_at_least(bool stream, Duration waited) noexcept;
  // Of the input tokens, how many came from the provider's prompt cache. In [0, 1].
  double cached_share() const noexcept { return cached_share_.read(); }
  // How long answers are. 0: nothing is known.
  double output_tokens() const noexcept { return output_tokens_.read(); }

 private:
  static double value_of(uint64_t word) noexcept {
    const auto bits = static_cast<uint32_t>(word >> 32);
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return static_cast<double>(value);
  }

  // A float and when it was written, in one word: 32 bits of milliseconds.
  class Stamped {
   public:
    uint64_t word() const noexcept { return word_.load(std::memory_order_relaxed); }
    double read(TimePoint now) const noexcept;
    bool stale(TimePoint now) const noexcept;
    void peak(double sample, TimePoint now) noexcept;
    void blend(double sample, double weight, TimePoint now) noexcept;
    double forgiven(TimePoint now) const noexcept;
    void clear() noexcept { word_.store(0, std::memory_order_relaxed); }

   private:
    std::atomic<uint64_t> word_{0};  // 0: never written
  };
  // A plain moving average.
  class Mean {
   public:
    double read() const noexcept {
      const uint64_t word = word_.load(std::memory_order_relaxed);
      return word == 0 ? 0 : value_of(word);
    }
    void add(double sample, double weight) noexcept;
    void clear() noexcept { word_.store(0, std::memory_order_relaxed); }

   private:
    std::atomic<uint64_t> word_{0};  // 0: never written
  };

  // A running 95th percentile and how many samples it has seen, in one word.
  class P95 {
   public:
    double read() const noexcept;
    void add(double sample) noexcept;
    void clear() noexcept { word_.store(0, std::memory_order_relaxed); }

   private:
    std::atomic<uint64_t> word_{0};  // 0: never written
  };

  // What decisions read comes first: a line of the cache.
  std::atomic<int64_t> in_flight_{0};
  Stamped first_token_, per_token_, failing_;
  Mean cached_share_, output_tokens_;
  P95 p95_stream_, p95_whole_;
  std::atomic<uint64_t> attempts_{0};
  std::atomic<uint64_t> failures_{0};
};

}  // namespace llmrouter

#endif  // LLMROUTER_TARGET_STATS_H_
