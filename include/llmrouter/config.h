// The configuration as plain structs. Names and meanings are those of docs/configuration.md; every default stands here.
#ifndef LLMROUTER_CONFIG_H_
#define LLMROUTER_CONFIG_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "llmrouter/filter.h"
#include "llmrouter/keys.h"
#include "llmrouter/logger.h"
#include "llmrouter/provider.h"
#include "llmrouter/result.h"
#include "llmrouter/rules.h"

namespace llmrouter {

enum class AuthMode { kAuto, kKeys, kNone };

struct ServerConfig {
  std::vector<std::string> listen{"127.0.0.1:8000"};  // host:port, [::1]:8000, unix:/path
  int threads = 0;                                    // 0: one per core
  AuthMode auth = AuthMode::kAuto;
  bool trust_loopback = false;
  Secret admin_key;
  size_t max_body = 32 * 1024 * 1024;
  size_t max_header = 64 * 1024;
  Duration header_timeout{std::chrono::seconds(10)};
  Duration body_timeout{std::chrono::seconds(60)};
  Duration idle_timeout{std::chrono::seconds(75)};
  Duration write_timeout{std::chrono::seconds(60)};   // a client that reads nothing for this long is dropped
  int max_connections = 10000;
  Duration shutdown_grace{std::chrono::seconds(30)};
  std::vector<std::string> cors;
};

struct StorageConfig {
  std::string keys = "sqlite:data/llmrouter.db";  // sqlite:PATH | memory:
  std::string usage = "sqlite:data/usage.db";     // sqlite:PATH | memory: | off
  Duration retention{std::chrono::hours(24 * 90)};
  Secret secret_key;
  bool usage_read_only = false;  // no key of the file: for tools that only look (SqliteUsageOptions::read_only)
};

struct TargetConfig {
  std::string provider;
  std::string model;   // upstream's name; may hold the `*` that the model's own name captured
  int weight = 1;      // 0: only when nothing else is left
  int priority = 1;    // the lowest number first
  int quality = 0;     // 0..100, for the strategy `pareto`; 0: nothing said
  std::vector<std::string> tags{};
};

struct ModelConfig {
  std::string name;    // may hold `*`
  std::vector<TargetConfig> targets;
  std::string strategy;  // empty: routing's
  std::vector<std::string> fallbacks;          // after every target failed
  std::vector<std::string> context_fallbacks;  // when the prompt is too long for it
  std::vector<std::string> content_fallbacks;  // when its content policy refuses
  Limits limits;
  // Request members by OpenAI's names; values are JSON text.
  std::vector<std::pair<std::string, std::string>> defaults;
  std::vector<std::pair<std::string, std::string>> override_;
  std::vector<std::string> drop;
  std::vector<std::string> filters;  // names: of RouterParts::filters, of Config::filters, or think_tags
  std::vector<std::string> tags;  // of every target, beside its own
  std::optional<std::vector<std::string>> modalities;    // image audio video file: all it accepts beside text; unset: the catalogue's, or not known
  std::optional<std::vector<std::string>> capabilities;  // tools json_schema: all it can; unset: not known, so that nothing is refused
};

struct BackoffConfig {
  Duration first{std::chrono::milliseconds(250)};
  Duration max{std::chrono::seconds(8)};
};

struct CooldownConfig {
  int failures = 3;
  Duration within{std::chrono::seconds(30)};
  Duration rest{std::chrono::seconds(30)};  // `for` in the file
  Duration max{std::chrono::minutes(10)};
};

// Keeps what belongs together at one target, so that the provider's prompt cache stays warm.
struct AffinityConfig {
  std::vector<std::string> by;  // key | user | session | prefix: all of them together say what belongs together; empty: off
  Duration ttl{std::chrono::minutes(5)};  // since the last request
};

// A second attempt beside a first one that is slow, before its first token.
struct HedgeConfig {
  Duration after{0};   // 0 and not p95: off
  bool p95 = false;    // after what 95 of 100 of the target's own answers take
  int max_extra = 5;   // percent of what the calls are expected to cost; of the calls, where no price is known
};

// Waiting for a limited target instead of failing at once.
struct QueueConfig {
  Duration max_wait{0};  // 0: nobody waits
  int64_t max = 1000;    // calls at once
};

// Off sends everything to the default model.
struct SwitchConfig {
  bool enabled = true;                  // until somebody toggles it
  Duration delay{std::chrono::seconds(10)};    // before a change takes effect
  Duration cooldown{std::chrono::minutes(5)};  // between two changes
};

// What stands behind URLs in requests, fetched for targets that cannot (UpstreamCodec::fetches).
struct RemoteMediaConfig {
  bool fetch = false;
  size_t max = 20 * 1024 * 1024;  // bytes, of all that one request names
  Duration timeout{std::chrono::seconds(10)};
  std::vector<std::string> allow;  // addresses and ranges that count as public, "10.1.0.0/16"; see AddressPolicy
};

struct RoutingConfig {
  std::string default_model;  // empty: the first configured model; with none, demo/echo
  std::string strategy = "weighted";
  int attempts = 3;
  BackoffConfig backoff;
  Timeouts timeouts{std::chrono::seconds(5), Duration(0), std::chrono::seconds(60), std::chrono::minutes(10)};  // first_token: see Timeouts
  CooldownConfig cooldown;
  AffinityConfig affinity;
  HedgeConfig hedge;
  QueueConfig queue;
  int retry_budget = 20;                // attempts after a call's first, percent of live traffic, all calls together (a few are always allowed); -1: no bound
  std::vector<RuleConfig> rules;        // in the file's order
  size_t rule_text = 256 * 1024;        // bytes of a request's texts that rules' expressions look at; a text counts as RuleLimits::kLeastText at least
  SwitchConfig toggle;                  // `switch` in the file
  RemoteMediaConfig remote_media;
  bool continue_on_cut = false;         // an answer of text that broke off goes on from another target (UpstreamCodec::prefill)
};

// USD per million tokens in the file, micro-USD per million tokens here.
struct PriceEntry {
  std::string match;  // pattern on "provider/model"
  PriceRow row;
};

struct ObserveConfig {
  LogLevel level = LogLevel::kInfo;
  bool json = false;
  bool metrics = true;
};

// What all keys of a user may use together, wherever the keys are kept.
struct UserConfig {
  std::string name;  // as keys name it
  Limits limits;
};

struct Config {
  std::string source;  // the file it came from; empty: none
  ServerConfig server;
  StorageConfig storage;
  std::vector<ProviderConfig> providers;  // in the file's order; `demo` is appended by the loader when absent
  std::vector<ModelConfig> models;        // in the file's order
  RoutingConfig routing;
  std::vector<FileKey> keys;
  std::vector<UserConfig> users;          // names are distinct
  std::vector<TextFilterConfig> filters;
  std::vector<PriceEntry> prices;
  ObserveConfig observe;
};

// One fault of a configuration, or one warning.
struct ConfigFault {
  std::string file;    // as it was named; of ConfigInput::set "settings", of a variable its name
  int line = 0;    // 1-based; 0: no place (a command-line setting, the environment)
  int column = 0;
  std::string path;     // "providers.lab.timeouts.idle"
  std::string message;  // what was expected, what was found, the nearest known name
  bool warning = false;
  LLMROUTER_EXPORT std::string to_string() const;  // file:line:column: path: message; "warning: " stands before the path of one
};

struct ConfigInput {
  std::string file;  // read when `text` is not set; empty and no text: environment and defaults alone
  std::optional<std::string> text;
  std::vector<std::pair<std::string, std::string>> set;  // PATH=VALUE of the command line, values as YAML
  // Environment lookup; unset: the process's environment, with `.env` beside the file behind it.
  std::function<std::optional<std::string>(const std::string&)> env;
  std::vector<std::string> filters;  // names of RouterParts::filters, which models may use beside the file's own and think_tags
};

struct ConfigResult {
  Config config;                     // usable only when `faults` is empty
  std::vector<ConfigFault> faults;   // every one, in the file's order
  std::vector<ConfigFault> warnings; // what is legal and surely not meant (a key that has expired, a rule that nothing reaches); looked for when there is no fault
  std::vector<std::string> notes;    // what was found: "provider openai from OPENAI_API_KEY"
  std::vector<std::string> files;    // every file that was read, or should have been, as opened: a change of one may change the result
  bool ok() const noexcept { return faults.empty(); }
  LLMROUTER_EXPORT Error to_error() const;  // kConfig; a line for each fault
};

// Reads and checks everything in one pass. Never throws; a file that cannot be read is a fault.
LLMROUTER_EXPORT ConfigResult load_config(const ConfigInput& input);

// The JSON Schema of the file and the Markdown reference, both from the loader's own table of keys.
LLMROUTER_EXPORT std::string config_json_schema();
LLMROUTER_EXPORT std::string config_reference_markdown();

}  // namespace llmrouter

#endif  // LLMROUTER_CONFIG_H_
