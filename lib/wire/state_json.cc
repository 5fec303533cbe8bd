// What the router keeps of its run-time state, as JSON.
#include "llmrouter/state.h"
#include "llmrouter/values.h"
#include "wire/json_scan.h"
#include "wire/json_writer.h"

namespace llmrouter {

namespace {

void change(wire::JsonWriter& w, const SwitchChange& c) {
  w.member("time", format_time_rfc3339(c.time));
  w.member("effective", format_time_rfc3339(c.effective));
  w.member("enabled", c.enabled);
  w.member("who", c.who);
  w.member("why", c.why);
}

}  // namespace

std::string to_json(const SwitchChange& c) {
  std::string out;
  wire::JsonWriter w(out);
  w.begin_object();
  change(w, c);
  w.end_object();
  return out;
}

Result<SwitchChange> switch_change_from_json(std::string_view json) {
  const wire::JsonValue root(json);
  SwitchChange c;
  auto time = parse_time(wire::find(root, "time").string_or()), effective = parse_time(wire::find(root, "effective").string_or());
  const auto enabled = wire::find(root, "enabled").boolean();
  if (!wire::validate(json) || !time || !effective || !enabled) return Error(ErrorCode::kStorage, "a change of the routing switch cannot be read");
  c.time = *time;
  c.effective = *effective;
  c.enabled = *enabled;
  c.who = wire::find(root, "who").string_or();
  c.why = wire::find(root, "why").string_or();
  return c;
}

std::string to_json(const SwitchState& s, WallTime now) {
  std::string out;
  wire::JsonWriter w(out);
  w.begin_object();
  w.member("enabled", s.enabled);
  const bool pending = s.last && s.last->effective > now;
  w.key("pending");
  if (pending) w.raw(to_json(*s.last));
  else w.null();
  w.key("last");
  if (s.last) w.raw(to_json(*s.last));
  else w.null();
  w.key("cooldown_until");
  if (s.next > now) w.string(format_time_rfc3339(s.next));
  else w.null();
  w.end_object();
  return out;
}

std::string to_json(const RuleState& s) {
  std::string out = to_json(s.rule);
  out.pop_back();
  out += s.stored ? R"(,"source":"store","hits":)" : R"(,"source":"file","hits":)";
  wire::append_integer(out, static_cast<int64_t>(s.hits));
  if (!s.problem.empty()) {
    out += R"(,"problem":)";
    wire::append_json_string(out, s.problem);
  }
  return out + "}";
}

}  // namespace llmrouter
