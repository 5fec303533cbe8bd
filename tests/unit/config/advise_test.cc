// Warnings: what is legal and surely not meant, each with its place; and configurations that must give none.
#include "catch.h"
#include "support.h"

using namespace llmrouter;
using namespace llmrouter::test;

namespace {

std::string warnings(const ConfigResult& result) {
  std::string out;
  for (const ConfigFault& warning : result.warnings) out += warning.to_string() + "\n";
  return out;
}

// The configuration is good, and these are its warnings: the beginning of each line.
void check(const char* name, const std::string& text, const std::vector<std::string>& expected, const Variables& variables = {}) {
  const ConfigResult result = load(text, variables);
  INFO(name << "\n" << text << "\n" << words(result) << warnings(result));
  REQUIRE(result.ok());
  REQUIRE(result.warnings.size() == expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    CHECK(result.warnings[i].warning);
    INFO("expected " << expected[i]);
    CHECK(result.warnings[i].to_string().compare(0, expected[i].size(), expected[i]) == 0);
  }
}

const std::string kLab = "providers:\n  lab: {base_url: \"http://10.0.0.7:9000/v1\"}\n";

std::string rules(const std::string& list) { return kLab + "models: {a: lab/a, b: lab/b}\nrouting:\n  rules:\n" + list; }

}  // namespace

TEST_CASE("nothing to warn of") {
  check("nothing", "", {});
  check("an ordinary one", kLab + "models: {a: [lab/a, lab/b]}\nkeys: [{name: ci, key: sk-1234567890, expires: 2999-01-01T00:00:00Z}]\n", {});
  check("others may come, with keys", "server: {listen: \"0.0.0.0:80\"}\nkeys: [{name: ci, key: sk-1234567890}]\n", {});
  check("nobody is asked for a key, and nobody else comes", "server: {auth: none, listen: [\"127.0.0.1:80\", \"[::1]:80\", \"unix:/tmp/x.sock\"]}\n", {});
  check("a short total and default timeouts", "routing: {timeouts: {total: 3s}}\n", {});
  check("prices of what may be there", kLab + "prices: {entries: [{model: \"lab/*\", input: 1}, {model: \"*\", input: 1}, {model: \"la*b/x\", input: 1}, {model: \"LAB/x\", input: 1}]}\n", {});
  check("rules of conditions of their own",
        rules("    - {name: x, when: {has: tools}, use: a}\n    - {name: y, when: {has: stream}, use: b}\n    - {name: z, use: a}\n"), {});
  check("a rule without a condition, behind others by its priority",
        rules("    - {name: all, use: a}\n    - {name: first, priority: 5, when: {has: tools}, use: b}\n"), {});
  check("a fault is told alone", "", {});
  const ConfigResult wrong = load("server: {auth: none, listen: \"0.0.0.0:80\", threads: x}\n");
  CHECK(wrong.faults.size() == 1);
  CHECK(wrong.warnings.empty());
}

TEST_CASE("an open door") {
  check("other hosts, no key", "server:\n  auth: none\n  listen: [\"127.0.0.1:80\", \"0.0.0.0:80\"]\n",
        {"t.yaml:3:28: warning: server.listen[1]: other hosts can reach this"});
  check("one address", "server:\n  auth: none\n  listen: \"[::]:80\"\n", {"t.yaml:3:11: warning: server.listen: other hosts can reach this"});
  check("from the environment", "server: {auth: none}\n", {"LLMROUTER_LISTEN: warning: server.listen[0]: other hosts"}, {{"LLMROUTER_LISTEN", "0.0.0.0:1"}});
  check("any page", "server:\n  auth: none\n  cors: \"*\"\n", {"t.yaml:3:9: warning: server.cors: every web page may call"});
  check("keys that keep nobody out", "server: {auth: none}\nkeys: [{name: ci, key: sk-1234567890}]\n", {"t.yaml:2:7: warning: keys: mean little with server.auth: none"});
}

TEST_CASE("every page, and no key") {
  const std::string memory = "storage: {keys: \"memory:\"}\n";
  check("nobody has a key", memory + "server:\n  cors: \"*\"\n", {"t.yaml:3:9: warning: server.cors: every web page may call, and there is no key"});
  check("keys on disk there may be", "server: {cors: \"*\"}\n", {});
  check("a key", memory + "server: {cors: \"*\"}\nkeys: [{name: ci, key: sk-1234567890}]\n", {});
  check("who administers makes them", memory + "server: {cors: \"*\", admin_key: 0123456789abcdef0123}\n", {});
  check("keys are always asked for", memory + "server: {cors: \"*\", auth: keys}\n", {});
  check("one's own page", memory + "server: {cors: \"https://app.example.com\"}\n", {});
}

TEST_CASE("names with a star that hide others") {
  check("the wider one first", kLab + "models:\n  \"gpt-*\": lab/a\n  \"gpt-4*\": lab/b\n",
        {"t.yaml:5:13: warning: models.gpt-4*: never asked for: `gpt-*` stands before it and matches every name that it does"});
  check("the narrower one first", kLab + "models:\n  \"gpt-4*\": lab/b\n  \"gpt-*\": lab/a\n  \"*\": lab/c\n", {});
  check("neither", kLab + "models:\n  \"gpt-*\": lab/a\n  \"*-mini\": lab/b\n  gpt-4: lab/c\n", {});
}

TEST_CASE("what is over, or comes too late") {
  check("an expired key", "keys:\n  - {name: ci, key: sk-1234567890, expires: 2020-01-01T00:00:00Z}\n", {"t.yaml:2:45: warning: keys[0].expires: is over"});
  check("timeouts that never come", "routing:\n  timeouts: {first_token: 2m, total: 1m, idle: 61s, connect: 60s}\n",
        {"t.yaml:2:27: warning: routing.timeouts.first_token: longer than routing.timeouts.total (1m)", "t.yaml:2:48: warning: routing.timeouts.idle: longer than"});
  check("the default total", "routing: {timeouts: {first_token: 11m}}\n", {"t.yaml:1:35: warning: routing.timeouts.first_token: longer than routing.timeouts.total (10m)"});
  check("of a provider, by routing's total", "providers:\n  lab: {base_url: \"http://10.0.0.7:9000/v1\", timeouts: {first_token: 2m}}\nrouting: {timeouts: {total: 1m}}\n",
        {"t.yaml:2:70: warning: providers.lab.timeouts.first_token: longer than routing.timeouts.total (1m)"});
  check("of a provider, by its own", "providers:\n  lab: {base_url: \"http://10.0.0.7:9000/v1\", timeouts: {idle: 2m, total: 1m}}\n",
        {"t.yaml:2:63: warning: providers.lab.timeouts.idle: longer than providers.lab.timeouts.total (1m)"});
  check("a provider's total beyond routing's", "providers:\n  lab: {base_url: \"http://10.0.0.7:9000/v1\", timeouts: {total: 20m}}\n",
        {"t.yaml:2:64: warning: providers.lab.timeouts.total: longer than routing.timeouts.total (10m)"});
  check("hedging and waiting", "routing: {hedge: {after: 11m}, queue: {max_wait: 12m}}\n",
        {"t.yaml:1:26: warning: routing.hedge.after: longer than", "t.yaml:1:50: warning: routing.queue.max_wait: longer than"});
}

TEST_CASE("rules that never decide") {
  check("behind one without a condition", rules("    - {name: all, use: a}\n    - {name: code, when: {has: tools}, use: b}\n"),
        {"t.yaml:7:7: warning: routing.rules[1]: never decides: `all` (routing.rules[0]) stands before it and has no condition"});
  check("by priority", rules("    - {name: code, when: {has: tools}, use: b}\n    - {name: all, priority: 1, when: {model: \"*\"}, use: a}\n"),
        {"t.yaml:6:7: warning: routing.rules[0]: never decides: `all` (routing.rules[1])"});
  check("the same condition", rules("    - {name: x, when: {has: tools, model: a}, use: a}\n    - {name: y, when: {has: tools, model: a}, use: b}\n"),
        {"t.yaml:7:7: warning: routing.rules[1]: never decides: `x` (routing.rules[0]) stands before it and has the same condition"});
}

TEST_CASE("targets and prices of nothing") {
  check("no key of the pool may be used",
        "providers:\n  lab: {base_url: \"http://10.0.0.7:9000/v1\", api_keys: [{key: sk-1, models: \"gpt-*\"}]}\nmodels:\n  a: [lab/gpt-4o, lab/claude]\n",
        {"t.yaml:4:19: warning: models.a[1]: no key of provider lab may be used for `claude`"});
  check("the same target twice", kLab + "models:\n  a: [lab/x, lab/y, lab/x]\n", {"t.yaml:4:21: warning: models.a[2]: the same target as [0]"});
  check("a price of nobody", kLab + "prices:\n  entries:\n    - {model: \"lba/*\", input: 1}\n    - {model: gpt-4o, input: 1}\n",
        {"t.yaml:5:15: warning: prices.entries[0].model: matches no model: there is no provider `lba`; did you mean `lab`?",
         "t.yaml:6:15: warning: prices.entries[1].model: matches no model: patterns are of `provider/model`"});
  check("a provider that is this server", "server: {listen: \"127.0.0.1:8123\"}\nproviders:\n  me: {base_url: \"http://127.0.0.1:8123/v1\"}\n",
        {"t.yaml:3:18: warning: providers.me.base_url: its base_url has the port of server.listen"});
}

TEST_CASE("what can be guessed") {
  check("an admin key", "server:\n  admin_key: short-one\n", {"t.yaml:2:14: warning: server.admin_key: shorter than 12 characters"});
  check("from the environment", "", {"LLMROUTER_ADMIN_KEY: warning: server.admin_key: shorter than 12 characters", "LLMROUTER_SECRET_KEY: warning: storage.secret_key: shorter than 16 characters"},
        {{"LLMROUTER_ADMIN_KEY", "eleven-chrs"}, {"LLMROUTER_SECRET_KEY", "fifteen-letters"}});
  check("a key", "keys:\n  - {name: ci, key: secret}\n", {"t.yaml:2:21: warning: keys[0].key: shorter than 12 characters"});
  check("long enough", "server: {admin_key: twelve-chars}\nstorage: {secret_key: sixteen-letters-}\nkeys: [{name: ci, key: sk-123456789}]\n", {});
  for (const ConfigFault& warning : load("server: {admin_key: hunter2}\nkeys: [{name: ci, key: hunter3}]\n").warnings)
    CHECK(warning.to_string().find("hunter") == std::string::npos);
}

TEST_CASE("what a key may use of nothing") {
  const std::string models = kLab + "models: {smart: lab/a, \"team/*\": lab/*}\nkeys:\n  - {name: ci, key: sk-1234567890, allow: ";
  check("patterns of something", models + "{models: [\"lab/*\", \"LAB/x\", \"!lab/b\", \"*/x\", smart, unheard-of, \"gpt-*\", \"team/x\", \"demo/*\", \"l*\"]}}\n", {});
  check("a model", models + "{models: [smart, \"lba/*\"]}}\n",
        {"t.yaml:5:60: warning: keys[0].allow.models[1]: matches no model: there is no provider `lba`; did you mean `lab`?"});
  check("one that is excluded", models + "{models: [\"!claude/opus\"]}}\n", {"t.yaml:5:53: warning: keys[0].allow.models[0]: matches no model: there is no provider `claude`"});
  check("an alias", models + "{models: \"tean/x\"}}\n", {"t.yaml:5:52: warning: keys[0].allow.models: matches no model: there is no provider `tean`"});
  check("an empty variable allows everything", models + "{models: \"${MINE}\", endpoints: [chat]}}\n", {"t.yaml:5:52: warning: keys[0].allow.models: `${MINE}` is empty, and so this key may use all models"}, {{"MINE", ""}});
  check("so does an empty list, which says so", models + "{models: [], providers: [], endpoints: []}}\n", {});
}

TEST_CASE("members one slip away") {
  const std::string model = kLab + "models:\n  a:\n    targets: lab/a\n";
  check("known, or somebody's own",
        model + "    defaults: {temperature: 0.2, top_p: 1, top_k: 5, min_p: 0.1, n: 1, seed: 1, logprobs: true, max_tokens: 5, my_own: 1, temper: 1, top_x: 1, feed: 1}\n", {});
  check("a letter missing, wrong, too many, out of place",
        model + "    defaults: {temprature: 0.2, presence_penalti: 1}\n    override: {max_tokenss: 5, raesoning_effort: low}\n",
        {"t.yaml:6:16: warning: models.a.defaults.temprature: no member of a request is known by this name; did you mean `temperature`?",
         "t.yaml:6:33: warning: models.a.defaults.presence_penalti: no member of a request is known by this name; did you mean `presence_penalty`?",
         "t.yaml:7:16: warning: models.a.override.max_tokenss: no member of a request is known by this name; did you mean `max_tokens`?",
         "t.yaml:7:32: warning: models.a.override.raesoning_effort: no member of a request is known by this name; did you mean `reasoning_effort`?"});
  check("other dashes and capitals", model + "    defaults: {maxTokens: 5, top-p: 1}\n",
        {"t.yaml:6:16: warning: models.a.defaults.maxTokens: no member of a request is known by this name; did you mean `max_tokens`?",
         "t.yaml:6:30: warning: models.a.defaults.top-p: no member of a request is known by this name; did you mean `top_p`?"});
}
