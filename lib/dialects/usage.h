// Token counts out of an OpenAI-shaped usage object, whatever the vendor calls them.
#ifndef LLMROUTER_DIALECTS_USAGE_H_
#define LLMROUTER_DIALECTS_USAGE_H_

#include <optional>
#include <string>
#include <string_view>

#include "llmrouter/chat.h"
#include "wire/json_scan.h"

namespace llmrouter::dialects {

// False, and nothing changed, when `usage` holds no counts (null, {}, or counts that are all null). Of counts that come under two names, or twice, the last that
// is a number counts. One side alone is marked by mark_missing(), unless total_tokens says the other.
//
// Where total_tokens says more than prompt and completion together, a vendor counts something outside of them: reasoning (xAI), audio
// (Mistral) or caches go to the side they belong to; what nobody names is thinking (Google), so output.
bool read_usage(wire::JsonValue usage, TokenUsage& out);

// Of an upstream that counts one side alone: the other is 0, and whoever books it estimates it.
inline void mark_missing(TokenUsage& usage, bool has_input, bool has_output) noexcept {
  usage.estimated = !has_input || !has_output;
  usage.output_counted = has_output;
}

// Counts told a second time in one answer: the last stand, and what they lack is what was told before.
void keep_told(const TokenUsage& before, TokenUsage& usage) noexcept;

// The counts of a stream whose upstream may count while the answer goes on. What it counted last stands when the answer has come to its end and nothing was said
// since, whether it counts once more there or not; until then, and where more was said, it is marked as not counted to the end.
class StreamCounts {
 public:
  const TokenUsage& last() const noexcept { return last_; }
  // The answer says something, in what comes or before it in the same piece.
  void spoke() noexcept { spoke_ = since_ = true; }
  // `over`: nothing of it follows. Gives what is to be told.
  TokenUsage take(const TokenUsage& counts, bool over) noexcept;
  // The answer has ended whole. Gives what is to be told once more; nothing when the last counts were told as final, or cannot be: those that something was said
  // behind, or that have no output though something was said.
  std::optional<TokenUsage> settle() noexcept;

 private:
  TokenUsage last_;
  bool open_ = false;   // told as not final
  bool spoke_ = false;  // ever
  bool since_ = false;  // the last counts
};

// The last member of that name that is not null: who says a count twice in one object means the last. Absent when there is none.
wire::JsonValue last_told(wire::JsonValue object, std::string_view name);

// The usage object that counts in an answer or a chunk: `usage`, `x_groq.usage`, `choices[0].usage`; absent when there is none.
wire::JsonValue find_usage(wire::JsonValue root);
wire::JsonValue find_usage(wire::JsonValue usage, wire::JsonValue x_groq, wire::JsonValue choices);

// The members of a usage object that write_usage() does not write, as they came.
RawMembers usage_extras(wire::JsonValue usage);

// Appends the OpenAI usage object.
void write_usage(const TokenUsage& usage, const RawMembers& extras, std::string& out);

}  // namespace llmrouter::dialects

#endif  // LLMROUTER_DIALECTS_USAGE_H_
