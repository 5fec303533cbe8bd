// The public records as JSON: names, money, times.
#include <algorithm>
#include <iterator>
#include <sstream>
#include <string>

#include "catch.h"
#include "llmrouter/keys.h"
#include "llmrouter/route.h"
#include "llmrouter/usage.h"
#include "wire/json_scan.h"

using namespace llmrouter;
using namespace llmrouter::wire;

namespace {

const WallTime kTime(std::chrono::microseconds(1798761600250000));  // 2027-01-01T00:00:00.25Z

std::vector<std::string> names_of(JsonValue object) {
  std::vector<std::string> names;
  for (const JsonMember& m : JsonMembers(object)) names.emplace_back(m.key);
  return names;
}

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

UsageRecord full_record() {
  UsageRecord r;
  r.id = "01J";
  r.time = kTime;
  r.request_id = "req \"1\"";
  r.key = "key_1";
  r.user = "ann";
  r.endpoint = "chat";
  r.dialect = "openai";
  r.requested_model = "gpt";
  r.provider = "openai";
  r.model = "gpt-4o";
  r.stream = true;
  r.status = CallStatus::kCut;
  r.http_status = 200;
  r.error_code = "upstream_error";
  r.usage.input = 1;
  r.usage.cached = 2;
  r.usage.cache_write = 3;
  r.usage.output = 4;
  r.usage.reasoning = 5;
  r.usage.audio_input = 6;
  r.usage.audio_output = 7;
  r.usage.image = 8;
  r.usage.known = true;
  r.usage.estimated = true;
  r.cost_nano_usd = 9007199254740993;  // a double would lose the last digit
  r.latency_ms = 10;
  r.first_token_ms = 11;
  r.overhead_us = 12;
  r.dropped = {"seed", "n\n"};
  r.decision = "weighted: openai/gpt-4o";
  r.attempts.resize(2);
  AttemptRecord& a = r.attempts[1];
  a.provider = "azure";
  a.model = "prod";
  a.credential = "team-b";
  a.started_ms = 1;
  a.duration_ms = 2;
  a.outcome = "cut";
  a.http_status = 200;
  a.reason = "fallback";
  a.cost_nano_usd = 3;
  return r;
}

}  // namespace

TEST_CASE("a usage record has the names of the contract, in its order") {
  const std::string json = to_json(full_record());
  REQUIRE(validate(json));
  const JsonValue root(json);
  CHECK(names_of(root) == words("id time request_id key user endpoint dialect requested_model provider model stream status http_status error_code "
                                "input_tokens cached_tokens cache_write_tokens output_tokens reasoning_tokens audio_input_tokens audio_output_tokens "
                                "image_tokens estimated cost_nano_usd latency_ms first_token_ms overhead_us dropped decision attempts"));
  CHECK(names_of(find(root, "attempts", 1)) == words("provider model credential started_ms duration_ms outcome http_status reason cost_nano_usd"));
}

TEST_CASE("a usage record has the values it was given") {
  const std::string json = to_json(full_record());
  const JsonValue root(json);
  CHECK(find(root, "time").equals("2027-01-01T00:00:00.25Z"));
  CHECK(find(root, "request_id").equals("req \"1\""));
  CHECK(find(root, "stream").boolean() == true);
  CHECK(find(root, "status").equals("cut"));
  CHECK(find(root, "error_code").equals("upstream_error"));
  int64_t expected = 1;
  for (const char* name : {"input", "cached", "cache_write", "output", "reasoning", "audio_input", "audio_output", "image"}) {
    CHECK(find(root, std::string(name) + "_tokens").integer() == expected++);
  }
  CHECK(find(root, "estimated").boolean() == true);
  CHECK(find(root, "cost_nano_usd").raw() == "9007199254740993");
  CHECK(find(root, "latency_ms").integer() == 10);
  CHECK(find(root, "first_token_ms").integer() == 11);
  CHECK(find(root, "overhead_us").integer() == 12);
  CHECK(find(root, "dropped").raw() == "[\"seed\",\"n\\n\"]");
  CHECK(find(root, "attempts", 1, "credential").equals("team-b"));
  CHECK(find(root, "attempts", 1, "outcome").equals("cut"));
  CHECK(find(root, "attempts", 1, "cost_nano_usd").integer() == 3);
}

TEST_CASE("a sum of usage has the names of a record's usage, and a group that may be none") {
  UsageSum sum;
  sum.calls = 9;
  sum.usage.audio_input = 4;
  sum.cost_nano_usd = 9007199254740993;
  const std::string json = to_json(sum);
  REQUIRE(validate(json));
  CHECK(names_of(JsonValue(json)) == words("group calls errors limited cancelled input_tokens cached_tokens cache_write_tokens output_tokens "
                                           "reasoning_tokens audio_input_tokens audio_output_tokens image_tokens cost_nano_usd"));
  CHECK(find(JsonValue(json), "group").raw() == "null");
  CHECK(find(JsonValue(json), "audio_input_tokens").integer() == 4);
  CHECK(find(JsonValue(json), "cost_nano_usd").raw() == "9007199254740993");
  sum.group = "k\"1";
  const std::string name = "ann";
  const std::string named = to_json(sum, &name);
  CHECK(find(JsonValue(named), "group").equals("k\"1"));
  CHECK(find(JsonValue(named), "name").equals("ann"));
}

TEST_CASE("an empty usage record is valid too") {
  const std::string json = to_json(UsageRecord());
  REQUIRE(validate(json));
  CHECK(find(JsonValue(json), "attempts").raw() == "[]");
  CHECK(find(JsonValue(json), "dropped").raw() == "[]");
  CHECK(find(JsonValue(json), "time").equals("1970-01-01T00:00:00Z"));
}

TEST_CASE("prices are exact decimals, and what has no price of its own is left out") {
  PriceRow row;
  row.match = "openai gpt-4o";
  row.as_of = "2026-08";
  row.input = 2500000;
  row.output = 10000001;
  row.cached = 0;
  row.nano_per_request = 5;
  CHECK(to_json(row) ==
        "{\"match\":\"openai gpt-4o\",\"as_of\":\"2026-08\",\"unit\":\"USD per million tokens\",\"input\":2.50,\"output\":10.000001,\"cached_input\":0.00,"
        "\"usd_per_request\":0.000000005}");
  row.cache_write = row.reasoning = row.audio_input = row.audio_output = 1;
  row.input = INT64_MAX;
  const std::string all = to_json(row);
  REQUIRE(validate(all));
  CHECK(names_of(JsonValue(all)) ==
        words("match as_of unit input output cached_input cache_write reasoning audio_input audio_output usd_per_request"));
}

TEST_CASE("a key's JSON is read back as the same key") {
  KeyRecord key;
  key.id = "key_1";
  key.hint = "sk-p...7Q2a";
  key.created = kTime;
  key.spec.name = "ci";
  key.spec.user = "build";
  key.spec.purpose = "cursor";
  key.spec.role = KeyRole::kAdmin;
  key.spec.allow = {{"gpt-*", "!gpt-3*"}, {"openai"}, {"chat", "models"}};
  key.spec.params = {4096, 0.0, 1.25, false};
  key.spec.limits.requests = Rate{60, std::chrono::minutes(1), 0};
  key.spec.limits.tokens = Rate{200000, std::chrono::seconds(90), 50000};
  key.spec.limits.concurrent = 8;
  key.spec.limits.budget = Budget{50250000001, BudgetPeriod::kWeek, 80, {}};
  key.spec.expires = kTime;
  const std::string json = to_json(key);
  REQUIRE(validate(json));
  const JsonValue root(json);
  CHECK(names_of(root) == words("id name user purpose role hint created expires state revoked from_file allow filters params limits budget"));
  CHECK(find(root, "limits", "requests").equals("60/min"));
  CHECK(find(root, "limits", "tokens").raw() == "{\"tokens\":200000,\"per\":\"90s\",\"burst\":50000}");
  CHECK(find(root, "budget").raw() == "{\"usd\":50.250000001,\"per\":\"week\",\"soft\":\"80%\"}");
  CHECK(find(root, "params").raw() == "{\"max_tokens\":4096,\"temperature\":[0,1.25],\"tools\":false}");
  CHECK(find(root, "expires").equals("2027-01-01T00:00:00.25Z"));

  using std::chrono::microseconds;
  const std::string after = to_json(key, kTime);
  CHECK(find(JsonValue(after), "state").equals("expired"));
  const std::string before = to_json(key, kTime - microseconds(1));
  CHECK(find(JsonValue(before), "state").equals("active"));
  key.revoked = true;
  CHECK(key_state(key, kTime - microseconds(1)) == "revoked");

  // What an administrator may write is what is written.
  std::string writable = "{";
  for (const JsonMember& m : JsonMembers(root)) {
    if (m.key == "id" || m.key == "hint" || m.key == "created" || m.key == "state" || m.key == "revoked" || m.key == "from_file") continue;
    if (writable.size() > 1) writable += ',';
    writable += m.raw;
  }
  const auto back = key_spec_from_json(writable + "}", kTime);
  REQUIRE(back.ok());
  CHECK(back->name == key.spec.name);
  CHECK(back->role == key.spec.role);
  CHECK(back->allow.models == key.spec.allow.models);
  CHECK(back->params.max_temperature == key.spec.params.max_temperature);
  CHECK(back->params.tools == key.spec.params.tools);
  CHECK(back->limits == key.spec.limits);
  CHECK(back->expires == key.spec.expires);
}

TEST_CASE("a key without limits says so plainly") {
  const std::string json = to_json(KeyRecord());
  REQUIRE(validate(json));
  const JsonValue root(json);
  CHECK(find(root, "budget").is_null());
  CHECK(find(root, "expires").is_null());
  CHECK(find(root, "limits").raw() == "{}");
  CHECK(find(root, "params").raw() == "{}");
  CHECK(find(root, "role").equals("user"));
  CHECK(find(root, "revoked").boolean() == false);
}

namespace {

Plan two_steps() {
  Plan plan;
  plan.requested = "gpt-4o";
  plan.how = "model";
  plan.strategy = "weighted";
  plan.steps.resize(3);
  plan.steps[0].provider = "openai";
  plan.steps[0].model = "gpt-4o";
  plan.steps[0].route = "gpt-4o";
  plan.steps[1].provider = "claude";
  plan.steps[1].model = "claude-sonnet-4-5";
  plan.steps[1].route = "claude-sonnet";
  plan.steps[1].weight = 3;
  plan.steps[1].reason = StepReason::kFallback;
  plan.steps[2].provider = "lab";
  plan.steps[2].model = "x";
  plan.steps[2].eligible = false;
  plan.steps[2].reason = StepReason::kNotAllowed;
  return plan;
}

}  // namespace

TEST_CASE("a plan as JSON") {
  const std::string json = two_steps().to_json();
  REQUIRE(validate(json));
  const JsonValue root(json);
  CHECK(names_of(root) == words("requested model by rule how strategy steps"));
  CHECK(names_of(find(root, "steps", 0)) == words("provider model route weight priority eligible reason"));
  CHECK(find(root, "steps", 1, "weight").integer() == 3);
  CHECK(find(root, "steps", 2, "eligible").boolean() == false);
  CHECK(find(root, "steps", 2, "reason").equals(step_reason_text(StepReason::kNotAllowed)));
  CHECK_FALSE(find(root, "steps", 3).exists());
}

TEST_CASE("a plan as text has a line for each target") {
  const std::string text = two_steps().to_text();
  CHECK(std::count(text.begin(), text.end(), '\n') == 4);
  CHECK(text.find("gpt-4o (model, strategy weighted)\n1. openai/gpt-4o ") == 0);
  CHECK(text.find("\n2. claude/claude-sonnet-4-5  weight 3, priority 1, of claude-sonnet: ") != std::string::npos);
  CHECK(text.find("\n-  lab/x ") != std::string::npos);
  Plan none;
  none.requested = "x\x1b[2J\n";
  none.how = "model";
  CHECK(none.to_text() == "x?[2J? (model)\nno target\n");
}
