// Where values come from: command line, environment, `.env`, file, defaults; and what vendors' variables make.
#include <algorithm>
#include <cstdlib>

#include "catch.h"
#include "support.h"

using namespace llmrouter;
using namespace llmrouter::test;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

const ProviderConfig* provider(const Config& config, const std::string& name) {
  for (const ProviderConfig& p : config.providers) {
    if (p.name == name) return &p;
  }
  return nullptr;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

ConfigResult load_file(const std::string& file) {
  ConfigInput input;
  input.file = file;
  return load_config(input);
}

}  // namespace

TEST_CASE("command line over environment over file over default") {
  const char* file = "server: {listen: \"127.0.0.1:1\", admin_key: from-file}\nobserve: {log: {level: debug}}\nrouting: {attempts: 2}\n";
  const Variables variables = {{"LLMROUTER_LISTEN", "127.0.0.1:2"}, {"LLMROUTER_ADMIN_KEY", "from-env"}, {"LLMROUTER_LOG_LEVEL", "warn"}};

  const ConfigResult defaults = load("");
  CHECK(defaults.config.server.listen[0] == "127.0.0.1:8000");
  const ConfigResult from_file = load(file);
  CHECK(from_file.config.server.listen[0] == "127.0.0.1:1");
  CHECK(from_file.config.server.admin_key.reveal() == "from-file");
  const ConfigResult from_env = load(file, variables);
  CHECK(from_env.config.server.listen[0] == "127.0.0.1:2");
  CHECK(from_env.config.server.admin_key.reveal() == "from-env");
  CHECK(from_env.config.observe.level == LogLevel::kWarn);
  CHECK(from_env.config.routing.attempts == 2);
  const ConfigResult from_line = load(file, variables, {{"server.listen", "127.0.0.1:3"}, {"observe.log.level", "error"}});
  CHECK(from_line.config.server.listen[0] == "127.0.0.1:3");
  CHECK(from_line.config.server.admin_key.reveal() == "from-env");
  CHECK(from_line.config.observe.level == LogLevel::kError);
  CHECK(from_line.ok());
  // An empty variable is as if it were not there.
  CHECK(load(file, {{"LLMROUTER_LISTEN", ""}}).config.server.listen[0] == "127.0.0.1:1");
}

TEST_CASE("settings of the command line") {
  auto with = [](const std::string& path, const std::string& value) {
    return load("models: {gpt-4.1: openai/gpt-4.1}\nproviders: {openai: {api_key: k}}\n", {}, {{path, value}});
  };
  CHECK(with("routing.attempts", "7").config.routing.attempts == 7);
  CHECK(with("server.listen", "[::1]:8000").config.server.listen == std::vector<std::string>{"[::1]:8000"});
  CHECK(with("server.listen", "[\"[::1]:8000\", 127.0.0.1:9]").config.server.listen == std::vector<std::string>{"[::1]:8000", "127.0.0.1:9"});
  CHECK(with("server.admin_key", "a:#'b").config.server.admin_key.reveal() == "a:#'b");
  CHECK(with("server.threads", "").config.server.threads == 0);
  CHECK(with("models.\"gpt-4.1\".strategy", "priority").faults.size() == 1);  // a text stands there
  CHECK(with("models.\"gpt-4.2\"", "openai/x").config.models.size() == 2);
  CHECK(with("models.a", "{targets: [openai/x, openai/y]}").config.models[1].targets.size() == 2);
  CHECK(with("providers.lab.base_url", "http://a").config.providers.size() == 3);
  CHECK(with("providers.lab", "{base_url: http://a, timeouts: {idle: 5s}}").config.providers[1].timeouts.idle == seconds(5));
  CHECK(with("keys[0]", "{name: a, key: b}").config.keys.size() == 1);
  CHECK(with("models.b", "{targets: openai/x, defaults: {temperature: 0.5}}").config.models[1].defaults[0].second == "0.5");
  CHECK(with("storage.usage", "off").config.storage.usage == "off");

  struct Bad {
    const char* path;
    const char* value;
    const char* fault_path;
    const char* part;
  };
  const Bad rows[] = {{"", "1", "", "expected PATH=VALUE"},
                      {"a..b", "1", "a..b", "expected PATH=VALUE"},
                      {"server.", "1", "server.", "expected PATH=VALUE"},
                      {"keys[x]", "1", "keys[x]", "expected PATH=VALUE"},
                      {"models.\"a", "1", "models.\"a", "expected PATH=VALUE"},
                      {"keys[2]", "{}", "keys[2]", "[2] is behind the end of a list of 0"},
                      {"server.thread", "1", "server.thread", "did you mean `threads`"},
                      {"server.threads", "x", "server.threads", "found `x`"},
                      {"server.threads.x", "1", "server.threads", "expected a whole number"},
                      {"server[0]", "1", "server", "expected a map, found a list"},
                      {"providers", "{a: [", "providers", "not a YAML value"},
                      {"providers", "{a: 1, a: 2}", "providers", "not a YAML value"}};
  for (const Bad& row : rows) {
    const ConfigResult result = load("", {}, {{row.path, row.value}});
    INFO(row.path << "=" << row.value << "\n" << words(result));
    REQUIRE(result.faults.size() == 1);
    CHECK(result.faults[0].file == "settings");
    CHECK(result.faults[0].line == 0);
    CHECK(result.faults[0].path == row.fault_path);
    CHECK(result.faults[0].message.find(row.part) != std::string::npos);
  }
  const ConfigResult indexed = load("keys: [{name: a, key: b}]\n", {}, {{"keys[0].name", "c"}, {"keys[1].name", "d"}, {"keys[1].key", "e"}});
  REQUIRE(indexed.ok());
  CHECK(indexed.config.keys[0].spec.name == "c");
  CHECK(indexed.config.keys[0].key.reveal() == "b");
  CHECK(indexed.config.keys[1].spec.name == "d");
}

TEST_CASE("faults of the environment name their variable") {
  const ConfigResult result =
      load("", {{"LLMROUTER_LISTEN", "127.0.0.1:1, nonsense"}, {"LLMROUTER_LOG_LEVEL", "loud"}, {"LLMROUTER_ADMIN_KEY", "with ${blank}"}});
  INFO(words(result));
  REQUIRE(result.faults.size() == 3);
  CHECK(result.faults[0].to_string().find("LLMROUTER_ADMIN_KEY: server.admin_key: expected a key of visible ASCII") == 0);
  CHECK(result.faults[1].to_string() == "LLMROUTER_LISTEN: server.listen[1]: expected host:port, [address]:port or unix:/path, found `nonsense`");
  CHECK(result.faults[2].to_string().find("LLMROUTER_LOG_LEVEL: observe.log.level: expected debug, info, warn, error or off, found `loud`") == 0);
  // What stands in a variable is what it is: no variables inside it.
  CHECK(load("", {{"LLMROUTER_ADMIN_KEY", "${X}"}}).config.server.admin_key.reveal() == "${X}");
  CHECK(load("", {{"LLMROUTER_LISTEN", "127.0.0.1:1,[::1]:2"}}).config.server.listen == std::vector<std::string>{"127.0.0.1:1", "[::1]:2"});
}

TEST_CASE("variables inside values") {
  const Variables variables = {{"A", "one"}, {"EMPTY", ""}, {"N", "5"}, {"URL", "http://h:1"}};
  auto key = [&](const std::string& text) { return load("storage: {secret_key: '" + text + "'}\n", variables).config.storage.secret_key.reveal(); };
  CHECK(key("${A}") == "one");
  CHECK(key("x${A}y${A}z") == "xoneyonez");
  CHECK(key("${A:-two}") == "one");
  CHECK(key("${NOT:-two}") == "two");
  CHECK(key("${EMPTY:-two}") == "two");
  CHECK(key("a${EMPTY}b") == "ab");
  CHECK(key("$${A}") == "${A}");
  CHECK(key("$$${A}") == "$${A}");
  CHECK(key("$A $ {A}") == "$A $ {A}");
  CHECK(key("${NOT:-}") == "");
  CHECK(key("${NOT:-a:-b}") == "a:-b");
  CHECK(load("routing: {attempts: \"${N}\"}\n", variables).config.routing.attempts == 5);
  CHECK(load("providers: {lab: {base_url: \"${URL}\"}}\n", variables).config.providers[0].base_url == "http://h:1/v1");
  // An empty one leaves the default.
  CHECK(load("routing: {attempts: \"${NOT:-}\"}\nserver: {listen: \"${NOT:-}\"}\n", variables).config.routing.attempts == 3);
  CHECK(load("server: {listen: \"${NOT:-}\"}\n", variables).config.server.listen[0] == "127.0.0.1:8000");
}

TEST_CASE("a data folder is that of all databases but those of the command line") {
  const Variables variables = {{"LLMROUTER_DATA_DIR", "/var/lib/llmrouter/"}};
  CHECK(load("", variables).config.storage.keys == "sqlite:/var/lib/llmrouter/llmrouter.db");
  CHECK(load("", variables).config.storage.usage == "sqlite:/var/lib/llmrouter/usage.db");
  CHECK(load("", variables).notes.empty());
  const ConfigResult own = load("storage: {keys: \"sqlite:mine.db\", usage: \"sqlite:/srv/a/b.db\"}\n", variables);
  CHECK(own.config.storage.keys == "sqlite:/var/lib/llmrouter/mine.db");
  CHECK(own.config.storage.usage == "sqlite:/var/lib/llmrouter/b.db");
  REQUIRE(own.notes.size() == 2);
  CHECK(own.notes[0] == "storage.keys: in the folder of LLMROUTER_DATA_DIR, not at sqlite:mine.db");
  const ConfigResult typed = load("storage: {keys: \"sqlite:mine.db\"}\n", variables, {{"storage.keys", "sqlite:typed.db"}});
  CHECK(typed.config.storage.keys == "sqlite:typed.db");
  CHECK(typed.config.storage.usage == "sqlite:/var/lib/llmrouter/usage.db");
  const ConfigResult none = load("storage: {keys: \"memory:\", usage: off}\n", variables);
  CHECK(none.config.storage.keys == "memory:");
  CHECK(none.config.storage.usage == "off");
  CHECK(words(load("storage: {keys: \"sqlite:a/x.db\", usage: \"sqlite:b/x.db\"}\n", variables)).find("storage.usage: expected a database of its own") != std::string::npos);
  CHECK(load("", {{"LLMROUTER_DATA_DIR", "/"}}).config.storage.keys == "sqlite:/llmrouter.db");
}

TEST_CASE("without providers the usual variables make them") {
  const ConfigResult result = load("", {{"OPENAI_API_KEY", "k1"},
                                        {"GROQ_API_KEY", "k2"},
                                        {"VOLCENGINE_API_KEY", "k3"},
                                        {"OLLAMA_HOST", "0.0.0.0"},
                                        {"MISTRAL_API_KEY", ""},
                                        {"ANTHROPIC_API_KEY", "k4"},
                                        {"OLLAMA_API_KEY", "k5"}});
  INFO(words(result));
  REQUIRE(result.ok());
  const Config& c = result.config;
  REQUIRE(c.providers.size() == 6);
  CHECK(provider(c, "openai")->credentials.at(0).key.reveal() == "k1");
  CHECK(provider(c, "anthropic")->credentials.at(0).key.reveal() == "k4");
  CHECK(provider(c, "anthropic")->auth == "x-api-key");
  CHECK(provider(c, "openai")->credentials.at(0).name == "1");
  CHECK(provider(c, "openai")->base_url == "https://api.openai.com/v1");
  CHECK(provider(c, "groq")->base_url == "https://api.groq.com/openai/v1");
  CHECK(provider(c, "volcengine")->credentials.at(0).key.reveal() == "k3");
  CHECK(provider(c, "ollama")->base_url == "http://127.0.0.1:11434");
  CHECK(provider(c, "ollama")->dialect == "ollama");
  CHECK(provider(c, "ollama")->credentials.at(0).key.reveal() == "k5");
  CHECK(c.providers.back().name == "demo");
  CHECK(joined(result.notes) ==
        "provider openai from OPENAI_API_KEY\nprovider anthropic from ANTHROPIC_API_KEY\nprovider groq from GROQ_API_KEY\nprovider volcengine from VOLCENGINE_API_KEY\n"
        "provider ollama from OLLAMA_API_KEY and OLLAMA_HOST\n");
  // A section, even an empty one, says which there are.
  CHECK(load("providers: {}\n", {{"OPENAI_API_KEY", "k1"}}).config.providers.size() == 1);
  CHECK(load("providers:\n", {{"OPENAI_API_KEY", "k1"}}).config.providers.size() == 2);
  // A key alone does not say that there is a server.
  CHECK(load("", {{"OLLAMA_API_KEY", "k"}}).config.providers.size() == 1);
}

TEST_CASE("base URLs from the environment") {
  auto openai = [](const std::string& url) {
    const ConfigResult result = load("", {{"OPENAI_API_KEY", "k"}, {"OPENAI_BASE_URL", url}});
    REQUIRE(result.ok());
    return provider(result.config, "openai")->base_url;
  };
  CHECK(openai("https://proxy.example.com/v1/") == "https://proxy.example.com/v1");
  CHECK(openai("https://proxy.example.com") == "https://proxy.example.com/v1");
  CHECK(load("", {{"OPENAI_BASE_URL", "http://10.0.0.1:9/v1"}}).config.providers.size() == 2);  // a server that wants no key

  // Set for clients of ours: it leads here.
  const ConfigResult loop = load("", {{"OPENAI_API_KEY", "k"}, {"OPENAI_BASE_URL", "http://localhost:8000/v1"}});
  CHECK(provider(loop.config, "openai")->base_url == "https://api.openai.com/v1");
  CHECK(joined(loop.notes).find("OPENAI_BASE_URL leads to this server itself: not used") != std::string::npos);
  CHECK(load("", {{"OPENAI_BASE_URL", "http://127.0.0.1:8000"}}).config.providers.size() == 1);

  const ConfigResult bad = load("", {{"OPENAI_API_KEY", "k"}, {"OPENAI_BASE_URL", "nonsense"}});
  REQUIRE(bad.faults.size() == 1);
  CHECK(bad.faults[0].to_string().find("OPENAI_BASE_URL: expected a URL") == 0);
  const ConfigResult key = load("", {{"OPENAI_API_KEY", "k k"}});
  REQUIRE(key.faults.size() == 1);
  CHECK(key.faults[0].to_string().find("OPENAI_API_KEY: providers.openai: expected a key of visible ASCII") == 0);

  struct Row {
    const char* host;
    const char* url;
  };
  const Row rows[] = {{"0.0.0.0", "http://127.0.0.1:11434"},       {"box", "http://box:11434"},         {"box:5", "http://box:5"},
                      {"http://box", "http://box"},                {"https://box:5/", "https://box:5"}, {"[::1]", "http://[::1]:11434"},
                      {"[::1]:7", "http://[::1]:7"},               {":7", "http://127.0.0.1:7"},        {"https://box/ollama", "https://box/ollama"},
                      {"http://0.0.0.0:7", "http://127.0.0.1:7"}};
  for (const Row& row : rows) {
    CAPTURE(row.host);
    const ConfigResult result = load("", {{"OLLAMA_HOST", row.host}});
    INFO(words(result));
    REQUIRE(provider(result.config, "ollama"));
    CHECK(provider(result.config, "ollama")->base_url == row.url);
  }
}

TEST_CASE("base URLs mean the same with and without their version part") {
  struct Row {
    const char* dialect;
    const char* given;
    const char* used;
  };
  const Row rows[] = {{"openai", "http://a", "http://a/v1"},
                      {"openai", "http://a/", "http://a/v1"},
                      {"openai", "http://a/v1", "http://a/v1"},
                      {"openai", "http://a/v1//", "http://a/v1"},
                      {"openai", "http://a/openai", "http://a/openai/v1"},
                      {"openai", "https://a/api/paas/v4", "https://a/api/paas/v4"},
                      {"openai", "https://a/api/v3/", "https://a/api/v3"},
                      {"openai", "https://a/v1beta/openai", "https://a/v1beta/openai"},
                      {"openai", "https://a/beta", "https://a/beta"},
                      {"openai", "https://a/vision", "https://a/vision/v1"},
                      {"openai", "HTTPS://A:8443/x", "HTTPS://A:8443/x/v1"},
                      {"openai", "http://[::1]:9", "http://[::1]:9/v1"},
                      {"ollama", "http://a:11434", "http://a:11434"},
                      {"ollama", "http://a:11434/", "http://a:11434"},
                      {"ollama", "http://a:11434/v1", "http://a:11434"},
                      {"ollama", "http://a:11434/api/", "http://a:11434"},
                      {"cohere", "https://a", "https://a/v2"},
                      {"cohere", "https://a/v2/", "https://a/v2"},
                      {"openai", "demo:", "demo:"}};
  for (const Row& row : rows) {
    INFO(row.dialect << " " << row.given);
    const ConfigResult result = load(std::string("providers: {lab: {base_url: \"") + row.given + "\", dialect: " + row.dialect + "}}\n");
    INFO(words(result));
    REQUIRE(result.ok());
    CHECK(result.config.providers[0].base_url == row.used);
  }
}

TEST_CASE("what a preset gives, and what stands against it") {
  const Variables variables = {{"MISTRAL_API_KEY", "from-env"}, {"OPENAI_API_KEY", "from-env"}};
  const ConfigResult result = load(
      "providers:\n"
      "  mistral: {}\n"
      "  mine: {type: mistral, api_key: own}\n"
      "  openai: {base_url: http://10.0.0.1:9}\n"
      "  perplexity: {base_url: https://api.perplexity.ai/, api_key: k}\n"
      "  ollama: {}\n"
      "  faced: {type: ollama, dialect: openai}\n"
      "  moonshot: {region: cn, api_key: k}\n"
      "  demo: {base_url: http://a}\n"
      "  passing: {type: openai, pass_client_key: true}\n"
      "  spoken: {type: openai, base_url: http://a, api_key: k, also: [completions]}\n"
      "  mocked: {type: mistral, base_url: http://a, api_key: k}\n"
      "  europe: {type: openai, base_url: \"https://eu.api.openai.com/v1\", api_key: k}\n"
      "  openai-us: {type: openai, base_url: \"https://us.api.openai.com\", api_key: k}\n"
      "  old: {type: azure, base_url: \"https://r.openai.azure.com/\", api_version: 2024-10-21, api_key: k}\n"
      "  azure: {base_url: \"https://r.openai.azure.com/openai\", api_key: k}\n"
      "  foundry: {type: azure, base_url: \"https://r.services.ai.azure.com/models\", api_version: preview, api_key: k}\n"
      "server: {auth: none}\n",
      variables);
  INFO(words(result));
  REQUIRE(result.ok());
  const Config& c = result.config;
  CHECK(c.providers.size() == 16);
  using Words = std::vector<std::string>;
  CHECK(provider(c, "passing")->also == Words{"responses", "completions"});
  CHECK(provider(c, "passing")->has_quirk("max_completion_tokens_only"));
  // What is known of OpenAI's own place is not said of any other server.
  CHECK(provider(c, "openai")->also.empty());
  CHECK(provider(c, "openai")->quirks.empty());
  // Who says the type means the vendor, wherever it is reached.
  CHECK(provider(c, "spoken")->quirks == provider(c, "passing")->quirks);
  CHECK(provider(c, "mocked")->quirks == provider(c, "mine")->quirks);
  for (const char* name : {"europe", "openai-us"}) {
    CAPTURE(name);
    CHECK(provider(c, name)->quirks == provider(c, "passing")->quirks);
    CHECK(provider(c, name)->also == provider(c, "passing")->also);
  }
  CHECK(provider(c, "spoken")->also == Words{"completions"});
  CHECK(provider(c, "old")->base_url == "https://r.openai.azure.com/openai");
  CHECK(provider(c, "old")->api_version == "2024-10-21");
  CHECK(provider(c, "old")->auth == "api-key");
  CHECK(provider(c, "old")->also == Words{"responses", "completions"});
  CHECK(provider(c, "azure")->base_url == "https://r.openai.azure.com/openai/v1");
  CHECK(provider(c, "foundry")->base_url == "https://r.services.ai.azure.com/models");
  CHECK(provider(c, "mistral")->credentials.at(0).key.reveal() == "from-env");
  CHECK(provider(c, "mistral")->has_quirk("random_seed"));
  CHECK(provider(c, "mine")->credentials.at(0).key.reveal() == "own");
  CHECK(provider(c, "mine")->base_url == "https://api.mistral.ai/v1");
  CHECK(provider(c, "mine")->has_quirk("short_tool_ids"));
  // The vendor's key does not go to somebody else's address.
  CHECK(provider(c, "openai")->base_url == "http://10.0.0.1:9/v1");
  CHECK(provider(c, "openai")->credentials.empty());
  CHECK(provider(c, "perplexity")->base_url == "https://api.perplexity.ai");
  CHECK(provider(c, "ollama")->base_url == "http://127.0.0.1:11434");
  CHECK(provider(c, "faced")->base_url == "http://127.0.0.1:11434/v1");
  CHECK(provider(c, "moonshot")->base_url == "https://api.moonshot.cn/v1");
  CHECK(provider(c, "demo")->base_url == "http://a/v1");
  CHECK(provider(c, "passing")->credentials.empty());
  CHECK(joined(result.notes) == "provider mistral: key from MISTRAL_API_KEY\n");
  // A local server on our own port.
  const ConfigResult local = load("providers: {vllm: {}}\n");
  CHECK(local.ok());
  REQUIRE(local.warnings.size() == 1);
  CHECK(local.warnings[0].to_string().find("t.yaml:1:19: warning: providers.vllm: its base_url has the port of server.listen") == 0);
}

TEST_CASE("filters of a file") {
  const ConfigResult result = load(
      "models: {m: {targets: [demo/echo], filters: [names, think_tags]}}\n"
      "filters:\n"
      "  names: {pattern: \"Ann|Bob\", replace: X}\n"
      "  all: {pattern: (a)b, replace: '\\1', on: [request, stream]}\n"
      "keys: [{name: c, key: sk-cursor-0123456789, purpose: cursor}]\n");
  INFO(words(result));
  REQUIRE(result.ok());
  CHECK(result.config.models.at(0).filters == std::vector<std::string>{"names", "think_tags"});
  REQUIRE(result.config.filters.size() == 2);
  const TextFilterConfig& names = result.config.filters[0];
  CHECK((names.name == "names" && names.pattern == "Ann|Bob" && names.replace == "X" && !names.request && names.response && names.stream));
  const TextFilterConfig& all = result.config.filters[1];
  CHECK((all.replace == "\\1" && all.request && !all.response && all.stream));
  CHECK(result.config.keys.at(0).spec.purpose == "cursor");
  // What the application registers is no name of the file.
  const std::string own = "models: {m: {targets: [demo/echo], filters: [mine]}}\n";
  CHECK_FALSE(load(own).ok());
  ConfigInput input;
  input.text = own;
  input.env = [](const std::string&) { return std::nullopt; };
  input.filters = {"mine"};
  CHECK(load_config(input).ok());

  const ConfigResult bad = load("filters:\n  a: {pattern: \"(\"}\n  b: {replace: x}\n  c: {pattern: x, on: [nowhere]}\n");
  REQUIRE(bad.faults.size() == 3);
  CHECK(bad.faults[0].message.find("missing )") != std::string::npos);
  CHECK(bad.faults[1].path == "filters.b.pattern");
  CHECK(bad.faults[2].message.find("expected request, response or stream") != std::string::npos);
}

TEST_CASE("a file and what lies beside it") {
  Folder folder;
  const std::string file = folder.write("llmrouter.yaml",
                                        "providers:\n  lab: {base_url: http://a, api_key_file: lab.key, tls: {ca_file: ca.pem}}\n"
                                        "  openai: {api_key: \"${LLMROUTER_TEST_FROM_DOT_ENV}\"}\n"
                                        "server: {admin_key: \"${LLMROUTER_TEST_QUOTED}\"}\nstorage: {secret_key: \"${LLMROUTER_TEST_BOTH}\"}\n");
  folder.write("lab.key", "from-file\n");
  folder.write("ca.pem", "certificate");
  folder.write(
      ".env",
      "# a comment\n\nLLMROUTER_TEST_FROM_DOT_ENV=plain # why\nexport LLMROUTER_TEST_QUOTED=\"with\\\"quote\"\nLLMROUTER_TEST_BOTH='dot-env'\n");
  ::setenv("LLMROUTER_TEST_BOTH", "process", 1);
  const ConfigResult result = load_file(file);
  ::unsetenv("LLMROUTER_TEST_BOTH");
  INFO(words(result));
  REQUIRE(result.ok());
  CHECK(result.config.source == file);
  CHECK(result.config.providers[0].credentials.at(0).key.reveal() == "from-file");
  CHECK(result.config.providers[0].ca_file == folder.path("ca.pem"));
  CHECK(result.config.providers[1].credentials.at(0).key.reveal() == "plain");
  CHECK(result.config.server.admin_key.reveal() == "with\"quote");
  CHECK(result.config.storage.secret_key.reveal() == "process");

  // A caller's own environment is all there is.
  ConfigInput input;
  input.file = file;
  input.env = [](const std::string&) { return std::nullopt; };
  CHECK(load_config(input).faults.size() == 3);
}

TEST_CASE("files that cannot be read, and what is wrong in them") {
  Folder folder;
  ConfigResult missing = load_file(folder.path("none.yaml"));
  REQUIRE(missing.faults.size() == 1);
  CHECK(missing.faults[0].to_string() == folder.path("none.yaml") + ": cannot be read: No such file or directory");
  CHECK(load_file("/tmp").faults.size() == 1);

  const std::string file =
      folder.write("c.yaml", "server: {admin_key_file: a.key}\nkeys: [{name: a, key_file: empty.key}, {name: b, key_file: two.key}]\n");
  folder.write("a.key", "  \r\n");
  folder.write("empty.key", "");
  folder.write("two.key", "one\ntwo\n");
  folder.write(".env", "GOOD=1\nno equals\n=x\nA B=c\nQ=\"open\n1X=2\n");
  const ConfigResult result = load_file(file);
  INFO(words(result));
  REQUIRE(result.faults.size() == 8);
  CHECK(result.faults[0].to_string().find("c.yaml:1:26: server.admin_key_file: expected a text that is not empty in the file `a.key`") !=
        std::string::npos);
  CHECK(result.faults[1].path == "keys[0].key_file");
  CHECK(result.faults[2].message.find("visible ASCII") != std::string::npos);
  for (size_t i = 3; i < 8; ++i) {
    CHECK(result.faults[i].file == folder.path(".env"));
    CHECK(result.faults[i].line == static_cast<int>(i) - 1);
    CHECK(result.faults[i].message == "expected NAME=VALUE, a comment or an empty line");
  }
}

TEST_CASE("prices from a file") {
  Folder folder;
  const std::string yaml = folder.write("c.yaml", "prices:\n  file: p.yaml\n  entries: [{model: own, input: 9}]\n");
  folder.write("p.yaml", "- {model: \"lab/*\", input: 0.15, output: 0.60}\n- model: lab/big\n  input: 2\n  audio_input: 3\n");
  ConfigResult result = load_file(yaml);
  INFO(words(result));
  REQUIRE(result.ok());
  REQUIRE(result.config.prices.size() == 3);
  CHECK(result.config.prices[0].match == "own");
  CHECK(result.config.prices[1].match == "lab/*");
  CHECK(result.config.prices[1].row.output == 600000);
  CHECK(result.config.prices[2].row.audio_input == 3000000);

  const std::string tsv = folder.write("d.yaml", "prices: {file: p.tsv}\n");
  folder.write("p.tsv", "# ours\nmodel\tinput\toutput\tcached_input\r\n\nlab/*\t0.15\t\t0.05\r\nlab/$x\t1\n");
  result = load_file(tsv);
  INFO(words(result));
  REQUIRE(result.ok());
  REQUIRE(result.config.prices.size() == 2);
  CHECK(result.config.prices[0].row.input == 150000);
  CHECK(result.config.prices[0].row.output == 0);
  CHECK(result.config.prices[0].row.cached == 50000);
  CHECK(result.config.prices[1].match == "lab/$x");

  folder.write("p.tsv", "model\tinput\nlab/a\tmuch\nlab/b\t1\t2\n\t5\n");
  result = load_file(tsv);
  INFO(words(result));
  REQUIRE(result.faults.size() == 3);
  CHECK(result.faults[0].to_string().find("p.tsv:2:7: prices.entries[0].input: expected USD per million tokens") != std::string::npos);
  CHECK(result.faults[1].to_string().find("p.tsv:3:9: a field too many: the first line names 2") != std::string::npos);
  CHECK(result.faults[2].to_string().find("p.tsv:4:1: prices.entries[2].model: missing") != std::string::npos);
  folder.write("p.tsv", "name\tinput\nlab/a\t1\n");
  CHECK(load_file(tsv).faults.at(0).message.find("expected a first line of names") == 0);
  folder.write("p.tsv", "model\tinput\tinput\n");
  CHECK(load_file(tsv).faults.at(0).message.find("names `input` twice") != std::string::npos);
  folder.write("p.yaml", "a: b\n");
  result = load_file(yaml);
  REQUIRE(result.faults.size() == 1);
  CHECK(result.faults[0].to_string().find("p.yaml:1:1: expected a list") != std::string::npos);
  result = load("prices: {file: /nowhere/p.yaml}\n");
  REQUIRE(result.faults.size() == 1);
  CHECK(result.faults[0].to_string() == "t.yaml:1:16: prices.file: cannot be read: No such file or directory");
}

TEST_CASE("anchors, aliases and merges") {
  const ConfigResult result = load(
      "providers:\n"
      "  a: &base\n"
      "    base_url: http://a\n"
      "    timeouts: &t {idle: 5s, total: 1m}\n"
      "  b:\n"
      "    <<: *base\n"
      "    base_url: http://b\n"
      "  c: {<<: [{proxy: http://p:1}, *base], timeouts: {<<: *t, idle: 6s}}\n"
      "  \"d\": {\"base_url\": &u http://d}\n"
      "models:\n"
      "  x: &targets [a/1, b/2]\n"
      "  y: *targets\n"
      "routing: {default_model: &m y}\n");
  INFO(words(result));
  REQUIRE(result.ok());
  const Config& c = result.config;
  CHECK(provider(c, "b")->base_url == "http://b/v1");
  CHECK(provider(c, "b")->timeouts.idle == seconds(5));
  CHECK(provider(c, "c")->base_url == "http://a/v1");
  CHECK(provider(c, "c")->proxy == "http://p:1");
  CHECK(provider(c, "c")->timeouts.idle == seconds(6));
  CHECK(provider(c, "c")->timeouts.total == minutes(1));
  CHECK(c.models[1].targets.size() == 2);
  CHECK(c.routing.default_model == "y");
}

TEST_CASE("an environment that throws is a fault") {
  ConfigInput input;
  input.text = "server: {admin_key: \"${A}\"}\n";
  input.env = [](const std::string&) -> std::optional<std::string> { throw std::runtime_error("no"); };
  const ConfigResult result = load_config(input);
  REQUIRE(result.faults.size() == 1);
  CHECK(result.faults[0].message == "cannot be read: no");
}

TEST_CASE("a vendor with a region in its URL wants to know which") {
  const ConfigResult said = load("providers: {bedrock: {region: eu-west-1, api_key: \"AKIA:secret\"}}\n");
  INFO(words(said));
  REQUIRE(said.ok());
  CHECK(provider(said.config, "bedrock")->base_url == "https://bedrock-runtime.eu-west-1.amazonaws.com");
  CHECK(provider(said.config, "bedrock")->dialect == "bedrock");

  const Variables aws = {{"AWS_ACCESS_KEY_ID", "AKIA1"}, {"AWS_SECRET_ACCESS_KEY", "s3cret"}, {"AWS_DEFAULT_REGION", "us-west-2"}};
  const ConfigResult variables = load("providers: {b: {type: bedrock}}\n", aws);
  INFO(words(variables));
  REQUIRE(variables.ok());
  CHECK(provider(variables.config, "b")->credentials.at(0).key.reveal() == "AKIA1:s3cret");
  CHECK(provider(variables.config, "b")->region == "us-west-2");
  auto session = aws;
  session["AWS_SESSION_TOKEN"] = "tok";
  CHECK(provider(load("providers: {b: {type: bedrock}}\n", session).config, "b")->credentials.at(0).key.reveal() == "AKIA1:s3cret:tok");
  // Access keys are set for much else, too: by themselves they make no provider. A bearer key for Bedrock does.
  CHECK(provider(load("", aws).config, "bedrock") == nullptr);
  const ConfigResult bearer = load("", {{"AWS_BEARER_TOKEN_BEDROCK", "ABSK1"}, {"AWS_REGION", "eu-central-1"}});
  REQUIRE(provider(bearer.config, "bedrock"));
  CHECK(provider(bearer.config, "bedrock")->base_url == "https://bedrock-runtime.eu-central-1.amazonaws.com");
  const ConfigResult nowhere = load("", {{"AWS_BEARER_TOKEN_BEDROCK", "ABSK1"}});
  CHECK(provider(nowhere.config, "bedrock") == nullptr);
  CHECK(joined(nowhere.notes).find("no region is") != std::string::npos);

  const ConfigResult own = load("providers: {b: {type: bedrock, base_url: \"http://127.0.0.1:9\", region: eu-west-1, api_key: x}}\n");
  INFO(words(own));
  REQUIRE(own.ok());
  CHECK(provider(own.config, "b")->base_url == "http://127.0.0.1:9");
  CHECK(provider(own.config, "b")->region == "eu-west-1");
  CHECK(words(load("providers: {bedrock: {api_key: x}}\n")).find("expected a region, found none (nor the variable AWS_REGION)") != std::string::npos);
  CHECK(words(load("providers: {bedrock: {api_key: x, region: \"evil.example/x\"}}\n")).find("expected a region such as") != std::string::npos);
  CHECK(provider(load("providers: {databricks: {api_key: x}}\n", {{"DATABRICKS_HOST", "https://adb-1.azuredatabricks.net/"}}).config, "databricks")->base_url ==
        "https://adb-1.azuredatabricks.net/serving-endpoints");
  CHECK(provider(load("providers: {snowflake: {api_key: x, region: MYORG-my_account}}\n").config, "snowflake")->base_url ==
        "https://myorg-my-account.snowflakecomputing.com/api/v2/cortex/v1");
}

TEST_CASE("no version part is put behind a base_url of a vendor who has none") {
  const auto url = [](const std::string& members) { return provider(load("providers: {p: {api_key: x, " + members + "}}\n").config, "p")->base_url; };
  CHECK(url("type: databricks, base_url: \"https://adb-1.azuredatabricks.net/serving-endpoints/\"") == "https://adb-1.azuredatabricks.net/serving-endpoints");
  CHECK(url("type: perplexity, base_url: \"https://gateway.example\"") == "https://gateway.example");
  CHECK(url("type: perplexity, base_url: \"https://gateway.example/v1\"") == "https://gateway.example/v1");
  CHECK(url("type: perplexity, dialect: responses, base_url: \"https://gateway.example\"") == "https://gateway.example/v1");
  CHECK(url("type: groq, base_url: \"https://gateway.example\"") == "https://gateway.example/v1");
}

TEST_CASE("Vertex AI: region and project make its URL, an API key alone another one") {
  const auto url = [](const std::string& members, const Variables& variables = {}) {
    const ConfigResult loaded = load("providers: {v: {type: vertex, " + members + "}}\n", variables);
    const ProviderConfig* v = provider(loaded.config, "v");
    return loaded.ok() && v != nullptr ? v->base_url : "faulty: " + words(loaded);
  };
  CHECK(url("api_key: google-metadata, project: p-1") == "https://aiplatform.googleapis.com/v1/projects/p-1/locations/global");
  CHECK(url("api_key: google-metadata, region: us-east5", {{"GOOGLE_CLOUD_PROJECT", "p-2"}}) ==
        "https://us-east5-aiplatform.googleapis.com/v1/projects/p-2/locations/us-east5");
  CHECK(url("api_key: google-metadata, project: p", {{"GOOGLE_CLOUD_LOCATION", "eu"}}) == "https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu");
  CHECK(url("api_key: '{\"type\":\"service_account\",\"project_id\":\"p-3\",\"client_email\":\"a\",\"private_key\":\"b\"}'") == "https://aiplatform.googleapis.com/v1/projects/p-3/locations/global");
  CHECK(url("api_key: AIzaKey") == "https://aiplatform.googleapis.com/v1");
  CHECK(url("api_key: AIzaKey, project: p, region: us") == "https://aiplatform.us.rep.googleapis.com/v1/projects/p/locations/us");
  CHECK(url("api_key: k, project: p, base_url: 'http://127.0.0.1:9/'") == "http://127.0.0.1:9/v1/projects/p/locations/global");
  CHECK(url("api_key: k, base_url: 'http://h/v1/projects/q/locations/l/publishers/google/models'") == "http://h/v1/projects/q/locations/l");
  CHECK(url("api_key: google-metadata, base_url: 'http://h'").find("expected a project") != std::string::npos);
  CHECK(url("api_key: google-metadata, base_url: 'http://h/v1/projects/q/locations/l'") == "http://h/v1/projects/q/locations/l");
  CHECK(url("api_key: AIzaKey, base_url: 'http://h'") == "http://h/v1");
  const auto key = [](const char* said, const Variables& variables) {
    return std::string(provider(load(std::string("providers: {v: {type: vertex, project: p, api_key: '") + said + "'}}\n", variables).config, "v")->credentials.at(0).key.reveal());
  };
  CHECK(key("google-metadata", {}) == "google-metadata");
  CHECK(key("google-metadata", {{"GCE_METADATA_HOST", "127.0.0.1:8080"}}) == "google-metadata:http://127.0.0.1:8080");
  CHECK(key("google-metadata:http://127.0.0.1:9", {{"GCE_METADATA_HOST", "127.0.0.1:8080"}}) == "google-metadata:http://127.0.0.1:9");
  CHECK(key("AIzaKey", {{"GCE_METADATA_HOST", "127.0.0.1:8080"}}) == "AIzaKey");
  const ConfigResult loaded = load("", {{"GOOGLE_VERTEX_API_KEY", "AIzaKey"}});
  REQUIRE(provider(loaded.config, "vertex"));
  CHECK(provider(loaded.config, "vertex")->base_url == "https://aiplatform.googleapis.com/v1");
  // Which models speak another dialect than Google's.
  const auto& dialects = provider(loaded.config, "vertex")->model_dialects;
  const auto has = [&](const char* pattern, const char* dialect) {
    return std::find(dialects.begin(), dialects.end(), std::pair<std::string, std::string>(pattern, dialect)) != dialects.end();
  };
  CHECK(has("claude-*", "anthropic"));
  CHECK(has("*-maas", "openai"));
  CHECK(has("*meta/*", "openai"));
}
