// The JSON Schema against the loader: what one takes, the other takes too. A small validator of the words that the schema uses stands here.
#include <yaml-cpp/yaml.h>

#include <fstream>
#include <regex>
#include <sstream>

#include "catch.h"
#include "config/table.h"
#include "support.h"

using namespace llmrouter;
using namespace llmrouter::test;

namespace {

bool is_number(const YAML::Node& node) {
  static const std::regex number("-?[0-9]+(\\.[0-9]+)?");
  return node.IsScalar() && node.Tag() == "?" && std::regex_match(node.Scalar(), number);
}

std::string type_of(const YAML::Node& node) {
  if (node.IsNull()) return "null";
  if (node.IsMap()) return "object";
  if (node.IsSequence()) return "array";
  if (is_number(node)) return node.Scalar().find('.') == std::string::npos ? "integer" : "number";
  if (node.Tag() == "?" && (node.Scalar() == "true" || node.Scalar() == "false")) return "boolean";
  return "string";
}

bool same(const YAML::Node& a, const YAML::Node& b) {
  if (a.IsNull() || b.IsNull()) return a.IsNull() && b.IsNull();
  if (a.IsScalar() && b.IsScalar()) return a.Scalar() == b.Scalar();
  return a.Type() == b.Type() && a.size() == 0 && b.size() == 0;
}

bool has_type(const YAML::Node& wanted, const std::string& type) {
  if (wanted.IsSequence()) {
    for (const YAML::Node& one : wanted) {
      if (has_type(one, type)) return true;
    }
    return false;
  }
  return wanted.Scalar() == type || (wanted.Scalar() == "number" && type == "integer");
}

bool valid(const YAML::Node& schema, const YAML::Node& value) {
  const std::string type = type_of(value);
  if (schema["type"] && !has_type(schema["type"], type)) return false;
  if (schema["const"] && !same(schema["const"], value)) return false;
  if (schema["pattern"] && type == "string" && !std::regex_search(value.Scalar(), std::regex(schema["pattern"].Scalar()))) return false;
  if (schema["minimum"] && is_number(value) && value.as<double>() < schema["minimum"].as<double>()) return false;
  if (schema["maximum"] && is_number(value) && value.as<double>() > schema["maximum"].as<double>()) return false;
  auto any = [&](const YAML::Node& of, auto&& good) {
    for (const YAML::Node& one : of) {
      if (good(one)) return true;
    }
    return false;
  };
  if (schema["enum"] && !any(schema["enum"], [&](const YAML::Node& one) { return same(one, value); })) return false;
  if (schema["anyOf"] && !any(schema["anyOf"], [&](const YAML::Node& one) { return valid(one, value); })) return false;
  if (type == "array") {
    if (schema["minItems"] && value.size() < schema["minItems"].as<size_t>()) return false;
    if (schema["maxItems"] && value.size() > schema["maxItems"].as<size_t>()) return false;
    for (const YAML::Node& item : value) {
      if (schema["items"] && !valid(schema["items"], item)) return false;
    }
  }
  if (type == "object") {
    for (const YAML::Node& name : schema["required"]) {
      if (!value[name.Scalar()]) return false;
    }
    for (const auto& member : value) {
      const YAML::Node known = schema["properties"] ? schema["properties"][member.first.Scalar()] : YAML::Node(YAML::NodeType::Undefined);
      const YAML::Node others = schema["additionalProperties"];
      if (known) {
        if (!valid(known, member.second)) return false;
      } else if (others && others.IsScalar()) {
        return false;  // `false`
      } else if (others && !valid(others, member.second)) {
        return false;
      }
    }
  }
  return true;
}

const YAML::Node& schema() {
  static const YAML::Node parsed = YAML::Load(config_json_schema());
  return parsed;
}

bool schema_takes(const std::string& text) { return valid(schema(), YAML::Load(text)); }

}  // namespace

TEST_CASE("the schema has every key") {
  const auto rows = config::table();
  for (const config::Key& key : rows->keys()) {
    CAPTURE(key.path);
    // One level at a time; a short form hides the map behind anyOf.
    YAML::Node at = schema();
    std::string rest = key.path;
    while (!rest.empty() && at) {
      const bool item = rest.rfind("[]", 0) == 0;
      const size_t end = item ? 2 : rest.find_first_of(".[");
      const std::string name = rest.substr(0, end);
      rest = end == std::string::npos ? "" : rest.substr(end);
      if (!rest.empty() && rest[0] == '.') rest.erase(0, 1);
      const char* where = item ? "items" : name == "*" ? "additionalProperties" : "properties";
      YAML::Node next = at[where];
      for (const YAML::Node& one : at["anyOf"]) {
        if (one[where]) next.reset(one[where]);
      }
      REQUIRE(next);
      at.reset(item || name == "*" ? next : next[name]);
    }
    REQUIRE(at);
    CHECK(at["description"].Scalar().find(key.doc) != std::string::npos);
  }
}

TEST_CASE("the schema takes what the loader takes") {
  const char* good[] = {
      "{}",
      "server: {listen: \"127.0.0.1:8000\", threads: 4, max_body: 1MiB, header_timeout: 5s, auth: none}",
      "server: {listen: [a:1, \"[::1]:2\"], max_body: 4096, shutdown_grace: 0, max_connections: 20k, threads: \"${N:-3}\", cors: []}",
      "providers: {demo: {}, ollama: }",
      "providers: {lab: {base_url: http://a, api_keys: [a, {key: b, weight: 2, limits: {requests: {requests: 5, per: 60s, burst: 2}}}]}}",
      "providers: {lab: {base_url: http://a, api_keys: a, headers: {x-a: b}, limits: {requests: 5/min, tokens: 10k/30s, concurrent: 5}}}",
      "models: {a: demo/echo, b: [demo/echo], c: {targets: demo/echo, limits: {requests: 5/min, burst: 3}}}",
      "models: {\"d*\": {targets: [demo/*, {model: demo/x, weight: 0}]}}",
      "models: {a: {targets: demo/echo, defaults: {temperature: 0.5, x: [1, {y: z}]}, tags: [], strategy: priority}}",
      "keys: [{name: a, key: b, params: {temperature: [0, 1.5], max_tokens: 4k}, budget: {usd: 0.25, per: 30d, soft: 80%}, expires: 2027-01-01}]",
      "keys: [{name: a, key: b, params: {temperature: 1}, expires: \"2027-01-01T00:00:00Z\"}]",
      "routing: {hedge: {after: 0s, max_extra: 5%}, queue: {max: 1000}, rules: [], remote_media: {fetch: false}}",
      "users: []\nfilters: {}\nobserve: {otel: {endpoint: \"\", headers: {}}, alerts: []}",
      "prices: {entries: [{model: \"a/*\", input: 0.15, output: 1, per_request: 0}]}",
  };
  for (const char* text : good) {
    INFO(text);
    const ConfigResult result = load(text);
    INFO(words(result));
    CHECK(result.ok());
    CHECK(schema_takes(text));
  }
}

TEST_CASE("the schema refuses what the loader refuses") {
  const char* bad[] = {
      "server: {lisen: a:1}",
      "server: 5",
      "server: {threads: many}",
      "server: {threads: 9999}",
      "server: {auth: maybe}",
      "server: {max_body: 5 MB}",
      "server: {header_timeout: 5}",
      "server: {tls: {cert: a.pem}}",
      "nonsense: {}",
      "models: {a: {strategy: priority}}",
      "models: {a: {targets: [demo/echo], strategy: fastest}}",
      "models: {a: {targets: [{weight: 2}]}}",
      "models: {a: {targets: [demo/echo], tags: {a: b}}}",
      "keys: {a: b}",
      "keys: [{key: b}]",
      "keys: [{name: a, key: b, params: {temperature: [0, 3]}}]",
      "keys: [{name: a, key: b, limits: {requests: 60}}]",
      "keys: [{name: a, key: b, budget: {usd: much}}]",
      "keys: [{name: a, key: b, expires: soon}]",
      "users: [{limits: {requests: 1/min}}]",
      "users: [{name: a, email: a@b}]",
      "routing: {hedge: {max_extra: 1s}}",
      "observe: {log: {bodies: true}}",
      "prices: {entries: [{model: a}]}",
  };
  for (const char* text : bad) {
    INFO(text);
    CHECK_FALSE(load(text).ok());
    CHECK_FALSE(schema_takes(text));
  }
}
