// What a usage costs at a price.
#include <algorithm>
#include <limits>

#include "llmrouter/usage.h"

namespace llmrouter {
namespace {

__extension__ typedef unsigned __int128 Wide;

// Takes the tokens of one class out of what is left of the whole. A class with no price of its own stays in the whole, and one that says
// more than the whole has counts as what is left, so that no token is paid twice.
Wide charge(int64_t tokens, int64_t price, int64_t& left) noexcept {
  if (price < 0 || tokens <= 0) return 0;
  const int64_t paid = std::min(tokens, left);
  left -= paid;
  return Wide{static_cast<uint64_t>(paid)} * static_cast<uint64_t>(price);  // neither is negative
}

}  // namespace

int64_t cost_nano_usd(const TokenUsage& usage, const PriceRow& price) noexcept {
  // Tokens times micro-USD per million tokens: thousandths of a nano-USD. The parts of each side sum to at most 2^63 tokens of at most
  // 2^63, so the sum of both sides fits.
  int64_t input = std::max<int64_t>(usage.input, 0);
  int64_t output = std::max<int64_t>(usage.output, 0);
  Wide sum = 0;
  if ((usage.cached_audio | usage.cache_write | usage.audio_input | usage.reasoning | usage.audio_output) == 0) {
    sum = charge(usage.cached, price.cached, input);  // text alone, as mostly
  } else {
    // Audio from the cache is in both classes: once here, then in neither, or in `cached` alone when it has no price of its own.
    const int64_t cached_audio = std::clamp<int64_t>(usage.cached_audio, 0, std::max<int64_t>(0, std::min(usage.cached, usage.audio_input)));
    sum = charge(cached_audio, price.cached_audio, input);
    sum += charge(price.cached_audio < 0 ? usage.cached : usage.cached - cached_audio, price.cached, input);
    sum += charge(usage.cache_write, price.cache_write, input);
    sum += charge(usage.audio_input - cached_audio, price.audio_input, input);
    sum += charge(usage.reasoning, price.reasoning, output);
    sum += charge(usage.audio_output, price.audio_output, output);
  }
  sum += charge(input, std::max<int64_t>(price.input, 0), input);
  sum += charge(output, std::max<int64_t>(price.output, 0), output);

  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  sum += 500;
  const Wide thousandth = sum >> 64 == 0 ? Wide{static_cast<uint64_t>(sum) / 1000} : sum / 1000;  // almost always the one that is quick
  const Wide nano = thousandth + static_cast<Wide>(std::max<int64_t>(price.nano_per_request, 0));
  return nano > static_cast<Wide>(kMost) ? kMost : static_cast<int64_t>(nano);
}

}  // namespace llmrouter
