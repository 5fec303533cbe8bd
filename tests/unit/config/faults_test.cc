// Bad files, and the whole list of faults that each must give: line, column, path and a part of the message, in order.
#include <chrono>

#include "catch.h"
#include "support.h"

using namespace llmrouter;
using namespace llmrouter::test;

namespace {

struct Expected {
  int line, column;
  const char* path;
  const char* part;
};

struct Bad {
  const char* name;
  std::string text;
  std::vector<Expected> faults;
  Variables variables = {};
};

void check(const Bad& bad) {
  const ConfigResult result = load(bad.text, bad.variables);
  INFO(bad.name << "\n" << bad.text << "\n" << words(result));
  REQUIRE(result.faults.size() == bad.faults.size());
  CHECK_FALSE(result.ok());
  for (size_t i = 0; i < bad.faults.size(); ++i) {
    const ConfigFault& fault = result.faults[i];
    CHECK(fault.line == bad.faults[i].line);
    CHECK(fault.column == bad.faults[i].column);
    CHECK(fault.path == bad.faults[i].path);
    INFO(fault.message << " should hold " << bad.faults[i].part);
    CHECK(fault.message.find(bad.faults[i].part) != std::string::npos);
  }
}

std::string repeat(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

}  // namespace

TEST_CASE("faults of the writing") {
  const Bad rows[] = {
      {"not a map", "- a\n- b\n", {{1, 1, "", "expected a map"}}},
      {"a text", "hello\n", {{1, 1, "", "expected a map"}}},
      {"not closed", "server: {listen: a\n", {{2, 1, "", "not YAML: "}}},
      {"a colon in a text", "server:\n  listen: a: b\n", {{2, 12, "", "not YAML: "}}},
      {"a tab", "server:\n\tthreads: 1\n", {{2, 9, "", "indent with blanks"}}},
      {"two documents", "server: {}\n---\nserver: {}\n", {{2, 1, "", "a second document"}}},
      {"not UTF-8", "server:\n  listen: \xff\n", {{2, 11, "", "expected UTF-8"}}},
      {"a zero byte", std::string("a: b\0", 5), {{1, 5, "", "expected UTF-8"}}},
      {"overlong UTF-8", "a: \xc0\xaf\n", {{1, 4, "", "expected UTF-8"}}},
      {"a surrogate", "a: \xed\xa0\x80\n", {{1, 4, "", "expected UTF-8"}}},
      {"an unknown alias", "models:\n  a: *b\n", {{2, 6, "", "must be quoted"}}},
      {"a pattern that is an alias", "keys: [{name: a, key: b, allow: {models: [*]}}]\n", {{1, 44, "", "must be quoted"}}},
      {"a pattern that is a tag", "keys: [{name: a, key: b, allow: {models: [!gpt-5]}}]\n", {{1, 43, "", "must be quoted"}}},
      {"a tag", "server: !!set {a}\n", {{1, 9, "", "tags"}}},
      {"an alias of itself", "server: &a {listen: *a}\n", {{1, 21, "", "inside the value that it stands for"}}},
      {"a list for a key", "[a]: b\nserver: {}\n", {{1, 1, "", "a key must be a text"}}},
      {"an empty key", "~: b\nserver: {threads: x}\n", {{1, 1, "", "a key with no name"}, {2, 19, "server.threads", "a whole number"}}},
      {"merging a text", "server: {<<: a}\n", {{1, 14, "server.<<", "expected a map to merge"}}},
      {"keys twice",
       "server:\n  threads: 1\n  threads: 2\nkeys:\n  - {name: a, name: b, key: k}\nserver: {}\n",
       {{3, 3, "server.threads", "stands twice; first in line 2"},
        {5, 15, "keys[0].name", "stands twice; first in line 5"},
        {6, 1, "server", "stands twice; first in line 1"}}},
      {"deep", "server: " + repeat("[", 80) + repeat("]", 80) + "\n", {{1, 72, "", "more than 64 values inside one another"}}},
  };
  for (const Bad& bad : rows) check(bad);
}

TEST_CASE("faults of what belongs together") {
  const Bad rows[] = {
      {"a first wait above the longest", "routing:\n  backoff: {first: 10s, max: 1s}\n", {{2, 20, "routing.backoff.first", "no more than routing.backoff.max, which is 1s"}}},
      {"a rest above the longest", "routing: {cooldown: {for: 1h, max: 10m}}\n", {{1, 27, "routing.cooldown.for", "routing.cooldown.max, which is 10m"}}},
      {"a budget of nothing", "keys: [{name: a, key: b, budget: {usd: 0}}]\n", {{1, 40, "keys[0].budget.usd", "an amount above 0"}}},
      {"an endpoint nobody has",
       "keys: [{name: a, key: b, allow: {endpoints: [chat, embedings, '!imagine']}}]\n",
       {{1, 52, "keys[0].allow.endpoints[1]", "did you mean `embeddings`?"}, {1, 63, "keys[0].allow.endpoints[2]", "expected an endpoint: `chat`, "}}},
      {"a provider that nobody configured, let in or kept out",
       "keys: [{name: a, key: b, allow: {providers: [demo, 'de*', '!openai', '!demmo', opnai]}}]\n",
       {{1, 70, "keys[0].allow.providers[3]", "there is no such provider; did you mean `demo`?"}, {1, 80, "keys[0].allow.providers[4]", "there is no such provider"}}},
      {"a name with blanks around it", "keys: [{name: ' a', key: b}]\n", {{1, 15, "keys[0].name", "without blanks around it"}}},
  };
  for (const Bad& bad : rows) check(bad);
}

TEST_CASE("aliases cannot make a small file large") {
  std::string text = "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c < 'j'; ++c) {
    const std::string before(1, static_cast<char>(c - 1));
    text += std::string(1, c) + ": &" + c + " [" + repeat("*" + before + ",", 10) + "]\n";
  }
  const ConfigResult result = load(text);
  REQUIRE(result.faults.size() == 1);
  CHECK(result.faults[0].message.find("more than 200000 values") == 0);
  CHECK(result.faults[0].line == 6);

  // The same by merges, which count what they bring.
  std::string merged = "x: &a0 {a: [" + repeat("x,", 1000) + "]}\n";
  for (int i = 1; i < 300; ++i) merged += "m" + std::to_string(i) + ": {<<: *a0}\n";
  const ConfigResult other = load(merged);
  REQUIRE(other.faults.size() == 1);
  CHECK(other.faults[0].message.find("more than 200000 values") == 0);

  // And in depth.
  std::string deep = "x0: &x0 [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[a]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n";
  deep += "x1: &x1 [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[*x0]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\nx2: [[[[[[*x1]]]]]]\n";
  const ConfigResult third = load(deep);
  REQUIRE(third.faults.size() == 1);
  CHECK(third.faults[0].message.find("more than 64 values inside one another") == 0);
}

TEST_CASE("a large file is a fault, not a wait") {
  const ConfigResult result = load(std::string(4 * 1024 * 1024 + 1, '#'));
  REQUIRE(result.faults.size() == 1);
  CHECK(result.faults[0].message.find("larger than 4 MiB") == 0);
  // Many faults are cut off, and that is said.
  std::string many = "server:\n";
  for (int i = 0; i < 3000; ++i) many += "  k" + std::to_string(i) + ": 1\n";
  const ConfigResult cut = load(many);
  CHECK(cut.faults.size() == 1001);
  CHECK(cut.faults.back().message.find("more than 1000 faults") != std::string::npos);
}

TEST_CASE("faults of keys and values") {
  const Bad rows[] = {
      {"near names",
       "server:\n  lisen: a\n  Threads: 2\nprovider: {}\nmodels:\n  a: {target: demo/echo}\n",
       {{2, 3, "server.lisen", "unknown key; did you mean `listen`?"},
        {3, 3, "server.Threads", "did you mean `threads`?"},
        {4, 1, "provider", "did you mean `providers`?"},
        {6, 6, "models.a.targets", "missing; expected a list"},
        {6, 7, "models.a.target", "did you mean `targets`?"}}},
      {"all in one pass",
       "server:\n  threads: -1\n  max_body: 5\n  auth: maybe\n  listen: [nonsense, \":8000\", \"a:99999\", \"[::1]\", \"unix:\", "
       "\"[::1]:0\"]\nrouting:\n"
       "  attempts: 0\n  timeouts: {idle: 0s}\nobserve: {log: {level: loud}}\n",
       {{2, 12, "server.threads", "expected a whole number from 0 to 1024, found `-1`"},
        {3, 13, "server.max_body", "from 1KiB to 1GiB, found `5`"},
        {4, 9, "server.auth", "expected auto, keys or none, found `maybe`"},
        {5, 12, "server.listen[0]", "expected host:port, [address]:port or unix:/path, found `nonsense`"},
        {5, 22, "server.listen[1]", "expected host:port"},
        {5, 31, "server.listen[2]", "expected host:port"},
        {5, 42, "server.listen[3]", "expected host:port"},
        {5, 51, "server.listen[4]", "expected host:port"},
        {7, 13, "routing.attempts", "from 1 to 20"},
        {8, 20, "routing.timeouts.idle", "from 1ms to 1d, found `0s`"},
        {9, 24, "observe.log.level", "found `loud`"}}},
      {"wrong kinds",
       "server: 5\nstorage: [a]\nproviders: [a]\nmodels: {a: {targets: {b: c}}}\nkeys: {a: b}\nprices: {entries: {a: b}}\n",
       {{1, 9, "server", "expected a map, found a text"},
        {2, 10, "storage", "expected a map, found a list"},
        {3, 12, "providers", "expected a map of names, found a list"},
        {4, 23, "models.a.targets.model", "missing"},
        {4, 24, "models.a.targets.b", "unknown key"},
        {5, 7, "keys", "expected a list, found a map"},
        {6, 19, "prices.entries", "expected a list, found a map"}}},
      {"rates and money",
       "keys:\n  - {name: a, key: k1, limits: {requests: 60, tokens: {tokens: 0, per: never}, burst: x}, budget: {usd: 1e3, per: year}}\n"
       "  - {name: b, key: k2, limits: {burst: 5}, budget: {per: day}}\n",
       {{2, 43, "keys[0].limits.requests", "expected a rate such as 60/min"},
        {2, 64, "keys[0].limits.tokens.tokens", "expected a whole number from 1 to 1000000000M, found `0`"},
        {2, 72, "keys[0].limits.tokens.per", "expected a period such as min or 60s, above 0 and at most 36500d, found `never`"},
        {2, 87, "keys[0].limits.burst", "a whole number, perhaps with k or M"},
        {2, 105, "keys[0].budget.usd", "at most 9 digits after the point, found `1e3`"},
        {2, 115, "keys[0].budget.per", "found `year`"},
        {3, 33, "keys[1].limits.burst", "means nothing without `requests` beside it"},
        {3, 52, "keys[1].budget.usd", "missing; expected an amount of USD"}}},
      {"prices",
       "prices:\n  entries:\n    - {model: \"a/*\", input: 0.0000001}\n    - {model: \"!a\", input: 1}\n    - {input: 1, output: -1}\n    - {model: "
       "a/b}\n",
       {{3, 29, "prices.entries[0].input", "at most 6 digits after the point"},
        {4, 15, "prices.entries[1].model", "an exclusion (!) means nothing here"},
        {5, 7, "prices.entries[2].model", "missing"},
        {5, 26, "prices.entries[2].output", "USD per million tokens"},
        {6, 7, "prices.entries[3].input", "missing"}}},
      {"request members",
       "models:\n  a:\n    targets: demo/echo\n    defaults: {temperature: .5, model: x, n: 0x1F}\n    override: {stream: true}\n    drop: "
       "[messages, seed]\n",
       {{4, 29, "models.a.defaults.temperature", "expected a number as JSON writes it, found `.5`"},
        {4, 33, "models.a.defaults.model", "`model` cannot be set or removed here"},
        {4, 46, "models.a.defaults.n", "found `0x1F`"},
        {5, 16, "models.a.override.stream", "`stream` cannot be set"},
        {6, 12, "models.a.drop[0]", "`messages` cannot be set"}}},
      {"headers",
       "providers:\n  lab:\n    base_url: http://a\n    headers: {\"a b\": c, host: x, ok: \"a\\nb\"}\n    forward_headers: [authorization, "
       "X-API-Key, fine]\n",
       {{4, 15, "providers.lab.headers.\"a b\"", "expected a header's name"},
        {4, 25, "providers.lab.headers.host", "`host` is written by the transport"},
        {4, 38, "providers.lab.headers.ok", "without line breaks"},
        {5, 23, "providers.lab.forward_headers[0]", "`authorization` never goes upstream"},
        {5, 38, "providers.lab.forward_headers[1]", "`x-api-key` never goes upstream"}}},
      {"names",
       "providers:\n  a/b: {base_url: http://a}\n  \"\": {base_url: http://a}\nmodels:\n  \"a b\": demo/echo\n  a*b*c: demo/echo\n",
       {{2, 3, "providers.a/b", "expected a name of letters"},
        {3, 3, "providers.\"\"", "expected a name of letters"},
        {5, 3, "models.\"a b\"", "without blanks"},
        {6, 3, "models.a*b*c", "at most one *"}}},
  };
  for (const Bad& bad : rows) check(bad);
}

TEST_CASE("faults of variables and secrets") {
  const Bad rows[] = {
      {"not set",
       "providers:\n  openai: {api_key: \"${NOPE}\"}\nstorage: {keys: \"sqlite:${HOME_DIR}/a.db\"}\n",
       {{2, 21, "providers.openai.api_key", "the environment variable NOPE is not set"}, {3, 17, "storage.keys", "HOME_DIR is not set"}}},
      {"badly written",
       "storage:\n  secret_key: ${\nserver:\n  admin_key: ${1A}\n  cors: [\"${A:+x}\", \"${A:-${B}}\"]\n",
       {{2, 15, "storage.secret_key", "expected ${NAME} or ${NAME:-default}"},
        {4, 14, "server.admin_key", "expected ${NAME}"},
        {5, 10, "server.cors[0]", "expected ${NAME}"},
        {5, 21, "server.cors[1]", "expected ${NAME}"}}},
      {"a key that is no key",
       "server: {admin_key: \"a b\"}\nkeys:\n  - {name: a, key: \"x\\ny\"}\n  - {name: b, key: \"${EMPTY:-}\"}\n",
       {{1, 21, "server.admin_key", "visible ASCII"}, {3, 20, "keys[0].key", "visible ASCII"}, {4, 20, "keys[1].key", "found nothing"}}},
      {"two ways at once",
       "keys:\n  - {name: a, key: x, key_file: /nowhere}\n  - {name: b, key_file: /nowhere/at/all}\n",
       {{2, 23, "keys[0].key_file", "stands beside `key`: one of the two"},
        {2, 33, "keys[0].key_file", "cannot be read: No such file"},
        {3, 25, "keys[1].key_file", "cannot be read: No such file"}}},
  };
  for (const Bad& bad : rows) check(bad);
}

TEST_CASE("faults between the parts") {
  const Bad rows[] = {
      {"targets and fallbacks",
       "providers:\n  lab: {base_url: http://a}\nmodels:\n  a: [lab/x, labb/y, plain]\n  b: {targets: lab/*, fallbacks: [c, a, lab/z, nope/z]}\n"
       "routing: {default_model: aa}\n",
       {{4, 14, "models.a[1]", "`labb/y`: there is no such provider; did you mean `lab`?"},
        {4, 22, "models.a[2]", "expected provider/model, found `plain`"},
        {5, 16, "models.b.targets", "a `*` here stands for"},
        {5, 35, "models.b.fallbacks[0]", "`c` is no name under `models`"},
        {5, 48, "models.b.fallbacks[3]", "`nope/z`: there is no such provider"},
        {6, 26, "routing.default_model", "did you mean `a`"}}},
      {"filters",
       "models:\n  a: {targets: demo/echo, filters: [mask, think_tag, think_tags]}\n  b: {targets: nope/x, filters: maks}\n"
       "filters:\n  mask: {pattern: a}\n  more: {pattern: (a), replace: '\\2'}\n",
       {{2, 43, "models.a.filters[1]", "`think_tag`: there is no such filter; did you mean `think_tags`?"},
        {3, 16, "models.b.targets", "there is no such provider"},
        {3, 33, "models.b.filters", "`maks`: there is no such filter; did you mean `mask`?"},
        {6, 33, "filters.more.replace", "Rewrite"}}},
      {"credentials",
       "providers:\n  v: {base_url: http://a, api_key: '{\"type\":\"service_account\",\"client_email\":\"a\"}'}\n"
       "  w: {base_url: http://a, api_key: '{\"type\":\"x\"}'}\n  x: {base_url: http://a, api_key: '{nothing'}\n",
       {{2, 36, "providers.v.api_key", "a Google credential with a private_key"},
        {3, 36, "providers.w.api_key", "type service_account or authorized_user"},
        {4, 36, "providers.x.api_key", "which this is not"}}},
      {"circles",
       "models:\n  a: {targets: demo/echo, fallbacks: [b]}\n  b: {targets: demo/echo, fallbacks: [demo/slow, c]}\n  c: {targets: demo/echo, "
       "fallbacks: [a]}\n"
       "  d: {targets: demo/echo, fallbacks: [d]}\n  e: {targets: demo/echo, fallbacks: [a, b, c]}\n  \"f-*\": {targets: demo/*, fallbacks: [f-1]}\n",
       {{4, 39, "models.c.fallbacks[0]", "falls back in a circle: a -> b -> c -> a"},
        {5, 39, "models.d.fallbacks[0]", "circle: d -> d"},
        {7, 40, "models.f-*.fallbacks[0]", "circle: f-* -> f-*"}}},
      {"keys",
       "server: {admin_key: k3}\nkeys:\n  - {name: a, key: k1}\n  - {name: a, key: k2}\n  - {name: b, key: k1}\n  - {name: c, key: k3}\n",
       {{4, 12, "keys[1].name", "the name of keys[0] too"},
        {5, 20, "keys[2].key", "the same key as keys[0]"},
        {6, 20, "keys[3].key", "the same as server.admin_key"}}},
      {"an open door",
       "server: {listen: \"0.0.0.0:8000\"}\nstorage: {keys: \"memory:\"}\n",
       {{1, 18, "server.listen", "other hosts can reach this, and there is no key"}}},
      {"addresses twice", "server: {listen: [\"a:1\", \"a:1\", \"a:0\", \"a:0\"]}\n", {{1, 26, "server.listen[1]", "stands twice"}}},
      {"no address", "server: {listen: []}\n", {{1, 18, "server.listen", "expected at least one address"}}},
      {"one database for two", "storage: {keys: \"sqlite:a\", usage: \"sqlite:a\"}\n", {{1, 36, "storage.usage", "expected a database of its own"}}},
      {"storage that comes later",
       "storage: {keys: \"postgres://u:p@h/d\", usage: \"postgresql://h\"}\n",
       {{1, 17, "storage.keys", "`postgres://` is not supported yet"}, {1, 46, "storage.usage", "`postgresql://` is not supported yet"}}},
      {"storage that is none",
       "storage: {keys: off, usage: \"sqlite:\"}\n",
       {{1, 17, "storage.keys", "expected sqlite:PATH or memory:"}, {1, 29, "storage.usage", "expected sqlite:PATH"}}},
  };
  for (const Bad& bad : rows) check(bad);
}

TEST_CASE("faults of providers") {
  const Bad rows[] = {
      {"what a provider needs",
       "providers:\n  nobody: {}\n  opnai: {}\n  a: {type: opnai}\n  openai: {}\n  groq:\n",
       {{2, 11, "providers.nobody", "expected a base_url, or a known `type`"},
        {3, 10, "providers.opnai", "did you mean `openai`?"},
        {4, 13, "providers.a.type", "unknown type `opnai`; did you mean `openai`?"},
        {5, 11, "providers.openai", "expected an api_key, found none (nor the variable OPENAI_API_KEY)"},
        {6, 3, "providers.groq", "expected an api_key"}}},
      {"Vertex AI",
       "providers:\n  a: {type: vertex, credentials_file: x.json}\n  b: {type: vertex, api_key: google-metadata}\n  vertex: {region: us-east5, project: P}\n"
       "  openai: {project: p, api_key: x}\n",
       {{2, 39, "providers.a.credentials_file", "cannot be read"},
        {3, 6, "providers.b", "expected a project, found none (nor the variable GOOGLE_CLOUD_PROJECT, nor one in the credentials)"},
        {4, 11, "providers.vertex", "expected an api_key, found none (nor the variable GOOGLE_APPLICATION_CREDENTIALS, which names a file)"},
        {4, 39, "providers.vertex.project", "expected a project's id, such as my-project-123"},
        {5, 21, "providers.openai.project", "means nothing for this provider"}}},
      {"base URLs",
       "providers:\n  a: {base_url: ftp://a}\n  b: {base_url: \"http://u:p@a/v1\"}\n  c: {base_url: \"http://a/v1?x=1\"}\n  d: {base_url: "
       "http://a/v1/chat/completions}\n"
       "  e: {base_url: \"http://\"}\n  f: {base_url: \"http://a:99999\"}\n  g: {base_url: nowhere}\n  h: {base_url: \"demo:\", dialect: ollama}\n",
       {{2, 17, "providers.a.base_url", "expected a URL with http:// or https://"},
        {3, 17, "providers.b.base_url", "without a user or password"},
        {4, 17, "providers.c.base_url", "without ? and #"},
        {5, 17, "providers.d.base_url", "what stands before `/chat/completions`"},
        {6, 17, "providers.e.base_url", "and a host"},
        {7, 17, "providers.f.base_url", "and a host"},
        {8, 17, "providers.g.base_url", "expected a URL"},
        {9, 35, "providers.h.dialect", "`demo:` speaks openai"}}},
      {"regions",
       "providers:\n  qwen: {api_key: x, region: mars}\n  groq: {api_key: x, region: us}\n  lab: {base_url: http://a, region: us}\n",
       {{2, 30, "providers.qwen.region", "expected one of cn, intl, us, found `mars`"},
        {3, 30, "providers.groq.region", "means nothing for this provider"}}},
      {"key pools",
       "providers:\n  openai:\n    api_key: a\n    api_keys: [b]\n  lab:\n    base_url: http://a\n    api_keys: [x, y, x, {key: z, name: \"1\"}, "
       "{name: n}, {key: w, weight: 0}]\n",
       {{4, 15, "providers.openai.api_keys", "stands beside `api_key`"},
        {7, 22, "providers.lab.api_keys[2]", "the same key as [0]"},
        {7, 25, "providers.lab.api_keys[3]", "the same name as [0]"},
        {7, 46, "providers.lab.api_keys[4].key", "missing"},
        {7, 74, "providers.lab.api_keys[5].weight", "from 1 to 1000000"}}},
      {"a client's key",
       "providers:\n  lab: {base_url: http://a, pass_client_key: true}\n  b: {base_url: http://b, pass_client_key: true, api_key: k}\n",
       {{2, 46, "providers.lab.pass_client_key", "only with `server.auth: none`"},
        {3, 44, "providers.b.pass_client_key", "means nothing beside a key of our own"},
        {3, 44, "providers.b.pass_client_key", "only with `server.auth: none`"}}},
      {"a proxy and certificates",
       "providers:\n  lab: {base_url: http://a, proxy: gopher://x, tls: {ca_file: /nowhere/ca.pem}}\n",
       {{2, 36, "providers.lab.proxy", "expected http://, https:// or socks5://"},
        {2, 63, "providers.lab.tls.ca_file", "cannot be read: No such file"}}},
  };
  for (const Bad& bad : rows) check(bad);
}

TEST_CASE("no fault shows a secret") {
  const std::string secret = "sk-Tq8v2LmX4c9ZpR7w";
  const std::vector<std::string> texts = {
      "providers: {openai: " + secret + "}\n",
      "providers: {openai: {api_key: [" + secret + "]}}\n",
      "providers: {openai: {api_key: {" + secret + ": a}}}\n",
      "providers: {openai: {api_key: \"" + secret + " x\"}}\n",
      "providers: {openai: {api_keys: {" + secret + ": a}}}\n",
      "providers: {openai: {api_keys: [{" + secret + ": a}]}}\n",
      "providers: {openai: {api_keys: [\"" + secret + "\", \"" + secret + "\"]}}\n",
      "providers: {openai: {base_url: \"http://user:" + secret + "@host/v1\", proxy: \"gopher://" + secret + "\"}}\n",
      "providers: {lab: {base_url: http://a, headers: {x-key: \"" + secret + "\\n\", host: " + secret + "}}}\n",
      "providers: {lab: {base_url: http://a, headers: {x-key: [" + secret + "]}}}\n",
      "keys: [" + secret + "]\n",
      "keys: [{name: a, key: [" + secret + "]}]\n",
      "keys: [{name: a, key: " + secret + "}, {name: b, key: " + secret + "}]\nserver: {admin_key: " + secret + "}\n",
      "observe: {langfuse: {secret_key: " + secret + "}}\n",
      "storage: {secret_key: [" + secret + "]}\n",
      "server: {threads: \"${S}\", listen: \"${S}\", max_body: \"${S}\", auth: \"${S}\"}\nkeys: [{name: \"${S}\", key: a, budget: {usd: "
      "\"${S}\"}}]\n",
      "server: \"${S}\"\nmodels: {a: \"${S}\"}\nrouting: {default_model: \"x${S:-y}x\"}\n",
  };
  for (const std::string& text : texts) {
    const ConfigResult result = load(text, {{"S", secret}});
    INFO(text);
    const std::string said = words(result) + result.to_error().message;
    INFO(said);
    CHECK_FALSE(result.ok());
    CHECK(said.find("Tq8v2") == std::string::npos);
  }
}

TEST_CASE("faults as an error") {
  const ConfigResult result = load("server: {threads: x}\nfoo: 1\n");
  const Error error = result.to_error();
  CHECK(error.code == ErrorCode::kConfig);
  CHECK(error.param == "server.threads");
  CHECK(error.message ==
        "t.yaml:1:19: server.threads: expected a whole number from 0 to 1024, found `x`\n"
        "t.yaml:2:1: foo: unknown key; known here: server, storage, providers, models, routing, keys, users, filters, prices, observe");
  CHECK(load("").to_error().code == ErrorCode::kNone);
  CHECK(ConfigFault{"", 0, 0, "", "m"}.to_string() == "m");
  CHECK(ConfigFault{"", 3, 4, "p", "m"}.to_string() == "3:4: p: m");
  CHECK(ConfigFault{"f", 0, 0, "", "m"}.to_string() == "f: m");
}

TEST_CASE("a variable that is empty is named") {
  const Variables empty = {{"EMPTY", ""}};
  const Bad rows[] = {
      {"an item", "providers:\n  openai:\n    api_keys: [\"${EMPTY}\"]\n",
       {{3, 16, "providers.openai.api_keys[0]", "expected a text, found nothing: `${EMPTY}` is empty"}}, empty},
      {"an item's member", "providers:\n  openai:\n    api_keys: [sk-1, {key: \"${NOT_SET:-}\"}]\n",
       {{3, 28, "providers.openai.api_keys[1].key", "found nothing: `${NOT_SET:-}` is empty"}}},
      {"what a vendor needs", "providers: {openai: {api_key: \"${EMPTY}\"}}\n",
       {{1, 31, "providers.openai.api_key", "expected an api_key, found none: `${EMPTY}` is empty (nor the variable OPENAI_API_KEY)"}}, empty},
      {"a place", "providers: {lab: {base_url: \"${EMPTY}\"}}\n", {{1, 29, "providers.lab.base_url", "`type`: `${EMPTY}` is empty"}}, empty},
      {"a text of a list", "server: {cors: [\"${EMPTY}\"]}\n", {{1, 17, "server.cors[0]", "expected a text that is not empty, found nothing: `${EMPTY}` is empty"}}, empty},
      {"a target", "models: {a: [\"${EMPTY}\"]}\n", {{1, 14, "models.a[0]", "found nothing: `${EMPTY}` is empty"}}, empty},
      {"a secret's file", "keys: [{name: a, key_file: \"${EMPTY}\"}]\n", {{1, 28, "keys[0].key_file", "found nothing: `${EMPTY}` is empty"}}, empty},
      {"nothing of a variable", "providers: {openai: {api_keys: [\"\"]}}\nserver: {cors: [\"\"]}\n",
       {{1, 33, "providers.openai.api_keys[0]", "found nothing"}, {2, 17, "server.cors[0]", "expected a text that is not empty, found nothing"}}, empty},
  };
  for (const Bad& row : rows) check(row);
}
