// The public records as JSON and text, in the words of the configuration and of the usage record. Money is written from integers.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "llmrouter/keys.h"
#include "llmrouter/route.h"
#include "llmrouter/usage.h"
#include "llmrouter/values.h"
#include "wire/json_writer.h"

namespace llmrouter {
namespace {

using wire::JsonWriter;

void strings(JsonWriter& w, std::string_view name, const std::vector<std::string>& values) {
  w.key(name);
  w.begin_array();
  for (const std::string& v : values) w.string(v);
  w.end_array();
}

void attempt(JsonWriter& w, const AttemptRecord& a) {
  w.begin_object();
  w.member("provider", a.provider);
  w.member("model", a.model);
  w.member("credential", a.credential);
  w.member("started_ms", a.started_ms);
  w.member("duration_ms", a.duration_ms);
  w.member("outcome", a.outcome);
  w.member("http_status", a.http_status);
  w.member("reason", a.reason);
  if (!a.detail.empty()) w.member("detail", a.detail);
  w.member("cost_nano_usd", a.cost_nano_usd);
  w.end_object();
}

void tokens(JsonWriter& w, const TokenUsage& usage) {
  w.member("input_tokens", usage.input);
  w.member("cached_tokens", usage.cached);
  w.member("cache_write_tokens", usage.cache_write);
  w.member("output_tokens", usage.output);
  w.member("reasoning_tokens", usage.reasoning);
  w.member("audio_input_tokens", usage.audio_input);
  w.member("audio_output_tokens", usage.audio_output);
  w.member("image_tokens", usage.image);
}

// A price in micro-USD as USD; a class without its own price is left out. `head` is all that stands before it: this is done for each call.
void price(std::string& out, std::string_view head, int64_t micro_usd) {
  if (micro_usd >= 0) out.append(head).append(format_usd(std::min(micro_usd, INT64_MAX / 1000) * 1000));
}

void time_or_null(JsonWriter& w, std::string_view name, const std::optional<WallTime>& time) {
  w.key(name);
  if (time) {
    w.string(format_time_rfc3339(*time));
  } else {
    w.null();
  }
}

// "60/min"; with a burst of its own {"requests":50,"per":"60s","burst":20}, as the configuration has it.
void rate(JsonWriter& w, std::string_view name, const std::optional<Rate>& r) {
  if (!r) return;
  if (r->burst == 0) return w.member(name, format_rate(*r));
  w.key(name);
  w.begin_object();
  w.member(name, r->count);
  w.member("per", format_duration(r->per));
  w.member("burst", r->burst);
  w.end_object();
}

void params(JsonWriter& w, const ParamLimits& p) {
  w.key("params");
  w.begin_object();
  if (p.max_tokens) w.member("max_tokens", *p.max_tokens);
  if (p.min_temperature || p.max_temperature) {
    w.key("temperature");
    w.begin_array();
    w.number(p.min_temperature.value_or(0));
    w.number(p.max_temperature.value_or(2));
    w.end_array();
  }
  if (p.tools) w.member("tools", *p.tools);
  w.end_object();
}

void limits(JsonWriter& w, const Limits& l) {
  w.key("limits");
  w.begin_object();
  rate(w, "requests", l.requests);
  rate(w, "tokens", l.tokens);
  if (l.concurrent != 0) w.member("concurrent", l.concurrent);
  w.end_object();
}

void budget(JsonWriter& w, const std::optional<Budget>& b) {
  w.key("budget");
  if (!b) return w.null();
  w.begin_object();
  w.raw_member("usd", format_usd(b->nano_usd));
  w.member("per", budget_period_name(b->per));
  if (b->soft_percent != 0) w.member("soft", std::to_string(b->soft_percent) + '%');
  w.end_object();
}

// Names may come from a stranger: a control character must not reach a terminal.
std::string printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text;
}

int64_t milliseconds_up(Duration d) { return std::chrono::ceil<std::chrono::milliseconds>(d).count(); }
std::string seconds_up(Duration d) { return std::to_string(std::chrono::ceil<std::chrono::seconds>(d).count()); }

std::string target(const PlanStep& step) { return printable(step.provider + '/' + step.model); }

}  // namespace

std::string to_json(const UsageRecord& r) {
  std::string out;
  JsonWriter w(out);
  w.begin_object();
  w.member("id", r.id);
  w.member("time", format_time_rfc3339(r.time));
  w.member("request_id", r.request_id);
  w.member("key", r.key);
  w.member("user", r.user);
  w.member("endpoint", r.endpoint);
  w.member("dialect", r.dialect);
  w.member("requested_model", r.requested_model);
  w.member("provider", r.provider);
  w.member("model", r.model);
  w.member("stream", r.stream);
  w.member("status", call_status_name(r.status));
  w.member("http_status", r.http_status);
  w.member("error_code", r.error_code);
  tokens(w, r.usage);
  w.member("estimated", r.usage.estimated);
  w.member("cost_nano_usd", r.cost_nano_usd);
  w.member("latency_ms", r.latency_ms);
  w.member("first_token_ms", r.first_token_ms);
  w.member("overhead_us", r.overhead_us);
  strings(w, "dropped", r.dropped);
  w.member("decision", r.decision);
  w.key("attempts");
  w.begin_array();
  for (const AttemptRecord& a : r.attempts) attempt(w, a);
  w.end_array();
  w.end_object();
  return out;
}

std::string to_json(const UsageSum& sum, const std::string* name) {
  std::string out;
  JsonWriter w(out);
  w.begin_object();
  w.key("group");
  if (sum.group.empty()) w.null();
  else w.string(sum.group);
  if (name != nullptr) w.member("name", *name);
  w.member("calls", sum.calls);
  w.member("errors", sum.errors);
  w.member("limited", sum.limited);
  w.member("cancelled", sum.cancelled);
  tokens(w, sum.usage);
  w.member("cost_nano_usd", sum.cost_nano_usd);
  w.end_object();
  return out;
}

std::string to_json(const PriceRow& row) {
  std::string out;
  out.reserve(256);
  out += "{\"match\":";
  wire::append_json_string(out, row.match);
  out += ",\"as_of\":";
  wire::append_json_string(out, row.as_of);
  out += ",\"unit\":\"USD per million tokens\"";
  price(out, ",\"input\":", row.input);
  price(out, ",\"output\":", row.output);
  price(out, ",\"cached_input\":", row.cached);
  price(out, ",\"cache_write\":", row.cache_write);
  price(out, ",\"reasoning\":", row.reasoning);
  price(out, ",\"audio_input\":", row.audio_input);
  price(out, ",\"audio_output\":", row.audio_output);
  price(out, ",\"cached_audio\":", row.cached_audio);
  if (row.nano_per_request != 0) out.append(",\"usd_per_request\":").append(format_usd(row.nano_per_request));
  out += '}';
  return out;
}

std::string_view key_state(const KeyRecord& key, WallTime now) noexcept {
  if (key.revoked) return "revoked";
  return key.spec.expires && *key.spec.expires <= now ? "expired" : "active";
}

std::string to_json(const KeyRecord& key, WallTime now) {
  const KeySpec& spec = key.spec;
  std::string out;
  JsonWriter w(out);
  w.begin_object();
  w.member("id", key.id);
  w.member("name", spec.name);
  w.member("user", spec.user);
  w.member("purpose", spec.purpose);
  w.member("role", spec.role == KeyRole::kAdmin ? "admin" : "user");
  w.member("hint", key.hint);
  w.member("created", format_time_rfc3339(key.created));
  time_or_null(w, "expires", spec.expires);
  w.member("state", key_state(key, now));
  w.member("revoked", key.revoked);
  w.member("from_file", key.from_file);
  w.key("allow");
  w.begin_object();
  strings(w, "models", spec.allow.models);
  strings(w, "providers", spec.allow.providers);
  strings(w, "endpoints", spec.allow.endpoints);
  w.end_object();
  strings(w, "filters", spec.filters);
  params(w, spec.params);
  limits(w, spec.limits);
  budget(w, spec.limits.budget);
  w.end_object();
  return out;
}

namespace {

void session_members(JsonWriter& w, const KeySession& session) {
  w.member("id", session.id);
  w.member("model", session.model);
  w.member("key", session.key);
  w.member("hint", session.hint);
  w.member("created", format_time_rfc3339(session.created));
  w.member("expires", format_time_rfc3339(session.expires));
}

}  // namespace

std::string to_json(const KeySession& session) {
  std::string out;
  JsonWriter w(out);
  w.begin_object();
  session_members(w, session);
  w.end_object();
  return out;
}

std::string to_json(const CreatedSession& created) {
  std::string out;
  JsonWriter w(out);
  w.begin_object();
  w.member("token", created.token.reveal());
  session_members(w, created.session);
  w.end_object();
  return out;
}

std::string Plan::to_json() const {
  std::string out;
  JsonWriter w(out);
  w.begin_object();
  w.member("requested", requested);
  w.member("model", model);
  w.member("by", by);
  w.member("rule", rule);
  w.member("how", how);
  w.member("strategy", strategy);
  w.key("steps");
  w.begin_array();
  for (const PlanStep& step : steps) {
    w.begin_object();
    w.member("provider", step.provider);
    w.member("model", step.model);
    w.member("route", step.route);
    w.member("weight", step.weight);
    w.member("priority", step.priority);
    w.member("eligible", step.eligible);
    w.member("reason", step_reason_text(step.reason));
    if (step.ready_in > Duration(0)) w.member("ready_in_ms", milliseconds_up(step.ready_in));
    w.end_object();
  }
  w.end_array();
  w.end_object();
  return out;
}

std::string Plan::to_text() const {
  std::string out = printable(requested) + " (" + how;
  if (!strategy.empty()) out += ", strategy " + strategy;
  out += ")\n";
  if (by == "switch") out += "the routing switch is off: " + printable(model) + " in its place\n";
  if (by == "override") out += "the key's override: " + printable(model) + " in its place\n";
  if (by == "rule") out += "rule " + printable(rule) + (model == requested ? " decides\n" : ": " + printable(model) + " in its place\n");
  size_t width = 0;
  for (const PlanStep& step : steps) width = std::max(width, target(step).size());
  width = std::min<size_t>(width, 60);  // a very long name does not push the others' reasons away
  int number = 0;
  for (const PlanStep& step : steps) {
    std::string name = target(step);
    if (name.size() < width) name.resize(width, ' ');
    out += step.eligible ? std::to_string(++number) + ". " : std::string("-  ");
    out += name + "  weight " + std::to_string(step.weight) + ", priority " + std::to_string(step.priority);
    if (!step.route.empty() && step.route != requested) out += ", of " + step.route;
    out += ": ";
    out += step_reason_text(step.reason);
    if (step.ready_in > Duration(0)) out += "; ready in " + seconds_up(step.ready_in) + " s";
    out += '\n';
  }
  if (steps.empty()) out += "no target\n";
  return out;
}

}  // namespace llmrouter
