// What the router keeps of its run-time state, as JSON.
#include "llmrouter/keys.h"
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

namespace {

template <typename Take>
Result<void> each_member(std::string_view json, const char* known, Take take) {
  std::vector<MemberSpan> members;
  if (auto scanned = wire::scan_object(json, {16, 16}, members); !scanned) return scanned.to_error(json);
  for (const MemberSpan& m : members) {
    const wire::JsonValue value(json.substr(m.value_begin, m.value_end - m.value_begin));
    const std::string name = m.name.substr(0, 100);
    const char* expected = value.is_null() ? "" : take(name, value);
    if (expected == nullptr) return Error(ErrorCode::kInvalidRequest, name + ": no such member here; there are " + known, name);
    if (*expected != 0) return Error(ErrorCode::kInvalidRequest, name + ": expected " + expected, name);
  }
  return {};
}

}  // namespace

Result<SwitchWish> switch_wish_from_json(std::string_view json) {
  SwitchWish wish;
  if (json.find_first_not_of(" \t\r\n") == std::string_view::npos) return wish;
  auto read = each_member(json, "enabled, reason", [&](const std::string& name, wire::JsonValue v) -> const char* {
    if (name == "enabled") {
      wish.enabled = v.boolean();
      return wish.enabled ? "" : "true or false";
    }
    if (name != "reason") return nullptr;
    return v.string(wish.why) ? "" : "a text";
  });
  if (!read) return std::move(read).error();
  return wish;
}

Result<std::string> override_from_json(std::string_view json) {
  std::string model;
  auto read = each_member(json, "model", [&](const std::string& name, wire::JsonValue v) -> const char* {
    if (name != "model") return nullptr;
    return v.string(model) ? "" : "a model's name";
  });
  if (!read) return std::move(read).error();
  if (model.empty()) return Error(ErrorCode::kInvalidRequest, "model: expected a model's name", "model");
  return model;
}

Result<SessionWish> session_wish_from_json(std::string_view json) {
  SessionWish wish;
  auto read = each_member(json, "model, ttl", [&](const std::string& name, wire::JsonValue v) -> const char* {
    if (name == "model") return v.string(wish.model) ? "" : "a model's name";
    if (name != "ttl") return nullptr;
    std::string text;
    const auto ttl = v.string(text) ? parse_duration(text) : Result<Duration>(Error());
    if (ttl) wish.ttl = *ttl;
    return ttl ? "" : "a duration: 30m, 8h, 7d";
  });
  if (!read) return std::move(read).error();
  if (wish.model.empty()) return Error(ErrorCode::kInvalidRequest, "model: expected a model's name", "model");
  return wish;
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
