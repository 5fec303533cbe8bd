#include "config/providers.h"

#include <algorithm>
#include <map>

#include "config/address.h"
#include "llmrouter/llmrouter.h"
#include "llmrouter/pattern.h"
#include "wire/json_scan.h"

namespace llmrouter::config {

const ProviderPreset* find_preset(const std::string& type) {
  for (const ProviderPreset& preset : provider_presets()) {
    if (preset.type == type) return &preset;
  }
  return nullptr;
}

namespace {

std::vector<std::string> known_types() {
  std::vector<std::string> types;
  for (const ProviderPreset& preset : provider_presets()) types.push_back(preset.type);
  return types;
}

std::string did_you_mean(const std::string& name, const std::vector<std::string>& names) {
  const std::vector<std::string> near = nearest_names(name, names, 1);
  return near.empty() ? std::string() : "; did you mean `" + near[0] + "`?";
}

// The key that a preset's variable gives, or its variables joined by colons; empty when one that has to be there is not.
std::string key_of(const Context& context, std::string_view variables) {
  std::string key;
  for (size_t i = 0; !variables.empty(); ++i) {
    const size_t end = std::min(variables.find(':'), variables.size());
    const auto value = context.environment.get_filled(std::string(variables.substr(0, end)));
    if (!value && i < 2) return {};
    if (value) key.append(i == 0 ? "" : ":").append(*value);
    variables.remove_prefix(std::min(end + 1, variables.size()));
  }
  return key;
}

bool is_joined(const std::string& variables) { return variables.find(':') != std::string::npos; }

// The first of a preset's variables that holds a key.
std::string filled_variable(const Context& context, const ProviderPreset& preset) {
  for (const std::string& variable : preset.key_variables) {
    if (!key_of(context, variable).empty()) return variable;
  }
  return {};
}

// A key from the environment; a fault when it fits into no header.
void add_key(Context& context, const std::string& variable, ProviderConfig& provider) {
  std::string key = key_of(context, variable);
  const std::string fault = check_key_text(key);
  if (!fault.empty()) return context.faults.add_in(variable, Place(), join("providers", provider.name), fault);
  Credential credential;
  credential.name = "1";
  credential.key = Secret(std::move(key));
  provider.credentials.push_back(std::move(credential));
}

bool is_place_of(const ProviderPreset& preset, std::string url) {
  while (!url.empty() && url.back() == '/') url.pop_back();
  return url == preset.base_url;
}

std::string_view host_of(std::string_view url) {
  constexpr std::string_view kScheme = "https://";
  if (url.substr(0, kScheme.size()) != kScheme) return {};
  url.remove_prefix(kScheme.size());
  return url.substr(0, url.find_first_of("/:"));
}

// Another of the vendor's own hosts: eu.api.openai.com.
bool is_region_of(const ProviderPreset& preset, std::string_view url) {
  const std::string_view host = host_of(url), home = host_of(preset.base_url);
  return !home.empty() && host.size() > home.size() && host.substr(host.size() - home.size()) == home && host[host.size() - home.size() - 1] == '.';
}

// Another server than the vendor's: not one that everybody runs at home, or rents a place of.
bool is_elsewhere(const ProviderPreset* preset, const std::string& url) {
  return preset != nullptr && preset->key_required && !preset->base_url.empty() && !is_place_of(*preset, url) && !is_region_of(*preset, url);
}

// Do the paths of its dialect follow a base URL that names no version, as everywhere else they do not?
bool is_unversioned(const ProviderPreset& preset, const std::string& dialect) {
  return dialect == "openai" && dialect == preset.dialect && preset.base_url.rfind("https://", 0) == 0 && !has_version_part(preset.base_url);
}

// What is known of the vendor's own place only. What is merely named `openai` (or is where OPENAI_BASE_URL leads) is any compatible server; `type: openai` says that
// it is the vendor's, behind another address.
void forget_place(const ProviderPreset& preset, bool also_said, bool type_said, ProviderConfig& provider) {
  if (!also_said) provider.also.clear();
  if (preset.type == "openai" && !type_said) provider.quirks.clear();
}

constexpr std::string_view kRegionMark = "{region}";
constexpr std::string_view kProjectMark = "{project}";

void fill_in(std::string& url, std::string_view mark, const std::string& text) {
  for (size_t at = 0; (at = url.find(mark, at)) != std::string::npos; at += text.size()) url.replace(at, mark.size(), text);
}

// DashScope's native API lies beside its OpenAI face; another server that speaks for it has none.
bool lacks_native(const ProviderPreset& preset, std::string url) {
  constexpr std::string_view kFace = "/compatible-mode/v1";
  while (!url.empty() && url.back() == '/') url.pop_back();
  return preset.type == "qwen" && (url.size() < kFace.size() || url.compare(url.size() - kFace.size(), kFace.size(), kFace) != 0);
}

bool wants_project(const ProviderPreset& preset) { return preset.base_url.find(kProjectMark) != std::string::npos; }

bool wants_region(const ProviderPreset& preset) { return preset.base_url.find(kRegionMark) != std::string::npos; }

// A part of a host's name, or a whole one: some vendors give each customer a host.
bool is_region(const std::string& name) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; };
  return !name.empty() && name.size() <= 200 && name.front() != '.' && name.back() != '.' && std::all_of(name.begin(), name.end(), plain);
}

// As people have it in their variables: a URL, capitals, an account's underscores.
std::string as_region(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c == '_' ? '-' : c;
  if (text.rfind("https://", 0) == 0) text.erase(0, 8);
  while (!text.empty() && text.back() == '/') text.pop_back();
  return text;
}

std::string usual_region(const Context& context, const ProviderPreset& preset) {
  for (const std::string& variable : preset.region_variables) {
    if (auto value = context.environment.get_filled(variable)) return as_region(*value);
  }
  return wants_region(preset) && !preset.regions.empty() ? preset.regions.front().first : std::string();
}

std::string url_in_region(const ProviderPreset& preset, const std::string& region) {
  for (const auto& [name, url] : preset.regions) {
    if (name == region) return url;
  }
  std::string url = preset.base_url;
  fill_in(url, kRegionMark, region);
  return url;
}

// Said, in a variable, or in the credential itself. Empty: nowhere.
std::string project_of(const Context& context, const ProviderPreset& preset, const ProviderConfig& provider) {
  if (!provider.project.empty()) return provider.project;
  for (const std::string& variable : preset.project_variables) {
    if (auto value = context.environment.get_filled(variable)) return *value;
  }
  for (const Credential& credential : provider.credentials) {
    const wire::JsonValue root(credential.key.reveal());
    for (const char* name : {"project_id", "quota_project_id"}) {
      if (std::string id = wire::find_member(root, name).string_or(); !id.empty()) return id;
    }
  }
  return {};
}

// One that goes out as it is: no JSON, and not the machine's own account.
bool has_plain_key(const ProviderConfig& provider) {
  return std::any_of(provider.credentials.begin(), provider.credentials.end(), [](const Credential& c) {
    const std::string_view key = c.key.reveal();
    const size_t first = key.find_first_not_of(" \t\r\n");
    return first != std::string_view::npos && key[first] != '{' && key.substr(0, 15) != "google-metadata";
  });
}

// Names the project in the URL; where there is none, a plain key has a URL without. False: neither.
bool put_project(const Context& context, const ProviderPreset& preset, bool own_url, ProviderConfig& provider) {
  provider.project = project_of(context, preset, provider);
  const bool keyed = provider.project.empty();
  if (own_url) {
    const std::string path = keyed ? std::string() : "/projects/" + provider.project + "/locations/" + provider.region;
    const std::string url = vertex_base_url(provider.base_url, path);
    const bool complete = !keyed || url == vertex_base_url(provider.base_url, "/");
    provider.base_url = url;
    return complete || has_plain_key(provider) || provider.pass_client_key;
  }
  if (!keyed) fill_in(provider.base_url, kProjectMark, provider.project);
  else provider.base_url = preset.keyed_base_url;
  return !keyed || has_plain_key(provider);
}

// One provider of the file.
class Completion {
 public:
  Completion(Context& context, ProviderConfig& provider, std::vector<std::string>& notes)
      : context_(context), provider_(provider), notes_(notes), path_(join("providers", provider.name)) {}

  void run() {
    const bool known = choose_preset();
    dialect();
    if (known) place();
    keys();
    if (known) project();
    tls();
  }

 private:
  NodePtr seen(const char* name) const {
    auto found = context_.seen.find(join(path_, name));
    return found == context_.seen.end() || found->second->is_null() ? nullptr : found->second;
  }

  std::string why_nothing(const char* name) const {
    const NodePtr node = seen(name);
    return node ? config::why_nothing(*node) : std::string();
  }

  // Whether a fault of this member was told already.
  bool failed(const char* name) const { return context_.faults.any_under(join(path_, name)); }

  void fault(const char* name, std::string message) {
    if (NodePtr node = seen(name)) return context_.faults.add(*node, join(path_, name), std::move(message));
    context_.faults.add(*context_.seen.find(path_)->second, path_, std::move(message));
  }

  // False when what depends on the type cannot be judged.
  bool choose_preset() {
    const bool named = !provider_.type.empty();
    if (!named && failed("type")) return false;
    preset_ = find_preset(named ? provider_.type : provider_.name);
    if (named && !preset_) {
      fault("type", "unknown type " + shown(*seen("type"), provider_.type) + did_you_mean(provider_.type, known_types()));
      return false;
    }
    if (preset_) {
      provider_.type = preset_->type;
      provider_.auth = preset_->auth;
      provider_.quirks = preset_->quirks;
      if (!seen("also")) provider_.also = preset_->also;
    }
    return true;
  }

  void dialect() {
    if (provider_.dialect.empty()) provider_.dialect = preset_ ? preset_->dialect : "openai";
    const bool wanted = provider_.dialect == "http";
    if (wanted && !seen("http") && !failed("http")) fault("http", "expected the template of `dialect: http`");
    if (!wanted && seen("http") && !failed("dialect")) fault("http", "means nothing without `dialect: http`");
    if (preset_ && provider_.dialect == preset_->dialect) {
      provider_.model_dialects = preset_->model_dialects;
      return;
    }
    // Another dialect has its own way to show a key: that of the vendor it is named after.
    if (const ProviderPreset* namesake = find_preset(provider_.dialect)) provider_.auth = namesake->auth;
  }

  void place() {
    const bool wrong_url = failed("base_url"), own = !provider_.base_url.empty() || wrong_url;
    own_url_ = own;
    if (preset_ && wants_region(*preset_)) complete_region(own);
    else if (!provider_.region.empty()) region(own);
    if (wrong_url) return;
    if (!own && preset_ && preset_->base_url.empty() && provider_.base_url.empty()) {
      auto url = preset_->base_url_variable.empty() ? std::nullopt : context_.environment.get_filled(preset_->base_url_variable);
      if (!url) return fault("base_url", "expected a base_url" + why_nothing("base_url") + (preset_->base_url_variable.empty() ? "" : " (nor is the variable " + preset_->base_url_variable + " set)"));
      const std::string wrong = check_base_url(*url);
      if (!wrong.empty()) return context_.faults.add_in(preset_->base_url_variable, Place(), "", wrong);
      provider_.base_url = azure_base_url(*url, !provider_.api_version.empty());
      return;
    }
    if (!own && preset_) {
      if (provider_.base_url.empty()) provider_.base_url = url_in_region(*preset_, provider_.region);
      if (provider_.dialect != preset_->dialect) provider_.base_url = normalise_base_url(provider_.base_url, provider_.dialect);
      return;
    }
    if (!own) {
      return fault("base_url", "expected a base_url, or a known `type`" + why_nothing("base_url") + did_you_mean(provider_.name, known_types()));
    }
    if (provider_.base_url == "demo:" && provider_.dialect != "openai") return fault("dialect", "`demo:` speaks openai");
    if (is_elsewhere(preset_, provider_.base_url)) forget_place(*preset_, seen("also") != nullptr, seen("type") != nullptr, provider_);
    if (preset_ && lacks_native(*preset_, provider_.base_url)) provider_.model_dialects.clear();
    if (preset_ && preset_->type == "azure") provider_.base_url = azure_base_url(provider_.base_url, !provider_.api_version.empty());
    else if (preset_ && is_place_of(*preset_, provider_.base_url)) provider_.base_url = preset_->base_url;
    else if (preset_ && is_unversioned(*preset_, provider_.dialect)) provider_.base_url = without_slashes_behind(provider_.base_url);
    else if (!preset_ || !wants_project(*preset_)) provider_.base_url = normalise_base_url(provider_.base_url, provider_.dialect);
  }

  // Of a vendor with a region in its URL. Beside a base_url of one's own it may still be said: requests are signed for it.
  void complete_region(bool own_url) {
    if (failed("region")) return;
    provider_.region = provider_.region.empty() ? usual_region(context_, *preset_) : as_region(provider_.region);
    if (is_region(provider_.region) || (own_url && provider_.region.empty())) return;
    if (!provider_.region.empty()) {
      fault("region", "expected a region such as eu-west-1, found `" + provider_.region + "`");
    } else {
      fault("region", "expected a region, found none" +
                          (preset_->region_variables.empty() ? std::string() : " (nor the variable " + preset_->region_variables.front() + ")"));
    }
  }

  // Beside a base_url of one's own it is a note to the reader.
  void region(bool own_url) {
    if (own_url) return;
    if (!preset_ || preset_->regions.empty()) return fault("region", "means nothing for this provider: it has one place");
    std::string names;
    for (const auto& [name, url] : preset_->regions) {
      if (name == provider_.region) {
        provider_.base_url = url;
        return;
      }
      names += (names.empty() ? "" : ", ") + name;
    }
    fault("region", "expected one of " + names + ", found " + shown(*seen("region"), provider_.region));
  }

  // After the keys: a service account names its project.
  void project() {
    if (!preset_ || !wants_project(*preset_)) {
      if (!provider_.project.empty()) fault("project", "means nothing for this provider");
      return;
    }
    for (const char* name : {"base_url", "project", "api_key", "credentials_file"}) {
      if (failed(name)) return;
    }
    if (!put_project(context_, *preset_, own_url_, provider_)) {
      return fault("project", "expected a project, found none (nor the variable " + preset_->project_variables.front() + ", nor one in the credentials)");
    }
    const std::string wrong = provider_.project.empty() ? std::string() : check_project(provider_.project);
    if (!wrong.empty()) fault("project", wrong);
  }

  void keys() {
    if (seen("api_keys") && (seen("api_key") || seen("api_key_file"))) fault("api_keys", "stands beside `api_key`: one of the two");
    const bool given = seen("api_key") || seen("api_key_file") || seen("api_keys") || seen("credentials_file");
    if (NodePtr pool = seen("api_keys")) pool_begin_ = provider_.credentials.size() - std::min(provider_.credentials.size(), pool->items.size());
    credentials_file();
    if (!given && !own_url_ && preset_ && !provider_.pass_client_key) usual_key();
    if (provider_.pass_client_key && given) fault("pass_client_key", "means nothing beside a key of our own");
    // An empty variable gives no key; a fault in it was told already.
    const bool needs = preset_ && preset_->key_required && !own_url_ && !provider_.pass_client_key;
    if (needs && provider_.credentials.empty() && !failed("api_key") && !failed("api_keys") && !failed("credentials_file"))
      fault("api_key", "expected an api_key, found none" + why_nothing("api_key") + usual_variables());
    name_credentials();
    name_metadata_server();
  }

  void credentials_file() {
    if (provider_.credentials_file.empty()) return;
    if (!provider_.credentials.empty()) fault("credentials_file", "stands beside other keys: one of the two");
    provider_.credentials_file = beside(context_.file, provider_.credentials_file);
    const std::string wrong = read_credentials_file();
    if (!wrong.empty()) fault("credentials_file", wrong);
  }

  // What is wrong with it; empty: its content is a credential.
  std::string read_credentials_file() {
    constexpr size_t kMost = 64 * 1024;
    std::string error;
    context_.files.push_back(provider_.credentials_file);
    auto text = read_file(provider_.credentials_file, kMost, &error);
    if (!text) return "cannot be read: " + error;
    const size_t first = text->find_first_not_of(" \t\r\n");
    if (first == std::string::npos || (*text)[first] != '{') return "expected a file with a JSON object";
    Credential credential;
    credential.key = Secret(std::move(*text));
    provider_.credentials.push_back(std::move(credential));
    return {};
  }

  std::string usual_variables() const {
    if (!preset_->key_file_variable.empty()) return " (nor the variable " + preset_->key_file_variable + ", which names a file)";
    return preset_->key_variables.empty() ? std::string() : " (nor the variable " + preset_->key_variables.front() + ")";
  }

  void usual_key() {
    const std::string variable = filled_variable(context_, *preset_);
    if (variable.empty()) return usual_key_file();
    add_key(context_, variable, provider_);
    notes_.push_back("provider " + provider_.name + ": key from " + variable);
  }

  void usual_key_file() {
    const std::string& variable = preset_->key_file_variable;
    auto file = variable.empty() ? std::nullopt : context_.environment.get_filled(variable);
    if (!file) return;
    provider_.credentials_file = *file;
    const std::string wrong = read_credentials_file();
    if (!wrong.empty()) return context_.faults.add_in(variable, Place(), path_, wrong);
    notes_.push_back("provider " + provider_.name + ": credentials from the file that " + variable + " names");
  }

  void name_metadata_server() {
    const auto host = context_.environment.get_filled("GCE_METADATA_HOST");
    for (Credential& credential : provider_.credentials) {
      if (host && credential.key.equals("google-metadata")) credential.key = Secret("google-metadata:http://" + *host);
    }
  }

  void name_credentials() {
    std::map<std::string, size_t> names;
    for (size_t k = 0; k < provider_.credentials.size(); ++k) {
      if (provider_.credentials[k].name.empty()) provider_.credentials[k].name = std::to_string(k + 1);
    }
    for (size_t i = 0; pool_begin_ + i < provider_.credentials.size(); ++i) {
      const Credential& credential = provider_.credentials[pool_begin_ + i];
      const std::string at = join(join(path_, "api_keys"), i);
      auto node = context_.seen.find(at);
      if (node == context_.seen.end()) continue;
      auto [first, fresh] = names.emplace(credential.name, i);
      if (!fresh) context_.faults.add(*node->second, at, "the same name as [" + std::to_string(first->second) + "]");
      for (size_t k = 0; k < i; ++k) {
        if (credential.key.empty() || !credential.key.equals(provider_.credentials[pool_begin_ + k].key.reveal())) continue;
        context_.faults.add(*node->second, at, "the same key as [" + std::to_string(k) + "]");
        break;
      }
    }
  }

  void tls() {
    if (provider_.ca_file.empty()) return;
    constexpr size_t kMostCertificates = 16 * 1024 * 1024;
    provider_.ca_file = beside(context_.file, provider_.ca_file);
    std::string error;
    context_.files.push_back(provider_.ca_file);
    if (read_file(provider_.ca_file, kMostCertificates, &error)) return;
    const std::string at = join(join(path_, "tls"), "ca_file");
    context_.faults.add(*context_.seen.find(at)->second, at, "cannot be read: " + error);
  }

  Context& context_;
  ProviderConfig& provider_;
  std::vector<std::string>& notes_;
  const std::string path_;
  const ProviderPreset* preset_ = nullptr;
  bool own_url_ = false;
  size_t pool_begin_ = 0;  // the first of `api_keys`, behind an `api_key` that should not be there
};

ProviderConfig from_preset(const ProviderPreset& preset) {
  ProviderConfig provider;
  provider.name = provider.type = preset.type;
  provider.base_url = preset.base_url;
  provider.dialect = preset.dialect;
  provider.auth = preset.auth;
  provider.quirks = preset.quirks;
  provider.also = preset.also;
  provider.model_dialects = preset.model_dialects;
  return provider;
}

bool leads_to_ourselves(const std::string& url, const ServerConfig& server) {
  return std::any_of(server.listen.begin(), server.listen.end(), [&](const std::string& address) { return leads_to(url, address); });
}

// The provider that a vendor's variables make, if they are set.
void add_from_environment(Context& context, const ProviderPreset& preset, Config& config, std::vector<std::string>& notes) {
  std::string variable = filled_variable(context, preset);
  if (is_joined(variable)) variable.clear();  // set for much else, too: such a provider is asked for by name
  auto url = preset.base_url_variable.empty() ? std::nullopt : context.environment.get_filled(preset.base_url_variable);
  // Where no key is needed, one alone does not say that there is a server.
  if (!url && (variable.empty() || !preset.key_required)) return;
  if (!url && preset.base_url.empty()) {
    notes.push_back(variable + " is set, but " + (preset.base_url_variable.empty() ? "a base_url" : preset.base_url_variable) + " is not: " + preset.type + " has no place of its own");
    return;
  }
  ProviderConfig provider = from_preset(preset);
  if (wants_region(preset)) {
    provider.region = usual_region(context, preset);
    if (!is_region(provider.region)) {
      notes.push_back(variable + " is set, but no region is: " + preset.type + " needs " +
                      (preset.region_variables.empty() ? std::string("one") : preset.region_variables.front()));
      return;
    }
    provider.base_url = url_in_region(preset, provider.region);
  }
  std::string found = variable;
  if (url) {
    std::string base = preset.dialect == "ollama" ? ollama_url(*url) : *url;
    const std::string fault = check_base_url(base);
    if (!fault.empty()) return context.faults.add_in(preset.base_url_variable, Place(), "", fault);
    provider.base_url = preset.type == "azure" ? azure_base_url(base, false) : normalise_base_url(base, provider.dialect);
    if (leads_to_ourselves(provider.base_url, config.server)) {
      // The variable is set for clients of ours.
      notes.push_back(preset.base_url_variable + " leads to this server itself: not used");
      if (preset.dialect == "ollama" || variable.empty()) return;
      provider.base_url = preset.base_url;
    } else {
      found += (found.empty() ? "" : " and ") + preset.base_url_variable;
      if (is_elsewhere(&preset, provider.base_url)) forget_place(preset, false, false, provider);
    }
  }
  if (!variable.empty()) add_key(context, variable, provider);
  if (wants_project(preset)) put_project(context, preset, false, provider);
  notes.push_back("provider " + provider.name + " from " + found);
  config.providers.push_back(std::move(provider));
}

}  // namespace

void complete_providers(Context& context, Config& config, std::vector<std::string>& notes) {
  for (ProviderConfig& provider : config.providers) Completion(context, provider, notes).run();
}

void providers_from_environment(Context& context, Config& config, std::vector<std::string>& notes) {
  for (const ProviderPreset& preset : provider_presets()) add_from_environment(context, preset, config, notes);
}

void append_demo(Config& config) {
  const bool there = std::any_of(config.providers.begin(), config.providers.end(), [](const ProviderConfig& p) { return p.name == "demo"; });
  if (!there) config.providers.push_back(from_preset(*find_preset("demo")));
}

}  // namespace llmrouter::config
