// A file that uses every section, read field by field.
#include "catch.h"
#include "llmrouter/values.h"
#include "support.h"

using namespace llmrouter;
using namespace llmrouter::test;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

constexpr const char* kSample = R"yaml(
server:
  listen: ["127.0.0.1:8000", "[::1]:8000", unix:/run/llmrouter.sock]
  threads: 4
  auth: keys
  trust_loopback: true
  admin_key: ${LLMROUTER_ADMIN_KEY:-}
  max_body: 16MiB
  max_header: 32KiB
  header_timeout: 5s
  body_timeout: 2m
  idle_timeout: 1m
  write_timeout: 45s
  max_connections: 20k
  shutdown_grace: 0s
  cors: [https://app.example.com]
  tls: {cert: "", key: ""}

storage:
  keys:  sqlite:state/llmrouter.db
  usage: off
  retention: 30d
  secret_key: ${SECRET}

providers:
  openai: {api_key: "${OPENAI_API_KEY}"}
  silicon:
    type: siliconflow
    region: intl
    api_keys:
      - ${KEY_A}
      - {key: "${KEY_B}", weight: 2, name: team-b, models: ["qwen-*"], limits: {requests: 50/min}}
  lab:
    base_url: http://10.0.0.7:8000/
    dialect: openai
    models:
      filter: "gpt 4*"
      append: [my-finetune]
      override: []
    headers: {X-Team: search}
    forward_headers: [X-Trace]
    pass_client_key: false
    timeouts: {connect: 1s, first_token: 2s, idle: 3s, total: 4m}
    limits: {requests: 500/min, tokens: 200k/min, concurrent: 64}
    health: {probe: off}
    proxy: "socks5://user:word@proxy:1080"
    tls: {ca_file: "", verify: false}
  azure: {base_url: https://eu.example.com/openai/v1, dialect: openai, api_key: k-azure}

models:
  gpt-4o:
    targets:
      - openai/gpt-4o
      - {model: azure/gpt-4o-prod, weight: 3, priority: 2, tags: []}
    strategy: priority
    tags: []
    modalities: []
    fallbacks: [claude-sonnet, openai/gpt-4o-mini]
    context_fallbacks: []
    limits: {requests: 50/min, burst: 20}
    defaults: {temperature: 0.2, stop: ["a", "b"], metadata: {x: true, y: null, z: "1"}}
    override: {user: router, seed: 7}
    drop: [logit_bias]
    filters: []
  claude-sonnet: "[lab]claude/sonnet"
  "gpt-*": openai/*

routing:
  default_model: gpt-4o
  strategy: round_robin
  attempts: 5
  backoff: {first: 100ms, max: 4s}
  timeouts: {connect: 6s, first_token: 61s, idle: 62s, total: 11m}
  cooldown: {failures: 4, within: 31s, for: 32s, max: 12m}
  hedge: {after: 0s, max_extra: 5%}
  affinity: {by: [], ttl: 300s}
  retry_budget: off
  queue: {max_wait: 0ms, max: 1k}
  continue_on: cut
  remote_media: {fetch: false, max: 20MiB, timeout: 10s}
  rules: []
  switch: {enabled: true, delay: 10s, cooldown: 5m}

keys:
  - name: ci
    key: ${CI_KEY}
    user: build
    role: admin
    purpose: default
    allow: {models: ["gpt-*", "!gpt-5*"], providers: [openai, lab], endpoints: [chat]}
    params: {max_tokens: 4096, temperature: [0, 1.5], tools: false}
    limits: {requests: {requests: 60, per: 60s, burst: 5}, tokens: 100k/min, concurrent: 8}
    budget: {usd: 50.25, per: week, soft: 80%}
    expires: 2027-01-01T00:00:00Z
users: []

filters: {}

prices:
  file: ""
  entries:
    - {model: "lab/*", input: 0.15, output: 0.60, cached_input: 0.075, cache_write: 0, reasoning: 0.60, per_request: 0.01}

observe:
  log: {level: debug, format: json, bodies: false}
  metrics: false
  otel: {endpoint: "", headers: {}}
  langfuse: {host: "", public_key: "", secret_key: ""}
  alerts: []
)yaml";

const Variables kVariables = {{"OPENAI_API_KEY", "k-openai"}, {"KEY_A", "k-a"}, {"KEY_B", "k-b"}, {"CI_KEY", "k-ci"}, {"SECRET", "at rest"}};

}  // namespace

TEST_CASE("every section of a full file is read") {
  const ConfigResult result = load(kSample, kVariables);
  INFO(words(result));
  REQUIRE(result.ok());
  const Config& c = result.config;
  CHECK(c.source == "t.yaml");

  CHECK(c.server.listen == std::vector<std::string>{"127.0.0.1:8000", "[::1]:8000", "unix:/run/llmrouter.sock"});
  CHECK(c.server.threads == 4);
  CHECK(c.server.auth == AuthMode::kKeys);
  CHECK(c.server.trust_loopback);
  CHECK(c.server.admin_key.empty());
  CHECK(c.server.max_body == 16u * 1024 * 1024);
  CHECK(c.server.max_header == 32u * 1024);
  CHECK(c.server.header_timeout == seconds(5));
  CHECK(c.server.body_timeout == minutes(2));
  CHECK(c.server.idle_timeout == minutes(1));
  CHECK(c.server.write_timeout == seconds(45));
  CHECK(c.server.max_connections == 20000);
  CHECK(c.server.shutdown_grace == seconds(0));
  CHECK(c.server.cors == std::vector<std::string>{"https://app.example.com"});

  CHECK(c.storage.keys == "sqlite:state/llmrouter.db");
  CHECK(c.storage.usage == "off");
  CHECK(c.storage.retention == hours(24 * 30));
  CHECK(c.storage.secret_key.reveal() == "at rest");

  REQUIRE(c.providers.size() == 5);
  const ProviderConfig& openai = c.providers[0];
  CHECK(openai.name == "openai");
  CHECK(openai.type == "openai");
  CHECK(openai.base_url == "https://api.openai.com/v1");
  CHECK(openai.dialect == "openai");
  CHECK(openai.auth == "bearer");
  REQUIRE(openai.credentials.size() == 1);
  CHECK(openai.credentials[0].name == "1");
  CHECK(openai.credentials[0].key.reveal() == "k-openai");
  CHECK(openai.credentials[0].weight == 1);

  const ProviderConfig& silicon = c.providers[1];
  CHECK(silicon.name == "silicon");
  CHECK(silicon.type == "siliconflow");
  CHECK(silicon.base_url == "https://api.siliconflow.com/v1");
  CHECK(silicon.region == "intl");
  REQUIRE(silicon.credentials.size() == 2);
  CHECK(silicon.credentials[0].key.reveal() == "k-a");
  CHECK(silicon.credentials[0].name == "1");
  CHECK(silicon.credentials[1].key.reveal() == "k-b");
  CHECK(silicon.credentials[1].name == "team-b");
  CHECK(silicon.credentials[1].weight == 2);
  CHECK(silicon.credentials[1].models == std::vector<std::string>{"qwen-*"});
  CHECK(*silicon.credentials[1].limits.requests == Rate{50, minutes(1), 0});

  const ProviderConfig& lab = c.providers[2];
  CHECK(lab.type.empty());
  CHECK(lab.base_url == "http://10.0.0.7:8000/v1");
  CHECK(lab.models.filter == "gpt 4*");
  CHECK(lab.models.append == std::vector<std::string>{"my-finetune"});
  CHECK(lab.models.override_.empty());
  REQUIRE(lab.headers.size() == 1);
  CHECK(lab.headers[0].name == "x-team");
  CHECK(lab.headers[0].value == "search");
  CHECK(lab.forward_headers == std::vector<std::string>{"x-trace"});
  CHECK_FALSE(lab.pass_client_key);
  CHECK(lab.timeouts.connect == seconds(1));
  CHECK(lab.timeouts.first_token == seconds(2));
  CHECK(lab.timeouts.idle == seconds(3));
  CHECK(lab.timeouts.total == minutes(4));
  CHECK(*lab.limits.requests == Rate{500, minutes(1), 0});
  CHECK(*lab.limits.tokens == Rate{200000, minutes(1), 0});
  CHECK(lab.limits.concurrent == 64);
  CHECK(lab.proxy == "socks5://user:word@proxy:1080");
  CHECK(lab.ca_file.empty());
  CHECK_FALSE(lab.verify_tls);
  CHECK(lab.credentials.empty());

  CHECK(c.providers[3].name == "azure");
  CHECK(c.providers[3].type == "azure");
  CHECK(c.providers[3].auth == "api-key");
  CHECK(c.providers[3].base_url == "https://eu.example.com/openai/v1");
  CHECK(c.providers[4].name == "demo");
  CHECK(c.providers[4].base_url == "demo:");

  REQUIRE(c.models.size() == 3);
  const ModelConfig& model = c.models[0];
  CHECK(model.name == "gpt-4o");
  REQUIRE(model.targets.size() == 2);
  CHECK(model.targets[0].provider == "openai");
  CHECK(model.targets[0].model == "gpt-4o");
  CHECK(model.targets[0].weight == 1);
  CHECK(model.targets[0].priority == 1);
  CHECK(model.targets[1].provider == "azure");
  CHECK(model.targets[1].model == "gpt-4o-prod");
  CHECK(model.targets[1].weight == 3);
  CHECK(model.targets[1].priority == 2);
  CHECK(model.strategy == "priority");
  CHECK(model.fallbacks == std::vector<std::string>{"claude-sonnet", "openai/gpt-4o-mini"});
  CHECK(*model.limits.requests == Rate{50, minutes(1), 20});
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  CHECK(model.defaults == Pairs{{"temperature", "0.2"}, {"stop", "[\"a\",\"b\"]"}, {"metadata", "{\"x\":true,\"y\":null,\"z\":\"1\"}"}});
  CHECK(model.override_ == Pairs{{"user", "\"router\""}, {"seed", "7"}});
  CHECK(model.drop == std::vector<std::string>{"logit_bias"});
  CHECK(c.models[1].name == "claude-sonnet");
  CHECK(c.models[1].targets[0].provider == "lab");
  CHECK(c.models[1].targets[0].model == "claude/sonnet");
  CHECK(c.models[2].name == "gpt-*");
  CHECK(c.models[2].targets[0].model == "*");

  CHECK(c.routing.default_model == "gpt-4o");
  CHECK(c.routing.strategy == "round_robin");
  CHECK(c.routing.attempts == 5);
  CHECK(c.routing.backoff.first == milliseconds(100));
  CHECK(c.routing.backoff.max == seconds(4));
  CHECK(c.routing.timeouts.connect == seconds(6));
  CHECK(c.routing.timeouts.first_token == seconds(61));
  CHECK(c.routing.timeouts.idle == seconds(62));
  CHECK(c.routing.timeouts.total == minutes(11));
  CHECK(c.routing.cooldown.failures == 4);
  CHECK(c.routing.continue_on_cut);
  CHECK(c.routing.cooldown.within == seconds(31));
  CHECK(c.routing.cooldown.rest == seconds(32));
  CHECK(c.routing.cooldown.max == minutes(12));

  REQUIRE(c.keys.size() == 1);
  const KeySpec& spec = c.keys[0].spec;
  CHECK(c.keys[0].key.reveal() == "k-ci");
  CHECK(spec.name == "ci");
  CHECK(spec.user == "build");
  CHECK(spec.role == KeyRole::kAdmin);
  CHECK(spec.purpose == "default");
  CHECK(spec.allow.models == std::vector<std::string>{"gpt-*", "!gpt-5*"});
  CHECK(spec.allow.providers == std::vector<std::string>{"openai", "lab"});
  CHECK(spec.allow.endpoints == std::vector<std::string>{"chat"});
  CHECK(spec.params.max_tokens == 4096);
  CHECK(spec.params.min_temperature == 0.0);
  CHECK(spec.params.max_temperature == 1.5);
  CHECK(spec.params.tools == false);
  CHECK(*spec.limits.requests == Rate{60, minutes(1), 5});
  CHECK(*spec.limits.tokens == Rate{100000, minutes(1), 0});
  CHECK(spec.limits.concurrent == 8);
  REQUIRE(spec.limits.budget);
  CHECK(spec.limits.budget->nano_usd == 50250000000);
  CHECK(spec.limits.budget->per == BudgetPeriod::kWeek);
  CHECK(spec.limits.budget->soft_percent == 80);
  CHECK(format_time_rfc3339(*spec.expires) == "2027-01-01T00:00:00Z");

  REQUIRE(c.prices.size() == 1);
  CHECK(c.prices[0].match == "lab/*");
  CHECK(c.prices[0].row.input == 150000);
  CHECK(c.prices[0].row.output == 600000);
  CHECK(c.prices[0].row.cached == 75000);
  CHECK(c.prices[0].row.cache_write == 0);
  CHECK(c.prices[0].row.reasoning == 600000);
  CHECK(c.prices[0].row.audio_input == -1);
  CHECK(c.prices[0].row.nano_per_request == 10000000);

  CHECK(c.observe.level == LogLevel::kDebug);
  CHECK(c.observe.json);
  CHECK_FALSE(c.observe.metrics);
}

TEST_CASE("an empty file is every default") {
  const Config usual;
  const ConfigResult result = load("");
  REQUIRE(result.ok());
  Config expected;
  expected.source = "t.yaml";
  expected.providers = result.config.providers;
  CHECK(dump(result.config) == dump(expected));
  REQUIRE(result.config.providers.size() == 1);
  CHECK(result.config.providers[0].name == "demo");
  for (const char* text : {"# nothing\n", "---\n", "{}", "server:\nmodels:\nkeys:\n", "null"}) {
    CAPTURE(text);
    const ConfigResult other = load(text);
    CHECK(other.ok());
    CHECK(dump(other.config) == dump(result.config));
  }
}
