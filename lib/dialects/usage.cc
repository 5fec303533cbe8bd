#include "dialects/usage.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "wire/json_writer.h"

namespace llmrouter::dialects {
namespace {

using wire::find;
using wire::find_member;
using wire::JsonCursor;
using wire::JsonMember;
using wire::JsonMembers;
using wire::JsonValue;
using wire::JsonWriter;

// Counts beyond this are lies; sums of a few of them still fit.
constexpr int64_t kMaxCount = int64_t{1} << 50;

std::optional<int64_t> count(JsonValue value) {
  auto n = value.integer();
  if (!n || *n < 0 || *n > kMaxCount) return std::nullopt;
  return n;
}

template <typename Count>
void take(JsonValue value, Count& into) {
  if (auto n = count(value)) into = *n;
}

struct Counts {
  std::optional<int64_t> prompt, completion, total;
  TokenUsage classes;  // input and output not yet set
};

// Which of the cached tokens were audio: those have a price of their own.
void read_cached_details(JsonCursor& at, TokenUsage& out) {
  while (at.next_member()) {
    if (at.key() == "audio_tokens") take(at.take(), out.cached_audio);
  }
}

// Each reads on from inside of the details to behind them.
void read_prompt_details(JsonCursor& at, TokenUsage& out) {
  while (at.next_member()) {
    const std::string_view name = at.key();
    if (name == "cached_tokens") take(at.take(), out.cached);
    else if (name == "cache_write_tokens" || name == "cache_creation_tokens") take(at.take(), out.cache_write);
    else if (name == "audio_tokens") take(at.take(), out.audio_input);
    else if (name == "image_tokens") take(at.take(), out.image);
    else if (name == "cached_tokens_details" && at.enter_object()) read_cached_details(at, out);
  }
}

void read_completion_details(JsonCursor& at, TokenUsage& out) {
  while (at.next_member()) {
    const std::string_view name = at.key();
    if (name == "reasoning_tokens") take(at.take(), out.reasoning);
    else if (name == "audio_tokens") take(at.take(), out.audio_output);
  }
}

Counts read_counts(JsonValue usage) {
  Counts c;
  int64_t cached_outside_details = 0, cache_read = 0;
  JsonCursor at(usage);
  while (at.next_member()) {
    const std::string_view name = at.key();
    if (name == "prompt_tokens" || name == "input_tokens") take(at.take(), c.prompt);
    else if (name == "completion_tokens" || name == "output_tokens") take(at.take(), c.completion);
    else if (name == "total_tokens") take(at.take(), c.total);
    else if (name == "prompt_tokens_details" || name == "input_tokens_details") {
      if (at.enter_object()) read_prompt_details(at, c.classes);
    }
    else if (name == "completion_tokens_details" || name == "output_tokens_details") {
      if (at.enter_object()) read_completion_details(at, c.classes);
    }
    else if (name == "prompt_cache_hit_tokens" || name == "cached_tokens") take(at.take(), cached_outside_details);
    else if (name == "cache_read_input_tokens") take(at.take(), cache_read);
    else if (name == "cache_creation_input_tokens") take(at.take(), c.classes.cache_write);
  }
  c.classes.cached = std::max({c.classes.cached, cached_outside_details, cache_read});
  return c;
}

}  // namespace

bool read_usage(JsonValue usage, TokenUsage& out) {
  if (!usage.is_object()) return false;
  Counts c = read_counts(usage);
  if (!c.prompt && !c.completion) return false;
  if (c.total && !c.completion && *c.total > *c.prompt) c.completion = *c.total - *c.prompt;
  if (c.total && !c.prompt && *c.total > *c.completion) c.prompt = *c.total - *c.completion;
  TokenUsage result = c.classes;
  result.input = c.prompt.value_or(0);
  result.output = c.completion.value_or(0);
  const int64_t outside = c.total ? *c.total - result.input - result.output : 0;
  if (outside > 0) {
    if (outside == result.reasoning) result.output += outside;
    else if (outside == result.audio_input || outside == result.cached + result.cache_write) result.input += outside;
    else if (c.prompt && c.completion) {
      result.output += outside;
      result.reasoning = std::max(result.reasoning, outside);
    }
  }
  // Some count thoughts that they do not bill (OpenRouter): a part is never more than its whole.
  result.reasoning = std::min(result.reasoning, result.output);
  result.audio_output = std::min(result.audio_output, result.output);
  result.cached = std::min(result.cached, result.input);
  result.cache_write = std::min(result.cache_write, result.input - result.cached);
  result.audio_input = std::min(result.audio_input, result.input);
  result.cached_audio = std::min({result.cached_audio, result.cached, result.audio_input});
  result.image = std::min(result.image, result.input);
  result.known = true;
  mark_missing(result, c.prompt.has_value(), c.completion.has_value());
  out = result;
  return true;
}

void keep_told(const TokenUsage& before, TokenUsage& usage) noexcept {
  if (!before.known || !usage.estimated) return;
  if (usage.output_counted) {
    if (before.input == 0) return;
    usage.input = before.input;
    usage.cached = before.cached;
    usage.cache_write = before.cache_write;
    usage.estimated = false;
  } else {
    usage.output = before.output;
    usage.reasoning = before.reasoning;
    usage.estimated = before.estimated || before.output == 0;
    usage.output_counted = before.output_counted;
  }
}

TokenUsage StreamCounts::take(const TokenUsage& counts, bool over) noexcept {
  last_ = counts;
  open_ = !over;
  since_ = false;
  TokenUsage told = counts;
  if (!over) mark_missing(told, true, false);
  return told;
}

std::optional<TokenUsage> StreamCounts::settle() noexcept {
  if (!open_ || since_ || (spoke_ && last_.output == 0)) return std::nullopt;
  open_ = false;
  return last_;
}

namespace {

bool has_counts(JsonValue usage) {
  for (const JsonMember& m : JsonMembers(usage)) {
    const bool counts = m.key == "prompt_tokens" || m.key == "completion_tokens" || m.key == "input_tokens" || m.key == "output_tokens";
    if (counts && count(m.value)) return true;
  }
  return false;
}

}  // namespace

JsonValue last_told(JsonValue object, std::string_view name) {
  JsonValue last;
  for (const JsonMember& m : JsonMembers(object)) {
    if (m.key == name && !m.value.is_null()) last = m.value;
  }
  return last;
}

JsonValue find_usage(JsonValue root) { return find_usage(last_told(root, "usage"), find_member(root, "x_groq"), find_member(root, "choices")); }

JsonValue find_usage(JsonValue usage, JsonValue groq, JsonValue choices) {
  if (has_counts(usage)) return usage;
  if (groq.exists()) {
    if (JsonValue inner = last_told(groq, "usage"); has_counts(inner)) return inner;
  }
  if (JsonValue inner = last_told(wire::find_element(choices, 0), "usage"); has_counts(inner)) return inner;
  return {};
}

RawMembers usage_extras(JsonValue usage) {
  RawMembers extras;
  for (const JsonMember& m : JsonMembers(usage)) {
    if (m.key == "prompt_tokens" || m.key == "completion_tokens" || m.key == "total_tokens" || m.key == "prompt_tokens_details" ||
        m.key == "completion_tokens_details" || m.value.is_null()) {
      continue;
    }
    if (!extras.empty()) extras += ',';
    extras += m.raw;
  }
  return extras;
}

void write_usage(const TokenUsage& usage, const RawMembers& extras, std::string& out) {
  JsonWriter w(out);
  w.begin_object();
  w.member("prompt_tokens", usage.input);
  w.member("completion_tokens", usage.output);
  w.member("total_tokens", usage.input + usage.output);
  w.key("prompt_tokens_details");
  w.begin_object();
  w.member("cached_tokens", usage.cached);
  if (usage.cache_write != 0) w.member("cache_write_tokens", usage.cache_write);
  if (usage.image != 0) w.member("image_tokens", usage.image);
  w.member("audio_tokens", usage.audio_input);
  w.end_object();
  w.key("completion_tokens_details");
  w.begin_object();
  w.member("reasoning_tokens", usage.reasoning);
  w.member("audio_tokens", usage.audio_output);
  w.end_object();
  w.raw_members(extras);
  w.end_object();
}

}  // namespace llmrouter::dialects
