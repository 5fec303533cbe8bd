// What the configuration's tests share.
#ifndef LLMROUTER_TESTS_UNIT_CONFIG_SUPPORT_H_
#define LLMROUTER_TESTS_UNIT_CONFIG_SUPPORT_H_

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include "llmrouter/config.h"

namespace llmrouter::test {

using Variables = std::map<std::string, std::string>;

// Loads a text with these variables and no others.
inline ConfigResult load(const std::string& text, const Variables& variables = {}, std::vector<std::pair<std::string, std::string>> set = {}) {
  ConfigInput input;
  input.file = "t.yaml";
  input.text = text;
  input.set = std::move(set);
  input.env = [variables](const std::string& name) -> std::optional<std::string> {
    auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
  return load_config(input);
}

inline std::string words(const ConfigResult& result) {
  std::string out;
  for (const ConfigFault& fault : result.faults) out += fault.to_string() + "\n";
  return out;
}

// A folder that goes with the object.
class Folder {
 public:
  Folder() {
    char name[] = "/tmp/llmrouter-config-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~Folder() {
    for (const std::string& file : files_) std::remove(file.c_str());
    ::rmdir(path_.c_str());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string path(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, const std::string& text) {
    const std::string file = path(name);
    std::FILE* out = std::fopen(file.c_str(), "wb");
    std::fwrite(text.data(), 1, text.size(), out);
    std::fclose(out);
    files_.push_back(file);
    return file;
  }

 private:
  std::string path_;
  std::vector<std::string> files_;
};

// Every field of a configuration as text, secrets included: what two configurations are compared by.
std::string dump(const Config& config);

}  // namespace llmrouter::test

#endif  // LLMROUTER_TESTS_UNIT_CONFIG_SUPPORT_H_
