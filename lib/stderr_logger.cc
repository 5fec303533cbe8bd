// Log lines to stderr, for people or for machines.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>

#include "llmrouter/llmrouter.h"

namespace llmrouter {

namespace {

std::string_view level_name(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::kDebug: return "debug";
    case LogLevel::kInfo: return "info";
    case LogLevel::kWarn: return "warn";
    case LogLevel::kError: return "error";
    case LogLevel::kOff: break;
  }
  return "off";
}

// 2026-11-21T12:00:00.123Z
void append_time(std::string& out) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm utc{};
  gmtime_r(&now.tv_sec, &utc);
  char text[40];
  const size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  const int m = snprintf(text + n, sizeof text - n, ".%03dZ", static_cast<int>(now.tv_nsec / 1000000));
  out.append(text, n + static_cast<size_t>(m));
}

// The length of the UTF-8 sequence that `text` begins with; 0: it is none.
size_t utf8_length(std::string_view text) noexcept {
  const auto at = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = at(0);
  const size_t n = lead < 0x80 ? 1 : lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
  if (n == 0 || n > text.size()) return 0;
  for (size_t i = 1; i < n; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
  }
  if ((lead == 0xe0 && at(1) < 0xa0) || (lead == 0xed && at(1) >= 0xa0) || (lead == 0xf0 && at(1) < 0x90) || (lead == 0xf4 && at(1) >= 0x90)) return 0;
  return n;
}

// Control characters and broken UTF-8 never reach the terminal, split a line or spoil the JSON.
void append_escaped(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    if (length > 1) {
      out.append(text.substr(0, length));
      text.remove_prefix(length);
      continue;
    }
    const char c = text.front();
    text.remove_prefix(1);
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (length == 0) {
      out += "\xef\xbf\xbd";  // U+FFFD
    } else if (u < 0x20 || u == 0x7f) {
      char code[8];
      out.append(code, static_cast<size_t>(snprintf(code, sizeof code, "\\u%04x", u)));
    } else {
      out += c;
    }
  }
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  append_escaped(out, text);
  out += '"';
}

bool is_plain(std::string_view text) noexcept {
  if (text.empty()) return false;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) >= 0x7f || c == '"' || c == '\\' || c == '=') return false;
  }
  return true;
}

class StderrLogger final : public Logger {
 public:
  StderrLogger(LogLevel level, bool json) : level_(level), json_(json) {}

  bool enabled(LogLevel level) const noexcept override { return level >= level_ && level != LogLevel::kOff; }

  void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) override {
    if (!enabled(level)) return;
    std::string line;
    line.reserve(160);
    json_ ? format_json(line, level, message, fields) : format_text(line, level, message, fields);
    line += '\n';
    write_line(line);
  }

 private:
  static void format_text(std::string& line, LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
    append_time(line);
    line += ' ';
    line += level_name(level);
    line += ' ';
    append_escaped(line, message);
    for (const LogField& field : fields) {
      line += ' ';
      line += field.name;
      line += '=';
      if (is_plain(field.value)) {
        line += field.value;
      } else {
        append_quoted(line, field.value);
      }
    }
  }

  static void format_json(std::string& line, LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
    line += "{\"time\":\"";
    append_time(line);
    line += "\",\"level\":\"";
    line += level_name(level);
    line += "\",\"message\":";
    append_quoted(line, message);
    for (const LogField& field : fields) {
      line += ',';
      append_quoted(line, field.name);
      line += ':';
      if (field.bare) line += field.value;
      else append_quoted(line, field.value);
    }
    line += '}';
  }

  // One write, so that lines of several threads or processes do not mix. What stderr does not take is lost: there is no better place to say so.
  static void write_line(std::string_view line) noexcept {
    ssize_t n;
    do {
      n = ::write(STDERR_FILENO, line.data(), line.size());
    } while (n < 0 && errno == EINTR);
  }

  const LogLevel level_;
  const bool json_;
};

}  // namespace

std::shared_ptr<Logger> make_stderr_logger(LogLevel level, bool json) { return std::make_shared<StderrLogger>(level, json); }

}  // namespace llmrouter
