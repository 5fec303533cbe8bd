// Variables, and the texts that name them.
#ifndef LLMROUTER_CONFIG_ENVIRONMENT_H_
#define LLMROUTER_CONFIG_ENVIRONMENT_H_

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "config/tree.h"

namespace llmrouter::config {

using Lookup = std::function<std::optional<std::string>(const std::string&)>;

// Reads at most `most` bytes of a file; a longer one, or one that cannot be read, gives nothing and says why.
std::optional<std::string> read_file(const std::string& path, size_t most, std::string* error);

// `path` as seen from the folder of the configuration file: absolute ones as they are.
std::string beside(const std::string& config_file, const std::string& path);

class Environment {
 public:
  // With `lookup` that and nothing else; without it the process's environment, and behind it the file `.env` beside `config_file` (when there
  // is a config file). Faults of `.env` go to `faults`.
  Environment(Lookup lookup, const std::string& config_file, Faults& faults);

  // A variable that is set to nothing counts as set.
  std::optional<std::string> get(const std::string& name) const;
  // Nothing for one that is empty.
  std::optional<std::string> get_filled(const std::string& name) const;

 private:
  Lookup lookup_;
  std::unordered_map<std::string, std::string> file_;
};

// ${NAME} and ${NAME:-default} in a text, $${ for a literal ${. False and `error` when a variable is not set or the writing is wrong;
// `error` never holds a value. `used` says whether a variable was in it.
bool expand(std::string_view text, const Environment& environment, std::string* out, bool* used, std::string* error);

}  // namespace llmrouter::config

#endif  // LLMROUTER_CONFIG_ENVIRONMENT_H_
