// How hard a model is to think: OpenAI's words and other vendors' budgets in tokens, each as the other.
#ifndef LLMROUTER_DIALECTS_EFFORT_H_
#define LLMROUTER_DIALECTS_EFFORT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "llmrouter/chat.h"

namespace llmrouter::dialects {

inline std::string_view effort_of_budget(int64_t tokens) noexcept {
  if (tokens <= 0) return "none";
  if (tokens <= 1024) return "low";
  return tokens <= 4096 ? "medium" : "high";
}

// 0: none at all.
inline int64_t budget_of_effort(std::string_view effort) noexcept {
  if (effort == "none") return 0;
  if (effort == "minimal" || effort == "low") return 1024;
  if (effort == "medium") return 2048;
  if (effort == "high") return 4096;
  return effort == "xhigh" ? 8192 : 16384;
}

// The word for all that a request says of it; empty: nothing that the word could tell.
inline std::string_view effort_of(const ChatRequest& request) noexcept {
  if (!request.reasoning_effort.empty()) return request.reasoning_effort;
  if (request.reasoning_budget) return effort_of_budget(*request.reasoning_budget);
  return request.reasoning && !*request.reasoning ? std::string_view("none") : std::string_view();
}

// The words from none at all to all there is, and sets of them: a bit each. Vendors and models take some.
using Efforts = uint32_t;
constexpr std::string_view kEfforts[] = {"none", "minimal", "low", "medium", "high", "xhigh", "max"};
constexpr size_t kEffortCount = sizeof kEfforts / sizeof kEfforts[0];

// 0: no word of ours.
constexpr Efforts effort_bit(std::string_view word) noexcept {
  for (size_t i = 0; i < kEffortCount; ++i) {
    if (kEfforts[i] == word) return Efforts{1} << i;
  }
  return 0;
}

// Of words joined by '_': "low_high_max".
constexpr Efforts efforts_named(std::string_view words) noexcept {
  Efforts all = 0;
  for (size_t at = 0; at <= words.size();) {
    const size_t end = words.find('_', at) < words.size() ? words.find('_', at) : words.size();
    all |= effort_bit(words.substr(at, end - at));
    at = end + 1;
  }
  return all;
}

struct FittedEffort {
  std::string_view word;
  bool told = true;  // false: no thinking at all was wanted, and the least that can be said is more
};

// The word of `taken` that comes next to `wanted`: itself, else the next one up, else the strongest. Nothing is known of `taken` 0: only `max`, which
// few know, becomes one that all do. A word that is none of ours is the vendor's own and stays.
constexpr FittedEffort fit_effort(std::string_view wanted, Efforts taken) noexcept {
  if (taken == 0) return {wanted == "max" ? std::string_view("high") : wanted, true};
  const Efforts bit = effort_bit(wanted);
  if (bit == 0) return {wanted, true};
  FittedEffort fit;
  for (size_t i = 0; i < kEffortCount; ++i) {
    const Efforts other = Efforts{1} << i;
    if ((taken & other) == 0) continue;
    fit.word = kEfforts[i];
    if (other >= bit) break;
  }
  fit.told = wanted != "none" || fit.word == wanted;
  return fit;
}

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_EFFORT_H_
