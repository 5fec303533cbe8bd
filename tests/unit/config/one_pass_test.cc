// No mistake hides another: files with mistakes in many places of the same objects, and all of them are told at once.
#include <algorithm>

#include "catch.h"
#include "support.h"

using namespace llmrouter;
using namespace llmrouter::test;

namespace {

struct Place {
  int line;
  const char* path;
  const char* part;
};

// Each of these and no other, in whatever order.
void check_all(const std::string& text, const std::vector<Place>& places, const Variables& variables = {}) {
  const ConfigResult result = load(text, variables);
  INFO(words(result));
  for (const Place& place : places) {
    const auto count = std::count_if(result.faults.begin(), result.faults.end(), [&](const ConfigFault& f) {
      return f.line == place.line && f.column > 0 && f.path == place.path && f.message.find(place.part) != std::string::npos;
    });
    INFO(place.line << ": " << place.path << ": " << place.part);
    CHECK(count == 1);
  }
  CHECK(result.faults.size() == places.size());
}

}  // namespace

TEST_CASE("a rule with mistakes in each of its parts") {
  check_all(
      "models: {m: {targets: demo/echo, tags: [chat]}}\n"
      "routing:\n"
      "  rules:\n"
      "    - name: \"bad name\"\n"
      "      priority: -1\n"
      "      when:\n"
      "        content: \"(\"\n"
      "        hours: \"25:00\"\n"
      "        has: [picture, tools]\n"
      "        header: {authorization: x}\n"
      "        tokens_over: 500\n"
      "        tokens_under: 100\n"
      "        modle: x\n"
      "      use:\n"
      "        model: mm\n"
      "        tags: [chta, chat]\n"
      "        provider_types: [demoo]\n"
      "        strategy: fast\n"
      "        reject: no\n"
      "    - {name: a, use: nope}\n"
      "    - {name: a, use: {tags: [\"\", none]}}\n"
      "    - {priority: 1, use: {model: nope}}\n"
      "    - {name: b, when: {hours: 99}}\n",
      {
          {4, "routing.rules[0].name", "1 to 128 letters"},
          {5, "routing.rules[0].priority", "from 0 to 1000000"},
          {7, "routing.rules[0].when.content", ""},
          {8, "routing.rules[0].when.hours", ""},
          {9, "routing.rules[0].when.has[0]", "expected image"},
          {10, "routing.rules[0].when.header", "is a secret"},
          {12, "routing.rules[0].when.tokens_under", "more than tokens_over"},
          {13, "routing.rules[0].when.modle", "did you mean `model`"},
          {15, "routing.rules[0].use.model", "no name under `models`"},
          {16, "routing.rules[0].use.tags[0]", "did you mean `chat`"},
          {17, "routing.rules[0].use.provider_types[0]", "no provider is of this type"},
          {18, "routing.rules[0].use.strategy", "found `fast`"},
          {19, "routing.rules[0].use.reject", "stands alone"},
          {20, "routing.rules[1].use", "no name under `models`"},
          {21, "routing.rules[2].name", "the name of routing.rules[1] too"},
          {21, "routing.rules[2].use.tags[0]", "not empty"},
          {21, "routing.rules[2].use.tags[1]", "no model or target has this tag"},
          {22, "routing.rules[3].name", "missing"},
          {22, "routing.rules[3].use.model", "no name under `models`"},
          {23, "routing.rules[4].use", "missing"},
          {23, "routing.rules[4].when.hours", ""},
      });
}

TEST_CASE("a model and a key with mistakes in each of their parts") {
  check_all(
      "models:\n"
      "  m:\n"
      "    targets:\n"
      "      - {model: demoo/echo, weight: x, tags: [\"\"]}\n"
      "      - {model: \"nowhere/a*\", priority: -1}\n"
      "      - {weight: 2, quality: 200}\n"
      "    strategy: best\n"
      "    fallbacks: [\"\", nope, m]\n"
      "    content_fallbacks: [nope]\n"
      "    limits: {requests: many, tokens: {tokens: 0, per: never, brust: 1}, concurrent: 0}\n"
      "    filters: [\"\", think_tag]\n"
      "  \"bad name\": {targets: demo/echo, strategy: worst, fallbacks: [gone]}\n"
      "filters:\n"
      "  f: {pattern: \"a\", replace: \"\\\\1\", on: [never]}\n"
      "keys:\n"
      "  - {name: \" a\", key: k1, key_file: nothing, allow: {models: [\"\"], endpoints: [chta]}, params: {temperature: [7, 8]}, budget: {usd: 0, per: year}, expires: soon}\n"
      "routing:\n"
      "  default_model: \"${NONE}-${NEITHER}\"\n"
      "  timeouts: {connect: 0s, idle: x, total: 900d}\n",
      {
          {4, "models.m.targets[0]", "no such provider; did you mean `demo`"},
          {4, "models.m.targets[0].weight", "found `x`"},
          {4, "models.m.targets[0].tags[0]", "not empty"},
          {5, "models.m.targets[1]", "no such provider"},
          {5, "models.m.targets[1]", "a `*` here"},
          {5, "models.m.targets[1].priority", "found `-1`"},
          {6, "models.m.targets[2].model", "missing"},
          {6, "models.m.targets[2].quality", "found `200`"},
          {7, "models.m.strategy", "found `best`"},
          {8, "models.m.fallbacks[0]", "not empty"},
          {8, "models.m.fallbacks[1]", "no name under `models`"},
          {8, "models.m.fallbacks[2]", "in a circle"},
          {9, "models.m.content_fallbacks[0]", "no name under `models`"},
          {10, "models.m.limits.requests", "expected a rate"},
          {10, "models.m.limits.tokens.tokens", "from 1 to"},
          {10, "models.m.limits.tokens.per", "found `never`"},
          {10, "models.m.limits.tokens.brust", "did you mean `burst`"},
          {10, "models.m.limits.concurrent", "found `0`"},
          {11, "models.m.filters[0]", "not empty"},
          {11, "models.m.filters[1]", "did you mean `think_tags`"},
          {12, "models.\"bad name\"", "without blanks"},
          {12, "models.\"bad name\".strategy", "found `worst`"},
          {12, "models.\"bad name\".fallbacks[0]", "no name under `models`"},
          {14, "filters.f.replace", ""},
          {14, "filters.f.on[0]", "found `never`"},
          {16, "keys[0].name", "without blanks around it"},
          {16, "keys[0].key_file", "one of the two"},
          {16, "keys[0].key_file", "cannot be read"},
          {16, "keys[0].allow.models[0]", "not empty"},
          {16, "keys[0].allow.endpoints[0]", "did you mean `chat`"},
          {16, "keys[0].params.temperature[0]", "found `7`"},
          {16, "keys[0].params.temperature[1]", "found `8`"},
          {16, "keys[0].budget.usd", "above 0"},
          {16, "keys[0].budget.per", "found `year`"},
          {16, "keys[0].expires", "found `soon`"},
          {18, "routing.default_model", "NONE is not set (${NONE:-default} gives a default); the environment variable NEITHER is not set"},
          {19, "routing.timeouts.connect", "found `0s`"},
          {19, "routing.timeouts.idle", "found `x`"},
          {19, "routing.timeouts.total", "found `900d`"},
      });
}

TEST_CASE("a provider with mistakes in each of its parts") {
  check_all(
      "providers:\n"
      "  a:\n"
      "    type: opnai\n"
      "    base_url: nonsense\n"
      "    dialect: klingon\n"
      "    api_key: k\n"
      "    api_keys: [{key: k1, name: x, weight: 0}, {key: k1, name: x, limits: {requests: y, burst: 0}}]\n"
      "    timeouts: {connect: never, total: 0s}\n"
      "    limits: {burst: 5, concurrent: z}\n"
      "    tls: {ca_file: /nowhere/ca.pem, verify: maybe}\n"
      "  openai: {base_url: nonsense, region: mars, api_keys: [{name: y}], credentials_file: /nowhere/c.json, project: p}\n"
      "  bedrock: {region: \"no region\", base_url: nonsense, api_key: k, project: p}\n"
      "  \"bad name\": {base_url: \"http://h/v1\", health: {probe: often, interval: 1ms}}\n",
      {
          {3, "providers.a.type", "did you mean `openai`"},
          {4, "providers.a.base_url", "found `nonsense`"},
          {5, "providers.a.dialect", "found `klingon`"},
          {7, "providers.a.api_keys", "one of the two"},
          {7, "providers.a.api_keys[0].weight", "found `0`"},
          {7, "providers.a.api_keys[1]", "the same name as [0]"},
          {7, "providers.a.api_keys[1]", "the same key as [0]"},
          {7, "providers.a.api_keys[1].limits.requests", "expected a rate"},
          {7, "providers.a.api_keys[1].limits.burst", "found `0`"},
          {8, "providers.a.timeouts.connect", "found `never`"},
          {8, "providers.a.timeouts.total", "found `0s`"},
          {9, "providers.a.limits.burst", "means nothing without `requests`"},
          {9, "providers.a.limits.concurrent", "found `z`"},
          {10, "providers.a.tls.ca_file", "cannot be read"},
          {10, "providers.a.tls.verify", "found `maybe`"},
          {11, "providers.openai.base_url", "found `nonsense`"},
          {11, "providers.openai.api_keys[0].key", "missing"},
          {11, "providers.openai.credentials_file", "stands beside other keys"},
          {11, "providers.openai.credentials_file", "cannot be read"},
          {11, "providers.openai.project", "means nothing for this provider"},
          {12, "providers.bedrock.region", "found `no region`"},
          {12, "providers.bedrock.base_url", "found `nonsense`"},
          {12, "providers.bedrock.project", "means nothing for this provider"},
          {13, "providers.\"bad name\"", "letters, digits"},
          {13, "providers.\"bad name\".health.probe", "found `often`"},
          {13, "providers.\"bad name\".health.interval", "found `1ms`"},
      });
}
