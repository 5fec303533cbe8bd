// Any bytes as a configuration file, as settings of a command line, and as the values that people type: nothing throws, every fault says
// something, and what is accepted hangs together.
#include <algorithm>
#include <string>
#include <string_view>

#include "fuzz/fuzz.h"
#include "llmrouter/config.h"
#include "llmrouter/values.h"

using namespace llmrouter;

namespace {

void check_values(std::string_view text) {
  if (auto v = parse_duration(text)) fuzz::must(v->count() >= 0 && *parse_duration(format_duration(*v)) == *v, "a duration reads back");
  if (auto v = parse_size(text)) fuzz::must(*v >= 0 && *parse_size(format_size(*v)) == *v, "a size reads back");
  if (auto v = parse_count(text)) fuzz::must(*v >= 0 && *parse_count(format_count(*v)) == *v, "a count reads back");
  if (auto v = parse_rate(text)) fuzz::must(v->count > 0 && v->per.count() > 0 && *parse_rate(format_rate(*v)) == *v, "a rate reads back");
  if (auto v = parse_usd_nano(text)) fuzz::must(*v >= 0 && *parse_usd_nano(format_usd(*v)) == *v, "money reads back");
  if (auto v = parse_usd_micro(text)) fuzz::must(*v >= 0 && *parse_usd_nano(text) == *v * 1000, "micro and nano agree");
  if (auto v = parse_time(text)) fuzz::must(*parse_time(format_time_rfc3339(*v)) == *v, "a time reads back");
  if (auto v = parse_limits(text)) fuzz::must(!v->budget || v->budget->nano_usd >= 0, "limits are not negative");
}

void check_accepted(const Config& config) {
  auto is_provider = [&](const std::string& name) {
    return std::any_of(config.providers.begin(), config.providers.end(), [&](const ProviderConfig& p) { return p.name == name; });
  };
  fuzz::must(is_provider("demo"), "demo is always there");
  for (const ProviderConfig& provider : config.providers) {
    fuzz::must(!provider.base_url.empty() && (provider.base_url == "demo:" || provider.base_url.back() != '/'), "a provider has a place");
    constexpr std::string_view kServed[] = {"openai", "responses", "anthropic", "gemini", "ollama", "cohere", "bedrock", "http"};
    fuzz::must(std::find(std::begin(kServed), std::end(kServed), provider.dialect) != std::end(kServed), "a provider has a dialect that is served");
    for (const Credential& credential : provider.credentials) fuzz::must(!credential.key.empty() && credential.weight > 0, "a credential is whole");
  }
  for (const ModelConfig& model : config.models) {
    fuzz::must(!model.targets.empty(), "a model has a target");
    for (const TargetConfig& target : model.targets) fuzz::must(is_provider(target.provider) && !target.model.empty(), "a target is somewhere");
  }
  for (const FileKey& key : config.keys) fuzz::must(!key.key.empty() && !key.spec.name.empty(), "a key is whole");
  fuzz::must(!config.server.listen.empty() && config.routing.attempts > 0, "what is needed is there");
}

void check_load(const ConfigInput& input) {
  const ConfigResult result = load_config(input);
  for (const ConfigFault& fault : result.faults) fuzz::must(!fault.message.empty() && fault.line >= 0 && fault.column >= 0, "a fault says something");
  fuzz::must(result.faults.size() <= 1001, "faults are bounded");
  fuzz::must(std::is_sorted(result.faults.begin(), result.faults.end(),
                            [](const ConfigFault& a, const ConfigFault& b) {
                              return a.file == b.file && a.line > 0 && b.line > 0 && std::make_pair(a.line, a.column) < std::make_pair(b.line, b.column);
                            }),
             "faults stand in order");
  if (result.ok()) check_accepted(result.config);
}

std::optional<std::string> variable(const std::string& name) {
  if (name.size() % 3 == 0) return std::nullopt;
  if (name.size() % 3 == 1) return std::string();
  return "value-of-" + name;
}

}  // namespace

// A first byte `s`: lines of PATH=VALUE; `v`: one value; anything else: a file.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  ConfigInput input;
  input.env = variable;
  if (!text.empty() && text[0] == 'v') {
    check_values(text.substr(1));
    return 0;
  }
  if (text.empty() || text[0] != 's') {
    input.text = std::string(text);
    check_load(input);
    return 0;
  }
  text.remove_prefix(1);
  input.text = "models: {a: demo/echo}\nkeys: [{name: a, key: b}]\n";
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    const size_t equals = std::min(line.find('='), line.size());
    input.set.emplace_back(std::string(line.substr(0, equals)), std::string(line.substr(std::min(equals + 1, line.size()))));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  check_load(input);
  return 0;
}
