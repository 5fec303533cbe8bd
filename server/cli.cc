#include "server/cli.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "llmrouter/pattern.h"
#include "llmrouter/shown.h"
#include "server/json.h"

namespace llmrouter::server {

namespace {

const std::vector<Option> kCommon = {
    {"--config", "FILE", "the configuration; default: $LLMROUTER_CONFIG, then ./llmrouter.yaml when it is there", 'c'},
    {"--listen", "ADDRESS", "host:port, [::1]:8000 or unix:/path; may be repeated", 0, true},
    {"--set", "PATH=VALUE", "one key of the configuration, as in --set routing.attempts=1; may be repeated", 0, true},
    {"--help", "", "", 'h'},
};

const Option* find_option(const Command& command, std::string_view word) {
  const auto matches = [word](const Option& o) {
    return o.name == word || (word.size() == 2 && word[0] == '-' && o.letter != 0 && word[1] == o.letter);
  };
  for (const std::vector<Option>* list : {&command.options, &kCommon}) {
    const auto it = std::find_if(list->begin(), list->end(), matches);
    if (it != list->end()) return &*it;
  }
  return nullptr;
}

// A path that --listen stands for.
bool is_listen(const std::string& path) {
  constexpr std::string_view kListen = "server.listen";
  return path.compare(0, kListen.size(), kListen) == 0 && (path.size() == kListen.size() || path[kListen.size()] == '[');
}

Error unknown_option(const Command& command, const std::string& word) {
  std::vector<std::string> names;
  for (const std::vector<Option>* list : {&command.options, &kCommon})
    for (const Option& o : *list) names.emplace_back(o.name);
  std::string message = "unknown option " + word;
  const auto near = nearest_names(word, names, 1);
  if (!near.empty()) message += "; did you mean " + near.front() + "?";
  return Error(ErrorCode::kInvalidRequest, std::move(message));
}

std::string option_lines(const std::vector<Option>& options) {
  std::string text;
  for (const Option& o : options) {
    if (o.help.empty()) continue;
    std::string left = "  ";
    if (o.letter != 0) left.append("-").append(1, o.letter).append(", ");
    left.append(o.name);
    if (!o.value.empty()) left.append(" ").append(o.value);
    left.resize(std::max<size_t>(left.size() + 2, 26), ' ');
    for (const char c : o.help) left.append(1, c).append(c == '\n' ? 26 : 0, ' ');
    text.append(left).append("\n");
  }
  return text;
}

}  // namespace

Result<Args> Args::parse(const Command& command, const std::vector<std::string>& words) {
  Args args;
  bool only_arguments = false;
  for (size_t i = 0; i < words.size(); ++i) {
    std::string word = words[i];
    if (only_arguments || word.size() < 2 || word[0] != '-') {
      args.arguments_.push_back(std::move(word));
      continue;
    }
    if (word == "--") {
      only_arguments = true;
      continue;
    }
    std::optional<std::string> value;
    if (const size_t equals = word.find('='); word[1] == '-' && equals != std::string::npos) {
      value = word.substr(equals + 1);
      word.resize(equals);
    }
    const Option* option = find_option(command, word);
    if (option == nullptr) return unknown_option(command, word);
    if (option->value.empty() && value) return Error(ErrorCode::kInvalidRequest, word + " takes no value");
    if (!option->value.empty() && !value) {
      if (++i == words.size()) return Error(ErrorCode::kInvalidRequest, word + " needs a value: " + std::string(option->value));
      value = words[i];
    }
    const std::string* earlier = option->repeats || option->value.empty() ? nullptr : args.find(option->name);
    // Of two lists of models one would be lost, and with it what the key may not do.
    if (earlier != nullptr && *earlier != *value) return Error(ErrorCode::kInvalidRequest, std::string(option->name) + ": given twice, with different values");
    args.options_.emplace_back(option->name, value.value_or(std::string()));
  }
  if (args.has("--help")) return args;
  if (args.arguments_.size() < command.min_arguments || args.arguments_.size() > command.max_arguments) {
    std::string message(command.name);
    message += command.max_arguments == 0 ? " takes no arguments" : " takes " + std::string(command.arguments);
    if (args.arguments_.size() > command.max_arguments) message += ", found \"" + args.arguments_[command.max_arguments] + "\"";
    if (command.max_arguments == 0 && find_option(command, "--name") != nullptr) message += "; a name is given with --name";
    return Error(ErrorCode::kInvalidRequest, std::move(message));
  }
  for (const std::string& setting : args.all("--set")) {
    const std::string path = setting.substr(0, setting.find('='));
    if (path.size() == setting.size()) return Error(ErrorCode::kInvalidRequest, "--set " + setting + ": expected PATH=VALUE");
    if (is_listen(path) && args.has("--listen")) return Error(ErrorCode::kInvalidRequest, "--listen, --set " + path + ": expected one of them");
  }
  return args;
}

const std::string* Args::find(std::string_view option) const noexcept {
  for (auto it = options_.rbegin(); it != options_.rend(); ++it)
    if (it->first == option) return &it->second;
  return nullptr;
}

std::string Args::value(std::string_view option, std::string fallback) const {
  const std::string* found = find(option);
  return found != nullptr ? *found : std::move(fallback);
}

std::optional<std::string> Args::maybe(std::string_view option) const {
  const std::string* found = find(option);
  return found != nullptr ? std::optional<std::string>(*found) : std::nullopt;
}

std::vector<std::string> Args::all(std::string_view option) const {
  std::vector<std::string> out;
  for (const auto& [name, value] : options_)
    if (name == option) out.push_back(value);
  return out;
}

std::string usage_text(const Command& command) {
  std::string text = "usage: llmrouter-server ";
  text.append(command.name).append(" ").append(command.arguments).append(command.arguments.empty() ? "" : " ").append("[options]\n");
  return text.append("\n").append(command.help).append("\n\noptions:\n").append(option_lines(command.options)).append(option_lines(kCommon));
}

std::string usage_text(std::string_view group) {
  const auto of_group = [group](const Command& c) { return group.empty() || c.name.substr(0, c.name.find(' ')) == group; };
  const auto& all = commands();
  const auto first = std::find_if(all.begin(), all.end(), of_group);
  if (first == all.end()) return {};
  if (first->name == group) return usage_text(*first);
  std::string text = "usage: llmrouter-server ";
  text.append(group.empty() ? "[COMMAND]" : std::string(group) + " COMMAND").append(" [options]\n\ncommands");
  text += group.empty() ? " (default: serve):\n" : ":\n";
  const auto left_of = [](const Command& c) { return "  " + std::string(c.name) + (c.arguments.empty() ? "" : " ") + std::string(c.arguments); };
  size_t width = 26;
  for (const Command& c : all)
    if (of_group(c)) width = std::max(width, left_of(c).size() + 2);
  for (const Command& c : all) {
    if (!of_group(c)) continue;
    std::string left = left_of(c);
    left.resize(width, ' ');
    text.append(left).append(c.help).append("\n");
  }
  text.append("\noptions of every command (more: llmrouter-server COMMAND --help):\n").append(option_lines(kCommon));
  return text;
}

namespace {

ConfigInput config_input(const Args& args) {
  ConfigInput input;
  if (const auto file = args.maybe("--config")) {
    input.file = *file;
  } else if (const char* named = std::getenv("LLMROUTER_CONFIG"); named != nullptr && *named != 0) {
    input.file = named;
  } else if (::access("llmrouter.yaml", F_OK) == 0) {
    input.file = "llmrouter.yaml";
  }
  for (const std::string& setting : args.all("--set")) {
    const size_t equals = setting.find('=');
    input.set.emplace_back(setting.substr(0, equals), equals == std::string::npos ? std::string() : setting.substr(equals + 1));
  }
  if (const auto listen = args.all("--listen"); !listen.empty()) {
    std::string list = "[";
    for (const std::string& address : listen) {
      if (list.size() > 1) list += ", ";
      append_json(list, address);
    }
    input.set.emplace_back("server.listen", list + "]");
  }
  return input;
}

}  // namespace

ConfigResult read(const Args& args) {
  const ConfigInput input = config_input(args);
  ConfigResult result = load_config(input);
  for (std::vector<ConfigFault>* list : {&result.faults, &result.warnings})
    for (ConfigFault& fault : *list)
      if (fault.file == "settings" && fault.line == 0 && input.file != fault.file) fault.file = args.has("--listen") && is_listen(fault.path) ? "--listen" : "--set";
  return result;
}

std::optional<ConfigResult> load(const Args& args) {
  ConfigResult loaded = read(args);
  for (const ConfigFault& fault : loaded.faults) std::fprintf(stderr, "%s\n", fault.to_string().c_str());
  if (!loaded.ok()) return std::nullopt;
  return loaded;
}

std::string leave_absent(StorageConfig& storage) {
  constexpr std::string_view kSqlite = "sqlite:";
  if (storage.keys.compare(0, kSqlite.size(), kSqlite) != 0) return {};
  std::string path = storage.keys.substr(kSqlite.size());
  std::error_code unknown;
  // What cannot be looked at is not absent: opening it then says why. An empty file holds nothing, and looking into it is no reason to fill it.
  const bool there = std::filesystem::exists(path, unknown);
  if (unknown || (there && (!std::filesystem::is_regular_file(path, unknown) || std::filesystem::file_size(path, unknown) > 0 || unknown))) return {};
  storage.keys = "memory:";
  return path;
}

int complain(const Error& error, int code) {
  std::fprintf(stderr, "llmrouter-server: %s\n", error.in_full().c_str());
  return code;
}

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

std::string table(std::vector<std::vector<std::string>> rows) {
  for (auto& row : rows)
    for (std::string& cell : row) cell = shown(cell);
  std::vector<size_t> widths;
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) {
      if (i == widths.size()) widths.push_back(0);
      widths[i] = std::max(widths[i], row[i].size());
    }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      std::string cell = row[i];
      if (i + 1 < row.size()) cell.resize(widths[i] + 2, ' ');
      line += cell;
    }
    out.append(line.substr(0, line.find_last_not_of(' ') + 1)).append("\n");
  }
  return out;
}

}  // namespace llmrouter::server
