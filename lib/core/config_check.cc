#include "core/config_check.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "llmrouter/http_text.h"
#include "llmrouter/json_text.h"
#include "llmrouter/pattern.h"

namespace llmrouter::core {
namespace {

constexpr int kMostAttempts = 20;
constexpr int kMostWeight = 1'000'000;
constexpr int kMostRetryBudget = 100;  // percent
constexpr size_t kLongestUrl = 2048;

Error fault(std::string path, const std::string& words) {
  Error error(ErrorCode::kConfig, path + ": " + words);
  error.param = std::move(path);
  return error;
}

Result<void> in_range(const std::string& path, int value, int least, int most) {
  if (value >= least && value <= most) return {};
  return fault(path, "expected " + std::to_string(least) + " to " + std::to_string(most) + ", and not " + std::to_string(value));
}

// What an application may have left in a URL that is put before paths: no name or password, nothing behind a path.
bool is_base_url(std::string_view url) {
  if (url == "demo:") return true;
  const auto visible = [](char c) { return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7F; };
  if (!is_http_url(url) || url.size() > kLongestUrl || !std::all_of(url.begin(), url.end(), visible)) return false;
  const std::string_view rest = url.substr(url.find("//") + 2);
  return rest.substr(0, rest.find('/')).find('@') == std::string_view::npos && rest.find_first_of("?#") == std::string_view::npos;
}

Result<void> check_timeouts(const std::string& path, const Timeouts& t) {
  const std::pair<const char*, Duration> all[] = {{"connect", t.connect}, {"first_token", t.first_token}, {"idle", t.idle}, {"total", t.total}};
  for (const auto& [name, limit] : all) {
    if (limit < Duration(0)) return fault(path + "." + name, "expected a duration, and not a negative one");
  }
  return {};
}

Result<void> check_provider(const ProviderConfig& provider) {
  const std::string path = "providers." + provider.name;
  if (!is_base_url(provider.base_url)) return fault(path + ".base_url", "expected a URL: http://host[:port]/path or https://...");
  for (size_t i = 0; i < provider.credentials.size(); ++i) {
    const std::string at = path + ".api_keys[" + std::to_string(i) + "]";
    if (auto good = in_range(at + ".weight", provider.credentials[i].weight, 1, kMostWeight); !good) return good;
  }
  for (const HttpHeader& header : provider.headers) {
    if (!is_header_name(header.name)) return fault(path + ".headers", "expected a header's name");
    if (!is_header_value(header.value)) return fault(path + ".headers." + header.name, "expected a header's value, without line breaks");
  }
  return check_timeouts(path + ".timeouts", provider.timeouts);
}

// Whether a request for this name would find something, as far as a configuration can tell.
bool resolves(const Config& config, std::string_view name) {
  for (const ModelConfig& model : config.models) {
    if (model.name == name || (model.name.find('*') != std::string::npos && pattern_match(model.name, name))) return true;
  }
  const auto holds = [&](const std::vector<std::string>& list) { return std::find(list.begin(), list.end(), name) != list.end(); };
  return std::any_of(config.providers.begin(), config.providers.end(), [&](const ProviderConfig& p) {
    const bool under = name.size() > p.name.size() + 1 && name.substr(0, p.name.size()) == p.name && name[p.name.size()] == '/';
    return under || holds(p.models.append) || holds(p.models.override_);
  });
}

Result<void> check_model(const Config& config, const ModelConfig& model) {
  const std::string path = "models." + model.name;
  const std::pair<const char*, const std::vector<std::pair<std::string, std::string>>*> values[] = {{"defaults", &model.defaults}, {"override", &model.override_}};
  for (const auto& [key, members] : values) {
    for (const auto& [name, json] : *members) {
      if (!is_json(json)) return fault(path + "." + key + "." + name, "expected JSON");
    }
  }
  for (size_t i = 0; i < model.targets.size(); ++i) {
    if (auto good = in_range(path + ".targets[" + std::to_string(i) + "].weight", model.targets[i].weight, 0, kMostWeight); !good) return good;
  }
  const std::pair<const char*, const std::vector<std::string>*> lists[] = {
      {"fallbacks", &model.fallbacks}, {"context_fallbacks", &model.context_fallbacks}, {"content_fallbacks", &model.content_fallbacks}};
  for (const auto& [list, names] : lists) {
    for (size_t i = 0; i < names->size(); ++i) {
      if (resolves(config, (*names)[i])) continue;
      return fault(path + "." + list + "[" + std::to_string(i) + "]", "\"" + (*names)[i] + "\" is no name under `models` and no provider/model");
    }
  }
  return {};
}

}  // namespace

Result<void> check_config(const Config& config) {
  const RoutingConfig& routing = config.routing;
  if (auto good = in_range("routing.attempts", routing.attempts, 1, kMostAttempts); !good) return good;
  if (auto good = in_range("routing.retry_budget", routing.retry_budget, -1, kMostRetryBudget); !good) return good;
  if (auto good = check_timeouts("routing.timeouts", routing.timeouts); !good) return good;
  for (const ProviderConfig& provider : config.providers) {
    if (auto good = check_provider(provider); !good) return good;
  }
  for (const ModelConfig& model : config.models) {
    if (auto good = check_model(config, model); !good) return good;
  }
  return {};
}

}  // namespace llmrouter::core
