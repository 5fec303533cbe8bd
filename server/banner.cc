#include "server/banner.h"

#include <cstdio>
#include <filesystem>
#include <system_error>

#include "llmrouter/llmrouter.h"
#include "llmrouter/values.h"
#include "server/json.h"

namespace llmrouter::server {

namespace {

std::string auth_words(const Config& config, bool required) {
  if (config.server.auth == AuthMode::kNone) return "not asked for (server.auth: none)";
  return (required ? "needed (make one: " : "not needed until one exists (make one: ") + create_key_words(config, "NAME") + ")";
}

// With the whole path: which directory a server was started in is soon forgotten.
std::string whole_location(const std::string& location) {
  constexpr std::string_view kSqlite = "sqlite:";
  if (location.compare(0, kSqlite.size(), kSqlite) != 0) return location;
  std::error_code unknown;
  const std::filesystem::path path = std::filesystem::absolute(location.substr(kSqlite.size()), unknown);
  return unknown ? location : std::string(kSqlite) + path.lexically_normal().string();
}

// One word to a shell.
std::string pasted(const std::string& text) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+=,-";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string out = "'";
  for (const char c : text) c == '\'' ? out += "'\\''" : out += c;
  return out + "'";
}

std::string curl_line(const Listening& at, bool with_key) {
  std::string line = "curl ";
  if (!at.unix_path.empty()) line += "--unix-socket " + pasted(at.unix_path) + " http://localhost";
  else line += at.near_url;
  line += "/v1/chat/completions";
  if (with_key) line += " -H \"Authorization: Bearer $LLMROUTER_KEY\"";
  return line + " -d '{\"model\":\"demo/echo\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello there\"}]}'";
}

// As the log's own lines begin.
void print_json(const std::vector<Listening>& listening, const std::vector<std::string>& notes, size_t models, bool required) {
  std::string line = "{";
  append_member(line, "time", format_time_rfc3339(system_clock().wall()));
  append_member(line, "level", "info");
  append_member(line, "message", "listening");
  append_member(line, "version", version());
  append_name(line, "listen");
  line += '[';
  for (const Listening& l : listening) {
    if (line.back() != '[') line += ',';
    append_json(line, l.url);
  }
  line += ']';
  append_name(line, "notes");
  line += '[';
  for (const std::string& note : notes) {
    if (line.back() != '[') line += ',';
    append_json(line, note);
  }
  line += ']';
  append_member(line, "models", static_cast<int64_t>(models));
  append_name(line, "keys_required");
  line += required ? "true}\n" : "false}\n";
  std::fputs(line.c_str(), stderr);
}

}  // namespace

std::string create_key_words(const Config& config, std::string_view name) {
  std::string words = "llmrouter-server keys create --name " + std::string(name);
  // The file that would be read without being named needs no name; another one may keep its keys elsewhere.
  if (!config.source.empty() && config.source != "llmrouter.yaml") words += " -c " + pasted(config.source);
  return words;
}

void print_banner(const Config& config, const std::vector<std::string>& notes, const std::vector<Listening>& listening, const Router& router,
                  bool complete) {
  const bool required = router.keys_required();
  const size_t models = router.models(nullptr).size();
  if (config.observe.json) return print_json(listening, notes, models, required);
  std::string text = "llmrouter " + std::string(version()) + "\n";
  const auto line = [&text](std::string_view name, const std::string& value) { text.append("  ").append(name).append(value).append("\n"); };
  line("config    ", config.source.empty() ? "none (defaults and environment)" : config.source);
  std::string providers;
  for (const ProviderConfig& provider : config.providers) providers += (providers.empty() ? "" : ", ") + provider.name;
  line("providers ", providers);
  for (const std::string& note : notes) line("          ", note);
  line("models    ", std::to_string(models) + (complete ? "" : " so far (some providers have not answered yet)"));
  line("keys      ", auth_words(config, required));
  line("data      ", "keys " + whole_location(config.storage.keys) + ", usage " + whole_location(config.storage.usage));
  for (const Listening& l : listening) line("listening ", l.url + (l.unix_path.empty() && l.url != l.near_url ? " (every address of this host)" : ""));
  if (!listening.empty()) line("try       ", curl_line(listening.front(), required));
  std::fputs(text.c_str(), stderr);
}

}  // namespace llmrouter::server
