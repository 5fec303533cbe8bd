// config_reference_markdown(): the table of keys for people.
#include "config/table.h"
#include "llmrouter/llmrouter.h"

namespace llmrouter {
namespace config {
namespace {

constexpr const char* kIntroduction = R"md(# Configuration

Made from the loader's own table of keys: do not edit it, run `llmrouter-server reference`. `llmrouter-server schema` prints the
JSON Schema for editors.

`llmrouter.yaml` in the working directory is read when no `--config` is given. `llmrouter-server check` says everything that is
wrong with a file in one pass, each with `file:line:column`. A change on disk is applied without a restart when it is valid, and
logged and refused, with the running one kept, when it is not.

A value is looked for on the command line (`--set PATH=VALUE`), then in the `LLMROUTER_*` environment, then in the file, then
there is its default. Unknown keys, keys that stand twice, wrong types and values out of range are errors. So is a key that is not
supported yet, unless it says what would be without it.

```yaml
providers:
  openai: {api_key: "${OPENAI_API_KEY}"}
  lab: {base_url: http://10.0.0.7:8000/v1}

models:
  gpt-4o:
    targets: [openai/gpt-4o, {model: lab/big, weight: 3}]
    fallbacks: [small]
  small: openai/gpt-4o-mini

keys:
  - {name: ci, key: "${CI_KEY}", limits: {requests: 60/min}, budget: {usd: 50, per: month}}
```

## Values

| kind | written as |
|---|---|
| duration | `250ms` `5s` `2m` `1h` `30d` |
| size | `65536` `64KiB` `32MiB` |
| count | `1000` `200k` `2M` |
| percentage | `80%` |
| rate | `60/min` `200k/min` `10/s` `1000/day` `100/30s`, or `{requests: 50, per: 60s, burst: 20}` (`tokens` for tokens) |
| money | decimal USD, as exact as it is written |
| time | `2027-01-01T00:00:00Z`, or a date |
| secret | a text, never shown in errors and logs; `NAME_file: PATH` reads it from a file (a relative path begins at this file's folder) |
| pattern | `*` matches anything, in either case, the whole name; a list is "any of"; a leading `!` excludes (quote both) |

`${NAME}` in any value is the environment variable of that name, `${NAME:-default}` has a default, `$${` is a literal `${`. A file
`.env` beside the configuration is read as well; the process's own environment comes first. A value that is nothing but an empty
variable counts as not given.

YAML anchors, aliases and merges (`<<: *base`) work. A file may have 4 MiB, 200,000 values (aliases written out) and 64 levels.)md";

constexpr const char* kPriceFile = R"md(
A file of prices is YAML, a list as under `prices.entries`:

```yaml
- {model: "lab/*", input: 0.15, output: 0.60}
- {model: lab/big, input: 2, output: 8, cached_input: 0.5}
```

or, when its name ends in `.tsv`, text with tabs between the fields. The first line names them, an empty field is not set, a line
that begins with `#` says nothing:

```
model	input	output	cached_input
lab/*	0.15	0.60
lab/big	2	8	0.5
```
)md";

struct Variable {
  const char* name;
  const char* doc;
};

// Variables that are no key's.
constexpr Variable kVariables[] = {
    {"LLMROUTER_CONFIG", "the file, when there is no `--config`"},
    {"LLMROUTER_DATA_DIR", "the folder of the databases, instead of `data` or what the file says; they keep their names"},
    {"TMPDIR", "the folder of the temporary files that large forms are put into, instead of that of `storage.keys`"},
};

std::string bounds_text(const Key& key) {
  const size_t dots = key.bounds.find("..");
  return dots == std::string::npos ? std::string() : ", " + key.bounds.substr(0, dots) + " to " + key.bounds.substr(dots + 2);
}

std::string type_text(const Key& key) {
  switch (key.type) {
    case Type::kMap: return key.stands_for.empty() ? "map" : "map, or `" + key.stands_for + "` alone";
    case Type::kNamed: return "map of names";
    case Type::kList: return "list";
    case Type::kText: return "text";
    case Type::kTexts: return "text or list";
    case Type::kHeaders: return "map of texts";
    case Type::kTemplate:
    case Type::kJsonMap: return "map";
    case Type::kWord: {
      std::string out;
      for (const std::string& word : words(key.bounds)) out += (out.empty() ? "`" : ", `") + word + "`";
      return out;
    }
    case Type::kBool: return "true or false";
    case Type::kInt: return "number" + bounds_text(key);
    case Type::kCount: return "count" + bounds_text(key);
    case Type::kPercent: return "percentage" + bounds_text(key);
    case Type::kDuration: return "duration" + bounds_text(key);
    case Type::kSize: return "size" + bounds_text(key);
    case Type::kRate: return "rate";
    case Type::kUsd: return "USD";
    case Type::kPrice: return "USD per million tokens";
    case Type::kRange: return "[low, high]" + bounds_text(key);
    case Type::kTime: return "time";
    case Type::kSecret: return "secret";
  }
  return {};
}

void row(std::string& out, const Key& key) {
  out += "| `" + key.path + "` | " + type_text(key) + " | " + (key.fallback.empty() ? "" : "`" + key.fallback + "`") + " | " + key.doc;
  if (key.required) out += " Required.";
  if (!key.variable.empty()) out += " Variable: `" + key.variable + "`.";
  if (key.later) out += " *Not supported yet.*";
  out += " |\n";
}

std::string_view section_of(const Key& key) { return std::string_view(key.path).substr(0, key.path.find_first_of(".[")); }

void sections(std::string& out) {
  const auto rows = table();
  const std::vector<Key>& keys = rows->keys();
  for (const Key& section : keys) {
    if (section_of(section) != section.path) continue;
    out += "\n## " + section.path + "\n\n" + section.doc + (section.later ? " *Not supported yet.*" : "") + "\n";
    bool open = false;
    for (const Key& key : keys) {
      if (section_of(key) != section.path || key.path == section.path) continue;
      if (!open) out += "\n| key | type | default | |\n|---|---|---|---|\n";
      open = true;
      row(out, key);
    }
    if (section.path == "prices") out += kPriceFile;
  }
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "`" : ", `") + name + "`";
  return out;
}

void presets(std::string& out) {
  out += "\n## Presets\n\nWhat `providers.*.type` may be. The first of the variables that is set gives the key; names joined by\n"
         "colons make one of their values, so joined, and the third may be unset. `{region}` stands for `region`, `{project}` for `project`.\n\n";
  out += "| type | | base URL | dialect | also | variables | quirks |\n|---|---|---|---|---|---|---|\n";
  for (const ProviderPreset& preset : provider_presets()) {
    std::vector<std::string> variables = preset.key_variables;
    if (!preset.base_url_variable.empty()) variables.push_back(preset.base_url_variable);
    if (!preset.key_file_variable.empty()) variables.push_back(preset.key_file_variable);
    variables.insert(variables.end(), preset.region_variables.begin(), preset.region_variables.end());
    variables.insert(variables.end(), preset.project_variables.begin(), preset.project_variables.end());
    out += "| `" + preset.type + "` | " + preset.title + " | `" + preset.base_url + "`";
    for (const auto& [name, url] : preset.regions) out += "; region `" + name + "`: `" + url + "`";
    if (!preset.keyed_base_url.empty()) out += "; with an API key and no project: `" + preset.keyed_base_url + "`";
    out += " | " + preset.dialect;
    for (const auto& [pattern, dialect] : preset.model_dialects) out += "; `" + pattern + "`: " + dialect;
    out += " | " + joined(preset.also) + " | " + joined(variables) + " | " + joined(preset.quirks) + " |\n";
  }
}

void variables(std::string& out) {
  out += "\n## Environment\n\n| variable | |\n|---|---|\n";
  for (const Variable& variable : kVariables) out += std::string("| `") + variable.name + "` | " + variable.doc + " |\n";
  const auto rows = table();
  for (const Key& key : rows->keys()) {
    if (!key.variable.empty()) out += "| `" + key.variable + "` | `" + key.path + (key.type == Type::kTexts ? "`, separated by commas |\n" : "` |\n");
  }
  out += "\nWithout a section `providers` each preset whose variables are set makes a provider; `llmrouter-server` says at its start which ones\n";
  out += "it found.\n";
}

}  // namespace
}  // namespace config

std::string config_reference_markdown() {
  std::string out = config::kIntroduction;
  config::sections(out);
  config::presets(out);
  config::variables(out);
  return out;
}

}  // namespace llmrouter
