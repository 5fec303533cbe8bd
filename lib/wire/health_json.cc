// How providers and models are doing, as JSON.
#include "llmrouter/router.h"
#include "wire/json_writer.h"

namespace llmrouter {

using wire::JsonWriter;

std::string to_json(const ProviderState& provider) {
  std::string out;
  JsonWriter w(out);
  w.begin_object();
  w.member("name", provider.name);
  w.member("type", provider.type);
  w.member("dialect", provider.dialect);
  w.member("status", provider.status());
  w.member("available", provider.available);
  w.member("in_flight", provider.in_flight);
  w.member("attempts", static_cast<int64_t>(provider.attempts));
  w.member("failures", static_cast<int64_t>(provider.failures));
  w.member("probes", static_cast<int64_t>(provider.probes));
  w.member("failed_probes", static_cast<int64_t>(provider.failed_probes));
  w.member("last_error", provider.last_error);
  w.member("models", static_cast<int64_t>(provider.models));
  w.member("list_error", provider.list_error);
  w.key("credentials");
  w.begin_array();
  for (const auto& credential : provider.credentials) {
    w.begin_object();
    w.member("name", credential.name);
    w.member("hint", credential.hint);
    w.member("resting", credential.resting);
    w.member("why", credential.why);
    w.member("resting_ms", static_cast<int64_t>(credential.resting_for.count()));
    w.end_object();
  }
  w.end_array();
  w.end_object();
  return out;
}

namespace {

void figure(JsonWriter& w, std::string_view name, int64_t value, bool known) {
  if (known) return w.member(name, value);
  w.key(name);
  w.null();
}

}  // namespace

std::string to_json(const ModelHealth& health) {
  std::string out;
  JsonWriter w(out);
  w.begin_object();
  w.member("model", health.model);
  w.member("status", health.status());
  w.key("targets");
  w.begin_array();
  for (const TargetCondition& t : health.targets) {
    w.begin_object();
    w.member("provider", t.provider);
    w.member("model", t.model);
    w.member("breaker", t.breaker);
    w.member("resting", t.resting);
    w.member("resting_ms", static_cast<int64_t>(t.resting_for.count()));
    w.member("reachable", t.reachable);
    w.member("in_flight", t.in_flight);
    w.member("attempts", static_cast<int64_t>(t.attempts));
    w.member("failures", static_cast<int64_t>(t.failures));
    // What nobody has measured is null: a zero would be a figure.
    figure(w, "success_percent", t.success_percent, t.attempts > 0);
    figure(w, "first_token_ms", t.first_token_ms, t.first_token_ms > 0);
    figure(w, "p95_first_token_ms", t.p95_first_token_ms, t.p95_first_token_ms > 0);
    w.end_object();
  }
  w.end_array();
  w.end_object();
  return out;
}

}  // namespace llmrouter
