// cost_nano_usd(): every token class at its own rate, one rounding, no way below zero or around the end of the integers.
#include <limits>

#include "catch.h"
#include "llmrouter/usage.h"

using namespace llmrouter;

namespace {

TokenUsage tokens(int64_t input, int64_t output) {
  TokenUsage usage;
  usage.input = input;
  usage.output = output;
  usage.known = true;
  return usage;
}

PriceRow usd_per_million(int64_t input_micro, int64_t output_micro) {
  PriceRow row;
  row.input = input_micro;
  row.output = output_micro;
  return row;
}

}  // namespace

TEST_CASE("input and output at their own price") {
  // 2.50 and 10 USD per million tokens: 1000 in is 0.0025 USD, 500 out is 0.005 USD.
  CHECK(cost_nano_usd(tokens(1000, 500), usd_per_million(2500000, 10000000)) == 2500000 + 5000000);
  CHECK(cost_nano_usd(tokens(0, 0), usd_per_million(2500000, 10000000)) == 0);
  CHECK(cost_nano_usd(tokens(1000000, 0), usd_per_million(1, 0)) == 1000);  // a millionth of a dollar
}

TEST_CASE("half a nano-dollar rounds up, once for the whole") {
  CHECK(cost_nano_usd(tokens(1, 0), usd_per_million(499, 0)) == 0);
  CHECK(cost_nano_usd(tokens(1, 0), usd_per_million(500, 0)) == 1);
  CHECK(cost_nano_usd(tokens(1, 0), usd_per_million(1499, 0)) == 1);
  // Two halves are one, not two.
  CHECK(cost_nano_usd(tokens(1, 1), usd_per_million(500, 500)) == 1);
  CHECK(cost_nano_usd(tokens(1, 1), usd_per_million(400, 400)) == 1);
}

TEST_CASE("classes with a price of their own leave the whole") {
  PriceRow row = usd_per_million(1000000, 2000000);
  TokenUsage usage = tokens(1000, 100);
  usage.cached = 400;
  usage.cache_write = 100;
  usage.audio_input = 50;
  usage.reasoning = 30;
  usage.audio_output = 10;

  // Priced as the whole they belong to.
  CHECK(cost_nano_usd(usage, row) == 1000 * 1000 + 100 * 2000);

  row.cached = 100000;
  CHECK(cost_nano_usd(usage, row) == 600 * 1000 + 400 * 100 + 100 * 2000);
  row.cache_write = 1250000;
  CHECK(cost_nano_usd(usage, row) == 500 * 1000 + 400 * 100 + 100 * 1250 + 100 * 2000);
  row.audio_input = 8000000;
  CHECK(cost_nano_usd(usage, row) == 450 * 1000 + 400 * 100 + 100 * 1250 + 50 * 8000 + 100 * 2000);
  row.reasoning = 3000000;
  CHECK(cost_nano_usd(usage, row) == 450 * 1000 + 400 * 100 + 100 * 1250 + 50 * 8000 + 70 * 2000 + 30 * 3000);
  row.audio_output = 16000000;
  CHECK(cost_nano_usd(usage, row) == 450 * 1000 + 400 * 100 + 100 * 1250 + 50 * 8000 + 60 * 2000 + 30 * 3000 + 10 * 16000);
  row.cached = 0;  // free, which is not the same as not priced
  CHECK(cost_nano_usd(usage, row) == 450 * 1000 + 100 * 1250 + 50 * 8000 + 60 * 2000 + 30 * 3000 + 10 * 16000);
  row.nano_per_request = 12000000;
  CHECK(cost_nano_usd(usage, row) == 12000000 + 450 * 1000 + 100 * 1250 + 50 * 8000 + 60 * 2000 + 30 * 3000 + 10 * 16000);
}

TEST_CASE("a part that says more than its whole counts as the whole") {
  PriceRow row = usd_per_million(1000000, 1000000);
  row.cached = 100000;
  row.cache_write = 2000000;
  row.reasoning = 3000000;
  TokenUsage usage = tokens(10, 10);
  usage.cached = 12;
  usage.cache_write = 5;
  usage.reasoning = 11;
  CHECK(cost_nano_usd(usage, row) == 10 * 100 + 10 * 3000);
}

TEST_CASE("never negative") {
  TokenUsage usage = tokens(-5, -7);
  usage.cached = -3;
  usage.reasoning = -1;
  PriceRow row = usd_per_million(1000000, 1000000);
  row.cached = 5;
  row.reasoning = 5;
  CHECK(cost_nano_usd(usage, row) == 0);
  usage = tokens(10, 0);
  usage.cached = -3;
  CHECK(cost_nano_usd(usage, row) == 10 * 1000);
  CHECK(cost_nano_usd(tokens(10, 10), usd_per_million(-1, -1)) == 0);
  row.nano_per_request = -100;
  CHECK(cost_nano_usd(tokens(0, 0), row) == 0);
}

TEST_CASE("saturates instead of wrapping around") {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  CHECK(cost_nano_usd(tokens(kMost, kMost), usd_per_million(kMost, kMost)) == kMost);
  PriceRow row = usd_per_million(kMost, kMost);
  row.cached = row.cache_write = row.reasoning = row.audio_input = row.audio_output = row.nano_per_request = kMost;
  TokenUsage usage = tokens(kMost, kMost);
  usage.cached = usage.cache_write = usage.reasoning = usage.audio_input = usage.audio_output = kMost;
  CHECK(cost_nano_usd(usage, row) == kMost);
  // The largest sum that still fits, and one nano more.
  row = usd_per_million(1000, 0);
  CHECK(cost_nano_usd(tokens(kMost - 1, 0), row) == kMost - 1);
  row.nano_per_request = 1;
  CHECK(cost_nano_usd(tokens(kMost - 1, 0), row) == kMost);
  CHECK(cost_nano_usd(tokens(kMost, 0), row) == kMost);
}

TEST_CASE("audio from the cache is paid once, at its own price, or at that of the cache") {
  TokenUsage usage = tokens(1000, 0);
  usage.cached = 300;
  usage.audio_input = 500;
  usage.cached_audio = 200;  // 200 audio cached, 300 audio not, 100 text cached, 400 text not
  PriceRow row = usd_per_million(1000, 0);
  row.cached = 100;
  row.audio_input = 10000;
  row.cached_audio = 2000;
  CHECK(cost_nano_usd(usage, row) == (200 * 2000 + 300 * 10000 + 100 * 100 + 400 * 1000) / 1000);
  row.cached_audio = -1;
  CHECK(cost_nano_usd(usage, row) == (300 * 100 + 300 * 10000 + 400 * 1000) / 1000);
  usage.cached_audio = 100000;  // more than there is of either
  row.cached_audio = 2000;
  CHECK(cost_nano_usd(usage, row) == (300 * 2000 + 200 * 10000 + 500 * 1000) / 1000);
}
