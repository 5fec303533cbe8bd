// What a replay of recorded traffic came to, for programs and for people.
#include <algorithm>

#include "llmrouter/shown.h"
#include "llmrouter/simulate.h"
#include "llmrouter/values.h"
#include "wire/json_writer.h"

namespace llmrouter {
namespace {

void side(wire::JsonWriter& w, const char* name, const SimulationSide& s) {
  w.key(name);
  w.begin_object();
  w.member("ok", s.ok);
  w.member("failed", s.failed);
  w.member("refused", s.refused);
  w.member("limited", s.limited);
  w.member("unpriced", s.unpriced);
  w.member("cost_nano_usd", s.cost_nano_usd);
  w.member("latency_ms", s.latency_ms);
  w.end_object();
}

std::string padded(std::string text, size_t width, bool left = false) {
  if (text.size() >= width) return text;
  return left ? text + std::string(width - text.size(), ' ') : std::string(width - text.size(), ' ') + text;
}

std::string line(const std::string& name, const std::string& before, const std::string& after, size_t width) {
  return padded(name, width, true) + padded(before, 16) + padded(after, 16) + "\n";
}

}  // namespace

std::string Simulation::to_json() const {
  std::string out;
  wire::JsonWriter w(out);
  w.begin_object();
  w.member("replayed", replayed);
  w.member("skipped", skipped);
  w.member("moved", moved);
  w.member("guessed", guessed);
  w.member("estimated", estimated);
  w.member("uncertain", uncertain);
  w.member("unreadable", unreadable);
  w.member("hedged", hedged);
  w.member("hedges_won", hedges_won);
  w.member("switch_enabled", switch_enabled);
  w.member("default_model", default_model);
  w.key("not_played");
  w.begin_array();
  for (const std::string& words : not_played) w.string(words);
  w.end_array();
  side(w, "before", before);
  side(w, "after", after);
  w.key("targets");
  w.begin_array();
  for (const SimulationShare& s : targets) {
    w.begin_object();
    w.member("target", s.target);
    w.member("before", s.before);
    w.member("after", s.after);
    w.member("cost_before_nano_usd", s.cost_before);
    w.member("cost_after_nano_usd", s.cost_after);
    w.member("why", s.why);
    w.member("why_requests", s.why_requests);
    w.end_object();
  }
  w.end_array();
  w.end_object();
  return out;
}

std::string Simulation::to_text() const {
  size_t width = 16;
  for (const SimulationShare& s : targets) width = std::max(width, std::min<size_t>(60, s.target.size()) + 2);
  auto number = [](int64_t n) { return std::to_string(n); };
  std::string out = number(replayed) + " requests replayed, " + number(skipped) + " left out, " + number(moved) + " answered by another target";
  if (guessed > 0) out += ", " + number(guessed) + " by one that nothing is known of";
  if (estimated > 0) out += "\n" + number(estimated) + " were refused when they came: their tokens are those of the others of their model";
  if (hedged > 0) out += "\n" + number(hedged) + " second attempts were made beside slow ones, " + number(hedges_won) + " of them answered";
  if (uncertain > 0) out += "\n" + number(uncertain) + " may be decided otherwise by what is not recorded: content, headers, tags, what is in a request, a session, parameters that a key limits";
  if (!switch_enabled) {
    out += "\nthe routing switch is off: " + (default_model.empty() ? "and there is no default_model that chats could go to" : "every chat goes to the default_model, " + default_model);
  }
  if (unreadable > 0) out += "\n" + number(unreadable) + " stored entries (rules, changes of the switch) cannot be read and were left out";
  for (const std::string& words : not_played) out += "\nnot played: " + words;
  out += "\n\n" + line("", "before", "after", width);
  out += line("answered", number(before.ok), number(after.ok), width);
  out += line("failed", number(before.failed), number(after.failed), width);
  out += line("refused", number(before.refused), number(after.refused), width);
  out += line("limited", number(before.limited), number(after.limited), width);
  out += line("cost, USD", format_usd(before.cost_nano_usd), format_usd(after.cost_nano_usd), width);
  out += line("without a price", number(before.unpriced), number(after.unpriced), width);
  out += line("latency, ms", number(before.latency_ms), number(after.latency_ms), width) + "\n";
  for (const SimulationShare& s : targets) {
    std::string row = line(shown(s.target), number(s.before), number(s.after), width);
    if (!s.why.empty()) row.insert(row.size() - 1, "  " + s.why + " (" + number(s.why_requests) + ")");
    out += row;
  }
  return out;
}

}  // namespace llmrouter
