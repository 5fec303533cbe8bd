// How limits stand, as JSON.
#include "llmrouter/limits.h"
#include "llmrouter/values.h"
#include "wire/json_writer.h"

namespace llmrouter {

namespace {

using wire::JsonWriter;

void rate(JsonWriter& w, std::string_view name, int64_t limit, int64_t remaining, Duration reset) {
  if (limit < 0) return;
  w.key(name);
  w.begin_object();
  w.member("limit", limit);
  w.member("remaining", remaining);
  w.member("reset_s", (reset.count() + 999999999) / 1000000000);
  w.end_object();
}

}  // namespace

std::string to_json(const LimitState& state) {
  std::string out;
  JsonWriter w(out);
  w.begin_object();
  rate(w, "requests", state.limit_requests, state.remaining_requests, state.reset_requests);
  rate(w, "tokens", state.limit_tokens, state.remaining_tokens, state.reset_tokens);
  if (state.limit_concurrent >= 0) {
    w.key("concurrent");
    w.begin_object();
    w.member("limit", state.limit_concurrent);
    w.member("in_flight", state.in_flight);
    w.end_object();
  }
  if (state.budget_nano_usd >= 0) {
    w.key("budget");
    w.begin_object();
    w.member("usd", format_usd(state.budget_nano_usd));
    w.member("spent_usd", format_usd(state.spent_nano_usd));
    w.member("reserved_usd", format_usd(state.reserved_nano_usd));
    if (state.budget_renews != WallTime{}) w.member("renews", format_time_rfc3339(state.budget_renews));
    w.end_object();
  }
  w.end_object();
  return out;
}

}  // namespace llmrouter
