#include "dialects/openai_model.h"

#include "dialects/text_match.h"

namespace llmrouter::dialects::openai {
namespace {

// Does a whole word of the name, after a dash, read so? "-pro" does in "gpt-5-pro-2025", not in "gpt-5-prod".
bool has(std::string_view name, std::string_view word) noexcept {
  const size_t at = find_ci(name, word);
  if (at == std::string_view::npos) return false;
  const size_t end = at + word.size();
  return end == name.size() || name[end] == '-';
}

// "o1", "o3-mini"
bool is_o_series(std::string_view name) noexcept {
  return name.size() >= 2 && lower(name[0]) == 'o' && is_digit(name[1]) && (name.size() == 2 || name[2] == '-');
}

// The number at `at`, of two digits at most: "gpt-35-turbo" is an older way to write 3.5, and a longer one is a date.
int number_at(std::string_view name, size_t& at) noexcept {
  int value = -1;
  for (size_t digits = 0; at < name.size() && is_digit(name[at]); ++at, ++digits) {
    if (digits == 2) return -1;
    value = (value < 0 ? 0 : value * 10) + (name[at] - '0');
  }
  return value;
}

// Qwen3 by its size, "qwen3-8b" or "qwen3-235b-a22b": those of the open weights that think or not as they are told.
bool is_open_qwen3(std::string_view name) noexcept {
  constexpr std::string_view kFamily = "qwen3-";
  if (!starts_with_ci(name, kFamily)) return false;
  const auto skip_size = [&name] {
    size_t digits = 0;
    while (digits < name.size() && (is_digit(name[digits]) || name[digits] == '.')) ++digits;
    if (digits == 0 || digits == name.size() || lower(name[digits]) != 'b') return false;
    name.remove_prefix(digits + 1);
    return true;
  };
  name.remove_prefix(kFamily.size());
  if (!skip_size()) return false;
  if (name.empty()) return true;
  if (!starts_with_ci(name, "-a")) return false;
  name.remove_prefix(2);
  return skip_size() && name.empty();
}

// The version as major * 100 + minor ("gpt-5.2-codex": 502); 0: not a GPT that says.
int version_of(std::string_view name) noexcept {
  size_t at = 4;
  if (!starts_with_ci(name, "gpt-")) return 0;
  const int major = number_at(name, at);
  if (major < 0 || major >= 35) return 0;
  if (at == name.size() || name[at] == '-') return major * 100;
  if (name[at++] != '.') return 0;
  const int minor = number_at(name, at);
  return minor < 0 ? 0 : major * 100 + minor;
}

Efforts efforts_of(std::string_view name, int version) noexcept {
  const bool codex = has(name, "-codex"), pro = has(name, "-pro");
  if (version == 500) return efforts_named(pro ? "high" : codex ? "low_medium_high" : "minimal_low_medium_high");
  if (version == 501) return efforts_named(has(name, "-codex-max") ? "low_medium_high_xhigh" : codex ? "low_medium_high" : "none_low_medium_high");
  return efforts_named(pro ? "medium_high_xhigh" : codex ? "low_medium_high_xhigh" : "none_low_medium_high_xhigh");
}

}  // namespace

// Sources: the vendor's pages of its models and of reasoning, autumn 2026; FORMATS, sections 2 and 13.
ModelTraits traits_of(std::string_view model) noexcept {
  const std::string_view name = model.substr(model.rfind('/') + 1);
  ModelTraits t;
  t.fixed_samplers = starts_with_ci(name, "kimi-k2.5") || starts_with_ci(name, "kimi-k2.6");
  t.thinks_streamed = is_open_qwen3(name);
  const bool o_series = is_o_series(name);
  if (o_series || starts_with_ci(name, "gpt-oss")) {
    t.efforts = efforts_named("low_medium_high");
    t.thinks = t.thinks_told = o_series;
    return t;
  }
  const int version = version_of(name);
  if (version < 500 || has(name, "-chat")) return t;
  t.efforts = efforts_of(name, version);
  t.thinks_told = true;
  t.thinks = (t.efforts & effort_bit("none")) == 0;
  return t;
}

Kimi kimi_of(std::string_view model) noexcept {
  const auto has = [model](std::string_view part) { return model.find(part) != std::string_view::npos; };
  if (has("kimi-k3")) return Kimi::kEffort;
  if (has("kimi-k2.5") || has("kimi-k2.6")) return Kimi::kSwitch;
  return has("kimi-k2.7") || (has("kimi") && has("thinking")) ? Kimi::kAlways : Kimi::kNone;
}

}  // namespace llmrouter::dialects::openai
