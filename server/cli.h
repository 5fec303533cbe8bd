// The command line: options, and what the commands share.
#ifndef LLMROUTER_SERVER_CLI_H_
#define LLMROUTER_SERVER_CLI_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "llmrouter/config.h"
#include "llmrouter/keys.h"
#include "llmrouter/usage.h"

namespace llmrouter::server {

// Exit codes.
constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;  // wrong usage or configuration
// What an unknown model's error ends with.
constexpr const char* kModelsHint = "`llmrouter-server models` lists what there is";

struct Option {
  std::string_view name;   // "--config"
  std::string_view value;  // "FILE"; empty: takes none
  std::string_view help;
  char letter = 0;         // 'c': -c
  bool repeats = false;    // may be given more than once
};

struct Command {
  std::string_view name;       // "keys create"
  std::string_view arguments;  // "MODEL TEXT"
  std::string_view help;
  size_t min_arguments = 0, max_arguments = 0;
  std::vector<Option> options;  // besides those all commands take
  int (*run)(const class Args& args);
};

// What was typed after the command's name.
class Args {
 public:
  // kInvalidRequest with the nearest option when one is unknown, a value is missing, an option that does not repeat has two, or the arguments are
  // too few or many.
  static Result<Args> parse(const Command& command, const std::vector<std::string>& words);
  bool has(std::string_view option) const noexcept { return find(option) != nullptr; }
  std::string value(std::string_view option, std::string fallback = {}) const;
  std::optional<std::string> maybe(std::string_view option) const;
  std::vector<std::string> all(std::string_view option) const;
  const std::vector<std::string>& arguments() const noexcept { return arguments_; }
  const std::vector<std::pair<std::string, std::string>>& options() const noexcept { return options_; }

 private:
  const std::string* find(std::string_view option) const noexcept;
  std::vector<std::pair<std::string, std::string>> options_;
  std::vector<std::string> arguments_;
};

const std::vector<Command>& commands();
std::string usage_text(const Command& command);
// Of a group of commands ("keys"), or of one; everything when `group` is empty, nothing when there is none of that name.
std::string usage_text(std::string_view group);

// The configuration that the options ask for: -c, LLMROUTER_CONFIG or ./llmrouter.yaml; --listen and --set on top. Faults and warnings name the
// option that they came by.
ConfigResult read(const Args& args);
// The same; nullopt when it has faults, which are then said.
std::optional<ConfigResult> load(const Args& args);

// A key store that is not there, or an empty file, is not made by looking at it: `memory:` stands for it then, and the path is given. Empty: it is there.
std::string leave_absent(StorageConfig& storage);

// The key that is named by id or name. Who gives the key itself is told what to say instead: others see what is on a command line.
Result<std::shared_ptr<const KeyRecord>> key_named(const KeyStore& keys, const std::string& id_or_name);

int complain(const Error& error, int code = kFailed);  // to stderr; returns `code`
void print(std::string_view text);                     // to stdout

// Columns padded to their widest cell, two blanks between; the first row is the head.
// Cells may be what callers sent: they are shown().
std::string table(std::vector<std::vector<std::string>> rows);

// cli_serve.cc
int run_serve(const Args& args);
// cli_config.cc
int run_check(const Args& args);
int run_schema(const Args& args);
int run_reference(const Args& args);
// cli_explain.cc
int run_explain(const Args& args);
// cli_chat.cc
int run_chat(const Args& args);
// cli_call.cc
int run_models(const Args& args);
// cli_keys.cc
int run_keys_create(const Args& args);
int run_keys_list(const Args& args);
int run_keys_show(const Args& args);
int run_keys_modify(const Args& args);
int run_keys_revoke(const Args& args);
int run_keys_override(const Args& args);
int run_keys_session(const Args& args);
// cli_usage.cc
int run_usage(const Args& args);
// The usage store of a configuration, to look at and no more. kNotFound, with its path, when it is not there; and when it is a server's memory.
Result<std::shared_ptr<UsageStore>> open_usage(const Config& config);
// cli_simulate.cc
int run_simulate(const Args& args);

}  // namespace llmrouter::server

#endif  // LLMROUTER_SERVER_CLI_H_
