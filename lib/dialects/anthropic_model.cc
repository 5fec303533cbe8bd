#include "dialects/anthropic_model.h"

#include "dialects/text_match.h"

namespace llmrouter::dialects::anthropic {
namespace {

// The generation of a Claude as major * 100 + minor ("claude-opus-4-7": 407, "claude-3-5-haiku": 305, "claude-fable-5": 500); 0: no Claude, or
// none that says. Versions are the first one or two numbers of at most two digits; a date is longer.
int generation_of(std::string_view model) noexcept {
  const size_t at = find_ci(model, "claude");
  if (at == std::string_view::npos) return 0;
  std::string_view rest = model.substr(at + 6);
  int major = -1;
  while (!rest.empty()) {
    size_t digits = 0;
    int value = 0;
    while (digits < rest.size() && is_digit(rest[digits])) {
      if (digits < 3) value = value * 10 + (rest[digits] - '0');
      ++digits;
    }
    if (digits == 0) {
      if (major >= 0 && is_alnum(rest.front())) return major * 100;  // "3-opus", "4-7-v1": a word ends the version
      rest.remove_prefix(1);
      continue;
    }
    if (digits > 2) return major >= 0 ? major * 100 : 0;
    if (major >= 0) return major * 100 + value;
    major = value;
    rest.remove_prefix(digits);
    if (rest.empty() || (rest.front() != '-' && rest.front() != '.')) return major * 100;
    rest.remove_prefix(1);
  }
  return major >= 0 ? major * 100 : 0;
}

}  // namespace

// Sources: the vendor's pages on thinking, effort, structured outputs and model limits, autumn 2026; FORMATS, section 4.
ModelTraits traits_of(std::string_view model) noexcept {
  using Thinking = ModelTraits::Thinking;
  ModelTraits t;
  const int generation = generation_of(model);
  if (generation == 0) {
    if (find_ci(model, "claude-mythos") == std::string_view::npos) return t;
  } else if (generation < 307) {
    t.thinking = Thinking::kNone;
    t.prefill = true;
    t.max_tokens = generation < 305 ? 4096 : 8192;
    return t;
  }
  const bool latest = generation == 0 || generation >= 407;
  const bool opus = find_ci(model, "opus") != std::string_view::npos;
  t.max_tokens = 32000;
  t.thinking = latest ? Thinking::kAdaptive : generation >= 406 ? Thinking::kBoth : Thinking::kBudget;
  t.effort = latest || generation >= 406 || (generation == 405 && opus);
  t.effort_max = latest || generation >= 406;
  t.effort_xhigh = latest;
  t.schema = latest || generation >= 405 || (generation == 401 && opus);
  t.prefill = !latest && generation < 406;
  t.one_sampler = latest || generation >= 401;
  t.no_samplers = latest;
  return t;
}

}  // namespace llmrouter::dialects::anthropic
