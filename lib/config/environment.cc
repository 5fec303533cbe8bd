#include "config/environment.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace llmrouter::config {
namespace {

constexpr size_t kMostText = 64 * 1024;  // of one expanded value, of `.env`

bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool name_char(char c) { return letter(c) || (c >= '0' && c <= '9'); }

size_t name_length(std::string_view text) {
  if (text.empty() || !letter(text[0])) return 0;
  size_t length = 1;
  while (length < text.size() && name_char(text[length])) ++length;
  return length;
}

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// What stands right of `=` in `.env`: in single quotes as it is, in double quotes with \n \t \" \\ \$, else up to a blank and #.
bool env_value(std::string_view text, std::string* out) {
  text = trim(text);
  if (text.empty()) return true;
  const char quote = text[0];
  if (quote != '"' && quote != '\'') {
    size_t comment = text.find(" #");
    *out = std::string(trim(text.substr(0, comment)));
    return true;
  }
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == quote) {
      std::string_view rest = trim(text.substr(i + 1));
      return rest.empty() || rest[0] == '#';
    }
    if (quote == '"' && text[i] == '\\' && i + 1 < text.size()) {
      const char c = text[++i];
      *out += c == 'n' ? '\n' : c == 't' ? '\t' : c;
    } else {
      *out += text[i];
    }
  }
  return false;
}

void read_env(const std::string& path, std::string_view text, std::unordered_map<std::string, std::string>& out, Faults& faults) {
  for (int line = 1; !text.empty(); ++line) {
    const size_t end = text.find('\n');
    std::string_view whole = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    std::string_view rest = trim(whole);
    if (rest.empty() || rest[0] == '#') continue;
    if (rest.substr(0, 7) == "export ") rest = trim(rest.substr(7));
    const size_t length = name_length(rest);
    std::string value;
    if (length == 0 || length == rest.size() || trim(rest.substr(length)).substr(0, 1) != "=" ||
        !env_value(rest.substr(rest.find('=') + 1), &value)) {
      faults.add_in(path, {line, 1}, "", "expected NAME=VALUE, a comment or an empty line");
      continue;
    }
    out[std::string(rest.substr(0, length))] = std::move(value);
  }
}

}  // namespace

std::optional<std::string> read_file(const std::string& path, size_t most, std::string* error) {
  constexpr int kPatienceMs = 2000;  // with a pipe, which a shell may give in a file's place
  struct Closed {
    int fd;
    ~Closed() {
      if (fd >= 0) ::close(fd);
    }
  } const file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  std::string text;
  char buffer[16384];
  while (file.fd >= 0) {
    pollfd ready{file.fd, POLLIN, 0};
    if (::poll(&ready, 1, kPatienceMs) == 0) {
      *error = "a pipe, and nothing came out of it";
      return std::nullopt;
    }
    const ssize_t got = ::read(file.fd, buffer, sizeof buffer);
    if (got == 0) return text;
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) break;
    text.append(buffer, static_cast<size_t>(got));
    if (text.size() > most) {
      *error = "larger than " + std::to_string(most) + " bytes";
      return std::nullopt;
    }
  }
  *error = std::strerror(errno);
  return std::nullopt;
}

std::string beside(const std::string& config_file, const std::string& path) {
  const size_t slash = config_file.rfind('/');
  if (path.empty() || path[0] == '/' || slash == std::string::npos) return path;
  return config_file.substr(0, slash + 1) + path;
}

Environment::Environment(Lookup lookup, const std::string& config_file, Faults& faults) : lookup_(std::move(lookup)) {
  if (lookup_ || config_file.empty()) return;
  const std::string path = beside(config_file, ".env");
  std::string error;
  errno = 0;
  if (auto text = read_file(path, kMostText, &error)) read_env(path, *text, file_, faults);
  else if (errno != ENOENT && errno != ENOTDIR) faults.add_in(path, Place(), "", "cannot be read: " + error);
}

std::optional<std::string> Environment::get(const std::string& name) const {
  if (lookup_) return lookup_(name);
  if (const char* value = std::getenv(name.c_str())) return std::string(value);
  auto found = file_.find(name);
  if (found == file_.end()) return std::nullopt;
  return found->second;
}

std::optional<std::string> Environment::get_filled(const std::string& name) const {
  auto value = get(name);
  return value && !value->empty() ? value : std::nullopt;
}

bool expand(std::string_view text, const Environment& environment, std::string* out, bool* used, std::string* error) {
  error->clear();
  while (!text.empty()) {
    const size_t at = text.find("${");
    if (at == std::string_view::npos) {
      out->append(text);
      break;
    }
    if (at > 0 && text[at - 1] == '$') {  // $${
      out->append(text.substr(0, at - 1)).append("${");
      text.remove_prefix(at + 2);
      continue;
    }
    out->append(text.substr(0, at));
    text.remove_prefix(at + 2);
    const size_t length = name_length(text), end = text.find('}');
    std::string_view rest = end == std::string_view::npos ? std::string_view() : text.substr(length, end - length);
    if (length == 0 || end == std::string_view::npos || end < length || (!rest.empty() && rest.substr(0, 2) != ":-") ||
        rest.find("${") != std::string_view::npos) {
      *error = "expected ${NAME} or ${NAME:-default} ($${ for a literal ${)";
      return false;
    }
    const std::string name(text.substr(0, length));
    *used = true;
    auto value = environment.get(name);
    if (rest.empty() && !value) {
      *error += (error->empty() ? "" : "; ") + ("the environment variable " + name + " is not set (${" + name + ":-default} gives a default)");
    } else if (value && (rest.empty() || !value->empty())) {
      out->append(*value);
    } else {
      out->append(rest.substr(2));
    }
    text.remove_prefix(end + 1);
    if (out->size() > kMostText) {
      *error = "longer than " + std::to_string(kMostText) + " bytes with its variables";
      return false;
    }
  }
  return error->empty();
}

}  // namespace llmrouter::config
